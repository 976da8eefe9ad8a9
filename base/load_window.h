// The window in which an agent writes its keys before a run: as deep as is of use, because nothing
// of it is measured, and so much that a long path does not set the pace. The run's own window
// (load.flows, load.depth) has no part in it.
//
// These are its bounds. Within them each connection begins with one request in flight and finds its
// depth by how fast answers come (agent/load/session.h, Stage::widens); a server's own limit holds,
// too.
#pragma once

#include <algorithm>
#include <cstdint>

namespace kbench {

struct LoadWindow {
  static constexpr uint32_t kFlows = 4;    // of an agent, if its workers are not more
  static constexpr uint32_t kDepth = 128;  // of a connection
  static constexpr uint64_t kBytes = uint64_t{16} << 20;  // of values in flight, of an agent

  uint32_t flows = 1;  // connections of an agent: never more than its run has
  uint32_t depth = 1;  // most requests in flight on each

  static LoadWindow Of(uint32_t workers, uint32_t flows, uint32_t largest_value) {
    const uint32_t of_worker = std::clamp(kFlows / workers, 1u, std::max(flows / workers, 1u));
    LoadWindow window = {.flows = of_worker * workers};
    const uint64_t in_bytes = kBytes / std::max<uint64_t>(largest_value, 1) / window.flows;
    window.depth = static_cast<uint32_t>(std::clamp<uint64_t>(in_bytes, 1, kDepth));
    return window;
  }
};

}  // namespace kbench
