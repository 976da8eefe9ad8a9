"""How much of this machine others use while a testbed works: all busy CPU time less that of the testbed.

Interrupt time has no owner and is left out; stolen time counts as another's. The one reason for which a
measurement on a testbed may be repeated or left unjudged is that this was too much, judged before anybody
looks at what was measured.
"""

from __future__ import annotations

import os
import time

import cgroups

MOST = 0.35  # CPUs; above this a measurement was disturbed


def _all_s() -> float:
    """CPU time of everybody since the machine's start."""
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, _, _, _, _, steal = map(int, file.readline().split()[1:9])
    return (user + nice + system + steal) / os.sysconf("SC_CLK_TCK")


class ForeignCpu:
    """Of the time since it was made."""

    def __init__(self, testbed: str) -> None:
        self._group = cgroups.Group(testbed)
        self._begin = self._read()

    def _read(self) -> tuple[float, float, float]:
        return time.monotonic(), _all_s(), self._group.cpu_s()

    def cpus(self) -> float:
        """That others used on average. Grain: 10 ms of CPU, so look at seconds."""
        passed, every, own = (now - then for now, then in zip(self._read(), self._begin))
        return max(0.0, (every - own) / passed)
