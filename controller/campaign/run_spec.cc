#include "controller/campaign/run_spec.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "base/tls.h"

namespace kbench {

namespace {

// `field` of the campaign names the file, which is to hold `content`.
absl::StatusOr<std::string> ReadNamed(absl::string_view field, const std::string& path,
                                      absl::string_view content) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  if (in.good()) return text.str();
  return absl::InvalidArgumentError(
      absl::StrCat("cannot read ", field, " ", path, ": ", strerror(errno),
                   "; give the path of a readable file that holds ", content));
}

void SetOpenLoop(const Settings& s, uint32_t agents, control::OpenLoop* open) {
  const bool total = s.rate_total.given();
  const RateProfile& rate = total ? s.rate_total : s.rate_per_agent;
  const double shares = total ? agents : 1;
  open->set_arrival(s.arrival);
  open->set_rate(rate.MeanOver(s.duration) / shares);
  if (s.arrival == "bursts") open->set_burst(static_cast<uint32_t>(s.burst_size));
  if (!rate.is_ramp() && !rate.is_steps()) return;
  for (const RatePart& part : rate.Over(s.duration)) {
    control::RateStretch* stretch = open->add_stretches();
    stretch->set_from(part.from / shares);
    stretch->set_to(part.to / shares);
    stretch->set_length_ns(part.length.count());
  }
}

}  // namespace

control::RunSpec MakeRunSpec(const Settings& s, const RunSpecInputs& inputs) {
  control::RunSpec spec;
  spec.set_run_id(inputs.run_id);
  spec.set_agent_index(inputs.agent_index);
  spec.set_agent_count(inputs.agent_count);
  spec.set_server(inputs.server);
  spec.set_identity(s.identity);
  spec.set_hmac_key(inputs.hmac_key);
  spec.set_transport(s.transport);
  spec.set_tls(s.tls);
  if (s.tls) spec.set_tls_ca(inputs.tls_ca);
  spec.set_workers(static_cast<uint32_t>(s.workers));
  for (uint32_t cpu : inputs.worker_cpus) spec.add_worker_cpus(cpu);
  spec.set_flows(static_cast<uint32_t>(s.flows));
  spec.set_depth(static_cast<uint32_t>(s.depth));
  if (s.open_loop) {
    SetOpenLoop(s, inputs.agent_count, spec.mutable_open());
  } else {
    spec.mutable_closed();
  }
  for (const WeightedOp& share : s.ops) {
    control::OpShare* op = spec.add_ops();
    op->set_op(share.op);
    op->set_weight(share.weight);
  }
  spec.set_keys(static_cast<uint64_t>(s.keys));
  spec.set_key_order(s.key_order);
  spec.set_key_bytes(static_cast<uint32_t>(s.key_bytes));
  spec.set_zipf_theta(s.ZipfTheta());
  spec.set_hot_keys(s.HotKeys());
  spec.set_hot_requests(s.HotRequests());
  spec.set_value_bytes(s.value_sizes.largest());
  if (!s.value_sizes.fixed()) spec.set_value_sizes(s.value_sizes.ToString());
  spec.set_compressible(s.compressible);
  spec.set_range_keys(static_cast<uint32_t>(s.range_keys));
  spec.set_batch_ops(static_cast<uint32_t>(s.batch_ops));
  spec.set_verify(s.verify && !s.KeepsNoValues());
  spec.set_tag(s.tag);
  spec.set_seed(inputs.seed);
  spec.set_key_seed(inputs.key_seed);
  spec.set_load(s.LoadsKeys());
  spec.set_warmup_ns(s.warmup.count());
  spec.set_duration_ns(s.duration.count());
  spec.set_op_timeout_ns(s.op_timeout.count());
  spec.set_connect_timeout_ns(s.connect_timeout.count());
  spec.set_reconnects(static_cast<uint32_t>(s.reconnects));
  spec.set_poll(s.poll);
  spec.set_flush(s.flush);
  spec.set_sample_every(static_cast<uint32_t>(s.SampleEvery(inputs.pass)));
  // The null transport sends nothing that could be seen.
  spec.set_observe(inputs.pass == analysis::Pass::kFull && s.transport != "null");
  spec.set_samples_max(static_cast<uint32_t>(s.samples_max));
  spec.mutable_socket_options()->set_send_buffer_bytes(static_cast<uint32_t>(s.send_buffer_bytes));
  spec.mutable_socket_options()->set_receive_buffer_bytes(
      static_cast<uint32_t>(s.receive_buffer_bytes));
  spec.mutable_socket_options()->set_congestion_control(s.congestion_control);
  spec.set_synchronization(s.synchronization);
  if (s.IsExternal()) {
    control::ExternalClient* client = spec.mutable_client();
    client->set_name(s.client_command.front());
    for (size_t i = 1; i < s.client_command.size(); ++i) {
      client->add_arguments(s.client_command[i]);
    }
    client->set_grace_ns(s.client_grace.count());
    client->set_memory_bytes(static_cast<uint64_t>(s.client_memory));
    client->set_output(s.client_output);
  }
  if (s.inject_encode > Nanos(0) || s.inject_decode > Nanos(0) || s.has_relay() || s.keep_awake) {
    control::Inject* inject = spec.mutable_inject();
    inject->set_keep_awake(s.keep_awake);
    inject->set_encode_ns(s.inject_encode.count());
    inject->set_decode_ns(s.inject_decode.count());
    inject->set_relay(s.has_relay());
    inject->set_relay_rate(s.relay_rate);
    inject->set_relay_ns(s.inject_relay.value_or(Nanos(0)).count());
  }
  return spec;
}

void MakeWarmUp(uint64_t seed, Nanos most, control::RunSpec* spec) {
  spec->set_seed(seed);
  spec->set_warmup_ns(0);
  spec->set_duration_ns(most.count());
  spec->set_sample_every(0);
  spec->set_samples_max(0);
  spec->set_observe(false);
  spec->set_verify(false);
  if (spec->open().stretches_size() == 0) return;
  control::OpenLoop* open = spec->mutable_open();
  open->set_arrival("constant");
  open->set_rate(open->stretches(0).from());
  open->clear_stretches();
}

absl::StatusOr<std::string> ReadHmacKey(const std::string& key_file) {
  if (key_file.empty()) return std::string(kFactoryKey);
  ASSIGN_OR_RETURN(const std::string content,
                   ReadNamed("server.key_file", key_file, "the HMAC key"));
  const std::string key(absl::StripSuffix(content, "\n"));
  if (key.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("server.key_file ", key_file, " is empty; put the HMAC key into it"));
  }
  return key;
}

absl::StatusOr<std::string> ReadAuthorities(const std::string& ca_file) {
  if (ca_file.empty()) return std::string();
  ASSIGN_OR_RETURN(std::string pem, ReadNamed("server.ca_file", ca_file, "certificates (PEM)"));
  absl::Status status = TlsContext::ClientOfPem(pem).status();
  if (pem.empty()) status = absl::InvalidArgumentError("the file is empty");
  if (!status.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("server.ca_file ", ca_file, ": ", status.message(),
                     "; put the certificate of the server's authority into it, in PEM"));
  }
  return pem;
}

}  // namespace kbench
