//! Lists of what the state and answers hold together.

#[cfg(test)]
use std::cell::Cell;
use std::{
    ops::{Index, IndexMut},
    sync::Arc,
};

/// How often something of a list was looked at: tests ask whether that grows with the world.
#[derive(Default)]
pub(crate) struct Looks(#[cfg(test)] Cell<u64>);

impl Looks {
    #[allow(clippy::unused_self, reason = "outside of tests nothing is counted")]
    pub(crate) fn one(&self) {
        #[cfg(test)]
        self.0.set(self.0.get() + 1);
    }
    #[cfg(test)]
    pub(crate) fn count(&self) -> u64 {
        self.0.get()
    }
}

/// What a list is of is held by an answer while it is written out, without the lock of the state. Who changes it meanwhile changes a copy.
pub(crate) struct SharedList<T>(Vec<Arc<T>>, pub(crate) Looks);

impl<T> Default for SharedList<T> {
    fn default() -> Self {
        Self(Vec::new(), Looks::default())
    }
}

impl<T> SharedList<T> {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
    pub(crate) fn push(&mut self, item: T) {
        self.0.push(Arc::new(item));
    }
    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        self.1.one();
        self.0.get(index).map(Arc::as_ref)
    }
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|item| {
            self.1.one();
            item.as_ref()
        })
    }
    /// What stands at `index`, for an answer.
    pub(crate) fn share(&self, index: usize) -> Arc<T> {
        self.1.one();
        Arc::clone(&self.0[index])
    }
}

impl<T: Clone> SharedList<T> {
    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.0.get_mut(index).map(Arc::make_mut)
    }
}

impl<T> Index<usize> for SharedList<T> {
    type Output = T;
    fn index(&self, index: usize) -> &T {
        self.1.one();
        &self.0[index]
    }
}

impl<T: Clone> IndexMut<usize> for SharedList<T> {
    fn index_mut(&mut self, index: usize) -> &mut T {
        Arc::make_mut(&mut self.0[index])
    }
}
