"""Plays the scenarios with octopus-python-client, which migrates spaces and creates releases and deployments.

It hands on what the server sent as dictionaries, so what it reports is compared member by member with what the world says.
"""

import ast
import contextlib
import datetime
import io
import json
import os
import re
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from truth import Truth, holds, play, same, within

# The client writes its log where it is started, and on import asks the package index for its newest version. That one question is
# answered here ("not available"), so that playing needs no network.
work = Path(sys.argv[1]) / "run"
shutil.rmtree(work, ignore_errors=True)
work.mkdir(parents=True)
os.chdir(work)
with mock.patch("requests.get", lambda *_, **__: mock.Mock(status_code=503)):
    from octopus_python_client.common import Common
from octopus_python_client.config import Config
from octopus_python_client.deployment_processes import DeploymentProcesses
from octopus_python_client.migration import Migration
from octopus_python_client.projects import Projects
from octopus_python_client.release_deployment import ReleaseDeployment
from octopus_python_client.utilities.helper import load_file

ME = "sandbox"
UNAUTHORIZED = "You must be logged in to perform this action. Please provide a valid API key or log in again."

truth = Truth()


def config(key=None, space_id=None, **more):
    made = Config()
    made.api_key = key or truth.key
    made.endpoint = truth.url + "/api/"
    made.space_id = truth.space_id if space_id is None else space_id
    made.data_path = str(work)
    made.overwrite = True
    for name, value in more.items():
        setattr(made, name, value)
    return made


octopus = Common(config=config())
outside = Common(config=config(space_id=""))


def saying(call, *arguments, **more):
    """(what a call returned, what the client printed meanwhile)"""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        result = call(*arguments, **more)
    return result, said.getvalue()


def quiet(call, *arguments, **more):
    return saying(call, *arguments, **more)[0]


def refused(status, reason, words, call, *arguments, **more):
    """Fails unless a call raises the client's error for a refusal, with the server's words in it."""
    try:
        quiet(call, *arguments, **more)
    except ValueError as error:
        told(str(error), status, reason, words)
        return
    raise AssertionError(f"{arguments} {more} was not refused")


def told(error, status, reason, words):
    """`Error code: 400; Reason: Bad Request; {the body as Python writes it}`"""
    found = re.search(r"Error code: (\d+); Reason: ([^;]*); (\{.*\})", error, re.DOTALL)
    holds(f"the client says code, reason and body: {error}", found)
    same("the code and reason", (int(found[1]), found[2]), (status, reason))
    body = ast.literal_eval(found[3])
    within("the refusal", words, " ".join([body["ErrorMessage"], *body.get("Errors", [])]))
    if status == 400:
        same("the message of a 400", body["ErrorMessage"], "There was a problem with your request.")


def id_of(noun, name):
    found = quiet(octopus.get_item_id_by_name, item_type=noun, item_name=name)
    same(f"the id of {name}", found, truth.id(noun, name))
    return found


def release_of(project, version):
    releases = quiet(octopus.get_project_releases_sorted_list, project_id=id_of("projects", project))
    found = next(r["Id"] for r in releases if r["Version"] == version)
    same(f"release {version} of {project}", found, truth.release_id(project, version))
    return found


def deploy(project, version, environment, **more):
    payload = {"ReleaseId": release_of(project, version), "EnvironmentId": id_of("environments", environment), **more}
    return quiet(octopus.post_single_item, item_type="deployments", payload=payload)


def same_deployment(got, true):
    """All members of a deployment that say what was deployed where."""
    read = lambda noun, id: quiet(octopus.get_or_delete_single_item_by_id, item_type=noun, item_id=id)
    same("deployment Id and TaskId", (got["Id"], got["TaskId"]), (true["id"], true["task"]))
    release = read("releases", got["ReleaseId"])
    same("its release", (release["Version"], release["ProjectId"], release["ChannelId"]), (true["release"], got["ProjectId"], got["ChannelId"]))
    same("its project", quiet(octopus.get_item_name_by_id, item_type="projects", item_id=got["ProjectId"]), true["project"])
    same("its environment", quiet(octopus.get_item_name_by_id, item_type="environments", item_id=got["EnvironmentId"]), true["environment"])
    tenant = got["TenantId"] and quiet(octopus.get_item_name_by_id, item_type="tenants", item_id=got["TenantId"])
    same("its tenant", tenant, true["tenant"])
    same("its name", got["Name"], f"Deploy to {true['environment']}")
    same("its comments", got["Comments"], true["comments"])
    same("who made it", (got["DeployedBy"], true["by"]), (ME, ME))
    same("its times", (got["Created"], got["QueueTime"]), (true["created"], true["scheduled"]))
    same("its form", got["FormValues"], {})
    same("what it leaves out", (got["SkipActions"], got["SpecificMachineIds"], got["ExcludedMachineIds"]), (true["skip"], true["machines"], true["without"]))
    same("guided failure", got["UseGuidedFailure"], true["guided"])
    same("its process", read("deploymentprocesses", got["DeploymentProcessId"])["ProjectId"], got["ProjectId"])
    again = read("deployments", got["Id"])
    same("read again", {k: again[k] for k in ("Id", "TaskId", "ReleaseId", "SpaceId")}, {k: got[k] for k in ("Id", "TaskId", "ReleaseId", "SpaceId")})


def same_task(id, description):
    true = truth.deployment(id)
    got = quiet(octopus.get_or_delete_single_item_by_id, item_type="tasks", item_id=id)
    names = ("Id", "State", "Description", "ErrorMessage", "QueueTime", "StartTime", "CompletedTime", "IsCompleted", "FinishedSuccessfully")
    done = true["state"] in ("Success", "Failed", "Canceled", "TimedOut")
    wanted = (id, true["state"], description, true["error"], true["queued"], true["started"], true["completed"], done, true["state"] == "Success")
    same("the task", dict(zip(names, (got[n] for n in names))), dict(zip(names, wanted)))
    return true


def wait(id, limit=60):
    """The client's own waiting. It takes a queued task for an ended one, so it is begun when the task is no longer queued."""
    truth.until(f"{id} has begun", lambda: truth.deployment(id)["state"] != "Queued")
    state, said = saying(octopus.wait_task, task_id=id, time_limit_second=limit)
    return state, said


# ---- the scenarios


def login():
    spaces, said = saying(outside.get_list_spaces)
    same("what it complains about", said, "")
    same("the spaces it sees", [s["Name"] for s in spaces], ["Default", "Harbour Ops"])
    me = quiet(outside.get_or_delete_single_item_by_id, item_type="users", item_id="me")
    same("the user", (me["Username"], me["DisplayName"], me["IsActive"]), (ME, "Sandbox", True))
    root = quiet(outside.get_one_type_ignore_error, item_type="home")
    same("the root document", (root["Application"], root["Version"], root["ApiVersion"]), ("Octopus Deploy", truth.get("/api")["Version"], "3.0.0"))
    wrong = Common(config=config(key="API-WRONG"))
    spaces, said = saying(wrong.get_list_spaces)
    same("the spaces with a wrong key", spaces, [])
    within("its words", f"Cannot get the spaces for {truth.url}/api/", said)
    told(said.strip(), 401, "Unauthorized", UNAUTHORIZED)
    return "spaces, own user, root document; the client's own words for a wrong key"


def find_space():
    true = {s["Name"]: s["Id"] for s in truth.get("/api/spaces/all")}
    for name in ("Default", "Harbour Ops"):
        same(f"{name} by name", quiet(outside.verify_space, space_id_name=name), true[name])
        same(f"{name} by id", quiet(outside.verify_space, space_id_name=true[name]), true[name])
    found, said = saying(outside.verify_space, space_id_name="Harbour Nowhere")
    same("a space that is not there", found, None)
    within("its words", "Harbour Nowhere not found", said)
    same("their ids", quiet(outside.get_list_spaces_ids_sorted), sorted(true.values()))
    second = quiet(outside.get_single_item_by_name, item_type="spaces", item_name="Harbour Ops")
    words = ("A second space, so that finding one means something", False, False)
    same("the second space", (second["Description"], second["IsDefault"], second["TaskQueueStopped"]), words)
    other = Common(config=config(space_id=true["Harbour Ops"]))
    same("projects in it", quiet(other.get_list_ids_one_type, item_type="projects"), [])
    return "both spaces by name and id, one that is not there, the second one is empty"


# What the world of world.toml has, by noun.
WORLD = {
    "environments": ["Development", "Production", "Test"],
    "lifecycles": ["Anywhere", "Standard"],
    "projectgroups": ["Fleet", "Harbour"],
    "tagsets": ["Region"],
    "tenants": ["Port of Norr", "Port of Rivo", "Port of Sul"],
    "runbooks": ["Restart harbour"],
    "machines": ["rivo-web-01"],
}
FLEET = [f"Fleet {n:03}" for n in range(1, 71)]


def list_and_page():
    page, _ = saying(octopus.get_one_type_save, item_type="projects")
    same("a list's numbers", (page["ItemType"], page["TotalResults"], page["ItemsPerPage"], page["NumberOfPages"], page["LastPageNumber"]), ("Project", len(page["Items"]), 2147483647, 1, 0))
    projects = page["Items"]
    same("the fleet", [p["Name"] for p in projects if p["Name"].startswith("Fleet ")], FLEET)
    same("as saved in a file", load_file(octopus.get_local_all_items_file("projects"))["Items"], projects)
    groups = {g["Id"]: g["Name"] for g in quiet(octopus.get_list_from_one_type, item_type="projectgroups")}
    cycles = {c["Id"]: c["Name"] for c in quiet(octopus.get_list_from_one_type, item_type="lifecycles")}
    fleet = next(p for p in projects if p["Name"] == "Fleet 007")
    same("one of the fleet", (groups[fleet["ProjectGroupId"]], cycles[fleet["LifecycleId"]], fleet["IsDisabled"], fleet["TenantedDeploymentMode"]), ("Fleet", "Anywhere", False, "Untenanted"))
    for noun, names in WORLD.items():
        items = quiet(octopus.get_list_from_one_type, item_type=noun)
        holds(f"{noun}: {names} are there", set(names) <= {i["Name"] for i in items})
        for item in items:
            same(f"{noun}: {item['Name']} by id", quiet(octopus.get_single_item_by_name_or_id, item_type=noun, item_id=item["Id"]), item)
            same(f"{noun}: the space of {item['Name']}", item["SpaceId"], truth.space_id)
    rivo = quiet(octopus.get_single_item_by_name, item_type="tenants", item_name="Port of Rivo")
    environments = {e["Id"]: e["Name"] for e in quiet(octopus.get_list_from_one_type, item_type="environments")}
    store = id_of("projects", "Store")
    same("a tenant", (rivo["TenantTags"], {p: [environments[e] for e in v] for p, v in rivo["ProjectEnvironments"].items()}), (["Region/North"], {store: ["Test", "Production"]}))
    variables = quiet(octopus.get_tenant_variables_save, tenant_id=rivo["Id"])
    same("its variables", (variables["TenantId"], variables["TenantName"], variables["LibraryVariables"]), (rivo["Id"], "Port of Rivo", {}))
    releases = quiet(octopus.get_project_releases_sorted_list, project_id=fleet["Id"])
    same("the releases of a project", [r["Version"] for r in releases], ["1.1.0", "1.0.0"])
    same("their project", {r["ProjectId"] for r in releases}, {fleet["Id"]})
    channel = quiet(octopus.find_sub_by_item, item_type="projects", item_id=fleet["Id"], sub_type="channels", sub_name="Default")
    same("the channel of a project", (channel["ProjectId"], channel["IsDefault"], {r["ChannelId"] for r in releases}), (fleet["Id"], True, {channel["Id"]}))
    return f"{len(projects)} projects in one list and in a file, seven other nouns by list and id, tenant variables, releases, channels"


def create_release():
    project = id_of("projects", "Harbour Docs")
    made = quiet(ReleaseDeployment.create_release_direct, config=config(), release_version="0.2.0", project_name="Harbour Docs", channel_name="Default", notes="Ebb and flow")
    got, true = made.release_response, truth.get(f"projects/{project}/releases/0.2.0")
    same("Id", (got["Id"], made.release_id), (true["Id"], true["Id"]))
    same("what it is of", (got["ProjectId"], got["Version"], got["SelectedPackages"]), (project, "0.2.0", []))
    within("the notes", "Ebb and flow", got["ReleaseNotes"])
    same("the notes in truth", got["ReleaseNotes"], true["ReleaseNotes"])
    # The client looks for the release before this one to tell what has changed since.
    within("the notes name what went before", "No previous release with the commit timestamp in notes was found", got["ReleaseNotes"])
    same("its channel", quiet(octopus.get_item_name_by_id, item_type="channels", item_id=got["ChannelId"]), "Default")
    saved = load_file(octopus.get_local_single_item_file_smartly(item_type="releases", item_id=got["Id"]))
    same("as saved in a file", saved, got)
    # Without a version it takes the one that the template proposes.
    release = ReleaseDeployment(config=config(), project_name="Harbour Docs")
    proposed = quiet(release.create_release)
    same("the proposed version", (proposed["Version"], proposed["Id"]), ("0.2.1", truth.release_id("Harbour Docs", "0.2.1")))
    again = ReleaseDeployment(config=config(), project_name="Harbour Docs")
    refused(400, "Bad Request", "Release '0.2.0' already exists for this project.", again.create_release, release_version="0.2.0")
    listed = quiet(octopus.get_project_releases_sorted_list, project_id=project)
    same("the releases", [r["Version"] for r in listed], ["0.2.1", "0.2.0", "0.1.0"])
    return "a release with a version and notes, one with the proposed version, saved, listed; the duplicate's 400"


def deploy_untenanted():
    project, version = "Harbour API", "1.1.0"
    plan = quiet(octopus.get_deployment_information, release_id=release_of(project, version))
    same("where it can go", sorted(p["Name"] for p in plan["PromoteTo"]), ["Development", "Production", "Test"])
    made = [deploy(project, version, environment, Comments=f"to {environment}") for environment in ("Development", "Test")]
    for deployment in made:
        state, said = wait(deployment["TaskId"])
        same("how it ended", state, "Success")
        true = same_task(deployment["TaskId"], f"Deploy {project} release {version} to {truth.deployment(deployment['TaskId'])['environment']}")
        same_deployment(deployment, true)
        same("where it was sent", deployment["Comments"], f"to {true['environment']}")
    listed = quiet(octopus.get_list_ids_one_type, item_type="deployments")
    holds("in the list of deployments", {d["Id"] for d in made} <= set(listed))
    of_project = quiet(octopus.get_list_items_by_conditional_id, item_type="deployments", condition_key="ProjectId", condition_id=id_of("projects", project))
    same("those of the project", {d["Id"] for d in of_project}, {d["id"] for d in truth.state()["deployments"] if d["project"] == project})
    return "the plan of a release, two deployments with their tasks, in the lists"


def deploy_tenanted():
    tenants = quiet(octopus.get_list_from_one_type, item_type="tenants")
    north = sorted(t["Name"] for t in tenants if "Region/North" in t["TenantTags"])
    same("the tenants in the north", north, ["Port of Norr", "Port of Rivo"])
    named = quiet(ReleaseDeployment.create_deployment_direct, config=config(), environment_name="Test", tenant_name="Port of Sul", release_id=release_of("Store", "3.0.0"), comments="by name")
    # Without a release it takes the latest one.
    made = [quiet(ReleaseDeployment.create_deployment_direct, config=config(), environment_name="Test", tenant_name=name, project_name="Store") for name in north]
    for deployment in (named, *made):
        same("how it ended", wait(deployment["TaskId"])[0], "Success")
        true = truth.deployment(deployment["TaskId"])
        same_deployment(deployment, same_task(deployment["TaskId"], f"Deploy Store release {true['release']} to Test for {true['tenant']}"))
    pairs = [(truth.deployment(d["TaskId"])["tenant"], truth.deployment(d["TaskId"])["release"]) for d in (named, *made)]
    same("what went where", pairs, [("Port of Sul", "3.0.0"), ("Port of Norr", "3.1.0"), ("Port of Rivo", "3.1.0")])
    both = quiet(ReleaseDeployment.create_release_deployment, config=config(), release_version="3.2.0", project_name="Store", comments="both at once", environment_name="Production", tenant_name="Port of Rivo")
    same("release and deployment at once", wait(both["TaskId"])[0], "Success")
    same_deployment(both, same_task(both["TaskId"], "Deploy Store release 3.2.0 to Production for Port of Rivo"))
    words = "The tenant 'Port of Norr' is not connected to project 'Store' in environment 'Production'."
    refused(400, "Bad Request", words, ReleaseDeployment.create_deployment_direct, config=config(), environment_name="Production", tenant_name="Port of Norr", project_name="Store")
    return "a named tenant, two by tag, release and deployment at once; 400 for a tenant that is not connected"


def prompted_variables():
    project = quiet(octopus.get_single_item_by_name, item_type="projects", item_name="Ledger")
    listed = quiet(octopus.get_list_variables_by_set_name_or_id, set_id=project["VariableSetId"])
    by_name = {v["Name"]: v for v in listed}
    prompt = by_name["Change.Number"]["Prompt"]
    same("the question", (prompt["Label"], prompt["Required"]), ("Change number", True))
    same("the others", (by_name["Wave"]["Value"], by_name["Password"]["Value"], by_name["Password"]["IsSensitive"]), ("1", None, True))
    address = f"releases/{release_of('Ledger', '1.0.0')}/deployments/preview/{id_of('environments', 'Test')}"
    form = quiet(octopus.request_octopus_item, address=address)["Form"]
    same("the form", [(e["Control"]["Label"], e["Control"]["Name"], e["Control"]["Required"], e["IsValueRequired"]) for e in form["Elements"]], [("Change number", "Change.Number", True, True)])
    refused(400, "Bad Request", "Change number", deploy, "Ledger", "1.0.0", "Test")
    same("deployments so far", truth.deployments("Ledger"), [])
    question = form["Elements"][0]["Name"]
    holds("the form has a value for it", question in form["Values"])
    made = deploy("Ledger", "1.0.0", "Test", FormValues={question: "CHG-7"})
    same("what a server says of it (OctopusDeploy/Issues#1983)", made["FormValues"], {})
    same("how it ended", wait(made["TaskId"])[0], "Success")
    same("the value as it is", truth.deployment(made["TaskId"])["values"], {"Change.Number": "CHG-7"})
    return "the variable's prompt, the preview's form, refused without a value, deployed with it"


def deploy_later():
    now = datetime.datetime.fromisoformat(truth.now())
    at, until = (now + datetime.timedelta(minutes=m) for m in (40, 400))
    made = deploy("Night Train", "1.0.0", "Test", QueueTime=at.isoformat(), QueueTimeExpiry=until.isoformat())
    same("QueueTime and its expiry", [datetime.datetime.fromisoformat(made[k]) for k in ("QueueTime", "QueueTimeExpiry")], [at, until])
    state, said = saying(octopus.get_task_status, task_id=made["TaskId"])
    same("queued until then", (state, said), ("Queued", "Queued\n"))
    same("in truth", truth.deployment(made["TaskId"])["scheduled"], made["QueueTime"])
    same("how it ended", wait(made["TaskId"])[0], "Success")
    true = same_task(made["TaskId"], "Deploy Night Train release 1.0.0 to Test")
    holds("started no sooner", datetime.datetime.fromisoformat(true["started"]) >= at)
    refused(400, "Bad Request", "The queue time expiry must be after the queue time.", deploy, "Night Train", "1.0.0", "Test", QueueTime=until.isoformat(), QueueTimeExpiry=at.isoformat())
    return "queue time and expiry, Queued until then, started at its time; 400 for an expiry before it"


def wait_success():
    made = deploy("Harbour API", "1.0.0", "Test")
    state, said = wait(made["TaskId"])
    same("the state it returns", state, "Success")
    within("its words", f"task {made['TaskId']} in space {truth.space_id} completes with status Success", said)
    same_task(made["TaskId"], "Deploy Harbour API release 1.0.0 to Test")
    saved = load_file(octopus.get_local_single_item_file_smartly(item_type="tasks", item_name="Deploy", item_id=made["TaskId"]))
    same("as saved in a file", (saved["State"], saved["Arguments"]), ("Success", {"DeploymentId": made["Id"]}))
    return "its own waiting: state, words and saved task"


def wait_failure():
    made = deploy("Leaky Barge", "1.0.0", "Test")
    state, said = wait(made["TaskId"])
    same("the state it returns", state, "Failed")
    within("its words", f"task {made['TaskId']} in space {truth.space_id} completes with status Failed", said)
    same_task(made["TaskId"], "Deploy Leaky Barge release 1.0.0 to Test")
    return "its own waiting: the state Failed and its words"


def wait_timeout():
    made = deploy("Slow Boat", "1.0.0", "Test")
    state, said = wait(made["TaskId"], limit=0)
    same("the state it returns", (state, truth.deployment(made["TaskId"])["state"]), ("Executing", "Executing"))
    within("its words", f"task {made['TaskId']} takes longer than 0 seconds and times out", said)
    return "its own waiting stops at the limit and says so; the task goes on"


def output_variables():
    made = deploy("Harbour API", "1.0.0", "Development")
    same("how it ended", wait(made["TaskId"])[0], "Success")
    found = quiet(octopus.get_or_delete_single_item_by_id, item_type="deployments", item_id=made["Id"])
    listed = quiet(octopus.get_list_variables_by_set_name_or_id, set_id=found["ManifestVariableSetId"])
    said = {v["Name"]: v["Value"] for v in listed if ".Output." in v["Name"]}
    same("what the steps left behind", said, {"Octopus.Action[Deploy web].Output.Url": "https://harbour.example", "Octopus.Action[Deploy web].Output.Slot": "blue"})
    return "the deployment's manifest variable set has the output variables"


def dashboards():
    truth.until("no deployment is running", lambda: all(d["completed"] or d["project"].startswith("Slow") for d in truth.state()["deployments"]))
    names = {noun: {d["Id"]: d["Name"] for d in truth.all(noun)} for noun in ("projects", "environments", "tenants")}
    board = quiet(octopus.get_one_type_ignore_error, item_type="dashboard")
    same("the projects", {p["Id"]: p["Name"] for p in board["Projects"]}, names["projects"])
    same("the environments", [e["Name"] for e in board["Environments"]], ["Development", "Test", "Production"])
    same("the groups", sorted(g["Name"] for g in board["ProjectGroups"]), ["Fleet", "Harbour"])
    same("the tenants", {t["Id"]: t["Name"] for t in board["Tenants"]}, names["tenants"])
    same("filtered", (board["IsFiltered"], board["ProjectLimit"]), (False, None))
    newest = {(d["project"], d["environment"], d["tenant"]): d for d in truth.state()["deployments"]}
    shown = {(names["projects"][i["ProjectId"]], names["environments"][i["EnvironmentId"]], names["tenants"].get(i["TenantId"])): i for i in board["Items"]}
    same("where something is", sorted(shown, key=str), sorted(newest, key=str))
    for place, item in shown.items():
        true = newest[place]
        keys = ("DeploymentId", "TaskId", "ReleaseVersion", "State", "Created", "QueueTime", "StartTime", "CompletedTime", "IsCompleted", "IsCurrent", "ErrorMessage")
        wanted = (true["id"], true["task"], true["release"], true["state"], true["created"], true["queued"], true["started"], true["completed"], true["completed"] is not None, True, true["error"])
        same(f"what is at {place}", dict(zip(keys, (item[k] for k in keys))), dict(zip(keys, wanted)))
    dynamic = quiet(octopus.get_one_type_ignore_error, item_type="dashboard/dynamic")
    same("the dynamic one", {i["DeploymentId"] for i in dynamic["Items"]}, {i["DeploymentId"] for i in board["Items"]})
    harbour = id_of("projects", "Harbour API")
    progress = quiet(octopus.get_or_delete_single_item_by_id, item_type="progression", item_id=harbour)
    same("the releases of the project", [(r["Release"]["Version"], r["Channel"]["Name"], r["HasUnresolvedDefect"]) for r in progress["Releases"]], [("1.1.0", "Default", False), ("1.0.0", "Default", False)])
    same("the environments of the project", [e["Name"] for e in progress["Environments"]], ["Development", "Test", "Production"])
    seen = {(r["Release"]["Version"], i["DeploymentId"]) for r in progress["Releases"] for items in r["Deployments"].values() for i in items}
    live = {(d["release"], d["id"]) for d in newest.values() if d["project"] == "Harbour API"}
    holds("what is newest is there", live <= seen)
    return "dashboard and dynamic dashboard with every item's members; a project's progression"


def push_package():
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("readme.txt", "cranes")
    content = content.getvalue()
    careful = Common(config=config(overwrite=False))
    pushed = quiet(careful.post_package, file_name="Harbour.Python.1.2.3.zip", content=content)
    same("the package", (pushed["PackageId"], pushed["Version"], pushed["FileExtension"], pushed["PackageSizeBytes"]), ("Harbour.Python", "1.2.3", ".zip", len(content)))
    true = truth.get(f"packages/{pushed['Id']}")
    same("in truth", (true["PackageId"], true["Version"], true["PackageSizeBytes"]), ("Harbour.Python", "1.2.3", len(content)))
    # It never asks for a duplicate to be refused: it overwrites or ignores.
    again, said = saying(careful.post_package, file_name="Harbour.Python.1.2.3.zip", content=content)
    within("its words", "skipping the existing package Harbour.Python.1.2.3.zip if it exists", said)
    same("the duplicate is ignored", again["Id"], pushed["Id"])
    quiet(careful.post_package, file_name="Harbour.Python.1.3.0.zip", content=content)
    history = quiet(octopus.get_package_history_list_by_name, package_name="Harbour.Python")
    same("the versions", [(p["PackageId"], p["Version"], p["FeedId"]) for p in history], [("Harbour.Python", v, pushed["FeedId"]) for v in ("1.3.0", "1.2.3")])
    _, said = saying(octopus.get_one_type_save, item_type="packages")
    latest = next(p for p in history if p["Version"] == "1.3.0")
    within("its words", f"saved package {latest['Id']} to local file", said)
    file = octopus.get_package_file(package_dict={**latest, "FileExtension": pushed["FileExtension"]})
    same("its content", Path(file).read_bytes(), content)
    return "two versions pushed, a duplicate ignored, found in the feed's versions, the latest downloaded"


def step_template():
    body = {
        "Name": "Raise the flag",
        "Description": "As seen in the harbour",
        "ActionType": "Octopus.Script",
        "Packages": [],
        "Properties": {"Octopus.Action.Script.ScriptSource": "Inline", "Octopus.Action.Script.Syntax": "Bash", "Octopus.Action.Script.ScriptBody": "echo up"},
        "Parameters": [{"Name": "Flag.Colour", "Label": "Colour", "HelpText": "Which flag", "DefaultValue": "red", "DisplaySettings": {"Octopus.ControlType": "SingleLineText"}}],
    }
    made = quiet(octopus.post_single_item_save, item_type="actiontemplates", payload=body)
    true = truth.get(f"actiontemplates/{made['Id']}")
    for key in ("Name", "Description", "ActionType", "Properties"):
        same(key, (made[key], true[key]), (body[key], body[key]))
    same("Version", (made["Version"], true["Version"]), (0, 0))
    parameter = made["Parameters"][0]
    same("its parameter", {k: parameter[k] for k in body["Parameters"][0]}, body["Parameters"][0])
    made["Description"] = "As seen at sea"
    changed = quiet(octopus.put_single_item, item_type="actiontemplates", payload=made)
    same("changed", (changed["Id"], changed["Version"], changed["Description"]), (made["Id"], 1, "As seen at sea"))
    same("changed in truth", truth.get(f"actiontemplates/{made['Id']}")["Description"], "As seen at sea")
    same("its parameter keeps its id", changed["Parameters"][0]["Id"], parameter["Id"])
    same("by name", quiet(octopus.get_item_id_by_name, item_type="actiontemplates", item_name="Raise the flag"), made["Id"])
    copy = quiet(octopus.clone_single_item_from_remote_item, item_type="actiontemplates", item_name="Lower the flag", base_item_name="Raise the flag")
    same("a copy", (copy["Name"], copy["Properties"], copy["Id"] != made["Id"]), ("Lower the flag", body["Properties"], True))
    refused(400, "Bad Request", "Raise the flag", octopus.post_single_item, item_type="actiontemplates", payload=body)
    return "created, changed to the next version, found by name, copied; 400 for the same name"


def errors():
    get = octopus.get_or_delete_single_item_by_id
    refused(404, "Not Found", "The resource 'Projects-999' was not found.", get, item_type="projects", item_id="Projects-999")
    refused(404, "Not Found", "The resource 'ServerTasks-99999' was not found.", octopus.get_task_status, task_id="ServerTasks-99999")
    refused(404, "Not Found", "The resource 'Releases-99999' was not found.", octopus.get_deployment_information, release_id="Releases-99999")
    refused(400, "Bad Request", "Quarter close", deploy, "Frozen Pier", "1.0.0", "Production")
    same("nothing was deployed there", [d for d in truth.deployments("Frozen Pier") if d["environment"] == "Production"], [])
    refused(400, "Bad Request", "The ReleaseId field is required.", octopus.post_single_item, item_type="deployments", payload={"EnvironmentId": id_of("environments", "Test")})
    iris = Common(config=config(key="API-IRIS"))
    same("what iris may see", quiet(iris.get_item_id_by_name, item_type="projects", item_name="Harbour API"), id_of("projects", "Harbour API"))
    words = "You do not have permission to perform this action. Please contact your Octopus administrator. Missing permission: DeploymentCreate"
    payload = {"ReleaseId": release_of("Harbour API", "1.0.0"), "EnvironmentId": id_of("environments", "Test")}
    refused(403, "Forbidden", words, iris.post_single_item, item_type="deployments", payload=payload)
    same("nothing was made by iris", [d for d in truth.state()["deployments"] if d["by"] == "iris"], [])
    found, said = saying(octopus.get_single_item_by_name, item_type="projects", item_name="No such project")
    same("a project that is not there", found, {})
    try:
        quiet(ReleaseDeployment, config=config(), project_name="No such project")
    except AssertionError as error:
        same("its words", str(error), "Project No such project cannot be found or you do not have permission to access!")
    else:
        raise AssertionError("a release of a project that is not there was not refused")
    return "404 for unknown ids, 400 for a freeze and a missing member, 403 for iris, its own words for an unknown project"


SCENARIOS = {
    "login": login,
    "find-space": find_space,
    "list-and-page": lambda: (processes(), list_and_page())[1],
    "create-release": create_release,
    "deploy-untenanted": deploy_untenanted,
    "deploy-tenanted": deploy_tenanted,
    "prompted-variables": prompted_variables,
    "deploy-later": deploy_later,
    "wait-success": wait_success,
    "wait-failure": wait_failure,
    "wait-timeout": wait_timeout,
    "output-variables": output_variables,
    "dashboards": dashboards,
    "push-package": push_package,
    "step-template": step_template,
    "errors": errors,
}

NO_WORDS = "it has no function for it (only the raw request_octopus_item)"
ABSENT = {
    "cancel": NO_WORDS,
    "run-runbook": "it copies runbooks and does not run them",
    "task-details": "it reads a task's state only",
    "interruptions": NO_WORDS,
    "progression": NO_WORDS,
    "freeze-override": "it is older than deployment freezes",
}


def processes():
    """What else it does: projects with their processes, copied, changed and deleted; a tag set brought to another space."""
    projects, steps = Projects(config=config()), DeploymentProcesses(config=config())
    got = quiet(projects.get_project, project_literal_name="Harbour API")
    process = load_file(octopus.get_local_single_item_file_smartly(item_type="deploymentprocesses", item_id=got["DeploymentProcessId"]))
    same("the steps", [(s["Name"], [a["Name"] for a in s["Actions"]], s["Condition"], s["StartTrigger"]) for s in process["Steps"]], [(n, [n], "Success", "StartAfterPrevious") for n in ("Back up", "Deploy web", "Smoke test")])
    logo, kind = quiet(octopus.get_logo, item_type="projects", item_id=got["Id"])
    same("its logo", (kind, logo[:4]), ("png", b"\x89PNG"))
    same("whose they are", process["ProjectId"], got["Id"])
    copy = quiet(projects.clone_project, project_literal_name="Python Pier", base_project_name="Harbour API")
    same("a copied project", (truth.id("projects", "Python Pier"), copy["LifecycleId"], copy["ProjectGroupId"]), (copy["Id"], got["LifecycleId"], got["ProjectGroupId"]))
    copied = lambda: [s["Name"] for s in truth.get(f"deploymentprocesses/deploymentprocess-{copy['Id']}")["Steps"]]
    same("its steps", copied(), ["Back up", "Deploy web", "Smoke test"])
    changed = quiet(steps.clone_process_step, project_literal_name="Python Pier", step_name="Look again", base_step_name="Smoke test", prev_step_name="Back up")
    same("a copied step", ([s["Name"] for s in changed["Steps"]], copied()), (["Back up", "Look again", "Deploy web", "Smoke test"],) * 2)
    holds("the copied step has an id", all(s["Id"] and a["Id"] for s in changed["Steps"] for a in s["Actions"]))
    less = quiet(steps.delete_process_step, project_literal_name="Python Pier", step_name="Deploy web")
    same("without a step", ([s["Name"] for s in less["Steps"]], less["Version"]), (copied(), changed["Version"] + 1))
    quiet(projects.delete_project, project_literal_name="Python Pier")
    same("deleted", [p for p in truth.all("projects") if p["Name"] == "Python Pier"], [])
    second = quiet(outside.verify_space, space_id_name="Harbour Ops")
    quiet(Migration(src_config=config(), dst_config=config(space_id=second)).clone_space_item, item_type="tagsets", item_name="Region")
    brought = next(t for t in truth.get(f"/api/{second}/tagsets/all") if t["Name"] == "Region")
    same("a tag set in the second space", ([t["CanonicalTagName"] for t in brought["Tags"]], brought["SpaceId"]), (["Region/North", "Region/South"], second))
    outside.config.space_id = ""
    status, _ = truth.ask("DELETE", f"/api/{second}/tagsets/{brought['Id']}")
    same("taken away again", status, 200)


if __name__ == "__main__":
    sys.exit(play(SCENARIOS, ABSENT))
