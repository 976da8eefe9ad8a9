#include "controller/store/result_reader.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/digest.h"
#include "base/durable_files.h"
#include "base/status_macros.h"
#include "controller/store/result_store.h"

namespace kbench {
namespace {

namespace fs = std::filesystem;

constexpr absl::string_view kRestore = "restore the result directory from a copy";

bool IsPartial(const fs::path& directory) {
  return absl::StartsWith(fs::path(directory).filename().string(), std::string(kPartialPrefix));
}

absl::StatusOr<Manifest> ReadManifest(const std::string& directory) {
  const std::string path = directory + "/manifest.json";
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) {
    return absl::NotFoundError(
        absl::StrCat(directory, " is no result directory: ", text.status().message()));
  }
  absl::StatusOr<Manifest> manifest = ParseManifest(*text);
  if (!manifest.ok()) return Annotate(manifest.status(), path);
  return manifest;
}

// `file` as `named_in` names it.
absl::Status ReadEvidence(const std::string& directory, const EvidenceFile& file,
                          absl::string_view named_in, google::protobuf::Message* message) {
  const std::string path = absl::StrCat(directory, "/", file.name);
  ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
  if (Sha256Hex(bytes) == file.sha256 && message->ParseFromString(bytes)) return absl::OkStatus();
  return absl::InternalError(absl::StrCat(path, " is not what was written: its SHA-256 is not the ",
                                          "one in ", named_in, "; ", kRestore));
}

absl::StatusOr<RunRecord> ReadRun(const std::string& directory) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(directory + "/run.json"));
  ASSIGN_OR_RETURN(RunRecord record, ParseRunRecord(text));
  for (const EvidenceFile& file : record.agent_files) {
    RETURN_IF_ERROR(
        ReadEvidence(directory, file, "run.json", &record.evidence.agents.emplace_back()));
  }
  if (record.server_wire_file) {
    RETURN_IF_ERROR(ReadEvidence(directory, *record.server_wire_file, "run.json",
                                 &record.evidence.server_wire.emplace()));
  }
  return record;
}

// The files whose bytes the manifest answers for, as far as no number is computed from them.
absl::Status CheckNamedFiles(const std::string& directory, const Manifest& manifest) {
  for (const auto& [name, sha256] : {std::pair("/campaign.yaml", manifest.campaign_sha256),
                                     std::pair("/plan.json", manifest.plan_sha256)}) {
    ASSIGN_OR_RETURN(const std::string bytes, ReadFile(directory + name));
    if (Sha256Hex(bytes) == sha256) continue;
    return absl::InternalError(absl::StrCat(directory, name,
                                            " is not what was written: its SHA-256 is not the one ",
                                            "in manifest.json; ", kRestore));
  }
  return absl::OkStatus();
}

// Every run that has its run.json, in the order of execution.
absl::StatusOr<std::vector<RunRecord>> ReadRuns(const std::string& directory) {
  std::vector<RunRecord> runs;
  const std::string cells = directory + "/cells";
  std::error_code error;
  fs::recursive_directory_iterator entry(cells, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    if (entry->path().filename() != "run.json") continue;
    const std::string place = entry->path().parent_path();
    absl::StatusOr<RunRecord> run = ReadRun(place);
    if (!run.ok()) return Annotate(run.status(), place);
    runs.push_back(*std::move(run));
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return absl::InternalError(absl::StrCat("cannot read ", cells, ": ", error.message()));
  }
  std::sort(runs.begin(), runs.end(),
            [](const RunRecord& a, const RunRecord& b) { return a.ordinal < b.ordinal; });
  return runs;
}

// None of a directory that cannot be read, or is none.
std::vector<fs::path> EntriesOf(const fs::path& directory) {
  std::vector<fs::path> entries;
  std::error_code error;
  fs::directory_iterator entry(directory, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    entries.push_back(entry->path());
  }
  return entries;
}

}  // namespace

absl::StatusOr<StoredCampaign> ReadResult(const std::string& directory) {
  StoredCampaign stored{.directory = directory};
  ASSIGN_OR_RETURN(stored.manifest, ReadManifest(directory));
  RETURN_IF_ERROR(CheckNamedFiles(directory, stored.manifest));
  ASSIGN_OR_RETURN(std::vector<RunRecord> runs, ReadRuns(directory));
  stored.recovered = stored.manifest.ended_utc.empty();
  if (!stored.recovered && runs.size() != stored.manifest.runs.size()) {
    return absl::InternalError(absl::StrCat(directory, " is damaged: its manifest names ",
                                            stored.manifest.runs.size(), " runs, there are ",
                                            runs.size(), "; ", kRestore));
  }
  stored.evidence = stored.manifest.campaign;
  if (!stored.manifest.baselines_sha256.empty()) {
    result::NetworkBaselines baselines;
    RETURN_IF_ERROR(ReadEvidence(
        directory, {.name = "baselines.pb", .sha256 = stored.manifest.baselines_sha256},
        "manifest.json", &baselines));
    stored.evidence.baselines = {baselines.paths().begin(), baselines.paths().end()};
  }
  for (RunRecord& run : runs) {
    if (run.evidence.cell < 0 ||
        static_cast<size_t>(run.evidence.cell) >= stored.evidence.cells.size()) {
      return absl::InternalError(absl::StrCat(directory, " is damaged: run ", run.evidence.run_id,
                                              " is of cell ", run.evidence.cell,
                                              ", which the manifest does not know; ", kRestore));
    }
    stored.evidence.runs.push_back(std::move(run.evidence));
    stored.ordinals.push_back(run.ordinal);
  }
  if (stored.recovered) {
    stored.evidence.status = "aborted";
    result::Caveat& caveat = stored.evidence.caveats.emplace_back();
    caveat.set_code("recovered");
    caveat.set_text(absl::StrCat("the controller ended before the campaign did; ", runs.size(),
                                 " of ", stored.manifest.runs_planned, " runs were finished"));
  }
  return stored;
}

std::vector<ResultListing> ListResults(const std::string& results_dir) {
  std::vector<ResultListing> listings;
  for (const fs::path& campaign : EntriesOf(results_dir)) {
    for (const fs::path& entry : EntriesOf(campaign)) {
      std::error_code error;
      if (!fs::exists(entry / "manifest.json", error)) continue;
      ResultListing listing{.directory = entry, .manifest = ReadManifest(entry)};
      listing.partial = IsPartial(entry);
      listing.in_progress = listing.partial && IsLocked(listing.directory);
      listings.push_back(std::move(listing));
    }
  }
  for (const ResultListing& later : listings) {
    if (!later.manifest.ok() || later.manifest->resumed_from.empty()) continue;
    for (ResultListing& earlier : listings) {
      if (earlier.manifest.ok() &&
          earlier.manifest->campaign.run_id == later.manifest->resumed_from) {
        earlier.resumed_as = later.manifest->campaign.run_id;
        earlier.in_progress = false;  // it is its resumption that holds the lock
      }
    }
  }
  const auto started = [](const ResultListing& listing) {
    return listing.manifest.ok() ? listing.manifest->campaign.started_utc : std::string();
  };
  std::sort(listings.begin(), listings.end(), [&](const ResultListing& a, const ResultListing& b) {
    return std::pair(started(a), a.directory) < std::pair(started(b), b.directory);
  });
  return listings;
}

absl::StatusOr<std::string> FindResult(const std::string& results_dir, const std::string& name) {
  std::error_code ignored;  // a name that cannot be a path may still be an id
  if (fs::is_directory(name, ignored)) return name;
  std::vector<std::string> found;
  for (const ResultListing& listing : ListResults(results_dir)) {
    if (listing.manifest.ok() && !name.empty() &&
        absl::StartsWith(listing.manifest->campaign.run_id, name)) {
      found.push_back(listing.directory);
    }
  }
  if (found.size() == 1) return found[0];
  if (found.empty()) {
    return absl::NotFoundError(absl::StrCat("'", name, "' is neither a directory nor the id of a ",
                                            "run below ", results_dir, "; see 'kbench list'"));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("'", name, "' is the beginning of ", found.size(), " run ids; give more of it"));
}

}  // namespace kbench
