//! What is where: the release that is live in an environment, for one project or for all.

use super::prelude::*;
use super::{
    deployments::{Live as LiveInfo, live_version},
    references::{EnvironmentRef, GroupRef, ProjectRef, TenantRef},
    space::Space,
    words::VERDICTS,
};
use crate::api::{DeploymentId, EnvironmentId, ProjectId, ReleaseId, TaskId, TenantId};

/// One row of the dashboard.
#[derive(Clone)]
pub struct Live {
    /// The project's name.
    pub project: String,
    /// The environment's name.
    pub env: String,
    /// The tenant's name.
    pub tenant: Option<String>,
    /// The version of the release.
    pub release: String,
    /// The state of the task.
    pub state: api::TaskState,
    /// What the server says: an item of its dashboard, or the deployment.
    pub ids: Ids,
    created: Option<Timestamp>,
    ended: Option<Timestamp>,
    raw: JsonText,
}

/// The ids of a row.
#[derive(Clone)]
pub struct Ids {
    /// The project.
    pub project: ProjectId,
    /// The tenant.
    pub tenant: Option<TenantId>,
    /// The release.
    pub release: ReleaseId,
    /// The deployment.
    pub deployment: Option<DeploymentId>,
    /// The task.
    pub task: Option<TaskId>,
}

impl fmt::Display for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} in {}", self.project, self.release, self.env)?;
        if let Some(tenant) = &self.tenant {
            write!(f, " for {tenant}")?;
        }
        write!(f, " ({})", self.state)
    }
}

crate::script_type! {
    /// What is deployed where: a row of the dashboard.
    Live as "Live" shows [project, env, tenant, release, state, ended] {
        /// The project's name.
        project: "text" = |l| l.project.clone();
        /// The environment's name.
        env: "text" = |l| l.env.clone();
        /// The tenant's name; `()` when there is none.
        tenant: "text" = |l| l.tenant.clone();
        /// The version of the release.
        release: "text" = |l| l.release.clone();
        /// The state of the deployment's task: `Success`, `Failed`, `Executing`, ...
        state: "text" = |l| l.state.clone();
        /// When the deployment was created.
        created: "Moment" = |l, host: Host| host.moment(l.created);
        /// When it was complete; `()` before that.
        ended: "Moment" = |l, host: Host| host.moment(l.ended);
        /// The task's id.
        task: "text" = |l| l.ids.task.as_ref().map(ToString::to_string);
        /// The deployment's id.
        deployment: "text" = |l| l.ids.deployment.as_ref().map(ToString::to_string);
        /// The whole document of the server.
        raw: "map" = |l| l.raw.clone();
    }
}

/// A project whose release differs between two environments.
#[derive(Clone)]
pub struct Difference {
    project: String,
    tenant: Option<String>,
    left: Option<(ReleaseId, String)>,
    right: Option<(ReleaseId, String)>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |side: &Option<(ReleaseId, String)>| side.as_ref().map_or_else(|| "nothing".to_owned(), |(_, version)| version.clone());
        write!(f, "{}: {} / {} ({})", self.project, show(&self.left), show(&self.right), self.verdict())
    }
}

impl Live {
    /// Whether it is the same deployment.
    pub fn same(&self, other: &Self) -> bool {
        (&self.ids.deployment, &self.to_string()) == (&other.ids.deployment, &other.to_string())
    }
}

impl Difference {
    /// Whether it says the same.
    pub fn same(&self, other: &Self) -> bool {
        self.to_string() == other.to_string() && self.tenant == other.tenant
    }

    fn verdict(&self) -> &'static str {
        match (&self.left, &self.right) {
            (Some((a, a_version)), Some((b, b_version))) => match api::releases::order((a, a_version), (b, b_version)) {
                std::cmp::Ordering::Equal => "same",
                std::cmp::Ordering::Greater => "newer",
                std::cmp::Ordering::Less => "older",
            },
            (Some(_), None) => "only here",
            (None, Some(_)) => "only there",
            (None, None) => "nowhere",
        }
    }
}

crate::script_type! {
    /// How a project differs between two environments.
    Difference as "Difference" shows [project, tenant, left, right, state] {
        /// The project's name.
        project: "text" = |d| d.project.clone();
        /// The tenant's name; `()` when there is none.
        tenant: "text" = |d| d.tenant.clone();
        /// The version in the first environment; `()` when there is none.
        left: "text" = |d| d.left.as_ref().map(|(_, version)| version.clone());
        /// The version in the second environment; `()` when there is none.
        right: "text" = |d| d.right.as_ref().map(|(_, version)| version.clone());
        /// The first against the second: `same`, `newer`, `older`, `only here` or `only there`. Only the same release is `same`; of two
        /// whose versions differ in metadata only (`1.0.0+b1`, `1.0.0+b2`) the one that was made later is newer.
        state: "text" = |d| VERDICTS.give(d.verdict());
    }
}

crate::options! {
    /// Which rows.
    pub struct DashboardOptions for ["dashboard"] {
        /// Only these environments.
        env: Chosen<EnvironmentRef> = Chosen::All, "all";
        /// Only these projects.
        projects: Chosen<ProjectRef> = Chosen::All, "all";
        /// Only the projects of a project group.
        group: Option<GroupRef> = None, "none";
        /// Only these tenants.
        tenants: Chosen<TenantRef> = Chosen::All, "all";
        /// Only what was deployed well: where the newest deployment failed, the one before it.
        successful: bool = false, "false";
    }
}

crate::options! {
    /// What to compare.
    pub struct CompareOptions for ["compare"] {
        /// Only these projects.
        projects: Chosen<ProjectRef> = Chosen::All, "all";
        /// Only the projects of a project group.
        group: Option<GroupRef> = None, "none";
        /// Only these tenants.
        tenants: Chosen<TenantRef> = Chosen::All, "all";
    }
}

/// What an item is about: of two about the same, one is the previous deployment.
fn spot(item: &api::DashboardItem) -> (&Option<ProjectId>, &Option<EnvironmentId>, &Option<TenantId>) {
    (&item.project_id, &item.environment_id, &item.tenant_id)
}

/// Rows of the dashboard, by project, environment (in sort order) and tenant.
pub async fn rows(place: &Space, options: &DashboardOptions) -> Result<Vec<Live>> {
    let mut environments = Vec::new();
    if options.env.is_nothing() || options.projects.is_nothing() || options.tenants.is_nothing() {
        return Ok(Vec::new());
    }
    if options.env == Chosen::All {
        // Those of pull requests come and go: who wants them names them.
        let all = place.space.environments().await?.into_iter();
        environments.extend(all.filter(|one| *one.kind() == api::EnvironmentKind::Static).map(Arc::new));
    } else {
        for env in options.env.named() {
            environments.push(place.environment(env).await?);
        }
    }
    let projects = if options.projects == Chosen::All {
        let group = match &options.group {
            Some(group) => Some(place.space.find_project_group(group.as_str()).await?.id),
            None => None,
        };
        let projects = place.space.projects(&api::ProjectQuery { group, ..api::ProjectQuery::default() }).await?;
        place.remember_projects(projects)
    } else {
        let mut projects = Vec::new();
        for project in options.projects.named() {
            projects.push(place.project(project).await?);
        }
        projects
    };
    let mut tenants = Vec::new();
    for tenant in options.tenants.named() {
        tenants.push(place.tenant(tenant).await?.id.clone());
    }
    let project_ids: Vec<_> = projects.iter().map(|p| p.id.clone()).collect();
    let environment_ids: Vec<_> = environments.iter().map(|e| e.id.clone()).collect();
    let items = place.space.dashboard_items(&environment_ids, &project_ids, &tenants).await?;
    if items.iter().any(|i| i.tenant_id.is_some()) {
        place.remember_tenants(place.space.tenants(&api::TenantQuery::default()).await?);
    }
    // The first of several counts, as the server sorts them.
    let mut previous = HashMap::new();
    for item in items.iter().filter(|i| i.is_previous) {
        previous.entry(spot(item)).or_insert(item);
    }
    let projects: HashMap<&ProjectId, &Arc<api::Project>> = projects.iter().map(|project| (&project.id, project)).collect();
    let places: HashMap<&EnvironmentId, usize> = environments.iter().enumerate().rev().map(|(at, env)| (&env.id, at)).collect();
    let mut found = Vec::new();
    for item in items.iter().filter(|i| !i.is_previous) {
        // Where the newest deployment did not succeed the server sends the one before it along (octopus-api.md §23).
        let item = if options.successful && item.state != api::TaskState::Success {
            match previous.get(&spot(item)) {
                Some(previous) => *previous,
                None => continue,
            }
        } else {
            item
        };
        let (Some(project), Some(place_in_order), Some(release)) = (
            item.project_id.as_ref().and_then(|id| projects.get(id)),
            item.environment_id.as_ref().and_then(|id| places.get(id).copied()),
            item.release_id.clone(),
        ) else {
            continue;
        };
        let tenant = match &item.tenant_id {
            Some(id) => Some(place.tenant_name(id).await),
            None => None,
        };
        let key = (project.name.clone(), place_in_order, tenant.clone());
        let row = Live {
            project: project.name.clone(),
            env: environments[place_in_order].name.clone(),
            tenant,
            release: item.release_version.clone(),
            state: item.state.clone(),
            ids: Ids {
                project: project.id.clone(),
                tenant: item.tenant_id.clone(),
                release,
                deployment: item.deployment_id.clone(),
                task: item.task_id.clone(),
            },
            created: item.created,
            ended: item.completed_time,
            raw: item.raw.clone(),
        };
        found.push((key, row));
    }
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(found.into_iter().map(|(_, row)| row).collect())
}

crate::functions! {
    group "query";

    /// What is deployed where: a row for each project, environment and tenant, as the server's dashboard shows it.
    ///
    /// ```rhai
    /// print(report(dashboard(#{env: "Test"})));
    /// ```
    fn dashboard(host: Host; options: DashboardOptions) -> "list of Live" raises "not_found, ambiguous, request" {
        let place = host.place();
        let found = host.block(rows(&place, &options))?;
        Ok(found.into_iter().map(Dynamic::from).collect::<Array>())
    }

    /// What of `project` is live in `env`: the newest deployment that succeeded; `()` when there is none.
    ///
    /// ```rhai
    /// let live = deployed("Project A", "Production");
    /// if live != () { print(live.release); }
    /// ```
    fn deployed(host: Host, project: ProjectRef, env: EnvironmentRef; tenant: Option<TenantRef>) -> "Live" raises "not_found, ambiguous, request" {
        let place = host.place();
        host.block(async {
            let LiveInfo { project, environment, tenant, deployment, release } = live_version(&place, &project, &env, tenant.as_deref()).await?;
            let Some((deployment, release)) = deployment.zip(release) else { return Ok(None) };
            // Retention may have taken the task (octopus-api.md §15).
            let task = place.space.task(&deployment.task_id).await.ok();
            Ok(Some(Live {
                project,
                env: environment,
                tenant,
                release: release.version,
                state: api::TaskState::Success,
                ids: Ids {
                    project: deployment.project_id.clone(),
                    tenant: deployment.tenant_id.clone(),
                    release: deployment.release_id.clone(),
                    deployment: Some(deployment.id.clone()),
                    task: Some(deployment.task_id.clone()),
                },
                created: deployment.created,
                ended: task.and_then(|t| t.completed_time),
                raw: deployment.raw,
            }))
        })
        .raise()
    }

    /// How projects differ between two environments, by what was deployed well to each.
    ///
    /// ```rhai
    /// for d in compare("Test", "Production") { if d.state != "same" { print(d); } }
    /// ```
    fn compare(host: Host, env_a: EnvironmentRef, env_b: EnvironmentRef; options: CompareOptions) -> "list of Difference" raises "not_found, ambiguous, request" {
        let place = host.place();
        let (left, right, found) = host.block(async {
            let left = place.environment(&env_a).await?.name.clone();
            let right = place.environment(&env_b).await?.name.clone();
            let both = DashboardOptions {
                env: Chosen::These(vec![env_a.clone(), env_b.clone()]),
                projects: options.projects.clone(),
                group: options.group.clone(),
                tenants: options.tenants.clone(),
                successful: true,
            };
            Ok((left, right, rows(&place, &both).await?))
        })?;
        let mut pairs: BTreeMap<(String, Option<String>), Difference> = BTreeMap::new();
        for row in found {
            let pair = pairs.entry((row.project.clone(), row.tenant.clone())).or_insert_with(|| Difference {
                project: row.project.clone(),
                tenant: row.tenant.clone(),
                left: None,
                right: None,
            });
            if row.env == left {
                pair.left = Some((row.ids.release.clone(), row.release.clone()));
            }
            if row.env == right {
                pair.right = Some((row.ids.release.clone(), row.release.clone()));
            }
        }
        Ok(pairs.into_values().map(Dynamic::from).collect::<Array>())
    }
}
