#!/usr/bin/python3
"""Ansible module: what of kbench is on a host and how it is. Asks, and changes nothing."""

from __future__ import annotations

import datetime
import json
import re
import subprocess

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: kbench_facts
short_description: What of kbench is on a host and how it is
description:
  - Asks dpkg, the programs, systemd, the kernel's table of connections, the record of tuning and the
    certificates. What cannot be had is empty, or says why.
options:
  agent_port:
    description: Port of the agent for controllers.
    default: 7100
    type: int
  record:
    description: File of the record of tuning.
    default: /etc/kbench/tuning.json
    type: path
"""

PROGRAMS = ("kbench", "kbench-agent", "kbench-server")
UNITS = ("kbench-agent", "kbench-server")
PROPERTIES = "LoadState,ActiveState,SubState,UnitFileState,NRestarts,ActiveEnterTimestamp"


def output(*argv):
    """What a program says; None where it is missing or fails."""
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                              timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def packages():
    """Package -> version, of those that are installed."""
    listed = output("dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status} ${Version}\n", "kbench*")
    fields = [line.split() for line in (listed or "").splitlines()]
    return {field[0]: field[2] for field in fields if len(field) == 3 and field[1] == "installed"}


def builds():
    """Program -> what it says of its version."""
    said = {program: output(program, "--version") for program in PROGRAMS}
    return {program: text.strip() for program, text in said.items() if text is not None}


def units():
    """Unit -> property -> value."""
    shown = {unit: output("systemctl", "show", f"{unit}.service", f"--property={PROPERTIES}") for unit in UNITS}
    return {unit: dict(line.split("=", 1) for line in (text or "").splitlines() if "=" in line)
            for unit, text in shown.items()}


def controllers(port):
    """Addresses that are connected to the agent."""
    listed = output("ss", "--no-header", "--tcp", "--numeric", "state", "established", f"sport = :{port}")
    addresses = [line.split()[3] for line in (listed or "").splitlines() if len(line.split()) > 3]
    return [re.sub(r"^\[::ffff:([0-9.]+)\]", r"\1", address) for address in addresses]  # IPv4, too


def tuning(path):
    """The record of tune.yml; `state` is none, tuned, untuned, or unreadable with a `problem`."""
    try:
        with open(path, encoding="utf-8") as file:
            record = json.load(file)
    except FileNotFoundError:
        return {"state": "none"}
    except (OSError, ValueError, RecursionError) as error:
        return {"state": "unreadable", "problem": f"{path}: {error}"}
    if not isinstance(record, dict) or record.get("state") not in ("tuned", "untuned"):
        return {"state": "unreadable", "problem": f"{path} is no record of tune.yml"}
    return record


def certificate_ends():
    """When the certificate that ends first does, as openssl writes it; empty where there is none."""
    ends = []
    for kind in ("agent", "controller"):
        text = output("openssl", "x509", "-noout", "-enddate", "-in", f"/etc/kbench/{kind}/certificate.pem")
        if text:
            end = text.strip().removeprefix("notAfter=")
            ends.append((datetime.datetime.strptime(end, "%b %d %H:%M:%S %Y GMT"), end))
    return min(ends)[1] if ends else ""


def main():
    """Called by Ansible."""
    module = AnsibleModule(supports_check_mode=True, argument_spec={
        "agent_port": {"type": "int", "default": 7100},
        "record": {"type": "path", "default": "/etc/kbench/tuning.json"},
    })
    module.exit_json(changed=False, report={
        "packages": packages(),
        "builds": builds(),
        "units": units(),
        "controllers": controllers(module.params["agent_port"]),
        "tuning": tuning(module.params["record"]),
        "certificate_ends": certificate_ends(),
    })


if __name__ == "__main__":
    main()
