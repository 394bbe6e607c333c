//! A script of `scripts/` in a world, and what was true when it ended.

use crate::support::{self, InProcess, settings};
use octorhai::{event::Recorder, run::Target, sandbox::Mail, sandbox::World};
use serde_json::Value;
use std::sync::Arc;

/// What a run is put together from.
pub struct Scene {
    script: String,
    world: String,
    prelude: String,
    params: Vec<(String, Value)>,
    zone: String,
    deployment: Option<String>,
}

/// `scripts/NAME.rhai` in the world `shop`.
pub fn script(name: &str) -> Scene {
    let text = std::fs::read_to_string(support::root().join(format!("scripts/{name}.rhai"))).expect("a script");
    Scene { script: text, world: support::shop(&[]), prelude: String::new(), params: Vec::new(), zone: "UTC".into(), deployment: None }
}

impl Scene {
    /// Another world.
    pub fn world(self, toml: impl Into<String>) -> Self {
        Self { world: toml.into(), ..self }
    }

    /// What others did just before, on the same server.
    pub fn before(self, prelude: &str) -> Self {
        Self { prelude: prelude.to_owned(), ..self }
    }

    pub fn param(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.params.push((name.to_owned(), value.into()));
        self
    }

    pub fn zone(self, zone: &str) -> Self {
        Self { zone: zone.to_owned(), ..self }
    }

    /// The deployment that runs the script.
    pub fn own(self, deployment: &str) -> Self {
        Self { deployment: Some(deployment.to_owned()), ..self }
    }

    pub fn run(self) -> Ended {
        let world = World::from_toml("test", &self.world).expect("a good world");
        let events = Arc::new(Recorder::default());
        let artifacts = tempfile::tempdir().expect("a folder");
        let mut settings = settings(Target::Sandbox(world), &format!("{}{}", self.prelude, self.script), Arc::clone(&events));
        settings.params = self.params.into_iter().collect();
        settings.zone = jiff::tz::TimeZone::get(&self.zone).expect("a zone");
        settings.context.deployment = self.deployment;
        artifacts.path().clone_into(&mut settings.artifacts);
        let outcome = octorhai::run::run(settings);
        Ended { run: InProcess { outcome, events: events.events() }, artifacts }
    }
}

/// How it ended.
pub struct Ended {
    pub run: InProcess,
    artifacts: tempfile::TempDir,
}

impl Ended {
    #[track_caller]
    pub fn exits(self, code: u8) -> Self {
        assert_eq!(self.run.outcome.exit_code, code, "{}\n{:#?}", self.run.error(), self.run.events);
        self
    }

    pub fn error(&self) -> String {
        self.run.error()
    }

    pub fn printed(&self) -> String {
        self.run.printed()
    }

    pub fn truth(&self) -> &Value {
        &self.run.outcome.truth
    }

    /// The deployments made since the world's start, in order.
    pub fn deployments(&self) -> Vec<&Value> {
        self.truth()["deployments"].as_array().expect("a list").iter().filter(|d| d["history"] == false).collect()
    }

    /// The same as text: `Project A 2.0.0 Test Success`.
    pub fn made(&self) -> Vec<String> {
        made(self.truth())
    }

    /// When the `index`-th of [`Ended::deployments`] began and ended, as `08:00:01`.
    pub fn times(&self, index: usize) -> (String, String) {
        let deployment = self.deployments()[index];
        (clock(&deployment["started"]), clock(&deployment["completed"]))
    }

    /// The version that is live.
    pub fn live(&self, project: &str, environment: &str) -> String {
        let all = self.truth()["live"].as_array().expect("a list");
        let found = all.iter().find(|l| l["project"] == project && l["environment"] == environment);
        found.map_or_else(|| "nothing".to_owned(), |l| text(&l["release"]))
    }

    /// The time at the end, as `08:40:25`.
    pub fn now(&self) -> String {
        clock(&self.truth()["now"])
    }

    /// The mails that came in.
    pub fn mails(&self) -> Vec<Mail> {
        mails(&self.truth()["mails"])
    }

    pub fn subjects(&self) -> Vec<String> {
        self.mails().into_iter().map(|m| m.subject).collect()
    }

    /// Notes, warnings and highlights.
    pub fn notes(&self) -> Vec<String> {
        use octorhai::event::What;
        let notes = self.run.events.iter().filter_map(|e| match &e.what {
            What::Note { text, .. } => Some(text.clone()),
            _ => None,
        });
        notes.collect()
    }

    /// An artifact's text.
    pub fn artifact(&self, name: &str) -> String {
        std::fs::read_to_string(self.artifacts.path().join(name)).expect("an artifact")
    }
}

/// `Project A 2.0.0 Test Success` for each deployment since the start.
pub fn made(truth: &Value) -> Vec<String> {
    let all = truth["deployments"].as_array().expect("a list").iter().filter(|d| d["history"] == false);
    let line = |d: &Value| {
        let tenant = d["tenant"].as_str().map(|t| format!(" {t}")).unwrap_or_default();
        format!("{} {} {}{tenant} {}", text(&d["project"]), text(&d["release"]), text(&d["environment"]), text(&d["state"]))
    };
    all.map(line).collect()
}

/// Mails as the sandbox shows them.
pub fn mails(list: &Value) -> Vec<Mail> {
    let to = |m: &Value| m["to"].as_array().expect("a list").iter().map(text).collect();
    let all = list.as_array().expect("a list").iter();
    all.map(|m| Mail { from: text(&m["from"]), to: to(m), subject: text(&m["subject"]), raw: text(&m["raw"]) }).collect()
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn clock(value: &Value) -> String {
    value.as_str().map_or_else(|| "never".to_owned(), |at| at[11..19].to_owned())
}

/// `shop` with one step replaced, e.g. so that it fails.
#[track_caller]
pub fn shop_with_step(project: &str, step: &str, line: &str) -> String {
    with_step(&support::shop(&[]), project, step, line)
}

/// A world with one step replaced.
#[track_caller]
pub fn with_step(world: &str, project: &str, step: &str, line: &str) -> String {
    let (head, tail) = world.split_at(world.find(&format!("name = \"{project}\"")).expect("a project"));
    let at = tail.find(&format!("  {{ name = \"{step}\"")).expect("a step");
    let end = at + tail[at..].find('\n').expect("a line");
    format!("{head}{}  {line},{}", &tail[..at], &tail[end..])
}
