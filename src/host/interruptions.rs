//! Interruptions: tasks that wait for a person (manual interventions and guided failures).

use super::{
    Host,
    call::ScriptCall,
    place::Place,
    references::{EnvironmentRef, ProjectRef},
    tasks::tasks_of,
};
use crate::{
    api,
    engine::thrown::{HostResult, raise},
    error::{Error, Kind, Result},
    event::Level,
};
use rhai::{Array, Dynamic};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fmt};

/// An interruption.
#[derive(Clone)]
pub struct Interruption {
    place: Place,
    document: api::Interruption,
    teams: Vec<String>,
}

impl Interruption {
    /// The document.
    pub fn document(&self) -> &api::Interruption {
        &self.document
    }

    /// Whether it is the same one, whoever answered it meanwhile.
    pub fn same(&self, other: &Self) -> bool {
        self.document.id == other.document.id && self.place.client.address() == other.place.client.address()
    }
}

impl fmt::Display for Interruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.document.title, self.document.id)
    }
}

crate::script_type! {
    /// A task waits for a person.
    Interruption as "Interruption" shows [title, kind, task, created, url] {
        /// The id, e.g. `Interruptions-12`.
        id: "text" = |i| i.document.id.to_string();
        /// The title, e.g. the name of the step.
        title: "text" = |i| i.document.title.clone();
        /// `ManualIntervention` or `GuidedFailure`.
        kind: "text" = |i| i.document.kind.clone();
        /// The instructions; empty when there are none.
        instructions: "text" = |i| i.document.instructions().to_owned();
        /// Whether it is still unanswered.
        pending: "true or false" = |i| i.document.is_pending;
        /// The answer: `Proceed`, `Abort`, `Retry`, ...; `()` while there is none.
        answer: "text" = |i| i.document.answer().map(str::to_owned);
        /// The notes that were given with the answer; empty when there are none.
        notes: "text" = |i| i.document.notes().to_owned();
        /// The username of the person who answered it; `()` while it is unanswered, and the user's id where the name may not be seen.
        answered_by: "text" = |i, host: Host| {
            if i.document.is_pending { None } else { host.block(async { Ok(i.place.space.responsible(&i.document).await) })? }
        };
        /// The task's id.
        task: "text" = |i| i.document.task_id.as_ref().map(ToString::to_string);
        /// The teams whose members may answer; empty when everybody may who may deploy.
        teams: "list of text" = |i| i.teams.clone();
        /// Since when it waits.
        created: "Moment" = |i, host: Host| host.moment(i.document.created);
        /// Where a person answers it.
        url: "text" = |i| i.url();
        /// The whole document of the server.
        raw: "map" = |i| i.document.raw.clone();
    }
}

impl Interruption {
    /// An interruption as the server shows it.
    pub fn new(place: Place, interruption: api::Interruption) -> Self {
        let teams = interruption.responsible_team_ids.iter().map(ToString::to_string).collect();
        Self { place, document: interruption, teams }
    }

    /// With names of teams for their ids, as far as we may see them.
    pub async fn with_names(mut self) -> Self {
        if !self.teams.is_empty()
            && let Ok(teams) = self.place.space.teams().await
        {
            for id in &mut self.teams {
                if let Some(team) = teams.iter().find(|t| t.id == **id) {
                    id.clone_from(&team.name);
                }
            }
        }
        self
    }

    /// Where a person answers: the page of the task.
    pub fn url(&self) -> String {
        match &self.document.task_id {
            Some(task) => self.place.space.task_url(task),
            None => self.place.client.address(),
        }
    }

    /// Its id.
    pub fn id(&self) -> &api::InterruptionId {
        &self.document.id
    }

    /// As JSON, for [`Interruption::from_record`].
    pub fn to_record(&self) -> Value {
        json!({"document": self.document.raw.tree(), "teams": self.teams})
    }

    /// The same one again.
    pub fn from_record(place: Place, record: &Value) -> HostResult<Self> {
        let document = <api::Interruption as api::decode::Document>::decode(record["document"].clone());
        let document = document.map_err(|problem| raise(problem.into_error("interruption")))?;
        let teams = record["teams"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        Ok(Self { place, document, teams })
    }

    /// `waits for "Approve" by Release managers: Check the tide table`.
    pub fn who_may_answer(&self) -> String {
        let who = if self.teams.is_empty() { "anybody who may deploy".to_owned() } else { self.teams.join(" or ") };
        let what = if self.document.is_guided_failure() { "guidance after a failure" } else { "a manual intervention" };
        let instructions = self.document.instructions();
        let text = if instructions.is_empty() { String::new() } else { format!(": {instructions}") };
        format!("waits for {what}, `{}`, by {who}{text}", self.document.title)
    }

    fn answer(&self, host: &Host, values: &[(&str, &str)], what: &str) -> HostResult<Self> {
        let id = &self.document.id;
        let mut body = BTreeMap::new();
        for (name, value) in values {
            body.insert((*name).to_owned(), (*value).to_owned());
        }
        let arguments = json!({"interruption": id.to_string(), "values": body});
        let body = &body;
        let answered =
            host.effect("answer", &arguments, |attempt| async move { submit(&self.place, id, body, attempt.may_be_done()).await })?;
        if answered.is_anothers() {
            // A person was faster: what was asked for has an answer, and its task goes on or fails by it.
            let who = host.block(async { Ok(self.place.space.responsible(&answered).await) })?.unwrap_or_default();
            let said = answered.answer().map(|said| format!(": {said}")).unwrap_or_default();
            host.note(Level::Info, format!("{}: {who} has answered already{said}", self.document.title));
        } else {
            host.note(Level::Info, format!("{}: {what}", self.document.title));
        }
        Ok(Self { document: answered, ..self.clone() })
    }
}

async fn submit(place: &Place, id: &api::InterruptionId, body: &BTreeMap<String, String>, may_be_done: bool) -> Result<api::Interruption> {
    if may_be_done {
        let seen = place.space.interruption(id).await?;
        if seen.has_answer(body) {
            return Ok(seen);
        }
    }
    // Responsibility is one person's; the server refuses answers of others (octopus-api.md §19).
    let answered = match place.space.take_responsibility(id).await {
        Ok(_) => place.space.submit_interruption(id, body).await,
        Err(error) => Err(error),
    };
    match answered {
        Err(error) if matches!(error.kind(), Kind::Refused | Kind::Forbidden) => {
            let seen = place.space.interruption(id).await?;
            if !seen.is_pending {
                return Ok(seen);
            }
            if !seen.is_anothers() {
                return Err(error);
            }
            let who = place.space.responsible(&seen).await.unwrap_or_default();
            let text = format!("`{}` can be answered only by {who}, who has taken responsibility", seen.title);
            let task = seen.task_id.as_ref().map(ToString::to_string);
            Err(Error::new(Kind::Refused, text)
                .with(RESPONSIBLE, who)
                .with("interruption", id.to_string())
                .with("task", task)
                .help("in `on_interrupt` the wait goes on until that person has answered"))
        }
        answered => answered,
    }
}

/// The fact that names the person whose answer is waited for.
const RESPONSIBLE: &str = "responsible";

/// Why an interruption was not answered, when that is because somebody else is responsible for it.
pub(super) fn is_anothers(error: &Error) -> bool {
    error.kind() == Kind::Refused && error.fact(RESPONSIBLE).is_some()
}

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
    let is = &interruption.document.kind;
    // Old servers do not say the kind (payloads, "Interruptions").
    if is.is_empty() || is == kind {
        return Ok(());
    }
    Err(raise(
        Error::new(Kind::Script, format!("`{}` is a {is}", interruption.document.title)).help(format!("answer it with `.{instead}`")),
    ))
}
