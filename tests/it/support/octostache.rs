//! The real library of Octopus's template language, where it is at hand.

use super::kits::kit;
use serde_json::Value;
use std::{
    io::Write,
    process::{Command, Stdio},
};

/// Which texts are made up: the same ones in each run, so that what was green stays green, and others with `OCTORHAI_SEED=N`.
pub fn seed() -> u64 {
    std::env::var("OCTORHAI_SEED").map_or(27, |text| text.parse().expect("OCTORHAI_SEED is a number"))
}

/// `SplitMix64`.
pub struct Dice(u64);

impl Dice {
    /// The same ones for the same seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `most`.
    pub fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % most as u64) as usize
    }

    /// One of these.
    pub fn pick<'t>(&mut self, from: &[&'t str]) -> &'t str {
        from[self.below(from.len())]
    }
}

/// What the real library answers to `{"variables": {}, "get": [names], "evaluate": [texts], "file": [texts]}`; none where it is not at hand.
pub fn ask(test: &str, request: &Value) -> Option<Value> {
    let program = kit(test, "calamari/octo-eval.dll")?;
    let dotnet = kit(test, "powershell/dotnet/dotnet")?;
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
