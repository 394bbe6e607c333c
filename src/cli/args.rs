//! The arguments: what clap knows, and what it cannot know (parameters of a script, `--sandbox` with an optional value).

use super::{check::CheckArgs, docs::DocsArgs, locks::LocksArgs, repl::ReplArgs, resume::ResumeArgs, template::TemplateArgs};
use crate::{
    engine::param_names::ANY_VARIABLE,
    error::{Error, Result, nearest},
};
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

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
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a script; `octorhai run SCRIPT --help` lists the script's parameters
    Run(Box<RunArgs>),
    /// Try functions out, one input after the other; dry on a real server until `:live`
    Repl(Box<ReplArgs>),
    /// Find mistakes in scripts without running them
    Check(CheckArgs),
    /// Measure what locks and repeated runs may rely on, on the server at hand
    Doctor(DoctorArgs),
    /// Start a simulated Octopus Server that any client can talk to, until Ctrl-C
    Sandbox(SandboxArgs),
    /// Look at runs and what they did, and go on with them: list, show, resume, cancel, prune, reap
    Runs(RunsArgs),
    /// Look at locks: list, show, break
    Locks(LocksArgs),
    /// Make step templates of scripts: export, lint, push, pack
    Template(TemplateArgs),
    /// Run a script inside of a step of Octopus, as the launcher of a step template does
    Step(StepArgs),
    /// Explain a function, a group of functions or a subcommand
    Help(HelpArgs),
    /// Print the reference, definitions for editors, manual pages, completions for shells
    Docs(DocsArgs),
}

/// What `octorhai run` takes.
#[derive(Args, Debug)]
#[command(
    override_usage = "octorhai run [OPTIONS] SCRIPT [--PARAMETER VALUE]... [-- --PARAMETER VALUE ...]",
    after_help = format!(
        "Parameters of the script stand after it, or after `--` when an option above has the same name. Where a parameter's value \
         comes from, first found: command line, --params file, environment variable {ANY_VARIABLE}, default in the script."
    )
)]
pub struct RunArgs {
    /// The script
    #[arg(value_name = "SCRIPT")]
    pub script: PathBuf,

    /// Run on a simulated server in virtual time: shop, tenants, fleet(N) or a world FILE (.toml) [default: shop]
    #[arg(long, value_name = "NAME|FILE", num_args = 0..=1, require_equals = true, default_missing_value = "shop", conflicts_with = "server")]
    pub sandbox: Option<String>,

    /// Run the scripts of steps of that world, in Bash and PowerShell, as this user on this machine
    #[arg(long, requires = "sandbox")]
    pub run_scripts: bool,

    /// The server is an `octorhai sandbox --virtual`: waiting takes no time
    #[arg(long, hide = true, conflicts_with = "sandbox")]
    pub virtual_time: bool,

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

    /// What stdout carries: what the script prints, or one event a line as JSON
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    pub output: Output,

    /// Show how many requests were sent, in total and per minute
    #[arg(long)]
    pub stats: bool,

    /// Tell more
    #[arg(short, long, conflicts_with = "quiet")]
    pub verbose: bool,

    /// Tell warnings and errors only
    #[arg(short, long)]
    pub quiet: bool,

    /// Of a run that is continued by its name: also when another user began it.
    #[arg(skip)]
    pub any_user: bool,

    /// What happens to tasks this run started when it is cancelled (Ctrl-C, SIGTERM), unless the script says otherwise
    #[arg(long, value_name = "WHAT", value_enum, default_value = "cancel")]
    pub on_cancel: OnCancelArg,

    /// What happens to tasks this run started and that go on when it ends with an error of the script
    #[arg(long, value_name = "WHAT", value_enum, default_value = "leave")]
    pub on_failure: OnCancelArg,

    /// How mail leaves: smtp://HOST:PORT, smtps://..., with USER:PASSWORD@ better in the variable [env: OCTORHAI_SMTP_URL]
    #[arg(long, value_name = "URL")]
    pub smtp: Option<String>,

    /// Sender of mails [env: OCTORHAI_MAIL_FROM]
    #[arg(long, value_name = "ADDRESS")]
    pub mail_from: Option<String>,

    /// Stop a script that needs more operations than this
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_operations: Option<u64>,

    /// Name of this run: an unfinished run of that name is continued, one that ended is not done again [default: in an Octopus step
    /// that hands on OCTOPUS_TASK_ID and OCTOPUS_ACTION_ID made of these, otherwise made up]
    #[arg(long, value_name = "NAME")]
    pub run_id: Option<String>,

    /// Begin anew when the run of that name has ended
    #[arg(long, requires = "run_id")]
    pub anew: bool,

    /// Where runs are journaled: a folder, postgres://USER@HOST/DATABASE for several machines, or none [env: OCTORHAI_STORE]
    #[arg(long, value_name = "STORE")]
    pub store: Option<String>,

    /// Where locks and what scripts remember are kept: octopus, store (where runs are journaled), a folder or postgres://USER@HOST/DATABASE [default: octopus] [env: OCTORHAI_LOCKS]
    #[arg(long, value_name = "WHERE")]
    pub locks: Option<String>,

    /// End instead of waiting longer than a minute (exit code 7); `octorhai runs resume --due` goes on when it is time
    #[arg(long)]
    pub suspend: bool,

    /// Where `artifact(...)` writes
    #[arg(long, value_name = "DIR", default_value = "octorhai-artifacts")]
    pub artifacts: PathBuf,

    /// Run a script in which the check finds mistakes [env: OCTORHAI_NO_CHECK=1]
    #[arg(long)]
    pub no_check: bool,

    /// Write without colour, as with NO_COLOR
    #[arg(long)]
    pub no_color: bool,

    /// Parameters of the script
    #[arg(last = true, value_name = "PARAMETERS", hide = true, allow_hyphen_values = true)]
    pub parameters: Vec<String>,

    /// Set by [`parse`]: the script's own help was asked for.
    #[arg(long = "script-help", hide = true)]
    pub script_help: bool,
}

/// What stdout carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// What the script prints.
    Text,
    /// One event a line.
    Json,
}

impl From<OnCancelArg> for crate::run::OnCancel {
    fn from(word: OnCancelArg) -> Self {
        match word {
            OnCancelArg::Cancel => Self::Cancel,
            OnCancelArg::Leave => Self::Leave,
        }
    }
}

/// See [`crate::run::OnCancel`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OnCancelArg {
    /// Cancel them on the server
    #[default]
    Cancel,
    /// Let them go on
    Leave,
}

/// Where a subcommand without a script finds the server.
#[derive(Args, Debug)]
pub struct ServerArgs {
    /// Address of the Octopus Server [env: OCTOPUS_URL]; log in with OCTOPUS_API_KEY or OCTOPUS_ACCESS_TOKEN
    #[arg(long, value_name = "URL", global = true)]
    pub server: Option<String>,

    /// Read the API key from a file instead of OCTOPUS_API_KEY
    #[arg(long, value_name = "FILE", global = true)]
    pub api_key_file: Option<PathBuf>,

    /// Space, by name, slug or id [env: OCTOPUS_SPACE] [default: the server's default space]
    #[arg(long, value_name = "SPACE", global = true)]
    pub space: Option<String>,

    /// Trust the certificates in a PEM file too: of an authority, or of the server itself [env: OCTORHAI_CA_CERT]
    #[arg(long, value_name = "FILE", global = true)]
    pub ca_cert: Option<PathBuf>,
}

/// What `octorhai step` takes.
#[derive(Args, Debug)]
pub struct StepArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: StepCommand,
}

/// The subcommands of `octorhai step`.
#[derive(Debug, Subcommand)]
pub enum StepCommand {
    /// Read script and variables from the launcher's pipe (descriptor 3; stdin on Windows), run the script, speak service messages
    Run,
}

/// What `octorhai doctor` takes.
#[derive(Args, Debug)]
#[command(after_help = "What it makes on the server is called octorhai-doctor-..., and is removed on every way out.")]
pub struct DoctorArgs {
    /// Which server.
    #[command(flatten)]
    pub at: ServerArgs,

    /// A project whose latest release may be deployed, to see what the server does with deployments that wait
    #[arg(long, value_name = "NAME", requires = "env")]
    pub project: Option<String>,

    /// Where to deploy it
    #[arg(long, value_name = "NAME", requires = "project")]
    pub env: Option<String>,

    /// How often simultaneous writers are tried
    #[arg(long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub rounds: u32,

    /// What stdout carries
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    pub output: Output,

    /// Write without colour, as with NO_COLOR
    #[arg(long)]
    pub no_color: bool,
}

/// What `octorhai sandbox` takes.
#[derive(Args, Debug)]
pub struct SandboxArgs {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8065")]
    pub listen: String,

    /// What is on the server: shop, tenants, fleet(N) or a FILE (.toml)
    #[arg(long, value_name = "NAME|FILE", default_value = "shop")]
    pub world: String,

    /// How many times faster than real its clock runs
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = factor)]
    pub speed: f64,

    /// Its clock stands, and goes on by `POST /sandbox/advance` and with `octorhai run --virtual-time`
    #[arg(long = "virtual", conflicts_with = "speed")]
    pub virtual_time: bool,

    /// Run the scripts of steps, those of the world and those that clients put into processes, in Bash and PowerShell, as this user on this machine
    #[arg(long)]
    pub run_scripts: bool,

    /// A name beside localhost and its addresses by which clients call it; requests to other names are refused
    #[arg(long, value_name = "NAME")]
    pub host: Vec<String>,

    /// Write every request and its answer to FILE, one JSON object a line
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,

    /// Print every endpoint the sandbox knows, one JSON object a line, and leave
    #[arg(long)]
    pub endpoints: bool,

    /// Print a world as TOML, to start one's own from, and leave
    #[arg(long, value_name = "NAME")]
    pub print_world: Option<String>,

    /// Write without colour, as with NO_COLOR
    #[arg(long)]
    pub no_color: bool,
}

/// What `octorhai runs` takes.
#[derive(Args, Debug)]
pub struct RunsArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: RunsCommand,

    /// Where runs are kept: a folder, or postgres://USER@HOST/DATABASE with the password in PGPASSWORD [env: OCTORHAI_STORE]
    #[arg(long, value_name = "ADDRESS", global = true)]
    pub store: Option<String>,

    /// Write without colour, as with NO_COLOR
    #[arg(long, global = true)]
    pub no_color: bool,
}

/// The subcommands of `octorhai runs`.
#[derive(Debug, Subcommand)]
pub enum RunsCommand {
    /// List runs, the newest first
    List(ListArgs),
    /// Show a run: how it stands, every step with its outcome and link, and how to go on
    Show(ShowArgs),
    /// Go on with a run that did not come to its end, or with all that are due
    Resume(Box<ResumeArgs>),
    /// Ask runs to end; one that no process works on is cancelled at once
    Cancel(CancelArgs),
    /// Delete runs that ended long ago; never an unfinished one
    Prune(PruneArgs),
    /// List what steps of a task have started, and cancel what a killed one left behind
    Reap(ReapArgs),
}

/// What `octorhai runs list` takes.
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Only runs that can go on
    #[arg(long)]
    pub unfinished: bool,

    /// How many at most; 0 for all
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: usize,

    /// A table, or one JSON object a line
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    pub output: Output,
}

/// What `octorhai runs show` takes.
#[derive(Args, Debug)]
pub struct ShowArgs {
    /// The run
    pub name: String,

    /// Lines for people, or one JSON object
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    pub output: Output,
}

/// What `octorhai runs cancel` takes.
#[derive(Args, Debug)]
pub struct CancelArgs {
    /// The runs
    #[arg(required = true, value_name = "NAME")]
    pub names: Vec<String>,
}

/// What `octorhai runs reap` takes.
#[derive(Args, Debug)]
pub struct ReapArgs {
    /// The task whose step ran octorhai
    #[arg(long, value_name = "ServerTasks-N")]
    pub parent: String,

    /// Cancel what still goes on
    #[arg(long)]
    pub cancel: bool,

    /// Which server.
    #[command(flatten)]
    pub at: ServerArgs,

    /// A table, or one JSON object a line
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    pub output: Output,
}

/// What `octorhai runs prune` takes.
#[derive(Args, Debug)]
pub struct PruneArgs {
    /// How long ago they must have ended, e.g. 90d
    #[arg(long, value_name = "SPAN", default_value = "90d")]
    pub older_than: String,

    /// Only name them
    #[arg(long)]
    pub dry_run: bool,
}

/// What `octorhai help` takes.
#[derive(Args, Debug)]
pub struct HelpArgs {
    /// A function, a group of functions, a subcommand, or a word to look for
    pub topic: Option<String>,
}

fn factor(text: &str) -> std::result::Result<f64, String> {
    match text.parse::<f64>() {
        Ok(factor) if factor.is_finite() && (0.001..=1_000_000.0).contains(&factor) => Ok(factor),
        _ => Err("a number between 0.001 and 1000000 is wanted".to_owned()),
    }
}

/// How a command line did not lead to a [`Cli`].
#[derive(Debug)]
pub enum Refusal {
    /// clap's: a mistake, or help that was asked for.
    Clap(clap::Error),
    /// Ours.
    Error(Error),
}

/// Reads the arguments, the program's name first.
pub fn parse(arguments: Vec<String>) -> std::result::Result<Cli, Refusal> {
    let arguments =
        if arguments.get(1).is_some_and(|word| word == "run") { arrange(arguments).map_err(Refusal::Error)? } else { arguments };
    Cli::try_parse_from(arguments).map_err(Refusal::Clap)
}

/// clap's `Command`, for help on a subcommand.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Brings the arguments of `run` into the order clap reads: our options first, then the script, then `--` and the
/// script's parameters. Which words are ours, and which take a value, is asked from clap.
fn arrange(arguments: Vec<String>) -> Result<Vec<String>> {
    let cli = command();
    let run = cli.find_subcommand("run").expect("`run` is a subcommand");
    let mut ours: Vec<String> = Vec::new();
    let mut script: Option<String> = None;
    let mut parameters: Vec<String> = Vec::new();
    let mut words = arguments.into_iter().peekable();
    ours.extend(words.by_ref().take(2)); // the program and `run`
    let mut words: std::collections::VecDeque<String> = words.collect();
    while let Some(word) = words.pop_front() {
        if word == "--" {
            if script.is_none() {
                script = words.pop_front();
            }
            parameters.extend(words.drain(..));
        } else if let Some(long) = word.strip_prefix("--") {
            let name = long.split('=').next().unwrap_or(long);
            if ["api-key", "apikey", "api_key", "access-token"].contains(&name) {
                return Err(no_key_here(name));
            }
            if name == "sandbox" && word == "--sandbox" {
                match words.front() {
                    Some(next) if is_world(next, script.is_some() || has_another_script(&words)) => {
                        ours.push(format!("--sandbox={next}"));
                        words.pop_front();
                    }
                    _ => ours.push("--sandbox=shop".to_owned()),
                }
            } else if name == "help" && script.is_some() {
                ours.push("--script-help".to_owned());
            } else if let Some(option) = run.get_arguments().find(|arg| arg.get_long() == Some(name)) {
                let wants_value = option.get_action().takes_values() && !word.contains('=') && name != "sandbox";
                if wants_value && words.is_empty() {
                    // Else the script, which is put behind, would be taken for it.
                    return Err(Error::usage(format!("option `--{name}` has no value")).help("`octorhai run --help` explains it"));
                }
                ours.push(word);
                if wants_value {
                    ours.extend(words.pop_front());
                }
            } else if script.is_some() {
                // A parameter of the script: which, and whether the next word is its value, is for `params` to say.
                parameters.push(word);
                while let Some(next) = words.front().filter(|next| !next.starts_with('-') || is_number(next)) {
                    parameters.push(next.clone());
                    words.pop_front();
                }
            } else if name == "help" {
                ours.push(word);
            } else {
                let known: Vec<&str> = run.get_arguments().filter(|arg| !arg.is_hide_set()).filter_map(clap::Arg::get_long).collect();
                let mut error = Error::usage(format!("`octorhai run` has no option `--{name}`"));
                if let Some(near) = nearest(name, known) {
                    error = error.help(format!("did you mean `--{near}`?"));
                }
                return Err(error.help("parameters of the script stand after the script"));
            }
        } else if word == "-h" && script.is_some() {
            ours.push("--script-help".to_owned());
        } else if word.starts_with('-') && word.len() > 1 {
            ours.push(word);
        } else if script.is_none() {
            script = Some(word);
        } else {
            return Err(Error::usage(format!("there is a word too many: `{word}`"))
                .help("parameters of the script are written `--name value`; a value with blanks needs quotes"));
        }
    }
    if let Some(script) = script {
        // A script whose name looks like an option (it stood after `--`).
        ours.push(if script.starts_with('-') { format!("./{script}") } else { script });
    }
    if !parameters.is_empty() {
        ours.push("--".to_owned());
        ours.extend(parameters);
    }
    Ok(ours)
}

/// Whether the word after `--sandbox` is its value rather than the script.
fn is_world(word: &str, script_is_elsewhere: bool) -> bool {
    if word.starts_with('-') || word.to_ascii_lowercase().ends_with(".rhai") {
        return false;
    }
    let built_in = ["shop", "tenants", "fleet"].iter().any(|name| word == *name || word.starts_with(&format!("{name}(")));
    built_in || word.to_ascii_lowercase().ends_with(".toml") || script_is_elsewhere
}

/// Whether a word that could be a script follows the first one.
fn has_another_script(words: &std::collections::VecDeque<String>) -> bool {
    words.iter().skip(1).take_while(|word| *word != "--").any(|word| word.to_ascii_lowercase().ends_with(".rhai"))
}

fn is_number(word: &str) -> bool {
    word.parse::<f64>().is_ok()
}

fn no_key_here(name: &str) -> Error {
    let variable = if name == "access-token" { "OCTOPUS_ACCESS_TOKEN" } else { "OCTOPUS_API_KEY" };
    Error::usage(format!("there is no option `--{name}` on purpose: every user of this machine sees it in the list of processes, and the shell keeps it in its history"))
        .help(format!("put it into the environment variable {variable}, or into a file: --api-key-file FILE"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn run(line: &str) -> RunArgs {
        match parse(line.split_whitespace().map(str::to_owned).collect()) {
            Ok(Cli { command: Command::Run(run) }) => *run,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn refusal(line: &str) -> String {
        match parse(line.split_whitespace().map(str::to_owned).collect()) {
            Err(Refusal::Clap(error)) => error.render().to_string(),
            Err(Refusal::Error(error)) => {
                assert_eq!(error.kind(), Kind::Usage);
                format!("{error:?}")
            }
            Ok(cli) => panic!("{line}: {cli:?}"),
        }
    }

    #[test]
    fn clap_finds_no_mistake_in_the_definition() {
        command().debug_assert();
    }

    #[test]
    fn sandbox_takes_a_world_but_not_the_script() {
        for (line, world) in [
            ("octorhai run --sandbox scripts/a.rhai", "shop"),
            ("octorhai run scripts/a.rhai --sandbox", "shop"),
            ("octorhai run --sandbox=tenants scripts/a.rhai", "tenants"),
            ("octorhai run --sandbox tenants scripts/a.rhai", "tenants"),
            ("octorhai run --sandbox fleet(200) scripts/a.rhai", "fleet(200)"),
            ("octorhai run --sandbox my/world.toml scripts/a.rhai", "my/world.toml"),
            ("octorhai run scripts/a.rhai --sandbox tenants", "tenants"),
            ("octorhai run --sandbox warehouse --stats scripts/a.rhai", "warehouse"),
            ("octorhai run --sandbox --stats scripts/a.rhai", "shop"),
            ("octorhai run --sandbox scripts/a.rhai -- --sandbox tenants", "shop"),
        ] {
            let args = run(line);
            assert_eq!((args.sandbox.as_deref(), args.script.to_str()), (Some(world), Some("scripts/a.rhai")), "{line}");
        }
        assert_eq!(run("octorhai run --sandbox script-without-ending").script.to_str(), Some("script-without-ending"));
    }

    #[test]
    fn words_of_the_script_are_told_from_ours() {
        let args = run("octorhai run x.rhai --NotifyTo a@b --env Prod --dry --count -3 --stats -v -- --env Mars word");
        assert_eq!(args.parameters, ["--NotifyTo", "a@b", "--dry", "--count", "-3", "--env", "Mars", "word"]);
        assert_eq!((args.env.as_deref(), args.stats, args.verbose, args.script_help), (Some("Prod"), true, true, false));
        let args = run("octorhai run --env=Prod x.rhai --help");
        assert!(args.script_help && args.parameters.is_empty());
        assert!(run("octorhai run x.rhai -h").script_help);
        let args = run("octorhai run -- -odd.rhai --a b");
        assert_eq!((args.script.to_str(), args.parameters.len()), (Some("./-odd.rhai"), 2));
    }

    #[test]
    fn an_api_key_on_the_command_line_is_refused_with_the_reason_and_not_repeated() {
        for line in
            ["octorhai run x.rhai --api-key API-123", "octorhai run --api-key=API-123 x.rhai", "octorhai run x.rhai --access-token API-123"]
        {
            let text = refusal(line);
            assert!(text.contains("list of processes") && text.contains("--api-key-file") && !text.contains("API-123"), "{text}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        assert!(refusal("octorhai run --sever x x.rhai").contains("did you mean `--server`?"));
        assert!(refusal("octorhai run x.rhai word").contains("a word too many: `word`"));
        assert!(refusal("octorhai run").contains("SCRIPT"));
        assert!(refusal("octorhai run --server http://x --sandbox x.rhai").contains("cannot be used with"));
        assert!(refusal("octorhai run x.rhai -q -v").contains("cannot be used with"));
        assert!(refusal("octorhai sandbox --speed 0").contains("0.001"));
        assert!(refusal("octorhai rum x.rhai").contains("run"));
    }
}
