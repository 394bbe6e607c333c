//! `octorhai step run` as a launcher starts it, and what the server would make of what it says: the strictest reading of both
//! readers that there are (octopus-step-contract.md §2.2, §2.7). Shares nothing with who writes it.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use std::{
    collections::BTreeMap,
    path::Path,
    process::{Child, Command, Stdio},
};

/// The names of a launcher's pipe, in Bash: the frame comes on descriptor 3, and what runs is our own child's place.
const LAUNCHER: &str = r#"exec 3< <(cat "$FRAME_FILE"); OCTORHAI_FRAME=3 exec "$OCTORHAI" step run"#;

/// A step that is about to run.
pub struct Step {
    frame: Vec<u8>,
    environment: Vec<(String, String)>,
    folder: tempfile::TempDir,
}

impl Step {
    /// With a script, the parameters of a template with the prefix `T`, and variables. `Key!` is the name of a secret.
    pub fn new(url: &str, script: &str, variables: &[(&str, &str)]) -> Self {
        let secrets: Vec<&str> = variables.iter().filter_map(|(name, _)| name.strip_suffix('!')).chain(["T.Server.ApiKey"]).collect();
        let secrets = secrets.join(" ");
        let text = BASE64.encode(script);
        let mut pairs = vec![("@protocol", "2"), ("@secrets", &secrets), ("@template", "test 1"), ("@prefix", "T"), ("@name", "x.rhai")];
        pairs.push(("@script", &text));
        let mine = |name: &str| variables.iter().any(|(known, _)| known.trim_end_matches('!') == name);
        let usual = [
            ("Octopus.Web.ServerUri", url),
            ("T.Server.ApiKey", "API-SANDBOX"),
            ("Octopus.Action.Id", "act-1"),
            ("Octopus.Environment.Name", "Test"),
            ("Octopus.Space.Id", "Spaces-1"),
            ("Octopus.WorkerPool.Id", "WorkerPools-1"),
        ];
        pairs.extend(usual.iter().filter(|(name, _)| !mine(name)));
        pairs.extend(variables.iter().map(|(name, value)| (name.trim_end_matches('!'), *value)));
        pairs.push(("@end", ""));
        let frame = pairs.iter().flat_map(|(name, value)| [*name, "\0", *value, "\0"]).collect::<String>().into_bytes();
        Self { frame, environment: Vec::new(), folder: tempfile::tempdir().expect("a folder") }
    }

    /// What comes on the pipe instead.
    pub fn framed(mut self, frame: &[u8]) -> Self {
        self.frame = frame.to_vec();
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The folder that the step works in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Bash with the launcher; stdout and stderr are pipes, stdin is not there, and nothing is known of this machine.
    pub fn command(&self) -> Command {
        self.launched(LAUNCHER)
    }

    /// The same with another launcher.
    pub fn launched(&self, launcher: &str) -> Command {
        let frame = self.folder.path().join("frame");
        std::fs::write(&frame, &self.frame).expect("written");
        let mut command = Command::new("/bin/bash");
        command.args(["-c", launcher]).current_dir(self.folder.path()).env_clear().env("PATH", "/usr/bin:/bin");
        command.env("FRAME_FILE", frame).env("OCTORHAI", assert_cmd::cargo::cargo_bin!("octorhai")).env("TZ", "UTC");
        command.env("OCTORHAI_VIRTUAL_TIME", "1").env("OCTORHAI_STORE", "none");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn spawn(&self) -> Child {
        self.command().spawn().expect("bash starts")
    }

    pub fn run(&self) -> Heard {
        let output = self.command().output().expect("bash runs");
        Heard::of(output.status.code(), &output.stdout, &output.stderr)
    }
}

/// What was heard of a step.
#[derive(Debug, Default)]
pub struct Heard {
    pub code: Option<i32>,
    /// Level and text of the lines of the log.
    pub log: Vec<(String, String)>,
    /// Value, and whether it is sensitive.
    pub variables: BTreeMap<String, (String, bool)>,
    /// Path and name.
    pub artifacts: Vec<(String, String)>,
    pub progress: Vec<(u8, String)>,
    pub result: Option<String>,
    pub masks: Vec<String>,
    pub raw: String,
}

impl Heard {
    /// Reads what was said, and panics about whatever no step should say.
    pub fn of(code: Option<i32>, stdout: &[u8], stderr: &[u8]) -> Self {
        assert_eq!(String::from_utf8_lossy(stderr), "", "each line on stderr is an error in the task log");
        let raw = String::from_utf8(stdout.to_vec()).expect("UTF-8");
        let mut heard = Self { code, raw: raw.clone(), ..Self::default() };
        let mut level = "default".to_owned();
        let mut before = "";
        for line in raw.split_terminator('\n') {
            assert!(!line.contains('\r') && !line.chars().any(|c| c.is_control() && c != '\t'), "{line:?}");
            if let Some(message) = line.strip_prefix("##octopus[") {
                assert!(!before.ends_with('#'), "a reader misses what follows {before:?}");
                let message = message.strip_suffix(']').unwrap_or_else(|| panic!("{line:?} goes on after its message"));
                heard.message(message, &mut level);
            } else {
                assert!(!line.contains("##octopus"), "{line:?}");
                heard.log.push((level.clone(), line.to_owned()));
            }
            before = line;
        }
        assert_eq!(level, "default", "the level that the step leaves behind");
        heard
    }

    fn message(&mut self, text: &str, level: &mut String) {
        let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
        if let Some(wanted) = name.strip_prefix("stdout-") {
            assert!(["default", "verbose", "warning", "error", "highlight", "wait"].contains(&wanted) && rest.is_empty(), "{text:?}");
            wanted.clone_into(level);
            return;
        }
        let mut all: BTreeMap<&str, String> = BTreeMap::new();
        let mut rest = rest;
        while !rest.is_empty() {
            let (attribute, more) = rest.split_once("='").unwrap_or_else(|| panic!("{text:?}"));
            let (value, more) = more.split_once('\'').unwrap_or_else(|| panic!("{text:?}"));
            let value = String::from_utf8(BASE64.decode(value).expect("base64")).expect("UTF-8");
            assert!(all.insert(attribute, value).is_none(), "{text:?}");
            rest = more.strip_prefix(' ').unwrap_or(more);
        }
        let mut take = |attribute: &str| all.remove(attribute).unwrap_or_else(|| panic!("{text:?} has no {attribute}"));
        match name {
            "setVariable" => {
                let (name, value) = (take("name"), take("value"));
                let sensitive = all.remove("sensitive").is_some_and(|text| text == "True");
                self.variables.insert(name, (value, sensitive));
            }
            "progress" => {
                let percent = take("percentage").parse().expect("a number");
                assert!(self.progress.last().is_none_or(|(before, _)| *before < percent), "progress goes back or stands");
                self.progress.push((percent, take("message")));
            }
            "createArtifact" => {
                let path = take("path");
                let length: u64 = take("length").parse().expect("a number");
                assert!(Path::new(&path).is_absolute() && std::fs::metadata(&path).expect("the file stays").len() == length, "{path}");
                self.artifacts.push((path, take("name")));
            }
            "resultMessage" => self.result = Some(take("message")),
            "mask" => self.masks.push(take("value")),
            other => panic!("no message is called {other:?}"),
        }
        assert!(all.is_empty(), "{text:?} says more than it should");
    }

    /// The lines at a level.
    pub fn at(&self, level: &str) -> Vec<&str> {
        self.log.iter().filter(|(known, _)| known == level).map(|(_, line)| line.as_str()).collect()
    }

    /// An output variable.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(|(value, _)| value.as_str())
    }

    #[track_caller]
    pub fn ended(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{}", self.raw);
        self
    }

    #[track_caller]
    pub fn says(&self, level: &str, part: &str) -> &Self {
        assert!(self.at(level).iter().any(|line| line.contains(part)), "{part:?} is not said as {level} in\n{}", self.raw);
        self
    }
}
