//! What is given beside options: environment variables, files, the server's address and the credential for it.

use super::ui::Ui;
use crate::{
    api::Credential,
    error::{Error, Result, size},
    platform::environment::known_as,
};
use std::{
    collections::BTreeMap,
    io::{self, Read as _},
    path::Path,
};

/// A key is not longer.
const LARGEST_KEY: u64 = 64 << 10;

/// The environment variables of this process.
pub type Environment = BTreeMap<String, String>;

/// A variable that is set and not empty.
pub(super) fn variable<'a>(environment: &'a Environment, name: &str) -> Option<&'a str> {
    environment.get(&*known_as(name)).map(|value| value.trim()).filter(|value| !value.is_empty())
}

/// Reads the text of a file of at most `largest` bytes; `what` it is stands in the error.
pub(super) fn read(path: &Path, what: &str, largest: u64) -> Result<String> {
    let cannot = |why: &str| Error::usage(format!("the {what} `{}` cannot be read: {why}", path.display()));
    let trouble = |why: io::Error| match why.kind() {
        io::ErrorKind::NotFound => cannot("there is no such file"),
        io::ErrorKind::PermissionDenied => cannot("this user may not read it"),
        _ => cannot(&why.to_string()),
    };
    // Before it is opened: some systems only say that a folder may not be read.
    if path.is_dir() {
        return Err(cannot("it is a folder"));
    }
    let file = std::fs::File::open(path).map_err(trouble)?;
    // Devices and pipes do not tell their length: what is read is counted.
    let mut bytes = Vec::new();
    file.take(largest + 1).read_to_end(&mut bytes).map_err(trouble)?;
    if bytes.len() as u64 > largest {
        return Err(cannot(&format!("it has more than {}, the most we read", size(largest))));
    }
    let text = String::from_utf8(bytes).map_err(|_| cannot("it is not text in UTF-8"))?;
    // Editors on Windows put a mark in front.
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// Checks an address; what else may be in it (a password, a page's fragment) has no place there.
pub(super) fn address(ui: &Ui, text: &str) -> Result<String> {
    let wrong = |why: &str| Err(Error::usage(format!("the server's address {why}")).help("write it like https://octopus.example.com"));
    let Ok(url) = url::Url::parse(text) else {
        return wrong(&format!("`{text}` is not an address"));
    };
    ui.redactor().learn_password(&url);
    if !url.username().is_empty() || url.password().is_some() {
        return wrong("must not hold a user or password");
    }
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return wrong(&format!("`{text}` must start with https:// or http://"));
    }
    let mut url = url;
    url.set_query(None);
    // People copy the address of the page they look at: https://host/app#/Spaces-1/...
    let in_app = url.fragment().is_some();
    url.set_fragment(None);
    let base = url.as_str().trim_end_matches('/');
    Ok(if in_app { base.trim_end_matches("/app").to_owned() } else { base.to_owned() })
}

/// How to log in at `url`: with the key in `key_file` (the option `--api-key-file`), otherwise with a key or an access token from
/// the environment. From then on no output shows the secret.
///
/// # Errors
/// Usage errors when there is no credential, and when the file cannot be read or does not hold exactly one key.
pub(super) fn credential(key_file: Option<&Path>, url: &str, ui: &Ui, environment: &Environment) -> Result<Credential> {
    let credential = if let Some(path) = key_file {
        let key = read(path, "API key file", LARGEST_KEY)?.trim().to_owned();
        if key.is_empty() || key.contains(char::is_whitespace) {
            return Err(Error::usage(format!("the API key file `{}` does not hold one key and nothing else", path.display())));
        }
        Credential::ApiKey(key)
    } else if let Some(key) = variable(environment, "OCTOPUS_API_KEY") {
        Credential::ApiKey(key.to_owned())
    } else if let Some(token) = variable(environment, "OCTOPUS_ACCESS_TOKEN") {
        Credential::AccessToken(token.to_owned())
    } else {
        return Err(Error::usage(format!("there is no API key for `{url}`"))
            .help("put one into the environment variable OCTOPUS_API_KEY, or into a file: --api-key-file FILE")
            .help("an OpenID Connect access token goes into OCTOPUS_ACCESS_TOKEN"));
    };
    let (Credential::ApiKey(secret) | Credential::AccessToken(secret)) = &credential;
    ui.redactor().learn(secret);
    Ok(credential)
}
