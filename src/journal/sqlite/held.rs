//! Who is alive on this machine: a locked file for each run that a process holds. The kernel frees it when the process ends,
//! however it ends.
//!
//! The file's name is made of the run and its holder's nonce, so nobody ever waits for another's file: who looks takes a shared lock
//! for a moment, which disturbs neither the holder nor others who look.

use super::super::{Holder, chain::hash};
use crate::platform::files::{create_folder, private};
use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
};

/// The folder of the files.
pub struct HeldFiles(PathBuf);

/// A held run: alive until this is dropped or the process ends.
#[derive(Debug)]
pub struct Grip {
    path: PathBuf,
    // Closing it frees the lock.
    _file: File,
}

impl HeldFiles {
    /// Those in a state folder.
    pub fn below(folder: &Path) -> Self {
        Self(folder.join("held"))
    }

    fn path(&self, run: &str, nonce: &str) -> PathBuf {
        self.0.join(&hash(&[run, nonce])[..32])
    }

    /// Says that this process holds the run.
    pub fn take(&self, run: &str, holder: &Holder) -> io::Result<Grip> {
        create_folder(&self.0)?;
        let path = self.path(run, &holder.nonce);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = private(&mut options).open(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Grip { path, _file: file }),
            Err(TryLockError::WouldBlock) => Err(io::Error::other("the same process holds it already")),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Whether the holder's process is there. Any doubt counts as alive: two processes at one run would be worse than a wait.
    pub fn is_alive(&self, run: &str, holder: &Holder) -> bool {
        match File::open(self.path(run, &holder.nonce)) {
            Ok(file) => file.try_lock_shared().is_err(),
            // Without the file nobody holds it: a grip removes its file only when it ends.
            Err(problem) => problem.kind() != io::ErrorKind::NotFound,
        }
    }

    /// Removes what a dead holder left.
    pub fn forget(&self, run: &str, holder: &Holder) {
        let _ = std::fs::remove_file(self.path(run, &holder.nonce));
    }
}

impl Drop for Grip {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_that_cannot_be_looked_for_counts_as_alive() {
        let folder = tempfile::tempdir().expect("a folder");
        let holder = Holder { nonce: "1a2b".into(), host: "vm".into(), pid: 1, mode: serde_json::Value::Null, identity: None };
        assert!(!HeldFiles::below(folder.path()).is_alive("run", &holder));
        // A file in the place of the folder: its entries cannot be opened, and not because they are missing.
        std::fs::write(folder.path().join("held"), "").expect("written");
        assert!(HeldFiles::below(folder.path()).is_alive("run", &holder));
    }
}
