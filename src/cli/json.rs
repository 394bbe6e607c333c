//! `--output json`: one event a line on stdout, nothing else there.

use super::ui::Ui;
use crate::{
    event::{Event, Sink},
    run::Stats,
};
use serde_json::json;

/// Writes events as JSON.
pub struct JsonSink(Ui);

impl JsonSink {
    /// Writes to the stdout of `ui`.
    pub fn new(ui: Ui) -> Self {
        Self(ui)
    }
}

impl Sink for JsonSink {
    fn event(&self, event: &Event) {
        // Events hold strings, numbers and JSON values only, which always can be written.
        let mut line = serde_json::to_value(event).unwrap_or_else(|why| json!({"event": "unprintable", "why": why.to_string()}));
        // Beside other runs each line says whose it is.
        if let Some(run) = self.0.run() {
            line["run"] = json!(run);
        }
        self.0.json(line);
    }
}

/// The line that `--stats` adds after the last event.
pub fn stats(stats: &Stats) -> String {
    json!({
        "event": "stats",
        "requests": stats.requests,
        "busiest_minute": stats.busiest_minute,
        "rejected": stats.rejected,
        "delayed": stats.delayed,
        "seconds": stats.seconds,
        "real_seconds": stats.real_seconds,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::super::{
        Cli,
        args::parse,
        hostile::kind,
        lines::tests::{at, story, subject},
        ui::Loudness,
        ui::testing,
    };
    use super::*;
    use crate::event::{Subject, What};
    use serde_json::Value;
    use std::{
        collections::{BTreeMap, BTreeSet},
        fs,
    };

    #[test]
    fn each_event_is_one_json_line_without_secrets() {
        let (ui, data, talk) = testing::ui(Loudness::Normal);
        let sink = JsonSink::new(ui);
        let story = story();
        for event in &story {
            sink.event(event);
        }
        let text = data.text();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(lines.len(), story.len());
        assert_eq!(lines[3]["event"], "task_started");
        assert_eq!(lines[3]["task"], "ServerTasks-12");
        assert_eq!(lines[3]["at"], "2026-03-02T08:00:01Z");
        assert_eq!(lines[6]["text"], "half way ***");
        assert_eq!(lines[18]["exit_code"], 5);
        assert!(talk.text().is_empty());
    }

    #[test]
    fn statistics_are_a_line_too() {
        let line: Value = serde_json::from_str(&stats(&Stats { requests: 7, delayed: 2, ..Stats::default() })).expect("JSON");
        assert_eq!(
            line,
            json!({"event": "stats", "requests": 7, "busiest_minute": 0, "rejected": 0, "delayed": 2, "seconds": 0.0, "real_seconds": 0.0})
        );
    }

    /// Every member called `env`, however deep.
    fn members_env(value: &Value) -> usize {
        match value {
            Value::Object(members) => members.iter().map(|(name, value)| usize::from(name == "env") + members_env(value)).sum(),
            Value::Array(items) => items.iter().map(members_env).sum(),
            _ => 0,
        }
    }

    #[test]
    fn no_kind_of_event_has_a_member_env() {
        let everything = || Subject {
            environment: Some("Test".into()),
            tenant: Some("Aurora".into()),
            project: Some("Project A".into()),
            release: Some("2.0.0".into()),
            runbook: Some("Smoke test".into()),
            url: Some("http://x".into()),
            ..subject(1, "T")
        };
        let (mut kinds, at) = (BTreeSet::new(), at("08:00:00"));
        let with_subject = [
            What::TaskStarted { subject: everything(), how: "deploy".into() },
            What::TaskProgress { subject: everything(), state: "Executing".into(), step: None, percent: None },
            What::TaskEnded {
                subject: everything(),
                state: "Failed".into(),
                queued: at,
                started: None,
                completed: None,
                error: "e".into(),
            },
            What::Planned { tasks: 2 },
            What::Replayed { what: Box::new(What::TaskStarted { subject: everything(), how: "deploy".into() }) },
        ];
        for what in story().into_iter().map(|event| event.what).chain(with_subject) {
            kinds.insert(kind(&what));
            let event = serde_json::to_value(Event { seq: 1, at, what }).expect("JSON");
            assert_eq!(members_env(&event), 0, "{event}");
        }
        assert_eq!(kinds.len(), 14, "not every kind is in the lists above: {kinds:?}");
    }

    #[test]
    fn errors_of_a_run_name_the_environment_as_environment() {
        let folder = tempfile::tempdir().expect("a folder");
        let world = super::super::worlds::text("shop").expect("a world");
        let fails = "takes = \"4m\", fails = [ { release = \"2.0.0\", environment = \"Test\", error = \"declined\" } ] },";
        let failing =
            world.replace("{ name = \"Verify payments\",     takes = \"4m\" },", &format!("{{ name = \"Verify payments\", {fails}"));
        assert_ne!(failing, world);
        fs::write(folder.path().join("world.toml"), failing).expect("written");
        for script in [
            "require_deployed(\"Project B\", \">=99\", \"Test\");",
            "wait(deploy(\"Project C\", \"2.0.0\", \"Test\"));",
            "try { require_deployed(\"Project B\", \">=99\", \"Test\"); } catch (err) { print(err.env); throw err; }",
        ] {
            let path = folder.path().join("x.rhai");
            fs::write(&path, script).expect("written");
            let sandbox = format!("--sandbox={}", folder.path().join("world.toml").display());
            let words = ["octorhai", "run", &sandbox, &path.display().to_string(), "--output", "json", "--stats"].map(str::to_owned);
            let (ui, data, _) = testing::ui(Loudness::Normal);
            let cli = parse::<Cli>(words.to_vec()).expect("a command line");
            cli.perform(&ui, None, &BTreeMap::new());
            let lines: Vec<Value> = data.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
            assert!(lines.iter().all(|line| members_env(line) == 0), "{lines:?}");
            let ended = lines.iter().find(|line| line["event"] == "run_ended").expect("an end");
            assert_eq!(ended["error"]["environment"], "Test", "{script}: {ended}");
            if script.starts_with("try") {
                assert!(lines.iter().any(|line| line["event"] == "print" && line["text"] == "Test"), "{lines:?}");
            }
        }
    }
}
