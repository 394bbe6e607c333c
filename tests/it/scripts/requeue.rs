//! `requeue-self.rhai`: the same deployment again, at the right time.

use super::scene::{Ended, Scene, script};
use serde_json::json;

/// A project that asks questions, with deployment targets and a tenant; the world begins at `start`.
fn world(start: &str) -> String {
    format!(
        r#"
start = "{start}"
environments = [{{ name = "Production" }}]
machines = [{{ name = "web-1", environments = ["Production"] }}, {{ name = "web-2", environments = ["Production"] }}, {{ name = "web-3", environments = ["Production"] }}]

[context]
environment = "Production"

[[projects]]
name = "Store"
tenanted = "both"
steps = [{{ name = "Deploy store", takes = "3m" }}, {{ name = "Warm caches", takes = "1m" }}, {{ name = "Verify store", takes = "1m" }}]
variables = [
  {{ name = "Change", prompt = "Change number", required = true }},
  {{ name = "Level", prompt = "Log level", value = "Info" }},
]
releases = [{{ version = "3.0.0" }}, {{ version = "3.1.0" }}]

[[tenants]]
name = "Aberdeen"
projects = {{ Store = ["Production"] }}
"#
    )
}

/// The deployment that runs the script, with everything that a deployment can be told.
const OWN: &str = r#"deploy("Store", "3.0.0", "Production", #{tenant: "Aberdeen", variables: #{"Change number": "CHG-7", Level: "Debug"},
    machines: ["web-1", "web-3"], skip_steps: ["Warm caches"], guided_failure: true});
"#;

fn at(start: &str, zone: &str) -> Scene {
    script("requeue-self").world(world(start)).before(OWN).own("Deployments-1").zone(zone)
}

/// When the new deployment is due; it must be the only new one.
#[track_caller]
fn due(run: &Ended) -> String {
    let all = run.deployments();
    assert_eq!(all.len(), 2, "its own and the new one: {all:#?}");
    all[1]["scheduled"].as_str().expect("a time").replace(".000+00:00", "Z")
}

#[test]
fn outside_of_the_window_it_comes_again_as_it_is() {
    let run = at("2026-03-02T08:00:00Z", "UTC").run().exits(7);
    let all = run.deployments();
    assert_eq!(all.len(), 2);
    let (own, new) = (all[0], all[1]);
    for kept in ["project", "release", "environment", "tenant", "values", "machines", "without", "skip", "guided"] {
        assert_eq!(own[kept], new[kept], "{kept}");
    }
    // What is kept is really there.
    assert_eq!((&new["tenant"], &new["release"]), (&json!("Aberdeen"), &json!("3.0.0")));
    assert_eq!(new["values"], json!({"Change": "CHG-7", "Level": "Debug"}));
    assert_eq!(new["machines"].as_array().map(Vec::len), Some(2));
    assert_eq!((new["skip"].as_array().map(Vec::len), &new["guided"]), (Some(1), &json!(true)));
    assert_eq!(due(&run), "2026-03-02T22:00:00Z");
    assert_eq!(new["state"], "Queued");
    assert!(new["comments"].as_str().expect("a comment").starts_with("outside of Mon-Fri 22:00-04:00"), "{new}");
    assert_eq!(run.error(), "requeued for 2026-03-02 22:00:00 UTC");
    assert!(run.notes().iter().all(|n| !n.contains("going on")), "{:?}", run.notes());
}

#[test]
fn machines_that_were_left_out_stay_left_out() {
    let before = r#"deploy("Store", "3.1.0", "Production", #{variables: #{Change: "CHG-8"}, exclude_machines: ["web-2"]});
"#;
    let run = script("requeue-self").world(world("2026-03-02T08:00:00Z")).before(before).own("Deployments-1").run().exits(7);
    let all = run.deployments();
    assert_eq!((all[1]["without"].as_array().map(Vec::len), &all[0]["without"]), (Some(1), &all[1]["without"]));
    assert_eq!((&all[1]["values"], &all[1]["tenant"]), (&all[0]["values"], &json!(null)));
}

#[test]
fn inside_of_the_window_it_goes_on() {
    for start in ["2026-03-02T22:00:00Z", "2026-03-03T03:59:59Z", "2026-03-07T01:00:00Z"] {
        let run = at(start, "UTC").run().exits(0);
        assert_eq!(run.deployments().len(), 1, "{start}");
        assert_eq!(run.notes().last().map(String::as_str), Some("inside of Mon-Fri 22:00-04:00: going on"));
    }
}

#[test]
fn the_window_is_that_of_the_people() {
    // 21:30 in London is 22:30 in Berlin.
    assert_eq!(at("2026-03-02T21:30:00Z", "Europe/Berlin").run().exits(0).deployments().len(), 1);
    assert_eq!(due(&at("2026-03-02T21:30:00Z", "Europe/London").run().exits(7)), "2026-03-02T22:00:00Z");
    assert_eq!(due(&at("2026-03-02T21:30:00Z", "America/New_York").run().exits(7)), "2026-03-03T03:00:00Z");
}

#[test]
fn on_days_when_the_clocks_change() {
    for (start, zone, later, expected) in [
        // Spring: Saturday noon, Sunday 02:30 does not exist and is 03:30; the evening is an hour earlier in UTC.
        ("2026-03-28T11:00:00Z", "Europe/Berlin", "02:30", "2026-03-29T01:30:00Z"),
        ("2026-03-28T11:00:00Z", "Europe/Berlin", "22:00", "2026-03-28T21:00:00Z"),
        ("2026-03-29T00:30:00Z", "Europe/Berlin", "22:00", "2026-03-29T20:00:00Z"),
        ("2026-03-29T00:30:00Z", "Europe/Berlin", "tomorrow 01:00", "2026-03-29T23:00:00Z"),
        // Autumn: 02:30 comes twice, the first is meant; the evening is an hour later in UTC.
        ("2026-10-24T11:00:00Z", "Europe/Berlin", "02:30", "2026-10-25T00:30:00Z"),
        ("2026-10-24T11:00:00Z", "Europe/Berlin", "22:00", "2026-10-24T20:00:00Z"),
        ("2026-10-25T08:00:00Z", "Europe/Berlin", "22:00", "2026-10-25T21:00:00Z"),
        // New York changes on other days.
        ("2026-03-07T17:00:00Z", "America/New_York", "02:30", "2026-03-08T07:30:00Z"),
        ("2026-03-08T12:00:00Z", "America/New_York", "22:00", "2026-03-09T02:00:00Z"),
        ("2026-10-31T16:00:00Z", "America/New_York", "01:30", "2026-11-01T05:30:00Z"),
        ("2026-11-01T12:00:00Z", "America/New_York", "22:00", "2026-11-02T03:00:00Z"),
    ] {
        let run = at(start, zone).param("Later", later).run().exits(7);
        assert_eq!(due(&run), expected, "{later} in {zone}, asked at {start}");
    }
}

#[test]
fn a_window_of_another_shape() {
    let run = at("2026-03-04T12:00:00Z", "UTC").param("Window", "Sat,Sun").param("Later", "Sat 06:00").run().exits(7);
    assert_eq!(due(&run), "2026-03-07T06:00:00Z");
    at("2026-03-07T12:00:00Z", "UTC").param("Window", "Sat,Sun").run().exits(0);
}

#[test]
fn a_value_that_cannot_be_read_back_is_said_and_nothing_is_queued() {
    let secret = world("2026-03-02T08:00:00Z").replace("required = true }", "required = true, sensitive = true }");
    let run = script("requeue-self").world(secret).before(OWN).own("Deployments-1").run().exits(1);
    assert!(run.error().starts_with("the value of Change cannot be read back"), "{}", run.error());
    assert_eq!(run.deployments().len(), 1);
}

#[test]
fn a_slip_in_a_parameter_queues_nothing() {
    for (name, value) in [("Window", "Mon-Fri 22-4"), ("Later", "late")] {
        let run = at("2026-03-02T08:00:00Z", "UTC").param(name, value).run().exits(1);
        assert!(run.error().contains(&format!("`{value}`")), "{}", run.error());
        assert_eq!(run.deployments().len(), 1);
    }
}
