#include "agent/run/caps.h"

#include <algorithm>
#include <cmath>

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

absl::Status HoldRate(double most, RunSpec* spec) {
  const double messages = spec->open->peak() * (1 + spec->batch_parts());
  if (messages > most) {
    return Refuse(absl::StrFormat("%.0f requests/s%s are above --max-rate %.0f", messages,
                                  spec->batch_parts() > 0 ? ", puts of batches counted," : "",
                                  most));
  }
  // What one instant brings may not be more than what a second may.
  const double at_once = std::ceil(static_cast<double>(spec->open->burst) / spec->agent_count) *
                         (1 + spec->batch_parts());
  if (spec->open->arrival == ArrivalKind::kBursts && at_once > most) {
    return Refuse(
        absl::StrFormat("a burst of %.0f requests is above --max-rate %.0f", at_once, most));
  }
  spec->load_pace = Nanos(static_cast<int64_t>(std::ceil(1e9 * spec->flows / most)));
  return absl::OkStatus();
}

absl::Status HoldClient(const Caps& caps, RunSpec* spec) {
  if (caps.connections > 0) {
    return Refuse(
        "nobody holds a client program to --max-connections; an agent with that cap runs none");
  }
  const Nanos whole = spec->warmup + spec->duration + spec->client->grace;
  if (caps.duration > Nanos() && whole > caps.duration) {
    return Refuse(absl::StrCat("warm-up, duration and client.grace of ", FormatDuration(whole),
                               " are above --max-duration ", FormatDuration(caps.duration)));
  }
  return caps.clients.Resolve(&*spec->client);
}

}  // namespace

absl::Status Hold(const Caps& caps, RunSpec* spec) {
  if (caps.rate > 0 && !spec->open) {
    return Refuse("a closed loop has no rate that --max-rate could hold; take load.mode: open");
  }
  if (caps.rate > 0) RETURN_IF_ERROR(HoldRate(caps.rate, spec));
  if (caps.duration > Nanos() && spec->warmup + spec->duration > caps.duration) {
    return Refuse(absl::StrCat("warm-up and duration of ",
                               FormatDuration(spec->warmup + spec->duration),
                               " are above --max-duration ", FormatDuration(caps.duration)));
  }
  spec->load_most = caps.duration;
  if (caps.connections > 0 && spec->flows > caps.connections) {
    return Refuse(
        absl::StrCat(spec->flows, " connections are above --max-connections ", caps.connections));
  }
  if (spec->client) RETURN_IF_ERROR(HoldClient(caps, spec));
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
