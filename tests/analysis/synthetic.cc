#include "tests/analysis/synthetic.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/histogram.h"

namespace kbench::analysis {
namespace {

constexpr int64_t kConnection = 7;
constexpr int64_t kEpoch = 5'000'000'000;  // of the client's clock
constexpr int64_t kApart = 10'000'000;     // from request to request

void AddSample(const Request& r, uint64_t sequence, result::RunResult* agent) {
  result::OpSample& s = *agent->add_samples();
  s.set_connection_id(kConnection);
  s.set_sequence(sequence);
  s.set_flags(r.flags);
  s.set_answered(r.answered);
  s.set_probed(r.probed);
  int64_t t = kEpoch + kApart * static_cast<int64_t>(sequence);
  s.set_intended(t);
  s.set_started(t += r.wait);
  s.set_encoded(t += r.encode);
  s.set_submitted(t += r.submit);
  s.set_kernel_sent(t += r.send);
  s.set_kernel_received(t += r.network + r.server);
  s.set_woke(t + r.receive * 2 / 3);
  s.set_received(t += r.receive);
  s.set_decoded(t + r.decode);
  s.set_send_returned(s.kernel_sent() + 100);
  if (!r.send_stamp) s.set_kernel_sent(0);
  if (!r.receive_stamp) s.set_kernel_received(0);
  if (!r.in_trace) return;
  result::ServerTrace::Record& record = *agent->mutable_server_trace()->add_records();
  record.set_connection_id(kConnection);
  record.set_sequence(sequence);
  record.set_residence_ns(r.server);
  record.set_flags(r.residence_flags);
}

void FillFacts(const AgentSpec& spec, result::RunResult* agent) {
  agent->set_agent(spec.name);
  agent->set_agent_version("0.1.0");
  agent->set_measured_ns(spec.measured_ns);
  agent->mutable_transport()->set_transport(spec.transport);
  (*agent->mutable_transport()->mutable_facts())["TCP_NODELAY"] = "on";
  result::HostFacts& host = *agent->mutable_host();
  host.set_hostname("client.example");
  host.set_kernel("6.1.0");
  host.set_cpu_model("Model T");
  host.set_cpus(4);
  host.set_memory_bytes(uint64_t{8} << 30);
  host.set_clocksource("tsc");
  result::ResourceUse& use = *agent->mutable_usage();
  use.set_workers(1);
  use.set_user_ns(100'000'000);
  use.set_system_ns(200'000'000);
  use.set_system_calls(2000);
  use.set_waits(1000);
}

}  // namespace

std::string EncodedHistogram(const std::vector<int64_t>& values_ns) {
  Histogram histogram;
  for (int64_t v : values_ns) histogram.Record(Nanos(v));
  return histogram.Encode();
}

result::RunResult MakeAgent(const AgentSpec& spec) {
  result::RunResult agent;
  FillFacts(spec, &agent);
  agent.mutable_server_trace()->set_available(true);
  std::vector<int64_t> response = spec.unsampled;
  std::vector<int64_t> service = spec.unsampled;
  uint64_t failed = 0;
  for (size_t i = 0; i < spec.requests.size(); ++i) {
    const Request& r = spec.requests[i];
    AddSample(r, i + 1, &agent);
    failed += !r.answered;
    if (!r.answered) continue;
    response.push_back(r.response());
    service.push_back(r.response() - r.wait - r.encode - r.submit);
  }
  result::OpResult& op = *agent.add_ops();
  op.set_op(spec.op);
  op.set_response_ns(EncodedHistogram(response));
  op.set_service_ns(EncodedHistogram(service));
  (*op.mutable_statuses())["SUCCESS"] = response.size();
  op.set_request_bytes(100 * response.size());
  op.set_response_bytes(4'196 * response.size());
  op.set_answered_in_window(response.size());
  op.set_response_bytes_in_window(op.response_bytes());
  result::Counts& counts = *op.mutable_counts();
  counts.set_due(response.size() + failed);
  counts.set_sent(response.size() + failed);
  counts.set_answered(response.size());
  counts.set_failed(failed);
  *agent.mutable_counts() = counts;
  return agent;
}

void ObservePackets(const PacketsSeen& seen, RunEvidence* run) {
  result::WireTrace& server = run->server_wire.emplace();
  server.set_available(true);
  server.set_place(result::WireTrace::SERVER);
  server.set_host("server.example");
  for (result::RunResult& agent : run->agents) {
    result::WireTrace& client = *agent.mutable_wire();
    client.set_available(true);
    client.set_place(result::WireTrace::CLIENT);
    client.set_host("client.example");
    client.set_realtime(seen.client_offset + 42);
    client.set_monotonic(42);
    for (int i = 0; i < agent.samples_size(); ++i) {
      result::OpSample& s = *agent.mutable_samples(i);
      const int64_t residence = agent.server_trace().records(i).residence_ns();
      s.set_polled(s.submitted() + 10);
      result::WireRecord& c = *client.add_records();
      c.set_connection_id(s.connection_id());
      c.set_sequence(s.sequence());
      c.set_request_first(s.kernel_sent() + seen.client_offset);
      c.set_request_last(c.request_first() + seen.request_transfer);
      c.set_response_last(s.kernel_received() + seen.client_offset);
      c.set_response_first(c.response_last() - seen.response_transfer);
      if (seen.before > 0) c.set_before_last(s.submitted() + seen.before + seen.client_offset);
      result::WireRecord& w = *server.add_records();
      w.set_connection_id(s.connection_id());
      w.set_sequence(s.sequence());
      w.set_request_last(
          static_cast<int64_t>(static_cast<double>(s.kernel_sent()) * seen.server_rate) +
          seen.server_offset + 20'000);
      w.set_request_first(w.request_last() - seen.request_transfer);
      w.set_response_first(w.request_last() +
                           static_cast<int64_t>(static_cast<double>(residence) * seen.server_rate));
      w.set_response_last(w.response_first() + seen.emission);
      w.set_service_ns(seen.service);
    }
  }
}

RunEvidence MakeRun(std::vector<result::RunResult> agents) {
  RunEvidence run;
  run.run_id = "run-0";
  run.agents = std::move(agents);
  return run;
}

RunEvidence UniformRun(int n, const Request& request) {
  return MakeRun({MakeAgent({.requests = std::vector<Request>(n, request)})});
}

CampaignEvidence MakeCampaign(const std::vector<std::string>& transports, int repetitions,
                              const AgentMaker& make) {
  CampaignEvidence campaign;
  campaign.name = "synthetic";
  campaign.run_id = "0123abcd";
  campaign.started_utc = "2026-11-23T23:36:00Z";
  campaign.status = "complete";
  campaign.version = "0.1.0";
  campaign.server = "192.0.2.1:8123";
  campaign.seed = 1;
  campaign.repetitions = repetitions;
  campaign.axes = {"transport"};
  campaign.constants = {{"op", "get"}, {"server", "192.0.2.1:8123"}, {"value_size", "4KiB"}};
  for (const std::string& transport : transports) {
    campaign.cells.push_back({.index = static_cast<int>(campaign.cells.size()),
                              .levels = {{.axis = "transport", .value = transport}}});
  }
  for (int repetition = 0; repetition < repetitions; ++repetition) {
    for (const CellInfo& cell : campaign.cells) {
      RunEvidence run = MakeRun({make(cell, repetition)});
      run.cell = cell.index;
      run.pass = Pass::kBare;
      run.repetition = repetition;
      run.run_id = absl::StrCat("run-", campaign.runs.size());
      campaign.runs.push_back(std::move(run));
    }
  }
  return campaign;
}

bool HasCode(const std::vector<result::Caveat>& caveats, const std::string& code) {
  return std::any_of(caveats.begin(), caveats.end(),
                     [&](const result::Caveat& caveat) { return caveat.code() == code; });
}

}  // namespace kbench::analysis
