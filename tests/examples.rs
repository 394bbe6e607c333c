//! The example of every function runs on the sandbox.

mod support;

use octorhai::host;
use support::simulate;

#[test]
fn every_example_runs() {
    let world = support::shop(&[]);
    let (_, functions, _) = host::library().finish();
    let mut broken = Vec::new();
    for function in functions {
        let name = function.signature();
        let Some(example) = function.example() else {
            broken.push(format!("{name}: there is no example"));
            continue;
        };
        let ran = simulate(&world, &example);
        // An example that ends on purpose (requeue) has exit code 7.
        if !matches!(ran.outcome.exit_code, 0 | 7) {
            broken.push(format!("{name}: {}\n{example}", ran.error()));
        }
    }
    assert!(broken.is_empty(), "{} examples do not run:\n{}", broken.len(), broken.join("\n\n"));
}
