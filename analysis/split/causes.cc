#include "analysis/split/causes.h"

#include <algorithm>

namespace kbench::analysis {
namespace {

// Of client_send: until the request before it had left. The rest is the kernel's send path.
int64_t BehindEarlier(const Joined& j, Boundaries b, int64_t out) {
  if (!b.rungs.client_packets || j.client_wire->before_last() == 0) return 0;
  const int64_t before = ToAgentTime(j.agent->wire(), j.client_wire->before_last());
  const int64_t submitted = j.sample->submitted();
  if (out <= submitted) return 0;
  return std::clamp<int64_t>(before - submitted, 0, out - submitted);
}

// Of client_receive: until the worker began to look. A negative part stays whole in the stack's.
int64_t BusyElsewhere(const Joined& j, int64_t in) {
  const int64_t received = j.sample->received();
  if (received <= in) return 0;
  return std::clamp<int64_t>(j.sample->polled() - in, 0, received - in);
}

}  // namespace

bool TellsCauses(const std::vector<Joined>& usable, Boundaries b) {
  return b.send && b.receive && !b.opaque && !usable.empty() &&
         std::all_of(usable.begin(), usable.end(),
                     [](const Joined& j) { return j.sample->polled() != 0; });
}

std::vector<std::string> CauseNames(Boundaries b) {
  std::vector<std::string> names = {"wait", "client_work", "client_queueing", "client_stack",
                                    "backlog"};
  if (!b.server) {
    names.emplace_back("network+server");
    return names;
  }
  names.emplace_back("network");
  if (b.rungs.server_packets) {
    names.emplace_back("server_queueing");
    names.emplace_back("server_service");
  } else {
    names.emplace_back("server");
  }
  return names;
}

std::vector<int64_t> CausesOf(const Joined& j, Boundaries b) {
  const result::OpSample& s = *j.sample;
  const int64_t out = OutOf(j, b);
  const int64_t in = InOf(j, b);
  const int64_t residence = ResidenceOf(j, b);
  const int64_t to_submit = s.submitted() - s.encoded();
  const int64_t blocked =
      std::clamp<int64_t>(s.send_blocked_ns(), 0, std::max<int64_t>(to_submit, 0));
  const int64_t behind = BehindEarlier(j, b, out);
  const int64_t elsewhere = BusyElsewhere(j, in);
  std::vector<int64_t> causes = {
      s.started() - s.intended(),
      (s.encoded() - s.started()) + (to_submit - blocked) + (s.decoded() - s.received()), elsewhere,
      (out - s.submitted() - behind) + (s.received() - in - elsewhere), blocked + behind};
  causes.push_back(in - out - residence);
  if (!b.server) return causes;
  if (b.rungs.server_packets) {
    causes.push_back(residence - j.server_wire->service_ns());
    causes.push_back(j.server_wire->service_ns());
  } else {
    causes.push_back(residence);
  }
  return causes;
}

}  // namespace kbench::analysis
