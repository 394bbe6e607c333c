// Making deployments and runs happen.
"use strict";

/** The documents a deployment is about, by name, as the client finds them. */
async function about(stage, projectName, version) {
    const project = await stage.named(stage.repository("ProjectRepository"), projectName);
    const { Items } = await stage.repository("ReleaseRepository").listForProject(project.Id, { searchByVersion: version });
    return { project, release: Items.find((r) => r.Version === version), environment: await stage.environments() };
}

/** What the client shows of a deployment against what happened. */
async function held(stage, is, what, task, truth, { project, release, environment }, more = {}) {
    const repository = stage.repository("DeploymentRepository");
    is.same(`${what}: its task`, task, { DeploymentId: truth?.id, ServerTaskId: truth?.task });
    const said = await repository.get(task.DeploymentId);
    stage.execution(what, said, truth, environment);
    is.fields(what, said, {
        Name: `Deploy to ${truth.environment}`,
        SpaceId: project.SpaceId,
        ProjectId: project.Id,
        ReleaseId: release.Id,
        ChannelId: release.ChannelId,
        DeploymentProcessId: release.ProjectDeploymentProcessSnapshotId,
        Comments: truth.comments,
        TenantId: null,
        QueueTimeExpiry: null,
        ForcePackageDownload: false,
        ForcePackageRedeployment: false,
        SkipActions: [],
        Changes: [{ Version: release.Version, ReleaseNotes: release.ReleaseNotes, BuildInformation: [], WorkItems: [], Commits: [] }],
        ChangesMarkdown: `\n**Release ${release.Version}**\n\n${release.ReleaseNotes ?? ""}\n\n`,
        ...more,
    });
    is.same(`${what}: project and release`, [truth.project, truth.release], [project.Name, release.Version]);
    const own = await stage.repository("SpaceServerTaskRepository").getById(task.ServerTaskId);
    is.fields(`${what}: the task`, own, {
        Name: "Deploy",
        Arguments: { DeploymentId: task.DeploymentId },
        Description: `Deploy ${project.Name} release ${release.Version} to ${truth.environment}${truth.tenant ? ` for ${truth.tenant}` : ""}`,
        QueueTime: truth.queued,
    });
    return said;
}

async function deployUntenanted(stage, is) {
    const it = await about(stage, "Harbour API", "1.1.0");
    const names = ["Development", "Test", "Production"];
    const repository = stage.repository("DeploymentRepository");
    const start = await stage.now();

    const [first] = await stage.deploy("Harbour API", "1.1.0", ["Development"]);
    let [truth] = await stage.truth([first.DeploymentId]);
    is.same("one environment", truth?.environment, "Development");
    const alone = await held(stage, is, "one environment", first, truth, it);
    is.that("Created is now", new Date(alone.Created) >= start && new Date(alone.Created) <= (await stage.now()), alone.Created);

    const all = await stage.deploy("Harbour API", "1.0.0", names);
    const told = await stage.truth(all.map((t) => t.DeploymentId));
    is.same("several environments", told.map((t) => t?.environment), names);
    const old = await about(stage, "Harbour API", "1.0.0");
    for (const [i, task] of all.entries()) await held(stage, is, `several: ${names[i]}`, task, told[i], old);

    const machine = stage.world.machines[0].name;
    const [special] = await stage.deploy("Harbour API", "1.1.0", ["Test"], {
        UseGuidedFailure: true,
        SkipStepNames: ["Smoke test"],
        SpecificMachineNames: [machine],
        ForcePackageDownload: true,
        ForcePackageRedeployment: true,
    });
    [truth] = await stage.truth([special.DeploymentId]);
    is.same("switches, as they were heard", [truth.guided, truth.skip, truth.machines.length], [true, ["Smoke test"], 1]);
    const process = await stage.repository("DeploymentProcessRepository").get(it.project);
    const step = process.Steps.find((s) => s.Name === "Smoke test");
    await held(stage, is, "switches", special, truth, it, {
        ForcePackageDownload: true,
        ForcePackageRedeployment: true,
        UseGuidedFailure: true,
        SkipActions: step.Actions.map((a) => a.Id),
    });
    const [without] = await stage.deploy("Harbour API", "1.1.0", ["Test"], { ExcludedMachineNames: [machine] });
    [truth] = await stage.truth([without.DeploymentId]);
    is.same("without a machine", truth.without.length, 1);
    await held(stage, is, "without a machine", without, truth, it);
    await is.refused("a machine that is not there", () => stage.deploy("Harbour API", "1.1.0", ["Test"], { SpecificMachineNames: ["moon-01"] }), 400, "moon-01");

    const ids = [first, ...all, special, without].map((t) => t.DeploymentId);
    const done = await stage.wait([first, ...all, special, without].map((t) => t.ServerTaskId));
    is.same("all succeed", done.map((t) => t.State), ids.map(() => "Success"));
    const mine = (list) => list.Items.map((d) => d.Id).filter((id) => ids.includes(id));
    is.same("listed, newest first", mine(await repository.list({ projects: [it.project.Id], take: 100 })), [...ids].reverse());
    is.same("listed by ids", (await repository.list({ ids: ids.slice(0, 2) })).Items.map((d) => d.Id), ids.slice(0, 2).reverse());
    const at = (name) => ids.filter((_, i) => ["Development", ...names, "Test", "Test"][i] === name).reverse();
    for (const name of names) {
        const listed = await repository.list({ projects: [it.project.Id], environments: [it.environment[name]], taskState: "Success", take: 100 });
        is.same(`listed at ${name}`, mine(listed), at(name));
    }
    is.same("listed by another state", mine(await repository.list({ projects: [it.project.Id], taskState: "Queued", take: 100 })), []);
    const { live } = await stage.state();
    for (const name of names) {
        const [newest] = (await repository.list({ projects: [it.project.Id], environments: [it.environment[name]], taskState: "Success", take: 1 })).Items;
        const release = await stage.repository("ReleaseRepository").get(newest.ReleaseId);
        is.same(`live at ${name}`, release.Version, live.find((l) => l.project === "Harbour API" && l.environment === name)?.release);
    }
    return "one environment, three at once, switches, and what the lists say afterwards";
}

async function deployTenanted(stage, is) {
    const it = await about(stage, "Store", "3.1.0");
    const { Items } = await stage.repository("TenantRepository").list({ take: 100 });
    const tenant = Object.fromEntries(Items.map((t) => [t.Name, t.Id]));
    const make = async (more) => {
        const answer = await stage.repository("DeploymentRepository").createTenanted({
            spaceName: stage.space,
            ProjectName: "Store",
            ReleaseVersion: "3.1.0",
            EnvironmentName: "Test",
            Tenants: [],
            TenantTags: [],
            ...more,
        });
        return answer.DeploymentServerTasks;
    };
    const sort = (list) => [...list].sort();
    const tagged = stage.world.tenants.filter((t) => t.tags.includes("Region/North")).map((t) => t.name);
    const made = [];
    for (const [what, more, names] of [
        ["by name", { Tenants: ["Port of Sul", "Port of Rivo"] }, ["Port of Sul", "Port of Rivo"]],
        ["by tag", { TenantTags: ["Region/North"] }, tagged],
        ["by name and tag", { Tenants: ["Port of Sul"], TenantTags: ["Region/North"] }, ["Port of Sul", ...tagged]],
    ]) {
        const tasks = await make(more);
        const told = await stage.truth(tasks.map((t) => t.DeploymentId));
        is.same(`${what}: tenants`, sort(told.map((t) => t?.tenant)), sort(names));
        for (const [i, task] of tasks.entries()) {
            const said = await held(stage, is, `${what}: ${told[i].tenant}`, task, told[i], it, { TenantId: tenant[told[i].tenant] });
            is.same(`${what}: its environment`, said.EnvironmentId, it.environment.Test);
        }
        made.push(...tasks);
    }
    const [untenanted] = await stage.deploy("Store", "3.0.0", ["Test"]);
    const [truth] = await stage.truth([untenanted.DeploymentId]);
    is.same("without a tenant", truth.tenant, null);

    await is.refused("a tenant that is not there", () => make({ Tenants: ["Port of Nowhere"] }), 404, "Port of Nowhere");
    await is.refused("a tenant that is not connected", () => make({ EnvironmentName: "Production", Tenants: ["Port of Norr"] }), 400, "There was a problem with your request.\nThe tenant 'Port of Norr'");
    await is.refused("a project without tenants", () => make({ ProjectName: "Night Train", ReleaseVersion: "1.0.0", Tenants: ["Port of Sul"] }), 400, "Night Train");
    await is.refused("a tag nobody has", () => make({ TenantTags: ["Region/West"] }), 400, "There was a problem with your request.\n");

    await stage.wait([...made, untenanted].map((t) => t.ServerTaskId));
    const ids = made.map((t) => t.DeploymentId);
    const listed = await stage.repository("DeploymentRepository").list({ tenants: [tenant["Port of Sul"]], projects: [it.project.Id], take: 100 });
    const told = await stage.truth(ids);
    is.same("listed by tenant", listed.Items.map((d) => d.Id), told.filter((t) => t.tenant === "Port of Sul").map((t) => t.id).reverse());
    return "tenants by name, by tag, by both; refusals";
}

async function promptedVariables(stage, is) {
    const it = await about(stage, "Ledger", "1.0.0");
    const prompt = stage.project("Ledger").variables.find((v) => v.prompt);
    const before = (await stage.state()).deployments.length;
    await is.refused("without a value", () => stage.deploy("Ledger", "1.0.0", ["Test"]), 400, /^There was a problem with your request\.\n.*Change number/);
    is.same("nothing was made", (await stage.state()).deployments.length, before);

    const set = await stage.get("VariableSet", "/variables/{id}", { id: it.project.VariableSetId });
    is.fields("the variable set", set, { Id: it.project.VariableSetId, OwnerId: it.project.Id, SpaceId: it.project.SpaceId });
    is.same(
        "variables",
        set.Variables.map((v) => [v.Name, v.Value, v.IsSensitive, v.Type, v.Prompt && [v.Prompt.Label, v.Prompt.Required]]),
        stage.project("Ledger").variables.map((v) => [v.name, v.sensitive ? null : (v.value ?? ""), v.sensitive ?? false, v.sensitive ? "Sensitive" : "String", v.prompt ? [v.prompt, v.required ?? false] : null]),
    );
    is.same("environments to choose from", set.ScopeValues.Environments, Object.entries(it.environment).map(([Name, Id]) => ({ Id, Name })));
    const preview = await stage.get("DeploymentPreview", "/releases/{release}/deployments/preview/{environment}", { release: it.release.Id, environment: it.environment.Test });
    is.same(
        "the form before deploying",
        preview.Form.Elements.map((e) => [e.Control.Name, e.Control.Label, e.Control.Required, e.IsValueRequired, e.Name in preview.Form.Values]),
        [[prompt.name, prompt.prompt, true, true, true]],
    );
    is.same("the steps before deploying", preview.StepsToExecute.map((s) => s.ActionName), stage.project("Ledger").steps.map((s) => s.name));

    for (const [what, variables] of [
        ["by the variable's name", { "Change.Number": "CHG-1042" }],
        ["by its label", { "Change number": "CHG-1043" }],
    ]) {
        const [task] = await stage.deploy("Ledger", "1.0.0", ["Test"], { Variables: variables });
        const [truth] = await stage.truth([task.DeploymentId]);
        is.same(`${what}: what the server heard`, truth.values, { "Change.Number": Object.values(variables)[0] });
        const said = await held(stage, is, what, task, truth, it);
        const manifest = await stage.get("VariableSet", "/variables/{id}", { id: said.ManifestVariableSetId });
        const value = manifest.Variables.find((v) => v.Name === "Change.Number")?.Value;
        is.same(`${what}: what the deployment runs with`, value, truth.values["Change.Number"]);
    }
    return "refused without, deployed with a value by name and by label";
}

async function deployLater(stage, is) {
    const it = await about(stage, "Night Train", "1.0.0");
    const hour = 3_600_000;
    const whole = (date) => new Date(Math.ceil(date.getTime() / 1000) * 1000);
    const stamp = (date) => date.toISOString().replace("Z", "+00:00");
    const now = await stage.now();

    const at = whole(new Date(now.getTime() + 2 * hour));
    const until = new Date(at.getTime() + hour);
    const [task] = await stage.deploy("Night Train", "1.0.0", ["Test"], { RunAt: at, NoRunAfter: until });
    const [truth] = await stage.truth([task.DeploymentId]);
    is.same("scheduled, as it was heard", truth.scheduled, stamp(at));
    await held(stage, is, "later", task, truth, it, { QueueTime: stamp(at), QueueTimeExpiry: stamp(until) });
    const waiting = await stage.repository("SpaceServerTaskRepository").getById(task.ServerTaskId);
    is.fields("the task meanwhile", waiting, {
        State: "Queued",
        Completed: "Queued...",
        QueueTime: stamp(at),
        QueueTimeExpiry: stamp(until),
        StartTime: null,
        CompletedTime: null,
        ServerNode: null,
        HasBeenPickedUpByProcessor: false,
        IsCompleted: false,
    });
    const [done] = await stage.wait([task.ServerTaskId]);
    is.same("it goes in the end", done?.State, "Success");
    is.that("not before its time", new Date(done?.StartTime) >= at && new Date(done?.StartTime) < until, done?.StartTime);
    const [then] = await stage.truth([task.DeploymentId]);
    stage.task("later: the task in the end", done, then);

    await is.refused("too late before it begins", () => stage.deploy("Night Train", "1.0.0", ["Test"], { RunAt: until, NoRunAfter: at }), 400, "There was a problem with your request.\n");

    // Another deployment holds the place for two days, so this one never gets to start.
    const [holder] = await stage.deploy("Slow Boat", "1.0.0", ["Production"]);
    const [late] = await stage.deploy("Slow Boat", "1.0.0", ["Production"], { NoRunAfter: new Date((await stage.now()).getTime() + hour) });
    const [missed] = await stage.wait([late.ServerTaskId]);
    const [never] = await stage.truth([late.DeploymentId]);
    is.fields("after its time", missed, { State: "TimedOut", IsCompleted: true, FinishedSuccessfully: false, StartTime: null });
    stage.task("after its time", missed, never);
    await stage.repository("ServerTaskRepository").cancel(holder.ServerTaskId);
    await stage.wait([holder.ServerTaskId]);
    return "a time to start at, kept; a time after which it must not start, kept too";
}

async function freezeOverride(stage, is) {
    const it = await about(stage, "Frozen Pier", "1.0.0");
    const freeze = stage.world.freezes[0];
    const known = stage.checked(await stage.client.get("~/api/deploymentfreezes{?skip,take,projectIds}", { skip: 0, take: 100, projectIds: it.project.Id }), "Freezes");
    is.same("freezes", [known.Count, known.DeploymentFreezes.map((f) => [f.Name, f.ProjectEnvironmentScope])], [1, [[freeze.name, { [it.project.Id]: [it.environment.Production] }]]]);
    const now = await stage.now();
    is.that("it is now", new Date(known.DeploymentFreezes[0].Start) <= now && new Date(known.DeploymentFreezes[0].End) > now, known.DeploymentFreezes[0]);
    is.same("it goes on for", new Date(known.DeploymentFreezes[0].End) - new Date(known.DeploymentFreezes[0].Start), 5000 * 3_600_000);

    const bad = "There was a problem with your request.\n";
    const to = (environments, more) => stage.deploy("Frozen Pier", "1.0.0", environments, more);
    await is.refused("frozen", () => to(["Production"]), 400, new RegExp(`^${bad}.*'${freeze.name}'`));
    await is.refused("a name without a reason", () => to(["Production"], { DeploymentFreezeNames: [freeze.name] }), 400, bad);
    await is.refused("a reason without a name", () => to(["Production"], { DeploymentFreezeOverrideReason: "hotfix" }), 400, `${bad}A deployment freeze override reason is specified, but no deployment freezes to override are specified.`);
    is.same("nothing was made", (await stage.state()).deployments.filter((d) => d.project === "Frozen Pier"), []);

    const [free] = await to(["Test"]);
    const [told] = await stage.truth([free.DeploymentId]);
    await held(stage, is, "another environment", free, told, it);
    const [task] = await to(["Production"], { DeploymentFreezeNames: [freeze.name], DeploymentFreezeOverrideReason: "hotfix" });
    const [truth] = await stage.truth([task.DeploymentId]);
    await held(stage, is, "overridden", task, truth, it);
    const done = await stage.wait([task.ServerTaskId, free.ServerTaskId]);
    is.same("both succeed", done.map((t) => t.State), ["Success", "Success"]);
    return "refused in the freeze's name, made with its name and a reason";
}

async function runRunbook(stage, is) {
    const project = await stage.named(stage.repository("ProjectRepository"), "Harbour API");
    const environment = await stage.environments();
    const plan = stage.project("Harbour API").runbooks[0];
    const runbooks = stage.repository("RunbookRepository", project);
    const snapshots = stage.repository("RunbookSnapshotRepository", project);
    const runs = stage.repository("RunbookRunRepository");

    const runbook = await stage.named(runbooks, plan.name);
    is.fields("the runbook", runbook, {
        SpaceId: project.SpaceId,
        ProjectId: project.Id,
        Description: plan.description ?? "",
        EnvironmentScope: "All",
        Environments: [],
        DefaultGuidedFailureMode: "EnvironmentDefault",
    });
    is.same("one runbook", await runbooks.get(runbook.Id), runbook);
    const process = await stage.repository("RunbookProcessRepository", project).get(runbook);
    is.same("its steps", process.Steps.map((s) => s.Name), plan.steps.map((s) => s.name));
    is.fields("its process", process, { Id: runbook.RunbookProcessId, ProjectId: project.Id, RunbookId: runbook.Id });

    const run = async (more) =>
        (await runs.create({ spaceName: stage.space, ProjectName: "Harbour API", RunbookName: plan.name, EnvironmentNames: ["Test"], ...more })).RunbookRunServerTasks;
    const held = async (what, task, snapshot) => {
        const [truth] = await stage.truth([task.RunbookRunId], "runbook_runs");
        is.same(`${what}: its task`, task, { RunbookRunId: truth?.id, ServerTaskId: truth?.task });
        is.same(`${what}: what runs`, [truth.project, truth.runbook], ["Harbour API", plan.name]);
        const said = await runs.get(task.RunbookRunId);
        stage.execution(what, said, truth, environment);
        is.fields(what, said, {
            Name: `Run ${plan.name} on ${truth.environment}`,
            SpaceId: project.SpaceId,
            ProjectId: project.Id,
            RunbookId: runbook.Id,
            RunbookSnapshotId: snapshot.Id ?? snapshot,
            Comments: truth.comments,
            TenantId: null,
            QueueTimeExpiry: null,
            ForcePackageDownload: false,
            SkipActions: [],
        });
        return { said, truth };
    };
    const [one] = await run({});
    const { said } = await held("published", one, runbook.PublishedRunbookSnapshotId);
    const [done] = await stage.wait([one.ServerTaskId]);
    const [then] = await stage.truth([one.RunbookRunId], "runbook_runs");
    stage.task("published: the task", done, then);
    is.fields("published: the task", done, { State: "Success", Name: "RunbookRun", Arguments: { RunbookRunId: one.RunbookRunId } });
    const log = await stage.repository("SpaceServerTaskRepository").getRaw(one.ServerTaskId);
    is.that("its log", plan.steps.flatMap((s) => s.log ?? []).every((line) => log.includes(line)), log);

    const snapshot = await snapshots.create(runbook, "Snapshot kept", false, "not published");
    is.fields("a snapshot", snapshot, {
        Name: "Snapshot kept",
        Notes: "not published",
        RunbookId: runbook.Id,
        ProjectId: project.Id,
        SpaceId: project.SpaceId,
        FrozenRunbookProcessId: said.FrozenRunbookProcessId,
    });
    is.same("it is not published", (await runbooks.get(runbook.Id)).PublishedRunbookSnapshotId, runbook.PublishedRunbookSnapshotId);
    const [named] = await run({ Snapshot: "Snapshot kept" });
    await held("a snapshot by name", named, snapshot);
    const next = await snapshots.create(runbook, "Snapshot published", true);
    is.same("now it is published", (await runbooks.get(runbook.Id)).PublishedRunbookSnapshotId, next.Id);
    const several = await run({ EnvironmentNames: ["Development", "Production"] });
    is.same("several environments", (await stage.truth(several.map((t) => t.RunbookRunId), "runbook_runs")).map((t) => t?.environment), ["Development", "Production"]);
    for (const task of several) await held("the new snapshot", task, next);
    await stage.wait([named, ...several].map((t) => t.ServerTaskId));

    const ids = [one, named, ...several].map((t) => t.RunbookRunId);
    const listed = await runs.list({ projects: [project.Id], runbooks: [runbook.Id], taskState: "Success", take: 100 });
    is.same("listed, newest first", listed.Items.map((r) => r.Id).filter((id) => ids.includes(id)), [...ids].reverse());
    const there = await runs.list({ environments: [environment.Test], take: 100 });
    is.same("listed at Test", there.Items.map((r) => r.Id).filter((id) => ids.includes(id)), ids.slice(0, 2).reverse());

    await is.refused("a runbook that is not there", () => run({ RunbookName: "Sink harbour" }), 404, "Sink harbour");
    await is.refused("a snapshot that is not there", () => run({ Snapshot: "Snapshot lost" }), 404, "Snapshot lost");
    const made = await runbooks.create({ Name: "Count gulls", Description: "for once", ProjectId: project.Id, EnvironmentScope: "All", MultiTenancyMode: "Untenanted", DefaultGuidedFailureMode: "EnvironmentDefault", RunRetentionPolicy: { QuantityToKeep: 10, ShouldKeepForever: false, Unit: "Items" } });
    is.fields("a new runbook", made, { Name: "Count gulls", Description: "for once", ProjectId: project.Id, MultiTenancyMode: "Untenanted" });
    await is.refused("a runbook nobody published", () => run({ RunbookName: "Count gulls" }), 400, "There was a problem with your request.\n");
    await runbooks.del(made);
    await is.refused("a deleted runbook", () => runbooks.get(made.Id), 404, "was not found");
    return "the published snapshot, one by name, several environments, a new runbook without a snapshot";
}

module.exports = {
    "deploy-untenanted": deployUntenanted,
    "deploy-tenanted": deployTenanted,
    "prompted-variables": promptedVariables,
    "deploy-later": deployLater,
    "freeze-override": freezeOverride,
    "run-runbook": runRunbook,
};
