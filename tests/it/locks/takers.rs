//! The lock's rules, on each kind of register: taken once, never robbed, taken over from the dead, no answer believed.

use crate::support::registers::{Ground, seconds, wanted};
use octorhai::{
    error::{Error, Kind},
    lock::{Busy, Held, LockRequest, Locks, Me, Seen, Taker, memo},
};
use serde_json::json;
use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

/// Runs a test on a server with an exact check, on one whose check lets a second writer through, and on a store.
pub(super) fn on_each<F: Future<Output = ()>>(test: impl Fn(Ground) -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        test(Ground::store()).await;
        test(Ground::server("").await).await;
        test(Ground::server("racy_variables = \"1s\"").await).await;
    });
}

pub(super) async fn look(taker: &mut Taker) -> Result<Held, Busy> {
    match taker.look().await.expect("the register answers") {
        Seen::Taken(held) => Ok(held),
        Seen::Busy(busy) => Err(busy),
    }
}

pub(super) async fn take(locks: &Locks, wanted: LockRequest) -> Held {
    try_take(locks, wanted).await.expect("it can be taken")
}

/// Looks as often as a script would, for two hours.
pub(super) async fn try_take(locks: &Locks, wanted: LockRequest) -> Result<Held, Error> {
    let mut taker = Taker::new(locks, wanted)?;
    let begun = locks.clock.now();
    loop {
        match taker.look().await? {
            Seen::Taken(held) => return Ok(held),
            Seen::Busy(busy) if locks.clock.since(begun) > seconds(7200) => return Err(Error::new(Kind::Timeout, busy.why)),
            Seen::Busy(busy) => locks.clock.sleep(busy.pause).await,
        }
    }
}

async fn refused(locks: &Locks, wanted: LockRequest) -> Error {
    try_take(locks, wanted).await.map(|held| held.generation()).expect_err("it cannot be taken")
}

#[test]
fn one_has_it_and_the_next_is_told_who() {
    on_each(async |ground| {
        let (a, b) = (ground.contender("morning").await, ground.contender("noon").await);
        let held = take(&a, wanted("shop")).await;
        assert_eq!(held.generation(), 1);
        held.still_mine().await.expect("it is ours");
        let busy = look(&mut Taker::new(&b, wanted("shop")).expect("a name")).await.map(|h| h.generation()).expect_err("it is held");
        assert!(busy.why.starts_with("held by run `morning` on ") && busy.why.contains(" since 2026-03-02 08:"), "{}", busy.why);
        assert_eq!(a.life(&busy.owners[0]).await.expect("known").word(), "alive");
        held.release().await.expect("it is let go");
        assert_eq!(held.still_mine().await.expect_err("it is not ours").kind(), Kind::Fenced);
        let held = take(&b, wanted("shop")).await;
        assert_eq!(held.generation(), 2);
        held.release().await.expect("it is let go");
        let all = b.all().await.expect("a list");
        assert!(all.len() == 1 && all[0].0 == "shop" && all[0].1.state == "free" && all[0].1.generation == 2, "{all:?}");
    });
}

#[test]
fn many_contend_and_never_two_are_inside() {
    on_each(async |ground| {
        for slots in [1, 3] {
            let (inside, most, rounds) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
            let mut all = Vec::new();
            for n in 0..5 {
                let locks = ground.contender(&format!("run-{n}")).await;
                let (inside, most, rounds) = (inside.clone(), most.clone(), rounds.clone());
                all.push(tokio::spawn(async move {
                    for _ in 0..2 {
                        let held = take(&locks, LockRequest { slots, ..wanted(&format!("busy-{slots}")) }).await;
                        most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        locks.clock.sleep(seconds(1)).await;
                        // The clock does not wait for disks and servers: whoever may come in too gets real time for it, once.
                        for _ in 0..1000 {
                            if slots == 1 || most.load(Ordering::SeqCst) > 1 {
                                break;
                            }
                            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                        }
                        inside.fetch_sub(1, Ordering::SeqCst);
                        held.release().await.expect("it is let go");
                        rounds.fetch_add(1, Ordering::SeqCst);
                    }
                }));
            }
            for one in all {
                one.await.expect("no panic");
            }
            assert_eq!(rounds.load(Ordering::SeqCst), 10);
            let most = most.load(Ordering::SeqCst);
            assert!(most <= slots && (slots == 1 || most > 1), "{most} of {slots} were inside");
            let record = ground.contender("eye").await.record(&format!("busy-{slots}")).await.expect("a record");
            assert!(record.owners.is_empty() && record.generation >= 10, "{record:?}");
        }
    });
}

#[test]
fn who_gives_signs_of_life_is_never_robbed() {
    on_each(async |ground| {
        let (a, b) = (ground.contender("a").await, ground.contender("b").await);
        let short = || LockRequest { lease: Some(seconds(120)), ..wanted("long") };
        let held = take(&a, short()).await;
        let mut taker = Taker::new(&b, short()).expect("a name");
        let begun = b.clock.now();
        while b.clock.since(begun) < seconds(300) {
            assert!(look(&mut taker).await.is_err(), "a live holder was robbed");
            b.clock.sleep(seconds(5)).await;
        }
        held.still_mine().await.expect("it is ours");
        held.release().await.expect("it is let go");
    });
}

#[test]
fn who_is_silent_for_a_lease_is_gone() {
    on_each(async |ground| {
        let a = ground.contender("a").await;
        let b = ground.contender("b").await;
        // The holder's signs of life end with its runtime: what it is like to be killed.
        let dying = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(take(&a, LockRequest { lease: Some(seconds(60)), ..wanted("left") }))
        });
        tokio::task::spawn_blocking(|| dying.join().expect("no panic")).await.expect("no panic");
        let begun = b.clock.now();
        let held = take(&b, wanted("left")).await;
        assert_eq!(held.generation(), 2);
        assert!(b.clock.since(begun) > seconds(180), "the lease, and the time in which something it sent may arrive, were not waited for");
        held.release().await.expect("it is let go");
    });
}

#[test]
fn a_lost_answer_is_read_again() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        for (action, generation) in [("drop_after", 1), ("status_after=502", 1), ("reset", 1)] {
            let ground = Ground::server("").await;
            let a = ground.contender("a").await;
            // The set is there, so that the next PUT is the one that takes.
            take(&a, wanted("other")).await.release().await.expect("it is let go");
            let fault = json!({"match": "PUT */variables/*", "nth": 1, "action": action});
            ground.fault(fault.clone()).await;
            let held = take(&a, wanted("shop")).await;
            assert_eq!(held.generation(), generation, "{action}");
            ground.fault(fault).await;
            held.release().await.expect("it is let go");
            assert!(a.record("shop").await.expect("a record").owners.is_empty(), "{action}");
        }
    });
}

#[test]
fn a_holder_in_a_step_lives_as_long_as_its_task() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let ground = Ground::server("").await;
        let space = ground.space().await;
        let task = {
            let (project, environment) = (
                space.raw("GET", "projects/all", None).await.expect("projects"),
                space.raw("GET", "environments/all", None).await.expect("environments"),
            );
            let releases = space.raw("GET", "releases", None).await.expect("releases");
            let body =
                json!({"ReleaseId": releases["Items"][0]["Id"], "EnvironmentId": environment[0]["Id"], "ProjectId": project[0]["Id"]});
            space.raw("POST", "deployments", Some(&body)).await.expect("a deployment")["TaskId"].as_str().expect("an id").to_owned()
        };
        let a = ground.contender_as(Me { task: Some(task.clone()), ..Me::new("a") }).await;
        let b = ground.contender("b").await;
        let held = take(&a, wanted("shop")).await;
        let busy = look(&mut Taker::new(&b, wanted("shop")).expect("a name")).await.map(|h| h.generation()).expect_err("it is held");
        assert!(busy.why.contains(&format!("run `a` ({task}) on ")), "{}", busy.why);
        space.raw("POST", &format!("tasks/{task}/cancel"), None).await.expect("cancelled");
        let taken = take(&b, wanted("shop")).await;
        assert_eq!(taken.generation(), 2);
        // The old process still runs, though its task is over: it must not act any more.
        assert_eq!(held.still_mine().await.expect_err("it lost the lock").kind(), Kind::Fenced);
        held.release().await.expect("nothing is left to let go");
        taken.still_mine().await.expect("the old one did not free it");
    });
}

#[test]
fn a_wait_for_oneself_or_ones_parent_is_an_error_at_once() {
    on_each(async |ground| {
        let a = ground.contender("parent").await;
        let held = take(&a, wanted("shop")).await;
        let error = refused(&a, wanted("shop")).await;
        assert!(error.kind() == Kind::LockBusy && error.message().contains("held by this run itself"), "{error:?}");
        let child = ground.contender_as(Me { parent: Some("parent".into()), ..Me::new("child") }).await;
        let error = refused(&child, wanted("shop")).await;
        assert!(error.message().contains("held by the run that started this one"), "{error:?}");
        // Another branch of the same run waits like anybody else.
        let branch = |b: &str, name| LockRequest { branch: b.into(), ..wanted(name) };
        let other = take(&a, branch("1", "inner")).await;
        assert!(look(&mut Taker::new(&a, branch("2", "inner")).expect("a name")).await.is_err());
        other.release().await.expect("it is let go");
        held.release().await.expect("it is let go");
    });
}

#[test]
fn a_circle_of_waits_is_left_by_the_one_with_the_largest_name() {
    on_each(async |ground| {
        let (a, b) = (ground.contender("run-a").await, ground.contender("run-b").await);
        let (held_a, held_b) = (take(&a, wanted("x")).await, take(&b, wanted("y")).await);
        let first = tokio::spawn({
            let a = a.clone();
            async move { try_take(&a, wanted("y")).await.map(|held| held.generation()).map_err(|e| e.message().to_owned()) }
        });
        let error = refused(&b, wanted("x")).await;
        assert_eq!(error.kind(), Kind::LockBusy);
        assert!(error.message().contains("run `run-a` holds `x` and waits for `y`; run `run-b` holds `y` and waits for `x`"), "{error:?}");
        held_b.release().await.expect("it is let go");
        assert_eq!(first.await.expect("no panic"), Ok(2));
        held_a.release().await.expect("it is let go");
    });
}

#[test]
fn an_earlier_process_of_the_same_run_is_replaced() {
    on_each(async |ground| {
        let old = ground.contender("deploy").await;
        let held = take(&old, wanted("shop")).await;
        // A run of that name on a machine with a journal of its own is another one.
        let other = ground.contender_as(Me { only_one: true, mark: "another".into(), ..Me::new("deploy") }).await;
        look(&mut Taker::new(&other, wanted("shop")).expect("a name")).await.map(|h| h.generation()).expect_err("it is held");
        let new = ground.contender_as(Me { only_one: true, ..Me::new("deploy") }).await;
        let taken = look(&mut Taker::new(&new, wanted("shop")).expect("a name")).await.map_err(|busy| busy.why).expect("it is ours");
        assert_eq!((taken.generation(), held.still_mine().await.expect_err("it lost it").kind()), (2, Kind::Fenced));
        taken.release().await.expect("it is let go");
    });
}

#[test]
fn a_lock_is_broken_by_hand_and_says_so() {
    on_each(async |ground| {
        let (a, b) = (ground.contender("a").await, ground.contender("b").await);
        let held = take(&a, wanted("shop")).await;
        let (from, fenced) = b.break_open("shop", "ann", "the machine burnt down").await.expect("it is broken");
        assert!(from.len() == 1 && from[0].run == "a" && !fenced);
        assert_eq!(held.still_mine().await.expect_err("it lost it").kind(), Kind::Fenced);
        let taken = take(&b, wanted("shop")).await;
        assert_eq!(taken.generation(), 3);
        let broken = b.record("shop").await.expect("a record").broken.expect("it says so");
        assert!(broken.by == "ann" && broken.reason.contains("burnt") && broken.from[0].contains("run `a`"));
        taken.release().await.expect("it is let go");
    });
}

#[test]
fn all_changes_of_a_small_value_are_kept() {
    on_each(async |ground| {
        let mut all = Vec::new();
        for n in 0..5 {
            let locks = ground.contender(&format!("run-{n}")).await;
            all.push(tokio::spawn(async move {
                memo::change(&locks, "arrive/ring", |value| {
                    let mut list: Vec<i64> = value.and_then(|v| serde_json::from_value(v.clone()).ok()).unwrap_or_default();
                    Ok((!list.contains(&n)).then(|| {
                        list.push(n);
                        json!(list)
                    }))
                })
                .await
            }));
        }
        for one in all {
            one.await.expect("no panic").expect("it is written");
        }
        let found = ground.register().await.read("arrive/ring").await.expect("a value").value.expect("a list");
        assert_eq!(found.as_array().map(Vec::len), Some(5), "{found}");
    });
}
