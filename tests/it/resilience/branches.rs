//! No value is locked while a function waits: each function of the library, and each property that asks the server, is used by two
//! branches on the same captured values while every second request is turned away with 429.

use super::people::{with_approval, with_guided_failure};
use crate::support::{settings, shop, world_of_example};
use octorhai::{engine::library::FunctionDoc, event::Recorder, host, run::Target, sandbox::World};
use std::{collections::BTreeSet, fmt::Write as _, sync::Arc};

/// How a function is used by both branches.
struct Use {
    /// `deploy`, `Task.cancel`
    name: &'static str,
    /// What both branches have before they begin: `x` is what stands before the dot.
    given: &'static str,
    /// The other arguments. `n` is the number of the branch.
    rest: &'static str,
    /// How such a run ends.
    code: u8,
    /// Only the first branch makes the call, and the second looks at `x` meanwhile: a second call would have nothing to do.
    once: bool,
}

const fn with(name: &'static str, given: &'static str, rest: &'static str) -> Use {
    Use { name, given, rest, code: 0, once: false }
}

const fn ends(name: &'static str, given: &'static str, rest: &'static str, code: u8) -> Use {
    Use { name, given, rest, code, once: false }
}

const fn once(name: &'static str, given: &'static str, rest: &'static str) -> Use {
    Use { name, given, rest, code: 0, once: true }
}

const A: &str = "let x = \"Project A\";";
const TASK: &str = "let x = deploy(\"Project A\", \"latest\", \"Test\");";
const HANGS: &str = "let x = deploy(\"Project A\", \"latest\", \"Test\"); sleep(\"2m\"); x.cancel(); sleep(\"11m\");";
const PENDING: &str = "deploy(\"Project A\", \"latest\", \"Test\"); sleep(\"30m\"); let x = pending()[0];";
const UNAPPROVED: &str = "let x = pending(#{task: deploy(\"Project A\", \"latest\", \"Test\")})[0];";
/// `x` is the argument of the closure around both branches.
const SAGA: &str = "SAGA";

const USES: &[Use] = &[
    with("ctx", "", ""),
    with("param", "let x = \"NotifyTo\";", "\"team@example.com\""),
    with("secret", "let x = \"Token\";", ""),
    with("Secret.reveal", "let x = secret(\"Token\");", ""),
    with("space", "let x = \"Default\";", ""),
    with("server", "let x = \"default\";", ""),
    with("projects", "let x = #{name: \"project\"};", ""),
    with("project", A, ""),
    with("runbooks", A, ""),
    with("envs", "", ""),
    with("tenants", "let x = #{};", ""),
    with("environment_status", "let x = create_environment(\"pr-1\", \"Project A\");", "\"Project A\""),
    with("create_environment", "let x = \"pr-1\";", "\"Project A\""),
    once("deprovision", "let x = create_environment(\"pr-1\", \"Project A\");", ""),
    with("latest", A, ""),
    with("releases", A, ""),
    with("release", A, "\"1.1.0\""),
    with("dashboard", "let x = #{env: \"Test\"};", ""),
    with("deployed", A, "\"Test\""),
    with("compare", "let x = \"Test\";", "\"Production\""),
    with("deployments", "let x = #{env: \"Test\"};", ""),
    with("promotable", "let x = \"Test\";", "\"Production\""),
    with("task", "let x = deploy(\"Project A\", \"latest\", \"Test\").id;", ""),
    with("running", A, "\"Test\""),
    with("Task.refresh", TASK, ""),
    with("events", "let x = #{};", ""),
    with("get", "let x = \"projects?take=1\";", ""),
    with("post", "let x = \"projectgroups\";", "#{Name: `Group ${n}`}"),
    with("put", "let x = \"projectgroups/ProjectGroups-1\"; let g = get(x);", "g"),
    with("delete", "let made = [1, 2].map(|i| post(\"projectgroups\", #{Name: `Group ${i}`}).Id);", "`projectgroups/${made[n - 1]}`"),
    with("create_release", A, "#{version: `3.${n}.0`}"),
    with("set_notes", "let x = latest(\"Project A\");", "`by branch ${n}`"),
    once("block", "let x = latest(\"Project A\");", "\"a leak\""),
    once("unblock", "let x = latest(\"Project A\"); block(x, \"a leak\");", ""),
    with("deploy", A, "\"latest\", \"Test\""),
    with("ensure", A, "\"latest\", \"Test\""),
    with("Promotable.deploy", "let x = promotable(\"Test\", \"Production\")[0];", ""),
    with("promote", A, "\"Test\", \"Production\""),
    with("redeploy", A, "\"Test\""),
    with("rollback", "wait(deploy(\"Project A\", \"2.0.0\", \"Test\")); let x = \"Project A\";", "\"Test\""),
    with("run_runbook", A, "\"Smoke test\", \"Test\""),
    once("run_trigger", A, "\"After monitoring\""),
    ends("requeue", "let x = \"22:00\";", "", 7),
    with("Task.cancel", TASK, ""),
    with("Task.abandon", HANGS, ""),
    with(
        "Task.prioritize",
        "let busy = deploy(\"Project A\", \"latest\", \"Test\"); let x = deploy(\"Project A\", \"latest\", \"Test\");",
        "",
    ),
    with("wait_step", TASK, "3"),
    with("wait", TASK, ""),
    with("settle", "let x = [deploy(\"Project A\", \"latest\", \"Test\")];", ""),
    with("wait_any", "let x = [deploy(\"Project A\", \"latest\", \"Test\")];", ""),
    with("wait_deployed", "deploy(\"Project A\", \"2.0.0\", \"Test\"); let x = \"Project A\";", "\"2.*\", \"Test\", #{timeout: \"1h\"}"),
    with("wait_idle", "deploy(\"Project C\", \"latest\", \"Test\"); let x = \"Project C\";", "\"Test\""),
    with("wait_for", "let p = \"Project A\"; let x = || p.deployed(\"Test\") != ();", "#{message: \"there\"}"),
    with("in_order", "let x = #{\"Project A\": [], \"Project B\": []};", "|p| p.deploy(\"latest\", \"Test\")"),
    with("rollout", "let x = [\"Project A\", \"Project B\"];", "|p| p.deploy(\"latest\", \"Test\")"),
    with("parallel", "let x = [\"Project A\", \"Project B\"];", "|p| p.deployed(\"Test\")"),
    with("lock", "let x = \"shop\";", "|| \"Project A\".deployed(\"Test\")"),
    with("locks", "let x = [\"shop\", \"payments\"];", "|| \"Project A\".deployed(\"Test\")"),
    with("only_one", "let x = \"train\";", "|| \"Project A\".deployed(\"Test\")"),
    with("lock_info", "let x = \"shop\";", ""),
    with("saga", "let x = |s| s.deploy(\"Project A\", \"latest\", \"Test\").wait(#{timeout: \"3h\"});", ""),
    with("Saga.deploy", SAGA, "\"Project A\", \"latest\", \"Test\""),
    with("Saga.promote", SAGA, "\"Project A\", \"Test\", \"Production\""),
    with("Saga.run_runbook", SAGA, "\"Project A\", \"Smoke test\", \"Test\""),
    with("Saga.undo", SAGA, "|| unblock(latest(\"Project A\"))"),
    with("retry", "let x = 3;", "|| \"Project A\".deployed(\"Test\")"),
    with("attempt", "let p = \"Project A\"; let x = || p.deployed(\"Test\");", ""),
    with("finally", "let p = \"Project A\"; let x = || p.deployed(\"Test\");", "|| p.deployed(\"Test\")"),
    with("require", "let x = true;", "\"always\""),
    ends("fail", "let x = \"not today\";", "", 1),
    with("exit", "let x = 0;", ""),
    with("require_deployed", A, "\">=1.0\", \"Test\""),
    with("version_in", "let x = \"2.4.1\";", "\"2.4.*\""),
    with("missing", "let x = \"\";", ""),
    with("more", "let x = [];", ""),
    with("now", "", ""),
    with("at", "let x = \"tomorrow 03:00\";", ""),
    with("ago", "let x = \"24h\";", ""),
    with("duration", "let x = \"90m\";", ""),
    with("sleep", "let x = \"10m\";", ""),
    with("window", "let x = \"Mon-Fri 08:00-18:00\";", ""),
    with("wait_window", "let x = \"Mon-Fri 22:00-04:00\";", ""),
    with("freeze", A, "\"Production\""),
    with("outputs", "let x = wait(deploy(\"Project A\", \"latest\", \"Test\"));", ""),
    with("output", "let x = \"Version\";", "\"1\""),
    with("output_secret", "let x = \"Token\";", "\"abc\""),
    with("artifact", "let x = \"branches.csv\";", "\"a\""),
    with("highlight", "let x = \"seen\";", ""),
    with("warn", "let x = \"seen\";", ""),
    with("verbose", "let x = \"seen\";", ""),
    with("progress", "let x = 50;", "\"half\""),
    with("remember", "let x = \"last good\";", "`${n}`"),
    with("recall", "let x = \"last good\";", "1"),
    with("once", "let p = \"Project A\"; let x = \"told\";", "|| p.deployed(\"Test\").release"),
    with("arrive", "let x = \"2.0.0\";", "`${n}`"),
    with("wait_arrivals", "let x = \"2.0.0\"; arrive(x, \"shop\");", "[\"shop\"]"),
    with("pending", "let x = #{};", ""),
    once("Interruption.approve", PENDING, "\"checked\""),
    once("Interruption.reject", PENDING, "\"not today\""),
    once("Interruption.guide", PENDING, "\"retry\""),
    with("Approval.approve", UNAPPROVED, "\"checked\""),
    once("Approval.reject", UNAPPROVED, "\"not today\""),
    with("approve_all", "let x = #{task: deploy(\"Project A\", \"latest\", \"Test\")};", "\"checked\""),
    with("email", "let x = #{to: \"team@example.com\", subject: \"Hello\", body: \"text\"};", ""),
    with("problem", "let x = attempt(|| fail(\"no\")).error;", ""),
    with("notify", "let x = \"ops@example.com\";", "\"live\""),
    with("report", "let x = dashboard(#{env: \"Test\"});", ""),
];

/// A value of each type that has properties which ask the server.
const VALUES: &[(&str, &str)] = &[
    ("Context", "let x = ctx();"),
    ("Task", TASK),
    ("Release", "let x = latest(\"Project A\");"),
    ("Live", "let x = deployed(\"Project A\", \"Test\");"),
    ("Deployment", "let x = deployments(#{env: \"Test\"})[0];"),
    ("Event", "deploy(\"Project A\", \"latest\", \"Test\"); let x = events(#{})[0];"),
    ("Interruption", PENDING),
    ("Approval", UNAPPROVED),
    ("Freeze", "let x = freeze(\"Project B\", \"Production\");"),
];

/// Properties that have nothing to say in a run that is no step.
const ABSENT: &[&str] = &["Context.env", "Context.project"];

/// `shop` where every second request is turned away, with what `name` needs.
fn world(name: &str) -> String {
    let mut world = match name {
        "Interruption.guide" => with_guided_failure(),
        name if name.starts_with("Interruption") => with_approval(""),
        name if name.starts_with("Approval") || name == "approve_all" => {
            let rule =
                "name = \"Yes\"\nprojects = [\"Project A\"]\nenvironments = [\"Test\"]\napprovers = [\"sandbox\"]\nself_approval = true\n";
            shop(&[]) + "\n[[approval_rules]]\n" + rule
        }
        "Task.abandon" => shop(&[("start = ", "cancel_takes = \"3h\"\nstart = ")]),
        "Freeze" => shop(&[]) + "\n[[freezes]]\nname = \"Audit\"\nfrom = \"0s\"\nfor = \"9h\"\n",
        name => world_of_example(name),
    };
    for nth in (3..400).step_by(2) {
        let _ = write!(world, "\n[[faults]]\nmatch = \"* /api/*\"\nnth = {nth}\naction = \"status=429\"\nretry_after = 1\n");
    }
    world
}

/// Two branches that work on what `given` made: both make the call, or the first of them.
fn script(given: &str, call: &str, once: bool) -> String {
    let call = if once { format!("if n == 1 {{ {call} }} else {{ sleep(\"1s\"); x.to_string() }}") } else { call.to_owned() };
    let branches = format!("parallel([1, 2], |n| {call})");
    match given {
        SAGA => format!("let sp = space(\"Default\");\nsaga(|x| wait({branches}, #{{timeout: \"3h\"}}));"),
        given => format!("let sp = space(\"Default\");\n{given}\n{branches};"),
    }
}

/// The call as a method of `x`, and as one of a space.
fn calls(function: &FunctionDoc, used: &Use) -> Vec<String> {
    let (name, rest) = (function.name, used.rest);
    let subject = used.given == SAGA || used.given.contains("let x = ");
    let all = match (subject, rest.is_empty()) {
        (true, true) => "x".to_owned(),
        (true, false) => format!("x, {rest}"),
        (false, _) => rest.to_owned(),
    };
    let mut calls = Vec::new();
    if subject {
        calls.push(format!("x.{name}({rest})"));
    }
    if function.receiver.is_none() {
        calls.push(format!("sp.{name}({all})"));
    }
    calls
}

/// What went wrong in a run that should have ended with `code`.
fn wrong(world: &str, script: &str, code: u8) -> Option<String> {
    let events = Arc::new(Recorder::default());
    let mut settings = settings(Target::Sandbox(World::from_toml("test", world).expect("a good world")), script, Arc::clone(&events));
    settings.params.insert("Token".to_owned(), "not known to anybody".into());
    let outcome = octorhai::run::run(settings);
    let told = outcome.failure.map(|failure| failure.render(false)).unwrap_or_default();
    (outcome.exit_code != code).then(|| format!("{script}\nended with {}: {told}", outcome.exit_code))
}

#[test]
fn every_function_works_in_two_branches_at_once() {
    let library = host::library();
    let functions = &library.docs().functions;
    let of = |f: &FunctionDoc| f.receiver.map_or_else(|| f.name.to_owned(), |receiver| format!("{receiver}.{}", f.name));
    let known: BTreeSet<String> = functions.iter().map(of).collect();
    let used: BTreeSet<String> = USES.iter().map(|used| used.name.to_owned()).collect();
    assert_eq!(known, used, "each function has a line in the table, and each line a function");
    let mut broken = Vec::new();
    for function in functions {
        let name = of(function);
        let used = USES.iter().find(|used| used.name == name).expect("in the table");
        let world = world(&name);
        let scripts = calls(function, used).into_iter().map(|call| script(used.given, &call, used.once));
        broken.extend(scripts.filter_map(|script| wrong(&world, &script, used.code)));
    }
    assert!(broken.is_empty(), "{} of the calls do not work:\n{}", broken.len(), broken.join("\n\n"));
}

#[test]
fn every_property_that_asks_works_in_two_branches_at_once() {
    let library = host::library();
    let types = library.docs().types.iter().filter(|kind| kind.properties.iter().any(|property| property.asks));
    let known: BTreeSet<&str> = types.clone().map(|kind| kind.name).collect();
    assert_eq!(known, VALUES.iter().map(|(name, _)| *name).collect(), "each type has a value in the table");
    let mut broken = Vec::new();
    for kind in types {
        let given = VALUES.iter().find(|(name, _)| *name == kind.name).expect("in the table").1;
        let reads = kind.properties.iter().filter(|property| property.asks).map(|property| format!("x.{}", property.name));
        let reads: Vec<String> = reads.filter(|read| !ABSENT.contains(&format!("{}{}", kind.name, &read[1..]).as_str())).collect();
        let script = script(given, &format!("{{ {} }}", reads.join("; ")), false);
        broken.extend(wrong(&world(kind.name), &script, 0));
    }
    assert!(broken.is_empty(), "{} of the reads do not work:\n{}", broken.len(), broken.join("\n\n"));
}

/// What closures hold in lists and maps, closures themselves, and functions of the script.
#[test]
fn values_that_hold_values_are_used_by_two_branches_at_once() {
    for script in [
        "let tasks = #{a: deploy(\"Project A\", \"latest\", \"Test\")}; parallel([1, 2], |n| tasks.a.wait());",
        "let tasks = [deploy(\"Project A\", \"latest\", \"Test\")]; parallel([1, 2], |n| tasks[0].wait().log);",
        "let envs = [\"Development\", \"Test\"]; parallel([1, 2], |n| envs.map(|e| deployed(\"Project A\", e)));",
        "let envs = #{a: \"Test\"}; parallel([1, 2], |n| envs.filter(|key, e| deployed(\"Project A\", e) != ()));",
        "let look = |e| deployed(\"Project A\", e); parallel([\"Development\", \"Test\"], |e| look.call(e));",
        "let ops = #{look: |e| deployed(\"Project A\", e)}; parallel([\"Development\", \"Test\"], |e| ops.look(e));",
        "fn look(env) { deployed(this, env) } let p = \"Project A\"; parallel([\"Development\", \"Test\"], |e| p.look(e));",
        "let t = (); parallel([1, 2], |n| { t = deploy(\"Project A\", \"latest\", \"Test\"); t.wait(#{timeout: \"3h\"}).log; t.refresh() });",
        "let t = deploy(\"Project A\", \"latest\", \"Test\"); t.wait(#{on_interrupt: |i| print(t.id)});",
        "saga(|s| { parallel([\"Project A\", \"Project B\"], |p| wait(s.deploy(p, \"2.0.0\", \"Test\"))); });",
        "lock(\"shop\", || saga(|s| parallel([\"Project A\", \"Project B\"], |p| wait(s.deploy(p, \"2.0.0\", \"Test\")))));",
    ] {
        assert_eq!(wrong(&world(""), script, 0), None);
    }
}
