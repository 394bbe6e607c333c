//! Releases: created, listed, changed, blocked, and what they may be deployed to.

use super::{
    access::Thing,
    answer::{Answer, Ask, Handled, Refusal, entries, str_of},
    nouns::PROJECTS,
    pages::{ListPage, page},
    routing::{Endpoint, Of, OfBy, Whole, delete, get, post},
    state::{Numbered, Release, State, stamp},
    world::server_version::Generation,
};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Value, json};
use std::sync::Arc;

/// The id of the process snapshot that releases of a project use.
pub(crate) fn process_snapshot(project: &str) -> String {
    format!("deploymentprocess-{project}-s-1-SANDB")
}

/// The id of a release.
pub(crate) fn id(index: usize) -> String {
    format!("Releases-{}", index + 1)
}

/// A release as it goes out (octopus-api.md §12.1).
pub(crate) fn render(state: &State, index: usize) -> ReleaseText {
    let has_token = state.plan.version.generation >= Generation::V2026_3;
    ReleaseText { id: Numbered("Releases-", index), release: state.releases.share(index), has_token }
}

/// A release in an answer: null when it is gone.
pub(crate) struct ReleaseText {
    id: Numbered,
    release: Arc<Option<Release>>,
    /// Whether the server is one that counts how often its variables were taken.
    has_token: bool,
}

impl Serialize for ReleaseText {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Some(r) = &*self.release else { return to.serialize_unit() };
        let (none, object) = (json!([]), json!({}));
        let extra = |key: &str, otherwise| r.extra.get(key).unwrap_or(otherwise);
        let mut map = to.serialize_map(None)?;
        entries!(map;
            "Id": self.id, "SpaceId": r.space, "ProjectId": r.project, "Version": r.version, "ChannelId": r.channel, "ReleaseNotes": r.notes,
            "ProjectDeploymentProcessSnapshotId": process_snapshot(&r.project), "IgnoreChannelRules": r.ignore_channel_rules,
            "BuildInformation": extra("BuildInformation", &none), "Assembled": stamp(r.assembled), "LibraryVariableSetSnapshotIds": r.variables.library_sets(),
            "SelectedPackages": extra("SelectedPackages", &none), "SelectedGitResources": extra("SelectedGitResources", &none),
            "CustomFields": extra("CustomFields", &object), "ProjectVariableSetSnapshotId": r.variables.project_set(),
            "VersionControlReference": extra("VersionControlReference", &Value::Null), "Links": ReleaseLinks(self.id, r),
        );
        if self.has_token {
            entries!(map; "VariableSnapshotConcurrencyToken": r.variables.token(&self.id.to_string()));
        }
        map.end()
    }
}

struct ReleaseLinks<'a>(Numbered, &'a Release);

impl Serialize for ReleaseLinks<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Self(id, Release { space: s, project: p, channel, .. }) = self;
        let own = format!("/api/{s}/releases/{id}");
        let mut map = to.serialize_map(None)?;
        entries!(map;
            "Self": own, "Project": format_args!("/api/{s}/projects/{p}"), "Channel": format_args!("/api/{s}/projects/{p}/channels/{channel}"),
            "Progression": format_args!("{own}/progression"), "Deployments": format_args!("{own}/deployments{{?skip,take}}"),
            "DeploymentTemplate": format_args!("{own}/deployments/template"), "DeploymentPreviews": format_args!("{own}/deployments/previews"),
            "Artifacts": format_args!("/api/{s}/artifacts?regarding={id}"), "ProjectVariableSnapshot": format_args!("/api/{s}/variables/{}", self.1.variables.project_set().unwrap_or_default()),
            "ProjectDeploymentProcessSnapshot": format_args!("/api/{s}/deploymentprocesses/{}", process_snapshot(p)), "SnapshotVariables": format_args!("{own}/snapshot-variables"),
            "Defects": format_args!("{own}/defects"), "ReportDefect": format_args!("{own}/defects"), "ResolveDefect": format_args!("{own}/defects/resolve"),
            "Variables": format_args!("{own}/variables"), "Web": format_args!("/app#/{s}/releases/{id}"),
        );
        map.end()
    }
}

/// What a release is, for permissions.
fn thing(r: &Release) -> Thing<'_> {
    Thing { space: Some(&r.space), ..Thing::project(&r.project) }
}

/// The release of a project with this version.
pub(crate) fn by_version(state: &State, project: &str, version: &str) -> Result<usize, Refusal> {
    state.release_by_version.get(&(project.to_owned(), version.to_lowercase())).copied().ok_or_else(|| {
        Refusal::said(404, format!("Release '{version}' for project '{}' was not found.", state.store.name("projects", project)))
    })
}

/// The releases of a project, in the order they were made.
pub(crate) fn of_project(state: &State, project: &str) -> Vec<usize> {
    let all = state.releases_of.get(project).into_iter().flatten().copied();
    all.filter(|i| state.release(*i).is_some()).collect()
}

/// Sorts releases as lists show them.
pub(crate) fn newest_first(state: &State, releases: &mut [usize]) {
    releases.sort_by_key(|i| std::cmp::Reverse((state.release(*i).map(|r| r.assembled), *i)));
}

/// Releases, of a project if one is named, newest first, that `keep` wants.
pub(crate) fn list(state: &State, ask: &Ask, project: Option<&str>, keep: impl Fn(&Release) -> bool) -> ListPage<ReleaseText> {
    let (space, search) = (state.space_of(ask), ask.query("searchByVersion").map(str::to_lowercase));
    let all = || project.map_or_else(|| (0..state.releases.len()).collect(), |p| of_project(state, p));
    let mut found: Vec<usize> = ask
        .places(|id| state.release_index(id), all)
        .into_iter()
        .filter(|i| {
            state.release(*i).is_some_and(|r| {
                r.space == space
                    && project.is_none_or(|p| r.project == p)
                    && keep(r)
                    && state.allows("ReleaseView", &thing(r))
                    && search.as_ref().is_none_or(|s| r.version.to_lowercase().contains(s))
            })
        })
        .collect();
    newest_first(state, &mut found);
    page(ask, "Release", &found, |i| render(state, *i))
}

/// Adds a release that has been checked.
pub(crate) fn add(state: &mut State, mut release: Release) -> usize {
    release.variables = state.take_variables(&release.project);
    let index = state.releases.len();
    state.release_by_version.insert((release.project.clone(), release.version.to_lowercase()), index);
    state.releases_of.entry(release.project.clone()).or_default().push(index);
    state.releases.push(Some(release));
    index
}

#[rustfmt::skip]
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("S/releases", "ReleaseView", &Whole(|state, ask| Answer::ok(list(state, ask, None, |_| true)))),
    get("S/releases/{id}", "ReleaseView", &Of(find, |state, _, release| Answer::ok(render(state, release)))),
    delete("S/releases/{id}", "ReleaseDelete", &Of(find, remove)),
    get("S/projects/{id}/releases", "ReleaseView", &Of(PROJECTS, |state, ask, project| Answer::ok(list(state, ask, Some(str_of(&project, "Id")), |_| true)))),
    get("S/projects/{id}/releases/{version}", "ReleaseView", &OfBy(PROJECTS, |state, _, project, [version]| {
        let index = match state.release_index(version) {
            Some(index) => index,
            None => by_version(state, str_of(&project, "Id"), version)?,
        };
        Answer::ok(render(state, seen(state, index)?))
    })),
    get("S/releases/{id}/defects", "ReleaseView", &Of(find, |state, ask, release| Answer::ok(page(ask, "Defect", &defects(state, release), Clone::clone)))),
    post("S/releases/{id}/defects", "DefectReport", &Of(find, report_defect)).takes(&[&["Description"]]),
    post("S/releases/{id}/defects/resolve", "DefectResolve", &Of(find, resolve_defects)),
];

/// The release with this id, in the space of the request.
pub(crate) fn find(state: &State, ask: &Ask, id: &str) -> Result<usize, Refusal> {
    let here = |i: &usize| state.release(*i).is_some_and(|r| ask.space.as_ref().is_none_or(|s| *s == r.space));
    let index = state.release_index(id).filter(here).ok_or_else(|| Refusal::missing(id))?;
    seen(state, index)
}

/// A release that the caller sees.
pub(crate) fn seen(state: &State, index: usize) -> Result<usize, Refusal> {
    let is_seen = |r: &Release| state.allows("ReleaseView", &thing(r));
    state.release(index).is_some_and(is_seen).then_some(index).ok_or_else(|| Refusal::missing(&id(index)))
}

pub(crate) fn demand(state: &State, needs: &str, release: usize) -> Result<(), Refusal> {
    state.release(release).map_or(Ok(()), |r| state.demand(needs, &thing(r)))
}

fn remove(state: &mut State, _: &Ask, index: usize) -> Handled {
    demand(state, "ReleaseDelete", index)?;
    let doc = render(state, index);
    if let Some(r) = state.releases[index].take() {
        state.release_by_version.remove(&(r.project, r.version.to_lowercase()));
    }
    for x in state.by_release.get(&index).cloned().unwrap_or_default() {
        state.executions[x].deleted = true;
    }
    Answer::ok(doc)
}

fn report_defect(state: &mut State, ask: &Ask, index: usize) -> Handled {
    demand(state, "DefectReport", index)?;
    let description = ask.need("Description")?;
    let Some(Some(r)) = state.releases.get_mut(index) else { return Err(Refusal::missing(&id(index))) };
    if r.defects.iter().any(|(_, resolved)| !resolved) {
        return Err(Refusal::invalid("This release already has an unresolved defect."));
    }
    r.defects.push((description, false));
    Answer::created(defects(state, index).pop())
}

fn resolve_defects(state: &mut State, _: &Ask, index: usize) -> Handled {
    demand(state, "DefectResolve", index)?;
    let Some(Some(r)) = state.releases.get_mut(index) else { return Err(Refusal::missing(&id(index))) };
    if r.defects.iter().all(|(_, resolved)| *resolved) {
        return Err(Refusal::invalid("This release has no unresolved defect."));
    }
    r.defects.iter_mut().for_each(|d| d.1 = true);
    Answer::ok(defects(state, index).pop())
}

fn defects(state: &State, index: usize) -> Vec<Value> {
    let Some(r) = state.release(index) else { return Vec::new() };
    r.defects
        .iter()
        .enumerate()
        .map(|(i, (description, resolved))| json!({"Id": format!("Defects-{}-{}", index + 1, i + 1), "Description": description, "Status": if *resolved { "Resolved" } else { "Unresolved" }, "SpaceId": r.space, "Links": {}}))
        .collect()
}
