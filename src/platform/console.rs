//! What is at the other end of our stdout: in which code page it reads, and whether it is still there.

/// The number of the code page that whoever reads our stdout through a pipe takes bytes in: the console's on Windows. None where all of
/// them read UTF-8.
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

/// Not asked yet.
#[cfg(not(unix))]
mod system {
    pub(super) fn output_code_page() -> Option<u32> {
        None
    }

    pub(super) fn is_output_closed() -> bool {
        false
    }
}
