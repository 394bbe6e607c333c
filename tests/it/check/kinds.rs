//! Types of expressions, as far as the text of a script tells.

use octorhai::{
    engine::{
        docs,
        scene::Scene,
        text::{Reading, kinds::Kinds},
    },
    host,
};

#[test]
fn expressions_have_the_type_that_their_text_tells() {
    let scene = Scene { entries: docs::entries(host::library().docs()), ..Scene::default() };
    for (text, kind) in [
        ("deploy(a, b, c)", Some("Task")),
        ("deploy(a, b, c).state == \"Success\"", Some("true or false")),
        ("!deploy(a, b, c).completed", Some("true or false")),
        ("promotable(a, b).map(|r| r.deploy())", Some("list of Task")),
        ("promotable(a, b).map(|r| r.deploy())[0]", Some("Task")),
        ("promotable(a, b).filter(|r| r.blocked_by == ())", Some("list of Promotable")),
        ("wait(parallel([\"A\"], |p| deploy(p, b, c)))", Some("list of Task")),
        ("deploy(a, b, c).wait()", Some("Task")),
        ("[1, 2]", Some("list of whole number")),
        ("[1, x]", Some("list")),
        ("[]", Some("list")),
        ("|x| x", Some("closure")),
        ("|| deploy(a, b, c)", Some("closure")),
        ("a || deploy(a, b, c)", Some("true or false")),
        ("if a { deploy(a, b, c) } else { 1 }", None),
        ("deployed(a, b) ?? 1", None),
        ("retry(3, || deploy(a, b, c))", None),
        ("\"a\" + 1", None),
        ("-5", None),
        ("(latest(a))", Some("Release")),
        ("x.len()", Some("whole number")),
        ("1..5", None),
        ("now() - ago(\"1h\")", None),
    ] {
        let reading = Reading::new(text);
        let kinds = Kinds::new(&reading, &scene);
        assert_eq!(kinds.of(&(0..reading.pieces.len())).as_deref(), kind, "{text}");
    }
    for (text, kind) in [
        ("let t = deploy(a, b, c); X", Some("Task")),
        ("let t = deploy(a, b, c); t = 1; X", None),
        ("let t = deploy(a, b, c); { t.x = 1; } X", None),
        ("let t = []; for r in x { t.push(r); } X", Some("list")),
        ("for t in promotable(a, b) { X }", Some("Promotable")),
        ("for (t, i) in promotable(a, b) { X }", Some("Promotable")),
        ("promotable(a, b).map(|t| { X })", Some("Promotable")),
        ("for t in promotable(a, b) { } let l = []; l.map(|t| X)", None),
        ("rollout(tenants(), |t| X)", Some("Tenant")),
        ("rollout([tenants(), tenants()], |t| X)", Some("Tenant")),
        ("rollout([tenants(), []], |t| X)", None),
        ("wait(x, #{on_interrupt: |t| X})", Some("Interruption")),
        ("let t = deploy(a, b, c); fn f() { X }", None),
        ("fn f(t) { X }", None),
        ("try { } catch (t) { X }", None),
        ("[1].reduce(|t, x| X)", None),
        ("let t = t.name; X", None),
        ("fn deploy(x) { 1 } let t = deploy(1); X", None),
        ("let t = param(\"A\", \"b\"); X", Some("text")),
        ("let t = param(\"A\", \"b\", #{type: \"list\"}); X", None),
    ] {
        let text = text.replace('X', "t");
        let reading = Reading::new(&text);
        let last = (0..reading.pieces.len()).rfind(|at| reading.word(*at) == "t").expect("t");
        assert_eq!(Kinds::new(&reading, &scene).ending(last).as_deref(), kind, "{text}");
    }
}
