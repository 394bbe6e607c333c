//! `octorhai check`: mistakes in scripts, found without running them.

use super::{
    environment::Environment,
    repl,
    script_file::source,
    shared_args::ServerArgs,
    subcommand::{Stage, Subcommand},
    ui::Ui,
};
use crate::{
    check::{self, Finding, Severity},
    engine::{is_well_formed, params::declarations, scene::Scene},
    error::{Error, Result},
    host,
    run::{compiled, session::Session},
    tame,
};
use clap::{Args, ValueEnum};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// What `octorhai check` takes.
#[derive(Args, Debug)]
#[command(
    after_help = "Exit code: 0 when there is nothing but notes, 1 when there are warnings or errors. A comment `// check: allow RULE` on a \
                        line, or on the one above, switches a rule off there. docs/check.md lists the rules."
)]
pub struct CheckArgs {
    /// Scripts (.rhai files), and folders that hold some
    #[arg(required = true, value_name = "SCRIPT")]
    scripts: Vec<PathBuf>,

    /// Check names against a simulated server too: shop, tenants, fleet(N) or a world FILE (.toml) [default: shop]
    #[arg(long, value_name = "NAME|FILE", num_args = 0..=1, require_equals = true, default_missing_value = "shop", conflicts_with = "server")]
    sandbox: Option<String>,

    /// Check names against a server too; nothing is changed there.
    #[command(flatten)]
    at: ServerArgs,

    /// Lines for people, one JSON object a line, or one SARIF log for code scanning
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    output: Format,

    /// Write without colour, as with NO_COLOR
    #[arg(long)]
    pub no_color: bool,
}

/// What stdout carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One object a line
    Json,
    /// SARIF 2.1.0
    Sarif,
}

impl Subcommand for CheckArgs {
    fn has_colour(&self) -> bool {
        !self.no_color
    }

    fn perform(&self, stage: &Stage<'_>) -> u8 {
        stage.ui.exit_code(go(self, stage.ui, stage.environment))
    }
}

fn go(args: &CheckArgs, ui: &Ui, environment: &Environment) -> Result<u8> {
    let paths = scripts(&args.scripts)?;
    // A server in the surroundings is not asked by itself: a check is something to do without one.
    let session = match (&args.sandbox, &args.at.server) {
        (None, None) if args.at.api_key_file.is_none() => None,
        _ => Some(repl::session_for_names(args.sandbox.as_deref(), &args.at, ui, environment)?),
    };
    let scene = Scene { entries: host::reference(), ..Scene::default() };
    let (mut found, mut texts) = (Vec::new(), BTreeMap::new());
    for path in &paths {
        found.extend(one(path, &scene, session.as_ref(), &mut texts)?);
    }
    found.sort_by(|a, b| (&a.file, a.range.start, a.rule.name).cmp(&(&b.file, b.range.start, b.rule.name)));
    // A file that several scripts import is told once.
    found.dedup_by(|a, b| (&a.file, &a.range, a.rule.name) == (&b.file, &b.range, b.rule.name));
    let text_of = |name: &str| texts.get(name).map_or("", String::as_str);
    match args.output {
        Format::Text => found.iter().for_each(|finding| {
            let text = ui.redactor().starred(text_of(&finding.file), true);
            let shown = check::show::text(finding, &text, ui.has_colour());
            ui.data(&if ui.has_colour() { tame::adopted(&shown) } else { shown });
            ui.data("");
        }),
        Format::Json => found.iter().for_each(|finding| ui.json(check::show::json(finding, text_of(&finding.file)))),
        Format::Sarif => ui.json(check::show::sarif(&found, text_of)),
    }
    if args.output == Format::Text {
        ui.say(&summary(&found, paths.len()));
    }
    Ok(u8::from(found.iter().any(|finding| finding.rule.level > Severity::Note)))
}

/// What is found in a script; its texts are kept for whoever shows it.
fn one(path: &Path, scene: &Scene, session: Option<&Session>, texts: &mut BTreeMap<String, String>) -> Result<Vec<Finding>> {
    let source = source(path)?;
    texts.insert(source.name.clone(), source.text.clone());
    let program = match compiled(&source) {
        Ok(program) => program,
        Err(failure) => {
            let mut found = vec![check::of_failure(&failure, &source.name, &source.text)];
            texts.extend(failure.texts());
            if is_well_formed(&source.text) {
                found.extend(check::of_text(&source.name, &source.text, scene));
            }
            return Ok(found);
        }
    };
    texts.extend(program.files().map(|(name, text)| (name.to_owned(), text.to_owned())));
    let mut found = check::check(&program, scene);
    if let Err(failure) = declarations(&program) {
        check::of_parameters(&failure, &source.name, &source.text, &mut found);
    }
    if let Some(session) = session {
        found.extend(check::names::check(&program, scene, session.host())?);
    }
    Ok(found)
}

/// The scripts that are meant, those of folders in the order of their names.
fn scripts(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for path in paths {
        if !path.is_dir() {
            all.push(path.clone());
            continue;
        }
        let cannot = |why: std::io::Error| Error::usage(format!("`{}` cannot be read: {why}", path.display()));
        let entries = std::fs::read_dir(path).map_err(cannot)?.collect::<std::io::Result<Vec<_>>>().map_err(cannot)?;
        let mut found: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
        found.retain(|path| path.extension().is_some_and(|end| end == "rhai"));
        found.sort();
        if found.is_empty() {
            return Err(
                Error::usage(format!("there is no script in `{}`", path.display())).help("scripts are files whose names end in .rhai")
            );
        }
        all.extend(found);
    }
    Ok(all)
}

fn summary(found: &[Finding], scripts: usize) -> String {
    let count = |level: Severity| found.iter().filter(|finding| finding.rule.level == level).count();
    let parts: Vec<String> = [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Note, "note")]
        .into_iter()
        .map(|(level, word)| (count(level), word))
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}{}", if count == 1 { "" } else { "s" }))
        .collect();
    let scripts = if scripts == 1 { "1 script".to_owned() } else { format!("{scripts} scripts") };
    if parts.is_empty() { format!("{scripts}: nothing to say") } else { format!("{scripts}: {}", parts.join(", ")) }
}
