//! Releases made and changed, with the packages they take.

use super::{
    access::Thing,
    answer::{Answer, Ask, Handled, Refusal, is_called, str_of},
    channels, deployments, executions,
    nouns::PROJECTS,
    processes::process,
    releases::{self, add, by_version, find, id, of_project, render},
    routing::{By, Endpoint, Of, Whole, get, post, put},
    selection,
    state::{Release, State, VariableSnapshot},
};
use serde_json::{Map, Value, json};

#[rustfmt::skip]
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    post("S/releases", "ReleaseCreate", &Whole(create_as_sent)).takes(&[&["ProjectId", "ChannelId", "Version", "ReleaseNotes", "SelectedPackages", "SelectedGitResources", "CustomFields", "VersionControlReference", "IgnoreChannelRules"]]),
    post("S/releases/create/v1", "ReleaseCreate", &Whole(create_named)).takes(&[executions::SPACE, &["ProjectName", "ReleaseVersion", "ChannelName", "ReleaseNotes", "IgnoreIfAlreadyExists", "IgnoreChannelRules", "Packages", "PackageVersion", "PackagePrerelease"]]),
    put("S/releases/{id}", "ReleaseEdit", &Of(find, change)).keeps(),
    get("S/releases/{id}/missingpackages", "ReleaseView", &Of(find, missing_packages)),
    get("S/projects/{id}/deploymentprocesses/template", "ProcessView", &Of(PROJECTS, |state, ask, project| Answer::ok(new_release_template(state, str_of(&project, "Id"), ask.query("channel"))))),
    get("S/deploymentprocesses/{id}/template", "ProcessView", &By(|state, ask, [id]| {
        let project = str_of(&process(state, id)?, "ProjectId").to_owned();
        Answer::ok(new_release_template(state, &project, ask.query("channel")))
    })),
];

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
            .find(|c| is_called(c, &["Id", "Name"], &wanted))
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
    if !ignore && let Some(rule) = channels::broken_rule(channel, &version) {
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
        variables: VariableSnapshot::default(),
    };
    let index = add(state, release);
    state.event(
        "Created",
        &user,
        format!("Release {version} of {name} was created"),
        vec![id(index), project.to_owned(), channel],
        Some(space),
    );
    deployments::automatic(state, index, None);
    Ok(index)
}

/// The highest version of a project with its last number raised.
fn next_version(state: &State, project: &str) -> String {
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

fn create_as_sent(state: &mut State, ask: &Ask) -> Handled {
    let (project, version) = (ask.need("ProjectId")?, ask.need("Version")?);
    let mut extra = Map::new();
    for key in ["SelectedPackages", "SelectedGitResources", "CustomFields", "VersionControlReference"] {
        if !ask.field(key).is_null() {
            extra.insert(key.into(), ask.field(key).clone());
        }
    }
    extra.entry("SelectedPackages").or_insert_with(|| json!([]));
    let index = create(state, ask, &project, ask.text("ChannelId"), Some(version), ask.text("ReleaseNotes"), extra)?;
    Answer::created(render(state, index))
}

fn create_named(state: &mut State, ask: &Ask) -> Handled {
    let space = executions::body_space(state, ask)?;
    let project = ask.need("ProjectName")?;
    let project = executions::by_name(state, "projects", &space, &project)?;
    let version = ask.text("releaseVersion");
    let existing = version.as_ref().and_then(|v| by_version(state, &project, v).ok());
    let index = match existing {
        Some(index) if ask.field("ignoreIfAlreadyExists") == true => index,
        _ => create(state, ask, &project, ask.text("channelName"), version, ask.text("releaseNotes"), Map::new())?,
    };
    let version = state.release(index).map(|r| r.version.clone());
    Answer::created(json!({ "ReleaseId": id(index), "ReleaseVersion": version }))
}

fn change(state: &mut State, ask: &Ask, index: usize) -> Handled {
    releases::demand(state, "ReleaseEdit", index)?;
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

fn missing_packages(state: &mut State, _: &Ask, index: usize) -> Handled {
    let missing = state.release(index).map(|r| selection::missing(state, r)).unwrap_or_default();
    Answer::ok(json!({ "Packages": missing }))
}

/// `GET …/deploymentprocesses/…/template`: what a new release needs (octopus-api.md §12.3).
fn new_release_template(state: &State, project: &str, channel: Option<&str>) -> Value {
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
