//! All that a script can name.

use super::docs::Entry;

/// A variable.
#[derive(Clone, Debug, Default)]
pub struct Variable {
    /// Name by which the script calls it.
    pub name: String,
    /// The type of its value, in words of users: `Task`, `list of Project`.
    pub kind: String,
    /// The project that it is about, if its value is a task or a text.
    pub project: Option<String>,
    /// The keys, when it is a map.
    pub keys: Vec<String>,
}

/// All that a script can name.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    /// The functions and types of scripts.
    pub entries: Vec<Entry>,
    /// Variables.
    pub variables: Vec<Variable>,
    /// The script's functions, with their parameters.
    pub functions: Vec<(String, Vec<String>)>,
    /// Imports: each name with its path.
    pub modules: Vec<(String, String)>,
}

impl Scene {
    /// The entries that a call of `name` may mean. `receiver` is the type before the dot, where that is known.
    pub fn called(&self, name: &str, receiver: Option<&str>) -> Vec<&Entry> {
        let method = |entry: &&Entry| !entry.is_type() && receiver.is_some_and(|of| entry.name == format!("{of}.{name}"));
        let own: Vec<&Entry> = self.entries.iter().filter(method).collect();
        if own.is_empty() { self.entries.iter().filter(|e| !e.is_type() && e.name == name).collect() } else { own }
    }

    /// The type of this name.
    pub fn type_named(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.is_type() && entry.name == name)
    }
}
