//! The example of every function runs on the sandbox.

mod support;

use octorhai::{engine::docs::entries, host};
use support::simulate;

#[test]
fn every_example_runs() {
    let world = support::shop(&[]);
    let mut broken = Vec::new();
    for entry in entries(host::library().docs()) {
        // Those of the standard library run in the engine's tests; types have none.
        if entry.group == "types" || entry.group.starts_with("std/") {
            continue;
        }
        let (name, example) = (entry.signature, entry.example);
        if example.is_empty() {
            broken.push(format!("{name}: there is no example"));
            continue;
        }
        let ran = simulate(&world, &example);
        // An example that ends on purpose (requeue) has exit code 7.
        if !matches!(ran.outcome.exit_code, 0 | 7) {
            broken.push(format!("{name}: {}\n{example}", ran.error()));
        }
    }
    assert!(broken.is_empty(), "{} examples do not run:\n{}", broken.len(), broken.join("\n\n"));
}
