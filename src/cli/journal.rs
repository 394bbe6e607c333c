//! Where a run is journaled, and under which name: options and surroundings become [`Journaling`].

use super::{
    args::{OnCancelArg, RunArgs},
    given::{Environment, variable},
    step::Step,
    ui::{Loudness, Ui},
};
use crate::{
    clock::Clock,
    engine::{Failure, params::ParamDecl},
    error::{Error, Result},
    journal::{self, Begin},
    platform::{files, folders},
    run::{Journaling, Target},
    secrets::Redactor,
};
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// The address that means: keep no journal.
const NONE: &str = "none";

/// The store that options and surroundings name: `--store`, OCTORHAI_STORE, or this user's state folder.
pub fn store(given: Option<&str>, environment: &Environment, ui: &Ui) -> Result<journal::Journal> {
    let Some(address) = address(given, environment).filter(|address| address != NONE) else {
        return Err(Error::usage("there is no journal: `none` was named, or this user has no home folder")
            .help("name one with --store FOLDER or OCTORHAI_STORE; several machines share --store postgres://..."));
    };
    let journal = super::store::open(&address, environment, ui)?;
    if let Some(given) = given {
        // Of an address what is shown: without its password.
        ui.name_store(if journal::is_postgres(given) { journal.place() } else { given.to_owned() }.as_str());
    }
    Ok(journal)
}

fn address(given: Option<&str>, environment: &Environment) -> Option<String> {
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

/// What a run is begun with, as far as its journal is concerned.
pub(super) struct Given<'a> {
    /// Where it works.
    pub target: &'a Target,
    /// What the script declares.
    pub declared: &'a [ParamDecl],
    /// What was given of it.
    pub values: &'a BTreeMap<String, Value>,
    /// How mail leaves.
    pub smtp: Option<&'a str>,
    /// Who sends it.
    pub mail_from: Option<&'a str>,
    /// The zone of times without one.
    pub zone: &'a TimeZone,
}

/// What decides what a run does beside its script and parameters.
fn surroundings(args: &RunArgs, given: &Given<'_>) -> Value {
    let Target::Server { credential, space, .. } = given.target else { return Value::Null };
    json!({
        "server": credential.address(), "space": space, "env": args.env, "tenant": args.tenant, "project": args.project,
        "deployment": args.deployment, "tz": args.tz,
    })
}

/// The step of Octopus that this run is one of, and the name it has then. A name that was given is a name that was given.
pub(super) fn of_step<'a>(args: &RunArgs, environment: &'a Environment, given: &Given<'_>) -> Result<Option<(Step<'a>, String)>> {
    if args.run_id.is_some() || matches!(given.target, Target::Sandbox(_)) {
        return Ok(None);
    }
    let Some(step) = Step::of(environment)? else { return Ok(None) };
    let plain = given.values.iter().filter(|(param, _)| !is_secret(given.declared, param)).collect::<BTreeMap<_, _>>();
    let name = step.run(&stem(args), &json!([surroundings(args, given), plain]));
    Ok(Some((step, name)))
}

/// The journal of a run; none on a sandbox in this process, which is gone with it.
pub(super) fn journaling(
    args: &RunArgs,
    ui: &Ui,
    environment: &Environment,
    given: &Given<'_>,
    step: Option<&str>,
) -> Result<Option<Journaling>> {
    if let Target::Sandbox(_) = given.target {
        let given =
            [("--run-id", args.run_id.is_some()), ("--store", args.store.is_some()), ("--suspend", args.suspend), ("--anew", args.anew)];
        return match given.iter().find(|(_, given)| *given) {
            None => Ok(None),
            Some((option, _)) => Err(Error::usage(format!(
                "`{option}` has no meaning with --sandbox: that server ends with the run, so there is nothing to continue"
            ))
            .help("start a sandbox of its own: octorhai sandbox; then run with --server http://127.0.0.1:8065")),
        };
    }
    let address = address(args.store.as_deref(), environment);
    if args.run_id.is_none() && !args.suspend && address.as_deref().is_none_or(|address| address == NONE) {
        if step.is_some() && address.is_none() {
            ui.warning(
                "the run is not journaled: when Octopus starts this step again, it takes over what was deployed, and does all else \
                 again (--store FOLDER or OCTORHAI_STORE)",
            );
        } else if address.is_none() && ui.loudness() == Loudness::Verbose {
            ui.talk("the run is not journaled: this user has no home folder, and neither --store nor OCTORHAI_STATE names one");
        }
        return Ok(None);
    }
    let target = surroundings(args, given);
    // What failed is begun anew by a step's next attempt; what a name was given for is not.
    let (name, begin) = match (&args.run_id, step) {
        (Some(name), _) => (checked(name)?, if args.anew { Begin::Anew } else { Begin::UnlessEnded }),
        (None, Some(name)) => (name.to_owned(), Begin::UnlessSucceeded),
        (None, None) => (made_up(&stem(args)), Begin::UnlessEnded),
    };
    let params = params(&name, given.declared, given.values, ui.redactor());
    Ok(Some(Journaling {
        store: store(args.store.as_deref(), environment, ui)?,
        name,
        begin,
        params,
        target,
        options: options(args, given),
        suspend: args.suspend,
        any_user: args.any_user,
    }))
}

/// How a run is begun, for `octorhai runs resume`: where files are from anywhere, what is not the default, no secret.
fn options(args: &RunArgs, given: &Given<'_>) -> Value {
    let place = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string();
    let file = |path: &Option<PathBuf>| path.as_deref().map(place);
    let on = |given: bool| given.then_some(true);
    let smtp = given.smtp.map(|url| {
        let secret = url::Url::parse(url).map_or(true, |url| url.password().is_some());
        if secret { json!({"secret": true}) } else { json!(url) }
    });
    let locks = args.locks.as_deref().map(|locks| {
        let secret = url::Url::parse(locks).is_ok_and(|url| url.password().is_some());
        let folder = !matches!(locks, "octopus" | "store") && !locks.contains("://");
        if secret { json!({"secret": true}) } else { json!(if folder { place(Path::new(locks)) } else { locks.to_owned() }) }
    });
    let mut options = json!({
        "locks": locks,
        "folder": std::env::current_dir().ok().map(|folder| folder.display().to_string()),
        "zone": given.zone.iana_name(),
        "artifacts": place(&args.artifacts),
        "on_cancel": (args.on_cancel == OnCancelArg::Leave).then_some("leave"),
        "on_failure": (args.on_failure == OnCancelArg::Cancel).then_some("cancel"),
        "max_operations": args.max_operations,
        "virtual_time": on(args.virtual_time),
        "suspend": on(args.suspend),
        "no_check": on(args.no_check),
        "ca_cert": file(&args.ca_cert),
        "api_key_file": file(&args.api_key_file),
        "params": file(&args.params),
        "smtp": smtp,
        "mail_from": given.mail_from,
    });
    if let Some(options) = options.as_object_mut() {
        options.retain(|_, value| !value.is_null());
    }
    options
}

/// The failure of a script that does not load: when it belongs to an unfinished run, that run cannot be continued.
pub(super) fn explained(mut failure: Failure, args: &RunArgs, environment: &Environment, ui: &Ui) -> Failure {
    let Some(name) = &args.run_id else { return failure };
    let run = store(args.store.as_deref(), environment, ui).and_then(|store| store.run(name)).ok().flatten();
    if run.is_some_and(|run| run.state.is_unfinished()) {
        let why = format!("run `{name}` cannot be continued: {}", failure.error.message());
        let before = failure.error.hints().iter().fold(Error::usage(why), Error::help);
        failure.error = before
            .help("nothing was sent")
            .help(format!("restore the file (octorhai runs show {name}), or give the run up: octorhai runs cancel {name}"));
    }
    failure
}

/// Names stand in messages, file names and command lines.
fn checked(name: &str) -> Result<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.:/@#".contains(c);
    if name.is_empty() || name.len() > 120 || name.starts_with('-') || !name.chars().all(fits) {
        return Err(Error::usage(format!("`{name}` cannot be the name of a run"))
            .help("it has up to 120 letters, digits and - _ . : / @ #, and does not begin with -"));
    }
    Ok(name.to_owned())
}

/// The script's name without folder and ending.
fn stem(args: &RunArgs) -> String {
    args.script.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

/// E.g. `train-20260302-080000-4f2c`.
fn made_up(stem: &str) -> String {
    let stem: String = stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(60).collect();
    let chance = uuid::Uuid::new_v4().simple().to_string();
    format!("{stem}-{}-{}", Clock::real().now().strftime("%Y%m%d-%H%M%S"), &chance[..4])
}

/// The parameters for the record: of a secret a digest, so that another value is noticed and none can be read. So too of a value
/// that holds a secret under another name.
fn params(name: &str, declared: &[ParamDecl], values: &BTreeMap<String, Value>, redactor: &Redactor) -> Value {
    let shown = |(param, value): (&String, &Value)| {
        let holds_one = || value.as_str().is_some_and(|text| redactor.clean(text) != text);
        let value = if is_secret(declared, param) || holds_one() { json!({"secret": digest(name, param, value)}) } else { value.clone() };
        (param.clone(), value)
    };
    Value::Object(values.iter().map(shown).collect::<Map<_, _>>())
}

fn is_secret(declared: &[ParamDecl], param: &str) -> bool {
    declared.iter().any(|p| p.secret && p.name.eq_ignore_ascii_case(param))
}

fn digest(name: &str, param: &str, value: &Value) -> String {
    hex::encode(&Sha256::digest(format!("{name}\n{param}\n{value}"))[..16])
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

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
