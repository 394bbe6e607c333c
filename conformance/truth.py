"""What the Python clients' scenarios share: the truth over plain HTTP, comparing, and reporting.

Standard library only, and nothing of any client: what is true is asked without the client that is judged.
"""

import json
import os
import sys
import time
import traceback
import urllib.error
import urllib.request

PATIENCE = 60  # real seconds: at 600 times real time no task that must end takes more than one or two


class Truth:
    """The sandbox as it is, over plain HTTP."""

    def __init__(self):
        self.url = os.environ["OCTOPUS_URL"].rstrip("/")
        self.key = os.environ["OCTOPUS_API_KEY"]
        self.space = os.environ["OCTOPUS_SPACE"]
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self.space_id = next(s["Id"] for s in self.get("/api/spaces/all") if s["Name"] == self.space)

    def ask(self, method, path, body=None, key=None):
        """(status, JSON) of any request; `path` without a leading `/` is below the space."""
        full = path if path.startswith("/") else f"/api/{self.space_id}/{path}"
        data = None if body is None else json.dumps(body).encode()
        headers = {"X-Octopus-ApiKey": key or self.key, "Content-Type": "application/json", "User-Agent": "conformance-truth"}
        request = urllib.request.Request(self.url + full, data=data, method=method, headers=headers)
        try:
            with self.opener.open(request, timeout=30) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def get(self, path):
        status, answer = self.ask("GET", path)
        if status != 200:
            raise RuntimeError(f"GET {path} was answered {status}: {answer}")
        return answer

    def all(self, noun):
        return self.get(f"{noun}/all")

    def named(self, noun, name):
        """The document with a name."""
        return next(d for d in self.all(noun) if d["Name"] == name)

    def id(self, noun, name):
        return self.named(noun, name)["Id"]

    def release_id(self, project, version):
        return self.get(f"projects/{self.id('projects', project)}/releases/{version}")["Id"]

    def state(self):
        return self.get("/sandbox/state")

    def now(self):
        return self.get("/sandbox/clock")["now"]

    def deployment(self, task_id):
        """What really became of a deployment or run, by its task."""
        state = self.state()
        return next(d for d in state["deployments"] + state["runbook_runs"] if d["task"] == task_id)

    def deployments(self, project):
        """A project's deployments since the world began."""
        return [d for d in self.state()["deployments"] if d["project"] == project and not d["history"]]

    def until(self, what, found):
        """Waits until `found()` is something."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            result = found()
            if result:
                return result
            time.sleep(0.2)
        raise AssertionError(f"waited {PATIENCE} s in vain: {what}")

    def settled(self, task_id, state):
        """Waits, without the client, until a task has a state."""
        return self.until(f"{task_id} is {state}", lambda: self.deployment(task_id)["state"] == state)


class Difference(AssertionError):
    """The client said something else than is true."""


def same(what, said, true):
    """Fails unless the client said what is true."""
    if said != true:
        raise Difference(f"{what}: the client said {said!r}, the truth is {true!r}")


def holds(what, said):
    if not said:
        raise Difference(f"{what}: that is not so")


def within(what, words, said):
    """Fails unless the client's words contain these."""
    if words not in said:
        raise Difference(f"{what}: the client said {said!r}, which lacks {words!r}")


def play(scenarios, absent):
    """Plays the scenarios named on the command line, or all, and reports each. A scenario returns what it compared."""
    wanted = sys.argv[2:] or [*scenarios, *absent]
    failed = False
    for id in wanted:
        report = {"scenario": id}
        if id in absent:
            report["absent"] = absent[id]
        else:
            try:
                report.update(passed=True, detail=scenarios[id]())
            except Exception as error:  # whatever the client raises is a failure of the scenario, told in its words
                failed = True
                report.update(passed=False, detail=str(error) if isinstance(error, Difference) else f"{type(error).__name__}: {error}")
                traceback.print_exc()
        print(json.dumps(report), flush=True)
    return 1 if failed else 0
