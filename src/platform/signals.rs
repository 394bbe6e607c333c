//! What asks this process to end: signals on Unix, events of the console on Windows.
//!
//! Windows grants a closed console five seconds and ends the process then, whatever it does; a process that is killed there hears of
//! nothing. A service has no console: its parent's end tells ([`super::ancestors`]).

pub use system::Signals;

/// The name of the signal that a person sends by Ctrl-C.
pub const INTERRUPT: &str = "Ctrl-C";

#[cfg(unix)]
mod system {
    use super::INTERRUPT;
    use tokio::signal::unix::{Signal, SignalKind, signal};

    /// Listens to signals.
    pub struct Signals {
        interrupt: Signal,
        terminate: Signal,
        /// None where the process that started us has it ignored, as `nohup` does: then it stays ignored.
        hangup: Option<Signal>,
    }

    /// Whether SIGHUP was ignored when this process started. Only Linux tells.
    fn ignores_hangup() -> bool {
        static IGNORED: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
        *IGNORED.get_or_init(|| std::fs::read_to_string("/proc/self/status").is_ok_and(|status| is_ignored(&status, 1)))
    }

    /// Whether the mask of ignored signals in a `/proc/PID/status` holds a signal.
    fn is_ignored(status: &str, signal: u32) -> bool {
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        mask.is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
    }

    impl Signals {
        /// Starts to listen.
        ///
        /// # Errors
        /// When the system does not let us.
        pub fn new() -> std::io::Result<Self> {
            Ok(Self {
                interrupt: signal(SignalKind::interrupt())?,
                terminate: signal(SignalKind::terminate())?,
                hangup: (!ignores_hangup()).then(|| signal(SignalKind::hangup())).transpose()?,
            })
        }

        /// Returns the name of the next signal when it comes.
        pub async fn next(&mut self) -> &'static str {
            let hangup = async {
                match &mut self.hangup {
                    Some(hangup) => hangup.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = self.interrupt.recv() => INTERRUPT,
                _ = self.terminate.recv() => "SIGTERM",
                _ = hangup => "SIGHUP",
            }
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn ignored_signal_is_read_from_the_mask() {
            let status = "Name:\tx\nSigBlk:\t0000000000000001\nSigIgn:\t0000000000001004\nSigCgt:\t0000000000000001\n";
            assert!(is_ignored(status, 3) && is_ignored(status, 13) && !is_ignored(status, 1) && !is_ignored(status, 2));
            assert!(is_ignored("SigIgn:\t0000000000000001", 1));
            assert!(!is_ignored("", 1) && !is_ignored("SigIgn:\tx", 1));
        }
    }
}

#[cfg(windows)]
mod system {
    use super::INTERRUPT;
    use tokio::signal::windows::{
        CtrlBreak, CtrlC, CtrlClose, CtrlLogoff, CtrlShutdown, ctrl_break, ctrl_c, ctrl_close, ctrl_logoff, ctrl_shutdown,
    };

    /// Listens to events of the console.
    pub struct Signals {
        interrupt: CtrlC,
        /// What another program sends to a group of processes: Ctrl-C cannot be sent to one group only.
        stop: CtrlBreak,
        close: CtrlClose,
        logoff: CtrlLogoff,
        shutdown: CtrlShutdown,
    }

    impl Signals {
        /// Starts to listen.
        ///
        /// # Errors
        /// When the system does not let us.
        pub fn new() -> std::io::Result<Self> {
            Ok(Self { interrupt: ctrl_c()?, stop: ctrl_break()?, close: ctrl_close()?, logoff: ctrl_logoff()?, shutdown: ctrl_shutdown()? })
        }

        /// Returns the name of the next event when it comes.
        pub async fn next(&mut self) -> &'static str {
            tokio::select! {
                _ = self.interrupt.recv() => INTERRUPT,
                _ = self.stop.recv() => "Ctrl-Break",
                _ = self.close.recv() => "the window was closed",
                _ = self.logoff.recv() => "the user logs off",
                _ = self.shutdown.recv() => "the machine shuts down",
            }
        }
    }
}
