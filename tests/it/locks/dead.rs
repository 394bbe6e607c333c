//! Holders whose process has ended on this machine: known at once, in each place where locks are kept. Any doubt counts as alive.
#![allow(clippy::print_stdout)] // a child tells the test that it holds the lock

use crate::support::{
    postgres,
    registers::{Ground, WORLD, seconds, wanted},
};
use jiff::SignedDuration;
use octorhai::{
    api,
    cancel::Cancel,
    clock::Clock,
    journal,
    lock::{
        Busy, Held, LockRequest, Locks, Me, NoServer, Owners, Register, Rules, Seen, Taker,
        octopus::{OctopusOwners, OctopusRegister},
        store::StoreRegister,
    },
    platform::process::ProcessIdentity,
    sandbox::{Sandbox, World},
};
use std::{
    io::Read,
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::Arc,
};

/// The name of the test below in this program, and what it is told in its environment.
const ANOTHER_PROCESS: &str = "locks::dead::another_process";
const PLACE: &str = "LOCKS_TEST_PLACE";

/// The locks at `place`, in real time: an address of a server, a folder or a database.
async fn locks(place: &str, run: &str) -> Locks {
    let clock = Clock::real();
    let (register, owners): (Arc<dyn Register>, Arc<dyn Owners>) = if place.starts_with("http:") {
        let key = api::Credential::api_key(place, "API-SANDBOX").expect("a credential");
        let client = api::Client::new(api::Settings::new(key, clock.clone(), Cancel::new())).expect("a client");
        let space = client.space(None).await.expect("a space");
        (Arc::new(OctopusRegister::new(space.clone(), SignedDuration::from_millis(100))), Arc::new(OctopusOwners::new(space)))
    } else {
        let place = place.to_owned();
        let store = tokio::task::spawn_blocking(move || journal::open(&place)).await.expect("no panic").expect("a store");
        (Arc::new(StoreRegister::new(store, clock.clone())), Arc::new(NoServer))
    };
    let (drain, every) = (SignedDuration::from_millis(300), SignedDuration::from_millis(50));
    Locks::new(register, owners, clock, Me::new(run), Rules { drain, every })
}

/// With a lease that no test waits for.
fn long() -> LockRequest {
    LockRequest { lease: Some(seconds(3600)), ..wanted("shop") }
}

/// Takes the lock and stays until it is killed; nothing when the tests run.
#[test]
fn another_process() {
    let Ok(place) = std::env::var(PLACE) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let locks = locks(&place, "killed").await;
        let _held = take(&locks).await;
        println!("inside.");
        std::future::pending::<()>().await;
    });
}

async fn take(locks: &Locks) -> Held {
    let mut taker = Taker::new(locks, long()).expect("a name");
    loop {
        match taker.look().await.expect("an answer") {
            Seen::Taken(held) => return held,
            Seen::Busy(busy) => locks.clock.sleep(busy.pause).await,
        }
    }
}

async fn look(taker: &mut Taker) -> Busy {
    match taker.look().await.expect("an answer") {
        Seen::Taken(held) => panic!("taken in generation {}", held.generation()),
        Seen::Busy(busy) => busy,
    }
}

fn inside(place: &str) -> Child {
    let mut process = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", ANOTHER_PROCESS, "--nocapture"])
        .env(PLACE, place)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a process");
    let mut out = process.stdout.take().expect("its output");
    let (mut text, mut letter) = (Vec::new(), [0]);
    while !text.ends_with(b"inside.\n") && out.read(&mut letter).expect("output") == 1 {
        text.push(letter[0]);
    }
    assert!(text.ends_with(b"inside.\n"), "it ended before it held the lock");
    process
}

/// The holder is killed; the next look knows it, lets the time of its last requests pass, and takes the lock over.
async fn is_known_at_once(place: &str) {
    let mut process = inside(place);
    let locks = locks(place, "next").await;
    let mut taker = Taker::new(&locks, long()).expect("a name");
    let busy = look(&mut taker).await;
    assert!(!busy.taking_over && busy.why.starts_with("held by run `killed` on "), "{place}: {}", busy.why);
    process.kill().expect("SIGKILL");
    process.wait().expect("its end");
    let busy = look(&mut taker).await;
    assert!(busy.taking_over && busy.why.contains("it is gone (its process, on this machine, has ended)"), "{place}: {}", busy.why);
    assert_eq!(locks.life(&busy.owners[0]).await.expect("known").word(), "dead", "{place}");
    taker.give_up().await.expect("it goes away");
    let held = take(&locks).await;
    assert_eq!(held.generation(), 2, "{place}");
    held.release().await.expect("it is let go");
}

fn on_a_runtime(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime").block_on(test);
}

#[test]
fn a_killed_holder_is_known_at_once_in_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    on_a_runtime(is_known_at_once(&folder.path().display().to_string()));
}

#[test]
fn a_killed_holder_is_known_at_once_in_a_database() {
    let place = postgres::database();
    on_a_runtime(is_known_at_once(&place));
}

#[test]
fn a_killed_holder_is_known_at_once_on_a_server() {
    on_a_runtime(async {
        let world = World::from_toml("test", WORLD).expect("a good world");
        let sandbox = Sandbox::start(world, Clock::real(), SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("it starts");
        is_known_at_once(&sandbox.url()).await;
    });
}

/// What stands in the record decides: only what this machine knows for sure takes a lock from its holder before the lease is over.
#[test]
fn any_doubt_about_a_holder_counts_as_alive() {
    on_a_runtime(async {
        let own = ProcessIdentity::own().expect("Linux tells");
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().expect("it starts");
        let killed = ProcessIdentity::of(child.id()).expect("it runs");
        child.kill().expect("SIGKILL");
        child.wait().expect("its end");
        for (name, identity, gone) in [
            ("lives", Some(own.clone()), false),
            ("killed", Some(killed.clone()), true),
            ("number used again", Some(ProcessIdentity { started: own.started + 1, ..own.clone() }), true),
            ("another start of the kernel", Some(ProcessIdentity { boot: "another".into(), ..killed.clone() }), false),
            ("another container", Some(ProcessIdentity { namespace: "pid:[1] time:[1]".into(), ..killed.clone() }), false),
            ("written by 0.1.0", None, false),
        ] {
            for ground in [Ground::store(), Ground::server("").await] {
                let (a, b) = (ground.contender_as(Me { identity: identity.clone(), ..Me::new("a") }).await, ground.contender("b").await);
                let mut taker = Taker::new(&a, wanted("shop")).expect("a name");
                let Seen::Taken(held) = taker.look().await.expect("an answer") else { panic!("it is free") };
                let busy = look(&mut Taker::new(&b, wanted("shop")).expect("a name")).await;
                assert_eq!(busy.taking_over, gone, "{name}: {}", busy.why);
                held.release().await.expect("it is let go");
            }
        }
    });
}
