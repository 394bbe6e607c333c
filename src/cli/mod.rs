//! The command line: arguments in, exit code out; decides nothing about Octopus.
//!
//! A file a subcommand (see `subcommand`), and a row in `Command`. Everything that is shown goes through `ui`, which is the only
//! place that writes to stdout and stderr.

mod args;
mod check;
mod columns;
mod connect;
mod docs;
mod doctor;
mod environment;
mod failures;
mod help;
#[cfg(test)]
mod hostile;
pub mod journal;
mod json;
mod keyring;
mod lines;
mod locks;
mod log;
mod missing_parameters;
mod narrow;
mod origin;
mod params;
mod progress;
mod reap;
mod recorded_steps;
mod repl;
mod resume;
mod run;
mod run_args;
mod run_words;
mod runs;
mod sandbox;
mod script_file;
mod settings;
mod shared_args;
mod shipped;
mod signals;
mod step;
mod step_log;
mod step_run;
mod store;
mod subcommand;
mod template;
mod timeline;
mod ui;
mod worlds;

use crate::{
    error::{Error, Kind, nearest},
    platform,
    secrets::Redactor,
    step::voice::Voice,
    tame,
};
use args::Refusal;
use clap::{CommandFactory, Parser, error::ContextKind};
use parking_lot::Mutex;
use std::{panic::AssertUnwindSafe, process::ExitCode, sync::Arc};
use subcommand::{Stage, Subcommand};
use ui::{Loudness, Ui};

/// Short Rhai scripts that coordinate Octopus Deploy projects
#[derive(Debug, Parser)]
#[command(
    name = "octorhai",
    version,
    max_term_width = 110,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
struct Cli {
    /// What to do.
    #[command(subcommand)]
    command: Command,
}

/// The subcommands.
#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Run a script; `octorhai run SCRIPT --help` lists the script's parameters
    Run(Box<run_args::RunArgs>),
    /// Try functions out, one input after the other; dry on a real server until `:live`
    Repl(Box<repl::ReplArgs>),
    /// Find mistakes in scripts without running them
    Check(check::CheckArgs),
    /// Measure what locks and repeated runs may rely on, on the server at hand
    Doctor(doctor::DoctorArgs),
    /// Start a simulated Octopus Server that any client can talk to, until Ctrl-C
    Sandbox(sandbox::SandboxArgs),
    /// Look at runs and what they did, and go on with them: list, show, resume, cancel, prune, reap
    Runs(runs::RunsArgs),
    /// Look at locks: list, show, break
    Locks(locks::LocksArgs),
    /// Make step templates of scripts: export, lint, push, pack
    Template(template::TemplateArgs),
    /// Run a script inside of a step of Octopus, as the launcher of a step template does
    Step(step_run::StepArgs),
    /// Explain a function, a group of functions or a subcommand
    Help(help::HelpArgs),
    /// Print the reference, definitions for editors, manual pages, completions for shells
    Docs(docs::DocsArgs),
}

impl Cli {
    /// Does what was asked for, and returns the exit code. A step of Octopus speaks with `voice`.
    fn perform(&self, ui: &Ui, voice: Option<&Voice>, environment: &environment::Environment) -> u8 {
        self.command.subcommand().perform(&Stage { ui, environment, voice, cli: Cli::command })
    }
}

impl Command {
    /// What does it.
    fn subcommand(&self) -> &dyn Subcommand {
        match self {
            Self::Run(args) => &**args,
            Self::Repl(args) => &**args,
            Self::Check(args) => args,
            Self::Doctor(args) => args,
            Self::Sandbox(args) => args,
            Self::Runs(args) => args,
            Self::Locks(args) => args,
            Self::Template(args) => args,
            Self::Step(args) => args,
            Self::Help(args) => args,
            Self::Docs(args) => args,
        }
    }
}

/// Parses the arguments, runs the subcommand, and returns its exit code.
pub fn main() -> ExitCode {
    let environment: environment::Environment = platform::environment::variables();
    let arguments: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let colour = environment.get("NO_COLOR").is_none_or(String::is_empty);
    let cli = match args::parse::<Cli>(arguments) {
        Ok(cli) => cli,
        Err(refusal) => {
            let ui = Ui::console(colour, Loudness::Normal, Redactor::new());
            learn_secrets(&environment, ui.redactor());
            return refuse(refusal, &ui);
        }
    };
    let subcommand = cli.command.subcommand();
    let (ui, voice) = if subcommand.is_step() {
        let (ui, voice) = Ui::step(Redactor::new());
        (ui, Some(voice))
    } else {
        (Ui::console(colour && subcommand.has_colour(), subcommand.loudness(), Redactor::new()), None)
    };
    learn_secrets(&environment, ui.redactor());
    if let Some(wanted) = environment.get("RUST_LOG").filter(|wanted| !wanted.is_empty()) {
        log::start(wanted, &ui);
    }
    ExitCode::from(guarded(&ui, || cli.perform(&ui, voice.as_ref(), &environment)))
}

/// Makes the secrets of the environment and of the command line known before the first line is written.
fn learn_secrets(environment: &environment::Environment, redactor: &Redactor) {
    environment::learn_secrets(environment, redactor);
    let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    words.filter(|word| word.contains("://")).for_each(|word| redactor.learn_address(&word));
}

/// The exit code of `work`; a crash of ours, on whatever thread, is told as one and never ends with 0.
fn guarded(ui: &Ui, work: impl FnOnce() -> u8) -> u8 {
    let panics = panics();
    let done = std::panic::catch_unwind(AssertUnwindSafe(work));
    drop(std::panic::take_hook());
    let panics = std::mem::take(&mut *panics.lock());
    for panic in &panics {
        ui.error(&Error::bug(format!("this is our bug: {panic}")).help("please report it, with the script and this message"));
    }
    match done {
        Ok(0) if !panics.is_empty() => Kind::Bug.exit_code(),
        Ok(code) => code,
        Err(_) => Kind::Bug.exit_code(),
    }
}

/// Shows why the arguments lead nowhere, or the help that was asked for.
fn refuse(refusal: Refusal, ui: &Ui) -> ExitCode {
    match refusal {
        Refusal::Clap(error) => {
            let text = error.render();
            let text = if ui.has_colour() { tame::adopted(&text.ansi().to_string()) } else { text.to_string() };
            if error.use_stderr() {
                ui.talk(text.trim_end());
                let typed = error.get(ContextKind::InvalidSubcommand).map(ToString::to_string);
                let (typed, cli) = (typed.unwrap_or_default(), Cli::command());
                if let Some(near) = nearest(&typed, cli.get_subcommands().map(clap::Command::get_name)) {
                    ui.talk(&format!("  help: did you mean `octorhai {near}`?"));
                }
                ExitCode::from(Kind::Usage.exit_code())
            } else {
                ui.data(text.trim_end());
                ExitCode::SUCCESS
            }
        }
        Refusal::Error(error) => {
            ui.error(&error);
            ExitCode::from(error.kind().exit_code())
        }
    }
}

/// Panics, which are kept until the terminal is ours again, told once, without secrets: takes the place of the message that Rust prints by
/// itself.
fn panics() -> Arc<Mutex<Vec<String>>> {
    let panics: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = panics.clone();
    std::panic::set_hook(Box::new(move |info| {
        let payload = info.payload();
        let what = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let what = what.unwrap_or("no message");
        let place = info.location().map_or_else(String::new, |place| format!(" ({}:{})", place.file(), place.line()));
        kept.lock().push(format!("{what}{place}"));
    }));
    panics
}

#[cfg(test)]
mod tests {
    use super::{ui::testing, *};

    #[test]
    fn a_crash_is_our_bug_and_tells_no_secret() {
        let (ui, data, talk) = testing::ui(Loudness::Normal);
        // Other tests of this process may fail meanwhile; theirs are told as well.
        assert_eq!(guarded(&ui, || panic!("no such thing as API-SECRET")), 70);
        let told = talk.text();
        assert!(told.contains("error: this is our bug: no such thing as *** (src/cli/mod.rs:"), "{told}");
        assert!(told.contains("  help: please report it") && !told.contains("SECRET") && data.text().is_empty(), "{told}");
        let in_a_thread = || u8::from(std::thread::spawn(|| panic!("elsewhere")).join().is_ok());
        assert_eq!(guarded(&ui, in_a_thread), 70);
        assert!(talk.text().contains("this is our bug: elsewhere"));
        assert_eq!(guarded(&ui, || 5), 5);
    }
}
