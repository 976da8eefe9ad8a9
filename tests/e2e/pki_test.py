#!/usr/bin/python3 -B
"""What playbooks/pki.yml does with the authority (its module kbench_pki), call by call.

Needs Ansible and openssl, no hosts: the module runs on the machine that has the authority.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
MODULE = f"{ROOT}/playbooks/roles/pki/library/kbench_pki.py"


def openssl(*argv: str, expected: int = 0) -> str:
    """What openssl says."""
    done = subprocess.run(["openssl", *argv], capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == (expected == 0), done.stderr
    return done.stdout + done.stderr


class Pki(unittest.TestCase):
    """An authority in a directory of its own."""

    def setUp(self) -> None:
        self.scratch = tempfile.mkdtemp(prefix="kbench-pki-test.")
        self.addCleanup(shutil.rmtree, self.scratch)
        self.dir = f"{self.scratch}/state/pki"

    def start(self, host: str, check: bool, wishes: dict) -> subprocess.Popen:
        """The module as Ansible starts it."""
        arguments = {"dir": self.dir, "host": host, "role": ["agent"], "names": [host], "addresses": ["198.18.1.1"],
                     "_ansible_check_mode": check, **wishes}
        process = subprocess.Popen(["/usr/bin/python3", "-B", MODULE], text=True, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdin is not None
        process.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": arguments}))
        process.stdin.close()
        process.stdin = None
        return process

    def finish(self, process: subprocess.Popen) -> dict:
        """Its answer; it never has a key in it."""
        out, err = process.communicate(timeout=60)
        self.assertNotIn("PRIVATE", out + err)
        self.assertEqual(err, "")
        return json.loads(out)

    def call(self, host: str = "client1", check: bool = False, **wishes: object) -> dict:
        """One call, as pki.yml makes it for a host."""
        return self.finish(self.start(host, check, wishes))

    def changes(self, *argv: object, **wishes: object) -> list[str]:
        """What a call that must succeed says that it changed."""
        answer = self.call(*argv, **wishes)
        self.assertFalse(answer.get("failed"), answer)
        self.assertEqual(answer["changed"], bool(answer["said"]))
        return answer["said"]

    def file(self, name: str, host: str = "client1") -> str:
        """A file of the host."""
        return f"{self.dir}/hosts/{host}/{name}"

    def serial(self, host: str = "client1") -> str:
        """Of today's certificate."""
        return openssl("x509", "-in", self.file("certificate.pem", host), "-noout", "-serial").split("=")[1].strip()

    def listed(self) -> set[str]:
        """Serial numbers on the list of revoked certificates."""
        text = openssl("crl", "-in", f"{self.dir}/crl.pem", "-noout", "-text")
        return set(re.findall(r"Serial Number: ([0-9A-F]+)", text))

    def contents(self) -> dict[str, bytes]:
        """Every file of the authority."""
        found = {}
        for directory, _, files in os.walk(self.dir):
            for name in files:
                with open(f"{directory}/{name}", "rb") as file:
                    found[f"{directory}/{name}"] = file.read()
        return found

    def test_a_check_makes_nothing_and_says_what_it_would(self) -> None:
        """Before the first call, and when something is due."""
        said = self.changes(check=True)
        self.assertEqual(len(said), 3, said)
        self.assertFalse(os.path.exists(f"{self.scratch}/state"))
        self.changes()
        before = self.contents()
        self.assertEqual(self.changes(check=True), [])
        self.assertIn("days left", self.changes(check=True, renew_days=31)[0])
        self.assertIn("client1 is revoked", self.changes(check=True, state="revoked")[0])
        self.assertEqual(self.contents(), before)

    def test_the_second_time_there_is_nothing_to_do(self) -> None:
        """Keys are for their owner alone, the certificate says role and names and lasts."""
        self.assertEqual(len(self.changes()), 3)
        self.assertEqual(self.changes(), [])
        for path in self.contents():
            self.assertEqual(os.stat(path).st_mode & 0o077, 0, path)
        openssl("verify", "-CAfile", f"{self.dir}/ca.pem", "-purpose", "sslserver", self.file("certificate.pem"))
        text = openssl("x509", "-in", self.file("certificate.pem"), "-noout", "-text")
        for words in ("URI:urn:kbench:role:agent", "DNS:client1", "IP Address:198.18.1.1", "CA:FALSE"):
            self.assertIn(words, text)

    def test_renews_by_age(self) -> None:
        """When less than renew_days are left, with another key; not before."""
        self.changes(days=10, renew_days=5)
        first = self.serial()
        with open(self.file("key.pem"), "rb") as file:
            key = file.read()
        self.assertEqual(self.changes(renew_days=9.9), [])
        self.assertEqual(self.serial(), first)
        self.assertEqual(self.changes(renew_days=10.1), ["client1 is certified: its certificate has 10.0 days left"])
        self.assertNotEqual(self.serial(), first)
        with open(self.file("key.pem"), "rb") as file:
            self.assertNotEqual(file.read(), key)
        self.assertEqual(self.changes(renew_days=29), [])

    def test_certifies_anew_what_says_something_else(self) -> None:
        """Another name, another role."""
        self.changes()
        self.assertIn("names or its role", self.changes(names=["client1", "other"])[0])
        self.assertIn("names or its role", self.changes(role="observer")[0])  # as an inventory may have it
        self.assertIn("urn:kbench:role:observer", openssl("x509", "-in", self.file("certificate.pem"), "-noout", "-text"))

    def test_a_host_of_two_groups_is_certified_for_both(self) -> None:
        """It serves as an agent and calls as a controller; nobody is certified for nothing."""
        self.changes(role=["controller", "agent"])
        for purpose in ("sslserver", "sslclient"):
            openssl("verify", "-CAfile", f"{self.dir}/ca.pem", "-purpose", purpose, self.file("certificate.pem"))
        text = openssl("x509", "-in", self.file("certificate.pem"), "-noout", "-text")
        for words in ("URI:urn:kbench:role:agent", "URI:urn:kbench:role:controller"):
            self.assertIn(words, text)
        self.assertEqual(self.changes(role=["agent", "controller"]), [])
        self.assertIn("names or its role", self.changes(role=["agent"])[0])
        openssl("verify", "-CAfile", f"{self.dir}/ca.pem", "-purpose", "sslclient", self.file("certificate.pem"),
                expected=1)
        refused = self.call(role=[])
        self.assertTrue(refused["failed"])
        self.assertIn("client1 is to get a certificate for no role", refused["msg"])

    def test_a_revocation_takes_back_every_certificate_of_the_host(self) -> None:
        """Also those that were replaced; not those of others."""
        self.changes()
        serials = {self.serial()}
        for _ in range(2):
            self.changes(renew_days=31)
            serials.add(self.serial())
        self.changes("other")
        self.assertEqual(self.listed(), set())
        self.assertIn("client1 is revoked", self.changes(state="revoked"))
        self.assertEqual(len(serials), 3)
        self.assertEqual(self.listed(), serials)
        self.assertEqual(self.changes(state="revoked"), [])
        self.assertEqual(self.changes("other"), [])

    def test_a_revoked_host_is_trusted_again_with_a_new_certificate_only_when_told(self) -> None:
        """And its old one stays on the list."""
        self.changes()
        old = self.serial()
        shutil.copy(self.file("certificate.pem"), f"{self.scratch}/old.pem")
        self.changes(state="revoked")
        refused = self.call()
        self.assertTrue(refused["failed"])
        self.assertIn("the certificate of client1 was revoked; to trust it again", refused["msg"])
        self.assertEqual(self.changes(state="reinstated"), ["client1 is certified: it is trusted again"])
        self.assertNotEqual(self.serial(), old)
        self.assertEqual(self.listed(), {old})
        both = ["-crl_check", "-CAfile", f"{self.dir}/ca.pem", "-CRLfile", f"{self.dir}/crl.pem"]
        openssl("verify", *both, self.file("certificate.pem"))
        self.assertIn("revoked", openssl("verify", *both, f"{self.scratch}/old.pem", expected=1))
        self.assertEqual(self.changes(state="reinstated"), [])
        self.changes(state="revoked")
        self.assertEqual(len(self.listed()), 2)

    def test_goes_on_after_an_interruption(self) -> None:
        """At each point between two files."""
        self.changes()
        os.rename(f"{self.dir}/crl.pem", f"{self.scratch}/crl.pem")
        self.changes("other")
        shutil.copy(self.file("key.pem", "other"), self.file("key.pem"))
        self.assertEqual(self.changes(), ["client1 is certified: its key does not belong to its certificate"])
        os.unlink(self.file("key.pem"))
        self.assertEqual(self.changes(), ["client1 is certified: its key does not belong to its certificate"])
        os.unlink(self.file("certificate.pem"))
        self.assertEqual(self.changes(), ["client1 is certified: it has none"])
        with open(self.file("certificate.pem"), "w", encoding="ascii") as file:
            file.write("half of a certif")
        self.assertEqual(self.changes(), ["client1 is certified: it has none"])
        self.changes("other", state="revoked")
        shutil.copy(f"{self.scratch}/crl.pem", f"{self.dir}/crl.pem")  # revoked, and died before the list was made
        self.assertEqual(self.changes(), ["the list of revoked certificates is made"])
        self.assertEqual(self.listed(), {self.serial("other")})

    def test_a_lost_authority_means_new_certificates(self) -> None:
        """Those of another one are worth nothing."""
        self.changes()
        for name in ("ca.pem", "ca-key.pem"):
            os.unlink(f"{self.dir}/{name}")
        said = self.changes()
        self.assertIn("the authority is made", said)
        self.assertIn("client1 is certified: its certificate is not of this authority", said)
        openssl("verify", "-crl_check", "-CAfile", f"{self.dir}/ca.pem", "-CRLfile", f"{self.dir}/crl.pem",
                self.file("certificate.pem"))

    def test_hosts_at_the_same_time_get_one_authority(self) -> None:
        """As Ansible calls it, for several hosts in parallel."""
        hosts = [f"client{i}" for i in range(6)]
        for process in [self.start(host, False, {}) for host in hosts]:
            self.assertFalse(self.finish(process).get("failed"))
        for host in hosts:
            openssl("verify", "-CAfile", f"{self.dir}/ca.pem", self.file("certificate.pem", host))
        with open(f"{self.dir}/index.txt", encoding="ascii") as register:
            self.assertEqual(len(register.readlines()), len(hosts))

    def test_keys_stay_out_of_repositories(self) -> None:
        """Also of one above a directory that is not there yet."""
        os.makedirs(f"{self.scratch}/.git")
        refused = self.call()
        self.assertTrue(refused["failed"])
        self.assertIn(f"lies in the repository {os.path.realpath(self.scratch)}", refused["msg"])
        self.assertFalse(os.path.exists(f"{self.scratch}/state"))

    def test_refuses_names_that_are_no_names(self) -> None:
        """A host's name becomes a path and part of a subject."""
        for host in ("../elsewhere", "a/CN=b", "", ".hidden", "a\tb"):
            self.assertTrue(self.call(host)["failed"], host)


if __name__ == "__main__":
    unittest.main(verbosity=2)
