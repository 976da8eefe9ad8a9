#include "agent/caps.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "base/units.h"

namespace kbench {
namespace {

absl::Status Refuse(absl::string_view what) {
  return absl::PermissionDeniedError(absl::StrCat("this agent's owner does not allow it: ", what));
}

}  // namespace

absl::Status Hold(const Caps& caps, RunSpec* spec) {
  if (caps.rate > 0 && !spec->open) {
    return Refuse("a closed loop has no rate that --max-rate could hold; take load.mode: open");
  }
  if (caps.rate > 0 && spec->open->peak() > caps.rate) {
    return Refuse(absl::StrFormat("%.0f requests/s are above --max-rate %.0f", spec->open->peak(),
                                  caps.rate));
  }
  if (caps.duration > Nanos() && spec->warmup + spec->duration > caps.duration) {
    return Refuse(absl::StrCat("warm-up and duration of ",
                               FormatDuration(spec->warmup + spec->duration),
                               " are above --max-duration ", FormatDuration(caps.duration)));
  }
  if (caps.connections > 0 && spec->flows > caps.connections) {
    return Refuse(
        absl::StrCat(spec->flows, " connections are above --max-connections ", caps.connections));
  }
  return HoldTarget(caps, &spec->server);
}

absl::Status HoldTarget(const Caps& caps, HostPort* target) {
  if (caps.targets.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const SocketAddress address, Resolve(*target));
  const bool allowed = std::any_of(caps.targets.begin(), caps.targets.end(),
                                   [&](const Network& n) { return n.Contains(address); });
  if (!allowed) {
    return Refuse(absl::StrCat(
        target->ToString(), " is in none of --allow-target ",
        absl::StrJoin(caps.targets, ", ",
                      [](std::string* out, const Network& n) { out->append(n.text); })));
  }
  target->host = NumericHost(address);
  return absl::OkStatus();
}

}  // namespace kbench
