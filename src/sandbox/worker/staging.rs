//! Packages beside a body: taken from the built-in feed in the version of the release, and put into the folder of the step as the agent
//! does: extracted without executable bits or links, or copied as a file.

use super::variables::Set;
use crate::sandbox::{bounds, builtin_feed, packages, selection::taken, state::State, world::run::Reference};
use axum::body::Bytes;
use std::{
    fs,
    io::{self, Cursor, Read as _},
    path::Path,
};

/// A package of a step, and its file unless it is not acquired.
pub(super) struct Package {
    reference: Reference,
    version: String,
    hash: String,
    file: Option<(Bytes, String)>,
}

/// The packages of a step of a task.
///
/// # Errors
/// With the server's words when one is missing.
pub(super) fn acquire(state: &State, task: usize, step: usize) -> Result<Vec<Package>, String> {
    let t = &state.tasks[task];
    let Some(run) = &t.plan[step].run else { return Ok(Vec::new()) };
    // The package that a script comes from has no name; those beside it have one.
    run.references
        .iter()
        .filter(|one| !one.name.is_empty())
        .map(|reference| one(state, t.execution, &t.plan[step].name, reference))
        .collect()
}

fn one(state: &State, execution: Option<usize>, step: &str, reference: &Reference) -> Result<Package, String> {
    let Reference { name, package: id, feed, .. } = reference;
    let space = execution.map_or_else(|| state.default_space().to_owned(), |x| state.executions[x].space.clone());
    let version = reference.fixed.clone().or_else(|| taken(state, execution?, step, name));
    let version = version.ok_or_else(|| format!("No package version was specified for the step '{step}' and its package '{name}'"))?;
    if !reference.is_acquired {
        return Ok(Package { reference: reference.clone(), version, hash: String::new(), file: None });
    }
    if !builtin_feed::builtin(&state.store, &space).eq_ignore_ascii_case(feed) {
        let name = state.store.name("feeds", feed);
        return Err(format!(
            "The package {id} {version} could not be downloaded from the feed '{name}': the sandbox has the built-in repository only."
        ));
    }
    let place = packages::place(state, &space, id, &version);
    let found = &state.packages
        [place.ok_or_else(|| format!("The package {id} version {version} could not be located in the built-in repository."))?];
    let (bytes, extension) = found.content();
    if ![".zip", ".nupkg"].contains(&extension.to_lowercase().as_str()) && is_extracted(reference) {
        return Err(format!("The package {id} {version} is a {extension} file: the sandbox extracts .zip and .nupkg."));
    }
    Ok(Package { reference: reference.clone(), version, hash: found.hash.clone(), file: Some((bytes, extension.to_owned())) })
}

fn is_extracted(reference: &Reference) -> bool {
    reference.properties.iter().any(|(key, value)| key == "Extract" && value.eq_ignore_ascii_case("true"))
}

/// Puts the packages into the folder of the step, and adds their variables. Says what it does, with the category of each line.
pub(super) fn stage(
    all: &[Package],
    home: &Path,
    folder: &Path,
    variables: &mut Set,
    mut say: impl FnMut(&'static str, String),
) -> io::Result<()> {
    for package in all {
        let name = &package.reference.name;
        let mut add = |key: &str, value: &str| variables.add(&format!("Octopus.Action.Package[{name}].{key}"), value, false);
        for (key, value) in &package.reference.properties {
            add(key, value);
        }
        add("PackageId", &package.reference.package);
        add("FeedId", &package.reference.feed);
        add("PackageVersion", &package.version);
        say("Verbose", format!("Considering '{name}' for extraction"));
        let Some((bytes, extension)) = &package.file else {
            say("Info", format!("Dependency '{name}' was not acquired or does not require staging"));
            continue;
        };
        // Where an agent keeps what it was sent; a name in which every version and content is another file.
        let kept = home.join("Files");
        fs::create_dir_all(&kept)?;
        let original = kept.join(format!("{}@S{}@{}{extension}", package.reference.package, package.version, package.hash));
        if !original.exists() {
            let mut whole = tempfile::NamedTempFile::new_in(&kept)?;
            io::Write::write_all(&mut whole, bytes)?;
            whole.persist(&original)?;
        }
        let original = original.display().to_string();
        add("OriginalPath", &original);
        let own = allowed(name);
        if is_extracted(&package.reference) {
            let to = folder.join(&own);
            say("Info", format!("Extracting dependency '{original}' to '{}'", to.display()));
            extract(bytes, &to, &mut say)?;
            add("ExtractedPath", &to.display().to_string());
        } else {
            let file = format!("{own}{extension}");
            let to = folder.join(&file).display().to_string();
            say("Info", format!("Copying dependency: '{original}' -> '{to}'"));
            fs::write(&to, bytes)?;
            add("PackageFilePath", &to);
            add("PackageFileName", &file);
        }
    }
    Ok(())
}

/// A name without what names of files cannot have.
fn allowed(name: &str) -> String {
    name.chars().filter(|c| !c.is_control() && !"<>:\"/\\|?*".contains(*c)).collect()
}

fn extract(bytes: &Bytes, to: &Path, say: &mut impl FnMut(&'static str, String)) -> io::Result<()> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes))?;
    let (mut left, entries) = bounds::EXTRACTED;
    if archive.len() > entries {
        return Err(io::Error::other(format!("the archive has {} entries, and the sandbox extracts at most {entries}", archive.len())));
    }
    fs::create_dir_all(to)?;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        let name = entry.name()?.into_owned();
        if entry.is_symlink() {
            say(
                "Warning",
                format!("Cannot create symbolic link: {name}, Calamari does not currently support the extraction of symbolic links"),
            );
            continue;
        }
        let inside = entry
            .enclosed_name()
            .ok_or_else(|| io::Error::other(format!("the entry `{name}` of the archive lies outside of its folder")))?;
        let path = to.join(inside);
        if entry.is_dir() {
            fs::create_dir_all(&path)?;
            continue;
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        // Its head may say another size than it has.
        let size = io::copy(&mut entry.by_ref().take(left + 1), &mut fs::File::create(&path)?)?;
        if size > left {
            let most = bounds::EXTRACTED.0 >> 20;
            return Err(io::Error::other(format!("the archive holds more than {most} MiB, and the sandbox extracts no more")));
        }
        left -= size;
    }
    Ok(())
}
