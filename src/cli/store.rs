//! Opens a store for the front end: its password comes from `PGPASSWORD`, and the redactor knows it before anything is said.

use super::{
    given::{Environment, variable},
    ui::Ui,
};
use crate::{
    clock::text,
    error::{Error, Result, nearest},
    journal::{self, Journal, patience::USUAL},
    run::LocksAt,
};
use std::time::Duration;
use url::Url;

/// How long a store may be away.
const PATIENCE: &str = "OCTORHAI_STORE_PATIENCE";

/// Opens the store at an address.
pub fn open(given: &str, environment: &Environment, ui: &Ui) -> Result<Journal> {
    journal::open(&address(given, environment, ui)?)
}

/// Where locks are kept: `--locks`, OCTORHAI_LOCKS, or on the Octopus Server.
pub fn locks(given: Option<&str>, store: Option<&str>, environment: &Environment, ui: &Ui) -> Result<LocksAt> {
    match given.or_else(|| variable(environment, "OCTORHAI_LOCKS")) {
        None | Some("octopus") => Ok(LocksAt::Octopus),
        Some("store") => super::journal::store(store, environment, ui).map(LocksAt::Store),
        // A word of ours, mistyped, would make a folder that nobody else looks into.
        Some(word) if !word.contains(['/', '\\', '.', ':']) => {
            let near = nearest(word, ["octopus", "store"]).map_or_else(String::new, |near| format!("did you mean `{near}`? "));
            Err(Error::usage(format!("`{word}` is no place for locks"))
                .help(format!("{near}it is `octopus`, `store`, a folder such as ./locks, or postgres://USER@HOST/DATABASE")))
        }
        Some(address) => open(address, environment, ui).map(LocksAt::Store),
    }
}

/// How long a run waits for its store: `OCTORHAI_STORE_PATIENCE`, or the usual.
pub fn patience(environment: &Environment) -> Result<Duration> {
    let Some(wish) = variable(environment, PATIENCE) else { return Ok(USUAL) };
    let span = text::duration(wish).ok().and_then(|span| Duration::try_from(span).ok());
    span.ok_or_else(|| Error::usage(format!("{PATIENCE} is not a duration such as `15m`: `{wish}`")))
}

fn address(given: &str, environment: &Environment, ui: &Ui) -> Result<String> {
    if !journal::is_postgres(given) && given.contains("://") {
        return Err(Error::usage("a store is a folder or the address of a PostgreSQL database")
            .help("write --store FOLDER, or --store postgres://user@host/database with the password in PGPASSWORD"));
    }
    let password = variable(environment, "PGPASSWORD");
    if let Some(password) = password.filter(|_| journal::is_postgres(given)) {
        ui.redactor().learn(password);
    }
    if let Ok(url) = Url::parse(given) {
        ui.redactor().learn_password(&url);
    }
    Ok(journal::with_password(given, password))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::ui::{Loudness, testing};

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn passwords_are_known_before_anything_is_said() {
        let (ui, _, talk) = testing::ui(Loudness::Normal);
        let given = environment(&[("PGPASSWORD", "hunter22")]);
        assert_eq!(address("postgres://ann@db/x", &given, &ui).expect("an address"), "postgres://ann:hunter22@db/x");
        assert_eq!(address("postgres://ann:pass%2Fword@db/x", &given, &ui).expect("an address"), "postgres://ann:pass%2Fword@db/x");
        ui.talk("hunter22, pass%2Fword, pass/word");
        assert_eq!(talk.text(), "***, ***, ***\n");
        assert!(address("mysql://x", &given, &ui).is_err());
    }
}
