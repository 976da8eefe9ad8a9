// Who calls, by the certificate that the call came with, and what such a caller may do. The role is
// a URI among the certificate's subject alternative names:
//
//   urn:kbench:role:controller   may make load, probe and observe
//   urn:kbench:role:observer     may ask how the agent is
//   urn:kbench:role:agent        an agent's own; may do nothing here
//
// A call without TLS comes from this host (main.cc) and may do all.
#pragma once

#include <grpcpp/grpcpp.h>

#include <string>

namespace kbench {

enum class CallerRole { kObserver, kController };

// PERMISSION_DENIED, naming the role that is missing, when the caller has neither it nor a higher
// one.
grpc::Status RequireRole(const grpc::ServerContextBase& context, CallerRole least);

// The common name of the caller's certificate; "" without TLS.
std::string CallerName(const grpc::ServerContextBase& context);

}  // namespace kbench
