//! The chain of a run's records: each holds the hash of the one before it, and the run holds the last one's.
//!
//! Every write of a step is a record of its own, also the outcome of an intent: nothing is overwritten. So a record that was edited,
//! left out, moved or torn off is seen when the run is read, on every store alike.

use super::Step;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// The hash of some text, in hexadecimal digits.
pub fn hash(parts: &[&str]) -> String {
    let mut sha = Sha256::new();
    for part in parts {
        // With its length, so that `a`+`bc` is not `ab`+`c`.
        sha.update((part.len() as u64).to_be_bytes());
        sha.update(part.as_bytes());
    }
    hex::encode(sha.finalize())
}

/// What the first record of a run follows: what the run was begun with.
pub fn genesis(new: &str, sources: &str) -> String {
    hash(&["octorhai run", new, sources])
}

/// The hash of the record number `number` (from 1) that follows `before`.
pub fn link(before: &str, number: i64, step: &str) -> String {
    hash(&[before, &number.to_string(), step])
}

/// A record as it was read.
pub struct Record {
    /// Its number in the run, from 1.
    pub number: i64,
    /// The step, as JSON.
    pub step: String,
    /// The hash it was written with.
    pub hash: String,
}

/// The steps that records tell of, each with its last state, in the order of their first records. Fails, with what is wrong in words,
/// unless they follow from `genesis` to `head` without a gap.
pub fn steps(genesis: &str, head: &str, records: impl IntoIterator<Item = Record>) -> Result<Vec<Step>, String> {
    let (mut steps, mut places, mut last): (Vec<Step>, HashMap<String, usize>, _) = (Vec::new(), HashMap::new(), genesis.to_owned());
    let mut number = 0;
    for record in records {
        number += 1;
        if record.number != number {
            return Err(format!("record {number} is missing"));
        }
        if record.hash != link(&last, number, &record.step) {
            return Err(format!("record {number} is not what was written"));
        }
        let step: Step = serde_json::from_str(&record.step).map_err(|error| format!("record {number} cannot be read ({error})"))?;
        last = record.hash;
        if let Some(place) = places.get(&step.path) {
            steps[*place] = step;
        } else {
            places.insert(step.path.clone(), steps.len());
            steps.push(step);
        }
    }
    if last != head {
        return Err(format!("records after number {number} are missing"));
    }
    Ok(steps)
}

/// JSON text of something that cannot fail to become JSON.
pub fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("keys are texts")
}

/// The JSON of a step, in a buffer that need not grow: an outcome may be large.
pub fn step_json(step: &Step) -> String {
    let mut text = Vec::with_capacity(step.outcome.as_str().len() + 1024);
    serde_json::to_writer(&mut text, step).expect("keys are texts");
    String::from_utf8(text).expect("JSON is UTF-8")
}

/// A value back from its text.
pub fn value(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{journal::StepState, json::JsonText};
    use jiff::Timestamp;

    fn step(path: &str, state: StepState) -> Step {
        let at = Timestamp::UNIX_EPOCH;
        Step {
            path: path.into(),
            kind: "deploy".into(),
            arguments: Value::Null,
            state,
            intent: Value::Null,
            outcome: JsonText::default(),
            began: at,
            ended: None,
        }
    }

    fn written(steps: &[Step]) -> Vec<Record> {
        let mut last = "g".to_owned();
        (1..)
            .zip(steps)
            .map(|(number, step)| {
                let step = step_json(step);
                last = link(&last, number, &step);
                Record { number, step, hash: last.clone() }
            })
            .collect()
    }

    #[test]
    fn steps_keep_the_order_of_their_first_records_and_the_state_of_their_last() {
        let records = written(&[step("1", StepState::Intent), step("2", StepState::Done), step("1", StepState::Done)]);
        let head = records[2].hash.clone();
        let read = steps("g", &head, records).expect("a whole chain");
        assert_eq!(read, [step("1", StepState::Done), step("2", StepState::Done)]);
    }

    #[test]
    fn what_was_done_to_records_is_seen() {
        let whole = || written(&[step("1", StepState::Done), step("2", StepState::Done), step("3", StepState::Done)]);
        let head = whole()[2].hash.clone();
        let fault = |change: &dyn Fn(&mut Vec<Record>)| {
            let mut records = whole();
            change(&mut records);
            steps("g", &head, records).expect_err("a fault")
        };
        assert_eq!(fault(&|records| drop(records.pop())), "records after number 2 are missing");
        assert_eq!(fault(&|records| drop(records.remove(1))), "record 2 is missing");
        assert_eq!(fault(&|records| records[1].step = records[1].step.replace("deploy", "delete")), "record 2 is not what was written");
        assert_eq!(steps("other", &head, whole()).expect_err("a fault"), "record 1 is not what was written");
    }
}
