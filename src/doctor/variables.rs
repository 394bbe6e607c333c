//! Whether the version check of a variable set is atomic: writers with the same version, all at once.

use super::{Finding, Measured, Patient, Verdict, readable};
use crate::{
    api::{LibraryVariableSet, SpaceClient, VariableSetId},
    clock::Stopwatch,
    error::{Error, Result},
};
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::{sync::Barrier, task::JoinSet};

/// So many write at once.
const WRITERS: usize = 8;

/// Rounds of writers on a set of our own.
pub(super) async fn cas(patient: &Patient<'_>, name: &str, measured: &mut Measured) -> Result<Finding> {
    let space = &patient.space;
    let set = space.create_library_variable_set(name, "A measurement of octorhai doctor; may be removed").await?;
    let id = set.variables();
    let (mut twice, mut never) = (0, 0);
    for round in 0..patient.rounds {
        space.client().cancel().check()?;
        let (won, slowest) = race(space, &id, round).await?;
        measured.slowest_write = measured.slowest_write.max(slowest);
        match won {
            0 => never += 1,
            1 => {}
            _ => twice += 1,
        }
    }
    let rounds = patient.rounds;
    let facts = json!({
        "rounds": rounds, "writers": WRITERS, "several_winners": twice, "no_winner": never,
        "slowest_write_ms": measured.slowest_write.as_millis() as i64,
    });
    if twice > 0 {
        measured.atomic = Some(false);
        let text = format!(
            "the version check is not atomic: several writers won in {twice} of {rounds} rounds; locks settle before they are believed"
        );
        return Ok(Finding::new("cas", Verdict::Weaker, text, facts));
    }
    if never == rounds {
        return Ok(Finding::new("cas", Verdict::NotPossible, "no writer could save variables; locks settle, to be safe", facts));
    }
    measured.atomic = Some(true);
    Ok(Finding::new("cas", Verdict::Ok, format!("one of {WRITERS} writers won in each of {rounds} rounds: locks need not settle"), facts))
}

/// How many writers were told that they had won, and how long the slowest took.
async fn race(space: &SpaceClient, id: &VariableSetId, round: u32) -> Result<(usize, SignedDuration)> {
    let route = space.route("variables").then(id);
    let now: Value = space.client().get(route.as_str()).await?;
    let barrier = Arc::new(Barrier::new(WRITERS));
    let mut writers: JoinSet<(Result<()>, SignedDuration)> = JoinSet::new();
    for writer in 0..WRITERS {
        let mut body = now.clone();
        body["Variables"] = json!([{
            "Name": "round", "Value": format!("{round}/{writer}"), "Type": "String", "IsSensitive": false, "IsEditable": true, "Scope": {},
        }]);
        let (client, barrier, route) = (space.client().clone(), Arc::clone(&barrier), route.clone());
        writers.spawn(async move {
            barrier.wait().await;
            let watch = Stopwatch::start();
            let answer = client.send("PUT", route.as_str(), Some(&body)).await.map(drop);
            (answer, SignedDuration::try_from(watch.elapsed()).unwrap_or(SignedDuration::MAX))
        });
    }
    let (mut won, mut slowest) = (0, SignedDuration::ZERO);
    while let Some(ended) = writers.join_next().await {
        let (answer, took) = ended.map_err(|why| Error::bug(format!("a writer broke: {why}")))?;
        slowest = slowest.max(took);
        match answer {
            Ok(()) => won += 1,
            Err(error) if error.kind().is_refusal() => {}
            Err(error) => return Err(error),
        }
    }
    Ok((won, slowest))
}

/// Removes the set.
pub(super) async fn sweep(space: &SpaceClient, name: &str) -> Result<()> {
    let route = space.route("libraryvariablesets").with("partialName", name);
    let sets: Vec<LibraryVariableSet> = readable(space.client().list(&route, None).await)?;
    for set in sets.iter().filter(|set| set.name == name) {
        space.delete_library_variable_set(&set.id).await?;
    }
    Ok(())
}
