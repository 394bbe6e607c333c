//! Same world, same script, same bytes: also where branches wait for one lock, and while the machine is busy with other things.

use crate::support::{finish, octorhai};
use std::{
    fs,
    sync::atomic::{AtomicBool, Ordering},
};

/// Eight branches ask for a lock in an order that the script says, and hold it while they do something. What they tell names holders.
const SCRIPT: &str = r#"
let order = parallel([5, 3, 8, 1, 7, 2, 6, 4], |n| {
    sleep(n.seconds);
    lock("the database", #{wait_up_to: "3h"}, || {
        if n % 4 == 0 { wait(deploy(if n == 4 { "Project A" } else { "Project B" }, "latest", "Test")); } else { sleep("1m"); }
        remember(`seen by ${n}`, now().time);
        print(`${n} had it at ${now().time}`);
    });
    n
});
let at_once = parallel(["a", "b", "c", "d"], |who| lock("at once", || { sleep("30s"); print(`${who} at ${now().time}`); once("first", || who) }));
print(at_once);
print(lock_info("at once"));
try { lock("inner", || lock("inner", || ())); } catch (e) { print(e.message); }
parallel([1, 2], |n| { sleep(n.seconds); try { lock("busy", #{on_busy: "fail"}, || sleep("1m")); } catch (e) { print(e.message); } });
"#;

/// `OCTORHAI_SAME_RUNS=100` is the whole.
fn runs() -> usize {
    std::env::var("OCTORHAI_SAME_RUNS").map_or(4, |runs| runs.parse().expect("OCTORHAI_SAME_RUNS is a number"))
}

#[test]
#[allow(clippy::print_stdout, reason = "how many is for whoever runs it")]
fn branches_that_wait_for_a_lock_get_it_as_they_asked_and_tell_the_same_each_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("same.rhai");
    fs::write(&script, SCRIPT).expect("written");
    let run = |output: &str| {
        let mut command = octorhai();
        command.args(["run", "--sandbox", "--output", output, "--verbose", "--artifacts"]).arg(folder.path()).arg(&script);
        let ran = finish(&mut command);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        (ran.stdout, ran.stderr)
    };
    let first = ["text", "json"].map(run);
    let had: Vec<&str> = first[0].0.lines().filter_map(|line| line.split_once(" had it at ")).map(|(n, _)| n).collect();
    assert_eq!(had, ["1", "2", "3", "4", "5", "6", "7", "8"], "in the order in which they asked");
    let at_once: Vec<&str> =
        first[0].0.lines().filter_map(|line| line.split_once(" at ")).map(|(who, _)| who).filter(|who| who.len() == 1).collect();
    assert_eq!(at_once, ["a", "b", "c", "d"], "at one moment: in the order of the branches");
    let told = format!("{first:?}");
    assert!(!told.contains(", process ") && told.contains("same.rhai` on sandbox"), "{told}");
    // Every other run beside threads that do nothing but keep the machine busy.
    let (load, stop) = (std::thread::available_parallelism().map_or(2, usize::from) * 2, AtomicBool::new(false));
    for turn in 0..runs() {
        stop.store(false, Ordering::SeqCst);
        let again = std::thread::scope(|scope| {
            for _ in 0..if turn % 2 == 1 { load } else { 0 } {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        std::hint::spin_loop();
                    }
                });
            }
            let again = std::panic::catch_unwind(|| ["text", "json"].map(run));
            stop.store(true, Ordering::SeqCst);
            again.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        for ((was, is), stream) in first.iter().zip(&again).flat_map(|(was, is)| [((&was.0, &is.0), "stdout"), ((&was.1, &is.1), "stderr")])
        {
            let differs = was.lines().zip(is.lines()).find(|(was, is)| was != is);
            assert!(was == is, "run {turn}: {stream}: {differs:?}");
        }
    }
    println!("{} runs, each as text and as JSON, are equal to the byte", runs());
}
