//! Trouble around a run: odd answers, lost and late requests, a disk that fails, a store that is gone, signals, hours that pass.
//!
//! The rule: a run ends as an undisturbed one; or it has stopped, can be resumed, has undone nothing and started nothing
//! after, and when the trouble is gone it goes on to the same world. What the sandbox recorded decides, with the exit code and the
//! state of the run's record, never what the program says of itself.
//!
//! `OCTORHAI_CRASH_ONLY="in order, measured | html"` plays only points whose name of scene, server and trouble holds this text.

mod answers;
mod disk;
mod gate;
mod hours;
mod lost;
mod play;
mod quiet;
mod rule;
mod scenes;
mod signals;

use crate::scenes::Scene;
use quiet::Quiet;
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

/// At most so many failures are shown in full: the first says most.
const MOST_SHOWN: usize = 5;

/// How a point was played.
struct End {
    /// Where in the scene.
    at: String,
    /// What is wrong with how it ended.
    wrong: Option<Vec<String>>,
    /// What the run said.
    talk: String,
}

/// A place in a scene at which something goes wrong.
trait Point: Sync {
    /// The scene and its server.
    fn quiet(&self) -> &Quiet;
    /// What goes wrong.
    fn kind(&self) -> &'static str;
    fn play(&self) -> End;
}

/// Plays points, all with `OCTORHAI_CRASH_EVERY=1`, otherwise about as many as are usual, in even steps; prints how many were
/// wrong of each scene and kind, and fails when one was.
#[track_caller]
fn play_all(what: &str, usual: usize, points: &[impl Point]) {
    play_wide(what, usual, PROCESSORS, points);
}

/// The same, so many at the same time.
#[track_caller]
fn play_wide(what: &str, usual: usize, width: usize, points: &[impl Point]) {
    // A step that has no factor in common with the numbers of kinds and moments that follow each other.
    let coprime = |step: usize| [2, 3, 5, 7, 11, 19].iter().all(|factor| !step.is_multiple_of(*factor));
    let step = std::env::var("OCTORHAI_CRASH_EVERY").map_or_else(
        |_| (points.len() / usual..=points.len()).find(|step| coprime(*step)).expect("there are many"),
        |every| every.parse::<usize>().expect("OCTORHAI_CRASH_EVERY is a number").max(1),
    );
    let only = std::env::var("OCTORHAI_CRASH_ONLY").unwrap_or_default();
    let taken: Vec<_> = points.iter().skip(step / 2).step_by(step).collect();
    let taken: Vec<_> = taken.into_iter().filter(|point| format!("{} | {}", point.quiet().name(), point.kind()).contains(&only)).collect();
    let (counts, failures) = (Mutex::new(BTreeMap::<_, (usize, usize)>::new()), Mutex::new(Vec::new()));
    each(width, &taken, |point| {
        let End { at, wrong, talk } = point.play();
        let (name, kind) = (point.quiet().name(), point.kind());
        {
            let mut counts = counts.lock().expect("no panic");
            let count = counts.entry((name.clone(), kind)).or_default();
            *count = (count.0 + 1, count.1 + usize::from(wrong.is_some()));
        }
        if let Some(problems) = wrong {
            let failure = format!("== {name} | {kind} | {at}\n  {}\n{talk}", problems.join("\n  "));
            println!("{failure}\n");
            failures.lock().expect("no panic").push(failure);
        }
    });
    let (counts, failures) = (counts.into_inner().expect("no panic"), failures.into_inner().expect("no panic"));
    let mut table = format!("{what}: every {step}. of {} points\n| scene | trouble | points | wrong |\n|---|---|---|---|\n", points.len());
    for ((scene, kind), (points, wrong)) in &counts {
        let _ = writeln!(table, "| {scene} | {kind} | {points} | {wrong} |");
    }
    println!("{table}{what}: {} points, {} wrong", taken.len(), failures.len());
    let shown = &failures[..failures.len().min(MOST_SHOWN)];
    assert!(failures.is_empty(), "{} runs ended otherwise than they may; the first:\n{}", failures.len(), shown.join("\n\n"));
}

/// As many at the same time as there are processors.
const PROCESSORS: usize = 0;

/// Does `work` for each, on so many threads.
fn each<T: Sync>(width: usize, all: &[T], work: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    let width = if width == PROCESSORS { std::thread::available_parallelism().map_or(2, usize::from) } else { width };
    std::thread::scope(|scope| {
        for _ in 0..width {
            scope.spawn(|| {
                while let Some(item) = all.get(next.fetch_add(1, Ordering::SeqCst)) {
                    work(item);
                }
            });
        }
    });
}

/// Every scene on a server that doctor has measured and on one that it has not, undisturbed.
fn undisturbed(scenes: &[Scene]) -> Vec<Quiet> {
    let both: Vec<_> = scenes.iter().flat_map(|scene| [(scene, true), (scene, false)]).collect();
    let played = Mutex::new(BTreeMap::new());
    each(PROCESSORS, &both.iter().enumerate().collect::<Vec<_>>(), |(index, (scene, measured))| {
        let quiet = Quiet::of((*scene).clone(), *measured);
        played.lock().expect("no panic").insert(*index, quiet);
    });
    played.into_inner().expect("no panic").into_values().collect()
}

/// All scenes, played once for all tests.
fn quiet() -> impl Iterator<Item = &'static Quiet> {
    static QUIET: OnceLock<Vec<Quiet>> = OnceLock::new();
    QUIET.get_or_init(|| undisturbed(&scenes::scenes())).iter()
}

#[test]
fn odd_answers_lost_and_late_requests_change_nothing() {
    let points: Vec<_> = quiet().flat_map(answers::points).collect();
    assert!(points.len() > 5_000, "only {} places", points.len());
    play_all("requests that go wrong", 100, &points);
}

#[test]
fn a_disk_that_fails_at_any_write_changes_nothing() {
    // Not measured: what was sent and could not be noted is in doubt.
    let all: Vec<&Quiet> = quiet().filter(|quiet| !quiet.measured).collect();
    let points = Mutex::new(Vec::new());
    each(PROCESSORS, &all, |quiet| {
        let made = disk::points(quiet, quiet.name() == all[0].name());
        points.lock().expect("no panic").extend(made);
    });
    let mut points = points.into_inner().expect("no panic");
    points.sort_by_key(disk::Point::place);
    assert!(points.len() > 2_000, "only {} places", points.len());
    play_all("a disk that fails", 30, &points);
}

#[test]
fn a_signal_at_any_request_is_final() {
    let all = quiet().filter(|quiet| signals::SCENES.contains(&quiet.scene.name));
    let points: Vec<_> = all.flat_map(signals::points).collect();
    assert!(points.len() > 500, "only {} places", points.len());
    play_all("signals", 20, &points);
}

#[test]
fn a_signal_at_any_request_is_final_in_real_time() {
    let all = quiet().filter(|quiet| !quiet.measured && ["a saga in a lock", "the train arrives"].contains(&quiet.scene.name));
    let points: Vec<_> = all.flat_map(signals::points_in_real_time).collect();
    assert!(points.len() > 100, "only {} places", points.len());
    // They mostly sleep.
    play_wide("signals in real time", 8, 8, &points);
}

#[test]
fn hours_after_a_kill_nothing_starts_beyond_a_limit() {
    let all = undisturbed(&hours::scenes());
    let points: Vec<_> = all.iter().flat_map(hours::points).collect();
    assert!(points.len() > 300, "only {} places", points.len());
    play_all("hours that pass", 15, &points);
}

#[test]
fn a_store_that_is_lost_on_the_way_changes_nothing() {
    let all = quiet().filter(|quiet| !quiet.measured && lost::SCENES.contains(&quiet.scene.name));
    let points: Vec<_> = all.flat_map(lost::points).collect();
    assert!(points.len() > 300, "only {} places", points.len());
    play_all("a store that is lost", 8, &points);
}
