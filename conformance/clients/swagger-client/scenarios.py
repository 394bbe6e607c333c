"""Plays the scenarios with the client generated from the description of a server 2019.6.

It has a typed model for nearly every answer, so each call is a check of its own: what was parsed must be what was sent, and a
member the model has must have been sent (client.py). A scenario fails for such a difference as for a wrong result.
"""

import datetime
import json
import os
import sys
import tempfile
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from client import Client, moment, refused
from octopus_deploy_swagger_client import models
from truth import Difference, Truth, holds, play, same, within

ME = "sandbox"
UNAUTHORIZED = "You must be logged in to perform this action. Please provide a valid API key or log in again."

truth = Truth()
octopus = Client(truth.url, truth.key, truth.space_id)


def told(error, status, words):
    """The client tells of a refusal by its status and the server's words."""
    same("the status of the refusal", error.status, status)
    body = json.loads(error.body)
    within("the refusal", words, " ".join([body["ErrorMessage"], *body.get("Errors", [])]))
    if status == 400:
        same("the message of a 400", body["ErrorMessage"], "There was a problem with your request.")
    else:
        holds(f"a {status} has no list of errors", "Errors" not in body)


def every(noun):
    """All documents of a noun over all pages, thirty at a time."""
    items, pages = [], 1
    while pages:
        page = octopus.call("GET", noun, skip=len(items), take=30)
        items += page.items
        same(f"{noun}: NumberOfPages", page.number_of_pages, max(1, -(-page.total_results // 30)))
        same(f"{noun}: LastPageNumber", page.last_page_number, page.number_of_pages - 1)
        same(f"{noun}: ItemsPerPage", page.items_per_page, 30)
        last = len(items) >= page.total_results
        same(f"{noun}: a link to the next page", "Page.Next" in page.links, not last)
        pages = not last and pages + 1
    same(f"{noun}: TotalResults", page.total_results, len(items))
    return items


def deploy(project, version, environment, tenant=None, **more):
    body = models.DeploymentResource(
        release_id=truth.release_id(project, version),
        environment_id=truth.id("environments", environment),
        tenant_id=tenant and truth.id("tenants", tenant),
        **more,
    )
    return octopus.request("POST", "deployments", "DeploymentResource", body=body)


def task(id):
    return octopus.call("GET", "tasks/{id}", id)


def wait(id):
    """Polls as a script with this client does."""
    return truth.until(f"the client sees {id} completed", lambda: (lambda t: t.is_completed and t)(task(id)))


def same_task(got, true, description):
    same("task State", got.state, true["state"])
    same("task Description", got.description, description)
    same("task ErrorMessage", got.error_message, true["error"])
    for name, member, said in (("QueueTime", "queued", got.queue_time), ("StartTime", "started", got.start_time), ("CompletedTime", "completed", got.completed_time)):
        same(f"task {name}", said, true[member] and moment(true[member]))
    same("task IsCompleted", got.is_completed, true["state"] in ("Success", "Failed", "Canceled", "TimedOut"))
    same("task FinishedSuccessfully", got.finished_successfully, true["state"] == "Success")
    same("task HasPendingInterruptions", got.has_pending_interruptions, False)


def same_deployment(got, true):
    again = octopus.call("GET", "deployments/{id}", got.id)
    same("the deployment read again", again.to_dict(), got.to_dict())
    same("deployment Id", got.id, true["id"])
    same("deployment TaskId", got.task_id, true["task"])
    same("its release", octopus.call("GET", "releases/{id}", got.release_id).version, true["release"])
    same("its project", octopus.call("GET", "projects/{idOrSlug}", got.project_id).name, true["project"])
    environment = octopus.call("GET", "environments/{id}", got.environment_id).name
    same("its environment", environment, true["environment"])
    same("its name", got.name, f"Deploy to {environment}")
    tenant = got.tenant_id and octopus.call("GET", "tenants/{id}", got.tenant_id).name
    same("its tenant", tenant, true["tenant"])
    same("its comments", got.comments, true["comments"])
    same("its guided failure", got.use_guided_failure, true["guided"])
    same("its skipped actions", got.skip_actions, true["skip"])
    same("its machines", (got.specific_machine_ids, got.excluded_machine_ids), (true["machines"], true["without"]))
    same("its creation", got.created, moment(true["created"]))
    same("its queue time", got.queue_time, true["scheduled"] and moment(true["scheduled"]))
    same("who made it", true["by"], ME)


# ---- the scenarios


def login():
    root = octopus.call("GET", "/api")
    status, true = truth.ask("GET", "/api", key="none")
    same("the root document without a key", status, 200)
    same("Application", root.application, "Octopus Deploy")
    same("Version", root.version, true["Version"])
    same("ApiVersion", root.api_version, "3.0.0")
    me = octopus.request("GET", "/api/users/me", "UserResource")
    same("the user", (me.username, me.is_active), (ME, True))
    same("the user by id", octopus.call("GET", "/api/users/{id}", me.id).to_dict(), me.to_dict())
    names = {u.username: u for u in octopus.call("GET", "/api/users/all")}
    same("ada", (names["ada"].display_name, names["ada"].email_address), ("Ada Approver", "ada@example.com"))
    page = octopus.call("GET", "/api/users")
    same("users on a page", sorted(u.username for u in page.items), sorted(names))
    teams = octopus.call("GET", "users/{id}/teams", me.id)
    holds("a release manager", "Release managers" in [t.name for t in teams])
    about = octopus.call("GET", "/api/permissions/all")
    same("where a permission can be restricted", sorted(about.project_view.supported_restrictions), sorted(truth.get("/api/permissions/all")["ProjectView"]["SupportedRestrictions"]))
    for role in octopus.call("GET", "scopeduserroles", "").items:
        same("a team's role", octopus.call("GET", "scopeduserroles/{id}", role.id).to_dict(), role.to_dict())
    nodes = octopus.call("GET", "/api/octopusservernodes/all")
    same("the server nodes", [n.max_concurrent_tasks for n in nodes], [50])
    same("a page of them", [n.id for n in octopus.call("GET", "/api/octopusservernodes").items], [n.id for n in nodes])
    same("a node by id", octopus.call("GET", "/api/octopusservernodes/{id}", nodes[0].id).to_dict(), nodes[0].to_dict())
    same("mail", octopus.call("GET", "/api/smtpconfiguration/isconfigured").is_configured, True)
    same("maintenance", octopus.call("GET", "/api/maintenanceconfiguration").is_in_maintenance_mode, False)
    health = Client(truth.url, "", truth.space_id).call("GET", "/api/serverstatus/health")
    same("its health, to anybody", (health.is_operating_normally, health.is_entire_cluster_read_only), (True, False))
    error = refused(Client(truth.url, "API-WRONG", truth.space_id).call, "GET", "projects")
    told(error, 401, UNAUTHORIZED)
    return "root document, own user, all users, teams, server nodes; 401 and its words for a wrong key"


def find_space():
    spaces = {s.name: s for s in octopus.call("GET", "/api/spaces/all")}
    same("the spaces", sorted(spaces), ["Default", "Harbour Ops"])
    same("spaces on a page", [s.name for s in octopus.call("GET", "/api/spaces").items], sorted(spaces))
    for name, description in (("Default", ""), ("Harbour Ops", "A second space, so that finding one means something")):
        space = octopus.call("GET", "/api/spaces/{id}", spaces[name].id)
        same(f"{name}: by id", space.to_dict(), spaces[name].to_dict())
        same(f"{name}: description", space.description, description)
        same(f"{name}: IsDefault", space.is_default, name == "Default")
        same(f"{name}: TaskQueueStopped", space.task_queue_stopped, False)
    same("the id of the default space", spaces["Default"].id, truth.space_id)
    other = Client(truth.url, truth.key, spaces["Harbour Ops"].id)
    same("projects in the second space", other.call("GET", "projects").total_results, 0)
    octopus.differences += other.differences
    return "both spaces by name, page and id; the second one is empty"


# What the world of world.toml has, by noun.
WORLD = {
    "environments": ["Development", "Production", "Test"],
    "lifecycles": ["Anywhere", "Standard"],
    "projectgroups": ["Fleet", "Harbour"],
    "tagsets": ["Region"],
    "tenants": ["Port of Norr", "Port of Rivo", "Port of Sul"],
}


def list_and_page():
    projects = every("projects")
    fleet = [p.name for p in projects if p.name.startswith("Fleet ")]
    same("the fleet", fleet, [f"Fleet {n:03}" for n in range(1, 71)])
    same("all projects", [p.name for p in octopus.call("GET", "projects/all")], [p.name for p in projects])
    for project in projects[:3] + projects[-3:]:
        same(f"{project.name} by id", octopus.call("GET", "projects/{idOrSlug}", project.id).to_dict(), project.to_dict())
        same(f"{project.name} by slug", octopus.call("GET", "projects/{idOrSlug}", project.slug).id, project.id)
        octopus.call("GET", "deploymentprocesses/{id}", project.deployment_process_id)
        octopus.call("GET", "variables/{id}", project.variable_set_id)
    read = 0
    for noun, names in WORLD.items():
        items = every(noun)
        holds(f"{noun}: {names} are there", set(names) <= {i.name for i in items})
        same(f"{noun}/all", [i.name for i in octopus.call("GET", f"{noun}/all")], [i.name for i in items])
        for item in items:
            same(f"{noun}: {item.name} by id", octopus.call("GET", f"{noun}/{{id}}", item.id).to_dict(), item.to_dict())
            read += 1
    for noun in ("channels", "feeds", "workerpools", "machinepolicies"):
        for item in every(noun)[:5]:
            same(f"{noun}: {item.name} by id", octopus.call("GET", f"{noun}/{{id}}", item.id).to_dict(), item.to_dict())
            read += 1
    releases = octopus.call("GET", "releases", skip=30, take=30)
    same("releases on the second page", len(releases.items), 30)
    for release in releases.items[:5]:
        same("a release by id", octopus.call("GET", "releases/{id}", release.id).to_dict(), release.to_dict())
    for team in octopus.call("GET", "teams").items:
        same("a team by id", octopus.call("GET", "teams/{id}", team.id).to_dict(), team.to_dict())
    octopus.call("GET", "teams/all")
    machines = octopus.call("GET", "machines/all")
    page = octopus.request("GET", "machines", "ResourceCollectionDeploymentTargetResource")
    same("the machines", ([m.to_dict() for m in machines], page.total_results), ([m.to_dict() for m in page.items], 1))
    web = octopus.call("GET", "machines/{id}", machines[0].id)
    names = [truth.get(f"environments/{e}")["Name"] for e in web.environment_ids]
    same("a machine", (web.name, web.roles, names, web.health_status, web.is_disabled), ("rivo-web-01", ["web"], ["Test", "Production"], "Healthy", False))
    same("the machines of an environment", [m.id for m in octopus.call("GET", "environments/{id}/machines", truth.id("environments", "Test")).items], [web.id])
    same("the roles of all machines", octopus.call("GET", "machineroles/all"), ["web"])
    octopus.call("GET", "dashboardconfiguration")
    octopus.call("GET", "tenants/status")
    return f"81 projects on pages of 30, {read} other documents by page, in full and by id, a page of releases"


def world_details():
    """What a few documents of the world must say."""
    phases = octopus.call("GET", "lifecycles/{id}", truth.id("lifecycles", "Standard")).phases
    names = {e.id: e.name for e in octopus.call("GET", "environments/all")}
    same("the phases of Standard", [(p.name, [names[e] for e in p.optional_deployment_targets]) for p in phases], [(n, [n]) for n in ("Development", "Test", "Production")])
    same("the phases in the preview", [p.name for p in octopus.call("GET", "lifecycles/{id}/preview", truth.id("lifecycles", "Standard")).phases], [p.name for p in phases])
    same("the projects of Standard", [p.name for p in octopus.call("GET", "lifecycles/{id}/projects", truth.id("lifecycles", "Standard"))], ["Customs"])
    rivo = octopus.call("GET", "tenants/{id}", truth.id("tenants", "Port of Rivo"))
    same("the tags of a tenant", rivo.tenant_tags, ["Region/North"])
    store = truth.id("projects", "Store")
    same("the environments of a tenant", {p: [names[e] for e in v] for p, v in rivo.project_environments.items()}, {store: ["Test", "Production"]})
    tags = octopus.call("GET", "tagsets/{id}", truth.id("tagsets", "Region")).tags
    same("the tags of a tag set", [(t.name, t.canonical_tag_name) for t in tags], [("North", "Region/North"), ("South", "Region/South")])


def create_release():
    project = truth.named("projects", "Harbour Docs")
    template = octopus.call("GET", "deploymentprocesses/{id}/template", project["DeploymentProcessId"])
    same("LastReleaseVersion", template.last_release_version, "0.1.0")
    same("NextVersionIncrement", template.next_version_increment, "0.1.1")
    same("Packages", template.packages, [])
    before = moment(truth.now())
    body = models.ReleaseResource(version=template.next_version_increment, project_id=project["Id"], release_notes="Ebb and flow")
    made = octopus.call("POST", "releases", release_resource=body)
    true = truth.get(f"projects/{project['Id']}/releases/0.1.1")
    same("Id", made.id, true["Id"])
    same("the notes", (made.release_notes, true["ReleaseNotes"]), ("Ebb and flow", "Ebb and flow"))
    same("the project", made.project_id, project["Id"])
    same("the channel", octopus.call("GET", "channels/{id}", made.channel_id).name, "Default")
    holds("assembled now", before <= made.assembled <= moment(truth.now()))
    same("by id", octopus.call("GET", "releases/{id}", made.id).to_dict(), made.to_dict())
    same("by version", octopus.call("GET", "projects/{id}/releases/{version}", "0.1.1", project["Id"]).id, made.id)
    octopus.call("GET", "variables/{id}", made.project_variable_set_snapshot_id)
    octopus.call("GET", "deploymentprocesses/{id}", made.project_deployment_process_snapshot_id)
    made.release_notes = "Ebb only"
    changed = octopus.call("PUT", "releases/{id}", made.id, release_resource=made)
    same("the changed notes", (changed.release_notes, truth.get(f"releases/{made.id}")["ReleaseNotes"]), ("Ebb only", "Ebb only"))
    error = refused(octopus.call, "POST", "releases", release_resource=body)
    told(error, 400, "Release '0.1.1' already exists for this project.")
    plan = octopus.call("GET", "releases/{id}/progression", made.id)
    environments = {e.id: e.name for e in octopus.call("GET", "environments/all")}
    same("where it can go", sorted(environments[e] for e in plan.next_deployments), ["Development", "Production", "Test"])
    return "template, created release by id and version, changed notes, progression; the duplicate's 400"


def deploy_untenanted():
    project, version = "Harbour API", "1.1.0"
    release = truth.release_id(project, version)
    template = octopus.call("GET", "releases/{id}/deployments/template", release)
    same("where it can go", sorted(p.name for p in template.promote_to), ["Development", "Production", "Test"])
    same("the process changed since", template.is_deployment_process_modified, False)
    made = []
    for environment in ("Development", "Production"):
        preview = octopus.call("GET", "releases/{id}/deployments/preview/{environment}", truth.id("environments", environment), "", release)
        same("the steps", [(s.action_name, s.action_number) for s in preview.steps_to_execute], [("Back up", "1"), ("Deploy web", "2"), ("Smoke test", "3")])
        made.append(deploy(project, version, environment, comments=f"to {environment}", use_guided_failure=False))
    for deployment in made:
        done = wait(deployment.task_id)
        true = truth.deployment(deployment.task_id)
        same_deployment(deployment, true)
        same_task(done, true, f"Deploy {project} release {version} to {true['environment']}")
        same("where it was sent", deployment.comments, f"to {true['environment']}")
    listed = octopus.call("GET", "deployments")
    same("the latest deployments", {d.id for d in made} <= {d.id for d in listed.items}, True)
    progress = octopus.call("GET", "releases/{id}/progression", release)
    same("deployed in its phase", {d.id for d in made} <= {d.deployment.id for p in progress.phases for d in p.deployments}, True)
    changes = octopus.call("GET", "deployments/{id}", made[1].id).changes
    same("the changes it brought", [(c.version, c.release_notes) for c in changes], [("1.1.0", "Cranes")])
    octopus.call("GET", "events")
    about = [e for e in octopus.sent()["Items"] if made[1].id in e["RelatedDocumentIds"]]
    categories = {c.id for c in octopus.call("GET", "events/categories")}
    same("the events about it", sorted(e["Category"] for e in about), ["DeploymentQueued", "DeploymentStarted", "DeploymentSucceeded"])
    for event in about:
        read = octopus.call("GET", "events/{id}", event["Id"])
        same("an event by id", (read.category, read.message, read.occurred), (event["Category"], event["Message"], moment(event["Occurred"])))
        holds("a known category", read.category in categories)
        within("its message", "Harbour API", read.message)
    octopus.call("GET", "events/groups")
    octopus.call("GET", "tasks/tasktypes")
    return "template, preview, events, two deployments with their tasks, the release's progression and changes"


def deploy_tenanted():
    north = [t.name for t in octopus.call("GET", "tenants/all") if "Region/North" in t.tenant_tags]
    same("the tenants in the north", sorted(north), ["Port of Norr", "Port of Rivo"])
    template = octopus.call("GET", "releases/{id}/deployments/template", truth.release_id("Store", "3.1.0"))
    targets = {t.name: sorted(p.name for p in t.promote_to) for t in template.tenant_promotions}
    same("where tenants can go", targets, {"Port of Norr": ["Test"], "Port of Rivo": ["Production", "Test"], "Port of Sul": ["Production", "Test"]})
    made = [deploy("Store", "3.0.0", "Test", "Port of Sul")] + [deploy("Store", "3.1.0", "Test", name) for name in north]
    for deployment in made:
        done = wait(deployment.task_id)
        true = truth.deployment(deployment.task_id)
        same_deployment(deployment, true)
        same_task(done, true, f"Deploy Store release {true['release']} to Test for {true['tenant']}")
    error = refused(deploy, "Store", "3.1.0", "Production", "Port of Norr")
    told(error, 400, "The tenant 'Port of Norr' is not connected to project 'Store' in environment 'Production'.")
    octopus.call("GET", "tenants/{id}/variables", truth.id("tenants", "Port of Rivo"))
    return "a named tenant and two by tag, their tasks and template; 400 for one that is not connected"


def prompted_variables():
    release = truth.release_id("Ledger", "1.0.0")
    test = truth.id("environments", "Test")
    form = octopus.call("GET", "releases/{id}/deployments/preview/{environment}", test, "", release).form
    same("the questions", [(e.control["Label"], e.control["Name"], e.is_value_required) for e in form.elements], [("Change number", "Change.Number", True)])
    question = form.elements[0].name
    holds("the form has a value for it", question in form.values)
    error = refused(deploy, "Ledger", "1.0.0", "Test")
    told(error, 400, "Change number")
    same("deployments so far", truth.deployments("Ledger"), [])
    made = deploy("Ledger", "1.0.0", "Test", form_values={question: "CHG-7"})
    same("what a server says of it (OctopusDeploy/Issues#1983)", made.form_values, {})
    wait(made.task_id)
    same("the value as it is", truth.deployment(made.task_id)["values"], {"Change.Number": "CHG-7"})
    variables = octopus.call("GET", "variables/{id}", truth.named("projects", "Ledger")["VariableSetId"]).variables
    by_name = {v.name: v for v in variables}
    same("the variables", sorted(by_name), ["Change.Number", "Password", "Wave"])
    prompt = by_name["Change.Number"].prompt
    same("the prompt", (prompt.label, prompt.required), ("Change number", True))
    same("the plain value", (by_name["Wave"].value, by_name["Wave"].is_sensitive), ("1", False))
    same("the secret", (by_name["Password"].value, by_name["Password"].is_sensitive, by_name["Password"].type), (None, True, "Sensitive"))
    return "the preview's form, refused without a value, deployed with it; the variable set and its secret"


def deploy_later():
    at = moment(truth.now()) + datetime.timedelta(minutes=40)
    made = deploy("Night Train", "1.0.0", "Test", queue_time=at, queue_time_expiry=at + datetime.timedelta(hours=5))
    same("QueueTime", made.queue_time, at)
    same("QueueTimeExpiry", made.queue_time_expiry, at + datetime.timedelta(hours=5))
    waiting = task(made.task_id)
    same("queued until then", (waiting.state, waiting.start_time, waiting.is_completed), ("Queued", None, False))
    same("QueueTime of the task", waiting.queue_time, at)
    same("QueueTimeExpiry of the task", waiting.queue_time_expiry, made.queue_time_expiry)
    same("in truth", truth.deployment(made.task_id)["scheduled"], truth.get(f"deployments/{made.id}")["QueueTime"])
    done = wait(made.task_id)
    holds("started no sooner", done.start_time >= at)
    same_task(done, truth.deployment(made.task_id), "Deploy Night Train release 1.0.0 to Test")
    error = refused(deploy, "Night Train", "1.0.0", "Test", queue_time=at, queue_time_expiry=at - datetime.timedelta(hours=1))
    told(error, 400, "The queue time expiry must be after the queue time.")
    return "queue time and expiry on deployment and task, started at its time; 400 for an expiry before it"


def wait_success():
    made = deploy("Harbour API", "1.0.0", "Test")
    first = task(made.task_id)
    holds("not completed at once", not first.is_completed and not first.finished_successfully)
    done = wait(made.task_id)
    same_task(done, truth.deployment(made.task_id), "Deploy Harbour API release 1.0.0 to Test")
    same("the end", (done.state, done.finished_successfully, done.error_message), ("Success", True, ""))
    same("how it began", (done.name, done.arguments), ("Deploy", {"DeploymentId": made.id}))
    return "a task polled until it succeeded, its times and flags"


def wait_failure():
    made = deploy("Leaky Barge", "1.0.0", "Test")
    done = wait(made.task_id)
    same_task(done, truth.deployment(made.task_id), "Deploy Leaky Barge release 1.0.0 to Test")
    same("the end", (done.state, done.finished_successfully, done.has_warnings_or_errors), ("Failed", False, True))
    same("ErrorMessage", done.error_message, "The deployment failed because one or more steps failed. Please see the deployment log for details.")
    details = octopus.call("GET", "tasks/{id}/details", made.task_id)
    root = details.activity_logs[0]
    same("the activities", [(c.name, c.status) for c in root.children], [("Step 1: Float", "Success"), ("Step 2: Load", "Failed")])
    words = lines(root)
    for line in ("pump 1 failed", "pump 2 failed", "the barge is full of water"):
        holds(f"the log has `{line}`", any(line in w for w in words))
    return "a task polled until it failed, its error, activities and log"


def lines(node):
    return [e.message_text for e in node.log_elements] + [line for child in node.children for line in lines(child)]


def wait_timeout():
    made = deploy("Slow Boat", "1.0.0", "Test")
    truth.settled(made.task_id, "Executing")
    for _ in range(3):
        seen = task(made.task_id)
        same("still going on", (seen.state, seen.is_completed, seen.completed_time), ("Executing", False, None))
        holds("picked up", seen.has_been_picked_up_by_processor)
    same("still going on in truth", truth.deployment(made.task_id)["state"], "Executing")
    return "three polls of a task that goes on, after which a script gives up"


def cancel():
    made = deploy("Slow Ferry", "1.0.0", "Test")
    truth.settled(made.task_id, "Executing")
    asked = octopus.call("POST", "tasks/{id}/cancel", made.task_id)
    holds("it is being cancelled", asked.state in ("Cancelling", "Canceled"))
    done = wait(made.task_id)
    same_task(done, truth.deployment(made.task_id), "Deploy Slow Ferry release 1.0.0 to Test")
    same("the end", (done.state, done.finished_successfully), ("Canceled", False))
    return "a running task cancelled: Cancelling, then Canceled"


def task_details():
    made = deploy("Harbour API", "1.1.0", "Test")
    wait(made.task_id)
    details = octopus.call("GET", "tasks/{id}/details", made.task_id)
    same("the task in it", details.task.to_dict(), task(made.task_id).to_dict())
    root = details.activity_logs[0]
    same("the root", (root.name, root.status), ("Deploy Harbour API release 1.1.0 to Test", "Success"))
    same("the steps", [c.name for c in root.children], ["Step 1: Back up", "Step 2: Deploy web", "Step 3: Smoke test"])
    took = [round((c.ended - c.started).total_seconds()) for c in root.children]
    same("how long they took", took, [120, 180, 60])
    same("how far it is", (details.progress.progress_percentage, details.progress.estimated_time_remaining), (100, ""))
    holds("the log of a step", any("42 tables saved" in w for w in lines(root.children[0])))
    octopus.call("GET", "tasks/{id}/raw", made.task_id)
    raw = octopus.raw.last_response.data
    for words in (f"Task ID:        {made.task_id}", "Task status:    Success", "42 tables saved"):
        within("the raw log", words, raw)
    holds("a log size", details.physical_log_size > 0)
    page = octopus.call("GET", "tasks")
    holds("in the list of tasks", made.task_id in [t.id for t in page.items])
    return "details with activity tree, times and log, raw log, list of tasks"


def output_variables():
    made = deploy("Harbour API", "1.0.0", "Development")
    wait(made.task_id)
    found = octopus.call("GET", "deployments/{id}", made.id)
    variables = octopus.call("GET", "variables/{id}", found.manifest_variable_set_id).variables
    said = {v.name: v.value for v in variables if ".Output." in v.name}
    same("what the steps left behind", said, {"Octopus.Action[Deploy web].Output.Url": "https://harbour.example", "Octopus.Action[Deploy web].Output.Slot": "blue"})
    return "the deployment's manifest variable set has the output variables"


def interruptions():
    made = deploy("Lock Gate", "1.0.0", "Test")
    find = lambda: octopus.request("GET", "interruptions", "ResourceCollectionInterruptionResource", query={"regarding": made.task_id, "pendingOnly": True}).items
    found = truth.until("an interruption", find)[0]
    same("by id", octopus.call("GET", "interruptions/{id}", found.id).to_dict(), found.to_dict())
    holds("in the list of all", found.id in [i.id for i in octopus.call("GET", "interruptions").items])
    same("the task", found.task_id, made.task_id)
    same("pending, nobody's", (found.is_pending, found.has_responsibility, found.responsible_user_id, found.can_take_responsibility), (True, False, None, True))
    team = octopus.call("GET", "teams/{id}", found.responsible_team_ids[0])
    same("who may answer", (team.name, len(team.member_user_ids)), ("Release managers", 2))
    related = {made.id, made.release_id, made.task_id, made.project_id, made.environment_id}
    same("what it is about", set(found.related_document_ids), related)
    elements = {e.name: e.control for e in found.form.elements}
    same("the question", elements["Instructions"]["Text"], "Is the tide right?")
    same("the answers", [b["Value"] for b in elements["Result"]["Buttons"]], ["Proceed", "Abort"])
    waiting = task(made.task_id)
    same("the task waits", (waiting.has_pending_interruptions, waiting.is_completed), (True, False))
    error = refused(octopus.request, "POST", f"interruptions/{found.id}/submit", "InterruptionResource", body={"Result": "Proceed"})
    told(error, 400, "You must take responsibility for this interruption before you can submit it.")
    user = octopus.call("PUT", "interruptions/{id}/responsible", found.id)
    same("who took it", user.username, ME)
    taken = octopus.call("GET", "interruptions/{id}", found.id)
    same("taken", (taken.has_responsibility, taken.responsible_user_id), (True, user.id))
    same("whose it is", octopus.call("GET", "interruptions/{id}/responsible", found.id).id, user.id)
    body = {"Result": "Proceed", "Notes": "The tide is right", "Instructions": None}
    answered = octopus.request("POST", f"interruptions/{found.id}/submit", "InterruptionResource", body=body)
    same("answered", (answered.is_pending, answered.form.values["Result"], answered.form.values["Notes"]), (False, "Proceed", "The tide is right"))
    done = wait(made.task_id)
    same_task(done, truth.deployment(made.task_id), "Deploy Lock Gate release 1.0.0 to Test")
    return "the interruption by task and id, its form and team, responsibility, the answer; the task goes on"


def progression():
    project = truth.id("projects", "Customs")
    release = truth.release_id("Customs", "1.0.0")
    environments = {e.id: e.name for e in octopus.call("GET", "environments/all")}
    open_to = lambda: [environments[e] for e in octopus.call("GET", "releases/{id}/progression", release).next_deployments]
    same("where it can go", open_to(), ["Test"])
    phases = octopus.call("GET", "releases/{id}/progression", release).phases
    same("the phases", [(p.name, p.progress, p.blocked) for p in phases], [("Development", "Complete", False), ("Test", "Current", False), ("Production", "Pending", False)])
    told(refused(deploy, "Customs", "1.0.0", "Production"), 400, "Production")
    octopus.request("POST", f"releases/{release}/defects", "DefectResource", body=models.DefectResource(description="smuggled goods"))
    listed = octopus.call("GET", "releases/{id}/defects", release).items
    same("the defects", [(d.description, d.status) for d in listed], [("smuggled goods", "Unresolved")])
    same("in truth", truth.get(f"releases/{release}/defects")["Items"][0]["Status"], "Unresolved")
    same("where it can go while prevented", open_to(), [])
    rows = octopus.call("GET", "progression/{id}", project).releases
    same("the project's progression", [(r.release.version, r.has_unresolved_defect, r.channel.name) for r in rows], [("1.0.0", True, "Default")])
    told(refused(deploy, "Customs", "1.0.0", "Test"), 400, "Test")
    same("deployments meanwhile", truth.deployments("Customs"), [])
    octopus.call("POST", "releases/{id}/defects/resolve", release)
    same("the defects afterwards", [d.status for d in octopus.call("GET", "releases/{id}/defects", release).items], ["Resolved"])
    made = deploy("Customs", "1.0.0", "Test")
    same("where it went", truth.deployment(made.task_id)["environment"], "Test")
    same("the end", wait(made.task_id).state, "Success")
    same("where it can go now", open_to(), ["Production"])
    return "progression of release and project, a defect reported and resolved, deployments refused before and meanwhile"


def dashboards():
    deployed = truth.until("no deployment of these is running", lambda: settled("Harbour API", "Store"))
    names = {noun: {d["Id"]: d["Name"] for d in truth.all(noun)} for noun in ("projects", "environments", "tenants")}
    board = octopus.call("GET", "dashboard")
    same("the projects", sorted(p.name for p in board.projects), sorted(names["projects"].values()))
    same("the environments", [e.name for e in board.environments], ["Development", "Test", "Production"])
    same("the groups", sorted(g.name for g in board.project_groups), ["Fleet", "Harbour"])
    same("the tenants", sorted(t.name for t in board.tenants), WORLD["tenants"])
    said = {
        (names["projects"][i.project_id], names["environments"][i.environment_id], i.tenant_id and names["tenants"][i.tenant_id], i.release_version, i.state)
        for i in board.items
        if names["projects"][i.project_id] in ("Harbour API", "Store")
    }
    same("what is where", said, deployed)
    for item in board.items:
        true = truth.deployment(item.task_id)
        same("an item's State", item.state, true["state"])
        same("an item's deployment", item.deployment_id, true["id"])
        same("an item's times", (item.queue_time, item.created), (moment(true["queued"]), moment(true["created"])))
        same("an item's end", (item.completed_time, item.is_completed), (true["completed"] and moment(true["completed"]), true["completed"] is not None))
    some = octopus.request("GET", "dashboard/dynamic", "DashboardResource", query={"projects": truth.id("projects", "Harbour API"), "includePrevious": True})
    same("the filtered dashboard", ({names["projects"][i.project_id] for i in some.items}, some.is_filtered), ({"Harbour API"}, True))
    progress = octopus.call("GET", "progression/{id}", truth.id("projects", "Harbour API"))
    same("the releases of the project", [r.release.version for r in progress.releases], ["1.1.0", "1.0.0"])
    same("the environments of the project", [e.name for e in progress.environments], ["Development", "Test", "Production"])
    seen = {(i.release_version, names["environments"][i.environment_id]) for r in progress.releases for items in r.deployments.values() for i in items}
    holds("what is live is there", ("1.0.0", "Production") in seen or ("1.1.0", "Production") in seen)
    return "dashboard with projects, environments, groups, tenants and items; the filtered one; a project's progression"


def settled(*projects):
    """(project, environment, tenant, release, state) of the newest deployments; nothing while one is going on."""
    newest = {}
    for d in truth.state()["deployments"]:
        if d["project"] in projects:
            newest[d["project"], d["environment"], d["tenant"]] = (d["release"], d["state"])
    return all(state in ("Success", "Failed", "Canceled") for _, state in newest.values()) and {(*k, *v) for k, v in newest.items()}


def push_package():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "Harbour.Swagger.1.2.3.zip"
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("readme.txt", "cranes")
        pushed = octopus.request("POST", "packages/raw", "PackageFromBuiltInFeedResource", files={"file": str(path)})
        error = refused(octopus.request, "POST", "packages/raw", "PackageFromBuiltInFeedResource", files={"file": str(path)})
        size, content = path.stat().st_size, path.read_bytes()
    same("the package", (pushed.package_id, pushed.version, pushed.file_extension, pushed.package_size_bytes), ("Harbour.Swagger", "1.2.3", ".zip", size))
    same("the status of the duplicate", error.status, 409)
    same("by id", octopus.call("GET", "packages/{id}", pushed.id).to_dict(), pushed.to_dict())
    holds("in the list", pushed.id in [p.id for p in octopus.call("GET", "packages").items])
    feed = next(f for f in octopus.call("GET", "feeds/all") if f.feed_type == "BuiltIn")
    same("the feed", pushed.feed_id, feed.id)
    found = octopus.request("GET", f"feeds/{feed.id}/packages/search", "ResourceCollectionPackageDescriptionResource", query={"term": "Harbour.Swagger"})
    same("the search", [(p.id, p.latest_version) for p in found.items], [("Harbour.Swagger", "1.2.3")])
    versions = octopus.request("GET", f"feeds/{feed.id}/packages/versions", "ResourceCollectionPackageVersionResource", query={"packageId": "Harbour.Swagger"})
    same("the versions", [(v.package_id, v.version, v.size_bytes) for v in versions.items], [("Harbour.Swagger", "1.2.3", size)])
    holds("counted", octopus.call("GET", "feeds/stats").total_packages >= 1)
    true = truth.get(f"packages/{pushed.id}")
    same("in truth", (true["PackageId"], true["Version"], true["PackageSizeBytes"]), ("Harbour.Swagger", "1.2.3", size))
    # The client decodes what it reads as text unless it is told to leave that alone.
    same("its content", octopus.call("GET", "packages/{id}/raw", pushed.id, _preload_content=False).data, content)
    return "pushed, read by id, list, search and versions, downloaded; 409 for the duplicate"


def step_template():
    body = models.ActionTemplateResource(
        name="Raise the flag",
        description="As seen in the harbour",
        action_type="Octopus.Script",
        properties={"Octopus.Action.Script.ScriptSource": "Inline", "Octopus.Action.Script.Syntax": "Bash", "Octopus.Action.Script.ScriptBody": "echo up"},
        packages=[],
        parameters=[
            models.ActionTemplateParameterResource(
                name="Flag.Colour", label="Colour", help_text="Which flag", display_settings={"Octopus.ControlType": "SingleLineText"}
            )
        ],
    )
    made = octopus.call("POST", "actiontemplates", action_template_resource=body)
    true = truth.get(f"actiontemplates/{made.id}")
    same("the template", (made.name, made.version, made.action_type, made.description), ("Raise the flag", 0, "Octopus.Script", "As seen in the harbour"))
    same("in truth", (true["Name"], true["Version"], true["Properties"]["Octopus.Action.Script.ScriptBody"]), ("Raise the flag", 0, "echo up"))
    parameter = made.parameters[0]
    same("its parameter", (parameter.name, parameter.label, parameter.help_text), ("Flag.Colour", "Colour", "Which flag"))
    holds("its parameter has an id", parameter.id)
    same("by id", octopus.call("GET", "actiontemplates/{id}", made.id).to_dict(), made.to_dict())
    change = models.ActionTemplateResource(**{**body.to_dict(), "id": made.id, "version": made.version, "description": "As seen at sea", "parameters": made.parameters})
    changed = octopus.call("PUT", "actiontemplates/{id}", made.id, action_template_resource=change)
    same("changed", (changed.id, changed.version, changed.description), (made.id, 1, "As seen at sea"))
    same("the parameter keeps its id", changed.parameters[0].id, parameter.id)
    same("changed in truth", truth.get(f"actiontemplates/{made.id}")["Description"], "As seen at sea")
    holds("in the list", made.id in [t.id for t in octopus.call("GET", "actiontemplates").items])
    holds("in full", made.id in [t.id for t in octopus.call("GET", "actiontemplates/all")])
    same("where it is used", octopus.call("GET", "actiontemplates/{id}/usage", made.id), [])
    error = refused(octopus.call, "POST", "actiontemplates", action_template_resource=body)
    told(error, 400, "Raise the flag")
    return "created, read, changed to version 1, listed, unused; 400 for the same name"


def errors():
    told(refused(octopus.call, "GET", "projects/{idOrSlug}", "Projects-999"), 404, "The resource 'Projects-999' was not found.")
    told(refused(octopus.call, "GET", "tasks/{id}", "ServerTasks-99999"), 404, "The resource 'ServerTasks-99999' was not found.")
    told(refused(octopus.call, "GET", "releases/{id}", "Releases-99999"), 404, "The resource 'Releases-99999' was not found.")
    told(refused(deploy, "Frozen Pier", "1.0.0", "Production"), 400, "Quarter close")
    body = models.DeploymentResource(release_id="Releases-99999", environment_id=truth.id("environments", "Test"))
    told(refused(octopus.request, "POST", "deployments", "DeploymentResource", body=body), 404, "The resource 'Releases-99999' was not found.")
    body = models.ReleaseResource(version="not a version!", project_id=truth.id("projects", "Harbour Docs"))
    told(refused(octopus.call, "POST", "releases", release_resource=body), 400, "not a version!")
    iris = Client(truth.url, "API-IRIS", truth.space_id)
    same("what iris may see", iris.call("GET", "projects/{idOrSlug}", "harbour-api").name, "Harbour API")
    octopus.differences += iris.differences
    words = "You do not have permission to perform this action. Please contact your Octopus administrator. Missing permission: "
    body = models.ReleaseResource(version="9.9.9", project_id=truth.id("projects", "Harbour Docs"))
    told(refused(iris.call, "POST", "releases", release_resource=body), 403, words + "ReleaseCreate")
    body = models.DeploymentResource(release_id=truth.release_id("Harbour API", "1.0.0"), environment_id=truth.id("environments", "Test"))
    told(refused(iris.request, "POST", "deployments", "DeploymentResource", body=body), 403, words + "DeploymentCreate")
    same("nothing was made by iris", [d for d in truth.state()["deployments"] if d["by"] == "iris"], [])
    same("nothing was deployed to the frozen environment", [d for d in truth.deployments("Frozen Pier") if d["environment"] == "Production"], [])
    return "404 for unknown ids, 400 for freeze and version, 403 for iris, each with the server's words"


SCENARIOS = {
    "login": login,
    "find-space": find_space,
    "list-and-page": lambda: (world_details(), list_and_page())[1],
    "create-release": create_release,
    "deploy-untenanted": deploy_untenanted,
    "deploy-tenanted": deploy_tenanted,
    "prompted-variables": prompted_variables,
    "deploy-later": deploy_later,
    "wait-success": wait_success,
    "wait-failure": wait_failure,
    "wait-timeout": wait_timeout,
    "cancel": cancel,
    "task-details": task_details,
    "output-variables": output_variables,
    "interruptions": interruptions,
    "progression": progression,
    "dashboards": dashboards,
    "push-package": push_package,
    "step-template": step_template,
    "errors": errors,
}

ABSENT = {
    "run-runbook": "runbooks came with server 2019.10, after the description it was generated from",
    "freeze-override": "deployment freezes came with server 2024.2, after the description it was generated from",
}


def checked(scenario):
    """A scenario that fails as well when an answer was not what the models say."""

    def run():
        octopus.differences.clear()
        before = octopus.checked
        detail = scenario()
        if octopus.differences:
            shown = sorted(set(octopus.differences))
            raise Difference(f"{len(shown)} differences between models and answers: " + "; ".join(shown[:20]))
        return f"{detail}; {octopus.checked - before} members"

    return run


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(play({id: checked(s) for id, s in SCENARIOS.items()}, ABSENT))
