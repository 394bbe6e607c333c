//! Names of environment variables. On Windows they have no case: `Octopus_Url` and `OCTOPUS_URL` are one variable there, and a process
//! sees it as it was written by whoever set it first.

use std::{borrow::Cow, collections::BTreeMap, ffi::OsString};

/// Whether this system takes names that differ in case only for one.
const WITHOUT_CASE: bool = cfg!(windows);

/// The environment variables of this process whose name and value are text. Look them up by [`known_as`].
pub fn variables() -> BTreeMap<String, String> {
    collected(std::env::vars_os(), WITHOUT_CASE)
}

/// The name under which [`variables`] has a variable: on Windows in upper case.
pub fn known_as(name: &str) -> Cow<'_, str> {
    folded(name, WITHOUT_CASE)
}

fn folded(name: &str, without_case: bool) -> Cow<'_, str> {
    if without_case && name.chars().any(char::is_lowercase) { name.to_uppercase().into() } else { name.into() }
}

fn collected(all: impl Iterator<Item = (OsString, OsString)>, without_case: bool) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    for (name, value) in all {
        let (Ok(name), Ok(value)) = (name.into_string(), value.into_string()) else { continue };
        // A program may start another one with both: Windows then reads the first.
        variables.entry(folded(&name, without_case).into_owned()).or_insert(value);
    }
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_without_case_are_one_variable_and_the_first_counts() {
        let all = || [("Octopus_Url", "a"), ("OCTOPUS_URL", "b"), ("TentacleHome", "c")].map(|(n, v)| (n.into(), v.into())).into_iter();
        let windows = collected(all(), true);
        assert_eq!(windows, [("OCTOPUS_URL", "a"), ("TENTACLEHOME", "c")].map(|(n, v)| (n.to_owned(), v.to_owned())).into());
        assert_eq!(windows.get(&*folded("TentacleHome", true)).map(String::as_str), Some("c"));
        assert_eq!(collected(all(), false).len(), 3);
        assert_eq!(folded("TentacleHome", false), "TentacleHome");
    }
}
