//! `octorhai repl`: inputs from a person, one after the other, on one server.

mod commands;
mod screen;

use super::{
    environment::Environment,
    failures::explain,
    params, settings,
    shared_args::ServerArgs,
    signals::{self, OverSession},
    store,
    subcommand::{Stage, Subcommand},
    ui::{Tone, Ui, somebody_is_there},
    worlds,
};
use crate::{
    cancel::Cancel,
    engine::params::declarations,
    error::{Error, Kind, Result},
    host::nouns::Noun,
    platform::terminal::NoEcho,
    repl::{Helper, save::Kept},
    run::{Address, Files, OnCancel, RunOptions, Settings, Source, Target, compiled, session::Session},
    tame,
};
use clap::Args;
use commands::Next;
use rustyline::{Editor, config::Config, error::ReadlineError, history::FileHistory};
use screen::Screen;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// What `octorhai repl` takes.
#[derive(Args, Debug, Default)]
#[command(after_help = "Against a server it starts dry: writes are shown, not sent, until you say `:live`. `:help` lists the commands.")]
pub struct ReplArgs {
    /// Work on a simulated server in virtual time: shop, tenants, fleet(N) or a world FILE (.toml) [default: shop]
    #[arg(long, value_name = "NAME|FILE", num_args = 0..=1, default_missing_value = "shop", conflicts_with = "server")]
    sandbox: Option<String>,

    /// Run the scripts of steps of that world, in Bash and PowerShell, as this user on this machine
    #[arg(long)]
    run_scripts: bool,

    /// Address of the Octopus Server [env: OCTOPUS_URL]; log in with OCTOPUS_API_KEY or OCTOPUS_ACCESS_TOKEN
    #[arg(long, value_name = "URL")]
    server: Option<String>,

    /// Read the API key from a file instead of OCTOPUS_API_KEY
    #[arg(long, value_name = "FILE")]
    api_key_file: Option<PathBuf>,

    /// Space, by name, slug or id [env: OCTOPUS_SPACE] [default: the server's default space]
    #[arg(long, value_name = "SPACE")]
    space: Option<String>,

    /// What `ctx.env` is
    #[arg(long, value_name = "NAME")]
    env: Option<String>,

    /// What `ctx.tenant` is
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,

    /// What `ctx.project` is
    #[arg(long, value_name = "NAME")]
    project: Option<String>,

    /// Zone of times that do not name one, e.g. Europe/Berlin [default: this machine's; UTC on a sandbox]
    #[arg(long, value_name = "ZONE")]
    tz: Option<String>,

    /// Trust the certificate authority in a PEM file too
    #[arg(long, value_name = "FILE")]
    ca_cert: Option<PathBuf>,

    /// What happens to tasks that an input started when Ctrl-C ends it
    #[arg(long, value_name = "WHAT", value_enum, default_value = "cancel")]
    on_cancel: OnCancel,

    /// Where locks and what scripts remember are kept: octopus, store, a folder or postgres://USER@HOST/DATABASE [default: octopus] [env: OCTORHAI_LOCKS]
    #[arg(long, value_name = "WHERE")]
    locks: Option<Address>,

    /// How mail leaves: smtp://HOST:PORT, smtps://..., with USER:PASSWORD@ better in the variable [env: OCTORHAI_SMTP_URL]
    #[arg(long, value_name = "URL")]
    smtp: Option<Address>,

    /// Sender of mails [env: OCTORHAI_MAIL_FROM]
    #[arg(long, value_name = "ADDRESS")]
    mail_from: Option<String>,

    /// Keep no history of inputs
    #[arg(long)]
    no_history: bool,

    /// Write without colour, as with NO_COLOR
    #[arg(long)]
    pub no_color: bool,
}

/// A session with all that is around it.
struct Repl<'a> {
    args: &'a ReplArgs,
    ui: &'a Ui,
    environment: &'a Environment,
    /// The server's name for a prompt.
    place: String,
    opening: Option<Opening>,
    open: Option<Session>,
    cancel: Cancel,
    signals: OverSession,
    screen: Arc<Screen>,
    helper: Helper,
    /// Inputs that went well, for `:save`.
    kept: Vec<Kept>,
    last: Last,
    /// Letters in a line of the terminal.
    width: usize,
}

/// A session that is being opened: a big world takes longer than a person waits for a prompt.
type Opening = std::thread::JoinHandle<Result<Session>>;

/// What the last input cost.
#[derive(Default)]
struct Last {
    input: String,
    requests: u64,
    seconds: f64,
    real_seconds: f64,
}

impl Subcommand for ReplArgs {
    fn has_colour(&self) -> bool {
        !self.no_color
    }

    fn perform(&self, stage: &Stage<'_>) -> u8 {
        stage.ui.exit_code(go(self, stage.ui, stage.environment))
    }
}

fn go(args: &ReplArgs, ui: &Ui, environment: &Environment) -> Result<u8> {
    let target = target(args, ui, environment)?;
    // A session is opened behind the prompt; this is known before.
    if let Target::Sandbox(world) = &target {
        world.may_start()?;
    }
    let (place, is_sandbox) = (place(&target), matches!(target, Target::Sandbox(_)));
    let assumed = if let Target::Sandbox(world) = &target { Some(world.names()) } else { None };
    let (settings, screen, cancel) = settings(args, ui, environment, target)?;
    // A person who has typed this much wants it again; a script that is piped in does not.
    let mut editor = editor(ui)?;
    let history = history(args, environment);
    if let Some(file) = &history {
        let _none_yet = editor.load_history(file);
    }
    let helper = commands::helper(ui);
    editor.set_helper(Some(helper.clone()));
    // A world that is still being made has its names already.
    if let Some((projects, environments)) = assumed {
        helper.names().assume(Noun::Projects, projects);
        helper.names().assume(Noun::Environments, environments);
    }
    let signals = signals::over_session(ui.clone());
    // From before the first request: Ctrl-C leaves while a server does not answer.
    let asking = (!is_sandbox).then(|| signals.input(cancel.clone()));
    let opening = open(settings, &helper)?;
    let (kept, last, width) = (Vec::new(), Last::default(), screen::WIDTH);
    let mut repl =
        Repl { args, ui, environment, place, opening: Some(opening), open: None, cancel, signals, screen, helper, kept, last, width };
    // Of a server one wants to know at once that it is not there.
    if !is_sandbox {
        repl.open()?;
        drop(asking);
    }
    if somebody_is_there() {
        repl.greet();
    }
    let code = repl.inputs(&mut editor, history.as_deref());
    Ok(code)
}

/// Where the session works.
fn target(args: &ReplArgs, ui: &Ui, environment: &Environment) -> Result<Target> {
    if let Some(world) = &args.sandbox {
        return Ok(Target::Sandbox(worlds::named(world, args.run_scripts)?));
    }
    settings::login(&options(args), ui, environment)?.ok_or_else(|| {
        Error::usage("there is no Octopus Server to work on")
            .help("on a simulated one, in virtual time:\noctorhai repl --sandbox")
            .help("on yours, dry until you say `:live`:\nOCTOPUS_API_KEY=API-... octorhai repl --server https://octopus.example.com")
    })
}

/// The options of a run that a session has too.
fn options(args: &ReplArgs) -> RunOptions {
    RunOptions {
        server: args.server.clone(),
        api_key_file: args.api_key_file.clone(),
        space: args.space.clone(),
        env: args.env.clone(),
        tenant: args.tenant.clone(),
        project: args.project.clone(),
        tz: args.tz.clone(),
        ca_cert: args.ca_cert.clone(),
        on_cancel: args.on_cancel,
        smtp: args.smtp.clone(),
        mail_from: args.mail_from.clone(),
        locks: args.locks.clone(),
        ..RunOptions::default()
    }
}

/// A dry session for whoever wants to know names only.
pub(super) fn session_for_names(sandbox: Option<&str>, at: &ServerArgs, ui: &Ui, environment: &Environment) -> Result<Session> {
    let args = ReplArgs {
        sandbox: sandbox.map(str::to_owned),
        server: at.server.clone(),
        api_key_file: at.api_key_file.clone(),
        space: at.space.clone(),
        ca_cert: at.ca_cert.clone(),
        ..ReplArgs::default()
    };
    let target = match target(&args, ui, environment)? {
        // Nothing is deployed to learn a name.
        Target::Sandbox(world) => Target::Sandbox(world.without_scripts()),
        server @ Target::Server { .. } => server,
    };
    let (settings, ..) = settings(&args, ui, environment, target)?;
    Session::begin(settings)
}

/// The server's name for a prompt.
fn place(target: &Target) -> String {
    match target {
        Target::Sandbox(world) => format!("sandbox {}", world.name()),
        Target::Server { credential, .. } => {
            let url = credential.address();
            url.split("://").nth(1).unwrap_or(&url).to_owned()
        }
    }
}

/// Opens a session on a thread of its own; completion asks its server from then on.
fn open(settings: Settings, helper: &Helper) -> Result<Opening> {
    let names = helper.names().clone();
    let work = move || Session::begin(settings).inspect(|session| names.move_to(session.host()));
    let thread = std::thread::Builder::new().name("opening".to_owned()).spawn(work);
    thread.map_err(|why| Error::bug(format!("cannot start a thread: {why}")))
}

fn settings(args: &ReplArgs, ui: &Ui, environment: &Environment, target: Target) -> Result<(Settings, Arc<Screen>, Cancel)> {
    let options = settings::with_environment(&options(args), ui, environment)?;
    let zone = settings::zone(&options, &target)?;
    let screen = Arc::new(Screen::new(ui.clone(), zone.clone()));
    let settings = Settings {
        script: Source { name: "session".to_owned(), text: String::new(), files: Files::Folder(PathBuf::from(".")) },
        sinks: vec![screen.clone()],
        ..settings::settings(&options, None, target, zone, ui, environment)?
    };
    let cancel = settings.cancel.clone();
    Ok((settings, screen, cancel))
}

fn editor(ui: &Ui) -> Result<Editor<Helper, FileHistory>> {
    let config = Config::builder()
        .completion_type(rustyline::CompletionType::List)
        .completion_show_all_if_ambiguous(true)
        .history_ignore_space(true)
        .auto_add_history(false)
        .color_mode(if ui.has_colour() { rustyline::ColorMode::Enabled } else { rustyline::ColorMode::Disabled })
        .build();
    Editor::with_config(config).map_err(|why| Error::usage(format!("the terminal cannot be used: {why}")))
}

/// Where inputs are remembered.
fn history(args: &ReplArgs, environment: &Environment) -> Option<PathBuf> {
    let file = store::state_folder(environment)?.join("repl-history");
    (!args.no_history && somebody_is_there() && std::fs::create_dir_all(file.parent()?).is_ok()).then_some(file)
}

impl Repl<'_> {
    /// Waits until the session is open.
    fn open(&mut self) -> Result<()> {
        if let Some(opening) = self.opening.take() {
            let _running = self.signals.input(self.cancel.clone());
            let opened = opening.join().map_err(|_| Error::bug("the session crashed while it was opened"))?;
            self.open = Some(opened?);
        }
        Ok(())
    }

    fn session(&self) -> &Session {
        self.open.as_ref().expect("it is opened before the first input is looked at")
    }

    fn session_mut(&mut self) -> &mut Session {
        self.open.as_mut().expect("it is opened before the first input is looked at")
    }

    fn greet(&self) {
        let ui = self.ui;
        let mode = if self.open.is_none() {
            "simulated: nothing here is real, and waiting takes no time"
        } else {
            "dry: writes are shown, not sent, until you say `:live`"
        };
        ui.say(&format!("octorhai {} on {}, {mode}", env!("CARGO_PKG_VERSION"), self.place));
        ui.say(&ui.paint(Tone::Dim, "Tab completes, `:help` lists functions and commands, Ctrl-C ends what runs, Ctrl-D leaves"));
    }

    /// Plain, and in colour: green where nothing can break.
    fn prompt(&self) -> (String, String) {
        let place = tame::line(&self.place);
        // A sandbox that is not open yet has the space that was asked for, or the one it always has.
        let space = self.open.as_ref().map_or(self.args.space.as_deref().unwrap_or("Default"), Session::space);
        let space = tame::line(space);
        let (mode, code) = match &self.open {
            Some(session) if !session.is_sandbox() && session.is_dry() => (" dry", "32"),
            Some(session) if !session.is_sandbox() => (" LIVE", "1;31"),
            _ => ("", "32"),
        };
        let plain = format!("{place} {space}{mode}> ");
        let styled = format!("\x1b[36m{place}\x1b[0m {space}\x1b[{code}m{mode}>\x1b[0m ");
        if self.ui.has_colour() { (plain, styled) } else { (plain.clone(), plain) }
    }

    /// Reads and evaluates until the person leaves; returns the exit code.
    fn inputs(&mut self, editor: &mut Editor<Helper, FileHistory>, history: Option<&Path>) -> u8 {
        let somebody = somebody_is_there();
        let (mut code, mut begun) = (0, String::new());
        loop {
            self.refresh();
            self.width = editor.dimensions().map_or(screen::WIDTH, |(columns, _)| usize::from(columns));
            let read = {
                // What happens meanwhile appears above the line that is typed.
                let printer = if somebody { editor.create_external_printer().ok() } else { None };
                let _above = printer.map(|printer| self.ui.above_prompt(Box::new(screen::Above(printer))));
                let _watch = self.open.as_ref().and_then(Session::watch);
                editor.readline_with_initial(&self.prompt(), (&std::mem::take(&mut begun), ""))
            };
            let input = match read {
                Ok(input) => input,
                Err(ReadlineError::Interrupted) => continue,
                Err(ReadlineError::Eof) => return code,
                Err(why) => {
                    self.ui.error(&Error::usage(format!("the input cannot be read: {why}")));
                    return Kind::Usage.exit_code();
                }
            };
            if input.trim().is_empty() {
                continue;
            }
            // An editor is no line among others.
            let _quiet = (!input.trim_start().starts_with(":edit")).then(NoEcho::new);
            self.remember(editor, history, &input);
            if let Err(error) = self.open() {
                return self.ui.exit_code(Err(error));
            }
            let next = match input.trim().trim_end_matches(';') {
                "exit" | "exit()" | "quit" => Next::Leave,
                command if command.starts_with(':') => self.command(input.trim()),
                _ => self.evaluate(&input),
            };
            match next {
                // Nobody looks at each answer of a script that is piped in: its end has to say it.
                Next::Failed(kind) if !somebody => code = kind.exit_code(),
                Next::Fine | Next::Failed(_) => {}
                Next::Edit(text) => begun = text,
                Next::Leave => return code,
            }
            if signals::came() {
                return Kind::Cancelled.exit_code();
            }
        }
    }

    /// Keeps an input in the history, without secrets. One that begins with a blank is not kept.
    fn remember(&self, editor: &mut Editor<Helper, FileHistory>, history: Option<&Path>, input: &str) {
        let clean = screen::without_keys(&self.ui.redactor().clean(input));
        if editor.add_history_entry(clean).unwrap_or(false)
            && let Some(file) = history
        {
            // A history that cannot be kept keeps nobody from working.
            let _full_disk = editor.append_history(file);
        }
    }

    /// Parameters that an input declares get their values from the environment; those of secrets are shown from then on by nobody.
    ///
    /// # Errors
    /// A usage error for a value that does not fit: its default in its place would be a guess.
    fn parameters(&self, input: &str) -> Result<()> {
        let source = Source::text("session", input);
        // One that does not compile by itself, for it uses what was declared before, gets none: the value of a parameter is asked for once.
        let Ok(declared) = compiled(&source).and_then(|program| declarations(&program)) else { return Ok(()) };
        let (values, _) = params::gather(&declared, &[], None, self.environment, self.ui.redactor())?;
        for secret in declared.iter().filter(|param| param.secret).filter_map(|param| values.get(&param.name)?.as_str()) {
            self.ui.redactor().learn(secret);
        }
        self.session().give(values);
        Ok(())
    }

    /// Evaluates an input and shows what came of it.
    fn evaluate(&mut self, input: &str) -> Next {
        if (input.contains("param") || input.contains("secret"))
            && let Err(error) = self.parameters(input)
        {
            self.ui.error(&error);
            return Next::Failed(error.kind());
        }
        let reply = {
            let screen = self.screen.clone();
            let _busy = screen.busy();
            let _running = self.signals.input(self.cancel.clone());
            self.session_mut().enter(input)
        };
        self.last =
            Last { input: input.trim().to_owned(), requests: reply.requests, seconds: reply.seconds, real_seconds: reply.real_seconds };
        match reply.result {
            Ok(value) => {
                let has_value = !value.is_unit();
                if has_value {
                    let (ui, width) = (self.ui, self.width);
                    self.session_mut().set("it", value.clone());
                    screen::show(ui, self.session_mut(), &value, width, false);
                }
                self.kept.push(Kept { text: input.trim().to_owned(), has_value });
                Next::Fine
            }
            Err(failure) => {
                let kind = failure.error.kind();
                if let Some(content) = failure.error.fact("dry") {
                    // It is meant: a script made of the session sends it.
                    self.kept.push(Kept { text: input.trim().to_owned(), has_value: false });
                    screen::not_sent(self.ui, failure.error.message(), content);
                    return Next::Fine;
                }
                if kind == Kind::Cancelled {
                    self.ui.say(&self.ui.paint(Tone::Warn, "cancelled; the session goes on"));
                } else {
                    explain(self.ui, &failure);
                }
                Next::Failed(kind)
            }
        }
    }
}
