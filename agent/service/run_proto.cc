#include "agent/service/run_proto.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/service/client_proto.h"
#include "agent/service/result_proto.h"
#include "base/status_macros.h"
#include "base/tls.h"
#include "kinetic/frame.h"

namespace kbench {
namespace {

constexpr uint32_t kMostWorkers = 1024;
constexpr uint32_t kMostFlows = 1u << 20;
constexpr uint32_t kMostDepth = 1u << 16;
constexpr uint64_t kMostInFlight = 1u << 20;  // flows x depth: about 1 KiB of memory each
constexpr uint32_t kMostKeyBytes = 4096;
constexpr uint32_t kMostRangeKeys = 1'000'000;
constexpr uint32_t kMostReconnects = 1'000'000;
constexpr uint32_t kMostBatchOps = 100'000;
constexpr uint32_t kMostSocketBuffer = 1u << 30;
constexpr uint32_t kMostSamples = 1u << 24;
constexpr double kMostRate = 1e9;
constexpr uint32_t kMostBurst = 1u << 20;
constexpr int kMostStretches = 10'000;
constexpr int64_t kMostInjected = 1'000'000'000;       // ns
constexpr int64_t kMostRelayRate = 1'000'000'000'000;  // bit/s

absl::Status BadField(absl::string_view field, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", what));
}

template <typename Number>
absl::Status CheckRange(absl::string_view field, Number value, Number least, Number most) {
  if (value >= least && value <= most) return absl::OkStatus();
  return BadField(field, absl::StrCat(value, " is not between ", least, " and ", most));
}

absl::Status CheckPositive(absl::string_view field, int64_t ns) {
  return ns > 0 ? absl::OkStatus() : BadField(field, absl::StrCat(ns, " ns is not above zero"));
}

absl::StatusOr<kinetic::Synchronization> ParseSynchronization(absl::string_view name) {
  if (name == "writethrough") return kinetic::Synchronization::kWriteThrough;
  if (name == "writeback") return kinetic::Synchronization::kWriteBack;
  if (name == "flush") return kinetic::Synchronization::kFlush;
  return absl::InvalidArgumentError(absl::StrCat(
      "'", name, "' is no synchronization; there are writethrough, writeback and flush"));
}

// Empty: from a controller that knows no tags.
absl::StatusOr<std::optional<kinetic::TagAlgorithm>> ParseTag(absl::string_view name) {
  using Tag = std::optional<kinetic::TagAlgorithm>;
  if (name.empty() || name == "none") return Tag();
  const auto algorithm = kinetic::ParseTagAlgorithm(name);
  if (algorithm.ok() && kinetic::TagSize(*algorithm) > 0) return Tag(*algorithm);
  return absl::InvalidArgumentError(absl::StrCat(
      "'", name, "' is no tag that can be made; there are none, crc32c, sha1 and sha2"));
}

absl::StatusOr<PollMode> ParsePollMode(absl::string_view name) {
  if (name == "block") return PollMode::kBlock;
  if (name == "spin") return PollMode::kSpin;
  return absl::InvalidArgumentError(
      absl::StrCat("'", name, "' is no way to poll; there are block and spin"));
}

absl::StatusOr<FlushMode> ParseFlushMode(absl::string_view name) {
  if (name == "batch") return FlushMode::kBatch;
  if (name == "op") return FlushMode::kOp;
  return absl::InvalidArgumentError(
      absl::StrCat("'", name, "' is no way to flush; there are batch and op"));
}

// *out = what `parsed` holds, or the reason why not, with the field's name.
template <typename T>
absl::Status Assign(absl::string_view field, absl::StatusOr<T> parsed, T* out) {
  if (!parsed.ok()) return BadField(field, parsed.status().message());
  *out = *std::move(parsed);
  return absl::OkStatus();
}

absl::Status TakeClient(const control::RunSpec& from, RunSpec* to) {
  to->client = ClientFromProto(from.client());
  if (from.client().name().empty()) return BadField("client.name", "is empty");
  if (from.client().grace_ns() < 0) return BadField("client.grace_ns", "is below zero");
  if (from.tls()) return BadField("tls", "packets of an external client over TLS cannot be read");
  if (from.load()) return BadField("load", "the keys of an external client are its own");
  if (from.has_open()) return BadField("open", "an external client decides itself when it sends");
  if (from.verify()) return BadField("verify", "an external client's values are its own to check");
  if (from.inject().encode_ns() != 0 || from.inject().decode_ns() != 0) {
    return BadField("inject", "nothing can be added to the work of an external client");
  }
  if (!from.observe()) return BadField("observe", "an external client's requests must be observed");
  return Assign("client.output", ParseFigureFormat(from.client().output()), &to->client->format);
}

absl::Status TakeTarget(const control::RunSpec& from, RunSpec* to) {
  if (from.run_id().empty()) return BadField("run_id", "is empty");
  to->run_id = from.run_id();
  RETURN_IF_ERROR(CheckRange("agent_count", from.agent_count(), 1u, KeyGenerator::kMostAgents));
  RETURN_IF_ERROR(CheckRange("agent_index", from.agent_index(), 0u, from.agent_count() - 1));
  to->agent_count = from.agent_count();
  to->agent_index = from.agent_index();
  if (from.has_client() != (from.transport() == "external")) {
    return BadField("transport", "it is external where there is a client, and nowhere else");
  }
  if (from.has_client()) {
    RETURN_IF_ERROR(TakeClient(from, to));
  } else {
    RETURN_IF_ERROR(Assign("transport", ParseTransportKind(from.transport()), &to->transport));
  }
  if (to->transport != TransportKind::kNull || !from.server().empty()) {
    RETURN_IF_ERROR(Assign("server", ParseHostPort(from.server()), &to->server));
    if (to->server.port == 0) return BadField("server", "port 0 is no port to connect to");
  }
  to->identity = from.identity();
  if (from.hmac_key().empty()) return BadField("hmac_key", "is empty");
  to->hmac_key = from.hmac_key();
  return absl::OkStatus();
}

absl::Status TakeTls(const control::RunSpec& from, RunSpec* to) {
  if (!from.tls()) {
    return from.tls_ca().empty() ? absl::OkStatus()
                                 : BadField("tls_ca", "is of no use without tls");
  }
  if (to->transport == TransportKind::kNull) {
    return BadField("tls", "the null transport has no server to speak it with");
  }
  to->tls = TlsOptions{.ca_pem = from.tls_ca(), .server_name = to->server.host};
  return Annotate(TlsContext::ClientOfPem(from.tls_ca()).status(), "tls_ca");
}

absl::Status TakeShape(const control::RunSpec& from, RunSpec* to) {
  RETURN_IF_ERROR(CheckRange("workers", from.workers(), 1u, kMostWorkers));
  RETURN_IF_ERROR(CheckRange("flows", from.flows(), 1u, kMostFlows));
  RETURN_IF_ERROR(CheckRange("depth", from.depth(), 1u, kMostDepth));
  if (uint64_t{from.flows()} * from.depth() > kMostInFlight) {
    return BadField(
        "depth", absl::StrCat(from.flows(), " flows of ", from.depth(), " requests each are above ",
                              kMostInFlight, " requests in flight on one agent"));
  }
  if (from.workers() > from.flows()) {
    return BadField("workers", absl::StrCat(from.workers(), " workers for ", from.flows(),
                                            " flows leave some without any"));
  }
  const auto cpus = static_cast<uint32_t>(from.worker_cpus_size());
  if (cpus != 0 && cpus != from.workers()) {
    return BadField("worker_cpus", absl::StrCat(cpus, " CPUs for ", from.workers(),
                                                " workers; give one each, or none"));
  }
  to->workers = from.workers();
  to->flows = from.flows();
  to->depth = from.depth();
  to->worker_cpus.assign(from.worker_cpus().begin(), from.worker_cpus().end());
  RETURN_IF_ERROR(Assign("poll", ParsePollMode(from.poll()), &to->poll));
  return Assign("flush", ParseFlushMode(from.flush()), &to->flush);
}

absl::Status CheckRate(absl::string_view field, double rate) {
  if (rate > 0 && rate <= kMostRate) return absl::OkStatus();
  return BadField(
      field, absl::StrCat(rate, " is not above 0 and at most ", kMostRate, " requests per second"));
}

// What some arrivals have beside their rate, and others must not have.
absl::Status TakeArrival(const control::OpenLoop& from, Nanos duration, OpenLoop* to) {
  const bool bursts = to->arrival == ArrivalKind::kBursts;
  if (bursts != (from.burst() > 0)) {
    return BadField("open.burst", absl::StrCat(from.burst(), " with ", Name(to->arrival),
                                               " arrivals: bursts have a size, others none"));
  }
  if (bursts) {
    RETURN_IF_ERROR(CheckRange("open.burst", from.burst(), 1u, kMostBurst));
    to->burst = from.burst();
  }
  const bool varies = to->arrival == ArrivalKind::kRamp || to->arrival == ArrivalKind::kSteps;
  if (varies != (from.stretches_size() > 0) || from.stretches_size() > kMostStretches) {
    return BadField(
        "open.stretches",
        absl::StrCat(from.stretches_size(), " with ", Name(to->arrival),
                     " arrivals: ramp and steps have 1 to ", kMostStretches, ", others none"));
  }
  Nanos sum;
  for (int i = 0; i < from.stretches_size(); ++i) {
    const control::RateStretch& stretch = from.stretches(i);
    const std::string field = absl::StrCat("open.stretches[", i, "]");
    RETURN_IF_ERROR(CheckRate(field + ".from", stretch.from()));
    RETURN_IF_ERROR(CheckRate(field + ".to", stretch.to()));
    RETURN_IF_ERROR(CheckPositive(field + ".length_ns", stretch.length_ns()));
    if (to->arrival == ArrivalKind::kSteps && stretch.from() != stretch.to()) {
      return BadField(field, "goes from one rate to another, and a step has one");
    }
    to->stretches.push_back({stretch.from(), stretch.to(), Nanos(stretch.length_ns())});
    sum += to->stretches.back().length;
  }
  if (varies && sum != duration) {
    return BadField("open.stretches",
                    absl::StrCat("they are ", sum.count(), " ns long, and the window is ",
                                 duration.count(), " ns"));
  }
  return absl::OkStatus();
}

absl::Status TakeLoop(const control::RunSpec& from, RunSpec* to) {
  switch (from.mode_case()) {
    case control::RunSpec::kClosed:
      return absl::OkStatus();
    case control::RunSpec::kOpen: {
      OpenLoop open;
      RETURN_IF_ERROR(
          Assign("open.arrival", ParseArrivalKind(from.open().arrival()), &open.arrival));
      open.rate = from.open().rate();
      RETURN_IF_ERROR(CheckRate("open.rate", open.rate));
      RETURN_IF_ERROR(TakeArrival(from.open(), Nanos(from.duration_ns()), &open));
      to->open = open;
      return absl::OkStatus();
    }
    case control::RunSpec::MODE_NOT_SET:
      break;
  }
  return BadField("mode", "is neither closed nor open");
}

// Of the skewed orders, each has its own numbers and no others.
absl::Status TakeKeyOrder(const control::RunSpec& from, RunSpec* to) {
  RETURN_IF_ERROR(Assign("key_order", ParseKeyOrder(from.key_order()), &to->key_order));
  const bool zipf = to->key_order == KeyOrder::kZipf || to->key_order == KeyOrder::kLatest;
  if (zipf != (from.zipf_theta() != 0)) {
    return BadField("zipf_theta", absl::StrCat(from.zipf_theta(), " with key_order ",
                                               from.key_order(), ": zipf and latest have one"));
  }
  if (zipf) {
    RETURN_IF_ERROR(CheckRange("zipf_theta", from.zipf_theta(), 0.01, 10.0));
    to->zipf_theta = from.zipf_theta();
  }
  const bool hot = to->key_order == KeyOrder::kHotspot;
  if (hot != (from.hot_keys() != 0) || hot != (from.hot_requests() != 0)) {
    return BadField("hot_keys",
                    absl::StrCat(from.hot_keys(), " and hot_requests ", from.hot_requests(),
                                 " with key_order ", from.key_order(), ": hotspot has both"));
  }
  if (!hot) return absl::OkStatus();
  RETURN_IF_ERROR(CheckRange("hot_keys", from.hot_keys(), 1e-9, 1.0));
  RETURN_IF_ERROR(CheckRange("hot_requests", from.hot_requests(), 1e-9, 1.0));
  to->hot_keys = from.hot_keys();
  to->hot_requests = from.hot_requests();
  return absl::OkStatus();
}

absl::Status TakeValues(const control::RunSpec& from, RunSpec* to) {
  RETURN_IF_ERROR(CheckRange("value_bytes", from.value_bytes(), 0u, kinetic::kSpecMaxValueSize));
  to->value_bytes = from.value_bytes();
  RETURN_IF_ERROR(CheckRange("compressible", from.compressible(), 0.0, 1.0));
  to->compressible = from.compressible();
  if (!from.value_sizes().empty()) {
    const auto sizes = ValueSizes::Parse(from.value_sizes());
    if (!sizes.ok()) return BadField("value_sizes", sizes.status().message());
    if (sizes->largest() != from.value_bytes()) {
      return BadField("value_sizes", absl::StrCat("the largest is ", sizes->largest(),
                                                  ", and value_bytes is ", from.value_bytes()));
    }
    if (to->transport == TransportKind::kNull) {
      return BadField("value_sizes", "is set, but the null transport has values of one size");
    }
    to->value_sizes = *sizes;
  }
  to->verify = from.verify();
  // What reads nothing checks nothing, and says so.
  const bool checks =
      to->verify && std::any_of(to->ops.begin(), to->ops.end(),
                                [](const OpWeight& op) { return ReadsValue(op.kind); });
  if (checks && to->sizes().smallest() < kValueLabelSize) {
    return BadField("verify", absl::StrCat("values of ", to->sizes().smallest(),
                                           " bytes are too short to say what they are; it takes ",
                                           kValueLabelSize));
  }
  if (checks && to->transport == TransportKind::kNull) {
    return BadField("verify", "is set, but the null transport keeps no values");
  }
  return absl::OkStatus();
}

absl::Status TakeWorkload(const control::RunSpec& from, RunSpec* to) {
  if (from.ops_size() == 0) return BadField("ops", "is empty");
  std::set<OpKind> seen;
  for (int i = 0; i < from.ops_size(); ++i) {
    const std::string field = absl::StrCat("ops[", i, "]");
    OpWeight op;
    RETURN_IF_ERROR(Assign(field + ".op", ParseOpKind(from.ops(i).op()), &op.kind));
    op.weight = from.ops(i).weight();
    if (!(op.weight > 0 && std::isfinite(op.weight))) {
      return BadField(field + ".weight", absl::StrCat(op.weight, " is not above zero"));
    }
    if (!seen.insert(op.kind).second) {
      return BadField(field + ".op", absl::StrCat(Name(op.kind), " is there twice"));
    }
    if (op.kind == OpKind::kGetMiss && to->transport == TransportKind::kNull) {
      return BadField(field + ".op", "is get_miss, but the null transport has every key");
    }
    if (op.kind == OpKind::kBatch && to->transport == TransportKind::kNull) {
      return BadField(field + ".op", "is batch, but the null transport keeps no batches");
    }
    to->ops.push_back(op);
  }
  RETURN_IF_ERROR(CheckRange("keys", from.keys(), uint64_t{1}, KeyGenerator::kMostKeys));
  RETURN_IF_ERROR(
      CheckRange("key_bytes", from.key_bytes(), KeyGenerator::kSmallestKey, kMostKeyBytes));
  RETURN_IF_ERROR(TakeValues(from, to));
  RETURN_IF_ERROR(CheckRange("range_keys", from.range_keys(), 1u, kMostRangeKeys));
  to->range_keys = from.range_keys();
  RETURN_IF_ERROR(CheckRange("batch_ops", from.batch_ops(), 1u, kMostBatchOps));
  if (seen.contains(OpKind::kBatch) &&
      uint64_t{to->flows} * to->depth * (from.batch_ops() + 1) > kMostInFlight) {
    return BadField("batch_ops", absl::StrCat(to->flows, " flows of ", to->depth, " batches of ",
                                              from.batch_ops(), " puts each are above ",
                                              kMostInFlight, " messages in flight on one agent"));
  }
  to->batch_ops = from.batch_ops();
  to->keys = from.keys();
  to->key_bytes = from.key_bytes();
  to->seed = from.seed();
  to->key_seed = from.key_seed();
  to->load = from.load();
  to->reuse = from.reuse_keys();
  if (to->reuse && !to->load) {
    return BadField("reuse_keys", "is set, but the run asks for no keys (load)");
  }
  if (to->reuse && to->transport == TransportKind::kNull) {
    return BadField("reuse_keys", "is set, but the null transport keeps no keys");
  }
  RETURN_IF_ERROR(TakeKeyOrder(from, to));
  RETURN_IF_ERROR(Assign("tag", ParseTag(from.tag()), &to->tag));
  return Assign("synchronization", ParseSynchronization(from.synchronization()),
                &to->synchronization);
}

absl::Status TakeTimes(const control::RunSpec& from, RunSpec* to) {
  if (from.warmup_ns() < 0) return BadField("warmup_ns", "is below zero");
  RETURN_IF_ERROR(CheckPositive("duration_ns", from.duration_ns()));
  RETURN_IF_ERROR(CheckPositive("op_timeout_ns", from.op_timeout_ns()));
  RETURN_IF_ERROR(CheckPositive("connect_timeout_ns", from.connect_timeout_ns()));
  to->warmup = Nanos(from.warmup_ns());
  to->duration = Nanos(from.duration_ns());
  RETURN_IF_ERROR(CheckRange("reconnects", from.reconnects(), 0u, kMostReconnects));
  to->reconnects = from.reconnects();
  to->op_timeout = Nanos(from.op_timeout_ns());
  to->connect_timeout = Nanos(from.connect_timeout_ns());
  return absl::OkStatus();
}

absl::Status TakeProbesAndSockets(const control::RunSpec& from, RunSpec* to) {
  RETURN_IF_ERROR(CheckRange("samples_max", from.samples_max(), 0u, kMostSamples));
  RETURN_IF_ERROR(CheckRange("sample_every", from.sample_every(), 0u, 1u << 30));
  to->sample_every = from.sample_every();
  to->samples_max = from.samples_max();
  const control::SocketOptions& options = from.socket_options();
  RETURN_IF_ERROR(CheckRange("socket_options.send_buffer_bytes", options.send_buffer_bytes(), 0u,
                             kMostSocketBuffer));
  RETURN_IF_ERROR(CheckRange("socket_options.receive_buffer_bytes", options.receive_buffer_bytes(),
                             0u, kMostSocketBuffer));
  to->send_buffer_bytes = static_cast<int>(options.send_buffer_bytes());
  to->receive_buffer_bytes = static_cast<int>(options.receive_buffer_bytes());
  to->congestion_control = options.congestion_control();
  return absl::OkStatus();
}

absl::Status TakeInject(const control::RunSpec& from, RunSpec* to) {
  to->observe = from.observe();
  const control::Inject& inject = from.inject();
  RETURN_IF_ERROR(CheckRange("inject.encode_ns", inject.encode_ns(), int64_t{0}, kMostInjected));
  RETURN_IF_ERROR(CheckRange("inject.decode_ns", inject.decode_ns(), int64_t{0}, kMostInjected));
  RETURN_IF_ERROR(CheckRange("inject.relay_ns", inject.relay_ns(), int64_t{0}, kMostInjected));
  RETURN_IF_ERROR(CheckRange("inject.relay_rate", inject.relay_rate(), int64_t{0}, kMostRelayRate));
  to->inject = {.encode = Nanos(inject.encode_ns()),
                .decode = Nanos(inject.decode_ns()),
                .relay = inject.relay() || inject.relay_ns() > 0 || inject.relay_rate() > 0,
                .relay_delay = Nanos(inject.relay_ns()),
                .relay_rate = inject.relay_rate(),
                .keep_awake = inject.keep_awake()};
  if (to->inject.relay && to->transport == TransportKind::kNull) {
    return BadField("inject.relay", "the null transport has no server to relay to");
  }
  Nanos whole = to->inject.encode + to->inject.decode + to->inject.relay_delay * 2;
  if (to->inject.relay_rate > 0) {
    const double seconds =
        static_cast<double>(to->value_bytes) * 8 / static_cast<double>(to->inject.relay_rate);
    whole += Nanos(static_cast<int64_t>(seconds * 1e9));
  }
  if (whole >= to->op_timeout) {
    return BadField("inject", absl::StrCat("its delays make ", whole.count(),
                                           " ns of every request, and op_timeout_ns is ",
                                           to->op_timeout.count(), ": none would be answered"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RunSpec> FromProto(const control::RunSpec& spec) {
  RunSpec plain;
  for (auto* take : {TakeTarget, TakeTls, TakeShape, TakeLoop, TakeWorkload, TakeTimes,
                     TakeProbesAndSockets, TakeInject}) {
    RETURN_IF_ERROR(Annotate(take(spec, &plain), "run spec"));
  }
  return plain;
}

control::Failed ToProto(const absl::Status& failure) {
  static const std::pair<absl::StatusCode, control::Failed::Kind> kKinds[] = {
      {absl::StatusCode::kUnavailable, control::Failed::SERVER_UNREACHABLE},
      {absl::StatusCode::kPermissionDenied, control::Failed::SERVER_REFUSED},
      {absl::StatusCode::kAborted, control::Failed::SERVER_LOST},
      {absl::StatusCode::kDeadlineExceeded, control::Failed::PHASE_TIMEOUT},
      {absl::StatusCode::kOutOfRange, control::Failed::MISSED_START},
      {absl::StatusCode::kInvalidArgument, control::Failed::BAD_SPEC},
      {absl::StatusCode::kFailedPrecondition, control::Failed::BAD_SPEC},
      {absl::StatusCode::kInternal, control::Failed::INTERNAL},
  };
  control::Failed to;
  to.set_text(PrintableText(failure.message()));
  for (const auto& [code, kind] : kKinds) {
    if (code == failure.code()) to.set_kind(kind);
  }
  return to;
}

}  // namespace kbench
