//! The example of every function runs on the sandbox.

use crate::support;
use octorhai::{engine::docs::entries, event::Recorder, host, run::Target, sandbox::World};
use std::sync::Arc;

#[test]
fn every_example_runs() {
    let mut broken = Vec::new();
    for entry in entries(host::library().docs()) {
        // Those of the standard library run in the engine's tests; types have none.
        if entry.group == "types" || entry.group.starts_with("std/") {
            continue;
        }
        let (name, example) = (entry.signature.clone(), entry.example.clone());
        if example.is_empty() {
            broken.push(format!("{name}: there is no example"));
            continue;
        }
        let target = Target::Sandbox(World::from_toml("test", &support::world_of_example(&entry.name)).expect("a good world"));
        let mut settings = support::settings(target, &example, Arc::new(Recorder::default()));
        settings.params.insert("Token".to_owned(), "not known to anybody".into());
        let outcome = octorhai::run::run(settings);
        // An example that ends on purpose (requeue) has exit code 7.
        if !matches!(outcome.exit_code, 0 | 7) {
            let error = outcome.failure.map(|failure| failure.error.message().to_owned()).unwrap_or_default();
            broken.push(format!("{name}: {error}\n{example}"));
        }
    }
    assert!(broken.is_empty(), "{} examples do not run:\n{}", broken.len(), broken.join("\n\n"));
}
