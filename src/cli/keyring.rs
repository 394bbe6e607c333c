//! Which credential is for which server. A key counts for the address that it was configured with, however a run begins:
//!
//! - the key in the environment for `OCTOPUS_URL`; where that is not set, for the `--server` that is typed with it,
//! - a key of `--api-key-file` for the `--server` that is typed with it, otherwise for `OCTOPUS_URL`,
//! - `OCTOPUS_API_KEY_NAME` for `OCTOPUS_URL_NAME`.
//!
//! A key without an address is for no server that a record or a step names: whoever can write there could name one of their own.

use super::{
    environment::{Environment, read, variable},
    ui::Ui,
};
use crate::{
    api::{self, Credential},
    error::{Error, Result},
};
use std::{collections::BTreeMap, path::Path};

/// A key is not longer.
const LARGEST_KEY: u64 = 64 << 10;

/// The variables that hold a secret, with what makes a credential of it.
const SECRETS: [(&str, Make); 2] = [(KEY, Credential::api_key), (TOKEN, Credential::access_token)];

const KEY: &str = "OCTOPUS_API_KEY";
const TOKEN: &str = "OCTOPUS_ACCESS_TOKEN";

type Make = fn(&str, &str) -> Result<Credential>;

/// The credentials that options and environment hold.
#[derive(Clone, Copy)]
pub(super) struct Keyring<'a> {
    pub(super) ui: &'a Ui,
    pub(super) environment: &'a Environment,
    /// The option `--server`.
    pub(super) server: Option<&'a str>,
    /// The option `--api-key-file`.
    pub(super) key_file: Option<&'a Path>,
}

/// A server that something other than these options and this environment names.
pub(super) struct NamedServer<'a> {
    /// Its address.
    pub(super) server: &'a str,
    /// What names it, e.g. ``the record of run `night` ``.
    pub(super) by: &'a str,
    /// What a person types to go on, without variables in front of it.
    pub(super) again: &'a str,
}

impl Keyring<'_> {
    /// The credential for the server that `--server`, otherwise `OCTOPUS_URL`, names; none when neither does.
    ///
    /// # Errors
    /// Usage errors for an address that is none, a file that does not hold one key, no key, and a key that is for another server.
    pub(super) fn login(&self) -> Result<Option<Credential>> {
        let Some(server) = self.configured()? else { return Ok(None) };
        let named = NamedServer { server: &server, by: "--server", again: "" };
        match self.key_file {
            Some(file) => self.of_file(file, &server).map(Some),
            None => self.of_environment(&named, self.server.map(|_| server.as_str())).map(Some),
        }
    }

    /// The credential for a server that a record or a step names.
    ///
    /// # Errors
    /// As of [`Keyring::login`]; also when a key has no address at all.
    pub(super) fn for_named(&self, named: &NamedServer<'_>) -> Result<Credential> {
        let named = NamedServer { server: &api::base_address(named.server)?, ..*named };
        let configured = self.configured()?;
        match (self.key_file, &configured) {
            (Some(file), Some(own)) if own == named.server => self.of_file(file, own),
            (Some(file), own) => {
                let by = if self.server.is_some() { "--server" } else { "OCTOPUS_URL" };
                Err(not_for(&format!("the API key file `{}`", file.display()), own.as_deref().map(|own| (own, by)), &named))
            }
            (None, _) => self.of_environment(&named, self.server.and(configured.as_deref())),
        }
    }

    /// The key in a file, for a server.
    pub(super) fn of_file(&self, path: &Path, server: &str) -> Result<Credential> {
        let key = read(path, "API key file", LARGEST_KEY)?.trim().to_owned();
        if key.is_empty() || key.contains(char::is_whitespace) {
            return Err(Error::usage(format!("the API key file `{}` does not hold one key and nothing else", path.display())));
        }
        self.ui.redactor().learn(&key);
        Credential::api_key(server, &key)
    }

    /// The address that the options, otherwise the environment, name.
    fn configured(&self) -> Result<Option<String>> {
        self.server.or_else(|| variable(self.environment, "OCTOPUS_URL")).map(api::base_address).transpose()
    }

    /// `typed` is the address on the command line, to which a key without an address of its own belongs.
    fn of_environment(&self, named: &NamedServer<'_>, typed: Option<&str>) -> Result<Credential> {
        let found = SECRETS.iter().find_map(|(name, make)| Some((*name, make, variable(self.environment, name)?)));
        let url = variable(self.environment, "OCTOPUS_URL");
        if let Some((_, make, secret)) = found {
            self.ui.redactor().learn(secret);
            let own = match url {
                Some(url) => Some(api::base_address(url)?),
                None => typed.map(str::to_owned),
            };
            if own.as_deref() == Some(named.server) {
                return make(named.server, secret);
            }
        }
        let others = servers(self.environment).into_values().filter_map(Result::ok);
        if let Some(credential) = others.into_iter().find(|other| other.address() == named.server) {
            return Ok(credential);
        }
        let Some((name, ..)) = found else {
            return Err(Error::usage(format!("there is no API key for `{}`", named.server))
                .help("put one into the environment variable OCTOPUS_API_KEY, or into a file: --api-key-file FILE")
                .help("an OpenID Connect access token goes into OCTOPUS_ACCESS_TOKEN"));
        };
        let own = url.map(api::base_address).transpose()?;
        let own = own.as_deref().map(|own| (own, "OCTOPUS_URL")).or(typed.map(|own| (own, "--server")));
        Err(not_for(name, own, named))
    }
}

/// The error of a key that is not for the server that is meant. `own` is the address that it is for, and what says so.
fn not_for(what: &str, own: Option<(&str, &str)>, named: &NamedServer<'_>) -> Error {
    let NamedServer { server, by, again } = named;
    let error = match own {
        Some((own, says)) => {
            Error::usage(format!("{what} is for `{own}`, as {says} says; {by} names `{server}`, and the key is not sent there"))
        }
        None => Error::usage(format!(
            "{what} is for no server, as OCTOPUS_URL is not set; {by} names `{server}`, and the key is not sent there"
        )),
    };
    let error = error.help("nothing was sent");
    let again = if again.is_empty() { String::new() } else { format!(" {again}") };
    let error = match own {
        Some(_) => error.help(format!(
            "give the key of that server with its address: OCTOPUS_URL={server} {}{again}",
            if what == TOKEN { "OCTOPUS_ACCESS_TOKEN=..." } else { "OCTOPUS_API_KEY=API-..." }
        )),
        None => error.help(format!("if it is the key of that server, say so: OCTOPUS_URL={server}{again}")),
    };
    error.help("keys of several servers: OCTOPUS_URL_NAME and OCTOPUS_API_KEY_NAME, for any NAME, beside these")
}

/// Servers by lower-case name: `OCTOPUS_URL_NAME` with `OCTOPUS_API_KEY_NAME` or `OCTOPUS_ACCESS_TOKEN_NAME`. What is wrong with one is
/// told when it is asked for.
pub(super) fn servers(environment: &Environment) -> BTreeMap<String, Result<Credential>> {
    let named = environment.iter().filter_map(|(variable, url)| variable.strip_prefix("OCTOPUS_URL_").map(|name| (name, url.trim())));
    let known = named.filter_map(|(name, url)| {
        let secret = SECRETS.iter().find_map(|(kind, make)| Some((make, variable(environment, &format!("{kind}_{name}"))?)));
        secret.filter(|_| !url.is_empty()).map(|(make, secret)| (name.to_lowercase(), make(url, secret)))
    });
    known.collect()
}

#[cfg(test)]
mod tests {
    use super::{
        super::ui::{Loudness, testing},
        *,
    };

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// The credential for what is typed, and for a server that a record names, as text; or the error.
    fn both(pairs: &[(&str, &str)], typed: Option<&str>, named: &str) -> (String, String) {
        let (ui, ..) = testing::ui(Loudness::Normal);
        let environment = environment(pairs);
        let keyring = Keyring { ui: &ui, environment: &environment, server: typed, key_file: None };
        let named = keyring.for_named(&NamedServer { server: named, by: "the record", again: "octorhai runs resume x" });
        let text = |found: Result<Option<Credential>>| match found {
            Ok(found) => found.map_or_else(|| "no server".to_owned(), |found| format!("{found:?}")),
            Err(error) => error.message().to_owned(),
        };
        (text(keyring.login()), text(named.map(Some)))
    }

    #[test]
    fn key_is_for_the_address_that_it_was_configured_with() {
        let (x, y) = ("https://x.example", "https://Y.example:443/");
        let at = |server: &str| format!("Credential(an API key for {server})");
        let (at_x, at_y) = (at("https://x.example"), at("https://y.example"));
        let key = ("OCTOPUS_API_KEY", "API-1");
        let other = "OCTOPUS_API_KEY is for `https://y.example`, as OCTOPUS_URL says; ";
        let nowhere = "OCTOPUS_API_KEY is for no server, as OCTOPUS_URL is not set; ";
        let refused = |why: &str, by: &str| format!("{why}{by} names `https://x.example`, and the key is not sent there");
        assert_eq!(both(&[key, ("OCTOPUS_URL", y)], None, x), (at_y.clone(), refused(other, "the record")));
        assert_eq!(both(&[key, ("OCTOPUS_URL", y)], None, "https://y.example/api"), (at_y.clone(), at_y));
        assert_eq!(both(&[key, ("OCTOPUS_URL", y)], Some(x), x), (refused(other, "--server"), refused(other, "the record")));
        assert_eq!(both(&[key], Some(x), x), (at_x.clone(), at_x.clone()));
        assert_eq!(both(&[key], None, x), ("no server".to_owned(), refused(nowhere, "the record")));
        // Under any name.
        let pair = [("OCTOPUS_URL_DR", "https://x.example/app#/Spaces-1"), ("OCTOPUS_API_KEY_DR", "API-2"), key, ("OCTOPUS_URL", y)];
        assert_eq!(both(&pair, Some(x), x), (at_x.clone(), at_x));
        // A token is no other than a key.
        let token = [("OCTOPUS_ACCESS_TOKEN", "e30"), ("OCTOPUS_URL", y)];
        assert_eq!(both(&token, None, x).1, refused(&other.replace("API_KEY", "ACCESS_TOKEN"), "the record"));
    }

    #[test]
    fn address_of_the_environment_must_be_one_before_its_key_is_used() {
        let pairs =
            [("OCTOPUS_API_KEY", "API-1"), ("OCTOPUS_URL", "https://u:PASSWORD@h:bad/"), ("OCTOPUS_URL_DR", "https://u:PASSWORD@h")];
        let (typed, named) = both(&pairs, Some("https://x.example"), "https://x.example");
        for text in [&typed, &named] {
            assert!(text.contains("`https://***@h:bad/` is not the address of an Octopus Server") && !text.contains("PASSWORD"), "{text}");
        }
        let with_key = [pairs[2], ("OCTOPUS_API_KEY_DR", "API-2")];
        let error = servers(&environment(&with_key)).remove("dr").expect("it is named").expect_err("a password");
        assert!(!format!("{error:?}").contains("PASSWORD"), "{error:?}");
    }
}
