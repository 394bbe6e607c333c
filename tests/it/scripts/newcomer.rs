//! Every script as somebody runs it who has just cloned the repository: through the binary, without server or options.

use crate::support::{Ran, finish, octorhai, root, run};
use std::{fs, path::Path};

/// Names of all scripts, so that none is forgotten.
fn names() -> Vec<String> {
    let files = fs::read_dir(root().join("scripts")).expect("a folder");
    let mut names: Vec<String> =
        files.filter_map(|f| f.expect("a file").file_name().to_str()?.strip_suffix(".rhai").map(str::to_owned)).collect();
    names.sort();
    assert!(names.len() >= 12, "{names:?}");
    names
}

/// Runs a script in a folder that looks like the repository and may be written to.
fn in_folder(folder: &Path, name: &str, options: &[&str]) -> Ran {
    let script = format!("scripts/{name}.rhai");
    fs::create_dir_all(folder.join("scripts")).expect("a folder");
    fs::copy(root().join(&script), folder.join(&script)).expect("a copy");
    let mut command = octorhai();
    command.current_dir(folder).args(["run", "--sandbox"]);
    if name == "tenant-rings" {
        command.arg("tenants");
    }
    finish(command.args(options).arg(&script))
}

#[test]
fn every_script_runs_and_says_the_same_each_time() {
    for name in names() {
        let code = if name == "requeue-self" { 7 } else { 0 };
        for options in [&[][..], &["--output", "json"]] {
            let (one, two) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
            let (first, second) = (in_folder(one.path(), &name, options), in_folder(two.path(), &name, options));
            assert_eq!(first.code, code, "{name} {options:?}\n{}", first.stderr);
            assert_eq!(second.code, code, "{name} {options:?}\n{}", second.stderr);
            assert_eq!(first.stdout, second.stdout, "{name} {options:?}: stdout");
            assert_eq!(first.stderr, second.stderr, "{name} {options:?}: stderr");
            assert!(
                !first.stdout.contains("127.0.0.1") && !first.stderr.contains("127.0.0.1"),
                "{name}: an address of this one run is shown"
            );
            assert!(!(first.stdout.is_empty() && first.stderr.is_empty()), "{name} says something");
        }
    }
}

#[test]
fn a_failure_says_the_same_each_time_too() {
    same_twice(&crate::support::shop_where_c_fails(), 5);
}

#[test]
fn so_does_a_run_on_a_bad_line() {
    let faults = "
faults = [
  { match = \"GET *\", action = \"status=502\", from = \"5m\", for = \"2m\" },
  { match = \"GET *\", action = \"reset\", nth = 25 },
  { match = \"POST */deployments\", action = \"drop_after\", nth = 2 },
  { match = \"*\", action = \"restart\", from = \"30m\", for = \"1m\" },
]
";
    let world = crate::support::shop(&[("key   = \"API-SANDBOX\"", &format!("key = \"API-SANDBOX\"{faults}"))]);
    same_twice(&world, 0);
}

#[track_caller]
fn same_twice(world: &str, code: i32) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("world.toml"), world).expect("a world");
    for options in [&[][..], &["--output", "json"]] {
        let once = || {
            let mut command = octorhai();
            command.current_dir(folder.path()).args(["run", "--sandbox", "world.toml"]).args(options);
            finish(command.arg(root().join("scripts/master-project.rhai")))
        };
        let (first, second) = (once(), once());
        assert_eq!((first.code, second.code), (code, code), "{}", first.stderr);
        assert_eq!((&first.stdout, &first.stderr), (&second.stdout, &second.stderr), "{options:?}");
        assert!(!first.stderr.contains("127.0.0.1") && !first.stdout.contains("127.0.0.1"), "{}{}", first.stderr, first.stdout);
    }
}

#[test]
fn help_shows_the_parameters_with_their_labels() {
    for name in names() {
        let script = format!("scripts/{name}.rhai");
        let text = fs::read_to_string(root().join(&script)).expect("a script");
        assert!(text.starts_with(&format!("// {script}: ")), "{script} says on its first line what it is for");
        let lines = text.trim().lines().count() - 1;
        assert!((3..=13).contains(&lines), "{script} has {lines} lines: short enough to be read at a glance");
        let help = run(&["run", &script, "--help"]);
        assert_eq!(help.code, 0, "{}", help.stderr);
        let shown = format!("{}{}", help.stdout, help.stderr);
        let params: Vec<&str> = text.split("param(\"").skip(1).collect();
        for param in params {
            let name = param.split('"').next().unwrap_or_default();
            let label = param.split_once("label: \"").and_then(|(_, l)| l.split('"').next()).unwrap_or_default();
            assert!(
                !label.is_empty() && param.find("label").unwrap_or(usize::MAX) < param.find(';').unwrap_or(0),
                "{script}: {name} has no label"
            );
            assert!(shown.contains(&format!("--{name}")) && shown.contains(label), "{script}: {name} is not in\n{shown}");
        }
    }
}
