//! Branches of a script: the items of a list, each in a thread of its own, one of them interpreting at a time.

use super::{
    baton::{Away, Baton, Ticket},
    meter::{self, Meter, Unmetered},
    tag,
    thread::{STACK, panic_text},
    thrown::{self, HostResult, raise},
};
use crate::{
    cancel::Cancel,
    clock::{Busy, Clock},
    error::{Error, Kind},
};
use parking_lot::Mutex;
use rhai::{Array, Dynamic, EvalAltResult, FnPtr, NativeCallContext};
use serde_json::json;
use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};
use tokio::{runtime::Handle, sync::oneshot};

/// More threads than this are never of use: the rest waits for its turn.
const MAX_WIDTH: usize = 256;

/// What [`parallel`] needs of the run. The calling thread holds a [`Busy`] token of the clock.
#[derive(Clone)]
pub struct Hooks {
    /// The run's clock.
    pub clock: Clock,
    /// Where futures run: a multi-thread runtime, since a handle does not drive the timers of another kind.
    pub runtime: Handle,
    /// Once set, no further branch starts.
    pub cancel: Cancel,
}

thread_local! {
    /// Rhai's hook for `print` is not told which call prints.
    static BRANCH: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Which branch of the run this thread works for: empty for the main one, `2` for the second of a `parallel`,
/// `2.1` for the first of a `parallel` inside of that.
pub fn branch() -> String {
    BRANCH.with_borrow(Clone::clone)
}

/// The threads that one [`parallel`] may start, of those that the run may have in all. Given back when it has ended, and not as they end: so it
/// does not depend on their speed how many there are for another one.
struct Slots {
    meter: Option<Arc<Meter>>,
    count: usize,
}

impl Slots {
    fn take(context: &NativeCallContext, wanted: usize) -> Self {
        let meter = tag::Tag::with(context, |tag| tag.meter.clone());
        let count = meter.as_ref().map_or(wanted, |meter| meter.take_threads(wanted));
        Self { meter, count }
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        if let Some(meter) = &self.meter {
            meter.give_back_threads(self.count);
        }
    }
}

/// What the last thread gives to the caller: its token of the clock, and a place in the queue for the baton.
type Handover = (Busy, Option<Ticket>);

/// What the threads of one [`parallel`] share.
struct Shared {
    queue: Mutex<VecDeque<(usize, Dynamic)>>,
    ended: Mutex<BTreeMap<usize, HostResult<Dynamic>>>,
    workers: Mutex<usize>,
    /// How the last thread wakes the caller: with its place among the busy ones and in the queue for the baton, so that
    /// neither time nor another branch slips in between.
    last: Mutex<Option<oneshot::Sender<Handover>>>,
    /// The caller holds it as well and wants it back.
    outer: Option<Baton>,
}

/// A thread that is to work, or works; the last one to leave wakes the caller, also after a panic.
struct Worker<'a> {
    shared: &'a Shared,
    busy: Option<Busy>,
}

impl Drop for Worker<'_> {
    fn drop(&mut self) {
        let mut workers = self.shared.workers.lock();
        *workers -= 1;
        if *workers == 0
            && let (Some(last), Some(busy)) = (self.shared.last.lock().take(), self.busy.take())
        {
            // The receiver waits until this arrives.
            let _ = last.send((busy, self.shared.outer.as_ref().map(Baton::ticket)));
        }
    }
}

/// Calls `f` with each item, at most `width` of them at the same time, and returns the results in the order of the items.
///
/// Branches that fail do not stop the others. When all have ended, the error of the first failed item is raised; if it is
/// one of ours, its fact `errors` lists what the others said. After a cancellation, or an error that ends the run in one of them,
/// no further branch starts, and the others begin nothing more. Calls in the branches find `state` as theirs, or what the calling one found.
pub fn parallel(
    context: &NativeCallContext,
    items: Array,
    f: &FnPtr,
    width: usize,
    hooks: &Hooks,
    state: Option<&Dynamic>,
) -> HostResult<Array> {
    let count = items.len();
    if count == 0 {
        return Ok(items);
    }
    let slots = Slots::take(context, width.clamp(1, MAX_WIDTH).min(count));
    let workers = slots.count;
    let outer = Baton::current();
    let baton = outer.clone().unwrap_or_default();
    let (last, all_ended) = oneshot::channel();
    let shared = Shared {
        queue: Mutex::new(items.into_iter().enumerate().collect()),
        ended: Mutex::default(),
        workers: Mutex::new(workers),
        last: Mutex::new(Some(last)),
        outer,
    };
    let meter_entered = meter::handed_on();
    let meter_entered = &meter_entered;
    let call = |item: Dynamic| match state {
        Some(state) => tag::call_with(context, state.clone(), f, (item,)),
        None => tag::call(context, f, (item,)),
    };
    let call = &call;
    let path = branch();
    let path = path.as_str();
    let baton = &baton;
    let problem = std::thread::scope(|scope| {
        let mut threads = Vec::new();
        let mut problem = None;
        // Before the first thread starts: it may hand out tickets itself.
        let places: Vec<_> = (0..workers).map(|_| (baton.ticket(), Worker { shared: &shared, busy: Some(hooks.clock.enter()) })).collect();
        for (ticket, worker) in places {
            let work = move || {
                let _held = baton.hold(ticket);
                // Dropped before the baton is given on.
                let worker = worker;
                meter_entered();
                work_through(worker.shared, path, hooks, call);
            };
            match std::thread::Builder::new().name("branch".to_owned()).stack_size(STACK).spawn_scoped(scope, work) {
                Ok(thread) => threads.push(thread),
                // Those that there are do its work, or this one.
                Err(e) => tracing::debug!("no thread for a branch: {e}"),
            }
        }
        if workers == 0 {
            return problem;
        }
        let unmetered = Unmetered::waits();
        let away = Away::go();
        let handed = hooks.runtime.block_on(hooks.clock.idle(all_ended));
        let (busy, ticket) = handed.map_or((None, None), |(busy, ticket)| (Some(busy), ticket));
        for thread in threads {
            if let Err(panic) = thread.join() {
                problem = Some(format!("the interpreter panicked in a branch: {}", panic_text(&*panic)));
            }
        }
        match away {
            Some(away) => away.back_with(ticket),
            None => drop(ticket),
        }
        drop(unmetered);
        // Only now that this thread is busy again.
        drop(busy);
        problem
    });
    drop(slots);
    if let Some(problem) = problem {
        return Err(raise(Error::bug(problem)));
    }
    // What no thread was there for is done here, one after the other.
    {
        work_through(&shared, path, hooks, call);
        BRANCH.set(path.to_owned());
    }
    collect(shared.ended.into_inner(), count, &hooks.cancel)
}

fn work_through(shared: &Shared, path: &str, hooks: &Hooks, call: impl Fn(Dynamic) -> HostResult<Dynamic>) {
    loop {
        if hooks.cancel.go_on().is_err() {
            return;
        }
        let Some((index, item)) = shared.queue.lock().pop_front() else { return };
        BRANCH.set(if path.is_empty() { (index + 1).to_string() } else { format!("{path}.{}", index + 1) });
        let result = call(item);
        let ends_the_run = matches!(&result, Err(e) if thrown::is_final(e));
        if let Some(error) = result.as_ref().err().filter(|error| thrown::stops(error)).and_then(|error| thrown::ours(error))
            && !matches!(error.kind(), Kind::Cancelled | Kind::Suspended)
        {
            hooks.cancel.halt(error);
        }
        shared.ended.lock().insert(index, result);
        if ends_the_run {
            shared.queue.lock().clear();
        }
    }
}

/// The results in order, or the error to raise.
fn collect(ended: BTreeMap<usize, HostResult<Dynamic>>, count: usize, cancel: &Cancel) -> HostResult<Array> {
    let mut results = Array::with_capacity(count);
    let mut errors = Vec::new();
    for (index, result) in ended {
        match result {
            Ok(value) => results.push(value.flatten()),
            Err(error) => errors.push((index, error)),
        }
    }
    if errors.is_empty() {
        if results.len() < count {
            cancel.go_on().map_err(raise)?;
            return Err(raise(Error::bug("a branch did not begin")));
        }
        return Ok(results);
    }
    // What ends the run comes before what a script may catch, and `exit()` after it: it says that all is well.
    let (mut errors, mut exits): (Vec<_>, Vec<_>) = errors.into_iter().partition(|(_, e)| !thrown::is_exit(e));
    if errors.is_empty() {
        return Err(exits.remove(0).1);
    }
    let rank = |error: &EvalAltResult| (!thrown::stops(error), !thrown::is_final(error));
    let first = (0..errors.len()).min_by_key(|at| rank(&errors[*at].1)).unwrap_or(0);
    let (index, mut error) = errors.remove(first);
    // What halted one branch is what the others were halted by.
    let text = thrown::message(&error);
    errors.retain(|(_, other)| !thrown::stops(other) || thrown::message(other) != text);
    if !errors.is_empty() {
        let told: Vec<_> = errors.iter().map(|(i, e)| json!({"item": i + 1, "message": thrown::message(e)})).collect();
        let mut lines: Vec<String> = errors.iter().take(5).map(|(_, e)| thrown::message(e)).collect();
        if errors.len() > lines.len() {
            lines.push(format!("and {} more", errors.len() - lines.len()));
        }
        let others = if errors.len() == 1 { "another item failed too" } else { "other items failed too" };
        let help = format!("{others}: {}", lines.join("; "));
        amend(&mut error, |e| e.with("item", index + 1).with("errors", told).help(help));
    }
    Err(error)
}

/// Changes our error inside a Rhai error and leaves the frames around it as they are.
fn amend(error: &mut EvalAltResult, change: impl FnOnce(Error) -> Error) {
    match error {
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _) | EvalAltResult::ErrorInModule(_, inner, _) => amend(inner, change),
        EvalAltResult::ErrorRuntime(value, _) => {
            if let Some(ours) = thrown::from_value(value) {
                *value = Dynamic::from_map(thrown::to_map(&change(ours)));
            } else if value.is_string() {
                let ours = Error::new(Kind::Script, value.to_string());
                *value = Dynamic::from_map(thrown::to_map(&change(ours)));
            }
        }
        _ => {}
    }
}
