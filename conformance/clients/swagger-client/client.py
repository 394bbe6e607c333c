"""The generated client as its users use it, and the check that what it parsed is what was sent.

The generator named its functions after the server's classes ("custom_action_response_descriptor_octopus_server_web_api_actions_
task_details_responder_spaces"). Scenarios say method and path instead; the function is found by the path it was generated for.
"""

import datetime
import importlib
import inspect
import json
import pkgutil
import re

import octopus_deploy_swagger_client as swagger
from octopus_deploy_swagger_client import models, octopus_deploy_client
from octopus_deploy_swagger_client.rest import ApiException

SPACE = "/api/{baseSpaceId}/"

# Members of the models that servers of today never send, with the reason. One that is sent all the same is a difference too: the
# list cannot go stale.
GONE = {
    "RootResource": {"IsEarlyAccessProgram": "no server since 2019.4 was seen to say so"},
    "UserResource": {"Password": "only ever sent to the server"},
    "ReleaseResource": {"PackageMetadata": "called BuildInformation by 2021"},
    "ReleaseChanges": {"PackageBuildMetadata": "called BuildInformation by 2021"},
    "PackageResource": {"PackageMetadata": "called PackageVersionBuildInformation by 2021"},
    "PackageFromBuiltInFeedResource": {"PackageMetadata": "called PackageVersionBuildInformation by 2021"},
    "DeploymentPreviewResource": {"ReleaseNotes": "called Changes by 2021"},
    # All permissions by name.
    "InlineResponse200": {
        "None": "the description's word for no permission",
        "RunSystem": "never granted to anybody",
        "PackageMetadataPush": "called BuildInformationPush by 2021",
    },
    "DeploymentTargetResource": {"Status": "left out by 2024: HealthStatus says it"},
    "WorkerResource": {"Status": "left out by 2024: HealthStatus says it"},
    "TeamNameResource": {"Links": "a reference without links by 2021"},
}

ANY = "*"
NO_DOCUMENT = {"Id": "what is put together for a request is no document and has no id"}

# Members that an answer has only sometimes, with the reason.
SOMETIMES = {
    ANY: {"LastModifiedOn": "only where somebody changed it", "LastModifiedBy": "only where somebody changed it"},
    "RootResource": NO_DOCUMENT,
    "ResourceCollection": NO_DOCUMENT,
    "DashboardResource": NO_DOCUMENT,
    "ProgressionResource": NO_DOCUMENT,
    "LifecycleProgressionResource": NO_DOCUMENT,
    "ReleaseTemplateResource": NO_DOCUMENT,
    "DeploymentTemplateResource": NO_DOCUMENT,
    "DeploymentPreviewResource": NO_DOCUMENT,
    "TaskDetailsResource": NO_DOCUMENT,
    "TenantVariableResource": NO_DOCUMENT,
    "DashboardConfigurationResource": NO_DOCUMENT,
    "MultiTenancyStatusResource": NO_DOCUMENT,
    "SmtpIsConfiguredResource": NO_DOCUMENT,
    "ServerStatusHealthResource": NO_DOCUMENT,
    "UserPermissionSetResourceSpacePermissions": {ANY: "only permissions the user has"},
    "VariableResourceScope": {ANY: "only scopes that are set"},
    "EndpointResource": {"Uri": "only of targets with a Tentacle", "Thumbprint": "only of targets with a Tentacle"},
}


def listed(table, model, key):
    model = "ResourceCollection" if model.startswith("ResourceCollection") else model
    members = {**table.get(ANY, {}), **table.get(model, {})}
    return key in members or ANY in members


class Client:
    """One user's generated client, with every answer checked."""

    def __init__(self, url, key, space_id=None):
        configuration = swagger.Configuration()
        configuration.host = url
        configuration.api_key["X-Octopus-ApiKey"] = key
        self.raw = swagger.ApiClient(configuration)
        self.space_id = space_id
        self.functions = functions(self.raw)
        self.differences = []
        self.checked = 0

    def call(self, method, path, *arguments, **more):
        """Calls the function that was generated for a path; `path` without a leading `/` is below the space."""
        full = path if path.startswith("/") else SPACE + path
        function = self.functions[method, full]
        if full.startswith(SPACE):
            arguments = (self.space_id, *arguments)
        answer = function(*arguments, **more)
        if more.get("_preload_content", True) and answer is not None and not isinstance(answer, str):
            self.agree(answer, self.sent(), f"{method} {path}")
        return answer

    def request(self, method, path, answer, body=None, query=None, files=None):
        """The client's general call, for what it was generated without: a body, a filter, or the type of an answer."""
        full = path if path.startswith("/") else f"/api/{self.space_id}/{path}"
        got = self.raw.call_api(
            full,
            method,
            query_params=list((query or {}).items()),
            header_params={"Content-Type": "multipart/form-data"} if files else {},
            body=body,
            files=files,
            response_type=answer,
            auth_settings=["APIKeyHeader"],
            _return_http_data_only=True,
        )
        if got is not None and not isinstance(got, str):
            self.agree(got, self.sent(), f"{method} {path}")
        return got

    def sent(self):
        """The answer as it was sent, for functions generated without a type."""
        return json.loads(self.raw.last_response.data)

    # ---- the check

    def differ(self, place, what):
        self.differences.append(f"{place}: {what}")

    def agree(self, got, raw, place):
        """Each member of a model that was sent has the sent value, and each member of a model was sent."""
        if isinstance(got, list):
            if not isinstance(raw, list) or len(got) != len(raw):
                self.differ(place, f"{len(got)} parsed of {raw!r:.80}")
                return
            for n, (g, r) in enumerate(zip(got, raw)):
                self.agree(g, r, f"{place}[{n}]")
        elif hasattr(type(got), "attribute_map"):
            self.model(got, raw, place)
        elif got != raw:
            self.differ(place, f"parsed {got!r:.80}, sent {raw!r:.80}")

    def model(self, got, raw, place):
        name = type(got).__name__
        if not isinstance(raw, dict):
            # A property is a plain text or an object; the generator knew only the second.
            if name != "PropertyValueResource":
                self.differ(place, f"{name} is sent as {raw!r:.80}")
            return
        for attribute, key in got.attribute_map.items():
            here = f"{place}.{key}"
            gone = listed(GONE, name, key)
            if key not in raw:
                if not gone and not listed(SOMETIMES, name, key):
                    self.differ(here, f"{name} has a member the answer lacks")
                continue
            if gone:
                self.differ(here, f"{name}.{key} is listed as gone, yet sent")
            self.checked += 1
            self.value(getattr(got, attribute), raw[key], got.swagger_types[attribute], here)

    def value(self, got, raw, kind, place):
        if raw is None or got is None:
            if got is not raw:
                self.differ(place, f"parsed {got!r:.80}, sent {raw!r:.80}")
        elif kind.startswith("list["):
            if not isinstance(raw, list) or len(raw) != len(got):
                self.differ(place, f"is a list to the client, sent {raw!r:.80}")
                return
            for n, (g, r) in enumerate(zip(got, raw)):
                self.value(g, r, kind[5:-1], f"{place}[{n}]")
        elif kind.startswith("dict("):
            inner = kind[5:-1].split(", ", 1)[1]
            if not isinstance(raw, dict) or set(raw) != set(got):
                self.differ(place, f"is a map to the client, sent {raw!r:.80}")
                return
            for key, r in raw.items():
                self.value(got[key], r, inner, f"{place}.{key}")
        elif kind == "datetime":
            if not isinstance(raw, str) or got != moment(raw):
                self.differ(place, f"parsed {got!r}, sent {raw!r:.80}")
        elif kind in PLAIN:
            # The client makes a text of whatever is sent; what is sent must be one already.
            wanted = PLAIN[kind]
            if not isinstance(raw, wanted) or (isinstance(raw, bool) and kind != "bool") or got != raw:
                self.differ(place, f"is {kind} to the client and parsed as {got!r:.80}, sent {raw!r:.80}")
        elif kind == "object":
            if got != raw:
                self.differ(place, f"parsed {got!r:.80}, sent {raw!r:.80}")
        elif isinstance(got, dict):
            # A model without members is handed on as it came.
            if got != raw or getattr(models, kind).attribute_map:
                self.differ(place, f"parsed {got!r:.80}, sent {raw!r:.80}")
        else:
            self.agree(got, raw, place)


PLAIN = {"str": str, "int": int, "float": (int, float), "bool": bool}


def moment(text):
    return datetime.datetime.fromisoformat(re.sub(r"Z$", "+00:00", text))


def functions(raw):
    """(method, path) -> function, for all that was generated."""
    found = {}
    for info in pkgutil.iter_modules(octopus_deploy_client.__path__):
        module = importlib.import_module(f"{octopus_deploy_client.__name__}.{info.name}")
        api = next(c for n, c in vars(module).items() if inspect.isclass(c) and n.endswith("Api"))(raw)
        for part in re.split(r"\n    def ", inspect.getsource(module))[1:]:
            name = part.split("(", 1)[0]
            call = re.search(r"call_api\(\s*'([^']+)', '(\w+)'", part)
            if call and name.endswith("_with_http_info"):
                found[call[2], call[1]] = getattr(api, name[: -len("_with_http_info")])
    return found


def refused(call, *arguments, **more):
    """What the client says when a call is refused; fails when it is not."""
    try:
        call(*arguments, **more)
    except ApiException as error:
        return error
    raise AssertionError(f"{arguments} was not refused")
