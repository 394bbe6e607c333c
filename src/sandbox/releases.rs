//! Releases: created, listed, changed, blocked, and what they may be deployed to.

use super::{
    access::Thing,
    answer::{Answer, Ask, Handled, Refusal, entries, str_of, text},
    collection::{ListPage, page},
    deployments, executions, lifecycle, selection,
    state::{Numbered, Release, State, stamp},
};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value, json};
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
    ReleaseText { id: Numbered("Releases-", index), release: state.releases.share(index) }
}

/// A release in an answer: null when it is gone.
pub(crate) struct ReleaseText {
    id: Numbered,
    release: Arc<Option<Release>>,
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
            "BuildInformation": extra("BuildInformation", &none), "Assembled": stamp(r.assembled), "LibraryVariableSetSnapshotIds": [(); 0],
            "SelectedPackages": extra("SelectedPackages", &none), "SelectedGitResources": extra("SelectedGitResources", &none),
            "CustomFields": extra("CustomFields", &object), "ProjectVariableSetSnapshotId": format_args!("variableset-{}-s-1-SANDB", r.project),
            "VersionControlReference": extra("VersionControlReference", &Value::Null), "Links": ReleaseLinks(self.id, r),
        );
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
            "Artifacts": format_args!("/api/{s}/artifacts?regarding={id}"), "ProjectVariableSnapshot": format_args!("/api/{s}/variables/variableset-{p}-s-1-SANDB"),
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
    state.release_by_version.get(&(project.to_owned(), version.to_lowercase())).copied().ok_or_else(|| Refusal {
        status: 404,
        message: format!("Release '{version}' for project '{}' was not found.", state.store.name("projects", project)),
        errors: Vec::new(),
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
pub(crate) fn add(state: &mut State, release: Release) -> usize {
    let index = state.releases.len();
    state.release_by_version.insert((release.project.clone(), release.version.to_lowercase()), index);
    state.releases_of.entry(release.project.clone()).or_default().push(index);
    state.releases.push(Some(release));
    index
}

fn create(
    state: &mut State,
    ask: &Ask,
    project: &str,
    channel: Option<String>,
    version: Option<String>,
    notes: Option<String>,
    mut extra: Map<String, Value>,
) -> Result<usize, Refusal> {
    state.demand("ReleaseCreate", &Thing::project(project))?;
    let p = state.store.of("projects").get(project).ok_or_else(|| Refusal::missing(project))?;
    let (name, space) = (str_of(p, "Name").to_owned(), str_of(p, "SpaceId").to_owned());
    if p["IsDisabled"] == true {
        return Err(Refusal::invalid(format!("The project '{name}' is disabled.")));
    }
    let channels: Vec<&Value> = state.store.of("channels").with("ProjectId", project).collect();
    let channel = match channel {
        Some(wanted) => channels
            .into_iter()
            .find(|c| str_of(c, "Id").eq_ignore_ascii_case(&wanted) || str_of(c, "Name").eq_ignore_ascii_case(&wanted))
            .ok_or_else(|| Refusal::invalid(format!("The channel '{wanted}' was not found in project '{name}'.")))?,
        None => {
            channels.into_iter().find(|c| c["IsDefault"] == true).ok_or_else(|| Refusal::invalid("The project has no default channel."))?
        }
    };
    let ignore = ask.flag("ignoreChannelRules") == Some(true) || ask.field("IgnoreChannelRules") == true;
    let selected = match extra.get("SelectedPackages") {
        Some(given) => selection::check(state, project, channel, given, !ignore)?,
        None => selection::resolve(state, ask, &space, project, channel)?,
    };
    let version = version.or_else(|| selection::donated(state, project, &selected)).unwrap_or_else(|| next_version(state, project));
    if version.len() > 349 || !version.chars().all(|c| c.is_alphanumeric() || ".-+_".contains(c)) || version.is_empty() {
        return Err(Refusal::invalid(format!("The version '{version}' is not a valid release version.")));
    }
    if state.release_by_version.contains_key(&(project.to_owned(), version.to_lowercase())) {
        return Err(Refusal::invalid(format!(
            "Release '{version}' already exists for this project. Please use a different version, or look at using a mask to auto-increment the number."
        )));
    }
    if !ignore && let Some(rule) = super::channels::broken_rule(channel, &version) {
        return Err(Refusal::invalid(rule));
    }
    let channel = str_of(channel, "Id").to_owned();
    extra.insert("BuildInformation".into(), json!(selection::builds(state, &space, project, &selected)));
    extra.insert("SelectedPackages".into(), json!(selected));
    let (user, assembled) = (ask.user.clone(), state.now);
    let release = Release {
        space: space.clone(),
        project: project.to_owned(),
        channel: channel.clone(),
        version: version.clone(),
        notes,
        assembled,
        ignore_channel_rules: ignore,
        extra,
        defects: Vec::new(),
    };
    let index = add(state, release);
    state.event(
        "Created",
        &user,
        format!("Release {version} of {name} was created"),
        vec![id(index), project.to_owned(), channel],
        Some(space),
    );
    lifecycle::automatic(state, index, None);
    Ok(index)
}

/// The highest version of a project with its last number raised.
pub(crate) fn next_version(state: &State, project: &str) -> String {
    let last = of_project(state, project)
        .into_iter()
        .filter_map(|i| state.release(i))
        .max_by_key(|r| (r.assembled, r.version.clone()))
        .map(|r| r.version.clone());
    let Some(last) = last else { return "0.0.1".into() };
    let core = last.split(['-', '+']).next().unwrap_or(&last).to_owned();
    match core.rsplit_once('.') {
        Some((head, tail)) => {
            let mut n: u64 = tail.parse().unwrap_or(0);
            loop {
                n += 1;
                let version = format!("{head}.{n}");
                if !state.release_by_version.contains_key(&(project.to_owned(), version.clone())) {
                    return version;
                }
            }
        }
        None => format!("{core}.1"),
    }
}

/// `releases…`
pub(crate) fn route(state: &mut State, ask: &Ask, rest: &[&str]) -> Handled {
    match (ask.method.as_str(), rest) {
        ("GET", []) => return Answer::ok(list(state, ask, None, |_| true)),
        ("POST", []) => {
            let project = ask.text("ProjectId").ok_or_else(|| Refusal::invalid("The ProjectId field is required."))?;
            let version = ask.text("Version").ok_or_else(|| Refusal::invalid("The Version field is required."))?;
            let mut extra = Map::new();
            for key in ["SelectedPackages", "SelectedGitResources", "CustomFields", "VersionControlReference"] {
                if !ask.field(key).is_null() {
                    extra.insert(key.into(), ask.field(key).clone());
                }
            }
            extra.entry("SelectedPackages").or_insert_with(|| json!([]));
            let index = create(state, ask, &project, ask.text("ChannelId"), Some(version), ask.text("ReleaseNotes"), extra)?;
            return Answer::created(render(state, index));
        }
        ("POST", ["create", "v1"]) => {
            let space = executions::body_space(state, ask)?;
            let project = ask
                .text("projectName")
                .or_else(|| ask.text("projectId"))
                .ok_or_else(|| Refusal::invalid("The ProjectName field is required."))?;
            let project = executions::by_name(state, "projects", &space, &project)?;
            let version = ask.text("releaseVersion");
            let existing = version.as_ref().and_then(|v| by_version(state, &project, v).ok());
            let index = match existing {
                Some(index) if ask.field("ignoreIfAlreadyExists") == true => index,
                _ => create(state, ask, &project, ask.text("channelName"), version, ask.text("releaseNotes"), Map::new())?,
            };
            let version = state.release(index).map(|r| r.version.clone());
            return Answer::created(json!({ "ReleaseId": id(index), "ReleaseVersion": version }));
        }
        _ => {}
    }
    let Some((wanted, rest)) = rest.split_first() else { return Err(Refusal::wrong_verb(&ask.method)) };
    let index = state.release_index(wanted).ok_or_else(|| Refusal::missing(wanted))?;
    if state.release(index).is_some_and(|r| ask.space.as_ref().is_some_and(|s| *s != r.space)) {
        return Err(Refusal::missing(wanted));
    }
    one(state, ask, index, rest)
}

/// Everything below one release.
pub(crate) fn one(state: &mut State, ask: &Ask, index: usize, rest: &[&str]) -> Handled {
    let r = state.release(index).filter(|r| state.allows("ReleaseView", &thing(r))).ok_or_else(|| Refusal::missing(&id(index)))?;
    let needs = match (ask.method.as_str(), rest) {
        ("PUT", _) => "ReleaseEdit",
        ("DELETE", _) => "ReleaseDelete",
        ("POST", ["defects"]) => "DefectReport",
        ("POST", ["defects", "resolve"]) => "DefectResolve",
        _ => "",
    };
    state.demand(needs, &thing(r))?;
    match (ask.method.as_str(), rest) {
        // Variables are not snapshotted here: they are shown as they are now.
        ("GET", []) | ("POST", ["snapshot-variables" | "snapshot-variables-by-name"]) => Answer::ok(render(state, index)),
        ("PUT", []) => {
            let (version, notes) = (ask.text("Version"), ask.text("ReleaseNotes"));
            let packages = match (state.release(index), ask.field("SelectedPackages")) {
                (Some(r), given) if given.is_array() => {
                    let channel = state.store.of("channels").get(&r.channel).cloned().unwrap_or(Value::Null);
                    Some(selection::check(state, &r.project, &channel, given, !r.ignore_channel_rules)?)
                }
                _ => None,
            };
            if let Some(Some(r)) = state.releases.get_mut(index) {
                r.notes = notes;
                if let Some(packages) = packages {
                    r.extra.insert("SelectedPackages".into(), json!(packages));
                }
                for key in ["SelectedGitResources", "CustomFields"] {
                    if !ask.field(key).is_null() {
                        r.extra.insert(key.into(), ask.field(key).clone());
                    }
                }
                if let Some(version) = version.filter(|v| *v != r.version) {
                    let project = r.project.clone();
                    if state.release_by_version.contains_key(&(project.clone(), version.to_lowercase())) {
                        return Err(Refusal::invalid(format!("Release '{version}' already exists for this project.")));
                    }
                    state.release_by_version.remove(&(project.clone(), r.version.to_lowercase()));
                    r.version.clone_from(&version);
                    state.release_by_version.insert((project, version.to_lowercase()), index);
                }
            }
            Answer::ok(render(state, index))
        }
        ("DELETE", []) => {
            let doc = render(state, index);
            if let Some(r) = state.releases[index].take() {
                state.release_by_version.remove(&(r.project, r.version.to_lowercase()));
            }
            for x in state.by_release.get(&index).cloned().unwrap_or_default() {
                state.executions[x].deleted = true;
            }
            Answer::ok(doc)
        }
        ("GET", ["deployments"]) => {
            let among = state.by_release.get(&index).cloned().unwrap_or_default();
            Answer::ok(deployments::list(
                state,
                ask,
                true,
                Some(among),
                |x| matches!(state.executions[x].what, super::state::What::Deploy { release, .. } if release == index),
            ))
        }
        ("GET", ["progression"]) => Answer::ok(lifecycle::release_progression(state, index)),
        ("GET", ["deployments", "template"]) => Answer::ok(super::previews::template(state, index)),
        ("GET", ["deployments", "preview", environment]) => Answer::ok(super::previews::one(state, index, environment, None)?),
        ("GET", ["deployments", "preview", environment, tenant]) => {
            Answer::ok(super::previews::one(state, index, environment, Some(tenant))?)
        }
        ("POST", ["deployments", "previews"]) => {
            let wanted = ask.field("DeploymentPreviews").as_array().cloned().unwrap_or_default();
            let all = wanted
                .iter()
                .map(|w| super::previews::one(state, index, &text(w, "EnvironmentId").unwrap_or_default(), text(w, "TenantId").as_deref()))
                .collect::<Result<Vec<_>, Refusal>>()?;
            Answer::ok(Value::Array(all))
        }
        ("GET", ["variables"]) => {
            let project = state.release(index).map(|r| r.project.clone()).unwrap_or_default();
            Answer::ok(super::variables::get(state, &format!("variableset-{project}"))?)
        }
        ("GET", ["missingpackages"]) => {
            let missing = state.release(index).map(|r| selection::missing(state, r)).unwrap_or_default();
            Answer::ok(json!({ "Packages": missing }))
        }
        ("GET", ["defects"]) => {
            let all = defects(state, index);
            Answer::ok(page(ask, "Defect", &all, Clone::clone))
        }
        ("POST", ["defects"]) => {
            let description = text(&ask.body, "Description").ok_or_else(|| Refusal::invalid("The Description field is required."))?;
            let Some(Some(r)) = state.releases.get_mut(index) else { return Err(Refusal::missing(&id(index))) };
            if r.defects.iter().any(|(_, resolved)| !resolved) {
                return Err(Refusal::invalid("This release already has an unresolved defect."));
            }
            r.defects.push((description, false));
            Answer::created(defects(state, index).pop().unwrap_or(Value::Null))
        }
        ("POST", ["defects", "resolve"]) => {
            let Some(Some(r)) = state.releases.get_mut(index) else { return Err(Refusal::missing(&id(index))) };
            if r.defects.iter().all(|(_, resolved)| *resolved) {
                return Err(Refusal::invalid("This release has no unresolved defect."));
            }
            r.defects.iter_mut().for_each(|d| d.1 = true);
            Answer::ok(defects(state, index).pop().unwrap_or(Value::Null))
        }
        _ => Err(Refusal::not_simulated(&ask.method, &ask.path)),
    }
}

fn defects(state: &State, index: usize) -> Vec<Value> {
    let Some(r) = state.release(index) else { return Vec::new() };
    r.defects
        .iter()
        .enumerate()
        .map(|(i, (description, resolved))| json!({"Id": format!("Defects-{}-{}", index + 1, i + 1), "Description": description, "Status": if *resolved { "Resolved" } else { "Unresolved" }, "SpaceId": r.space, "Links": {}}))
        .collect()
}

/// `GET …/deploymentprocesses/…/template`: what a new release needs (octopus-api.md §12.3).
pub(crate) fn new_release_template(state: &State, project: &str, channel: Option<&str>) -> Value {
    let process = format!("deploymentprocess-{project}");
    let mine = || of_project(state, project).into_iter().filter_map(|i| state.release(i));
    let last = mine().max_by_key(|r| r.assembled).map(|r| r.version.clone());
    let before = mine().filter(|r| channel.is_none_or(|c| r.channel.eq_ignore_ascii_case(c))).max_by_key(|r| r.assembled);
    let selected = before.and_then(|r| r.extra.get("SelectedPackages")).unwrap_or(&Value::Null);
    // A project that takes its versions from a package has no number of its own to raise.
    let donor = selection::donor(state, project);
    let next = donor.is_none().then(|| next_version(state, project));
    let (step, reference) = donor.unzip();
    json!({
        "DeploymentProcessId": process, "LastReleaseVersion": last, "NextVersionIncrement": next,
        "VersioningPackageStepName": step, "VersioningPackageReferenceName": reference,
        "Packages": selection::template(state, &process, channel, selected), "GitResources": [], "Links": {},
    })
}
