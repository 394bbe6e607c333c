//! What the server answered to reads, kept and played back: how a continued run sees what it saw before.
//!
//! The tape belongs to a thread and to the length of one call: [`recording`] keeps every answer that reads on this
//! thread get, [`playing`] gives them back without asking the server. Answers are found by address, those to the same
//! address in order, because requests that are made side by side have no order. What is not on the tape is asked
//! live; a name that was looked up by another branch of the script is the usual case.
//!
//! Who asks often gets the same answer often: [`Answers`] keeps what each address answered last, and only what changed since is
//! written in full: the record of 10,000 steps had 5 MB instead of 88.

use crate::error::{Error, Result};
use serde_json::{Value, json};
use sha2::Digest as _;
use std::{cell::RefCell, collections::HashMap, sync::Arc};

thread_local! {
    static TAPE: RefCell<Option<Tape>> = const { RefCell::new(None) };
}

/// Answers by address.
#[derive(Default)]
struct Tape {
    /// Not played yet.
    known: Vec<(String, Arc<Value>)>,
    /// Heard live.
    heard: Vec<Value>,
}

/// Runs `work` and returns what reads were answered meanwhile.
pub fn recording<T>(work: impl FnOnce() -> T) -> (T, Vec<Value>) {
    let (done, tape) = with(Tape::default(), work);
    (done, tape.heard)
}

/// Runs `work` with the answers of a [`recording`], each with its address; returns the addresses of those that nobody asked for.
pub fn playing<T>(known: Vec<(String, Arc<Value>)>, work: impl FnOnce() -> T) -> (T, Vec<String>) {
    let (done, tape) = with(Tape { known, heard: Vec::new() }, work);
    (done, tape.known.into_iter().map(|(path, _)| path).collect())
}

/// What each address answered last, in the order of a record.
#[derive(Default)]
pub struct Answers(HashMap<String, LastAnswer>);

/// What an address answered last.
enum LastAnswer {
    /// What a record holds.
    Read(Arc<Value>),
    /// The digest of what was written: a run asks often, and the answers themselves are nobody's concern any more.
    Written(Digest),
}

/// SHA-256.
type Digest = [u8; 32];

/// The digest of the JSON of a value, which is made on the way and never there as a whole.
fn digest(value: &Value) -> Digest {
    struct Into(sha2::Sha256);
    impl std::io::Write for Into {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.update(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut into = Into(sha2::Sha256::new());
    // Neither a value nor a digest fails.
    let _ = serde_json::to_writer(&mut into, value);
    into.0.finalize().into()
}

impl Answers {
    /// What a [`recording`] heard, for the record: an answer that is the last one of its address again is not repeated.
    pub fn shortened(&mut self, heard: Vec<Value>) -> Vec<Value> {
        let short = |entry: Value| {
            let path = address(&entry);
            let now = digest(&entry);
            let is_again = self.0.get(&path).is_some_and(|last| match last {
                LastAnswer::Read(last) => **last == entry,
                LastAnswer::Written(last) => *last == now,
            });
            if is_again {
                return json!({"path": path, "again": true});
            }
            self.0.insert(path, LastAnswer::Written(now));
            entry
        };
        heard.into_iter().map(short).collect()
    }

    /// What [`Answers::shortened`] made, for [`playing`]; to be called in the same order.
    pub fn whole(&mut self, record: Vec<Value>) -> Vec<(String, Arc<Value>)> {
        let whole = |entry: Value| {
            let path = address(&entry);
            if entry["again"] == true {
                let LastAnswer::Read(last) = self.0.get(&path)? else { return None };
                return Some((path, Arc::clone(last)));
            }
            let entry = Arc::new(entry);
            self.0.insert(path.clone(), LastAnswer::Read(Arc::clone(&entry)));
            Some((path, entry))
        };
        record.into_iter().filter_map(whole).collect()
    }
}

fn address(entry: &Value) -> String {
    entry["path"].as_str().unwrap_or_default().to_owned()
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
    let entry = TAPE.with_borrow_mut(|tape| {
        let known = &mut tape.as_mut()?.known;
        let at = known.iter().position(|(known, _)| known == path)?;
        Some(known.remove(at).1)
    })?;
    Some(match entry.get("error") {
        Some(error) => Err(Error::from_record(error)),
        None => Ok(entry["answer"].clone()),
    })
}

/// Whether answers are kept now.
pub(super) fn lies_in() -> bool {
    TAPE.with_borrow(Option::is_some)
}

/// Keeps an answer, if a tape lies in.
pub(super) fn keep(path: &str, answer: Result<Value, &Error>) {
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
        let heard = |path: &str, n: u32| keep(path, Ok(json!(n)));
        let ((), tape) = recording(|| {
            heard("/a", 1);
            heard("/b", 2);
            heard("/a", 3);
            keep("/c", Err(&Error::usage("no").with("x", 1)));
        });
        let whole = || Answers::default().whole(tape.clone());
        let ((), left) = playing(whole(), || {
            let number = |path: &str| play(path).and_then(Result::ok);
            assert_eq!([number("/b"), number("/a"), number("/a"), number("/a")], [Some(json!(2)), Some(json!(1)), Some(json!(3)), None]);
            assert_eq!(play("/c").and_then(Result::err).map(|e| e.message().to_owned()).as_deref(), Some("no"));
        });
        assert!(left.is_empty());
        assert!(play("/a").is_none(), "the tape ends with its call");
        assert_eq!(playing(whole(), || ()).1.len(), 4);
    }

    #[test]
    fn an_answer_that_comes_again_is_kept_once() {
        let turns = [("/a", 1), ("/b", 1), ("/a", 1), ("/a", 2), ("/a", 2), ("/a", 1), ("/b", 1)]
            .map(|(path, n)| json!({"path": path, "answer": n}));
        let (mut writing, mut reading) = (Answers::default(), Answers::default());
        let written: Vec<Vec<Value>> = turns.iter().map(|turn| writing.shortened(vec![turn.clone()])).collect();
        let again: Vec<bool> = written.iter().map(|record| record[0]["again"] == true).collect();
        assert_eq!(again, [false, false, true, false, true, false, true]);
        let read: Vec<Value> = written.into_iter().map(|record| (*reading.whole(record)[0].1).clone()).collect();
        assert_eq!(read, turns);
    }
}
