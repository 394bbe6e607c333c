//! Scripts that deploy many things in an order: `tenant-rings` and `dependency-graph`.

use crate::{
    scripts::scene::{Ended, script, shop_with_step},
    support,
};
use octorhai::sandbox::World;
use serde_json::Value;

/// The built-in world `tenants` where the store cannot be verified for some tenants.
fn tenants_where(fail: &[&str]) -> String {
    let world = World::builtin_toml("tenants").expect("a built-in world");
    let step = "{ name = \"Verify store\",  takes = \"1m\" }";
    assert!(world.contains(step));
    let fails: Vec<String> =
        fail.iter().map(|t| format!("{{ tenant = \"{t}\", release = \"3.1.0\", error = \"the till does not open\" }}")).collect();
    world.replace(step, &format!("{{ name = \"Verify store\", takes = \"1m\", fails = [{}] }}", fails.join(", ")))
}

/// Tenant and state of each deployment, in order.
fn by_tenant(run: &Ended) -> Vec<String> {
    let name = |d: &Value, key: &str| d[key].as_str().unwrap_or_default().to_owned();
    run.deployments().iter().map(|d| format!("{} {}", name(d, "tenant"), name(d, "state"))).collect()
}

#[test]
fn ring_after_ring() {
    let run = script("tenant-rings").world(tenants_where(&[])).run().exits(0);
    let made = by_tenant(&run);
    assert_eq!(made.len(), 9);
    assert!(made.iter().all(|line| line.ends_with(" Success")), "{made:?}");
    assert!(made[0].starts_with("Aberdeen") && made[1].starts_with("Bristol") && made[4].starts_with("Exeter"), "{made:?}");
    // Four minutes, then fifteen to look, ring by ring; four at a time.
    let begun: Vec<String> = (0..9).map(|i| run.times(i).0).collect();
    assert!(
        begun[1].as_str() >= "08:19:01" && begun[1] == begun[3] && begun[4].as_str() > "08:38:00" && begun[8] > run.times(4).1,
        "{begun:?}"
    );
    assert!(run.printed().contains("Inverness") && run.printed().matches("Success").count() == 9, "{}", run.printed());
}

#[test]
fn one_failure_is_within_the_budget() {
    let run = script("tenant-rings").world(tenants_where(&["Cardiff"])).run().exits(0);
    let made = by_tenant(&run);
    assert_eq!(made.len(), 9, "the rings after it are deployed");
    assert_eq!(made.iter().filter(|l| !l.ends_with("Success")).collect::<Vec<_>>(), ["Cardiff Failed"]);
    assert!(run.notes().contains(&"1 of 9 failed, within the budget of 1".to_owned()), "{:?}", run.notes());
    assert!(run.printed().contains("the till does not open"), "{}", run.printed());
}

#[test]
fn in_the_first_ring_nobody_may_fail() {
    let run = script("tenant-rings").world(tenants_where(&["Aberdeen"])).run().exits(5);
    assert_eq!(by_tenant(&run), ["Aberdeen Failed"]);
    assert!(
        run.error().starts_with("the rollout was stopped after 1 failure") && run.error().contains("the till does not open"),
        "{}",
        run.error()
    );
    assert_eq!(
        run.notes().last().map(String::as_str),
        Some("not started: Bristol, Cardiff, Derby, Exeter, Falkirk, Glasgow, Hull, Inverness")
    );
    assert!(run.now().as_str() < "08:05:00", "no pause after it: {}", run.now());
}

#[test]
fn one_failure_too_many_stops_it() {
    let run = script("tenant-rings").world(tenants_where(&["Bristol", "Derby"])).run().exits(5);
    assert_eq!(by_tenant(&run), ["Aberdeen Success", "Bristol Failed", "Cardiff Success", "Derby Failed"]);
    let error = run.run.outcome.failure.as_ref().expect("an error").error.clone();
    assert_eq!(error.fact("failed"), Some(&serde_json::json!(["Bristol", "Derby"])));
    assert_eq!(error.fact("not_started"), Some(&serde_json::json!(["Exeter", "Falkirk", "Glasgow", "Hull", "Inverness"])));
}

#[test]
fn a_larger_budget_and_other_rings() {
    let rings = serde_json::json!(["Ring/Early", "Ring/Broad"]);
    let world = tenants_where(&["Exeter", "Falkirk", "Glasgow"]);
    let run = script("tenant-rings").world(world).param("Rings", rings).param("MaxFailures", 3).param("Bake", "0s").run().exits(0);
    assert_eq!(by_tenant(&run).iter().filter(|l| l.ends_with("Failed")).count(), 3);
    assert_eq!(by_tenant(&run).len(), 8, "Aberdeen is in neither");
}

#[test]
fn the_graph_starts_each_when_what_it_needs_is_done() {
    let run = script("dependency-graph").run().exits(0);
    assert_eq!(run.made(), ["Project A 2.0.0 Test Success", "Project B 2.0.0 Test Success", "Project C 2.0.0 Test Success"]);
    assert_eq!(run.times(0).0, run.times(1).0, "A and B side by side");
    assert!(run.times(2).0 > run.times(1).1 && run.times(2).0 > run.times(0).1, "C after both");
    assert_eq!(run.printed().matches("Success").count(), 3);
}

#[test]
fn the_graph_leaves_out_what_is_live() {
    let live = "live = { Production = \"1.0.0\", Test = \"1.1.0\", Development = \"2.0.0\" }";
    let world = support::shop(&[]).replacen(live, &live.replace("1.1.0", "2.0.0"), 1);
    let run = script("dependency-graph").world(world).run().exits(0);
    assert_eq!(run.made(), ["Project B 2.0.0 Test Success", "Project C 2.0.0 Test Success"]);
}

#[test]
fn a_failure_in_the_graph_stops_what_needs_it_and_nothing_else() {
    let failing = r#"{ name = "Check prerequisites", takes = "1m", fails = [{ error = "no disk" }] }"#;
    let run = script("dependency-graph").world(shop_with_step("Project A", "Check prerequisites", failing)).run().exits(5);
    assert_eq!(run.made(), ["Project A 2.0.0 Test Failed", "Project B 2.0.0 Test Success"]);
    let error = run.run.outcome.failure.as_ref().expect("an error").error.clone();
    assert!(error.message().contains("Project A 2.0.0 → Test") && error.message().contains("no disk"), "{}", error.message());
    assert_eq!(error.fact("not_started"), Some(&serde_json::json!(["Project C"])));
    assert!(run.notes().contains(&"not started: Project C".to_owned()), "{:?}", run.notes());
}

#[test]
fn a_circle_in_the_graph_starts_nothing() {
    let text = std::fs::read_to_string(support::root().join("scripts/dependency-graph.rhai")).expect("a script");
    let circle = text.replace("\"Project A\": []", "\"Project A\": [\"Project C\"]");
    assert_ne!(text, circle);
    let run = support::simulate(&support::shop(&[]), &circle);
    assert_eq!((run.outcome.exit_code, run.error().as_str()), (1, "the graph has a circle: Project A → Project C → Project A"));
    assert_eq!(super::scene::made(&run.outcome.truth), [] as [String; 0]);
}

#[test]
fn a_name_with_a_slip_in_the_graph_starts_nothing() {
    let text = std::fs::read_to_string(support::root().join("scripts/dependency-graph.rhai")).expect("a script");
    let run = support::simulate(&support::shop(&[]), &text.replace("\"Project B\"]", "\"Project D\"]"));
    assert_eq!((run.outcome.exit_code, run.error().as_str()), (1, "`Project C` needs `Project D`, which is not in the graph"));
    assert_eq!(super::scene::made(&run.outcome.truth), [] as [String; 0]);
}
