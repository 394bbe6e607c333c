//! A task that hangs after it was cancelled.

use crate::support::{shop, simulate};

const CANCEL: &str = r#"let t = deploy("Project A", "2.0.0", "Test"); sleep("1m"); t.cancel();"#;

#[test]
fn task_that_hangs_after_cancel_is_given_up_on_request_alone() {
    let world = shop(&[("start = ", "cancel_takes = \"3h\"\nstart = ")]);
    let ran = simulate(
        &world,
        &format!("{CANCEL} sleep(\"9m\"); try {{ t.abandon() }} catch (err) {{ print(err.kind) }} print(t.refresh().state);"),
    );
    assert_eq!((ran.printed(), ran.error()), ("refused\nCancelling".to_owned(), String::new()), "not before ten minutes are over");
    let ran = simulate(&world, &format!("{CANCEL} sleep(\"11m\"); print(t.abandon().refresh().state); print(t.abandon().state);"));
    assert_eq!((ran.printed(), ran.error()), ("Canceled\nCanceled".to_owned(), String::new()), "a second time does no harm");
}

#[test]
fn server_that_cannot_abandon_is_told_from_a_task_that_is_gone() {
    let world = shop(&[("start = ", "version = \"2026.1\"\ncancel_takes = \"3h\"\nstart = ")]);
    let ran = simulate(&world, &format!("{CANCEL} sleep(\"11m\"); t.abandon();"));
    let failure = ran.outcome.failure.as_ref().expect("a failure");
    assert!(format!("{:?}", failure.error).contains("servers before 2026.3 cannot abandon a task"), "{:?}", failure.error);
}
