//! The variables of a Bash step, read from the functions that the agent defines around it.
//!
//! The function `get_octopusvariable` holds each value of the step, evaluated, as ciphertext: one call costs two processes of `openssl`,
//! 27 ms. A launcher hands on the text of the function and the key of the step instead, and the values are decrypted here, all in less
//! than a millisecond. Only functions with exactly the text that Calamari gives them are read: for others the launcher calls the function.

use aes::cipher::{BlockModeDecrypt as _, KeyIvInit as _, block_padding::Pkcs7};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

/// The function that turns a name into base64, without white space.
const ENCODE: &str = r#"encode_servicemessagevalue(){echo-n"$1"|opensslenc-base64-A}"#;
/// The function that decrypts one value.
const DECRYPT: &str = "decrypt_variable(){echo$1|opensslenc-a-A-d-aes-256-cbc-nosalt-K$sensitiveVariableKey-iv$2}";
/// What the function of the variables begins with.
const BEGIN: &str = r#"get_octopusvariable(){INPUT=$(encode_servicemessagevalue"$1");case$INPUTin"#;
/// What it ends with: an unknown name is an empty line.
const END: &str = r#"*)echo"";;esac}"#;

/// All variables of a step, still encrypted.
pub(super) struct BashVariables {
    key: [u8; 32],
    all: Vec<Ciphertext>,
}

/// One variable, encrypted.
struct Ciphertext {
    name: String,
    iv: [u8; 16],
    text: Vec<u8>,
}

impl BashVariables {
    /// Reads the functions as `declare -f` prints them, with the key in hexadecimal digits. None when any part of them is written
    /// otherwise, or when a value cannot be decrypted: then only the shell can tell the values.
    pub(super) fn read(key: &str, functions: &str) -> Option<Self> {
        let key: [u8; 32] = hex::decode(key).ok()?.try_into().ok()?;
        let plain: String = functions.chars().filter(|c| !c.is_whitespace()).collect();
        let mut rest = plain.strip_prefix(ENCODE)?.strip_prefix(DECRYPT)?.strip_prefix(BEGIN)?.strip_suffix(END)?;
        let mut all = Vec::new();
        while !rest.is_empty() {
            let (name, more) = rest.strip_prefix('"')?.split_once("\")decrypt_variable\"")?;
            let (text, more) = more.split_once("\"\"")?;
            let (iv, more) = more.split_once("\";;")?;
            let name = String::from_utf8(BASE64.decode(name).ok()?).ok()?;
            all.push(Ciphertext { name, iv: hex::decode(iv).ok()?.try_into().ok()?, text: BASE64.decode(text).ok()? });
            rest = more;
        }
        let read = Self { key, all };
        read.all.iter().all(|variable| read.decrypted(variable).is_some()).then_some(read)
    }

    fn decrypted(&self, variable: &Ciphertext) -> Option<String> {
        let cipher = cbc::Decryptor::<aes::Aes256>::new(&self.key.into(), &variable.iv.into());
        String::from_utf8(cipher.decrypt_padded_vec::<Pkcs7>(&variable.text).ok()?).ok()
    }

    /// The value of a variable, evaluated as Octopus does it; none when it is not set. Names are without case, as in Octopus.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.all.iter().find(|known| known.name.eq_ignore_ascii_case(name)).and_then(|known| self.decrypted(known))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    fn encrypted(text: &[u8]) -> String {
        use aes::cipher::BlockModeEncrypt as _;
        let key: [u8; 32] = std::array::from_fn(|at| u8::try_from(at).expect("small"));
        BASE64.encode(cbc::Encryptor::<aes::Aes256>::new(&key.into(), &[7; 16].into()).encrypt_padded_vec::<Pkcs7>(text))
    }

    fn functions(variables: &[(&str, &[u8])]) -> String {
        let mut text = String::from(
            "encode_servicemessagevalue () \n{ \n    echo -n \"$1\" | openssl enc -base64 -A\n}\n\
             decrypt_variable () \n{ \n    echo $1 | openssl enc -a -A -d -aes-256-cbc -nosalt -K $sensitiveVariableKey -iv $2\n}\n\
             get_octopusvariable () \n{ \n    INPUT=$(encode_servicemessagevalue \"$1\");\n    case $INPUT in \n",
        );
        for (name, value) in variables {
            let (name, value, iv) = (BASE64.encode(name), encrypted(value), hex::encode([7; 16]));
            text = format!("{text}        \"{name}\")\n            decrypt_variable \"{value}\" \"{iv}\"\n        ;;\n");
        }
        text + "        *)\n            echo \"\"\n        ;;\n    esac\n}\n"
    }

    #[test]
    fn values_are_those_that_the_function_gives() {
        let long = "x".repeat(60_000);
        let values: [(&str, &[u8]); 5] = [
            ("Plain", b"a value"),
            ("Empty", b""),
            ("Lines", b"two\nlines\n\n"),
            ("T.Größe", "ä漢🐙 $(id) `id` '\"".as_bytes()),
            ("Long", long.as_bytes()),
        ];
        let text = functions(&values);
        let read = BashVariables::read(KEY, &text).expect("it is as Calamari writes it");
        for (name, value) in values {
            assert_eq!(read.get(name).map(String::into_bytes).as_deref(), Some(value), "{name}");
            let script = format!("sensitiveVariableKey={KEY}\n{text}\nget_octopusvariable '{name}'");
            let output = Command::new("/bin/bash").arg("-c").arg(script).output().expect("bash runs");
            assert!(output.stdout == value, "{name}: {}", String::from_utf8_lossy(&output.stderr));
        }
        assert_eq!((read.get("pLAIN").as_deref(), read.get("Missing")), (Some("a value"), None));
    }

    #[test]
    fn functions_of_another_text_are_left_to_the_shell() {
        let good = functions(&[("A", b"1"), ("B", b"2")]);
        assert!(BashVariables::read(KEY, &good).is_some());
        for (from, to) in [
            ("aes-256", "aes-128"),
            ("echo -n", "printf %s"),
            ("echo \"\"", "echo \"none\""),
            ("        *)", "        \"QQ==\")\n cat /some/file ;;\n        *)"),
            ("INPUT=", "local INPUT="),
            ("\"QQ==\"", "\"QQ\""),
            ("0707", "07"),
        ] {
            let other = good.replace(from, to);
            assert!(other != good && BashVariables::read(KEY, &other).is_none(), "{from} → {to}");
        }
        for key in ["", "00", &KEY.replace("1f", "1e"), &KEY.replace('0', "x")] {
            assert!(BashVariables::read(key, &good).is_none(), "{key}");
        }
        assert!(BashVariables::read(KEY, "").is_none());
    }
}
