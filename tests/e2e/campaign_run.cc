#include "tests/e2e/campaign_run.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

namespace kbench::e2e {

namespace fs = std::filesystem;

nlohmann::json CampaignRun::Manifest() const {
  EXPECT_EQ(result_dirs.size(), 1u) << finished.out << finished.err;
  if (result_dirs.empty()) return {};
  return ReadJson(result_dirs.front() + "/manifest.json");
}

std::vector<std::string> RunArgv(const TempDir& dir, const std::string& yaml,
                                 const std::vector<std::string>& options) {
  std::vector<std::string> argv = {Program("kbench"), "run", dir.Write("campaign.yaml", yaml),
                                   "--results", dir.path() + "/results"};
  argv.insert(argv.end(), options.begin(), options.end());
  return argv;
}

CampaignRun RunCampaign(const TempDir& dir, const std::string& yaml,
                        const std::vector<std::string>& options, milliseconds timeout) {
  return Look(dir, Run(RunArgv(dir, yaml, options), timeout));
}

CampaignRun Look(const TempDir& dir, Finished finished) {
  CampaignRun run{.finished = std::move(finished), .result_dirs = {}, .partial_dirs = {}};
  const fs::path results = dir.path() + "/results";
  if (!fs::exists(results)) return run;
  for (const auto& campaign : fs::directory_iterator(results)) {
    if (!campaign.is_directory()) continue;
    for (const auto& entry : fs::directory_iterator(campaign)) {
      const bool partial = entry.path().filename().string().starts_with(".partial-");
      (partial ? run.partial_dirs : run.result_dirs).push_back(entry.path());
    }
  }
  std::sort(run.result_dirs.begin(), run.result_dirs.end());
  return run;
}

nlohmann::json ReadJson(const std::string& path) {
  nlohmann::json json = nlohmann::json::parse(ReadFile(path), nullptr, false);
  EXPECT_FALSE(json.is_discarded()) << path << " is not JSON";
  return json;
}

std::vector<std::string> FindFiles(const std::string& directory, const std::string& name) {
  std::vector<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (entry.path().filename() == name) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace kbench::e2e
