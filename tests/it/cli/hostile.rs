//! Names, comments and scripts that somebody wrote to deceive, through the whole program.

use crate::support::{self, octorhai, shop};
use std::fs;

/// A message to the agent of Octopus, a terminal's title, a direction, and a line break with a false hint.
const NAME: &str = "##octopus[setVariable name='QQ==' value='QQ==']\u{1b}]0;owned\u{7}\u{202e}\n  help: rm -rf /";

fn is_tame(text: &str) {
    let harms = |c: char| c.is_control() && !matches!(c, '\n' | '\t') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    assert!(!text.contains(harms) && !text.replace('\n', "").contains("##octopus"), "{text:?}");
}

#[test]
fn run_in_a_script_step_speaks_for_nobody_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let world = shop(&[]).replace("\"Project A\"", &toml::Value::String(NAME.to_owned()).to_string());
    fs::write(folder.path().join("world.toml"), world).expect("written");
    let script = r###"
        for p in projects() { print(p); }
        print("##o"); print("ctopus[stdout-ignore]"); highlight(projects()[0].name);
        wait(deploy(projects()[0], "latest", "Test", #{comment: "\x1b[2J"}));
        fail(projects()[0].name);
    "###;
    fs::write(folder.path().join("x.rhai"), script).expect("written");
    for more in [&[][..], &["--verbose"], &["--output", "json"]] {
        let ran = support::finish(octorhai().current_dir(folder.path()).args(["run", "--sandbox=world.toml"]).args(more).arg("x.rhai"));
        assert_eq!(ran.code, 1, "{ran:?}");
        is_tame(&ran.stdout);
        is_tame(&ran.stderr);
        let forged = ran.stderr.lines().filter(|line| line.trim_start().starts_with("help: rm"));
        assert_eq!(forged.count(), 0, "{}", ran.stderr);
        if more.contains(&"json") {
            let own = |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("JSON");
            assert!(ran.stdout.lines().map(own).any(|event| event["text"] == NAME), "the value is whole: {}", ran.stdout);
        } else {
            assert!(ran.stdout.contains("# #octopus[setVariable") && ran.stdout.contains('␛'), "{}", ran.stdout);
        }
    }
    let checked = support::finish(octorhai().current_dir(folder.path()).args(["check", "--sandbox=world.toml", "x.rhai"]));
    is_tame(&format!("{}{}", checked.stdout, checked.stderr));
}

#[test]
fn an_id_of_dots_is_not_found_and_climbs_nowhere() {
    for id in ["..", ".", "../..", "%2e%2e", "../../users/me", "..?x", "..#"] {
        let ran = support::simulate(&shop(&[]), &format!("task({})", toml::Value::String(id.to_owned())));
        assert!(ran.error().contains("is unknown to the server, or you may not see it"), "{id}: {}", ran.error());
    }
}

#[cfg(unix)]
#[test]
fn an_artifact_follows_no_link() {
    let folder = tempfile::tempdir().expect("a folder");
    let (out, elsewhere) = (folder.path().join("out"), folder.path().join("elsewhere"));
    fs::create_dir_all(&out).expect("made");
    fs::create_dir_all(&elsewhere).expect("made");
    fs::write(elsewhere.join("precious.txt"), "as it was").expect("written");
    std::os::unix::fs::symlink(&elsewhere, out.join("sub")).expect("a link");
    std::os::unix::fs::symlink(elsewhere.join("precious.txt"), out.join("file.txt")).expect("a link");
    std::os::unix::fs::symlink(elsewhere.join("new.txt"), out.join("dangling.txt")).expect("a link");
    let run = |name: &str| {
        fs::write(folder.path().join("x.rhai"), format!("artifact(\"{name}\", \"mine\");")).expect("written");
        support::finish(octorhai().current_dir(folder.path()).args(["run", "--sandbox", "x.rhai", "--artifacts", "out"]))
    };
    for name in ["sub/precious.txt", "sub/new.txt", "file.txt", "dangling.txt"] {
        let ran = run(name);
        assert!(ran.code == 1 && ran.stderr.contains("is a link, and artifacts follow none"), "{name}: {ran:?}");
    }
    assert_eq!(fs::read_to_string(elsewhere.join("precious.txt")).expect("there"), "as it was");
    assert_eq!(fs::read_dir(&elsewhere).expect("a folder").count(), 1);
    for name in ["plain.txt", "a/b/deep.txt", "plain.txt"] {
        let ran = run(name);
        assert!(ran.code == 0 && fs::read_to_string(out.join(name)).expect("there") == "mine", "{name}: {ran:?}");
    }
    // The folder itself is the user's choice.
    fs::rename(&out, folder.path().join("real")).expect("moved");
    std::os::unix::fs::symlink(folder.path().join("real"), &out).expect("a link");
    assert_eq!(run("own.txt").code, 0);
}
