//! Files that steps take from repositories: which reference a release takes of each (octopus-api.md §12.1, §16.1).

use super::{
    answer::{Ask, Refusal, field, str_of, text},
    channels, processes,
    selection::{Selecting, actions, no},
    state::State,
};
use serde_json::{Value, json};
use sha1::{Digest, Sha1};

/// A place in a process that takes files from a repository.
struct GitSource {
    action: String,
    slug: String,
    name: String,
    repository: String,
    branch: String,
    credential: Value,
}

impl GitSource {
    fn is(&self, action: &str, name: &str) -> bool {
        self.action.eq_ignore_ascii_case(action) && self.name.eq_ignore_ascii_case(name)
    }

    /// What a release holds of it.
    fn entry(&self, reference: &str, commit: Option<String>) -> Value {
        let is_hash = reference.len() == 40 && reference.bytes().all(|b| b.is_ascii_hexdigit());
        let full = if reference.starts_with("refs/") || is_hash { reference.to_owned() } else { format!("refs/heads/{reference}") };
        // The repository is somebody else's: its commits follow from the names.
        let tip = || if is_hash { full.clone() } else { hex::encode(Sha1::digest(format!("{}\n{full}", self.repository))) };
        let commit = commit.unwrap_or_else(tip);
        json!({"ActionName": self.action, "GitReferenceResource": {"GitRef": full, "GitCommit": commit}, "GitResourceReferenceName": self.name})
    }
}

fn sources(state: &State, process: &str, channel: Option<&str>) -> Vec<GitSource> {
    let Ok(doc) = processes::process(state, process) else { return Vec::new() };
    let each = |a: &Value| -> Vec<GitSource> {
        let all = a["GitDependencies"].as_array().into_iter().flatten();
        all.map(|one| GitSource {
            action: str_of(a, "Name").to_owned(),
            slug: str_of(a, "Slug").to_owned(),
            name: text(one, "Name").unwrap_or_default(),
            repository: text(one, "RepositoryUri").unwrap_or_default(),
            branch: text(one, "DefaultBranch").unwrap_or_else(|| "main".into()),
            credential: field(one, "GitCredentialId").clone(),
        })
        .collect()
    };
    actions(&doc, channel).flat_map(each).collect()
}

/// What a list of selected references says for a place in the process.
fn selected<'v>(list: &'v Value, source: &GitSource) -> Option<&'v Value> {
    let named = |one: &Value| text(one, "ActionName").unwrap_or_default();
    let of = |one: &&Value| source.is(&named(one), &text(one, "GitResourceReferenceName").unwrap_or_default());
    list.as_array()?.iter().find(of).map(|one| field(one, "GitReferenceResource"))
}

/// `GitResources` of the template of a release or a run; `last` is what was selected the time before.
pub(crate) fn template(state: &State, process: &str, channel: Option<&str>, last: &Value) -> Vec<Value> {
    let shown = |source: &GitSource| {
        json!({
            "ActionName": source.action, "RepositoryUri": source.repository, "DefaultBranch": source.branch, "IsResolvable": true, "Name": source.name,
            "FilePathFilters": [], "GitCredentialId": source.credential, "GitHubConnectionId": null,
            "GitResourceSelectedLastRelease": selected(last, source),
        })
    };
    sources(state, process, channel).iter().map(shown).collect()
}

/// What a client selected: one reference for every place that takes files, and nothing else.
pub(crate) fn check(state: &State, of: Selecting<'_>, given: &Value) -> Result<Vec<Value>, Refusal> {
    let all = sources(state, of.process, of.channel_id());
    let mut errors = Vec::new();
    for other in given.as_array().into_iter().flatten().filter(|one| !all.iter().any(|s| selected(&json!([one]), s).is_some())) {
        errors.push(format!("The step '{}' takes no such Git resource.", text(other, "ActionName").unwrap_or_default()));
    }
    let chosen = |source: &GitSource| {
        let at = selected(given, source)?;
        Some(source.entry(&text(at, "GitRef")?, text(at, "GitCommit")))
    };
    gather(of, &all, chosen, errors)
}

/// The references for `create/v1`, wished as `step:reference` or `step:name:reference`; else the default branches.
pub(crate) fn resolve(state: &State, ask: &Ask, of: Selecting<'_>) -> Result<Vec<Value>, Refusal> {
    let all = sources(state, of.process, of.channel_id());
    let mut errors = Vec::new();
    let mut wishes = Vec::new();
    for text in ask.texts("gitResources") {
        let parts: Vec<&str> = text.split(':').map(str::trim).collect();
        let (action, name, reference) = match parts.as_slice() {
            [action, reference] => (*action, "", *reference),
            [action, name, reference] => (*action, *name, *reference),
            _ => ("", "", ""),
        };
        if reference.is_empty() {
            errors.push(format!("The Git resource '{text}' is not written as 'step:reference' or 'step:name:reference'."));
        } else if !all.iter().any(|source| source.is(action, name)) {
            errors.push(format!("The step '{action}' takes no such Git resource."));
        }
        wishes.push((action.to_owned(), name.to_owned(), reference.to_owned()));
    }
    let chosen = |source: &GitSource| {
        let wish = wishes.iter().find(|(action, name, _)| source.is(action, name)).map(|(_, _, reference)| reference.as_str());
        Some(source.entry(wish.filter(|reference| *reference != "*").unwrap_or(&source.branch), None))
    };
    gather(of, &all, chosen, errors)
}

/// The entries of all places; 400 where one has none or the channel's rules refuse it.
fn gather(
    of: Selecting<'_>,
    all: &[GitSource],
    chosen: impl Fn(&GitSource) -> Option<Value>,
    mut errors: Vec<String>,
) -> Result<Vec<Value>, Refusal> {
    let mut list = Vec::new();
    for source in all {
        let Some(entry) = chosen(source) else {
            errors.push(format!("No Git reference was specified for the step '{}'.", source.action));
            continue;
        };
        let reference = str_of(&entry["GitReferenceResource"], "GitRef");
        let mut rules = channels::resource_rules(of.channel, &source.action, &source.slug, &source.name);
        if of.by_rules && rules.any(|patterns| !channels::reference_fits(&patterns, reference)) {
            let channel = str_of(of.channel, "Name");
            errors.push(format!(
                "The reference '{reference}' of the step '{}' does not satisfy the rules of the channel '{channel}'.",
                source.action
            ));
        }
        list.push(entry);
    }
    if errors.is_empty() { Ok(list) } else { Err(no(errors)) }
}
