//! What a worker puts around a Bash body (octopus-step-contract.md §1.4): helper functions, the variables as ciphertext, the key on the
//! command line of the shell and nowhere else, and the array if the server has that switched on. The flaws of the helpers are kept:
//! scripts and launchers live with them.

use super::variables::Variable;
use aes::cipher::{BlockModeEncrypt as _, KeyIvInit as _, block_padding::Pkcs7};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use std::fmt::Write as _;

/// The three files of a step, by their contents.
pub(super) struct Files {
    /// `Bootstrap.sh`.
    pub(super) bootstrap: String,
    /// `Configure.sh`.
    pub(super) configure: String,
    /// 64 hexadecimal digits.
    pub(super) key: String,
}

type Encryptor = cbc::Encryptor<aes::Aes256>;

/// The files for a body with these variables.
pub(super) fn files(body: &str, variables: &[Variable], with_array: bool) -> Files {
    let key: [u8; 32] = random();
    let iv: [u8; 16] = random();
    let encrypted = |text: &[u8]| BASE64.encode(Encryptor::new(&key.into(), &iv.into()).encrypt_padded_vec::<Pkcs7>(text));
    let iv_hex = hex::encode(iv);
    let mut configure = String::from(
        "function get_octopusvariable {\n  local INPUT; INPUT=$(printf '%s' \"$1\" | openssl enc -base64 -A)\n  case \"$INPUT\" in\n",
    );
    for variable in variables {
        let (name, value) = (BASE64.encode(&variable.name), encrypted(variable.value.as_bytes()));
        let _ = writeln!(configure, "    \"{name}\") decrypt_variable \"{value}\" \"{iv_hex}\" ;;");
    }
    configure.push_str("    *) echo \"\" ;;\n  esac\n}\n");
    // The server fills the array only for who names it.
    if with_array && body.contains("octopus_parameters[") {
        let mut all = String::new();
        for variable in variables {
            let _ = writeln!(all, "octopus_parameters[{}]={}", quoted(&variable.name), quoted(&variable.value));
        }
        let _ = writeln!(
            configure,
            "declare -A octopus_parameters=()\neval \"$(decrypt_variable \"{}\" \"{iv_hex}\")\"",
            encrypted(all.as_bytes())
        );
    }
    Files { bootstrap: BOOTSTRAP.to_owned(), configure, key: hex::encode(key) }
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    for chunk in bytes.chunks_mut(16) {
        chunk.copy_from_slice(&uuid::Uuid::new_v4().as_bytes()[..chunk.len()]);
    }
    bytes
}

/// A word of Bash that is exactly this text.
fn quoted(text: &str) -> String {
    let mut out = String::from("$'");
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b" _-.,:/@#[](){}+=".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out.push('\'');
    out
}

/// Sourced are the variables, then the body with the step's arguments: in one shell, so that `return` works and functions are there.
const BOOTSTRAP: &str = include_str!("bootstrap.sh");
