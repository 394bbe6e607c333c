//! Runs as a journal records them, for tests of stores.

use jiff::{Timestamp, ToSpan};
use octorhai::journal::{Holder, NewRun};
use serde_json::{Value, json};

pub fn at(seconds: i64) -> Timestamp {
    "2026-03-02T10:00:00Z".parse::<Timestamp>().expect("a time") + seconds.seconds()
}

pub fn holder(nonce: &str) -> Holder {
    Holder { nonce: nonce.into(), host: "build-1".into(), pid: 42, mode: Value::Null, identity: None }
}

pub fn new_run(name: &str) -> NewRun {
    NewRun {
        name: name.into(),
        mark: format!("m-{name}"),
        script: "scripts/ship.rhai".into(),
        sources: vec![("scripts/ship.rhai".into(), "deploy(\"A\")".into()), ("lib".into(), "fn x() {}".into())],
        params: json!({ "zeta": 1.5, "alpha": [null, "ü\u{0}"] }),
        target: json!({ "server": "http://octopus" }),
        options: Value::Null,
        begun_for: octorhai::journal::BegunFor::default(),
        engine: "0.1.0".into(),
        created: at(0),
    }
}
