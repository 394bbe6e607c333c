//! `octorhai run`: arguments, environment and files become [`Settings`]; the outcome becomes closing lines and an exit code.

use super::{
    environment::{Environment, read, variable},
    failures::explain,
    journal::Given,
    json::{self, JsonSink},
    lines::PlainSink,
    missing_parameters,
    origin::{Gathered, Origin, ParamsFile, Values},
    params,
    progress::LiveSink,
    run_args::RunArgs,
    script_file::about,
    settings,
    shared_args::Output,
    signals,
    subcommand::{Stage, Subcommand},
    timeline::{self, Timeline},
    ui::{Loudness, Tone, Ui, somebody_is_there},
    worlds,
};
use crate::{
    check,
    engine::{
        Failure, Program,
        param_names::ParamName,
        params::{ParamDecl, ParamKind, declarations},
        scene::Scene,
    },
    error::{Error, Kind, Result},
    event::Sink,
    host,
    run::{ContextSettings, NameGiven, Outcome, RunOptions, Settings, Target, compiled},
    secrets,
};
use jiff::tz::TimeZone;
use serde_json::Value;
use std::{sync::Arc, time::Duration};

/// Parameter files are not larger.
const LARGEST_FILE: u64 = 16 << 20;

/// The variable that switches the check before a run off.
const NO_CHECK: &str = "OCTORHAI_NO_CHECK";

impl Subcommand for RunArgs {
    fn has_colour(&self) -> bool {
        !self.no_color
    }

    fn loudness(&self) -> Loudness {
        match (self.verbose, self.quiet) {
            (true, _) => Loudness::Verbose,
            (_, true) => Loudness::Quiet,
            _ => Loudness::Normal,
        }
    }

    fn perform(&self, stage: &Stage<'_>) -> u8 {
        go(self, self, stage.ui, stage.environment).exit_code
    }
}

impl Origin for RunArgs {
    fn values(&self, declared: &[ParamDecl], file: Option<ParamsFile<'_>>, ui: &Ui, environment: &Environment) -> Result<Gathered> {
        params::gather(declared, &self.parameters, file, environment, ui.redactor())
    }

    fn target(&self, options: &RunOptions, ui: &Ui, environment: &Environment) -> Result<Target> {
        // A world on the command line stands above an address in the environment: whoever types --sandbox means it.
        if let Some(world) = &self.sandbox {
            return Ok(Target::Sandbox(worlds::named(world, self.run_scripts)?));
        }
        settings::login(options, ui, environment)?.ok_or_else(|| {
            let script = self.script.display();
            Error::usage("there is no Octopus Server to run on")
                .help(format!("on a simulated one, in virtual time:\noctorhai run --sandbox {script}"))
                .help(format!("on yours:\nOCTOPUS_API_KEY=API-... octorhai run --server https://octopus.example.com {script}"))
        })
    }

    fn is_typed(&self) -> bool {
        true
    }
}

/// How a run ended, or why it did not start.
#[derive(Default)]
pub(super) struct Ended {
    pub(super) exit_code: u8,
    /// What went wrong.
    pub(super) problem: Option<Error>,
}

impl Ended {
    /// By an error that was told.
    pub(super) fn by(error: &Error) -> Self {
        Self { exit_code: error.kind().exit_code(), problem: Some(error.clone()) }
    }
}

/// Runs the script that begins at `origin`, or shows its help.
pub(super) fn go(args: &RunArgs, origin: &dyn Origin, ui: &Ui, environment: &Environment) -> Ended {
    match prepare(args, origin, ui, environment) {
        Ok(Some(prepared)) => perform(args, ui, prepared),
        Ok(None) => Ended::default(),
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
    Failure(Box<Failure>),
    /// The check found mistakes that cannot go well.
    Refused(Vec<Failure>),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failure(Box::new(error.into()))
    }
}

struct Prepared {
    settings: Settings,
    timeline: Arc<Timeline>,
    zone: TimeZone,
}

/// The mistakes because of which a script is not run.
fn refusals(program: &Program) -> Vec<Failure> {
    check::refusals(program, &Scene { entries: host::reference(), ..Scene::default() })
}

/// `None` when the script's help was all that was asked for.
fn prepare(args: &RunArgs, origin: &dyn Origin, ui: &Ui, environment: &Environment) -> Result<Option<Prepared>, Stop> {
    let script = origin.script(&args.script)?;
    let told = |failure| Stop::Failure(Box::new(super::journal::explained(failure, args, environment, ui)));
    let program = compiled(&script).map_err(told)?;
    let declared = declarations(&program).map_err(told)?;
    if args.script_help {
        ui.data(&params::help(&script.name, about(&script.text).as_deref(), &declared));
        return Ok(None);
    }
    if !args.options.no_check && variable(environment, NO_CHECK) != Some("1") {
        let found = refusals(&program);
        if !found.is_empty() {
            return Err(Stop::Refused(found));
        }
    }
    let options = settings::with_environment(&args.options, ui, environment)?;
    let file = match &options.params {
        Some(path) => Some((path.as_path(), read(path, "parameter file", LARGEST_FILE)?)),
        None => None,
    };
    let file = file.as_ref().map(|(path, text)| (*path, text.as_str()));
    let (mut values, mut warnings) = origin.values(&declared, file, ui, environment)?;
    if origin.is_typed() {
        warnings.extend(taken_for_ours(&options, &declared));
    }
    let target = origin.target(&options, ui, environment)?;
    // What a record lacks is the matter of a script that was changed, which is said later.
    let missing = if origin.is_typed() { params::missing(&declared, &values) } else { Vec::new() };
    if !missing.is_empty() {
        if !somebody_is_there() || args.output == Output::Json {
            return Err(params::missing_error(&missing).into());
        }
        missing_parameters::ask(ui, &missing, &mut values)?;
    }
    warnings.extend(learn_secrets(&declared, &values, ui));
    for warning in warnings {
        ui.warning(&warning);
    }
    if script.text.trim().is_empty() {
        ui.warning(&format!("the script `{}` is empty: there is nothing to do", script.name));
    }
    let zone = settings::zone(&options, &target)?;
    let timeline = Arc::new(Timeline::default());
    let show: Arc<dyn Sink> = match (origin.sink(ui), args.output) {
        (Some(sink), _) => sink,
        (None, Output::Json) => Arc::new(JsonSink::new(ui.clone())),
        (None, Output::Text) if ui.is_live() => Arc::new(LiveSink::new(ui.clone(), zone.clone())),
        (None, Output::Text) => Arc::new(PlainSink::new(ui.clone(), zone.clone())),
    };
    let given = Given { target: &target, declared: &declared, values: &values, options: recorded(&options, &target, &zone) };
    let of_step = super::journal::of_step(args, environment, &given)?;
    let name = of_step.as_ref().map(|(_, name)| name.as_str());
    let journal = super::journal::journaling(args, ui, environment, &given, name)?;
    let settings = settings::settings(&options, args.store.as_deref(), target, zone.clone(), ui, environment)?;
    let settings = Settings {
        journal,
        script,
        context: origin.context(ContextSettings {
            names: names(&declared, &values, origin),
            step: of_step.as_ref().map(|(step, name)| step.context(name, environment)),
            ..settings.context
        }),
        params: values,
        sinks: vec![show, Arc::clone(&timeline) as Arc<dyn Sink>],
        cancel: origin.cancel(),
        ..settings
    };
    Ok(Some(Prepared { settings, timeline, zone }))
}

/// The options as a record keeps them: where the run works in the end, and what only this machine and this folder say.
fn recorded(options: &RunOptions, target: &Target, zone: &TimeZone) -> RunOptions {
    let (server, space) = match target {
        Target::Server { credential, space, .. } => (Some(credential.address()), space.clone()),
        Target::Sandbox(_) => (None, options.space.clone()),
    };
    let (zone, folder) = (zone.iana_name().map(str::to_owned), std::env::current_dir().ok());
    RunOptions { server, space, zone, folder, ..options.clone() }
}

/// Warnings for options of ours that are parameters of the script, too.
fn taken_for_ours(options: &RunOptions, declared: &[ParamDecl]) -> impl Iterator<Item = String> {
    let ours = [
        ("project", &options.project),
        ("env", &options.env),
        ("tenant", &options.tenant),
        ("deployment", &options.deployment),
        ("space", &options.space),
    ];
    ours.into_iter().filter(|(name, given)| given.is_some() && params::declares(declared, name)).map(|(name, _)| {
        let option = ParamName(name).option();
        format!("`{option}` is an option of `octorhai run`; the script's parameter of that name is given as `-- {option} VALUE`")
    })
}

/// Makes secret parameters known before anything is said; warnings for those that are too short to be taken out of texts.
fn learn_secrets(declared: &[ParamDecl], values: &Values, ui: &Ui) -> Vec<String> {
    let mut warnings = Vec::new();
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
    warnings
}

/// The names that parameters hold, given or by default: the run looks them up before the script begins.
fn names(declared: &[ParamDecl], values: &Values, origin: &dyn Origin) -> Vec<NameGiven> {
    let mut names = Vec::new();
    for param in declared {
        let (ParamKind::Named(named) | ParamKind::ListOf(named)) = param.kind else { continue };
        let parameter = origin.shown(param);
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
    let outcome = crate::run::run(settings);
    drop(watch);
    ui.end_bars();
    close(args, ui, &timeline, &zone, &outcome);
    let problem = outcome.failure.as_ref().map(|failure| failure.error.clone());
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

#[cfg(test)]
mod tests {
    use super::super::{Cli, Command, args, ui::testing};
    use super::*;

    fn args(line: &str) -> RunArgs {
        match args::parse(line.split_whitespace().map(str::to_owned).collect()) {
            Ok(Cli { command: Command::Run(run) }) => *run,
            other => panic!("{other:?}"),
        }
    }

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn target_of(line: &str, pairs: &[(&str, &str)]) -> Result<Target> {
        let (ui, ..) = testing::ui(Loudness::Normal);
        let args = args(line);
        args.target(&args.options, &ui, &environment(pairs))
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
        let args = args(&line);
        let target = args.target(&args.options, &ui, &environment(&[("OCTOPUS_API_KEY", "API-ENV")])).expect("a target");
        assert!(matches!(target, Target::Server { credential, .. } if credential.address() == "https://x"));
        ui.talk("API-FROMFILE");
        assert_eq!(talk.text(), "***\n");
    }
}
