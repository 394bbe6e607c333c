//! Interruptions: questions to people, who is responsible, and their answers (octopus-api.md §19).

use super::{
    answer::{Answer, Ask, Handled, Refusal},
    nouns::named,
    pages::page,
    routing::{Endpoint, Of, Whole, get, post, put},
    state::{InterruptionType, State, number, stamp},
    store::present,
    world::model::{AwaitedPlan, AwaitedType, PullRequestPlan},
};
use serde_json::{Value, json};

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
    let instructions = json!({"Name": "Instructions", "Control": {"Type": "Paragraph", "Text": i.instructions, "ResolveLinks": false}, "IsValueRequired": false});
    let notes = json!({"Name": "Notes", "Control": {"Type": "TextArea", "Label": "Notes"}, "IsValueRequired": false});
    let submit = |key: &str, words: &[&str]| {
        let buttons: Vec<Value> =
            words.iter().map(|text| json!({"Text": text, "Value": text, "RequiresConfirmation": *text == "Abort"})).collect();
        json!({"Name": key, "Control": {"Type": "SubmitButtonGroup", "Buttons": buttons}, "IsValueRequired": key == "Guidance"})
    };
    let form = match i.kind {
        InterruptionType::GuidedFailure => json!({
            "Values": {"Instructions": null, "Notes": i.notes, "Guidance": i.answer},
            "Elements": [instructions, notes, submit("Guidance", &["Fail", "Retry", "Ignore"])],
        }),
        InterruptionType::Manual => json!({
            "Values": {"Instructions": null, "Notes": i.notes, "Result": i.answer},
            "Elements": [instructions, notes, submit("Result", &["Proceed", "Abort"])],
        }),
        // No person answers, so there is nothing to press.
        InterruptionType::Awaited(_) => json!({"Values": {"Instructions": null}, "Elements": [instructions]}),
    };
    json!({
        "Id": id, "SpaceId": i.space, "Title": i.title, "Type": i.kind.name(), "Created": stamp(i.created), "IsPending": i.pending, "Form": form,
        "RelatedDocumentIds": state.related_to(i.task), "ResponsibleTeamIds": i.teams, "ResponsibleUserId": i.responsible,
        "CanTakeResponsibility": !matches!(i.kind, InterruptionType::Awaited(_)) && may(state, index, user), "HasResponsibility": i.responsible.as_deref() == Some(user),
        "TaskId": format!("ServerTasks-{}", i.task + 1), "CorrelationId": format!("ServerTasks-{}_SANDBOX/{}", i.task + 1, State::action_id(&t.owner, i.step)),
        "IsLinkedToOtherInterruption": false, "PullRequests": pull_requests(state, index),
        "Links": {"Self": own, "Submit": format!("{own}/submit"), "Responsible": format!("{own}/responsible")},
    })
}

/// The pull requests of a step that waits for them.
fn pull_requests(state: &State, index: usize) -> Vec<Value> {
    let i = &state.interruptions[index];
    let Some(awaited) = &state.tasks[i.task].plan[i.step].awaits else { return Vec::new() };
    let status = match (i.pending, awaited.fails) {
        (true, _) => "Open",
        (false, false) => "Merged",
        (false, true) => "Closed",
    };
    let one = |(n, p): (usize, &PullRequestPlan)| {
        let url = p.url.clone().unwrap_or_else(|| format!("https://git.example.com/shop/deployments/pull/{}", p.number));
        let repository = url.rsplit_once("/pull/").map_or(&*url, |(repository, _)| repository);
        json!({
            "Id": format!("InterruptionPullRequests-{}", (index + 1) * 100 + n), "InterruptionId": format!("Interruptions-{}", index + 1), "Number": p.number,
            "RepositoryUrl": repository, "Status": status, "Title": p.title, "Url": url,
        })
    };
    awaited.pull_requests.iter().enumerate().map(one).collect()
}

/// What the log of a step says it waits for.
pub(crate) fn awaited_words(awaited: &AwaitedPlan) -> String {
    match awaited.kind.get_ref() {
        AwaitedType::PullRequestCompletion => {
            let numbers: Vec<String> = awaited.pull_requests.iter().map(|p| format!("#{}", p.number)).collect();
            format!("Waiting for pull requests to be merged: {}", numbers.join(", "))
        }
        AwaitedType::ArgoCDApplicationSync => "Waiting for Argo CD to synchronise the application".to_owned(),
        AwaitedType::KubernetesResourceVerification => "Waiting for Kubernetes resources to be verified".to_owned(),
    }
}

const VIEW: &str = "InterruptionView|InterruptionViewSubmitResponsible";
const SUBMIT: &str = "InterruptionSubmit|InterruptionViewSubmitResponsible";

#[rustfmt::skip]
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("S/interruptions", VIEW, &Whole(|state, ask| list(state, ask))),
    get("S/interruptions/{id}", VIEW, &Of(find, |state, ask, index| Answer::ok(render(state, index, &ask.user)))),
    get("S/interruptions/{id}/responsible", VIEW, &Of(find, |state, _, index| Answer::ok(state.interruptions[index].responsible.as_ref().map(|u| user(state, u))))),
    put("S/interruptions/{id}/responsible", SUBMIT, &Of(find_pending, take_responsibility)),
    post("S/interruptions/{id}/submit", SUBMIT, &Of(find_pending, submit)).takes(&[&["Result", "Guidance", "Notes"]]),
];

fn place(state: &State, id: &str) -> Option<usize> {
    number(id, "Interruptions-").map(|n| n - 1).filter(|n| *n < state.interruptions.len())
}

fn find(state: &State, ask: &Ask, id: &str) -> Result<usize, Refusal> {
    let here = |i: &usize| ask.space.as_ref().is_none_or(|s| *s == state.interruptions[*i].space) && sees(state, *i, &ask.user);
    place(state, id).filter(here).ok_or_else(|| Refusal::missing(id))
}

/// One that the caller may answer.
fn find_pending(state: &State, ask: &Ask, id: &str) -> Result<usize, Refusal> {
    let index = find(state, ask, id)?;
    if !may(state, index, &ask.user) {
        return Err(Refusal::forbidden("InterruptionViewSubmitResponsible"));
    }
    match &state.interruptions[index] {
        i if !i.pending => Err(Refusal::invalid("This interruption is no longer pending.")),
        i if matches!(i.kind, InterruptionType::Awaited(_)) => {
            Err(Refusal::invalid(format!("An interruption of type {} is not answered by a user.", i.kind.name())))
        }
        _ => Ok(index),
    }
}

fn list(state: &State, ask: &Ask) -> Handled {
    let (regarding, pending) = (ask.query("regarding"), ask.flag("pendingOnly") == Some(true));
    let all = || match regarding.and_then(|r| state.tasks_about(r)) {
        Some(tasks) => tasks.iter().filter_map(|t| state.interruptions_of.get(t)).flatten().copied().collect(),
        None => (0..state.interruptions.len()).collect(),
    };
    let mut places = ask.places(|id| place(state, id), all);
    // Tasks are asked in their order, not in that of their questions.
    places.sort_unstable();
    let wanted = |i: &usize| {
        let x = &state.interruptions[*i];
        ask.space.as_ref().is_none_or(|s| *s == x.space)
            && (!pending || x.pending)
            && sees(state, *i, &ask.user)
            && regarding.is_none_or(|r| state.related_to(x.task).iter().any(|id| id.eq_ignore_ascii_case(r)))
    };
    let found: Vec<usize> = places.into_iter().rev().filter(wanted).collect();
    Answer::ok(page(ask, "Interruption", &found, |i| render(state, *i, &ask.user)))
}

fn take_responsibility(state: &mut State, ask: &Ask, index: usize) -> Handled {
    let i = &mut state.interruptions[index];
    if i.responsible.as_ref().is_some_and(|u| *u != ask.user) {
        return Err(Refusal::invalid("Another user has already taken responsibility for this interruption."));
    }
    i.responsible = Some(ask.user.clone());
    Answer::ok(user(state, &ask.user))
}

fn submit(state: &mut State, ask: &Ask, index: usize) -> Handled {
    let i = &state.interruptions[index];
    if i.responsible.as_deref() != Some(ask.user.as_str()) {
        return Err(Refusal::invalid("You must take responsibility for this interruption before you can submit it."));
    }
    let (key, allowed): (&str, &[&str]) = if i.kind == InterruptionType::GuidedFailure {
        ("Guidance", &["Fail", "Retry", "Ignore", "Exclude"])
    } else {
        ("Result", &["Proceed", "Abort"])
    };
    let given = ask.need(key)?;
    let Some(result) = allowed.iter().find(|a| **a == given) else {
        return Err(Refusal::invalid(format!("The value '{given}' is not valid for {key}.")));
    };
    state.answer(index, &ask.user, result, ask.text("Notes"));
    Answer::ok(render(state, index, &ask.user))
}

fn user(state: &State, id: &str) -> Value {
    state.store.of("users").get(id).map_or_else(|| json!({ "Id": id }), |doc| present(named("users"), doc))
}
