// What a packet observer saw, as a message.
#pragma once

#include <string>

#include "agent/observer/packet_observer.h"
#include "proto/result.pb.h"

namespace kbench {

void Fill(const observer::WireObservation& from, observer::View view, const std::string& host,
          result::WireTrace* to);

}  // namespace kbench
