//! What `== != < <= > >=` and `in` mean between values of our types, and with texts and numbers: a comparison works or is an error.
//!
//! Left to itself Rhai answers `false` whenever two values are of different types, which in a script about deployments is a wrong
//! answer: `env != "Production"` would let Production in. So each type says what it means beside others of its kind and beside a text
//! ([`Meaning`]), and all else is an error. `()` is equal to nothing but itself, and neither before nor after anything.

use super::{
    options::type_in_words,
    texts,
    thrown::{HostResult, raise, shown},
};
use crate::error::{Error, Kind};
use parking_lot::RwLock;
use rhai::{Array, Dynamic, Engine, FnPtr, ImmutableString};
use std::{any::TypeId, cmp::Ordering, collections::BTreeMap};

/// What came of comparing a value with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beside {
    /// Whether the text means the value.
    pub same: bool,
    /// Where the value stands to what the text means; none when there is no order.
    pub order: Option<Ordering>,
}

impl Beside {
    /// The text names what has no order.
    pub fn name(same: bool) -> Self {
        Self { same, order: None }
    }

    /// The text means something that comes before, after, or is the same.
    pub fn ordered(order: Ordering) -> Self {
        Self { same: order.is_eq(), order: Some(order) }
    }
}

/// What a value of a type means where it meets others: in comparisons, and where a function wants a name.
pub trait Meaning: Clone + Send + Sync + 'static {
    /// What to compare instead where a comparison makes no sense, as a hint: ``compare `task.state` ``.
    const INSTEAD: &'static str;
    /// Whether two are the same.
    fn same(&self, other: &Self) -> bool;
    /// Which of two comes first; none when they have no order.
    fn order(&self, _other: &Self) -> Option<Ordering> {
        None
    }
    /// How it compares with a text; `Err` says why it does not.
    fn beside(&self, text: &str) -> Result<Beside, String>;
    /// The id by which functions that take a name find it.
    fn named(&self) -> Option<String> {
        None
    }
}

/// A comparison.
#[derive(Clone, Copy, Debug)]
pub struct Comparison {
    /// As scripts write it.
    pub sign: &'static str,
    holds: fn(Ordering) -> bool,
}

impl Comparison {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self { sign: "==", holds: Ordering::is_eq },
        Self { sign: "!=", holds: Ordering::is_ne },
        Self { sign: "<", holds: Ordering::is_lt },
        Self { sign: "<=", holds: Ordering::is_le },
        Self { sign: ">", holds: Ordering::is_gt },
        Self { sign: ">=", holds: Ordering::is_ge },
    ];

    /// Whether it asks only whether two are the same.
    pub fn is_equality(self) -> bool {
        matches!(self.sign, "==" | "!=")
    }

    fn of_same(self, same: bool) -> bool {
        (self.holds)(if same { Ordering::Equal } else { Ordering::Less })
    }

    /// `left sign right`, where at least one is a `T`.
    pub(super) fn between<T: Meaning>(self, engine: &Engine, left: &Dynamic, right: &Dynamic) -> HostResult<bool> {
        let cannot = |why: Option<String>| {
            let (one, other) = (in_words(engine, left), in_words(engine, right));
            let error = Error::new(Kind::Script, format!("`{}` does not compare {one} with {other}", self.sign));
            let error = match why {
                Some(why) => Error::new(Kind::Script, format!("{}: {why}", error.message())),
                None => error,
            };
            Err(raise(error.help(T::INSTEAD)))
        };
        let (own, other, turned) = match (left.clone().try_cast::<T>(), right.clone().try_cast::<T>()) {
            (Some(own), Some(other)) if self.is_equality() => return Ok(self.of_same(own.same(&other))),
            (Some(own), Some(other)) => return own.order(&other).map_or_else(|| cannot(None), |order| Ok((self.holds)(order))),
            (Some(own), None) => (own, right, false),
            (None, Some(own)) => (own, left, true),
            (None, None) => return cannot(None),
        };
        if other.is_unit() {
            return Ok(self.sign == "!=");
        }
        let Ok(text) = other.clone().into_immutable_string() else { return cannot(None) };
        let beside = match own.beside(&text) {
            Ok(beside) => beside,
            Err(why) => return cannot(Some(why)),
        };
        if self.is_equality() {
            return Ok(self.of_same(beside.same));
        }
        match beside.order {
            Some(order) => Ok((self.holds)(if turned { order.reverse() } else { order })),
            None => cannot(None),
        }
    }

    /// Between two texts.
    pub(super) fn between_texts(self, left: &Dynamic, right: &Dynamic) -> HostResult<bool> {
        let (Ok(a), Ok(b)) = (left.as_immutable_string_ref(), right.as_immutable_string_ref()) else { return Ok(self.sign == "!=") };
        let result =
            if self.is_equality() { texts::same(&a, &b).map(|same| self.of_same(same)) } else { texts::order(&a, &b).map(self.holds) };
        result.map_err(|why| raise(Error::new(Kind::Script, format!("`{}` makes no sense here: {why}", self.sign))))
    }

    /// Between a text and a number: they have no order. Whether they are the same remains what it is in Rhai, where values that may be of any
    /// type are compared: they are not.
    pub(super) fn between_text_and_number(self, left: &Dynamic, right: &Dynamic) -> HostResult<bool> {
        let (one, other) = (type_in_words(left), type_in_words(right));
        let error = Error::new(Kind::Script, format!("`{}` does not compare {one} with {other}: `{left}` and `{right}`", self.sign));
        Err(raise(error.help("make a number of the text with `parse_int(text)`, or a text of the number with `to_string(number)`")))
    }
}

/// Pairs of types that are a text and a number.
pub(super) fn texts_and_numbers() -> impl Iterator<Item = [TypeId; 2]> {
    let text = TypeId::of::<ImmutableString>();
    [TypeId::of::<i64>(), TypeId::of::<f64>()].into_iter().flat_map(move |number| [[text, number], [number, text]])
}

/// Which of two values comes first; none when they have no order.
type Order = dyn Fn(&Dynamic, &Dynamic) -> Option<Ordering>;

/// Sorts a list whose items are of one type, by what `<` says.
pub(super) fn sort(list: &mut Array, down: bool) -> HostResult<()> {
    let Some(first) = list.first().map(Dynamic::type_id) else { return Ok(()) };
    if list.iter().any(|item| item.type_id() != first) {
        return Err(raise(Error::new(Kind::Script, "elements of different types cannot be sorted").help(SORT_BY)));
    }
    let order: Box<Order> = if first == TypeId::of::<ImmutableString>() {
        let order = texts::sorting(list.iter());
        Box::new(move |a, b| Some(order(&a.as_immutable_string_ref().ok()?, &b.as_immutable_string_ref().ok()?)))
    } else if let Some(meaning) = MEANINGS.read().get(&first).copied() {
        Box::new(meaning.order)
    } else {
        Box::new(plain_order)
    };
    let mut unordered = false;
    list.sort_by(|a, b| {
        let order = order(a, b).unwrap_or_else(|| {
            unordered = true;
            Ordering::Equal
        });
        if down { order.reverse() } else { order }
    });
    if unordered {
        return Err(raise(Error::new(Kind::Script, format!("values like `{}` have no order", shown(&list[0]))).help(SORT_BY)));
    }
    Ok(())
}

const SORT_BY: &str = "say what comes first: `list.sort(|a, b| if a > b { 1 } else { -1 })`";

/// The order of numbers, characters and truth values.
fn plain_order(a: &Dynamic, b: &Dynamic) -> Option<Ordering> {
    if let (Ok(a), Ok(b)) = (a.as_int(), b.as_int()) {
        Some(a.cmp(&b))
    } else if let (Ok(a), Ok(b)) = (a.as_float(), b.as_float()) {
        Some(a.total_cmp(&b))
    } else if let (Ok(a), Ok(b)) = (a.as_char(), b.as_char()) {
        Some(a.cmp(&b))
    } else if let (Ok(a), Ok(b)) = (a.as_bool(), b.as_bool()) {
        Some(a.cmp(&b))
    } else {
        a.is_unit().then_some(Ordering::Equal)
    }
}

/// What is known of a type by its values: what [`Meaning`] says without the type.
#[derive(Clone, Copy)]
struct ByType {
    order: fn(&Dynamic, &Dynamic) -> Option<Ordering>,
    named: fn(&Dynamic) -> Option<String>,
}

/// All types whose values are compared. Filled once for each type when a library is built, the same for all runs.
static MEANINGS: RwLock<BTreeMap<TypeId, ByType>> = RwLock::new(BTreeMap::new());

/// Makes the meaning of a type known.
pub(super) fn know<T: Meaning>() {
    let order = |a: &Dynamic, b: &Dynamic| a.clone().try_cast::<T>()?.order(&b.clone().try_cast::<T>()?);
    let named = |value: &Dynamic| value.clone().try_cast::<T>()?.named();
    MEANINGS.write().insert(TypeId::of::<T>(), ByType { order, named });
}

/// The id by which functions that take a name find what a value is; none when it is not of a type that has one.
pub fn named(value: &Dynamic) -> Option<String> {
    let known = MEANINGS.read().get(&value.type_id()).copied()?;
    (known.named)(value)
}

fn in_words(engine: &Engine, value: &Dynamic) -> String {
    let what = if value.is_variant() {
        let name = engine.map_type_name(value.type_name());
        let article = if name.starts_with(['A', 'E', 'I', 'O', 'U']) { "an" } else { "a" };
        format!("{article} {name}")
    } else {
        type_in_words(value)
    };
    if value.is::<FnPtr>() || value.is_unit() {
        return what;
    }
    let text = crate::error::shortened(&shown(value), 60);
    format!("{what} (`{text}`)")
}
