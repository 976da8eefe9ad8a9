"""A whole testbed: up, down, and what is done to it in between."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import time
from collections.abc import Iterator

import access
import base_image
import cgroups
import layout
import network
from layout import Host, Plan
from machine import Machine
from tools import TestbedError, environment, note, output, remove_tree

BOOT_S = 120
_DELAY = os.path.join(os.path.dirname(os.path.realpath(__file__)), "delay.py")


@contextlib.contextmanager
def exclusive(name: str) -> Iterator[None]:
    """One change of a testbed at a time; the lock goes with the process that holds it."""
    path = f"/run/lock/kbench-testbed-{name}"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TestbedError(f"another command is making or removing the testbed {name} right now"
                               ) from None
        try:
            yield
        finally:
            os.unlink(path)


def leftovers(name: str) -> list[str]:
    """What exists of a testbed, whether or not there is a record of it."""
    found = [f"namespace {namespace}" for namespace in network.namespaces(name)]
    if pids := cgroups.Group(name).pids():
        found.append(f"{len(pids)} processes")
    if os.path.exists(layout.directory(name)):
        found.append(layout.directory(name))
    return found


def up(plan: Plan) -> None:
    """Brings all hosts up and waits until each can be worked on; on failure removes everything."""
    with exclusive(plan.name):
        if (there := _load_if_whole(plan.name)) is not None:
            if there != plan:
                raise TestbedError(f"{plan.name} is up already, and not as asked for ({_describe(there)}); "
                                   f"`testbed down --name {plan.name}` first, or another --name")
            note(f"{plan.name} is up already: {_describe(plan)}")
            return
        if leftovers(plan.name):
            note(f"{plan.name} was left half-way; clearing it away")
            clear(plan.name)
        base = base_image.ensure()
        try:
            _make(plan, base)
        except BaseException:
            note("failed; removing what was made")
            clear(plan.name)
            raise
        note(f"{plan.name} is up: {_describe(plan)}")


def _make(plan: Plan, base: str) -> None:
    os.makedirs(plan.directory(), mode=0o700)
    keys = access.Keys(plan)
    keys.make()
    net = network.Network(plan)
    net.make_switch()
    machines = [Machine(plan, host) for host in plan.hosts()]
    for machine in machines:
        net.make_host(machine.host)
        _start_delay(plan, net, machine.host)
        machine.prepare(keys)
        machine.start(base)
    deadline = time.monotonic() + BOOT_S
    for machine in machines:
        _wait_for(plan, machine, deadline)
    plan.save()  # last: a testbed with a record is whole


def _start_delay(plan: Plan, net: network.Network, host: Host) -> None:
    delay_us = network.seconds("--delay", plan.link.delay) * 1e6
    if delay_us == 0:
        return
    group = cgroups.Group(plan.name, f"delay-{host.name}")
    group.make()
    with open(f"{plan.directory()}/delay-{host.name}.log", "w", encoding="utf-8") as log:
        process = subprocess.Popen(  # pylint: disable=consider-using-with
            ["ip", "netns", "exec", plan.namespace("switch"), "/usr/bin/python3", "-B", _DELAY,
             "--first", f"{host.name}.t0", "--second", f"{host.name}.t1",
             "--delay-us", f"{delay_us:.3f}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, env=environment(),
            start_new_session=True, preexec_fn=group.join)
    if process.stdout is None or process.stdout.readline() != b"ready\n":
        with open(log.name, encoding="utf-8") as file:
            raise TestbedError(f"the delay of {host.name} did not start: {file.read().strip()}")
    net.attach_delay(host)


def _wait_for(plan: Plan, machine: Machine, deadline: float) -> None:
    """Until systemd on the host has started all and ssh answers."""
    last = "it never answered"
    group = cgroups.Group(plan.name, "run")  # so that `down` ends an ssh whose `up` was killed
    group.make()
    while time.monotonic() < deadline:
        if not machine.running():
            last = "its container ended"
            break
        try:
            state = output(*ssh(plan, machine.host.name), "systemctl is-system-running --wait || true",
                           timeout_s=30, before=group.join).strip()
            if state == "running":
                return
            failed = output(*ssh(plan, machine.host.name), "systemctl --failed --plain --no-legend",
                            before=group.join)
            last = f"systemd there is `{state}`; failed units: {failed.strip() or 'none'}"
            if state == "degraded":
                break
        except TestbedError as error:
            last = str(error)
        time.sleep(0.2)
    with open(machine.console(), encoding="utf-8", errors="replace") as console:
        tail = "".join(console.readlines()[-5:])
    raise TestbedError(f"{machine.host.name} did not come up: {last}\nthe end of its console:\n{tail}")


def down(name: str, purge: bool) -> None:
    """Removes all of a testbed, whatever state it is in; nothing to remove is no error."""
    with exclusive(name):
        found = leftovers(name)
        clear(name)
        note(f"{name} is down" if found else f"there was no testbed {name}")
    base_image.clear_unfinished()
    if purge:
        others = os.listdir(layout.STATE_ROOT) if os.path.isdir(layout.STATE_ROOT) else []
        if others:
            raise TestbedError(f"the base root is in use by {', '.join(others)}: take them down first")
        base_image.purge()
        note("the base root is removed")


def clear(name: str) -> None:
    """Processes first, then what only they could hold."""
    cgroups.Group(name).end()
    network.remove(name)
    remove_tree(layout.directory(name))
    with contextlib.suppress(OSError):
        os.rmdir(layout.STATE_ROOT)


def ssh(plan: Plan, host: str) -> list[str]:
    """The command that reaches a host, to be followed by what to do there."""
    plan.host(host)
    return ["ip", "netns", "exec", plan.namespace("controller"), "ssh", "-F",
            access.Keys(plan).ssh_config(), host, "--"]


def run(plan: Plan, argv: list[str]) -> int:
    """Runs a command of this machine in the controller's network, ended with the testbed."""
    group = cgroups.Group(plan.name, "run")
    group.make()
    try:
        return subprocess.run(["ip", "netns", "exec", plan.namespace("controller"), *argv],
                              preexec_fn=group.join, check=False).returncode
    except FileNotFoundError:
        raise TestbedError("`ip` is not installed") from None


def status(plan: Plan) -> bool:
    """Prints a line per host; whether all are running and connected."""
    net = network.Network(plan)
    good = True
    print(f"{plan.name}: {_describe(plan)}")
    print(f"{'host':12} {'address':14} {'state':8} {'link':5} shape")
    for host in plan.hosts():
        group = cgroups.Group(plan.name, host.name)
        state = "frozen" if group.frozen() else "running" if group.pids() else "dead"
        link = "cut" if net.is_cut(host.name) else "up"
        good = good and (state, link) == ("running", "up")
        print(f"{host.name:12} {host.address:14} {state:8} {link:5} {net.shaped(host.name)}")
    return good


def selected(plan: Plan, name: str) -> list[Host]:
    """The host of this name, or all but the controller for `all`."""
    if name == "all":
        return [host for host in plan.hosts() if host.kind != "controller"]
    return [plan.host(name)]


def freeze(plan: Plan, host: Host, on: bool) -> None:
    """Stops all processes of a host, or lets them go on. Its kernel goes on answering the network."""
    group = cgroups.Group(plan.name, host.name)
    if not group.pids():
        raise TestbedError(f"{host.name} is dead: there is nothing to freeze or thaw")
    group.freeze(on)


def _load_if_whole(name: str) -> Plan | None:
    plan = None
    with contextlib.suppress(TestbedError):
        plan = layout.load(name)
    if plan is None:
        return None
    wanted = {plan.namespace(member) for member in ["switch", *(host.name for host in plan.hosts())]}
    whole = wanted <= set(network.namespaces(name)) and all(
        Machine(plan, host).running() for host in plan.hosts())
    return plan if whole else None


def _describe(plan: Plan) -> str:
    link = plan.link
    return (f"{plan.agents} agents, {plan.servers} servers, links of {link.rate} with a queue of "
            f"{link.queue}, delay {link.delay} each way")
