//! How big the values of a script may get: looked at whenever the script uses a variable.
//!
//! Rhai has limits of its own, but with any of them it goes through all of a list after each call on that list: filling
//! one takes quadratic time (measured: 39 s for 100,000 texts, 0.2 s without). Here the length of what a variable holds
//! is looked at each time, and what is inside of it only when enough real time has gone by for that to cost little.
//! In so short a time a script cannot make much: copying memory is what takes it its time.

use super::{
    Limits,
    thrown::{self, HostResult, raise},
};
use crate::{
    clock::Stopwatch,
    error::{Error, Kind, size},
};
use rhai::{Array, Dynamic, ImmutableString, Map};
use std::{cell::RefCell, time::Duration};

/// How long nothing is looked through after it was done, and how many times as long as that took.
const REST: (Duration, u32) = (Duration::from_millis(10), 8);

/// The texts in one value may together be so many times as long as one text.
const TEXTS: usize = 16;

/// No list and no text is filled up (`pad`) to more items or letters.
const PADDED: i64 = 1_000_000;

/// What values may have; see [`Limits`].
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    text: usize,
    list: usize,
    map: usize,
}

thread_local! {
    /// When this thread last looked through a value, and how long it rests then.
    static LOOKED: RefCell<Option<(Stopwatch, Duration)>> = const { RefCell::new(None) };
}

impl From<&Limits> for Sizes {
    fn from(limits: &Limits) -> Self {
        Self { text: limits.text, list: limits.list, map: limits.map }
    }
}

/// What a value holds, its parts included.
#[derive(Default)]
struct Contents {
    bytes: usize,
    items: usize,
    entries: usize,
}

impl Sizes {
    /// An error that scripts cannot catch when `value` is too big.
    pub(super) fn check(self, value: &Dynamic) -> HostResult<()> {
        if let Some(text) = value.read_lock::<ImmutableString>() {
            return self.hold(&Contents { bytes: text.len(), ..Contents::default() }, self.text);
        }
        let own = if let Some(list) = value.read_lock::<Array>() {
            Contents { items: list.len(), ..Contents::default() }
        } else if let Some(map) = value.read_lock::<Map>() {
            Contents { entries: map.len(), ..Contents::default() }
        } else {
            return Ok(());
        };
        self.hold(&own, self.text)?;
        if LOOKED.with_borrow(|last| last.as_ref().is_some_and(|(watch, rest)| watch.elapsed() < *rest)) {
            return Ok(());
        }
        let watch = Stopwatch::start();
        let mut all = Contents::default();
        let result = self.look_through(value, &mut all);
        let rest = (watch.elapsed() * REST.1).max(REST.0);
        LOOKED.set(Some((Stopwatch::start(), rest)));
        #[cfg(test)]
        tests::SEEN.set(tests::SEEN.get() + all.items);
        result
    }

    fn look_through(self, value: &Dynamic, all: &mut Contents) -> HostResult<()> {
        if let Some(text) = value.read_lock::<ImmutableString>() {
            all.bytes += text.len();
        } else if let Some(list) = value.read_lock::<Array>() {
            all.items += list.len();
            self.hold(all, self.text * TEXTS)?;
            return list.iter().try_for_each(|item| self.look_through(item, all));
        } else if let Some(map) = value.read_lock::<Map>() {
            all.entries += map.len();
            self.hold(all, self.text * TEXTS)?;
            return map.values().try_for_each(|item| self.look_through(item, all));
        }
        self.hold(all, self.text * TEXTS)
    }

    fn hold(self, contents: &Contents, bytes: usize) -> HostResult<()> {
        let what = if contents.bytes > bytes {
            format!("a text is longer than {}", size(bytes as u64))
        } else if contents.items > self.list {
            format!("a list has more than {} items", with_commas(self.list as u64))
        } else if contents.entries > self.map {
            format!("a map has more than {} entries", with_commas(self.map as u64))
        } else {
            return Ok(());
        };
        let error = Error::new(Kind::Limit, what).help("does a loop add to it without end?");
        thrown::leaving(Err(raise(error)))
    }
}

/// `Err` when `pad` is asked for more than it may.
pub(super) fn padded(length: i64) -> HostResult<usize> {
    if length > PADDED {
        let error = Error::new(Kind::Limit, format!("`pad` fills up to {} at most", with_commas(PADDED.unsigned_abs())));
        return thrown::leaving(Err(raise(error)));
    }
    Ok(usize::try_from(length).unwrap_or(0))
}

/// `1,000,000`
pub(super) fn with_commas(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Config, Files, Interpreter, Source};
    use std::cell::Cell;

    thread_local! {
        /// How many items of lists this thread has looked through.
        pub(super) static SEEN: Cell<usize> = const { Cell::new(0) };
    }

    fn outcome(script: &str) -> Result<Dynamic, Error> {
        // A tenth of the default, so that a debug build is soon done.
        let limits = Limits { text: 1 << 20, list: 100_000, map: 10_000, ..Limits::default() };
        let interpreter = Interpreter::new(Config { limits, ..Config::default() });
        let source = Source { name: "main.rhai".into(), text: script.into(), files: Files::None };
        let program = interpreter.load(&source).expect("compiles");
        interpreter.run(&program).map_err(|failure| failure.error)
    }

    #[test]
    fn endless_growth_is_caught_whatever_grows() {
        for script in [
            "let t = \"0123456789\"; loop { t += t; }",
            "let t = \"0123456789\"; loop { t = `${t}${t}`; }",
            "let l = [1]; loop { l += l; }",
            "let l = [1]; loop { l.append(l); }",
            "let l = [1]; loop { l = [l, l]; }",
            "let l = [1]; try { loop { l.push(l); } } catch { }",
            "let m = #{a: 1}; loop { m = #{a: m, b: m}; }",
            "let m = #{text: \"0123456789\"}; loop { m.text += m.text; }",
            "let m = #{list: [1]}; loop { m.list.append(m.list); }",
            "let l = [1]; let f = || { l += l; }; loop { f.call(); }",
            "let l = [\"0123456789\"]; loop { l[0] += l[0]; }",
            "fn twice(n) { if n == 0 { return [1]; } let l = twice(n - 1); [l, l] } twice(60)",
            "let l = []; l.pad(1000000000000, 1);",
            "\"a\".pad(1000000000000, \"b\");",
            "\"a\".pad(1000000000000, 'b');",
        ] {
            let error = outcome(script).expect_err(script);
            assert_eq!(error.kind(), Kind::Limit, "{script}: {}", error.message());
        }
        assert!(
            outcome("let l = [1]; l.pad(3, 0); let t = \"ü\"; t.pad(3, \"ab\"); if `${l} ${t}` != \"[1, 0, 0] üab\" { throw t }").is_ok()
        );
    }

    #[test]
    fn a_long_list_is_filled_in_linear_time() {
        SEEN.set(0);
        let script = "let l = []; for i in 0..100000 { l.push(`item ${i}`); } let n = 0; for i in 0..1000 { n += l.len(); } n";
        assert_eq!(outcome(script).expect("ends well").as_int(), Ok(100_000_000));
        // Each call looked through would be 5,000,000,000 items.
        assert!((1..100_000_000).contains(&SEEN.get()), "{} items were looked at", SEEN.get());
    }

    #[test]
    fn large_numbers_are_readable() {
        assert_eq!(with_commas(50_000_000), "50,000,000");
        assert_eq!(with_commas(999), "999");
    }
}
