#!/usr/bin/python3
"""Ansible module: a private authority, and the certificate of one host by it.

    DIR/ca.pem, ca-key.pem         the authority
    DIR/index.txt, issued/         its register, and every certificate that it ever signed, by serial number
    DIR/crl.pem, crlnumber         the list of those that were revoked
    DIR/hosts/HOST/                key.pem and certificate.pem of today; `revoked` while nobody trusts it

Runs on the machine that runs Ansible, once a host; one call at a time changes the authority. Whatever
moment it ends at, the next call finds a whole authority and makes what is missing.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import os
import re
import subprocess

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: kbench_pki
short_description: A private authority, and the certificate of one host by it
description:
  - Makes the authority where there is none, and the host's key and certificate where they are missing,
    end soon, say something else than wanted, or were revoked and are trusted again.
options:
  dir:
    description: Directory of the authority, outside of any repository.
    required: true
    type: path
  host:
    description: The host.
    required: true
    type: str
  role:
    description: What the certificate allows its holder to be, one or several.
    choices: [agent, controller, observer]
    required: true
    elements: str
    type: list
  names:
    description: DNS names of the host.
    default: []
    elements: str
    type: list
  addresses:
    description: Addresses of the host.
    default: []
    elements: str
    type: list
  state:
    description: >-
      certified - there is a good certificate, an error if it was revoked; reinstated - also if it was;
      revoked - every certificate of the host that has not ended is on the list.
    choices: [certified, reinstated, revoked]
    default: certified
    type: str
  ca_days:
    description: Life of the authority.
    default: 3650
    type: int
  days:
    description: Life of a certificate.
    default: 30
    type: int
  renew_days:
    description: A certificate of which less than this is left is renewed.
    default: 10
    type: float
  crl_days:
    description: Life of the list of revoked certificates; it is made again when a third is left.
    default: 30
    type: int
"""

CONFIGURATION = """\
# Written by playbooks/pki.yml.
[ca]
default_ca = kbench

[kbench]
dir = {dir}
database = $dir/index.txt
new_certs_dir = $dir/issued
certificate = $dir/ca.pem
private_key = $dir/ca-key.pem
crlnumber = $dir/crlnumber
rand_serial = yes
default_md = sha256
unique_subject = no
policy = names
crl_extensions = list
copy_extensions = none

[names]
commonName = supplied

[list]
authorityKeyIdentifier = keyid

[req]
distinguished_name = nobody
prompt = no

[nobody]
CN = kbench

[authority]
basicConstraints = critical, CA:true, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
"""

EXTENSIONS = """\
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = {usage}
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = @names

[names]
"""
# An agent is the server of its connections, all others are clients. In this order, whatever order was asked for.
USAGES = {"agent": "serverAuth", "controller": "clientAuth", "observer": "clientAuth"}

# Clocks of hosts may be behind this machine's: what is made now is good since an hour ago.
SLACK = datetime.timedelta(hours=1)
NEW_KEY = ["-pkeyopt", "ec_paramgen_curve:P-256"]


class PkiError(Exception):
    """A sentence for whoever runs the playbook."""


def openssl(*argv, may_fail=False):
    """Output of an openssl command; None if it may fail and did. Keys are never on a command line."""
    done = subprocess.run(["openssl", *argv], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return done.stdout
    if may_fail:
        return None
    raise PkiError(f"`openssl {' '.join(argv)}` ended with {done.returncode}: {done.stderr.strip()}")


def now():
    """This machine's time, UTC."""
    return datetime.datetime.now(datetime.timezone.utc)


def written(instant):
    """As openssl's options want it."""
    return instant.strftime("%Y%m%d%H%M%SZ")


def read_time(line):
    """notAfter=Dec 26 15:11:25 2026 GMT"""
    return datetime.datetime.strptime(line.split("=", 1)[1].strip(), "%b %d %H:%M:%S %Y GMT").replace(
        tzinfo=datetime.timezone.utc)


def read_text(path):
    """The file's text; empty where there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def write_text(path, text):
    """A whole file or none."""
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(path + ".new", path)


def repository_of(path):
    """The repository that a directory, which need not exist yet, lies in; or an empty text."""
    path = os.path.realpath(path)
    while True:
        if os.path.lexists(os.path.join(path, ".git")):
            return path
        if path == os.path.dirname(path):
            return ""
        path = os.path.dirname(path)


class Authority:
    """The authority in its directory."""

    def __init__(self, params):
        self.params = params
        self.dir = params["dir"]
        self.config = f"{self.dir}/openssl.cnf"
        self.crl = f"{self.dir}/crl.pem"

    def exists(self):
        """Whether it can sign."""
        return all(os.path.exists(f"{self.dir}/{name}") for name in ("ca-key.pem", "ca.pem", "index.txt"))

    def make(self):
        """What is missing of it."""
        for name in ("", "issued", "hosts"):
            os.makedirs(f"{self.dir}/{name}", mode=0o700, exist_ok=True)
        if read_text(self.config) != (wanted := CONFIGURATION.format(dir=self.dir)):
            write_text(self.config, wanted)
        for name, content in (("index.txt", ""), ("crlnumber", "01\n")):
            if not os.path.exists(f"{self.dir}/{name}"):
                write_text(f"{self.dir}/{name}", content)
        if not os.path.exists(f"{self.dir}/ca.pem"):
            key = f"{self.dir}/ca-key.pem"
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.crl)  # of an authority that was lost
            openssl("genpkey", "-algorithm", "EC", *NEW_KEY, "-out", key)
            openssl("req", "-new", "-x509", "-config", self.config, "-extensions", "authority", "-key", key,
                    "-days", str(self.params["ca_days"]), "-subj", "/CN=kbench authority", "-out", f"{self.dir}/ca.new")
            os.replace(f"{self.dir}/ca.new", f"{self.dir}/ca.pem")

    def register(self):
        """Serial number -> (V, R or E; host), for all that was ever signed."""
        lines = [line.split("\t") for line in read_text(f"{self.dir}/index.txt").splitlines()]
        return {line[3]: (line[0], line[5].removeprefix("/CN=")) for line in lines if len(line) == 6}

    def revoked(self):
        """Serial numbers that the list must have."""
        return {serial for serial, (status, _) in self.register().items() if status == "R"}

    def revoke(self, host):
        """Puts every certificate of the host into the register as revoked, not only that of today."""
        for serial, (status, name) in self.register().items():
            if status == "V" and name == host:
                openssl("ca", "-config", self.config, "-revoke", f"{self.dir}/issued/{serial}.pem")

    def crl_is_due(self):
        """Whether the list is missing, ends soon or lacks one."""
        text = openssl("crl", "-in", self.crl, "-noout", "-nextupdate", "-text", may_fail=True)
        if text is None:
            return True
        end = read_time(re.search(r"^nextUpdate=.*$", text, re.MULTILINE).group())
        listed = set(re.findall(r"Serial Number: ([0-9A-F]+)", text))
        return (end - now()).total_seconds() < self.params["crl_days"] * 86400 / 3 or not self.revoked() <= listed

    def make_crl(self):
        """The list."""
        openssl("ca", "-gencrl", "-config", self.config, "-crl_lastupdate", written(now() - SLACK), "-crl_nextupdate",
                written(now() + datetime.timedelta(days=self.params["crl_days"])), "-out", f"{self.crl}.new")
        os.replace(f"{self.crl}.new", self.crl)


class Holder:
    """One host's key and certificate."""

    def __init__(self, authority, params):
        self.authority = authority
        self.params = params
        self.dir = f"{authority.dir}/hosts/{params['host']}"
        self.certificate = f"{self.dir}/certificate.pem"
        self.mark = f"{self.dir}/revoked"

    def extensions(self):
        """What the certificate is to say."""
        roles = [role for role in USAGES if role in self.params["role"]]
        usages = dict.fromkeys(USAGES[role] for role in roles)
        lines = [f"URI.{i} = urn:kbench:role:{role}" for i, role in enumerate(roles, 1)]
        lines += [f"DNS.{i} = {name}" for i, name in enumerate(self.params["names"], 1)]
        lines += [f"IP.{i} = {address}" for i, address in enumerate(self.params["addresses"], 1)]
        return EXTENSIONS.format(usage=", ".join(usages)) + "".join(f"{line}\n" for line in lines)

    def why(self):
        """The reason to certify it now, or an empty text."""
        end = openssl("x509", "-in", self.certificate, "-noout", "-enddate", may_fail=True)
        if end is None:
            return "it has none"
        if os.path.exists(self.mark):
            return "it is trusted again"
        # "error ..." on lines of its own; times are judged below.
        if openssl("verify", "-no_check_time", "-CAfile", f"{self.authority.dir}/ca.pem", self.certificate,
                   may_fail=True) is None:
            return "its certificate is not of this authority"
        key = openssl("pkey", "-in", f"{self.dir}/key.pem", "-pubout", may_fail=True)
        if key is None or key != openssl("x509", "-in", self.certificate, "-noout", "-pubkey"):
            return "its key does not belong to its certificate"
        if self.serial() in self.authority.revoked():
            return "its certificate is revoked"
        if read_text(f"{self.dir}/certificate.cnf") != self.extensions():
            return "its names or its role are others now"
        left = (read_time(end) - now()).total_seconds() / 86400
        if left < self.params["renew_days"]:
            return f"its certificate has {left:.1f} days left"
        return ""

    def serial(self):
        """Of today's certificate."""
        return openssl("x509", "-in", self.certificate, "-noout", "-serial").strip().partition("=")[2]

    def certify(self):
        """A new key and its certificate."""
        config = self.authority.config
        os.makedirs(self.dir, mode=0o700, exist_ok=True)
        write_text(f"{self.dir}/certificate.cnf", self.extensions())
        openssl("req", "-new", "-config", config, "-newkey", "ec", *NEW_KEY, "-nodes", "-subj",
                f"/CN={self.params['host']}", "-keyout", f"{self.dir}/next-key.pem", "-out", f"{self.dir}/request.pem")
        openssl("ca", "-batch", "-notext", "-config", config, "-startdate", written(now() - SLACK), "-enddate",
                written(now() + datetime.timedelta(days=self.params["days"])), "-extfile", f"{self.dir}/certificate.cnf",
                "-in", f"{self.dir}/request.pem", "-out", f"{self.dir}/next-certificate.pem")
        # In between, they do not belong to each other, and why() says so.
        os.replace(f"{self.dir}/next-key.pem", f"{self.dir}/key.pem")
        os.replace(f"{self.dir}/next-certificate.pem", self.certificate)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.mark)


def act(params, check):
    """Does what is due; what changed, as sentences."""
    authority = Authority(params)
    holder = Holder(authority, params)
    host = params["host"]
    said = []

    def do(what, action):
        said.append(what)
        if not check:
            action()

    if not authority.exists():
        do("the authority is made", authority.make)
    elif not check:
        authority.make()  # files of an earlier release may be others
    if params["state"] == "revoked":
        if (os.path.exists(holder.certificate) and not os.path.exists(holder.mark)) or any(
                (status, name) == ("V", host) for status, name in authority.register().values()):
            def revoke():
                authority.revoke(host)
                write_text(holder.mark, "revoked\n")
            do(f"{host} is revoked", revoke)
    elif os.path.exists(holder.mark) and params["state"] != "reinstated":
        raise PkiError(f"the certificate of {host} was revoked; to trust it again: "
                       f"-e '{{\"kbench_pki_reinstate\": [\"{host}\"]}}'")
    elif reason := holder.why():
        do(f"{host} is certified: {reason}", holder.certify)
    if authority.crl_is_due():
        do("the list of revoked certificates is made", authority.make_crl)
    return said


@contextlib.contextmanager
def alone(directory, check):
    """One call at a time; a check makes not even the directory."""
    if check and not os.path.isdir(directory):
        yield
        return
    os.makedirs(directory, mode=0o700, exist_ok=True)
    lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def main():
    """Called by Ansible."""
    strings = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule(supports_check_mode=True, argument_spec={
        "dir": {"type": "path", "required": True},
        "host": {"type": "str", "required": True},
        "role": {"type": "list", "elements": "str", "required": True, "choices": list(USAGES)},
        "names": strings,
        "addresses": strings,
        "state": {"type": "str", "default": "certified", "choices": ["certified", "reinstated", "revoked"]},
        "ca_days": {"type": "int", "default": 3650},
        "days": {"type": "int", "default": 30},
        "renew_days": {"type": "float", "default": 10.0},
        "crl_days": {"type": "int", "default": 30},
    })
    params = module.params
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", params["host"]):
        module.fail_json(msg=f"`{params['host']}` cannot stand in a certificate: letters, digits, `.`, `_`, `-` can")
    if not params["role"]:
        module.fail_json(msg=f"{params['host']} is to get a certificate for no role: it is in neither of the groups agents "
                         "and controllers, or kbench_pki_role is empty")
    if params["days"] < 1 or params["crl_days"] < 1 or params["renew_days"] < 0:
        module.fail_json(msg="kbench_pki_days and kbench_pki_crl_days are at least 1, kbench_pki_renew_days is not negative")
    if where := repository_of(params["dir"]):
        module.fail_json(msg=f"kbench_pki_dir {params['dir']} lies in the repository {where}; private keys do not "
                         "belong there: choose another directory")
    os.umask(0o077)
    try:
        with alone(params["dir"], module.check_mode):
            said = act(params, module.check_mode)
            hashed = openssl("crl", "-in", f"{params['dir']}/crl.pem", "-noout", "-hash", may_fail=True)
    except (PkiError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(said), said=said, crl_hash=(hashed or "").strip(),
                     whole=os.path.exists(f"{params['dir']}/hosts/{params['host']}/certificate.pem") and bool(hashed))


if __name__ == "__main__":
    main()
