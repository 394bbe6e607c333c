//! What a run uses up: operations, computing time, memory. One meter for all threads of a run.
//!
//! A run that has used up what it may is ended with an error of kind `limit`. What must happen then (an undo, `finally`) gets a part of a reserve
//! ([`Meter::tidying`]): half of what is left of it each time, so that there is something left for the next one however often that happens.

use super::{Limits, thrown::HostResult};
use crate::{
    clock::computed_here,
    error::{Error, Kind, size, with_commas},
    platform::memory,
};
use parking_lot::Mutex;
use std::{
    cell::Cell,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

/// So many operations go by until the time is asked for: that costs as much as two of them.
const TIME_EACH: u64 = 64;

/// No operation takes more memory than this at once; functions of the library may. A text with values in it grows by doubling while no
/// operation ends, and what it takes for that comes on top of the limit.
const AT_ONCE: usize = 192 << 20;

/// The reserve is this part of what the run may use up.
const RESERVE: u32 = 4;

// Of a thread, because Rhai's hook that counts operations (`on_progress`) is told their number and nothing of the call or the branch.
thread_local! {
    /// Operations of this thread, whatever run they belong to.
    static OPERATIONS: Cell<u64> = const { Cell::new(0) };
    /// How long this thread had computed when that was last added to a run; none on a thread that has not begun.
    static CHARGED: Cell<Option<Duration>> = const { Cell::new(None) };
    /// What the run may use up in all while this thread tidies up.
    static RAISED: Cell<Option<Amount>> = const { Cell::new(None) };
}

/// An amount of what is used up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Amount {
    operations: u64,
    computing: Duration,
    memory: usize,
}

impl Amount {
    fn each(self, other: Self, of: impl Fn(u64, u64) -> u64) -> Self {
        let nanoseconds = |span: Duration| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        Self {
            operations: of(self.operations, other.operations),
            computing: Duration::from_nanos(of(nanoseconds(self.computing), nanoseconds(other.computing))),
            memory: usize::try_from(of(self.memory as u64, other.memory as u64)).unwrap_or(usize::MAX),
        }
    }
}

/// What a run has used up, and what it may.
pub(super) struct Meter {
    limits: Amount,
    operations: AtomicU64,
    /// In nanoseconds.
    computed: AtomicU64,
    /// What the process had taken when the script began.
    memory_before: AtomicUsize,
    /// What it had taken at the last operation, or when a function of the library returned.
    memory_last: AtomicUsize,
    reserve: Mutex<Amount>,
    /// Threads of branches that there may still be.
    threads: Mutex<usize>,
}

/// Threads of branches in all, however `parallel` is nested.
const THREADS: usize = 256;

impl Meter {
    pub(super) fn new(limits: &Limits) -> Self {
        let limits = Amount { operations: limits.operations, computing: limits.computing, memory: limits.memory };
        Self {
            limits,
            operations: AtomicU64::new(0),
            computed: AtomicU64::new(0),
            memory_before: AtomicUsize::new(memory::in_use()),
            memory_last: AtomicUsize::new(usize::MAX),
            reserve: Mutex::new(Self::whole_reserve(limits)),
            threads: Mutex::new(THREADS),
        }
    }

    /// Takes at most `wanted` of the threads that there may be, perhaps none.
    pub(super) fn take_threads(&self, wanted: usize) -> usize {
        let mut left = self.threads.lock();
        let taken = wanted.min(*left);
        *left -= taken;
        taken
    }

    pub(super) fn give_back_threads(&self, count: usize) {
        *self.threads.lock() += count;
    }

    fn whole_reserve(limits: Amount) -> Amount {
        limits.each(limits, |all, _| all / u64::from(RESERVE))
    }

    /// A script begins, on this thread.
    pub(super) fn begin(&self) {
        self.operations.store(0, Relaxed);
        self.computed.store(0, Relaxed);
        self.memory_before.store(memory::in_use(), Relaxed);
        self.function_returns();
        *self.reserve.lock() = Self::whole_reserve(self.limits);
        CHARGED.set(Some(computed_here()));
        RAISED.set(None);
    }

    /// Counts an operation; returns what ends the run.
    pub(super) fn operation(&self) -> Option<Error> {
        let own = OPERATIONS.get() + 1;
        OPERATIONS.set(own);
        let operations = self.operations.fetch_add(1, Relaxed) + 1;
        if own.is_multiple_of(TIME_EACH) {
            self.charge();
        }
        let may = RAISED.get().unwrap_or(self.limits);
        let taken = memory::in_use();
        let last = self.memory_last.swap(taken, Relaxed);
        let memory = taken.saturating_sub(self.memory_before.load(Relaxed));
        if operations > may.operations || self.computed.load(Relaxed) > nanoseconds(may.computing) || memory > may.memory {
            return Some(self.used_up(operations, may));
        }
        if taken.saturating_sub(last) > AT_ONCE && ASKING.load(Relaxed) == 0 {
            let error = Error::new(Kind::Limit, format!("the script takes more than {} of memory at once", size(AT_ONCE as u64)));
            return Some(error.help("is a large text many times in another one?"));
        }
        None
    }

    /// What a function of the library has taken is not the operation's.
    pub(super) fn function_returns(&self) {
        self.memory_last.store(memory::in_use(), Relaxed);
    }

    fn used_up(&self, operations: u64, may: Amount) -> Error {
        if operations > may.operations {
            return Error::new(Kind::Limit, format!("the script did more than {} operations", with_commas(self.limits.operations)))
                .help("is this a loop that never ends? to wait for something, use `wait`, `wait_for` or `sleep`: waiting costs nothing")
                .help("a script that has so much to do needs a higher limit: `--max-operations N`");
        }
        if self.memory() > may.memory {
            return Error::new(Kind::Limit, format!("the script needs more than {} of memory", size(self.limits.memory as u64)))
                .help("does a loop add to a text, list or map without end?");
        }
        let seconds = self.limits.computing.as_secs();
        Error::new(Kind::Limit, format!("the script computed for more than {seconds} seconds"))
            .help("is this a loop that never ends? to wait for something, use `wait`, `wait_for` or `sleep`: waiting costs nothing")
            .help("a script that has so much to do needs a higher limit: `--max-operations N` gives more time too, in proportion")
    }

    /// What the process has taken since the script began.
    fn memory(&self) -> usize {
        memory::in_use().saturating_sub(self.memory_before.load(Relaxed))
    }

    /// Adds what this thread has computed since the last time.
    pub(super) fn charge(&self) {
        let now = computed_here();
        if let Some(before) = CHARGED.replace(Some(now)) {
            self.computed.fetch_add(nanoseconds(now.saturating_sub(before)), Relaxed);
        }
    }

    fn used(&self) -> Amount {
        self.charge();
        Amount {
            operations: self.operations.load(Relaxed),
            computing: Duration::from_nanos(self.computed.load(Relaxed)),
            memory: self.memory(),
        }
    }

    /// Does what must be done even when the run has used up what it may.
    pub(super) fn tidying<T>(&self, work: impl FnOnce() -> T) -> T {
        let (before, may) = (RAISED.get(), RAISED.get().unwrap_or(self.limits));
        let part = {
            let mut reserve = self.reserve.lock();
            let part = reserve.each(*reserve, |left, _| left / 2);
            *reserve = reserve.each(part, u64::saturating_sub);
            part
        };
        let begun = may.each(self.used(), u64::max);
        let raised = begun.each(part, u64::saturating_add);
        RAISED.set(Some(raised));
        let back = Back(before);
        let done = work();
        drop(back);
        let unused = raised.each(self.used().each(begun, u64::max), u64::saturating_sub);
        let mut reserve = self.reserve.lock();
        *reserve = reserve.each(unused, u64::saturating_add);
        done
    }
}

struct Back(Option<Amount>);

impl Drop for Back {
    fn drop(&mut self) {
        RAISED.set(self.0);
    }
}

fn nanoseconds(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// Operations of this thread so far, whatever run they belong to.
pub(super) fn operations_here() -> u64 {
    OPERATIONS.get()
}

/// What a thread that goes on for this one needs: to be called there, first thing.
pub(super) fn handed_on() -> impl Fn() + Send + Sync {
    let raised = RAISED.get();
    move || {
        RAISED.set(raised);
        CHARGED.set(Some(computed_here()));
    }
}

/// Threads that wait for an answer of a server: what the process takes meanwhile may be theirs.
static ASKING: AtomicUsize = AtomicUsize::new(0);

/// While this lives, what the thread computes is not the script's: it waits.
pub(super) struct Unmetered {
    open: Option<Duration>,
    asks: bool,
}

impl Unmetered {
    /// Waits for a time or for other threads.
    pub(super) fn waits() -> Self {
        Self::begun(false)
    }

    /// Waits for an answer, and reads it.
    pub(super) fn asks() -> Self {
        ASKING.fetch_add(1, Relaxed);
        Self::begun(true)
    }

    fn begun(asks: bool) -> Self {
        Self { open: CHARGED.get().map(|before| computed_here().saturating_sub(before)), asks }
    }
}

impl Drop for Unmetered {
    fn drop(&mut self) {
        if self.asks {
            ASKING.fetch_sub(1, Relaxed);
        }
        CHARGED.set(self.open.map(|open| computed_here().saturating_sub(open)));
    }
}

/// An error that scripts cannot catch.
pub(super) fn over<T>(what: impl Into<String>, help: &str) -> HostResult<T> {
    super::thrown::leaving(Err(super::thrown::raise(Error::new(Kind::Limit, what.into()).help(help))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter(operations: u64) -> Meter {
        let meter = Meter::new(&Limits { operations, ..Limits::default() });
        meter.begin();
        meter
    }

    fn operations_until_the_end(meter: &Meter) -> usize {
        (0..1_000_000).take_while(|_| meter.operation().is_none()).count()
    }

    #[test]
    fn each_tidying_gets_half_of_what_is_left_of_the_reserve() {
        let meter = meter(1000);
        assert_eq!(operations_until_the_end(&meter), 1000);
        // The reserve is 250.
        let first = meter.tidying(|| operations_until_the_end(&meter));
        let second = meter.tidying(|| operations_until_the_end(&meter));
        assert!((120..=125).contains(&first) && (60..=65).contains(&second), "{first}, {second}");
        assert!(meter.operation().is_some(), "outside of it the run is over");
    }

    #[test]
    fn what_tidying_does_not_need_stays_in_the_reserve() {
        let meter = meter(1000);
        for _ in 0..100 {
            assert!(meter.tidying(|| (0..9).all(|_| meter.operation().is_none())));
        }
        assert_eq!(operations_until_the_end(&meter), 100, "within its limit tidying takes from the limit");
        let nested = meter.tidying(|| meter.tidying(|| operations_until_the_end(&meter)));
        assert!(nested > 100, "{nested}");
    }

    #[test]
    fn waiting_is_no_computing() {
        let meter = Meter::new(&Limits::default());
        meter.begin();
        let work = || {
            let begun = computed_here();
            while computed_here().saturating_sub(begun) < Duration::from_millis(20) {}
        };
        let waiting = Unmetered::waits();
        work();
        drop(waiting);
        meter.charge();
        let waited = meter.used().computing;
        work();
        let used = meter.used().computing;
        assert!(waited < Duration::from_millis(20) && used >= waited + Duration::from_millis(20), "{waited:?}, {used:?}");
    }
}
