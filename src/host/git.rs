//! Git: of which reference a release or a run is, and which references it takes of other repositories.

use super::prelude::*;
use super::space::Space;
use crate::{
    api::meant::{Keys, the_one},
    error::suggestion,
};

/// The reference that a release of a project is made of: the one that was given, or the default branch; none for a project that is not in Git.
///
/// # Errors
/// `refused` for a reference of a project that is not in Git: before any request.
pub fn of_release(project: &api::Project, given: Option<&str>) -> Result<Option<String>> {
    match (project.default_branch(), given) {
        (Some(branch), given) => Ok(Some(given.unwrap_or(branch).to_owned())),
        (None, None) => Ok(None),
        (None, Some(git_ref)) => {
            let message = format!("project `{}` is not in Git, so its releases have no `git_ref`; given is `{git_ref}`", project.name);
            Err(Error::new(Kind::Refused, message).help("leave `git_ref` and `git_commit` out"))
        }
    }
}

/// The reference at which a runbook of a project is run; none for a project whose runbooks are not in Git.
///
/// # Errors
/// `refused` for a reference where the runbooks are not in Git: before any request about them.
pub fn of_run(project: &api::Project, given: Option<&str>) -> Result<Option<String>> {
    match (project.branch_of_runbooks(), given) {
        (Some(branch), given) => Ok(Some(given.unwrap_or(branch).to_owned())),
        (None, None) => Ok(None),
        (None, Some(git_ref)) => {
            let message =
                format!("the runbooks of project `{}` are not in Git, so they have no `git_ref`; given is `{git_ref}`", project.name);
            Err(Error::new(Kind::Refused, message).help("leave `git_ref` out: the published snapshot is run"))
        }
    }
}

/// The answer to a question about a project at a reference; when that is not there, the error names it and the nearest one.
pub async fn asked_at<T>(place: &Space, project: &api::Project, git_ref: &str, answer: Result<T>) -> Result<T> {
    let Some(error) = answer.as_ref().err().filter(|error| error.kind() == Kind::NotFound) else { return answer };
    // Commits have no list in which to look, and who may not see the branches learns what the server said.
    if git_ref.len() == 40 && git_ref.bytes().all(|b| b.is_ascii_hexdigit()) {
        return answer;
    }
    let Ok(known) = place.space.branches_and_tags(&project.id).await else { return answer };
    let full = |name: &str| [name.to_owned(), format!("refs/heads/{name}"), format!("refs/tags/{name}")];
    if known.iter().any(|one| full(&one.name).iter().any(|name| name == git_ref)) {
        return answer;
    }
    let message = format!("project `{}` has no branch or tag `{git_ref}`: {error}", project.name);
    Err(Error::new(Kind::NotFound, message).suggest(git_ref, known.iter().map(|one| one.name.as_str())))
}

/// A reference for each repository that the steps take files from: as given by step (`#{"Sew": "main"}`, or for a step with several
/// `#{"Sew": #{"charts": "v2"}}`), otherwise the default branch.
pub fn resources(wanted: &[api::TemplateGitResource], given: &Map, whole: &str) -> Result<Vec<api::SelectedGitResource>> {
    let mut steps: Vec<&str> = wanted.iter().map(|one| one.action_name.as_str()).collect();
    steps.dedup();
    let mut references: BTreeMap<(String, String), String> = BTreeMap::new();
    for (step, value) in given {
        let Some(step) = the_one("step", step, &steps, |name| Keys::name(name))? else {
            let error = Error::new(Kind::NotFound, format!("no step `{step}` of {whole} takes files from Git"));
            return Err(match suggestion(step, steps) {
                Some(help) => error.help(help),
                None => error.help("`git_resources` names steps and references, like #{\"Deploy charts\": \"main\"}"),
            });
        };
        let names: Vec<&str> = wanted.iter().filter(|one| one.action_name == *step).map(|one| one.name.as_str()).collect();
        let wrong = |why: String| Error::new(Kind::Script, format!("`git_resources` for the step `{step}`: {why}"));
        if let Some(several) = value.read_lock::<Map>() {
            for (name, value) in several.iter() {
                let Some(name) = the_one("repository", name, &names, |name| Keys::name(name))? else {
                    let error = Error::new(Kind::NotFound, format!("the step `{step}` takes files from no repository called `{name}`"));
                    return Err(error.suggest(name, names.iter().copied()));
                };
                let reference = Name::read(value.clone()).map_err(wrong)?;
                references.insert(((*step).to_owned(), (*name).to_owned()), reference.into());
            }
            continue;
        }
        let reference = Name::read(value.clone()).map_err(wrong)?;
        let [name] = names.as_slice() else {
            let error = Error::new(Kind::Ambiguous, format!("the step `{step}` takes files from {} repositories", names.len()));
            return Err(error.help(format!("name them: #{{\"{step}\": #{{\"{}\": \"{reference}\"}}}}", names.join("\": ..., \""))));
        };
        references.insert(((*step).to_owned(), (*name).to_owned()), reference.into());
    }
    let each = |one: &api::TemplateGitResource| {
        let git_ref = references.get(&(one.action_name.clone(), one.name.clone())).unwrap_or(&one.default_branch).clone();
        let at = Some(api::GitReference { git_ref, ..api::GitReference::default() });
        api::SelectedGitResource { action_name: one.action_name.clone(), name: one.name.clone(), at, ..api::SelectedGitResource::default() }
    };
    Ok(wanted.iter().map(each).collect())
}
