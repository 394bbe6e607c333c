//! Who interprets: of all threads of a run, only the one that holds the baton does.
//!
//! Rhai values are shared between branches, and two branches that change one list at the same moment fail with "data
//! race". So branches take turns. Tickets, handed out by who starts the branches, decide whose
//! turn it is: the order does not depend on how fast threads start.

use super::meter::Unmetered;
use parking_lot::{Mutex, MutexGuard};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    pin::pin,
    sync::Arc,
    task::Poll,
    thread::{self, Thread},
};
use tokio::runtime::Handle;

/// The right to interpret; clones mean the same one.
#[derive(Clone, Default)]
pub struct Baton(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    next: u64,
    held: bool,
    /// Handed out and not yet served, with who waits. The lowest goes first, even when its holder has not come yet.
    waiting: BTreeMap<u64, Option<Thread>>,
    /// How often a waiting thread was woken.
    #[cfg(test)]
    woken: usize,
}

impl State {
    /// Wakes the one whose turn it is, and nobody else: of two hundred that wait, one can go on.
    fn wake(&mut self) {
        let next = self.waiting.first_key_value().and_then(|(_, waits)| waits.as_ref());
        if let Some(next) = next.filter(|_| !self.held) {
            next.unpark();
            #[cfg(test)]
            {
                self.woken += 1;
            }
        }
    }
}

/// A place in the queue for the baton. Dropping it leaves the queue.
#[must_use = "dropping a ticket leaves the queue"]
pub struct Ticket {
    number: u64,
    baton: Baton,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.baton.0.lock();
        if state.waiting.remove(&self.number).is_some() {
            state.wake();
        }
    }
}

thread_local! {
    /// The baton that this thread holds. A future that sleeps gives it away in the middle of being polled, wherever it was made: what polls it is
    /// the thread.
    static HELD: RefCell<Option<Baton>> = const { RefCell::new(None) };
}

impl Baton {
    /// A baton that nobody holds.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next place in the queue.
    pub fn ticket(&self) -> Ticket {
        let mut state = self.0.lock();
        state.next += 1;
        let number = state.next;
        state.waiting.insert(number, None);
        Ticket { number, baton: self.clone() }
    }

    /// Waits until it is the ticket's turn and takes the baton.
    pub fn acquire(&self, ticket: Ticket) {
        let mut state = self.0.lock();
        while state.held || state.waiting.first_key_value().is_none_or(|(first, _)| *first != ticket.number) {
            state.waiting.insert(ticket.number, Some(thread::current()));
            MutexGuard::unlocked(&mut state, thread::park);
        }
        state.waiting.remove(&ticket.number);
        state.held = true;
    }

    /// Gives the baton to the next in the queue.
    pub fn release(&self) {
        let mut state = self.0.lock();
        state.held = false;
        state.wake();
    }

    /// Takes the baton for as long as the guard lives, so that [`Baton::released`] and [`wait`] on this thread find it.
    pub fn hold(&self, ticket: Ticket) -> Held {
        self.acquire(ticket);
        HELD.set(Some(self.clone()));
        Held
    }

    /// Runs `work` without the baton, if this thread holds one: for work that blocks and does not touch script values.
    ///
    /// On a virtual clock use [`wait`] for sleeping, and nothing for requests: the order stays the same in every run.
    pub fn released<T>(work: impl FnOnce() -> T) -> T {
        let _waiting = Unmetered::asks();
        let Some(away) = Away::go() else { return work() };
        let done = work();
        drop(away);
        done
    }

    /// The baton that this thread holds; `None` outside of [`parallel`](super::parallel()).
    pub fn current() -> Option<Baton> {
        HELD.with_borrow(Clone::clone)
    }
}

/// Waits for `future` and lets other branches interpret meanwhile.
///
/// The future is polled once with the baton still held: a sleep is in the clock's list before another branch can
/// come to sleep as well, so equal sleeps end in the order in which they began.
pub fn wait<T>(runtime: &Handle, future: impl Future<Output = T>) -> T {
    let _waiting = Unmetered::waits();
    runtime.block_on(async {
        let mut future = pin!(future);
        if let Poll::Ready(done) = std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await {
            return done;
        }
        let away = Away::go();
        let done = future.await;
        drop(away);
        done
    })
}

/// Runs `future`, and lets other branches interpret only while it sleeps on a virtual clock: when it waits for an answer
/// nobody else goes on, so that the order of requests is the same in every run.
pub fn drive<T>(runtime: &Handle, future: impl Future<Output = T>) -> T {
    let _waiting = Unmetered::asks();
    runtime.block_on(async {
        let mut future = pin!(future);
        let mut away = None;
        std::future::poll_fn(|context| {
            // Back first: what comes after the sleep is work again.
            drop(away.take());
            let polled = future.as_mut().poll(context);
            if polled.is_pending() && crate::clock::sleeps_here() {
                away = Away::go();
            }
            polled
        })
        .await
    })
}

/// While this lives, the thread has given its baton away.
pub(super) struct Away {
    baton: Baton,
    /// With which the baton is taken again; a new one when there is none.
    ticket: Option<Ticket>,
}

impl Away {
    pub(super) fn go() -> Option<Self> {
        let baton = HELD.take()?;
        baton.release();
        Some(Self { baton, ticket: None })
    }

    /// Comes back with a ticket that somebody took on this thread's behalf.
    pub(super) fn back_with(mut self, ticket: Option<Ticket>) {
        self.ticket = ticket;
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        let ticket = self.ticket.take().unwrap_or_else(|| self.baton.ticket());
        self.baton.acquire(ticket);
        HELD.set(Some(self.baton.clone()));
    }
}

/// Holds the baton until it is dropped, on the thread that took it.
#[must_use = "the baton goes on as soon as this is dropped"]
pub struct Held;

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(baton) = HELD.take() {
            baton.release();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tickets_are_served_in_order_even_when_the_first_comes_last() {
        let baton = Baton::new();
        let order = Mutex::new(Vec::new());
        let first = baton.ticket();
        let second = baton.ticket();
        thread::scope(|scope| {
            scope.spawn(|| {
                let _held = baton.hold(second);
                order.lock().push(2);
            });
            thread::sleep(std::time::Duration::from_millis(20));
            scope.spawn(|| {
                let _held = baton.hold(first);
                order.lock().push(1);
                // While this one is away, the second has its turn.
                Baton::released(|| {
                    while order.lock().len() < 2 {
                        thread::yield_now();
                    }
                });
                order.lock().push(3);
            });
        });
        assert_eq!(*order.lock(), [1, 2, 3]);
    }

    #[test]
    fn each_hand_over_wakes_one() {
        const BRANCHES: usize = 40;
        const ROUNDS: usize = 25;
        let baton = Baton::new();
        let first = baton.hold(baton.ticket());
        let waiting = || baton.0.lock().waiting.values().filter(|waits| waits.is_some()).count();
        thread::scope(|scope| {
            for ticket in (0..BRANCHES).map(|_| baton.ticket()).collect::<Vec<_>>() {
                let baton = &baton;
                scope.spawn(move || {
                    let _held = baton.hold(ticket);
                    (0..ROUNDS).for_each(|_| drop(Away::go()));
                });
            }
            while waiting() < BRANCHES {
                thread::yield_now();
            }
            drop(first);
        });
        // Each takes it once at first, and once more after each round.
        let (taken, woken) = (BRANCHES * (1 + ROUNDS), baton.0.lock().woken);
        assert!(woken <= taken, "{woken} wake-ups for {taken} hand-overs");
    }

    #[test]
    fn a_dropped_ticket_leaves_the_queue() {
        let baton = Baton::new();
        drop(baton.ticket());
        let _held = baton.hold(baton.ticket());
        assert!(Baton::current().is_some());
    }
}
