//! The run of an Octopus step, which Octopus starts again in the same task.

use crate::support::{
    Ran,
    ground::{Ground, told},
    shop_where_c_fails,
};
use octorhai::journal::RunState;
use std::fs;

const TASK: (&str, &str) = ("OCTOPUS_TASK_ID", "ServerTasks-71");
const STEP: [(&str, &str); 2] = [TASK, ("OCTOPUS_ACTION_ID", "0b4f6c7e-9a4e-4d2b")];

/// An attempt of the step: a copy of the script in a folder of its own.
fn attempt(ground: &Ground, number: u32, script: &str, arguments: &[&str], surroundings: &[(&str, &str)]) -> Ran {
    let folder = ground.folder.path().join(format!("work-{number}"));
    fs::create_dir_all(&folder).expect("made");
    fs::copy(ground.folder.path().join("scripts").join(script), folder.join(script)).expect("copied");
    let file = folder.join(script).display().to_string();
    let mut all = vec!["run", "--server", &ground.sandbox.url, "--virtual-time", "--env", "Test", &file];
    all.extend(arguments);
    ground.octorhai(&all, surroundings)
}

/// Names and states of all runs, the oldest first.
fn runs(ground: &Ground) -> Vec<(String, RunState)> {
    let runs = ground.journal().runs(false, usize::MAX).expect("read");
    runs.into_iter().rev().map(|run| (run.new.name, run.state)).collect()
}

#[test]
fn a_step_that_was_killed_goes_on_and_one_that_succeeded_does_nothing_again() {
    let ground = Ground::new();
    ground.write("ship.rhai", "let token = secret(\"Token\");\nwait(deploy(\"Project A\", \"latest\", \"Test\"));\n");
    let mut number = 0;
    while ground.deployed().is_empty() {
        number += 1;
        let crash = ("OCTORHAI_CRASH_AT", &*number.to_string());
        let surroundings = [&STEP[..], &[crash, ("OCTORHAI_PARAM_TOKEN", "hunter22-long")]].concat();
        assert_eq!(attempt(&ground, number, "ship.rhai", &[], &surroundings).code, -1, "it was not killed");
    }
    let surroundings = [&STEP[..], &[("OCTORHAI_PARAM_TOKEN", "hunter22-long")]].concat();
    told(&attempt(&ground, 1000, "ship.rhai", &[], &surroundings), 0, &["continuing run `ServerTasks-71/0b4f6c7e-9a4e-4d2b/ship-"]);
    assert_eq!(ground.deployed(), ["Project A"]);
    told(&attempt(&ground, 1001, "ship.rhai", &[], &surroundings), 0, &["has succeeded before", "nothing is done again"]);
    assert_eq!(ground.deployed(), ["Project A"]);
    let all = runs(&ground);
    assert!(matches!(&all[..], [(name, RunState::Succeeded { .. })] if name.starts_with("ServerTasks-71/")), "{all:?}");
}

#[test]
fn a_step_that_failed_is_tried_anew() {
    let ground = Ground::in_world(&shop_where_c_fails());
    ground.write("ship.rhai", "wait(deploy(\"Project C\", \"latest\", \"Test\"));\n");
    for number in 1..=2 {
        let ran = attempt(&ground, number, "ship.rhai", &[], &STEP);
        told(&ran, 5, &["the test payment was declined"]);
        assert!(!ran.stderr.contains("continuing") && !ran.stderr.contains("before"), "{}", ran.stderr);
        assert_eq!(ground.deployed().len(), number as usize);
    }
    let all = runs(&ground);
    assert!(all.len() == 2 && all.iter().all(|(_, state)| matches!(state, RunState::Failed { .. })), "{all:?}");
}

#[test]
fn what_a_step_starts_with_other_parameters_is_another_run() {
    let ground = Ground::new();
    ground.write("ship.rhai", "deploy(param(\"Project\", \"Project A\"), \"latest\", \"Test\");\n");
    for (arguments, step) in [(&[][..], &STEP), (&["--Project", "Project B"], &STEP), (&[], &[TASK, ("OCTOPUS_ACTION_ID", "another")])] {
        told(&attempt(&ground, 1, "ship.rhai", arguments, step), 0, &[]);
    }
    assert_eq!(ground.deployed(), ["Project A", "Project B", "Project A"]);
    // A name that was given is a name that was given.
    told(&attempt(&ground, 2, "ship.rhai", &["--run-id", "mine"], &STEP), 0, &[]);
    told(&ground.octorhai(&["runs", "show", "mine"], &[]), 0, &[]);
}

#[test]
fn a_step_is_known_by_task_and_action_and_journaled_in_its_tentacles_home() {
    let ground = Ground::new();
    ground.write("ship.rhai", "deploy(\"Project A\", \"latest\", \"Test\");\n");
    told(
        &attempt(&ground, 1, "ship.rhai", &[], &[TASK]),
        2,
        &["OCTOPUS_TASK_ID is given, and OCTOPUS_ACTION_ID is not", "Octopus.Action.Id"],
    );
    assert_eq!(ground.deployed().len(), 0);
    let nowhere = [&STEP[..], &[("OCTORHAI_STORE", "")]].concat();
    told(&attempt(&ground, 1, "ship.rhai", &[], &nowhere), 0, &["warning: the run is not journaled", "OCTORHAI_STORE"]);
    let home = ground.folder.path().join("home");
    let there = [&nowhere[..], &[("TentacleHome", home.to_str().expect("a path"))]].concat();
    let ran = attempt(&ground, 1, "ship.rhai", &[], &there);
    assert!(ran.code == 0 && !ran.stderr.contains("warning"), "{ran:?}");
    told(&attempt(&ground, 2, "ship.rhai", &[], &there), 0, &["has succeeded before"]);
    assert!(home.join("octorhai/runs.sqlite").is_file());
    // Without a journal between them, too: what the first attempt deployed was taken over.
    assert_eq!(ground.deployed(), ["Project A"]);
}
