//! Which one is meant: the one place that decides what a name, a slug or an id stands for.
//!
//! The exact name comes first, then everything else a text could mean: a name in other case, a slug, an id. Where that leaves two different
//! things, neither is taken. An id that a server gave stands for itself, whatever others are called.

use crate::error::{Error, Kind, Result};

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meant<'a> {
    /// As somebody wrote it: a name, a slug or an id.
    Written(&'a str),
    /// An id that a server gave: never a name.
    Id(&'a str),
}

impl<'a> From<&'a str> for Meant<'a> {
    fn from(text: &'a str) -> Self {
        Self::Written(text)
    }
}

impl<'a> From<&'a String> for Meant<'a> {
    fn from(text: &'a String) -> Self {
        Self::Written(text)
    }
}

impl<'a> Meant<'a> {
    /// As it is told to people.
    pub fn as_str(self) -> &'a str {
        match self {
            Self::Written(text) | Self::Id(text) => text,
        }
    }
}

/// What one thing is called. An empty text is no name.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keys<'a> {
    /// Its names: prompted variables have a label beside the name.
    pub names: [&'a str; 2],
    /// Its slug.
    pub slug: &'a str,
    /// Its id. Items with the same id are the same thing, however often it is listed.
    pub id: &'a str,
}

impl<'a> Keys<'a> {
    /// Something that has only a name.
    pub fn name(name: &'a str) -> Self {
        Self { names: [name, ""], ..Self::default() }
    }

    /// Something that has a name and an id.
    pub fn name_and_id(name: &'a str, id: &'a str) -> Self {
        Self { id, ..Self::name(name) }
    }

    fn has_name(&self, wanted: &str) -> bool {
        self.names.iter().any(|name| name.trim() == wanted)
    }

    fn fits(&self, wanted: &str) -> bool {
        self.names.iter().chain([&self.slug, &self.id]).any(|key| same_word(key, wanted))
    }

    fn shown(&self) -> String {
        let name = self.names.iter().find(|name| !name.is_empty()).unwrap_or(&self.id);
        if self.id.is_empty() { format!("`{name}`") } else { format!("`{name}` ({})", self.id) }
    }
}

/// Whether two texts are the same but for the case of their letters and space around them.
pub fn same_word(a: &str, b: &str) -> bool {
    let (a, b) = (a.trim(), b.trim());
    a == b || a.to_lowercase() == b.to_lowercase()
}

/// Where in `known` the one stands that `wanted` means; none when there is none. `noun` is what people call such a thing.
///
/// # Errors
/// `ambiguous` when several different things fit; it names them.
pub fn position_of<T>(noun: &str, wanted: Meant<'_>, known: &[T], keys: impl for<'k> Fn(&'k T) -> Keys<'k>) -> Result<Option<usize>> {
    let text = match wanted {
        Meant::Id(id) => return Ok(known.iter().position(|one| same_word(keys(one).id, id))),
        Meant::Written(text) => text.trim(),
    };
    if text.is_empty() {
        return Ok(None);
    }
    let fitting = |fits: &dyn Fn(&Keys<'_>) -> bool| {
        let mut found: Vec<usize> = Vec::new();
        for (at, one) in known.iter().enumerate() {
            let keys_of = keys(one);
            let known_already = |other: &usize| !keys_of.id.is_empty() && same_word(keys(&known[*other]).id, keys_of.id);
            if fits(&keys_of) && !found.iter().any(known_already) {
                found.push(at);
            }
        }
        found
    };
    // An exact name outweighs names in other case and slugs, but not an id: people copy ids from addresses.
    let mut found = fitting(&|keys| keys.has_name(text) || same_word(keys.id, text));
    if !known.iter().any(|one| keys(one).has_name(text)) {
        found = fitting(&|keys| keys.fits(text));
    }
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(*one)),
        several => {
            let names: Vec<String> = several.iter().map(|at| keys(&known[*at]).shown()).collect();
            let has_ids = several.iter().all(|at| !keys(&known[*at]).id.is_empty());
            let help = if has_ids { "give the exact name of the one you mean, or its id" } else { "write the name exactly" };
            let error = Error::new(Kind::Ambiguous, format!("`{text}` fits {} {noun}s: {}", names.len(), names.join(", ")));
            Err(error.help(help).with("wanted", text))
        }
    }
}

/// The one among `known` that `wanted` means; none when there is none.
///
/// # Errors
/// `ambiguous`, as [`position_of`].
pub fn the_one<'a, T>(noun: &str, wanted: &str, known: &'a [T], keys: impl for<'k> Fn(&'k T) -> Keys<'k>) -> Result<Option<&'a T>> {
    Ok(position_of(noun, Meant::Written(wanted), known, keys)?.map(|at| &known[at]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name, slug, id.
    type Thing = (&'static str, &'static str, &'static str);

    /// The id of the one that is meant, or the message.
    type Chosen = Result<Option<&'static str>, String>;

    fn keys(one: &Thing) -> Keys<'_> {
        Keys { slug: one.1, ..Keys::name_and_id(one.0, one.2) }
    }

    fn meant(wanted: &str, known: &[Thing]) -> Chosen {
        the_one("project", wanted, known, keys).map(|one| one.map(|one| one.2)).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn the_exact_name_comes_first_and_two_meanings_are_ambiguous() {
        let named_like_an_id: &[Thing] = &[("Projects-1", "projects-1", "Projects-7"), ("Shop", "shop", "Projects-1")];
        let differ_in_case: &[Thing] = &[("deploy", "", "a"), ("Deploy", "", "b")];
        let slug_of_another: &[Thing] = &[("Alpha", "beta", "Projects-1"), ("BETA", "beta-1", "Projects-2")];
        let umlauts: &[Thing] = &[("Größe", "groesse", "Projects-1")];
        let ambiguous = |text: &str, names: &str| Err(format!("`{text}` fits 2 projects: {names}"));
        let cases: &[(&str, &[Thing], Chosen)] = &[
            ("Projects-1", named_like_an_id, ambiguous("Projects-1", "`Projects-1` (Projects-7), `Shop` (Projects-1)")),
            ("projects-1", named_like_an_id, ambiguous("projects-1", "`Projects-1` (Projects-7), `Shop` (Projects-1)")),
            ("Projects-7", named_like_an_id, Ok(Some("Projects-7"))),
            ("Shop", named_like_an_id, Ok(Some("Projects-1"))),
            (" shop ", named_like_an_id, Ok(Some("Projects-1"))),
            ("deploy", differ_in_case, Ok(Some("a"))),
            ("Deploy", differ_in_case, Ok(Some("b"))),
            ("DEPLOY", differ_in_case, ambiguous("DEPLOY", "`deploy` (a), `Deploy` (b)")),
            ("BETA", slug_of_another, Ok(Some("Projects-2"))),
            ("Beta", slug_of_another, ambiguous("Beta", "`Alpha` (Projects-1), `BETA` (Projects-2)")),
            ("GRÖSSE", umlauts, Ok(None)),
            ("GRÖßE", umlauts, Ok(Some("Projects-1"))),
            ("", named_like_an_id, Ok(None)),
        ];
        for (wanted, known, expected) in cases {
            assert_eq!(&meant(wanted, known), expected, "{wanted}");
            let mut other_order = known.to_vec();
            other_order.reverse();
            let same_one = meant(wanted, &other_order);
            assert_eq!(same_one.is_ok(), expected.is_ok(), "{wanted}, the other way round");
            assert!(same_one.is_err() || &same_one == expected, "{wanted}, the other way round: {same_one:?}");
        }
    }

    #[test]
    fn an_id_that_a_server_gave_is_no_name() {
        let known: &[Thing] = &[("Projects-1", "projects-1", "Projects-7"), ("Shop", "shop", "Projects-1")];
        assert_eq!(position_of("project", Meant::Id("Projects-1"), known, keys).expect("no doubt"), Some(1));
        assert_eq!(position_of("project", Meant::Id("shop"), known, keys).expect("no doubt"), None);
    }

    #[test]
    fn what_is_listed_twice_is_one_thing() {
        let known: &[Thing] = &[("web-1", "", "Machines-1"), ("web-1", "", "Machines-1")];
        assert_eq!(meant("WEB-1", known), Ok(Some("Machines-1")));
    }
}
