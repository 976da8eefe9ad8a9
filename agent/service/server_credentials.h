// How an agent's port is protected: by mutual TLS with certificates of the fleet's own authority
// (playbooks/pki.yml makes them), or not at all, which main.cc allows on loopback only.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace kbench {

// PEM files. They are read again while the agent runs, so that a renewed certificate, or an
// authority's, is taken without a restart.
struct TlsFiles {
  std::string ca;           // whose certificates callers must have
  std::string certificate;  // the agent's own, with its chain
  std::string key;
  std::string crl_directory;  // revoked ones, in files named as by `openssl rehash`; "": none

  bool any() const { return !ca.empty() || !certificate.empty() || !key.empty(); }
};

// InvalidArgument, naming the file, when one is missing, is no PEM or does not fit another.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ServerCredentialsOf(const TlsFiles& files);

}  // namespace kbench
