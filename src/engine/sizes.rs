//! How big the values of a script may get, and how deep: looked at whenever the script uses a variable.
//!
//! Rhai has limits of its own, but with any of them it goes through all of a list after each call on that list: filling
//! one takes quadratic time (measured: 39 s for 100,000 texts, 0.2 s without). Here the length of what a variable holds
//! is looked at each time, and what is inside of it as far as the script has paid for it with operations ([`NODES`]), or when enough real time
//! has gone by. So the depth grows by at most as much as a script can do in the operations that pay for one look: a thread for scripts has
//! stack for that, and a value that deep can be copied, compared and dropped, which Rust does level by level. What
//! a function of the library gets, and what a closure gives back to it, is always looked through.

use super::{
    Limits,
    meter::{operations_here, over},
    thrown::HostResult,
};
use crate::{
    clock::Stopwatch,
    error::{size, with_commas},
};
use rhai::{Array, Dynamic, FnPtr, ImmutableString, Map};
use std::{cell::RefCell, time::Duration};

/// How long nothing is looked through as a whole after that was done, and how many times as long as that took, if it is not paid for.
const REST: (Duration, u32) = (Duration::from_millis(10), 8);

/// So many values inside of a value are looked at for one operation.
const NODES: i64 = 8;

/// So many are looked at in any case.
const ALWAYS: usize = 16;

/// The texts in one value may together be so many times as long as one text.
const TEXTS: usize = 16;

/// Lists, maps and closures inside of each other. JSON that is read has the same limit.
pub(super) const DEPTH: usize = 128;

/// What values may have; see [`Limits`].
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    text: usize,
    list: usize,
    map: usize,
}

/// What looking through values on this thread has cost.
#[derive(Default)]
struct Account {
    /// How many values inside of values may be looked at; below zero when more were.
    nodes: i64,
    /// The operations that are counted in it.
    operations: u64,
    /// When a value was last looked through as a whole, and how long that is not done again unless it is paid for.
    last: Option<(Stopwatch, Duration)>,
}

// Of a thread, as the operations are that pay for it: Rhai's hook that counts them is not told whose they are.
thread_local! {
    static ACCOUNT: RefCell<Account> = RefCell::default();
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

/// A way through a value.
struct Look {
    sizes: Sizes,
    all: Contents,
    /// How many more values are looked at.
    left: usize,
    /// Where the shared values are that we are inside of: only through one of them can a value hold itself.
    inside: Vec<usize>,
}

impl Sizes {
    /// An error that scripts cannot catch when `value` is too big or too deep, as far as it is looked at.
    pub(super) fn check(self, value: &Dynamic) -> HostResult<()> {
        if let Some(text) = value.read_lock::<ImmutableString>() {
            return self.hold(&Contents { bytes: text.len(), ..Contents::default() }, self.text);
        }
        let own = if let Some(list) = value.read_lock::<Array>() {
            Contents { items: list.len(), ..Contents::default() }
        } else if let Some(map) = value.read_lock::<Map>() {
            Contents { entries: map.len(), ..Contents::default() }
        } else if value.read_lock::<FnPtr>().is_some_and(|closure| closure.is_curried()) {
            Contents::default()
        } else {
            return Ok(());
        };
        self.hold(&own, self.text)?;
        ACCOUNT.with_borrow_mut(|account| {
            let operations = operations_here();
            let paid = i64::try_from(operations - account.operations).unwrap_or(i64::MAX).saturating_mul(NODES);
            account.operations = operations;
            account.nodes = account.nodes.saturating_add(paid).min(2 * self.list as i64);
            let whole = account.nodes > 0 || account.last.as_ref().is_none_or(|(watch, rest)| watch.elapsed() >= *rest);
            let most = if whole { usize::MAX } else { ALWAYS };
            let watch = whole.then(Stopwatch::start);
            let mut look = Look { sizes: self, all: Contents::default(), left: most, inside: Vec::new() };
            let result = look.through(value, 0);
            let seen = most - look.left;
            account.nodes -= seen as i64;
            if let Some(watch) = watch.filter(|_| seen > ALWAYS) {
                account.last = Some((Stopwatch::start(), (watch.elapsed() * REST.1).max(REST.0)));
            }
            #[cfg(test)]
            tests::SEEN.set(tests::SEEN.get() + seen);
            result
        })
    }

    /// The same for all of a value.
    pub(super) fn check_all(self, value: &Dynamic) -> HostResult<()> {
        Look { sizes: self, all: Contents::default(), left: usize::MAX, inside: Vec::new() }.through(value, 0)
    }

    /// The same for a value of which a text is made.
    pub(super) fn check_as_text(self, value: &Dynamic) -> HostResult<()> {
        let mut look = Look { sizes: self, all: Contents::default(), left: usize::MAX, inside: Vec::new() };
        look.through(value, 0)?;
        self.hold(&Contents { bytes: look.all.bytes, ..Contents::default() }, self.text)
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
        over(what, "does a loop add to it without end?")
    }
}

impl Look {
    fn through(&mut self, value: &Dynamic, depth: usize) -> HostResult<()> {
        self.left = self.left.saturating_sub(1);
        if value.is_shared() {
            // What a function works on right now cannot be looked at.
            if value.is_locked() {
                return Ok(());
            }
            let Some(place) = place(value) else { return self.inner(value, depth) };
            if self.inside.contains(&place) {
                return over(
                    "a value holds itself, by a closure that captured it",
                    "give the closure what it needs as an argument, or use `this` in it",
                );
            }
            self.inside.push(place);
            let result = self.inner(value, depth);
            self.inside.pop();
            return result;
        }
        self.inner(value, depth)
    }

    fn inner(&mut self, value: &Dynamic, depth: usize) -> HostResult<()> {
        let most = self.sizes.text * TEXTS;
        if let Some(text) = value.read_lock::<ImmutableString>() {
            self.all.bytes += text.len();
            return self.sizes.hold(&self.all, most);
        }
        if let Some(list) = value.read_lock::<Array>() {
            self.all.items += list.len();
            self.deeper(depth)?;
            self.each(&*list, depth)
        } else if let Some(map) = value.read_lock::<Map>() {
            self.all.entries += map.len();
            self.all.bytes += if self.left > map.len() { map.keys().fold(0, |sum, key| sum + key.len()) } else { 0 };
            self.deeper(depth)?;
            self.each(map.values(), depth)
        } else if let Some(closure) = value.read_lock::<FnPtr>()
            && closure.is_curried()
        {
            self.all.items += closure.curry().len();
            self.deeper(depth)?;
            self.each(closure.curry(), depth)
        } else {
            Ok(())
        }
    }

    fn each<'a>(&mut self, items: impl IntoIterator<Item = &'a Dynamic>, depth: usize) -> HostResult<()> {
        for item in items {
            // The rest of a long list is not gone through either.
            if self.left == 0 {
                break;
            }
            self.through(item, depth + 1)?;
        }
        Ok(())
    }

    fn deeper(&self, depth: usize) -> HostResult<()> {
        if depth >= DEPTH {
            return over(format!("lists, maps or closures are nested more than {DEPTH} deep"), "does a loop put a value into itself?");
        }
        self.sizes.hold(&self.all, self.sizes.text * TEXTS)
    }
}

/// Where the list, map or closure is that a shared value holds.
fn place(value: &Dynamic) -> Option<usize> {
    fn of<T: Clone + Send + Sync + 'static>(value: &Dynamic) -> Option<usize> {
        value.read_lock::<T>().map(|held| std::ptr::from_ref::<T>(&held).addr())
    }
    of::<Array>(value).or_else(|| of::<Map>(value)).or_else(|| of::<FnPtr>(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Config, Files, Interpreter, Source};
    use crate::error::{Error, Kind};
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
}
