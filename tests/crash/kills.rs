//! The runs: undisturbed, killed at each place, with requests that go wrong, with a torn journal, and all of it together.

use crate::{
    oracle::{differences, show},
    play::{Disturbance, Played, fault, play},
    scenes::{self, Scene},
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

/// At most so many failures are shown: the first says most.
const MOST_SHOWN: usize = 5;

/// `OCTORHAI_CRASH_EVERY`: kill at every so many-th place, of whatever kind; 1 is all of them.
fn every() -> Option<usize> {
    std::env::var("OCTORHAI_CRASH_EVERY").ok().map(|n| n.parse().expect("OCTORHAI_CRASH_EVERY is a number")).filter(|n| *n > 0)
}

/// The usual run takes every so many-th place: those that only look are by far the most.
const LOOKS: usize = 57;
const OTHERS: usize = 2;

fn killed(place: u64) -> Disturbance {
    Disturbance { kills: vec![place], ..Disturbance::default() }
}

/// The places of a run at which it is killed, counted from 1: samples of those that look and of those that do or write something.
fn places(wanted: &Played, looks: usize, others: usize) -> Vec<u64> {
    let (mut seen_looks, mut seen_others) = (0, 0);
    let is_taken = |name: &String| {
        let (seen, step) = if name.ends_with(" GET") { (&mut seen_looks, looks) } else { (&mut seen_others, others) };
        *seen += 1;
        *seen % step == 0
    };
    (1..).zip(wanted.places.iter().map(is_taken)).filter(|(_, taken)| *taken).map(|(n, _)| n).collect()
}

/// Does `work` for each, on two threads.
fn each<T: Sync>(all: &[T], work: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(item) = all.get(next.fetch_add(1, Ordering::SeqCst)) {
                    work(item);
                }
            });
        }
    });
}

/// Plays all of them, and keeps what went wrong; how many were killed or had their journal torn.
fn play_all(scene: &Scene, wanted: &Played, disturbances: &[Disturbance], failures: &Mutex<Vec<String>>) -> (usize, usize) {
    let (killed, torn) = (AtomicUsize::new(0), AtomicUsize::new(0));
    each(disturbances, |disturbance| {
        let got = play(scene, disturbance);
        killed.fetch_add(got.killed_at.len(), Ordering::SeqCst);
        torn.fetch_add(usize::from(got.torn), Ordering::SeqCst);
        // A journal that is torn may be refused, with a reason: then nothing was invented.
        if !(got.torn && got.code == 2) {
            let problem = verdict(scene, wanted, disturbance, &got);
            if let Some(problem) = &problem {
                println!("{problem}");
            }
            failures.lock().expect("no panic").extend(problem);
        }
    });
    (killed.into_inner(), torn.into_inner())
}

/// How it goes undisturbed; this is what all others are compared with. It is the same each time, so it is played once.
fn undisturbed(scene: &Scene) -> Arc<Played> {
    static PLAYED: Mutex<BTreeMap<&str, Arc<Played>>> = Mutex::new(BTreeMap::new());
    if let Some(played) = PLAYED.lock().expect("no panic").get(scene.name) {
        return Arc::clone(played);
    }
    let played = Arc::new(play(scene, &Disturbance::default()));
    assert_eq!(played.code, scene.code, "{}, undisturbed\n{}", scene.name, played.talk);
    PLAYED.lock().expect("no panic").insert(scene.name, Arc::clone(&played));
    played
}

/// Whether a letter may have come twice: its run was killed after it had left, before that was noted.
fn between_letter_and_note(played: &Played) -> bool {
    // What is torn is as good as not noted.
    let not_noted = |place: &String| place.starts_with("mail: after") || place.contains("journal") && place.contains("before");
    played.torn || played.killed_at.iter().any(not_noted)
}

/// What is wrong with how it ended, with all that one needs to see why.
fn verdict(scene: &Scene, wanted: &Played, disturbance: &Disturbance, got: &Played) -> Option<String> {
    let mut problems = differences(&wanted.world, &got.world, between_letter_and_note(got));
    if got.code != scene.code {
        problems.insert(0, format!("exit code {} instead of {}", got.code, scene.code));
    }
    (!problems.is_empty()).then(|| {
        format!(
            "== {} (scripts/{}.rhai), {disturbance:?}, killed at {:?}\n  {}\nundisturbed:\n{}disturbed:\n{}{}",
            scene.name,
            scene.script,
            got.killed_at,
            problems.join("\n  "),
            show(&wanted.world),
            show(&got.world),
            got.talk
        )
    })
}

#[track_caller]
fn none(failures: Mutex<Vec<String>>) {
    let failures = failures.into_inner().expect("no panic");
    let shown = &failures[..failures.len().min(MOST_SHOWN)];
    assert!(failures.is_empty(), "{} runs did not end as undisturbed ones; the first:\n{}", failures.len(), shown.join("\n\n"));
}

#[test]
fn killed_at_each_place_a_run_ends_as_an_undisturbed_one() {
    let failures = Mutex::new(Vec::new());
    let (mut all, mut passed) = (0, 0);
    for scene in scenes::all() {
        let wanted = undisturbed(&scene);
        let taken =
            every().map_or_else(|| places(&wanted, LOOKS, OTHERS), |n| (n as u64..=wanted.places.len() as u64).step_by(n).collect());
        let kills: Vec<Disturbance> = taken.into_iter().map(killed).collect();
        let (killed, _) = play_all(&scene, &wanted, &kills, &failures);
        println!("killed at {killed} of {} places: {} (scripts/{}.rhai)", wanted.places.len(), scene.name, scene.script);
        (all, passed) = (all + killed, passed + wanted.places.len());
    }
    println!("killed at {all} of {passed} places in all");
    none(failures);
    assert!(all >= every().map_or(250, |every| 2_000 / every), "only {all} places: are they still passed?");
}

#[test]
fn killed_before_it_was_sent_and_once_more_later_it_ends_as_an_undisturbed_one() {
    let failures = Mutex::new(Vec::new());
    let mut all = 0;
    // Here the limits of waits span the deployments: hours in which one of them is looked for are not counted.
    for name in ["ring after ring", "each as soon as it can"] {
        let scene = scenes::named(name);
        let wanted = undisturbed(&scene);
        let before: Vec<u64> = (1..).zip(&wanted.places).filter(|(_, name)| *name == "request: before POST").map(|(n, _)| n).collect();
        assert!(before.len() > 2, "{:?}", wanted.places);
        let pairs = Mutex::new(Vec::new());
        each(&before, |first| {
            let again = play(&scene, &killed(*first));
            let passed = again.places.len() as u64;
            assert!(again.talk.contains("none can start any more"), "it was not looked for: {}", again.talk);
            for second in [passed * 3 / 4, passed - 3] {
                pairs.lock().expect("no panic").push(Disturbance { kills: vec![*first, second], ..Disturbance::default() });
            }
        });
        all += play_all(&scene, &wanted, &pairs.into_inner().expect("no panic"), &failures).0;
    }
    println!("killed {all} times, each run twice");
    none(failures);
    assert!(all >= 40, "only {all}");
}

fn posts(wanted: &Played) -> usize {
    wanted.requests.iter().filter(|request| request.starts_with("POST /api/")).count()
}

#[test]
fn a_request_whose_answer_is_lost_or_that_comes_late_changes_nothing() {
    let failures = Mutex::new(Vec::new());
    let mut runs = 0;
    for scene in scenes::all() {
        let wanted = undisturbed(&scene);
        let all = ["drop_after", "late"].into_iter().flat_map(|action| (1..=posts(&wanted)).map(move |nth| fault(action, nth)));
        let all: Vec<Disturbance> = all.map(|fault| Disturbance { fault: Some(fault), ..Disturbance::default() }).collect();
        play_all(&scene, &wanted, &all, &failures);
        runs += all.len();
    }
    println!("{runs} runs with a POST that went wrong");
    none(failures);
    assert!(runs >= 50, "only {runs}");
}

#[test]
fn a_request_that_is_delivered_twice_has_one_effect() {
    let failures = Mutex::new(Vec::new());
    let (mut runs, mut cancelled) = (0, 0);
    for scene in scenes::all() {
        let wanted = undisturbed(&scene);
        let all: Vec<Disturbance> =
            (1..=posts(&wanted)).map(|nth| Disturbance { fault: Some(fault("twice", nth)), ..Disturbance::default() }).collect();
        for disturbance in &all {
            let got = play(&scene, disturbance);
            cancelled += usize::from(got.talk.contains("was created twice"));
            failures.lock().expect("no panic").extend(verdict(&scene, &wanted, disturbance, &got));
        }
        runs += all.len();
    }
    println!("{runs} runs with a POST that was delivered twice; in {cancelled} of them a deployment was created twice and one cancelled");
    none(failures);
    assert!(runs >= 25 && cancelled >= 20, "{runs} runs, {cancelled} told");
}

#[test]
fn where_a_project_lets_both_start_the_run_says_so_and_follows_the_first() {
    let mut scene = scenes::named("one deployment");
    let own_tag = "variables = [{ name = \"Octopus.Task.ConcurrencyTag\", value = \"#{Octopus.Task.Id}\" }]\nreleases = [";
    // And a server that starts them before anybody can look.
    scene.world = format!("pick_up = \"0s\"\n{}", scene.world.replacen("releases = [", own_tag, 1));
    let got = play(&scene, &Disturbance { fault: Some(fault("twice", 1)), ..Disturbance::default() });
    assert_eq!(got.code, 0, "{}", got.talk);
    assert_eq!(got.world.deployments.len(), 2, "{}{}", show(&got.world), got.talk);
    let told = "a deployment was created twice, `ServerTasks-19` and `ServerTasks-20`, with the marker `[octorhai:";
    assert!(got.talk.contains(told) && got.talk.contains("both have started"), "{}", got.talk);
    assert!(got.talk.contains("(ServerTasks-19)"), "it does not follow the first: {}", got.talk);
}

/// The scenes that the usual run takes; the full one takes all.
fn usual(names: &[&str]) -> impl Iterator<Item = Scene> {
    scenes::all().into_iter().filter(|scene| every().is_some() || names.contains(&scene.name))
}

#[test]
fn with_a_kill_besides_it_changes_nothing_either() {
    let failures = Mutex::new(Vec::new());
    let mut all = 0;
    // The scene with the most effects and the shortest one.
    for scene in usual(&["the train goes back", "one deployment"]) {
        let wanted = undisturbed(&scene);
        let mut disturbances = Vec::new();
        for action in ["drop_after", "late", "twice"] {
            for nth in 1..=posts(&wanted) {
                // Other steps for each request, so that the kills fall on other places.
                let (looks, others) = every().map_or((150, 9), |n| (40 * n, 4 * n));
                let kills = places(&wanted, looks + nth, others + nth);
                disturbances.extend(kills.into_iter().map(|n| Disturbance { fault: Some(fault(action, nth)), ..killed(n) }));
            }
        }
        all += play_all(&scene, &wanted, &disturbances, &failures).0;
    }
    println!("killed {all} runs of which a POST went wrong");
    none(failures);
    assert!(all >= every().map_or(60, |every| 1_000 / every), "only {all}");
}

#[test]
fn what_is_torn_in_the_journal_was_not_written() {
    let failures = Mutex::new(Vec::new());
    let mut all = 0;
    for scene in usual(&["the train goes back", "a mail when all are live"]) {
        let wanted = undisturbed(&scene);
        let written = (1..).zip(&wanted.places).filter(|(_, name)| name.starts_with("journal: after"));
        // Within the last page of the log, at another place each time.
        let torn: Vec<Disturbance> = written.map(|(n, _)| Disturbance { tear: Some(1 + n * 997 % 4000), ..killed(n) }).collect();
        all += play_all(&scene, &wanted, &torn, &failures).1;
    }
    println!("{all} torn journals");
    none(failures);
    assert!(all >= 20, "only {all} journals were torn: is the log still where it was?");
}
