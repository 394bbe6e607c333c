//! What a run is begun with beside its script and parameters, wherever it begins: on a command line, from a record, in a step, in a session.
//!
//! One structure: the command line fills it by clap, a record by serde, under the same names. A record says what is not the default, and no
//! secret.

use super::OnCancel;
use crate::error::{Error, Result};
use clap::{Args, FromArgMatches as _};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// Where a run works, and how.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct RunOptions {
    /// Address of the Octopus Server [env: OCTOPUS_URL]; log in with OCTOPUS_API_KEY or OCTOPUS_ACCESS_TOKEN
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,

    /// Read the API key from a file instead of OCTOPUS_API_KEY
    #[arg(long, value_name = "FILE")]
    pub api_key_file: Option<PathBuf>,

    /// Space, by name, slug or id [env: OCTOPUS_SPACE] [default: the server's default space]
    #[arg(long, value_name = "SPACE")]
    pub space: Option<String>,

    /// What `ctx.env` is outside of an Octopus step
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,

    /// What `ctx.tenant` is outside of an Octopus step
    #[arg(long, value_name = "NAME")]
    pub tenant: Option<String>,

    /// What `ctx.project` is outside of an Octopus step
    #[arg(long, value_name = "NAME")]
    pub project: Option<String>,

    /// The deployment (its id) that runs the script, for `ctx.deployment` and `requeue`
    #[arg(long, value_name = "ID")]
    pub deployment: Option<String>,

    /// Zone of times that do not name one, e.g. Europe/Berlin [default: this machine's; UTC on a sandbox]
    #[arg(long, value_name = "ZONE")]
    pub tz: Option<String>,

    /// Trust the certificates in a PEM file too: of an authority, or of the server itself [env: OCTORHAI_CA_CERT]
    #[arg(long, value_name = "FILE")]
    pub ca_cert: Option<PathBuf>,

    /// Read parameters from a TOML or JSON file
    #[arg(long, value_name = "FILE")]
    pub params: Option<PathBuf>,

    /// What happens to tasks this run started when it is cancelled (Ctrl-C, SIGTERM), unless the script says otherwise
    #[arg(long, value_name = "WHAT", value_enum, default_value = "cancel")]
    pub on_cancel: OnCancel,

    /// What happens to tasks this run started and that go on when it ends with an error of the script
    #[arg(long, value_name = "WHAT", value_enum, default_value = "leave")]
    pub on_failure: OnCancel,

    /// How mail leaves: smtp://HOST:PORT, smtps://..., with USER:PASSWORD@ better in the variable [env: OCTORHAI_SMTP_URL]
    #[arg(long, value_name = "URL")]
    pub smtp: Option<Address>,

    /// Sender of mails [env: OCTORHAI_MAIL_FROM]
    #[arg(long, value_name = "ADDRESS")]
    pub mail_from: Option<String>,

    /// Stop a script that needs more operations than this
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_operations: Option<u64>,

    /// Where locks and what scripts remember are kept: octopus, store (where runs are journaled), a folder or postgres://USER@HOST/DATABASE [default: octopus] [env: OCTORHAI_LOCKS]
    #[arg(long, value_name = "WHERE")]
    pub locks: Option<Address>,

    /// End instead of waiting longer than a minute (exit code 7); `octorhai runs resume --due` goes on when it is time
    #[arg(long)]
    pub suspend: bool,

    /// Where `artifact(...)` writes
    #[arg(long, value_name = "DIR", default_value = "octorhai-artifacts")]
    pub artifacts: PathBuf,

    /// The server is an `octorhai sandbox --virtual`: waiting takes no time
    #[arg(long, hide = true)]
    pub virtual_time: bool,

    /// Run a script in which the check finds mistakes [env: OCTORHAI_NO_CHECK=1]
    #[arg(long)]
    pub no_check: bool,

    /// The zone of times without one, which a run keeps whatever machine goes on with it.
    #[arg(skip)]
    pub zone: Option<String>,

    /// The folder in which it was begun: the script's path starts there.
    #[arg(skip)]
    pub folder: Option<PathBuf>,
}

/// What decides what a script does: a run is only continued where all of this is the same. A record has it as its `target`.
const DECIDING: [&str; 7] = ["server", "space", "env", "tenant", "project", "deployment", "tz"];

impl Default for RunOptions {
    /// Those of a command line that gives none.
    fn default() -> Self {
        let matches = Self::augment_args(clap::Command::new("run")).get_matches_from(["run"]);
        Self::from_arg_matches(&matches).expect("every option may be left out")
    }
}

impl RunOptions {
    /// For a record: [`NewRun::target`](crate::journal::NewRun::target) and [`NewRun::options`](crate::journal::NewRun::options). Files are
    /// those that are meant here; addresses with a password are withheld.
    pub fn record(&self) -> (Value, Value) {
        let place = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let file = |path: &Option<PathBuf>| path.as_deref().map(place);
        let recorded = Self {
            api_key_file: file(&self.api_key_file),
            ca_cert: file(&self.ca_cert),
            params: file(&self.params),
            artifacts: place(&self.artifacts),
            smtp: self.smtp.as_ref().map(Address::without_password),
            locks: self.locks.as_ref().map(|locks| locks.without_password().known_from_anywhere(place)),
            ..self.clone()
        };
        let usual = members(&Self::default());
        let (target, mut options): (Map<_, _>, Map<_, _>) =
            members(&recorded).into_iter().partition(|(name, _)| DECIDING.contains(&name.as_str()));
        options.retain(|name, value| Some(&*value) != usual.get(name));
        (Value::Object(target), Value::Object(options))
    }

    /// What [`RunOptions::record`] made, or octorhai 0.1.0.
    ///
    /// # Errors
    /// A usage error when a member is not of its type: another program wrote it.
    pub fn of_record(target: &Value, options: &Value) -> Result<Self> {
        let members = [target, options].into_iter().filter_map(Value::as_object).flatten();
        let all: Map<_, _> = members.filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.clone(), value.clone())).collect();
        serde_json::from_value(Value::Object(all)).map_err(|why| Error::usage(format!("what it was begun with cannot be read: {why}")))
    }
}

fn members(options: &RunOptions) -> Map<String, Value> {
    match json!(options) {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// An address or a folder, of which a record holds none with a password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Address {
    /// As it was written.
    Written(String),
    /// It had a password: it must be given again.
    Withheld {
        /// True.
        secret: bool,
    },
}

impl From<&str> for Address {
    fn from(text: &str) -> Self {
        Self::Written(text.to_owned())
    }
}

impl Address {
    /// As it was written; none of one that was withheld.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::Written(text) = self { Some(text) } else { None }
    }

    fn without_password(&self) -> Self {
        let has_password = |text: &str| url::Url::parse(text).is_ok_and(|url| url.password().is_some());
        match self {
            Self::Written(text) if !has_password(text) => self.clone(),
            _ => Self::Withheld { secret: true },
        }
    }

    /// A folder from wherever the run goes on; words of ours and addresses stay.
    fn known_from_anywhere(self, place: impl Fn(&Path) -> PathBuf) -> Self {
        match self {
            Self::Written(text) if !matches!(text.as_str(), "octopus" | "store") && !text.contains("://") => {
                Self::Written(place(Path::new(&text)).display().to_string())
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_gives_back_what_a_run_was_begun_with() {
        let usual = RunOptions::default();
        let (target, options) = usual.record();
        assert_eq!(
            target,
            json!({"server": null, "space": null, "env": null, "tenant": null, "project": null, "deployment": null, "tz": null})
        );
        assert_eq!(options.as_object().map(|options| options.keys().map(String::as_str).collect::<Vec<_>>()), Some(vec!["artifacts"]));
        // Every member, with a value that is not its default.
        let folder = std::env::temp_dir();
        let text = |value: &str| Some(value.to_owned());
        let all = RunOptions {
            server: text("https://octopus"),
            api_key_file: Some(folder.join("key")),
            space: text("Spaces-1"),
            env: text("Test"),
            tenant: text("Acme"),
            project: text("A"),
            deployment: text("Deployments-1"),
            tz: text("UTC"),
            ca_cert: Some(folder.join("ca.pem")),
            params: Some(folder.join("params.toml")),
            on_cancel: OnCancel::Leave,
            on_failure: OnCancel::Cancel,
            smtp: Some("smtp://mail:25".into()),
            mail_from: text("a@b"),
            max_operations: Some(7),
            locks: Some("postgres://ann@db/locks".into()),
            suspend: true,
            artifacts: folder.join("artifacts"),
            virtual_time: true,
            no_check: true,
            zone: text("Europe/Berlin"),
            folder: Some(folder),
        };
        let (target, options) = all.record();
        assert_eq!(target.as_object().map(Map::len), Some(DECIDING.len()));
        assert_eq!([&target, &options].iter().filter_map(|half| half.as_object()).map(Map::len).sum::<usize>(), members(&all).len());
        assert_eq!(members(&RunOptions::of_record(&target, &options).expect("a record")), members(&all));
    }

    #[test]
    fn password_of_an_address_is_not_recorded() {
        let options = RunOptions {
            smtp: Some("smtp://me:hunter22@mail".into()),
            locks: Some("postgres://ann:hunter22@db/x".into()),
            ..RunOptions::default()
        };
        let (target, options) = options.record();
        assert!(!options.to_string().contains("hunter22"), "{options}");
        let again = RunOptions::of_record(&target, &options).expect("a record");
        assert_eq!((again.smtp, again.locks), (Some(Address::Withheld { secret: true }), Some(Address::Withheld { secret: true })));
    }

    #[test]
    fn folders_of_locks_are_known_from_anywhere() {
        let locks = |written: &str| RunOptions { locks: Some(written.into()), ..RunOptions::default() }.record().1["locks"].clone();
        assert_eq!(
            [locks("octopus"), locks("store"), locks("postgres://db/x")],
            [json!("octopus"), json!("store"), json!("postgres://db/x")]
        );
        assert_eq!(locks("./locks"), json!(std::env::current_dir().expect("a folder").join("locks")));
    }

    #[test]
    fn record_of_another_hand_is_refused() {
        let error = RunOptions::of_record(&Value::Null, &json!({"suspend": "yes"})).expect_err("not a flag");
        assert!(error.message().starts_with("what it was begun with cannot be read: "), "{error:?}");
    }
}
