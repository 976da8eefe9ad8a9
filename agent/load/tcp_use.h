// The kernel's own account of a run's connections (TCP_INFO), summed over flows: from before the
// warm-up to the window's end, so that reading it disturbs neither.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/load/session.h"
#include "base/clock.h"
#include "transport/transport.h"

namespace kbench {

struct TcpUse {
  uint32_t flows = 0;
  Nanos min_rtt;  // the least of all flows; zero: none was measured
  uint64_t retransmits = 0;
  Nanos busy;  // bytes were unacknowledged, summed over flows; of that:
  Nanos receive_window_limited;
  Nanos send_buffer_limited;
  std::string congestion_control;
  std::string reason;  // why there is nothing, when there is nothing

  void Add(const TcpUse& other);
};

class TcpMeter {
 public:
  // Takes the first readings. sessions[i] owns flow i; both are borrowed.
  TcpMeter(const Transport* transport, const std::vector<std::unique_ptr<Session>>* sessions);

  // What has been added since. A connection that was lost is missed with what it had done; one
  // that was opened again counts whole.
  TcpUse Read() const;

 private:
  struct Before {
    TcpReading reading;
    uint64_t losses = 0;
  };

  const Transport* const transport_;
  const std::vector<std::unique_ptr<Session>>& sessions_;
  std::vector<Before> before_;  // by flow
};

}  // namespace kbench
