//! What the server answered to reads, kept and played back: how a continued run sees what it saw before.
//!
//! The tape belongs to a thread and to the length of one call: [`recording`] keeps every answer that reads on this
//! thread get, [`playing`] gives them back without asking the server. Answers are found by address, those to the same
//! address in order, because requests that are made side by side have no order. What is not on the tape is asked
//! live; a name that was looked up by another branch of the script is the usual case.
//!
//! Who asks often gets the same answer often: [`Answers`] keeps what each address answered last, and only what changed since is
//! written in full: the record of 10,000 steps had 5 MB instead of 88.

use crate::{
    error::{Error, Result},
    json::{JsonSlice, JsonText},
};
use sha2::Digest as _;
use std::{cell::RefCell, collections::HashMap, fmt::Write as _};

thread_local! {
    static TAPE: RefCell<Option<Tape>> = const { RefCell::new(None) };
}

/// What a read was answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// The address, without the server.
    path: String,
    /// The member of the record that holds the answer: `answer` or `error`.
    member: &'static str,
    json: JsonText,
}

/// Answers by address.
#[derive(Default)]
struct Tape {
    /// Not played yet.
    known: Vec<Heard>,
    /// Heard live.
    heard: Vec<Heard>,
}

/// Runs `work` and returns what reads were answered meanwhile.
pub fn recording<T>(work: impl FnOnce() -> T) -> (T, Vec<Heard>) {
    let (done, tape) = with(Tape::default(), work);
    (done, tape.heard)
}

/// Runs `work` with the answers of a [`recording`]; returns the addresses of those that nobody asked for.
pub fn playing<T>(known: Vec<Heard>, work: impl FnOnce() -> T) -> (T, Vec<String>) {
    let (done, tape) = with(Tape { known, heard: Vec::new() }, work);
    (done, tape.known.into_iter().map(|heard| heard.path).collect())
}

/// What each address answered last, in the order of a record.
#[derive(Default)]
pub struct Answers(HashMap<String, LastAnswer>);

/// What an address answered last.
enum LastAnswer {
    /// What a record holds.
    Read(Heard),
    /// The digest of what was written: a run asks often, and the answers themselves are nobody's concern any more.
    Written(Digest),
}

/// SHA-256.
type Digest = [u8; 32];

impl Answers {
    /// What a [`recording`] heard, for the record: an answer that is the last one of its address again is not repeated.
    pub fn shortened(&mut self, heard: Vec<Heard>) -> JsonText {
        let mut record = String::with_capacity(heard.iter().map(|heard| heard.path.len() + heard.json.as_str().len() + 32).sum());
        for heard in heard {
            let now: Digest = sha2::Sha256::new().chain_update(heard.member).chain_update(heard.json.as_str()).finalize().into();
            let is_again = self.0.get(&heard.path).is_some_and(|last| match last {
                LastAnswer::Read(last) => *last == heard,
                LastAnswer::Written(last) => *last == now,
            });
            let (member, json) = if is_again { ("again", "true") } else { (heard.member, heard.json.as_str()) };
            let begin = if record.is_empty() { '[' } else { ',' };
            let _ = write!(record, "{begin}{{\"path\":{},\"{member}\":{json}}}", JsonText::of(&heard.path));
            if !is_again {
                self.0.insert(heard.path, LastAnswer::Written(now));
            }
        }
        record.push(']');
        JsonText::put_together(record)
    }

    /// What [`Answers::shortened`] made, for [`playing`]; to be called in the same order.
    pub fn whole(&mut self, record: JsonSlice<'_>) -> Vec<Heard> {
        let whole = |entry: JsonSlice<'_>| {
            let path = entry.get("path").and_then(JsonSlice::text).unwrap_or_default().into_owned();
            if entry.get("again").is_some_and(|again| again.as_str() == "true") {
                let LastAnswer::Read(last) = self.0.get(&path)? else { return None };
                return Some(last.clone());
            }
            let found = ["error", "answer"].into_iter().find_map(|member| Some((member, entry.get(member)?.into())));
            let (member, json) = found.unwrap_or(("answer", JsonText::default()));
            let heard = Heard { path, member, json };
            self.0.insert(heard.path.clone(), LastAnswer::Read(heard.clone()));
            Some(heard)
        };
        record.items().into_iter().flatten().filter_map(whole).collect()
    }
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
pub(super) fn play(path: &str) -> Option<Result<JsonText>> {
    let heard = TAPE.with_borrow_mut(|tape| {
        let known = &mut tape.as_mut()?.known;
        let at = known.iter().position(|known| known.path == path)?;
        Some(known.remove(at))
    })?;
    Some(if heard.member == "error" { Err(Error::from_record(&heard.json.tree())) } else { Ok(heard.json) })
}

/// Whether answers are kept now.
pub(super) fn lies_in() -> bool {
    TAPE.with_borrow(Option::is_some)
}

/// Keeps an answer, if a tape lies in.
pub(super) fn keep(path: &str, answer: Result<JsonText, &Error>) {
    TAPE.with_borrow_mut(|tape| {
        if let Some(tape) = tape {
            let (member, json) = match answer {
                Ok(answer) => ("answer", answer),
                Err(error) => ("error", error.to_record().into()),
            };
            tape.heard.push(Heard { path: path.to_owned(), member, json });
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_heard_is_played_in_order_for_each_address() {
        let heard = |path: &str, n: u32| keep(path, Ok(json!(n).into()));
        let ((), tape) = recording(|| {
            heard("/a", 1);
            heard("/b", 2);
            heard("/a", 3);
            keep("/c", Err(&Error::usage("no").with("x", 1)));
        });
        let record = Answers::default().shortened(tape);
        assert_eq!(
            record.as_str(),
            r#"[{"path":"/a","answer":1},{"path":"/b","answer":2},{"path":"/a","answer":3},{"path":"/c","error":{"kind":"usage","message":"no","help":[],"facts":{"x":1}}}]"#
        );
        let whole = || Answers::default().whole(record.json());
        let ((), left) = playing(whole(), || {
            let number = |path: &str| play(path).and_then(Result::ok);
            assert_eq!(
                [number("/b"), number("/a"), number("/a"), number("/a")],
                [Some(json!(2).into()), Some(json!(1).into()), Some(json!(3).into()), None]
            );
            assert_eq!(play("/c").and_then(Result::err).map(|e| e.message().to_owned()).as_deref(), Some("no"));
        });
        assert!(left.is_empty());
        assert!(play("/a").is_none(), "the tape ends with its call");
        assert_eq!(playing(whole(), || ()).1.len(), 4);
    }

    #[test]
    fn an_answer_that_comes_again_is_kept_once() {
        let turns = [("/a", 1), ("/b", 1), ("/a", 1), ("/a", 2), ("/a", 2), ("/a", 1), ("/b", 1)].map(|(path, n)| Heard {
            path: path.to_owned(),
            member: "answer",
            json: json!(n).into(),
        });
        let (mut writing, mut reading) = (Answers::default(), Answers::default());
        let written: Vec<JsonText> = turns.iter().map(|turn| writing.shortened(vec![turn.clone()])).collect();
        let again: Vec<bool> = written.iter().map(|record| record.tree()[0]["again"] == true).collect();
        assert_eq!(again, [false, false, true, false, true, false, true]);
        let read: Vec<Heard> = written.iter().map(|record| reading.whole(record.json()).remove(0)).collect();
        assert_eq!(read, turns);
    }
}
