//! Makes the state a world starts with: ids, documents, releases, and the deployments that brought them where they are.

use super::{
    access::Access,
    agenda::Due,
    answer::str_of,
    approval_rules,
    change_requests::Provider,
    defaults,
    environment_types::EnvironmentType,
    git, known_members, lifecycle, packages, releases, selection,
    state::{Release, State, VariableSnapshot, stamp},
    store::{Store, slug},
    variables,
    versions::MOST_RECENT,
    world::{
        World,
        model::{Newest, Plan, ProjectPlan, Tenanted},
        values::Ref,
    },
};
use crate::clock::later;
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::{collections::HashMap, sync::Arc};

/// The user whose key the world's `key` is.
pub(crate) const USER: &str = "Users-1";

mod hooks;
mod past;
mod people;
mod triggers;

struct Builder<'p> {
    plan: &'p Plan,
    /// `(kind, space, lower-case name)` → id.
    ids: HashMap<(&'static str, String, String), String>,
    pasts: Vec<Past>,
    /// Project, version, and why it must not be promoted: true only after what is past.
    blocked: Vec<(String, String, String)>,
}

use past::Past;

impl Builder<'_> {
    fn space(&self, wanted: Option<&Ref>) -> String {
        wanted
            .and_then(|w| self.ids.get(&("spaces", String::new(), w.get_ref().to_lowercase())))
            .cloned()
            .unwrap_or_else(|| "Spaces-1".into())
    }
    fn id(&self, kind: &'static str, space: &str, name: &str) -> String {
        self.ids.get(&(kind, space.to_owned(), name.to_lowercase())).cloned().unwrap_or_default()
    }
    fn all(&self, kind: &'static str, space: &str, names: &[Ref]) -> Vec<String> {
        names.iter().map(|n| self.id(kind, space, n.get_ref())).collect()
    }
    fn add(&mut self, store: &mut Store, kind: &'static str, prefix: &str, space: &str, name: &str, mut rest: Value) -> String {
        let id = store.next_id(prefix);
        self.ids.insert((kind, space.to_owned(), name.to_lowercase()), id.clone());
        let mut doc = json!({ "Id": id });
        if !space.is_empty() {
            doc["SpaceId"] = json!(space);
        }
        doc["Name"] = json!(name);
        if defaults::has_slug(kind) {
            doc["Slug"] = json!(slug(name));
        }
        if let (Value::Object(doc), Value::Object(rest)) = (&mut doc, &mut rest) {
            doc.append(rest);
        }
        defaults::complete(kind, &mut doc);
        store.of_mut(kind).put(doc);
        id
    }
}

/// Tags as a document has them.
fn tags_of(tags: &[Ref]) -> Vec<&String> {
    tags.iter().map(toml::Spanned::get_ref).collect()
}

/// The state of a world at its start.
pub(crate) fn state(world: &World, own_key: &str) -> State {
    let plan = world.plan().clone();
    let mut state = State {
        now: plan.start.0,
        run_scripts: world.runs_scripts(),
        history: true,
        access: Access::unlimited(),
        plan: plan.clone(),
        ..State::default()
    };
    let mut b = Builder { plan: &plan, ids: HashMap::new(), pasts: Vec::new(), blocked: Vec::new() };
    b.surroundings(&mut state, own_key);
    packages::stock(&mut state);
    b.projects(&mut state);
    b.roles(&mut state.store);
    known_members::keep_everywhere(&mut state);
    selection::of_the_past(&mut state);
    b.history(&mut state);
    b.freezes(&mut state);
    b.subscriptions(&mut state);
    b.triggers(&mut state);
    approval_rules::of_world(&mut state);
    state.now = plan.start.0;
    state.first_event = state.events.entries.len();
    state.history = false;
    for fault in plan.faults.iter().filter(|f| f.tasks_fail) {
        if let Some(from) = fault.from {
            state.agenda.add(later(plan.start.0, from.0), Due::Restart);
        }
    }
    state
}

impl Builder<'_> {
    fn surroundings(&mut self, state: &mut State, own_key: &str) {
        let plan = self.plan;
        let store = &mut state.store;
        let spaces: Vec<(String, String, bool)> = if plan.spaces.is_empty() {
            vec![("Default".into(), String::new(), false)]
        } else {
            plan.spaces.iter().map(|s| (s.name.get_ref().clone(), s.description.clone(), s.queue_stopped)).collect()
        };
        for (i, (name, description, stopped)) in spaces.iter().enumerate() {
            let rest = json!({"Description": description, "IsDefault": i == 0, "IsPrivate": false, "TaskQueueStopped": stopped, "SpaceManagersTeams": ["teams-administrators"], "SpaceManagersTeamMembers": []});
            self.add(store, "spaces", "Spaces-", "", name, rest);
        }
        store
            .of_mut("octopusservernodes")
            .put(json!({"Id": super::tasks::NODE, "Name": "sandbox", "MaxConcurrentTasks": plan.task_cap, "IsInMaintenanceMode": false}));
        self.people(state, own_key);
        let store = &mut state.store;
        for (i, e) in plan.environments.iter().enumerate() {
            let space = self.space(e.space.as_ref());
            let rest = json!({"Description": e.description, "SortOrder": i, "UseGuidedFailure": e.guided_failure, "_ChangeControl": e.change_control.map(Provider::word)});
            self.add(store, "environments", "Environments-", &space, e.name.get_ref(), rest);
        }
        for (i, parent) in plan.parent_environments.iter().enumerate() {
            let space = self.space(parent.space.as_ref());
            let hours = parent.idle.0.as_hours();
            let rule = json!({"ExpiryDays": hours / 24, "ExpiryHours": hours % 24});
            let rest = json!({
                "Description": parent.description, "SortOrder": plan.environments.len() + i, "UseGuidedFailure": parent.guided_failure,
                "_Type": EnvironmentType::Parent.name(), "_Rule": if parent.keep_idle { Value::Null } else { rule },
            });
            self.add(store, "environments", "Environments-", &space, parent.name.get_ref(), rest);
        }
        for l in &plan.lifecycles {
            let space = self.space(l.space.as_ref());
            let phases: Vec<Value> = l
                .phases
                .iter()
                .map(|p| {
                    let id = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, format!("{space}/{}/{}", l.name.get_ref(), p.name).as_bytes());
                    json!({"Id": id.to_string(), "Name": p.name, "AutomaticDeploymentTargets": self.all("environments", &space, &p.automatic), "OptionalDeploymentTargets": self.all("environments", &space, &p.environments), "MinimumEnvironmentsBeforePromotion": p.minimum, "IsOptionalPhase": p.optional, "IsPriorityPhase": p.priority})
                })
                .collect();
            let rest = json!({"Description": l.description, "Phases": phases});
            self.add(store, "lifecycles", "Lifecycles-", &space, l.name.get_ref(), rest);
        }
        for (i, (name, _, _)) in spaces.iter().enumerate() {
            // Each space has a lifecycle and a group, also when the file does not say so.
            let space = format!("Spaces-{}", i + 1);
            super::builtin_feed::add_builtin(store, &space);
            if !self.ids.keys().any(|(k, s, _)| *k == "lifecycles" && *s == space) {
                self.add(store, "lifecycles", "Lifecycles-", &space, "Default Lifecycle", json!({}));
            }
            let named = plan
                .groups
                .iter()
                .filter(|g| self.space(g.space.as_ref()) == space)
                .map(|g| (g.name.get_ref().clone(), g.description.clone()));
            let mut groups: Vec<(String, String)> = named.collect();
            if groups.is_empty() {
                groups.push(("Default Project Group".into(), format!("Projects of {name}")));
            }
            for (group, description) in groups {
                self.add(store, "projectgroups", "ProjectGroups-", &space, &group, json!({ "Description": description }));
            }
            self.add(store, "workerpools", "WorkerPools-", &space, "Default Worker Pool", json!({"IsDefault": true}));
            self.add(store, "machinepolicies", "MachinePolicies-", &space, "Default Machine Policy", json!({"IsDefault": true}));
        }
        for set in &plan.tag_sets {
            let space = self.space(set.space.as_ref());
            let name = set.name.get_ref();
            let tags: Vec<Value> = set.tags.iter().map(|t| json!({"Name": t, "Color": "#36A766"})).collect();
            let scopes: Vec<&str> = set.scopes().iter().map(|scope| scope.word()).collect();
            self.add(store, "tagsets", "TagSets-", &space, name, json!({ "Tags": tags, "Scopes": scopes }));
        }
        for machine in &plan.machines {
            let space = self.space(machine.space.as_ref());
            let environments = self.all("environments", &space, &machine.environments);
            // A deployment target knows its tags by their plain names.
            let plain = |tag: &Ref| tag.get_ref().split_once('/').map_or_else(String::new, |(_, name)| name.to_owned());
            let roles: Vec<String> = machine.roles.iter().cloned().chain(machine.tags.iter().map(plain)).collect();
            let rest = json!({"EnvironmentIds": environments, "Roles": roles});
            self.add(store, "machines", "Machines-", &space, machine.name.get_ref(), rest);
        }
        for set in &plan.library {
            let space = self.space(set.space.as_ref());
            let id = self.add(store, "libraryvariablesets", "LibraryVariableSets-", &space, set.name.get_ref(), json!({}));
            let list = variables::from_plan(&set.variables, &id, |e| self.id("environments", &space, e));
            state
                .written
                .insert(format!("variableset-{id}").to_lowercase(), variables::document(&format!("variableset-{id}"), &id, &space, list));
        }
    }

    fn projects(&mut self, state: &mut State) {
        let plan = self.plan;
        for p in &plan.projects {
            let steps = Arc::new(p.steps.clone());
            let runbook_steps: Vec<_> = p.runbooks.iter().map(|r| Arc::new(r.steps.clone())).collect();
            for name in p.names() {
                let id = self.project(state, p, &name);
                state.steps.insert(id.clone(), steps.clone());
                self.runbooks(state, p, &id, &runbook_steps);
            }
        }
        // Tenants name projects, so they come after them.
        for t in &plan.tenants {
            let space = self.space(t.space.as_ref());
            let mut connected = json!({});
            for (project, environments) in &t.projects {
                connected[self.id("projects", &space, project)] = json!(self.all("environments", &space, environments));
            }
            let tags: Vec<&String> = t.tags.iter().map(toml::Spanned::get_ref).collect();
            let rest = json!({"IsDisabled": t.disabled, "TenantTags": tags, "ProjectEnvironments": connected});
            self.add(&mut state.store, "tenants", "Tenants-", &space, t.name.get_ref(), rest);
        }
    }

    fn project(&mut self, state: &mut State, p: &ProjectPlan, name: &str) -> String {
        let space = self.space(p.space.as_ref());
        let first = |kind: &'static str, store: &Store| {
            store.of(kind).iter().find(|d| d["SpaceId"] == space.as_str()).and_then(|d| d["Id"].as_str()).unwrap_or_default().to_owned()
        };
        let group =
            p.group.as_ref().map_or_else(|| first("projectgroups", &state.store), |g| self.id("projectgroups", &space, g.get_ref()));
        let lifecycle =
            p.lifecycle.as_ref().map_or_else(|| first("lifecycles", &state.store), |l| self.id("lifecycles", &space, l.get_ref()));
        let mode = match p.tenanted {
            Tenanted::No => "Untenanted",
            Tenanted::Both => "TenantedOrUntenanted",
            Tenanted::Only => "Tenanted",
        };
        let guided = match p.guided_failure {
            None => "EnvironmentDefault",
            Some(true) => "On",
            Some(false) => "Off",
        };
        let library = self.all("libraryvariablesets", &space, &p.library);
        let mut rest = json!({"Description": p.description, "IsDisabled": p.disabled, "ProjectGroupId": group, "LifecycleId": lifecycle, "TenantedDeploymentMode": mode, "DefaultGuidedFailureMode": guided, "IncludedLibraryVariableSetIds": library, "ProjectTags": tags_of(&p.tags), "_CancelQueuedTasks": p.cancel_queued, "_CancelRunningTasks": p.cancel_running, "_ChangeControl": p.change_control.map(Provider::word)});
        if let (Some(plan), Value::Object(rest)) = (&p.git, &mut rest)
            && let Value::Object(mut kept) = git::of_plan(plan, &slug(name))
        {
            rest.append(&mut kept);
        }
        let id = self.add(&mut state.store, "projects", "Projects-", &space, name, rest);
        if !p.variables.is_empty() || p.concurrency_tag.is_some() {
            let mut list = variables::from_plan(&p.variables, &id, |e| self.id("environments", &space, e));
            if let Some(tag) = &p.concurrency_tag {
                list.push(variables::plain(&id, "Octopus.Task.ConcurrencyTag", tag));
            }
            let set = format!("variableset-{id}");
            state.written.insert(set.to_lowercase(), variables::document(&set, &id, &space, list));
        }
        let mut channels = HashMap::new();
        if p.channels.is_empty() {
            let doc = defaults::channel(&mut state.store, &space, &id, "Default", true);
            channels.insert("default".to_owned(), doc["Id"].as_str().unwrap_or_default().to_owned());
            state.store.of_mut("channels").put(doc);
        }
        let marked = p.channels.iter().any(|c| c.default);
        for (i, c) in p.channels.iter().enumerate() {
            let mut doc = defaults::channel(&mut state.store, &space, &id, c.name.get_ref(), if marked { c.default } else { i == 0 });
            if let Some(l) = &c.lifecycle {
                doc["LifecycleId"] = json!(self.id("lifecycles", &space, l.get_ref()));
            }
            if let Some(parent) = &c.parent {
                doc["Type"] = json!("EphemeralEnvironment");
                doc["ParentEnvironmentId"] = json!(self.id("environments", &space, parent.get_ref()));
                doc["EphemeralEnvironmentNameTemplate"] = json!(c.name_template);
                doc["AutomaticEphemeralEnvironmentDeployments"] = json!(c.automatic);
            }
            doc["TenantTags"] = json!(c.tenant_tags.iter().map(toml::Spanned::get_ref).collect::<Vec<_>>());
            let mut rules = Vec::new();
            if c.versions.is_some() || c.tag.is_some() {
                rules.push(json!({"VersionRange": c.versions.clone().unwrap_or_default(), "Tag": c.tag.clone().unwrap_or_default()}));
            }
            rules.extend(c.rules.iter().map(|rule| {
                let strategy = if rule.newest == Newest::Published { MOST_RECENT } else { "SemVer" };
                json!({
                    "VersionRange": rule.versions.clone().unwrap_or_default(), "Tag": rule.tag.clone().unwrap_or_default(),
                    "VersionTagRegex": rule.matches, "VersioningStrategy": strategy, "Actions": [rule.step.get_ref()],
                    "ActionPackages": [{"DeploymentAction": rule.step.get_ref(), "PackageReference": rule.package}],
                })
            }));
            doc["Rules"] = json!(rules);
            doc["CustomFieldDefinitions"] = c.fields.iter().map(|(name, about)| json!({"FieldName": name, "Description": about})).collect();
            doc["GitReferenceRules"] = c.git_refs.iter().map(|pattern| json!(pattern.get_ref())).collect();
            defaults::complete("channels", &mut doc);
            channels.insert(c.name.get_ref().to_lowercase(), doc["Id"].as_str().unwrap_or_default().to_owned());
            state.store.of_mut("channels").put(doc);
        }
        let default = state
            .store
            .of("channels")
            .with("ProjectId", &id)
            .rev()
            .find(|c| c["IsDefault"] == true)
            .and_then(|c| c["Id"].as_str())
            .unwrap_or_default()
            .to_owned();
        let start = self.plan.start.0;
        let count = p.releases.len();
        for (i, r) in p.releases.iter().enumerate() {
            let days = i64::try_from(count - i).unwrap_or(1) * 7;
            let assembled = r.assembled.map_or_else(|| later(start, SignedDuration::from_hours(-24 * days)), |m| m.0);
            let channel = r.channel.as_ref().and_then(|c| channels.get(&c.get_ref().to_lowercase())).unwrap_or(&default).clone();
            let mut extra = serde_json::Map::new();
            if let Some(doc) = state.store.of("projects").get(&id).filter(|doc| git::is_in_git(doc))
                && let Ok(Some(at)) = git::of_release(doc, doc["PersistenceSettings"]["DefaultBranch"].as_str().map(str::to_owned), None)
            {
                extra.insert("VersionControlReference".into(), at);
            }
            releases::add(
                state,
                Release {
                    space: space.clone(),
                    project: id.clone(),
                    channel,
                    version: r.version.get_ref().clone(),
                    notes: (!r.notes.is_empty()).then(|| r.notes.clone()),
                    assembled,
                    ignore_channel_rules: false,
                    extra,
                    defects: Vec::new(),
                    variables: VariableSnapshot::default(),
                },
            );
        }
        let mut spots: Vec<(String, String)> = Vec::new();
        for (environment, live) in &p.live {
            let environment = self.id("environments", &space, environment);
            // What the file lists before the release that is live was live before it.
            let older = p.releases.iter().filter(|_| p.history).map(|r| r.version.get_ref()).take_while(|v| *v != live.get_ref());
            spots.extend(older.chain([live.get_ref()]).map(|version| (environment.clone(), version.clone())));
        }
        self.pasts.push(Past::new(state, &id, &spots, None));
        let blocked = p.releases.iter().filter_map(|r| r.blocked.clone().map(|why| (id.clone(), r.version.get_ref().clone(), why)));
        self.blocked.extend(blocked);
        id
    }

    fn runbooks(&mut self, state: &mut State, p: &ProjectPlan, project: &str, steps: &[Arc<Vec<super::world::model::StepPlan>>]) {
        let space = self.space(p.space.as_ref());
        for (r, steps) in p.runbooks.iter().zip(steps) {
            let id = state.store.next_id("Runbooks-");
            let environments = self.all("environments", &space, &r.environments);
            let scope = if environments.is_empty() { "All" } else { "Specified" };
            let mut doc = json!({"Id": id, "SpaceId": space, "Name": r.name.get_ref(), "Slug": slug(r.name.get_ref()), "Description": r.description, "ProjectId": project, "EnvironmentScope": scope, "Environments": environments, "RunbookTags": tags_of(&r.tags)});
            defaults::complete("runbooks", &mut doc);
            let is_in_git = p.git.as_ref().is_some_and(|git| git.runbooks);
            doc["_InGit"] = json!(is_in_git);
            // Those in Git are run as they are at a reference.
            if r.published && !is_in_git {
                let snapshot = super::runbooks::snapshot(state, &space, project, &id, "Snapshot 1", None);
                doc["PublishedRunbookSnapshotId"] = json!(snapshot);
            }
            state.store.of_mut("runbooks").put(doc);
            for (member, named) in [("ProvisioningRunbookId", &p.provision), ("DeprovisioningRunbookId", &p.deprovision)] {
                if named.as_ref().is_some_and(|named| named.get_ref().eq_ignore_ascii_case(r.name.get_ref())) {
                    state.store.of_mut("projects").change(project, |doc| doc[member] = json!(id));
                }
            }
            state.steps.insert(id, steps.clone());
        }
    }

    fn history(&mut self, state: &mut State) {
        for live in &self.plan.live {
            let Some(p) = self.plan.projects.iter().find(|p| p.name.get_ref().eq_ignore_ascii_case(live.project.get_ref())) else {
                continue;
            };
            let space = self.space(p.space.as_ref());
            let project = self.id("projects", &space, live.project.get_ref());
            let spot = (self.id("environments", &space, live.environment.get_ref()), live.release.get_ref().clone());
            if live.tenants.is_empty() {
                self.pasts.push(Past::new(state, &project, &[spot], None));
            } else {
                for tenant in self.all("tenants", &space, &live.tenants) {
                    self.pasts.push(Past::new(state, &project, std::slice::from_ref(&spot), Some(tenant)));
                }
            }
        }
        past::bring(state, std::mem::take(&mut self.pasts), self.plan.start.0);
        for (project, version, reason) in std::mem::take(&mut self.blocked) {
            if let Ok(index) = releases::by_version(state, &project, &version)
                && let Some(Some(release)) = state.releases.get_mut(index)
            {
                release.defects.push((reason, false));
            }
        }
    }

    fn freezes(&mut self, state: &mut State) {
        for f in &self.plan.freezes {
            let start = later(self.plan.start.0, f.from.0);
            let (mut scope, mut tenanted) = (json!({}), Vec::new());
            let is_meant = |p: &Value| {
                let wanted = if f.projects.is_empty() { f.owner.as_slice() } else { &f.projects };
                let is_it = |name: &Ref| p["Name"].as_str().is_some_and(|x| x.eq_ignore_ascii_case(name.get_ref()));
                wanted.is_empty() || wanted.iter().any(is_it)
            };
            let mut owner = None;
            for p in state.store.of("projects").iter().filter(|p| is_meant(p)) {
                let (space, project) = (str_of(p, "SpaceId"), str_of(p, "Id"));
                let environments = if f.environments.is_empty() {
                    lifecycle::environments(state, space)
                } else {
                    self.all("environments", space, &f.environments)
                };
                owner = owner.or_else(|| f.owner.as_ref().map(|name| self.id("projects", space, name.get_ref())));
                if f.tenants.is_empty() {
                    scope[project] = json!(environments);
                    continue;
                }
                for tenant in self.all("tenants", space, &f.tenants) {
                    tenanted.extend(environments.iter().map(|e| json!({"TenantId": tenant, "ProjectId": project, "EnvironmentId": e})));
                }
            }
            // What is wrong with it was told when the world was read.
            let schedule = f.schedule(start, f.until.map(|until| later(self.plan.start.0, until.0))).unwrap_or_default();
            let rest = json!({
                "Start": stamp(start), "End": stamp(later(start, f.length.0)), "ProjectEnvironmentScope": scope,
                "TenantProjectEnvironmentScope": tenanted, "RecurringSchedule": schedule, "OwnerId": owner,
            });
            self.add(&mut state.store, "deploymentfreezes", "DeploymentFreezes-", "", &f.name, rest);
        }
    }
}
