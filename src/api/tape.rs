//! What the server answered to reads, kept and played back: how a continued run sees what it saw before.
//!
//! The tape belongs to a thread and to the length of one call: [`recording`] keeps every answer that reads on this
//! thread get, [`playing`] gives them back without asking the server. Answers are found by address, those to the same
//! address in order, because requests that are made side by side have no order. What is not on the tape is asked
//! live; a name that was looked up by another branch of the script is the usual case.

use crate::error::{Error, Result};
use serde_json::{Value, json};
use std::cell::RefCell;

thread_local! {
    static TAPE: RefCell<Option<Tape>> = const { RefCell::new(None) };
}

/// Answers by address.
#[derive(Default)]
struct Tape {
    /// Not played yet.
    known: Vec<(String, Value)>,
    /// Heard live.
    heard: Vec<Value>,
}

/// Runs `work` and returns what reads were answered meanwhile.
pub fn recording<T>(work: impl FnOnce() -> T) -> (T, Vec<Value>) {
    let (done, tape) = with(Tape::default(), work);
    (done, tape.heard)
}

/// Runs `work` with the answers of a [`recording`]; returns the addresses of those that nobody asked for.
pub fn playing<T>(answers: Vec<Value>, work: impl FnOnce() -> T) -> (T, Vec<String>) {
    // Taken apart, not copied: a long run has many, and some are pages of hundreds of items.
    let path = |entry: &Value| entry["path"].as_str().unwrap_or_default().to_owned();
    let known = answers.into_iter().map(|entry| (path(&entry), entry)).collect();
    let (done, tape) = with(Tape { known, heard: Vec::new() }, work);
    (done, tape.known.into_iter().map(|(path, _)| path).collect())
}

/// Lays `tape` in for the length of `work`; what lay there before comes back, also after a panic.
fn with<T>(tape: Tape, work: impl FnOnce() -> T) -> (T, Tape) {
    struct Back(Option<Tape>);
    impl Drop for Back {
        fn drop(&mut self) {
            TAPE.set(self.0.take());
        }
    }
    let _back = Back(TAPE.replace(Some(tape)));
    let done = work();
    (done, TAPE.take().unwrap_or_default())
}

/// The answer for `path`, if the tape has one.
pub(super) fn play(path: &str) -> Option<Result<Value>> {
    let mut entry = TAPE.with_borrow_mut(|tape| {
        let known = &mut tape.as_mut()?.known;
        let at = known.iter().position(|(known, _)| known == path)?;
        Some(known.remove(at).1)
    })?;
    Some(match entry.get("error") {
        Some(error) => Err(Error::from_record(error)),
        None => Ok(entry["answer"].take()),
    })
}

/// Keeps an answer, if a tape lies in.
pub(super) fn keep(path: &str, answer: &Result<Value>) {
    TAPE.with_borrow_mut(|tape| {
        if let Some(tape) = tape {
            tape.heard.push(match answer {
                Ok(answer) => json!({"path": path, "answer": answer}),
                Err(error) => json!({"path": path, "error": error.to_record()}),
            });
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_heard_is_played_in_order_for_each_address() {
        let heard = |path: &str, n: u32| keep(path, &Ok(json!(n)));
        let ((), tape) = recording(|| {
            heard("/a", 1);
            heard("/b", 2);
            heard("/a", 3);
            keep("/c", &Err(Error::usage("no").with("x", 1)));
        });
        let ((), left) = playing(tape.clone(), || {
            let number = |path: &str| play(path).and_then(Result::ok);
            assert_eq!([number("/b"), number("/a"), number("/a"), number("/a")], [Some(json!(2)), Some(json!(1)), Some(json!(3)), None]);
            assert_eq!(play("/c").and_then(Result::err).map(|e| e.message().to_owned()).as_deref(), Some("no"));
        });
        assert!(left.is_empty());
        assert!(play("/a").is_none(), "the tape ends with its call");
        assert_eq!(playing(tape, || ()).1.len(), 4);
    }
}
