//! The audit log: what happened, who did it, and what it is about (octopus-api.md §21).

use super::shared_list::SharedList;
use jiff::Timestamp;
use std::{borrow::Cow, collections::HashMap};

/// The user that stands for the server itself.
pub(crate) const SYSTEM: &str = "users-system";

/// An entry of the audit log; its number is its place in the list plus one.
pub(crate) struct AuditEntry {
    pub(crate) category: &'static str,
    pub(crate) user: Cow<'static, str>,
    pub(crate) occurred: Timestamp,
    pub(crate) message: String,
    pub(crate) about: About,
}

/// What an event is about. There are several for each deployment, so that they are kept small: what a task is about is
/// looked up when it is asked for.
pub(crate) enum About {
    Task(usize),
    Documents { related: Vec<String>, space: Option<String> },
}

/// All entries, oldest first.
#[derive(Default)]
pub(crate) struct AuditLog {
    pub(crate) entries: SharedList<AuditEntry>,
    /// Those that name a document, by its id in lower case. A task knows its own.
    naming: HashMap<String, Vec<usize>>,
}

impl AuditLog {
    /// Adds an entry and gives back its place.
    pub(crate) fn add(&mut self, category: &'static str, user: &str, occurred: Timestamp, message: String, about: About) -> usize {
        let user = if user == SYSTEM { Cow::Borrowed(SYSTEM) } else { Cow::Owned(user.to_owned()) };
        let index = self.entries.len();
        if let About::Documents { related, .. } = &about {
            for id in related {
                self.naming.entry(id.to_lowercase()).or_default().push(index);
            }
        }
        self.entries.push(AuditEntry { category, user, occurred, message, about });
        index
    }

    /// The entries that name a document.
    pub(crate) fn naming(&self, id: &str) -> &[usize] {
        self.naming.get(&id.to_lowercase()).map_or(&[], Vec::as_slice)
    }
}
