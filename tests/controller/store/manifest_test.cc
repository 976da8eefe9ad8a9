#include "controller/store/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "controller/campaign/gate_syntax.h"
#include "tests/controller/result_rig.h"

namespace kbench {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Manifest Full() {
  Manifest manifest = ManifestOf(TwoCells());
  manifest.campaign.status = "failed";
  manifest.ended_utc = "2026-11-23T23:40:00Z";
  manifest.exit_code = 6;
  manifest.exit_text = "agent \"x\" was lost:\n\xe2\x82\xac";
  manifest.campaign_sha256 = "c0ffee";
  manifest.plan_sha256 = "bead";
  manifest.baselines_sha256 = "fade";
  manifest.resumed_from = "00c0ffee";
  result::Caveat& caveat = manifest.campaign.caveats.emplace_back();
  caveat.set_code("clock_step");
  caveat.set_text("the clock moved");
  manifest.campaign.gates = {*ParseGate("p99(get) < 2ms"), *ParseGate("errors<=0.1%")};
  manifest.runs.push_back({.ordinal = 0,
                           .cell = 1,
                           .repetition = 2,
                           .pass = analysis::Pass::kFull,
                           .run_id = "0123abcd-0000",
                           .status = "failed",
                           .directory = "cells/01-transport=uring/rep2/full"});
  return manifest;
}

RunRecord FullRecord() {
  RunRecord record{.ordinal = 5, .evidence = RunOf(1, 2)};
  record.evidence.agents.clear();
  record.evidence.status = analysis::RunStatus::kAborted;
  record.evidence.status_text = "phase measure: why";
  record.evidence.pass = analysis::Pass::kBare;
  record.evidence.first_send_skew_ns = int64_t{1} << 60;
  record.evidence.clock_error_bound_ns = 12'345;
  record.evidence.caveats.emplace_back().set_code("rearmed");
  record.spec_sha256 = {"aa", "bb"};
  record.agent_files = {{.name = "agents/0-a.pb", .sha256 = "11"},
                        {.name = "agents/1-b.pb", .sha256 = "22"}};
  record.server_wire_file = {.name = "server_wire.pb", .sha256 = "33"};
  return record;
}

TEST(Manifest, ComesBackAsItWas) {
  const Manifest before = Full();
  const auto parsed = ParseManifest(ManifestJson(before));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const analysis::CampaignEvidence& c = parsed->campaign;
  EXPECT_EQ(c.name, "two/cells");
  EXPECT_EQ(c.run_id, "0123abcd");
  EXPECT_EQ(c.status, "failed");
  EXPECT_EQ(c.started_utc, "2026-11-23T23:36:00Z");
  EXPECT_EQ(c.version, "1.2.3 (test)");
  EXPECT_EQ(c.server, "embedded");
  EXPECT_EQ(c.seed, UINT64_MAX) << "no detour through a double";
  EXPECT_EQ(c.repetitions, 3);
  EXPECT_THAT(c.axes, ElementsAre("transport"));
  EXPECT_EQ(c.constants, before.campaign.constants);
  ASSERT_EQ(c.cells.size(), 2u);
  EXPECT_EQ(c.cells[1].index, 1);
  EXPECT_EQ(c.cells[1].Label(), "transport=uring");
  ASSERT_EQ(c.gates.size(), 2u);
  EXPECT_EQ(c.gates[0].text, "p99(get) < 2ms");
  EXPECT_EQ(c.gates[1].bound, 0.001);
  EXPECT_FALSE(c.gates[1].strict);
  ASSERT_EQ(c.caveats.size(), 1u);
  EXPECT_EQ(c.caveats[0].code(), "clock_step");
  EXPECT_EQ(c.caveats[0].text(), "the clock moved");
  EXPECT_EQ(parsed->label, "before the change");
  EXPECT_EQ(parsed->ended_utc, before.ended_utc);
  EXPECT_EQ(parsed->exit_code, 6);
  EXPECT_EQ(parsed->exit_text, before.exit_text);
  EXPECT_EQ(parsed->campaign_sha256, "c0ffee");
  EXPECT_EQ(parsed->plan_sha256, "bead");
  EXPECT_EQ(parsed->baselines_sha256, "fade");
  EXPECT_EQ(parsed->resumed_from, "00c0ffee");
  EXPECT_EQ(parsed->runs_planned, 6u);
  ASSERT_EQ(parsed->runs.size(), 1u);
  EXPECT_EQ(parsed->runs[0].cell, 1);
  EXPECT_EQ(parsed->runs[0].repetition, 2);
  EXPECT_EQ(parsed->runs[0].pass, analysis::Pass::kFull);
  EXPECT_EQ(parsed->runs[0].run_id, "0123abcd-0000");
  EXPECT_EQ(parsed->runs[0].status, "failed");
  EXPECT_EQ(parsed->runs[0].directory, "cells/01-transport=uring/rep2/full");
  EXPECT_EQ(ManifestJson(*parsed), ManifestJson(before)) << "and nothing was forgotten above";
}

TEST(RunRecord, ComesBackAsItWas) {
  const RunRecord before = FullRecord();
  const auto parsed = ParseRunRecord(RunRecordJson(before));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->ordinal, 5);
  EXPECT_EQ(parsed->evidence.cell, 1);
  EXPECT_EQ(parsed->evidence.repetition, 2);
  EXPECT_EQ(parsed->evidence.pass, analysis::Pass::kBare);
  EXPECT_EQ(parsed->evidence.run_id, "0123abcd-0001");
  EXPECT_EQ(parsed->evidence.status, analysis::RunStatus::kAborted);
  EXPECT_EQ(parsed->evidence.status_text, "phase measure: why");
  EXPECT_EQ(parsed->evidence.first_send_skew_ns, int64_t{1} << 60);
  EXPECT_EQ(parsed->evidence.clock_error_bound_ns, 12'345);
  EXPECT_EQ(parsed->evidence.caveats[0].code(), "rearmed");
  EXPECT_THAT(parsed->spec_sha256, ElementsAre("aa", "bb"));
  ASSERT_EQ(parsed->agent_files.size(), 2u);
  EXPECT_EQ(parsed->agent_files[1].name, "agents/1-b.pb");
  EXPECT_EQ(parsed->agent_files[1].sha256, "22");
  ASSERT_TRUE(parsed->server_wire_file);
  EXPECT_EQ(parsed->server_wire_file->name, "server_wire.pb");
  EXPECT_EQ(parsed->server_wire_file->sha256, "33");
  EXPECT_EQ(RunRecordJson(*parsed), RunRecordJson(before));
}

TEST(RunRecord, KnowsEveryStatusAndNoOther) {
  RunRecord record = FullRecord();
  for (auto status : {analysis::RunStatus::kComplete, analysis::RunStatus::kAborted,
                      analysis::RunStatus::kFailed}) {
    record.evidence.status = status;
    EXPECT_EQ(ParseRunRecord(RunRecordJson(record))->evidence.status, status);
  }
  nlohmann::json json = nlohmann::json::parse(RunRecordJson(record));
  json["status"] = "splendid";
  const absl::Status status = ParseRunRecord(json.dump()).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("'splendid'"));
}

// Results from before there were passes were made with kernel stamps on some requests.
TEST(Manifest, RunsWithoutAPassAreSampled) {
  nlohmann::json manifest = nlohmann::json::parse(ManifestJson(Full()));
  EXPECT_EQ(manifest["runs"][0].erase("pass"), 1u);
  EXPECT_EQ(ParseManifest(manifest.dump())->runs[0].pass, analysis::Pass::kSampled);
  nlohmann::json record = nlohmann::json::parse(RunRecordJson(FullRecord()));
  EXPECT_EQ(record.erase("pass"), 1u);
  EXPECT_EQ(ParseRunRecord(record.dump())->evidence.pass, analysis::Pass::kSampled);
}

TEST(Manifest, APassOfAnotherReleaseIsNotGuessed) {
  nlohmann::json manifest = nlohmann::json::parse(ManifestJson(Full()));
  manifest["runs"][0]["pass"] = "thorough";
  EXPECT_THAT(std::string(ParseManifest(manifest.dump()).status().message()),
              HasSubstr("'thorough'"));
}

// Every key is needed: a manifest without one is damaged, and the message names the key. But for
// what came later.
template <typename Parse>
void EveryKeyIsNeeded(const std::string& text, Parse parse) {
  const nlohmann::json whole = nlohmann::json::parse(text);
  for (const auto& [key, value] : whole.items()) {
    nlohmann::json without = whole;
    without.erase(key);
    if (key != "pass" && key != "server_wire" && key != "baselines_sha256" &&
        key != "resumed_from" && key != "gates") {
      const absl::Status status = parse(without.dump()).status();
      EXPECT_TRUE(absl::IsInternal(status)) << key << ": " << status;
      EXPECT_THAT(std::string(status.message()), HasSubstr("'" + key + "'"));
    }
    nlohmann::json wrong = whole;
    wrong[key] = {{"not", "what it was"}};
    if (value.is_object()) wrong[key] = 7;
    EXPECT_FALSE(parse(wrong.dump()).ok()) << key;
  }
}

TEST(Manifest, NeedsEveryKey) { EveryKeyIsNeeded(ManifestJson(Full()), ParseManifest); }

TEST(RunRecord, NeedsEveryKey) { EveryKeyIsNeeded(RunRecordJson(FullRecord()), ParseRunRecord); }

TEST(Manifest, EveryTruncationIsDamageWithARemedy) {
  std::string text = ManifestJson(Full());
  text.resize(text.find_last_of('}'));  // up to the last brace it is incomplete
  for (size_t length = 0; length <= text.size(); ++length) {
    const absl::Status status = ParseManifest(text.substr(0, length)).status();
    ASSERT_TRUE(absl::IsInternal(status)) << length << ": " << status;
    ASSERT_THAT(std::string(status.message()), HasSubstr("damaged"));
    ASSERT_THAT(std::string(status.message()), HasSubstr("restore the result directory"));
  }
}

TEST(Manifest, AnotherSchemaAsksForTheReleaseThatWroteIt) {
  nlohmann::json json = nlohmann::json::parse(ManifestJson(Full()));
  json["schema_version"] = kResultSchemaVersion + 1;
  const absl::Status status = ParseManifest(json.dump()).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("schema version 2, this kbench reads 1"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("use the release that wrote it"));
}

// A message of another process may hold anything; the manifest stays JSON.
TEST(Manifest, SurvivesTextThatIsNotUtf8) {
  Manifest manifest = Full();
  manifest.exit_text = "bad \xff byte";
  const auto parsed = ParseManifest(ManifestJson(manifest));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_THAT(parsed->exit_text, HasSubstr(" byte"));
}

}  // namespace
}  // namespace kbench
