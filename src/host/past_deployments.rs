//! Lists of deployments: each with the names and the outcome that a script can read, and no more, because a year has a hundred thousand.
//!
//! Deployments, their tasks and their releases come in pages, and of each document only what a row shows is kept: names and ids that many rows
//! have in common once, and the JSON of the deployments packed, sixteen together, until a script asks for `.raw`. A row has about 700 bytes.

use super::prelude::*;
use super::{
    references::{EnvironmentRef, ProjectRef, TenantRef},
    rows::{Reach, RowLimit, Rows},
    space::Space,
    time::When,
};
use crate::api::{DeploymentId, ProjectId, ReleaseId, TaskId, TaskState};
use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};
use std::{
    collections::HashSet,
    hash::Hash,
    io::{Read as _, Write as _},
    ops::Deref,
};

/// A past or running deployment; clones share it.
#[derive(Clone)]
pub struct Deployment(Arc<DeploymentRow>);

/// What [`Deployment`] is made of.
pub struct DeploymentRow {
    place: Space,
    /// Its id.
    pub id: DeploymentId,
    task: TaskId,
    project: Arc<str>,
    env: Arc<str>,
    tenant: Option<Arc<str>>,
    release: Arc<str>,
    created: Option<Timestamp>,
    deployed_by: Arc<str>,
    comments: Arc<str>,
    /// None when the server keeps the deployment and no longer its task.
    outcome: Option<TaskFacts>,
    /// The document of the server, and its place among those that are packed together.
    raw: (Arc<PackedDocuments>, usize),
}

/// What its task says.
struct TaskFacts {
    state: TaskState,
    started: Option<Timestamp>,
    ended: Option<Timestamp>,
    error: Arc<str>,
}

impl Deref for Deployment {
    type Target = DeploymentRow;
    fn deref(&self) -> &DeploymentRow {
        &self.0
    }
}

impl Deployment {
    /// Whether it is the same one.
    pub fn same(&self, other: &Self) -> bool {
        self.id == other.id && self.place.client.address() == other.place.client.address()
    }
}

impl fmt::Display for Deployment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.outcome.as_ref().map_or("its task is gone", |outcome| outcome.state.as_str());
        write!(f, "{} {} → {} ({state})", self.project, self.release, self.env)
    }
}

crate::script_type! {
    /// A deployment with its outcome.
    Deployment as "Deployment" shows [project, release, env, tenant, state, created, duration, deployed_by] {
        /// The id, e.g. `Deployments-901`.
        id: "text" = |d| d.id.to_string();
        /// The project's name.
        project: "text" = |d| d.project.clone();
        /// The release's version.
        release: "text" = |d| d.release.clone();
        /// The environment's name.
        env: "text" = |d| d.env.clone();
        /// The tenant's name; `()` when there is none.
        tenant: "text" = |d| d.tenant.clone();
        /// The state of its task: `Success`, `Failed`, ...; `()` when the server no longer has the task.
        state: "text" = |d| d.outcome.as_ref().map(|outcome| outcome.state.clone());
        /// When it was created.
        created: "Moment" = |d, host: Host| host.moment(d.created);
        /// When it first started; `()` before that.
        started: "Moment" = |d, host: Host| host.moment(d.outcome.as_ref().and_then(|outcome| outcome.started));
        /// When it was complete; `()` before that.
        ended: "Moment" = |d, host: Host| host.moment(d.outcome.as_ref().and_then(|outcome| outcome.ended));
        /// From start to end; `()` while it is open.
        duration: "duration" = |d| d.outcome.as_ref().and_then(|outcome| outcome.started.zip(outcome.ended)).map(|(from, to)| to.duration_since(from));
        /// Who deployed it.
        deployed_by: "text" = |d| d.deployed_by.clone();
        /// Its comment.
        comments: "text" = |d| d.comments.clone();
        /// The server's error message; empty when there is none.
        error: "text" = |d| d.outcome.as_ref().map_or_else(String::new, |outcome| outcome.error.to_string());
        /// The task's id.
        task: "text" = |d| d.task.to_string();
        /// Where a person looks at it.
        url: "text" = |d| d.place.space.task_url(&d.task);
        /// The whole document of the server.
        raw: "map" = |d| d.raw.0.document(d.raw.1);
    }
}

crate::options! {
    /// Which deployments.
    pub struct DeploymentFilter for ["deployments"] {
        /// Only these projects.
        projects: Chosen<ProjectRef> = Chosen::All, "all";
        /// Only these environments.
        env: Chosen<EnvironmentRef> = Chosen::All, "all";
        /// Only these tenants.
        tenants: Chosen<TenantRef> = Chosen::All, "all";
        /// Only those whose task is in this state, e.g. `"Failed"`.
        state: Option<TaskState> = None, "none";
        /// Only those created since then: all of them, unless `limit` says otherwise.
        since: Option<When> = None, "none";
        /// How many at most, from 1 to 100000. Without it and without `since` the newest 100; a warning tells when there are more, and
        /// `rows.more` is true.
        limit: Option<RowLimit> = None, "100";
    }
}

/// So many documents are packed together: what they have in common is most of them, and to read one takes 50 µs.
const TOGETHER: usize = 16;

/// Documents as one compressed text.
#[derive(Default)]
struct PackedDocuments {
    bytes: Vec<u8>,
    /// Where each document ends in the text.
    ends: Vec<usize>,
}

impl PackedDocuments {
    fn new(texts: &[String]) -> Self {
        let mut packer = DeflateEncoder::new(Vec::new(), Compression::fast());
        let mut end = 0;
        let ends = texts.iter().map(|text| {
            end += text.len();
            end
        });
        let ends = ends.collect();
        let packed = texts.iter().try_for_each(|text| packer.write_all(text.as_bytes())).and_then(|()| packer.finish());
        Self { bytes: packed.expect("a vector takes everything"), ends }
    }

    /// The document at a place.
    fn document(&self, at: usize) -> Value {
        let mut text = vec![0; self.ends[at]];
        DeflateDecoder::new(self.bytes.as_slice()).read_exact(&mut text).expect("packed by ourselves");
        let begin = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        serde_json::from_slice(&text[begin..]).expect("written by ourselves")
    }
}

/// Documents on their way into [`PackedDocuments`].
#[derive(Default)]
struct DocumentPacker {
    waiting: Vec<String>,
    packed: Vec<Arc<PackedDocuments>>,
}

impl DocumentPacker {
    /// One more document; returns how many bytes that took.
    fn add(&mut self, document: &JsonText) -> usize {
        self.waiting.push(document.as_str().to_owned());
        if self.waiting.len() == TOGETHER { self.pack() } else { 0 }
    }

    fn pack(&mut self) -> usize {
        let packed = PackedDocuments::new(&std::mem::take(&mut self.waiting));
        let size = packed.bytes.len();
        self.packed.push(packed.into());
        size
    }

    /// Where each document went, in the order in which they came.
    fn places(mut self) -> impl Iterator<Item = (Arc<PackedDocuments>, usize)> {
        self.pack();
        self.packed.into_iter().flat_map(|packed| (0..packed.ends.len()).map(move |at| (Arc::clone(&packed), at)))
    }
}

/// Values that come again and again, each kept once.
struct Interned<T>(HashSet<T>);

impl<T: Clone + Eq + Hash> Interned<T> {
    fn of(&mut self, one: T) -> T {
        if let Some(known) = self.0.get(&one) {
            return known.clone();
        }
        self.0.insert(one.clone());
        one
    }
}

/// The name of `id`: asked for once, also where it may not be seen.
async fn named<I: Clone + Eq + Hash>(names: &mut HashMap<I, Arc<str>>, id: &I, ask: impl Future<Output = String>) -> Arc<str> {
    if let Some(name) = names.get(id) {
        return Arc::clone(name);
    }
    let name: Arc<str> = ask.await.into();
    names.insert(id.clone(), Arc::clone(&name));
    name
}

/// What is kept of a deployment until its names are known.
struct ListedDeployment {
    id: DeploymentId,
    task: TaskId,
    project: ProjectId,
    environment: api::EnvironmentId,
    tenant: Option<api::TenantId>,
    release: ReleaseId,
    created: Option<Timestamp>,
    deployed_by: Arc<str>,
    comments: Arc<str>,
}

/// The deployments that `filter` means, newest first.
pub async fn past(host: &Host, place: &Space, filter: &DeploymentFilter, since: Option<Timestamp>) -> Result<Rows<Deployment>> {
    if filter.projects.is_nothing() || filter.env.is_nothing() || filter.tenants.is_nothing() {
        return Ok(Rows::none());
    }
    let reach = Reach::new(filter.limit, since.is_some());
    let mut query =
        api::DeploymentQuery { state: filter.state.clone(), created_after: since, limit: reach.asked(), ..api::DeploymentQuery::default() };
    for name in filter.projects.named() {
        query.projects.push(place.project(name).await?.id.clone());
    }
    for name in filter.env.named() {
        query.environments.push(place.environment(name).await?.id.clone());
    }
    for name in filter.tenants.named() {
        query.tenants.push(place.tenant(name).await?.id.clone());
    }
    let (mut found, mut documents) = (Vec::new(), DocumentPacker::default());
    let (mut projects, mut releases, mut texts) = (Interned(HashSet::new()), Interned(HashSet::new()), Interned(HashSet::new()));
    let keep = |one: api::Deployment| {
        let size =
            size_of::<DeploymentRow>() + one.id.as_str().len() + one.task_id.as_str().len() + one.comments.len() + documents.add(&one.raw);
        found.push(ListedDeployment {
            id: one.id,
            task: one.task_id,
            project: projects.of(one.project_id),
            environment: one.environment_id,
            tenant: one.tenant_id,
            release: releases.of(one.release_id),
            created: one.created,
            deployed_by: texts.of(one.deployed_by.into()),
            comments: texts.of(one.comments.into()),
        });
        size
    };
    place.space.each_deployment(&query, keep).await?;
    let Rows { found, more } = reach.cut(host, "deployments", "`since` returns all since a time", found);
    let ids: Vec<TaskId> = found.iter().map(|one| one.task.clone()).collect();
    // Retention may have taken a task and left its deployment.
    let mut outcomes = HashMap::with_capacity(ids.len());
    let outcome = |task: api::Task| {
        let error = texts.of(task.error_message.into());
        drop(outcomes.insert(task.id, TaskFacts { state: task.state, started: task.start_time, ended: task.completed_time, error }));
    };
    place.space.each_known_task(&ids, outcome).await?;
    let ids: Vec<ReleaseId> = found.iter().map(|one| one.release.clone()).collect();
    let mut versions: HashMap<ReleaseId, Arc<str>> = HashMap::new();
    place.space.each_known_release(&ids, |release| drop(versions.insert(release.id, release.version.into()))).await?;
    let (mut projects, mut environments, mut tenants) = (HashMap::new(), HashMap::new(), HashMap::new());
    let mut rows = Vec::with_capacity(found.len());
    for (one, raw) in found.into_iter().zip(documents.places()) {
        rows.push(Deployment(Arc::new(DeploymentRow {
            place: place.clone(),
            project: named(&mut projects, &one.project, place.project_name(&one.project)).await,
            env: named(&mut environments, &one.environment, place.environment_name(&one.environment)).await,
            tenant: match &one.tenant {
                Some(id) => Some(named(&mut tenants, id, place.tenant_name(id)).await),
                None => None,
            },
            release: versions.get(&one.release).map_or_else(|| one.release.as_str().into(), Arc::clone),
            created: one.created,
            deployed_by: one.deployed_by,
            comments: one.comments,
            outcome: outcomes.remove(&one.task),
            raw,
            id: one.id,
            task: one.task,
        })));
    }
    Ok(Rows { found: rows, more })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn packed_documents_are_small_and_come_back_as_they_were() {
        let sample = std::fs::read_to_string("tests/payloads/deployments/dd-deployment-2024.2.json").expect("a payload");
        let document = |number: usize| -> Value {
            let text = sample.replace("Deployments-", &format!("Deployments-{number}0"));
            let mut document: Value = serde_json::from_str(&text).expect("JSON");
            document["Number"] = json!({"b": number, "a": 0.1, "é": null});
            document
        };
        let mut packer = DocumentPacker::default();
        let size: usize = (0..40).map(|number| packer.add(&document(number).into())).sum();
        let plain: usize = (0..32).map(|number| document(number).to_string().len()).sum();
        assert!(size > 0 && size * 6 < plain, "{size} of {plain}");
        let places: Vec<_> = packer.places().collect();
        assert_eq!(places.len(), 40);
        for (number, (packed, at)) in places.iter().enumerate() {
            assert_eq!(packed.document(*at), document(number), "{number}");
        }
    }
}
