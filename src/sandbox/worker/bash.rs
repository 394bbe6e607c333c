//! What a worker puts around a Bash body (octopus-step-contract.md §1.4): helper functions, the variables as ciphertext, the key on the
//! command line of the shell and nowhere else, and the array if the server has that switched on. The flaws of the helpers are kept:
//! scripts and launchers live with them.

use super::{
    cipher::Cipher,
    variables::{Variable, is_build_information, is_script_module},
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use std::fmt::Write as _;

/// The files of a step beside its body, and the key to them.
pub(super) struct Files {
    /// `Bootstrap.….Script.sh`: the configuration, then the body with the step's parameters, in one shell, so that `return` works.
    pub(super) bootstrap: String,
    /// `Configure.….sh`: helpers and variables.
    pub(super) configure: String,
    /// 64 hexadecimal digits.
    pub(super) key: String,
}

/// What the server looks for in a body before it fills the array.
pub(super) const ARRAY: &str = "octopus_parameters[";

/// The files for a body with these variables: `parameters` is text of Bash, `configure` the name of the second file, and `array` whether
/// the server has the array switched on (the first) and something in the step names it (the second).
pub(super) fn files(parameters: &str, configure: &str, variables: &[Variable], (with_array, used): (bool, bool)) -> Files {
    let cipher = Cipher::new();
    let mut cases = String::new();
    for variable in variables {
        let (value, iv) = cipher.encrypt(&variable.value);
        let _ = writeln!(
            cases,
            "    \"{}\") decrypt_variable \"{}\" \"{}\" ;;",
            BASE64.encode(&variable.name),
            BASE64.encode(value),
            hex::encode(iv)
        );
    }
    let used = with_array && used;
    let (array, iv) = if used { cipher.encrypt(&pairs(variables)) } else { Default::default() };
    let configure_text = BOOTSTRAP
        .replace("@VARIABLES@\n", &cases)
        .replace("@TOGGLE@", if with_array { "true" } else { "false" })
        .replace("@USED@", if used { "true" } else { "false" })
        .replace("@ARRAY@", &BASE64.encode(array))
        .replace("@ARRAY_IV@", &hex::encode(iv));
    let bootstrap = format!("#!/bin/bash\nsource \"$(pwd)/{configure}\"\nshift\nsource \"$(pwd)/Script.sh\" {}\n", in_ascii(parameters));
    Files { bootstrap, configure: configure_text, key: hex::encode(cipher.key()) }
}

/// Names and values with a NUL behind each, the values as they were written, with their `#{…}`: the server does not evaluate them here.
fn pairs(variables: &[Variable]) -> String {
    let mut all = String::new();
    for variable in variables.iter().filter(|one| !is_script_module(&one.name) && !is_build_information(&one.name)) {
        let _ = write!(all, "{}\0{}\0", variable.name, variable.raw);
    }
    all
}

/// The file is written in ASCII: what is not becomes a question mark, one for each unit of UTF-16.
fn in_ascii(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii() { c.to_string() } else { "?".repeat(c.len_utf16()) }).collect()
}

/// A word of Bash that is exactly this text.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

const BOOTSTRAP: &str = include_str!("bootstrap.sh");
