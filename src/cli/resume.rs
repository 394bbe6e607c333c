//! `octorhai runs resume`: goes on with runs from what their records say.

use super::{
    environment::{CA_CERT, Environment, variable},
    keyring::{Keyring, NamedServer},
    missing_parameters,
    origin::{Gathered, Origin, ParamsFile, Values},
    params, run,
    run_args::RunArgs,
    run_words::{moment, state, unknown},
    settings,
    shared_args::Output,
    signals,
    ui::{Ui, somebody_is_there},
};
use crate::{
    clock::Clock,
    engine::{
        param_names::{self, ParamName},
        params::ParamDecl,
    },
    error::{Error, Kind, Result},
    journal::{self, Journal, Run, RunState},
    platform::zones,
    run::{Address, RunOptions, Target},
};
use clap::Args;
use parking_lot::Mutex;
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

/// So many runs go on at the same time.
const SIDE_BY_SIDE: usize = 8;

/// The stack of a thread that compiles scripts, as the first thread of a process has it.
const STACK: usize = 8 << 20;

/// What `octorhai runs resume` takes.
#[derive(Args, Debug)]
#[command(
    group(clap::ArgGroup::new("which").required(true).args(["name", "due"])),
    after_help = format!(
        "Script, parameters, server and options are those of the run's record. A run that was cancelled is not continued. Secrets are not in it: the API key comes from \
         OCTOPUS_API_KEY or the file that was named, secret parameters from {variable} or the --params file. A key is for one server, the one that OCTOPUS_URL or --server \
         names: it is not sent to another one that a record names. Keys of several servers: OCTOPUS_URL_NAME with OCTOPUS_API_KEY_NAME.\n\n\
         --due goes on with runs whose time has come, whose process is gone, and whose server could not be reached. It leaves \
         those that stopped for a person to look at (in doubt, diverged, refused key). Its exit code is 0, or the highest one of \
         the runs that did not go well; a run that is put down again, or that another process works on, went well. When several are \
         due, each line names its run.",
        variable = param_names::ANY_VARIABLE
    )
)]
pub struct ResumeArgs {
    /// The run
    pub name: Option<String>,

    /// Go on with all that are due, eight at a time, each result one line; none is waited for longer than a minute
    #[arg(long)]
    pub due: bool,

    /// Where the script is now, with the same text
    #[arg(long, value_name = "FILE", conflicts_with = "due")]
    pub script: Option<PathBuf>,

    /// Read secret parameters from a TOML or JSON file
    #[arg(long, value_name = "FILE")]
    pub params: Option<PathBuf>,

    /// Address of the Octopus Server that the key is for [env: OCTOPUS_URL]; runs of other servers are not continued with it
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,

    /// Read the API key from a file instead of OCTOPUS_API_KEY
    #[arg(long, value_name = "FILE")]
    pub api_key_file: Option<PathBuf>,

    /// Go on as another user of the server than the one that began the run: with other permissions, and under another name
    #[arg(long, conflicts_with = "due")]
    pub another_user: bool,

    /// Trust the certificates in a PEM file too: of an authority, or of the server itself [env: OCTORHAI_CA_CERT]
    #[arg(long, value_name = "FILE")]
    pub ca_cert: Option<PathBuf>,

    /// End instead of waiting longer than a minute, also when the run was begun without that
    #[arg(long)]
    pub suspend: bool,

    /// Go on with a script in which the check finds mistakes, also when the run was begun without that
    #[arg(long)]
    pub no_check: bool,

    /// What stdout carries: what the script prints, or one event a line as JSON
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    pub output: Output,

    /// Tell more; with --due: what a single run tells
    #[arg(short, long, conflicts_with = "quiet")]
    pub verbose: bool,

    /// Tell warnings and errors only
    #[arg(short, long)]
    pub quiet: bool,
}

/// What a run that is continued by its name takes from its record.
struct Recorded<'a> {
    run: &'a Run,
    /// The options `--server` and `--api-key-file` of this start, with which a key is configured now.
    given: (Option<&'a str>, Option<&'a Path>),
    /// The file that it read its key from, where the record may be believed.
    key_file: Option<PathBuf>,
    may_ask: bool,
}

impl Origin for Recorded<'_> {
    /// The server of the record, with a key that is configured for it now, or with the one it began with.
    fn target(&self, options: &RunOptions, ui: &Ui, environment: &Environment) -> Result<Target> {
        let (server, key_file) = self.given;
        let keyring = Keyring { ui, environment, server, key_file };
        let recorded = self.run.new.server().unwrap_or_default();
        let credential = if let (None, Some(file)) = (key_file, &self.key_file) {
            keyring.of_file(file, recorded)?
        } else {
            let name = &self.run.new.name;
            let (by, again) = (format!("the record of run `{name}`"), format!("octorhai runs resume {name}"));
            keyring.for_named(&NamedServer { server: recorded, by: &by, again: &again })?
        };
        settings::server(options, credential, environment)
    }

    /// The parameters as they were given when it began; secrets, which no record holds, as they are given again.
    fn values(&self, declared: &[ParamDecl], file: Option<ParamsFile<'_>>, ui: &Ui, environment: &Environment) -> Result<Gathered> {
        let recorded = self.run.new.params.as_object().into_iter().flatten();
        let mut values: Values = recorded.map(|(name, value)| (name.clone(), value.clone())).collect();
        let secrets: Vec<&ParamDecl> =
            declared.iter().filter(|param| values.get(&param.name).is_some_and(|value| value.get("secret").is_some())).collect();
        if secrets.is_empty() {
            return Ok((values, Vec::new()));
        }
        let (given, _) = params::gather(declared, &[], file, environment, ui.redactor())?;
        let (known, lost): (Vec<_>, Vec<_>) = secrets.into_iter().partition(|param| given.contains_key(&param.name));
        values.extend(known.into_iter().filter_map(|param| Some((param.name.clone(), given.get(&param.name)?.clone()))));
        if lost.is_empty() {
            return Ok((values, Vec::new()));
        }
        if self.may_ask && somebody_is_there() {
            missing_parameters::ask(ui, &lost, &mut values)?;
            return Ok((values, Vec::new()));
        }
        let names = lost.iter().map(|param| format!("`{}`", param.name)).collect::<Vec<_>>().join(", ");
        let variables = lost.iter().map(|param| ParamName(&param.name).variable()).collect::<Vec<_>>().join(", ");
        Err(Error::usage(format!("run `{}` was begun with secrets that its journal does not hold: {names}", self.run.new.name))
            .help(format!("give them again as {variables}, or in a file: --params FILE"))
            .help("nothing was sent"))
    }
}

/// Does what `octorhai runs resume` says and returns the exit code.
pub fn run(args: &ResumeArgs, store: Option<&str>, ui: &Ui, journal: &Journal, environment: &Environment) -> Result<u8> {
    let work = Work { args, store, ui, journal, environment };
    match &args.name {
        Some(name) => work.named(name),
        None => work.due(),
    }
}

struct Work<'a> {
    args: &'a ResumeArgs,
    store: Option<&'a str>,
    ui: &'a Ui,
    journal: &'a Journal,
    environment: &'a Environment,
}

impl Work<'_> {
    fn named(&self, name: &str) -> Result<u8> {
        let run = self.journal.run(name)?.ok_or_else(|| unknown(name, self.journal))?;
        let since = format!("{:.0}", run.updated);
        let anew = format!("begin it anew: octorhai run --run-id {name} --anew {}", run.new.script);
        match &run.state {
            RunState::Succeeded { .. } => {
                self.ui.say(&format!("run `{name}` has succeeded, {since}: there is nothing to go on with"));
                Ok(0)
            }
            RunState::Failed { exit_code, reason } => {
                Err(Error::new(Kind::of_exit_code(*exit_code), format!("run `{name}` has failed, {since}: {reason}")).help(anew))
            }
            RunState::Cancelled { reason } => {
                Err(Error::new(Kind::Cancelled, format!("run `{name}` was cancelled, {since}, and is not continued: {reason}")).help(anew))
            }
            RunState::Running if run.alive => Err(Error::new(Kind::LockBusy, run.worked_on())
                .help(format!("see it: octorhai runs show {name}\nend it: octorhai runs cancel {name}"))),
            RunState::Running | RunState::Stopped { .. } | RunState::Suspended { .. } => self.go_on(&run, self.ui),
        }
    }

    /// Goes on with all that need nobody's decision, side by side: one that waits does not hold up the others.
    fn due(&self) -> Result<u8> {
        let mut runs = self.journal.due(Clock::real().now())?;
        let open = self.journal.runs(true, usize::MAX)?;
        // The oldest first.
        runs.extend(open.iter().rev().filter(|run| was_left(run)).cloned());
        if runs.is_empty() {
            if !self.args.quiet {
                self.ui.talk(&nothing(&open, self.journal));
            }
            return Ok(0);
        }
        let (next, worst) = (AtomicUsize::new(0), Mutex::new(Ok(0)));
        let work = || {
            while !signals::came()
                && let Some(run) = runs.get(next.fetch_add(1, Ordering::SeqCst))
            {
                let ui = if runs.len() > 1 { self.ui.of_run(&run.new.name) } else { self.ui.clone() };
                let code = self.one_of_due(run, &ui);
                let mut worst = worst.lock();
                *worst = match (std::mem::replace(&mut *worst, Ok(0)), code) {
                    (Ok(before), Ok(code)) => Ok(before.max(code)),
                    (Err(error), _) | (_, Err(error)) => Err(error),
                };
            }
        };
        std::thread::scope(|scope| {
            // The first works here: it has a stack for scripts already.
            for _ in 1..SIDE_BY_SIDE.min(runs.len()) {
                let _a_thread_less = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
            }
            work();
        });
        let left = runs.len().saturating_sub(next.into_inner());
        if left > 0 {
            self.ui.talk(&format!("{left} more are due: `octorhai runs resume --due` goes on with them"));
        }
        worst.into_inner()
    }

    /// Goes on with one that is due, and says what came of it. Returns the exit code when it did not go well.
    fn one_of_due(&self, run: &Run, ui: &Ui) -> Result<u8> {
        let name = &run.new.name;
        let code = ui.exit_code(self.go_on(run, ui));
        let now = self.journal.run(name)?;
        let (well, words) = result(code, now.as_ref());
        if self.args.output == Output::Json {
            let state = now.as_ref().map(state);
            self.ui.json(json!({"event": "run_resumed", "run": name, "exit_code": code, "state": state, "result": words}));
        } else {
            self.ui.data(&format!("{name}: {words}"));
        }
        Ok(if well { 0 } else { code })
    }

    fn go_on(&self, run: &Run, ui: &Ui) -> Result<u8> {
        let name = &run.new.name;
        let begun = RunOptions::of_record(&run.new.target, &run.new.options)
            .map_err(|error| Error::usage(format!("run `{name}` cannot be continued: {}", error.message())).help("nothing was sent"))?;
        let recorded = Recorded {
            run,
            given: (self.args.server.as_deref(), self.args.api_key_file.as_deref()),
            key_file: self.file(begun.api_key_file.as_deref()),
            may_ask: !self.args.due && self.args.output == Output::Text,
        };
        let args = RunArgs {
            script: self.script(run, begun.folder.as_deref())?,
            options: self.options(name, begun)?,
            run_id: Some(name.clone()),
            any_user: self.args.another_user,
            store: self.store.map(str::to_owned),
            output: self.args.output,
            verbose: self.args.verbose,
            quiet: self.args.quiet,
            ..RunArgs::default()
        };
        // In which space the run works says its record.
        let mut environment = self.environment.clone();
        environment.remove("OCTOPUS_SPACE");
        Ok(run::go(&args, &recorded, ui, &environment).exit_code)
    }

    /// A file that the record names. Only where nobody else writes records: another could name any file of this machine.
    fn file(&self, named: Option<&Path>) -> Option<PathBuf> {
        // It may be gone by now, and what it held come from elsewhere.
        named.filter(|path| self.journal.is_own() && path.is_file()).map(Path::to_path_buf)
    }

    /// The file with certificates to trust. One that the run was begun with must not be left out.
    fn ca_cert(&self, name: &str, recorded: Option<PathBuf>) -> Result<Option<PathBuf>> {
        let again = self.args.ca_cert.clone().or_else(|| variable(self.environment, CA_CERT).map(PathBuf::from));
        match recorded {
            Some(recorded) if again.is_none() && !self.journal.is_own() => {
                let recorded = recorded.display();
                let why = format!("run `{name}` was begun with --ca-cert {recorded}, and files that a shared journal names are not read");
                Err(Error::usage(why)
                    .help(format!("give it again: octorhai runs resume {name} --ca-cert FILE, or {CA_CERT}"))
                    .help("nothing was sent"))
            }
            recorded => Ok(again.or(recorded)),
        }
    }

    /// The options that the run was begun with, and what this start says otherwise.
    fn options(&self, name: &str, begun: RunOptions) -> Result<RunOptions> {
        let (given, variable) = (self.args, |name: &str| variable(self.environment, name));
        let is_lost =
            |address: &Option<Address>, again: &str| matches!(address, Some(Address::Withheld { .. })) && variable(again).is_none();
        if is_lost(&begun.smtp, "OCTORHAI_SMTP_URL") {
            return Err(Error::usage(format!("run `{name}` was begun with a mail server whose password its journal does not hold"))
                .help("give its address again as OCTORHAI_SMTP_URL")
                .help("nothing was sent"));
        }
        if is_lost(&begun.locks, "OCTORHAI_LOCKS") {
            return Err(Error::usage(format!("run `{name}` was begun with its locks in a store whose password its journal does not hold"))
                .help("give its address again as OCTORHAI_LOCKS, or without the password and that in PGPASSWORD")
                .help("nothing was sent"));
        }
        let locks = begun.locks.as_ref().and_then(Address::as_str);
        if let Some(named) = locks.filter(|named| journal::is_postgres(named) && !self.journal.is_own()) {
            let configured = [Some(self.journal.place()), variable("OCTORHAI_LOCKS").map(str::to_owned)];
            let is_known = configured.iter().flatten().any(|known| database(known).is_some_and(|known| Some(known) == database(named)));
            if !is_known && variable("PGPASSWORD").is_some() {
                return Err(Error::usage(format!(
                    "PGPASSWORD is for `{}`; the record of run `{name}` names the locks of `{named}`, and the password is not sent there",
                    self.journal.place()
                ))
                .help(format!("if it is the password of that database, too, say so: OCTORHAI_LOCKS={named}"))
                .help("nothing was sent"));
            }
        }
        Ok(RunOptions {
            suspend: given.due || given.suspend || begun.suspend,
            no_check: given.no_check || begun.no_check,
            params: given.params.clone().or_else(|| self.file(begun.params.as_deref())),
            ca_cert: self.ca_cert(name, begun.ca_cert.clone())?,
            ..begun
        })
    }

    /// Where the run's script is now.
    fn script(&self, run: &Run, folder: Option<&Path>) -> Result<PathBuf> {
        if let Some(named) = &self.args.script {
            return Ok(named.clone());
        }
        let (name, written) = (&run.new.name, PathBuf::from(&run.new.script));
        // What differs in a script is told, and written down: no other file may be taken for one by the word of a record.
        if !self.journal.is_own() && written.extension().is_none_or(|end| end != "rhai") {
            return Err(Error::usage(format!(
                "the record of run `{name}` names `{}`, and a shared journal makes no file read but scripts, whose names end in .rhai",
                written.display()
            ))
            .help(format!("if it is the script, say so: octorhai runs resume {name} --script FILE"))
            .help("nothing was sent"));
        }
        let there = match folder {
            // Called as it was, where we stand where it was begun.
            Some(folder) if std::env::current_dir().is_ok_and(|here| here == folder) => written.clone(),
            Some(folder) => folder.join(&written),
            None => written.clone(),
        };
        // The texts are compared, so another place cannot be another script.
        if let Some(found) = [&there, &written].into_iter().find(|path| path.is_file()) {
            return Ok(found.clone());
        }
        Err(Error::usage(format!("run `{name}` cannot be continued: its script is not at `{}` any more", there.display()))
            .help(format!("put it back, or say where it is now: octorhai runs resume {name} --script FILE"))
            .help("nothing was sent"))
    }
}

/// Host and port of a database's address.
fn database(address: &str) -> Option<(String, u16)> {
    let url = url::Url::parse(address).ok().filter(|_| journal::is_postgres(address))?;
    Some((url.host_str()?.to_lowercase(), url.port().unwrap_or(5432)))
}

/// Whether a run ended by what happened to it and can go on without anybody looking at it.
fn was_left(run: &Run) -> bool {
    match &run.state {
        RunState::Running => !run.alive,
        RunState::Stopped { exit_code, .. } => *exit_code == Kind::Unreachable.exit_code(),
        _ => false,
    }
}

/// That nothing is due, and what is next.
fn nothing(open: &[Run], journal: &Journal) -> String {
    let next = open.iter().filter_map(|run| match &run.state {
        RunState::Suspended { due, .. } => Some((*due, &run.new.name)),
        _ => None,
    });
    let next = next.min().map_or_else(String::new, |(due, name)| format!("; next is `{name}`, {}", moment(due, &zones::of_machine())));
    format!("nothing is due in {}{next}", journal.place())
}

/// Whether going on went well, and what came of it in words.
fn result(code: u8, now: Option<&Run>) -> (bool, String) {
    match (code, now.map(|run| (&run.state, run.alive))) {
        (0, _) => (true, "succeeded".to_owned()),
        (_, Some((RunState::Suspended { due, reason }, _))) if code == Kind::Suspended.exit_code() => {
            (true, format!("put down until {}: {reason}", moment(*due, &zones::of_machine())))
        }
        (_, Some((RunState::Running, true))) => (true, "another process works on it".to_owned()),
        (_, Some((RunState::Stopped { exit_code, reason } | RunState::Failed { exit_code, reason }, _))) if *exit_code == code => {
            let word = if now.is_some_and(|run| run.state.is_unfinished()) { "stopped" } else { "failed" };
            (false, format!("{word} (exit code {code}): {}", reason.lines().next().unwrap_or_default()))
        }
        (_, Some((RunState::Cancelled { reason }, _))) => (false, format!("cancelled (exit code {code}): {reason}")),
        _ => (false, format!("not continued (exit code {code}), see the error above")),
    }
}
