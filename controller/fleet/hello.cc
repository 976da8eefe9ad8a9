#include "controller/fleet/hello.h"

#include <utility>

#include "base/status_macros.h"
#include "controller/fleet/in_parallel.h"

namespace kbench {

absl::StatusOr<std::vector<control::HelloReply>> HelloAll(const std::vector<AgentLink*>& agents,
                                                          Nanos timeout) {
  std::vector<absl::StatusOr<control::HelloReply>> answers(agents.size(),
                                                           absl::UnknownError("not asked"));
  InParallel(agents.size(), kHellosAtOnce,
             [&](size_t i) { answers[i] = agents[i]->Hello(timeout); });
  std::vector<control::HelloReply> replies;
  absl::Status first;
  for (absl::StatusOr<control::HelloReply>& one : answers) {
    if (one.ok()) {
      replies.push_back(*std::move(one));
    } else if (first.ok()) {
      first = Annotate(one.status(), "phase hello");
    }
  }
  if (!first.ok()) return first;
  return replies;
}

}  // namespace kbench
