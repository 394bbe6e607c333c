//! Environments: static ones, parents, and ephemeral ones of projects.

use super::create_once::Sending;
use super::decode::{document, words};
use super::encode::{ToJson, editable};
use super::id::{EnvironmentId, ProjectId, RunbookRunId, TaskId};
use super::meant::{Keys, Meant, the_one};
use super::projects::{Project, ProjectQuery};
use super::resource::{named, pick};
use super::runbooks::RunbookRun;
use super::spaces::SpaceClient;
use crate::clock::later;
use crate::error::{Error, Kind, Result};
use crate::json::JsonText;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

words! {
    /// The type of an environment (octopus-api.md §10.7).
    EnvironmentKind {
        /// Stays until somebody deletes it.
        Static,
        /// Gives scope to the ephemeral ones below it. Nothing can be deployed to it.
        Parent,
        /// Made for a while, e.g. for a pull request. No lifecycle, freeze or tenant is about it.
        Ephemeral,
    }
}

impl ToJson for EnvironmentKind {
    fn write(&self, place: &mut Value) {
        *place = self.as_str().into();
    }
}

editable! {
    /// An environment (octopus-api.md §10.3, §10.7).
    Environment, "environment" {
        /// Id as the server wrote it.
        id: EnvironmentId = "Id",
        /// Name as people see it in the portal.
        name: String = "Name",
        /// Slug.
        slug: String = "Slug",
        /// Description.
        description: String = "Description",
        /// Place in the order people gave; 0 where the server lists environments of all types.
        sort_order: i64 = "SortOrder",
        /// Whether failures wait for guidance here; not said where the server lists environments of all types.
        use_guided_failure: bool = "UseGuidedFailure",
        /// Its type as the server wrote it; servers before 2025.4 do not say it, see [`Environment::kind`].
        said_kind: EnvironmentKind = "Type",
        /// Tags, as `Set/Tag`.
        tags: Vec<String> = "EnvironmentTags",
    }
}
named!(Environment, EnvironmentId);

impl Environment {
    /// Its type. An environment of which the server says none is static.
    pub fn kind(&self) -> &EnvironmentKind {
        if self.said_kind.as_str().is_empty() { &EnvironmentKind::Static } else { &self.said_kind }
    }
}

document! {
    /// How far an ephemeral environment is for a project.
    EphemeralStatus, "status of an environment" {
        /// `NotProvisioned`, `Provisioning`, `Provisioned`, `Deprovisioning`, `Deprovisioned`; others as the server writes them.
        status: String = "Status",
    }
}

document! {
    /// An environment that was made.
    MadeEnvironment, "new environment" {
        /// Its id.
        id: EnvironmentId = "Id",
    }
}

document! {
    /// The run of a runbook that deprovisions an environment for a project.
    DeprovisioningRun, "deprovisioning run" {
        /// The run.
        run: RunbookRunId = "RunbookRunId",
        /// Its task.
        task: TaskId = "TaskId",
    }
}

document! {
    /// The answer to a deprovisioning, for one project or for all.
    Deprovisioning, "deprovisioning" {
        /// Of one project.
        one: Option<DeprovisioningRun> = "DeprovisioningRun",
        /// Of all.
        all: Vec<DeprovisioningRun> = "DeprovisioningRuns",
    }
}

/// The environments of a space.
pub struct EnvironmentList {
    /// In the order people gave them, ephemeral ones last.
    pub all: Vec<Environment>,
    /// Whether the server knows types of environments. Servers before 2025.4 do not: all are static.
    pub has_types: bool,
}

/// The longest name of an ephemeral environment, characters (octopus-api.md §10.7).
const LONGEST_NAME: usize = 50;

/// The server's clock is known to the second only.
const SLACK: SignedDuration = SignedDuration::from_secs(2);

/// The name that the server gives to an ephemeral environment for `written`: characters that a name must not have become dashes, and dashes
/// and underscores at its ends go.
///
/// # Errors
/// `refused` for a name that is empty then, or has more than 50 characters.
pub fn ephemeral_name(written: &str) -> Result<String> {
    let dashed: String = written.chars().map(|c| if "<>:\"/\\|?*{}".contains(c) { '-' } else { c }).collect();
    let name = dashed.trim().trim_matches(['-', '_']).trim();
    let length = name.chars().count();
    let wrong = |why: String| Error::new(Kind::Refused, format!("`{written}` cannot be the name of an ephemeral environment: {why}"));
    match length {
        0 => Err(wrong("nothing is left of it without the characters that a name must not have".to_owned())),
        1..=LONGEST_NAME => Ok(name.to_owned()),
        _ => Err(wrong(format!("it has {length} characters, and {LONGEST_NAME} is the most"))),
    }
}

impl SpaceClient {
    /// All environments in the order people gave them, ephemeral ones last.
    pub async fn environments(&self) -> Result<Vec<Environment>> {
        Ok(self.environment_list().await?.all)
    }

    /// [`SpaceClient::environments`], and whether the server knows types of them; otherwise it is the list of older servers.
    pub async fn environment_list(&self) -> Result<EnvironmentList> {
        match self.client().list(&self.route("environments").then("v2"), None).await {
            Ok(all) => Ok(EnvironmentList { all, has_types: true }),
            // A server that does not know the list takes `v2` for the id of an environment. Any other refusal does not say that.
            Err(error) if error.kind() == Kind::NotFound => {
                let mut all: Vec<Environment> = self.client().list(&self.route("environments"), None).await?;
                all.sort_by_key(|e| (e.sort_order, e.id.number()));
                Ok(EnvironmentList { all, has_types: false })
            }
            Err(error) => Err(error),
        }
    }

    /// The environment called `wanted`: id, slug or name. There are few, so one request reads them all.
    pub async fn find_environment<'a>(&self, wanted: impl Into<Meant<'a>>) -> Result<Environment> {
        pick(self.environments().await?, wanted)
    }

    /// How far an ephemeral environment is for a project.
    pub async fn ephemeral_status(&self, project: &ProjectId, environment: &EnvironmentId) -> Result<String> {
        Ok(self.client().fetch::<EphemeralStatus>(&self.ephemeral(project).then(environment).then("status")).await?.status)
    }

    /// The ephemeral environment of this name for a project: the one that is there, or a new one. A lost answer is looked for by the name.
    ///
    /// # Errors
    /// `refused` for a name that another environment has or that cannot be one, on servers without ephemeral environments, and in the server's
    /// words.
    pub async fn ensure_ephemeral(&self, project: &Project, written: &str) -> Result<Environment> {
        let name = ephemeral_name(written)?;
        let route = self.ephemeral(&project.id);
        if let Some(there) = self.usable_ephemeral(project, &name).await? {
            return Ok(there);
        }
        let body = json!({ "EnvironmentName": name });
        let send = async || {
            let made: MadeEnvironment = self.client().submit("POST", &route, Some(&body)).await?;
            self.client().fetch(&self.route("environments").then(&made.id).then("v2")).await
        };
        self.client().repeat(send, async || self.usable_ephemeral(project, &name).await).await
    }

    fn ephemeral(&self, project: &ProjectId) -> super::address::Route {
        self.route("projects").then(project).then("environments").then("ephemeral")
    }

    /// The ephemeral environment of this name, if it is there and the project can use it.
    async fn usable_ephemeral(&self, project: &Project, name: &str) -> Result<Option<Environment>> {
        let EnvironmentList { all, has_types } = self.environment_list().await?;
        if !has_types {
            return Err(without_types("make"));
        }
        let Some(there) = the_one("environment", name, &all, |one| Keys::name(&one.name))?.cloned() else { return Ok(None) };
        if *there.kind() != EnvironmentKind::Ephemeral {
            let kind = there.kind().as_str().to_lowercase();
            let error = Error::new(Kind::Refused, format!("there is already a {kind} environment `{}`", there.name));
            return Err(error.help("names of environments are unique in a space: choose another one"));
        }
        let route = self.route("projects").then(&project.id).then("environments").with("type", "Ephemeral").with("partialName", name);
        let usable: Vec<Environment> = self.client().list(&route, None).await?;
        Ok(usable.iter().any(|one| one.id == there.id).then_some(there))
    }

    /// Deprovisions an ephemeral environment: for `project` it stays, without one it is removed afterwards. Returns the runs of runbooks that this
    /// starts. A lost answer is looked for among the runs in the environment; `sending` remembers since when.
    ///
    /// # Errors
    /// `refused` in the server's words, e.g. while it is being provisioned.
    pub async fn deprovision(
        &self,
        environment: &EnvironmentId,
        project: Option<&ProjectId>,
        sending: &(dyn Sending + Sync),
    ) -> Result<Vec<DeprovisioningRun>> {
        let route = match project {
            Some(project) => self.ephemeral(project).then(environment),
            None => self.route("environments").then("ephemeral").then(environment),
        };
        let route = route.then("deprovision");
        let earlier = sending.earlier().and_then(|intent| intent["since"].as_str()?.parse::<Timestamp>().ok());
        let since = earlier.unwrap_or_else(|| later(self.client().moment(), -SLACK));
        let look = async || self.deprovisioned(environment, project, since).await;
        if earlier.is_some()
            && let Some(done) = look().await?
        {
            return Ok(done);
        }
        sending.about_to(json!({ "since": since.to_string() }))?;
        let send = async || {
            let answer: Deprovisioning = self.client().submit("POST", &route, Some(&json!({}))).await?;
            Ok(answer.one.into_iter().chain(answer.all).collect::<Vec<_>>())
        };
        self.client().repeat(send, look).await
    }

    /// The result of a deprovisioning that was asked for at a moment; none when the server has not begun it.
    async fn deprovisioned(
        &self,
        environment: &EnvironmentId,
        project: Option<&ProjectId>,
        since: Timestamp,
    ) -> Result<Option<Vec<DeprovisioningRun>>> {
        let projects = self.projects(&ProjectQuery { include_disabled: true, ..ProjectQuery::default() }).await?;
        let meant = projects.iter().filter(|one| project.is_none_or(|id| one.id == *id));
        let runbooks: Vec<_> = meant.filter_map(|one| one.deprovisioning_runbook_id.as_ref()).collect();
        let runs: Vec<RunbookRun> = self.client().list(&self.route("runbookRuns").with("environments", environment), Some(100)).await?;
        let is_it = |run: &RunbookRun| run.created.is_some_and(|at| at >= since) && runbooks.contains(&&run.runbook_id);
        let found: Vec<_> = runs.into_iter().filter(is_it).collect();
        if !found.is_empty() {
            let of = |run: RunbookRun| DeprovisioningRun { run: run.id, task: run.task_id, raw: JsonText::default() };
            return Ok(Some(found.into_iter().map(of).collect()));
        }
        let is_there = self.client().fetch_opt::<Environment>(&self.route("environments").then(environment).then("v2")).await?.is_some();
        let is_over = match project {
            Some(project) if is_there => self.ephemeral_status(project, environment).await?.starts_with("Deprovision"),
            _ => !is_there,
        };
        Ok(is_over.then(Vec::new))
    }
}

/// The error of a server that has no ephemeral environments. `what` is what cannot be done with one, e.g. `make`.
pub fn without_types(what: &str) -> Error {
    Error::new(Kind::Refused, format!("cannot {what} an ephemeral environment: this server has none, as it knows no types of environments"))
        .help("ephemeral and parent environments came with Octopus Server 2025.4")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_the_server_makes_of_them() {
        for (written, name) in [("ava/my-new-feature", "ava-my-new-feature"), (" _pr 451_ ", "pr 451"), ("a:b?", "a-b")] {
            assert_eq!(ephemeral_name(written).expect(written), name);
        }
        let long = "x".repeat(51);
        for (wrong, why) in [("", "nothing is left"), ("/?", "nothing is left"), (&*long, "it has 51 characters, and 50 is the most")] {
            assert!(ephemeral_name(wrong).expect_err(wrong).message().contains(why), "{wrong}");
        }
    }

    #[test]
    fn environments_without_a_type_are_static_and_unknown_types_are_kept() {
        use crate::api::decode::Document as _;
        let kind = |body: Value| Environment::decode(body).expect("an environment").kind().to_string();
        assert_eq!(kind(json!({"Id": "Environments-1", "Name": "Test"})), "Static");
        assert_eq!(kind(json!({"Id": "Environments-1", "Name": "Test", "Type": "Parent"})), "Parent");
        assert_eq!(kind(json!({"Id": "Environments-1", "Name": "Test", "Type": "Lunar"})), "Lunar");
    }
}
