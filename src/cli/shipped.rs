//! The files that come with the program: scripts, their step templates, the standard library.

use crate::engine;
use include_dir::{Dir, include_dir};

static SCRIPTS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/scripts");
static TEMPLATES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/templates");

/// Scripts to copy, each with its name, in order.
pub(super) fn scripts() -> Vec<(&'static str, &'static str)> {
    let mut scripts: Vec<_> = SCRIPTS.files().filter_map(|file| Some((file.path().to_str()?, file.contents_utf8()?))).collect();
    scripts.sort_unstable();
    scripts
}

/// All files by their paths: the standard library, scripts, their step templates, in order.
pub(super) fn all() -> impl Iterator<Item = (String, Vec<u8>)> {
    let standard = engine::standard_library().map(|(name, text)| (name.replacen("std/", "stdlib/", 1), text.as_bytes().to_vec()));
    let of = |folder: &'static Dir<'static>, name: &'static str| {
        folder.files().map(move |file| (format!("{name}/{}", file.path().display()), file.contents().to_vec()))
    };
    standard.chain(of(&SCRIPTS, "scripts")).chain(of(&TEMPLATES, "templates"))
}
