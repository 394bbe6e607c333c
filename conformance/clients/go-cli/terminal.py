"""A pseudo-terminal for the questions of the CLI: waits for a text on the screen, then types."""

import os
import pty
import re
import select
import time

CONTROL = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>78]")
WHERE_IS_THE_CURSOR = b"\x1b[6n"
RIGHT = "\x1b[C"  # in a list of boxes: tick all
ENTER = "\r"


class Terminal:
    def __init__(self, argv, env, cwd):
        self.raw, self.seen = b"", 0
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(cwd)
            os.execve(argv[0], argv, dict(env, TERM="xterm"))

    def _read(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            return "silence"
        try:
            got = os.read(self.fd, 65536)
        except OSError:  # Linux says so when the other side has closed
            return "end"
        if not got:
            return "end"
        # A real terminal answers this; without an answer the CLI waits for ever.
        os.write(self.fd, b"\x1b[1;1R" * got.count(WHERE_IS_THE_CURSOR))
        self.raw += got
        return "text"

    def screen(self):
        return CONTROL.sub(b"", self.raw).decode(errors="replace").replace("\r", "")

    def answer(self, question, keys, seconds=20):
        """Waits for the question (a regular expression), then types; what stood on the screen since the answer before."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            text = self.screen()
            found = re.search(question, text[self.seen:])
            if found:
                # The list below a question is drawn after it.
                while self._read(0.15) == "text":
                    pass
                text = self.screen()
                shown, self.seen = text[self.seen:], len(text)
                os.write(self.fd, keys.encode())
                return shown
            if self._read(0.2) == "end":
                break
        raise AssertionError("the CLI never asked %r; it wrote %r" % (question, self.screen()[-600:]))

    def end(self, seconds=30):
        stop = time.monotonic() + seconds
        while self._read(0.2) != "end":
            if time.monotonic() > stop:
                os.kill(self.pid, 9)
                break
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
        return code, self.screen()
