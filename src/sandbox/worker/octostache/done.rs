//! What a filter comes to.

/// A text, or none where the filter does not fit its argument: then the whole is printed back. An error is what the real library throws.
pub(super) type Done = Result<Option<String>, String>;
