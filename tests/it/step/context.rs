//! What `ctx` says in a step, and in a run from a terminal that names the same deployment.
#![cfg(unix)]

use crate::support::{ground::Ground, shop, step::Step};

/// All that `ctx` says of the step.
const ALL: &str = r"
    for line in [`env=${ctx.env}`, `release=${ctx.release}`, `channel=${ctx.channel}`, `phase=${ctx.phase}`, `notes=${ctx.release_notes}`,
        `by=${ctx.started_by}`, `person=${ctx.deployed_by}`, `machines=${ctx.machines}`, `excluded=${ctx.excluded_machines}`,
        `machine=${ctx.machine}`, `runbook=${ctx.runbook}`, `branch=${ctx.branch}`, `commit=${ctx.commit}`, `task=${ctx.task}`] { print(line); }
    for i in ctx.interruptions { print(`${i.title}: ${i.answer} by ${i.answered_by}: ${i.notes}`); }
";

fn world() -> String {
    shop(&[
        (
            "[[projects]]\nname = \"Project A\"",
            "[[machines]]\nname = \"web-1\"\nenvironments = [\"Test\"]\nroles = [\"web\"]\n\n[[machines]]\nname = \"web-2\"\nenvironments = [\"Test\"]\nroles = [\"web\"]\n\n[[projects]]\nname = \"Project A\"",
        ),
        (
            "{ name = \"Drain queue\",         takes = \"4m\" }",
            "{ name = \"Drain queue\", manual = { instructions = \"Sure?\", answer = \"Proceed\", answer_by = \"ada\" } }",
        ),
    ])
}

#[test]
fn step_and_terminal_say_the_same_of_a_deployment() {
    let ground = Ground::in_world(&world());
    ground.write("parent.rhai", "let t = deploy(\"Project C\", \"1.1.0\", \"Test\", #{exclude_machines: [\"web-2\"]}); print(t.id); print(t.deployment); sleep(\"4m\");");
    let ran = ground.run("parent", "scripts/parent.rhai", &[], &[]);
    let (task, deployment) = ran.stdout.trim().split_once('\n').unwrap_or_else(|| panic!("{ran:?}"));
    let own = [("Octopus.Task.Id", task), ("Octopus.Deployment.Id", deployment), ("Octopus.Machine.Name", "web-1")];
    let heard = Step::new(&ground.sandbox.url, ALL, &own).run();
    heard.ended(0);
    let mut wanted = vec![
        "env=Test".to_owned(),
        "release=1.1.0".to_owned(),
        "channel=Default".to_owned(),
        "phase=Test".to_owned(),
        "notes=Vouchers".to_owned(),
        "by=sandbox".to_owned(),
        "person=#{\"id\": \"Users-1\", \"name\": \"Sandbox\", \"username\": \"sandbox\"}".to_owned(),
        "machines=[]".to_owned(),
        "excluded=[\"web-2\"]".to_owned(),
        "machine=web-1".to_owned(),
        "runbook=".to_owned(),
        "branch=".to_owned(),
        "commit=".to_owned(),
        format!("task={task}"),
        "Drain queue: Proceed by ada: ".to_owned(),
    ];
    assert_eq!(heard.at("default")[1..=wanted.len()], wanted);
    ground.write("all.rhai", ALL);
    let ran = ground.run("all", "scripts/all.rhai", &["--deployment", deployment], &[]);
    // There is no deployment target at a terminal.
    wanted[9] = "machine=".to_owned();
    assert_eq!(ran.stdout.lines().collect::<Vec<_>>(), wanted, "{ran:?}");
}

#[test]
fn step_of_a_runbook_knows_its_run() {
    let ground = Ground::in_world(&world());
    ground.write(
        "parent.rhai",
        "let t = run_runbook(\"Project B\", \"Smoke test\", \"Test\"); print(t.id); print(t.raw.Arguments.RunbookRunId);",
    );
    let ran = ground.run("parent", "scripts/parent.rhai", &[], &[]);
    let (task, run) = ran.stdout.trim().split_once('\n').unwrap_or_else(|| panic!("{ran:?}"));
    let heard = Step::new(&ground.sandbox.url, ALL, &[("Octopus.Task.Id", task), ("Octopus.RunbookRun.Id", run)]).run();
    heard.ended(0);
    let said = heard.at("default").join("\n");
    for part in ["runbook=Smoke test", "release=\n", "phase=\n", "by=sandbox", "machines=[]"] {
        assert!(said.contains(part), "{part:?}: {said}");
    }
}

#[test]
fn terminal_without_a_deployment_says_nothing_of_one() {
    let ground = Ground::new();
    ground.write("all.rhai", "print(`${ctx.machine}|${ctx.machines}|${ctx.excluded_machines}|${ctx.runbook}|${ctx.interruptions}`);");
    let ran = ground.run("all", "scripts/all.rhai", &[], &[]);
    assert_eq!((ran.code, ran.stdout.trim()), (0, "|[]|[]||[]"), "{ran:?}");
}
