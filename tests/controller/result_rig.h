// A small campaign with two cells and what its runs measured.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/durable_files.h"
#include "base/histogram.h"
#include "controller/campaign/campaign.h"
#include "controller/campaign/plan.h"
#include "controller/store/result_store.h"
#include "tests/base/scratch_files.h"

namespace kbench {

inline Campaign TwoCells() {
  const auto campaign =
      ParseCampaign("c.yaml", "name: two/cells\ntransport: [epoll, uring]\n", {.local_agents = 1});
  EXPECT_TRUE(campaign.ok()) << campaign.status();
  return *campaign;
}

inline Manifest ManifestOf(const Campaign& campaign, const std::string& run_id = "0123abcd") {
  Manifest manifest;
  manifest.campaign.name = campaign.name;
  manifest.campaign.run_id = run_id;
  manifest.campaign.started_utc = "2026-11-23T23:36:00Z";
  manifest.campaign.version = "1.2.3 (test)";
  manifest.campaign.server = "embedded";
  manifest.campaign.seed = UINT64_MAX;
  manifest.campaign.repetitions = campaign.repetitions;
  manifest.campaign.axes = {"transport"};
  manifest.campaign.constants = campaign.constants;
  for (const Cell& cell : campaign.cells) manifest.campaign.cells.push_back(cell.info);
  manifest.label = "before the change";
  manifest.runs_planned = 6;
  return manifest;
}

// `agents` results that differ from each other and hold about `bytes` each.
inline analysis::RunEvidence RunOf(int cell, int repetition, int agents = 2, size_t bytes = 0) {
  analysis::RunEvidence run{.cell = cell, .repetition = repetition};
  run.run_id = "0123abcd-000" + std::to_string(cell);
  for (int i = 0; i < agents; ++i) {
    result::RunResult& agent = run.agents.emplace_back();
    agent.set_run_id(run.run_id);
    agent.set_agent("[::1]:710" + std::to_string(i));
    agent.set_agent_index(static_cast<uint32_t>(i));
    agent.set_measured_ns(Seconds(1).count());
    agent.mutable_counts()->set_due(4);
    agent.mutable_counts()->set_sent(4);
    agent.mutable_counts()->set_answered(4);
    Histogram histogram;
    for (int64_t ns : {1000, 2000, 3000, 4000}) histogram.Record(Nanos(ns + i));
    result::OpResult* op = agent.add_ops();
    op->set_op("get");
    *op->mutable_counts() = agent.counts();
    op->set_response_ns(histogram.Encode());
    op->set_service_ns(histogram.Encode());
    op->add_first_errors(std::string(bytes, 'x'));
  }
  return run;
}

// A store, and the evidence that was added to it, as the campaign's runner has them.
struct Writing {
  explicit Writing(const std::string& results, const std::string& run_id = "0123abcd") {
    const Campaign campaign = TwoCells();
    Manifest manifest = ManifestOf(campaign, run_id);
    evidence = manifest.campaign;
    auto made = ResultStore::Create(results, campaign, PlanJson(campaign, MakePlan(campaign, 2), 2),
                                    manifest);
    status = made.status();
    if (made.ok()) store = *std::move(made);
  }
  absl::Status Add(const analysis::RunEvidence& run) {
    const int ordinal = static_cast<int>(evidence.runs.size());
    absl::Status added = store->AddRun(ordinal, run, {"sha-of-0", "sha-of-1"});
    if (added.ok()) evidence.runs.push_back(run);
    return added;
  }
  absl::StatusOr<std::string> Finish() {
    evidence.status = "complete";
    return store->Finish(evidence, 0, "", "2026-11-23T23:37:00Z");
  }

  absl::Status status;
  std::unique_ptr<ResultStore> store;
  analysis::CampaignEvidence evidence;
};

}  // namespace kbench
