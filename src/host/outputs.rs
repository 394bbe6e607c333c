//! What a script gives to the outside: output variables, artifacts, notes, progress.

use super::prelude::*;
use super::{call::ScriptCall, context::SecretText, tasks::tasks_of};
use crate::{event::Hidden, platform::files::can_be_names};
use std::path::{Component, Path};

crate::options! {
    /// How an output variable is set.
    pub struct OutputOptions for ["output"] {
        /// Let the next step evaluate `#{...}` in the value.
        raw: bool = false, "false";
        /// Put `***` in the place of secrets, instead of refusing a value that holds one.
        masked: bool = false, "false";
    }
}

crate::options! {
    /// How a sensitive output variable is set.
    pub struct SecretOutputOptions for ["output_secret"] {
        /// Let the next step evaluate `#{...}` in the value.
        raw: bool = false, "false";
    }
}

crate::options! {
    /// How a text is kept.
    pub struct ArtifactOptions for ["artifact"] {
        /// Put `***` in the place of secrets, instead of refusing a text that holds one.
        masked: bool = false, "false";
    }
}

const MASKED: &str = "to put `***` in its place add `#{masked: true}`";

/// A text that leaves the run as data. It arrives whole or not at all: what is masked reads like data, and is none.
fn whole(host: &Host, function: &str, what: &str, text: String, masked: bool) -> HostResult<String> {
    if masked {
        return Ok(host.secrets.clean(&text).into_owned());
    }
    if !host.secrets.is_in(&text) {
        return Ok(text);
    }
    let error = Error::new(Kind::Script, format!("`{function}`: the {what} holds the text of a secret"));
    let error = if function == "output" { error.help("a secret is passed on with `output_secret`, which no log shows") } else { error };
    Err(raise(error.help(MASKED)))
}

/// A name under which data is kept: people see it everywhere.
fn plain(host: &Host, function: &str, name: String) -> HostResult<String> {
    if host.secrets.is_in(&name) {
        return Err(Error::new(Kind::Script, format!("`{function}`: the name holds the text of a secret"))
            .help("choose another name")
            .into());
    }
    Ok(name)
}

/// Dots and brackets have a meaning in the names of variables, and `#{` in all that is evaluated.
fn checked(name: String) -> HostResult<String> {
    let fits = |c: char| c.is_alphanumeric() || "_.- ".contains(c);
    if name.trim().is_empty() || !name.chars().all(fits) {
        return Err(Error::new(Kind::Script, format!("`{name}` cannot be the name of an output variable"))
            .help("it has letters, digits, `_`, `-`, `.` and blanks, e.g. `output(\"Shop.Version\", ...)`")
            .into());
    }
    Ok(name)
}

crate::functions! {
    group "outputs";

    /// The output variables of a deployment or runbook run, as a map of maps: `outputs(t)["Step name"].Name`. What `output`
    /// was given comes out; sensitive ones are `()`.
    ///
    /// ```rhai
    /// let t = wait(deploy("Project A", "latest", "Test"));
    /// print(outputs(t));
    /// ```
    fn outputs(host: ScriptCall, task: Dynamic) -> "map" raises "not_found, request" {
        let mut all = Map::new();
        for task in tasks_of(&host, task)? {
            let (space, found) = (&task.place.space, (&task.deployment, &task.runbook_run));
            let found = match found {
                (Some(deployment), _) => host.block(space.output_variables(deployment))?,
                (None, Some(run)) => host.block(space.runbook_output_variables(run))?,
                (None, None) => continue,
            };
            for (full, value) in found {
                // `Octopus.Action[Step].Output.Name` (octopus-api.md §27)
                let Some((step, name)) = full.strip_prefix("Octopus.Action[").and_then(|rest| rest.split_once("].Output.")) else { continue };
                let entry = all.entry(step.into()).or_insert_with(|| Map::new().into());
                if let Some(mut values) = entry.write_lock::<Map>() {
                    values.insert(name.into(), value.map_or(Dynamic::UNIT, Into::into));
                }
            }
        }
        Ok(all)
    }

    /// Sets an output variable of the step that runs this script; outside of a step it is shown.
    ///
    /// Octopus evaluates the value as a template when a later step reads it, so `#{` in it is escaped. A value that holds the text
    /// of a secret is refused: people may read it.
    ///
    /// ```rhai
    /// output("Version", deployed("Project A", "Test").release);
    /// ```
    fn output(host: Host, name: String, value: Dynamic; options: OutputOptions) -> "nothing" {
        let name = checked(plain(&host, "output", name)?)?;
        if holds_secret(&value) && !options.masked {
            let error = Error::new(Kind::Script, format!("`output`: the value of `{name}` holds a secret"));
            return Err(raise(error.help("a secret is passed on with `output_secret`, which no log shows").help(MASKED)));
        }
        let value = whole(&host, "output", &format!("value of `{name}`"), shown(&value), options.masked)?;
        host.emit(What::Output { name, value: Some(value), secret: None, raw: options.raw });
        Ok(())
    }

    /// Sets a sensitive output variable; its value is never shown, and masked wherever it comes up from now on.
    ///
    /// ```rhai
    /// output_secret("Token", secret("Token"));
    /// ```
    fn output_secret(host: Host, name: String, value: SecretText; options: SecretOutputOptions) -> "nothing" {
        let (name, value) = (checked(plain(&host, "output_secret", name)?)?, value.into_text());
        host.secrets.learn(&value);
        if let Some(recorder) = &host.record {
            recorder.learn(&format!("output_secret {name}"), &value);
        }
        host.emit(What::Output { name, value: None, secret: Some(Hidden::new(value)), raw: options.raw });
        Ok(())
    }

    /// Keeps a text as a file: an artifact of the step, or a file in the folder `--artifacts`. Returns the path. A text or a name that
    /// holds a secret is refused.
    ///
    /// ```rhai
    /// artifact("today.csv", report(deployments(#{since: ago("24h")}), #{format: "csv"}));
    /// ```
    fn artifact(host: Host, name: String, text: String; options: ArtifactOptions) -> "text" {
        let name = plain(&host, "artifact", name)?;
        let text = whole(&host, "artifact", &format!("text of `{name}`"), text, options.masked)?;
        let path = write(&host, &name, &text)?;
        host.emit(What::Artifact { name, path: path.clone() });
        Ok(path)
    }

    /// Tells something that the reader shall not miss.
    ///
    /// ```rhai
    /// highlight("the train has left");
    /// ```
    fn highlight(host: Host, text: Shown) -> "nothing" {
        host.note(Level::Highlight, text.0);
        Ok(())
    }

    /// Tells a warning.
    ///
    /// ```rhai
    /// warn("no ticket was given");
    /// ```
    fn warn(host: Host, text: Shown) -> "nothing" {
        host.note(Level::Warning, text.0);
        Ok(())
    }

    /// Tells something that only `--verbose` shows.
    ///
    /// ```rhai
    /// verbose("looking at the dashboard");
    /// ```
    fn verbose(host: Host, text: Shown) -> "nothing" {
        host.note(Level::Verbose, text.0);
        Ok(())
    }

    /// Tells how far the script is, in percent.
    ///
    /// ```rhai
    /// progress(50, "half of the tenants");
    /// ```
    fn progress(host: Host, percent: i64, text: Shown) -> "nothing" {
        host.emit(What::Progress { percent: percent.clamp(0, 100) as u8, text: text.0 });
        Ok(())
    }
}

fn why(problem: &std::io::Error) -> String {
    match problem.kind() {
        std::io::ErrorKind::AlreadyExists | std::io::ErrorKind::NotADirectory => "there is a file where a folder should be".to_owned(),
        std::io::ErrorKind::StorageFull => "the disk is full".to_owned(),
        std::io::ErrorKind::PermissionDenied => "this user may not write there".to_owned(),
        _ => problem.to_string(),
    }
}

/// Writes an artifact; its name may not lead out of the folder.
fn write(host: &Host, name: &str, text: &str) -> HostResult<String> {
    let only_a_name = Path::new(name).components().all(|c| matches!(c, Component::Normal(_))) && !name.trim().is_empty();
    if !only_a_name {
        return Err(Error::new(Kind::Script, format!("`{name}` is not the name of a file"))
            .help("artifacts stay in their folder: no `..` and no path from the root")
            .into());
    }
    if !can_be_names(name) {
        return Err(raise(Error::new(Kind::Script, format!("`{name}` cannot be the name of a file on Windows")).help(
            "a name there has none of the characters < > : \" | ? *, no dot or space at its end, and is not a device such as `nul`",
        )));
    }
    let path = host.artifacts.join(name);
    let written = without_links(&host.artifacts, name).and_then(|()| replace(&path, text));
    match written {
        Ok(()) => Ok(path.display().to_string()),
        Err(problem) => {
            Err(Error::new(Kind::Script, format!("artifact `{name}` could not be written to `{}`: {}", path.display(), why(&problem)))
                .help("choose another folder with `--artifacts DIR`")
                .into())
        }
    }
}

/// Makes the folders above an artifact. Below the artifacts' folder, which is the user's choice, nothing is followed that leads elsewhere.
fn without_links(artifacts: &Path, name: &str) -> std::io::Result<()> {
    let mut path = artifacts.to_path_buf();
    std::fs::create_dir_all(&path)?;
    let mut names = Path::new(name).components().peekable();
    while let Some(part) = names.next() {
        path.push(part);
        match std::fs::symlink_metadata(&path) {
            Ok(there) if there.file_type().is_symlink() => {
                return Err(std::io::Error::other(format!("`{}` is a link, and artifacts follow none", path.display())));
            }
            Ok(_) => {}
            Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => {
                if names.peek().is_some() {
                    std::fs::create_dir(&path)?;
                }
            }
            Err(problem) => return Err(problem),
        }
    }
    Ok(())
}

/// Puts a new file in the place of what has that name, so that a link that somebody puts there meanwhile is not followed.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(problem) if problem.kind() != std::io::ErrorKind::NotFound => return Err(problem),
        _ => {}
    }
    let mut made = std::fs::File::options().write(true).create_new(true).open(path)?;
    std::io::Write::write_all(&mut made, text.as_bytes())
}
