//! Mistakes that the check must find on their lines, right scripts in which it must find nothing, and texts that must not hold it up.

use crate::support::{finish, octorhai, root};
use octorhai::{
    check::{self, Severity},
    engine::{
        docs::{self, Entry},
        options::Takes,
        scene::Scene,
    },
    host,
};
use std::{fmt::Write as _, fs};

fn scene() -> Scene {
    Scene { entries: docs::entries(host::library().docs()), ..Scene::default() }
}

/// Script, rule, and a part of what helps or of the message.
const MISTAKES: &[(&str, &str, &str)] = &[
    (r#"wait(deploy("A", "1.0.0", "T"), #{timout: "1h"});"#, "unknown-option", "did you mean `timeout`?"),
    (r#"deploy("A", "1.0.0", "T", #{priority: "onn"});"#, "wrong-option", "did you mean \"on\"?"),
    (r#"wait([], #{on_timeout: "cancle"});"#, "wrong-option", "did you mean \"cancel\"?"),
    (r#"wait([], #{on_interrupt: "fial"});"#, "wrong-option", "did you mean \"fail\"?"),
    (r#"wait([], #{on_cancel: "leve"});"#, "wrong-option", "did you mean \"leave\"?"),
    (r#"only_one(#{on_busy: "skp"});"#, "wrong-option", "did you mean \"skip\"?"),
    (r#"lock("l", || 1, #{on_busy: "skp"});"#, "wrong-option", "did you mean \"skip\"?"),
    (r#"print(report(dashboard(), #{format: "tabel"}));"#, "wrong-option", "did you mean \"table\"?"),
    (r#"deployments(#{state: "Faild"});"#, "wrong-option", "did you mean \"Failed\"?"),
    (r#"events(#{categories: "DeploymentFaild"});"#, "wrong-option", "did you mean \"DeploymentFailed\"?"),
    (r#"events(#{categories: ["DeploymentFailed", "DeploymentQueud"]});"#, "wrong-option", "did you mean \"DeploymentQueued\"?"),
    (r#"wait([], "45m");"#, "wrong-arguments", "`wait(..., #{timeout: \"45m\"})`"),
    (r#"wait([], #{on_timeout: "explode"});"#, "wrong-option", "must be \"leave\", \"cancel\" or a closure"),
    ("wait([], #{timeout: 45});", "wrong-option", "with its unit"),
    (r#"deploy("A", "1.0.0", "T", #{variables: ["a"]});"#, "wrong-option", "got a list"),
    (r#"deploy("A", "1.0.0", "T", #{skip_steps: ["a", ""]});"#, "wrong-option", "it is empty"),
    (r#"deploy("A", "1.0.0", "T", #{tenant: ["a"]});"#, "wrong-option", "got a list"),
    (r#"deploy("A", "1.0.0", envs());"#, "wrong-arguments", "got a list"),
    (r#"deploy("A", "1.0.0", project("A"));"#, "wrong-arguments", "got a Project"),
    (r#"parallel(["a"], "b");"#, "wrong-arguments", "`|| ...`"),
    (r#"running(#{project: "A"});"#, "wrong-arguments", "running([project], [env])"),
    (r#"sleep("5x");"#, "wrong-arguments", "5x"),
    (r#"sleep("22:00");"#, "wrong-arguments", "`sleep(at(\"22:00\"))`"),
    (r#"at("25:00");"#, "wrong-arguments", "tomorrow 03:00"),
    (r#"window("Mo-Fr 22:00-04:00");"#, "wrong-arguments", "Mon-Fri 22:00-04:00"),
    (r#"window("Mon-Fri 22:00-04:00", "Europe/Berln");"#, "wrong-arguments", "Europe/Berln"),
    (r#"deploy("A", "1.0.0", "T", #{at: "tomorow 03:00 UTC"});"#, "wrong-option", "tomorow"),
    (r#"version_in("1.0", ">=two");"#, "wrong-arguments", "not a range"),
    (r#"require_deployed("A", "", "T");"#, "wrong-arguments", "it is empty"),
    (r#"wait_step(deploy("A", "1.0.0", "T"), "");"#, "wrong-arguments", "it is empty"),
    (r#"email(#{to: "a@example.com", body: "x"});"#, "option-missing", "subject"),
    (r#"email(#{to: "a@example.com", subject: "x", html: dashboard()});"#, "wrong-option", "report(rows, #{format: \"html\"})"),
    (r#"create_release("C", "2.1.0");"#, "wrong-arguments", "`create_release(..., #{version: \"2.1.0\"})`"),
    (r#"report([], "csv");"#, "wrong-arguments", "`report(..., #{format: \"csv\"})`"),
    (r#"print("to ${ctx.env}");"#, "text-without-values", "backticks"),
    ("fn wait(t) { t }", "hides-function", "a name of its own"),
    (r#"mail("a");"#, "unknown-function", "`email(#{to:"),
    (r#"runbook("A", "b", "c");"#, "unknown-function", "`run_runbook(project, runbook, env)`"),
    ("csv(dashboard());", "unknown-function", "`report(rows, #{format: \"csv\"})`"),
    (r#"wait_for_step(1, "a");"#, "unknown-function", "`wait_step(task, \"step\")`"),
    (r#"deploy("A", "1.0.0", "T", #{skip: "a"});"#, "unknown-option", "#{skip_steps: ...}"),
    (r#"deploy("A", "1.0.0", "T", #{tenant_tags: "a"});"#, "unknown-option", "tenants(#{tags:"),
    (r#"promote("A", "B", "C", #{channel: "x"});"#, "unknown-option", "channel"),
    (r#"for r in promotable("A", "B") { r.deploy(#{tenant: "x"}); }"#, "unknown-option", "tenant"),
    (r#"lock("l", deploy("A", "1.0.0", "T"));"#, "not-a-closure", "`|| deploy(...)`"),
    (r#"locks(["l"], promote("A", "B", "C"));"#, "not-a-closure", "`|| promote(...)`"),
    (r#"retry(3, deploy("A", "1.0.0", "T"));"#, "not-a-closure", "`|| deploy(...)`"),
    (r#"attempt(wait(deploy("A", "1.0.0", "T")));"#, "not-a-closure", "`|| wait(...)`"),
    (r#"saga(deploy("A", "1.0.0", "T"));"#, "not-a-closure", "`|| deploy(...)`"),
    (r#"finally(|| 1, deploy("A", "1.0.0", "T"));"#, "not-a-closure", "`|| deploy(...)`"),
    (r#"ctx.deploy("A", "1.0.0", "T");"#, "wrong-arguments", "before the dot"),
    (r#"promotable("A", "B").map(|r| r.deploi());"#, "unknown-function", "deploy"),
    (r#"let all = promotable("A", "B").filter(|r| r.blockd_by == ());"#, "unknown-property", "blocked_by"),
    (r#"let t = deploy("A", "1.0.0", "T"); { t.stat }"#, "unknown-property", "state"),
    (r#"wait(deploy("A", "1.0.0", "T", #{at: "03:00 UTC"}));"#, "default-limit", "timeout"),
    ("fn ship(p) { p } projects()[0].ship();", "wrong-arguments", "write `ship(value)`"),
    (r#"fn ship(p, env) { p } "A".ship("T");"#, "wrong-arguments", "write `ship(value, ...)`"),
    (r#"let o = #{timout: "1h"}; wait([], o);"#, "unknown-option", "did you mean `timeout`?"),
    (r#"const O = #{on_timeout: "cancle"}; let t = []; wait(t, O); [].settle(O);"#, "wrong-option", "did you mean \"cancel\"?"),
    (r#"let mail = #{subject: "x", body: "y"}; email(mail);"#, "option-missing", "`to`"),
    ("let tasks = [deploy(\"A\", \"1.0.0\", \"T\")]; tasks.refresh();", "unknown-function", "list.map(|item| item.refresh())"),
    (r#"deploy(envs()[0], "1.0.0", "T");"#, "wrong-arguments", "got an Environment"),
    (r#"output("Plan", "x", #{maskd: true});"#, "unknown-option", "did you mean `masked`?"),
    (r#"let m = #{a: 1}; deploy("A", "1.0.0", "T").refrsh();"#, "unknown-function", "did you mean `refresh`?"),
];

#[test]
fn each_mistake_of_the_list_is_found_and_said_how_it_is_written() {
    let scene = scene();
    let mut wrong = String::new();
    for (script, rule, told) in MISTAKES {
        let found = check::of_text("x.rhai", script, &scene);
        let says = |f: &check::Finding| f.message.contains(told) || f.help.iter().any(|help| help.contains(told));
        if !found.iter().any(|f| f.rule.name == *rule && says(f)) {
            let _ = write!(wrong, "{script}\n  wants {rule}: {told}\n  got {found:?}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Right, and once taken for wrong, or near to what is wrong.
const RIGHT: &[&str] = &[
    r#"let rows = promotable("A", "B"); let chosen = []; for r in rows { chosen.push(r); } chosen.map(|r| r.deploy());"#,
    r#"for t in promotable("A", "B") { } let l = [1]; l.map(|t| t + 1);"#,
    r#"let t = deploy("A", "1.0.0", "T"); t = 5; print(t.abs());"#,
    r#"fn f(t) { t.anything } let t = deploy("A", "1.0.0", "T"); f(t);"#,
    r#"retry(3, || deploy("A", "1.0.0", "T")).wait();"#,
    "let doors = #{open: |x| x + 1}; print(doors.open.call(1));",
    r#"let work = || deploy("A", "1.0.0", "T"); retry(3, work);"#,
    r#"fn start() { || deploy("A", "1.0.0", "T") } retry(3, start());"#,
    r#"let options = #{timeout: "1h"}; wait([], options);"#,
    r#"wait([], if ctx.env == "A" { #{timeout: "1h"} } else { #{} });"#,
    r#"cancel(deploy("A", "1.0.0", "T"));"#,
    r#"deploy("A", latest("A"), "T", #{tenant: ctx.tenant});"#,
    r#"deploy(project("A"), "1.0.0", envs()[0], #{skip_steps: [`a ${ctx.env}`]});"#,
    r#"let x = param("X", #{label: "must be given"});"#,
    "wait([], #{on_timeout: |tasks| tasks.len()});",
    r#"wait([], #{on_interrupt: |i| i.approve("x")});"#,
    r#"in_order(#{A: [], B: ["A"]}, |p| deploy(p, "1.0.0", "T"));"#,
    r#"rollout([tenants(), tenants()], |t| deploy("A", "1.0.0", "T", #{tenant: t}));"#,
    r#"let s = "a"; print(s.len() + s.to_upper().len());"#,
    r#"sleep(at("2026-03-29T02:30:00Z")); sleep(5.minutes); sleep("1h30m");"#,
    r#"email(#{to: ["a@example.com"], subject: "x", body: dashboard()});"#,
    r#"lock("l", #{slots: 2}, || 1); lock("l", || 1, #{slots: 2}); only_one(); only_one(#{on_busy: "skip"}); only_one("l", || 1);"#,
    r#"events(#{categories: "SomethingThatComesLater"});"#,
    r#"print("costs $5 {a}"); print(`${ctx.env}`);"#,
    r#"space("Ops").deploy("A", "1.0.0", "T"); "A".deploy("1.0.0", "T");"#,
    "fn check_it(a, b) { a == b } check_it(1, 2);",
    "let list = [3, 1]; list.sort(); list += 5; list.for_each(|x| x + 1);",
    r#"let t = ensure("A", "1.0.0", "T"); if t != () { wait(t, #{timeout: "1h"}); }"#,
    "let done = attempt(|| wait([])); if done.ok { print(done.value); }",
    r#"let live = deployed("A", "T"); print(live?.release ?? "none");"#,
    // Closures in maps are called like functions, whatever their names and wherever they came from.
    r#"let ops = #{deploy: |p| p, wait: |a, b, c, d| a, notify: |n| n}; ops.deploy("A"); ops.wait(1, 2, 3, 4); ops.notify(5);"#,
    "let all = #{steps: #{wait: |a, b, c, d| a, lock: |a, b, c, d| a}}; all.steps.wait(1, 2, 3, 4); all.steps.lock(1, 2, 3, 4);",
    r#"let m = #{}; m.begin = |p| p; m["finish"] = |t| t; m.finish(m.begin("A")); m.begin("B");"#,
    "fn tools() { let m = #{}; m.greet = |n| n; m } let t = tools(); t.greet(1);",
    "let train = #{tasks: []}; train.add = |t| { this.tasks.push(t); }; train.add(1);",
    // Functions of a type.
    "fn Task.label() { this.title } let t = deploy(\"A\", \"1.0.0\", \"T\"); t.label();",
    "fn string.loud(n) { this.to_upper() } let s = \"abc\"; s.loud(1); let r = promotable(\"A\", \"B\"); r[0].deploy();",
    // What is not known of a value.
    r#"fn begin(p) { p } let t = begin!("A"); wait(t);"#,
    "let tasks = [deploy(\"A\", \"1.0.0\", \"T\")]; tasks?[0].refresh(); tasks?[0].cancel();",
    r#"let rest = promotable("A", "B").split(1); rest[0].deploy(); fn f(rows) { let rest = rows.split(1); rest[0].deploy(); }"#,
    "let all = projects(); all.for_each(|i| print(i.is_odd()));",
    "let all = projects(); all.for_each(|| this = this.name); all[0].to_upper();",
    "fn become() { this = \"text\"; } let x = project(\"A\"); x.become(); x.to_upper();",
    r#"let o = #{timout: "1h"}; o.remove("timout"); wait([], o); let m = #{a: 1}; m = #{timeout: "1h"}; wait([], m);"#,
    r#"let o = #{subject: "x"}; o += #{to: "a@example.com", body: "y"}; email(o); let p = #{a: 1}; { let p = #{timeout: "1h"}; wait([], p); }"#,
    // Maps: values, and maps to which another one is added.
    r#"output("Plan", #{a: 1, masked: 2}); output("Plan", #{a: 1}, #{masked: true});"#,
    r#"let to = #{to: "a@example.com"}; email(#{subject: "x", body: "y"} + to);"#,
];

#[test]
fn right_scripts_have_no_error() {
    let scene = scene();
    let mut wrong = String::new();
    for script in RIGHT {
        octorhai_compiles(script);
        let mut found = check::of_text("x.rhai", script, &scene);
        found.retain(|f| f.rule.level == Severity::Error);
        if !found.is_empty() {
            let _ = write!(wrong, "{script}\n  {found:?}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

fn octorhai_compiles(script: &str) {
    // Rhai's own bounds of a release build: those of a debug build are too narrow for options in a call in a function.
    let mut engine = rhai::Engine::new_raw();
    engine.set_max_expr_depths(64, 32);
    assert!(engine.compile(script).is_ok(), "{script}");
}

/// Every script of the repository that runs in its tests.
fn scripts() -> Vec<(String, String)> {
    let files = |folder: &str| {
        let entries = fs::read_dir(root().join(folder)).expect("there").flatten();
        entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "rhai")).collect::<Vec<_>>()
    };
    let of_files = ["scripts", "stdlib"].into_iter().flat_map(files).filter(|path| !path.ends_with("host.d.rhai"));
    let mut all: Vec<(String, String)> =
        of_files.map(|path| (path.display().to_string(), fs::read_to_string(&path).expect("readable"))).collect();
    let examples = scene().entries.into_iter().filter(|entry| !entry.example.is_empty());
    all.extend(examples.map(|entry| (format!("the example of {}", entry.name), entry.example)));
    all
}

#[test]
fn no_script_and_no_example_of_the_reference_has_a_finding() {
    let scene = scene();
    let mut wrong = String::new();
    for (name, script) in scripts() {
        for finding in check::of_text("x.rhai", &script, &scene) {
            let _ = write!(wrong, "{name}: {} {}\n{script}\n", finding.rule.name, finding.message);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// A generator whose numbers are the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % most as u64).expect("small")
    }

    fn of<'a>(&mut self, some: &[&'a str]) -> &'a str {
        some[self.below(some.len())]
    }
}

/// A value that fits, as a script writes it.
fn fitting(takes: &Takes, chance: &mut Chance) -> String {
    if !takes.words.is_empty() {
        let word = takes.words[chance.below(takes.words.len())];
        return format!("\"{word}\"");
    }
    let one = match takes.kind {
        "closure" => return chance.of(&["|| 1", "|x| x", "|x| { x }"]).to_owned(),
        "true or false" => chance.of(&["true", "false", "1 > 0", "!false"]),
        "whole number" => chance.of(&["1", "5", "[1].len()"]),
        "number" => chance.of(&["1.5", "2"]),
        "duration" => chance.of(&["\"45m\"", "5.minutes", "duration(\"1h\")"]),
        "time" => chance.of(&["\"tomorrow 03:00 UTC\"", "now()", "at(\"in 2h\")"]),
        "duration or Moment" => chance.of(&["\"5m\"", "now()"]),
        "window" => "\"Mon-Fri 22:00-04:00\"",
        "time zone" => "\"Europe/Berlin\"",
        "version range" => chance.of(&["\">=1 <3\"", "\"2.*\"", "\"[1.0,2.0)\""]),
        "map" => chance.of(&["#{a: 1}", "#{\"b c\": \"d\"}", "#{}"]),
        "project group" => "\"Shop\"",
        kind if kind.starts_with("deployment target") || kind.starts_with("target tag") || kind.starts_with("step or") => {
            chance.of(&["\"web-1\"", "`web-${1}`"])
        }
        kind if kind.starts_with("project") => chance.of(&["\"Project A\"", "project(\"Project A\")", "projects()[0]", "`Project ${1}`"]),
        kind if kind.starts_with("environment") => chance.of(&["\"Test\"", "ctx.env", "envs()[0]"]),
        kind if kind.starts_with("tenant") => chance.of(&["\"Sun\"", "ctx.tenant", "tenants()[0]"]),
        kind if kind.starts_with("version") => chance.of(&["\"1.0.0\"", "\"latest\"", "latest(\"Project A\")"]),
        kind if kind.starts_with("event category") => "\"DeploymentFailed\"",
        kind if kind.contains("list") && !kind.contains("text") => chance.of(&["[]", "[1, 2]", "[ctx.env]"]),
        _ => chance.of(&["\"some text\"", "ctx.env", "`a ${1 + 1}`"]),
    };
    if takes.kind.contains("list") && chance.below(3) == 0 { format!("[{one}]") } else { one.to_owned() }
}

fn call(entry: &Entry, chance: &mut Chance) -> String {
    let least = entry.params.iter().filter(|param| !param.optional).count();
    let count = least + chance.below(entry.params.len() - least + 1);
    let mut given: Vec<String> = Vec::new();
    for param in &entry.params[..count] {
        if param.options.is_empty() {
            given.push(fitting(&param.takes, chance));
            continue;
        }
        let options = param.options.iter().filter(|option| option.default == "required" || chance.below(3) == 0);
        let pairs: Vec<(&str, &Takes)> = options.map(|option| (option.name, &option.takes)).collect();
        let pairs: Vec<String> = pairs.into_iter().map(|(name, takes)| format!("{name}: {}", fitting(takes, chance))).collect();
        given.push(format!("#{{{}}}", pairs.join(", ")));
    }
    format!("{}({})", entry.name, given.join(", "))
}

#[test]
fn a_thousand_right_scripts_made_of_the_functions_have_no_error() {
    let scene = scene();
    let functions: Vec<&Entry> = scene.entries.iter().filter(|e| !e.is_type() && !e.is_standard() && !e.name.contains('.')).collect();
    let mut chance = Chance(17);
    let mut wrong = String::new();
    for round in 0..1000 {
        let entry = functions[round % functions.len()];
        let call = call(entry, &mut chance);
        let returns = scene.type_named(entry.returns().trim_start_matches("list of "));
        let property = returns.and_then(|entry| entry.properties.first()).map_or("", |property| property.name);
        let script = match (chance.below(4), entry.returns().starts_with("list of "), property) {
            (0, true, property) if !property.is_empty() => format!("for row in {call} {{ print(row.{property}); }}"),
            (1, true, property) if !property.is_empty() => format!("let rows = {call};\nprint(rows.map(|row| row.{property}));"),
            (0, false, property) if !property.is_empty() => format!("let it = {call};\nprint(`${{it.{property}}}`);"),
            (2, ..) => format!("fn work() {{\n    {call}\n}}\nwork();"),
            _ => format!("let value = {call};\nprint(value);"),
        };
        octorhai_compiles(&script);
        let mut found = check::of_text("x.rhai", &script, &scene);
        // Whose parameters stand in the text of a script is a matter of its own.
        found.retain(|f| f.rule.level == Severity::Error);
        if !found.is_empty() {
            let _ = write!(wrong, "{script}\n  {found:?}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Texts of 100 kB that are nested, repeated or refer to each other as far as they can.
#[test]
fn hostile_texts_are_checked_and_refused_in_a_time_that_grows_with_their_length() {
    let nested = |open: &str, close: &str| {
        let depth = 100_000 / (open.len() + close.len());
        format!("let x = {}1{};", open.repeat(depth), close.repeat(depth))
    };
    let switches = (0..26).fold("1".to_owned(), |inner, _| format!("switch x {{ _ => {inner} }}"));
    let alternatives = (0..26).fold("1".to_owned(), |inner, _| format!("switch x {{ 1 | 2 => {inner}, _ => 0 }}"));
    let texts = [
        nested("(", ")"),
        nested("[", "]"),
        nested("#{a: ", "}"),
        nested("f(", ")"),
        nested("[].map(|r| r.", ")"),
        nested("|a| ", ""),
        nested("`${", "}`"),
        nested("if x { ", " } else { 0 }"),
        nested("switch x { 1 => ", " }"),
        "let a = a.b;\n".repeat(7000),
        "let a = 1; a;\n".repeat(7000),
        "for x in [] { ".repeat(7000),
        "let ".repeat(25_000),
        "fn f(a) { a }\n".repeat(7000),
        "/*".repeat(50_000),
        format!("let x = 1;\nlet y = {switches};"),
        format!("let x = 1;\nlet y = {alternatives};"),
        format!("let x = {};", "1 + ".repeat(25_000) + "1"),
        format!("let x = {}y;", "x.".repeat(50_000)),
    ];
    let folder = tempfile::tempdir().expect("a folder");
    let scene = scene();
    for (number, text) in texts.iter().enumerate() {
        let _findings = check::of_text("x.rhai", text, &scene);
        fs::write(folder.path().join(format!("{number}.rhai")), text).expect("written");
    }
    let ran = finish(octorhai().current_dir(folder.path()).args(["check", "."]));
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    fs::write(folder.path().join("run.rhai"), &texts[15]).expect("written");
    let ran = finish(octorhai().current_dir(folder.path()).args(["run", "--sandbox", "run.rhai"]));
    assert!(ran.code != 0 && ran.stderr.contains("nested too deeply"), "{ran:?}");
}

/// What `run` refuses is never sent, and `--no-check` runs it all the same.
#[test]
fn run_stops_on_a_mistake_before_the_first_request() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = "let t = deploy(\"Project A\", \"latest\", \"Test\");\nwait(t, #{timout: \"1h\"});\nwait(t, #{on_timeout: \"cancle\"});\n";
    fs::write(folder.path().join("x.rhai"), script).expect("written");
    let run = |more: &[&str]| finish(octorhai().current_dir(folder.path()).args(["run", "--sandbox"]).args(more).arg("x.rhai"));
    let ran = run(&[]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("`wait` has no option `timout`") && ran.stderr.contains("--> x.rhai:2:11"), "{ran:?}");
    assert!(
        ran.stderr.contains("--> x.rhai:3:23")
            && ran.stderr.ends_with(
                "nothing was sent: the check found 2 mistakes; `--no-check`, or OCTORHAI_NO_CHECK=1, runs the script as it is\n"
            ),
        "{ran:?}"
    );
    assert!(!ran.stderr.contains("started"), "{ran:?}");
    let ran = run(&["--no-check"]);
    assert!(ran.code == 1 && ran.stderr.contains("Project A 2.0.0 → Test  started"), "{ran:?}");
    // What somebody allows on its line is theirs.
    fs::write(folder.path().join("x.rhai"), "print(1);\nif false { nope(); } // check: allow unknown-function\n").expect("written");
    assert_eq!(run(&[]).code, 0);
}
