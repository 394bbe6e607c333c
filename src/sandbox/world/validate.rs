//! Checks what the shape of a world file cannot say: every name that points somewhere points at something.

use super::{
    model::{PackagePlan, Plan, ProjectPlan, Ref, StepPlan, VariablePlan},
    read::at,
};
use crate::{
    error::{Result, suggestion},
    sandbox::permissions::{PERMISSIONS, ROLES},
    sandbox::{upload::is_package_id, versions::is_package_version},
};
use std::collections::BTreeSet;

struct Check<'a> {
    name: &'a str,
    text: &'a str,
}

impl Check<'_> {
    fn known(&self, what: &str, wanted: &Ref, known: &[&str]) -> Result<()> {
        if known.iter().any(|k| k.eq_ignore_ascii_case(wanted.get_ref())) {
            return Ok(());
        }
        let error = at(self.name, self.text, wanted.span(), &format!("there is no {what} `{}` in this world", wanted.get_ref()));
        Err(match suggestion(wanted.get_ref(), known.iter().copied()) {
            Some(hint) => error.help(hint),
            None => error,
        })
    }

    fn all(&self, what: &str, wanted: &[Ref], known: &[&str]) -> Result<()> {
        wanted.iter().try_for_each(|w| self.known(what, w, known))
    }

    fn maybe(&self, what: &str, wanted: Option<&Ref>, known: &[&str]) -> Result<()> {
        wanted.map_or(Ok(()), |w| self.known(what, w, known))
    }

    fn unique<'r>(&self, what: &str, names: impl IntoIterator<Item = (&'r Ref, Option<&'r Ref>)>) -> Result<()> {
        let mut seen = BTreeSet::new();
        for (name, scope) in names {
            let key = (name.get_ref().to_lowercase(), scope.map(|s| s.get_ref().to_lowercase()));
            if !seen.insert(key) {
                return Err(at(self.name, self.text, name.span(), &format!("there are two {what} called `{}`", name.get_ref())));
            }
        }
        Ok(())
    }
}

pub(super) fn validate(name: &str, text: &str, plan: &Plan) -> Result<()> {
    let c = Check { name, text };
    let names = |refs: &mut dyn Iterator<Item = &Ref>| -> Vec<String> { refs.map(|r| r.get_ref().clone()).collect() };
    let spaces_owned = if plan.spaces.is_empty() { vec!["Default".to_owned()] } else { names(&mut plan.spaces.iter().map(|s| &s.name)) };
    let (environments, lifecycles, groups, tenants, teams, users, projects, library) = (
        names(&mut plan.environments.iter().map(|x| &x.name)),
        names(&mut plan.lifecycles.iter().map(|x| &x.name)),
        names(&mut plan.groups.iter().map(|x| &x.name)),
        names(&mut plan.tenants.iter().map(|x| &x.name)),
        names(&mut plan.teams.iter().map(|x| &x.name)),
        names(&mut plan.users.iter().map(|x| &x.name)),
        names(&mut plan.projects.iter().map(|x| &x.name)),
        names(&mut plan.library.iter().map(|x| &x.name)),
    );
    // The user of the world's own key is there, whether the file speaks of people or not.
    let users: Vec<String> = users.into_iter().chain(["sandbox".to_owned()]).collect();
    let tags: Vec<String> = plan.tag_sets.iter().flat_map(|s| s.tags.iter().map(move |t| format!("{}/{t}", s.name.get_ref()))).collect();
    let know = |v: &'_ [String]| -> Vec<String> { v.to_vec() };
    let k = Known {
        environments: know(&environments),
        lifecycles: know(&lifecycles),
        tags: know(&tags),
        tenants: know(&tenants),
        teams: know(&teams),
        users: know(&users),
        library: know(&library),
        groups: know(&groups),
        packages: names(&mut plan.packages.iter().map(|x| &x.id)),
    };
    let spaces: Vec<&str> = spaces_owned.iter().map(String::as_str).collect();
    let project_names: Vec<&str> = projects.iter().map(String::as_str).collect();

    if let Some(zone) = &plan.zone
        && crate::clock::text::zone(zone.get_ref()).is_err()
    {
        return Err(
            at(name, text, zone.span(), &format!("there is no time zone `{}`", zone.get_ref())).help("write it like \"Europe/London\"")
        );
    }
    if let Some(project) = plan.projects.iter().find(|p| p.copies.is_some_and(|n| !(1..=100_000).contains(&n))) {
        let span = project.name.span();
        return Err(at(name, text, span, &format!("`copies` of project `{}` must be between 1 and 100,000", project.name.get_ref())));
    }
    c.unique("spaces", plan.spaces.iter().map(|x| (&x.name, None)))?;
    c.unique("environments", plan.environments.iter().map(|x| (&x.name, x.space.as_ref())))?;
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
        .chain(plan.lifecycles.iter().map(|x| &x.space))
        .chain(plan.groups.iter().map(|x| &x.space))
        .chain(plan.tag_sets.iter().map(|x| &x.space))
        .chain(plan.tenants.iter().map(|x| &x.space))
        .chain(plan.teams.iter().map(|x| &x.space))
        .chain(plan.machines.iter().map(|x| &x.space))
        .chain(plan.library.iter().map(|x| &x.space))
        .chain(plan.packages.iter().map(|x| &x.space))
        .chain(plan.projects.iter().map(|x| &x.space));
    for space in scoped {
        c.maybe("space", space.as_ref(), &spaces)?;
    }
    c.maybe("environment", plan.context.environment.as_ref(), &refs(&k.environments))?;
    c.maybe("tenant", plan.context.tenant.as_ref(), &refs(&k.tenants))?;
    c.maybe("project", plan.context.project.as_ref(), &project_names)?;
    for phase in plan.lifecycles.iter().flat_map(|l| &l.phases) {
        c.all("environment", &phase.environments, &refs(&k.environments))?;
        c.all("environment", &phase.automatic, &refs(&k.environments))?;
    }
    for tenant in &plan.tenants {
        c.all("tag", &tenant.tags, &refs(&k.tags))?;
        for (project, environments) in &tenant.projects {
            if !project_names.iter().any(|p| p.eq_ignore_ascii_case(project)) {
                let error = at(
                    name,
                    text,
                    tenant.name.span(),
                    &format!("tenant `{}` names a project `{project}` that is not in this world", tenant.name.get_ref()),
                );
                return Err(match suggestion(project, project_names.iter().copied()) {
                    Some(hint) => error.help(hint),
                    None => error,
                });
            }
            c.all("environment", environments, &refs(&k.environments))?;
        }
    }
    people(&c, plan, &k, &spaces, &project_names)?;
    for machine in &plan.machines {
        c.all("environment", &machine.environments, &refs(&k.environments))?;
    }
    for set in &plan.library {
        variables(&c, &set.variables, &k)?;
    }
    for project in &plan.projects {
        one_project(&c, project, &k)?;
    }
    for live in &plan.live {
        c.known("project", &live.project, &project_names)?;
        c.known("environment", &live.environment, &refs(&k.environments))?;
        c.all("tenant", &live.tenants, &refs(&k.tenants))?;
        if let Some(project) = plan.projects.iter().find(|p| p.name.get_ref().eq_ignore_ascii_case(live.project.get_ref())) {
            let versions: Vec<&str> = project.releases.iter().map(|r| r.version.get_ref().as_str()).collect();
            c.known("release", &live.release, &versions)?;
        }
    }
    for freeze in &plan.freezes {
        c.all("project", &freeze.projects, &project_names)?;
        c.all("environment", &freeze.environments, &refs(&k.environments))?;
    }
    Ok(())
}

struct Known {
    environments: Vec<String>,
    lifecycles: Vec<String>,
    tags: Vec<String>,
    tenants: Vec<String>,
    teams: Vec<String>,
    users: Vec<String>,
    library: Vec<String>,
    groups: Vec<String>,
    packages: Vec<String>,
}

fn refs(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

/// Users, teams and the roles they are given.
fn people(c: &Check<'_>, plan: &Plan, k: &Known, spaces: &[&str], projects: &[&str]) -> Result<()> {
    let permissions: Vec<&str> = PERMISSIONS.iter().map(|p| p.0).collect();
    let mut roles: Vec<&str> = ROLES.iter().map(|r| r.0).collect();
    for role in &plan.roles {
        if roles.iter().any(|r| r.eq_ignore_ascii_case(role.name.get_ref())) {
            return Err(at(c.name, c.text, role.name.span(), &format!("there is already a user role `{}`", role.name.get_ref())));
        }
        c.all("permission", &role.permissions, &permissions)?;
        roles.push(role.name.get_ref());
    }
    let mut keys = BTreeSet::from([plan.key.as_deref().unwrap_or(super::KNOWN_KEY)]);
    for user in &plan.users {
        let wrong = |what: &str| Err(at(c.name, c.text, user.name.span(), &format!("user `{}` {what}", user.name.get_ref())));
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
                return Err(at(
                    c.name,
                    c.text,
                    user.name.span(),
                    &format!("a key of user `{}` is somebody else's, too", user.name.get_ref()),
                ));
            }
        }
    }
    for team in &plan.teams {
        c.all("user", &team.members, &refs(&k.users))?;
    }
    for role in plan.teams.iter().flat_map(|t| &t.roles).chain(plan.users.iter().flat_map(|u| &u.roles)) {
        c.known("user role", &role.role, &roles)?;
        c.maybe("space", role.space.as_ref(), spaces)?;
        c.all("project", &role.projects, projects)?;
        c.all("project group", &role.groups, &refs(&k.groups))?;
        c.all("environment", &role.environments, &refs(&k.environments))?;
        c.all("tenant", &role.tenants, &refs(&k.tenants))?;
    }
    Ok(())
}

fn one_project(c: &Check<'_>, project: &ProjectPlan, k: &Known) -> Result<()> {
    c.maybe("lifecycle", project.lifecycle.as_ref(), &refs(&k.lifecycles))?;
    c.maybe("project group", project.group.as_ref(), &refs(&k.groups))?;
    c.all("library variable set", &project.library, &refs(&k.library))?;
    c.unique("channels", project.channels.iter().map(|x| (&x.name, None)))?;
    c.unique("releases", project.releases.iter().map(|x| (&x.version, None)))?;
    let mut channels: Vec<&str> = project.channels.iter().map(|x| x.name.get_ref().as_str()).collect();
    if channels.is_empty() {
        channels.push("Default");
    }
    for channel in &project.channels {
        c.maybe("lifecycle", channel.lifecycle.as_ref(), &refs(&k.lifecycles))?;
        c.all("tag", &channel.tenant_tags, &refs(&k.tags))?;
    }
    for release in &project.releases {
        c.maybe("channel", release.channel.as_ref(), &channels)?;
    }
    let versions: Vec<&str> = project.releases.iter().map(|r| r.version.get_ref().as_str()).collect();
    for (environment, version) in &project.live {
        c.known("release", version, &versions)?;
        if !k.environments.iter().any(|e| e.eq_ignore_ascii_case(environment)) {
            let error = at(c.name, c.text, version.span(), &format!("there is no environment `{environment}` in this world"));
            return Err(match suggestion(environment, refs(&k.environments)) {
                Some(hint) => error.help(hint),
                None => error,
            });
        }
    }
    steps(c, &project.steps, k)?;
    variables(c, &project.variables, k)?;
    for runbook in &project.runbooks {
        c.all("environment", &runbook.environments, &refs(&k.environments))?;
        steps(c, &runbook.steps, k)?;
    }
    Ok(())
}

fn steps(c: &Check<'_>, steps: &[StepPlan], k: &Known) -> Result<()> {
    for step in steps {
        c.all("environment", &step.environments, &refs(&k.environments))?;
        for fail in &step.fails {
            c.maybe("environment", fail.environment.as_ref(), &refs(&k.environments))?;
            c.maybe("tenant", fail.tenant.as_ref(), &refs(&k.tenants))?;
        }
        c.maybe("package", step.package.as_ref(), &refs(&k.packages))?;
        c.all("package", &step.packages, &refs(&k.packages))?;
        if let Some(manual) = &step.manual {
            c.all("team", &manual.teams, &refs(&k.teams))?;
            c.maybe("user", manual.answer_by.as_ref(), &refs(&k.users))?;
        }
    }
    Ok(())
}

fn package(c: &Check<'_>, package: &PackagePlan) -> Result<()> {
    let id = package.id.get_ref();
    if !is_package_id(id) {
        let message = format!("`{id}` cannot be the id of a package");
        return Err(at(c.name, c.text, package.id.span(), &message).help("letters, digits and `_`, with `.` or `-` between them"));
    }
    if let Some(wrong) = package.versions.iter().find(|v| !is_package_version(v.get_ref())) {
        let message = format!("`{}` cannot be the version of a package", wrong.get_ref());
        return Err(at(c.name, c.text, wrong.span(), &message).help("write it like \"1.8.0\" or \"1.8.0-beta.1\""));
    }
    c.unique("versions", package.versions.iter().map(|v| (v, None)))
}

fn variables(c: &Check<'_>, variables: &[VariablePlan], k: &Known) -> Result<()> {
    variables.iter().try_for_each(|v| c.all("environment", &v.environments, &refs(&k.environments)))
}
