"""A testbed as tests drive it: commands, claims, and a story that takes everything away however it ends."""

from __future__ import annotations

import fcntl
import glob
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

TESTBED = os.path.join(os.path.dirname(os.path.realpath(__file__)), "testbed")
SKIPPED = 77  # ctest's SKIP_RETURN_CODE


class Failure(Exception):
    """What was expected and what came."""


def expect(true: bool, what: str) -> None:
    """A claim of the test."""
    if not true:
        raise Failure(what)


def step(what: str) -> None:
    """A line in the log, with the time."""
    print(f"{time.strftime('%H:%M:%S')} {what}", flush=True)


def not_judged(claim: str, why: str) -> None:
    """A claim that others' work keeps the test from judging: one line, as tests/base/judge.h has it."""
    line = f"not judged: {os.path.basename(sys.argv[0])}: {claim}; {why}"
    print(line, flush=True)
    if path := os.environ.get("KBENCH_NOT_JUDGED"):
        with open(path, "a", encoding="utf-8") as file:
            file.write(line + "\n")


def lack(*options: str) -> str:
    """Why this machine cannot have a testbed; empty when it can. `options` are those of `testbed check`."""
    check = subprocess.run([TESTBED, "check", *options], capture_output=True, text=True, check=False)
    return "" if check.returncode == 0 else check.stderr.strip()


class Testbed:
    """The testbed of this name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def command(self, *argv: str, stdin: str = "", expected: int | None = 0) -> str:
        """A command of the testbed; what it printed."""
        done = subprocess.run(self.argv(*argv), input=stdin, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
        if expected is not None and done.returncode != expected:
            raise Failure(f"testbed {' '.join(argv)} ended with {done.returncode}:\n{done.stdout[-6000:]}")
        return done.stdout

    def argv(self, *argv: str) -> list[str]:
        """A command of the testbed, to be started."""
        return [TESTBED, argv[0], "--name", self.name, *argv[1:]]

    def on(self, host: str, command: str, expected: int | None = 0, stdin: str = "") -> str:
        """A shell command on a host."""
        return self.command("exec", host, command, expected=expected, stdin=stdin)

    def left(self) -> list[str]:
        """What of it is on this machine; looked for without the testbed's own code."""
        directory = f"/var/lib/kbench-testbed/{self.name}"
        found = [path for path in (directory, f"/run/lock/kbench-testbed-{self.name}") if os.path.lexists(path)]
        found += glob.glob(f"/run/netns/{self.name}-*")
        found += glob.glob(f"/sys/fs/cgroup/**/kbench-testbed/{self.name}", recursive=True)
        for process in glob.glob("/proc/[0-9]*"):
            try:
                with open(f"{process}/stat", encoding="utf-8", errors="replace") as file:
                    if file.read().rpartition(")")[2].split()[0] in "ZX":
                        continue  # dead, and nothing but a number until this machine's init has read it
                for name, words in (("cgroup", f"/kbench-testbed/{self.name}/"), ("mountinfo", f"{directory}/"),
                                    ("cmdline", f"{directory}/")):
                    with open(f"{process}/{name}", encoding="utf-8", errors="replace") as lines:
                        if words in lines.read():
                            found.append(f"{process}/{name}")
            except OSError:
                continue  # it has ended meanwhile
        return found


def conduct(name: str, story: Callable[[Testbed], None]) -> int:
    """Tells a story on a testbed of this name, which is down before and after; the exit code."""
    def stop(number: int, _frame: object) -> None:
        raise Failure(f"stopped by {signal.Signals(number).name}")

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    testbed = Testbed(name)
    lock = open(f"/run/lock/{name}-test", "w", encoding="ascii")  # pylint: disable=consider-using-with
    fcntl.flock(lock, fcntl.LOCK_EX)  # of another checkout: its hosts have the same names
    began = time.monotonic()
    code = 1
    try:
        testbed.command("down")  # of a test that was killed
        story(testbed)
        step(f"all is well, after {time.monotonic() - began:.0f} s")
        code = 0
    except (Failure, subprocess.SubprocessError) as failure:
        print(f"FAILED: {failure}", flush=True)
    finally:
        said = testbed.command("down", expected=None)  # before anything is printed: whoever reads it may be gone
        step("testbed down")
        print(said, end="")
        if left := testbed.left():
            print(f"FAILED: the testbed left {', '.join(left)}")
            code = 1
    return code
