//! The one door to time: real, sped up by a factor, or virtual.
//!
//! Nobody else asks the system for the time of day and nobody else sleeps (`tests/it/conventions` holds this).
//!
//! A *virtual* clock stands still while somebody works and jumps to the next thing that is due when
//! everybody waits. Who works holds a [`Busy`] token: each thread of a run takes one with
//! [`Clock::enter`] and gives it up for as long as it sleeps. That makes an hour of waiting cost nothing,
//! and makes the order of events the same in every run. The sandbox takes no part: it works out what has
//! happened up to `now()` whenever it is asked.

pub(crate) mod cron;
pub mod text;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use std::{cell::Cell, collections::BTreeMap, sync::Arc, time::Instant};
use tokio::sync::oneshot;

/// A clock; clones show the same time.
#[derive(Clone)]
pub struct Clock(Arc<Inner>);

struct Inner {
    mode: Mode,
    state: Mutex<State>,
}

enum Mode {
    /// `now = origin + elapsed * factor + offset`.
    Real {
        started: Instant,
        origin: Timestamp,
        factor: f64,
    },
    Virtual,
}

#[derive(Default)]
struct State {
    /// Virtual: the time. Real: what [`Clock::advance`] has added.
    offset: SignedDuration,
    now: Option<Timestamp>,
    busy: usize,
    sequence: u64,
    sleepers: BTreeMap<(Timestamp, u64), oneshot::Sender<()>>,
}

impl Clock {
    /// The clock on the wall.
    pub fn real() -> Self {
        Self::scaled(Timestamp::now(), 1.0)
    }

    /// A clock that shows `origin` now and runs `factor` times as fast as the one on the wall.
    pub fn scaled(origin: Timestamp, factor: f64) -> Self {
        Self(Arc::new(Inner { mode: Mode::Real { started: Instant::now(), origin, factor }, state: Mutex::default() }))
    }

    /// A virtual clock that shows `start` until everybody waits.
    pub fn virtual_at(start: Timestamp) -> Self {
        Self(Arc::new(Inner { mode: Mode::Virtual, state: Mutex::new(State { now: Some(start), ..State::default() }) }))
    }

    /// Whether time jumps instead of passing.
    pub fn is_virtual(&self) -> bool {
        matches!(self.0.mode, Mode::Virtual)
    }

    /// The time, in UTC.
    pub fn now(&self) -> Timestamp {
        let state = self.0.state.lock();
        match self.0.mode {
            Mode::Virtual => state.now.unwrap_or(Timestamp::UNIX_EPOCH),
            Mode::Real { started, origin, factor } => {
                let elapsed = started.elapsed();
                let scaled = if (factor - 1.0).abs() < f64::EPSILON {
                    SignedDuration::try_from(elapsed).unwrap_or(SignedDuration::MAX)
                } else {
                    SignedDuration::from_secs_f64(elapsed.as_secs_f64() * factor)
                };
                origin.saturating_add(scaled).and_then(|t| t.saturating_add(state.offset)).unwrap_or(Timestamp::MAX)
            }
        }
    }

    /// Time passed since `earlier`; never negative.
    pub fn since(&self, earlier: Timestamp) -> SignedDuration {
        self.now().duration_since(earlier).max(SignedDuration::ZERO)
    }

    /// Joins those whose work keeps a virtual clock still.
    #[must_use = "the clock may jump as soon as the token is dropped"]
    pub fn enter(&self) -> Busy {
        self.0.state.lock().busy += 1;
        Busy(self.clone())
    }

    /// Moves the time forward by hand: how a simulated delay passes, and what `advance` of a sandbox does.
    pub fn advance(&self, by: SignedDuration) {
        let mut state = self.0.state.lock();
        match self.0.mode {
            Mode::Real { .. } => state.offset = state.offset.saturating_add(by.max(SignedDuration::ZERO)),
            Mode::Virtual => {
                let to = later(state.now.unwrap_or(Timestamp::UNIX_EPOCH), by);
                state.now = Some(to);
            }
        }
    }

    /// Moves a virtual clock forward to `at`; never back.
    pub fn advance_to(&self, at: Timestamp) {
        if self.is_virtual() {
            let mut state = self.0.state.lock();
            state.now = Some(state.now.map_or(at, |now| now.max(at)));
        }
    }

    /// Sleeps for `span` of this clock's time. On a virtual clock the caller must hold a [`Busy`] token.
    pub async fn sleep(&self, span: SignedDuration) {
        self.sleep_until(later(self.now(), span)).await;
    }

    /// Sleeps until this clock shows `due`. On a virtual clock the caller must hold a [`Busy`] token,
    /// which counts as given up until this returns.
    pub async fn sleep_until(&self, due: Timestamp) {
        match self.0.mode {
            Mode::Real { factor, .. } => loop {
                let left = due.duration_since(self.now());
                if left <= SignedDuration::ZERO {
                    return;
                }
                // Short hops, so that a clock moved by hand is noticed.
                let real = (left.as_secs_f64() / factor).clamp(0.0005, 1.0);
                tokio::time::sleep(std::time::Duration::from_secs_f64(real)).await;
            },
            Mode::Virtual => {
                let sleeper = {
                    let mut state = self.0.state.lock();
                    if state.now.is_some_and(|now| now >= due) {
                        return;
                    }
                    state.sequence += 1;
                    let key = (due, state.sequence);
                    let (wake, woken) = oneshot::channel();
                    state.sleepers.insert(key, wake);
                    state.give_up_one();
                    SLEEPING.set(SLEEPING.get() + 1);
                    Sleeper { clock: self.clone(), key, woken }
                };
                sleeper.wait().await;
            }
        }
    }

    /// Awaits `work` that other token holders finish (a join): this one's token counts as given up meanwhile.
    pub async fn idle<T>(&self, work: impl Future<Output = T>) -> T {
        struct Back<'a>(&'a Clock);
        impl Drop for Back<'_> {
            fn drop(&mut self) {
                self.0.0.state.lock().busy += 1;
            }
        }
        self.0.state.lock().give_up_one();
        let _back = Back(self);
        work.await
    }
}

/// `at + span`, held inside what a timestamp can say.
pub fn later(at: Timestamp, span: SignedDuration) -> Timestamp {
    at.saturating_add(span).unwrap_or(Timestamp::MAX)
}

impl State {
    fn give_up_one(&mut self) {
        self.busy = self.busy.saturating_sub(1);
        self.jump();
    }

    /// Everybody waits: the first sleeper's time has come. It is busy again before it knows.
    fn jump(&mut self) {
        while self.busy == 0 {
            let Some(((due, _), wake)) = self.sleepers.pop_first() else { return };
            self.now = Some(self.now.map_or(due, |now| now.max(due)));
            if wake.send(()).is_ok() {
                self.busy += 1;
            }
        }
    }
}

thread_local! {
    /// Sleeps on virtual clocks in the futures that this thread drives.
    static SLEEPING: Cell<usize> = const { Cell::new(0) };
}

/// Whether a future that this thread drives (with `block_on`) sleeps on a virtual clock. Its thread then has to let
/// others go on, or time stands for ever.
pub fn sleeps_here() -> bool {
    SLEEPING.get() > 0
}

/// A sleeper that can be dropped early (a cancelled wait) without losing count.
struct Sleeper {
    clock: Clock,
    key: (Timestamp, u64),
    woken: oneshot::Receiver<()>,
}

impl Sleeper {
    async fn wait(mut self) {
        let _ = (&mut self.woken).await;
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        SLEEPING.set(SLEEPING.get().saturating_sub(1));
        let mut state = self.clock.0.state.lock();
        if state.sleepers.remove(&self.key).is_some() {
            state.busy += 1;
        }
    }
}

/// Somebody is at work: a virtual clock stands still while one of these lives.
pub struct Busy(Clock);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.0.state.lock().give_up_one();
    }
}

/// Real time spent: for statistics, log lines, and for how often something costly is checked; never for what a script sees.
#[derive(Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Real time since the start.
    pub fn elapsed(&self) -> std::time::Duration {
        self.0.elapsed()
    }
}

/// How long this thread has computed, real time in which it waited left out; zero where that cannot be asked.
pub fn computed_here() -> std::time::Duration {
    cpu_time::ThreadTime::try_now().map_or(std::time::Duration::ZERO, |time| time.as_duration())
}

/// A pause of this thread in real time, for trouble outside of the simulation (a disk, a database).
pub fn real_pause(span: std::time::Duration) {
    std::thread::sleep(span);
}

/// A limit in real time for work outside of the simulation (a socket, a signal handler): `None` when it was reached.
pub async fn real_limit<T>(limit: std::time::Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(limit, work).await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> Clock {
        Clock::virtual_at("2026-03-02T08:00:00Z".parse().expect("a timestamp"))
    }

    #[tokio::test]
    async fn an_hour_of_virtual_time_passes_at_once() {
        let clock = clock();
        let start = clock.now();
        let _busy = clock.enter();
        clock.sleep(SignedDuration::from_hours(1)).await;
        assert_eq!(clock.since(start), SignedDuration::from_hours(1));
    }

    #[test]
    fn a_virtual_clock_is_moved_forward_and_never_back() {
        let clock = clock();
        let start = clock.now();
        clock.advance_to(later(start, SignedDuration::from_mins(5)));
        clock.advance_to(later(start, SignedDuration::from_mins(1)));
        assert_eq!(clock.since(start), SignedDuration::from_mins(5));
    }

    #[tokio::test]
    async fn time_stands_while_somebody_works() {
        let clock = clock();
        let start = clock.now();
        let other = clock.enter();
        let sleeper = {
            let clock = clock.clone();
            let busy = clock.enter();
            tokio::spawn(async move {
                let _busy = busy;
                clock.sleep(SignedDuration::from_mins(5)).await;
                clock.now()
            })
        };
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert_eq!(clock.now(), start);
        drop(other);
        assert_eq!(sleeper.await.expect("no panic").duration_since(start), SignedDuration::from_mins(5));
    }

    #[tokio::test]
    async fn a_dropped_sleep_keeps_the_count() {
        let clock = clock();
        let start = clock.now();
        let _first = clock.enter();
        {
            let _second = clock.enter();
            let sleep = clock.sleep(SignedDuration::from_mins(5));
            tokio::select! { biased; () = sleep => unreachable!("the first is busy"), () = std::future::ready(()) => {} }
        }
        clock.sleep(SignedDuration::from_mins(1)).await;
        assert_eq!(clock.since(start), SignedDuration::from_mins(1));
    }

    #[tokio::test]
    async fn a_scaled_clock_sleeps_shorter() {
        let clock = Clock::scaled(Timestamp::UNIX_EPOCH, 6000.0);
        let watch = Stopwatch::start();
        clock.sleep(SignedDuration::from_mins(1)).await;
        assert!(clock.since(Timestamp::UNIX_EPOCH) >= SignedDuration::from_mins(1));
        assert!(watch.elapsed() < std::time::Duration::from_secs(30));
    }
}
