//! A script in a file: its text, its folder, and what it says of itself.

use super::environment::read;
use crate::{
    engine::{Files, Source},
    error::{Result, nearest},
};
use std::path::Path;

/// Scripts are not larger; the longest that people wrote by hand are a hundredth of it.
const LARGEST_SCRIPT: u64 = 1 << 20;

/// A script with its folder, where its modules are.
pub(super) fn source(path: &Path) -> Result<Source> {
    let text = read(path, "script", LARGEST_SCRIPT).map_err(|error| {
        if path.extension().is_none() && path.with_extension("rhai").is_file() {
            return error.help(format!("did you mean `{}`?", path.with_extension("rhai").display()));
        }
        match neighbour(path) {
            Some(near) => error.help(format!("did you mean `{near}`?")),
            None => error,
        }
    })?;
    let folder = path.parent().map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
    let files = folder.map_or(Files::None, |folder| Files::Folder(folder.to_path_buf()));
    Ok(Source { name: path.display().to_string(), text, files })
}

/// The script in the same folder whose name is nearest, where there is none of this name.
fn neighbour(path: &Path) -> Option<String> {
    if path.exists() {
        return None;
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut names: Vec<String> = std::fs::read_dir(folder).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.retain(|name| Path::new(name).extension().is_some_and(|end| end == "rhai"));
    names.sort_unstable();
    let near = nearest(path.file_name()?.to_str()?, names.iter().map(String::as_str))?;
    Some(path.with_file_name(near).display().to_string())
}

/// What a script says about itself: the comment lines at its top, without a first word that is its own path.
pub(super) fn about(text: &str) -> Option<String> {
    let lines: Vec<&str> = text
        .lines()
        .skip_while(|line| line.starts_with("#!"))
        .map_while(|line| line.trim().strip_prefix("//"))
        .map(|line| line.trim_start_matches(['/', '!']).trim())
        .collect();
    let text = lines.join("\n");
    let text = match text.split_once(": ") {
        Some((path, rest)) if Path::new(path).extension().is_some_and(|end| end == "rhai") && !path.contains(char::is_whitespace) => rest,
        _ => &text,
    };
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_tells_what_it_is_in_its_first_comment() {
        assert_eq!(about("// scripts/x.rhai: A and B,\n// then C\nlet x = 1; // no\n").as_deref(), Some("A and B,\nthen C"));
        assert_eq!(about("#!/usr/bin/env octorhai\n//! Note: careful\n").as_deref(), Some("Note: careful"));
        assert_eq!(about("let x = 1;\n// later"), None);
    }
}
