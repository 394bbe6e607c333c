//! A run as a user meets it: what goes where, what a failure and a signal do.

use crate::support::{self, finish};
use assert_cmd::cargo::cargo_bin;
use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

fn octorhai(folder: &Path, line: &str) -> Command {
    let mut command = Command::new(cargo_bin!("octorhai"));
    command.current_dir(folder).env_clear().args(line.split_whitespace());
    command
}

fn run(script: &str, line: &str) -> (i32, String, String) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("x.rhai"), script).expect("written");
    let Output { status, stdout, stderr } = octorhai(folder.path(), line).output().expect("octorhai starts");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (status.code().expect("an exit code"), text(stdout), text(stderr))
}

#[test]
fn stdout_is_data_and_stderr_is_talk() {
    let (code, out, err) = run("print(6 * 7);", "run --sandbox x.rhai");
    assert_eq!((code, out.as_str()), (0, "42\n"), "{err}");
    assert!(err.contains("x.rhai on sandbox shop") && err.contains("done in"), "{err}");
    let (code, out, err) = run("print(6 * 7);", "run --sandbox x.rhai --quiet");
    assert_eq!((code, out.as_str(), err.as_str()), (0, "42\n", ""));
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    let script = "print(1); print(2);";
    assert_eq!(run(script, "run --sandbox x.rhai --verbose"), run(script, "run --sandbox x.rhai --verbose"));
}

#[test]
fn with_output_json_each_line_of_stdout_is_an_event() {
    let (code, out, _) = run("print(\"a\\nb\");", "run --sandbox x.rhai --output json --stats");
    assert_eq!(code, 0);
    let events: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let kinds: Vec<&str> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    assert_eq!((kinds.first(), kinds.last()), (Some(&"run_started"), Some(&"stats")));
    assert!(events.iter().any(|event| event["event"] == "print" && event["text"] == "a\nb"), "{out}");
    assert!(events.iter().any(|event| event["event"] == "run_ended" && event["exit_code"] == 0), "{out}");
}

#[test]
fn a_failure_is_shown_with_its_place_and_sets_the_exit_code() {
    let (code, out, err) = run("let a = [];\nthrow \"no\";", "run --sandbox x.rhai");
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("x.rhai:2:1") && err.contains("ended with exit code 1"), "{err}");
}

#[test]
fn values_reach_the_redactor_before_anything_is_shown() {
    let script = "let key = secret(\"Key\");\nprint(\"hunter22 and aHVudGVyMjI\");";
    let (_, out, err) = run(script, "run --sandbox x.rhai --key hunter22 --verbose");
    assert!(!out.contains("hunter22") && !out.contains("aHVudGVyMjI") && !err.contains("hunter22"), "{out}{err}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_and_sigterm_end_a_busy_run_with_code_4_and_in_order() {
    use std::io::{BufRead, BufReader, Read};
    for (signal, name) in [("INT", "Ctrl-C"), ("TERM", "SIGTERM")] {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("x.rhai"), "print(1);\nloop { }").expect("written");
        let line = "run --sandbox x.rhai --max-operations 999999999999";
        let mut child = octorhai(folder.path(), line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("octorhai starts");
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        let mut first = String::new();
        out.read_line(&mut first).expect("the script prints");
        assert_eq!(first, "1\n");
        let sent = Command::new("kill").args([format!("-{signal}"), child.id().to_string()]).status().expect("kill is there");
        assert!(sent.success());
        let code = child.wait().expect("it ends").code();
        let mut err = String::new();
        child.stderr.take().expect("piped").read_to_string(&mut err).expect("UTF-8");
        assert_eq!(code, Some(4), "{err}");
        assert!(
            !err.contains("did not end")
                && err.contains(&format!("{name}: ending the run"))
                && err.contains(&format!("the run was cancelled ({name})")),
            "{err}"
        );
    }
}

#[test]
fn stop_within_that_is_not_a_duration_is_a_warning() {
    let ran = |within: &str| {
        finish(support::octorhai().args(["run", "--sandbox", "scripts/require-version.rhai"]).env("OCTORHAI_STOP_WITHIN", within))
    };
    let wrong = ran("soon");
    assert_eq!(wrong.code, 0);
    assert!(wrong.stderr.contains("OCTORHAI_STOP_WITHIN is not a duration such as `8s`: `soon`; a stopped run has 2s"), "{}", wrong.stderr);
    assert!(!ran("8s").stderr.contains("STOP_WITHIN") && !ran("").stderr.contains("STOP_WITHIN"));
}

#[test]
fn an_option_of_ours_with_the_name_of_a_parameter_is_told() {
    let script = "print(param(\"Project\", \"Project A\"));";
    let (code, out, err) = run(script, "run --sandbox x.rhai --project B");
    assert_eq!((code, out.as_str()), (0, "Project A\n"));
    assert!(err.contains("`-- --project VALUE`"), "{err}");
    let (code, out, err) = run(script, "run --sandbox x.rhai -- --project B");
    assert_eq!((code, out.as_str()), (0, "B\n"));
    assert!(!err.contains("VALUE"), "{err}");
}

/// A run that fails while its deployment goes on, on a server of another process: exit code, what it told, and the state of the deployment.
fn failing(script: &str, arguments: &[&str]) -> (i32, String, String) {
    let ground = support::ground::Ground::new();
    ground.write("x.rhai", &format!("let t = deploy(\"Project A\", \"latest\", \"Test\");\nsleep(\"5m\");\n{script}"));
    let ran = ground.run("x", "scripts/x.rhai", arguments, &[]);
    let state = ground.sandbox.get("/sandbox/state");
    let deployments = state["deployments"].as_array().expect("a list").iter().filter(|d| d["history"] != true);
    let states: Vec<&str> = deployments.filter_map(|d| d["state"].as_str()).collect();
    (ran.code, ran.stderr, states.join(" "))
}

#[test]
fn failed_run_says_how_its_open_tasks_are_stopped() {
    let (code, err, state) = failing("fail(\"no\");", &[]);
    assert_eq!((code, state.as_str()), (1, "Executing"), "{err}");
    let told = "still open on the server, and not waited for any longer:\n  Project A 2.0.0 → Test (ServerTasks-19): http://127.0.0.1";
    assert!(err.contains(told) && err.contains("--on-failure cancel"), "{err}");
    // Nothing is open, or nothing has failed.
    for script in ["wait(t); fail(\"no\");", ""] {
        let (_, err, _) = failing(script, &[]);
        assert!(!err.contains("still open"), "{err}");
    }
}

#[test]
fn failed_run_cancels_its_open_tasks_when_told_to() {
    for script in ["fail(\"no\");", "exit(3);", "let x = #{}; x.y.z;"] {
        let (code, err, state) = failing(script, &["--on-failure", "cancel"]);
        assert_ne!(code, 0, "{script}");
        assert!(["Cancelling", "Canceled"].contains(&state.as_str()), "{script}: {state}\n{err}");
        assert!(err.contains("Project A 2.0.0 → Test (ServerTasks-19): cancelled") && !err.contains("still open"), "{script}: {err}");
    }
    let (code, err, state) = failing("", &["--on-failure", "cancel"]);
    assert_eq!((code, state.as_str()), (0, "Executing"), "nothing has failed: {err}");
}
