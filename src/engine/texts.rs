//! Texts that know what they are: the words of a closed set, such as states of tasks, and versions.
//!
//! A type of our own would not do: `switch` and keys of maps take only texts, and scripts cut, join and print these values as texts. So a word
//! of a closed set is a text in a place of its own in memory. Copies of it are that very text, as Rhai shares texts, and anything made from it
//! is not. `state == "Succeeded"` is then an error instead of a silent `false`, because there is no such state. Versions are told by their
//! look, wherever they come from: `"10.0.0" > "9.0.0"` goes by the order of versions.

use crate::error::suggestion;
use parking_lot::RwLock;
use rhai::{Dynamic, ImmutableString};
use std::{
    cmp::Ordering,
    collections::BTreeMap,
    sync::{LazyLock, OnceLock},
};

/// A closed set of words. A word that is not among them, perhaps of a newer server, is an ordinary text.
pub struct Words {
    /// What a word is, with its article: `a state of a task`.
    pub what: &'static str,
    /// The words.
    pub words: &'static [&'static str],
    own: OnceLock<Vec<ImmutableString>>,
}

/// The sets, by where their words are. A word stays where it is as long as the process lives.
static BY_PLACE: LazyLock<RwLock<BTreeMap<usize, &'static Words>>> = LazyLock::new(RwLock::default);

fn place(text: &ImmutableString) -> usize {
    text.as_str().as_ptr().addr()
}

impl Words {
    /// A set of words.
    pub const fn new(what: &'static str, words: &'static [&'static str]) -> Self {
        Self { what, words, own: OnceLock::new() }
    }

    /// The word as a value of a script.
    pub fn give(&'static self, word: &str) -> Dynamic {
        let own = self.own.get_or_init(|| {
            let own: Vec<ImmutableString> = self.words.iter().map(|word| ImmutableString::from(*word)).collect();
            BY_PLACE.write().extend(own.iter().map(|word| (place(word), self)));
            own
        });
        own.iter().find(|own| own.as_str() == word).map_or_else(|| word.into(), |own| own.clone().into())
    }

    fn of(text: &ImmutableString) -> Option<&'static Self> {
        BY_PLACE.read().get(&place(text)).copied()
    }

    /// Whether a text without a set of its own can stand beside a word of this one.
    fn takes(&self, other: &str) -> Result<(), String> {
        if self.words.contains(&other) {
            return Ok(());
        }
        let near = suggestion(other, self.words.iter().copied()).unwrap_or_else(|| format!("the words are `{}`", self.words.join("`, `")));
        Err(format!("`{other}` is not {}; {near}", self.what))
    }
}

/// Whether two texts are the same; `Err` says why that makes no sense.
pub(super) fn same(a: &ImmutableString, b: &ImmutableString) -> Result<bool, String> {
    if a == b {
        return Ok(true);
    }
    match (Words::of(a), Words::of(b)) {
        (Some(set), None) => set.takes(b)?,
        (None, Some(set)) => set.takes(a)?,
        (Some(one), Some(other)) if !std::ptr::eq(one, other) => return Err(format!("{} is not {}", one.what, other.what)),
        _ => {}
    }
    Ok(false)
}

/// The order of versions.
pub struct VersionOrder {
    /// Whether a text looks like a version.
    pub looks_like: fn(&str) -> bool,
    /// Which of two comes first, where at least one looks like a version; `Err` says why the other one has no place in the order.
    pub order: fn(&str, &str) -> Result<Ordering, String>,
    /// Whether a text is a version, a range of versions, or a word for one of them.
    pub is_version_or_range: fn(&str) -> bool,
}

static VERSIONS: OnceLock<VersionOrder> = OnceLock::new();

/// Makes the order of versions known; the first one holds for the process.
pub fn order_versions(order: VersionOrder) {
    let _ = VERSIONS.set(order);
}

/// Whether a text is a version, a range of versions, or a word for one of them; of every text as long as nobody said what that is.
pub(super) fn is_version_or_range(text: &str) -> bool {
    VERSIONS.get().is_none_or(|versions| (versions.is_version_or_range)(text))
}

/// Which of two texts comes first; `Err` says why that makes no sense.
pub(super) fn order(a: &ImmutableString, b: &ImmutableString) -> Result<Ordering, String> {
    if let Some(set) = Words::of(a).or_else(|| Words::of(b)) {
        return Err(format!("{} comes neither before nor after another", set.what));
    }
    match VERSIONS.get().filter(|versions| (versions.looks_like)(a) || (versions.looks_like)(b)) {
        Some(versions) => (versions.order)(a, b),
        None => Ok(a.cmp(b)),
    }
}

/// The order by which a list of texts is sorted: that of versions when all are, otherwise that of their characters.
pub(super) fn sorting<'a>(mut list: impl Iterator<Item = &'a Dynamic>) -> fn(&str, &str) -> Ordering {
    let looks_like = VERSIONS.get().map(|versions| versions.looks_like);
    if looks_like.is_some_and(|looks_like| list.all(|text| text.as_immutable_string_ref().is_ok_and(|text| looks_like(&text)))) {
        |a, b| VERSIONS.get().and_then(|versions| (versions.order)(a, b).ok()).unwrap_or_else(|| a.cmp(b))
    } else {
        str::cmp
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static COLOURS: Words = Words::new("a colour", &["Red", "Green"]);
    static SIZES: Words = Words::new("a size", &["Small", "Red"]);

    fn text(value: Dynamic) -> ImmutableString {
        value.into_immutable_string().expect("a text")
    }

    #[test]
    fn unknown_word_is_an_error_only_beside_a_known_one() {
        let red = text(COLOURS.give("Red"));
        assert_eq!(same(&red, &"Green".into()), Ok(false));
        assert_eq!(same(&"Red".into(), &red), Ok(true));
        assert_eq!(same(&red, &"Gren".into()), Err("`Gren` is not a colour; did you mean `Green`?".to_owned()));
        assert_eq!(same(&"red".into(), &red), Err("`red` is not a colour; did you mean `Red`?".to_owned()));
        assert_eq!(same(&text(SIZES.give("Small")), &red), Err("a size is not a colour".to_owned()));
        assert_eq!(order(&red, &"Green".into()), Err("a colour comes neither before nor after another".to_owned()));
        // A word of the server that we do not know, and a text that a script made of a word.
        let mauve = text(COLOURS.give("Mauve"));
        assert_eq!((same(&mauve, &"Mauve".into()), same(&mauve, &"Pink".into())), (Ok(true), Ok(false)));
        let mut made = red.clone();
        made += "dish";
        assert_eq!(same(&made, &"reddish".into()), Ok(false));
        assert_eq!(same(&"one".into(), &"two".into()), Ok(false));
    }

    #[test]
    fn words_stay_words_in_variables_lists_maps_and_functions() {
        let mut engine = rhai::Engine::new();
        engine.set_max_strings_interned(0).register_fn("red", || COLOURS.give("Red"));
        let script = r"fn same(x) { x } let a = red(); let m = #{a: a}; let l = [m.a]; for x in l { let y = same(x); m.b = y; } let f = || m.b; f.call()";
        let red = text(engine.eval::<Dynamic>(script).expect("runs"));
        assert!(same(&red, &"Blue".into()).is_err());
        assert_eq!(same(&text(engine.eval::<Dynamic>(r#"let a = red(); a += "x"; a"#).expect("runs")), &"Blue".into()), Ok(false));
    }
}
