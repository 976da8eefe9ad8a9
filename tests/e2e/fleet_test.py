#!/usr/bin/python3 -B
"""The whole way of a fleet, on hosts of its own: deploy over ssh, tune, run, remove, leave nothing.

    fleet_test.py PACKAGES    directory of the .deb files that `make deb` makes

One controller, three agents and one server of tests/testbed. Nothing is imitated: systemd, sshd, Ansible
and the packages are real. Exit code 77 with a reason where a machine cannot have a testbed.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
TESTBED = f"{ROOT}/tests/testbed/testbed"
NAME = "kbfleet"
AGENTS = 3
SKIPPED = 77
PROGRAMS = ("ansible-playbook", "dpkg-deb", "openssl")

CAMPAIGN = """\
name: fleet
server: {address: "198.18.2.1:8123"}
transport: [socket, uring]
workload: {op: get, value_size: [4KiB, 64KiB], keys: 64}
load: {flows: 1, depth: 1}
run: {warmup: 100ms, duration: 500ms, repetitions: 1}
"""



class Failure(Exception):
    """What was expected and what came."""


def expect(true: bool, what: str) -> None:
    """A claim of the test."""
    if not true:
        raise Failure(what)


def step(what: str) -> None:
    """A line in the log, with the time."""
    print(f"{time.strftime('%H:%M:%S')} {what}", flush=True)


def testbed(*argv: str, stdin: str = "", expected: int | None = 0) -> str:
    """A command of the testbed; what it printed."""
    done = subprocess.run([TESTBED, argv[0], "--name", NAME, *argv[1:]], input=stdin, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if expected is not None and done.returncode != expected:
        raise Failure(f"testbed {' '.join(argv)} ended with {done.returncode}:\n{done.stdout[-6000:]}")
    return done.stdout


def on(host: str, command: str, expected: int | None = 0, stdin: str = "") -> str:
    """A shell command on a host."""
    return testbed("exec", host, command, expected=expected, stdin=stdin)


class Fleet:
    """The fleet of this test, from deployment to removal."""

    def __init__(self, packages: str, scratch: str) -> None:
        self._scratch = scratch
        self._packages = packages
        self._inventory = f"/var/lib/kbench-testbed/{NAME}/inventory.yml"
        self._variables = {"kbench_package_dir": packages, "kbench_pki_dir": f"{scratch}/pki"}

    def play(self, playbook: str, expected: int = 0, **variables: object) -> tuple[str, dict[str, dict[str, int]]]:
        """Runs a playbook over ssh from the controller's network; its output and its recap."""
        step(playbook)
        extra = json.dumps(self._variables | variables)
        out = testbed("run", "env", f"ANSIBLE_CONFIG={ROOT}/playbooks/ansible.cfg", "ANSIBLE_NOCOLOR=1",
                      f"ANSIBLE_LOCAL_TEMP={self._scratch}/ansible", "ansible-playbook", "-v",
                      "-i", self._inventory, "-e", extra, f"{ROOT}/playbooks/{playbook}", expected=expected)
        expect("PRIVATE KEY" not in out, f"{playbook} printed a private key")
        return out, _recap(out)

    def host_keys_are_checked(self) -> None:
        """An unknown key ends the connection."""
        step("host keys are checked")
        config = f"/var/lib/kbench-testbed/{NAME}/ssh_config"
        refused = testbed("run", "ssh", "-F", config, "-o", "UserKnownHostsFile=/dev/null", "agent1", "true",
                          expected=255)
        expect("Host key verification failed" in refused, f"an unknown host key was taken: {refused}")

    def deploy(self) -> None:
        """Twice: the second time there is nothing to do."""
        self.play("deploy.yml")
        _, recap = self.play("deploy.yml")
        expect(len(recap) == AGENTS + 2, f"hosts are missing in the recap: {recap}")
        changed = {host: counts["changed"] for host, counts in recap.items() if counts["changed"]}
        expect(not changed, f"the second deployment changed something: {changed}")
        exposure = on("agent1", "systemd-analyze security --no-pager kbench-agent | tail -1").split()
        expect(float(exposure[exposure.index("kbench-agent.service:") + 1]) <= 2.2,
               f"the agent's unit is more exposed than 2.2: {exposure}")

    def status(self) -> None:
        """Says what is where."""
        out, _ = self.play("status.yml")
        expect("one version everywhere" in out, "status.yml does not find one version everywhere")
        expect(out.count("kbench-agent active (enabled") >= AGENTS, "an agent is not active and enabled")

    def tune(self) -> None:
        """There and back again."""
        read = "cat /proc/sys/net/ipv4/tcp_rmem /proc/sys/net/ipv4/tcp_wmem"
        before = on("agent1", read)
        self.play("tune.yml")
        record = json.loads(on("agent1", "cat /etc/kbench/tuning.json"))
        applied = [entry for entry in record["settings"] if entry["status"] == "applied"]
        expect(record["state"] == "tuned" and len(applied) >= 2, f"nothing was tuned: {record}")
        expect(on("agent1", read) != before, "tune.yml changed nothing")
        _, recap = self.play("tune.yml")
        expect(all(counts["changed"] == 0 for counts in recap.values()), f"tuned twice: {recap}")
        self.play("untune.yml")
        expect(on("agent1", read) == before, "untune.yml did not restore what was there before")
        record = json.loads(on("agent1", "cat /etc/kbench/tuning.json"))
        expect(record["state"] == "untuned", f"the record does not say so: {record}")

    def campaign(self) -> None:
        """{socket, uring} x 2 sizes over the agents, from the controller's host."""
        step("a campaign over three agents")
        agents = ", ".join(f'"198.18.1.{i}:7100"' for i in range(1, AGENTS + 1))
        on("controller", "mkdir -p /tmp/fleet && cat > /tmp/fleet/fleet.yaml",
           stdin=f"agents: [{agents}]\n{CAMPAIGN}")
        out = on("controller", "cd /tmp/fleet && kbench run fleet.yaml --quiet --format json > report.json")
        report = on("controller", "cd /tmp/fleet && test -s results/*/*/report.html -o -s results/*/report.html "
                    "&& cat report.json")
        expect(out == "" or "error" not in out.lower(), f"kbench run said: {out}")
        cells = json.loads(report)["cells"]
        expect(len(cells) == 4, f"4 cells were asked for, the report has {len(cells)}")
        on("controller", "rm -r /tmp/fleet")

    def inventory(self) -> None:
        """kbench reads the same inventory, on the machine that has Ansible; an unknown caller is refused."""
        step("kbench agents ping --inventory")
        found = [name for name in os.listdir(self._packages) if name.startswith("kbench_")]
        expect(len(found) == 1, f"one package kbench is wanted in {self._packages}: {found}")
        subprocess.run(["dpkg-deb", "-x", f"{self._packages}/{found[0]}", f"{self._scratch}/kbench"], check=True)
        out = self._ping("controller")
        expect(out.count("idle") == AGENTS, f"{AGENTS} agents do not answer:\n{out}")
        out = self._ping(None)
        expect("idle" not in out, f"an agent answered a caller without a certificate:\n{out}")
        out = self._ping("agent1")
        expect("idle" not in out, f"an agent took another agent for a controller:\n{out}")

    def _ping(self, holder: str | None) -> str:
        """What agents say to whoever has this host's certificate, or none."""
        pki = f"{self._scratch}/pki"
        credentials = [] if holder is None else [
            "--tls-ca", f"{pki}/ca.pem", "--tls-certificate", f"{pki}/hosts/{holder}/certificate.pem",
            "--tls-key", f"{pki}/hosts/{holder}/key.pem"]
        return testbed("run", f"{self._scratch}/kbench/usr/bin/kbench", "agents", "ping", "--inventory",
                       self._inventory, *credentials, expected=None)

    def revocation(self) -> None:
        """A revoked controller is refused by every agent, until it is trusted again."""
        self.play("pki.yml", kbench_pki_revoke=["controller"])
        out = self._ping("controller")
        expect("idle" not in out, f"an agent answered a revoked controller:\n{out}")
        out, _ = self.play("pki.yml", expected=2)
        expect("the certificate of controller was revoked" in out, f"a revoked host was certified again:\n{out}")
        self.play("pki.yml", kbench_pki_reinstate=["controller"])
        out = self._ping("controller")
        expect(out.count("idle") == AGENTS, f"{AGENTS} agents do not answer after reinstating:\n{out}")

    def smoke(self) -> None:
        """The playbook's own short campaign."""
        self.play("smoke.yml")

    def a_run_is_not_disturbed(self) -> None:
        """upgrade.yml refuses while a controller is connected to an agent."""
        step("upgrade.yml under a run")
        holder = subprocess.Popen(
            [TESTBED, "run", "--name", NAME, "--", "/usr/bin/python3", "-c",
             "import socket, sys; s = socket.create_connection(('198.18.1.2', 7100)); "
             "print('connected', flush=True); sys.stdin.read()"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            expect(holder.stdout is not None and holder.stdout.readline() == "connected\n", "no connection")
            out, _ = self.play("upgrade.yml", expected=2)
            expect("a run is active on agent2" in out, f"upgrade.yml did not say why it stopped:\n{out[-2000:]}")
        finally:
            holder.communicate("")

    def collect(self) -> None:
        """Logs and facts of every host."""
        self.play("collect.yml", kbench_collect_dir=f"{self._scratch}/collected")
        for host in ("agent1", "agent2", "agent3", "server1", "controller"):
            with open(f"{self._scratch}/collected/{host}/facts.json", encoding="utf-8") as file:
                expect(json.load(file)["host"] == host, f"facts of {host} are not its own")

    def undeploy(self) -> None:
        """Leaves nothing; looked for by the play, and here once more."""
        self.play("undeploy.yml")
        for host in ("agent1", "server1", "controller"):
            left = on(host, "dpkg -l 'kbench*' 2>/dev/null | grep -E '^[a-z]+ +kbench'; getent passwd | grep kbench; "
                      "systemctl list-unit-files | grep kbench; ls -d /etc/kbench* /var/lib/kbench* "
                      "/usr/bin/kbench* 2>/dev/null; pgrep -l kbench; true")
            expect(left == "", f"left on {host}: {left}")


def _recap(out: str) -> dict[str, dict[str, int]]:
    """Host -> counts, from what ansible-playbook prints last."""
    recap = {}
    for line in out.partition("PLAY RECAP")[2].splitlines():
        host, colon, counts = line.partition(" : ")
        if colon:
            recap[host.strip()] = {key: int(value) for key, value in
                                   (field.split("=") for field in counts.split())}
    return recap


def _stop(number: int, _frame: object) -> None:
    raise Failure(f"stopped by {signal.Signals(number).name}")


def main() -> int:
    """Every step in turn; the testbed goes down however it ends."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    packages = os.path.realpath(sys.argv[1])
    lacks = [program for program in PROGRAMS if shutil.which(program) is None]
    check = subprocess.run([TESTBED, "check"], capture_output=True, text=True, check=False)
    if lacks or check.returncode != 0:
        print(f"skipped: {check.stderr.strip()} {'missing: ' + ', '.join(lacks) if lacks else ''}")
        return SKIPPED
    scratch = tempfile.mkdtemp(prefix="kbench-fleet-test.")
    began = time.monotonic()
    try:
        testbed("down")  # of a test that was killed
        step("testbed up")
        testbed("up", "--agents", str(AGENTS), "--servers", "1")
        fleet = Fleet(packages, scratch)
        for what in (fleet.host_keys_are_checked, fleet.deploy, fleet.status, fleet.tune, fleet.campaign,
                     fleet.inventory, fleet.revocation, fleet.smoke, fleet.a_run_is_not_disturbed,
                     fleet.collect, fleet.undeploy):
            what()
        step(f"all is well, after {time.monotonic() - began:.0f} s")
        return 0
    except Failure as failure:
        print(f"FAILED: {failure}", flush=True)
        return 1
    finally:
        step("testbed down")
        print(testbed("down", expected=None), end="")
        shutil.rmtree(scratch)
        left = subprocess.run(["ip", "netns"], capture_output=True, text=True, check=False).stdout
        if NAME in left or os.path.exists(f"/var/lib/kbench-testbed/{NAME}"):
            print("FAILED: the testbed left something behind")


if __name__ == "__main__":
    sys.exit(main())
