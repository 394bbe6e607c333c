//! Promotion: bring what is live in one environment to the next, put back what was there before.

use super::prelude::*;
use super::{
    dashboard::{DashboardOptions, rows},
    deployments::{DeployOptions, DeploymentPlan, MoveOptions, PlannedRelease, RollbackOptions, RowOptions, live},
    obstacles::{self, Obstacles},
    references::{EnvironmentRef, GroupRef, ProjectRef, Ref, TenantRef},
    space::Space,
    task::Task,
    time::Moment,
};
use crate::api::{
    create_once::mark_in,
    meant::{Meant, position_of},
};

/// A release that is live in one environment and not in another.
#[derive(Clone)]
pub struct Promotable {
    plan: DeploymentPlan,
    from: String,
    replaces: Option<String>,
    /// The deployment that was live there when the list was made; not all servers say it.
    there: Option<api::DeploymentId>,
    obstacles: Obstacles,
}

impl Promotable {
    /// Whether it is the same release for the same place.
    pub fn same(&self, other: &Self) -> bool {
        self.plan.release.id == other.plan.release.id && self.to_string() == other.to_string()
    }
}

impl fmt::Display for Promotable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {} → {}", self.plan.project.name, self.plan.release.version, self.from, self.plan.environment.name)?;
        if let Some(tenant) = &self.plan.tenant {
            write!(f, " for {}", tenant.name)?;
        }
        match self.obstacles.shown() {
            Some(why) => write!(f, " (blocked: {why})"),
            None => Ok(()),
        }
    }
}

crate::script_type! {
    /// A release that is live in one environment and could go on to another.
    Promotable as "Promotable" shows [project, tenant, release, from, to, replaces, blocked_by] {
        /// The project's name.
        project: "text" = |p| p.plan.project.name.clone();
        /// The version that would be deployed.
        release: "text" = |p| p.plan.release.version.clone();
        /// The tenant's name; `()` when there is none.
        tenant: "text" = |p| p.plan.tenant.as_ref().map(|t| t.name.clone());
        /// The environment it is live in.
        from: "text" = |p| p.from.clone();
        /// The environment it would go to.
        to: "text" = |p| p.plan.environment.name.clone();
        /// The version that is live there now; `()` when there is none.
        replaces: "text" = |p| p.replaces.clone();
        /// Why it may not be deployed: the lifecycle, a blocked progression, a freeze, a prompted variable that needs a value, ...; `()` when
        /// it may.
        blocked_by: "text" = |p| p.obstacles.shown();
        /// The names of prompted variables that need a value: `row.deploy(#{variables: #{...}})` gives it. Empty when something else is in
        /// the way too.
        needs: "list of text" = |p| p.obstacles.needs();
    }
}

crate::options! {
    /// Which projects to look at.
    pub struct PromotableOptions for ["promotable"] {
        /// Only these projects.
        projects: Chosen<ProjectRef> = Chosen::All, "all";
        /// Only the projects of a project group.
        group: Option<GroupRef> = None, "none";
        /// Only these tenants.
        tenants: Chosen<TenantRef> = Chosen::All, "all";
        /// Also those where the target environment has a newer version.
        older: bool = false, "false";
        /// Ask the server for each whether it may be deployed (`blocked_by`): two requests for each release, and one for deployment freezes.
        check: bool = true, "true";
    }
}

/// What may be promoted: two dashboard rows for each project and tenant, compared by version.
async fn find(
    host: &Host,
    place: &Space,
    from: &EnvironmentRef,
    to: &EnvironmentRef,
    options: &PromotableOptions,
) -> Result<Vec<Promotable>> {
    let source = place.environment(from).await?;
    let target = place.environment(to).await?;
    let both = DashboardOptions {
        env: Chosen::These(vec![from.clone(), to.clone()]),
        projects: options.projects.clone(),
        group: options.group.clone(),
        tenants: options.tenants.clone(),
        successful: true,
    };
    let mut here = Vec::new();
    let mut there = BTreeMap::new();
    for row in rows(place, &both).await? {
        let key = (row.project.clone(), row.tenant.clone());
        if row.env == target.name {
            there.insert(key, row);
        } else {
            here.push((key, row));
        }
    }
    let wanted: Vec<_> = here
        .into_iter()
        .filter(|(key, row)| {
            there.get(key).is_none_or(|now| {
                match api::releases::order((&row.ids.release, &row.release), (&now.ids.release, &now.release)) {
                    std::cmp::Ordering::Greater => true,
                    std::cmp::Ordering::Less => options.older,
                    std::cmp::Ordering::Equal => false,
                }
            })
        })
        .collect();
    let ids: Vec<api::ReleaseId> = wanted.iter().map(|(_, row)| row.ids.release.clone()).collect();
    let mut releases: BTreeMap<api::ReleaseId, PlannedRelease> = BTreeMap::new();
    place.space.each_known_release(&ids, |release| drop(releases.insert(release.id.clone(), release.into()))).await?;
    let mut obstacles: BTreeMap<(api::ReleaseId, Option<api::TenantId>), Obstacles> = BTreeMap::new();
    if options.check {
        // Each release is a request of its own: many at once, in an order that repeats. With 32 a thousand releases are
        // 32 round trips: 0.6 s on a server that takes 20 ms.
        let distinct: Vec<api::ReleaseId> = releases.keys().cloned().collect();
        let mut templates: BTreeMap<api::ReleaseId, Result<api::DeploymentTemplate>> = BTreeMap::new();
        for chunk in distinct.chunks(32) {
            let kept = |answer: Result<_>| match answer {
                Err(error) if !super::lists::is_of_one(&error) => Err(error),
                answer => Ok(answer),
            };
            let answers = super::lists::all(chunk.iter().map(async |id| kept(place.space.deployment_template(id).await))).await?;
            templates.extend(chunk.iter().cloned().zip(answers));
        }
        let asked: BTreeSet<_> = wanted.iter().map(|(_, row)| (row.ids.release.clone(), row.ids.tenant.clone())).collect();
        let asked: Vec<_> = asked.into_iter().filter_map(|key| templates.get(&key.0).map(|template| (key, template))).collect();
        for chunk in asked.chunks(32) {
            let found =
                chunk.iter().map(|((release, tenant), template)| obstacles::find(place, release, template, &target, tenant.as_ref()));
            let answers = super::lists::all(found).await?;
            obstacles.extend(chunk.iter().map(|(key, _)| key.clone()).zip(answers));
        }
    }
    let now = host.now();
    let freezes = if options.check {
        match place.client.freezes(now).await {
            // Who may not see them is told by the server when it refuses.
            Err(error) if error.kind() == Kind::Forbidden => Vec::new(),
            freezes => freezes?,
        }
    } else {
        Vec::new()
    };
    let mut found = Vec::new();
    for (key, row) in wanted {
        let Some(release) = releases.get(&row.ids.release) else { continue };
        let project = place.project(&row.ids.project).await?;
        let tenant = match &row.ids.tenant {
            Some(id) => match place.tenant(id).await {
                Err(error) if super::lists::is_of_one(&error) => {
                    host.warn_once(format!("{} {} is left out for tenant {id}: {error}", project.name, release.version));
                    continue;
                }
                tenant => Some(tenant?),
            },
            None => None,
        };
        let mut obstacles = obstacles.get(&(release.id.clone(), row.ids.tenant.clone())).cloned().unwrap_or_default();
        obstacles.frozen =
            super::freezes::strictest(&freezes, now, &project, &target, tenant.as_deref()).map(|freeze| freeze.in_words(host));
        if project.is_disabled {
            obstacles = Obstacles::because("the project is disabled");
        }
        if let Some(tenant) = &tenant
            && !super::tenants::connected(tenant, Some(&project.id), Some(&target.id))
        {
            obstacles = Obstacles::because(format!("{} is not connected to {} in {}", tenant.name, project.name, target.name));
        }
        found.push(Promotable {
            plan: DeploymentPlan { place: place.clone(), project, environment: target.clone(), tenant, release: release.clone() },
            from: source.name.clone(),
            replaces: there.get(&key).map(|row| row.release.clone()),
            there: there.get(&key).and_then(|row| row.ids.deployment.clone()),
            obstacles,
        });
    }
    Ok(found)
}

/// Starts what `row` says, unless something blocks it.
fn go(host: &Host, row: &Promotable, options: &DeployOptions) -> HostResult<Task> {
    // What is asked may be answered only now.
    let mut obstacles = row.obstacles.clone();
    options.check_begin()?;
    // What begins later does not begin in the freeze.
    if options.override_freeze.is_some() || options.begin.is_some() {
        obstacles.frozen = None;
    }
    for name in options.variables.keys() {
        if let Some(at) =
            position_of("prompted variable", Meant::Written(name), &obstacles.unanswered, api::previews::Prompt::keys).raise()?
        {
            obstacles.unanswered.remove(at);
        }
    }
    if let Some(why) = obstacles.shown() {
        let (project, release) = (&row.plan.project.name, &row.plan.release.version);
        let error = Error::new(Kind::Refused, format!("{project} {release} may not be deployed to {}: {why}", row.plan.environment.name));
        let error = match obstacles.needs().first() {
            Some(name) => error.help(format!("give it: `row.deploy(#{{variables: #{{\"{name}\": ...}}}})`")),
            None => error,
        };
        return Err(raise(error.with("project", project.clone()).with("blocked_by", why.clone())));
    }
    host.start_if(&row.plan, options, "promote", still_there(host, row))
}

/// An error when something else is live in the target than when the list was made. What this run deployed there itself does not count.
async fn still_there(host: &Host, row: &Promotable) -> Result<()> {
    let plan = &row.plan;
    if row.replaces.is_some() && row.there.is_none() {
        return Ok(());
    }
    let Some(live) = plan.spot().live().await? else { return Ok(()) };
    let is_own = mark_in(&live.comments).as_deref() == Some(host.run_id.as_str());
    if row.there.as_ref() == Some(&live.id) || is_own || live.release_id == plan.release.id {
        return Ok(());
    }
    let version = plan.place.space.release(&live.release_id).await.map_or_else(|_| live.release_id.to_string(), |release| release.version);
    let since = live.created.map(|at| format!(" since {}", Moment::of(host, at))).unwrap_or_default();
    let text = format!(
        "{} {} is not promoted to {}: {version} of {} is live there{since}; when the list was made it was {}",
        plan.project.name,
        plan.release.version,
        plan.environment.name,
        live.deployed_by,
        row.replaces.as_deref().unwrap_or("nothing")
    );
    Err(Error::new(Kind::Refused, text)
        .with("project", plan.project.name.clone())
        .with("release", version)
        .help("ask `promotable` again, or deploy it all the same: `deploy(row.project, row.release, row.to)`"))
}

impl Host {
    /// The release of `project` that is live in `from`, planned for `to`.
    pub fn plan_promotion(&self, project: &Ref, from: &Ref, to: &Ref, options: &DeployOptions) -> HostResult<DeploymentPlan> {
        options.check_begin()?;
        let place = self.place();
        let (plan, from) = self.block(async {
            let project = place.project(project).await?;
            let source = place.environment(from).await?;
            let environment = place.environment(to).await?;
            let tenant = place.tenant_or_none(options.tenant.as_deref()).await?;
            let live = live(&place, &project, &source, tenant.as_deref()).await?;
            let Some(release) = live.release else {
                return Err(Error::new(
                    Kind::NotFound,
                    format!("{} was never deployed to {}: there is nothing to promote", project.name, source.name),
                ));
            };
            Ok((DeploymentPlan { place: place.clone(), project, environment, tenant, release: release.into() }, source.name.clone()))
        })?;
        self.note(
            Level::Info,
            format!("{} {} is live in {from}: promoting it to {}", plan.project.name, plan.release.version, plan.environment.name),
        );
        Ok(plan)
    }

    fn live_plan(&self, project: &Ref, env: &Ref, options: &DeployOptions) -> HostResult<(DeploymentPlan, api::Deployment)> {
        options.check_begin()?;
        let place = self.place();
        self.block(async {
            let (project, environment, tenant) = place.spot(project, env, options.tenant.as_deref()).await?;
            let now = live(&place, &project, &environment, tenant.as_deref()).await?;
            let Some((release, deployment)) = now.release.zip(now.deployment) else {
                return Err(Error::new(Kind::NotFound, format!("{} was never deployed to {}", project.name, environment.name)));
            };
            Ok((DeploymentPlan { place: place.clone(), project, environment, tenant, release: release.into() }, deployment))
        })
        .raise()
    }
}

crate::functions! {
    group "query";

    /// The releases that are live in `from` and newer than what is live in `to`. Each row has `.deploy()`, and
    /// `.blocked_by` says why it may not be deployed: the lifecycle, a deployment freeze, a disabled project, a prompted
    /// variable that needs a value.
    ///
    /// ```rhai
    /// for row in promotable("Test", "Production") {
    ///     if row.blocked_by == () { row.deploy(); }
    /// }
    /// ```
    fn promotable(host: Host, from: EnvironmentRef, to: EnvironmentRef; options: PromotableOptions) -> "list of Promotable" raises "not_found, ambiguous, request" {
        let place = host.place();
        let found = host.block(find(&host, &place, &from, &to, &options))?;
        Ok(found.into_iter().map(Dynamic::from).collect::<Array>())
    }

    group "act";

    /// Deploys what the row says and returns the task. A blocked row is an error of kind `refused`, and so is one whose target
    /// has got another release from somebody else since the list was made.
    ///
    /// ```rhai
    /// wait(promotable("Test", "Production").map(|row| row.deploy()));
    /// ```
    fn deploy[row: Promotable](host: Host; options: Box<RowOptions>) -> "Task" raises "not_found, refused, conflict, in_doubt, fenced, request" {
        go(&host, &row, &(*options).into())
    }

    /// Deploys the release of `project` that is live in `from` to `to` and returns the task.
    ///
    /// ```rhai
    /// wait(promote("Project A", "Test", "Production"));
    /// ```
    fn promote(host: Host, project: ProjectRef, from: EnvironmentRef, to: EnvironmentRef; options: Box<MoveOptions>) -> "Task" raises "not_found, ambiguous, refused, conflict, in_doubt, fenced, request" {
        let options = DeployOptions::from(*options);
        let plan = host.plan_promotion(&project, &from, &to, &options)?;
        host.start(&plan, &options, "promote")
    }

    /// Deploys again what is live in `env` and returns the task.
    ///
    /// ```rhai
    /// wait(redeploy("Project A", "Test"));
    /// ```
    fn redeploy(host: Host, project: ProjectRef, env: EnvironmentRef; options: Box<MoveOptions>) -> "Task" raises "not_found, ambiguous, refused, conflict, in_doubt, fenced, request" {
        let options = DeployOptions::from(*options);
        let (plan, deployment) = host.live_plan(&project, &env, &options)?;
        let options = host.as_before(&plan.place, &deployment, &options)?;
        host.start(&plan, &options, "redeploy")
    }

    /// Deploys the release that was live in `env` before the one that is live now, and returns the task. When that release was
    /// deleted since, by retention or by a person, that is an error that names it; `skip_missing: true` goes back to the one
    /// before it.
    ///
    /// ```rhai
    /// wait(deploy("Project A", "2.0.0", "Test"));
    /// wait(rollback("Project A", "Test"));
    /// ```
    fn rollback(host: Host, project: ProjectRef, env: EnvironmentRef; options: Box<RollbackOptions>) -> "Task" raises "not_found, ambiguous, refused, conflict, in_doubt, fenced, request" {
        let (skip_missing, deploy) = (options.skip_missing, DeployOptions::from(*options));
        let (mut plan, live) = host.live_plan(&project, &env, &deploy)?;
        let earlier = host.block(plan.spot().before(&live))?;
        let (name, at, now) = (&plan.project.name, &plan.environment.name, &plan.release.version);
        if earlier.unsure {
            host.note(Level::Warning, format!("{name} in {at}: the event log may not be read, so a release that was deleted is not noticed"));
        }
        if let Some(gone) = earlier.gone.first() {
            let when = Moment::of(&host, gone.at);
            let text = format!("{name} {gone}, which was live in {at} before {now} (since {when}), is gone: retention or a person deleted it");
            if !skip_missing {
                let error = Error::new(Kind::NotFound, text).with("project", name.clone()).with("release", gone.to_string());
                return Err(raise(match &earlier.found {
                    Some((before, _)) => error.help(format!("`skip_missing: true` goes back to {}, which was live before it", before.version)),
                    None => error.help("there is no older release either: deploy one by its version"),
                }));
            }
            host.note(Level::Warning, text);
        }
        let Some((before, deployment)) = earlier.found else {
            return Err(raise(Error::new(Kind::NotFound, format!("there is no older release of {name} in {at} to go back to"))));
        };
        host.note(Level::Info, format!("{name} in {at}: going back from {now} to {}", before.version));
        plan.release = before.into();
        let options = match &deployment {
            Some(deployment) => host.as_before(&plan.place, deployment, &deploy)?,
            None => deploy,
        };
        host.start(&plan, &options, "rollback")
    }
}
