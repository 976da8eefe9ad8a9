// One `kbench run` in a directory of its own, and what it left there.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/e2e/process.h"

namespace kbench::e2e {

struct CampaignRun {
  Finished finished;
  std::vector<std::string> result_dirs;   // complete result directories, oldest first
  std::vector<std::string> partial_dirs;  // what a crash would have left

  // manifest.json of the only result directory.
  nlohmann::json Manifest() const;
};

// The argv of a run of `yaml`, written into `dir` as campaign.yaml, with results in `dir`/results.
std::vector<std::string> RunArgv(const TempDir& dir, const std::string& yaml,
                                 const std::vector<std::string>& options);

CampaignRun RunCampaign(const TempDir& dir, const std::string& yaml,
                        const std::vector<std::string>& options,
                        milliseconds timeout = seconds(120));

// Looks again at what is under `dir`/results.
CampaignRun Look(const TempDir& dir, Finished finished);

nlohmann::json ReadJson(const std::string& path);

// Every file below `directory` with this name, sorted.
std::vector<std::string> FindFiles(const std::string& directory, const std::string& name);

}  // namespace kbench::e2e
