#!/usr/bin/python3 -B
"""The testbed itself: what its commands do to the network and the hosts, and that it goes away whole.

    testbed_test.py

A controller, an agent and a server, nothing deployed on them. Exit code 77 with a reason where a machine
cannot have a testbed.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
sys.path.insert(0, f"{ROOT}/tests/testbed")

import driver  # noqa: E402 pylint: disable=wrong-import-position
import foreign_cpu  # noqa: E402 pylint: disable=wrong-import-position
from driver import expect, step  # noqa: E402 pylint: disable=wrong-import-position

NAME = "kbselftest"
BED = driver.Testbed(NAME)
DIRECTORY = f"/var/lib/kbench-testbed/{NAME}"
AGENT, SERVER = "198.18.1.1", "198.18.2.1"
UP = ("up", "--agents", "1", "--servers", "1")
HOSTS = ("controller", "agent1", "server1")

# Takes all that one connection brings, and prints bits per second of the payload: 4 s, after one for the
# start of the connection and of the token bucket.
# Reno keeps the queue of the link filled, and so its rate, also where CPUs are short.
RECEIVE = """\
import socket, time
listener = socket.create_server(("", 9), backlog=1)
peer, _ = listener.accept()
buffer, count, begin = bytearray(1 << 18), 0, None
start = time.monotonic()
while (now := time.monotonic()) < start + 5:
    if begin is None and now > start + 1:
        begin, count = now, 0
    count += peer.recv_into(buffer)
print(count * 8 / (now - begin))
"""
SEND = """\
import socket, sys, time
deadline = time.monotonic() + 30
while True:
    try:
        peer = socket.create_connection((sys.argv[1], 9), timeout=30)
        break
    except OSError:
        if time.monotonic() > deadline:
            raise
        time.sleep(0.05)
peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
piece = bytes(1 << 18)
try:
    while True:
        peer.sendall(piece)
except OSError:
    pass
"""


def reaches(sender: str, address: str) -> bool:
    """Whether the kernel of a host lets one connect to its port of ssh; asked in the sender's namespace, with
    programs of this machine, so that it concerns neither ssh nor anything that runs on either host."""
    script = f"import socket; socket.create_connection((\"{address}\", 22), timeout=2)"
    return subprocess.run(["ip", "netns", "exec", f"{NAME}-{sender}", "/usr/bin/python3", "-c", script],
                          stderr=subprocess.DEVNULL, check=False).returncode == 0


def expect_status(code: int, **said: str) -> None:
    """The exit code of `status`, and words of hosts' lines."""
    out = BED.command("status", expected=code)
    lines = {line.split()[0]: line for line in out.splitlines() if line}
    for host in HOSTS:
        words = said.get(host, "running  up")
        expect(words in lines[host], f"status of {host} is to have `{words}`:\n{out}")


def made() -> dict[str, object]:
    """What `up` makes: namespaces, the first process of each host, keys."""
    found: dict[str, object] = {host: os.stat(f"/run/netns/{NAME}-{host}").st_ino for host in (*HOSTS, "switch")}
    for host in HOSTS:
        found[f"boot of {host}"] = BED.on(host, "cut -d' ' -f22 /proc/1/stat")  # when it began
    for directory, _, names in os.walk(f"{DIRECTORY}/keys"):
        for name in names:
            found[name] = os.stat(f"{directory}/{name}").st_mtime_ns
    return found


def again_changes_nothing() -> None:
    """The same `up` once more; another one is refused."""
    step("up again")
    before = made()
    began = time.monotonic()
    out = BED.command(*UP)
    took = time.monotonic() - began
    expect("is up already" in out, f"up again said: {out}")
    expect(took < 10, f"up again took {took:.1f} s: did it boot something?")
    expect(made() == before, f"up again changed something: {before} {made()}")
    out = BED.command("up", "--agents", "2", "--servers", "1", expected=2)
    expect("and not as asked for" in out, f"up with other wishes said: {out}")
    expect(made() == before, "a refused up changed something")


def cuts_and_heals() -> None:
    """Nothing passes, in either direction, between a host that is cut off and others; others are not concerned."""
    step("cut and heal")
    expect_status(0)
    expect(reaches("server1", AGENT) and reaches("agent1", SERVER), "hosts do not reach each other to begin with")
    BED.command("cut", "agent1")
    expect_status(3, agent1="running  cut")
    expect(not reaches("server1", AGENT), "a host that is cut off answers")
    expect(not reaches("agent1", SERVER), "a host that is cut off reaches others")
    expect(reaches("controller", SERVER), "a cut of agent1 concerns others")
    BED.command("heal", "agent1")
    expect_status(0)
    expect(reaches("server1", AGENT) and reaches("agent1", SERVER), "a host that is healed is not reached")
    BED.on("agent1", "true")


def freezes_and_thaws() -> None:
    """The kernel answers for the host; sshd does not, not even with its greeting."""
    step("freeze and thaw")
    ssh = ("run", "ssh", "-F", f"{DIRECTORY}/ssh_config", "-o", "ConnectTimeout=3", "agent1", "true")
    BED.command(*ssh)
    BED.command("freeze", "agent1")
    expect_status(3, agent1="frozen   up")
    expect(reaches("server1", AGENT), "the kernel of a frozen host does not answer")
    out = BED.command(*ssh, expected=255)
    expect("timed out during banner exchange" in out, f"ssh to a frozen host is to be accepted and to wait: {out}")
    BED.command("thaw", "agent1")
    expect_status(0)
    BED.command(*ssh)


def carried(sender: str, receiver: str, address: str) -> float:
    """Bits of payload per second of one TCP connection."""
    taker = subprocess.Popen(BED.argv("exec", receiver, "timeout 60 python3 -c " + _quoted(RECEIVE)), text=True,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    BED.on(sender, f"timeout 60 python3 - {address}", stdin=SEND)
    out, _ = taker.communicate(timeout=90)
    expect(taker.returncode == 0, f"the receiver on {receiver} said: {out}")
    return float(out.split()[-1])


def _quoted(script: str) -> str:
    return "'" + script.replace("'", "'\\''") + "'"


def both_ways() -> tuple[float, float]:
    """Bits per second from the agent to the server, and back."""
    rates = carried("agent1", "server1", SERVER), carried("server1", "agent1", AGENT)
    step("carried: " + " and ".join(f"{rate / 1e6:.1f} Mbit/s" for rate in rates))
    return rates


def judge(others: foreign_cpu.ForeignCpu, true: bool, what: str) -> None:
    """A claim that fails, too, where others take the CPUs away."""
    if true:
        return
    if (used := others.cpus()) > foreign_cpu.MOST:
        driver.not_judged(what, f"others used {used:.2f} CPUs")
    else:
        expect(true, f"expected, with others using {used:.2f} CPUs: {what}")


def shapes() -> None:
    """A rate holds each way. Of N bits on the wire, 1448/1514 are payload of TCP."""
    step("shape --rate 200mbit")
    BED.command("shape", "agent1", "--rate", "200mbit")
    expect("200Mbit" in BED.command("status"), "status does not show the rate")
    others = foreign_cpu.ForeignCpu(NAME)
    rates = both_ways()
    expect(max(rates) <= 200e6, f"a link of 200 Mbit/s carries {rates} bit/s")
    judge(others, min(rates) >= 180e6, f"at least 180 Mbit/s over links of 200 Mbit/s: {rates} bit/s")
    step("shape --rate none, as far as this machine goes")
    BED.command("shape", "all", "--rate", "none")
    out = BED.command("status")
    expect(out.count("not limited") == 2, f"status shows a limit: {out}")
    others = foreign_cpu.ForeignCpu(NAME)
    free = min(both_ways())
    judge(others, free > 400e6, f"more than 400 Mbit/s without a limit: {free / 1e6:.1f}")
    step("shape --rate 2500mbit")
    BED.command("shape", "all", "--rate", "2500mbit")
    others = foreign_cpu.ForeignCpu(NAME)
    rates = both_ways()
    expect(max(rates) <= 2.42e9, f"links of 2.5 Gbit/s carry {rates} bit/s")
    if free < 4e9:
        driver.not_judged("about 2.39 Gbit/s over links of 2.5", f"without a limit {free / 1e9:.2f} Gbit/s pass")
    else:
        judge(others, min(rates) >= 2.34e9, f"about 2.39 Gbit/s over links of 2.5 Gbit/s: {rates} bit/s")


def delays() -> None:
    """A round trip passes four delays of 2 ms. The shortest of many is what others' CPU use disturbs least."""
    BED.command("down")
    step("testbed up --delay 2ms")
    BED.command(*UP, "--delay", "2ms")
    others = foreign_cpu.ForeignCpu(NAME)
    out = BED.on("agent1", f"ping -q -c 50 -i 0.02 {SERVER}")
    shortest = float(re.search(r"= ([0-9.]+)/", out)[1])  # type: ignore[index]
    step(f"round trip: {shortest} ms")
    expect(shortest >= 8.0, f"the shortest round trip over four delays of 2 ms took {shortest} ms:\n{out}")
    judge(others, shortest <= 9.0, f"at most 9 ms over four delays of 2 ms: {shortest} ms")


def waits_for_ssh() -> bool:
    """Whether a process calls a host of this testbed."""
    for what in BED.left():
        with contextlib.suppress(OSError):
            if what.endswith("/cmdline"):
                with open(what, encoding="utf-8", errors="replace") as file:
                    if "ssh\0-F\0" in file.read():
                        return True
    return False


def goes_away_whole() -> None:
    """Also one whose maker was killed: in the middle of the network, while hosts boot, while it waits for them."""
    BED.command("down")
    expect(BED.left() == [], f"down left {BED.left()}")
    for where, begun in (("its second host is made", lambda: os.path.exists(f"/run/netns/{NAME}-agent1")),
                         ("its last host boots", lambda: os.path.exists(f"{DIRECTORY}/hosts/server1/console.log")),
                         ("it waits for ssh", waits_for_ssh)):
        step(f"kill -9 of an up, when {where}")
        maker = subprocess.Popen(BED.argv(*UP, "--delay", "2ms"), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while not begun():
            expect(maker.poll() is None and time.monotonic() < deadline, "up ended, or never came that far")
            time.sleep(0.005)
        os.kill(maker.pid, signal.SIGKILL)
        maker.wait()
        expect(not os.path.exists(f"{DIRECTORY}/plan.json"), "the testbed was whole before its maker was killed")
        expect(any(what.endswith("/cgroup") for what in BED.left()), "nothing ran yet when the maker was killed")
        BED.command("status", expected=2)
        BED.command("down")
        expect(BED.left() == [], f"down left {BED.left()}")


def story(_: driver.Testbed) -> None:
    """Every step in turn."""
    step("testbed up")
    BED.command(*UP)
    for what in (again_changes_nothing, cuts_and_heals, freezes_and_thaws, shapes, delays, goes_away_whole):
        what()


def main() -> int:
    """The command line, which has nothing on it."""
    if lack := driver.lack():
        print(f"the testbed's test is skipped: {lack}")
        return driver.SKIPPED
    return driver.conduct(NAME, story)


if __name__ == "__main__":
    sys.exit(main())
