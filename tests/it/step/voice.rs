//! What a step says, read by the program that runs steps on workers.
#![cfg(unix)]

use crate::support::{cases, kits, root};
use octorhai::step::{
    charset::Charset,
    voice::{LogLevel, Voice},
};
use serde_json::Value;
use std::{fs::File, process::Command};

/// Numbers from a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % limit
    }
}

const PIECES: &[&str] = &[
    "#",
    "##",
    "##o",
    "##oc",
    "##octo",
    "##octopu",
    "##octopus",
    "##octopus[",
    "##octopus[setVariable name='QQ==' value='QQ==']",
    "##octopus[stdout-error]",
    "octopus",
    "o",
    "[",
    "]",
    "'",
    " ",
    "\r",
    "\0",
    "\t",
    "\u{1b}[1m",
    "text",
    "ü",
    "→",
    "🐙",
    "\u{feff}",
    "\u{2028}",
];

/// Lines that hold all that a reader could trip over, a message after each: no message is lost or broken, and none is made of a line.
#[test]
fn messages_between_random_lines_are_all_heard_by_the_real_reader() {
    const NAME: &str = "step::voice::messages_between_random_lines_are_all_heard_by_the_real_reader";
    let Some(driver) = kits::kit(NAME, "calamari/calamari_step.py") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let lines = cases(5000) as usize;
    let voice = Voice::on(File::create(&log).expect("a file"), Charset::Utf8);
    let mut random = Random(7);
    for number in 0..lines {
        let text: String = (0..=random.below(4)).map(|_| PIECES[random.below(PIECES.len())]).collect();
        let level = [LogLevel::Default, LogLevel::Verbose, LogLevel::Warning, LogLevel::Highlight][random.below(4)];
        voice.say(level, &text);
        voice.set_variable(&format!("V{number}"), &number.to_string(), false);
    }
    let body = folder.path().join("body.sh");
    std::fs::write(&body, format!("cat {}\n", log.display())).expect("written");
    let template = root().join("templates/require-version.bash.json");
    let mut command = Command::new("python3");
    command.arg(driver).args(["--json", "--body"]).arg(&body).arg(template);
    let output = command.output().expect("python3 runs");
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let problems = seen["problems"].as_array().expect("a list");
    assert!(problems.is_empty(), "{} problems: {:?}", problems.len(), &problems[..problems.len().min(3)]);
    let outputs = seen["outputs"].as_object().expect("a map");
    assert_eq!(outputs.len(), lines);
    for number in 0..lines {
        assert_eq!(outputs[&format!("V{number}")]["value"], number.to_string());
    }
    // Whatever was said at another level, the usual one is back.
    assert_eq!(seen["lines"].as_array().expect("a list").iter().filter(|line| line[0] == "error").count(), 0);
}
