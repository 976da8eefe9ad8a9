// Runs cases, each on a connection of its own, and says what the server did with every step.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/address.h"
#include "base/clock.h"
#include "base/tls.h"
#include "client/conform/answer_text.h"
#include "client/conform/case.h"
#include "client/conform/link.h"
#include "kinetic/types.h"

namespace kbench::conform {

// How the server is reached and asked.
struct Target {
  SocketAddress server;
  HostPort address;                 // as it was named
  const TlsContext* tls = nullptr;  // null: plain TCP
  int64_t identity = kinetic::kFactoryIdentity;
  std::string key = std::string(kinetic::kFactoryKey);
  std::string flags;           // by which a command line says both, and whom to trust; " --ca FILE"
  Nanos connect = Seconds(5);  // of connecting with the greeting, also while a server is busy
  Nanos answer = Seconds(5);   // of every answer
  Nanos quiet = Seconds(1);    // after which a server that says nothing to nonsense waits for more
};

// What the server says when a connection opens.
struct Greeting {
  std::shared_ptr<kinetic::Decoder> pdu;  // never null
  std::string text;

  const kinetic::Command& command() const { return pdu->message().command; }
  int64_t connection_id() const { return command().header.connection_id.value_or(0); }
  int64_t cluster_version() const { return command().header.cluster_version.value_or(0); }
  kinetic::GetLog::Limits limits() const;
  kinetic::GetLog::Configuration configuration() const;
};

// Connects and takes the greeting. A server that is busy is tried again until the time-out is over.
absl::StatusOr<std::unique_ptr<Link>> Connect(const Target& target, const Names& names,
                                              Greeting* greeting);

struct StepResult {
  std::string asked;                               // the request, in words
  std::string did;                                 // what came; see client/conform/answer_text.h
  std::string said;                                // the server's own sentence, printable
  std::array<bool, kDialects.size()> agrees = {};  // by dialect
};

struct CaseResult {
  const Case* tested = nullptr;
  std::string not_tried;          // why not; nothing else is then filled in
  std::string not_prepared;       // what the case needs, and what the server said to it
  std::string no_connection;      // why there was none
  std::vector<StepResult> steps;  // fewer than the case has when the connection ended
  std::string not_restored;       // what could not be put back, and what the server said

  bool tried() const { return not_tried.empty(); }
  bool agrees(Dialect dialect) const;
  // What the case tells of a server that may be gone: kGone is no connection, or no answer to its
  // first request; kUntold, that it asked nothing.
  enum class Life { kThere, kGone, kUntold };
  Life life() const;
};

// What a NOOP on this connection is answered, as text; "nothing": not in time.
std::string AskNoop(const Target& target, const Names& names, std::unique_ptr<Link> link,
                    const Greeting& greeting);

CaseResult RunCase(const Case& tested, const Target& target, const Names& names);

}  // namespace kbench::conform
