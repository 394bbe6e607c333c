//! The package with the program, for the built-in feed: one for all platforms, so that nobody has to choose (octopus-step-contract.md
//! §3.1). The same input gives the same bytes.

use crate::error::{Error, Result};
use std::io::{Cursor, Write};
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

/// The platforms that the launchers look for, each with the name of the program there.
pub const PLATFORMS: &[(&str, &str)] =
    &[("linux-x64", "octorhai"), ("linux-arm64", "octorhai"), ("windows-x64", "octorhai.exe"), ("windows-arm64", "octorhai.exe")];

/// The folder of the platform that this program is for, if launchers know it.
pub fn own_platform() -> Option<&'static str> {
    let machine = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    PLATFORMS.iter().map(|(platform, _)| *platform).find(|platform| *platform == format!("{}-{machine}", std::env::consts::OS))
}

/// A file of the package.
pub struct PackedFile {
    /// Its path in it.
    pub path: String,
    /// Its content.
    pub content: Vec<u8>,
    /// Whether it is a program. Octopus does not keep that; other tools do.
    pub is_program: bool,
}

/// The package with these files.
///
/// # Errors
/// When two have the same path.
pub fn pack(mut entries: Vec<PackedFile>) -> Result<Vec<u8>> {
    entries.sort_by(|one, other| one.path.cmp(&other.path));
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let wrong = |path: &str, why: String| Error::usage(format!("`{path}` cannot be put into the package: {why}"));
    for entry in &entries {
        let mode = if entry.is_program { 0o755 } else { 0o644 };
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(DateTime::default())
            .unix_permissions(mode);
        let path = &entry.path;
        zip.start_file(path, options).map_err(|problem| wrong(path, problem.to_string()))?;
        zip.write_all(&entry.content).map_err(|problem| wrong(path, problem.to_string()))?;
    }
    zip.finish().map(Cursor::into_inner).map_err(|problem| Error::bug(format!("the package could not be ended: {problem}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_files_give_the_same_bytes_in_whatever_order() {
        let entry = |path: &str| PackedFile { path: path.to_owned(), content: path.as_bytes().to_vec(), is_program: path.ends_with('p') };
        let one = pack(vec![entry("a"), entry("b/p")]).expect("packed");
        let other = pack(vec![entry("b/p"), entry("a")]).expect("packed");
        assert!(one == other && !one.is_empty());
        assert!(pack(vec![entry("a"), entry("a")]).is_err());
    }
}
