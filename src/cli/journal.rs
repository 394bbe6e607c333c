//! Where a run is journaled, and under which name: options and surroundings become [`Journaling`].

use super::{
    args::RunArgs,
    run::{Environment, variable},
    ui::{Loudness, Ui},
};
use crate::{
    clock::Clock,
    engine::{Failure, params::ParamDecl},
    error::{Error, Result},
    journal,
    run::{Journaling, Target},
};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

/// The address that means: keep no journal.
const NONE: &str = "none";

/// The store that options and surroundings name: `--store`, OCTORHAI_STORE, or this user's state folder.
pub fn store(given: Option<&str>, environment: &Environment, ui: &Ui) -> Result<journal::Journal> {
    let Some(address) = address(given, environment).filter(|address| address != NONE) else {
        return Err(Error::usage("there is no journal: `none` was named, or this user has no home folder")
            .help("name one with --store FOLDER or OCTORHAI_STORE; several machines share --store postgres://..."));
    };
    super::store::open(&address, environment, ui)
}

fn address(given: Option<&str>, environment: &Environment) -> Option<String> {
    let named = given.or_else(|| variable(environment, "OCTORHAI_STORE")).map(str::to_owned);
    named.or_else(|| state_folder(environment).map(|folder| folder.display().to_string()))
}

/// `$OCTORHAI_STATE`, or where this system keeps what programs must remember.
pub fn state_folder(environment: &Environment) -> Option<PathBuf> {
    let folder = |name: &str| variable(environment, name).map(PathBuf::from);
    folder("OCTORHAI_STATE").or_else(|| {
        let below = if cfg!(windows) {
            folder("LOCALAPPDATA")
        } else {
            // A relative one is to be ignored, says whoever defined the name.
            folder("XDG_STATE_HOME").filter(|folder| folder.is_absolute()).or_else(|| folder("HOME").map(|home| home.join(".local/state")))
        };
        below.map(|below| below.join("octorhai"))
    })
}

/// Where `octorhai doctor` leaves what it measured.
pub fn doctor_file(environment: &Environment) -> Option<PathBuf> {
    state_folder(environment).map(|folder| folder.join("doctor.json"))
}

/// The journal of a run; none on a sandbox in this process, which is gone with it.
pub(super) fn journaling(
    args: &RunArgs,
    ui: &Ui,
    environment: &Environment,
    target: &Target,
    declared: &[ParamDecl],
    values: &BTreeMap<String, Value>,
) -> Result<Option<Journaling>> {
    let Target::Server { url, space, .. } = target else {
        let given =
            [("--run-id", args.run_id.is_some()), ("--store", args.store.is_some()), ("--suspend", args.suspend), ("--anew", args.anew)];
        return match given.iter().find(|(_, given)| *given) {
            None => Ok(None),
            Some((option, _)) => Err(Error::usage(format!(
                "`{option}` has no meaning with --sandbox: that server ends with the run, so there is nothing to continue"
            ))
            .help("start a sandbox of its own: octorhai sandbox; then run with --server http://127.0.0.1:8065")),
        };
    };
    let address = address(args.store.as_deref(), environment);
    if args.run_id.is_none() && !args.suspend && address.as_deref().is_none_or(|address| address == NONE) {
        if address.is_none() && ui.loudness() == Loudness::Verbose {
            ui.talk("the run is not journaled: this user has no home folder, and neither --store nor OCTORHAI_STATE names one");
        }
        return Ok(None);
    }
    let name = match &args.run_id {
        Some(name) => checked(name)?,
        None => made_up(args),
    };
    let params = params(&name, declared, values);
    let target = json!({
        "server": url, "space": space, "env": args.env, "tenant": args.tenant, "project": args.project,
        "deployment": args.deployment, "tz": args.tz,
    });
    let redactor = ui.redactor().clone();
    Ok(Some(Journaling {
        store: store(args.store.as_deref(), environment, ui)?,
        name,
        anew: args.anew,
        params,
        target,
        clean: Arc::new(move |text| redactor.clean(text).into_owned()),
        suspend: args.suspend,
    }))
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

/// E.g. `train-20260302-080000-4f2c`.
fn made_up(args: &RunArgs) -> String {
    let stem = args.script.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let stem: String = stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(60).collect();
    let chance = uuid::Uuid::new_v4().simple().to_string();
    format!("{stem}-{}-{}", Clock::real().now().strftime("%Y%m%d-%H%M%S"), &chance[..4])
}

/// The parameters for the record: of a secret a digest, so that another value is noticed and none can be read.
fn params(name: &str, declared: &[ParamDecl], values: &BTreeMap<String, Value>) -> Value {
    let is_secret = |param: &str| declared.iter().any(|p| p.secret && p.name.eq_ignore_ascii_case(param));
    let shown = |(param, value): (&String, &Value)| {
        let value = if is_secret(param) { json!({"secret": digest(name, param, value)}) } else { value.clone() };
        (param.clone(), value)
    };
    Value::Object(values.iter().map(shown).collect::<Map<_, _>>())
}

fn digest(name: &str, param: &str, value: &Value) -> String {
    hex::encode(&Sha256::digest(format!("{name}\n{param}\n{value}"))[..16])
}
