"""How one gets onto the hosts: keys, ssh_config, known_hosts and the Ansible inventory.

All keys are made for this testbed and go with it. Host keys are made here and put on the hosts, so
known_hosts is right before the first connection and nobody has to trust on first use.
"""

from __future__ import annotations

import os

from layout import AGENT_PORT, SERVER_PORT, Plan
from tools import output

_GROUPS = (("controllers", "controller"), ("agents", "agent"), ("servers", "server"))


class Keys:
    """The keys of one testbed, below its directory."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._directory = f"{plan.directory()}/keys"

    def make(self) -> None:
        """One key for the user and one for each host, then the files that name them."""
        os.makedirs(self._directory, mode=0o700)
        self._generate(f"{self._directory}/user", f"{self._plan.name}-user")
        for host in self._plan.hosts():
            self._generate(self.host_key(host.name), host.name)
        self._write_known_hosts()
        self._write_ssh_config()
        with open(self.inventory_path(), "w", encoding="utf-8") as file:
            file.write(self.inventory())

    def host_key(self, name: str) -> str:
        """Private key of a host; .pub beside it."""
        return f"{self._directory}/host-{name}"

    def user_public(self) -> str:
        """The key that may log in."""
        return f"{self._directory}/user.pub"

    def ssh_config(self) -> str:
        """For `ssh -F`."""
        return f"{self._plan.directory()}/ssh_config"

    def inventory_path(self) -> str:
        """The inventory as a file."""
        return f"{self._plan.directory()}/inventory.yml"

    def inventory(self) -> str:
        """An Ansible inventory, which is also what `kbench --inventory` reads."""
        lines = ["# Hosts of a testbed, reached from its controller's network namespace only:",
                 f"# testbed run --name {self._plan.name} -- ansible-playbook -i THIS_FILE ...",
                 "all:", "  vars:", "    ansible_user: root",
                 "    ansible_python_interpreter: /usr/bin/python3",
                 f"    ansible_ssh_common_args: -F {self.ssh_config()}", "  children:"]
        for group, kind in _GROUPS:
            lines += [f"    {group}:", "      hosts:"]
            members = [host for host in self._plan.hosts() if host.kind == kind]
            if not members:
                lines[-1] += " {}"
            for host in members:
                lines += [f"        {host.name}:", f"          ansible_host: {host.address}"]
                if kind == "agent":
                    lines.append(f"          kbench_agent_port: {AGENT_PORT}")
                if kind == "server":
                    lines.append(f"          kbench_server_port: {SERVER_PORT}")
        return "\n".join(lines) + "\n"

    def _generate(self, path: str, comment: str) -> None:
        output("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path)

    def _write_known_hosts(self) -> None:
        with open(f"{self._plan.directory()}/known_hosts", "w", encoding="ascii") as file:
            for host in self._plan.hosts():
                with open(self.host_key(host.name) + ".pub", encoding="ascii") as public:
                    kind, key = public.read().split()[:2]
                file.write(f"{host.name},{host.address} {kind} {key}\n")

    def _write_ssh_config(self) -> None:
        lines = []
        for host in self._plan.hosts():
            lines += [f"Host {host.name} {host.address}", f"  HostName {host.address}"]
        lines += ["Host *", "  User root", f"  IdentityFile {self._directory}/user",
                  "  IdentitiesOnly yes", f"  UserKnownHostsFile {self._plan.directory()}/known_hosts",
                  "  GlobalKnownHostsFile /dev/null", "  StrictHostKeyChecking yes",
                  "  UpdateHostKeys no", "  BatchMode yes", "  ConnectTimeout 10",
                  "  ServerAliveInterval 5", "  ServerAliveCountMax 6"]
        with open(self.ssh_config(), "w", encoding="ascii") as file:
            file.write("\n".join(lines) + "\n")
