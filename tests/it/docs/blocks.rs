//! Every block of README.md and of docs/ works: scripts run on the sandbox, worlds are worlds, and commands print what
//! is shown below them. docs/reference.md is not read here: `examples.rs` beside this runs its examples.
#![cfg(unix)] // commands are run by a shell

use crate::support::{self, root, simulate};
use octorhai::{error::Kind, sandbox::World};
use std::{
    fmt::Write as _,
    fs,
    io::Read,
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

/// A fenced block.
#[derive(Debug)]
struct Block {
    /// `README.md:12`
    place: String,
    /// The words behind the fence, e.g. `rhai`, `tenants`.
    kind: Vec<String>,
    text: String,
}

fn blocks_of(path: &str, text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in text.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some("")) => blocks.extend(open.take()),
            (Some(block), _) => {
                let _ = writeln!(block.text, "{line}");
            }
            (None, Some(kind)) => {
                let kind = kind.split_whitespace().map(str::to_owned).collect();
                open = Some(Block { place: format!("{path}:{}", number + 1), kind, text: String::new() });
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{path}: a block does not end");
    blocks
}

fn blocks(language: &str) -> Vec<Block> {
    let mut paths = vec!["README.md".to_owned()];
    for entry in fs::read_dir(root().join("docs")).expect("docs/ is there").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        // Pages in folders are for the people who build this.
        if name != "reference.md" && entry.path().is_file() {
            paths.push(format!("docs/{name}"));
        }
    }
    paths.sort();
    let all = paths.iter().flat_map(|path| blocks_of(path, &fs::read_to_string(root().join(path)).expect("a readable file")));
    all.filter(|block| block.kind.first().is_some_and(|first| first == language)).collect()
}

#[test]
fn every_block_says_what_it_is() {
    let known = ["rhai", "toml", "console", "json"];
    for path in ["README.md", "docs/worlds.md"] {
        for block in blocks_of(path, &fs::read_to_string(root().join(path)).expect("a readable file")) {
            assert!(block.kind.first().is_some_and(|kind| known.contains(&kind.as_str())), "{}: {:?}", block.place, block.kind);
        }
    }
}

#[test]
fn scripts_run() {
    let blocks = blocks("rhai");
    assert!(blocks.len() > 3, "the scripts were not found");
    let mut broken = Vec::new();
    for block in blocks {
        let world = match block.kind.get(1) {
            None => support::shop(&[]),
            Some(name) => World::builtin_toml(name).unwrap_or_else(|| panic!("{}: there is no world {name}", block.place)),
        };
        let ran = simulate(&world, &block.text);
        if ran.outcome.exit_code != 0 {
            broken.push(format!("{}: {}", block.place, ran.error()));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// A block is a world by itself, or what somebody adds at the end of `shop`.
fn is_a_world(text: &str) -> Result<(), String> {
    let added = format!("{}\n{text}", World::builtin_toml("shop").expect("a built-in world"));
    World::from_toml("block", text).or_else(|_| World::from_toml("block after shop", &added)).map(drop).map_err(|e| format!("{e:?}"))
}

#[test]
fn worlds_are_worlds() {
    let blocks = blocks("toml");
    assert!(blocks.len() > 3, "the worlds were not found");
    let broken: Vec<String> =
        blocks.iter().filter_map(|block| is_a_world(&block.text).err().map(|why| format!("{}: {why}", block.place))).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert!(is_a_world("[[faults]]\naction = \"explode\"").is_err());
    assert!(is_a_world("[[projekts]]").is_err());
}

/// One command of a `console` block and the lines shown below it.
struct Shown {
    command: String,
    lines: Vec<String>,
}

fn commands(block: &Block) -> Vec<Shown> {
    let mut all: Vec<Shown> = Vec::new();
    let mut open = false;
    for line in block.text.lines() {
        if open {
            let last = all.last_mut().expect("an open command");
            let _ = write!(last.command, "\n{line}");
            open = line.ends_with('\\');
        } else if let Some(command) = line.strip_prefix("$ ") {
            open = command.ends_with('\\');
            all.push(Shown { command: command.to_owned(), lines: Vec::new() });
        } else {
            all.last_mut().unwrap_or_else(|| panic!("{}: begins without `$ `", block.place)).lines.push(line.to_owned());
        }
    }
    all
}

/// Whether `lines` are what was printed; a line `...` stands for any lines, `...` inside of a line for any text.
fn fits(shown: &[String], printed: &[&str]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((first, rest)) if first.trim() == "..." => (0..=printed.len()).any(|skip| fits(rest, &printed[skip..])),
        Some((first, rest)) => printed.split_first().is_some_and(|(line, others)| line_fits(first, line) && fits(rest, others)),
    }
}

fn line_fits(shown: &str, printed: &str) -> bool {
    let (shown, printed) = (shown.trim_end(), printed.trim_end());
    let mut parts = shown.split("...");
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = printed.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[test]
fn dots_stand_for_anything_and_nothing_else_does() {
    let shown = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert!(fits(&shown("a\n...\nd"), &["a", "b", "c", "d"]));
    assert!(fits(&shown("a ... c"), &["a b c"]));
    assert!(!fits(&shown("a\nd"), &["a", "b", "d"]));
    assert!(!fits(&shown("a ... c"), &["a b d"]));
    assert!(!fits(&shown("a"), &["a", "b"]));
}

/// A process of ours in the background, ended when dropped.
struct Background(Child);

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn shell(folder: &Path, text: &str) -> Command {
    let binary = assert_cmd::cargo::cargo_bin!("octorhai").parent().expect("a folder").display().to_string();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("sh");
    command.args(["-c", text]).current_dir(folder).env_clear();
    command.env("PATH", format!("{binary}:{path}")).env("NO_COLOR", "1").env("TZ", "UTC").env("HOME", folder);
    command
}

/// Starts a command and returns once it has printed `lines` and listens on `port`.
fn start(folder: &Path, command: &str, lines: &[String], port: u16) -> Result<Background, String> {
    let mut child =
        shell(folder, &format!("exec {command} 2>&1")).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().map_err(|e| e.to_string())?;
    let mut out = child.stdout.take().expect("piped");
    let background = Background(child);
    let (told, heard) = mpsc::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = out.read(&mut buffer) {
            let _ = told.send(String::from_utf8_lossy(&buffer[..count]).into_owned());
        }
    });
    let mut printed = String::new();
    for _ in 0..600 {
        if let Ok(more) = heard.recv_timeout(Duration::from_millis(100)) {
            printed.push_str(&more);
        }
        let fits = lines.is_empty() || fits(lines, &printed.lines().collect::<Vec<_>>());
        if fits && TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Ok(background);
        }
    }
    Err(format!("`{command}` printed\n{printed}\nnot\n{}", lines.join("\n")))
}

/// The port of the stand-alone sandbox in the documents; the tests take free ones in its place.
const PORT: &str = "8065";

fn check(block: &Block, folder: &Path) -> Result<(), String> {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).map_err(|e| e.to_string())?.port();
    let mut code = 0;
    let mut background = Vec::new();
    for Shown { command, lines } in commands(block) {
        if command.starts_with("cargo ") {
            continue; // what builds this very binary cannot be run by its tests; .ci/run does
        }
        let ours = command.replace(PORT, &free.to_string());
        if let Some(command) = ours.strip_suffix(" &") {
            let lines: Vec<String> = lines.iter().map(|line| line.replace(PORT, &free.to_string())).collect();
            background.push(start(folder, command, &lines, free)?);
            continue;
        }
        // `$?` is the exit code of the command before.
        let output = shell(folder, &format!("exec 2>&1\n(exit {code})\n{ours}")).output().map_err(|e| e.to_string())?;
        code = output.status.code().unwrap_or(-1);
        let printed = String::from_utf8_lossy(&output.stdout).replace(&free.to_string(), PORT);
        if !fits(&lines, &printed.lines().collect::<Vec<_>>()) {
            return Err(format!("{}: `{command}` printed\n{printed}\nnot\n{}", block.place, lines.join("\n")));
        }
    }
    Ok(())
}

#[test]
fn commands_print_what_is_shown() {
    let blocks = blocks("console");
    assert!(blocks.len() > 3, "the commands were not found");
    // Each document's commands share a folder, in which a clone's scripts are.
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("scripts")).expect("a folder");
    for entry in fs::read_dir(root().join("scripts")).expect("scripts/ is there").flatten() {
        fs::copy(entry.path(), folder.path().join("scripts").join(entry.file_name())).expect("copied");
    }
    let broken: Vec<String> = blocks.iter().filter_map(|block| check(block, folder.path()).err()).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n\n"));
}

#[test]
fn every_option_of_run_and_of_sandbox_is_documented() {
    options_are_in("run", "README.md");
    options_are_in("sandbox", "docs/sandbox.md");
}

fn options_are_in(subcommand: &str, document: &str) {
    let readme = fs::read_to_string(root().join(document)).expect("the document is there");
    let help = support::run(&[subcommand, "--help"]).stdout;
    let options = help.lines().filter_map(|line| {
        let line = line.trim_start();
        let line =
            line.strip_prefix("-").filter(|_| !line.starts_with("--")).and_then(|l| l.split_once(", ")).map_or(line, |(_, long)| long);
        line.starts_with("--").then(|| line.split([' ', '=', '[']).next().unwrap_or(line).to_owned())
    });
    let missing: Vec<String> = options.filter(|name| !readme.contains(&format!("`{name}"))).collect();
    let missing: Vec<String> =
        missing.into_iter().filter(|name| subcommand == "run" || !["--help", "--no-color"].contains(&name.as_str())).collect();
    assert!(missing.is_empty() && help.contains("Options:"), "{document} does not name {missing:?}");
}

#[test]
fn every_key_of_a_world_is_documented() {
    let read = |file: &str| fs::read_to_string(root().join("src/sandbox/world").join(file)).expect("the model is there");
    let files = ["approvals.rs", "freezes.rs", "hooks.rs", "model.rs", "people.rs", "run.rs", "triggers.rs"];
    let model = files.map(read).join("\n");
    let document = fs::read_to_string(root().join("docs/worlds.md")).expect("docs/worlds.md is there");
    let mut missing = Vec::new();
    let mut renamed = None;
    let mut keys = 0;
    let mut in_plans = false;
    for line in model.lines() {
        in_plans = line == "plans! {" || in_plans && line != "}";
        let line = line.trim();
        if let Some((_, rest)) = line.split_once("rename = \"") {
            renamed = rest.split('"').next();
        }
        let is_key = |name: &str| in_plans && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        let Some((field, _)) = line.split_once(": ").filter(|(name, _)| is_key(name)) else { continue };
        let key = renamed.take().unwrap_or(field);
        keys += 1;
        if !document.contains(&format!("`{key}`")) {
            missing.push(key.to_owned());
        }
    }
    assert!(missing.is_empty() && keys > 80, "docs/worlds.md has no `key` for {missing:?} (of {keys})");
}

#[test]
fn the_table_of_kinds_says_what_they_mean() {
    let readme = fs::read_to_string(root().join("README.md")).expect("README.md is there");
    let row = |kind: &Kind| format!("| {} | `{kind}` | {} |", kind.exit_code(), kind.meaning());
    let missing: Vec<String> = Kind::ALL.iter().map(row).filter(|row| !readme.contains(row)).collect();
    assert!(missing.is_empty(), "README.md should have the rows\n{}", missing.join("\n"));
}

#[test]
fn rust_log_shows_requests_without_the_key() {
    let mut command = support::octorhai();
    command.args(["run", "--sandbox", "--quiet", "scripts/require-version.rhai"]).env("RUST_LOG", "octorhai=debug");
    let ran = support::finish(&mut command);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "Project B 1.1.0 fits >=1.0 <3\n"));
    assert!(ran.stderr.contains("GET") && ran.stderr.contains("/api/"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("API-SANDBOX"), "{}", ran.stderr);
}
