//! Waiters take turns, on each kind of register: first come, first served. A waiter that is gone blocks nobody.

use super::takers::{look, on_each, take, try_take};
use crate::support::registers::{Ground, seconds, wanted};
use octorhai::{
    lock::{Held, LockRequest, Locks, Me, Taker},
    platform::process::ProcessIdentity,
};
use serde_json::json;
use std::process::{Command, Stdio};

fn asks(locks: &Locks) -> Taker {
    Taker::new(locks, wanted("shop")).expect("a name")
}

async fn busy(taker: &mut Taker) -> String {
    look(taker).await.map(|held| held.generation()).expect_err("it is not to be had").why
}

async fn ours(taker: &mut Taker) -> Held {
    look(taker).await.map_err(|busy| busy.why).expect("it is ours")
}

async fn runs_waiting(locks: &Locks) -> Vec<String> {
    locks.waiting("shop").await.into_iter().map(|ticket| ticket.run).collect()
}

/// On a server that lets two writers through a ticket may have to be written twice.
async fn stands(taker: &mut Taker, locks: &Locks, run: &str) {
    for _ in 0..5 {
        busy(taker).await;
        if runs_waiting(locks).await.contains(&run.to_owned()) {
            return;
        }
    }
    panic!("{run} has no ticket");
}

#[test]
fn waiters_are_served_in_the_order_in_which_they_came() {
    on_each(async |ground| {
        let all = [ground.contender("a").await, ground.contender("b").await, ground.contender("c").await, ground.contender("d").await];
        let mut held = take(&all[0], wanted("shop")).await;
        let mut takers: Vec<(usize, Taker)> = (1..4).map(|i| (i, asks(&all[i]))).collect();
        for (i, taker) in &mut takers {
            stands(taker, &all[0], &all[*i].me.run).await;
        }
        assert_eq!(runs_waiting(&all[0]).await, ["b", "c", "d"]);
        while !takers.is_empty() {
            held.release().await.expect("it is let go");
            // The last that came looks first.
            for (_, taker) in takers.iter_mut().skip(1).rev() {
                let why = busy(taker).await;
                assert!(why.starts_with("free, and it is the turn of run `"), "{why}");
            }
            let (_, mut first) = takers.remove(0);
            held = ours(&mut first).await;
        }
        held.release().await.expect("it is let go");
        assert_eq!(runs_waiting(&all[0]).await, [""; 0]);
    });
}

#[test]
fn a_waiter_that_goes_away_gives_its_ticket_back() {
    on_each(async |ground| {
        let (a, b, c) = (ground.contender("a").await, ground.contender("b").await, ground.contender("c").await);
        let held = take(&a, wanted("shop")).await;
        let (mut second, mut third) = (asks(&b), asks(&c));
        stands(&mut second, &a, "b").await;
        stands(&mut third, &a, "c").await;
        second.give_up().await.expect("it goes away");
        assert_eq!(runs_waiting(&a).await, ["c"]);
        held.release().await.expect("it is let go");
        ours(&mut third).await.release().await.expect("it is let go");
    });
}

#[test]
fn a_run_that_does_not_wait_takes_no_ticket() {
    on_each(async |ground| {
        let (a, b) = (ground.contender("a").await, ground.contender("b").await);
        let held = take(&a, wanted("shop")).await;
        busy(&mut Taker::new(&b, LockRequest { impatient: true, ..wanted("shop") }).expect("a name")).await;
        assert_eq!(runs_waiting(&a).await, [""; 0]);
        held.release().await.expect("it is let go");
    });
}

#[test]
fn a_killed_waiter_of_this_machine_has_no_turn() {
    let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().expect("it starts");
    let identity = ProcessIdentity::of(child.id());
    assert!(identity.is_some());
    child.kill().expect("SIGKILL");
    child.wait().expect("its end");
    on_each(async |ground| {
        let (a, c) = (ground.contender("a").await, ground.contender("c").await);
        let b = ground.contender_as(Me { identity: identity.clone(), ..Me::new("b") }).await;
        let held = take(&a, wanted("shop")).await;
        let (mut dead, mut next) = (asks(&b), asks(&c));
        busy(&mut dead).await;
        busy(&mut next).await;
        held.release().await.expect("it is let go");
        ours(&mut next).await.release().await.expect("it is let go");
    });
}

/// Of a waiter on another machine nothing is known: its turn passes when it does not come, and so do those of others that died.
#[test]
fn a_turn_that_is_not_taken_passes() {
    on_each(async |ground| {
        let elsewhere = |run: &str| Me { identity: None, ..Me::new(run) };
        let a = ground.contender("a").await;
        let (b, c, d) = (ground.contender_as(elsewhere("b")).await, ground.contender_as(elsewhere("c")).await, ground.contender("d").await);
        let held = take(&a, wanted("shop")).await;
        let (mut first, mut second, mut third) = (asks(&b), asks(&c), asks(&d));
        stands(&mut first, &a, "b").await;
        stands(&mut second, &a, "c").await;
        stands(&mut third, &a, "d").await;
        held.release().await.expect("it is let go");
        let why = busy(&mut third).await;
        assert!(why.starts_with("free, and it is the turn of run `b`"), "{why}");
        let begun = d.clock.now();
        let held = try_take(&d, wanted("shop")).await.expect("in the end it is ours");
        assert!(d.clock.since(begun) > seconds(30), "nobody's turn was waited for");
        held.release().await.expect("it is let go");
        // Who comes late after all is a waiter like any other.
        ours(&mut first).await.release().await.expect("it is let go");
    });
}

#[test]
fn a_run_that_is_started_again_keeps_its_turn() {
    on_each(async |ground| {
        let (a, c) = (ground.contender("a").await, ground.contender("c").await);
        let again = || Me { only_one: true, ..Me::new("b") };
        let (b, b_again) = (ground.contender_as(again()).await, ground.contender_as(again()).await);
        let held = take(&a, wanted("shop")).await;
        stands(&mut asks(&b), &a, "b").await;
        let mut next = asks(&c);
        stands(&mut next, &a, "c").await;
        let mut first = asks(&b_again);
        busy(&mut first).await;
        assert_eq!(runs_waiting(&a).await, ["b", "c"]);
        held.release().await.expect("it is let go");
        busy(&mut next).await;
        ours(&mut first).await.release().await.expect("it is let go");
        ours(&mut next).await.release().await.expect("it is let go");
    });
}

/// Tickets are advice: whatever stands in the queue, the lock is taken by one and by everybody in the end.
#[test]
fn a_queue_that_cannot_be_read_orders_nobody() {
    on_each(async |ground| {
        let (a, b) = (ground.contender("a").await, ground.contender("b").await);
        for nonsense in [json!("nonsense"), json!({"v": 1, "tickets": [{"nonce": 7}]}), json!({"v": 99, "tickets": [], "more": true})] {
            let queues = a.register.queues();
            let version = queues.read("queue/shop").await.expect("an answer").version;
            queues.swap("queue/shop", version, &nonsense).await.expect("an answer");
            let held = take(&a, wanted("shop")).await;
            let mut next = asks(&b);
            busy(&mut next).await;
            held.release().await.expect("it is let go");
            a.clock.sleep(seconds(3)).await;
            ours(&mut next).await.release().await.expect("it is let go");
        }
    });
}

/// A waiter that asks for fewer holders at once than there are cannot take a place, so it does not keep others from it.
#[test]
fn a_waiter_that_cannot_enter_yet_lets_others_pass() {
    on_each(async |ground: Ground| {
        let all = [ground.contender("a").await, ground.contender("b").await, ground.contender("c").await];
        let two = || LockRequest { slots: 2, ..wanted("shop") };
        let (first, second) = (take(&all[0], two()).await, take(&all[1], two()).await);
        let mut alone = asks(&ground.contender("alone").await);
        stands(&mut alone, &all[0], "alone").await;
        first.release().await.expect("it is let go");
        busy(&mut alone).await;
        let third = take(&all[2], two()).await;
        second.release().await.expect("it is let go");
        third.release().await.expect("it is let go");
        ours(&mut alone).await.release().await.expect("it is let go");
    });
}
