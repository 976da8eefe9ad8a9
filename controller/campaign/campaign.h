// The experiment as a person wrote it, resolved: factors and their levels, constants, and the
// cells, one per combination of levels.
//
//   name: transports            every field has a default but `name` (campaign_fields.cc has the
//   agents: [10.0.0.5:7100]     list). A list, except for `agents` and `probes.passes`, is a
//   transport: [epoll, uring]   factor: the cells are the cartesian product, the last factor in
//   workload:                   the file varying fastest.
//     value_size: [4KiB, 1MiB]
//
// Errors name FILE:LINE:COL and the remedy, all of them at once, one per line.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "analysis/evidence/evidence.h"
#include "base/clock.h"
#include "base/value_sizes.h"
#include "controller/campaign/inventory.h"
#include "controller/campaign/rate_profile.h"

namespace kbench {

struct WeightedOp {
  std::string op;
  double weight = 1;
};

enum class LoadKeys { kAuto, kYes, kNo };
enum class CpuPlacement { kAuto, kNone, kList };

// What one cell runs with. Everything has a value; 0 and "" mean what the comment says.
struct Settings {
  std::string server_address;  // "": the embedded server of --local
  int64_t identity = 1;
  std::string key_file;       // "": the factory key
  bool tls = false;           // the server's port speaks it
  std::string ca_file;        // "": any certificate is taken
  std::string observer;       // HOST:PORT of an agent on the server's host; "": none
  int64_t observer_port = 0;  // of the server on that host; 0: the address's
  std::string service_time;   // "": none; embedded server only
  std::string service_model = "sleep";

  std::vector<WeightedOp> ops = {{"get", 1}};
  ValueSizes value_sizes = ValueSizes::Fixed(4096);
  double compressible = 0;  // share of the bytes behind a value's label
  int64_t keys = 1000;      // per agent
  int64_t range_keys = 100;
  int64_t batch_ops = 10;
  bool verify = false;
  std::string tag = "crc32c";  // of puts; or "none", "sha1", "sha2"
  int64_t key_bytes = 16;
  std::string key_order = "uniform";
  double zipf_theta = 0;    // of zipf and latest; 0: kZipfTheta
  double hot_keys = 0;      // of hotspot; 0: kHotKeys
  double hot_requests = 0;  // 0: kHotRequests
  std::string synchronization = "writeback";
  LoadKeys load = LoadKeys::kAuto;
  bool reuse_keys = false;  // those of an earlier campaign, if they are there

  bool open_loop = false;
  int64_t flows = 1;  // per agent
  int64_t depth = 1;
  std::string arrival = "constant";
  int64_t burst_size = 0;  // of bursts: requests at one instant, of all agents together
  RateProfile rate_total;
  RateProfile rate_per_agent;

  std::string transport = "socket";         // or "external": a client program makes the load
  std::vector<std::string> client_command;  // name, as the agents' owners allow it, and arguments
  Nanos client_grace = Seconds(10);
  int64_t client_memory = int64_t{2} << 30;
  std::string client_output = "auto";
  std::string poll = "block";
  std::string flush = "batch";
  int64_t workers = 1;
  CpuPlacement cpu_placement = CpuPlacement::kAuto;
  std::vector<int> worker_cpus;   // of kList
  int64_t send_buffer_bytes = 0;  // 0: the kernel's default, also below
  int64_t receive_buffer_bytes = 0;
  std::string congestion_control;

  Nanos warmup = Seconds(1);
  int64_t warmup_ops = 0;    // a run of its own before each, until so many were answered; 0: none
  double warmup_steady = 0;  // until throughput varies by no more than this share; 0: none
  Nanos warmup_most = Seconds(60);
  Nanos duration = Seconds(5);
  Nanos op_timeout = Seconds(10);
  Nanos connect_timeout = Seconds(5);
  int64_t reconnects = 0;  // attempts per connection
  int64_t repetitions = 3;
  std::string lost_agent = "abort";  // or "continue"
  std::string suspect = "keep";      // or "fail"
  uint64_t seed = 1;
  int64_t sample_every = 64;  // 0: no kernel stamps
  int64_t samples_max = 20'000;
  std::vector<analysis::Pass> passes = {analysis::Pass::kBare, analysis::Pass::kSampled,
                                        analysis::Pass::kFull};
  int64_t full_sample_every = 16;  // instead of sample_every, in the full pass
  std::string baselines = "auto";  // network paths are measured before the first run, or "none"

  Nanos inject_encode;  // burned per request, per answer
  Nanos inject_decode;
  bool keep_awake = false;            // CPUs of the agents' hosts
  std::optional<Nanos> inject_relay;  // each way; none: no delay
  int64_t relay_rate = 0;             // bit/s each way; 0: no bound. Neither: no relay

  static constexpr double kZipfTheta = 0.99, kHotKeys = 0.2, kHotRequests = 0.8;
  bool IsZipf() const { return key_order == "zipf" || key_order == "latest"; }
  bool IsHotspot() const { return key_order == "hotspot"; }
  // What holds, where the order takes it; else 0.
  double ZipfTheta() const { return !IsZipf() ? 0 : zipf_theta > 0 ? zipf_theta : kZipfTheta; }
  double HotKeys() const { return !IsHotspot() ? 0 : hot_keys > 0 ? hot_keys : kHotKeys; }
  double HotRequests() const {
    return !IsHotspot() ? 0 : hot_requests > 0 ? hot_requests : kHotRequests;
  }

  // A run before each run, whose length the server decides.
  bool WarmsUpApart() const { return warmup_ops > 0 || warmup_steady > 0; }

  bool IsExternal() const { return transport == "external"; }
  // So there is nothing to verify: nobody keeps values, or nobody but the program sees them.
  bool KeepsNoValues() const { return transport == "null" || IsExternal(); }

  // Whether the keys are written before the run: not those of an external client, which are its
  // own, nor over the null transport, which keeps none. What plans and what runs ask.
  bool LoadsKeys() const;
  // On the agent's host, between its flows and the server.
  bool has_relay() const { return inject_relay.has_value() || relay_rate > 0; }
  // What `inject` adds to one request with a value.
  Nanos Injected() const;
  // Kernel stamps for one request in so many; 0: none.
  int64_t SampleEvery(analysis::Pass pass) const;
  bool EmbeddedServer() const { return server_address.empty(); }
};

struct Factor {
  std::string axis;  // short name, as in cell labels
  std::string path;  // where it stands in the campaign: "workload.value_size"
  std::vector<std::string> levels;
};

struct Cell {
  analysis::CellInfo info;
  Settings settings;
  // Fields that stand in the campaign and that other cells use, of which this one's client program
  // is not told.
  std::vector<std::string> untold;
};

struct Campaign {
  std::string name;
  std::vector<std::string> agents;    // HOST:PORT; empty with --local
  std::vector<analysis::Gate> gates;  // that every cell is to hold
  int repetitions = 3;
  std::vector<analysis::Pass> passes;  // each repetition of a cell is one run per pass
  uint64_t seed = 1;
  std::vector<Factor> factors;                   // in the file's order
  std::map<std::string, std::string> constants;  // axis -> value, of every field that is no factor
  std::vector<Cell> cells;
  std::string source;                  // the file, verbatim
  std::vector<std::string> overrides;  // --set, verbatim
};

struct CampaignOptions {
  int local_agents = 0;                  // --local; 0: the campaign names its agents
  std::vector<std::string> overrides;    // "path=value", in order, the last wins
  const Inventory* inventory = nullptr;  // --inventory: '@NAME' in agents, server.address and
                                         // server.observer is looked up in it
  // Probes and an observer that no run can use are no error: the command has passes of its own, or
  // the campaign was taken before.
  bool takes_unused_probes = false;
  // Nor is a field of the workload that no cell can use: the campaign was taken before.
  bool takes_unused_workload = false;
};

// InvalidArgument with every complaint, one per line. `file` only names the text in errors.
absl::StatusOr<Campaign> ParseCampaign(absl::string_view file, absl::string_view text,
                                       const CampaignOptions& options);

// NotFound when there is no such file.
absl::StatusOr<Campaign> LoadCampaign(const std::string& path, const CampaignOptions& options);

}  // namespace kbench
