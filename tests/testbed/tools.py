"""Running other programs, and errors that say what was missing and what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable

# Whoever starts the testbed need not have the directories of system tools in the path.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class TestbedError(Exception):
    """What was tried, on what, what came, what to do. Printed without a trace."""


def environment() -> dict[str, str]:
    """The caller's environment with a path in which system tools are found and messages in English."""
    return {**os.environ, "PATH": PATH, "LC_ALL": "C.UTF-8"}


def output(*argv: str, stdin: str | None = None, timeout_s: float = 60,
           before: Callable[[], None] | None = None) -> str:
    """Runs a program to its end and returns what it printed; its failure is a TestbedError. `before` is
    called in the new process first."""
    try:
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, env=environment(),
                              timeout=timeout_s, check=False, preexec_fn=before,
                              stdin=subprocess.DEVNULL if stdin is None else None)
    except FileNotFoundError:
        raise TestbedError(f"`{argv[0]}` is not installed") from None
    except subprocess.TimeoutExpired:
        raise TestbedError(f"`{' '.join(argv)}` did not end within {timeout_s:g} s") from None
    if done.returncode != 0:
        what = (done.stderr or done.stdout).strip() or "it said nothing"
        raise TestbedError(f"`{' '.join(argv)}` ended with {done.returncode}: {what}")
    return done.stdout


def succeeds(*argv: str) -> bool:
    """Whether a program can be run and ends with 0; what it prints is dropped."""
    try:
        output(*argv)
        return True
    except TestbedError:
        return False


def note(text: str) -> None:
    """Progress, for the person who waits; results go to stdout."""
    print(f"testbed: {text}", file=sys.stderr, flush=True)


def mounts_below(path: str) -> list[str]:
    """Mount points at `path` or below it, deepest first."""
    found = []
    with open("/proc/self/mountinfo", encoding="utf-8") as lines:
        for line in lines:
            point = line.split()[4].encode().decode("unicode_escape")
            if point == path or point.startswith(path.rstrip("/") + "/"):
                found.append(point)
    return sorted(found, key=len, reverse=True)


def remove_tree(path: str) -> None:
    """Removes a directory of ours and nothing that is mounted in it."""
    if not os.path.lexists(path):
        return
    for point in mounts_below(path):
        output("umount", point)
    if left := mounts_below(path):
        raise TestbedError(f"{path} is not removed: {left[0]} is still mounted; `umount {left[0]}`")
    shutil.rmtree(path)
