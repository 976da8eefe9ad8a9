"""Names, addresses and places of a testbed, and the record of what was asked for.

A testbed called kbtb has the namespaces kbtb-switch and kbtb-<host>, the control groups
kbench-testbed/kbtb/..., and the directory STATE/kbtb. Nothing has another name, so that whatever is
left of a testbed that was killed can be found without its record.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass

from tools import TestbedError

STATE_ROOT = "/var/lib/kbench-testbed"
CACHE_ROOT = "/var/cache/kbench-testbed"
AGENT_PORT = 7100
SERVER_PORT = 8123
MOST_OF_A_KIND = 250


@dataclass(frozen=True)
class Host:
    """One host: `kind` is controller, agent or server."""

    name: str
    kind: str
    address: str  # within 198.18.0.0/16, which RFC 2544 sets aside for benchmarks


@dataclass(frozen=True)
class Link:
    """A host's link, both directions alike. `delay` is each way."""

    rate: str
    queue: str
    delay: str


@dataclass(frozen=True)
class Plan:
    """What `up` was asked for."""

    name: str
    agents: int
    servers: int
    link: Link

    def hosts(self) -> list[Host]:
        """All hosts, the controller first."""
        return ([Host("controller", "controller", "198.18.0.1")] +
                [Host(f"agent{i}", "agent", f"198.18.1.{i}") for i in range(1, self.agents + 1)] +
                [Host(f"server{i}", "server", f"198.18.2.{i}") for i in range(1, self.servers + 1)])

    def host(self, name: str) -> Host:
        """The host of this name; an error lists those that there are."""
        for host in self.hosts():
            if host.name == name:
                return host
        names = ", ".join(host.name for host in self.hosts())
        raise TestbedError(f"there is no host `{name}` in {self.name}; hosts are {names}")

    def namespace(self, member: str) -> str:
        """Network namespace of a host, or of the `switch`."""
        return f"{self.name}-{member}"

    def directory(self) -> str:
        """Where this testbed keeps everything but the base root."""
        return directory(self.name)

    def save(self) -> None:
        """Writes the record: a whole file or none."""
        path = f"{self.directory()}/plan.json"
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(asdict(self), file, indent=2)
        os.replace(path + ".new", path)


def directory(name: str) -> str:
    """Directory of the testbed of this name."""
    return f"{STATE_ROOT}/{name}"


def check_name(name: str) -> str:
    """A name that fits into those of namespaces and of machines."""
    if not re.fullmatch(r"[a-z][a-z0-9]{0,11}", name):
        raise TestbedError(f"--name {name}: a name is a letter and up to 11 letters or digits, "
                           "all lower case")
    return name


def load(name: str) -> Plan | None:
    """The record of a testbed, or None when there is none."""
    try:
        with open(f"{directory(name)}/plan.json", encoding="utf-8") as file:
            fields = json.load(file)
    except FileNotFoundError:
        return None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise TestbedError(f"{directory(name)}/plan.json cannot be read ({error}); "
                           f"`testbed down --name {name}` clears it away") from None
    return Plan(**{**fields, "link": Link(**fields["link"])})


def need(name: str) -> Plan:
    """The record of a testbed that must be there."""
    plan = load(name)
    if plan is None:
        raise TestbedError(f"there is no testbed {name}; `testbed up --name {name}` makes one")
    return plan
