#include "controller/store/result_store.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "analysis/report/report.h"
#include "analysis/report/run_files.h"
#include "base/digest.h"
#include "base/durable_files.h"
#include "base/status_macros.h"
#include "controller/store/live_status.h"

namespace kbench {
namespace {

namespace fs = std::filesystem;

constexpr size_t kComponentMax = 120;

std::string RunDirectory(const analysis::CellInfo& cell, const analysis::RunEvidence& run) {
  return absl::StrFormat("cells/%02d-%s/rep%d/%s", cell.index, PathComponent(cell.Label()),
                         run.repetition, analysis::Name(run.pass));
}

// A run's directory and those above it, as far as they are the result's.
absl::Status SyncUpwards(const std::string& path) {
  for (const char* up : {"", "/..", "/../..", "/../../.."}) {
    RETURN_IF_ERROR(SyncDirectory(path + up));
  }
  return absl::OkStatus();
}

}  // namespace

std::string PathComponent(absl::string_view text) {
  std::string component;
  for (char c : text.substr(0, kComponentMax)) {
    const bool plain = absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                       absl::string_view("._=,+-").find(c) != absl::string_view::npos;
    component.push_back(plain ? c : '_');
  }
  if (component.empty() || component[0] == '.') component.insert(0, 1, '_');
  return component;
}

absl::StatusOr<std::unique_ptr<ResultStore>> ResultStore::Create(const std::string& results_dir,
                                                                 const Campaign& campaign,
                                                                 const std::string& plan_json,
                                                                 Manifest manifest) {
  auto store = std::unique_ptr<ResultStore>(new ResultStore);
  const std::string parent = absl::StrCat(results_dir, "/", PathComponent(campaign.name));
  // "2026-11-23T23:36:00Z" without what a shell would have to quote.
  const std::string instant =
      absl::StrReplaceAll(manifest.campaign.started_utc, {{":", ""}, {"-", ""}});
  const std::string name = absl::StrCat(instant, "-", manifest.campaign.run_id);
  store->final_dir_ = absl::StrCat(parent, "/", name);
  store->partial_dir_ = absl::StrCat(parent, "/", kPartialPrefix, name);
  store->manifest_ = std::move(manifest);
  store->manifest_.campaign.status = "running";
  store->manifest_.campaign_sha256 = Sha256Hex(campaign.source);
  store->manifest_.plan_sha256 = Sha256Hex(plan_json);
  RETURN_IF_ERROR(Annotate(MakeDirectories(parent), "result directory"));
  // From here on it is ours to remove; before, it could be another controller's.
  RETURN_IF_ERROR(Annotate(MakeNewDirectory(store->partial_dir_), "result directory"));
  const auto fill = [&]() -> absl::Status {
    RETURN_IF_ERROR(MakeDirectories(store->log_dir()));
    store->lock_ = TryLockDirectory(store->partial_dir_);
    RETURN_IF_ERROR(WriteDurably(store->partial_dir_ + "/campaign.yaml", campaign.source));
    RETURN_IF_ERROR(WriteDurably(store->partial_dir_ + "/plan.json", plan_json));
    RETURN_IF_ERROR(
        ReplaceDurably(store->partial_dir_ + "/manifest.json", ManifestJson(store->manifest_)));
    return SyncDirectory(parent);
  };
  if (const absl::Status filled = fill(); !filled.ok()) {
    store->Discard();
    return Annotate(filled, "result directory");
  }
  return store;
}

absl::Status ResultStore::AddBaselines(const std::vector<result::NetworkBaseline>& baselines) {
  result::NetworkBaselines all;
  for (const result::NetworkBaseline& path : baselines) *all.add_paths() = path;
  const std::string bytes = all.SerializeAsString();
  const auto write = [&]() -> absl::Status {
    RETURN_IF_ERROR(WriteDurably(partial_dir_ + "/baselines.pb", bytes));
    manifest_.baselines_sha256 = Sha256Hex(bytes);
    return ReplaceDurably(partial_dir_ + "/manifest.json", ManifestJson(manifest_));
  };
  return Annotate(write(), "result directory");
}

absl::Status ResultStore::AddRun(int ordinal, const analysis::RunEvidence& evidence,
                                 const std::vector<std::string>& spec_sha256) {
  absl::Status written = WriteRun(ordinal, evidence, spec_sha256);
  if (!written.ok()) {
    const analysis::CellInfo& cell = manifest_.campaign.cells[static_cast<size_t>(evidence.cell)];
    std::error_code ignored;  // a run without its run.json is not read
    fs::remove_all(absl::StrCat(partial_dir_, "/", RunDirectory(cell, evidence)), ignored);
  }
  return written;
}

absl::Status ResultStore::WriteRun(int ordinal, const analysis::RunEvidence& evidence,
                                   const std::vector<std::string>& spec_sha256) {
  const analysis::CellInfo& cell = manifest_.campaign.cells[static_cast<size_t>(evidence.cell)];
  const std::string directory = RunDirectory(cell, evidence);
  const std::string path = absl::StrCat(partial_dir_, "/", directory);
  RunRecord record{.ordinal = ordinal, .evidence = evidence, .spec_sha256 = spec_sha256};
  record.evidence.agents.clear();
  record.evidence.server_wire.reset();
  RETURN_IF_ERROR(MakeDirectories(path + "/agents"));
  for (const result::RunResult& agent : evidence.agents) {
    const std::string bytes = agent.SerializeAsString();
    record.agent_files.push_back({.name = absl::StrCat("agents/", agent.agent_index(), "-",
                                                       PathComponent(agent.agent()), ".pb"),
                                  .sha256 = Sha256Hex(bytes)});
    RETURN_IF_ERROR(WriteDurably(absl::StrCat(path, "/", record.agent_files.back().name), bytes));
  }
  RETURN_IF_ERROR(SyncDirectory(path + "/agents"));
  if (evidence.server_wire) {
    const std::string bytes = evidence.server_wire->SerializeAsString();
    record.server_wire_file = {.name = "server_wire.pb", .sha256 = Sha256Hex(bytes)};
    RETURN_IF_ERROR(WriteDurably(path + "/server_wire.pb", bytes));
  }
  // Last, so that a run without run.json is one whose evidence may be missing.
  RETURN_IF_ERROR(ReplaceDurably(path + "/run.json", RunRecordJson(record)));
  RETURN_IF_ERROR(SyncUpwards(path));
  AddToManifest(ordinal, evidence, directory);
  return absl::OkStatus();
}

void ResultStore::AddToManifest(int ordinal, const analysis::RunEvidence& evidence,
                                const std::string& directory) {
  const auto place =
      std::upper_bound(manifest_.runs.begin(), manifest_.runs.end(), ordinal,
                       [](int wanted, const ManifestRun& run) { return wanted < run.ordinal; });
  manifest_.runs.insert(place, {.ordinal = ordinal,
                                .cell = evidence.cell,
                                .repetition = evidence.repetition,
                                .pass = evidence.pass,
                                .run_id = evidence.run_id,
                                .status = std::string(analysis::Name(evidence.status)),
                                .directory = directory});
}

absl::Status ResultStore::AdoptRun(const std::string& from_result, int ordinal,
                                   const analysis::RunEvidence& evidence) {
  const analysis::CellInfo& cell = manifest_.campaign.cells[static_cast<size_t>(evidence.cell)];
  const std::string directory = RunDirectory(cell, evidence);
  const fs::path from = absl::StrCat(from_result, "/", directory);
  const fs::path to = absl::StrCat(partial_dir_, "/", directory);
  RETURN_IF_ERROR(MakeDirectories(to / "agents"));
  std::vector<fs::path> files;
  std::error_code error;
  fs::directory_iterator agent(from / "agents", error);
  for (; !error && agent != fs::directory_iterator(); agent.increment(error)) {
    files.push_back(fs::path("agents") / agent->path().filename());
  }
  if (evidence.server_wire) files.emplace_back("server_wire.pb");
  files.emplace_back("run.json");  // last: WriteRun()
  for (const fs::path& file : files) {
    RETURN_IF_ERROR(Annotate(LinkOrCopyDurably(from / file, to / file), "result directory"));
  }
  RETURN_IF_ERROR(SyncDirectory(to / "agents"));
  RETURN_IF_ERROR(SyncUpwards(to));
  AddToManifest(ordinal, evidence, directory);
  return absl::OkStatus();
}

absl::Status ResultStore::WriteDerived(const analysis::CampaignEvidence& evidence) {
  for (size_t i = 0; i < evidence.runs.size(); ++i) {
    const analysis::RunEvidence& run = evidence.runs[i];
    const std::string path = absl::StrCat(partial_dir_, "/", manifest_.runs[i].directory, "/");
    RETURN_IF_ERROR(WriteDurably(path + "summary.json", analysis::RunSummaryJson(run)));
    RETURN_IF_ERROR(WriteDurably(path + "decomposition.json", analysis::DecompositionJson(run)));
    RETURN_IF_ERROR(WriteDurably(path + "health.json", analysis::HealthJson(run)));
    RETURN_IF_ERROR(WriteDurably(path + "intervals.csv", analysis::IntervalsCsv(run)));
    RETURN_IF_ERROR(
        WriteDurably(path + "latency.hlog", analysis::LatencyHlog(run, evidence.started_utc)));
    RETURN_IF_ERROR(SyncDirectory(path));
  }
  const std::string top = partial_dir_ + "/";
  RETURN_IF_ERROR(WriteDurably(top + "summary.json", analysis::SummaryJson(evidence)));
  RETURN_IF_ERROR(WriteDurably(top + "report.html", analysis::HtmlReport(evidence)));
  return WriteDurably(top + "report.txt", analysis::TextReport(evidence, {}));
}

absl::Status ResultStore::FinishSteps(const analysis::CampaignEvidence& evidence) {
  RETURN_IF_ERROR(WriteDerived(evidence));
  RemoveLiveFiles(partial_dir_);
  RETURN_IF_ERROR(ReplaceDurably(partial_dir_ + "/manifest.json", ManifestJson(manifest_)));
  RETURN_IF_ERROR(MakeFilesReadOnly(partial_dir_));
  RETURN_IF_ERROR(SyncDirectory(partial_dir_));
  RETURN_IF_ERROR(RenameDurably(partial_dir_, final_dir_));
  RemoveLiveFiles(final_dir_);  // a cancellation that came too late
  return absl::OkStatus();
}

absl::StatusOr<std::string> ResultStore::Finish(const analysis::CampaignEvidence& evidence,
                                                int exit_code, const std::string& exit_text,
                                                const std::string& ended_utc) {
  manifest_.campaign = evidence;
  manifest_.campaign.runs.clear();
  manifest_.campaign.baselines.clear();
  manifest_.exit_code = exit_code;
  manifest_.exit_text = exit_text;
  manifest_.ended_utc = ended_utc;
  RETURN_IF_ERROR(Annotate(FinishSteps(evidence), "result directory"));
  lock_.Reset();
  return final_dir_;
}

void ResultStore::Discard() {
  std::error_code ignored;  // what cannot be removed is still marked .partial
  fs::remove_all(partial_dir_, ignored);
  fs::remove(fs::path(partial_dir_).parent_path(), ignored);  // only when empty
  lock_.Reset();
}

}  // namespace kbench
