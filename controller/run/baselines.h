// The network without the workload, measured before the first run: from every agent to every
// server, and from every agent to the server's host, or between the first two agents. A path that
// cannot be measured says why and ends nothing.
#pragma once

#include <vector>

#include "controller/fleet/fleet.h"
#include "controller/fleet/interrupts.h"
#include "controller/fleet/path_probe.h"
#include "proto/result.pb.h"

namespace kbench {

// Fewer than there are paths when it is interrupted.
std::vector<result::NetworkBaseline> MeasureBaselines(const Fleet& fleet,
                                                      const std::vector<KineticServer>& servers,
                                                      const PathProbeOptions& options,
                                                      const Interrupts* interrupts);

}  // namespace kbench
