//! The options map at the end of a call (`#{timeout: "45m"}`): declared once, checked, documented.
//!
//! [`options!`](crate::options) declares a struct; from it come the parsing (an unknown option is an error with the
//! nearest name) and the table that help and reference show.

use super::thrown::{HostResult, REVEAL, holds_secret, raise, shown};
use crate::{
    clock::text,
    error::{Error, Kind, nearest, shortened, suggestion},
    secrets::Secret,
};
use jiff::SignedDuration;
use rhai::{Array, Dynamic, FnPtr, Map};

/// One option as documentation shows it.
#[derive(Clone, Copy, Debug)]
pub struct OptionDoc {
    /// The key in the map.
    pub name: &'static str,
    /// What a value may be.
    pub takes: Takes,
    /// The default as it is written in a script, or prose such as `none`.
    pub default: &'static str,
    /// What it does.
    pub prose: &'static str,
}

impl OptionDoc {
    /// Type and prose as a table shows them: many words stand behind the prose, where there is room for them.
    pub fn shown(&self) -> (String, String) {
        const FEW: usize = 5;
        let prose = self.prose.split_whitespace().collect::<Vec<_>>().join(" ");
        if self.takes.words.len() <= FEW {
            return (self.takes.shown(), prose);
        }
        let words = Takes { kind: WORD, ..self.takes }.shown();
        (self.takes.kind.to_owned(), format!("{prose} One of {words}."))
    }
}

/// What a parameter or an option takes: for help, for completion, and to judge a value that is written out without running the script.
#[derive(Clone, Copy, Debug)]
pub struct Takes {
    /// The type in words of users: `text`, `duration`, `list of text`, ...
    pub kind: &'static str,
    /// All words it can be, when the set of words is closed.
    pub words: &'static [&'static str],
    /// What a text names on the server: `project`, `environment`, ...
    pub names: Option<&'static str>,
    /// The script types that stand for such a name; empty when that is not limited.
    pub types: &'static [&'static str],
    /// Says why a value cannot be it, as a run would, as far as that is known without a server.
    pub vet: fn(Dynamic) -> Result<(), String>,
}

impl Takes {
    /// What `T` takes.
    pub const fn of<T: OptionValue>() -> Self {
        Self { kind: T::KIND, words: T::WORDS, names: T::NAMES, types: T::TYPES, vet: T::vet }
    }

    /// As help shows it: `duration`; `"leave" or "cancel"`; `"wait", "fail" or a closure`.
    pub fn shown(&self) -> String {
        let mut all: Vec<String> = self.words.iter().map(|word| format!("\"{word}\"")).collect();
        match self.kind {
            WORD if !all.is_empty() => {}
            kind if all.is_empty() => all.push(kind.to_owned()),
            kind => all.push(format!("a {kind}")),
        }
        one_of(&all)
    }
}

/// The name of an option or a property as scripts write it, of that of its member: `type` of `r#type`.
pub const fn written(member: &'static str) -> &'static str {
    match member.as_bytes() {
        [b'r', b'#', ..] => member.split_at(2).1,
        _ => member,
    }
}

/// How a closure is written.
pub(super) const LATER: &str = "what is done later stands in a closure: `|| ...`";

/// The kind of a value that is one of some words, and nothing else.
pub const WORD: &str = "word";

/// `a, b or c`
fn one_of(all: &[String]) -> String {
    match all {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => all.concat(),
    }
}

/// A struct made by [`options!`](crate::options).
pub trait Options: Sized {
    /// The functions that take these options.
    const FUNCTIONS: &'static [&'static str];
    /// The table for help and reference.
    const DOCS: &'static [OptionDoc];
    /// Reads the map given to `function`; an unknown key or a value of a wrong type is an error.
    fn parse(function: &str, map: Map) -> HostResult<Self>;
}

/// A value that an option can have.
pub trait OptionValue: Sized {
    /// The type in words of users.
    const KIND: &'static str;
    /// What it can be, when it is one of some words.
    const WORDS: &'static [&'static str] = &[];
    /// The keys, when the value is an options map.
    const OPTIONS: &'static [OptionDoc] = &[];
    /// What a text of it names on the server: `project`, `environment`, ...
    const NAMES: Option<&'static str> = None;
    /// The script types that it can be read from, when that is limited.
    const TYPES: &'static [&'static str] = &[];
    /// Reads a script value; `Err` holds why it cannot be, e.g. `` `soon` is not a duration ``.
    fn read(value: Dynamic) -> Result<Self, String>;
    /// Says what [`OptionValue::read`], and whatever later reads the value, would find wrong with one that is written out.
    fn vet(value: Dynamic) -> Result<(), String> {
        Self::read(value).map(drop)
    }
    /// Reads the argument `name` of a call to `function`.
    fn argument(function: &str, name: &str, value: Dynamic) -> HostResult<Self> {
        let word = word_of::<Self>(&value);
        Self::read(value).map_err(|why| {
            let place = format!("`{function}`: argument `{name}`");
            raise(wrong_value(&place, name, &Takes::of::<Self>(), word.as_deref(), &why).with("argument", name))
        })
    }
}

impl OptionValue for String {
    const KIND: &'static str = "text";
    fn read(value: Dynamic) -> Result<Self, String> {
        if value.is::<Secret>() {
            return Err(format!("it is a secret: {REVEAL}"));
        }
        if value.is_string() || value.is_int() || value.is_float() || !is_plain(&value) { Ok(shown(&value)) } else { Err(wrong(&value)) }
    }
}

/// A text that people read, and nothing else does: a secret is `***` in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown(pub String);

impl std::ops::Deref for Shown {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl OptionValue for Shown {
    const KIND: &'static str = String::KIND;
    fn read(value: Dynamic) -> Result<Self, String> {
        if value.is::<Secret>() { Ok(Self(shown(&value))) } else { String::read(value).map(Self) }
    }
}

/// A value that is sent or kept as data: one that holds a secret is refused, because `***` would arrive.
#[derive(Clone, Debug)]
pub struct Data(pub Dynamic);

impl OptionValue for Data {
    const KIND: &'static str = Dynamic::KIND;
    fn read(value: Dynamic) -> Result<Self, String> {
        if holds_secret(&value) { Err(format!("it holds a secret: {REVEAL}")) } else { Ok(Self(value)) }
    }
}

macro_rules! read_plainly {
    ($($type:ty: $kind:literal = |$value:ident| $read:expr;)*) => {$(
        impl OptionValue for $type {
            const KIND: &'static str = $kind;
            fn read($value: Dynamic) -> Result<Self, String> {
                $read.ok_or_else(|| wrong(&$value))
            }
        }
    )*};
}
read_plainly! {
    bool: "true or false" = |value| value.as_bool().ok();
    i64: "whole number" = |value| value.as_int().ok();
    f64: "number" = |value| value.as_float().ok().or_else(|| value.as_int().ok().map(|whole| whole as f64));
    FnPtr: "closure" = |value| value.clone().try_cast();
    Map: "map" = |value| value.clone().try_cast();
}

/// The constants of a value that is read as `T` is.
macro_rules! as_inner {
    ($kind:expr) => {
        const KIND: &'static str = $kind;
        const WORDS: &'static [&'static str] = T::WORDS;
        const NAMES: Option<&'static str> = T::NAMES;
        const TYPES: &'static [&'static str] = T::TYPES;
    };
}
pub(super) use as_inner;

impl OptionValue for SignedDuration {
    const KIND: &'static str = "duration";
    fn read(value: Dynamic) -> Result<Self, String> {
        if let Some(duration) = value.clone().try_cast::<SignedDuration>() {
            return Ok(duration);
        }
        let written = value.clone().into_string().map_err(|_| wrong(&value))?;
        text::duration(&written).map_err(|e| e.message().to_owned())
    }
}

impl OptionValue for Dynamic {
    const KIND: &'static str = "any value";
    fn read(value: Dynamic) -> Result<Self, String> {
        Ok(value)
    }
}

/// One value stands for a list of one.
impl<T: OptionValue + ListKind> OptionValue for Vec<T> {
    as_inner!(T::LIST);
    fn vet(value: Dynamic) -> Result<(), String> {
        if value.is_array() { value.into_array().unwrap_or_default().into_iter().try_for_each(T::vet) } else { T::vet(value) }
    }
    fn read(value: Dynamic) -> Result<Self, String> {
        if value.is_array() {
            value.into_array().unwrap_or_default().into_iter().map(T::read).collect()
        } else {
            T::read(value).map(|one| vec![one])
        }
    }
}

/// What a list of a type is called.
pub trait ListKind {
    /// E.g. `text or list of text`.
    const LIST: &'static str;
}

impl ListKind for String {
    const LIST: &'static str = "text or list of text";
}

impl ListKind for Dynamic {
    const LIST: &'static str = "list";
}

/// `()` stands for "not given".
impl<T: OptionValue> OptionValue for Option<T> {
    as_inner!(T::KIND);
    fn read(value: Dynamic) -> Result<Self, String> {
        if value.is_unit() { Ok(None) } else { T::read(value).map(Some) }
    }
    fn vet(value: Dynamic) -> Result<(), String> {
        if value.is_unit() { Ok(()) } else { T::vet(value) }
    }
}

/// For options that would make their function's frame big.
impl<T: OptionValue> OptionValue for Box<T> {
    const KIND: &'static str = T::KIND;
    const OPTIONS: &'static [OptionDoc] = T::OPTIONS;
    fn read(value: Dynamic) -> Result<Self, String> {
        T::read(value).map(Box::new)
    }
    fn argument(function: &str, name: &str, value: Dynamic) -> HostResult<Self> {
        T::argument(function, name, value).map(Box::new)
    }
}

fn is_plain(value: &Dynamic) -> bool {
    value.is_unit() || value.is_bool() || value.is_array() || value.is_map() || value.is_fnptr()
}

/// `got a whole number: 5`, for messages about a wrong type.
pub fn wrong(value: &Dynamic) -> String {
    let article = type_in_words(value);
    let shown = shortened(&shown(value), 40);
    if value.is_unit() {
        "it has no value".to_owned()
    } else if value.is::<FnPtr>() {
        format!("got {article}")
    } else {
        format!("got {article}: `{shown}`")
    }
}

/// A value's type in the words of our documentation.
pub fn type_in_words(value: &Dynamic) -> String {
    if value.is_unit() {
        "nothing".into()
    } else if value.is_bool() {
        "true or false".into()
    } else if value.is_int() {
        "a whole number".into()
    } else if value.is_float() {
        "a number".into()
    } else if value.is_string() || value.is_char() {
        "text".into()
    } else if value.is_array() {
        "a list".into()
    } else if value.is_map() {
        "a map".into()
    } else if value.is_fnptr() {
        "a closure".into()
    } else if value.is::<SignedDuration>() {
        "a duration".into()
    } else {
        format!("a {}", value.type_name().rsplit("::").next().unwrap_or("value"))
    }
}

/// The text of a value that must be one of some words. Other values are not kept: they may be big.
fn word_of<T: OptionValue>(value: &Dynamic) -> Option<String> {
    (value.is_string() && !T::WORDS.is_empty()).then(|| value.to_string())
}

/// The error for a value that cannot be what `place` takes; `name` is that of the parameter or option, `word` the text that was given
/// where one of some words is wanted.
pub fn wrong_value(place: &str, name: &str, takes: &Takes, word: Option<&str>, why: &str) -> Error {
    if let Some(word) = word {
        let error = Error::new(Kind::Script, format!("{place} must be {}, not `{word}`", takes.shown()));
        return match nearest(word, takes.words.iter().copied()) {
            Some(near) => error.help(format!("did you mean \"{near}\"?")),
            None => error.help(format!("write it like `{name}: \"{}\"`", takes.words.first().copied().unwrap_or_default())),
        };
    }
    let error = Error::new(Kind::Script, format!("{place} must be: {}; {why}", takes.shown()));
    if name == "html" && why.starts_with("got a list") {
        return error.help("rows become HTML with `report(rows, #{format: \"html\"})`");
    }
    if takes.kind == FnPtr::KIND {
        return error.help(LATER);
    }
    if takes.kind == SignedDuration::KIND { error.help(format!("write it with its unit, e.g. `{name}: \"45m\"`")) } else { error }
}

/// The line that works where a value was given instead of an options map.
pub fn fitting_option(function: &str, options: &[OptionDoc], value: &Dynamic) -> Option<String> {
    let text = value.read_lock::<rhai::ImmutableString>()?.to_string();
    let fits = |option: &&OptionDoc| (option.takes.vet)(value.clone()).is_ok();
    let by_word = options.iter().find(|option| option.takes.words.contains(&text.as_str()));
    let by_duration = || options.iter().find(|option| option.takes.kind == SignedDuration::KIND && fits(option));
    let by_version = || options.iter().find(|option| option.name == "version" && text.starts_with(|c: char| c.is_ascii_digit()));
    let by_name = || options.iter().find(|option| option.takes.names.is_some() && fits(option));
    let option = by_word.or_else(by_duration).or_else(by_version).or_else(by_name)?;
    Some(format!("options stand in a map: `{function}(..., #{{{}: \"{text}\"}})`", option.name))
}

/// Takes `name` out of `map` and reads it.
pub fn take<T: OptionValue>(function: &str, map: &mut Map, name: &str) -> HostResult<Option<T>> {
    match map.remove(name) {
        None => Ok(None),
        Some(value) => {
            let word = word_of::<T>(&value);
            T::read(value).map(Some).map_err(|why| {
                let place = format!("option `{name}` of `{function}`");
                raise(wrong_value(&place, name, &Takes::of::<T>(), word.as_deref(), &why).with("option", name))
            })
        }
    }
}

/// What is left after all known options were taken is unknown.
pub fn nothing_left(function: &str, map: &Map, known: &[OptionDoc]) -> HostResult<()> {
    let Some(name) = map.keys().next() else { return Ok(()) };
    let instead = || super::foreign_syntax::option(function, name, &known.iter().map(|option| option.name).collect::<Vec<_>>());
    let mut error = Error::new(Kind::Script, format!("`{function}` has no option `{name}`")).with("option", name.as_str());
    error = match instead().or_else(|| suggestion(name, known.iter().map(|o| o.name))) {
        Some(help) => error.help(help),
        None => error.help(format!("`octorhai help {function}` lists its options")),
    };
    Err(raise(error))
}

/// Reads a list argument whose items may be mixed (`[task, task]`), or a single one.
pub fn list(value: Dynamic) -> Array {
    if value.is_array() { value.into_array().unwrap_or_default() } else { vec![value] }
}

/// Declares the options of functions.
///
/// ```
/// octorhai::options! {
///     /// How to wait.
///     pub struct WaitOptions for ["wait"] {
///         /// How long at most.
///         timeout: jiff::SignedDuration = jiff::SignedDuration::from_mins(30), "30m";
///         /// What to do with open tasks at a time-out: `"cancel"` or `"leave"`.
///         on_timeout: String = "leave".to_owned(), "leave";
///     }
/// }
/// use octorhai::engine::options::Options as _;
/// assert_eq!(WaitOptions::DOCS[0].default, "30m");
/// ```
#[macro_export]
macro_rules! options {
    ($(#[$meta:meta])* pub struct $name:ident for [$($function:literal),+] {
        $($(#[doc = $prose:literal])+ $field:ident: $type:ty = $default:expr, $shown:literal;)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug)]
        pub struct $name { $($(#[doc = $prose])+ pub $field: $type,)* }

        impl Default for $name {
            fn default() -> Self { Self { $($field: $default,)* } }
        }

        impl $crate::engine::options::Options for $name {
            const FUNCTIONS: &'static [&'static str] = &[$($function),+];
            const DOCS: &'static [$crate::engine::options::OptionDoc] = &[$($crate::engine::options::OptionDoc {
                name: $crate::engine::options::written(stringify!($field)),
                takes: $crate::engine::options::Takes::of::<$type>(),
                default: $shown,
                prose: concat!($($prose, "\n"),+),
            },)*];
            #[allow(unused_mut, unused_variables, reason = "a function may have no options yet")]
            fn parse(function: &str, mut map: rhai::Map) -> $crate::engine::thrown::HostResult<Self> {
                let parsed = Self { $($field: match $crate::engine::options::take(function, &mut map, $crate::engine::options::written(stringify!($field)))? {
                    Some(value) => value,
                    None => $default,
                },)* };
                $crate::engine::options::nothing_left(function, &map, Self::DOCS)?;
                Ok(parsed)
            }
        }

        impl $crate::engine::options::OptionValue for $name {
            const KIND: &'static str = "options map";
            const OPTIONS: &'static [$crate::engine::options::OptionDoc] = <Self as $crate::engine::options::Options>::DOCS;
            fn read(value: rhai::Dynamic) -> Result<Self, String> {
                <rhai::Map as $crate::engine::options::OptionValue>::read(value)
                    .and_then(|map| <Self as $crate::engine::options::Options>::parse(<Self as $crate::engine::options::Options>::FUNCTIONS[0], map).map_err(|e| e.to_string()))
            }
            fn argument(function: &str, name: &str, value: rhai::Dynamic) -> $crate::engine::thrown::HostResult<Self> {
                if value.is_unit() {
                    return Ok(Self::default());
                }
                let hint = $crate::engine::options::fitting_option(function, <Self as $crate::engine::options::Options>::DOCS, &value);
                let map = <rhai::Map as $crate::engine::options::OptionValue>::argument(function, name, value)
                    .map_err(|error| hint.into_iter().fold(error, $crate::engine::thrown::helped))?;
                <Self as $crate::engine::options::Options>::parse(function, map)
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::options! {
        /// For the tests.
        pub struct Sample for ["sample"] {
            /// How long.
            timeout: SignedDuration = SignedDuration::from_mins(30), "30m";
            /// Whom.
            to: Vec<String> = Vec::new(), "[]";
            /// Perhaps.
            channel: Option<String> = None, "none";
        }
    }

    fn parse(script: &str) -> Result<Sample, Error> {
        let map = rhai::Engine::new().eval::<Map>(script).expect("a map");
        Sample::parse("sample", map).map_err(|e| super::super::thrown::ours(&e).expect("ours"))
    }

    #[test]
    fn options_are_read_and_defaults_filled_in() {
        let sample = parse(r#"#{timeout: "45m", to: "a@example.com"}"#).expect("parses");
        assert_eq!(sample.timeout, SignedDuration::from_mins(45));
        assert_eq!(sample.to, ["a@example.com"]);
        assert_eq!(sample.channel, None);
    }

    #[test]
    fn a_slip_is_an_error_with_the_right_name() {
        let error = parse(r#"#{tiemout: "45m"}"#).expect_err("unknown");
        assert_eq!(error.message(), "`sample` has no option `tiemout`");
        assert_eq!(error.hints(), ["did you mean `timeout`?"]);
    }

    #[test]
    fn a_wrong_type_says_what_it_must_be() {
        let error = parse("#{timeout: 5}").expect_err("not a duration");
        assert_eq!(error.message(), "option `timeout` of `sample` must be: duration; got a whole number: `5`");
    }
}
