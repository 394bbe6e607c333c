//! The processes that this one was started by: when one of them is gone, nobody waits for our end any more.

use super::process::{ProcessIdentity, ProcessState};

/// The nearest ancestors as they were at the beginning.
#[derive(Debug)]
pub struct Ancestors {
    /// The number of the parent: a process whose parent ends gets another one.
    parent: u32,
    known: Vec<ProcessIdentity>,
}

impl Ancestors {
    /// The parent, and with `levels` of 2 its parent too. What cannot be found out is not watched.
    pub fn of_this_process(levels: usize) -> Self {
        Self { parent: system::parent(), known: system::ancestors(levels) }
    }

    /// Whether one of them has surely ended.
    pub fn is_one_gone(&self) -> bool {
        system::parent() != self.parent || self.known.iter().any(|process| process.state() == ProcessState::Ended)
    }
}

/// Linux names the parent of every process in `/proc`.
#[cfg(target_os = "linux")]
mod system {
    use super::ProcessIdentity;
    use std::fs;

    pub(super) fn parent() -> u32 {
        std::os::unix::process::parent_id()
    }

    fn parent_of(pid: u32) -> Option<u32> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The program's name in brackets may hold spaces and brackets itself; behind it come the state and the parent.
        text.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
    }

    pub(super) fn ancestors(levels: usize) -> Vec<ProcessIdentity> {
        // The first process of a machine or container ends with all others.
        let numbers = std::iter::successors(Some(parent()), |pid| parent_of(*pid)).take_while(|pid| *pid > 1).take(levels);
        numbers.filter_map(ProcessIdentity::of).collect()
    }
}

/// On other Unix systems the parent's number tells.
#[cfg(all(unix, not(target_os = "linux")))]
mod system {
    use super::ProcessIdentity;

    pub(super) fn parent() -> u32 {
        std::os::unix::process::parent_id()
    }

    pub(super) fn ancestors(_levels: usize) -> Vec<ProcessIdentity> {
        Vec::new()
    }
}

/// Windows keeps the number of a parent that has ended, and may give it to another process: that one was created after its "child".
#[cfg(windows)]
mod system {
    use super::ProcessIdentity;
    use std::collections::HashMap;
    use winsafe::{HPROCESSLIST, co::TH32CS};

    /// The same always: the identity tells whether the parent is there.
    pub(super) fn parent() -> u32 {
        0
    }

    /// The parent's number of each process.
    fn parents() -> HashMap<u32, u32> {
        let Ok(mut all) = HPROCESSLIST::CreateToolhelp32Snapshot(TH32CS::SNAPPROCESS, None) else { return HashMap::new() };
        all.iter_processes().map_while(Result::ok).map(|process| (process.th32ProcessID, process.th32ParentProcessID)).collect()
    }

    pub(super) fn ancestors(levels: usize) -> Vec<ProcessIdentity> {
        let parents = parents();
        let parent_of = |child: &ProcessIdentity| {
            let found = ProcessIdentity::of(*parents.get(&child.pid)?)?;
            (found.started <= child.started).then_some(found)
        };
        let all = std::iter::successors(ProcessIdentity::own(), parent_of);
        all.skip(1).take(levels).collect()
    }
}

/// Elsewhere nothing is known.
#[cfg(not(any(unix, windows)))]
mod system {
    use super::ProcessIdentity;

    pub(super) fn parent() -> u32 {
        0
    }

    pub(super) fn ancestors(_levels: usize) -> Vec<ProcessIdentity> {
        Vec::new()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn ancestor_that_ends_is_noticed_and_none_before() {
        let own = Ancestors::of_this_process(2);
        assert!(!own.known.is_empty() && !own.is_one_gone(), "{own:?}");
        assert_eq!(own.known.first(), ProcessIdentity::of(std::os::unix::process::parent_id()).as_ref());
        let mut other = Command::new("cat").stdin(Stdio::piped()).spawn().expect("it starts");
        let further = Ancestors { parent: own.parent, known: ProcessIdentity::of(other.id()).into_iter().collect() };
        assert!(!further.is_one_gone());
        other.kill().expect("it runs");
        other.wait().expect("it ended");
        assert!(further.is_one_gone());
        assert!(Ancestors { parent: own.parent + 1, known: Vec::new() }.is_one_gone());
    }
}
