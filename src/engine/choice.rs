//! Values that are one of some words, and lists that select.

use super::options::{ListKind, OptionValue};
use crate::error::nearest;
use rhai::Dynamic;

/// Declares a closed set of words: `words! { /// What.\n pub enum Name { /// What it means.\n Variant = "word", } }`. From it come
/// reading, the error with the nearest word, help, completion, and the rule of `check`.
#[macro_export]
macro_rules! words {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[doc = $prose:literal])+ $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[doc = $prose])+ $variant,)+ }

        impl $name {
            const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// As scripts write it.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The variant that a script writes as `word`.
            pub fn named(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.word() == word)
            }
        }

        impl $crate::engine::options::OptionValue for $name {
            const KIND: &'static str = $crate::engine::options::WORD;
            const WORDS: &'static [&'static str] = &[$($word),+];
            fn read(value: rhai::Dynamic) -> Result<Self, String> {
                let word = <String as $crate::engine::options::OptionValue>::read(value)?;
                Self::named(&word).ok_or_else(|| $crate::engine::choice::unknown(&word, Self::WORDS))
            }
        }
    };
}

/// Why `word` cannot be one of `words`.
pub fn unknown(word: &str, words: &[&'static str]) -> String {
    let near = nearest(word, words.iter().copied()).map_or_else(String::new, |near| format!(", did you mean \"{near}\"?"));
    format!("`{word}` is not one of them{near}")
}

/// A name that cannot be empty, such as that of a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl std::ops::Deref for Name {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl OptionValue for Name {
    const KIND: &'static str = "text";
    fn read(value: Dynamic) -> Result<Self, String> {
        let text = String::read(value)?;
        if text.trim().is_empty() { Err("it is empty".to_owned()) } else { Ok(Self(text)) }
    }
}

impl ListKind for Name {
    const LIST: &'static str = "text or list of text";
}

/// A word, or a closure that decides. In help both stand: `"wait", "fail" or a closure`.
#[derive(Clone, Debug)]
pub enum Decide<W> {
    /// One of the words.
    Word(W),
    /// Decides itself.
    Closure(rhai::FnPtr),
}

impl<W: OptionValue> OptionValue for Decide<W> {
    const KIND: &'static str = "closure";
    const WORDS: &'static [&'static str] = W::WORDS;
    fn read(value: Dynamic) -> Result<Self, String> {
        match value.clone().try_cast() {
            Some(closure) => Ok(Self::Closure(closure)),
            None => W::read(value).map(Self::Word),
        }
    }
}

/// A list that selects. Left out it selects everything, an empty list selects nothing; one value stands for a list of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Chosen<T> {
    /// Not given.
    #[default]
    All,
    /// These and no others.
    These(Vec<T>),
}

impl<T> Chosen<T> {
    /// What is named; nothing when all are meant.
    pub fn named(&self) -> &[T] {
        match self {
            Self::All => &[],
            Self::These(these) => these,
        }
    }

    /// Whether a list was given and has nothing in it.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::These(these) if these.is_empty())
    }
}

impl<T: OptionValue + ListKind> OptionValue for Chosen<T> {
    const KIND: &'static str = T::LIST;
    const WORDS: &'static [&'static str] = T::WORDS;
    const NAMES: Option<&'static str> = T::NAMES;
    const TYPES: &'static [&'static str] = T::TYPES;
    fn read(value: Dynamic) -> Result<Self, String> {
        Vec::<T>::read(value).map(Self::These)
    }
    fn vet(value: Dynamic) -> Result<(), String> {
        Vec::<T>::vet(value)
    }
}
