// Who and where: logging in, spaces, lists and pages, and what goes wrong.
"use strict";

const slug = (name) => name.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");
const sorted = (list) => [...list].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
const MODES = { no: "Untenanted", both: "TenantedOrUntenanted", only: "Tenanted" };


async function login(stage, is) {
    const server = await stage.client.getServerInformation();
    is.same("version", server.version, stage.world.version ?? "2026.3.4242");
    is.that("installationId is a UUID", /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(server.installationId), server.installationId);

    is.same("a capability it has", await stage.octopus.checkForCapability(stage.client, "GetAllSpacesRequest", "2022.3"), null);
    is.that("a capability it does not have", /MoonLanding/.test(await stage.octopus.checkForCapability(stage.client, "MoonLanding", "2099.1")), "nothing");

    const report = (line) => is.report(line);
    const own = await stage.octopus.userGetCurrent(stage.client);
    stage.types.check(own, stage.types.returned("userGetCurrent"), "userGetCurrent", report);
    is.fields("me", own, { Username: "sandbox", IsActive: true, Identities: [] });

    for (const user of stage.world.users) {
        const client = await stage.connect(user.key);
        const said = await stage.octopus.userGetCurrent(client);
        stage.types.check(said, stage.types.returned("userGetCurrent"), `userGetCurrent(${user.name})`, report);
        is.fields(user.name, said, {
            Username: user.name,
            DisplayName: user.display ?? user.name,
            EmailAddress: user.email ?? null,
            IsService: user.service ?? false,
            IsActive: true,
        });
    }

    const refused = /^You must be logged in to (perform this action|request this resource)\. Please provide a valid API key or log in again\.$/;
    for (const [what, key] of [["a wrong key", "API-WRONG"], ["no key", undefined]]) {
        const log = [];
        const client = await stage.connect(key);
        client.setOnErrorResponseCallback((details) => log.push(details));
        await is.refused(what, () => stage.octopus.userGetCurrent(client), 401, refused);
        is.same(`${what}: told to the error callback`, log.map((d) => [d.method, d.statusCode]), [["GET", 401]]);
        // resolveSpaceId keeps what it knows, so the question is asked with a name nobody asked for.
        await is.refused(`${what}: looking for a space`, () => stage.octopus.resolveSpaceId(client, "Nowhere"), 401, refused);
    }
    return "the server's version and id, both users, and the words of a refused key";
}

async function findSpace(stage, is) {
    const spaces = stage.repository("SpaceRepository");
    const all = await spaces.list({ take: 1000 });
    is.same("names", all.Items.map((s) => s.Name), sorted(stage.world.spaces.map((s) => s.name)));
    is.same("TotalResults", all.TotalResults, stage.world.spaces.length);
    for (const [i, space] of stage.world.spaces.entries()) {
        const found = await spaces.list({ partialName: space.name.slice(1, 6).toUpperCase() });
        is.same(`${space.name}: found by a part of its name`, found.Items.map((s) => s.Name), [space.name]);
        const truth = {
            Name: space.name,
            Slug: slug(space.name),
            Description: space.description ?? "",
            IsDefault: i === 0,
            TaskQueueStopped: space.queue_stopped ?? false,
        };
        is.fields(space.name, found.Items[0], truth);
        const id = await stage.octopus.resolveSpaceId(stage.client, space.name);
        is.same(`${space.name}: resolveSpaceId`, id, found.Items[0].Id);
        const one = await spaces.get(id);
        is.fields(`get ${space.name}`, one, truth);
        is.same(`get ${space.name}`, one, found.Items[0]);
        is.that(`${space.name}: somebody manages it`, one.SpaceManagersTeams.length + one.SpaceManagersTeamMembers.length > 0, one);
    }
    await is.refused("a space that is not there", () => stage.octopus.resolveSpaceId(stage.client, "Moon Base"), undefined, "No spaces exist with name 'Moon Base'");
    await is.refused("a part of a name is not a name", () => stage.octopus.resolveSpaceId(stage.client, "Harbour"), undefined, "Unable to resolve space name 'Harbour'");
    await is.refused("a space that is not there, by id", () => spaces.get("Spaces-999"), 404, "was not found");

    // The second space is empty, and what is in the first is not seen from there.
    const there = stage.types.watch("EnvironmentRepository", new stage.octopus.EnvironmentRepository(stage.client, "Harbour Ops"), (line) => is.report(line));
    const nothing = await there.list();
    is.fields("environments of the second space", nothing, { TotalResults: 0, Items: [], NumberOfPages: 1, LastPageNumber: 0 });
    return "both spaces by list, part of the name, id; a third that is not there";
}

/** Walks pages of `take` by skip, and by the links, and holds them against each other. */
async function walk(stage, is, what, list, take) {
    const items = [];
    let page;
    do {
        page = await list({ skip: items.length, take });
        items.push(...page.Items);
        is.fields(`${what} from ${items.length - page.Items.length}`, page, {
            ItemsPerPage: take,
            NumberOfPages: Math.max(1, Math.ceil(page.TotalResults / take)),
            LastPageNumber: Math.max(0, Math.ceil(page.TotalResults / take) - 1),
        });
    } while (items.length < page.TotalResults && page.Items.length > 0);
    const followed = [];
    let next = (await list({ skip: 0, take })).Links["Page.Current"];
    while (next) {
        const linked = await stage.client.get(next);
        followed.push(...linked.Items.map((i) => i.Id));
        next = linked.Links["Page.Next"];
    }
    is.same(`${what} by Page.Next`, followed, items.map((i) => i.Id));
    const last = await stage.client.get(page.Links["Page.Last"]);
    is.same(`${what}: Page.Last`, last.Items.map((i) => i.Id), page.Items.map((i) => i.Id));
    const whole = await stage.client.get(page.Links["Page.All"]);
    is.same(`${what}: Page.All`, whole.Items.map((i) => i.Id), items.map((i) => i.Id));
    return items;
}

async function projects(stage, is) {
    const repository = stage.repository("ProjectRepository");
    const groups = stage.repository("ProjectGroupRepository");
    const lifecycles = stage.repository("LifecycleRepository");
    const names = async (r) => Object.fromEntries((await r.list({ take: 1000 })).Items.map((x) => [x.Id, x.Name]));
    const [group, lifecycle] = [await names(groups), await names(lifecycles)];
    const truth = stage.projects();
    const all = await walk(stage, is, "projects", (args) => repository.list(args), 30);
    is.same("projects", sorted(all.map((p) => p.Name)), sorted(truth.map((p) => p.name)));
    is.same("ItemType", (await repository.list({ take: 1 })).ItemType, "Project");
    for (const project of truth) {
        const said = all.find((p) => p.Name === project.name);
        is.fields(project.name, said, {
            Slug: slug(project.name),
            Description: project.description ?? "",
            IsDisabled: project.disabled ?? false,
            TenantedDeploymentMode: MODES[project.tenanted ?? "no"],
            IsVersionControlled: false,
            PersistenceSettings: { Type: "Database" },
            Templates: [],
            IncludedLibraryVariableSetIds: [],
        });
        is.same(`${project.name}: its group`, group[said?.ProjectGroupId], project.group);
        is.same(`${project.name}: its lifecycle`, lifecycle[said?.LifecycleId], project.lifecycle);
    }
    const fleet = truth.filter((p) => p.name.startsWith("Fleet"));
    const part = await walk(stage, is, "projects named Fleet", (args) => repository.list({ partialName: "fleet", ...args }), 30);
    is.same("projects named Fleet", part.map((p) => p.Name), sorted(fleet.map((p) => p.name)));
    const two = [all[3].Id, all[40].Id];
    is.same("projects by ids", sorted((await repository.list({ ids: two })).Items.map((p) => p.Id)), sorted(two));
    is.same("one project", await repository.get(all[0].Id), all[0]);
    is.same("one project by its slug", (await repository.get(all[0].Slug)).Id, all[0].Id);

    const process = await stage.repository("DeploymentProcessRepository").get(all.find((p) => p.Name === "Harbour API"));
    const steps = stage.project("Harbour API").steps;
    is.same("process: steps", process.Steps.map((s) => s.Name), steps.map((s) => s.name));
    is.same("process: actions", process.Steps.map((s) => s.Actions.map((a) => [a.Name, a.IsDisabled])), steps.map((s) => [[s.name, s.disabled ?? false]]));
    is.fields("process", process, { Id: all.find((p) => p.Name === "Harbour API").DeploymentProcessId, ProjectId: all.find((p) => p.Name === "Harbour API").Id });
    const manual = await stage.repository("DeploymentProcessRepository").get(all.find((p) => p.Name === "Lock Gate"));
    is.same("process: a manual intervention", manual.Steps[1].Actions[0].ActionType, "Octopus.Manual");
    is.same("process: its instructions", manual.Steps[1].Actions[0].Properties["Octopus.Action.Manual.Instructions"], "Is the tide right?");

    const { Items: allGroups } = await groups.list();
    is.same("groups", allGroups.map((g) => g.Name), sorted(stage.world.groups.map((g) => g.name)));
    is.same("one group", await groups.get(allGroups[0].Id), allGroups[0]);
    return all;
}

async function environments(stage, is) {
    const repository = stage.repository("EnvironmentRepository");
    const list = await repository.list();
    const truth = stage.world.environments;
    is.same("environments", list.Items.map((e) => e.Name), truth.map((e) => e.name));
    const newer = await stage.repository("EnvironmentV2Repository").list({ skip: 0, take: 1000 });
    is.same("environments/v2", newer.Items.map((e) => [e.Id, e.Name, e.Type, e.Slug]), list.Items.map((e) => [e.Id, e.Name, "Static", slug(e.Name)]));
    for (const [i, environment] of truth.entries()) {
        is.fields(environment.name, list.Items[i], {
            Description: environment.description ?? "",
            SortOrder: i,
            UseGuidedFailure: environment.guided_failure ?? false,
            ExtensionSettings: [],
        });
        is.same(`one environment: ${environment.name}`, await repository.get(list.Items[i].Id), list.Items[i]);
        is.same(`${environment.name}: getEnvironmentByName`, (await repository.getEnvironmentByName(environment.name))?.Id, list.Items[i].Id);
        const machines = await repository.machines(list.Items[i]);
        const there = stage.world.machines.filter((m) => m.environments.includes(environment.name));
        is.same(`${environment.name}: machines`, machines.Items.map((m) => m.Name), there.map((m) => m.name));
        for (const [k, machine] of machines.Items.entries()) {
            stage.checked(machine, "Machine");
            is.fields(machine.Name, machine, { Roles: there[k].roles, HealthStatus: "Healthy", IsDisabled: false, TenantTags: [] });
        }
    }
    is.same("an environment that is not there", await repository.getEnvironmentByName("Staging"), null);
    await repository.sort(list.Items.map((e) => e.Id));
    is.same("environments after sorting them as they were", (await repository.list()).Items, list.Items);
    const summary = stage.checked(await repository.summary(), "EnvironmentsSummary");
    is.same("summary", summary.EnvironmentSummaries.map((s) => s.Environment.Name), truth.map((e) => e.name));
    is.same("summary: machines", summary.EnvironmentSummaries.map((s) => s.TotalMachines), truth.map((e) => stage.world.machines.filter((m) => m.environments.includes(e.name)).length));
    is.same("summary: all machines", summary.TotalMachines, stage.world.machines.length);
    return Object.fromEntries(list.Items.map((e) => [e.Name, e.Id]));
}

async function lifecycles(stage, is, environment) {
    const repository = stage.repository("LifecycleRepository");
    const list = await repository.list();
    is.same("lifecycles", list.Items.map((l) => l.Name), sorted(stage.world.lifecycles.map((l) => l.name)));
    for (const lifecycle of stage.world.lifecycles) {
        const said = list.Items.find((l) => l.Name === lifecycle.name);
        is.same(
            `${lifecycle.name}: phases`,
            said?.Phases.map((p) => [p.Name, p.OptionalDeploymentTargets, p.AutomaticDeploymentTargets, p.MinimumEnvironmentsBeforePromotion, p.IsOptionalPhase]),
            lifecycle.phases.map((p) => [p.name, p.environments.map((e) => environment[e]), (p.automatic ?? []).map((e) => environment[e]), p.minimum ?? 0, p.optional ?? false]),
        );
        is.fields(`${lifecycle.name}: ReleaseRetentionPolicy`, said?.ReleaseRetentionPolicy, { ShouldKeepForever: true, QuantityToKeep: 0, Unit: "Items" });
        is.same(`one lifecycle: ${lifecycle.name}`, await repository.get(said.Id), said);
    }
}

async function tenants(stage, is, all, environment) {
    const sets = stage.repository("TagSetRepository");
    const { Items: tagSets } = await sets.list();
    is.same("tag sets", tagSets.map((s) => s.Name), stage.world.tag_sets.map((s) => s.name));
    for (const set of stage.world.tag_sets) {
        const said = tagSets.find((s) => s.Name === set.name);
        is.same(`${set.name}: tags`, said?.Tags.map((t) => [t.Name, t.CanonicalTagName, t.SortOrder]), set.tags.map((t, i) => [t, `${set.name}/${t}`, i]));
        is.same(`one tag set: ${set.name}`, await sets.get(said.Id), said);
    }
    await sets.sort(tagSets.map((s) => s.Id));

    const repository = stage.repository("TenantRepository");
    const project = Object.fromEntries(all.map((p) => [p.Name, p.Id]));
    const list = await walk(stage, is, "tenants", (args) => repository.list(args), 2);
    const truth = stage.world.tenants;
    is.same("tenants", list.map((t) => t.Name), sorted(truth.map((t) => t.name)));
    for (const tenant of truth) {
        const said = list.find((t) => t.Name === tenant.name);
        const connected = Object.entries(tenant.projects).map(([p, e]) => [project[p], e.map((n) => environment[n])]);
        is.fields(tenant.name, said, { TenantTags: tenant.tags, ProjectEnvironments: Object.fromEntries(connected), ClonedFromTenantId: null, Description: "" });
        is.same(`one tenant: ${tenant.name}`, await repository.get(said.Id), said);
        const variables = await repository.getVariables(said);
        is.fields(`${tenant.name}: variables`, variables, { TenantId: said.Id, TenantName: tenant.name, LibraryVariables: {} });
        is.same(
            `${tenant.name}: variables of projects`,
            Object.values(variables.ProjectVariables).map((p) => [p.ProjectId, p.ProjectName, Object.keys(p.Variables)]),
            Object.entries(tenant.projects).map(([p, e]) => [project[p], p, e.map((n) => environment[n])]),
        );
        is.same(`${tenant.name}: variables put back`, (await repository.setVariables(said, variables)).TenantId, said.Id);
        is.fields(`${tenant.name}: common variables`, await repository.getCommonVariables(said, true), { TenantId: said.Id, Variables: [], MissingVariables: [] });
        is.fields(`${tenant.name}: project variables`, await repository.getProjectVariables(said, true), { TenantId: said.Id, Variables: [], MissingVariables: [] });
    }
    const north = truth.filter((t) => t.tags.includes("Region/North"));
    is.same("tenants with a tag", (await repository.list({ tags: "Region/North" })).Items.map((t) => t.Name), sorted(north.map((t) => t.name)));
    is.same("tenants of a project", (await repository.list({ projectId: project.Store })).Items.map((t) => t.Name), sorted(truth.map((t) => t.name)));
    is.same("tenants of a project without any", (await repository.list({ projectId: project.Ledger })).Items, []);
    is.same("tenants by a part of the name", (await repository.list({ partialName: "of s" })).Items.map((t) => t.Name), ["Port of Sul"]);
    const ids = list.map((t) => t.Id);
    const test = await repository.tagTest(ids, ["Region/North"]);
    is.same("tag test", list.map((t) => [t.Name, test[t.Id]?.IsMatched]), list.map((t) => [t.Name, north.some((n) => n.name === t.Name)]));
    is.same("missing variables", await repository.missingVariables({ tenantId: ids[0] }, true), []);
}

async function releases(stage, is, all) {
    const repository = stage.repository("ReleaseRepository");
    for (const name of ["Fleet 007", "Harbour API"]) {
        const project = all.find((p) => p.Name === name);
        const truth = stage.project(name) ?? stage.projects().find((p) => p.name === name);
        const said = await repository.listForProject(project.Id);
        is.same(`${name}: releases, newest first`, said.Items.map((r) => [r.Version, r.ReleaseNotes]), [...truth.releases].reverse().map((r) => [r.version, r.notes ?? null]));
        const channels = await stage.get("Channel[]", "/projects/{id}/channels", { id: project.Id });
        is.same(`${name}: channels`, channels.Items.map((c) => [c.Name, c.IsDefault, c.ProjectId, c.LifecycleId]), [["Default", true, project.Id, null]]);
        for (const release of said.Items) {
            is.fields(`${name} ${release.Version}`, release, { ProjectId: project.Id, SpaceId: project.SpaceId, ChannelId: channels.Items[0].Id, SelectedPackages: [], IgnoreChannelRules: false });
            is.same(`one release: ${release.Version}`, await repository.get(release.Id), release);
        }
    }
    const fleet = all.find((p) => p.Name === "Fleet 007");
    is.same("releases by version", (await repository.listForProject(fleet.Id, { searchByVersion: "1.1" })).Items.map((r) => r.Version), ["1.1.0"]);
    const counted = stage.projects().reduce((n, p) => n + p.releases.length, 0);
    const everything = await repository.list({ skip: 0, take: 1000 });
    is.that("releases of all projects", everything.TotalResults >= counted && everything.Items.length === everything.TotalResults, everything.TotalResults);
    const paged = await repository.list({ skip: 30, take: 30 });
    is.same("the second page of all releases", paged.Items.map((r) => r.Id), everything.Items.slice(30, 60).map((r) => r.Id));
}

async function listAndPage(stage, is) {
    const all = await projects(stage, is);
    const environment = await environments(stage, is);
    await lifecycles(stage, is, environment);
    await tenants(stage, is, all, environment);
    await releases(stage, is, all);
    return "projects by page and by link, groups, processes, environments, lifecycles, tag sets, tenants, releases";
}

async function errors(stage, is) {
    const repository = stage.repository("ProjectRepository");
    await is.refused("a project that is not there", () => repository.get("Projects-999"), 404, "'Projects-999' was not found");
    await is.refused("a project by its name", () => repository.get("harbour%20api"), 404, "was not found");
    await is.refused("a release that is not there", () => stage.repository("ReleaseRepository").get("Releases-9999"), 404, "'Releases-9999' was not found");
    await is.refused("a deployment that is not there", () => stage.repository("DeploymentRepository").get("Deployments-9999"), 404, "was not found");
    await is.refused("a task that is not there", () => stage.repository("SpaceServerTaskRepository").getById("ServerTasks-9999"), 404, "was not found");
    await is.refused("waiting for it", () => stage.wait(["ServerTasks-9999"]), undefined, "Unknown task Id(s) ServerTasks-9999");
    await is.refused("the log of it", () => stage.repository("SpaceServerTaskRepository").getRaw("ServerTasks-9999"), 404, /./);
    const bad = "There was a problem with your request.\n";
    await is.refused("an environment without a name", () => stage.repository("EnvironmentRepository").create({ Description: "no name" }), 400, `${bad}The Name field is required.`);
    await is.refused("an environment whose name is taken", () => stage.repository("EnvironmentRepository").create({ Name: "Test" }), 400, /^There was a problem with your request\.\n.*'Test'/);
    await is.refused("a release of no project", () => stage.repository("ReleaseRepository").create({ spaceName: stage.space, ProjectName: "Moon Base", ReleaseVersion: "1.0.0" }), 404, "Moon Base");
    await is.refused("a deployment of no release", () => stage.deploy("Harbour API", "9.9.9", ["Test"]), 404, "Release '9.9.9' for project 'Harbour API' was not found.");
    await is.refused("a deployment to no environment", () => stage.deploy("Harbour API", "1.0.0", ["Staging"]), 404, "Staging");
    const before = (await stage.state()).deployments.length;
    await is.refused("one environment of two is not there", () => stage.deploy("Harbour API", "1.0.0", ["Test", "Staging"]), 404, "Staging");
    is.same("then nothing is deployed", (await stage.state()).deployments.length, before);

    // Somebody who may look and nothing else.
    const looker = stage.world.users.find((u) => u.permissions);
    const client = await stage.connect(looker.key);
    const theirs = (name) => new stage.octopus[name](client, stage.space);
    const seen = await theirs("ProjectRepository").list({ partialName: "Harbour API" });
    is.same(`${looker.name} may look`, seen.Items.map((p) => p.Name), ["Harbour API"]);
    const missing = (permission) => `You do not have permission to perform this action. Please contact your Octopus administrator. Missing permission: ${permission}`;
    const common = { spaceName: stage.space, ProjectName: "Harbour API", ReleaseVersion: "1.0.0" };
    await is.refused(`${looker.name} deploys`, () => theirs("DeploymentRepository").create({ ...common, EnvironmentNames: ["Test"] }), 403, missing("DeploymentCreate"));
    await is.refused(`${looker.name} makes a release`, () => theirs("ReleaseRepository").create({ ...common, ReleaseVersion: "9.0.0" }), 403, missing("ReleaseCreate"));
    await is.refused(`${looker.name} runs a runbook`, () => theirs("RunbookRunRepository").create({ ...common, RunbookName: "Restart harbour", EnvironmentNames: ["Test"] }), 403, missing("RunbookRunCreate"));
    await is.refused(`${looker.name} cancels`, () => new stage.octopus.ServerTaskRepository(client).cancel("ServerTasks-1"), 403, missing("TaskCancel"));
    await is.refused(`${looker.name} makes an environment`, () => theirs("EnvironmentRepository").create({ Name: "Staging" }), 403, missing("EnvironmentCreate"));
    is.same("and nothing happens", (await stage.state()).deployments.length, before);

    const log = [];
    stage.client.setOnErrorResponseCallback((details) => log.push([details.method, details.statusCode]));
    await is.refused("told to the error callback", () => repository.get("Projects-998"), 404, "was not found");
    stage.client.setOnErrorResponseCallback(undefined);
    is.same("the error callback", log, [["GET", 404]]);
    return "404, 403, 400 with reasons, waiting for what is not there, all or nothing";
}

module.exports = { login, "find-space": findSpace, "list-and-page": listAndPage, errors };
