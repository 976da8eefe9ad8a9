// How the controller proves to agents who it is, and they to it: mutual TLS with certificates of
// the fleet's own authority (playbooks/pki.yml makes them). Without certificates it speaks to
// agents on this host only.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace kbench {

inline constexpr char kUsualDirectory[] = "/etc/kbench/controller/";

// PEM files; all empty: none.
struct AgentCredentials {
  std::string ca;           // whose certificates agents must have
  std::string certificate;  // the controller's own, with the role urn:kbench:role:controller
  std::string key;
  std::string crl_directory;  // revoked agents, in files named as by `openssl rehash`; "": none

  bool any() const {
    return !ca.empty() || !certificate.empty() || !key.empty() || !crl_directory.empty();
  }
  // Takes ca.pem, certificate.pem, key.pem and crl of kUsualDirectory where none are given and the
  // key there can be read; then says what is missing or is no PEM file.
  absl::Status Complete();
};

}  // namespace kbench
