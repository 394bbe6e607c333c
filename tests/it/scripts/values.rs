//! Values of the script language: when they are equal, and what happens at the edge of what they can say.

use crate::support::{settings, shop, simulate};
use octorhai::{event::Recorder, run::Target, sandbox::World};
use serde_json::json;
use std::sync::Arc;

#[test]
fn secrets_are_equal_when_their_texts_are() {
    let world = World::from_toml("test", &shop(&[])).expect("a good world");
    let script = r#"[secret("A") == secret("B"), secret("A") != secret("B"), secret("A") == secret("C")]"#;
    let mut settings = settings(Target::Sandbox(world), script, Arc::new(Recorder::default()));
    settings.params = [("A", "one"), ("B", "two"), ("C", "one")].map(|(name, text)| (name.to_owned(), json!(text))).into();
    assert_eq!(octorhai::run::run(settings).result, json!([false, true, true]));
}

#[test]
fn tasks_and_deployments_are_equal_when_they_are_the_same_one() {
    let script = r#"
        let t = deploy("Project A", "latest", "Test");
        let before = task(t.id);
        wait(t);
        wait(redeploy("Project A", "Test"));
        let d = deployments(#{projects: "Project A", env: "Test", limit: 2});
        [t == before, t == task(d[0].task), d[0] == d[1], `${d[0]}` == `${d[1]}`, now() == now(), now() == now() + "1ms".duration()]
    "#;
    let ran = simulate(&shop(&[]), script);
    assert_eq!(ran.outcome.result, json!([true, false, false, true, true, false]), "{}", ran.error());
}

#[test]
fn outputs_give_what_output_was_given() {
    // As a step writes it: see `step::octostache`.
    let given = ["a #{b} c ##{d} ###{e}", "#{\"a\": 1}", "####{plain} #"];
    let written = given.map(|text| octorhai::step::octostache::escape(text).replace('"', "\\\""));
    let outputs = format!(r#"output = {{ X = "{}", Map = "{}", Plain = "{}" }}"#, written[0], written[1], written[2]);
    let world = shop(&[
        (r#"output = { Url = "https://api.shop.example" }"#, &outputs),
        (r#"{ name = "Call the API", takes = "30s" }"#, &format!(r#"{{ name = "Call the API", takes = "30s", {outputs} }}"#)),
    ]);
    let script = r#"
        let of = |task| { let o = outputs(task); let step = o[o.keys()[0]]; [step.X, step.Map, step.Plain] };
        let both = [of.call(wait(deploy("Project A", "latest", "Test"))), of.call(wait(run_runbook("Project A", "Smoke test", "Test")))];
        [both, outputs(run_runbook("Project A", "Smoke test", "Test"))]
    "#;
    let ran = simulate(&world, script);
    assert_eq!(ran.outcome.result[0], json!([given, given]), "{}", ran.error());
}

#[test]
fn closures_in_a_loop_see_the_item_of_their_round() {
    let script = r#"
        let later = [];
        let sum = 0;
        for (p, i) in ["A", "B", "C"] { later.push(|| print(`${p}${i}`)); sum += 1; }
        for f in later { f.call(); }
        try {
            saga(|s| {
                for p in ["one", "two"] { s.undo(|| print(p)); }
                for p in [["three"]] { for q in p { s.undo(|| print(q)); } }
                throw "stop";
            });
        } catch { }
        for n in 1..=2 { let add = |by| n + by; n += 10; print(add.call(1)); }
        print(sum);
    "#;
    let ran = simulate(&shop(&[]), script);
    assert_eq!(ran.printed(), "A0\nB1\nC2\nthree\ntwo\none\n12\n13\n3", "{}", ran.error());
}

#[test]
fn a_closure_in_a_constant_is_called_when_its_turn_comes() {
    let script = r#"
        const SHIP = |p| `to ${p}`;
        const JOB = || { print("job"); 5 };
        const BOTH = #{ship: |p| p + "!", list: [|p| p + "?"]};
        let same = SHIP;
        let called = [SHIP.call("A"), same.call("B"), call(SHIP, "C"), BOTH.ship("D"), BOTH.ship.call("E"), BOTH.list[0].call("F")];
        print(called);
        print(parallel(["G"], SHIP));
        print(lock("l", JOB) + retry(2, JOB));
        ["H"].for_each(|| print(SHIP.call(this)));
    "#;
    let ran = simulate(&shop(&[]), script);
    let printed = "[\"to A\", \"to B\", \"to C\", \"D!\", \"E!\", \"F?\"]\n[\"to G\"]\njob\njob\n10\nto H";
    assert_eq!(ran.printed(), printed, "{}", ran.error());
}

#[test]
fn a_map_as_json_holds_what_print_shows_of_our_values() {
    let script = r#"
        let map = #{a: 1.5, b: (), c: "x\"y", d: [true, project("Project A")], e: 5.minutes, f: latest("Project A"), g: #{h: at("2026-03-02T10:00:00Z")}};
        print(map.to_json());
        print(parse_json(map.to_json()).d[1]);
    "#;
    let ran = simulate(&shop(&[]), script);
    let json = r#"{"a":1.5,"b":null,"c":"x\"y","d":[true,"Project A"],"e":"5m","f":"Project A 2.0.0","g":{"h":"2026-03-02 10:00:00 UTC"}}"#;
    assert_eq!(ran.printed(), format!("{json}\nProject A"), "{}", ran.error());
}

#[test]
fn a_duration_out_of_range_is_an_error_of_the_script() {
    for script in ["9223372036854775807.weeks", "(1e300).hours", "sleep((0.0 / 0.0).minutes)"] {
        let ran = simulate(&shop(&[]), script);
        assert_eq!((ran.outcome.exit_code, ran.error().as_str()), (1, "the duration is out of range"), "{script}");
    }
    let ran = simulate(&shop(&[]), "let longest = (-9223372036854775808).seconds; now() - longest");
    assert_eq!((ran.outcome.exit_code, ran.error().as_str()), (1, "the time is out of range"));
}

#[test]
fn a_saga_goes_on_undoing_past_a_task_that_cannot_be_looked_at() {
    let script = r#"
        saga(|s| {
            s.undo(|| print("undone"));
            let t = s.deploy("Project A", "latest", "Test");
            sleep("1h");
            let made = get("deployments").Items.filter(|d| d.TaskId == t.id)[0].Id;
            delete(`deployments/${made}`);
            throw "the ticket is missing";
        });
    "#;
    let ran = simulate(&shop(&[]), script);
    assert_eq!(ran.printed(), "undone", "{}", ran.error());
    assert_eq!(ran.error(), "the ticket is missing");
}

#[test]
fn missing_is_true_for_a_text_that_was_left_empty() {
    let ran = simulate(&shop(&[]), r#"print(missing("")); print(missing("OPS-1"));"#);
    assert_eq!(ran.printed(), "true\nfalse", "{}", ran.error());
}
