//! Interruptions: questions to people, who is responsible, and their answers (octopus-api.md §19).

use super::{
    answer::{Answer, Ask, Handled, Refusal, str_of},
    collection::{noun_of, page, present},
    state::{State, number, stamp},
};
use serde_json::{Value, json};

fn related(state: &State, index: usize) -> Vec<String> {
    let i = &state.interruptions[index];
    let t = &state.tasks[i.task];
    let mut ids = Vec::new();
    if let Some(x) = t.execution {
        ids.push(state.executions[x].id.clone());
        if let super::state::What::Deploy { release, .. } = state.executions[x].what {
            ids.push(super::releases::id(release));
        }
    }
    ids.push(format!("ServerTasks-{}", i.task + 1));
    ids.extend([&t.project, &t.environment, &t.tenant].into_iter().flatten().cloned());
    ids
}

/// Whether a user may answer: with the right to answer any, or as one of the teams that are asked (none: everybody's).
fn may(state: &State, index: usize, user: &str) -> bool {
    let i = &state.interruptions[index];
    let thing = state.thing_of_task(i.task);
    state.allows("InterruptionSubmit", &thing) || state.allows("InterruptionViewSubmitResponsible", &thing) && state.is_in(user, &i.teams)
}

fn sees(state: &State, index: usize, user: &str) -> bool {
    state.allows("InterruptionView", &state.thing_of_task(state.interruptions[index].task)) || may(state, index, user)
}

fn render(state: &State, index: usize, user: &str) -> Value {
    let i = &state.interruptions[index];
    let t = &state.tasks[i.task];
    let id = format!("Interruptions-{}", index + 1);
    let own = format!("/api/{}/interruptions/{id}", i.space);
    let button = |text: &str, sure: bool| json!({"Text": text, "Value": text, "RequiresConfirmation": sure});
    let (kind, key, buttons) = if i.guided {
        ("GuidedFailure", "Guidance", vec![button("Fail", false), button("Retry", false), button("Ignore", false)])
    } else {
        ("ManualIntervention", "Result", vec![button("Proceed", false), button("Abort", true)])
    };
    json!({
        "Id": id, "SpaceId": i.space, "Title": i.title, "Type": kind, "Created": stamp(i.created), "IsPending": i.pending,
        "Form": {
            "Values": {"Instructions": null, "Notes": i.notes, key: i.answer},
            "Elements": [
                {"Name": "Instructions", "Control": {"Type": "Paragraph", "Text": i.instructions, "ResolveLinks": false}, "IsValueRequired": false},
                {"Name": "Notes", "Control": {"Type": "TextArea", "Label": "Notes"}, "IsValueRequired": false},
                {"Name": key, "Control": {"Type": "SubmitButtonGroup", "Buttons": buttons}, "IsValueRequired": i.guided},
            ],
        },
        "RelatedDocumentIds": related(state, index), "ResponsibleTeamIds": i.teams, "ResponsibleUserId": i.responsible,
        "CanTakeResponsibility": may(state, index, user), "HasResponsibility": i.responsible.as_deref() == Some(user),
        "TaskId": format!("ServerTasks-{}", i.task + 1), "CorrelationId": format!("ServerTasks-{}_SANDBOX/{}", i.task + 1, State::action_id(&t.owner, i.step)),
        "IsLinkedToOtherInterruption": false, "PullRequests": [],
        "Links": {"Self": own, "Submit": format!("{own}/submit"), "Responsible": format!("{own}/responsible")},
    })
}

/// `interruptions…`
pub(crate) fn route(state: &mut State, ask: &Ask, rest: &[&str]) -> Handled {
    let find = |id: &str| {
        number(id, "Interruptions-")
            .map(|n| n - 1)
            .filter(|i| state.interruptions.get(*i).is_some_and(|x| ask.space.as_ref().is_none_or(|s| *s == x.space)))
            .filter(|i| sees(state, *i, &ask.user))
            .ok_or_else(|| Refusal::missing(id))
    };
    match (ask.method.as_str(), rest) {
        ("GET", []) => {
            let (regarding, pending) = (ask.query("regarding"), ask.flag("pendingOnly") == Some(true));
            let all = || match regarding.and_then(|r| state.tasks_about(r)) {
                Some(tasks) => tasks.iter().filter_map(|t| state.interruptions_of.get(t)).flatten().copied().collect(),
                None => (0..state.interruptions.len()).collect(),
            };
            let place = |id: &str| number(id, "Interruptions-").map(|n| n - 1).filter(|n| *n < state.interruptions.len());
            let mut places = ask.places(place, all);
            // Tasks are asked in their order, not in that of their questions.
            places.sort_unstable();
            let found: Vec<usize> = places
                .into_iter()
                .rev()
                .filter(|i| {
                    let x = &state.interruptions[*i];
                    ask.space.as_ref().is_none_or(|s| *s == x.space)
                        && (!pending || x.pending)
                        && sees(state, *i, &ask.user)
                        && regarding.is_none_or(|r| related(state, *i).iter().any(|id| id.eq_ignore_ascii_case(r)))
                })
                .collect();
            Answer::ok(page(ask, "Interruption", &found, |i| render(state, *i, &ask.user)))
        }
        ("GET", [id]) => Answer::ok(render(state, find(id)?, &ask.user)),
        ("GET", [id, "responsible"]) => {
            let index = find(id)?;
            Answer::ok(state.interruptions[index].responsible.as_ref().map_or(Value::Null, |u| user(state, u)))
        }
        ("PUT", [id, "responsible"]) => {
            let index = find(id)?;
            if !may(state, index, &ask.user) {
                return Err(Refusal::forbidden("InterruptionViewSubmitResponsible"));
            }
            let i = &mut state.interruptions[index];
            if !i.pending {
                return Err(Refusal::invalid("This interruption is no longer pending."));
            }
            if i.responsible.as_ref().is_some_and(|u| *u != ask.user) {
                return Err(Refusal::invalid("Another user has already taken responsibility for this interruption."));
            }
            i.responsible = Some(ask.user.clone());
            Answer::ok(user(state, &ask.user))
        }
        ("POST", [id, "submit"]) => {
            let index = find(id)?;
            if !may(state, index, &ask.user) {
                return Err(Refusal::forbidden("InterruptionViewSubmitResponsible"));
            }
            let i = &state.interruptions[index];
            if !i.pending {
                return Err(Refusal::invalid("This interruption is no longer pending."));
            }
            if i.responsible.as_deref() != Some(ask.user.as_str()) {
                return Err(Refusal::invalid("You must take responsibility for this interruption before you can submit it."));
            }
            let (key, allowed): (&str, &[&str]) =
                if i.guided { ("Guidance", &["Fail", "Retry", "Ignore", "Exclude"]) } else { ("Result", &["Proceed", "Abort"]) };
            let given = ask.text(key).ok_or_else(|| Refusal::invalid(format!("The {key} field is required.")))?;
            let Some(result) = allowed.iter().find(|a| **a == given) else {
                return Err(Refusal::invalid(format!("The value '{given}' is not valid for {key}.")));
            };
            state.answer(index, &ask.user, result, ask.text("Notes"));
            Answer::ok(render(state, index, &ask.user))
        }
        _ => Err(Refusal::not_simulated(&ask.method, &ask.path)),
    }
}

fn user(state: &State, id: &str) -> Value {
    let Some((noun, doc)) = noun_of("users").zip(state.store.of("users").get(id)) else { return json!({ "Id": id }) };
    let mut doc = present(noun, doc);
    debug_assert!(!str_of(&doc, "Id").is_empty());
    super::people::hide(&mut doc);
    doc
}
