//! Where a run is journaled, and under which name: options and surroundings become [`Journaling`].

use super::{
    environment::Environment,
    run_args::RunArgs,
    step::StepIdentity,
    store::{self, NONE},
    ui::{Loudness, Ui},
};
use crate::{
    clock::Clock,
    engine::{Failure, params::ParamDecl},
    error::{Error, Result},
    journal::Begin,
    run::{Journaling, RunOptions, Target},
    secrets::Redactor,
};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// What a run is begun with, as far as its journal is concerned.
pub(super) struct Given<'a> {
    /// Where it works.
    pub target: &'a Target,
    /// What the script declares.
    pub declared: &'a [ParamDecl],
    /// What was given of it.
    pub values: &'a BTreeMap<String, Value>,
    /// The options, for the record.
    pub options: RunOptions,
}

/// The step of Octopus that this run is one of, and the name it has then. A name that was given is a name that was given.
pub(super) fn of_step<'a>(args: &RunArgs, environment: &'a Environment, given: &Given<'_>) -> Result<Option<(StepIdentity<'a>, String)>> {
    if args.run_id.is_some() || matches!(given.target, Target::Sandbox(_)) {
        return Ok(None);
    }
    let Some(step) = StepIdentity::of(environment)? else { return Ok(None) };
    let plain = given.values.iter().filter(|(param, _)| !is_secret(given.declared, param)).collect::<BTreeMap<_, _>>();
    let name = step.run(&args.stem(), &json!([given.options.record().0, plain]));
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
        let given = [
            ("--run-id", args.run_id.is_some()),
            ("--store", args.store.is_some()),
            ("--suspend", args.options.suspend),
            ("--anew", args.anew),
        ];
        return match given.iter().find(|(_, given)| *given) {
            None => Ok(None),
            Some((option, _)) => Err(Error::usage(format!(
                "`{option}` has no meaning with --sandbox: that server ends with the run, so there is nothing to continue"
            ))
            .help("start a sandbox of its own: octorhai sandbox; then run with --server http://127.0.0.1:8065")),
        };
    }
    let address = store::place(args.store.as_deref(), environment);
    if args.run_id.is_none() && !args.options.suspend && address.as_deref().is_none_or(|address| address == NONE) {
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
    let (target, options) = given.options.record();
    // What failed is begun anew by a step's next attempt; what a name was given for is not.
    let (name, begin) = match (&args.run_id, step) {
        (Some(name), _) => (checked(name)?, if args.anew { Begin::Anew } else { Begin::UnlessEnded }),
        (None, Some(name)) => (name.to_owned(), Begin::UnlessSucceeded),
        (None, None) => (made_up(&args.stem()), Begin::UnlessEnded),
    };
    let params = params(&name, given.declared, given.values, ui.redactor());
    Ok(Some(Journaling {
        store: store::runs(args.store.as_deref(), environment, ui)?,
        name,
        begin,
        params,
        target,
        options,
        suspend: args.options.suspend,
        any_user: args.any_user,
    }))
}

/// The failure of a script that does not load: when it belongs to an unfinished run, that run cannot be continued.
pub(super) fn explained(mut failure: Failure, args: &RunArgs, environment: &Environment, ui: &Ui) -> Failure {
    let Some(name) = &args.run_id else { return failure };
    let run = store::runs(args.store.as_deref(), environment, ui).and_then(|store| store.run(name)).ok().flatten();
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
