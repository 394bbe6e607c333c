//! Deployments: start them, look at past ones.

use super::prelude::*;
use super::{
    begin::{Begin, FreezeScope},
    history::Spot,
    past_deployments::{DeploymentFilter, past},
    references::{ChannelRef, EnvironmentRef, Given, ProjectRef, Ref, ReleaseRef, StepRef, TargetRef, TargetTagRef, TenantRef},
    releases::ReleaseChannel,
    space::Space,
    tags::target_tags,
    task::Task,
    time::{Moment, When, WindowText},
};
use crate::{
    api::{
        freezes::FreezeAt,
        meant::{Keys, the_one},
    },
    engine::thrown::REVEAL,
    secrets::Secret,
};

/// The newest successful deployment of a project to an environment, with names.
#[derive(Clone, Debug)]
pub struct Live {
    /// The project's name.
    pub project: String,
    /// The environment's name.
    pub environment: String,
    /// The tenant's name.
    pub tenant: Option<String>,
    /// The deployment; none when nothing was ever deployed well.
    pub deployment: Option<api::Deployment>,
    /// Its release.
    pub release: Option<api::Release>,
}

impl Live {
    /// The version of its release.
    pub fn version(&self) -> Option<&str> {
        self.release.as_ref().map(|release| release.version.as_str())
    }
}

/// What is live, by names.
pub async fn live_version(place: &Space, project: &Ref, env: &Ref, tenant: Option<&Ref>) -> Result<Live> {
    let (project, environment, tenant) = place.spot(project, env, tenant).await?;
    live(place, &project, &environment, tenant.as_deref()).await
}

/// [`live_version`], and whether it lies in a range.
pub async fn live_in(
    place: &Space,
    project: &Ref,
    env: &Ref,
    tenant: Option<&Ref>,
    range: &api::version::VersionRange,
) -> Result<(Live, bool)> {
    let live = live_version(place, project, env, tenant).await?;
    let is_in = match &live.release {
        Some(release) => place.space.is_in(release, range).await?,
        None => false,
    };
    Ok((live, is_in))
}

/// What is live.
pub async fn live(place: &Space, project: &api::Project, environment: &api::Environment, tenant: Option<&api::Tenant>) -> Result<Live> {
    if tenant.is_none() && project.tenanted_deployment_mode.as_str() == "Tenanted" {
        return Err(Error::new(Kind::Script, format!("{} is deployed only for tenants: what is live depends on the tenant", project.name))
            .help("name one, or look at `dashboard(#{projects: ...})`"));
    }
    let deployment = Spot::new(place, project, environment, tenant).live().await?;
    let release = match &deployment {
        Some(deployment) => Some(place.space.release(&deployment.release_id).await?),
        None => None,
    };
    Ok(Live {
        project: project.name.clone(),
        environment: environment.name.clone(),
        tenant: tenant.map(|t| t.name.clone()),
        deployment,
        release,
    })
}

/// Declares the options of a function that deploys: its own first, then those of all.
macro_rules! deploy_options {
    ($(#[$meta:meta])* pub struct $name:ident for [$($function:literal),+] { $($(#[doc = $prose:literal])+ $field:ident: $type:ty = $default:expr, $shown:literal;)* }) => {
        crate::options! {
            $(#[$meta])*
            pub struct $name for [$($function),+] {
                $($(#[doc = $prose])+ $field: $type = $default, $shown;)*
                /// Values of prompted variables by name, e.g. `#{"Change number": "CHG-1"}`.
                variables: Map = Map::new(), "#{}";
                /// Only these deployment targets, by name. An empty list is an error: it would deploy to none.
                machines: OneOrMore<TargetRef> = OneOrMore::ALL, "all";
                /// Not these deployment targets, by name.
                exclude_machines: Vec<TargetRef> = Vec::new(), "[]";
                /// Only deployment targets with one of these tags, e.g. `"Ring/Canary"`. An empty list is an error: it would deploy to none.
                target_tags: OneOrMore<TargetTagRef> = OneOrMore::ALL, "all";
                /// Not deployment targets with one of these tags.
                without_target_tags: Vec<TargetTagRef> = Vec::new(), "[]";
                /// First takes the project's variables into the release, where they were changed since the release took them. The release keeps
                /// them, also for later deployments.
                update_variables: bool = false, "false";
                /// Steps to skip, by name.
                skip_steps: Vec<StepRef> = Vec::new(), "[]";
                /// When the server shall start it; otherwise at once.
                at: Option<When> = None, "none";
                /// Waits with the deployment: `"next allowed"` is the first minute outside of deployment freezes, those that come again
                /// included, and inside of `window` where one is given. It is looked at again when it has come.
                begin: Option<Begin> = None, "none";
                /// The hours in which `begin: "next allowed"` may begin, e.g. `"Mon-Fri 22:00-04:00"`, in the run's zone.
                window: Option<WindowText> = None, "none";
                /// How long the server may keep it queued before it gives up.
                expires: Option<SignedDuration> = None, "6h";
                /// A comment on the deployment.
                comment: Option<String> = None, "none";
                /// Whether a failing step asks a person; otherwise as the project and environment say.
                guided_failure: Option<bool> = None, "none";
                /// Download packages again.
                force_package_download: bool = false, "false";
                /// Deploy packages again that are installed already.
                force_package_redeployment: bool = false, "false";
                /// Priority in the server's queue; otherwise as the lifecycle says.
                priority: Option<Priority> = None, "none";
                /// Why deployment freezes may be overridden: those that hold now, or at the time in `at`. Without it a freeze is an error.
                override_freeze: Option<Name> = None, "none";
            }
        }
    };
}

/// The same with the options that [`DeployOptions`] has besides; they are not given.
macro_rules! as_deploy_options {
    ($given:ident { $($own:ident: $value:expr),* }) => {
        DeployOptions {
            $($own: $value,)*
            variables: $given.variables,
            machines: $given.machines,
            exclude_machines: $given.exclude_machines,
            target_tags: $given.target_tags,
            without_target_tags: $given.without_target_tags,
            update_variables: $given.update_variables,
            skip_steps: $given.skip_steps,
            at: $given.at,
            begin: $given.begin,
            window: $given.window,
            expires: $given.expires,
            comment: $given.comment,
            guided_failure: $given.guided_failure,
            force_package_download: $given.force_package_download,
            force_package_redeployment: $given.force_package_redeployment,
            priority: $given.priority,
            override_freeze: $given.override_freeze,
        }
    };
}

crate::words! {
    /// Priority in the server's queue.
    pub enum Priority {
        /// Before the others.
        On = "on",
        /// In its turn.
        Off = "off",
        /// As the phase of the lifecycle says.
        Lifecycle = "lifecycle default",
    }
}

impl Priority {
    /// As the server writes it.
    pub(super) fn server_word(self) -> &'static str {
        match self {
            Self::On => "On",
            Self::Off => "Off",
            Self::Lifecycle => "LifecycleDefault",
        }
    }
}

deploy_options! {
    /// How to deploy.
    pub struct DeployOptions for ["deploy", "ensure"] {
        /// The tenant.
        tenant: Option<TenantRef> = None, "none";
        /// The channel in which `"latest"` or a range is looked for, otherwise the project's default channel, or for an ephemeral environment
        /// the project's channel for these. A version that is written out must be in it.
        channel: Option<ChannelRef> = None, "none";
    }
}

deploy_options! {
    /// How to deploy a release that was chosen by where it is live.
    pub struct MoveOptions for ["promote", "redeploy"] {
        /// The tenant.
        tenant: Option<TenantRef> = None, "none";
    }
}

deploy_options! {
    /// How to go back.
    pub struct RollbackOptions for ["rollback"] {
        /// The tenant.
        tenant: Option<TenantRef> = None, "none";
        /// Go back to the one before it when the release that was live before was deleted. Without it that is an error.
        skip_missing: bool = false, "false";
    }
}

deploy_options! {
    /// How to deploy what a row says.
    pub struct RowOptions for ["deploy"] {}
}

impl From<MoveOptions> for DeployOptions {
    fn from(given: MoveOptions) -> Self {
        as_deploy_options!(given { tenant: given.tenant, channel: None })
    }
}

impl From<RollbackOptions> for DeployOptions {
    fn from(given: RollbackOptions) -> Self {
        as_deploy_options!(given { tenant: given.tenant, channel: None })
    }
}

impl From<RowOptions> for DeployOptions {
    fn from(given: RowOptions) -> Self {
        as_deploy_options!(given { tenant: None, channel: None })
    }
}

/// A deployment to be made: names looked up, release chosen.
#[derive(Clone)]
pub struct DeploymentPlan {
    /// Where.
    pub place: Space,
    /// Project.
    pub project: Arc<api::Project>,
    /// Environment.
    pub environment: Arc<api::Environment>,
    /// Tenant.
    pub tenant: Option<Arc<api::Tenant>>,
    /// Release.
    pub release: PlannedRelease,
}

/// The release of a [`DeploymentPlan`]: the server is told its id, and people its version.
#[derive(Clone)]
pub struct PlannedRelease {
    /// Its id.
    pub id: api::ReleaseId,
    /// Its version.
    pub version: String,
}

impl From<api::Release> for PlannedRelease {
    fn from(release: api::Release) -> Self {
        Self { id: release.id, version: release.version }
    }
}

impl DeploymentPlan {
    /// Where it would be deployed.
    pub fn spot(&self) -> Spot<'_> {
        Spot::new(&self.place, &self.project, &self.environment, self.tenant.as_deref())
    }
}

/// Whether an environment is an ephemeral one, to which releases go through another channel.
///
/// # Errors
/// `refused` for a parent environment, and for a tenant in an ephemeral one: the server would say no.
fn deployable(environment: &api::Environment, tenant: Option<&api::Tenant>) -> Result<bool> {
    match (environment.kind(), tenant) {
        (api::EnvironmentKind::Parent, _) => {
            let why = format!(
                "`{}` is a parent environment: it gives scope to ephemeral ones, and nothing can be deployed to it",
                environment.name
            );
            Err(Error::new(Kind::Refused, why)
                .help("name an ephemeral environment below it: `envs(#{type: \"ephemeral\"})` lists them, `create_environment` makes one"))
        }
        (api::EnvironmentKind::Ephemeral, Some(tenant)) => Err(Error::new(
            Kind::Refused,
            format!(
                "`{}` is an ephemeral environment: nothing can be deployed there for a tenant, such as {}",
                environment.name, tenant.name
            ),
        )
        .help("leave `tenant` out")),
        (kind, _) => Ok(*kind == api::EnvironmentKind::Ephemeral),
    }
}

impl Host {
    /// Looks up what a deployment needs.
    pub fn plan(&self, project: &Ref, version: &Ref, env: &Ref, options: &DeployOptions) -> HostResult<DeploymentPlan> {
        options.check_begin()?;
        let place = self.place();
        let (project, environment, tenant) = self.block(place.spot(project, env, options.tenant.as_deref()))?;
        if tenant.is_none() && project.tenanted_deployment_mode.as_str() == "Tenanted" {
            return Err(Error::new(Kind::Script, format!("{} is deployed only for tenants", project.name))
                .help("name one with #{tenant: \"...\"}, or go through `tenants(#{project: ...})`")
                .into());
        }
        let is_ephemeral = deployable(&environment, tenant.as_deref()).raise()?;
        let release = match &version.1 {
            Some(Given::Release { project: of, .. }) if *of != project.id => {
                return Err(raise(Error::new(
                    Kind::Script,
                    format!("the release given is one of another project, not of {}", project.name),
                )));
            }
            // Its version could be read as that of another one. Nothing is asked: the deployment names the id, and what the server thinks of
            // that release when it gets it is what counts. It is a step still, as in the records of runs that asked.
            Some(Given::Release { id, .. }) => {
                let given = PlannedRelease { id: id.clone(), version: version.as_str().to_owned() };
                self.block(async { Ok(given) })?
            }
            _ => {
                let channel = match &options.channel {
                    Some(channel) => ReleaseChannel::Named(channel),
                    None if is_ephemeral => ReleaseChannel::Ephemeral,
                    None => ReleaseChannel::Default,
                };
                self.choose(&place, &project, version.as_str(), channel)?.into()
            }
        };
        Ok(DeploymentPlan { place, project, environment, tenant, release })
    }

    /// Starts a deployment.
    pub fn start(&self, plan: &DeploymentPlan, options: &DeployOptions, how: &str) -> HostResult<Task> {
        self.start_if(plan, options, how, async { Ok(()) })
    }

    /// Starts a deployment if what was decided by is still so, which `check` asks right before: the one place where that happens.
    pub fn start_if(
        &self,
        plan: &DeploymentPlan,
        options: &DeployOptions,
        how: &str,
        check: impl Future<Output = Result<()>>,
    ) -> HostResult<Task> {
        let place = &plan.place;
        options.check_begin()?;
        deployable(&plan.environment, plan.tenant.as_deref()).raise()?;
        self.wait_for_beginning(plan, options)?;
        let mut new = api::NewDeployment::new(&plan.project.id, &plan.release.id, &plan.environment.id);
        new.tenant = plan.tenant.as_ref().map(|t| t.id.clone());
        new.comments = options.comment.clone().unwrap_or_default();
        new.use_guided_failure = options.guided_failure;
        new.force_package_download = options.force_package_download;
        new.subject.force_package_redeployment = options.force_package_redeployment;
        if let Some(at) = &options.at {
            new.queue_time = Some(at.resolve(self)?);
        }
        if let Some(expires) = options.expires {
            new.queue_expiry = expires;
            // A short life settles a doubt by itself: what has not started by then never will, so it can be sent anew.
            if new.queue_time.is_none() && expires <= SignedDuration::from_mins(30) {
                new.doubt_patience = new.doubt_patience.max(expires + SignedDuration::from_mins(1));
            }
        }
        new.priority = options.priority.map(|priority| priority.server_word().to_owned());
        if options.override_freeze.is_some() || new.queue_time.is_some() {
            let now = self.now();
            let at = new.queue_time.map_or(now, |at| at.max(now));
            self.mind_freezes(plan, options, &mut new, now, at)?;
        }
        let warning = if options.update_variables {
            self.block(check)?;
            self.update_variables(plan)?;
            // What is asked before the deployment follows from the variables.
            self.block(fill_in(plan, options, &mut new))
        } else {
            self.block(async {
                check.await?;
                fill_in(plan, options, &mut new).await
            })
        };
        if let Some(warning) = warning? {
            self.note(Level::Warning, warning);
        }
        let arguments = json!({
            "release": new.subject.release.to_string(), "environment": new.environment.to_string(), "tenant": new.tenant.as_ref().map(ToString::to_string),
            "at": new.queue_time.map(|t| t.to_string()),
        });
        let deployment = self.effect("deploy", &arguments, |attempt| {
            let new = &new;
            let title = || format!("{} {} → {}", plan.project.name, plan.release.version, plan.environment.name);
            async move {
                let created = place.space.create(new, attempt.marker.as_str(), &attempt).await;
                created.map_err(|error| match error.kind() {
                    Kind::InDoubt => error.context(title()),
                    Kind::Refused => {
                        error.help("what may be deployed where, and what stands against it: `promotable(from, to)` with `blocked_by`, and `freeze(project, env)`")
                    }
                    _ => error,
                })
            }
        })?;
        // It is there: nothing that fails from here on may hide it.
        let subject = self.named(place, &deployment, Some(&plan.release.version))?;
        let task = Task::new(place.clone(), subject, api::Task::of_new(&deployment), Some(deployment), None);
        self.started(&task, how);
        Ok(task)
    }
}

impl DeployOptions {
    /// An error for options that cannot stand together, which is told before anything is asked.
    pub(super) fn check_begin(&self) -> HostResult<()> {
        let why = match (self.begin, &self.window) {
            (None, Some(_)) => "`window` says when `begin: \"next allowed\"` may begin: give both",
            (Some(_), _) if self.at.is_some() => "`at` is a time and `begin` a rule for one: give one of them",
            (Some(_), _) if self.override_freeze.is_some() => {
                "`begin: \"next allowed\"` waits until no freeze holds, and `override_freeze` does not wait for that: give one of them"
            }
            _ => return Ok(()),
        };
        Err(raise(Error::new(Kind::Script, why)))
    }
}

impl Host {
    /// Waits until a deployment with `begin` may begin; see [`Host::wait_to_begin`]. One without it begins at once.
    fn wait_for_beginning(&self, plan: &DeploymentPlan, options: &DeployOptions) -> HostResult<bool> {
        let Some(Begin::NextAllowed) = options.begin else { return Ok(false) };
        let tenant = plan.tenant.as_ref();
        let scope = FreezeScope { project: &plan.project.id, environment: &plan.environment.id, tenant: tenant.map(|tenant| &tenant.id) };
        let tenant = tenant.map(|tenant| format!(" for {}", tenant.name)).unwrap_or_default();
        let title = format!("{} {} → {}{tenant}", plan.project.name, plan.release.version, plan.environment.name);
        self.wait_to_begin(&plan.place, &scope, options.window.as_ref(), &title)
    }

    /// Takes the project's variables into the release.
    fn update_variables(&self, plan: &DeploymentPlan) -> HostResult<()> {
        let arguments = json!({"release": plan.release.id.to_string()});
        let was_changed =
            self.effect("update variables", &arguments, |_| async move { plan.place.space.renew_variables(&plan.release.id).await })?;
        let what = if was_changed { "has the project's variables now" } else { "has the project's variables already" };
        self.note(Level::Info, format!("{} {} {what}", plan.project.name, plan.release.version));
        Ok(())
    }

    /// Says of a new deployment which freezes it overrides, if a reason is given; else warns when the server will find one of them at its start.
    fn mind_freezes(
        &self,
        plan: &DeploymentPlan,
        options: &DeployOptions,
        new: &mut api::NewDeployment,
        now: Timestamp,
        at: Timestamp,
    ) -> HostResult<()> {
        let (project, environment, tenant) = (new.subject.project.clone(), new.environment.clone(), new.tenant.clone());
        let found = self.block(async {
            let mut found = plan.place.client.freezes(at).await?;
            found.retain(|freeze| freeze.covers(&project, &environment, tenant.as_ref()));
            // A freeze that holds now and not then keeps the deployment from being created.
            found.retain(|freeze| freeze.at(at) != FreezeAt::Open || freeze.at(now) != FreezeAt::Open);
            Ok(found)
        });
        let Some(reason) = &options.override_freeze else {
            // A warning is not worth an error: who may not see freezes is told by the server.
            for freeze in found.unwrap_or_default() {
                if let FreezeAt::Frozen(_) = freeze.at(at) {
                    let at = Moment::of(self, at);
                    let title = format!("{} {} → {}", plan.project.name, plan.release.version, plan.environment.name);
                    self.note(
                        Level::Warning,
                        format!("{title} is planned for {at}: deployment freeze `{}` holds then, and it will fail", freeze.name),
                    );
                }
            }
            return Ok(());
        };
        let ids: Vec<api::FreezeId> = found?.into_iter().map(|freeze| freeze.id).collect();
        if !ids.is_empty() {
            new.subject.freeze_override = Some((ids, reason.to_string()));
        }
        Ok(())
    }
}

/// Names of prompted variables, steps, deployment targets and their tags become what the server wants: form elements and ids. Returns what
/// is to be warned of.
async fn fill_in(plan: &DeploymentPlan, options: &DeployOptions, new: &mut api::NewDeployment) -> Result<Option<String>> {
    let space = &plan.place.space;
    let tags = [options.target_tags.named(), options.without_target_tags.as_slice()];
    [new.specific_target_tags, new.excluded_target_tags] = target_tags(space, tags).await?;
    let tags = &new.specific_target_tags;
    if let Some(both) = options.target_tags.named().iter().zip(tags).find(|(_, id)| new.excluded_target_tags.contains(id)) {
        let text =
            format!("the target tag `{}` is in `target_tags` and in `without_target_tags`: no deployment target would be left", both.0);
        return Err(Error::new(Kind::Script, text));
    }
    let is_simple = options.variables.is_empty() && options.skip_steps.is_empty() && options.exclude_machines.is_empty();
    if is_simple && options.machines.is_all() && options.target_tags.is_all() {
        return Ok(None);
    }
    let preview = plan.place.space.deployment_preview(&plan.release.id, &plan.environment.id, plan.tenant.as_ref().map(|t| &t.id)).await?;
    let whole = format!("{} {} to {}", plan.project.name, plan.release.version, plan.environment.name);
    let missing = |what: &str, name: &str, known: Vec<&str>| {
        Error::new(Kind::NotFound, format!("{whole} has no {what} `{name}`")).suggest(name, known.iter().copied())
    };
    new.form_values = form_values(&preview, &whole, &options.variables)?;
    for name in &options.skip_steps {
        let name = name.as_str();
        let step = the_one("step", name, &preview.steps, |s| Keys::name_and_id(&s.name, &s.action_id))?;
        let step = step.ok_or_else(|| missing("step", name, preview.steps.iter().map(|s| s.name.as_str()).collect()))?;
        new.skip_actions.push(step.action_id.clone());
    }
    let machines: Vec<&api::previews::PreviewMachine> = preview.steps.iter().flat_map(|s| s.machines.iter()).collect();
    for (names, into) in
        [(options.machines.named(), &mut new.specific_machines), (options.exclude_machines.as_slice(), &mut new.excluded_machines)]
    {
        for name in names {
            let name = name.as_str();
            let machine = the_one("deployment target", name, &machines, |m| Keys::name_and_id(&m.name, &m.id))?;
            let machine = machine.ok_or_else(|| missing("deployment target", name, machines.iter().map(|m| m.name.as_str()).collect()))?;
            into.push(machine.id.clone());
        }
    }
    let tags = &new.specific_target_tags;
    let no_target = !tags.is_empty() && !preview.has_one_tag(tags);
    Ok(no_target.then(|| {
        let names: Vec<&str> = options.target_tags.named().iter().map(|tag| tag.as_str()).collect();
        format!("{whole}: no deployment target there has one of the tags {}, and steps run on none", names.join(", "))
    }))
}

/// A secret arrives whole where Octopus keeps it hidden, and nowhere else.
fn prompted_value(prompt: &api::previews::Prompt, preview: &api::previews::Preview, value: &Dynamic) -> Result<String> {
    match value.read_lock::<Secret>() {
        Some(secret) if preview.is_sensitive(prompt) => Ok(secret.reveal().to_owned()),
        None if !holds_secret(value) => Ok(shown(value)),
        _ => {
            Err(Error::new(Kind::Script, format!("the prompted variable `{}` is not sensitive, and a secret is given for it", prompt.name))
                .help("people could read it in Octopus: make the variable sensitive there")
                .help(REVEAL))
        }
    }
}

/// Values given by the name or label of a prompted variable, as the server wants them: by form element. `whole` is what
/// they are for, in words.
pub fn form_values(preview: &api::previews::Preview, whole: &str, variables: &Map) -> Result<BTreeMap<String, String>> {
    let prompts = preview.prompts();
    let mut values = BTreeMap::new();
    let mut given: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, value) in variables {
        let found = the_one("prompted variable", name, prompts, api::previews::Prompt::keys)?;
        let Some(prompt) = found else {
            return Err(Error::new(Kind::NotFound, format!("{whole} has no prompted variable `{name}`"))
                .suggest(name, prompts.iter().map(|p| p.name.as_str())));
        };
        if let Some(other) = given.insert(&prompt.element, name) {
            let message = format!("`{other}` and `{name}` name the same prompted variable of {whole}: `{}`", prompt.name);
            return Err(Error::new(Kind::Script, message).help("give it one value"));
        }
        values.insert(prompt.element.clone(), prompted_value(prompt, preview, value)?);
    }
    Ok(values)
}

crate::functions! {
    group "act";

    /// Starts a deployment of a release of `project` to `env` and returns its task at once; `wait` waits for it.
    /// `version` is a version, a range (`"2.4.*"`, `">=2.4 <3"`: the highest that fits), or `"latest"`: the highest
    /// version, in Octopus's version order, of the project's default channel.
    ///
    /// A lost answer of the server never makes two deployments: the first one is looked for and taken over.
    ///
    /// ```rhai
    /// wait(deploy("Project A", "latest", "Test"));
    /// ```
    fn deploy(host: Host, project: ProjectRef, version: ReleaseRef, env: EnvironmentRef; options: Box<DeployOptions>) -> "Task" raises "not_found, ambiguous, refused, conflict, in_doubt, fenced, request" {
        let plan = host.plan(&project, &version, &env, &options)?;
        host.start(&plan, &options, "deploy")
    }

    /// Deploys only when it is needed. When the release is live in `env` already and nothing else is under way there, nothing
    /// starts and `()` is returned; when a deployment of it is on its way, that one's task is returned; otherwise it is
    /// deployed. `wait` accepts all.
    ///
    /// While a deployment of another release to the same place is queued, runs or waits for a person, the release is deployed
    /// after it, also when it is live at the moment: Octopus lets one deployment at a time work there. A deployment that is
    /// scheduled for later does not count.
    ///
    /// ```rhai
    /// wait(ensure("Project A", "latest", "Test"));
    /// wait(ensure("Project A", "latest", "Test")); // nothing to do now
    /// ```
    fn ensure(host: Host, project: ProjectRef, version: ReleaseRef, env: EnvironmentRef; options: Box<DeployOptions>) -> "Task" raises "not_found, ambiguous, refused, conflict, in_doubt, fenced, request" {
        let plan = host.plan(&project, &version, &env, &options)?;
        let spot = plan.spot();
        let is_same = |d: &api::Deployment| d.release_id == plan.release.id;
        // What is needed may be another thing when it may begin: it is looked at again then.
        loop {
            // What is under way comes first: what ends between the two looks is live at the second.
            let (is_busy, live) = host.block(async {
                let is_busy = !spot.under_way().await?.is_empty();
                Ok((is_busy, live(&plan.place, &plan.project, &plan.environment, plan.tenant.as_deref()).await?))
            })?;
            if !is_busy && live.deployment.as_ref().is_some_and(is_same) {
                host.note(Level::Info, format!("{} {} is live in {} already", plan.project.name, plan.release.version, plan.environment.name));
                return Ok(Dynamic::UNIT);
            }
            // The newest one decides what is live in the end.
            match host.block(spot.under_way())?.first() {
                Some(task) if task.deployment.as_ref().is_some_and(is_same) => {
                    host.note(Level::Info, format!("{} is on its way already ({})", task.subject.title, task.id));
                    return Ok(Dynamic::from(task.clone()));
                }
                Some(other) => {
                    let who = other.deployment.as_ref().map(|d| format!(" of {}", d.deployed_by)).unwrap_or_default();
                    host.note(Level::Info, format!("{} ({}){who} is under way: {} is deployed after it", other.subject.title, other.id, plan.release.version));
                }
                None => {}
            }
            if !host.wait_for_beginning(&plan, &options)? {
                break;
            }
        }
        host.start(&plan, &options, "deploy").map(Dynamic::from)
    }

    group "query";

    /// Past and running deployments of the space, newest first: with `since` all since then, otherwise the newest 100.
    ///
    /// ```rhai
    /// print(report(deployments(#{env: "Test", since: ago("30d")})));
    /// ```
    fn deployments(host: Host; filter: DeploymentFilter) -> "list of Deployment" raises "not_found, ambiguous, request" {
        let place = host.place();
        let since = match &filter.since {
            Some(when) => Some(when.resolve(&host)?),
            None => None,
        };
        Ok(host.block(past(&host, &place, &filter, since))?)
    }
}
