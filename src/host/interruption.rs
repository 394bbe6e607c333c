//! An interruption: a task that waits for a person (manual intervention or guided failure), or for what a machine does.

use super::prelude::*;
use super::space::Space;

/// An interruption.
#[derive(Clone)]
pub struct Interruption {
    place: Space,
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
    /// A task waits at a step: for a person, or for what a machine does.
    Interruption as "Interruption" shows [title, kind, task, created, url] {
        /// The id, e.g. `Interruptions-12`.
        id: "text" = |i| i.document.id.to_string();
        /// The title, e.g. the name of the step.
        title: "text" = |i| i.document.title.clone();
        /// `ManualIntervention` and `GuidedFailure` are answered by people. `PullRequestCompletion`, `ArgoCDApplicationSync` and
        /// `KubernetesResourceVerification` end when a machine has done its part.
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
        /// The pull requests it waits for, each with `number`, `title`, `status` and `url`.
        pull_requests: "list of map" = |i| {
            let shown = |one: &api::interruptions::PullRequest| json!({"number": one.number, "title": one.title, "status": one.status, "url": one.url});
            i.document.pull_requests.iter().map(shown).collect::<Value>()
        };
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
    pub fn new(place: Space, interruption: api::Interruption) -> Self {
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

    /// Where a person answers: the page of the task. Of pull requests the page of the first that is not merged.
    pub fn url(&self) -> String {
        let open = self.document.pull_requests.iter().find(|one| one.status != "Merged" && !one.url.is_empty());
        if let Some(open) = open.filter(|_| !self.document.is_for_people()) {
            return open.url.clone();
        }
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
    pub fn from_record(place: Space, record: &Value) -> HostResult<Self> {
        let document = <api::Interruption as api::decode::Document>::decode(record["document"].clone());
        let document = document.map_err(|problem| raise(problem.into_error("interruption")))?;
        let teams = record["teams"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        Ok(Self { place, document, teams })
    }

    /// What it waits for, in words, and what helps.
    pub fn waits_for(&self) -> String {
        if self.document.is_for_people() {
            return self.who_may_answer();
        }
        let title = &self.document.title;
        match self.document.kind.as_str() {
            "PullRequestCompletion" => {
                let all = &self.document.pull_requests;
                let open: Vec<String> =
                    all.iter().filter(|one| one.status != "Merged").map(|one| format!("{} {}", one.named(), one.url)).collect();
                let merged = all.len() - open.len();
                format!("waits until its pull requests are merged ({merged} of {}), `{title}`: merge {}", all.len(), open.join(", "))
            }
            "ArgoCDApplicationSync" => {
                format!("waits until Argo CD has synced its application, `{title}`: look at the application in Argo CD")
            }
            "KubernetesResourceVerification" => {
                format!("waits until its objects in Kubernetes are ready, `{title}`: look at the objects in the cluster")
            }
            other => format!("waits at an interruption of the type {other}, `{title}`"),
        }
    }

    /// `waits for "Approve" by Release managers: Check the tide table`.
    pub fn who_may_answer(&self) -> String {
        let who = if self.teams.is_empty() { "anybody who may deploy".to_owned() } else { self.teams.join(" or ") };
        let what = if self.document.is_guided_failure() { "guidance after a failure" } else { "a manual intervention" };
        let instructions = self.document.instructions();
        let text = if instructions.is_empty() { String::new() } else { format!(": {instructions}") };
        format!("waits for {what}, `{}`, by {who}{text}", self.document.title)
    }

    /// Whether it is a manual intervention; old servers do not say the kind.
    pub fn is_manual(&self) -> bool {
        self.document.is_for_people() && !self.document.is_guided_failure()
    }

    /// Lets the task go on.
    pub(super) fn proceed(&self, host: &Host, note: &str) -> HostResult<Self> {
        self.answer(host, &[("Notes", note), ("Result", "Proceed")], "approved")
    }

    pub(super) fn answer(&self, host: &Host, values: &[(&str, &str)], what: &str) -> HostResult<Self> {
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

async fn submit(place: &Space, id: &api::InterruptionId, body: &BTreeMap<String, String>, may_be_done: bool) -> Result<api::Interruption> {
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
        Err(error) if error.kind().is_refusal() || error.kind() == Kind::Forbidden => {
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
