//! Every option of every function changes something that can be seen.

use super::option_calls::{WORLD, call_of, with_options};
use crate::support::{measured, settings, standalone::Standalone};
use octorhai::{
    api::Credential,
    cancel::Cancel,
    event::{Event, Recorder, What},
    run::Target,
    sandbox::World,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// How an option of some functions is seen: the call with `given` among its options ends otherwise than with `instead`.
struct Seen {
    functions: &'static [&'static str],
    option: &'static str,
    given: &'static str,
    instead: &'static str,
    /// What stands before the call.
    before: &'static str,
    /// What stands after it; `r` is what it returned. With `CALL` in it the call stands there.
    after: &'static str,
    /// What the world has besides.
    world: &'static str,
    clock: Clock,
}

/// By what time a script runs.
#[derive(Clone, Copy, PartialEq)]
enum Clock {
    Virtual,
    /// That of this machine, on a server in another process.
    Real,
}

const fn seen(functions: &'static [&'static str], option: &'static str, given: &'static str) -> Seen {
    Seen { functions, option, given, instead: "", before: "", after: "", world: "", clock: Clock::Virtual }
}

impl Seen {
    const fn instead(self, instead: &'static str) -> Self {
        Self { instead, ..self }
    }
    const fn before(self, before: &'static str) -> Self {
        Self { before, ..self }
    }
    const fn after(self, after: &'static str) -> Self {
        Self { after, ..self }
    }
    const fn world(self, world: &'static str) -> Self {
        Self { world, ..self }
    }
    const fn in_real_time(self) -> Self {
        Self { clock: Clock::Real, ..self }
    }
    fn script(&self, function: &str, options: &str) -> String {
        let call = call_of(function);
        let (before, this) = (call.before(), call.with(options));
        if self.after.contains("CALL") {
            return format!("{}\n{before}\n{}", self.before, self.after.replace("CALL", &this));
        }
        format!("{}\n{before}\nlet r = {this};\n{}", self.before, self.after)
    }
}

const DEPLOYS: &[&str] = &["deploy", "ensure", "Promotable.deploy", "promote", "redeploy", "rollback", "Saga.deploy", "Saga.promote"];
const RUNS: &[&str] = &["run_runbook", "Saga.run_runbook"];
const WAITS: &[&str] = &["wait", "settle", "wait_any"];
const LOCKS: &[&str] = &["lock", "locks", "only_one"];

const NAMES: &str = "print(r.map(|one| one.name));";
const ROWS: &str = "print(r.map(|one| `${one}`));";
const FROZEN: &str = "[[freezes]]\nname = \"Month end\"\nfrom = \"0s\"\nfor = \"8h\"\nenvironments = [\"Live\"]\n";
const FROZEN_FOR_ONE: &str =
    "[[freezes]]\nname = \"Stocktaking\"\nfrom = \"0s\"\nfor = \"8h\"\nenvironments = [\"Live\"]\ntenants = [\"Rivo\"]\n";
const ASKED: &str = r#"let t = deploy("Asks", "1.0.0", "Test"); CALL"#;
const TWO_ASK: &str =
    r#"let asks = deploy("Asks", "1.0.0", "Test"); deploy("Asks too", "1.0.0", "Test"); wait_for(|| pending().len() == 2);"#;
/// `Web` needs approval, and nobody of the world gives it.
const UNAPPROVED: &str = "[[approval_rules]]\nname = \"Yes\"\nprojects = [\"Web\"]\nenvironments = [\"Live\"]\napprovers = [\"sandbox\"]\n";
/// A way back that needs approval.
const BACK_UNAPPROVED: &str = r#"
wait(deploy("Web", "1.1.0", "Live"));
let body = |s| { wait(s.deploy("Web", "2.0.0", "Live")); post("approvalrules", #{Name: "Yes", ApprovingUserIds: [get("/api/users/me").Id],
    IdScopes: [#{ProjectId: project("Web").id, EnvironmentIds: envs().map(|e| e.id)}]}); fail("no") };
try { CALL } catch (e) { print(e); } print(now());"#;
const BAD_DONE: &str = r#"settle(deploy("Bad", "2.0.0", "Live"));"#;
const WEB_DONE: &str = r#"wait(deploy("Web", "2.0.0", "Live"));"#;
const WITH_BAD: &str = r#"let t = [t, deploy("Bad", "2.0.0", "Live")]; CALL"#;
const TENANT: &str = "print(get(`deployments/${r.deployment}`).TenantId);";
const VALUES: &str = "print(get(\"/sandbox/state\").deployments.map(|d| d.values));";
const MAILS: &str = "print(get(\"/sandbox/mails\"));";
const ONE_IS_GONE: &str = r#"wait(deploy("Web", "2.0.0", "Live")); delete(`releases/${release("Web", "1.1.0").id}`);"#;
/// A second branch of the script comes while the first is inside.
const TWICE: &str = r#"print(parallel([0, 1], |i| { if i == 1 { sleep("1m"); } try { CALL; now() } catch (e) { e.message } }));"#;
const LEASES: &str = r#"
let inside = || for set in get("libraryvariablesets/all") {
    for v in get(`variables/${set.VariableSetId}`).Variables { print(parse_json(v.Value).owners.map(|o| o.lease)); }
};
CALL"#;
const UNDONE: &str = r#"try { CALL } catch (e) { print(e); } print(deployments(#{projects: ["Web", "Bad", "Asks"], since: "08:00"}));"#;

const ASKS_BACK: &str = r#"
let done = |t| { wait_for(|| pending().len() > 0); pending()[0].approve("good"); wait(t) };
done.call(deploy("Asks", "1.0.0", "Test"));
let body = |s| { done.call(s.deploy("Asks", "2.0.0", "Test")); fail("no") };
try { CALL } catch (e) { print(e); } print(now());"#;

const ARRIVES: &str = r#"
let who = ["shop", "till"];
parallel([0, 1], |i| if i == 1 { sleep("1m"); arrive("x", "till") } else { CALL });"#;

const SEEN: &[Seen] = &[
    seen(&["run_trigger"], "secret", "secret: \"open sesame\"").after("print(get(\"runbookRuns\").Items.map(|run| run.DeployedBy));"),
    seen(&["projects"], "group", "group: \"Shop\"").after(NAMES),
    seen(&["projects"], "name", "name: \"web\"").after(NAMES),
    seen(&["projects"], "disabled", "disabled: true").after(NAMES),
    seen(&["projects"], "tag", "tag: \"Kind/Web\"").after(NAMES),
    seen(&["runbooks"], "tag", "tag: \"Kind/Job\"").after(NAMES),
    seen(&["runbooks"], "name", "name: \"start\"").after(NAMES),
    seen(&["envs"], "type", "type: \"parent\"").after(NAMES),
    seen(&["envs"], "tag", "tag: \"Ring/Early\"").after(NAMES),
    seen(&["deprovision"], "project", "project: \"Web\"").after("print(envs(#{type: \"ephemeral\"}).len());"),
    seen(&["tenants"], "project", "project: \"Api\"").after(NAMES),
    seen(&["tenants"], "env", "project: \"Web\", env: \"Live\"").instead("project: \"Web\"").after(NAMES),
    seen(&["tenants"], "tags", "tags: \"Ring/Early\"").after(NAMES),
    seen(&["tenants"], "name", "name: \"nor\"").after(NAMES),
    seen(&["tenants"], "disabled", "disabled: true").after(NAMES),
    seen(&["latest", "release"], "channel", "channel: \"One\"").after("print(r.version);"),
    seen(&["latest"], "by", "by: \"created\"").before("create_release(\"Web\", #{version: \"0.1.0\"});").after("print(r.version);"),
    seen(&["latest"], "range", "range: \"1.*\"").after("print(r.version);"),
    seen(&["releases"], "channel", "channel: \"One\"").after("print(r.len());"),
    seen(&["releases"], "range", "range: \">=2\"").after("print(r.len());"),
    seen(&["releases", "deployments", "events"], "limit", "limit: 1").before(WEB_DONE).after("print(r.len());"),
    seen(&["dashboard", "deployments"], "env", "env: \"Test\"").after(ROWS),
    seen(&["dashboard", "compare", "deployments", "promotable"], "projects", "projects: \"Web\"").after(ROWS),
    seen(&["dashboard", "compare", "promotable"], "group", "group: \"Other\"").after(ROWS),
    seen(&["dashboard", "compare", "deployments", "promotable"], "tenants", "tenants: \"Nord\"").after(ROWS),
    seen(&["dashboard"], "successful", "successful: true").before(BAD_DONE).after(ROWS),
    seen(&["deployments"], "state", "state: \"Failed\"").before(BAD_DONE).after(ROWS),
    seen(&["deployments"], "since", "since: now()").after(ROWS),
    seen(&["promotable"], "older", "older: true").before("wait(deploy(\"Back\", \"1.0.0\", \"Test\"));").after(ROWS),
    seen(&["promotable"], "check", "check: false").after(ROWS).world(FROZEN),
    seen(&["events"], "categories", "categories: \"DeploymentSucceeded\"").before(WEB_DONE).after("print(r.map(|e| e.category));"),
    seen(&["events"], "projects", "projects: \"Api\"").before(WEB_DONE).after("print(r.len());"),
    seen(&["events"], "env", "env: \"Test\"").before(WEB_DONE).after("print(r.len());"),
    seen(&["events"], "since", "since: now()").before(WEB_DONE).after("print(r.len());"),
    seen(&["events"], "before", "before: ago(\"5m\")").before(WEB_DONE).after("print(r.len());"),
    seen(&["create_release"], "version", "version: \"7.0.0\"").after("print(r.version);"),
    seen(&["create_release"], "channel", "version: \"7.0.0\", packages: #{\"Deploy web\": \"1.9.0\"}, channel: \"One\"")
        .instead("version: \"7.0.0\", packages: #{\"Deploy web\": \"1.9.0\"}")
        .after("print(r.channel);"),
    seen(&["create_release"], "notes", "notes: \"New\"").after("print(r.notes);"),
    seen(&["create_release"], "packages", "packages: #{\"Deploy web\": \"1.9.0\"}").after("print(r.raw.SelectedPackages);"),
    seen(&["create_release"], "git_ref", "git_ref: \"main\"").after("print(get(\"/sandbox/requests\"));"),
    seen(&["create_release"], "git_commit", "git_commit: \"main\""),
    seen(&["create_release"], "git_resources", "git_resources: #{Sew: \"main\"}"),
    seen(&["create_release"], "fields", "fields: #{Ticket: \"OPS-1\"}").after("print(r.fields);"),
    seen(&["create_release"], "ignore_existing", "version: \"1.0.0\", ignore_existing: true").instead("version: \"1.0.0\""),
    seen(
        &["create_release"],
        "ignore_channel_rules",
        "version: \"7.0.0\", packages: #{\"Deploy web\": \"3.0.0\"}, channel: \"One\", ignore_channel_rules: true",
    )
    .instead("version: \"7.0.0\", packages: #{\"Deploy web\": \"3.0.0\"}, channel: \"One\""),
    seen(&["deploy", "ensure", "promote", "redeploy", "Saga.deploy", "Saga.promote"], "tenant", "tenant: \"Rivo\"").after(TENANT),
    seen(&["rollback"], "tenant", "tenant: \"Rivo\"")
        .before("wait(deploy(\"Web\", \"2.0.0\", \"Live\", #{tenant: \"Rivo\"}));")
        .after(TENANT),
    seen(&["deploy", "ensure", "Saga.deploy"], "channel", "channel: \"One\"")
        .before("wait(deploy(\"Web\", \"1.5.0\", \"Test\"));")
        .after("print(r.release);"),
    seen(DEPLOYS, "variables", "variables: #{Change: \"CHG-1\"}").after(VALUES),
    seen(DEPLOYS, "machines", "machines: \"web-1\"").after("print(get(`deployments/${r.deployment}`).SpecificMachineIds);"),
    seen(DEPLOYS, "exclude_machines", "exclude_machines: \"web-1\"").after("print(get(`deployments/${r.deployment}`).ExcludedMachineIds);"),
    seen(DEPLOYS, "target_tags", "target_tags: \"Place/Blue\"").after("print(get(`deployments/${r.deployment}`).SpecificTargetTagIds);"),
    seen(DEPLOYS, "without_target_tags", "without_target_tags: \"Place/Blue\"")
        .after("print(get(`deployments/${r.deployment}`).ExcludedTargetTagIds);"),
    seen(DEPLOYS, "update_variables", "update_variables: true")
        .before(
            r#"let set = get("variables/variableset-Projects-1"); set.Variables[0].Value = "later"; put("variables/variableset-Projects-1", set);"#,
        )
        .after("print(get(\"releases\").Items.map(|r| r.ProjectVariableSetSnapshotId));"),
    seen(DEPLOYS, "skip_steps", "skip_steps: \"Smoke test\"").after("print(get(`deployments/${r.deployment}`).SkipActions);"),
    seen(DEPLOYS, "at", "at: now() + \"2h\".duration()").after("print(get(`deployments/${r.deployment}`).QueueTime);"),
    seen(DEPLOYS, "expires", "expires: \"2h\"").after("print(get(`deployments/${r.deployment}`).QueueTimeExpiry);"),
    seen(DEPLOYS, "comment", "comment: \"wave 2\"").after("print(get(`deployments/${r.deployment}`).Comments);"),
    seen(DEPLOYS, "guided_failure", "guided_failure: true").after("print(get(`deployments/${r.deployment}`).UseGuidedFailure);"),
    seen(DEPLOYS, "force_package_download", "force_package_download: true")
        .after("print(get(`deployments/${r.deployment}`).ForcePackageDownload);"),
    seen(DEPLOYS, "force_package_redeployment", "force_package_redeployment: true")
        .after("print(get(`deployments/${r.deployment}`).ForcePackageRedeployment);"),
    seen(DEPLOYS, "priority", "priority: \"on\"").after("print(get(`deployments/${r.deployment}`).Priority);"),
    seen(DEPLOYS, "begin", "begin: \"next allowed\"").world(FROZEN),
    seen(DEPLOYS, "window", "begin: \"next allowed\", window: \"22:00-23:00\"").instead("begin: \"next allowed\""),
    seen(&["freeze"], "at", "at: \"20:00\"").after("print(r == ());").world(FROZEN),
    seen(&["freeze"], "tenant", "tenant: \"Rivo\"").after("print(r == ());").world(FROZEN_FOR_ONE),
    // Beside a time it is an error; what it does beside a rule is shown in `freezes.rs`.
    seen(&["requeue"], "window", "window: \"22:00-23:00\""),
    seen(DEPLOYS, "override_freeze", "override_freeze: \"agreed\"").world(FROZEN),
    seen(&["rollback"], "skip_missing", "skip_missing: true").before(ONE_IS_GONE).after("print(r.release);"),
    seen(RUNS, "tenant", "tenant: \"Rivo\"").after("print(r.tenant);"),
    seen(RUNS, "snapshot", "snapshot: \"no such\""),
    seen(RUNS, "git_ref", "git_ref: \"main\""),
    seen(RUNS, "git_resources", "git_resources: #{Restart: \"main\"}"),
    seen(RUNS, "variables", "variables: #{Change: \"CHG-1\"}").after("print(get(\"/sandbox/state\").runbook_runs.map(|d| d.values));"),
    seen(RUNS, "at", "at: now() + \"2h\".duration()").after("print(get(\"runbookRuns\").Items.map(|r| r.QueueTime));"),
    seen(RUNS, "expires", "expires: \"2h\"").after("print(get(\"runbookRuns\").Items.map(|r| r.QueueTimeExpiry));"),
    seen(RUNS, "comment", "comment: \"wave 2\"").after("print(get(\"runbookRuns\").Items.map(|r| r.Comments));"),
    seen(RUNS, "guided_failure", "guided_failure: true").after("print(get(\"runbookRuns\").Items.map(|r| r.UseGuidedFailure));"),
    seen(RUNS, "target_tags", "target_tags: \"Place/Blue\"").after("print(get(\"runbookRuns\").Items.map(|r| r.SpecificTargetTagIds));"),
    seen(RUNS, "without_target_tags", "without_target_tags: \"Place/Blue\"")
        .after("print(get(\"runbookRuns\").Items.map(|r| r.ExcludedTargetTagIds));"),
    seen(RUNS, "priority", "priority: \"on\"").after("print(get(\"runbookRuns\").Items.map(|r| r.Priority));"),
    seen(&["requeue"], "comment", "go_on: true, comment: \"later\"")
        .instead("go_on: true")
        .after("print(get(`deployments/${r.deployment}`).Comments);"),
    seen(&["requeue"], "go_on", "go_on: true"),
    seen(&["wait_step"], "timeout", "timeout: \"1m\""),
    seen(WAITS, "timeout", "timeout: \"1m\""),
    seen(WAITS, "on_timeout", "timeout: \"1m\", on_timeout: \"cancel\"")
        .instead("timeout: \"1m\"")
        .after("try { CALL; } catch { } sleep(\"1m\"); print(t.refresh().state);"),
    seen(WAITS, "queue_timeout", "queue_timeout: \"2m\"").before("deploy(\"Web\", \"1.1.0\", \"Live\");"),
    seen(WAITS, "on_interrupt", "timeout: \"5m\", on_interrupt: \"fail\"").instead("timeout: \"5m\"").after(ASKED),
    seen(WAITS, "on_approval", "timeout: \"5m\", on_approval: \"fail\"").instead("timeout: \"5m\"").world(UNAPPROVED),
    seen(&["wait", "settle"], "fail_fast", "fail_fast: true").after(WITH_BAD),
    seen(WAITS, "on_cancel", "on_interrupt: |i| print(\"cancel\"), on_cancel: \"leave\"")
        .instead("on_interrupt: |i| print(\"cancel\")")
        .after(ASKED),
    seen(&["wait_deployed", "wait_idle"], "timeout", "timeout: \"1m\""),
    seen(&["wait_deployed", "wait_idle", "wait_for"], "every", "every: \"7m\""),
    seen(&["wait_deployed", "wait_idle"], "tenant", "tenant: \"Rivo\""),
    seen(&["wait_for"], "timeout", "timeout: \"1m\""),
    seen(&["wait_for"], "message", "timeout: \"1m\", message: \"the moon\"").instead("timeout: \"1m\""),
    seen(&["in_order", "rollout"], "width", "width: 1"),
    seen(&["in_order", "rollout"], "timeout", "timeout: \"1m\""),
    seen(&["rollout"], "canary", "canary: 1"),
    seen(&["rollout"], "max_failures", "width: 1, max_failures: 1")
        .instead("width: 1")
        .after("let items = [\"Bad\", \"Web\", \"Api\"]; CALL"),
    seen(&["rollout"], "bake", "canary: 1, bake: \"1h\"").instead("canary: 1"),
    seen(&["parallel"], "width", "width: 1"),
    seen(LOCKS, "wait_up_to", "wait_up_to: \"2h\"").after(TWICE),
    // Where time jumps, a sign of life says nothing: the lease is long there, whatever is given.
    seen(LOCKS, "lease", "lease: \"5m\"").after(LEASES).in_real_time(),
    seen(LOCKS, "slots", "slots: 2").after(TWICE),
    seen(LOCKS, "on_busy", "on_busy: \"skip\"").after(TWICE),
    seen(LOCKS, "requeue_in", "on_busy: \"requeue\", requeue_in: \"2h\"").instead("on_busy: \"requeue\"").before(WEB_DONE).after(TWICE),
    seen(&["saga"], "undo_failed", "undo_failed: true").after(UNDONE),
    seen(&["saga"], "timeout", "timeout: \"1m\"").after(UNDONE),
    seen(&["saga"], "on_interrupt", "on_interrupt: \"fail\"").after(ASKS_BACK),
    seen(&["saga"], "on_approval", "on_approval: \"fail\"").after(BACK_UNAPPROVED),
    seen(&["retry"], "pause", "pause: \"1h\""),
    seen(&["retry"], "backoff", "backoff: true"),
    seen(&["output"], "raw", "masked: true, raw: true").instead("masked: true"),
    seen(&["output_secret"], "raw", "raw: true"),
    seen(&["output", "artifact"], "masked", "masked: true"),
    seen(&["once"], "again_after", "again_after: \"10m\"").after("CALL; sleep(\"1h\"); CALL;"),
    seen(&["once"], "wait_up_to", "wait_up_to: \"2h\"").after(TWICE),
    seen(&["wait_arrivals"], "timeout", "timeout: \"1m\"").after("sleep(\"25h\"); CALL"),
    seen(&["wait_arrivals"], "every", "every: \"7m\"").after(ARRIVES),
    seen(&["wait_arrivals"], "within", "within: \"1h\"").after("sleep(\"2h\"); CALL;"),
    seen(&["pending"], "task", "task: asks").before(TWO_ASK).after("print(r.len());"),
    seen(&["pending"], "project", "project: \"Asks\"").before(TWO_ASK).after("print(r.len());"),
    seen(&["pending"], "env", "env: \"Live\"").before(TWO_ASK).after("print(r.len());"),
    seen(&["pending"], "number", "number: \"OCT9\"").before(TWO_ASK).after("print(r.len());"),
    seen(&["approve_all"], "task", "task: asks").before(TWO_ASK).after("print(r.len());"),
    seen(&["approve_all"], "project", "project: \"Asks\"").before(TWO_ASK).after("print(r.len());"),
    seen(&["approve_all"], "env", "env: \"Test\"").before(TWO_ASK).after("print(r.len());"),
    seen(&["approve_all"], "number", "number: \"OCT9\"").before(TWO_ASK).after("print(r.len());"),
    seen(&["email"], "to", "to: \"b@example.com\"").after(MAILS),
    seen(&["email"], "cc", "cc: \"b@example.com\"").after(MAILS),
    seen(&["email"], "bcc", "bcc: \"b@example.com\"").after(MAILS),
    seen(&["email"], "from", "from: \"b@example.com\"").after(MAILS),
    seen(&["email"], "reply_to", "reply_to: \"b@example.com\"").after(MAILS),
    seen(&["email"], "subject", "subject: \"Good bye\"").after(MAILS),
    seen(&["email"], "body", "body: \"Text\"").after(MAILS),
    seen(&["email"], "html", "html: \"<b>Text</b>\"").after(MAILS),
    seen(&["email"], "attachments", "attachments: #{\"a.txt\": \"Text\"}").after(MAILS),
    seen(&["email"], "required", "required: true").before("post(\"/sandbox/mailbox\", #{reject: [\"*\"]});"),
    seen(&["report"], "format", "format: \"csv\"").after("print(r);"),
    seen(&["report"], "title", "title: \"Today\"").after("print(r);"),
    seen(&["report"], "columns", "columns: \"why\"").after("print(r);"),
    seen(&["report"], "width", "width: 30").after("print(r);"),
];

/// What a script shows and does: what it prints, how and when it ends, outputs, and in which states deployments are.
fn observed(seen: &Seen, script: &str) -> String {
    let world = format!("{WORLD}{}", seen.world);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("world.toml");
    std::fs::write(&file, &world).expect("written");
    let server = (seen.clock == Clock::Real).then(|| Standalone::start(&file.display().to_string(), &[]));
    let target = match &server {
        Some(server) => {
            measured(folder.path(), &server.url);
            let credential = Credential::api_key(&server.url, "API-SANDBOX").expect("a credential");
            Target::Server { credential, space: None, ca_cert: None }
        }
        None => Target::Sandbox(World::from_toml("test", &world).expect("a good world")),
    };
    let events = Arc::new(Recorder::default());
    let mut settings = settings(target, script, Arc::clone(&events));
    settings.measured = Some(folder.path().join("doctor.json"));
    settings.params = BTreeMap::from([("Key".to_owned(), "hunter2".into())]);
    settings.secrets.learn("hunter2");
    let cancel = Cancel::new();
    settings.cancel = cancel.clone();
    settings.sinks.push(Arc::new(move |event: &Event| {
        if matches!(&event.what, What::Print { text } if text == "cancel") {
            cancel.cancel("Ctrl-C");
        }
    }));
    folder.path().clone_into(&mut settings.artifacts);
    let outcome = octorhai::run::run(settings);
    let mut all = vec![format!("ended at {} with {}", outcome.truth["now"], outcome.exit_code)];
    all.extend(outcome.failure.map(|failure| failure.error.to_string()));
    for event in events.events() {
        match event.what {
            What::Print { text } => all.push(text),
            What::Output { name, value, raw, .. } => all.push(format!("output {name}: {value:?} {raw}")),
            _ => {}
        }
    }
    let made = outcome.truth["deployments"].as_array().into_iter().flatten().filter(|d| d["history"] == false);
    all.extend(made.map(|d| format!("{} {} {}", d["project"], d["release"], d["state"])));
    unmarked(&all.join("\n").replace(&folder.path().display().to_string(), ""))
}

/// Without what a run is known by: that depends on the text of its script, whatever the script does.
fn unmarked(text: &str) -> String {
    let words = text.split_inclusive(|c: char| !c.is_ascii_hexdigit());
    let kept = words.map(|word| {
        let hex = word.trim_end_matches(|c: char| !c.is_ascii_hexdigit());
        if hex.len() >= 8 { word.replace(hex, "*") } else { word.to_owned() }
    });
    kept.collect()
}

/// What is wrong with rows of [`SEEN`].
fn problems(rows: &[Seen]) -> Vec<String> {
    let mut before: BTreeMap<(String, &str), String> = BTreeMap::new();
    let mut problems = Vec::new();
    for seen in rows {
        for function in seen.functions {
            let (given, instead) = (seen.script(function, seen.given), seen.script(function, seen.instead));
            let with = observed(seen, &given);
            let without = before.entry((instead.clone(), seen.world)).or_insert_with(|| {
                let (first, second) = (observed(seen, &instead), observed(seen, &instead));
                if first != second {
                    problems.push(format!("the same script ends in two ways, so it shows nothing:\n{instead}\n{first}\n{second}"));
                }
                first
            });
            if with == *without {
                problems.push(format!("`{}` of `{function}` changes nothing:\n{given}\n{with}", seen.option));
            }
        }
    }
    problems
}

#[test]
fn every_option_changes_what_can_be_seen() {
    let problems: Vec<String> = std::thread::scope(|scope| {
        let parts: Vec<_> = SEEN.chunks(SEEN.len().div_ceil(4)).map(|rows| scope.spawn(|| problems(rows))).collect();
        parts.into_iter().flat_map(|part| part.join().expect("no panic")).collect()
    });
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
}

#[test]
fn every_option_has_a_row_that_shows_it() {
    let wanted: BTreeSet<(String, &str)> =
        with_options().iter().flat_map(|f| f.options.iter().map(|option| (f.name.clone(), option.name))).collect();
    let mut rows = BTreeSet::new();
    for seen in SEEN {
        assert!(seen.given.split(", ").any(|one| one.starts_with(&format!("{}:", seen.option))), "{}: {}", seen.option, seen.given);
        for function in seen.functions {
            assert!(rows.insert(((*function).to_owned(), seen.option)), "`{}` of `{function}` stands here twice", seen.option);
        }
    }
    assert_eq!(wanted.difference(&rows).collect::<Vec<_>>(), [] as [&(String, &str); 0], "say how these are seen");
    assert_eq!(rows.difference(&wanted).collect::<Vec<_>>(), [] as [&(String, &str); 0], "no function has these");
}
