//! What is given beside options: environment variables, files.

use crate::{
    error::{Error, Result},
    platform::{environment::known_as, files},
    secrets::Redactor,
    trust::Certificates,
};
use std::{collections::BTreeMap, path::Path};

/// Names a file with certificates that are trusted, as `--ca-cert` does.
pub(super) const CA_CERT: &str = "OCTORHAI_CA_CERT";

/// Variables that hold an address, beside those of servers and proxies.
const ADDRESSES: [&str; 3] = ["OCTORHAI_SMTP_URL", "OCTORHAI_STORE", "OCTORHAI_LOCKS"];

/// The environment variables of this process.
pub type Environment = BTreeMap<String, String>;

/// Learns keys, tokens and passwords of the environment before anything is written, so that no message can hold them.
pub(super) fn learn_secrets(environment: &Environment, redactor: &Redactor) {
    // With a name behind it: the key for `server("name")`.
    const SECRETS: [&str; 3] = ["OCTOPUS_API_KEY", "OCTOPUS_ACCESS_TOKEN", "PGPASSWORD"];
    for (name, value) in environment {
        let name = name.to_ascii_uppercase();
        if SECRETS.iter().any(|begin| name.starts_with(begin)) {
            redactor.learn(value);
        }
        if name.starts_with("OCTOPUS_URL") || name.ends_with("_PROXY") || ADDRESSES.contains(&name.as_str()) {
            redactor.learn_address(value);
        }
    }
}

/// A variable that is set and not empty.
pub(super) fn variable<'a>(environment: &'a Environment, name: &str) -> Option<&'a str> {
    environment.get(&*known_as(name)).map(|value| value.trim()).filter(|value| !value.is_empty())
}

/// Reads the text of a file of at most `largest` bytes; `what` it is stands in the error.
pub(super) fn read(path: &Path, what: &str, largest: u64) -> Result<String> {
    let cannot = |why: &str| Error::usage(format!("the {what} `{}` cannot be read: {why}", path.display()));
    files::read_text(path, largest).map_err(|why| cannot(&why.to_string()))
}

/// Certificates that are trusted beside those of the machine: from the option `--ca-cert`, otherwise from the variable.
///
/// # Errors
/// See [`Certificates::read`].
pub(super) fn certificates(file: Option<&Path>, environment: &Environment) -> Result<Option<Certificates>> {
    file.or_else(|| variable(environment, CA_CERT).map(Path::new)).map(Certificates::read).transpose()
}
