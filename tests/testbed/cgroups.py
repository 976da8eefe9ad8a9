"""One control group per host: what started in it is ours for certain, whatever became of its pid.

Every process of the testbed (a host's nspawn with all that runs inside, a delay, a command of
`testbed run`) starts inside kbench-testbed/<name>/<member> of the hierarchies used here and cannot
leave by forking. So nothing is ever ended because a recorded number looks like a process of ours, and
a host can be frozen as a whole. Works with the unified hierarchy (v2), with version 1, of which
`name=systemd` and `freezer` are used, and with both mounted side by side. Hosts must not share a
hierarchy that their systemds use: their units have equal names.
"""

from __future__ import annotations

import os
import signal
import time

from tools import TestbedError

TOP = "kbench-testbed"


def _mounted() -> tuple[list[str], str, str]:
    """Roots of the hierarchies in use; the one that freezes, and the file there that says so."""
    unified, systemd, freezer = [], [], []
    with open("/proc/self/mountinfo", encoding="utf-8") as lines:
        for line in lines:
            left, right = line.split(" - ")
            point, (kind, _, options) = left.split()[4], right.split()[:3]
            if kind == "cgroup2":
                unified.append(point)
            elif kind == "cgroup" and "name=systemd" in options.split(","):
                systemd.append(point)
            elif kind == "cgroup" and "freezer" in options.split(","):
                freezer.append(point)
    if systemd and freezer:
        return [systemd[0], freezer[0], *unified[:1]], freezer[0], "freezer.state"
    if unified:
        return [unified[0]], unified[0], "cgroup.events"
    raise TestbedError("no control groups are mounted: neither cgroup2 nor version 1 with "
                       "`name=systemd` and `freezer`; containers with systemd inside need them")


def _read(path: str) -> str:
    with open(path, encoding="ascii") as file:
        return file.read()


def _write(path: str, value: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(value)


class Group:
    """The group of one member ("agent1"), or of a whole testbed when the member is empty."""

    def __init__(self, testbed: str, member: str = "") -> None:
        roots, freezer, file = _mounted()
        own = os.path.join(TOP, testbed, member).rstrip("/")
        self._paths = [f"{root}/{own}" for root in roots]
        self._freezer = f"{freezer}/{own}"
        self._frozen_file = f"{self._freezer}/{file}"

    def make(self) -> None:
        """Makes the group where it is missing."""
        for path in self._paths:
            os.makedirs(path, exist_ok=True)

    def join(self) -> None:
        """Moves the calling process in; for between fork and exec."""
        for path in self._paths:
            _write(f"{path}/cgroup.procs", str(os.getpid()))

    def pids(self) -> set[int]:
        """All processes in it and below it."""
        found: set[int] = set()
        for path in self._paths:
            for directory, _, _ in os.walk(path):
                try:
                    found.update(map(int, _read(f"{directory}/cgroup.procs").split()))
                except (FileNotFoundError, OSError):
                    continue
        return found - {0}

    def cpu_s(self) -> float:
        """CPU time of all that ever ran in it, in seconds; without the unified hierarchy, of what still runs."""
        for path in self._paths:
            if os.path.exists(f"{path}/cpu.stat"):
                fields = dict(line.split() for line in _read(f"{path}/cpu.stat").splitlines())
                return int(fields["usage_usec"]) * 1e-6
        ticks = 0
        for pid in self.pids():
            try:
                # proc(5): after the name in parentheses; its own time and that of children it has waited for.
                ticks += sum(map(int, _read(f"/proc/{pid}/stat").rpartition(")")[2].split()[11:15]))
            except (FileNotFoundError, ProcessLookupError):
                continue
        return ticks / os.sysconf("SC_CLK_TCK")

    def frozen(self) -> bool:
        """Whether the whole group stands still."""
        if not os.path.exists(self._frozen_file):
            return False
        return "frozen 1" in (text := _read(self._frozen_file)) or text.strip() == "FROZEN"

    def freeze(self, on: bool) -> None:
        """Stops every process of the group, or lets all go on; returns when that is so."""
        if self._frozen_file.endswith("freezer.state"):
            _write(self._frozen_file, "FROZEN" if on else "THAWED")
        else:
            _write(f"{self._freezer}/cgroup.freeze", "1" if on else "0")
        deadline = time.monotonic() + 10
        while self.frozen() != on:
            if time.monotonic() > deadline:
                raise TestbedError(f"{self._freezer} did not {'freeze' if on else 'thaw'} within "
                                   "10 s; a process in it hangs in the kernel")
            time.sleep(0.005)

    def end(self) -> None:
        """Kills what is in the group and removes it."""
        deadline = time.monotonic() + 20
        while True:
            self._thaw_all()
            for pid in (pids := self.pids()):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            if not pids and self._remove():
                return
            if time.monotonic() > deadline:
                raise TestbedError(f"processes {sorted(pids)} of {self._paths[0]} do not end; "
                                   "`cat /proc/<pid>/stack` says where they hang")
            time.sleep(0.02)

    def _thaw_all(self) -> None:
        for top in self._paths:
            for directory, _, files in os.walk(top):
                for file, value in (("freezer.state", "THAWED"), ("cgroup.freeze", "0")):
                    if file in files:
                        _write(f"{directory}/{file}", value)

    def _remove(self) -> bool:
        """Removes the empty directories; false while the kernel still holds one."""
        for top in self._paths:
            for directory, _, _ in os.walk(top, topdown=False):
                try:
                    os.rmdir(directory)
                except OSError:
                    return False
            try:
                os.rmdir(os.path.dirname(top))  # the parent goes with its last child
            except OSError:
                pass
        return True
