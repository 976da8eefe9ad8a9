#!/usr/bin/python3
"""Ansible module: settings of a host for measurements, with what was there before.

The record is a file on the host. A setting is in it from the first time that it was changed, with the
value of before, and stays until that value has been written back.
"""

from __future__ import annotations

import glob
import json
import os
import re
import subprocess
import time

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: kbench_tuning
short_description: Tunes a host for measurements, and restores it exactly
description:
  - Changes kernel settings that the host has, and records what was there before.
options:
  state:
    description: Whether the host is to be tuned, or as it was before.
    choices: [tuned, untuned]
    required: true
    type: str
  record:
    description: File of the record.
    required: true
    type: path
  sysctls:
    description: Names and values below /proc/sys.
    default: {}
    type: dict
  governor:
    description: CPU frequency governor; empty leaves it alone.
    default: ""
    type: str
  idle_latency_max_us:
    description: Idle states that take longer to leave are disabled; -1 leaves them alone.
    default: -1
    type: int
  irq_cpus:
    description: CPU list for the interrupts of network devices; empty leaves them alone.
    default: ""
    type: str
"""

CPUS = "/sys/devices/system/cpu"
UNIT = "unit:"  # a setting that is a systemd unit: active or inactive


def read(setting):
    """The value now, or None where the host has no such setting."""
    if setting.startswith(UNIT):
        done = subprocess.run(["systemctl", "is-active", setting[len(UNIT):]], capture_output=True,
                              text=True, check=False)
        return {"active": "active", "inactive": "inactive"}.get(done.stdout.strip())
    try:
        with open(setting, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return None


def write(setting, value):
    """Sets it; the reason why not, or an empty text."""
    try:
        if setting.startswith(UNIT):
            verb = "start" if value == "active" else "stop"
            done = subprocess.run(["systemctl", verb, setting[len(UNIT):]], capture_output=True, text=True,
                                  check=False)
            return done.stderr.strip() if done.returncode else ""
        with open(setting, "w", encoding="ascii") as file:
            file.write(value)
    except OSError as error:
        return str(error.strerror)
    return "" if same(read(setting), value) else f"it took {value!r} and says {read(setting)!r}"


def same(one, other):
    """Whether two values are equal but for blanks, as in the three numbers of tcp_rmem."""
    return one is not None and other is not None and one.split() == other.split()


def wanted_settings(params):
    """Setting -> value, for what the host has."""
    wanted = {f"/proc/sys/{name.replace('.', '/')}": str(value)
              for name, value in params["sysctls"].items()}
    if params["governor"]:
        for path in glob.glob(f"{CPUS}/cpu[0-9]*/cpufreq/scaling_governor"):
            wanted[path] = params["governor"]
    if params["idle_latency_max_us"] >= 0:
        for path in glob.glob(f"{CPUS}/cpu[0-9]*/cpuidle/state[0-9]*/latency"):
            latency = read(path)
            if latency is not None and int(latency) > params["idle_latency_max_us"]:
                wanted[os.path.join(os.path.dirname(path), "disable")] = "1"
    if params["irq_cpus"]:
        if read(f"{UNIT}irqbalance.service") == "active":  # it would move them again
            wanted[f"{UNIT}irqbalance.service"] = "inactive"
        for path in glob.glob("/sys/class/net/*/device/msi_irqs/*"):
            wanted[f"/proc/irq/{os.path.basename(path)}/smp_affinity_list"] = params["irq_cpus"]
    return wanted


def load(path):
    """Setting -> entry of the record."""
    try:
        with open(path, encoding="utf-8") as file:
            record = json.load(file)
        return record["state"], {entry["setting"]: entry for entry in record["settings"]}
    except FileNotFoundError:
        return "untuned", {}


def store(path, state, entries):
    """Writes the record, whole or not at all."""
    record = {"schema": 1, "state": state, "changed_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
              "settings": [entries[setting] for setting in sorted(entries)]}
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(record, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    os.chmod(path + ".new", 0o644)
    os.replace(path + ".new", path)


def tune(wanted, entries, record, check):
    """Applies what is not so yet. The record has the value of before, on disk, before a value changes."""
    changed = False
    now = {setting: read(setting) for setting in wanted}
    for setting, value in wanted.items():
        old = entries.get(setting, {})
        if now[setting] is None:
            entry = {"setting": setting, "wanted": value, "status": "absent"}
        elif same(now[setting], value):
            # Ours from an earlier time, or so all along.
            entry = {**old, "wanted": value} if "before" in old else {
                "setting": setting, "wanted": value, "status": "already"}
        elif not setting.startswith(UNIT) and not os.access(setting, os.W_OK):
            entry = {**old, "setting": setting, "wanted": value, "status": "refused",
                     "reason": "it can only be read here"}
        else:
            entry = {"setting": setting, "wanted": value, "before": old.get("before", now[setting]),
                     "status": "pending"}
        entries[setting] = entry
    pending = [setting for setting in wanted if entries[setting]["status"] == "pending"]
    if check:
        return bool(pending)
    if pending:  # on disk first: a host that dies now can still be restored
        store(record, "tuned", entries)
    for setting in pending:
        entry = entries[setting]
        if reason := write(setting, entry["wanted"]):
            entry.update(status="refused", reason=reason)
            if same(read(setting), entry["before"]):
                del entry["before"]
        else:
            entry["status"] = "applied"
            changed = True
    if pending:
        store(record, "tuned", entries)
    return changed


def untune(entries, check):
    """Writes back what was there before; what cannot be written stays in the record."""
    changed, failed = False, []
    for setting, entry in entries.items():
        if "before" not in entry:
            continue
        if same(read(setting), entry["before"]):
            continue
        changed = True
        if not check and (reason := write(setting, entry["before"])):
            failed.append(f"{setting}: {reason}")
    return changed, failed


def main():
    """Called by Ansible."""
    module = AnsibleModule(supports_check_mode=True, argument_spec={
        "state": {"type": "str", "required": True, "choices": ["tuned", "untuned"]},
        "record": {"type": "path", "required": True},
        "sysctls": {"type": "dict", "default": {}},
        "governor": {"type": "str", "default": ""},
        "idle_latency_max_us": {"type": "int", "default": -1},
        "irq_cpus": {"type": "str", "default": ""},
    })
    params = module.params
    if params["irq_cpus"] and not re.fullmatch(r"\d+(-\d+)?(,\d+(-\d+)?)*", params["irq_cpus"]):
        module.fail_json(msg=f"irq_cpus {params['irq_cpus']!r} is not a CPU list like 0-3,8")
    try:
        state, entries = load(params["record"])
    except (ValueError, KeyError, TypeError) as error:
        module.fail_json(msg=f"{params['record']} cannot be read ({error}); it holds what this host was "
                         "like before: repair it by hand, or remove it if that is not wanted any more")
    if state == "untuned":  # what was restored is history
        entries = {} if params["state"] == "tuned" else entries
    before = json.dumps([state, entries], sort_keys=True)
    if params["state"] == "tuned":
        changed = tune(wanted_settings(params), entries, params["record"], module.check_mode)
    else:
        changed, failed = untune(entries, module.check_mode)
        if failed:
            module.fail_json(msg="not restored, and still on record: " + "; ".join(failed))
        entries = {setting: {"setting": setting, "status": "restored", "before": entry["before"]}
                   if entry.get("status") != "restored" and "before" in entry else entry
                   for setting, entry in entries.items()}
    if not module.check_mode and (entries or state == "tuned"):
        if json.dumps([params["state"], entries], sort_keys=True) != before:
            store(params["record"], params["state"], entries)
            changed = True
    module.exit_json(changed=changed, settings=[entries[setting] for setting in sorted(entries)])


if __name__ == "__main__":
    main()
