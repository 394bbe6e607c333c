//! Functions of interruptions: list them, answer them.

use super::prelude::*;
use super::{
    call::ScriptCall,
    interruption::Interruption,
    references::{EnvironmentRef, ProjectRef},
    tasks::tasks_of,
};

crate::options! {
    /// Which interruptions.
    pub struct PendingFilter for ["pending"] {
        /// Only those of a task or of a list of tasks.
        task: Option<Dynamic> = None, "none";
        /// Only those of a project's tasks.
        project: Option<ProjectRef> = None, "none";
        /// Only those in an environment.
        env: Option<EnvironmentRef> = None, "none";
    }
}

crate::functions! {
    group "people";

    /// Tasks that wait for a person, newest first.
    ///
    /// ```rhai
    /// for i in pending() { print(`${i.title}: ${i.url}`); }
    /// ```
    fn pending(host: ScriptCall; filter: PendingFilter) -> "list of Interruption" raises "not_found, ambiguous, request" {
        let place = host.place();
        let tasks = match filter.task.clone() {
            Some(value) => Some(tasks_of(&host, value)?.iter().map(|t| t.id.clone()).collect::<Vec<_>>()),
            None => None,
        };
        let found = host.block(async {
            let mut regarding = None;
            if let Some(project) = &filter.project {
                regarding = Some(place.project(project).await?.id.to_string());
            } else if let Some(env) = &filter.env {
                regarding = Some(place.environment(env).await?.id.to_string());
            }
            let environment = match &filter.env {
                Some(env) => Some(place.environment(env).await?.id.to_string()),
                None => None,
            };
            let mut found = Vec::new();
            for one in place.space.interruptions(true, regarding.as_deref()).await? {
                let about = |id: &str| one.related_document_ids.iter().any(|r| api::meant::same_word(r, id));
                let wanted = environment.as_deref().is_none_or(about)
                    && tasks.as_ref().is_none_or(|ids| ids.iter().any(|id| one.task_id.as_ref() == Some(id)));
                if wanted {
                    found.push(Interruption::new(place.clone(), one).with_names().await);
                }
            }
            Ok(found)
        })?;
        Ok(found.into_iter().map(Dynamic::from).collect::<Array>())
    }

    /// Takes responsibility and lets the task go on. `note` is kept with the answer.
    ///
    /// ```rhai
    /// for i in pending() { i.approve("checked by the release train"); }
    /// ```
    fn approve[interruption: Interruption](host: Host, note: String) -> "Interruption" raises "refused, in_doubt, request" {
        expect_kind(&interruption, "ManualIntervention", "guide(\"retry\")")?;
        interruption.answer(&host, &[("Notes", &note), ("Result", "Proceed")], "approved")
    }

    /// Takes responsibility and lets the task fail.
    ///
    /// ```rhai
    /// for i in pending() { i.reject("not today"); }
    /// ```
    fn reject[interruption: Interruption](host: Host, note: String) -> "Interruption" raises "refused, in_doubt, request" {
        expect_kind(&interruption, "ManualIntervention", "guide(\"fail\")")?;
        interruption.answer(&host, &[("Notes", &note), ("Result", "Abort")], "rejected")
    }

    /// Takes responsibility and says what to do after a failure: `"retry"`, `"ignore"`, `"fail"` or `"exclude"` (the
    /// deployment target).
    ///
    /// ```rhai
    /// for i in pending() { if i.kind == "GuidedFailure" { i.guide("retry"); } }
    /// ```
    fn guide[interruption: Interruption](host: Host, guidance: String) -> "Interruption" raises "refused, in_doubt, request" {
        expect_kind(&interruption, "GuidedFailure", "approve(note)` or `.reject(note)")?;
        let word = match guidance.to_lowercase().as_str() {
            "retry" => "Retry",
            "ignore" => "Ignore",
            "fail" => "Fail",
            "exclude" => "Exclude",
            _ => {
                return Err(raise(Error::new(Kind::Script, format!("guidance cannot be `{guidance}`")).help("it can be \"retry\", \"ignore\", \"fail\" or \"exclude\"")));
            }
        };
        interruption.answer(&host, &[("Notes", ""), ("Guidance", word)], word)
    }
}

fn expect_kind(interruption: &Interruption, kind: &str, instead: &str) -> HostResult<()> {
    let is = &interruption.document().kind;
    // Old servers do not say the kind (payloads, "Interruptions").
    if is.is_empty() || is == kind {
        return Ok(());
    }
    Err(Error::new(Kind::Script, format!("`{}` is a {is}", interruption.document().title))
        .help(format!("answer it with `.{instead}`"))
        .into())
}
