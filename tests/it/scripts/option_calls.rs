//! A call of every function that has options, and the world in which it does something.

use crate::support::{InProcess, settings};
use octorhai::{
    engine::docs::{Entry, entries},
    event::Recorder,
    host,
    run::Target,
    sandbox::World,
};
use std::{collections::BTreeMap, sync::Arc};

/// A call, with `OPTIONS` where the options stand.
pub struct Given {
    pub function: &'static str,
    /// What stands before it.
    before: &'static str,
    call: &'static str,
    /// Options without which it cannot be called, each with its value.
    needs: &'static [(&'static str, &'static str)],
}

const fn given(function: &'static str, before: &'static str, call: &'static str) -> Given {
    Given { function, before, call, needs: &[] }
}

const LONG: &str = r#"let t = deploy("Web", "2.0.0", "Live");"#;

const INSIDE: &str = r#"let inside = || sleep("45m");"#;

pub const CALLS: &[Given] = &[
    given("projects", "", "projects(OPTIONS)"),
    given("runbooks", "", r#"runbooks("Web", OPTIONS)"#),
    given("envs", "", "envs(OPTIONS)"),
    given("deprovision", r#"let e = create_environment("pr-1", "Web");"#, "deprovision(e, OPTIONS)"),
    given("tenants", "", "tenants(OPTIONS)"),
    given("latest", "", r#"latest("Web", OPTIONS)"#),
    given("releases", "", r#"releases("Web", OPTIONS)"#),
    given("release", "", r#"release("Web", "latest", OPTIONS)"#),
    given("dashboard", "", "dashboard(OPTIONS)"),
    given("compare", "", r#"compare("Test", "Live", OPTIONS)"#),
    given("deployments", "", "deployments(OPTIONS)"),
    given("freeze", "", r#"freeze("Web", "Live", OPTIONS)"#),
    given("promotable", "", r#"promotable("Test", "Live", OPTIONS)"#),
    given("events", "", "events(OPTIONS)"),
    given("create_release", "", r#"create_release("Web", OPTIONS)"#),
    given("deploy", "", r#"deploy("Web", "latest", "Live", OPTIONS)"#),
    given("ensure", "", r#"ensure("Web", "latest", "Live", OPTIONS)"#),
    given(
        "Promotable.deploy",
        r#"let row = promotable("Test", "Live", #{projects: "Web"}).filter(|r| r.tenant == ())[0];"#,
        "row.deploy(OPTIONS)",
    ),
    given("promote", "", r#"promote("Web", "Test", "Live", OPTIONS)"#),
    given("redeploy", "", r#"redeploy("Web", "Live", OPTIONS)"#),
    given("rollback", "", r#"rollback("Web", "Live", OPTIONS)"#),
    given("run_trigger", "", r#"run_trigger("Web", "Hook", OPTIONS)"#),
    given("run_runbook", "", r#"run_runbook("Web", "Restart", "Live", OPTIONS)"#),
    given("requeue", LONG, r#"requeue("22:00", OPTIONS)"#),
    given("wait_step", LONG, "wait_step(t, 2, OPTIONS)"),
    given("wait", LONG, "wait(t, OPTIONS)"),
    given("settle", LONG, "settle(t, OPTIONS)"),
    given("wait_any", LONG, "wait_any([t], OPTIONS)"),
    given("wait_deployed", LONG, r#"wait_deployed("Web", "2.*", "Live", OPTIONS)"#),
    given("wait_idle", LONG, r#"wait_idle("Web", "Live", OPTIONS)"#),
    given("wait_for", "let from = now();", r#"wait_for(|| now() > from + "8m".duration(), OPTIONS)"#),
    given("in_order", "", r#"in_order(#{Web: [], Api: []}, |p| deploy(p, "2.0.0", "Live"), OPTIONS)"#),
    given("rollout", r#"let items = ["Web", "Api"];"#, r#"rollout(items, |p| deploy(p, "2.0.0", "Live"), OPTIONS)"#),
    given("parallel", "", r#"parallel([1, 2, 3], |i| sleep("1m"), OPTIONS)"#),
    given("lock", INSIDE, r#"lock("x", OPTIONS, inside)"#),
    given("locks", INSIDE, r#"locks(["x", "y"], OPTIONS, inside)"#),
    given("only_one", INSIDE, r#"only_one("x", OPTIONS, inside)"#),
    given(
        "saga",
        r#"let body = |s| { wait(s.deploy("Web", "2.0.0", "Live")); wait(s.deploy("Bad", "2.0.0", "Live")); };"#,
        "saga(body, OPTIONS)",
    ),
    given("Saga.deploy", "", r#"saga(|s| s.deploy("Web", "latest", "Live", OPTIONS))"#),
    given("Saga.promote", "", r#"saga(|s| s.promote("Web", "Test", "Live", OPTIONS))"#),
    given("Saga.run_runbook", "", r#"saga(|s| s.run_runbook("Web", "Restart", "Live", OPTIONS))"#),
    given("retry", "", r#"retry(4, || throw "no", OPTIONS)"#),
    given("output", "", r#"output("Version", secret("Key").reveal() + " #{x}", OPTIONS)"#),
    given("output_secret", "", r#"output_secret("Token", "1 #{x}", OPTIONS)"#),
    given("artifact", "", r#"artifact("a.txt", secret("Key").reveal(), OPTIONS)"#),
    given("once", "", r#"once("k", || sleep("45m"), OPTIONS)"#),
    given("wait_arrivals", r#"arrive("x", "shop"); let who = ["shop"];"#, r#"wait_arrivals("x", who, OPTIONS)"#),
    given("pending", "", "pending(OPTIONS)"),
    given("approve_all", "", r#"approve_all(OPTIONS, "agreed")"#),
    Given { function: "email", before: "", call: "email(OPTIONS)", needs: &[("to", "\"a@example.com\""), ("subject", "\"Hello\"")] },
    given("report", "", r#"report([#{name: "Web", why: "It is not yet tested by those to whom it matters most"}], OPTIONS)"#),
];

/// The call of a function.
pub fn call_of(function: &str) -> &'static Given {
    CALLS.iter().find(|call| call.function == function).unwrap_or_else(|| panic!("give a call of `{function}` with OPTIONS"))
}

impl Given {
    /// The script that stands before the call.
    pub fn before(&self) -> &'static str {
        self.before
    }

    /// The call with options as they stand in the map, e.g. `limit: 5`.
    pub fn with(&self, options: &str) -> String {
        let stands = |name: &str| options.starts_with(&format!("{name}:")) || options.contains(&format!(", {name}:"));
        let needed = self.needs.iter().filter(|(name, _)| !stands(name)).map(|(name, value)| format!("{name}: {value}"));
        let all: Vec<String> = needed.chain((!options.is_empty()).then(|| options.to_owned())).collect();
        self.call.replace("OPTIONS", &format!("#{{{}}}", all.join(", ")))
    }
}

/// Runs a script in [`WORLD`].
pub fn run(script: &str) -> InProcess {
    let events = Arc::new(Recorder::default());
    let world = World::from_toml("test", WORLD).expect("a good world");
    let mut settings = settings(Target::Sandbox(world), script, Arc::clone(&events));
    settings.params = BTreeMap::from([("Key".to_owned(), "hunter2".into())]);
    let outcome = octorhai::run::run(settings);
    InProcess { outcome, events: events.events() }
}

/// All functions with options.
pub fn with_options() -> Vec<Entry> {
    entries(host::library().docs()).into_iter().filter(|entry| !entry.options.is_empty()).collect()
}

/// Of everything that an option can name there are at least two.
pub const WORLD: &str = r#"
start = "2026-03-02T08:00:00Z"
task_cap = 20
[context]
environment = "Live"
[[environments]]
name = "Test"
[[environments]]
name = "Live"
[[parent_environments]]
name = "Previews"
[[lifecycles]]
name = "Standard"
phases = [ { name = "Test", environments = ["Test"] }, { name = "Live", environments = ["Live"] } ]
[[groups]]
name = "Shop"
[[groups]]
name = "Other"
[[machines]]
name = "web-1"
environments = ["Live"]
tags = ["Place/Blue"]
[[machines]]
name = "web-2"
environments = ["Live"]
roles = ["Green"]
[[packages]]
id = "Acme.Web"
versions = ["1.9.0", "2.0.0", "3.0.0"]
[[tag_sets]]
name = "Ring"
tags = ["Canary", "Early"]
[[tag_sets]]
name = "Place"
scopes = ["target"]
tags = ["Blue", "Green"]
[[tag_sets]]
name = "Kind"
scopes = ["project", "runbook"]
tags = ["Web", "Job"]
[[projects]]
name = "Web"
group = "Shop"
lifecycle = "Standard"
tenanted = "both"
steps = [ { name = "Deploy web", takes = "10m", package = "Acme.Web" }, { name = "Smoke test", takes = "1m" } ]
channels = [ { name = "Stable", default = true }, { name = "One", versions = "[1.0,2.0)" }, { name = "Pull", parent = "Previews" } ]
releases = [ { version = "1.0.0" }, { version = "1.1.0" }, { version = "1.5.0", channel = "One" }, { version = "2.0.0" } ]
live = { Test = "2.0.0", Live = "1.1.0" }
history = true
variables = [ { name = "Change", prompt = "Change number", value = "none" } ]
runbooks = [ { name = "Restart", steps = [ { name = "Restart", takes = "10m" } ] }, { name = "Clean", tags = ["Kind/Job"], published = false } ]
tags = ["Kind/Web"]
[[projects]]
name = "Api"
group = "Other"
lifecycle = "Standard"
steps = [ { name = "Deploy api", takes = "20m" } ]
releases = [ { version = "1.0.0" }, { version = "2.0.0" } ]
live = { Test = "2.0.0", Live = "1.0.0" }
[[projects]]
name = "Back"
lifecycle = "Standard"
steps = [ { name = "Deploy back" } ]
releases = [ { version = "1.0.0" }, { version = "2.0.0" } ]
live = { Test = "1.0.0", Live = "2.0.0" }
[[projects]]
name = "Bad"
lifecycle = "Standard"
steps = [ { name = "Break", takes = "2m", fails = [ { release = "2.0.0", environment = "Live", error = "broken" } ] } ]
releases = [ { version = "1.0.0" }, { version = "2.0.0" } ]
live = { Test = "2.0.0", Live = "1.0.0" }
[[projects]]
name = "Asks"
lifecycle = "Standard"
steps = [ { name = "Approve", manual = { instructions = "Good?" } } ]
releases = [ { version = "1.0.0" }, { version = "2.0.0" } ]
[[projects]]
name = "Asks too"
lifecycle = "Standard"
steps = [ { name = "Approve", manual = { instructions = "Good?" } } ]
releases = [ { version = "1.0.0" } ]
[[projects]]
name = "Old"
lifecycle = "Standard"
disabled = true
[[tenants]]
name = "Rivo"
tags = ["Ring/Canary"]
projects = { Web = ["Test", "Live"] }
[[tenants]]
name = "Nord"
tags = ["Ring/Early"]
projects = { Web = ["Test"] }
[[tenants]]
name = "Gone"
disabled = true
projects = { Web = ["Test"] }
[[live]]
project = "Web"
release = "2.0.0"
environment = "Test"
tenants = ["Rivo"]
[[live]]
project = "Web"
release = "1.0.0"
environment = "Live"
tenants = ["Rivo"]
[[triggers]]
name = "Hook"
project = "Web"
webhook = "open sesame"
runbook = "Restart"
environments = ["Live"]
"#;
