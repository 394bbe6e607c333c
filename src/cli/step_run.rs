//! `octorhai step run`: the run of a script inside of a step of Octopus, as a launcher of a step template starts it.
//!
//! The frame on the pipe says what `octorhai run` finds in arguments and environment elsewhere. From there on it is the same run; only
//! the way out is another one: [`super::step_log`] instead of a terminal.

use super::{
    environment::{Environment, certificates, variable},
    keyring::{Keyring, NamedServer},
    origin::{Gathered, Origin, ParamsFile, Values},
    run,
    run_args::RunArgs,
    settings,
    step::{OWN_TAG, TARGET},
    step_log::{self, StepLog},
    subcommand::{Stage, Subcommand},
    ui::Ui,
};
use crate::{
    api::{self, Credential, oidc},
    cancel::Cancel,
    clock::Clock,
    engine::{
        param_names::ParamName,
        params::{Items, ParamDecl, ParamKind, check_value},
    },
    error::{Error, Result},
    event::Sink,
    run::{ContextSettings, Files, Launcher, RunOptions, Source, Target},
    step::{
        frame::{self, Frame, connection},
        octostache,
        voice::{LogLevel, Voice},
    },
};
use clap::Args;
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// What `octorhai step` takes.
#[derive(Args, Debug)]
pub struct StepArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: StepCommand,
}

/// The subcommands of `octorhai step`.
#[derive(Debug, clap::Subcommand)]
pub enum StepCommand {
    /// Read script and variables from the launcher's pipe (descriptor 3; stdin on Windows), run the script, speak service messages
    Run,
}

impl Subcommand for StepArgs {
    fn is_step(&self) -> bool {
        true
    }

    fn perform(&self, stage: &Stage<'_>) -> u8 {
        stage.voice.map_or(0, |voice| run(stage.ui, voice, stage.environment))
    }
}

/// A script that came in a frame.
struct StepScript<'a> {
    source: Source,
    cancel: Cancel,
    launcher: Launcher,
    /// For the server of the step.
    credential: Credential,
    frame: &'a Frame,
    voice: Voice,
}

/// Runs the script of the frame and returns the exit code.
fn run(ui: &Ui, voice: &Voice, environment: &Environment) -> u8 {
    let cancel = Cancel::new();
    let gone = cancel.clone();
    voice.when_gone(move || gone.cancel("nobody hears this step any more"));
    let given = read(environment);
    if let Some(answer) = given.as_ref().ok().and_then(|(frame, _)| frame.answer()) {
        voice.say(LogLevel::Default, answer);
        return 0;
    }
    voice.say(LogLevel::Verbose, &program());
    let ended = given.and_then(|(frame, launcher)| begin(ui, voice, &frame, launcher, cancel, environment));
    let ended = ended.unwrap_or_else(|error| {
        ui.error(&error);
        run::Ended::by(&error)
    });
    say_end(ui, voice, &ended);
    ended.exit_code
}

/// The one way out: what later steps and people read of each end, also of one before the script began.
fn say_end(ui: &Ui, voice: &Voice, ended: &run::Ended) {
    let redactor = ui.redactor();
    step_log::set_variable(ui, voice, "ExitCode", &ended.exit_code.to_string());
    if let Some(problem) = &ended.problem {
        step_log::set_variable(ui, voice, "Error.Kind", problem.kind().name());
        let message = shortened(&redactor.clean(problem.message()));
        step_log::set_variable(ui, voice, "Error.Message", &message);
        voice.result(&message);
    }
}

/// A message may quote a value of any length; the log has all of it.
fn shortened(message: &str) -> String {
    const MOST: usize = 4000;
    match message.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}...", &message[..end]),
        None => message.to_owned(),
    }
}

/// Which octorhai this is: the launcher took it from a package, a path or PATH.
fn program() -> String {
    let path = std::env::current_exe().map_or_else(|_| String::new(), |path| format!(", {}", path.display()));
    format!("octorhai {}{path}", env!("CARGO_PKG_VERSION"))
}

/// The frame, from where the launcher says that it is, and what becomes of the launcher while we work: Bash writes on descriptor 3 and is
/// replaced by us, PowerShell writes on our stdin and waits. Launchers of octorhai 0.1.0 did not say: there it is the first pipe of
/// descriptor 3 and stdin (octopus-step-contract.md §1.12).
fn read(environment: &Environment) -> Result<(Frame, Launcher)> {
    let none = |why: &str| Err(Error::usage(why.to_owned()).help(frame::HOW));
    let from_stdin = || Ok((Frame::read(std::io::stdin())?, Launcher::Waits));
    match variable(environment, frame::PLACE) {
        Some("stdin") => from_stdin(),
        Some("3") => match std::fs::File::open("/dev/fd/3") {
            Ok(pipe) => Ok((Frame::read(pipe)?, Launcher::Replaced)),
            Err(problem) => none(&format!("descriptor 3, where the launcher of the step writes the variables, cannot be read: {problem}")),
        },
        Some(place) => none(&format!("{} is `3` or `stdin`, got `{place}`", frame::PLACE)),
        // Asked before anything is opened: what we open may get that number.
        None if cfg!(unix) => match (pipe("/dev/fd/3"), pipe("/dev/fd/0")) {
            (Some(pipe), _) => Ok((Frame::read(pipe)?, Launcher::Replaced)),
            (None, Some(pipe)) => Ok((Frame::read(pipe)?, Launcher::Waits)),
            (None, None) => none("no pipe is open on descriptor 3 or on stdin, where the launcher of a step writes the variables"),
        },
        None => from_stdin(),
    }
}

/// A pipe that is open there. What else may be open was so before: it is none of the launcher's.
#[cfg(unix)]
fn pipe(path: &str) -> Option<std::fs::File> {
    use std::os::unix::fs::FileTypeExt as _;
    std::fs::metadata(path).is_ok_and(|file| file.file_type().is_fifo()).then(|| std::fs::File::open(path).ok())?
}

#[cfg(not(unix))]
fn pipe(_: &str) -> Option<std::fs::File> {
    None
}

fn begin(ui: &Ui, voice: &Voice, frame: &Frame, launcher: Launcher, cancel: Cancel, environment: &Environment) -> Result<run::Ended> {
    // Known before anything is written.
    for secret in frame.secrets() {
        ui.redactor().learn(secret);
    }
    let (name, text) = frame.script()?;
    let files = frame.files()?.into_iter().map(|(path, text)| (PathBuf::from(path), text)).collect();
    let source = Source { name: name.clone(), text, files: Files::Given(files) };
    let environment = surroundings(frame, environment)?;
    let credential = credential(frame, ui, voice, &environment)?;
    let given = |name: &str| frame.given(name).map(str::to_owned);
    let options = RunOptions {
        env: given("Octopus.Environment.Name"),
        tenant: given("Octopus.Deployment.Tenant.Name"),
        project: given("Octopus.Project.Name"),
        deployment: given("Octopus.Deployment.Id"),
        virtual_time: variable(&environment, "OCTORHAI_VIRTUAL_TIME") == Some("1"),
        ..RunOptions::default()
    };
    let args = RunArgs { script: PathBuf::from(name), options, verbose: true, ..RunArgs::default() };
    let script = StepScript { source, cancel, launcher, credential, frame, voice: voice.clone() };
    Ok(run::go(&args, &script, ui, &environment))
}

/// The environment with what the step says of itself.
fn surroundings(frame: &Frame, environment: &Environment) -> Result<Environment> {
    let mut all = environment.clone();
    let mut set = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            all.insert(name.to_owned(), value.to_owned());
        }
    };
    // The script console and "Run" of a step template are no step of any task: nothing will try them again.
    if let (Some(task), Some(action)) = (frame.given("Octopus.Task.Id"), frame.given("Octopus.Action.Id")) {
        set("OCTOPUS_TASK_ID", Some(task));
        set("OCTOPUS_ACTION_ID", Some(action));
    }
    set("OCTOPUS_SPACE", frame.given("Octopus.Space.Id").or_else(|| frame.given("Octopus.Space.Name")));
    // A worker runs several scripts at a time; a deployment target does only when everybody agrees (§1.10).
    let machine = frame.given("Octopus.Machine.Id");
    set("OCTOPUS_MACHINE_ID", machine);
    let is_free = frame.given("Octopus.WorkerPool.Id").is_some()
        || frame.given("OctopusBypassDeploymentMutex").is_some_and(|bypass| bypass.eq_ignore_ascii_case("true"));
    set(TARGET, machine.filter(|_| !is_free));
    set(OWN_TAG, frame.given("Octopus.Task.ConcurrencyTag"));
    set("OCTORHAI_SMTP_URL", filled_in(frame, connection::SMTP)?);
    set("OCTORHAI_MAIL_FROM", filled_in(frame, connection::MAIL_FROM)?);
    Ok(all)
}

/// How the step logs in, and where. What its boxes hold is one configuration; a key of the worker's environment is for the address that
/// stands beside it there.
fn credential(frame: &Frame, ui: &Ui, voice: &Voice, environment: &Environment) -> Result<Credential> {
    let said = frame.given("Octopus.Web.ServerUri").or_else(|| frame.given("Octopus.Web.BaseUrl"));
    let url = filled_in(frame, connection::URL)?.or(said).map(|url| url.split(',').next().unwrap_or(url).trim());
    let Some(url) = url.or_else(|| variable(environment, "OCTOPUS_URL")) else {
        return Err(Error::usage("the step does not know the address of the Octopus Server")
            .help(format!("fill in the parameter {}", parameter(frame, connection::URL)))
            .help("or set the server's address in Octopus: Configuration, Nodes, Server URI"));
    };
    ui.redactor().learn_address(url);
    match (filled_in(frame, connection::API_KEY)?, filled_in(frame, connection::ACCESS_TOKEN)?) {
        (Some(key), _) => return Credential::api_key(url, key),
        (None, Some(token)) => return Credential::access_token(url, token),
        (None, None) => {}
    }
    if let Some(token) = exchanged(frame, url, ui, voice, environment)? {
        return Credential::access_token(url, &token);
    }
    let ways = [connection::API_KEY, connection::ACCOUNT, connection::ACCESS_TOKEN].map(|name| parameter(frame, name)).join(", ");
    if variable(environment, "OCTOPUS_API_KEY").is_none() && variable(environment, "OCTOPUS_ACCESS_TOKEN").is_none() {
        return Err(Error::usage(format!("the step cannot log in to {}: no credential was given", api::base_address(url)?))
            .help(format!("fill in one of the parameters {ways}")));
    }
    let keyring = Keyring { ui, environment, server: None, key_file: None };
    let named = NamedServer { server: url, by: "the step", again: "" };
    keyring.for_named(&named).map_err(|error| error.help(format!("or fill in one of the parameters {ways}")))
}

/// What the variables of a deployment's tenant begin with.
const NO_TENANT: &str = "#{Octopus.Deployment.Tenant.";

/// What a box of the step holds; none when it is empty.
///
/// # Errors
/// A usage error for a binding that Octopus could not fill in, wherever in the box: the variable does not exist, and the default, or a
/// name with the binding in it, would be a guess.
fn filled_in<'f>(frame: &'f Frame, name: &str) -> Result<Option<&'f str>> {
    let Some(text) = frame.own(name) else { return Ok(None) };
    // A password may hold any characters: only a secret that is nothing but a binding is one that is missing.
    let found = octostache::unresolved(text).filter(|binding| text.trim() == *binding || !frame.is_secret(&boxed(frame, name)));
    let Some(binding) = found else { return Ok(Some(text).filter(|text| !text.trim().is_empty())) };
    // A deployment without a tenant has no such variables.
    if text.trim() == binding && binding.starts_with(NO_TENANT) {
        return Ok(None);
    }
    let which = if text.trim() == binding { "that name".to_owned() } else { format!("the name in `{binding}`") };
    Err(Error::usage(format!("{} holds `{}`, and Octopus knows no variable of {which}", parameter(frame, name), text.trim()))
        .help("correct the name, or empty the box: an empty box means the default")
        .help("a variable that may be missing: `#{if Name}#{Name}#{/if}`"))
}

/// A parameter of the template, as people see it.
fn boxed(frame: &Frame, name: &str) -> String {
    frame.get(frame::PREFIX).map_or_else(|| name.to_owned(), |prefix| format!("{prefix}.{name}"))
}

/// The same in a message.
fn parameter(frame: &Frame, name: &str) -> String {
    format!("`{}`", boxed(frame, name))
}

/// An access token for the OpenID Connect account of the step.
fn exchanged(frame: &Frame, url: &str, ui: &Ui, voice: &Voice, environment: &Environment) -> Result<Option<String>> {
    let member = |name: &str| frame.own_given(&format!("{}.{name}", connection::ACCOUNT));
    let Some(jwt) = member("OpenIdConnect.Jwt") else { return Ok(None) };
    ui.redactor().learn(jwt);
    let audience = member("Audience").ok_or_else(|| {
        Error::usage(format!("the account in {} has no audience", parameter(frame, connection::ACCOUNT)))
            .help("its audience is the id of a service account's OpenID Connect identity in Octopus")
    })?;
    let settings = api::Settings::new(Credential::anonymous(url)?, Clock::real(), Cancel::new());
    let settings = api::Settings { ca_cert: certificates(None, environment)?, ..settings };
    let token = super::connect::runtime()?.block_on(oidc::exchange(settings, audience, jwt))?;
    ui.redactor().learn(&token);
    voice.mask(&token);
    Ok(Some(token))
}

impl Origin for StepScript<'_> {
    fn script(&self, _: &Path) -> Result<Source> {
        Ok(self.source.clone())
    }

    /// The values of the script's parameters. All that is wrong with them is said at once.
    fn values(&self, declared: &[ParamDecl], _: Option<ParamsFile<'_>>, _: &Ui, _: &Environment) -> Result<Gathered> {
        let (mut values, mut problems, mut missing) = (Values::new(), Vec::new(), Vec::new());
        for param in declared {
            match self.text(param) {
                Err(error) => problems.push(error),
                // In a step a parameter is a box with a prefix: that is the name people see.
                Ok(Some(text)) => match check_value(&ParamDecl { name: self.shown(param), ..param.clone() }, text, Items::Lines) {
                    Ok(value) => values.extend(value.map(|value| (param.name.clone(), value))),
                    Err(error) => problems.push(error),
                },
                Ok(None) if param.required => missing.push(format!("`{}`", self.shown(param))),
                Ok(None) => {}
            }
        }
        if !missing.is_empty() {
            let are = if missing.len() == 1 { "parameter is" } else { "parameters are" };
            problems.insert(0, Error::usage(format!("{} required {are} not given: {}", missing.len(), missing.join(", "))));
        }
        let mut problems = problems.into_iter();
        let Some(first) = problems.next() else { return Ok((values, Vec::new())) };
        let all = problems.fold(first, |all, next| next.hints().iter().fold(all.help(next.message()), Error::help));
        Err(all.help("fill them in where the step is: Process, the step, its parameters"))
    }

    fn target(&self, options: &RunOptions, _: &Ui, environment: &Environment) -> Result<Target> {
        settings::server(options, self.credential.clone(), environment)
    }

    /// The name of a parameter's box.
    fn shown(&self, param: &ParamDecl) -> String {
        boxed(self.frame, &ParamName(&param.name).in_template())
    }

    fn sink(&self, ui: &Ui) -> Option<Arc<dyn Sink>> {
        Some(Arc::new(StepLog::new(ui.clone(), self.voice.clone())))
    }

    fn context(&self, context: ContextSettings) -> ContextSettings {
        let said = |name: &str| self.frame.given(name).map(str::to_owned);
        ContextSettings {
            runbook_run: said("Octopus.RunbookRun.Id"),
            machine: said("Octopus.Machine.Name"),
            launcher: Some(self.launcher),
            ..context
        }
    }

    fn cancel(&self) -> Cancel {
        self.cancel.clone()
    }
}

impl StepScript<'_> {
    /// What was given for a parameter. A box that was left empty gives an empty text where a text may be empty, and nothing elsewhere.
    fn text(&self, param: &ParamDecl) -> Result<Option<&str>> {
        let name = ParamName(&param.name).in_template();
        // Nobody touched the box: a default that reads like a binding is meant so.
        if let (Some(Value::String(default)), Some(text)) = (&param.default, self.frame.own(&name))
            && default == text
            && !text.trim().is_empty()
        {
            return Ok(Some(text));
        }
        let may_be_empty = param.kind == ParamKind::Text && !param.required && !param.secret;
        Ok(match filled_in(self.frame, &name)? {
            // An emptied box of a text is an empty text.
            None if may_be_empty && self.frame.own(&name).is_some_and(|text| text.trim().is_empty()) => Some(""),
            given => given,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::ui::{Loudness, testing},
        *,
    };
    use crate::{engine::params::declarations, step::charset::Charset};

    #[test]
    fn missing_parameter_with_a_space_is_named_as_octopus_shows_it() {
        let frame = Frame::parse(b"@protocol\x001\x00@prefix\x00T\x00").expect("a frame");
        let source = Source::text("x.rhai", "param(\"Notify To\");");
        let declared = declarations(&crate::run::compiled(&source).expect("a script")).expect("its parameters");
        let script = StepScript {
            source,
            cancel: Cancel::new(),
            launcher: Launcher::Replaced,
            credential: Credential::anonymous("https://octopus.example.com").expect("an address"),
            frame: &frame,
            voice: Voice::on(std::io::sink(), Charset::Utf8),
        };
        let (ui, ..) = testing::ui(Loudness::Normal);
        let error = script.values(&declared, None, &ui, &Environment::new()).expect_err("no value");
        assert_eq!(error.message(), "1 required parameter is not given: `T.NotifyTo`");
    }
}
