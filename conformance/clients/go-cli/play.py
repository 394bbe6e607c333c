"""What all scenarios of the Go CLI stand on: the CLI in a home of its own, the truth by plain HTTP, and comparing the two."""

import json
import os
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from terminal import Terminal


class Play:
    """One scenario: what was compared, and every difference."""

    def __init__(self, world):
        self.world, self.compared, self.differences = world, 0, []

    def same(self, what, said, truth):
        self.compared += 1
        if said != truth:
            self.differences.append("%s: the CLI says %r, the truth is %r" % (what, said, truth))

    def holds(self, what, true, shown=""):
        self.compared += 1
        if not true:
            self.differences.append("%s: %r" % (what, shown))

    def text(self, *words, **how):
        """Output of a command that must succeed."""
        code, out, err = self.world.octopus(*words, **how)
        self.compared += 1
        if code != 0:
            raise AssertionError("`octopus %s` ended with %s: %s" % (" ".join(words), code, (err or out).strip()[:400]))
        return out

    def lines(self, *words, **how):
        return [line.rstrip() for line in self.text(*words, **how).splitlines() if line.strip()]

    def json(self, *words, **how):
        out = self.text(*words, "-f", "json", **how)
        try:
            return json.loads(out)
        except ValueError:
            raise AssertionError("`octopus %s -f json` wrote %r" % (" ".join(words), out[:300]))

    def refused(self, words, says, code=1, **how):
        """A command that must fail, in exactly these words (or with each of several in them)."""
        got, out, err = self.world.octopus(*words, **how)
        what = "`octopus %s`" % " ".join(words)
        self.same(what + " exit code", got, code)
        heard = (err + out).strip()
        for part in [says] if isinstance(says, str) else says:
            self.holds("%s should say %r" % (what, part), part in heard, heard[:400])

    def asked(self, *words, env=None):
        return Terminal([self.world.program, *words], dict(self.world.env, **(env or {})), self.world.home)


class World:
    def __init__(self, folder):
        self.url = os.environ["OCTOPUS_URL"].rstrip("/")
        self.key = os.environ["OCTOPUS_API_KEY"]
        self.space = os.environ.get("OCTOPUS_SPACE", "Default")
        self.program = os.path.join(os.path.abspath(folder), "octopus")
        self._home = tempfile.TemporaryDirectory(prefix="octopus-home-")
        self.home = self._home.name
        self.env = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": self.home,
            "XDG_CONFIG_HOME": os.path.join(self.home, ".config"),
            "NO_COLOR": "1",
            "EDITOR": "true",
            "OCTOPUS_URL": self.url,
            "OCTOPUS_API_KEY": self.key,
            "OCTOPUS_SPACE": self.space,
        }

    def another_home(self):
        home = tempfile.mkdtemp(dir=self.home)
        return {"HOME": home, "XDG_CONFIG_HOME": os.path.join(home, ".config")}

    def close(self):
        self._home.cleanup()

    def octopus(self, *words, env=None, seconds=120):
        done = subprocess.run(
            [self.program, *words, "--no-prompt"],
            env={k: v for k, v in dict(self.env, **(env or {})).items() if v is not None},
            cwd=self.home, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=seconds,
        )
        return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")

    def http(self, path, method="GET", body=None):
        request = urllib.request.Request(
            self.url + path, method=method, data=None if body is None else json.dumps(body).encode(),
            headers={"X-Octopus-ApiKey": self.key, "Content-Type": "application/json", "Accept": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    def all(self, noun):
        return self.http("/api/Spaces-1/%s/all" % noun)

    def named(self, noun, name):
        found = [doc for doc in self.all(noun) if doc["Name"] == name]
        if len(found) != 1:
            raise AssertionError("the world has %d of %s %r" % (len(found), noun, name))
        return found[0]

    def releases(self, project):
        return self.http("/api/Spaces-1/projects/%s/releases?take=1000" % self.named("projects", project)["Id"])["Items"]

    def state(self):
        return self.http("/sandbox/state")

    def now(self):
        return self.http("/sandbox/clock")["now"]

    def deployment(self, task):
        return self._of("deployments", task)

    def run(self, task):
        return self._of("runbook_runs", task)

    def _of(self, kind, task):
        found = [d for d in self.state()[kind] if d["task"] == task]
        if len(found) != 1:
            raise AssertionError("the CLI names task %r; the world has %d of it in %s" % (task, len(found), kind))
        return found[0]

    def ended(self, task, kind="deployments", seconds=60):
        """The truth of a task that is over."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = self._of(kind, task)
            if found["completed"]:
                return found
            time.sleep(0.2)
        raise AssertionError("task %s does not end" % task)
