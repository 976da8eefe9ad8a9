#include "analysis/evidence/joined_sample.h"

#include <algorithm>
#include <unordered_map>

namespace kbench::analysis {
namespace {

struct RequestId {
  int64_t connection_id = 0;
  uint64_t sequence = 0;
  bool operator==(const RequestId&) const = default;
};

struct RequestIdHash {
  size_t operator()(const RequestId& id) const {
    return static_cast<uint64_t>(id.connection_id) * 0x9e3779b97f4a7c15u ^ id.sequence;
  }
};

template <typename Record>
using ByRequest = std::unordered_map<RequestId, const Record*, RequestIdHash>;

// `same` says whether two records of one request are one that was sent twice.
template <typename Record, typename Records, typename Same>
ByRequest<Record> Index(const Records& records, Same same) {
  ByRequest<Record> map;
  map.reserve(records.size());
  for (const Record& record : records) {
    const auto [at, is_new] =
        map.emplace(RequestId{record.connection_id(), record.sequence()}, &record);
    if (is_new || at->second == nullptr) continue;
    if (!same(*at->second, record)) at->second = nullptr;
  }
  return map;
}

ByRequest<result::WireRecord> IndexOfWire(const result::WireTrace& trace) {
  return Index<result::WireRecord>(
      trace.records(), [](const result::WireRecord& a, const result::WireRecord& b) {
        return a.request_last() == b.request_last() && a.response_first() == b.response_first();
      });
}

template <typename Record>
const Record* Find(const ByRequest<Record>& map, const result::OpSample& sample) {
  const auto it = map.find({sample.connection_id(), sample.sequence()});
  return it == map.end() ? nullptr : it->second;
}

}  // namespace

std::vector<Joined> JoinSamples(const RunEvidence& run, const std::string& op) {
  std::vector<Joined> joined;
  ByRequest<result::WireRecord> on_server;
  if (run.server_wire) on_server = IndexOfWire(*run.server_wire);
  for (const result::RunResult& agent : run.agents) {
    using Residence = result::ServerTrace::Record;
    const auto residences = Index<Residence>(agent.server_trace().records(),
                                             [](const Residence& a, const Residence& b) {
                                               return a.residence_ns() == b.residence_ns();
                                             });
    const ByRequest<result::WireRecord> on_client = IndexOfWire(agent.wire());
    for (const result::OpSample& sample : agent.samples()) {
      if (static_cast<int>(sample.op()) >= agent.ops_size()) continue;
      if (op != "all" && agent.ops(static_cast<int>(sample.op())).op() != op) continue;
      joined.push_back({.sample = &sample,
                        .agent = &agent,
                        .residence = Find(residences, sample),
                        .client_wire = Find(on_client, sample),
                        .server_wire = Find(on_server, sample)});
    }
  }
  return joined;
}

bool AnyProbed(const std::vector<Joined>& samples) {
  return std::any_of(samples.begin(), samples.end(),
                     [](const Joined& j) { return j.sample->answered() && j.sample->probed(); });
}

int64_t ToAgentTime(const result::WireTrace& trace, int64_t realtime_ns) {
  return realtime_ns - trace.realtime() + trace.monotonic();
}

bool HasAllStamps(const result::WireRecord& record) {
  return record.request_first() != 0 && record.request_last() != 0 &&
         record.response_first() != 0 && record.response_last() != 0;
}

}  // namespace kbench::analysis
