//! The shells of this machine that bodies run in.

use crate::sandbox::world::run::Syntax;
use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Names the program to take for PowerShell.
const VARIABLE: &str = "OCTORHAI_PWSH";

/// The program that bodies in this language run in.
///
/// # Errors
/// A sentence that says what is missing.
pub(super) fn program(syntax: Syntax) -> Result<PathBuf, String> {
    match syntax {
        Syntax::Bash => {
            let usual = Path::new("/bin/bash");
            if usual.exists() { Some(usual.to_owned()) } else { on_path(&["bash"]) }
                .ok_or_else(|| "no Bash found: there is none on the PATH".to_owned())
        }
        Syntax::PowerShell => match env::var_os(VARIABLE).filter(|named| !named.is_empty()).map(PathBuf::from) {
            Some(named) if named.is_file() => Ok(named),
            Some(named) => Err(format!("no PowerShell found: {VARIABLE} names `{}`, which is no file", named.display())),
            None => {
                let names: &[&str] = if cfg!(windows) { &["pwsh.exe", "powershell.exe"] } else { &["pwsh"] };
                on_path(names).ok_or_else(|| format!("no PowerShell found: there is no `pwsh` on the PATH, and {VARIABLE} names none"))
            }
        },
    }
}

fn on_path(names: &[&str]) -> Option<PathBuf> {
    let folders: Vec<PathBuf> = env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default();
    names.iter().find_map(|name| folders.iter().map(|folder| folder.join(name)).find(|file| file.is_file()))
}

/// Which shells there are, in words: `scripts of steps are run: Bash 5.2, PowerShell 7.6.9`, and what is missing.
pub(crate) fn found() -> Vec<String> {
    let mut there = Vec::new();
    let mut missing = Vec::new();
    for (syntax, arguments) in [
        (Syntax::Bash, ["-c", "printf %s.%s \"${BASH_VERSINFO[@]:0:2}\""].as_slice()),
        (Syntax::PowerShell, ["-NoLogo", "-NoProfile", "-NonInteractive", "-Command", "$PSVersionTable.PSVersion.ToString()"].as_slice()),
    ] {
        let asked = program(syntax)
            .and_then(|program| version(&program, arguments).map_err(|why| format!("{} cannot be used: {why}", program.display())));
        match asked {
            Ok(version) => there.push(format!("{} {version}", syntax.name())),
            Err(why) => missing.push(why),
        }
    }
    let first =
        if there.is_empty() { "no scripts of steps are run".to_owned() } else { format!("scripts of steps are run: {}", there.join(", ")) };
    std::iter::once(first).chain(missing).collect()
}

fn version(program: &Path, arguments: &[&str]) -> Result<String, String> {
    let asked =
        Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().map_err(|problem| problem.to_string())?;
    let text = String::from_utf8_lossy(&asked.stdout).trim().to_owned();
    let is_version = text.starts_with(|c: char| c.is_ascii_digit());
    if asked.status.success() && is_version { Ok(text) } else { Err("it does not say its version".to_owned()) }
}
