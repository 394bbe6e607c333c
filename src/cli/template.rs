//! `octorhai template`: step templates from scripts, checked, put on a server, and the package with the program.

use super::{
    connect,
    environment::{self, Environment},
    failures::explain,
    script_file::{about, source},
    shared_args::{Output, ServerArgs},
    shipped,
    subcommand::{Stage, Subcommand},
    ui::Ui,
};
use crate::{
    api::{ActionTemplate, SpaceClient},
    clock::Clock,
    engine::{Failure, Source, params::declarations},
    error::{Error, Kind, Result},
    platform::files,
    run::compiled,
    template::{
        Script, Shell, export,
        lint::{self, LintFinding},
        pack::{self, PackedFile},
    },
};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What `octorhai template` takes.
#[derive(Args, Debug)]
pub struct TemplateArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: TemplateCommand,

    /// Write without colour, as with NO_COLOR
    #[arg(long, global = true)]
    pub no_color: bool,
}

/// The subcommands of `octorhai template`.
#[derive(Debug, clap::Subcommand)]
pub enum TemplateCommand {
    /// Write a step template for Bash and one for PowerShell of each script
    Export(ExportArgs),
    /// Check step templates by the rules of the community library and stricter ones
    Lint(LintArgs),
    /// Create or change step templates on a server, and show which steps use an older version
    Push(PushArgs),
    /// Make the package with the program that the steps need
    Pack(PackArgs),
}

/// What `octorhai template export` takes.
#[derive(Args, Debug)]
pub struct ExportArgs {
    /// Scripts (.rhai files)
    #[arg(required = true, value_name = "SCRIPT")]
    pub scripts: Vec<PathBuf>,

    /// For which shell
    #[arg(long, value_name = "SHELL", value_enum, default_value = "both")]
    pub shell: ShellArg,

    /// Where the templates are written
    #[arg(long, value_name = "FOLDER", default_value = "templates")]
    pub out: PathBuf,

    /// What stands before the names of parameters [default: Octorhai.<Script>]
    #[arg(long, value_name = "PREFIX")]
    pub prefix: Option<String>,
}

/// For which shell a launcher is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ShellArg {
    /// Bash
    Bash,
    /// PowerShell
    Powershell,
    /// A template for each
    Both,
}

/// What `octorhai template lint` takes.
#[derive(Args, Debug)]
pub struct LintArgs {
    /// Files and folders
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// Lines for people, or one JSON object for each finding
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    pub output: Output,
}

/// What `octorhai template push` takes.
#[derive(Args, Debug)]
pub struct PushArgs {
    /// Step templates (.json files)
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Which server.
    #[command(flatten)]
    pub at: ServerArgs,

    /// Bring the steps that use an older version to the new one
    #[arg(long)]
    pub update_steps: bool,
}

/// What `octorhai template pack` takes.
#[derive(Args, Debug)]
pub struct PackArgs {
    /// Where the package is written
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    pub out: PathBuf,

    /// The program for a platform, e.g. linux-arm64=PATH [default: this one, for this platform]
    #[arg(long, value_name = "PLATFORM=PATH")]
    pub binary: Vec<String>,

    /// Upload it to the built-in feed of a server
    #[arg(long)]
    pub push: bool,

    /// Which server.
    #[command(flatten)]
    pub at: ServerArgs,
}

/// A template or a program is not larger.
const LARGEST: u64 = 256 << 20;

/// A program is not larger.
const LARGEST_PROGRAM: u64 = 1 << 30;

impl Subcommand for TemplateArgs {
    fn has_colour(&self) -> bool {
        !self.no_color
    }

    fn perform(&self, stage: &Stage<'_>) -> u8 {
        run(&self.command, stage.ui, stage.environment)
    }
}

/// Does what a subcommand of `template` says and returns the exit code.
pub(super) fn run(command: &TemplateCommand, ui: &Ui, environment: &Environment) -> u8 {
    let done = match command {
        TemplateCommand::Export(args) => export_all(args, ui),
        TemplateCommand::Lint(args) => return ui.exit_code(lint_all(args, ui)),
        TemplateCommand::Push(args) => push(args, ui, environment).map_err(Failure::from),
        TemplateCommand::Pack(args) => pack(args, ui, environment).map_err(Failure::from),
    };
    match done {
        Ok(()) => 0,
        Err(failure) => {
            explain(ui, &failure);
            failure.exit_code()
        }
    }
}

fn export_all(args: &ExportArgs, ui: &Ui) -> Result<(), Failure> {
    if args.prefix.is_some() && args.scripts.len() > 1 {
        return Err(Error::usage("one prefix for several scripts would mix their parameters").help("export them one by one").into());
    }
    let shells = match args.shell {
        ShellArg::Bash => &[Shell::Bash][..],
        ShellArg::Powershell => &[Shell::PowerShell],
        ShellArg::Both => &Shell::ALL,
    };
    for path in &args.scripts {
        let script = source(path)?;
        let script = exportable(&script)?;
        for shell in shells {
            let stem = script.name.trim_end_matches(".rhai");
            let file = args.out.join(format!("{stem}.{}", shell.ending()));
            let before = if file.exists() { Some(environment::read(&file, "step template", LARGEST)?) } else { None };
            let texts = script.files.iter().flat_map(|(path, text)| [path, text]).chain([&script.name, &script.text]);
            if texts.into_iter().any(|text| ui.redactor().is_in(text)) {
                return Err(Error::usage(format!(
                    "`{}` holds the text of a secret, and a step template shows its script to everybody",
                    path.display()
                ))
                .help("make it a parameter: `secret(\"Name\")`")
                .into());
            }
            let text = export(&script, *shell, args.prefix.as_deref(), before.as_deref(), Clock::real().now())?;
            if before.as_deref() == Some(&text) {
                ui.say(&format!("{} is as it was", file.display()));
            } else {
                write(&file, text.as_bytes())?;
                ui.data(&file.display().to_string());
            }
        }
    }
    Ok(())
}

/// A script with its files and parameters, to be put into a step template.
fn exportable(source: &Source) -> std::result::Result<Script, Failure> {
    let program = compiled(source)?;
    let folder = Path::new(&source.name).parent().unwrap_or(Path::new(""));
    let beside = |name: &str| Path::new(name).strip_prefix(folder).map_or_else(|_| name.to_owned(), files::with_slashes);
    let files = program.files().skip(1).map(|(name, text)| (beside(name), text.to_owned())).collect();
    Ok(Script {
        name: beside(&source.name),
        text: source.text.clone(),
        files,
        params: declarations(&program)?,
        about: about(&source.text).unwrap_or_default(),
    })
}

/// Writes a file whole or not at all.
fn write(file: &Path, content: &[u8]) -> Result<()> {
    let wrong = |problem: std::io::Error| {
        let why = if problem.kind() == std::io::ErrorKind::StorageFull { "the disk is full".to_owned() } else { problem.to_string() };
        Error::usage(format!("`{}` cannot be written: {why}", file.display())).help("choose another folder with --out")
    };
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(wrong)?;
    let beside = file.with_extension("part");
    let written = std::fs::write(&beside, content).and_then(|()| std::fs::rename(&beside, file));
    written.inspect_err(|_| drop(std::fs::remove_file(&beside))).map_err(wrong)
}

/// The files that are meant, those of folders in the order of their names.
fn files(paths: &[PathBuf]) -> Result<Vec<(String, Vec<u8>)>> {
    let mut all = Vec::new();
    for path in paths {
        let wrong = |problem: std::io::Error| Error::usage(format!("`{}` cannot be read: {problem}", path.display()));
        let mut found = vec![path.clone()];
        if path.is_dir() {
            let inside = std::fs::read_dir(path).map_err(wrong)?;
            found = inside.map(|entry| entry.map(|entry| entry.path())).collect::<std::io::Result<_>>().map_err(wrong)?;
            found.sort();
        }
        for file in found {
            let content = if file.is_dir() { Vec::new() } else { files::read(&file, LARGEST).map_err(wrong)? };
            all.push((file.display().to_string(), content));
        }
    }
    Ok(all)
}

fn lint_all(args: &LintArgs, ui: &Ui) -> Result<u8> {
    let files = files(&args.paths)?;
    if files.is_empty() {
        return Err(Error::usage("there is no step template to check").help("name files, or a folder that holds some"));
    }
    let found = lint::lint(&files);
    for finding in &found {
        ui.data(&if args.output == Output::Json { as_json(finding).to_string() } else { finding.to_string() });
    }
    let templates = if files.len() == 1 { "step template" } else { "step templates" };
    let rules = lint::RULES.len();
    ui.say(&match found.len() {
        0 => format!("{} {templates}, {rules} rules: nothing to say", files.len()),
        1 => format!("{} {templates}, {rules} rules: 1 finding", files.len()),
        many => format!("{} {templates}, {rules} rules: {many} findings", files.len()),
    });
    Ok(u8::from(!found.is_empty()))
}

fn as_json(finding: &LintFinding) -> Value {
    let rule = finding.rule;
    json!({"file": finding.file, "rule": rule.name, "what": finding.what, "says": rule.says, "now": rule.now})
}

/// What is compared of a template here and on a server, and sent.
const MEMBERS: [&str; 6] = ["Name", "Description", "ActionType", "Packages", "Properties", "Parameters"];

fn push(args: &PushArgs, ui: &Ui, environment: &Environment) -> Result<()> {
    let mut templates = Vec::new();
    for path in &args.files {
        let text = environment::read(path, "step template", LARGEST)?;
        let found = lint::lint(&[(path.display().to_string(), text.clone().into_bytes())]);
        if let Some(finding) = found.first() {
            return Err(Error::usage(format!("{}: {}: {}", finding.file, finding.rule.name, finding.what))
                .help(format!("see all findings: octorhai template lint {}", path.display())));
        }
        let template: Value =
            serde_json::from_str(&text).map_err(|problem| Error::bug(format!("what was linted is no JSON: {problem}")))?;
        templates.push(template);
    }
    connect::in_space(&args.at, "template push FILE", ui, environment, async |space| {
        for template in &templates {
            push_one(args, ui, &space, template).await?;
        }
        Ok(())
    })
}

async fn push_one(args: &PushArgs, ui: &Ui, space: &SpaceClient, template: &Value) -> Result<()> {
    let name = template["Name"].as_str().unwrap_or_default();
    let there = space.action_template(name).await?;
    let now = match &there {
        None => {
            let made = space.create_action_template(&wanted(template, None)).await?;
            ui.data(&format!("{name}: created, version {} ({})", made.version, made.id));
            made
        }
        Some(there) if is_same(template, &there.raw.tree()) => {
            ui.data(&format!("{name}: is as it was, version {} ({})", there.version, there.id));
            there.clone()
        }
        Some(there) => {
            let before = there.raw.tree();
            if template["ActionType"] != before["ActionType"] {
                return Err(Error::new(
                    Kind::Refused,
                    format!("step template `{name}` is a {} on the server, which cannot become another one", before["ActionType"]),
                )
                .help("give the new one another name"));
            }
            let made = space.update_action_template(&there.id, &wanted(template, Some(&before))).await?;
            ui.data(&format!("{name}: changed, version {} became {} ({})", there.version, made.version, made.id));
            made
        }
    };
    steps(args, ui, space, &now).await
}

/// Tells which steps use an older version, and updates them if that is wanted.
async fn steps(args: &PushArgs, ui: &Ui, space: &SpaceClient, now: &ActionTemplate) -> Result<()> {
    let mut problem = None;
    for used in space.action_template_usage(&now.id).await?.iter().filter(|used| used.version < now.version) {
        let place = used.runbook.as_ref().map_or_else(|| used.project.clone(), |runbook| format!("{} / {runbook}", used.project));
        let step = format!("  step `{}` of {place}", used.step);
        if !args.update_steps {
            ui.data(&format!("{step} uses version {}; --update-steps brings it to {}", used.version, now.version));
            continue;
        }
        match space.update_template_use(&now.id, now.version, used).await {
            Ok(()) => ui.data(&format!("{step}: version {} became {}", used.version, now.version)),
            Err(error) => {
                ui.data(&format!("{step} stays at version {}: {}", used.version, error.message()));
                problem = Some(error);
            }
        }
    }
    problem.map_or(Ok(()), |error| Err(error.help("open the step in Octopus: it shows what must be decided")))
}

/// What is sent: the template without what belongs to the file, with the ids that the server knows.
fn wanted(template: &Value, there: Option<&Value>) -> Value {
    let mut sent = there.cloned().unwrap_or_else(|| json!({}));
    for member in MEMBERS {
        sent[member] = template[member].clone();
    }
    if let Some(parameters) = sent["Parameters"].as_array_mut() {
        for parameter in parameters {
            let known = there.and_then(|there| there["Parameters"].as_array()?.iter().find(|old| old["Name"] == parameter["Name"]));
            if let Some(known) = known {
                parameter["Id"] = known["Id"].clone();
            }
        }
    }
    sent
}

/// Whether the server has it already; it adds members of its own.
fn is_same(template: &Value, there: &Value) -> bool {
    fn within(wanted: &Value, there: &Value) -> bool {
        match (wanted, there) {
            (Value::Object(wanted), Value::Object(there)) => {
                wanted.iter().filter(|(name, _)| *name != "Id").all(|(name, value)| within(value, there.get(name).unwrap_or(&Value::Null)))
            }
            (Value::Array(wanted), Value::Array(there)) => {
                wanted.len() == there.len() && wanted.iter().zip(there).all(|(one, other)| within(one, other))
            }
            // A server writes an empty default as none, or the other way round.
            (Value::Null, Value::String(text)) | (Value::String(text), Value::Null) => text.is_empty(),
            (one, other) => one == other,
        }
    }
    MEMBERS.iter().all(|member| within(&template[*member], &there[*member]))
}

fn pack(args: &PackArgs, ui: &Ui, environment: &Environment) -> Result<()> {
    let mut entries: Vec<PackedFile> = shipped::all().map(|(path, content)| PackedFile { path, content, is_program: false }).collect();
    for (platform, path) in binaries(args)? {
        let file = pack::PLATFORMS.iter().find(|(known, _)| *known == platform).map(|(_, file)| *file);
        let Some(file) = file else {
            let known = pack::PLATFORMS.iter().map(|(platform, _)| *platform);
            return Err(Error::usage(format!("there is no platform `{platform}`")).suggest(&platform, known));
        };
        let content = files::read(&path, LARGEST_PROGRAM)
            .map_err(|problem| Error::usage(format!("the program `{}` cannot be read: {problem}", path.display())))?;
        entries.push(PackedFile { path: format!("{platform}/{file}"), content, is_program: true });
    }
    let bytes = pack::pack(entries)?;
    let name = format!("octorhai.{}.zip", env!("CARGO_PKG_VERSION"));
    let file = args.out.join(&name);
    write(&file, &bytes)?;
    ui.data(&file.display().to_string());
    if !args.push {
        return Ok(());
    }
    let is_new =
        connect::in_space(&args.at, "template pack --push", ui, environment, async |space| space.upload_package(&name, &bytes).await)?;
    ui.say(&if is_new {
        format!("{name} is in the built-in feed")
    } else {
        format!("{name} was in the built-in feed before; it is not replaced")
    });
    Ok(())
}

/// Platform and path of each program.
fn binaries(args: &PackArgs) -> Result<Vec<(String, PathBuf)>> {
    let named = args.binary.iter().map(|text| {
        let (platform, path) = text.split_once('=').ok_or_else(|| {
            Error::usage(format!("`--binary {text}` names no platform")).help("write it like linux-x64=target/release/octorhai")
        })?;
        Ok((platform.to_owned(), PathBuf::from(path)))
    });
    let named = named.collect::<Result<Vec<_>>>()?;
    if !named.is_empty() {
        return Ok(named);
    }
    let platform = pack::own_platform()
        .ok_or_else(|| Error::usage("launchers know no folder for this platform").help("name programs with --binary PLATFORM=PATH"))?;
    let own = std::env::current_exe().map_err(|problem| {
        Error::usage(format!("this program does not find itself: {problem}")).help("name it with --binary PLATFORM=PATH")
    })?;
    Ok(vec![(platform.to_owned(), own)])
}
