//! Checks what the shape of a world file cannot say: every name that points somewhere points at something.

use super::{
    hooks::SubscriptionPlan,
    model::{AwaitedType, ChannelPlan, PackagePlan, Plan, ProjectPlan, StepPlan, TOGGLES, TagScope, VariablePlan},
    read::at,
    server_version::Generation,
    values::Ref,
};
use crate::{
    clock::{cron::CronSchedule, later, text::zone},
    error::{Error, Result, suggestion},
    sandbox::event_categories::{CATEGORIES, GROUPS},
    sandbox::permissions::{PERMISSIONS, ROLES},
    sandbox::{
        upload::is_package_id,
        versions::{is_image_tag, is_package_version, wrong_pattern},
    },
};
use jiff::{SignedDuration, tz::TimeZone};
use std::{collections::BTreeSet, ops::Range};

struct Check<'a> {
    name: &'a str,
    text: &'a str,
}

impl Check<'_> {
    fn error(&self, span: Range<usize>, message: &str) -> Error {
        at(self.name, self.text, span, message)
    }

    /// An error with the nearest of the names that there are.
    fn unknown(&self, span: Range<usize>, message: &str, wanted: &str, known: &[impl AsRef<str>]) -> Error {
        let error = self.error(span, message);
        match suggestion(wanted, known.iter().map(AsRef::as_ref)) {
            Some(hint) => error.help(hint),
            None => error,
        }
    }

    fn known(&self, what: &str, wanted: &Ref, known: &[impl AsRef<str>]) -> Result<()> {
        if has(known, wanted.get_ref()) {
            return Ok(());
        }
        let message = format!("there is no {what} `{}` in this world", wanted.get_ref());
        Err(self.unknown(wanted.span(), &message, wanted.get_ref(), known))
    }

    fn all(&self, what: &str, wanted: &[Ref], known: &[impl AsRef<str>]) -> Result<()> {
        wanted.iter().try_for_each(|w| self.known(what, w, known))
    }

    fn maybe(&self, what: &str, wanted: Option<&Ref>, known: &[impl AsRef<str>]) -> Result<()> {
        wanted.map_or(Ok(()), |w| self.known(what, w, known))
    }

    fn unique<'r>(&self, what: &str, names: impl IntoIterator<Item = (&'r Ref, Option<&'r Ref>)>) -> Result<()> {
        let mut seen = BTreeSet::new();
        for (name, scope) in names {
            let key = (name.get_ref().to_lowercase(), scope.map(|s| s.get_ref().to_lowercase()));
            if !seen.insert(key) {
                return Err(self.error(name.span(), &format!("there are two {what} called `{}`", name.get_ref())));
            }
        }
        Ok(())
    }
}

/// The tags that may be put on something, as `Set/Tag`.
fn tags(plan: &Plan, scope: TagScope) -> Vec<String> {
    let sets = plan.tag_sets.iter().filter(|set| set.scopes().contains(&scope));
    sets.flat_map(|set| set.tags.iter().map(move |tag| format!("{}/{tag}", set.name.get_ref()))).collect()
}

pub(super) fn validate(name: &str, text: &str, plan: &Plan) -> Result<()> {
    let c = Check { name, text };
    let mut k = Known {
        spaces: plan.spaces.iter().map(|x| name_of(&x.name)).collect(),
        environments: plan.environments.iter().map(|x| name_of(&x.name)).collect(),
        parents: plan.parent_environments.iter().map(|x| name_of(&x.name)).collect(),
        lifecycles: plan.lifecycles.iter().map(|x| name_of(&x.name)).collect(),
        tags: tags(plan, TagScope::Tenant),
        project_tags: tags(plan, TagScope::Project),
        runbook_tags: tags(plan, TagScope::Runbook),
        tenants: plan.tenants.iter().map(|x| name_of(&x.name)).collect(),
        teams: plan.teams.iter().map(|x| name_of(&x.name)).collect(),
        users: plan.users.iter().map(|x| name_of(&x.name)).collect(),
        projects: plan.projects.iter().map(|x| name_of(&x.name)).collect(),
        library: plan.library.iter().map(|x| name_of(&x.name)).collect(),
        groups: plan.groups.iter().map(|x| name_of(&x.name)).collect(),
        packages: plan.packages.iter().map(|x| name_of(&x.id)).collect(),
    };
    if k.spaces.is_empty() {
        k.spaces.push("Default");
    }
    // The user of the world's own key is there, whether the file speaks of people or not.
    k.users.push("sandbox");

    if let Some(zone) = &plan.zone
        && crate::clock::text::zone(zone.get_ref()).is_err()
    {
        return Err(c.error(zone.span(), &format!("there is no time zone `{}`", zone.get_ref())).help("write it like \"Europe/London\""));
    }
    if let Some(project) = plan.projects.iter().find(|p| p.copies.is_some_and(|n| !(1..=100_000).contains(&n))) {
        let span = project.name.span();
        return Err(c.error(span, &format!("`copies` of project `{}` must be between 1 and 100,000", project.name.get_ref())));
    }
    if let Some(toggle) = plan.toggles.iter().find(|toggle| !TOGGLES.contains(&toggle.get_ref().as_str())) {
        let message = format!("no feature toggle `{}` is simulated", toggle.get_ref());
        return Err(c.unknown(toggle.span(), &message, toggle.get_ref(), &TOGGLES));
    }
    c.unique("spaces", plan.spaces.iter().map(|x| (&x.name, None)))?;
    let parents = plan.parent_environments.iter().map(|x| (&x.name, x.space.as_ref()));
    c.unique("environments", plan.environments.iter().map(|x| (&x.name, x.space.as_ref())).chain(parents))?;
    parent_environments(&c, plan)?;
    c.unique("lifecycles", plan.lifecycles.iter().map(|x| (&x.name, x.space.as_ref())))?;
    c.unique("groups", plan.groups.iter().map(|x| (&x.name, x.space.as_ref())))?;
    c.unique("tenants", plan.tenants.iter().map(|x| (&x.name, x.space.as_ref())))?;
    c.unique("projects", plan.projects.iter().map(|x| (&x.name, x.space.as_ref())))?;
    c.unique("users", plan.users.iter().map(|x| (&x.name, None)))?;
    c.unique("packages", plan.packages.iter().map(|x| (&x.id, x.space.as_ref())))?;
    plan.packages.iter().try_for_each(|p| package(&c, p))?;
    let scoped = plan
        .environments
        .iter()
        .map(|x| &x.space)
        .chain(plan.parent_environments.iter().map(|x| &x.space))
        .chain(plan.lifecycles.iter().map(|x| &x.space))
        .chain(plan.groups.iter().map(|x| &x.space))
        .chain(plan.tag_sets.iter().map(|x| &x.space))
        .chain(plan.tenants.iter().map(|x| &x.space))
        .chain(plan.teams.iter().map(|x| &x.space))
        .chain(plan.machines.iter().map(|x| &x.space))
        .chain(plan.library.iter().map(|x| &x.space))
        .chain(plan.packages.iter().map(|x| &x.space))
        .chain(plan.projects.iter().map(|x| &x.space))
        .chain(plan.subscriptions.iter().map(|x| &x.space));
    for space in scoped {
        c.maybe("space", space.as_ref(), &k.spaces)?;
    }
    c.maybe("environment", plan.context.environment.as_ref(), &k.environments)?;
    c.maybe("tenant", plan.context.tenant.as_ref(), &k.tenants)?;
    c.maybe("project", plan.context.project.as_ref(), &k.projects)?;
    for phase in plan.lifecycles.iter().flat_map(|l| &l.phases) {
        c.all("environment", &phase.environments, &k.environments)?;
        c.all("environment", &phase.automatic, &k.environments)?;
    }
    for tenant in &plan.tenants {
        c.all("tag", &tenant.tags, &k.tags)?;
        for (project, environments) in &tenant.projects {
            if !has(&k.projects, project) {
                let message = format!("tenant `{}` names a project `{project}` that is not in this world", tenant.name.get_ref());
                return Err(c.unknown(tenant.name.span(), &message, project, &k.projects));
            }
            c.all("environment", environments, &k.environments)?;
        }
    }
    people(&c, plan, &k)?;
    subscriptions(&c, &plan.subscriptions, &k)?;
    triggers(&c, plan, &k)?;
    approvals(&c, plan, &k)?;
    rate_limits(&c, plan)?;
    let target_tags = tags(plan, TagScope::Target);
    for machine in &plan.machines {
        c.all("environment", &machine.environments, &k.scopes())?;
        c.all("tag for deployment targets", &machine.tags, &target_tags)?;
    }
    for set in &plan.library {
        variables(&c, &set.variables, &k)?;
    }
    for project in &plan.projects {
        one_project(&c, project, &k)?;
    }
    for live in &plan.live {
        c.known("project", &live.project, &k.projects)?;
        c.known("environment", &live.environment, &k.environments)?;
        c.all("tenant", &live.tenants, &k.tenants)?;
        if let Some(project) = plan.projects.iter().find(|p| p.name.get_ref().eq_ignore_ascii_case(live.project.get_ref())) {
            let versions: Vec<&str> = project.releases.iter().map(|r| r.version.get_ref().as_str()).collect();
            c.known("release", &live.release, &versions)?;
        }
    }
    for freeze in &plan.freezes {
        c.all("project", &freeze.projects, &k.projects)?;
        c.all("environment", &freeze.environments, &k.environments)?;
        c.all("tenant", &freeze.tenants, &k.tenants)?;
        c.maybe("project", freeze.owner.as_ref(), &k.projects)?;
        let until = freeze.until.map(|until| later(plan.start.0, until.0));
        if let Err((key, why)) = freeze.schedule(later(plan.start.0, freeze.from.0), until) {
            let help = "write it like `every = \"day\"`, `every = \"2 weeks\"` with `on = [\"Fri\"]`, `every = \"month\"` with `on = [\"last Friday\"]`, or `every = \"year\"`";
            return Err(c.error(key.map_or(0..0, Ref::span), &why).help(help));
        }
    }
    Ok(())
}

/// The names of what is in a world.
struct Known<'p> {
    spaces: Vec<&'p str>,
    environments: Vec<&'p str>,
    parents: Vec<&'p str>,
    lifecycles: Vec<&'p str>,
    /// Tags for tenants.
    tags: Vec<String>,
    project_tags: Vec<String>,
    runbook_tags: Vec<String>,
    tenants: Vec<&'p str>,
    teams: Vec<&'p str>,
    users: Vec<&'p str>,
    projects: Vec<&'p str>,
    library: Vec<&'p str>,
    groups: Vec<&'p str>,
    packages: Vec<&'p str>,
}

impl Known<'_> {
    /// What variables and deployment targets may be scoped to.
    fn scopes(&self) -> Vec<&str> {
        self.environments.iter().chain(&self.parents).copied().collect()
    }
}

fn has(known: &[impl AsRef<str>], wanted: &str) -> bool {
    known.iter().any(|one| one.as_ref().eq_ignore_ascii_case(wanted))
}

fn name_of(name: &Ref) -> &str {
    name.get_ref()
}

/// Users, teams and the roles they are given.
fn people(c: &Check<'_>, plan: &Plan, k: &Known<'_>) -> Result<()> {
    let permissions: Vec<&str> = PERMISSIONS.iter().map(|p| p.name).collect();
    let mut roles: Vec<&str> = ROLES.iter().map(|r| r.name).collect();
    for role in &plan.roles {
        if roles.iter().any(|r| r.eq_ignore_ascii_case(role.name.get_ref())) {
            return Err(c.error(role.name.span(), &format!("there is already a user role `{}`", role.name.get_ref())));
        }
        c.all("permission", &role.permissions, &permissions)?;
        roles.push(role.name.get_ref());
    }
    let mut keys = BTreeSet::from([plan.key.as_deref().unwrap_or(super::KNOWN_KEY)]);
    for user in &plan.users {
        let wrong = |what: &str| Err(c.error(user.name.span(), &format!("user `{}` {what}", user.name.get_ref())));
        if user.name.get_ref().eq_ignore_ascii_case("sandbox") {
            return wrong("is always there: it is whose key the world's `key` is");
        }
        if user.permissions.is_some() && !user.roles.is_empty() {
            return wrong("has both `permissions` (exactly these) and `roles`: say one of them");
        }
        if user.key.iter().chain(user.keys.iter().map(|k| &k.key)).any(|k| k.trim().is_empty()) {
            return wrong("has an empty key");
        }
        c.all("permission", user.permissions.as_deref().unwrap_or_default(), &permissions)?;
        for key in user.key.iter().chain(user.keys.iter().map(|k| &k.key)) {
            if !keys.insert(key) {
                return Err(c.error(user.name.span(), &format!("a key of user `{}` is somebody else's, too", user.name.get_ref())));
            }
        }
    }
    for team in &plan.teams {
        c.all("user", &team.members, &k.users)?;
    }
    for role in plan.teams.iter().flat_map(|t| &t.roles).chain(plan.users.iter().flat_map(|u| &u.roles)) {
        c.known("user role", &role.role, &roles)?;
        c.maybe("space", role.space.as_ref(), &k.spaces)?;
        c.all("project", &role.projects, &k.projects)?;
        c.all("project group", &role.groups, &k.groups)?;
        c.all("environment", &role.environments, &k.environments)?;
        c.all("tenant", &role.tenants, &k.tenants)?;
    }
    Ok(())
}

/// Approval rules, the votes on them, and change requests of other systems.
fn approvals(c: &Check<'_>, plan: &Plan, k: &Known<'_>) -> Result<()> {
    c.unique("approval rules", plan.approval_rules.iter().map(|rule| (&rule.name, rule.space.as_ref())))?;
    for rule in &plan.approval_rules {
        let wrong = |what: &str| c.error(rule.name.span(), &format!("approval rule `{}` {what}", rule.name.get_ref()));
        if plan.version.generation < Generation::V2026_3 {
            return Err(wrong("needs a server that has approval rules").help("say `version = \"2026.3\"`, or no version"));
        }
        c.maybe("space", rule.space.as_ref(), &k.spaces)?;
        c.all("project", &rule.projects, &k.projects)?;
        c.all("environment", &rule.environments, &k.environments)?;
        c.all("user", &rule.approvers, &k.users)?;
        c.all("team", &rule.teams, &k.teams)?;
        if rule.minimum.is_some_and(|minimum| !(1..=99).contains(&minimum)) {
            return Err(wrong("must have a `minimum` between 1 and 99"));
        }
        if rule.approvers.is_empty() && rule.teams.is_empty() {
            return Err(wrong("has nobody who may approve").help("say `approvers = [\"ada\"]` or `teams = [\"Release managers\"]`"));
        }
        if !rule.disabled && (rule.projects.is_empty() || rule.environments.is_empty()) {
            return Err(wrong("must name projects and environments"));
        }
        let called = |name: &Ref, other: &Ref| name.get_ref().eq_ignore_ascii_case(other.get_ref());
        let teams = plan.teams.iter().filter(|team| rule.teams.iter().any(|name| called(name, &team.name)));
        let voters: Vec<&str> = rule.approvers.iter().chain(teams.flat_map(|team| &team.members)).map(name_of).collect();
        c.unique("votes of a user", rule.votes.iter().map(|vote| (&vote.user, None)))?;
        for vote in &rule.votes {
            c.known("user", &vote.user, &k.users)?;
            if !has(&voters, vote.user.get_ref()) {
                let message = format!("`{}` is not an approver of the rule `{}`", vote.user.get_ref(), rule.name.get_ref());
                return Err(c.unknown(vote.user.span(), &message, vote.user.get_ref(), &voters));
            }
        }
    }
    let numbers = plan.change_requests.iter().filter_map(|change| change.number.as_ref());
    c.unique("change requests", numbers.map(|number| (number, None)))?;
    for change in &plan.change_requests {
        c.maybe("project", change.project.as_ref(), &k.projects)?;
        c.maybe("environment", change.environment.as_ref(), &k.environments)?;
        if let Some(number) = change.number.as_ref().filter(|_| change.project.is_some() || change.environment.is_some()) {
            let message =
                format!("the change request `{}` is found by its number: `project` and `environment` say nothing of it", number.get_ref());
            return Err(c.error(number.span(), &message));
        }
    }
    Ok(())
}

fn rate_limits(c: &Check<'_>, plan: &Plan) -> Result<()> {
    let mut scopes = Vec::new();
    for limit in &plan.rate_limits {
        let wrong = |what: &str| Err(c.error(limit.per_minute.span(), what));
        if plan.version.generation < Generation::V2026_3 {
            return wrong("servers before 2026.3 do not limit requests; `[[faults]]` can answer 429 there");
        }
        if scopes.contains(&limit.scope) {
            return wrong(&format!("there are two rate limits for `{:?}`", limit.scope));
        }
        scopes.push(limit.scope);
    }
    Ok(())
}

fn one_project(c: &Check<'_>, project: &ProjectPlan, k: &Known<'_>) -> Result<()> {
    c.maybe("lifecycle", project.lifecycle.as_ref(), &k.lifecycles)?;
    c.maybe("project group", project.group.as_ref(), &k.groups)?;
    c.all("library variable set", &project.library, &k.library)?;
    c.all("project tag", &project.tags, &k.project_tags)?;
    c.unique("channels", project.channels.iter().map(|x| (&x.name, None)))?;
    c.unique("releases", project.releases.iter().map(|x| (&x.version, None)))?;
    let mut channels: Vec<&str> = project.channels.iter().map(|x| x.name.get_ref().as_str()).collect();
    if channels.is_empty() {
        channels.push("Default");
    }
    for channel in &project.channels {
        c.maybe("lifecycle", channel.lifecycle.as_ref(), &k.lifecycles)?;
        c.all("tag", &channel.tenant_tags, &k.tags)?;
        channel_type(c, channel, k)?;
        if let Some(reference) = channel.git_refs.first().filter(|_| project.git.is_none()) {
            let message = format!("channel `{}` has `git_refs`, but its project is not in Git", channel.name.get_ref());
            return Err(c.error(reference.span(), &message).help("say `git = {}` in the project"));
        }
        let steps: Vec<&str> = project.steps.iter().map(|step| step.name.as_str()).collect();
        let mut places = BTreeSet::new();
        for rule in &channel.rules {
            c.known("step", &rule.step, &steps)?;
            if !places.insert((rule.step.get_ref().to_lowercase(), &rule.package)) {
                return Err(c.error(rule.step.span(), "a package stands in one rule of a channel only"));
            }
        }
        let mut patterns = channel.rules.iter().flat_map(|rule| [&rule.tag, &rule.matches]).chain([&channel.tag]).flatten();
        if let Some(wrong) = patterns.find_map(|pattern| wrong_pattern(pattern)) {
            return Err(c.error(channel.name.span(), &format!("a rule of channel `{}` cannot be read: {wrong}", channel.name.get_ref())));
        }
    }
    for release in &project.releases {
        c.maybe("channel", release.channel.as_ref(), &channels)?;
    }
    if let Some(git) = &project.git {
        c.unique("branches", git.branches.iter().map(|name| (name, None)))?;
        c.unique("tags", git.tags.iter().map(|name| (name, None)))?;
        if let Some(wrong) = git.commits.iter().find(|c| c.get_ref().len() != 40 || !c.get_ref().bytes().all(|b| b.is_ascii_hexdigit())) {
            return Err(c.error(wrong.span(), "a commit is named by the 40 hexadecimal digits of its hash"));
        }
    }
    let versions: Vec<&str> = project.releases.iter().map(|r| r.version.get_ref().as_str()).collect();
    for (environment, version) in &project.live {
        c.known("release", version, &versions)?;
        if !has(&k.environments, environment) {
            let message = format!("there is no environment `{environment}` in this world");
            return Err(c.unknown(version.span(), &message, environment, &k.environments));
        }
    }
    if let Some(second) = project.channels.iter().filter(|channel| channel.parent.is_some()).nth(1) {
        return Err(c.error(second.name.span(), "a project has one channel with a `parent`"));
    }
    let runbooks: Vec<&str> = project.runbooks.iter().map(|runbook| name_of(&runbook.name)).collect();
    c.maybe("runbook", project.provision.as_ref(), &runbooks)?;
    c.maybe("runbook", project.deprovision.as_ref(), &runbooks)?;
    steps(c, &project.steps, k)?;
    variables(c, &project.variables, k)?;
    for runbook in &project.runbooks {
        c.all("environment", &runbook.environments, &k.scopes())?;
        c.all("runbook tag", &runbook.tags, &k.runbook_tags)?;
        steps(c, &runbook.steps, k)?;
    }
    Ok(())
}

fn parent_environments(c: &Check<'_>, plan: &Plan) -> Result<()> {
    for parent in &plan.parent_environments {
        let wrong = |what: &str| c.error(parent.name.span(), &format!("parent environment `{}` {what}", parent.name.get_ref()));
        if plan.version.generation < Generation::V2026_1 {
            return Err(
                wrong("needs a server that has ephemeral environments").help("say `version = \"2026.1\"` or a later one, or no version")
            );
        }
        let idle = parent.idle.0;
        if idle < SignedDuration::from_hours(1) || idle != SignedDuration::from_hours(idle.as_hours()) {
            return Err(
                wrong("must have an `idle` of whole hours").help("write it like \"12h\" or \"7d\"; `keep_idle = true` removes nothing")
            );
        }
    }
    Ok(())
}

fn channel_type(c: &Check<'_>, channel: &ChannelPlan, k: &Known<'_>) -> Result<()> {
    let wrong = |what: &str| Err(c.error(channel.name.span(), &format!("channel `{}` {what}", channel.name.get_ref())));
    c.maybe("parent environment", channel.parent.as_ref(), &k.parents)?;
    match (&channel.parent, &channel.name_template) {
        (None, Some(_)) => wrong("has a `name_template` and no `parent`"),
        (None, None) if channel.automatic => wrong("is `automatic` and has no `parent`"),
        (Some(_), None) if channel.automatic => wrong("is `automatic` and has no `name_template`"),
        (Some(_), _) if channel.lifecycle.is_some() || !channel.tenant_tags.is_empty() => {
            wrong("has a `parent`: its releases go to ephemeral environments, by no `lifecycle` and for no tenants")
        }
        _ => Ok(()),
    }
}

fn subscriptions(c: &Check<'_>, all: &[SubscriptionPlan], k: &Known<'_>) -> Result<()> {
    c.unique("subscriptions", all.iter().map(|s| (&s.name, s.space.as_ref())))?;
    let groups: Vec<&str> = GROUPS.iter().map(|(id, ..)| *id).collect();
    for s in all {
        c.all("category of events", &s.categories, CATEGORIES)?;
        c.all("group of events", &s.groups, &groups)?;
        c.all("project", &s.projects, &k.projects)?;
        c.all("environment", &s.environments, &k.environments)?;
        c.all("tenant", &s.tenants, &k.tenants)?;
        c.all("user", &s.users, &k.users)?;
        if !s.url.get_ref().parse::<url::Url>().is_ok_and(|url| ["http", "https"].contains(&url.scheme())) {
            return Err(c
                .error(s.url.span(), "this is not an address that can be posted to")
                .help("write it like \"http://127.0.0.1:9000/hooks\""));
        }
    }
    Ok(())
}

fn triggers(c: &Check<'_>, plan: &Plan, k: &Known<'_>) -> Result<()> {
    c.unique("triggers", plan.triggers.iter().map(|t| (&t.name, Some(&t.project))))?;
    for t in &plan.triggers {
        c.known("project", &t.project, &k.projects)?;
        c.all("environment", &t.environments, &k.environments)?;
        c.all("environment", &t.from, &k.environments)?;
        c.maybe("environment", t.deploy_to.as_ref(), &k.environments)?;
        c.all("tenant", &t.tenants, &k.tenants)?;
        let of_it = plan.projects.iter().filter(|p| p.names().any(|name| name.eq_ignore_ascii_case(t.project.get_ref())));
        let runbooks: Vec<&str> = of_it.flat_map(|p| &p.runbooks).map(|r| r.name.get_ref().as_str()).collect();
        c.maybe("runbook", t.runbook.as_ref(), &runbooks)?;
        if t.cron.is_some() == (t.webhook.is_some() || t.needs_key) {
            return Err(c.error(t.name.span(), "a trigger has either `cron` or `webhook` (with `needs_key`, or alone)"));
        }
        if t.runbook.is_some() == t.deploy_to.is_some() {
            return Err(c.error(t.name.span(), "a trigger has either `runbook` or `deploy_to`"));
        }
        if t.runbook.is_some() && t.environments.is_empty() {
            return Err(c.error(t.name.span(), "a trigger with `runbook` has `environments`"));
        }
        let zone = match &t.zone {
            None => TimeZone::UTC,
            Some(written) => zone(written.get_ref())
                .map_err(|why| why.hints().iter().fold(c.error(written.span(), why.message()), |error, hint| error.help(hint.as_str())))?,
        };
        if let Some(cron) = &t.cron {
            let read = CronSchedule::read(cron.get_ref(), zone);
            read.map_err(|why| {
                c.error(cron.span(), &format!("this is not a cron expression: {why}"))
                    .help("write it like \"0 0 2 * * Mon-Fri\": seconds come first")
            })?;
        }
    }
    Ok(())
}

fn steps(c: &Check<'_>, steps: &[StepPlan], k: &Known<'_>) -> Result<()> {
    for step in steps {
        c.all("environment", &step.environments, &k.environments)?;
        for fail in &step.fails {
            c.maybe("environment", fail.environment.as_ref(), &k.environments)?;
            c.maybe("tenant", fail.tenant.as_ref(), &k.tenants)?;
        }
        c.maybe("package", step.package.as_ref(), &k.packages)?;
        c.all("package", &step.packages, &k.packages)?;
        if let Some(manual) = &step.manual {
            c.all("team", &manual.teams, &k.teams)?;
            c.maybe("user", manual.answer_by.as_ref(), &k.users)?;
        }
        if let Some(awaited) = &step.awaits {
            let named = !awaited.pull_requests.is_empty();
            if named != (*awaited.kind.get_ref() == AwaitedType::PullRequestCompletion) {
                let message = if named { "only PullRequestCompletion has `pull_requests`" } else { "the key `pull_requests` is missing" };
                return Err(c.error(awaited.kind.span(), message));
            }
            if step.manual.is_some() || step.run.is_some() {
                return Err(c.error(awaited.kind.span(), "a step with `awaits` has neither `manual` nor `run`"));
            }
        }
    }
    Ok(())
}

fn package(c: &Check<'_>, package: &PackagePlan) -> Result<()> {
    let id = package.id.get_ref();
    // Images have the path of their repository as id.
    if !is_package_id(id) && (package.feed.is_none() || !id.split('/').all(is_package_id)) {
        let message = format!("`{id}` cannot be the id of a package");
        return Err(c.error(package.id.span(), &message).help("letters, digits and `_`, with `.` or `-` between them"));
    }
    if package.feed.is_some() {
        if let Some(wrong) = package.versions.iter().find(|v| !is_image_tag(v.get_ref())) {
            let message = format!("`{}` cannot be the tag of an image", wrong.get_ref());
            return Err(c.error(wrong.span(), &message).help("at most 349 letters, digits, `.`, `_`, `-` and `+`"));
        }
    } else if let Some(wrong) = package.versions.iter().find(|v| !is_package_version(v.get_ref())) {
        let message = format!("`{}` cannot be the version of a package", wrong.get_ref());
        return Err(c.error(wrong.span(), &message).help("write it like \"1.8.0\" or \"1.8.0-beta.1\""));
    }
    c.unique("versions", package.versions.iter().map(|v| (v, None)))
}

fn variables(c: &Check<'_>, variables: &[VariablePlan], k: &Known<'_>) -> Result<()> {
    variables.iter().try_for_each(|v| c.all("environment", &v.environments, &k.scopes()))
}
