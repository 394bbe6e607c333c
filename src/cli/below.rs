//! The few calls that front ends make into the layers below, each in one place.

use super::{sandbox::Ready, signals};
use crate::{
    check,
    clock::Clock,
    engine::{
        self, Failure,
        docs::{self, Builtin, Entry},
        params::{self, ParamDecl},
        scene::Scene,
    },
    error::{Error, Result},
    host, manual,
    platform::files,
    run::{self, Outcome, Settings, Source, session::Session},
    sandbox::{self, Sandbox, World},
    tame, template,
};
use include_dir::{Dir, include_dir};
use std::{net::SocketAddr, path::Path};

/// Runs a script.
pub(super) fn run(settings: Settings) -> Outcome {
    run::run(settings)
}

/// Opens a session.
pub(super) fn session(settings: Settings) -> Result<Session> {
    Session::begin(settings)
}

/// Rhai's own functions.
pub(super) fn builtins() -> Vec<Builtin> {
    docs::builtins()
}

/// A script with all its files, compiled to be looked at.
pub(super) fn compiled(source: &Source) -> std::result::Result<engine::Program, Failure> {
    run::compiled(source)
}

/// Whether a script that does not compile is well written but for names that there are not.
pub(super) fn only_names_are_wrong(text: &str) -> bool {
    engine::is_well_formed(text)
}

/// The parameters that a script declares, found without running it.
pub(super) fn declared(source: &Source) -> std::result::Result<Vec<ParamDecl>, Failure> {
    params::declarations(&run::compiled(source)?)
}

/// The same of a script that is compiled already.
pub(super) fn declared_by(program: &engine::Program) -> std::result::Result<Vec<ParamDecl>, Failure> {
    params::declarations(program)
}

/// The mistakes because of which a script is not run.
pub(super) fn refusals(program: &engine::Program) -> Vec<Failure> {
    check::refusals(program, &Scene { entries: reference(), builtins: builtins(), ..Scene::default() })
}

/// A world by the name of a built-in one, or from a file; `run_scripts`: whether scripts of its steps may run on this machine.
pub(super) fn world(name_or_file: &str, run_scripts: bool) -> Result<World> {
    let world = World::named_or_file(name_or_file)?;
    Ok(if run_scripts { world.running_scripts() } else { world })
}

/// The text of a built-in world.
pub(super) fn world_text(name: &str) -> Result<String> {
    // A copy gets a key of its own where it needs one.
    let own = |text: String| text.replacen("\nkey ", "\n# key ", 1);
    World::builtin_toml(name).map(own).ok_or_else(|| {
        Error::usage(format!("there is no built-in world `{name}`")).help("there is: `shop`, `tenants`, and `fleet(200)` for any number")
    })
}

/// A failure as text, with its place in the script where there is one.
pub(super) fn explain(failure: &Failure, colour: bool) -> String {
    let rendered = failure.render(colour);
    if colour { tame::adopted(&rendered) } else { rendered }
}

/// The zone that a world's people live in.
pub(super) fn world_zone(world: &World) -> String {
    world.zone().unwrap_or_else(|| "UTC".to_owned())
}

/// Which shells run the scripts of steps, and which are missing.
pub(super) fn shells() -> Vec<String> {
    sandbox::shells()
}

/// Serves `world` at `address` with a clock `speed` times as fast as the one on the wall, or one that stands until a client
/// moves it (none), tells when it listens, and returns when a signal asks for the end, or fails when the log can no longer be written.
pub(super) fn serve(
    world: World,
    address: SocketAddr,
    speed: Option<f64>,
    hosts: &[String],
    log: Option<&Path>,
    tell: impl FnOnce(Ready),
) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|why| Error::bug(format!("cannot start threads: {why}")))?;
    runtime.block_on(async {
        let (sandbox, ready) = start(world, address, speed, hosts).await?;
        if let Some(log) = log {
            sandbox.log_to(log)?;
        }
        tell(ready);
        tokio::select! {
            _ = signals::first() => Ok(()),
            error = sandbox.log_breaks() => Err(error),
        }
    })
}

/// Starts a simulated server; it ends when what comes first is dropped.
async fn start(world: World, address: SocketAddr, speed: Option<f64>, hosts: &[String]) -> Result<(Sandbox, Ready)> {
    let clock = speed.map_or_else(|| Clock::virtual_at(world.start()), |speed| Clock::scaled(world.start(), speed));
    let environment = world.default_environment();
    let sandbox = Sandbox::start_as(world, clock, address, hosts).await?;
    let smtp = sandbox.smtp_url().trim_start_matches("smtp://").to_owned();
    let ready = Ready { url: sandbox.url(), key: sandbox.api_key(), smtp, space: "Default".to_owned(), environment, speed };
    Ok((sandbox, ready))
}

/// What the sandbox knows, one JSON object a line.
pub(super) fn endpoints() -> impl Iterator<Item = String> {
    sandbox::endpoints().map(|e| e.to_string())
}

/// Functions and types of scripts, as the reference shows them.
pub(super) fn reference() -> Vec<Entry> {
    docs::entries(host::library().docs())
}

/// A script with its files and parameters, to be put into a step template.
pub(super) fn exportable(source: &Source) -> std::result::Result<template::Script, Failure> {
    let program = run::compiled(source)?;
    let folder = Path::new(&source.name).parent().unwrap_or(Path::new(""));
    let beside = |name: &str| Path::new(name).strip_prefix(folder).map_or_else(|_| name.to_owned(), files::with_slashes);
    let files = program.files().skip(1).map(|(name, text)| (beside(name), text.to_owned())).collect();
    Ok(template::Script {
        name: beside(&source.name),
        text: source.text.clone(),
        files,
        params: params::declarations(&program)?,
        about: super::run::about(&source.text).unwrap_or_default(),
    })
}

/// The reference as Markdown.
pub(super) fn manual_reference() -> String {
    manual::reference()
}

/// Definitions for editors.
pub(super) fn definitions() -> String {
    manual::definitions()
}

/// Snippets for Visual Studio Code: functions, and the scripts that come with the program.
pub(super) fn snippets() -> String {
    let mut scripts: Vec<(&str, &str)> = SCRIPTS.files().filter_map(|file| Some((file.path().to_str()?, file.contents_utf8()?))).collect();
    scripts.sort_unstable();
    manual::snippets(scripts)
}

static SCRIPTS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/scripts");
static TEMPLATES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/templates");

/// The files that come with the program: the standard library, scripts, their step templates, in order.
pub(super) fn library() -> impl Iterator<Item = (String, Vec<u8>)> {
    let standard = engine::standard_library().map(|(name, text)| (name.replacen("std/", "stdlib/", 1), text.as_bytes().to_vec()));
    let of = |folder: &'static Dir<'static>, name: &'static str| {
        folder.files().map(move |file| (format!("{name}/{}", file.path().display()), file.contents().to_vec()))
    };
    standard.chain(of(&SCRIPTS, "scripts")).chain(of(&TEMPLATES, "templates"))
}
