// The connections of one worker, with their sessions, transport and loop: opened, greeted, proved.
// A run has one set, and a load another one of its own, before it. Belongs to the worker's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "agent/load/pump.h"
#include "agent/load/recorder.h"
#include "agent/load/run_control.h"
#include "agent/load/run_spec.h"
#include "agent/load/session.h"
#include "base/address.h"
#include "kinetic/hmac.h"
#include "transport/transport.h"

namespace kbench {

class FlowSet {
 public:
  // All are borrowed.
  struct Options {
    const RunSpec* spec = nullptr;
    SocketAddress server;
    const kinetic::HmacKey* key = nullptr;
    const ValuePool* values = nullptr;
    RunControl* control = nullptr;
  };
  // What a run and a load have each its own of.
  struct Shape {
    std::vector<uint32_t> flows;  // their numbers, in the agent's numbering
    uint32_t depth = 1;           // requests in flight on each, at most
    bool measured = false;        // with the run's probes, batches and options of sockets
    bool exact = false;           // Session::Options::exact
  };

  explicit FlowSet(const Options& options) : options_(options), spec_(*options.spec) {}

  // Connects all flows and takes their greetings. DeadlineExceeded: the server is silent.
  absl::Status Open(const Shape& shape);
  // The same for connections that take the place of others just closed: a server that allows no
  // more, and does not know yet that those are gone, refuses. It is asked again, for as long as
  // connecting may take.
  absl::Status OpenInstead(const Shape& shape);
  // One NOOP on every flow: the path, and the key. SERVICE_BUSY is waited for, as long as a
  // connection may take to come up.
  absl::Status Prove();
  // Ends the run when a flow has gone away.
  void TellLost();
  // Why flows are gone, when one is: that the server refused us, on whichever of them, or else the
  // last words of the first one; else OK.
  absl::Status Health(absl::string_view when) const;

  // "server 10.0.0.1:8123"
  std::string ServerName() const;
  // As its handshake said them. Precondition: it is open and has a flow.
  const kinetic::GetLog::Limits& limits() const { return sessions_.front()->limits(); }
  Transport* transport() { return transport_.get(); }
  const std::vector<std::unique_ptr<Session>>& sessions() const { return sessions_; }
  Pump* pump() { return pump_.get(); }

 private:
  absl::Status Connect(const Shape& shape);
  Session::Options OfSession(const Shape& shape, uint32_t number, FlowId flow) const;
  absl::Status AwaitGreetings();

  const Options options_;
  const RunSpec& spec_;
  // The transport writes into the sessions' slots: it is declared after, so destroyed before them.
  std::vector<std::unique_ptr<Session>> sessions_;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<Pump> pump_;
};

// What the first request of a recorder that went wrong says.
std::string FirstError(const Recorder& recorder);

}  // namespace kbench
