// What scenarios have in common: the client, the world's truth, and the record of what was compared.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const { isDeepStrictEqual } = require("node:util");
const { Types } = require("./typed");

const here = path.join(__dirname, "..");

/** What one scenario compared, and what did not agree. */
class Record {
    constructor() {
        this.problems = [];
        this.compared = 0;
        this.report = (line) => this.problems.push(line);
    }

    /** The client's word against the truth. */
    same(what, said, truth) {
        this.compared += 1;
        if (!isDeepStrictEqual(said, truth)) this.report(`${what}: the client says ${JSON.stringify(said)}, the truth is ${JSON.stringify(truth)}`);
    }

    /** Some fields of an object, each on its own. */
    fields(what, said, truth) {
        for (const [key, value] of Object.entries(truth)) this.same(`${what}.${key}`, said?.[key], value);
    }

    that(what, holds, said) {
        this.compared += 1;
        if (!holds) this.report(`${what}: the client says ${JSON.stringify(said)}`);
    }

    /** A call that must be refused, with this status and these words. */
    async refused(what, call, status, words) {
        this.compared += 1;
        let result;
        try {
            result = await call();
        } catch (error) {
            if (Array.isArray(status)) this.that(`${what}: StatusCode`, status.includes(error.StatusCode), error.StatusCode);
            else this.same(`${what}: StatusCode`, error.StatusCode, status);
            this.that(`${what}: the words "${words}"`, words instanceof RegExp ? words.test(error.message) : error.message.includes(words), error.message);
            return error;
        }
        this.report(`${what}: not refused, the client says ${JSON.stringify(result)}`);
        return undefined;
    }
}

/** The client and the world for one scenario after the other. */
class Stage {
    static async open(dir, url, key, space) {
        const stage = new Stage();
        stage.from = require("node:module").createRequire(path.join(dir, "package.json"));
        stage.octopus = stage.from("@octopusdeploy/api-client");
        stage.world = stage.from("smol-toml").parse(fs.readFileSync(path.join(here, "../../world.toml"), "utf8"));
        const differs = JSON.parse(fs.readFileSync(path.join(here, "differs.json"), "utf8"));
        stage.types = new Types(dir, stage.from, path.join(here, "lib/models.d.ts"), differs);
        Object.assign(stage, { url, key, space });
        stage.client = await stage.connect(key);
        return stage;
    }

    begin() {
        this.record = new Record();
        return this.record;
    }

    connect(apiKey) {
        return this.octopus.Client.create({ userAgentApp: "octorhai-conformance", instanceURL: this.url, apiKey });
    }

    /** A repository of the client by its class name, with every answer checked against its declared type. */
    repository(name, ...args) {
        const made = new this.octopus[name](this.client, ...(name === "SpaceRepository" || name === "ServerTaskRepository" ? [] : [this.space]), ...args);
        return this.types.watch(name, made, (line) => this.record.report(line));
    }

    checked(value, type, at = type) {
        this.types.check(value, type, at, (line) => this.record.report(line));
        return value;
    }

    /** GET of something the client has no repository for, through the client, checked against lib/models.d.ts. */
    async get(type, template, args = {}) {
        const value = await this.client.request(`~/api/{spaceId}${template}`, { spaceName: this.space, ...args });
        const list = type.endsWith("[]");
        if (!list) return this.checked(value, type);
        const of = type.slice(0, -2);
        this.record.that(`${template}: Items is a list`, Array.isArray(value.Items), value.Items);
        (value.Items ?? []).forEach((item, i) => this.checked(item, of, `${of}[${i}]`));
        return value;
    }

    create(template, body, args = {}) {
        return this.client.doCreate(`~/api/{spaceId}${template}`, body, { spaceName: this.space, ...args });
    }

    update(template, body, args = {}) {
        return this.client.doUpdate(`~/api/{spaceId}${template}`, body, { spaceName: this.space, ...args });
    }

    // ---- the truth, past the client ----

    async plain(route) {
        const answer = await fetch(this.url + route, { headers: { "X-Octopus-ApiKey": this.key } });
        if (!answer.ok) throw new Error(`the sandbox answers ${answer.status} to ${route}`);
        return answer.json();
    }

    state() {
        return this.plain("/sandbox/state");
    }

    /** What the state says about these deployments or runs, in their order. */
    async truth(ids, kind = "deployments") {
        const all = (await this.state())[kind];
        return ids.map((id) => all.find((d) => d.id === id));
    }

    async now() {
        return new Date((await this.plain("/sandbox/clock")).now);
    }

    // ---- the world file ----

    project(name) {
        return this.world.projects.find((p) => p.name === name);
    }

    /** Every project of the first space, with its copies. */
    projects() {
        return this.world.projects.flatMap((p) => {
            if (!p.copies) return [p];
            const signs = /#+/.exec(p.name)[0];
            return Array.from({ length: p.copies }, (_, i) => ({ ...p, name: p.name.replace(signs, String(i + 1).padStart(signs.length, "0")) }));
        });
    }

    /** One resource of the client by its exact name. */
    async named(repository, name) {
        const found = (await repository.list({ partialName: name, take: 1000 })).Items.filter((x) => x.Name === name);
        if (found.length !== 1) throw new Error(`the client finds ${found.length} times "${name}"`);
        return found[0];
    }

    async environments() {
        const list = await this.repository("EnvironmentRepository").list({ take: 1000 });
        return Object.fromEntries(list.Items.map((e) => [e.Name, e.Id]));
    }

    // ---- several scenarios begin like this ----

    async deploy(project, version, environments, more = {}) {
        const answer = await this.repository("DeploymentRepository").create({
            spaceName: this.space,
            ProjectName: project,
            ReleaseVersion: version,
            EnvironmentNames: environments,
            ...more,
        });
        return answer.DeploymentServerTasks;
    }

    waiter(options) {
        return this.repository("ServerTaskWaiter", options);
    }

    wait(tasks, timeout = 60_000, callback = undefined) {
        return this.waiter().waitForServerTasksToComplete(tasks, 100, timeout, callback);
    }

    /** Asks again until it holds. */
    async until(what, question, seconds = 60) {
        const end = Date.now() + seconds * 1000;
        for (;;) {
            const answer = await question();
            if (answer) return answer;
            if (Date.now() > end) throw new Error(`in ${seconds} s it did not happen: ${what}`);
            await new Promise((go) => setTimeout(go, 100));
        }
    }

    /** A task the client reports against what the state says about its deployment or run. */
    task(what, task, truth) {
        this.record.fields(what, task, {
            Id: truth.task,
            State: truth.state,
            QueueTime: truth.queued,
            StartTime: truth.started,
            CompletedTime: truth.completed,
            ErrorMessage: truth.error,
            IsCompleted: ["Success", "Failed", "Canceled", "TimedOut"].includes(truth.state),
            FinishedSuccessfully: truth.state === "Success",
            HasBeenPickedUpByProcessor: truth.started !== null,
        });
    }

    /** A deployment or a run the client reports against the truth about it. */
    execution(what, execution, truth, environments) {
        this.record.fields(what, execution, {
            Id: truth.id,
            TaskId: truth.task,
            Created: truth.created,
            QueueTime: truth.scheduled,
            EnvironmentId: environments[truth.environment],
            UseGuidedFailure: truth.guided,
            SpecificMachineIds: truth.machines,
            ExcludedMachineIds: truth.without,
        });
    }
}

module.exports = { Stage, Record };
