//! Releases made and changed, with the packages they take.

use super::{
    access::Thing,
    answer::{Answer, Ask, Handled, Refusal, is_called, str_of, text, texts},
    audit::SYSTEM,
    channels,
    deployments::{self, NewExecution},
    ephemeral, executions, git, git_resources,
    nouns::PROJECTS,
    processes::process,
    releases::{self, add, by_version, find, id, of_project, render},
    routing::{By, Endpoint, Of, Whole, get, post, put},
    selection::{self, Selecting},
    state::{Release, State, VariableSnapshot},
    world::server_version::Generation,
};
use serde_json::{Map, Value, json};

#[rustfmt::skip]
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    post("S/releases", "ReleaseCreate", &Whole(create_as_sent)).takes(&[&["ProjectId", "ChannelId", "Version", "ReleaseNotes", "SelectedPackages", "SelectedGitResources", "CustomFields", "VersionControlReference", "IgnoreChannelRules"]]),
    post("S/releases/create/v1", "ReleaseCreate", &Whole(create_named)).takes(&[executions::SPACE, &["ProjectName", "ReleaseVersion", "ChannelName", "ReleaseNotes", "IgnoreIfAlreadyExists", "IgnoreChannelRules", "Packages", "PackageVersion", "PackagePrerelease", "GitRef", "GitCommit", "GitResources", "CustomFields"]]),
    put("S/releases/{id}", "ReleaseEdit", &Of(find, change)).keeps(),
    post("S/releases/{id}/release-notes", "ReleaseEdit", &Of(find, change_notes)).since(Generation::V2026_3).takes(&[&["ReleaseId", "ReleaseNotes"]]),
    get("S/releases/{id}/missingpackages", "ReleaseView", &Of(find, missing_packages)),
    get("S/projects/{id}/deploymentprocesses/template", "ProcessView", &Of(PROJECTS, |state, ask, project| Answer::ok(new_release_template(state, str_of(&project, "Id"), ask.query("channel"))))),
    get("S/deploymentprocesses/{id}/template", "ProcessView", &By(|state, ask, [id]| {
        let project = str_of(&process(state, id)?, "ProjectId").to_owned();
        Answer::ok(new_release_template(state, &project, ask.query("channel")))
    })),
];

/// What a client says of a new release.
struct NewRelease {
    /// Id or name; without one the default channel, or the best one.
    channel: Option<String>,
    /// Of channels whose rules let the release in the first is taken, the default one before the others.
    takes_best_channel: bool,
    version: Option<String>,
    notes: Option<String>,
    /// Reference and commit in Git.
    git: (Option<String>, Option<String>),
    fields: Value,
    /// Packages and references as they are sent; without them they are worked out.
    selected: Option<(Value, Value)>,
}

/// What a release is made of in one channel.
struct Contents {
    packages: Vec<Value>,
    resources: Vec<Value>,
    version: String,
}

/// Finds out what a release of a channel is made of.
///
/// # Errors
/// 400 when the rules of the channel do not let it in.
fn contents(state: &State, ask: &Ask, project: &str, channel: &Value, new: &NewRelease, git: Option<&Value>) -> Result<Contents, Refusal> {
    let by_rules = !ignores_rules(ask);
    let process = format!("deploymentprocess-{project}");
    let of = Selecting { process: &process, channel, by_rules };
    let (packages, resources) = match &new.selected {
        Some((packages, resources)) => (selection::check(state, of, packages)?, git_resources::check(state, of, resources)?),
        None => (selection::resolve(state, ask, of)?, git_resources::resolve(state, ask, of)?),
    };
    let version =
        new.version.clone().or_else(|| selection::donated(state, project, &packages)).unwrap_or_else(|| next_version(state, project));
    if version.len() > 349 || !version.chars().all(|c| c.is_alphanumeric() || ".-+_".contains(c)) || version.is_empty() {
        return Err(Refusal::invalid(format!("The version '{version}' is not a valid release version.")));
    }
    if by_rules {
        if let Some(rule) = channels::broken_rule(channel, &version) {
            return Err(Refusal::invalid(rule));
        }
        let reference = git.map(|at| str_of(at, "GitRef"));
        if let Some(reference) = reference.filter(|reference| !channels::reference_fits(&texts(&channel["GitReferenceRules"]), reference)) {
            let name = str_of(channel, "Name");
            return Err(Refusal::invalid(format!("The Git reference '{reference}' does not satisfy the rules of the channel '{name}'.")));
        }
    }
    Ok(Contents { packages, resources, version })
}

fn ignores_rules(ask: &Ask) -> bool {
    ask.flag("ignoreChannelRules") == Some(true) || ask.field("IgnoreChannelRules") == true
}

/// The channel of a new release, and what the release is made of there.
fn placed(state: &State, ask: &Ask, project: &Value, new: &NewRelease, git: Option<&Value>) -> Result<(Value, Contents), Refusal> {
    let (id, name) = (str_of(project, "Id"), str_of(project, "Name"));
    let mut all: Vec<&Value> = state.store.of("channels").with("ProjectId", id).collect();
    if let Some(wanted) = &new.channel {
        all.retain(|c| is_called(c, &["Id", "Name"], wanted));
        all.truncate(1);
        if all.is_empty() {
            return Err(Refusal::invalid(format!("The channel '{wanted}' was not found in project '{name}'.")));
        }
    } else {
        all.sort_by_key(|c| c["IsDefault"] != true);
        all.truncate(if new.takes_best_channel { all.len() } else { 1 });
    }
    let mut first = None;
    for channel in all {
        match contents(state, ask, id, channel, new, git) {
            Ok(contents) => return Ok((channel.clone(), contents)),
            Err(refusal) => first = first.or(Some(refusal)),
        }
    }
    Err(first.unwrap_or_else(|| Refusal::invalid("The project has no default channel.")))
}

fn create(state: &mut State, ask: &Ask, project: &str, new: NewRelease) -> Result<usize, Refusal> {
    state.demand("ReleaseCreate", &Thing::project(project))?;
    let p = state.store.of("projects").get(project).ok_or_else(|| Refusal::missing(project))?;
    let (name, space) = (str_of(p, "Name").to_owned(), str_of(p, "SpaceId").to_owned());
    if p["IsDisabled"] == true {
        return Err(Refusal::invalid(format!("The project '{name}' is disabled.")));
    }
    let versioned = git::of_release(p, new.git.0.clone(), new.git.1.clone())?;
    let (channel, made) = placed(state, ask, p, &new, versioned.as_ref())?;
    let version = made.version;
    if state.release_by_version.contains_key(&(project.to_owned(), version.to_lowercase())) {
        return Err(Refusal::invalid(format!(
            "Release '{version}' already exists for this project. Please use a different version, or look at using a mask to auto-increment the number."
        )));
    }
    let fields = custom_fields(&channel, &new.fields)?;
    let channel = str_of(&channel, "Id").to_owned();
    let mut extra = Map::new();
    extra.insert("BuildInformation".into(), json!(selection::builds(state, &space, project, &made.packages)));
    extra.insert("SelectedPackages".into(), json!(made.packages));
    extra.insert("SelectedGitResources".into(), json!(made.resources));
    extra.insert("CustomFields".into(), fields);
    extra.extend(versioned.map(|at| ("VersionControlReference".to_owned(), at)));
    let (user, assembled) = (ask.user.clone(), state.now);
    let release = Release {
        space: space.clone(),
        project: project.to_owned(),
        channel: channel.clone(),
        version: version.clone(),
        notes: new.notes,
        assembled,
        ignore_channel_rules: ignores_rules(ask),
        extra,
        defects: Vec::new(),
        variables: VariableSnapshot::default(),
    };
    let goes_to = ephemeral::wanted_by(state, &release, state.releases.len())?;
    let index = add(state, release);
    state.event(
        "Created",
        &user,
        format!("Release {version} of {name} was created"),
        vec![id(index), project.to_owned(), channel],
        Some(space),
    );
    if let Some(name) = goes_to {
        let environment = ephemeral::ensure(state, project, &name, SYSTEM)?;
        // A refusal, such as that of a runbook without a snapshot, means that nothing is queued.
        let _ = deployments::deploy(state, index, NewExecution { environment, user: SYSTEM.into(), ..NewExecution::default() });
    }
    deployments::automatic(state, index, None);
    Ok(index)
}

/// The custom fields of a release: texts, and all that its channel asks for.
fn custom_fields(channel: &Value, given: &Value) -> Result<Value, Refusal> {
    let given = if given.is_null() { &json!({}) } else { given };
    if !given.as_object().is_some_and(|fields| fields.values().all(Value::is_string)) {
        return Err(Refusal::invalid("CustomFields must be an object of texts."));
    }
    let missing = channels::missing_fields(channel, given);
    if missing.is_empty() { Ok(given.clone()) } else { Err(selection::no(missing)) }
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
    let list = |name: &str| Some(ask.field(name).clone()).filter(Value::is_array).unwrap_or_else(|| json!([]));
    let at = ask.field("VersionControlReference");
    let new = NewRelease {
        channel: ask.text("ChannelId"),
        takes_best_channel: false,
        version: Some(version),
        notes: ask.text("ReleaseNotes"),
        git: (text(at, "GitRef"), text(at, "GitCommit")),
        fields: ask.field("CustomFields").clone(),
        selected: Some((list("SelectedPackages"), list("SelectedGitResources"))),
    };
    let index = create(state, ask, &project, new)?;
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
        _ => {
            let new = NewRelease {
                channel: ask.text("channelName"),
                takes_best_channel: true,
                version,
                notes: ask.text("releaseNotes"),
                git: (ask.text("gitRef"), ask.text("gitCommit")),
                fields: ask.field("customFields").clone(),
                selected: None,
            };
            create(state, ask, &project, new)?
        }
    };
    let version = state.release(index).map(|r| r.version.clone());
    Answer::created(json!({ "ReleaseId": id(index), "ReleaseVersion": version }))
}

fn change(state: &mut State, ask: &Ask, index: usize) -> Handled {
    releases::demand(state, "ReleaseEdit", index)?;
    let r = state.release(index).ok_or_else(|| Refusal::missing(&id(index)))?.clone();
    let wanted = ask.text("ChannelId").unwrap_or_else(|| r.channel.clone());
    let moves = !wanted.eq_ignore_ascii_case(&r.channel);
    let mut channels = state.store.of("channels").with("ProjectId", &r.project);
    let channel = match channels.find(|c| is_called(c, &["Id"], &wanted)) {
        Some(channel) => channel.clone(),
        // Its channel is gone.
        None if !moves => Value::Null,
        None => return Err(Refusal::invalid(format!("The channel '{wanted}' was not found in the project of the release."))),
    };
    let (version, notes) = (ask.text("Version"), ask.text("ReleaseNotes"));
    let by_rules = !if moves { ignores_rules(ask) } else { r.ignore_channel_rules };
    if moves
        && by_rules
        && let Some(rule) = channels::broken_rule(&channel, version.as_deref().unwrap_or(&r.version))
    {
        return Err(Refusal::invalid(rule));
    }
    let process = format!("deploymentprocess-{}", r.project);
    let of = Selecting { process: &process, channel: &channel, by_rules };
    let sent = |name: &str| Some(ask.field(name)).filter(|list| list.is_array());
    let packages = sent("SelectedPackages").map(|given| selection::check(state, of, given)).transpose()?;
    let resources = sent("SelectedGitResources").map(|given| git_resources::check(state, of, given)).transpose()?;
    let fields =
        Some(ask.field("CustomFields")).filter(|given| !given.is_null()).map(|given| custom_fields(&channel, given)).transpose()?;
    let taken = |version: &String| state.release_by_version.contains_key(&(r.project.clone(), version.to_lowercase()));
    let version = version.filter(|v| *v != r.version);
    if let Some(version) = version.as_ref().filter(|v| taken(v)) {
        return Err(Refusal::invalid(format!("Release '{version}' already exists for this project.")));
    }
    if let Some(Some(r)) = state.releases.get_mut(index) {
        r.notes = notes;
        if moves {
            str_of(&channel, "Id").clone_into(&mut r.channel);
            r.ignore_channel_rules = !by_rules;
        }
        let lists = [
            ("SelectedPackages", packages.map(Value::from)),
            ("SelectedGitResources", resources.map(Value::from)),
            ("CustomFields", fields),
        ];
        r.extra.extend(lists.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        if let Some(version) = version {
            let project = r.project.clone();
            state.release_by_version.remove(&(project.clone(), r.version.to_lowercase()));
            r.version.clone_from(&version);
            state.release_by_version.insert((project, version.to_lowercase()), index);
        }
    }
    Answer::ok(render(state, index))
}

/// Changes the notes and nothing else; an empty text takes them away.
fn change_notes(state: &mut State, ask: &Ask, index: usize) -> Handled {
    releases::demand(state, "ReleaseEdit", index)?;
    ask.need("SpaceId")?;
    if !ask.need("ReleaseId")?.eq_ignore_ascii_case(&id(index)) {
        return Err(Refusal::invalid("The ReleaseId is not that of the release."));
    }
    let notes = ask.field("ReleaseNotes").as_str().ok_or_else(|| Refusal::required("ReleaseNotes"))?;
    if notes.contains("#{") {
        return Err(Refusal::said(501, "The sandbox does not simulate variables in release notes."));
    }
    if let Some(Some(r)) = state.releases.get_mut(index) {
        r.notes = Some(notes.to_owned()).filter(|notes| !notes.is_empty());
    }
    Answer::ok(render(state, index))
}

fn missing_packages(state: &mut State, _: &Ask, index: usize) -> Handled {
    let missing = state.release(index).map(|r| selection::missing(state, r)).unwrap_or_default();
    Answer::ok(json!({ "Packages": missing }))
}

/// `GET …/deploymentprocesses/…/template`: what a new release needs (octopus-api.md §12.3).
pub(crate) fn new_release_template(state: &State, project: &str, channel: Option<&str>) -> Value {
    let process = format!("deploymentprocess-{project}");
    let mine = || of_project(state, project).into_iter().filter_map(|i| state.release(i));
    let newest = mine().max_by_key(|r| r.assembled).map(|r| r.version.clone());
    let before = mine().filter(|r| channel.is_none_or(|c| r.channel.eq_ignore_ascii_case(c))).max_by_key(|r| r.assembled);
    let last = |name: &str| before.and_then(|r| r.extra.get(name)).unwrap_or(&Value::Null);
    let (selected, resources) = (last("SelectedPackages"), last("SelectedGitResources"));
    // A project that takes its versions from a package has no number of its own to raise.
    let donor = selection::donor(state, project);
    let next = donor.is_none().then(|| next_version(state, project));
    let (step, reference) = donor.unzip();
    json!({
        "DeploymentProcessId": process, "LastReleaseVersion": newest, "NextVersionIncrement": next,
        "VersioningPackageStepName": step, "VersioningPackageReferenceName": reference,
        "Packages": selection::template(state, &process, channel, selected), "GitResources": git_resources::template(state, &process, channel, resources), "Links": {},
    })
}
