//! Values that are one of some words, and lists that select.

use super::options::{ListKind, OptionValue, as_inner};
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

/// A list that selects where to select nothing makes no sense: an empty list is an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OneOrMore<T>(Chosen<T>);

impl<T> OneOrMore<T> {
    /// All.
    pub const ALL: Self = Self(Chosen::All);

    /// These; none when there is nothing in the list.
    pub fn these(these: Vec<T>) -> Option<Self> {
        if these.is_empty() { None } else { Some(Self(Chosen::These(these))) }
    }

    /// Whether the list was left out.
    pub fn is_all(&self) -> bool {
        matches!(self.0, Chosen::All)
    }

    /// What is named; nothing when all are meant.
    pub fn named(&self) -> &[T] {
        self.0.named()
    }
}

impl<T: OptionValue + ListKind> OptionValue for OneOrMore<T> {
    as_inner!(T::LIST);
    fn read(value: Dynamic) -> Result<Self, String> {
        Self::these(Vec::<T>::read(value)?).ok_or_else(|| CHOSE_NONE.to_owned())
    }
    fn vet(value: Dynamic) -> Result<(), String> {
        if value.read_lock::<rhai::Array>().is_some_and(|list| list.is_empty()) { Err(CHOSE_NONE.to_owned()) } else { Vec::<T>::vet(value) }
    }
}

/// Why an empty list is none of [`OneOrMore`].
const CHOSE_NONE: &str = "the list is empty and chooses none, leave the option out for all";

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
    as_inner!(T::LIST);
    fn read(value: Dynamic) -> Result<Self, String> {
        Vec::<T>::read(value).map(Self::These)
    }
    fn vet(value: Dynamic) -> Result<(), String> {
        Vec::<T>::vet(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::options::{Options as _, WORD};

    crate::words! {
        /// For the tests.
        pub enum Sample {
            /// One.
            Leave = "leave",
            /// The other.
            Cancel = "cancel",
        }
    }

    crate::options! {
        /// For the tests.
        pub struct SampleOptions for ["sample"] {
            /// A word.
            word: Sample = Sample::Leave, "\"leave\"";
            /// A word or a closure.
            decide: Decide<Sample> = Decide::Word(Sample::Leave), "\"leave\"";
            /// A list that selects.
            chosen: Chosen<Name> = Chosen::All, "all";
            /// One that cannot be empty.
            some: OneOrMore<Name> = OneOrMore::ALL, "all";
            /// A name.
            name: Option<Name> = None, "none";
        }
    }

    fn value(script: &str) -> Dynamic {
        rhai::Engine::new().eval(script).expect("a value")
    }

    fn parse(script: &str) -> Result<SampleOptions, String> {
        SampleOptions::parse("sample", value(script).cast()).map_err(|e| {
            let error = crate::engine::thrown::ours(&e).expect("ours");
            std::iter::once(error.message()).chain(error.hints().iter().map(String::as_str)).collect::<Vec<_>>().join("; ")
        })
    }

    #[test]
    fn what_is_not_given_is_the_default() {
        let none = parse("#{}").expect("options");
        assert_eq!((none.word, none.chosen, none.some, none.name), (Sample::Leave, Chosen::All, OneOrMore::ALL, None));
        assert!(matches!(none.decide, Decide::Word(Sample::Leave)));
    }

    #[test]
    fn a_word_is_one_of_its_words_as_they_are_written() {
        assert_eq!((Sample::KIND, Sample::WORDS), (WORD, &["leave", "cancel"][..]));
        for one in Sample::ALL {
            assert_eq!((Sample::named(one.word()), Sample::read(one.word().into()).ok()), (Some(*one), Some(*one)));
        }
        for (wrong, why) in [
            ("#{word: \"cancle\"}", "option `word` of `sample` must be \"leave\" or \"cancel\", not `cancle`; did you mean \"cancel\"?"),
            ("#{word: \"Leave\"}", "option `word` of `sample` must be \"leave\" or \"cancel\", not `Leave`; did you mean \"leave\"?"),
            ("#{word: \"\"}", "option `word` of `sample` must be \"leave\" or \"cancel\", not ``; write it like `word: \"leave\"`"),
            ("#{word: true}", "option `word` of `sample` must be: \"leave\" or \"cancel\"; got true or false: `true`"),
            ("#{word: ()}", "option `word` of `sample` must be: \"leave\" or \"cancel\"; it has no value"),
        ] {
            assert_eq!(parse(wrong).expect_err(wrong), why);
        }
    }

    #[test]
    fn a_word_or_a_closure_decides() {
        assert!(matches!(parse("#{decide: \"cancel\"}").expect("a word").decide, Decide::Word(Sample::Cancel)));
        assert!(matches!(parse("#{decide: || 1}").expect("a closure").decide, Decide::Closure(_)));
        let why = "option `decide` of `sample` must be \"leave\", \"cancel\" or a closure, not `wait`; write it like `decide: \"leave\"`";
        assert_eq!(parse("#{decide: \"wait\"}").expect_err("no such word"), why);
        for wrong in ["#{decide: [\"leave\"]}", "#{decide: ()}", "#{decide: #{}}"] {
            let told = parse(wrong).expect_err(wrong);
            assert!(told.starts_with("option `decide` of `sample` must be: \"leave\", \"cancel\" or a closure; "), "{told}");
        }
    }

    #[test]
    fn a_list_that_selects_is_all_only_when_it_is_left_out() {
        let names = |script: &str| {
            let chosen = parse(script).unwrap_or_else(|why| panic!("{script}: {why}")).chosen;
            (chosen.is_nothing(), chosen.named().iter().map(ToString::to_string).collect::<Vec<_>>().join(","), chosen == Chosen::All)
        };
        assert_eq!(names("#{}"), (false, String::new(), true));
        assert_eq!(names("#{chosen: []}"), (true, String::new(), false));
        assert_eq!(names("#{chosen: \"a\"}"), (false, "a".to_owned(), false));
        assert_eq!(names("#{chosen: [\"a\", \"b\"]}"), (false, "a,b".to_owned(), false));
        for wrong in ["#{chosen: ()}", "#{chosen: \"\"}", "#{chosen: [\"\"]}", "#{chosen: [[]]}", "#{chosen: #{}}"] {
            let told = parse(wrong).expect_err(wrong);
            assert!(told.starts_with("option `chosen` of `sample` must be: text or list of text; "), "{told}");
        }
    }

    #[test]
    fn where_something_must_be_chosen_an_empty_list_is_an_error() {
        let some = parse("#{some: \"a\"}").expect("a list of one").some;
        assert_eq!((some.is_all(), some.named()), (false, &[Name("a".to_owned())][..]));
        assert!(parse("#{}").expect("options").some.is_all());
        let told = parse("#{some: []}").expect_err("nothing");
        assert_eq!(told, format!("option `some` of `sample` must be: text or list of text; {CHOSE_NONE}"));
        assert_eq!(OneOrMore::<Name>::vet(value("[]")), Err(CHOSE_NONE.to_owned()));
        assert_eq!(OneOrMore::<Name>::these(Vec::new()), None);
    }

    #[test]
    fn a_name_has_something_in_it() {
        assert_eq!(parse("#{name: \" a \"}").expect("a name").name.as_deref(), Some(" a "));
        assert_eq!(parse("#{name: ()}").expect("not given").name, None);
        for wrong in ["#{name: \"\"}", "#{name: \" \\t\"}"] {
            assert_eq!(parse(wrong).expect_err(wrong), "option `name` of `sample` must be: text; it is empty");
        }
    }
}
