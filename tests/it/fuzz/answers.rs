//! Answers of servers: every document, with members of other types, missing, huge and nested.

use super::{Reader, fuzz};
use crate::support::payloads::{files, folders, items, read};
use octorhai::{
    api::{
        dashboards::Dashboard,
        decode::{Document, FromJson},
        *,
    },
    error::Error,
};
use serde_json::Value;

type Decoder = fn(&Value) -> Result<(), String>;

fn document<T: Document>(value: &Value) -> Result<(), String> {
    match T::decode(value.clone()) {
        Ok(read) if read.raw() != value => Err(format!("a {} that is not what came", T::NOUN)),
        Ok(_) => Ok(()),
        Err(problem) => {
            let error = problem.into_error(T::NOUN);
            if error.message().len() > 20_000 { Err(format!("{} bytes of message", error.message().len())) } else { Ok(()) }
        }
    }
}

/// Every type that answers are read into.
const ALL: &[Decoder] = &[
    document::<ActionTemplate>,
    document::<Channel>,
    document::<Dashboard>,
    document::<Deployment>,
    document::<Environment>,
    document::<Event>,
    document::<Freeze>,
    document::<Interruption>,
    document::<LibraryVariableSet>,
    document::<Other>,
    document::<Process>,
    document::<Project>,
    document::<ProjectGroup>,
    document::<Release>,
    document::<Runbook>,
    document::<RunbookRun>,
    document::<ServerInfo>,
    document::<Space>,
    document::<TagSet>,
    document::<Task>,
    document::<TaskDetails>,
    document::<Tenant>,
    document::<User>,
    document::<VariableSet>,
];

fn all(value: &Value) -> Result<(), String> {
    for decode in ALL {
        decode(value)?;
    }
    let _links = decode::Links::from_json(value);
    if let Ok(items) = items(value) {
        for item in items.iter().take(5) {
            for decode in ALL {
                decode(item)?;
            }
        }
    }
    let _error = Error::from_record(value);
    Ok(())
}

#[test]
fn answers_are_decoded() {
    let seeds: Vec<Vec<u8>> = folders()
        .iter()
        .flat_map(|folder| files(folder).into_values())
        .map(|path| read(&path).to_string().into_bytes())
        .filter(|text| text.len() < 8000)
        .collect();
    let words = &[
        "null",
        "true",
        "\"\"",
        "[]",
        "{}",
        "-1",
        "1e308",
        "\"9999-12-31T23:59:59Z\"",
        "\"Items\":",
        "\"Links\":{\"Page.Next\":7}",
        "\"TotalResults\":-1",
        "\"State\":\"Foo\"",
        "\"Id\":7",
        "\"Id\":null,",
        "[[[[]]]]",
        "{\"\":{\"\":{}}}",
        "\"Form\":{\"Elements\":[{}]}",
    ];
    fuzz(Reader {
        name: "answer",
        seeds,
        words,
        usual: 2500,
        read: Box::new(|input| {
            let Ok(value) = serde_json::from_slice::<Value>(input) else { return Ok(()) };
            all(&value)
        }),
    });
}
