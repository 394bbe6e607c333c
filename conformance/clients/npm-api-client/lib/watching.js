// Looking at what happened, and answering what is asked meanwhile.
"use strict";

async function taskDetails(stage, is) {
    const [task] = await stage.deploy("Harbour API", "1.0.0", ["Test"]);
    const repository = stage.repository("SpaceServerTaskRepository");
    await stage.wait([task.ServerTaskId]);
    const [truth] = await stage.truth([task.DeploymentId]);
    const details = await repository.getDetails(task.ServerTaskId);
    stage.task("the task in its details", details.Task, truth);
    is.same("the same task on its own", await repository.getById(task.ServerTaskId), details.Task);
    is.same("progress", details.Progress.ProgressPercentage, 100);
    const steps = stage.project("Harbour API").steps;
    const [root, ...more] = details.ActivityLogs;
    is.same("one root", more, []);
    is.fields("the root", root, { Name: details.Task.Description, Status: "Success", Started: truth.started, Ended: truth.completed, ShowAtSummaryLevel: true, ProgressPercentage: 100 });
    is.same("its steps", root.Children.map((c) => [c.Name, c.Status]), steps.map((s, i) => [`Step ${i + 1}: ${s.name}`, "Success"]));
    const minutes = (s) => Number(/^(\d+)m$/.exec(s.takes)[1]) * 60_000;
    let at = new Date(truth.started).getTime();
    for (const [i, step] of root.Children.entries()) {
        is.same(`${step.Name}: from and to`, [Date.parse(step.Started), Date.parse(step.Ended)], [at, at + minutes(steps[i])]);
        at += minutes(steps[i]);
        is.fields(step.Name, step, { ShowAtSummaryLevel: true, ProgressPercentage: 100 });
        is.that(`${step.Name}: its id is below the root's`, step.Id.startsWith(`${root.Id}/`), step.Id);
        is.same(`${step.Name}: where it ran`, step.Children.map((leaf) => [leaf.Name, leaf.Status, leaf.Started, leaf.Ended, leaf.Children]), [["Octopus Server", "Success", step.Started, step.Ended, []]]);
        const lines = step.Children[0].LogElements;
        is.same(`${step.Name}: what it said`, lines.filter((l) => (steps[i].log ?? []).includes(l.MessageText)).map((l) => [l.Category, l.MessageText]), (steps[i].log ?? []).map((l) => ["Info", l]));
        is.that(`${step.Name}: when it said it`, lines.every((l) => l.OccurredAt >= step.Started && l.OccurredAt <= step.Ended), lines);
    }
    const log = await repository.getRaw(task.ServerTaskId);
    is.that("the raw log: whose it is", log.includes(task.ServerTaskId) && log.includes(details.Task.Description), log);
    is.that("the raw log: every step and line", steps.every((s, i) => log.includes(`Step ${i + 1}: ${s.name}`) && (s.log ?? []).every((l) => log.includes(l))), log);
    is.same("its size", details.PhysicalLogSize, Buffer.byteLength(log));
    return "the tree with its times and lines, the raw log";
}

async function outputVariables(stage, is) {
    const [task] = await stage.deploy("Harbour API", "1.1.0", ["Production"]);
    await stage.wait([task.ServerTaskId]);
    const [truth] = await stage.truth([task.DeploymentId]);
    const deployment = await stage.repository("DeploymentRepository").get(task.DeploymentId);
    const set = await stage.get("VariableSet", "/variables/{id}", { id: deployment.ManifestVariableSetId });
    is.fields("the manifest", set, { Id: deployment.ManifestVariableSetId, OwnerId: deployment.Id, SpaceId: deployment.SpaceId });
    const value = Object.fromEntries(set.Variables.map((v) => [v.Name, v.Value]));
    const step = stage.project("Harbour API").steps.find((s) => s.output);
    const outputs = Object.fromEntries(Object.entries(value).filter(([name]) => name.includes(".Output.")));
    is.same("what the step left behind", outputs, Object.fromEntries(Object.entries(step.output).map(([k, v]) => [`Octopus.Action[${step.name}].Output.${k}`, v])));
    is.fields("what it ran with", value, {
        "Octopus.Project.Name": truth.project,
        "Octopus.Project.Id": deployment.ProjectId,
        "Octopus.Environment.Name": truth.environment,
        "Octopus.Environment.Id": deployment.EnvironmentId,
        "Octopus.Release.Number": truth.release,
        "Octopus.Release.Id": deployment.ReleaseId,
        "Octopus.Deployment.Id": deployment.Id,
        "Octopus.Task.Id": deployment.TaskId,
    });
    return "the deployment's manifest with the step's output variables";
}

async function interruptions(stage, is) {
    const plan = stage.project("Lock Gate").steps[1];
    const tasks = stage.repository("SpaceServerTaskRepository");
    const teams = await stage.client.request("~/api/{spaceId}/teams", { spaceName: stage.space });
    const team = teams.Items.find((t) => t.Name === plan.manual.teams[0]);
    const own = await stage.octopus.userGetCurrent(stage.client);
    const environment = await stage.environments();

    const pending = async (task) => {
        await stage.until("somebody is asked", async () => (await tasks.getById(task.ServerTaskId)).HasPendingInterruptions);
        const list = await stage.get("Interruption[]", "/interruptions{?regarding,pendingOnly}", { regarding: task.ServerTaskId, pendingOnly: true });
        is.same("one question", list.Items.length, 1);
        return list.Items[0];
    };
    const take = (id) => stage.update("/interruptions/{id}/responsible", {}, { id });
    const submit = (id, body) => stage.create("/interruptions/{id}/submit", body, { id });

    const [task] = await stage.deploy("Lock Gate", "1.0.0", ["Test"]);
    const asked = await pending(task);
    const deployment = await stage.repository("DeploymentRepository").get(task.DeploymentId);
    is.fields("the question", asked, {
        Title: plan.name,
        Type: "ManualIntervention",
        IsPending: true,
        TaskId: task.ServerTaskId,
        SpaceId: deployment.SpaceId,
        ResponsibleTeamIds: [team?.Id],
        ResponsibleUserId: null,
        CanTakeResponsibility: true,
        HasResponsibility: false,
    });
    const related = [task.DeploymentId, task.ServerTaskId, deployment.ProjectId, environment.Test];
    is.that("what it is about", related.every((id) => asked.RelatedDocumentIds.includes(id)), asked.RelatedDocumentIds);
    const element = Object.fromEntries(asked.Form.Elements.map((e) => [e.Name, e]));
    is.same("the form", Object.keys(element), ["Instructions", "Notes", "Result"]);
    is.fields("the instructions", element.Instructions?.Control, { Type: "Paragraph", Text: plan.manual.instructions });
    is.same("the buttons", element.Result?.Control.Buttons, [
        { Text: "Proceed", Value: "Proceed", RequiresConfirmation: false },
        { Text: "Abort", Value: "Abort", RequiresConfirmation: true },
    ]);
    is.same("not answered", asked.Form.Values, { Instructions: null, Notes: null, Result: null });
    const waiting = await tasks.getById(task.ServerTaskId);
    is.fields("the task meanwhile", waiting, { State: "Queued", HasPendingInterruptions: true, HasBeenPickedUpByProcessor: true, IsCompleted: false });
    is.that("it has begun", waiting.StartTime !== null, waiting.StartTime);
    const details = await tasks.getDetails(task.ServerTaskId);
    const node = details.ActivityLogs[0].Children.find((c) => c.Id === asked.CorrelationId || c.Children.some((l) => l.Id === asked.CorrelationId));
    is.same("where it is asked", node?.Name, `Step 2: ${plan.name}`);
    is.same("what is done, what waits", details.ActivityLogs[0].Children.map((c) => c.Status), ["Success", "Running", "Pending"]);

    const bad = "There was a problem with your request.\n";
    await is.refused("an answer of somebody who is not responsible", () => submit(asked.Id, { Notes: "", Result: "Proceed" }), 400, bad);
    const person = stage.checked(await take(asked.Id), "Person", "the responsible person");
    is.fields("who is responsible now", person, { Id: own.Id, Username: own.Username });
    const mine = await stage.get("Interruption", "/interruptions/{id}", { id: asked.Id });
    is.fields("the question, taken", mine, { HasResponsibility: true, ResponsibleUserId: own.Id, IsPending: true });
    const ada = await stage.connect(stage.world.users[0].key);
    await is.refused("taken by another", () => ada.doUpdate("~/api/{spaceId}/interruptions/{id}/responsible", {}, { spaceName: stage.space, id: asked.Id }), 400, bad);
    await is.refused("an answer nobody understands", () => submit(asked.Id, { Notes: "", Result: "Perhaps" }), 400, bad);
    const answered = stage.checked(await submit(asked.Id, { Instructions: null, Notes: "the tide is right", Result: "Proceed" }), "Interruption", "the answered question");
    is.fields("the question, answered", answered, { Id: asked.Id, IsPending: false, ResponsibleUserId: own.Id });
    is.fields("its values", answered.Form.Values, { Notes: "the tide is right", Result: "Proceed" });
    const [done] = await stage.wait([task.ServerTaskId]);
    is.same("it goes on to the end", [done?.State, done?.HasPendingInterruptions], ["Success", false]);
    stage.task("it goes on to the end", done, (await stage.truth([task.DeploymentId]))[0]);
    await is.refused("answered twice", () => submit(asked.Id, { Result: "Abort" }), 400, bad);
    const after = await stage.get("Interruption[]", "/interruptions{?regarding,pendingOnly}", { regarding: task.DeploymentId, pendingOnly: true });
    is.same("nothing is asked any more", after.Items, []);
    const kept = await stage.get("Interruption[]", "/interruptions{?regarding}", { regarding: task.DeploymentId });
    is.same("the question is kept", kept.Items.map((i) => i.Id), [asked.Id]);

    const [second] = await stage.deploy("Lock Gate", "1.0.0", ["Production"]);
    const again = await pending(second);
    await take(again.Id);
    await submit(again.Id, { Notes: "storm", Result: "Abort" });
    const [aborted] = await stage.wait([second.ServerTaskId]);
    is.fields("aborted", aborted, { State: "Failed", IsCompleted: true, FinishedSuccessfully: false });
    stage.task("aborted", aborted, (await stage.truth([second.DeploymentId]))[0]);
    await is.refused("a question that is not there", () => stage.get("Interruption", "/interruptions/{id}", { id: "Interruptions-9999" }), 404, "was not found");
    return "found by task, taken, answered with Proceed, another with Abort";
}

async function dashboards(stage, is) {
    const project = await stage.named(stage.repository("ProjectRepository"), "Customs");
    const environment = await stage.environments();
    const group = await stage.named(stage.repository("ProjectGroupRepository"), "Harbour");
    const [tenants, releases] = await Promise.all([stage.repository("TenantRepository").list({ take: 100 }), stage.repository("ReleaseRepository").listForProject(project.Id)]);
    const name = (id) => Object.keys(environment).find((n) => environment[n] === id);
    const item = (what, said, truth) => {
        is.fields(what, said, {
            Id: truth.id,
            DeploymentId: truth.id,
            TaskId: truth.task,
            State: truth.state,
            ReleaseVersion: truth.release,
            Created: truth.created,
            QueueTime: truth.queued,
            StartTime: truth.started,
            CompletedTime: truth.completed,
            ErrorMessage: truth.error,
            IsCompleted: ["Success", "Failed", "Canceled", "TimedOut"].includes(truth.state),
            EnvironmentId: environment[truth.environment],
        });
        is.same(`${what}: its tenant`, said.TenantId === null ? null : tenants.Items.find((t) => t.Id === said.TenantId)?.Name, truth.tenant);
    };

    const whole = await stage.get("Dashboard", "/dashboard");
    is.same("projects", whole.Projects.map((p) => p.Name).sort(), stage.projects().map((p) => p.name).sort());
    is.same("groups", whole.ProjectGroups.map((g) => g.Name).sort(), stage.world.groups.map((g) => g.name).sort());
    is.same("environments", whole.Environments, Object.entries(environment).map(([Name, Id]) => ({ ...whole.Environments.find((e) => e.Id === Id), Id, Name })));
    is.same("tenants", whole.Tenants.map((t) => [t.Id, t.Name, t.TenantTags, t.ProjectEnvironments]), tenants.Items.map((t) => [t.Id, t.Name, t.TenantTags, t.ProjectEnvironments]));
    is.same("not filtered", [whole.IsFiltered, whole.ProjectLimit], [false, null]);
    const shown = whole.Projects.find((p) => p.Id === project.Id);
    is.fields("one project", shown, { Name: "Customs", Slug: project.Slug, ProjectGroupId: group.Id, IsDisabled: false, TenantIds: [], EnvironmentIds: Object.values(environment), CanPerformUntenantedDeployment: true });
    const store = whole.Projects.find((p) => p.Name === "Store");
    is.same("the tenants of a project", [...(store?.TenantIds ?? [])].sort(), tenants.Items.map((t) => t.Id).sort());

    // Only what the world began with: other scenarios may be running elsewhere.
    const { deployments } = await stage.state();
    const began = deployments.filter((d) => d.history && d.project === "Customs");
    const mine = whole.Items.filter((i) => i.ProjectId === project.Id && began.some((d) => d.id === i.Id));
    is.same("items of a project", mine.map((i) => [name(i.EnvironmentId), i.ReleaseVersion]), Object.entries(stage.project("Customs").live));
    for (const [i, said] of mine.entries()) {
        item(`item ${i}`, said, began.find((d) => d.id === said.Id));
        is.fields(`item ${i}`, said, { ProjectId: project.Id, ReleaseId: releases.Items[0].Id, ChannelId: releases.Items[0].ChannelId, IsCurrent: true, IsPrevious: false, HasPendingInterruptions: false, HasWarningsOrErrors: false, Duration: "1 minute" });
    }
    const dynamic = await stage.get("Dashboard", "/dashboard/dynamic{?projects,environments,includePrevious}", { projects: project.Id, environments: environment.Development, includePrevious: true });
    is.same("dynamic: what was asked for", [dynamic.Projects.map((p) => p.Id), dynamic.Environments.map((e) => e.Id), dynamic.IsFiltered], [[project.Id], [environment.Development], true]);
    is.same("dynamic: items", dynamic.Items, whole.Items.filter((i) => i.ProjectId === project.Id && i.EnvironmentId === environment.Development));

    const own = await stage.get("Progression", "/progression/{id}", { id: project.Id });
    is.same("the project's own way", await stage.get("Progression", "/projects/{id}/progression", { id: project.Id }), own);
    is.same("progression: releases", own.Releases.map((r) => [r.Release.Version, r.Release.Id, r.Release.Assembled]), releases.Items.map((r) => [r.Version, r.Id, r.Assembled]));
    const lifecycle = stage.world.lifecycles.find((l) => l.name === stage.project("Customs").lifecycle);
    const way = lifecycle.phases.flatMap((p) => p.environments);
    is.same("progression: environments", own.Environments.map((e) => e.Name), way);
    is.same("progression: by lifecycle", Object.entries(own.LifecycleEnvironments).map(([id, list]) => [id, list.map((e) => e.Name)]), [[project.LifecycleId, way]]);
    is.same("progression: by channel", Object.entries(own.ChannelEnvironments).map(([id, list]) => [id, list.map((e) => e.Name)]), [[releases.Items[0].ChannelId, way]]);
    const [row] = own.Releases;
    is.fields("progression: the channel", row.Channel, { Id: releases.Items[0].ChannelId, Name: "Default", IsDefault: true, ProjectId: project.Id });
    const there = row.Deployments[environment.Development] ?? [];
    const first = there.find((d) => began.some((b) => b.id === d.Id));
    item("progression: the deployment", first, began[0]);
    const told = { unresolved: row.HasUnresolvedDefect, next: row.NextDeployments.map(name) };
    const template = await stage.get("DeploymentTemplate", "/releases/{id}/deployments/template", { id: releases.Items[0].Id });
    is.that("what may come next is what may be chosen", told.next.every((n) => template.PromoteTo.some((p) => p.Name === n)), [told, template.PromoteTo]);
    return "the whole dashboard, one project and environment of it, the project's progression";
}

module.exports = { "task-details": taskDetails, "output-variables": outputVariables, interruptions, dashboards };
