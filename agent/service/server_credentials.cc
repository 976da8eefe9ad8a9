#include "agent/service/server_credentials.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/tls.h"

namespace kbench {
namespace {

constexpr unsigned kReadAgainSeconds = 10;

absl::Status CheckGiven(const TlsFiles& files) {
  if (!files.ca.empty() && !files.certificate.empty() && !files.key.empty()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      "mutual TLS takes all of --tls-ca, --tls-certificate and --tls-key");
}

absl::Status CheckDirectory(const std::string& directory) {
  std::error_code ignored;
  if (directory.empty() || std::filesystem::is_directory(directory, ignored)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--crl-directory ", directory, " is not a directory"));
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ServerCredentialsOf(
    const TlsFiles& files) {
  RETURN_IF_ERROR(CheckGiven(files));
  RETURN_IF_ERROR(CheckDirectory(files.crl_directory));
  // What grpc would only notice at the first caller's handshake, and tell nobody.
  RETURN_IF_ERROR(TlsContext::Server(files.certificate, files.key).status());
  RETURN_IF_ERROR(TlsContext::Client(files.ca).status());
  grpc::experimental::TlsServerCredentialsOptions options(
      std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
          files.key, files.certificate, files.ca, kReadAgainSeconds));
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  if (!files.crl_directory.empty()) options.set_crl_directory(files.crl_directory);
  return grpc::experimental::TlsServerCredentials(options);
}

}  // namespace kbench
