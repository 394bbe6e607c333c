//! Projects in Git: their branches, tags and commits, and which of them a reference names (octopus-api.md §12.1).

use super::{
    answer::{Ask, Refusal, str_of, texts},
    nouns::PROJECTS,
    routing::Find,
    state::State,
    store::Document,
    world::git::GitPlan,
};
use serde_json::{Value, json};
use sha1::{Digest, Sha1};
use std::sync::Arc;

/// What a reference can be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum GitKind {
    Branch,
    Tag,
    Commit,
}

impl GitKind {
    /// The type of its items in lists, the head of its full name, and the member of a project that holds those of a world.
    pub(crate) fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Branch => ("GitBranch", "refs/heads/", "_Branches"),
            Self::Tag => ("GitTag", "refs/tags/", "_Tags"),
            Self::Commit => ("GitCommit", "", "_Commits"),
        }
    }
}

/// A reference in its full form, and the commit it points to.
pub(crate) struct GitPoint {
    pub(crate) reference: String,
    pub(crate) commit: String,
}

/// What a project of a world says of its repository.
pub(crate) fn of_plan(plan: &GitPlan, slug: &str) -> Value {
    let names = |all: &[super::world::values::Ref]| -> Vec<String> { all.iter().map(|name| name.get_ref().clone()).collect() };
    let mut branches = names(&plan.branches);
    if !branches.contains(&plan.default_branch) {
        branches.push(plan.default_branch.clone());
    }
    branches.sort();
    json!({
        "IsVersionControlled": true,
        "PersistenceSettings": {
            "Type": "VersionControlled", "Url": format!("https://git.example/{slug}.git"), "DefaultBranch": plan.default_branch, "BasePath": ".octopus",
            "Credentials": {"Type": "Anonymous"}, "ProtectedDefaultBranch": false, "ProtectedBranchNamePatterns": [],
            "ConversionState": {"VariablesAreInGit": plan.variables, "RunbooksAreInGit": plan.runbooks},
        },
        "_Branches": branches, "_Tags": names(&plan.tags), "_Commits": names(&plan.commits),
    })
}

/// Whether a project keeps its process in Git.
pub(crate) fn is_in_git(project: &Value) -> bool {
    project["PersistenceSettings"]["Type"] == "VersionControlled"
}

/// Whether a project keeps its runbooks in Git.
pub(crate) fn has_runbooks(project: &Value) -> bool {
    is_in_git(project) && project["PersistenceSettings"]["ConversionState"]["RunbooksAreInGit"] == true
}

fn not_in_git(project: &Value) -> String {
    format!("The project '{}' is not version controlled", str_of(project, "Name"))
}

/// A project in Git; 400 for one that is not.
pub(crate) fn in_git(state: &State, ask: &Ask, id: &str) -> Result<Arc<Document>, Refusal> {
    let project = PROJECTS.find(state, ask, id)?;
    if is_in_git(&project) { Ok(project) } else { Err(Refusal::invalid(format!("{}.", not_in_git(&project)))) }
}

/// The commit that a branch or a tag points to: it follows from the name.
fn tip(project: &Value, full: &str) -> String {
    hex::encode(Sha1::digest(format!("{}\n{full}", str_of(project, "Id"))))
}

/// The names of a kind, sorted; of commits their hashes.
pub(crate) fn names(project: &Value, kind: GitKind) -> Vec<String> {
    let mut all = texts(&project[kind.words().2]);
    if kind == GitKind::Commit {
        for kind in [GitKind::Branch, GitKind::Tag] {
            all.extend(names(project, kind).iter().map(|name| tip(project, &format!("{}{name}", kind.words().1))));
        }
    }
    all
}

/// The branch, tag or commit that is meant, by its full name, its short name or its hash. A branch goes before a tag of the same name.
pub(crate) fn point(project: &Value, wanted: &str) -> Result<GitPoint, Refusal> {
    for kind in [GitKind::Branch, GitKind::Tag] {
        let head = kind.words().1;
        let short = wanted.strip_prefix(head).unwrap_or(wanted);
        if names(project, kind).iter().any(|name| name == short) {
            let reference = format!("{head}{short}");
            return Ok(GitPoint { commit: tip(project, &reference), reference });
        }
    }
    commit(project, wanted).map(|hash| GitPoint { reference: hash.clone(), commit: hash })
}

fn commit(project: &Value, wanted: &str) -> Result<String, Refusal> {
    names(project, GitKind::Commit).into_iter().find(|hash| hash.eq_ignore_ascii_case(wanted)).ok_or_else(|| {
        let name = str_of(project, "Name");
        Refusal::said(404, format!("The Git reference '{wanted}' was not found in the repository of the project '{name}'."))
    })
}

/// A reference as lists show it.
pub(crate) fn render(project: &Value, kind: GitKind, name: &str) -> Value {
    let (space, id) = (str_of(project, "SpaceId"), str_of(project, "Id"));
    let full = format!("{}{name}", kind.words().1);
    let below = format!("/api/{space}/projects/{id}/{}", encoded(&full));
    json!({
        "Name": name, "CanonicalName": full,
        "Links": {
            "DeploymentProcess": format!("{below}/deploymentprocesses"), "DeploymentSettings": format!("{below}/deploymentsettings"),
            "Runbook": format!("{below}/runbooks{{/id}}{{?skip,take,partialName}}"), "Variables": format!("{below}/variables"),
        },
    })
}

/// A reference as it stands in addresses (projects/git-branches-page.json).
pub(crate) fn encoded(reference: &str) -> String {
    reference.replace('%', "%25").replace('/', "%2f").replace('#', "%23").replace('?', "%3f")
}

/// The reference of a new release: needed for a project in Git, and refused for another one.
pub(crate) fn of_release(project: &Value, reference: Option<String>, hash: Option<String>) -> Result<Option<Value>, Refusal> {
    let name = str_of(project, "Name");
    let Some(wanted) = reference else {
        return match (is_in_git(project), hash) {
            (_, Some(_)) => Err(Refusal::invalid("A GitCommit was given without a GitRef.")),
            (true, None) => Err(Refusal::invalid(format!("The project '{name}' is version controlled, so a GitRef must be given."))),
            (false, None) => Ok(None),
        };
    };
    if !is_in_git(project) {
        return Err(Refusal::invalid(format!("{}, so a GitRef must not be given.", not_in_git(project))));
    }
    let at = point(project, &wanted)?;
    let hash = hash.map_or(Ok(at.commit), |hash| commit(project, &hash))?;
    Ok(Some(versioned(project, &at.reference, &hash)))
}

/// `VersionControlReference` of a release.
pub(crate) fn versioned(project: &Value, reference: &str, hash: &str) -> Value {
    let variables = (project["PersistenceSettings"]["ConversionState"]["VariablesAreInGit"] == true).then_some(hash);
    json!({"GitRef": reference, "GitCommit": hash, "VariablesGitCommit": variables})
}
