"""One host: an overlay on the base root, and systemd in a container on top of it.

The overlay, and all that systemd-nspawn puts below /run, is mounted in a mount namespace that only
the host's processes are in, and so goes with the last of them, however it ended. What is left is a
directory.
"""

from __future__ import annotations

import os
import shutil
import subprocess

import access
import cgroups
from layout import Host, Plan
from network import NAMESPACES
from tools import environment, remove_tree

# $1 directory of the host, $2 base root, $3 network namespace, $4 machine, $5 host name. The network
# namespace is bound beside the root because /run is covered.
_START = """
set -eu
cd "$1"
mount -t overlay overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount --bind "$3" "$1/net"
mount -t tmpfs -o mode=755 tmpfs /run
# Settings of its own network, and no others, are the host's to change.
export SYSTEMD_NSPAWN_API_VFS_WRITABLE=network
exec systemd-nspawn --quiet --directory="$1/root" --boot --machine="$4" --hostname="$5" \\
  --register=no --keep-unit --network-namespace-path="$1/net" --link-journal=no \\
  --resolv-conf=off --timezone=off --console=read-only
"""


class Machine:
    """The container of one host of a plan."""

    def __init__(self, plan: Plan, host: Host) -> None:
        self.host = host
        self._plan = plan
        self._directory = f"{plan.directory()}/hosts/{host.name}"
        self.group = cgroups.Group(plan.name, host.name)

    def console(self) -> str:
        """The file with what the host printed while it booted."""
        return f"{self._directory}/console.log"

    def prepare(self, keys: access.Keys) -> None:
        """The host's own files: name, hosts table, host key, who may log in."""
        remove_tree(self._directory)
        for name in ("upper/etc/ssh", "upper/root/.ssh", "work", "root"):
            os.makedirs(f"{self._directory}/{name}")
        with open(f"{self._directory}/net", "w", encoding="ascii"):
            pass
        upper = f"{self._directory}/upper"
        for name, mode in (("", 0o755), ("/etc", 0o755), ("/etc/ssh", 0o755), ("/root", 0o700),
                           ("/root/.ssh", 0o700)):
            os.chmod(upper + name, mode)
        lines = ["127.0.0.1 localhost"] + [f"{h.address} {h.name}" for h in self._plan.hosts()]
        _put(f"{upper}/etc/hosts", "\n".join(lines) + "\n", 0o644)
        _put(f"{upper}/etc/hostname", f"{self.host.name}\n", 0o644)
        with open(keys.user_public(), encoding="ascii") as public:
            _put(f"{upper}/root/.ssh/authorized_keys", public.read(), 0o600)
        for suffix, mode in (("", 0o600), (".pub", 0o644)):
            target = f"{upper}/etc/ssh/ssh_host_ed25519_key{suffix}"
            shutil.copyfile(keys.host_key(self.host.name) + suffix, target)
            os.chmod(target, mode)

    def start(self, base: str) -> None:
        """Boots the host; does not wait for it."""
        self.group.make()
        namespace = f"{NAMESPACES}/{self._plan.namespace(self.host.name)}"
        with open(self.console(), "w", encoding="utf-8") as console:
            # Waits for nothing and is waited for by nobody: it ends by its control group.
            subprocess.Popen(  # pylint: disable=consider-using-with
                ["unshare", "--mount", "--propagation=slave", "sh", "-c", _START, "start",
                 self._directory, base, namespace, self._plan.namespace(self.host.name),
                 self.host.name],
                stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT,
                env=environment(), start_new_session=True, preexec_fn=self.group.join)

    def running(self) -> bool:
        """Whether any process of the host is left."""
        return bool(self.group.pids())


def _put(path: str, text: str, mode: int) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)
