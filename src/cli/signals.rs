//! Signals, which [`crate::platform::signals`] lists: the first ends the run in order, within two seconds or `OCTORHAI_STOP_WITHIN`, and three more while it
//! gives back locks; the second ends the process at once. Either way the last lines say what is open and held, and how to go on.

use super::ui::Ui;
use crate::{
    cancel::{Cancel, LEAVE_LOCKS},
    clock::{real_limit, text},
    error::Kind,
    platform::{
        signals::{INTERRUPT, Signals},
        terminal::NoEcho,
    },
};
use jiff::SignedDuration;
use parking_lot::Mutex;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

/// What an orchestrator grants before it sends SIGKILL is 10 s at most; two leave room for one request to a slow server.
const GRACE: Duration = Duration::from_secs(2);

/// How long to wait at most for a run that gives back its locks: a little longer than it takes, so that it has the last word.
const LOCKS: Duration = LEAVE_LOCKS.saturating_add(Duration::from_millis(300));

/// How long several runs of one process may say their last words.
const WORDS: Duration = Duration::from_millis(300);

/// The environment variable that gives a run more time, or less, to leave in order.
const STOP_WITHIN: &str = "OCTORHAI_STOP_WITHIN";

/// How long a run may take to leave in order; what is wrong with the environment's wish is told.
fn grace(ui: &Ui) -> Duration {
    let Some(wish) = std::env::var_os(STOP_WITHIN).filter(|wish| !wish.is_empty()) else { return GRACE };
    let wish = wish.to_string_lossy();
    text::duration(&wish).ok().and_then(|within| Duration::try_from(within).ok()).unwrap_or_else(|| {
        ui.warning(&format!("{STOP_WITHIN} is not a duration such as `8s`: `{wish}`; a stopped run has {}", shown(GRACE)));
        GRACE
    })
}

fn shown(span: Duration) -> String {
    SignedDuration::try_from(span).map_or_else(|_| format!("{span:?}"), text::show)
}

/// Watches signals until it is dropped.
pub struct SignalWatch(Arc<AtomicBool>);

impl Drop for SignalWatch {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
        WATCHING.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Counts the watches of this process: those of earlier runs leave it to the last one to act.
static LAST: AtomicU64 = AtomicU64::new(0);

/// How many watches live: several where runs go on side by side.
static WATCHING: AtomicU64 = AtomicU64::new(0);

/// How many of them have said their last words.
static SILENT: AtomicU64 = AtomicU64::new(0);

/// Whether a signal has come.
static CAME: AtomicBool = AtomicBool::new(false);

/// Whether a signal asked this process to end.
pub fn came() -> bool {
    CAME.load(Ordering::SeqCst)
}

/// What a process says of its run when it is ended before the run could: what is open and held, and how to go on.
pub type LastWords = Box<dyn Fn() -> Vec<String> + Send>;

/// Hands the signals of this process to `work`, on a thread of its own, and returns once none can be missed any more. Without a thread or a
/// runtime there is no orderly end, but the system's own Ctrl-C still works.
fn listen(work: impl AsyncFnOnce(Signals) + Send + 'static) {
    let (ready, wait_ready) = std::sync::mpsc::channel();
    let _thread = std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(async move {
            let Ok(signals) = Signals::new() else { return };
            let _ = ready.send(());
            work(signals).await;
        });
    });
    let _ = wait_ready.recv_timeout(Duration::from_secs(1));
}

/// Starts watching on a thread of its own, so that a run that is busy cannot delay it.
pub fn watch(cancel: Cancel, ui: Ui, last_words: LastWords) -> SignalWatch {
    let (grace, asked) = (grace(&ui), cancel.clone());
    WATCHING.fetch_add(1, Ordering::SeqCst);
    let over = Arc::new(AtomicBool::new(false));
    let done = Arc::clone(&over);
    let number = LAST.fetch_add(1, Ordering::SeqCst) + 1;
    listen(async move |mut signals: Signals| {
        let name = signals.next().await;
        if done.load(Ordering::SeqCst) {
            // The last one acts, unless another run goes on beside it.
            if number == LAST.load(Ordering::SeqCst) && WATCHING.load(Ordering::SeqCst) == 0 {
                leave();
            }
            return;
        }
        // Said first, and once: a script that is quick to end would have the last word otherwise.
        if !CAME.swap(true, Ordering::SeqCst) {
            let what = if WATCHING.load(Ordering::SeqCst) > 1 { "the runs" } else { "the run" };
            say_briefly(ui.of_all(), format!("{name}: ending {what}; once more ends it at once"));
        }
        cancel.cancel(name);
        let mut second = real_limit(grace, signals.next()).await;
        if second.is_none() && !done.load(Ordering::SeqCst) && cancel.stopping().leaves_locks() {
            second = real_limit(LOCKS, signals.next()).await;
        }
        let why = match second {
            Some(_) => "ended at once".to_owned(),
            None if !done.load(Ordering::SeqCst) => format!("the run did not end within {}: ended", shown(grace)),
            // The run is over and writes its closing lines; a further signal still ends it.
            None => {
                signals.next().await;
                leave();
            }
        };
        let words: Vec<String> = std::iter::once(why).chain(last_words()).collect();
        say_briefly(ui, words.join("\n"));
        if SILENT.fetch_add(1, Ordering::SeqCst) + 1 < WATCHING.load(Ordering::SeqCst) {
            real_limit(WORDS, std::future::pending::<()>()).await;
        }
        leave();
    });
    // One that came just before, for a run beside this one, was meant for all.
    if came() {
        asked.cancel("stopped with the other runs");
    }
    SignalWatch(over)
}

/// Watches over a session: Ctrl-C ends the input that runs, and the session goes on. The third one within the same input ends the process, for
/// then nothing else helps. While no input runs, other signals end it: the line editor is not asked.
pub fn over_session(ui: Ui) -> OverSession {
    let running: Running = Arc::default();
    let watched = running.clone();
    listen(async move |mut signals: Signals| {
        loop {
            let name = signals.next().await;
            if name != INTERRUPT {
                CAME.store(true, Ordering::SeqCst);
            }
            let mut running = watched.lock();
            match &mut *running {
                None if name == INTERRUPT => {}
                None | Some((_, 2)) => leave(),
                Some((cancel, count)) => {
                    *count += 1;
                    cancel.cancel(name);
                    if *count == 2 {
                        say_briefly(ui.clone(), "it is being ended; once more ends octorhai".to_owned());
                    }
                }
            }
        }
    });
    OverSession(running)
}

/// The input that runs, and how many signals have come for it.
type Running = Arc<Mutex<Option<(Cancel, u32)>>>;

/// See [`over_session`].
pub struct OverSession(Running);

impl OverSession {
    /// An input runs until what is returned is dropped; a signal ends it.
    #[must_use = "the input is over when this is dropped"]
    pub fn input(&self, cancel: Cancel) -> Input {
        *self.0.lock() = Some((cancel, 0));
        Input(self.0.clone())
    }
}

/// An input that runs.
pub struct Input(Running);

impl Drop for Input {
    fn drop(&mut self) {
        *self.0.lock() = None;
    }
}

/// Returns the name of the first signal that comes; never when the system does not let us listen.
pub async fn first() -> &'static str {
    match Signals::new() {
        Ok(mut signals) => signals.next().await,
        Err(_) => std::future::pending().await,
    }
}

/// Talks, but not longer than a moment: a pipe that nobody reads must not keep the process alive.
fn say_briefly(ui: Ui, text: String) {
    let (said, wait_said) = std::sync::mpsc::channel();
    let _thread = std::thread::Builder::new().name("last-words".to_owned()).spawn(move || {
        ui.talk(&text);
        let _ = said.send(());
    });
    let _ = wait_said.recv_timeout(Duration::from_millis(200));
}

fn leave() -> ! {
    NoEcho::undo();
    std::process::exit(i32::from(Kind::Cancelled.exit_code()))
}
