// Opens lost flows again, as far as the run's policy goes: one a turn, and never for more than half
// of the worker's time. Belongs to its worker's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/load/run_control.h"
#include "agent/load/run_spec.h"
#include "agent/load/session.h"
#include "base/address.h"
#include "base/clock.h"
#include "transport/transport.h"

namespace kbench {

// "server 10.0.0.1:8123, connection 17", for messages.
std::string FlowName(const RunSpec& spec, const Session& session);

// Why a run ends with this session, which is closed: the server said no, or it went away.
RunControl::Why WhyGone(const Session& session);

class FlowTender {
 public:
  // All are borrowed; sessions[i] owns flow i.
  FlowTender(const RunSpec* spec, const SocketAddress& server, RunControl* control,
             Transport* transport, const std::vector<std::unique_ptr<Session>>* sessions);

  // At a tick. Stops the run when the attempts of a flow are used up: refused, when the server has
  // said so on this or another flow that is closed now.
  void Tend(MonoTime now);
  // After the run. When another worker took the server for lost, and a flow of this one was
  // refused, that is why.
  void Conclude();

  // Time that the worker spent in it and did nothing else.
  Nanos reopening() const { return reopening_; }

 private:
  struct Attempts {
    uint32_t made = 0;
    Nanos pause;  // before the next one; none after the server's greeting
    MonoTime next;
    MonoTime opened;  // the last one's end
    std::string failure;
    bool unreachable = false;  // the last one failed
  };

  // The last attempt reached the server, and it said no.
  bool Refused(size_t i) const { return sessions_[i]->refused() && !attempts_[i].unreachable; }
  // A flow that is refused; else `otherwise`.
  size_t RefusedOr(size_t otherwise) const;
  // Ends the run with what is known of that flow.
  void Stop(size_t i);
  void TryReopen(size_t i, Nanos timeout);

  const RunSpec& spec_;
  const SocketAddress server_;
  RunControl* const control_;
  Transport* const transport_;
  const std::vector<std::unique_ptr<Session>>& sessions_;
  std::vector<Attempts> attempts_;  // by session
  size_t tend_first_ = 0;           // takes turns
  MonoTime next_attempt_;           // of any session
  Nanos reopening_;
};

}  // namespace kbench
