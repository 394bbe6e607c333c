//! What is written from the functions' own docs: the reference, definitions for editors, snippets.
//!
//! `octorhai docs` prints each; the files in the repository are checked fresh by `tests/it/docs/golden.rs`.

mod definitions;
mod reference;
mod snippets;

pub use definitions::definitions;
pub use reference::{overview, reference};
pub use snippets::snippets;
