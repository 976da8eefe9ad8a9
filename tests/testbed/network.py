"""Namespaces, the bridge in the middle, and one shaped link per host.

     host's namespace          namespace of the switch
    ┌──────────────────┐      ┌──────────────────────────────────────────────────────┐
    │ agent1      eth0 ├──────┤ agent1.h ═ agent1.b ═ agent1.u ── agent1.m ═ fabric   │
    └──────────────────┘      └──────────────────────────────────────────────────────┘

A two-port bridge (agent1.b) stands between the host and the fabric, with a token bucket on the way out of
each port: agent1.u shapes what the host sends, agent1.h what it receives. Neither queue is the
host's own, so a packet tap on the host sees a packet before it queues. With a delay, agent1.m is in
a bridge agent1.d with one end of a TAP pair, whose other end is in the fabric (delay.py forwards).
A cut takes agent1.m down: the host keeps its carrier, as when a switch further away fails.
"""

from __future__ import annotations

import os
import re

from layout import Host, Link, Plan
from tools import TestbedError, output, succeeds

NAMESPACES = "/run/netns"
FABRIC = "fabric"
PREFIX = 16
_SMALLEST_BURST = 128 << 10  # holds a 64 KiB packet, which then passes in one piece
_BURST_S = 0.0008

_RATE = re.compile(r"(\d+(?:\.\d+)?)(k|m|g)bit")
_TIME = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s)")


def bits_per_second(rate: str) -> float | None:
    """Of "2500mbit"; None for "none", which is no limit."""
    if rate == "none":
        return None
    match = _RATE.fullmatch(rate)
    if match is None or float(match[1]) <= 0:
        raise TestbedError(f"--rate {rate}: a rate is a number above 0 with kbit, mbit or gbit, like "
                           "2500mbit, or none")
    return float(match[1]) * {"k": 1e3, "m": 1e6, "g": 1e9}[match[2]]


def seconds(option: str, duration: str) -> float:
    """Of "50ms", "200us", "1s"; a bare 0 is 0."""
    if duration == "0":
        return 0.0
    match = _TIME.fullmatch(duration)
    if match is None:
        raise TestbedError(f"{option} {duration}: a duration is a number with us, ms or s, like 50ms")
    return float(match[1]) * {"us": 1e-6, "ms": 1e-3, "s": 1.0}[match[2]]


def check_link(link: Link) -> None:
    """Refuses what tc would refuse later, or would take for something else."""
    bits_per_second(link.rate)
    if seconds("--queue", link.queue) <= 0:
        raise TestbedError(f"--queue {link.queue}: a queue of no time would lose every burst")
    if seconds("--delay", link.delay) > 10:
        raise TestbedError(f"--delay {link.delay}: more than 10 s is not a delay but a cut "
                           "(`testbed cut`)")


def namespaces(testbed: str) -> list[str]:
    """Namespaces of the testbed that exist."""
    if not os.path.isdir(NAMESPACES):
        return []
    return sorted(name for name in os.listdir(NAMESPACES) if name.startswith(f"{testbed}-"))


def remove(testbed: str) -> None:
    """Removes all namespaces of the testbed; links and bridges go with them."""
    for name in namespaces(testbed):
        if not succeeds("ip", "netns", "delete", name):
            os.unlink(f"{NAMESPACES}/{name}")  # a file whose mount was never made


class Network:
    """The network of one testbed."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._switch = plan.namespace("switch")

    def make_switch(self) -> None:
        """The namespace in the middle and its bridge."""
        self._add_namespace(self._switch)
        self._link("add", "name", FABRIC, "type", "bridge", "stp_state", "0", "forward_delay", "0")
        self._link("set", FABRIC, "up")

    def make_host(self, host: Host) -> None:
        """A host's namespace with its address, and its link up to the fabric's edge."""
        namespace, name = self._plan.namespace(host.name), host.name
        self._add_namespace(namespace)
        output("ip", "-n", namespace, "link", "add", "name", "eth0", "type", "veth", "peer", "name", f"{name}.h",
               "netns", self._switch)
        output("ip", "-n", namespace, "address", "add", f"{host.address}/{PREFIX}", "dev", "eth0")
        output("ip", "-n", namespace, "link", "set", "eth0", "up")
        self._link("add", "name", f"{name}.u", "type", "veth", "peer", "name", f"{name}.m")
        self._bridge(f"{name}.b", f"{name}.h", f"{name}.u")
        self.shape(host.name, self._plan.link.rate, self._plan.link.queue)
        if seconds("--delay", self._plan.link.delay) == 0:
            self._link("set", f"{name}.m", "master", FABRIC)
        self._link("set", f"{name}.m", "up")

    def attach_delay(self, host: Host) -> None:
        """Puts the TAP pair <host>.t0, <host>.t1, which must exist, between host and fabric."""
        name = host.name
        self._bridge(f"{name}.d", f"{name}.m", f"{name}.t0")
        self._link("set", f"{name}.t1", "master", FABRIC, "up")

    def shape(self, name: str, rate: str, queue: str) -> None:
        """Both directions of a host's link: `rate`, and a queue of `queue` at that rate."""
        bits = bits_per_second(rate)
        for port in (f"{name}.h", f"{name}.u"):
            if bits is None:
                succeeds("tc", "-n", self._switch, "qdisc", "delete", "dev", port, "root")
                continue
            burst = max(_SMALLEST_BURST, int(bits / 8 * _BURST_S))
            output("tc", "-n", self._switch, "qdisc", "replace", "dev", port, "root", "tbf",
                   "rate", f"{bits:.0f}bit", "burst", str(burst),
                   "latency", f"{seconds('--queue', queue) * 1e6:.0f}us")

    def cut(self, name: str, is_cut: bool) -> None:
        """Takes a host's port down where it meets the fabric, or up again."""
        self._link("set", f"{name}.m", "down" if is_cut else "up")

    def is_cut(self, name: str) -> bool:
        """Whether the host's port is down."""
        flags = output("ip", "-n", self._switch, "-o", "link", "show", "dev", f"{name}.m")
        return "UP" not in flags.split("<")[1].split(">")[0].split(",")

    def shaped(self, name: str) -> str:
        """What tc says of the host's sending direction, for `status`."""
        shown = output("tc", "-n", self._switch, "qdisc", "show", "dev", f"{name}.u").split()
        if "tbf" not in shown:
            return "not limited"
        return f"{shown[shown.index('rate') + 1]} queue {shown[shown.index('lat') + 1]}"

    def _add_namespace(self, name: str) -> None:
        output("ip", "netns", "add", name)
        output("ip", "-n", name, "link", "set", "lo", "up")

    def _bridge(self, bridge: str, *ports: str) -> None:
        self._link("add", "name", bridge, "type", "bridge", "stp_state", "0", "forward_delay", "0")
        for port in ports:
            self._link("set", port, "master", bridge, "up")
        self._link("set", bridge, "up")

    def _link(self, *arguments: str) -> None:
        output("ip", "-n", self._switch, "link", *arguments)
