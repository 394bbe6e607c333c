//! Projects and what hangs below them: channels, releases, runbooks, processes, settings, variables, progression.

use super::{
    answer::{All, Answer, field, str_of, texts},
    collection::{self, shown, under},
    defaults,
    environment_types::only_static,
    known_members, lifecycle,
    nouns::{Noun, PROJECTS, named},
    releases,
    routing::{EMPTY, Endpoint, Find, LINK, Of, OfBy, Whole, absent, get, post, put},
    state::State,
    store::present,
};
use serde_json::{Value, json};

const CHANNELS: &Noun = named("channels");
const LIFECYCLES: &Noun = named("lifecycles");

#[rustfmt::skip]
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    post("S/projects", "ProjectCreate", &Whole(|state, ask| {
        let made = collection::create(state, ask, PROJECTS, |store, space, id| {
            let channel = defaults::channel(store, space, id, "Default", true);
            store.of_mut("channels").put(channel);
        })?;
        known_members::keep_everywhere(state);
        Ok(made)
    })).keeps(),
    post("S/lifecycles", "LifecycleCreate", &Whole(|state, ask| {
        only_static(state, environments_of(&ask.body), "lifecycle")?;
        collection::create(state, ask, LIFECYCLES, |_, _, _| {})
    })).keeps(),
    put("S/lifecycles/{id}", "LifecycleEdit", &Of(LIFECYCLES, |state, ask, lifecycle| {
        only_static(state, environments_of(&ask.body), "lifecycle")?;
        collection::replace(state, ask, LIFECYCLES, lifecycle)
    })).keeps(),
    get("S/projects/{id}/channels", "ProcessView|ProjectView", &Of(PROJECTS, |state, ask, project| under(state, ask, CHANNELS, &project))),
    get("S/projects/{id}/channels/{channel}", "ProcessView|ProjectView", &OfBy(PROJECTS, |state, ask, _, [channel]| Answer::ok(CHANNELS.find(state, ask, channel)?.shown()))),
    get("S/projects/{id}/channels/{channel}/releases", "ReleaseView", &OfBy(PROJECTS, |state, ask, project, [channel]| {
        Answer::ok(releases::list(state, ask, Some(str_of(&project, "Id")), |r| r.channel.eq_ignore_ascii_case(channel)))
    })),
    get("S/projects/{id}/triggers", "TriggerView", &Of(PROJECTS, |state, ask, project| under(state, ask, named("projecttriggers"), &project))),
    get("S/projects/{id}/summary", "ProjectView", &Of(PROJECTS, |state, _, project| Answer::ok(
        json!({"HasDeploymentProcess": true, "HasRunbooks": state.store.of("runbooks").with("ProjectId", str_of(&project, "Id")).next().is_some()}),
    ))),
    get("S/projects/{id}/metadata", "ProjectView", &Of(PROJECTS, |_, _, _| Answer::ok([(); 0]))).partly(EMPTY),
    absent("GET", "S/projects/{id}/identity", LINK),
    absent("GET", "S/projects/{id}/channels/order", LINK),
    absent("GET", "S/projects/{id}/triggers/scheduled", LINK),
    absent("GET", "S/progression/runbooks/taskRuns", "runbooks have no dashboard of their own"),
    // A group answers with a page, a lifecycle with a bare list.
    get("S/projectgroups/{id}/projects", "ProjectView", &Of(named("projectgroups"), |state, ask, group| {
        collection::list(state, ask, PROJECTS, |p| str_of(p, "ProjectGroupId") == str_of(&group, "Id"))
    })),
    get("S/lifecycles/{id}/projects", "ProjectView", &Of(LIFECYCLES, |state, ask, lifecycle| {
        Answer::ok(All(shown(&collection::select(state, PROJECTS, ask, |p| str_of(p, "LifecycleId") == str_of(&lifecycle, "Id")))))
    })),
    get("S/lifecycles/{id}/preview", "LifecycleView", &Of(LIFECYCLES, |state, _, lifecycle| Answer::ok(with_phases(state, &lifecycle)))),
    get("S/lifecycles/previews", "LifecycleView", &Whole(|state, ask| {
        Answer::ok(collection::select(state, LIFECYCLES, ask, |_| true).into_iter().map(|l| with_phases(state, l)).collect::<Vec<_>>())
    })),
];

/// The environments of the phases that are sent for a lifecycle.
fn environments_of(body: &Value) -> Vec<String> {
    let phases = field(body, "Phases").as_array().into_iter().flatten();
    let targets =
        |phase: &Value| ["AutomaticDeploymentTargets", "OptionalDeploymentTargets"].map(|member| texts(field(phase, member))).concat();
    phases.flat_map(targets).collect()
}

/// A lifecycle with the phases it has when it says none.
fn with_phases(state: &State, lifecycle: &Value) -> Value {
    let mut doc = present(LIFECYCLES, lifecycle);
    if lifecycle["Phases"].as_array().is_none_or(Vec::is_empty) {
        let environments = lifecycle::lifecycle_environments(state, str_of(lifecycle, "SpaceId"), str_of(lifecycle, "Id"));
        let phases = environments.iter().map(|e| {
            let mut phase = defaults::phase(&Value::Null);
            phase["Name"] = json!(state.store.name("environments", e));
            phase["OptionalDeploymentTargets"] = json!([e]);
            phase
        });
        doc["Phases"] = phases.collect();
    }
    doc
}
