//! The real library, where it is at hand.

use serde_json::Value;
use std::{
    io::Write,
    process::{Command, Stdio},
};

#[path = "../../../../../tests/it/support/kits.rs"]
mod kits;

/// Another one in each run, so that new texts are tried: a test prints it when it fails.
pub(super) fn seed() -> u64 {
    u64::from(std::process::id())
}

/// What the real library answers; none where it is not at hand.
pub(super) fn ask(test: &str, request: &Value) -> Option<Value> {
    let program = kits::kit(test, "calamari/octo-eval.dll")?;
    let dotnet = kits::kit(test, "powershell/dotnet/dotnet")?;
    let mut child = Command::new(dotnet)
        .arg(program)
        .env("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("dotnet starts");
    child.stdin.take().expect("a pipe").write_all(request.to_string().as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "the driver of Octostache failed");
    Some(serde_json::from_slice(&output.stdout).expect("it answers JSON"))
}
