#include "agent/program/client_words.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace kbench {
namespace {

std::string Ops(const RunSpec& spec) {
  if (spec.ops.size() == 1) return std::string(Name(spec.ops.front().kind));
  return absl::StrJoin(spec.ops, ",", [](std::string* out, const OpWeight& op) {
    absl::StrAppend(out, Name(op.kind), "=", op.weight);
  });
}

}  // namespace

std::string KeyFileIn(const std::string& directory) { return directory + "/hmac-key"; }

Words WordsFor(const RunSpec& spec, const HostPort& reach, const std::string& directory) {
  const int64_t milliseconds = (spec.warmup + spec.duration).count() / 1'000'000;
  return {{"host", reach.host},
          {"port", absl::StrCat(reach.port)},
          {"address", reach.ToString()},
          {"identity", absl::StrCat(spec.identity)},
          {"key_file", KeyFileIn(directory)},
          {"op", Ops(spec)},
          {"value_size", absl::StrCat(spec.value_bytes)},
          {"key_size", absl::StrCat(spec.key_bytes)},
          {"keys", absl::StrCat(spec.keys)},
          {"flows", absl::StrCat(spec.flows)},
          {"depth", absl::StrCat(spec.depth)},
          {"seed", absl::StrCat(spec.seed)},
          {"agent", absl::StrCat(spec.agent_index)},
          {"agents", absl::StrCat(spec.agent_count)},
          {"seconds", absl::StrCat((milliseconds + 999) / 1000)},
          {"milliseconds", absl::StrCat(milliseconds)},
          {"directory", directory}};
}

std::vector<std::string> EnvironmentOf(const std::string& directory) {
  return {"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", absl::StrCat("HOME=", directory),
          absl::StrCat("TMPDIR=", directory)};
}

}  // namespace kbench
