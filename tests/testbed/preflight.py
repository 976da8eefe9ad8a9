"""What this machine must have for a testbed; every lack is named with its remedy, all at once."""

from __future__ import annotations

import os
import shutil

import base_image
import cgroups
from tools import PATH, TestbedError, succeeds

_PROGRAMS = {"debootstrap": "debootstrap", "systemd-nspawn": "systemd-container", "ip": "iproute2",
             "tc": "iproute2", "ssh": "openssh-client", "ssh-keygen": "openssh-client",
             "unshare": "util-linux", "mount": "mount"}


def missing(with_delay: bool) -> list[str]:
    """What is missing, as sentences. Empty: a testbed can be made here."""
    if os.geteuid() != 0:
        return ["needs root: namespaces, mounts and containers are made; use sudo"]
    lacks = []
    packages = {package for program, package in _PROGRAMS.items()
                if shutil.which(program, path=PATH) is None}
    if packages:
        lacks.append(f"programs are missing: apt-get install {' '.join(sorted(packages))}")
    with open("/proc/filesystems", encoding="ascii") as file:
        known = file.read().split()
    if "overlay" not in known and not succeeds("modprobe", "overlay"):
        lacks.append("the kernel has no overlayfs, and `modprobe overlay` fails")
    try:
        probe = cgroups.Group("probe")
        probe.make()
        probe.end()
    except TestbedError as error:
        lacks.append(str(error))
    except OSError as error:
        lacks.append(f"no control group can be made here ({error}); inside a container it must be privileged")
    if no_base := base_image.lack():
        lacks.append(no_base)
    if not succeeds("unshare", "--net", "--mount", "true"):
        lacks.append("the kernel refuses a network and mount namespace (`unshare --net --mount true`); "
                     "inside a container it must be privileged")
    elif not succeeds("unshare", "--net", "sh", "-c", "ip link add name t0 type veth peer name t1 && "
                      "ip link add name t2 type bridge && "
                      "tc qdisc add dev t0 root tbf rate 1mbit burst 64kb latency 50ms"):
        lacks.append("the kernel lacks one of veth, bridge and tbf (`modprobe veth bridge sch_tbf`)")
    if with_delay and not os.path.exists("/dev/net/tun"):
        lacks.append("--delay needs /dev/net/tun (`modprobe tun`)")
    return lacks


def check(with_delay: bool) -> None:
    """Refuses a machine on which `up` would fail half-way."""
    if lacks := missing(with_delay):
        raise TestbedError("this machine cannot have a testbed:\n  " + "\n  ".join(lacks))
