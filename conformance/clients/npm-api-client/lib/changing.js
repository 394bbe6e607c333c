// Releases, defects, step templates and packages.
"use strict";

async function createRelease(stage, is) {
    const repository = stage.repository("ReleaseRepository");
    const project = await stage.named(stage.repository("ProjectRepository"), "Harbour Docs");
    const create = (more) => repository.create({ spaceName: stage.space, ProjectName: "Harbour Docs", ...more });
    const before = await repository.listForProject(project.Id);
    const [old] = before.Items;
    const start = await stage.now();

    const made = await create({ ReleaseVersion: "2.0.0", ChannelName: "Default", ReleaseNotes: "Charts\nand tides", CustomFields: {} });
    is.same("the version", made.ReleaseVersion, "2.0.0");
    const release = await repository.get(made.ReleaseId);
    is.fields("the release", release, {
        Id: made.ReleaseId,
        Version: "2.0.0",
        ReleaseNotes: "Charts\nand tides",
        ProjectId: project.Id,
        SpaceId: project.SpaceId,
        ChannelId: old.ChannelId,
        IgnoreChannelRules: false,
        BuildInformation: [],
        SelectedPackages: [],
        SelectedGitResources: [],
        LibraryVariableSetSnapshotIds: [],
        CustomFields: {},
        VersionControlReference: null,
    });
    is.that("snapshots of its project", release.ProjectVariableSetSnapshotId.startsWith(`${project.VariableSetId}-s-`) && release.ProjectDeploymentProcessSnapshotId.startsWith(`${project.DeploymentProcessId}-s-`), release);
    is.that("assembled now", new Date(release.Assembled) >= start && new Date(release.Assembled) <= (await stage.now()), release.Assembled);
    const after = await repository.listForProject(project.Id);
    is.same("listed first", after.Items.map((r) => r.Id), [release.Id, ...before.Items.map((r) => r.Id)]);

    const taken = "There was a problem with your request.\nRelease '2.0.0' already exists for this project. Please use a different version, or look at using a mask to auto-increment the number.";
    await is.refused("the same version again", () => create({ ReleaseVersion: "2.0.0" }), 400, taken);
    is.same("the same version, if it is not there yet", await create({ ReleaseVersion: "2.0.0", IgnoreIfAlreadyExists: true }), made);
    is.same("nothing more was made", (await repository.listForProject(project.Id)).TotalResults, before.TotalResults + 1);
    const next = await create({});
    is.same("the next version", next.ReleaseVersion, "2.0.1");
    is.same("the next version, read", (await repository.get(next.ReleaseId)).Version, "2.0.1");
    is.same("found by version", (await repository.listForProject(project.Id, { searchByVersion: "2.0." })).Items.map((r) => r.Version), ["2.0.1", "2.0.0"]);
    await is.refused("a version that is none", () => create({ ReleaseVersion: "two point oh" }), 400, "There was a problem with your request.\n");
    await is.refused("a channel that is not there", () => create({ ReleaseVersion: "3.0.0", ChannelName: "Beta" }), [400, 404], "Beta");
    return "created with notes, refused twice, found; the next version computed";
}

async function progression(stage, is) {
    const project = await stage.named(stage.repository("ProjectRepository"), "Customs");
    const environment = await stage.environments();
    const [release] = (await stage.repository("ReleaseRepository").listForProject(project.Id)).Items;
    const id = release.Id;
    const look = () => stage.get("ReleaseProgression", "/releases/{id}/progression", { id });
    const names = (ids) => ids.map((e) => Object.keys(environment).find((n) => environment[n] === e));
    const lifecycle = stage.world.lifecycles.find((l) => l.name === stage.project("Customs").lifecycle);

    const before = await look();
    is.same("phases", before.Phases.map((p) => [p.Name, names(p.OptionalDeploymentTargets), p.AutomaticDeploymentTargets]), lifecycle.phases.map((p) => [p.name, p.environments, []]));
    is.same("how far it is", before.Phases.map((p) => [p.Progress, p.Blocked]), [["Complete", false], ["Current", false], ["Pending", false]]);
    is.same("what comes next", [names(before.NextDeployments), before.HasUnresolvedDefect], [["Test"], false]);
    const { deployments } = await stage.state();
    const mine = deployments.filter((d) => d.project === "Customs");
    is.same("deployments so far", before.Phases.flatMap((p) => p.Deployments).map((d) => [d.Deployment.Id, d.Task.Id, d.Task.State, d.Deployment.EnvironmentId]), mine.map((d) => [d.id, d.task, d.state, environment[d.environment]]));
    for (const d of before.Phases.flatMap((p) => p.Deployments)) {
        stage.checked(d.Task, "ServerTask", "a task of the progression");
        stage.checked(d.Deployment, "Deployment", "a deployment of the progression");
    }
    const promote = async () => (await stage.get("DeploymentTemplate", "/releases/{id}/deployments/template", { id })).PromoteTo.map((e) => e.Name).sort();
    is.same("where it may go", await promote(), ["Development", "Test"]);
    const bad = "There was a problem with your request.\n";
    await is.refused("not yet", () => stage.deploy("Customs", "1.0.0", ["Production"]), 400, new RegExp(`^${bad}.*'Production'`));
    const defects = () => stage.get("Defect[]", "/releases/{id}/defects", { id });
    is.same("no defects", (await defects()).Items, []);

    stage.checked(await stage.create("/releases/{id}/defects", { Description: "a leak" }, { id }), "Defect", "the reported defect");
    is.same("a defect", (await defects()).Items.map((d) => [d.Description, d.Status]), [["a leak", "Unresolved"]]);
    const blocked = await look();
    is.same("how far it is, prevented", blocked.Phases.map((p) => [p.Progress, p.Blocked]), [["Complete", false], ["Current", true], ["Pending", true]]);
    is.same("what comes next, prevented", [blocked.NextDeployments, blocked.HasUnresolvedDefect], [[], true]);
    is.same("where it may go, prevented", await promote(), ["Development"]);
    await is.refused("prevented", () => stage.deploy("Customs", "1.0.0", ["Test"]), 400, new RegExp(`^${bad}.*'Test'`));
    await is.refused("prevented twice", () => stage.create("/releases/{id}/defects", { Description: "again" }, { id }), 400, bad);
    const whole = await stage.get("Progression", "/progression/{id}", { id: project.Id });
    is.same("the project knows", whole.Releases.map((r) => [r.Release.Version, r.HasUnresolvedDefect, r.NextDeployments]), [["1.0.0", true, []]]);

    await stage.create("/releases/{id}/defects/resolve", {}, { id });
    is.same("the defect is kept", (await defects()).Items.map((d) => [d.Description, d.Status]), [["a leak", "Resolved"]]);
    const freed = await look();
    is.same("what comes next, allowed", [names(freed.NextDeployments), freed.HasUnresolvedDefect, freed.Phases.some((p) => p.Blocked)], [["Test"], false, false]);
    await is.refused("allowed twice", () => stage.create("/releases/{id}/defects/resolve", {}, { id }), 400, bad);
    const [task] = await stage.deploy("Customs", "1.0.0", ["Test"]);
    const [done] = await stage.wait([task.ServerTaskId]);
    is.same("it goes on", done?.State, "Success");
    const end = await look();
    is.same("how far it is, in the end", end.Phases.map((p) => [p.Progress, p.Deployments.map((d) => d.Deployment.Id)]).slice(1), [["Complete", [task.DeploymentId]], ["Current", []]]);
    is.same("what comes next, in the end", names(end.NextDeployments), ["Production"]);
    return "phases, a defect that prevents, the same resolved, the next deployment";
}

async function stepTemplate(stage, is) {
    const body = {
        Name: "Ring the bell",
        Description: "Three times",
        ActionType: "Octopus.Script",
        Packages: [],
        GitDependencies: [],
        Properties: {
            "Octopus.Action.Script.ScriptSource": "Inline",
            "Octopus.Action.Script.Syntax": "Bash",
            "Octopus.Action.Script.ScriptBody": "echo ding",
            "Octopus.Action.RunOnServer": "true",
        },
        Parameters: [
            { Id: "6f1d1b55-6f5e-4f0b-8f0e-2f6f3a6b7c01", Name: "Bell.Times", Label: "How often", HelpText: "", DefaultValue: "3", DisplaySettings: { "Octopus.ControlType": "SingleLineText" } },
        ],
    };
    const made = stage.checked(await stage.create("/actiontemplates", body), "StepTemplate", "the new step template");
    is.fields("the new step template", made, { ...body, CommunityActionTemplateId: null, SpaceId: await stage.octopus.resolveSpaceId(stage.client, stage.space) });
    is.that("an id of its kind", /^ActionTemplates-\d+$/.test(made.Id), made.Id);
    for (const parameter of made.Parameters) stage.checked(parameter, "ActionTemplateParameter", "its parameter");
    const id = made.Id;
    const read = await stage.get("StepTemplate", "/actiontemplates/{id}", { id });
    is.same("read", read, made);
    const list = await stage.get("StepTemplate[]", "/actiontemplates{?partialName}", { partialName: "the BELL" });
    is.same("found", list.Items, [made]);
    const bad = "There was a problem with your request.\n";
    await is.refused("the same name again", () => stage.create("/actiontemplates", body), 400, bad);

    const changed = { ...made, Description: "Four times", Properties: { ...made.Properties, "Octopus.Action.Script.ScriptBody": "echo dong" } };
    const updated = stage.checked(await stage.update("/actiontemplates/{id}", changed, { id }), "StepTemplate", "the updated step template");
    is.fields("updated", updated, { Id: id, Version: made.Version + 1, Description: "Four times", Properties: changed.Properties, Parameters: made.Parameters });
    is.same("updated, read", await stage.get("StepTemplate", "/actiontemplates/{id}", { id }), updated);
    const first = await stage.get("StepTemplate", "/actiontemplates/{id}/versions/{version}", { id, version: made.Version });
    is.fields("the version before", first, { Id: id, Version: made.Version, Description: "Three times", Properties: made.Properties });
    is.same("nobody uses it", await stage.client.request("~/api/{spaceId}/actiontemplates/{id}/usage", { spaceName: stage.space, id }), []);
    await stage.client.del("~/api/{spaceId}/actiontemplates/{id}", { spaceName: stage.space, id });
    await is.refused("deleted", () => stage.get("StepTemplate", "/actiontemplates/{id}", { id }), 404, "was not found");
    return "created, found, refused twice, updated to the next version, the version before";
}

module.exports = { "create-release": createRelease, progression, "step-template": stepTemplate };
