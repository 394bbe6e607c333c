//! Reference data from the functions' own documentation: what `help`, completion and the reference pages show.

use super::options::OptionDoc;

/// One function as documentation shows it.
#[derive(Clone, Debug)]
pub struct FunctionDoc {
    /// The name in scripts; a property as `Type.name`.
    pub name: String,
    /// Parameters and result in words of users, e.g. `wait(task: Task, options: map) -> Task`.
    pub signature: String,
    /// The help group.
    pub group: String,
    /// The first sentence.
    pub summary: String,
    /// All prose, without the example.
    pub prose: String,
    /// The keys of its options map.
    pub options: &'static [OptionDoc],
    /// The code of the example; empty when there is none.
    pub example: String,
    /// The version that brought it; empty when not said.
    pub since: String,
}
