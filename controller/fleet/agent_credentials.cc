#include "controller/fleet/agent_credentials.h"

#include <unistd.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/tls.h"

namespace kbench {
absl::Status AgentCredentials::Complete() {
  std::error_code ignored;
  if (!any() &&
      std::filesystem::exists(absl::StrCat(kUsualDirectory, "certificate.pem"), ignored)) {
    ca = absl::StrCat(kUsualDirectory, "ca.pem");
    certificate = absl::StrCat(kUsualDirectory, "certificate.pem");
    key = absl::StrCat(kUsualDirectory, "key.pem");
    const std::string revoked = absl::StrCat(kUsualDirectory, "crl");
    if (std::filesystem::is_directory(revoked, ignored)) crl_directory = revoked;
    // Who may not read the key has none; agents on this host can be reached without.
    if (access(key.c_str(), R_OK) != 0) {
      *this = {};
      return absl::OkStatus();
    }
  }
  if (!crl_directory.empty() && !std::filesystem::is_directory(crl_directory, ignored)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--tls-crl-directory ", crl_directory, " is not a directory"));
  }
  if (!any()) return absl::OkStatus();
  if (ca.empty() || certificate.empty() || key.empty()) {
    return absl::InvalidArgumentError("give all of --tls-ca, --tls-certificate and --tls-key");
  }
  RETURN_IF_ERROR(TlsContext::Server(certificate, key).status());
  return TlsContext::Client(ca).status();
}

}  // namespace kbench
