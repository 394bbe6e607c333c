//! Lists that a server keeps for years: how far they are read, and that nobody takes a part for the whole.
//!
//! Without a limit of the script's own such a list is cut at [`USUAL`] rows with a warning, or read to its end when the script says how far
//! back it wants to look. The list knows whether there are more rows: `rows.more`.

use super::prelude::*;
use crate::engine::library::{Give, LibraryBuilder, Scripted};
use std::any::TypeId;

/// How many rows are read when nobody says anything.
pub const USUAL: usize = 100;

/// How many rows a script may ask for by number: a row is some kilobytes.
pub const MOST: usize = 100_000;

/// Marks a list with more rows on the server. Lists of scripts have no properties of their own, but every value has room for a number
/// that stays with it when it is passed on.
const MORE: i32 = 0x6d6f_7265;

/// The option `limit`: how many rows at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowLimit(usize);

impl OptionValue for RowLimit {
    const KIND: &'static str = "whole number";
    fn read(value: Dynamic) -> Result<Self, String> {
        let number = value.as_int().map_err(|_| format!("got {}", type_in_words(&value)))?;
        match usize::try_from(number) {
            Ok(number @ 1..=MOST) => Ok(Self(number)),
            _ => Err(format!("{number} does not lie between 1 and {MOST}")),
        }
    }
}

/// How far a list is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    limit: Option<usize>,
    /// Whether the script named the limit.
    is_given: bool,
}

impl Reach {
    /// `limit` is the script's; without one everything is read where the script says by another option how much it wants.
    pub fn new(limit: Option<RowLimit>, is_bounded: bool) -> Self {
        match limit {
            Some(RowLimit(limit)) => Self { limit: Some(limit), is_given: true },
            None => Self { limit: (!is_bounded).then_some(USUAL), is_given: false },
        }
    }

    /// How many rows to ask the server for: one more than are returned, to see whether there is one.
    pub fn asked(self) -> Option<usize> {
        self.limit.map(|limit| limit + 1)
    }

    /// Cuts what was read; tells a reader who named no limit that there is more. `all` says how to get everything.
    pub fn cut<T>(self, host: &Host, function: &str, all: &str, mut found: Vec<T>) -> Rows<T> {
        let more = self.limit.is_some_and(|limit| found.len() > limit);
        if let Some(limit) = self.limit.filter(|_| more) {
            found.truncate(limit);
            if !self.is_given {
                let text =
                    format!("`{function}` returned the newest {limit} rows, and there are more: {all}, `limit` returns up to {MOST}");
                host.warn_once(text);
            }
        }
        Rows { found, more }
    }
}

/// The rows of a list, and whether the server has more.
pub struct Rows<T> {
    /// The rows.
    pub found: Vec<T>,
    /// Whether there are more on the server.
    pub more: bool,
}

impl<T> Rows<T> {
    /// No rows, and no more.
    pub fn none() -> Self {
        Self { found: Vec::new(), more: false }
    }

    /// The same rows as something else.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Rows<U> {
        Rows { found: self.found.into_iter().map(change).collect(), more: self.more }
    }
}

impl<T: Scripted> Give for Rows<T> {
    fn give(self) -> Dynamic {
        let mut rows: Dynamic = self.found.into_iter().map(Dynamic::from).collect::<Array>().into();
        if self.more {
            rows.set_tag(MORE);
        }
        rows
    }
}

/// Whether there are more rows on the server than `rows` has.
fn has_more(rows: &Dynamic) -> bool {
    rows.tag() == MORE
}

crate::functions! {
    group "query";

    /// Whether the server has more rows than `rows`, which `deployments`, `events` or `releases` returned: true when a limit cut the list.
    /// `rows.more` says the same. A list made from it, e.g. with `filter`, does not know.
    ///
    /// ```rhai
    /// let rows = deployments(#{limit: 2});
    /// if more(rows) { print("there are older ones"); }
    /// ```
    fn more(_call, rows: Dynamic) -> "true or false" {
        if !rows.is_array() {
            return Err(raise(Error::new(Kind::Script, format!("`more` takes a list; got {}", type_in_words(&rows)))));
        }
        Ok(has_more(&rows))
    }
}

/// Adds the property `more` of lists.
pub fn property(library: &mut LibraryBuilder) {
    library.raw("get$more", &[TypeId::of::<Array>()], |_, args| Ok(has_more(&args[0].flatten_clone()).into()));
}
