// Waiting for tasks, and not waiting any longer.
"use strict";

async function waitSuccess(stage, is) {
    const tasks = await stage.deploy("Harbour API", "1.1.0", ["Development", "Test"]);
    const ids = tasks.map((t) => t.ServerTaskId);
    const seen = new Map(ids.map((id) => [id, []]));
    const done = await stage.wait(ids, 60_000, (task) => {
        stage.checked(task, "ServerTask", "the waiter's callback");
        seen.get(task.Id).push(task.State);
    });
    is.same("both are told", done.map((t) => t.Id).sort(), [...ids].sort());
    const { Items } = await stage.repository("ProjectRepository").list({ partialName: "Harbour API" });
    for (const task of tasks) {
        const [truth] = await stage.truth([task.DeploymentId]);
        const said = done.find((t) => t.Id === task.ServerTaskId);
        stage.task(truth.environment, said, truth);
        is.fields(truth.environment, said, {
            State: "Success",
            Name: "Deploy",
            Description: `Deploy Harbour API release 1.1.0 to ${truth.environment}`,
            Arguments: { DeploymentId: task.DeploymentId },
            HasPendingInterruptions: false,
            HasWarningsOrErrors: false,
            CanRerun: false,
            QueueTimeExpiry: null,
            LastUpdatedTime: truth.completed,
        });
        const took = (new Date(truth.completed) - new Date(truth.started)) / 1000;
        is.same(`${truth.environment}: it took as long as its steps`, took, 360);
        is.same(`${truth.environment}: Duration`, said.Duration, "6 minutes");
        is.that(`${truth.environment}: Completed is a date`, /^\w+day, \d+ \w+ 2026 \d+:\d\d:\d\d [AP]M \+00:00$/.test(said.Completed), said.Completed);
        is.same(`${truth.environment}: Completed is that date`, new Date(said.Completed.replace(/^\w+, /, "")).getTime(), Math.floor(new Date(truth.completed) / 1000) * 1000);
        const states = seen.get(task.ServerTaskId).filter((s, i, all) => s !== all[i - 1]);
        is.that(`${truth.environment}: what the callback saw`, ["Queued", "Executing", "Success"].filter((s) => states.includes(s)).join() === states.join() && states.at(-1) === "Success", states);
    }
    const repository = stage.repository("SpaceServerTaskRepository");
    const again = await repository.getByIds(ids);
    is.same("asked again", again.map((t) => t.State), ["Success", "Success"]);
    is.same("one by one", await Promise.all(again.map((t) => repository.getById(t.Id))), again);
    const one = await stage.waiter().waitForServerTaskToComplete(ids[0], 50, 10_000);
    is.same("waiting for what is over", one, again.find((t) => t.Id === ids[0]));
    is.same("waiting for nothing", await stage.wait([]), []);

    // What only the list tells: how many there are of each state.
    const counted = await stage.client.request("~/api/{spaceId}/tasks{?project,take,states}", { spaceName: stage.space, project: Items[0].Id, take: 1, states: "Success" });
    const { deployments, runbook_runs: runs } = await stage.state();
    const own = [...deployments, ...runs].filter((d) => d.project === "Harbour API" && d.state === "Success").length;
    is.same("counted by state", [counted.TotalCounts?.Success, counted.TotalResults, counted.TotalCounts?.Failed, counted.TotalCounts?.Queued], [own, own, 0, 0]);
    return "two tasks to their end, the callback, the same asked again, the counts";
}

async function waitFailure(stage, is) {
    const [task] = await stage.deploy("Leaky Barge", "1.0.0", ["Test"]);
    const [said] = await stage.wait([task.ServerTaskId]);
    const [truth] = await stage.truth([task.DeploymentId]);
    stage.task("the failed task", said, truth);
    is.fields("the failed task", said, { State: "Failed", IsCompleted: true, FinishedSuccessfully: false, HasWarningsOrErrors: true });
    is.that("its error", said.ErrorMessage.length > 0, said.ErrorMessage);
    const details = await stage.repository("SpaceServerTaskRepository").getDetails(task.ServerTaskId);
    const [root] = details.ActivityLogs;
    is.same("where it failed", root.Children.map((c) => [c.Name, c.Status]), [["Step 1: Float", "Success"], ["Step 2: Load", "Failed"]]);
    is.same("the root failed", [root.Status, details.Task.State], ["Failed", "Failed"]);
    const fails = stage.project("Leaky Barge").steps[1].fails[0];
    const lines = root.Children[1].Children.flatMap((leaf) => leaf.LogElements);
    const errors = lines.filter((l) => l.Category === "Error").map((l) => l.MessageText);
    is.same("why it failed", errors, [...fails.log, fails.error]);
    is.that("it ends fatally", lines.at(-1).Category === "Fatal" && lines.at(-1).MessageText.includes(fails.error), lines.at(-1));
    is.same("the root says it too", root.LogElements.filter((l) => l.Category === "Fatal").map((l) => l.MessageText), [truth.error]);
    const log = await stage.repository("SpaceServerTaskRepository").getRaw(task.ServerTaskId);
    is.that("the raw log says why", [...fails.log, fails.error].every((l) => log.includes(l)), log);
    is.that("the raw log says how it ended", log.includes("Failed"), log);
    const deployment = await stage.repository("DeploymentRepository").get(task.DeploymentId);
    is.same("listed among the failed", (await stage.repository("DeploymentRepository").list({ projects: [deployment.ProjectId], taskState: "Failed" })).Items.map((d) => d.Id), [task.DeploymentId]);
    is.same("nothing is live", (await stage.state()).live.filter((l) => l.project === "Leaky Barge"), []);
    return "the failed task, the step that failed, its lines, the raw log";
}

async function waitTimeout(stage, is) {
    const [task] = await stage.deploy("Slow Boat", "1.0.0", ["Development"]);
    const states = [];
    const begun = Date.now();
    const nothing = await stage.wait([task.ServerTaskId], 1500, (t) => states.push(t.State));
    const waited = Date.now() - begun;
    is.same("nothing is finished", nothing, []);
    is.that("it waited as long as it was told", waited >= 1400 && waited < 10_000, waited);
    is.same("it goes on", states.at(-1), "Executing");
    const running = await stage.repository("SpaceServerTaskRepository").getById(task.ServerTaskId);
    const [truth] = await stage.truth([task.DeploymentId]);
    stage.task("the running task", running, truth);
    is.fields("the running task", running, { Completed: "Executing...", CompletedTime: null, State: "Executing" });
    is.that("it knows who runs it", typeof running.ServerNode === "string" && running.ServerNode.startsWith("OctopusServerNodes-"), running.ServerNode);
    const details = await stage.repository("SpaceServerTaskRepository").getDetails(task.ServerTaskId);
    const [root] = details.ActivityLogs;
    is.same("a tree that grows", [root.Status, root.Ended, root.Children.map((c) => [c.Name, c.Status, c.Ended])], ["Running", null, [["Step 1: Cross the ocean", "Running", null]]]);
    is.that("a part is done", details.Progress.ProgressPercentage >= 0 && details.Progress.ProgressPercentage < 100, details.Progress);
    is.that("it says how long it will take", /day|hour/.test(details.Progress.EstimatedTimeRemaining), details.Progress);

    await is.refused(
        "no longer, and cancel",
        () => stage.waiter().waitForServerTasksToComplete([task.ServerTaskId], 100, 500, undefined, true),
        undefined,
        "Timeout reached after 0.5 seconds. Tasks were cancelled.",
    );
    const [after] = await stage.wait([task.ServerTaskId]);
    is.fields("the cancelled task", after, { State: "Canceled", IsCompleted: true, FinishedSuccessfully: false });
    const [end] = await stage.truth([task.DeploymentId]);
    stage.task("the cancelled task", after, end);
    return "the waiter gives up, the task goes on; with cancel it ends";
}

async function cancel(stage, is) {
    const repository = stage.repository("SpaceServerTaskRepository");
    const tasks = stage.repository("ServerTaskRepository");
    const [running] = await stage.deploy("Slow Ferry", "1.0.0", ["Test"]);
    await stage.until("it runs", async () => (await repository.getById(running.ServerTaskId)).State === "Executing");
    const [queued] = await stage.deploy("Slow Ferry", "1.0.0", ["Test"]);
    const behind = await stage.client.get("~/api/tasks/{id}/queued-behind", { id: queued.ServerTaskId });
    is.same("the second waits for the first", behind.Items.map((t) => t.Id), [running.ServerTaskId]);

    await tasks.cancel(queued.ServerTaskId);
    const never = await repository.getById(queued.ServerTaskId);
    is.fields("a queued task", never, { State: "Canceled", StartTime: null, IsCompleted: true, HasBeenPickedUpByProcessor: false });
    stage.task("a queued task", never, (await stage.truth([queued.DeploymentId]))[0]);

    await tasks.cancel(running.ServerTaskId);
    const states = [];
    const [done] = await stage.wait([running.ServerTaskId], 60_000, (t) => states.push(t.State));
    is.that("it stops, then it is over", states.every((s) => s === "Cancelling" || s === "Canceled") && states.at(-1) === "Canceled", states);
    const [truth] = await stage.truth([running.DeploymentId]);
    stage.task("a running task", done, truth);
    is.fields("a running task", done, { State: "Canceled", IsCompleted: true, FinishedSuccessfully: false });
    const details = await repository.getDetails(running.ServerTaskId);
    is.same("its tree", details.ActivityLogs.map((a) => [a.Status, a.Children.map((c) => c.Status)]), [["Canceled", ["Canceled"]]]);
    await is.refused("once more", () => tasks.cancel(running.ServerTaskId), 400, "There was a problem with your request.\n");
    await is.refused("what is not there", () => tasks.cancel("ServerTasks-9999"), 404, "was not found");
    return "a queued task, a running one, a finished one";
}

module.exports = { "wait-success": waitSuccess, "wait-failure": waitFailure, "wait-timeout": waitTimeout, cancel };
