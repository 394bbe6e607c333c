//! What the server answered to the reads of a step, kept and played back: how a continued run sees what it saw before.
//!
//! Answers are found by address, those to the same address in order, because requests that are made side by side have no order. What a record
//! does not have is asked live; a name that was looked up by another branch of the script is the usual case.
//!
//! A run that asks often gets the same answer often: [`Answers`] knows what each address answered last, and only what changed since is
//! written in full: the record of 10,000 steps had 5 MB instead of 88.

use crate::{
    api::Tape,
    error::{Error, Result},
    json::{JsonSlice, JsonText},
};
use parking_lot::Mutex;
use sha2::Digest as _;
use std::{collections::HashMap, fmt::Write as _};

/// What a read was answered.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Heard {
    /// The address, without the server.
    path: String,
    /// The member of the record that holds the answer: `answer` or `error`.
    member: &'static str,
    json: JsonText,
}

/// The reads of one step.
#[derive(Default)]
pub(super) struct Reads {
    /// Of the record, and not played yet.
    known: Mutex<Vec<Heard>>,
    /// Heard live.
    heard: Mutex<Vec<Heard>>,
}

impl Reads {
    /// The reads of a step that the record knows.
    pub(super) fn of(known: Vec<Heard>) -> Self {
        Self { known: Mutex::new(known), heard: Mutex::default() }
    }

    /// Takes out what was heard live.
    pub(super) fn take_heard(&self) -> Vec<Heard> {
        std::mem::take(&mut self.heard.lock())
    }
}

impl Tape for Reads {
    fn play(&self, path: &str) -> Option<Result<JsonText>> {
        let heard = {
            let mut known = self.known.lock();
            let at = known.iter().position(|known| known.path == path)?;
            known.remove(at)
        };
        Some(if heard.member == "error" { Err(Error::from_record(&heard.json.tree())) } else { Ok(heard.json) })
    }

    fn keep(&self, path: &str, answer: Result<JsonText, &Error>) {
        let (member, json) = match answer {
            Ok(answer) => ("answer", answer),
            Err(error) => ("error", error.to_record().into()),
        };
        self.heard.lock().push(Heard { path: path.to_owned(), member, json });
    }
}

/// What each address answered last, in the order of a record.
#[derive(Default)]
pub(super) struct Answers(HashMap<String, LastAnswer>);

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
    /// What a step heard, for the record: an answer that is the last one of its address again is not repeated.
    pub(super) fn shortened(&mut self, heard: Vec<Heard>) -> JsonText {
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

    /// What [`Answers::shortened`] made, for [`Reads::of`]; to be called in the same order.
    pub(super) fn whole(&mut self, record: JsonSlice<'_>) -> Vec<Heard> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::{Asking, Client, Credential, Settings},
        cancel::Cancel,
        clock::Clock,
    };
    use jiff::{SignedDuration, Timestamp};
    use serde_json::json;
    use std::sync::Arc;

    #[test]
    fn what_was_heard_is_played_in_order_for_each_address() {
        let live = Reads::default();
        for (path, n) in [("/a", 1), ("/b", 2), ("/a", 3)] {
            live.keep(path, Ok(json!(n).into()));
        }
        live.keep("/c", Err(&Error::usage("no").with("x", 1)));
        let record = Answers::default().shortened(live.take_heard());
        assert_eq!(
            record.as_str(),
            r#"[{"path":"/a","answer":1},{"path":"/b","answer":2},{"path":"/a","answer":3},{"path":"/c","error":{"kind":"usage","message":"no","help":[],"facts":{"x":1}}}]"#
        );
        let again = Reads::of(Answers::default().whole(record.json()));
        let number = |path: &str| again.play(path).and_then(Result::ok);
        assert_eq!(
            [number("/b"), number("/a"), number("/a"), number("/a")],
            [Some(json!(2).into()), Some(json!(1).into()), Some(json!(3).into()), None]
        );
        assert_eq!(again.play("/c").and_then(Result::err).map(|e| e.message().to_owned()).as_deref(), Some("no"));
        assert!(again.known.lock().is_empty() && again.take_heard().is_empty());
    }

    #[tokio::test]
    async fn time_of_a_read_that_is_played_back_is_that_of_the_record() {
        let clock = Clock::virtual_at(Timestamp::UNIX_EPOCH);
        let credential = Credential::api_key("http://127.0.0.1:9", "API-X").expect("a credential");
        let client = Client::new(Settings::new(credential, clock.clone(), Cancel::new())).expect("a client");
        let moment = async |tape: Arc<Reads>| Asking { tape: Some(tape), ..Asking::default() }.scope(async { client.moment() }).await;
        let live = Arc::new(Reads::default());
        let first = moment(live.clone()).await;
        clock.advance(SignedDuration::from_hours(1));
        assert_eq!(moment(Arc::new(Reads::of(live.take_heard()))).await, first);
        assert!(client.moment() > first, "the tape ends with its call");
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
