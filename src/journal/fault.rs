//! What can end a piece of work on a store.

use crate::error::Error;

/// An error of the database `D`, what it holds that was not written so, or an error of ours.
pub enum Fault<D> {
    /// The database's errors.
    Database(D),
    /// It holds what was not written.
    Damaged(String),
    /// Ours.
    Ours(Error),
}

impl<D> From<String> for Fault<D> {
    fn from(why: String) -> Self {
        Self::Damaged(why)
    }
}

impl<D> From<Error> for Fault<D> {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}
