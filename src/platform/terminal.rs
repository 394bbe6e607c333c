//! The terminal that a person looks at and types in: whether it knows colours and shows what is typed, and the editor beside it.

use parking_lot::Mutex;

/// The editor where neither VISUAL nor EDITOR names one.
pub const EDITOR: &str = if cfg!(windows) { "notepad" } else { "vi" };

/// Whether the terminal of stdout and stderr follows control sequences, for colours and for lines that are drawn again. The console of Windows
/// shows them as they are until it is asked; older ones cannot.
pub fn follows_sequences() -> bool {
    system::follows_sequences()
}

/// While this lives, the terminal does not show the keys that are pressed among the live lines: they are the beginning of the next input.
pub struct NoEcho(());

/// How the terminal was before.
static BEFORE: Mutex<Option<system::SavedMode>> = Mutex::new(None);

impl NoEcho {
    /// Does nothing where stdin is no terminal.
    #[must_use = "the terminal shows keys again when this is dropped"]
    pub fn new() -> Self {
        if let Some(before) = system::hide() {
            *BEFORE.lock() = Some(before);
        }
        Self(())
    }

    /// Makes the terminal what it was; also for whoever ends the process without further ado.
    pub fn undo() {
        if let Some(before) = BEFORE.lock().take() {
            system::restore(&before);
        }
    }
}

impl Default for NoEcho {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for NoEcho {
    fn drop(&mut self) {
        Self::undo();
    }
}

#[cfg(unix)]
mod system {
    use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
    use std::io::stdin;

    pub(super) type SavedMode = Termios;

    pub(super) fn follows_sequences() -> bool {
        true
    }

    pub(super) fn hide() -> Option<SavedMode> {
        let before = tcgetattr(stdin()).ok()?;
        let mut quiet = before.clone();
        quiet.local_flags.remove(LocalFlags::ECHO);
        let _still_echoes = tcsetattr(stdin(), SetArg::TCSANOW, &quiet);
        Some(before)
    }

    pub(super) fn restore(before: &SavedMode) {
        let _gone = tcsetattr(stdin(), SetArg::TCSANOW, before);
    }
}

/// A mode of the console's input that is without `ENABLE_ECHO_INPUT`.
#[cfg(windows)]
mod system {
    use winapi_util::{
        HandleRef,
        console::{mode, set_mode},
    };

    const ENABLE_ECHO_INPUT: u32 = 4;
    /// The same bit of an output means another thing.
    const ENABLE_VIRTUAL_TERMINAL_PROCESSING: u32 = 4;

    pub(super) type SavedMode = u32;

    pub(super) fn follows_sequences() -> bool {
        // What is no console has no mode, and gets no colours either.
        [HandleRef::stdout, HandleRef::stderr].iter().all(|output| match mode(output()) {
            Ok(before) if before & ENABLE_VIRTUAL_TERMINAL_PROCESSING == 0 => {
                set_mode(output(), before | ENABLE_VIRTUAL_TERMINAL_PROCESSING).is_ok()
            }
            _ => true,
        })
    }

    pub(super) fn hide() -> Option<SavedMode> {
        let before = mode(HandleRef::stdin()).ok()?;
        let _still_echoes = set_mode(HandleRef::stdin(), before & !ENABLE_ECHO_INPUT);
        Some(before)
    }

    pub(super) fn restore(before: &SavedMode) {
        let _gone = set_mode(HandleRef::stdin(), *before);
    }
}
