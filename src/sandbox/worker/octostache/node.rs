//! The variables as a tree: `A.B[c]` is a member of a member, and what has an index can be gone through.

use super::{case::folded, parser, token::PathStep};
use std::{collections::HashMap, sync::Arc};

/// What a name stands for: a value, members, and what has an index. Each of them may be missing.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    pub(super) item: Option<String>,
    pub(super) members: Children,
    pub(super) indexed: Children,
}

/// By name without case, in the order in which they were first named.
#[derive(Clone, Debug, Default)]
pub(super) struct Children {
    all: Vec<Arc<Node>>,
    places: HashMap<String, usize>,
}

impl Children {
    pub(super) fn get(&self, name: &str) -> Option<&Arc<Node>> {
        self.places.get(&folded(name)).map(|at| &self.all[*at])
    }

    pub(super) fn all(&self) -> &[Arc<Node>] {
        &self.all
    }

    /// The child of this name; made with that item when there is none.
    fn entry(&mut self, name: &str, item: Option<&str>) -> &mut Node {
        let at = *self.places.entry(folded(name)).or_insert_with(|| {
            self.all.push(Arc::new(Node::of(item)));
            self.all.len() - 1
        });
        Arc::make_mut(&mut self.all[at])
    }

    /// Adds one; false when there is one of that name.
    #[must_use]
    pub(super) fn add(&mut self, name: &str, node: Arc<Node>) -> bool {
        let fresh = self.get(name).is_none();
        if fresh {
            self.places.insert(folded(name), self.all.len());
            self.all.push(node);
        }
        fresh
    }
}

impl Node {
    /// A value without anything below it.
    pub(super) fn of(item: Option<&str>) -> Self {
        Self { item: item.map(str::to_owned), ..Self::default() }
    }

    /// Sets what a name stands for. A name that is no path is no variable that a text could name.
    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let Some(path) = parser::path(name) else { return Ok(()) };
        let mut node = self;
        for step in &path.steps {
            node = match step {
                PathStep::Name(text, _) => node.members.entry(text, None),
                PathStep::Index(Some(text), _) => node.indexed.entry(text, Some(text)),
                PathStep::Index(None, _) | PathStep::Lookup(..) => {
                    return Err(format!("NotImplementedException: Unknown step type: the name of the variable {name:?} holds a lookup"));
                }
            };
        }
        node.item = Some(value.to_owned());
        Ok(())
    }
}
