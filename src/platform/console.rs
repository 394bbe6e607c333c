//! What is at the other end of our stdout: in which code page it reads, and whether it is still there.

/// The number of the code page in which an agent reads our stdout through a pipe; on Windows the system's OEM code page. None where all
/// agents read UTF-8.
pub fn output_code_page() -> Option<u32> {
    system::output_code_page()
}

/// Whether nobody reads our stdout any more, found out without writing to it. False where that cannot be told.
pub fn is_output_closed() -> bool {
    system::is_output_closed()
}

/// Readers on Linux and macOS take UTF-8, whatever the locale. A pipe without a reader is in the state of an error.
#[cfg(unix)]
mod system {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::os::fd::AsFd as _;

    pub(super) fn output_code_page() -> Option<u32> {
        None
    }

    pub(super) fn is_output_closed() -> bool {
        let out = std::io::stdout();
        let mut ends = [PollFd::new(out.as_fd(), PollFlags::empty())];
        poll(&mut ends, PollTimeout::ZERO).is_ok()
            && ends[0].revents().is_some_and(|seen| seen.intersects(PollFlags::POLLERR | PollFlags::POLLHUP))
    }
}

/// Agents on Windows read in the OEM code page of the system, whatever page a console has, and the registry says which one that is. A pipe is
/// not asked whether anybody reads it: to write nothing ends the stream for a reader in .NET. The end of the agent tells
/// ([`super::ancestors`]), or the next line that is written.
#[cfg(windows)]
mod system {
    use windows_registry::LOCAL_MACHINE;

    pub(super) fn output_code_page() -> Option<u32> {
        let pages = LOCAL_MACHINE.open(r"SYSTEM\CurrentControlSet\Control\Nls\CodePage").ok()?;
        pages.get_string("OEMCP").ok()?.trim().parse().ok()
    }

    pub(super) fn is_output_closed() -> bool {
        false
    }
}

/// Elsewhere nothing is known.
#[cfg(not(any(unix, windows)))]
mod system {
    pub(super) fn output_code_page() -> Option<u32> {
        None
    }

    pub(super) fn is_output_closed() -> bool {
        false
    }
}
