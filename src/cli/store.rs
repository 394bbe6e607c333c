//! Opens a store for the front end: its password comes from `PGPASSWORD`, and the redactor knows it before anything is said.

use super::{
    environment::{Environment, variable},
    ui::Ui,
};
use crate::{
    clock::text,
    error::{Error, Result, nearest},
    journal::{self, Journal, patience::USUAL},
    platform::{files, folders},
    run::LocksAt,
    userinfo,
};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// How long a store may be away.
const PATIENCE: &str = "OCTORHAI_STORE_PATIENCE";

/// The address that means: keep no journal.
pub(super) const NONE: &str = "none";

/// The store that options and surroundings name: `--store`, OCTORHAI_STORE, or this user's state folder.
pub fn runs(given: Option<&str>, environment: &Environment, ui: &Ui) -> Result<Journal> {
    let Some(address) = place(given, environment).filter(|address| address != NONE) else {
        return Err(Error::usage("there is no journal: `none` was named, or this user has no home folder")
            .help("name one with --store FOLDER or OCTORHAI_STORE; several machines share --store postgres://..."));
    };
    let journal = open(&address, environment, ui)?;
    if let Some(given) = given {
        // Of an address what is shown: without its password.
        ui.name_store(if journal::is_postgres(given) { journal.place() } else { given.to_owned() }.as_str());
    }
    Ok(journal)
}

pub(super) fn place(given: Option<&str>, environment: &Environment) -> Option<String> {
    let named = given.or_else(|| variable(environment, "OCTORHAI_STORE")).map(str::to_owned);
    named.or_else(|| state_folder(environment).map(|folder| folder.display().to_string()))
}

/// `$OCTORHAI_STATE`, or where this system keeps what programs must remember, or where the Tentacle that started us does: a
/// service often has no home, or one that it cannot write to.
pub fn state_folder(environment: &Environment) -> Option<PathBuf> {
    let folder = |name: &str| variable(environment, name).map(PathBuf::from);
    folder("OCTORHAI_STATE").or_else(|| {
        let own = folders::state(folder);
        let ours = |below: PathBuf| below.join("octorhai");
        match (own.map(ours), folder("TentacleHome").map(ours)) {
            (Some(own), Some(agent)) => Some(if can_be_written(&own) { own } else { agent }),
            (own, agent) => own.or(agent),
        }
    })
}

/// Whether files can be made in a folder, which is made if it is not there. Rights do not tell: a disk may be read-only.
fn can_be_written(folder: &Path) -> bool {
    files::create_folder(folder).is_ok() && tempfile::tempfile_in(folder).is_ok()
}

/// Where `octorhai doctor` leaves what it measured.
pub fn doctor_file(environment: &Environment) -> Option<PathBuf> {
    state_folder(environment).map(|folder| folder.join("doctor.json"))
}

/// Opens the store at an address.
pub fn open(given: &str, environment: &Environment, ui: &Ui) -> Result<Journal> {
    journal::open(&address(given, environment, ui)?)
}

/// Where locks are kept: `--locks`, OCTORHAI_LOCKS, or on the Octopus Server.
pub fn locks(given: Option<&str>, store: Option<&str>, environment: &Environment, ui: &Ui) -> Result<LocksAt> {
    match given.or_else(|| variable(environment, "OCTORHAI_LOCKS")) {
        None | Some("octopus") => Ok(LocksAt::Octopus),
        Some("store") => runs(store, environment, ui).map(LocksAt::Store),
        // A word of ours, mistyped, would make a folder that nobody else looks into.
        Some(word) if !word.contains(['/', '\\', '.', ':', '=']) => {
            let near = nearest(word, ["octopus", "store"]).map_or_else(String::new, |near| format!("did you mean `{near}`? "));
            Err(Error::usage(format!("`{}` is no place for locks", userinfo::shown(word)))
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
    ui.redactor().learn_address(given);
    if let Some(why) = mistyped(given) {
        return Err(why);
    }
    let password = variable(environment, "PGPASSWORD").filter(|_| journal::is_postgres(given));
    if let Some(password) = password {
        ui.redactor().learn(password);
    }
    let address = journal::with_password(given, password);
    if journal::is_exposed(&address) {
        ui.warning(&format!(
            "the store {} is used without TLS, as `sslmode=disable` says: everybody on the way can read and change what runs write down",
            userinfo::shown(given)
        ));
    }
    Ok(address)
}

/// The error for what is no store and would be made a folder of that name, which nobody else looks into.
fn mistyped(given: &str) -> Option<Error> {
    const FORMS: &str = "write --store FOLDER, or --store postgres://user@host:5432/database with the password in PGPASSWORD";
    let wrong = |why: &str| Some(Error::usage(format!("`{}` is not a store: {why}", userinfo::shown(given))).help(FORMS));
    let text = given.trim();
    if text.is_empty() {
        return Some(Error::usage("the store is an empty text").help(FORMS));
    }
    if journal::is_postgres(text) {
        return (text != given).then(|| wrong("there is white space around it")).flatten();
    }
    if let Some(right) = keywords(text) {
        return Some(
            Error::usage("the store is written as keywords, and must be an address")
                .help(format!("write it like --store '{right}', with the password in PGPASSWORD")),
        );
    }
    let first = text.split(['/', '\\']).next().unwrap_or_default();
    let scheme = first.split_once(':').map(|(scheme, _)| scheme);
    if text.contains("://") || scheme.is_some_and(|scheme| scheme.len() > 1) || first.contains('@') {
        // One letter is a drive of Windows.
        let near = scheme.and_then(|scheme| nearest(&scheme.to_lowercase(), ["postgres", "postgresql"]));
        let why = match (scheme, near) {
            (Some("postgres" | "postgresql"), _) => "behind `postgres:` there are two slashes".to_owned(),
            (Some(_), Some(near)) => format!("did you mean `{near}://`?"),
            _ => "it looks like an address, and only PostgreSQL's are known".to_owned(),
        };
        return wrong(&why).map(|error| error.help("a folder with such a name: ./NAME"));
    }
    if first == "~" {
        return wrong("the shell puts the home folder in the place of `~` only at the beginning of a word")
            .map(|error| error.help("write --store ~/FOLDER, with a blank, or --store \"$HOME/FOLDER\""));
    }
    // `none` is read before this.
    let is_new = !Path::new(text).exists();
    (is_new && text == first && nearest(&text.to_lowercase(), ["none"]).is_some())
        .then(|| wrong("did you mean `none`, which keeps no journal?").map(|error| error.help("a folder with such a name: ./NAME")))
        .flatten()
}

/// The address that is meant by PostgreSQL's other form, `host=db dbname=runs`, without the password; none for what is not of that form.
fn keywords(text: &str) -> Option<String> {
    const ALL: [&str; 12] = [
        "host",
        "hostaddr",
        "port",
        "dbname",
        "user",
        "password",
        "passfile",
        "sslmode",
        "sslrootcert",
        "service",
        "connect_timeout",
        "application_name",
    ];
    let value = |name: &str| {
        let lower = text.to_lowercase();
        let at = lower.match_indices(name).map(|(at, _)| at).find(|at| {
            let begins = *at == 0 || text[..*at].ends_with([' ', '\t', '\'', '"']);
            begins && text[at + name.len()..].trim_start().starts_with('=')
        })?;
        let value = text[at + name.len()..].trim_start().strip_prefix('=')?.trim_start();
        let quoted = value.strip_prefix('\'').and_then(|value| value.split_once('\'')).map(|(value, _)| value);
        Some(quoted.unwrap_or_else(|| value.split_whitespace().next().unwrap_or_default()).to_owned())
    };
    ALL.iter().any(|name| value(name).is_some()).then(|| {
        let or = |names: &[&str], usual: &str| {
            names.iter().find_map(|name| value(name)).filter(|value| !value.is_empty()).unwrap_or_else(|| usual.to_owned())
        };
        let mode = value("sslmode").map_or_else(String::new, |mode| format!("?sslmode={mode}"));
        format!(
            "postgres://{}@{}:{}/{}{mode}",
            or(&["user"], "USER"),
            or(&["host", "hostaddr"], "HOST"),
            or(&["port"], "5432"),
            or(&["dbname"], "DATABASE")
        )
    })
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

    #[test]
    fn mistyped_store_is_refused_with_the_right_form_and_without_its_password() {
        let (ui, ..) = testing::ui(Loudness::Normal);
        let with_password = "with the password in PGPASSWORD";
        for (given, part) in [
            ("host=db.example port=5433 dbname=runs user=ann password=hunter22", "'postgres://ann@db.example:5433/runs'"),
            ("host = db.example password = 'hunter22'", "'postgres://USER@db.example:5432/DATABASE'"),
            ("password=hunter22 host=db", "'postgres://USER@db:5432/DATABASE'"),
            ("dbname=runs", "'postgres://USER@HOST:5432/runs'"),
            ("HOST=db SSLMODE=require", "'postgres://USER@db:5432/DATABASE?sslmode=require'"),
            ("postgres:/x", "behind `postgres:` there are two slashes"),
            ("postgres:ann:hunter22@db/x", "behind `postgres:` there are two slashes"),
            ("postgresql:/ann:hunter22@db/x", "behind `postgres:` there are two slashes"),
            ("postgressql://ann:hunter22@db/x", "did you mean `postgresql://`?"),
            ("Postgres://ann:hunter22@db/x", "did you mean `postgres://`?"),
            ("pgsql://ann:hunter22@db/x", "only PostgreSQL's are known"),
            ("mysql://ann:hunter22@db/x", "only PostgreSQL's are known"),
            ("http://ann:hunter22@db/x", "only PostgreSQL's are known"),
            ("jdbc:postgresql://db/x?user=ann&password=hunter22", "only PostgreSQL's are known"),
            ("sqlite:///var/lib/x", "only PostgreSQL's are known"),
            ("file:/var/lib/x", "only PostgreSQL's are known"),
            ("ann:hunter22@db:5432/x", "only PostgreSQL's are known"),
            ("ann@db/x", "only PostgreSQL's are known"),
            ("localhost:5432/x", "only PostgreSQL's are known"),
            (" postgres://ann:hunter22@db/x", "white space around it"),
            ("", "an empty text"),
            ("  ", "an empty text"),
            ("~/journal", "$HOME/FOLDER"),
            ("None", "did you mean `none`"),
            ("nnoe", "did you mean `none`"),
        ] {
            let error = address(given, &environment(&[]), &ui).expect_err(given);
            let text = format!("{}\n{}", error.message(), error.hints().join("\n"));
            assert!(text.contains(part) && text.contains(with_password), "{given}: {text}");
            assert!(!text.contains("hunter22"), "{given}: {text}");
        }
        for given in
            ["journal", "./a@b", "./host=x", "/var/lib/x:y", "../x", "C:\\journal", "C:/journal", "a.b", "postgres", "year=2026", "é"]
        {
            assert_eq!(address(given, &environment(&[]), &ui).expect(given), given);
        }
    }

    #[test]
    fn store_without_tls_on_another_machine_is_told() {
        for (given, warned) in [
            ("postgres://ann:hunter22@db.example/x?sslmode=disable", true),
            ("postgres://ann:hunter22@localhost/x?sslmode=disable", false),
            ("postgres://ann@db.example/x", false),
        ] {
            let (ui, _, talk) = testing::ui(Loudness::Normal);
            address(given, &environment(&[]), &ui).expect("an address");
            assert_eq!(talk.text().contains("is used without TLS, as `sslmode=disable` says"), warned, "{given}: {}", talk.text());
            assert!(!talk.text().contains("hunter22"));
        }
    }

    #[cfg(unix)]
    #[test]
    fn state_is_kept_where_it_can_be_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        let place =
            |pairs: &[(&str, &str)]| state_folder(&pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect());
        let (home, agent) = (path("home"), path("agent"));
        let at = |below: &str| Some(PathBuf::from(below).join("octorhai"));
        // Not even the superuser can make a folder in these.
        for nowhere in ["/proc/nowhere", "/dev/null"] {
            assert_eq!(place(&[("HOME", nowhere), ("TentacleHome", &agent)]), at(&agent));
            assert_eq!(place(&[("HOME", &home), ("XDG_STATE_HOME", nowhere), ("TentacleHome", &agent)]), at(&agent));
            assert_eq!(place(&[("HOME", nowhere), ("TentacleHome", &agent), ("OCTORHAI_STATE", &home)]), Some(PathBuf::from(&home)));
        }
        assert_eq!(place(&[("HOME", &home), ("TentacleHome", &agent)]), at(&format!("{home}/.local/state")));
        assert_eq!((place(&[("TentacleHome", &agent)]), place(&[])), (at(&agent), None));
    }
}
