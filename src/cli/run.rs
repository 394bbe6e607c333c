//! `octorhai run`: arguments, environment and files become [`Settings`]; the outcome becomes closing lines and an exit code.

use super::{
    args::{Output, RunArgs},
    ask, below,
    given::{Environment, certificates, read, variable},
    journal::Given,
    json::{self, JsonSink},
    keyring::{self, Keyring},
    lines::PlainSink,
    params,
    progress::LiveSink,
    resume::Recorded,
    signals,
    step_run::StepScript,
    timeline::{self, Timeline},
    ui::{Loudness, Tone, Ui, somebody_is_there},
};
use crate::{
    api::Credential,
    cancel::Cancel,
    clock::text,
    engine::{
        Failure,
        param_names::ParamName,
        params::{ParamDecl, ParamKind},
    },
    error::{Error, Kind, Result, nearest},
    event::Sink,
    platform::zones,
    run::{ContextSettings, Files, NameGiven, Outcome, Settings, Source, Target},
    secrets,
    step::voice::Level,
};
use jiff::tz::TimeZone;
use serde_json::Value;
use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

/// Parameter files are not larger.
const LARGEST_FILE: u64 = 16 << 20;

/// Scripts are not larger; the longest that people wrote by hand are a hundredth of it.
const LARGEST_SCRIPT: u64 = 1 << 20;

/// The variable that switches the check before a run off.
const NO_CHECK: &str = "OCTORHAI_NO_CHECK";

/// How loud `args` wants it.
pub fn loudness(args: &RunArgs) -> Loudness {
    match (args.verbose, args.quiet) {
        (true, _) => Loudness::Verbose,
        (_, true) => Loudness::Quiet,
        _ => Loudness::Normal,
    }
}

/// Runs the script, or shows its help, and returns the exit code.
pub fn run(args: &RunArgs, ui: &Ui, environment: &Environment) -> u8 {
    go(args, &From::Words, ui, environment).exit_code
}

/// Where the script and the values of its parameters are from.
pub(super) enum From<'a> {
    /// A file, and words behind it.
    Words,
    /// The record of a run that is continued by its name.
    Record(&'a Recorded<'a>),
    /// The launcher of a step.
    Step(&'a StepScript<'a>),
}

/// How a run ended, or why it did not start.
#[derive(Default)]
pub(super) struct Ended {
    pub(super) exit_code: u8,
    /// What went wrong.
    pub(super) problem: Option<Problem>,
}

/// What went wrong, in short.
pub(super) struct Problem {
    pub(super) kind: Kind,
    /// In a line.
    pub(super) message: String,
}

impl Problem {
    fn of(error: &Error) -> Self {
        Self { kind: error.kind(), message: error.message().to_owned() }
    }
}

impl Ended {
    /// By an error that was told.
    pub(super) fn by(error: &Error) -> Self {
        Self { exit_code: error.kind().exit_code(), problem: Some(Problem::of(error)) }
    }
}

/// [`run`], from wherever.
pub(super) fn go(args: &RunArgs, from: &From<'_>, ui: &Ui, environment: &Environment) -> Ended {
    match prepare(args, from, ui, environment) {
        Ok(Some(prepared)) => perform(args, ui, prepared),
        Ok(None) => Ended::default(),
        Err(Stop::Error(error)) => {
            ui.error(&error);
            Ended::by(&error)
        }
        Err(Stop::Failure(failure)) => {
            explain(ui, &failure);
            Ended::by(&failure.error)
        }
        Err(Stop::Refused(found)) => refused(ui, &found),
    }
}

/// Tells what the check found.
fn refused(ui: &Ui, found: &[Failure]) -> Ended {
    /// So many are told.
    const MOST: usize = 10;
    for failure in found.iter().take(MOST) {
        explain(ui, failure);
    }
    let count = if found.len() == 1 { "a mistake".to_owned() } else { format!("{} mistakes", found.len()) };
    ui.say(&format!("nothing was sent: the check found {count}; `--no-check`, or {NO_CHECK}=1, runs the script as it is"));
    found.first().map_or_else(Ended::default, |first| Ended::by(&first.error))
}

/// Why a run did not start.
enum Stop {
    Error(Error),
    Failure(Box<Failure>),
    /// The check found mistakes that cannot go well.
    Refused(Vec<Failure>),
}

impl std::convert::From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

struct Prepared {
    settings: Settings,
    timeline: Arc<Timeline>,
    zone: TimeZone,
}

/// `None` when the script's help was all that was asked for.
fn prepare(args: &RunArgs, from: &From<'_>, ui: &Ui, environment: &Environment) -> Result<Option<Prepared>, Stop> {
    let in_step = if let From::Step(step) = from { Some(*step) } else { None };
    let script = if let Some(step) = in_step { step.source.clone() } else { source(&args.script)? };
    let told = |failure| Stop::Failure(Box::new(super::journal::explained(failure, args, environment, ui)));
    let program = below::compiled(&script).map_err(told)?;
    let declared = below::declared_by(&program).map_err(told)?;
    if args.script_help {
        ui.data(&params::help(&script.name, about(&script.text).as_deref(), &declared));
        return Ok(None);
    }
    if !args.no_check && variable(environment, NO_CHECK) != Some("1") {
        let found = below::refusals(&program);
        if !found.is_empty() {
            return Err(Stop::Refused(found));
        }
    }
    let smtp = args.smtp.as_deref().or_else(|| variable(environment, "OCTORHAI_SMTP_URL")).map(str::to_owned);
    if let Some(url) = &smtp {
        learn_mail_server(ui, url)?;
    }
    // A value that does not fit may be shown in the error, unless it is one of a secret.
    let file = match &args.params {
        Some(path) => Some((path.as_path(), read(path, "parameter file", LARGEST_FILE)?)),
        None => None,
    };
    let file = file.as_ref().map(|(path, text)| (*path, text.as_str()));
    let (mut values, mut warnings) = match from {
        From::Record(recorded) => (recorded.values(ui, &declared, file, environment)?, Vec::new()),
        From::Words => params::gather(&declared, &args.parameters, file, environment, ui.redactor())?,
        From::Step(step) => (step.values(&declared)?, Vec::new()),
    };
    let ours = [
        ("project", &args.project),
        ("env", &args.env),
        ("tenant", &args.tenant),
        ("deployment", &args.deployment),
        ("space", &args.space),
    ];
    let doubtful = ours.iter().filter(|(name, given)| matches!(from, From::Words) && given.is_some() && params::declares(&declared, name));
    for (name, _) in doubtful {
        let option = ParamName(name).option();
        warnings.push(format!(
            "`{option}` is an option of `octorhai run`; the script's parameter of that name is given as `-- {option} VALUE`"
        ));
    }
    let target = match from {
        From::Words => target(args, ui, environment)?,
        From::Record(recorded) => server_of(args, recorded.credential(ui, environment)?, environment)?,
        From::Step(step) => server_of(args, step.credential.clone(), environment)?,
    };
    // What a record lacks is the matter of a script that was changed, which is said later.
    let missing = if let From::Words = from { params::missing(&declared, &values) } else { Vec::new() };
    if !missing.is_empty() {
        if !somebody_is_there() || args.output == Output::Json {
            return Err(params::missing_error(&missing).into());
        }
        ask::ask(ui, &missing, &mut values)?;
    }
    for param in declared.iter().filter(|param| param.secret) {
        for secret in [values.get(&param.name), param.default.as_ref()].into_iter().flatten().filter_map(Value::as_str) {
            ui.redactor().learn(secret);
            if !secret.is_empty() && secret.trim().chars().count() < secrets::SHORTEST {
                warnings.push(format!(
                    "parameter `{}`: a secret of fewer than {} characters is shown wherever it comes up",
                    param.name,
                    secrets::SHORTEST
                ));
            }
        }
    }
    for warning in warnings {
        ui.warning(&warning);
    }
    if script.text.trim().is_empty() {
        ui.warning(&format!("the script `{}` is empty: there is nothing to do", script.name));
    }
    let recorded = if let From::Record(recorded) = from { recorded.zone } else { None };
    let zone = zone(args.tz.as_deref(), &target, recorded)?;
    let timeline = Arc::new(Timeline::default());
    let show: Arc<dyn Sink> = match (from, args.output) {
        (From::Step(step), _) => step.sink(ui),
        (_, Output::Json) => Arc::new(JsonSink::new(ui.clone())),
        (_, Output::Text) if ui.is_live() => Arc::new(LiveSink::new(ui.clone(), zone.clone())),
        (_, Output::Text) => Arc::new(PlainSink::new(ui.clone(), zone.clone())),
    };
    let mail_from = args.mail_from.as_deref().or_else(|| variable(environment, "OCTORHAI_MAIL_FROM")).map(str::to_owned);
    let (smtp_given, sender) = (smtp.as_deref(), mail_from.as_deref());
    let given = Given { target: &target, declared: &declared, values: &values, smtp: smtp_given, mail_from: sender, zone: &zone };
    let of_step = super::journal::of_step(args, environment, &given)?;
    let name = of_step.as_ref().map(|(_, name)| name.as_str());
    let journal = super::journal::journaling(args, ui, environment, &given, name)?;
    let names = names(&declared, &values, in_step);
    let settings = Settings {
        locks: super::store::locks(args.locks.as_deref(), args.store.as_deref(), environment, ui)?,
        journal,
        measured: super::journal::doctor_file(environment),
        store_patience: super::store::patience(environment)?,
        script,
        params: values,
        target,
        virtual_time: args.virtual_time,
        servers: keyring::servers(environment),
        context: ContextSettings {
            space: args.space.clone(),
            environment: args.env.clone(),
            tenant: args.tenant.clone(),
            project: args.project.clone(),
            deployment: args.deployment.clone(),
            names,
            runbook_run: in_step.and_then(|step| step.said("Octopus.RunbookRun.Id")),
            machine: in_step.and_then(|step| step.said("Octopus.Machine.Name")),
            launcher: in_step.map(|step| step.launcher),
            step: of_step.as_ref().map(|(step, name)| step.context(name, environment)),
        },
        zone: zone.clone(),
        on_cancel: args.on_cancel.into(),
        on_failure: args.on_failure.into(),
        smtp,
        mail_from,
        artifacts: args.artifacts.clone(),
        secrets: ui.redactor().clone(),
        max_operations: args.max_operations,
        sinks: vec![show, Arc::clone(&timeline) as Arc<dyn Sink>],
        cancel: in_step.map_or_else(Cancel::new, |step| step.cancel.clone()),
    };
    Ok(Some(Prepared { settings, timeline, zone }))
}

/// The names that parameters hold, given or by default: the run looks them up before the script begins.
fn names(declared: &[ParamDecl], values: &BTreeMap<String, Value>, in_step: Option<&StepScript<'_>>) -> Vec<NameGiven> {
    let mut names = Vec::new();
    for param in declared {
        let (ParamKind::Named(named) | ParamKind::ListOf(named)) = param.kind else { continue };
        let parameter = in_step.map_or_else(|| param.name.clone(), |step| step.shown(param));
        let texts = match values.get(&param.name).or(param.default.as_ref()) {
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
            value => value.and_then(Value::as_str).into_iter().collect::<Vec<_>>(),
        };
        let given = texts.into_iter().filter(|text| !text.trim().is_empty());
        names.extend(given.map(|text| NameGiven { parameter: parameter.clone(), named, text: text.to_owned() }));
    }
    names
}

fn perform(args: &RunArgs, ui: &Ui, Prepared { settings, timeline, zone }: Prepared) -> Ended {
    let watch = signals::watch(settings.cancel.clone(), ui.clone(), last_words(&settings, ui, &timeline));
    let outcome = below::run(settings);
    drop(watch);
    ui.end_bars();
    close(args, ui, &timeline, &zone, &outcome);
    let problem = outcome.failure.as_ref().map(|failure| Problem::of(&failure.error));
    Ended { exit_code: outcome.exit_code, problem }
}

/// What is said of a run whose process is ended before the run has ended.
fn last_words(settings: &Settings, ui: &Ui, timeline: &Arc<Timeline>) -> signals::LastWords {
    /// So many tasks are named.
    const MOST: usize = 10;
    /// How long to wait for the journal.
    const MOMENT: Duration = Duration::from_millis(300);
    let (cancel, ui, timeline, script) = (settings.cancel.clone(), ui.clone(), Arc::clone(timeline), settings.script.name.clone());
    let run = settings.journal.as_ref().map(|journal| journal.name.clone());
    Box::new(move || {
        ui.drop_bars();
        let (mut lines, open) = (Vec::new(), timeline.open());
        if !open.is_empty() {
            let more = if open.len() > MOST { format!(" and {} more", open.len() - MOST) } else { String::new() };
            let named = open.iter().take(MOST).map(String::as_str).collect::<Vec<_>>().join(", ");
            lines.push(format!("open on the server when it ended, look there: {named}{more}"));
        }
        let locks = cancel.stopping().locks();
        if !locks.is_empty() {
            let named = locks.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            lines.push(format!("locks that were not given back: {named}; the next run takes them over when their lease has ended"));
        }
        if let Some(run) = &run {
            let problem = match cancel.stopping().recorded(MOMENT) {
                Some(Ok(())) => None,
                Some(Err(error)) => Some(error.message().to_owned()),
                None => Some("its journal did not answer".to_owned()),
            };
            match problem {
                None => lines.push(format!("run `{run}` is cancelled and is not continued")),
                Some(problem) => lines.push(format!(
                    "run `{run}` could not be marked as cancelled ({problem}): `octorhai runs cancel {run}` does it, or it is continued"
                )),
            }
            lines.push(format!("what it did: octorhai runs show {run}\nbegin it anew: octorhai run --run-id {run} --anew {script}"));
        }
        lines
    })
}

/// The closing lines: what ran when, mails, the error, the result, statistics.
fn close(args: &RunArgs, ui: &Ui, timeline: &Timeline, zone: &TimeZone, outcome: &Outcome) {
    let text = args.output == Output::Text;
    if text {
        timeline.show(ui, zone);
        ui.say("");
    }
    // A run that goes on later ended as its script wanted: no error to explain.
    let on_purpose = outcome.failure.as_ref().is_some_and(|failure| failure.error.kind() == Kind::Suspended);
    match &outcome.failure {
        Some(failure) if on_purpose && text => ui.say(failure.error.message()),
        Some(failure) => explain(ui, failure),
        None => {}
    }
    if text {
        if outcome.failure.as_ref().is_some_and(Failure::is_for_good) {
            tell_open(ui, timeline, args.sandbox.is_none());
        }
        let ok = outcome.exit_code == 0 || on_purpose;
        // The time on the wall differs from run to run: not where somebody compares bytes.
        let with_real = ui.is_live() || args.stats;
        let line = timeline::result(ok, outcome.exit_code, &outcome.stats, timeline.is_virtual(), with_real);
        ui.say(&ui.paint(if ok { Tone::Good } else { Tone::Bad }, &line));
        // Of a server in this process its world says the same each time.
        if let Some(mode) = outcome.mode.filter(|_| args.sandbox.is_none() || args.stats || args.verbose) {
            ui.say(&format!("mode: {mode}"));
        }
    }
    if args.stats {
        if text {
            ui.talk("");
            for line in timeline::stats(&outcome.stats) {
                ui.talk(&line);
            }
        } else {
            ui.data(&json::stats(&outcome.stats));
        }
    }
}

/// Names the tasks that go on although the script has failed, and says how they are stopped. A server in this process has no pages.
fn tell_open(ui: &Ui, timeline: &Timeline, has_pages: bool) {
    /// So many tasks are named.
    const MOST: usize = 10;
    let open = timeline.going_on();
    if open.is_empty() {
        return;
    }
    ui.say("still open on the server, and not waited for any longer:");
    for (title, url) in open.iter().take(MOST) {
        let link = url.as_deref().filter(|_| has_pages).map(|url| format!(": {url}")).unwrap_or_default();
        ui.say(&format!("  {title}{link}"));
    }
    if open.len() > MOST {
        ui.say(&format!("  and {} more", open.len() - MOST));
    }
    ui.say("stop them on their pages in Octopus; a run with `--on-failure cancel` stops such tasks itself");
}

/// Shows what ended a script, with its place in the script where there is one.
pub(super) fn explain(ui: &Ui, failure: &Failure) {
    if failure.trace.is_empty() {
        ui.error(&failure.error);
    } else {
        // The frame is cut where its lines are long.
        let mut failure = failure.clone();
        failure.clean(ui.redactor());
        ui.tell(Level::Error, below::explain(&failure, ui.has_colour()).trim_end());
    }
}

/// What a script says about itself: the comment lines at its top, without a first word that is its own path.
pub(super) fn about(text: &str) -> Option<String> {
    let lines: Vec<&str> = text
        .lines()
        .skip_while(|line| line.starts_with("#!"))
        .map_while(|line| line.trim().strip_prefix("//"))
        .map(|line| line.trim_start_matches(['/', '!']).trim())
        .collect();
    let text = lines.join("\n");
    let text = match text.split_once(": ") {
        Some((path, rest)) if Path::new(path).extension().is_some_and(|end| end == "rhai") && !path.contains(char::is_whitespace) => rest,
        _ => &text,
    };
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

pub(super) fn source(path: &Path) -> Result<Source> {
    let text = read(path, "script", LARGEST_SCRIPT).map_err(|error| {
        if path.extension().is_none() && path.with_extension("rhai").is_file() {
            return error.help(format!("did you mean `{}`?", path.with_extension("rhai").display()));
        }
        match neighbour(path) {
            Some(near) => error.help(format!("did you mean `{near}`?")),
            None => error,
        }
    })?;
    let folder = path.parent().map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
    let files = folder.map_or(Files::None, |folder| Files::Folder(folder.to_path_buf()));
    Ok(Source { name: path.display().to_string(), text, files })
}

/// The script in the same folder whose name is nearest, where there is none of this name.
fn neighbour(path: &Path) -> Option<String> {
    if path.exists() {
        return None;
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut names: Vec<String> = std::fs::read_dir(folder).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.retain(|name| Path::new(name).extension().is_some_and(|end| end == "rhai"));
    names.sort_unstable();
    let near = nearest(path.file_name()?.to_str()?, names.iter().map(String::as_str))?;
    Some(path.with_file_name(near).display().to_string())
}

pub(super) fn target(args: &RunArgs, ui: &Ui, environment: &Environment) -> Result<Target> {
    // A world on the command line stands above an address in the environment: whoever types --sandbox means it.
    if let Some(world) = &args.sandbox {
        return Ok(Target::Sandbox(below::world(world, args.run_scripts)?));
    }
    let keyring = Keyring { ui, environment, server: args.server.as_deref(), key_file: args.api_key_file.as_deref() };
    let Some(credential) = keyring.login()? else {
        let script = args.script.display();
        return Err(Error::usage("there is no Octopus Server to run on")
            .help(format!("on a simulated one, in virtual time:\noctorhai run --sandbox {script}"))
            .help(format!("on yours:\nOCTOPUS_API_KEY=API-... octorhai run --server https://octopus.example.com {script}")));
    };
    server_of(args, credential, environment)
}

/// The server of a credential as a run's target.
fn server_of(args: &RunArgs, credential: Credential, environment: &Environment) -> Result<Target> {
    let space = args.space.as_deref().or_else(|| variable(environment, "OCTOPUS_SPACE")).map(str::to_owned);
    Ok(Target::Server { credential, space, ca_cert: certificates(args.ca_cert.as_deref(), environment)? })
}

pub(super) fn learn_mail_server(ui: &Ui, smtp: &str) -> Result<()> {
    ui.redactor().learn_address(smtp);
    let url =
        url::Url::parse(smtp).map_err(|_| Error::usage("the SMTP address is not an address").help("write it like smtp://host:587"))?;
    if !matches!(url.scheme(), "smtp" | "smtps") || url.host().is_none() {
        return Err(
            Error::usage("the SMTP address must start with smtp:// or smtps:// and name a host").help("write it like smtp://host:587")
        );
    }
    Ok(())
}

/// The zone of times that do not name one: that of the record when a run is continued, otherwise `tz` (the option `--tz`), otherwise
/// the zone of the sandbox's world or of this machine.
///
/// # Errors
/// A usage error for a name that is not a time zone.
pub(super) fn zone(tz: Option<&str>, target: &Target, recorded: Option<&str>) -> Result<TimeZone> {
    let written = match (recorded.or(tz), target) {
        (Some(name), _) => Some(name.to_owned()),
        (None, Target::Sandbox(world)) => Some(below::world_zone(world)),
        (None, Target::Server { .. }) => None,
    };
    match written {
        None => Ok(zones::of_machine()),
        Some(name) => text::zone(&name).map_err(|error| error.into_kind(Kind::Usage)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{args, ui::testing};
    use super::*;

    fn args(line: &str) -> RunArgs {
        match args::parse(line.split_whitespace().map(str::to_owned).collect()) {
            Ok(args::Cli { command: args::Command::Run(run) }) => *run,
            other => panic!("{other:?}"),
        }
    }

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn target_of(line: &str, pairs: &[(&str, &str)]) -> Result<Target> {
        let (ui, ..) = testing::ui(Loudness::Normal);
        target(&args(line), &ui, &environment(pairs))
    }

    fn server(line: &str, pairs: &[(&str, &str)]) -> (String, Option<String>) {
        match target_of(line, pairs) {
            Ok(Target::Server { credential, space, .. }) => (credential.address(), space),
            Ok(Target::Sandbox(_)) => panic!("a sandbox"),
            Err(error) => panic!("{error:?}"),
        }
    }

    #[test]
    fn without_server_and_sandbox_both_ways_on_are_named() {
        let error = target_of("octorhai run x.rhai", &[("OCTOPUS_URL", "")]).err().expect("no server");
        let text = format!("{error:?}");
        assert_eq!(error.kind(), Kind::Usage);
        assert!(text.contains("octorhai run --sandbox x.rhai") && text.contains("--server https://octopus.example.com x.rhai"), "{text}");
    }

    #[test]
    fn a_script_tells_what_it_is_in_its_first_comment() {
        assert_eq!(about("// scripts/x.rhai: A and B,\n// then C\nlet x = 1; // no\n").as_deref(), Some("A and B,\nthen C"));
        assert_eq!(about("#!/usr/bin/env octorhai\n//! Note: careful\n").as_deref(), Some("Note: careful"));
        assert_eq!(about("let x = 1;\n// later"), None);
    }

    #[test]
    fn flags_stand_above_the_environment() {
        let surroundings = [("OCTOPUS_URL", "https://env/"), ("OCTOPUS_SPACE", "Env"), ("OCTOPUS_API_KEY", "API-1")];
        assert_eq!(server("octorhai run x.rhai", &surroundings), ("https://env".into(), Some("Env".into())));
        let line = "octorhai run x.rhai --server https://flag/octo/app#/Spaces-1/x --space Flag";
        assert_eq!(server(line, &surroundings[1..]), ("https://flag/octo".into(), Some("Flag".into())));
        assert!(matches!(target_of("octorhai run x.rhai --sandbox", &surroundings), Ok(Target::Sandbox(_))));
    }

    #[test]
    fn a_key_is_wanted_and_never_shown() {
        let error = target_of("octorhai run x.rhai --server https://x", &[]).err().expect("no key");
        assert!(format!("{error:?}").contains("OCTOPUS_API_KEY"));
        let error = target_of("octorhai run x.rhai --server https://me:hunter22@x", &[]).err().expect("a password");
        assert!(!format!("{error:?}").contains("hunter22"));
        for wrong in ["octopus", "ftp://x", "https://"] {
            assert!(target_of(&format!("octorhai run x.rhai --server {wrong}"), &[("OCTOPUS_API_KEY", "API-1")]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_key_from_a_file_is_learnt_by_the_redactor() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        std::fs::write(&path, "API-FROMFILE\n").expect("written");
        let (ui, _, talk) = testing::ui(Loudness::Normal);
        let line = format!("octorhai run x.rhai --server https://x --api-key-file {}", path.display());
        let target = target(&args(&line), &ui, &environment(&[("OCTOPUS_API_KEY", "API-ENV")])).expect("a target");
        assert!(matches!(target, Target::Server { credential, .. } if credential.address() == "https://x"));
        ui.talk("API-FROMFILE");
        assert_eq!(talk.text(), "***\n");
    }

    #[test]
    fn zone_is_that_of_the_record_then_of_the_option_then_of_the_world() {
        let world = target_of("octorhai run x.rhai --sandbox=tenants", &[]).expect("a world");
        let named = |tz, recorded| zone(tz, &world, recorded).expect("a zone").iana_name().map(str::to_owned);
        assert_eq!(named(Some("Asia/Tokyo"), Some("America/Lima")).as_deref(), Some("America/Lima"));
        assert_eq!(named(Some("Asia/Tokyo"), None).as_deref(), Some("Asia/Tokyo"));
        // As in scripts.
        assert_eq!(named(Some("W. Europe Standard Time"), None).as_deref(), Some("Europe/Berlin"));
        assert_eq!(
            zone(Some("Berlin"), &world, None).map_err(|error| (error.kind(), error.hints().to_vec())).err(),
            Some((Kind::Usage, vec!["did you mean `Europe/Berlin`?".to_owned()]))
        );
        let Target::Sandbox(of_world) = &world else { panic!("a sandbox") };
        assert_eq!(named(None, None), TimeZone::get(&below::world_zone(of_world)).expect("a zone").iana_name().map(str::to_owned));
    }

    #[test]
    fn an_smtp_password_is_learnt_in_both_spellings() {
        let (ui, _, talk) = testing::ui(Loudness::Normal);
        learn_mail_server(&ui, "smtp://me:p%40ssword@mail:587").expect("an address");
        ui.talk("p%40ssword p@ssword");
        assert_eq!(talk.text(), "*** ***\n");
        assert!(learn_mail_server(&ui, "http://mail").is_err());
    }
}
