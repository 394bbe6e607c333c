//! Files that are only for this user, that can be told apart, whose names are safely on disk, and that are read with a bound.
//!
//! On Windows a file inherits who may read it from its folder, and the folders of a profile are only for its user, the system and
//! administrators: there is nothing to be set. A file that is open keeps its name there, and a folder cannot be opened to be synchronised,
//! because the file system writes names in its own log.

use crate::error::size;
use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Read as _},
    path::{Component, Path},
};

/// The content of a file of at most `largest` bytes. Nobody else reads files that people name.
///
/// Folders, devices and named pipes are refused before they are opened: a device may never end, and opening a pipe waits for its writer. A pipe
/// that a shell has opened for us (`<(command)`, `/dev/stdin`) is read.
///
/// # Errors
/// When there is no such file, it cannot be read, or is too large. The text of the error says why, and follows `cannot be read: `.
pub fn read(path: &Path, largest: u64) -> io::Result<Vec<u8>> {
    let is_read = |kind: std::fs::FileType| kind.is_file() || (is_handed_over(path) && system::is_pipe(kind));
    let about = std::fs::metadata(path).map_err(in_words)?;
    if about.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"));
    }
    let not_a_file = || io::Error::new(io::ErrorKind::InvalidInput, "it is not a file but a device or pipe");
    if !is_read(about.file_type()) {
        return Err(not_a_file());
    }
    let file = File::open(path).map_err(in_words)?;
    // Another file may have got the name meanwhile.
    if !is_read(file.metadata().map_err(in_words)?.file_type()) {
        return Err(not_a_file());
    }
    let too_large = || io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {}, the most we read", size(largest)));
    if about.len() > largest {
        return Err(too_large());
    }
    // What is read is counted all the same: a file may grow, and those of /proc do not tell their length.
    let mut bytes = Vec::new();
    file.take(largest + 1).read_to_end(&mut bytes).map_err(in_words)?;
    if bytes.len() as u64 > largest { Err(too_large()) } else { Ok(bytes) }
}

/// The text in a file, without the mark that editors on Windows put in front.
///
/// # Errors
/// Those of [`read`], and when it is not UTF-8.
pub fn read_text(path: &Path, largest: u64) -> io::Result<String> {
    let text = String::from_utf8(read(path, largest)?);
    let text = text.map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not text in UTF-8"))?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

fn in_words(why: io::Error) -> io::Error {
    let words = match why.kind() {
        io::ErrorKind::NotFound => "there is no such file",
        io::ErrorKind::PermissionDenied => "this user may not read it",
        _ => return why,
    };
    io::Error::new(why.kind(), words)
}

/// Whether this is the name of what the process has open already.
fn is_handed_over(path: &Path) -> bool {
    path == Path::new("/dev/stdin") || path.starts_with("/dev/fd") || path.starts_with("/proc/self/fd")
}

/// What tells a file from another one that gets its name.
pub type Identity = (u64, u64);

/// What a person looks with for the processes that have a file open.
pub const WHO_HAS_IT_OPEN: &str = if cfg!(windows) { "Resource Monitor, CPU, Associated Handles" } else { "`lsof` or `fuser` on the file" };

/// Makes a folder that is only for us, with the folders above it; one that is there stays as it is.
///
/// # Errors
/// When it cannot be made.
pub fn create_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    system::private_folder(&mut builder);
    builder.create(folder)
}

/// Opens files that are only for us.
pub fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    system::private_file(options)
}

/// Whether this user made the file or folder and no other user may write to it. On Windows: whether it is in this user's profile.
pub fn is_own(path: &Path) -> bool {
    system::is_own(path)
}

/// The identity of the file that has this name now.
///
/// # Errors
/// When there is none, or it cannot be seen.
pub fn identity(file: &Path) -> io::Result<Identity> {
    system::identity(file)
}

/// Returns when what is in a file is on disk. Windows asks for the right to write for that.
///
/// # Errors
/// When the disk does not take it, or this user may not write the file.
pub fn sync_content(file: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).open(file)?.sync_all()
}

/// Returns when the names in a folder are on disk.
///
/// # Errors
/// When the disk does not take them.
pub fn sync_names(folder: &Path) -> io::Result<()> {
    system::sync_names(folder)
}

/// Whether each name in a relative path can be one of a file. Windows takes `a:b` for a second content of the file `a`, `nul` for a device,
/// and `a.` for `a`: what is written there is lost, and nobody is told.
pub fn can_be_names(path: &str) -> bool {
    !cfg!(windows) || path.split(['/', '\\']).all(can_be_a_name_on_windows)
}

fn can_be_a_name_on_windows(name: &str) -> bool {
    let device = name.split('.').next().unwrap_or_default().trim_end().to_uppercase();
    let numbered = |kind| device.strip_prefix(kind).is_some_and(|number| matches!(number.as_bytes(), [b'0'..=b'9']));
    let is_device = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"].contains(&device.as_str()) || numbered("COM") || numbered("LPT");
    !is_device && !name.ends_with(['.', ' ']) && !name.contains(|c: char| c.is_control() || "<>:\"|?*".contains(c))
}

/// A relative path as documents write it on all systems: with `/` between the names.
pub fn with_slashes(path: &Path) -> String {
    let names = path.components().map(|part| match part {
        Component::RootDir => String::new(),
        part => part.as_os_str().to_string_lossy().into_owned(),
    });
    names.collect::<Vec<_>>().join("/")
}

#[cfg(unix)]
mod system {
    use super::Identity;
    use std::{
        fs::{DirBuilder, File, OpenOptions},
        io,
        os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _},
        path::Path,
    };

    pub(super) fn private_folder(builder: &mut DirBuilder) {
        builder.mode(0o700);
    }

    pub(super) fn private_file(options: &mut OpenOptions) -> &mut OpenOptions {
        options.mode(0o600)
    }

    pub(super) fn is_own(path: &Path) -> bool {
        let others_write = 0o022;
        let own = nix::unistd::geteuid().as_raw();
        std::fs::metadata(path).is_ok_and(|known| known.uid() == own && known.mode() & others_write == 0)
    }

    pub(super) fn is_pipe(kind: std::fs::FileType) -> bool {
        kind.is_fifo()
    }

    pub(super) fn identity(file: &Path) -> io::Result<Identity> {
        let known = std::fs::metadata(file)?;
        Ok((known.dev(), known.ino()))
    }

    pub(super) fn sync_names(folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }
}

#[cfg(windows)]
mod system {
    use super::Identity;
    use std::{
        fs::{DirBuilder, OpenOptions},
        io,
        path::Path,
    };
    use winapi_util::{Handle, file::information};

    pub(super) fn private_folder(_: &mut DirBuilder) {}

    pub(super) fn private_file(options: &mut OpenOptions) -> &mut OpenOptions {
        options
    }

    pub(super) fn is_own(path: &Path) -> bool {
        let profile = std::env::var_os("LOCALAPPDATA").map(std::path::PathBuf::from);
        profile.is_some_and(|profile| path.starts_with(profile))
    }

    pub(super) fn is_pipe(_: std::fs::FileType) -> bool {
        false
    }

    pub(super) fn identity(file: &Path) -> io::Result<Identity> {
        let known = information(Handle::from_path_any(file)?)?;
        Ok((known.volume_serial_number(), known.file_index()))
    }

    pub(super) fn sync_names(_: &Path) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_in_place_of_another_one_has_another_identity() {
        let folder = tempfile::tempdir().expect("a folder");
        let (one, other) = (folder.path().join("one"), folder.path().join("other"));
        std::fs::write(&one, "1").expect("written");
        std::fs::write(&other, "2").expect("written");
        let before = identity(&one).expect("there");
        assert_eq!(identity(&one).expect("there"), before);
        std::fs::rename(&other, &one).expect("renamed");
        assert_ne!(identity(&one).expect("there"), before);
        assert!(identity(&other).is_err());
        assert!(identity(folder.path()).is_ok());
        sync_content(&one).expect("on disk");
        sync_names(folder.path()).expect("on disk");
    }

    #[test]
    fn only_files_are_read_and_only_so_much_of_them() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        std::fs::write(&file, "\u{feff}1234567").expect("written");
        assert_eq!(read_text(&file, 10).expect("read"), "1234567");
        let told = |path: &Path, largest| read_text(path, largest).expect_err("not read").to_string();
        assert_eq!(told(&file, 9), "it has more than 9 bytes, the most we read");
        assert_eq!(told(folder.path(), 9), "it is a folder");
        assert_eq!(told(&folder.path().join("none"), 9), "there is no such file");
        std::fs::write(&file, [0xff]).expect("written");
        assert_eq!(told(&file, 9), "it is not text in UTF-8");
        if cfg!(unix) {
            for device in ["/dev/zero", "/dev/null", "/dev/tty"].map(Path::new) {
                assert_eq!(told(device, 9), "it is not a file but a device or pipe", "{}", device.display());
            }
        }
        if cfg!(target_os = "linux") {
            // Its length is told as 0.
            assert_eq!(told(Path::new("/proc/self/status"), 9), "it has more than 9 bytes, the most we read");
        }
    }

    #[test]
    fn names_that_lose_what_is_written_are_known() {
        for name in ["a:b.txt", "nul", "Nul.txt", "com1.txt", "LPT9", "aux .x", "a.", "a ", "a?.txt", "a*", "a\tb", "a|b", "\"a\""] {
            assert!(!can_be_a_name_on_windows(name), "{name:?}");
        }
        for name in ["report.txt", "com.txt", "com10.txt", "console", "nullen", ".hidden", "größe [1].txt", "a b", "auxiliary.txt"] {
            assert!(can_be_a_name_on_windows(name), "{name:?}");
        }
    }

    #[test]
    fn path_in_a_document_has_slashes() {
        let path: std::path::PathBuf = ["lib", "deep", "rings.rhai"].iter().collect();
        assert_eq!(with_slashes(&path), "lib/deep/rings.rhai");
        assert_eq!(with_slashes(Path::new("rings.rhai")), "rings.rhai");
    }
}
