#include "controller/campaign/campaign_fields.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/address.h"
#include "base/service_spec.h"
#include "base/status_macros.h"
#include "base/units.h"
#include "controller/campaign/field_kinds.h"
#include "controller/campaign/suggestion.h"

namespace kbench {
namespace {

using Words = std::vector<std::string>;

CampaignField ServerAddress() {
  CampaignField field{.path = "server.address", .axis = "server", .expects = "HOST:PORT"};
  field.apply = [](absl::string_view text, Settings* s) -> Text {
    ASSIGN_OR_RETURN(const HostPort address, ParseHostPort(text));
    if (address.port == 0) return Refuse(text, "has no port to connect to");
    s->server_address = address.ToString();
    return s->server_address;
  };
  field.show = [](const Settings& s) {
    return s.server_address.empty() ? std::string("embedded") : s.server_address;
  };
  return field;
}

CampaignField Observer() {
  CampaignField field{.path = "server.observer",
                      .axis = "observer",
                      .expects = "HOST:PORT of an agent on the server's host",
                      .may_sweep = false};
  field.apply = [](absl::string_view text, Settings* s) -> Text {
    ASSIGN_OR_RETURN(const HostPort address, ParseHostPort(text));
    if (address.port == 0) return Refuse(text, "has no port to connect to");
    s->observer = address.ToString();
    return s->observer;
  };
  field.show = [](const Settings& s) { return s.observer; };
  return field;
}

CampaignField ObserverPort() {
  CampaignField field =
      Once(Count("server.observer_port", "observer_port", 1, 65'535, &Settings::observer_port));
  field.show = [](const Settings& s) -> std::string {
    return s.observer_port == 0 ? "" : absl::StrCat(s.observer_port);
  };
  return field;
}

// "20%" as 0.2; above `least`.
absl::StatusOr<double> ParsePercent(absl::string_view text, double least) {
  double value = 0;
  absl::string_view number = text;
  if (!absl::ConsumeSuffix(&number, "%") || !absl::SimpleAtod(number, &value)) {
    return Refuse(text, "is no share in %");
  }
  if (!(value >= least && value <= 100)) return Refuse(text, "is out of range");
  return value / 100;
}

std::string ShowPercent(double share) { return absl::StrCat(100 * share, "%"); }

CampaignField ValueSize() {
  CampaignField field{.path = "workload.value_size", .axis = "value_size"};
  field.expects =
      "a size from 0B to 1MiB, like 4KiB; or a distribution: {1KiB: 0.9, 64KiB: 0.1}, "
      "'uniform least 1KiB most 64KiB', 'lognormal median 4KiB sigma 1.2 most 1MiB' or "
      "'pareto least 1KiB alpha 1.1 most 1MiB'";
  field.takes_map = true;
  field.apply = [](absl::string_view text, Settings* s) -> Text {
    ASSIGN_OR_RETURN(s->value_sizes, ValueSizes::Parse(text));
    return s->value_sizes.ToString();
  };
  field.show = [](const Settings& s) { return s.value_sizes.ToString(); };
  return field;
}

CampaignField Compressible() {
  CampaignField field{.path = "workload.compressible",
                      .axis = "compressible",
                      .expects = "a share of the bytes of a value from 0% to 100%, like 50%"};
  field.apply = [](absl::string_view text, Settings* s) -> Text {
    ASSIGN_OR_RETURN(s->compressible, ParsePercent(text, 0));
    return ShowPercent(s->compressible);
  };
  field.show = [](const Settings& s) -> std::string {
    return s.compressible == 0 ? "" : ShowPercent(s.compressible);
  };
  return field;
}

CampaignField ZipfTheta() {
  CampaignField field{.path = "workload.zipf_theta",
                      .axis = "zipf_theta",
                      .expects = "a number from 0.01 to 10, like 0.99"};
  field.apply = [](absl::string_view text, Settings* s) -> Text {
    if (!absl::SimpleAtod(text, &s->zipf_theta)) return Refuse(text, "is not a number");
    if (!(s->zipf_theta >= 0.01 && s->zipf_theta <= 10)) return Refuse(text, "is out of range");
    return absl::StrCat(s->zipf_theta);
  };
  field.show = [](const Settings& s) -> std::string {
    return s.IsZipf() ? absl::StrCat(s.ZipfTheta()) : "";
  };
  return field;
}

CampaignField Hot(std::string path, std::string axis, double Settings::*member,
                  double (Settings::*effective)() const) {
  CampaignField field{.path = std::move(path),
                      .axis = std::move(axis),
                      .expects = "a share from 0.0001% to 100%, like 20%"};
  field.apply = [member](absl::string_view text, Settings* s) -> Text {
    ASSIGN_OR_RETURN(s->*member, ParsePercent(text, 1e-4));
    return ShowPercent(s->*member);
  };
  field.show = [effective](const Settings& s) -> std::string {
    return s.IsHotspot() ? ShowPercent((s.*effective)()) : "";
  };
  return field;
}

CampaignField WarmUpOps() {
  CampaignField field =
      Count("run.warmup_ops", "warmup_ops", 1, 1'000'000'000'000, &Settings::warmup_ops);
  field.show = [](const Settings& s) -> std::string {
    return s.warmup_ops == 0 ? "" : absl::StrCat(s.warmup_ops);
  };
  return field;
}

CampaignField WarmUpSteady() {
  CampaignField field{.path = "run.warmup_steady",
                      .axis = "warmup_steady",
                      .expects = "a coefficient of variation from 0.1% to 100%, like 5%"};
  field.apply = [](absl::string_view text, Settings* s) -> Text {
    ASSIGN_OR_RETURN(s->warmup_steady, ParsePercent(text, 0.1));
    return ShowPercent(s->warmup_steady);
  };
  field.show = [](const Settings& s) -> std::string {
    return s.warmup_steady == 0 ? "" : ShowPercent(s.warmup_steady);
  };
  return field;
}

// Shown only where it has an effect.
CampaignField WarmUpMost(Nanos high) {
  CampaignField field =
      Duration("run.warmup_most", "warmup_most", Seconds(1), high, &Settings::warmup_most);
  field.show = [](const Settings& s) {
    return s.WarmsUpApart() ? FormatDuration(s.warmup_most) : std::string();
  };
  return field;
}

CampaignField BurstSize() {
  CampaignField field = Count("load.burst_size", "burst_size", 2, 1'000'000, &Settings::burst_size);
  field.show = [](const Settings& s) -> std::string {
    return s.burst_size == 0 ? "" : absl::StrCat(s.burst_size);
  };
  return field;
}

// "500us" for every kind of request, or the reference server's own language
// ("get=500us,put=exp:2ms").
CampaignField ServiceTime() {
  CampaignField field{.path = "server.service_time",
                      .axis = "service_time",
                      .expects =
                          "a duration, like 500us, or the server's own form, like "
                          "get=500us,put=exp:2ms"};
  field.apply = [](absl::string_view text, Settings* s) -> Text {
    RETURN_IF_ERROR(ParseServiceSpec(text).status());
    const absl::StatusOr<Nanos> plain = ParseDuration(text);
    s->service_time = plain.ok() ? FormatDuration(*plain) : std::string(text);
    return s->service_time;
  };
  field.show = [](const Settings& s) { return s.service_time; };
  return field;
}

std::string ShowOps(const Settings& s) {
  if (s.ops.size() == 1) return s.ops[0].op;
  return absl::StrJoin(s.ops, "+", [](std::string* out, const WeightedOp& share) {
    absl::StrAppend(out, share.op, ":", share.weight);
  });
}

absl::Status CheckOp(absl::string_view op) {
  const Words& names = CampaignOpNames();
  if (std::find(names.begin(), names.end(), op) != names.end()) return absl::OkStatus();
  const std::string near = NearestWord(op, names);
  return Refuse(op, near.empty() ? "is no operation of this benchmark"
                                 : absl::StrCat("is unknown; did you mean '", near, "'?"));
}

CampaignField Op() {
  CampaignField field{.path = "workload.op", .axis = "op"};
  field.expects = absl::StrCat("one of ", absl::StrJoin(CampaignOpNames(), ", "));
  field.apply = [](absl::string_view text, Settings* s) -> Text {
    RETURN_IF_ERROR(CheckOp(text));
    s->ops = {{std::string(text), 1}};
    return std::string(text);
  };
  field.show = ShowOps;
  return field;
}

// From "get=0.7,put=0.3"; the weights need not add up to 1.
CampaignField Mix() {
  CampaignField field{.path = "workload.mix",
                      .axis = "mix",
                      .expects = "a map from operation to weight, like {get: 0.7, put: 0.3}",
                      .takes_map = true};
  field.apply = [](absl::string_view text, Settings* s) -> Text {
    std::vector<WeightedOp> ops;
    std::set<std::string> seen;
    for (absl::string_view part : absl::StrSplit(text, ',')) {
      const std::pair<std::string, std::string> pair =
          absl::StrSplit(part, absl::MaxSplits('=', 1));
      RETURN_IF_ERROR(CheckOp(pair.first));
      double weight = 0;
      if (!absl::SimpleAtod(pair.second, &weight) || !(weight > 0) || weight > 1e9) {
        return Refuse(pair.second,
                      absl::StrCat("is no weight for ", pair.first, ": write a number above 0"));
      }
      if (!seen.insert(pair.first).second) return Refuse(pair.first, "stands in the mix twice");
      ops.push_back({pair.first, weight});
    }
    s->ops = std::move(ops);
    return ShowOps(*s);
  };
  field.show = ShowOps;
  return field;
}

CampaignField Load() {
  CampaignField field{
      .path = "workload.load", .axis = "load", .expects = "one of auto, true, false"};
  field.apply = [](absl::string_view text, Settings* s) -> Text {
    if (text == "auto") {
      s->load = LoadKeys::kAuto;
    } else if (text == "true") {
      s->load = LoadKeys::kYes;
    } else if (text == "false") {
      s->load = LoadKeys::kNo;
    } else {
      return Refuse(text, "is none of them");
    }
    return std::string(text);
  };
  field.show = [](const Settings& s) -> std::string {
    if (s.load == LoadKeys::kAuto) return "auto";
    return s.load == LoadKeys::kYes ? "true" : "false";
  };
  return field;
}

CampaignField Mode() {
  CampaignField field{.path = "load.mode", .axis = "mode", .expects = "one of closed, open"};
  field.apply = [](absl::string_view text, Settings* s) -> Text {
    if (text != "closed" && text != "open") return Refuse(text, "is neither");
    s->open_loop = text == "open";
    return std::string(text);
  };
  field.show = [](const Settings& s) -> std::string { return s.open_loop ? "open" : "closed"; };
  return field;
}

CampaignField WorkerCpus() {
  CampaignField field{.path = "workers.cpus",
                      .axis = "worker_cpus",
                      .expects = "auto, none, or a quoted list of cpu numbers, like \"0,1\""};
  field.apply = [](absl::string_view text, Settings* s) -> Text {
    s->worker_cpus.clear();
    s->cpu_placement = text == "auto" ? CpuPlacement::kAuto : CpuPlacement::kNone;
    if (text == "auto" || text == "none") return std::string(text);
    s->cpu_placement = CpuPlacement::kList;
    for (absl::string_view part : absl::StrSplit(text, ',')) {
      int cpu = 0;
      if (!absl::SimpleAtoi(part, &cpu) || cpu < 0 || cpu > 4095) {
        return Refuse(part, "is not a cpu number");
      }
      s->worker_cpus.push_back(cpu);
    }
    return absl::StrJoin(s->worker_cpus, ",");
  };
  field.show = [](const Settings& s) -> std::string {
    if (s.cpu_placement == CpuPlacement::kAuto) return "auto";
    if (s.cpu_placement == CpuPlacement::kNone) return "none";
    return absl::StrJoin(s.worker_cpus, ",");
  };
  return field;
}

CampaignField Seed() {
  CampaignField field{.path = "run.seed",
                      .axis = "seed",
                      .expects = "a whole number from 0 to 2^64-1",
                      .may_sweep = false};
  field.apply = [](absl::string_view text, Settings* s) -> Text {
    if (!absl::SimpleAtoi(text, &s->seed)) return Refuse(text, "is not such a number");
    return absl::StrCat(s->seed);
  };
  field.show = [](const Settings& s) { return absl::StrCat(s.seed); };
  return field;
}

std::string ShowPasses(const Settings& s) {
  return absl::StrJoin(s.passes, ",", [](std::string* out, analysis::Pass pass) {
    absl::StrAppend(out, analysis::Name(pass));
  });
}

// The order in the file means nothing: that of the runs is drawn.
CampaignField Passes() {
  CampaignField field{.path = "probes.passes",
                      .axis = "passes",
                      .expects = "a list of some of bare, sampled, full",
                      .may_sweep = false,
                      .takes_list = true};
  field.apply = [](absl::string_view text, Settings* s) -> Text {
    std::vector<std::string> given = absl::StrSplit(text, ',');
    std::vector<analysis::Pass> passes;
    Words known;
    for (analysis::Pass pass : analysis::kPasses) {
      known.emplace_back(analysis::Name(pass));
      const auto found = std::find(given.begin(), given.end(), known.back());
      if (found == given.end()) continue;
      passes.push_back(pass);
      given.erase(found);
    }
    for (const std::string& left : given) {
      if (std::find(known.begin(), known.end(), left) != known.end()) {
        return Refuse(left, "is listed twice");
      }
      const std::string near = NearestWord(left, known);
      return Refuse(left, near.empty() ? "is no pass"
                                       : absl::StrCat("is no pass; did you mean '", near, "'?"));
    }
    s->passes = std::move(passes);
    return ShowPasses(*s);
  };
  field.show = ShowPasses;
  return field;
}

// For people, and for constants: words that need it are quoted.
std::string ShowCommand(const Settings& s) {
  return absl::StrJoin(s.client_command, " ", [](std::string* out, const std::string& word) {
    const bool plain = !word.empty() && word.find_first_of(" \t'\"") == std::string::npos;
    absl::StrAppend(out, plain ? word : absl::StrCat("'", word, "'"));
  });
}

CampaignField ClientCommand() {
  CampaignField field{.path = "client.command",
                      .axis = "client_command",
                      .expects =
                          "a list: the name by which the agents' owners allow the program "
                          "(kbench-agent --allow-client NAME=/PATH), then its arguments, quoted "
                          "where they hold {placeholders}, like [mine, '--host', '{host}']",
                      .may_sweep = false,
                      .takes_list = true,
                      .takes_words = true};
  field.apply = [](absl::string_view text, Settings* s) -> Text {
    s->client_command = absl::StrSplit(text, '\n');
    if (s->client_command.front().empty()) return Refuse(text, "does not begin with a name");
    return ShowCommand(*s);
  };
  field.show = ShowCommand;
  return field;
}

// Shown only where it has an effect.
CampaignField OfClient(CampaignField field) {
  field.show = [shown = field.show](const Settings& s) {
    return s.client_command.empty() ? std::string() : shown(s);
  };
  return Once(std::move(field));
}

// "none" is a level, too, so that a relay without a delay can be compared with no relay.
CampaignField InjectRelay(Nanos high) {
  CampaignField field{.path = "inject.relay", .axis = "inject_relay"};
  field.expects = absl::StrCat("none, or a duration each way from 0s to ", FormatDuration(high),
                               ", like 300us");
  field.apply = [high](absl::string_view text, Settings* s) -> Text {
    s->inject_relay.reset();
    if (text == "none") return std::string(text);
    ASSIGN_OR_RETURN(const Nanos value, ParseDuration(text));
    if (value > high) return Refuse(text, "is out of range");
    s->inject_relay = value;
    return FormatDuration(value);
  };
  field.show = [](const Settings& s) -> std::string {
    return s.inject_relay ? FormatDuration(*s.inject_relay) : "none";
  };
  return field;
}

CampaignField InjectRelayRate() {
  constexpr int64_t kLow = 1'000, kHigh = 1'000'000'000'000;
  CampaignField field{.path = "inject.relay_rate", .axis = "inject_relay_rate"};
  field.expects = "none, or a bit rate each way from 1kbit/s to 1000Gbit/s, like 2.5Gbit/s";
  field.apply = [](absl::string_view text, Settings* s) -> Text {
    s->relay_rate = 0;
    if (text == "none") return std::string(text);
    ASSIGN_OR_RETURN(const int64_t value, ParseBitRate(text));
    if (value < kLow || value > kHigh) return Refuse(text, "is out of range");
    s->relay_rate = value;
    return FormatBitRate(value);
  };
  field.show = [](const Settings& s) {
    return s.relay_rate > 0 ? FormatBitRate(s.relay_rate) : std::string("none");
  };
  return field;
}

std::vector<CampaignField> MakeFields() {
  constexpr int64_t kMiB = 1 << 20;
  constexpr Nanos kDay = Seconds(86'400);
  constexpr Nanos kInjectMax = Seconds(1);
  return {
      ServerAddress(),
      Count("server.identity", "identity", 0, INT64_MAX, &Settings::identity),
      FreeText("server.key_file", "key_file", "the path of a file that holds the HMAC key",
               &Settings::key_file),
      Flag("server.tls", "tls", &Settings::tls),
      FreeText("server.ca_file", "ca_file", "the path of a PEM file of authorities",
               &Settings::ca_file),
      Observer(),
      ObserverPort(),
      ServiceTime(),
      Choice("server.service_model", "service_model", {"sleep", "busy"}, &Settings::service_model),
      Op(),
      Mix(),
      ValueSize(),
      Compressible(),
      Count("workload.keys", "keys", 1, 1'000'000'000, &Settings::keys),
      Size("workload.key_size", "key_size", 8, 4096, &Settings::key_bytes),
      Count("workload.range_keys", "range_keys", 1, 1'000'000, &Settings::range_keys),
      Count("workload.batch_ops", "batch_ops", 1, 100'000, &Settings::batch_ops),
      Flag("workload.verify", "verify", &Settings::verify),
      Choice("workload.tag", "tag", {"crc32c", "sha1", "sha2", "none"}, &Settings::tag),
      Choice("workload.key_order", "key_order",
             {"uniform", "sequential", "zipf", "latest", "hotspot"}, &Settings::key_order),
      ZipfTheta(),
      Hot("workload.hot_keys", "hot_keys", &Settings::hot_keys, &Settings::HotKeys),
      Hot("workload.hot_requests", "hot_requests", &Settings::hot_requests, &Settings::HotRequests),
      Choice("workload.synchronization", "synchronization", {"writeback", "writethrough", "flush"},
             &Settings::synchronization),
      Load(),
      Once(Flag("load.reuse", "load_reuse", &Settings::reuse_keys)),
      Mode(),
      Count("load.flows", "flows", 1, 100'000, &Settings::flows),
      Count("load.depth", "depth", 1, 65'536, &Settings::depth),
      Choice("load.arrival", "arrival", {"constant", "poisson", "bursts", "ramp", "steps"},
             &Settings::arrival),
      BurstSize(),
      Rate("load.rate_total", "rate_total", &Settings::rate_total),
      Rate("load.rate_per_agent", "rate_per_agent", &Settings::rate_per_agent),
      Choice("transport", "transport", {"socket", "epoll", "uring", "null", "external"},
             &Settings::transport),
      ClientCommand(),
      OfClient(Duration("client.grace", "client_grace", Nanos(0), Seconds(3600),
                        &Settings::client_grace)),
      OfClient(
          Size("client.memory", "client_memory", 16 * kMiB, kMiB * kMiB, &Settings::client_memory)),
      OfClient(Choice("client.output", "client_output", {"auto", "csv", "fio", "none"},
                      &Settings::client_output)),
      Choice("poll", "poll", {"block", "spin"}, &Settings::poll),
      Choice("flush", "flush", {"batch", "op"}, &Settings::flush),
      Count("workers.count", "workers", 1, 1024, &Settings::workers),
      WorkerCpus(),
      Size("socket.send_buffer", "send_buffer", 0, 1024 * kMiB, &Settings::send_buffer_bytes),
      Size("socket.receive_buffer", "receive_buffer", 0, 1024 * kMiB,
           &Settings::receive_buffer_bytes),
      FreeText("socket.congestion_control", "congestion_control",
               "the name of a congestion control, like cubic", &Settings::congestion_control),
      Duration("run.warmup", "warmup", Nanos(0), kDay, &Settings::warmup),
      WarmUpOps(),
      WarmUpSteady(),
      WarmUpMost(kDay),
      Duration("run.duration", "duration", Millis(1), kDay, &Settings::duration),
      Once(Count("run.repetitions", "repetitions", 1, 10'000, &Settings::repetitions)),
      Seed(),
      Duration("run.op_timeout", "op_timeout", Millis(1), Seconds(3600), &Settings::op_timeout),
      Duration("run.connect_timeout", "connect_timeout", Millis(1), Seconds(600),
               &Settings::connect_timeout),
      Once(Choice("run.lost_agent", "lost_agent", {"abort", "continue"}, &Settings::lost_agent)),
      Once(Choice("run.suspect", "suspect", {"keep", "fail"}, &Settings::suspect)),
      Count("run.reconnects", "reconnects", 0, 1'000'000, &Settings::reconnects),
      Count("probes.sample_every", "sample_every", 0, 1'000'000'000, &Settings::sample_every),
      Count("probes.samples_max", "samples_max", 0, 10'000'000, &Settings::samples_max),
      Passes(),
      Count("probes.full_sample_every", "full_sample_every", 1, 1'000'000'000,
            &Settings::full_sample_every),
      Once(Choice("probes.baselines", "baselines", {"auto", "none"}, &Settings::baselines)),
      Duration("inject.encode", "inject_encode", Nanos(0), kInjectMax, &Settings::inject_encode),
      Duration("inject.decode", "inject_decode", Nanos(0), kInjectMax, &Settings::inject_decode),
      InjectRelay(kInjectMax),
      InjectRelayRate(),
      Flag("inject.keep_awake", "keep_awake", &Settings::keep_awake),
  };
}

}  // namespace

const std::vector<CampaignField>& CampaignFields() {
  static const auto* const fields = new std::vector<CampaignField>(MakeFields());
  return *fields;
}

const std::vector<std::string>& CampaignOpNames() {
  static const auto* const names = new std::vector<std::string>{
      "get",      "get_miss", "put",   "put_new", "put_conditional", "delete", "next",
      "previous", "version",  "range", "batch",   "flush",           "getlog", "noop"};
  return *names;
}

const CampaignField* FindCampaignField(absl::string_view path) {
  for (const CampaignField& field : CampaignFields()) {
    if (field.path == path) return &field;
  }
  return nullptr;
}

}  // namespace kbench
