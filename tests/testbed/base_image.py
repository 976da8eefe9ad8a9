"""The root that all hosts share: made once by debootstrap, kept under the hash of what went into it."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import subprocess
import urllib.request
from collections.abc import Iterator

import cgroups
import layout
from tools import TestbedError, environment, note, output, remove_tree

RECIPE = "1"  # counts up when what is done below changes
PACKAGES = os.path.join(os.path.dirname(os.path.realpath(__file__)), "base-packages.txt")
BUILDERS = "base"  # the control group in which debootstrap runs, beside those of testbeds

# They would wake up on every host in the middle of a measurement, or wait for a console.
MASKED = ("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer",
          "fstrim.timer", "systemd-tmpfiles-clean.timer", "console-getty.service",
          "getty.target", "systemd-firstboot.service")


def packages() -> list[str]:
    """What is installed beyond the minimal base."""
    with open(PACKAGES, encoding="utf-8") as lines:
        return [word for line in lines if (word := line.split("#")[0].strip())]


def _debian() -> dict[str, str]:
    with open("/etc/os-release", encoding="utf-8") as lines:
        fields = dict(line.rstrip("\n").split("=", 1) for line in lines if "=" in line)
    return {key: value.strip('"') for key, value in fields.items()}


def _release() -> str:
    system = _debian()
    if system.get("ID") != "debian" or not system.get("VERSION_CODENAME"):
        raise TestbedError("this machine is not a Debian release; hosts are made of the same "
                           "release as the machine that builds the packages for them")
    return system["VERSION_CODENAME"]


def mirror(release: str) -> str:
    """The archive from which this machine itself gets its release: apt's configuration says so."""
    targets = output("apt-get", "indextargets", "--format", "$(SITE) $(RELEASE) $(COMPONENT)",
                     "Created-By: Packages")
    for line in targets.splitlines():
        fields = line.split()
        if len(fields) == 3 and fields[1:] == [release, "main"]:
            return fields[0]
    raise TestbedError(f"apt knows no archive of {release} main (`apt-get indextargets`); add one to "
                       "/etc/apt/sources.list, from which the hosts' base root is made, too")


def path() -> str:
    """Where the base root for today's package list is, or will be."""
    what = "\n".join([RECIPE, _release(), output("dpkg", "--print-architecture").strip(), *MASKED,
                      *sorted(packages())])
    return f"{layout.CACHE_ROOT}/base-{hashlib.sha256(what.encode()).hexdigest()[:12]}"


def _proxied() -> dict[str, str]:
    """The environment in which apt's proxy is used, if it has one."""
    env = environment()
    proxy = output("apt-config", "shell", "http_proxy", "Acquire::http::Proxy").strip()
    if proxy:
        env["http_proxy"] = proxy.split("=", 1)[1].strip("'")
    return env


def lack() -> str:
    """Why a base root cannot be had here, as a sentence; empty when there is one or the archive answers."""
    try:
        if os.path.isdir(path()):
            return ""
        release = _release()
        archive = mirror(release)
    except TestbedError as error:
        return str(error)
    if not archive.startswith(("http://", "https://")):
        return ""
    proxies = {key[:-6]: value for key, value in _proxied().items() if key in ("http_proxy", "https_proxy")}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler(proxies))
    try:
        with opener.open(f"{archive.rstrip('/')}/dists/{release}/Release", timeout=20) as answer:
            answer.read(1)
    except OSError as error:
        return (f"there is no base root in {layout.CACHE_ROOT} yet, and the archive of which it is made does not "
                f"answer ({archive}: {error}); connect this machine to it once")
    return ""


@contextlib.contextmanager
def _lock() -> Iterator[None]:
    os.makedirs(layout.CACHE_ROOT, exist_ok=True)
    with open(f"{layout.CACHE_ROOT}/lock", "w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def clear_unfinished() -> None:
    """Ends a debootstrap whose starter was killed, and removes what it had made."""
    if not os.path.isdir(layout.CACHE_ROOT):
        return
    with _lock():
        _clear()


def _clear() -> None:
    cgroups.Group(BUILDERS).end()
    for name in os.listdir(layout.CACHE_ROOT):
        if name.endswith(".unfinished"):
            remove_tree(f"{layout.CACHE_ROOT}/{name}")


def purge() -> None:
    """Removes every cached base root."""
    clear_unfinished()
    remove_tree(layout.CACHE_ROOT)


def ensure() -> str:
    """The base root's directory, made now if it is not there."""
    base = path()
    with _lock():
        if os.path.isdir(base):
            return base
        _clear()
        note(f"making the base root {base} (a few minutes, once)")
        unfinished = f"{base}.unfinished"
        _bootstrap(unfinished)
        _settle(unfinished)
        os.rename(unfinished, base)
    return base


def _bootstrap(root: str) -> None:
    release = _release()
    argv = ["debootstrap", "--variant=minbase", f"--include={','.join(packages())}", release, root,
            mirror(release)]
    group = cgroups.Group(BUILDERS)
    group.make()
    log = f"{layout.CACHE_ROOT}/debootstrap.log"
    os.makedirs(root)
    os.chmod(root, 0o755)
    try:
        with open(log, "w", encoding="utf-8") as file:
            # With mounts of its own, so that none outlives it.
            done = subprocess.run(["unshare", "--mount", *argv], stdin=subprocess.DEVNULL, stdout=file,
                                  stderr=subprocess.STDOUT, env=_proxied(), preexec_fn=group.join, check=False)
    finally:
        group.end()
    if done.returncode != 0:
        with open(log, encoding="utf-8", errors="replace") as file:
            tail = "".join(file.readlines()[-5:]).strip()
        raise TestbedError(f"debootstrap ended with {done.returncode}; the end of {log}:\n{tail}")


def _settle(root: str) -> None:
    """What is the same on all hosts and not as Debian installs it."""
    units = f"{root}/etc/systemd/system"
    for unit in MASKED:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{units}/{unit}")
        os.symlink("/dev/null", f"{units}/{unit}")
    # Every host gets its own of these.
    for name in os.listdir(f"{root}/etc/ssh"):
        if name.startswith("ssh_host_"):
            os.unlink(f"{root}/etc/ssh/{name}")
    with open(f"{root}/etc/machine-id", "w", encoding="ascii"):
        pass
    for name in ("/etc/resolv.conf", "/etc/hostname", "/var/lib/dbus/machine-id"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(root + name)
    with open(f"{root}/etc/apt/sources.list", "w", encoding="ascii") as file:
        file.write("# Hosts of a testbed reach no package registry.\n")
    with open(f"{root}/etc/ssh/sshd_config.d/testbed.conf", "w", encoding="ascii") as file:
        file.write("PermitRootLogin prohibit-password\nPasswordAuthentication no\nUseDNS no\n"
                   "MaxStartups 100\n")
    remove_tree(f"{root}/var/cache/apt/archives")
    os.makedirs(f"{root}/var/cache/apt/archives/partial")
