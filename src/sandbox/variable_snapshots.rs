//! Snapshots of variables: what releases and runbook snapshots have taken, and how it is taken anew (octopus-api.md §12).

use super::{
    answer::{Answer, Ask, Handled, Refusal, field, str_of, text, texts},
    nouns::{Noun, PROJECTS, named},
    releases,
    routing::{Endpoint, Of, OfBy, get, post},
    state::{State, VariableSnapshot},
    store::Document,
    variables,
    world::{model::RENEW_BY_NAME, server_version::Generation},
};
use serde_json::{Value, json};
use std::sync::Arc;

const SNAPSHOTS: &Noun = named("runbookSnapshots");

/// Snapshots of which a part was taken anew have versions of their own from here on: no set is saved so often.
const MIXED: u64 = 1_000_000;

#[rustfmt::skip]
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    post("S/releases/{id}/snapshot-variables", "ReleaseEdit", &Of(releases::find, |state, ask, release| of_release(state, ask, release, all))).takes(&[&["ReleaseId", "VariableSnapshotConcurrencyToken"]]),
    post("S/releases/{id}/snapshot-variables-by-name", "ReleaseEdit", &Of(releases::find, |state, ask, release| of_release(state, ask, release, by_name))).takes(&[&["ReleaseId", "Variables", "VariableSnapshotConcurrencyToken"]]),
    post("S/runbookSnapshots/{id}/snapshot-variables", "RunbookEdit", &Of(SNAPSHOTS, |state, ask, snapshot| of_runbook(state, ask, &snapshot, all))).takes(&[&["RunbookSnapshotId", "VariableSnapshotConcurrencyToken"]]),
    post("S/runbookSnapshots/{id}/snapshot-variables-by-name", "RunbookEdit", &Of(SNAPSHOTS, |state, ask, snapshot| of_runbook(state, ask, &snapshot, by_name))).takes(&[&["RunbookSnapshotId", "Variables", "VariableSnapshotConcurrencyToken"]]),
    get("S/releases/{id}/variables", "VariableView", &Of(releases::find, |state, _, release| {
        let taken = state.release(release).and_then(|r| r.variables.project_set()).unwrap_or_default();
        Answer::ok(variables::get_set(state, &taken)?)
    })),
    get("S/projects/{id}/releases/{release}/variables", "VariableView", &OfBy(PROJECTS, |state, ask, project, [release]| {
        let index = releases::find(state, ask, release)?;
        let found = state.release(index).filter(|r| r.project == str_of(&project, "Id")).ok_or_else(|| Refusal::missing(release))?;
        let ids: Vec<String> = found.variables.project_set().into_iter().chain(found.variables.library_sets()).collect();
        Answer::ok(ids.iter().map(|id| variables::get_set(state, id)).collect::<Result<Vec<_>, _>>()?)
    })).since(Generation::V2026_3),
];

impl State {
    /// The variables of a project as they are now, which somebody takes.
    pub(crate) fn take_variables(&mut self, project: &str) -> VariableSnapshot {
        let sets: Vec<(String, u64)> = self.current_sets(project);
        self.taken_sets.extend(sets.iter().map(|(id, version)| (id.to_lowercase(), *version)));
        VariableSnapshot { sets, renewals: 0 }
    }

    /// The variable sets of a project with their versions, its own first.
    fn current_sets(&self, project: &str) -> Vec<(String, u64)> {
        let library = self.store.of("projects").get(project).map(|p| texts(&p["IncludedLibraryVariableSetIds"])).unwrap_or_default();
        let version = |id: &str| self.written.get(&id.to_lowercase()).and_then(|set| set["Version"].as_u64()).unwrap_or(0);
        let ids = std::iter::once(project.to_owned()).chain(library).map(|owner| format!("variableset-{owner}"));
        ids.map(|id| (id.clone(), version(&id))).collect()
    }

    /// Takes the variables of a release anew.
    pub(crate) fn renew_variables(&mut self, release: usize) {
        let Some((project, renewals)) = self.release(release).map(|r| (r.project.clone(), r.variables.renewals)) else { return };
        let taken = VariableSnapshot { renewals: renewals + 1, ..self.take_variables(&project) };
        if let Some(Some(r)) = self.releases.get_mut(release) {
            r.variables = taken;
        }
    }

    /// Whether the variables of a project are others than those of a snapshot: its own, and those of its library sets.
    pub(crate) fn variables_differ(&self, project: &str, taken: &VariableSnapshot) -> (bool, bool) {
        let now = self.current_sets(project);
        (now.first() != taken.sets.first(), now.get(1..) != taken.sets.get(1..))
    }

    /// Keeps a set that is about to be changed, where somebody has taken it.
    pub(crate) fn freeze_set(&mut self, id: &str, set: &Value) {
        let key = (id.to_lowercase(), set["Version"].as_u64().unwrap_or(0));
        if self.taken_sets.contains(&key) {
            self.weight.keep(set.to_string().len());
            self.frozen_sets.entry(key).or_insert_with(|| set.clone());
        }
    }

    /// Says in a runbook snapshot which variables it has taken.
    pub(crate) fn show_taken(&self, doc: &mut Value) {
        let id = str_of(doc, "Id").to_owned();
        let Some(taken) = self.runbook_variables.get(&id.to_lowercase()) else { return };
        let own = taken.project_set();
        doc["FrozenProjectVariableSetId"] = json!(own);
        doc["ProjectVariableSetSnapshotId"] = json!(own);
        doc["LibraryVariableSetSnapshotIds"] = json!(taken.library_sets());
        if self.plan.version.generation >= Generation::V2026_3 {
            doc["VariableSnapshotConcurrencyToken"] = json!(taken.token(&id));
        }
    }
}

/// What is taken anew of a project's variables.
type Renewal = fn(&mut State, &Ask, &str, VariableSnapshot) -> Result<VariableSnapshot, Refusal>;

/// All of them.
fn all(state: &mut State, _: &Ask, project: &str, old: VariableSnapshot) -> Result<VariableSnapshot, Refusal> {
    state.store.of("projects").get(project).ok_or_else(|| Refusal::missing(project))?;
    Ok(VariableSnapshot { renewals: old.renewals + 1, ..state.take_variables(project) })
}

/// Those that the request names.
fn by_name(state: &mut State, ask: &Ask, project: &str, old: VariableSnapshot) -> Result<VariableSnapshot, Refusal> {
    if !state.plan.toggles.iter().any(|toggle| toggle.get_ref() == RENEW_BY_NAME) {
        return Err(Refusal::invalid(format!("Variables are updated by name only where the feature toggle '{RENEW_BY_NAME}' is on.")));
    }
    let named: Vec<(String, String)> = ask
        .field("Variables")
        .as_array()
        .into_iter()
        .flatten()
        .map(|v| text(v, "OwnerId").zip(text(v, "Name")).ok_or_else(|| Refusal::required("Name and OwnerId of each variable")))
        .collect::<Result<_, _>>()?;
    if named.is_empty() {
        return Err(Refusal::required("Variables"));
    }
    let now = state.current_sets(project);
    let mut new = VariableSnapshot { renewals: old.renewals + 1, ..old };
    for (owner, name) in named {
        let id = format!("variableset-{owner}");
        let is_it = |set: &&(String, u64)| set.0.eq_ignore_ascii_case(&id);
        let current = now.iter().find(is_it).ok_or_else(|| Refusal::missing(&owner))?;
        let list = |set: &Value| set["Variables"].as_array().cloned().unwrap_or_default();
        let is_called = |v: &Value| str_of(v, "Name").eq_ignore_ascii_case(&name);
        let renewed: Vec<Value> = list(&variables::set_at(state, current)).into_iter().filter(is_called).collect();
        let Some(place) = new.sets.iter().position(|set| is_it(&set)) else { return Err(Refusal::missing(&owner)) };
        let mut mixed = variables::set_at(state, &new.sets[place]);
        let mut kept = list(&mixed);
        if renewed.is_empty() && !kept.iter().any(is_called) {
            return Err(Refusal::invalid(format!("There is no variable '{name}' in '{owner}'.")));
        }
        kept.retain(|v| !is_called(v));
        mixed["Variables"] = kept.into_iter().chain(renewed).collect();
        let version = MIXED + state.frozen_sets.len() as u64;
        mixed["Version"] = json!(version);
        state.weight.keep(mixed.to_string().len());
        state.frozen_sets.insert((id.to_lowercase(), version), mixed);
        new.sets[place].1 = version;
    }
    Ok(new)
}

/// Refuses a request that names another owner than its path, and one whose token is no longer the snapshot's; a token that is left out is not
/// compared.
fn check(ask: &Ask, owner: (&str, &str), space: &str, taken: &VariableSnapshot, generation: Generation) -> Result<(), Refusal> {
    let (member, id) = owner;
    for (member, id) in [(member, id), ("SpaceId", space)] {
        if ask.text(member).is_some_and(|sent| !sent.eq_ignore_ascii_case(id)) {
            return Err(Refusal::invalid(format!("The {member} of the request is not that of its path.")));
        }
    }
    let token = field(&ask.body, "VariableSnapshotConcurrencyToken");
    if generation < Generation::V2026_3 || token.is_null() || token.as_str() == Some(&taken.token(id)) {
        return Ok(());
    }
    Err(Refusal::said(409, "The variable snapshot has been changed since it was read. Refresh it and try again."))
}

fn of_release(state: &mut State, ask: &Ask, index: usize, renew: Renewal) -> Handled {
    releases::demand(state, "ReleaseEdit", index)?;
    let id = releases::id(index);
    let Some(r) = state.release(index) else { return Err(Refusal::missing(&id)) };
    let (project, space, old) = (r.project.clone(), r.space.clone(), r.variables.clone());
    check(ask, ("ReleaseId", &id), &space, &old, state.plan.version.generation)?;
    let new = renew(state, ask, &project, old)?;
    if let Some(Some(r)) = state.releases.get_mut(index) {
        r.variables = new;
    }
    state.event("Modified", &ask.user, format!("Variables of release {id} were taken anew"), vec![id, project], Some(space));
    Answer::ok(releases::render(state, index))
}

fn of_runbook(state: &mut State, ask: &Ask, snapshot: &Arc<Document>, renew: Renewal) -> Handled {
    let (id, project, space) = (str_of(snapshot, "Id"), str_of(snapshot, "ProjectId"), str_of(snapshot, "SpaceId"));
    let old = state.runbook_variables.get(&id.to_lowercase()).cloned().unwrap_or_default();
    check(ask, ("RunbookSnapshotId", id), space, &old, state.plan.version.generation)?;
    let new = renew(state, ask, project, old)?;
    state.runbook_variables.insert(id.to_lowercase(), new);
    let mut doc = state.store.of("runbookSnapshots").get(id).cloned().ok_or_else(|| Refusal::missing(id))?;
    state.show_taken(&mut doc);
    state.store.of_mut("runbookSnapshots").put(doc);
    let related = vec![id.to_owned(), project.to_owned()];
    state.event("Modified", &ask.user, format!("Variables of {id} were taken anew"), related, Some(space.to_owned()));
    Answer::ok(state.store.of("runbookSnapshots").document(id).ok_or_else(|| Refusal::missing(id))?.shown())
}
