//! Whether a process of this machine still runs, although its number may belong to another process by now.
//!
//! A process number alone says nothing: numbers are used again, and each container counts its own. So an identity also names
//! the start of the kernel, the namespaces in which number and start time are counted, and the start time. Any doubt counts
//! as running: a caller that takes a process for gone does what only one process may do.

use serde::{Deserialize, Serialize};

/// One process of one machine, as it is written into records that other processes read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// Random number of this start of the kernel; on Windows, of this user's part of the registry. After a restart it is another one,
    /// and nothing is known of processes before: a copy of a machine may still run.
    pub boot: String,
    /// In which process numbers and start times are counted: the kernel's names of both namespaces; on Windows the computer's name.
    pub namespace: String,
    /// The process number in that namespace.
    pub pid: u32,
    /// When it started, in the kernel's ticks since its own start; on Windows in 100 ns since 1601.
    pub started: u64,
}

/// What this machine says of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessState {
    /// It runs.
    Running,
    /// It has ended, and sends nothing any more. This never changes again.
    Ended,
    /// This process cannot tell: another machine, another container, another start of the kernel, another operating system.
    Unknown,
}

impl ProcessIdentity {
    /// This process; none where it cannot be told apart from a later one.
    pub fn own() -> Option<Self> {
        system::of(std::process::id())
    }

    /// The running process with a number, as this process counts; none when there is none.
    pub fn of(pid: u32) -> Option<Self> {
        system::of(pid)
    }

    /// How it stands, by what this machine can say for sure.
    pub fn state(&self) -> ProcessState {
        system::state(self)
    }
}

/// Linux says all of it in `/proc`.
#[cfg(target_os = "linux")]
mod system {
    use super::{ProcessIdentity, ProcessState};
    use nix::{errno::Errno, sys::signal::kill, unistd::Pid};
    use std::fs;

    /// What `/proc/PID/stat` says: the state's letter, the number of threads, the start.
    struct Stat {
        letter: char,
        threads: u64,
        started: u64,
    }

    fn stat(pid: u32) -> Option<Stat> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The second field is the program's name in brackets, and may hold spaces and brackets itself.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        // proc(5) counts from 1: the state is the third, the number of threads the 20th, the start time the 22nd.
        Some(Stat {
            letter: fields.first()?.chars().next()?,
            threads: fields.get(17)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
        })
    }

    /// A process that has ended stays in the table until its parent asks for it: without threads it does nothing any more.
    fn has_ended(stat: &Stat) -> bool {
        matches!(stat.letter, 'Z' | 'X' | 'x') && stat.threads <= 1
    }

    fn boot() -> Option<String> {
        let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// Of this process: the one that numbers belong to, and the one that start times belong to (absent before Linux 5.6).
    fn namespace() -> Option<String> {
        // A `/proc` that was mounted in another namespace counts other numbers than we do.
        let own = fs::read_link("/proc/self").ok()?;
        if own.to_str()? != std::process::id().to_string() {
            return None;
        }
        let numbers = fs::read_link("/proc/self/ns/pid").ok()?;
        let times = fs::read_link("/proc/self/ns/time").unwrap_or_default();
        Some(format!("{} {}", numbers.to_str()?, times.to_str()?).trim().to_owned())
    }

    pub(super) fn of(pid: u32) -> Option<ProcessIdentity> {
        let found = stat(pid).filter(|found| !has_ended(found))?;
        Some(ProcessIdentity { boot: boot()?, namespace: namespace()?, pid, started: found.started })
    }

    pub(super) fn state(process: &ProcessIdentity) -> ProcessState {
        if boot().as_ref() != Some(&process.boot) || namespace().as_ref() != Some(&process.namespace) {
            return ProcessState::Unknown;
        }
        if let Some(found) = stat(process.pid) {
            let runs = found.started == process.started && !has_ended(&found);
            return if runs { ProcessState::Running } else { ProcessState::Ended };
        }
        // `/proc` may hide the processes of other users (`hidepid`); a signal that is not sent finds them all the same.
        let Some(pid) = i32::try_from(process.pid).ok().filter(|pid| *pid > 0) else { return ProcessState::Unknown };
        match kill(Pid::from_raw(pid), None) {
            Err(Errno::ESRCH) => ProcessState::Ended,
            _ => ProcessState::Unknown,
        }
    }
}

/// Windows says it by process number and time of creation. It has no number for its own start: we write one into the registry, where
/// only this user reads it, and as a key that is gone when the machine stops or the user logs off.
#[cfg(windows)]
mod system {
    use super::{ProcessIdentity, ProcessState};
    use windows_registry::CURRENT_USER;
    use winsafe::{
        HPROCESS,
        co::{ERROR, PROCESS, WAIT},
        guard::CloseHandleGuard,
    };

    /// A key that is not kept on disk, with one value.
    const KEY: &str = "Software\\octorhai-session";
    const VALUE: &str = "Id";

    fn open(pid: u32) -> Result<CloseHandleGuard<HPROCESS>, ERROR> {
        HPROCESS::OpenProcess(PROCESS::QUERY_LIMITED_INFORMATION | PROCESS::SYNCHRONIZE, false, pid)
    }

    fn created(process: &HPROCESS) -> Option<u64> {
        process.GetProcessTimes().ok().map(|(created, ..)| u64::from(created))
    }

    /// An open process that has ended keeps its number and its times.
    fn has_ended(process: &HPROCESS) -> Option<bool> {
        match process.WaitForSingleObject(Some(0)) {
            Ok(WAIT::OBJECT_0) => Some(true),
            Ok(WAIT::TIMEOUT) => Some(false),
            _ => None,
        }
    }

    fn boot() -> Option<String> {
        let key = CURRENT_USER.options().read().write().create().volatile().open(KEY).ok()?;
        if let Ok(known) = key.get_string(VALUE) {
            return Some(known).filter(|known| !known.is_empty());
        }
        // Whoever comes at the same moment may write another one: the last one stays, and of identities with the first nothing is known.
        key.set_string(VALUE, uuid::Uuid::new_v4().to_string()).ok()?;
        key.get_string(VALUE).ok().filter(|known| !known.is_empty())
    }

    fn namespace() -> Option<String> {
        hostname::get().ok()?.into_string().ok().filter(|name| !name.is_empty())
    }

    pub(super) fn of(pid: u32) -> Option<ProcessIdentity> {
        let process = open(pid).ok()?;
        let started = created(&process)?;
        if has_ended(&process)? {
            return None;
        }
        Some(ProcessIdentity { boot: boot()?, namespace: namespace()?, pid, started })
    }

    pub(super) fn state(process: &ProcessIdentity) -> ProcessState {
        // Nothing has the number 0, and the system asks for its idle time with it.
        if process.pid == 0 || boot().as_ref() != Some(&process.boot) || namespace().as_ref() != Some(&process.namespace) {
            return ProcessState::Unknown;
        }
        let found = match open(process.pid) {
            Ok(found) => found,
            // There is no process with this number. A process of somebody else is another error.
            Err(ERROR::INVALID_PARAMETER) => return ProcessState::Ended,
            Err(_) => return ProcessState::Unknown,
        };
        match (created(&found), has_ended(&found)) {
            (Some(started), _) if started != process.started => ProcessState::Ended,
            (Some(_), Some(true)) => ProcessState::Ended,
            (Some(_), Some(false)) => ProcessState::Running,
            _ => ProcessState::Unknown,
        }
    }
}

/// Elsewhere nothing is known yet.
#[cfg(not(any(target_os = "linux", windows)))]
mod system {
    use super::{ProcessIdentity, ProcessState};

    pub(super) fn of(_: u32) -> Option<ProcessIdentity> {
        None
    }

    pub(super) fn state(_: &ProcessIdentity) -> ProcessState {
        ProcessState::Unknown
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    /// A process that runs until it is killed or reads the end of its input.
    fn another() -> std::process::Child {
        Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts")
    }

    #[test]
    fn a_process_runs_until_it_is_killed() {
        let own = ProcessIdentity::own().expect("Linux tells");
        assert_eq!(own.state(), ProcessState::Running);
        let mut child = another();
        let identity = ProcessIdentity::of(child.id()).expect("it runs");
        assert_eq!(identity.state(), ProcessState::Running);
        child.kill().expect("it runs");
        // Nobody has asked for it yet: it is still in the table, and does nothing any more.
        while fs_state(child.id()) != Some('Z') {
            std::thread::yield_now();
        }
        assert_eq!(identity.state(), ProcessState::Ended);
        child.wait().expect("it ended");
        assert_eq!(identity.state(), ProcessState::Ended);
    }

    fn fs_state(pid: u32) -> Option<char> {
        std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?.rsplit_once(") ")?.1.chars().next()
    }

    #[test]
    fn a_number_that_is_used_again_belongs_to_another_process() {
        let own = ProcessIdentity::own().expect("Linux tells");
        assert_eq!(ProcessIdentity { started: own.started + 1, ..own }.state(), ProcessState::Ended);
    }

    #[test]
    fn any_doubt_counts_as_running() {
        let own = ProcessIdentity::own().expect("Linux tells");
        let mut child = another();
        let gone = ProcessIdentity::of(child.id()).expect("it runs");
        child.kill().expect("it runs");
        child.wait().expect("it ended");
        for doubtful in [
            ProcessIdentity { boot: "another".to_owned(), ..gone.clone() },
            ProcessIdentity { boot: String::new(), ..gone.clone() },
            ProcessIdentity { namespace: "pid:[1] time:[1]".to_owned(), ..gone.clone() },
            ProcessIdentity { namespace: String::new(), ..gone },
            ProcessIdentity { pid: 0, ..own.clone() },
            ProcessIdentity { pid: u32::MAX, ..own },
        ] {
            assert_eq!(doubtful.state(), ProcessState::Unknown, "{doubtful:?}");
        }
    }
}
