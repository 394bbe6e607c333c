//! Secrets where scripts make texts of them: what is joined with a secret is a secret.

use super::{
    library::LibraryBuilder,
    thrown::{HostResult, REVEAL, raise, shown},
};
use crate::{
    error::{Error, Kind},
    secrets::Secret,
};
use rhai::{Dynamic, FnPtr, ImmutableString};
use std::any::TypeId;

/// The text of a value that is joined with a secret.
fn part(value: &Dynamic) -> HostResult<String> {
    if let Some(secret) = value.read_lock::<Secret>() {
        return Ok(secret.reveal().to_owned());
    }
    if value.is_array() || value.is_map() || value.is::<FnPtr>() {
        let error = Error::new(Kind::Script, "a secret can be joined with texts and numbers, not with a list, a map or a closure");
        return Err(raise(error.help(REVEAL)));
    }
    Ok(shown(value))
}

fn joined(left: &Dynamic, right: &Dynamic) -> HostResult<Dynamic> {
    Ok(Dynamic::from(Secret::new(format!("{}{}", part(left)?, part(right)?))))
}

impl LibraryBuilder {
    /// Adds `+` and `+=` with secrets: `"Bearer " + secret("Token")` is a secret too.
    pub fn joined_secrets(&mut self) {
        let (own, text, any) = (TypeId::of::<Secret>(), TypeId::of::<ImmutableString>(), TypeId::of::<Dynamic>());
        // Rhai has functions of its own for a text and anything: only one for exactly these types comes before them.
        for types in [[own, own], [own, text], [text, own], [own, any], [any, own]] {
            self.raw("+", &types, |_, args| joined(args[0], args[1]));
        }
        self.raw_changing("+=", &[text, own], |_, args| {
            *args[0] = joined(args[0], args[1])?;
            Ok(Dynamic::UNIT)
        });
    }
}
