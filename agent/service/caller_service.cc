#include "agent/service/caller_service.h"

#include "absl/strings/str_cat.h"
#include "agent/service/result_proto.h"

namespace kbench {
namespace {

constexpr char kController[] = "urn:kbench:role:controller";
constexpr char kObserver[] = "urn:kbench:role:observer";
constexpr char kUriProperty[] = "peer_uri";  // GRPC_PEER_URI_PROPERTY_NAME
constexpr char kNameProperty[] = "x509_common_name";

bool HasUri(const grpc::AuthContext& caller, absl::string_view uri) {
  for (const grpc::string_ref& one : caller.FindPropertyValues(kUriProperty)) {
    if (absl::string_view(one.data(), one.size()) == uri) return true;
  }
  return false;
}

}  // namespace

grpc::Status RequireRole(const grpc::ServerContextBase& context, CallerRole least) {
  const std::shared_ptr<const grpc::AuthContext> caller = context.auth_context();
  if (!caller->IsPeerAuthenticated()) return grpc::Status::OK;  // plaintext, on loopback
  if (HasUri(*caller, kController)) return grpc::Status::OK;
  if (least == CallerRole::kObserver && HasUri(*caller, kObserver)) return grpc::Status::OK;
  return {grpc::StatusCode::PERMISSION_DENIED,
          absl::StrCat("certificate '", CallerName(context), "' has not the role ",
                       least == CallerRole::kController ? kController : kObserver,
                       "; a certificate with it comes from playbooks/pki.yml")};
}

std::string CallerName(const grpc::ServerContextBase& context) {
  for (const grpc::string_ref& one : context.auth_context()->FindPropertyValues(kNameProperty)) {
    return PrintableText(std::string(one.data(), one.size()));
  }
  return "";
}

}  // namespace kbench
