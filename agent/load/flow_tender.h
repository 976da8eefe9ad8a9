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

  // At a tick. Stops the run when the attempts of a flow are used up.
  void Tend(MonoTime now);

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
