#include "controller/campaign/key_ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kbench {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Known = KeyLedger::Known;

constexpr bool kSound = true;

control::RunSpec Spec(const std::string& op = "get", const std::string& server = "a:1") {
  control::RunSpec spec;
  spec.set_server(server);
  spec.set_transport("epoll");
  spec.set_load(true);
  spec.set_keys(100);
  spec.set_key_seed(7);
  spec.set_key_bytes(16);
  spec.add_ops()->set_op(op);
  return spec;
}

control::Loaded Wrote(uint64_t keys = 100) {
  control::Loaded loaded;
  loaded.set_keys(keys);
  return loaded;
}

control::Loaded Found(uint64_t keys = 100) {
  control::Loaded loaded = Wrote(keys);
  loaded.set_reused(keys);
  loaded.set_looked(64);
  return loaded;
}

class Ledger : public ::testing::Test {
 protected:
  // A run of `spec` writes its keys unless they may be there; tells whether it may find them.
  bool Run(control::RunSpec spec, bool trust = false, bool sound = kSound) {
    ledger_.Decide(trust, &spec);
    const control::Loaded loaded = spec.reuse_keys() ? Found(spec.keys()) : Wrote(spec.keys());
    ledger_.Take(spec, spec.load() ? &loaded : nullptr, sound);
    return spec.reuse_keys();
  }
  KeyLedger ledger_;
};

TEST_F(Ledger, KeysAreWrittenOnceAndThenLookedAt) {
  EXPECT_FALSE(Run(Spec()));
  EXPECT_TRUE(Run(Spec()));
  EXPECT_TRUE(Run(Spec("put"))) << "what a put writes is what is there";
  EXPECT_TRUE(Run(Spec("version")));
}

TEST_F(Ledger, EveryServerAgentAndDataSetHasItsOwn) {
  Run(Spec());
  EXPECT_FALSE(Run(Spec("get", "b:1")));
  control::RunSpec other = Spec();
  other.set_agent_index(1);
  EXPECT_FALSE(Run(other));
  other = Spec();
  other.set_key_seed(8);
  EXPECT_FALSE(Run(other));
  other = Spec();
  other.set_key_bytes(17);
  EXPECT_FALSE(Run(other));
  EXPECT_TRUE(Run(Spec())) << "and none takes away another's";
}

TEST_F(Ledger, AHundredKeysAreAmongTwoHundredButNotTheOtherWayRound) {
  control::RunSpec more = Spec();
  more.set_keys(200);
  EXPECT_FALSE(Run(more));
  EXPECT_TRUE(Run(Spec()));
  EXPECT_TRUE(Run(more)) << "those that were found are fewer, and the others still there";
  KeyLedger other;
  control::RunSpec few = Spec();
  const control::Loaded wrote = Wrote();
  other.Take(few, &wrote, kSound);
  EXPECT_EQ(other.Of(more), Known::kNothing);
}

TEST_F(Ledger, WhoHadToWriteThemAgainHasNoOthersAnyMore) {
  control::RunSpec more = Spec();
  more.set_keys(200);
  Run(more);
  const control::Loaded wrote = Wrote();  // the server was restarted: the sample was not there
  ledger_.Take(Spec(), &wrote, kSound);
  EXPECT_FALSE(Run(more));
}

TEST_F(Ledger, AfterDeletesKeysAreWrittenWhateverASampleSays) {
  for (const bool trust : {false, true}) {
    Run(Spec(), trust);
    Run(Spec("delete"), trust);
    EXPECT_EQ(ledger_.Of(Spec()), Known::kSpoilt);
    EXPECT_FALSE(Run(Spec("delete"), trust));
    EXPECT_FALSE(Run(Spec(), trust));
    EXPECT_TRUE(Run(Spec(), trust)) << "once is enough";
  }
}

// A run may delete without loading, and two addresses may lead to one server.
TEST_F(Ledger, DeletesSpoilTheKeysAtEveryAddress) {
  Run(Spec("get", "a:1"));
  Run(Spec("get", "b:1"));
  control::RunSpec deletes = Spec("delete", "b:1");
  deletes.set_load(false);
  Run(deletes, true);
  EXPECT_FALSE(Run(Spec("get", "a:1"), true));
  EXPECT_FALSE(Run(Spec("get", "b:1"), true));
  EXPECT_FALSE(Run(Spec("get", "c:1"), true));
}

TEST_F(Ledger, ARunThatDidNotEndWellLeavesNothingKnown) {
  Run(Spec());
  Run(Spec(), false, !kSound);
  EXPECT_FALSE(Run(Spec()));
}

TEST_F(Ledger, KeysOfAnEarlierCampaignAreTrustedOnlyWhenTheCampaignSaysSo) {
  control::RunSpec spec = Spec();
  ledger_.Decide(false, &spec);
  EXPECT_FALSE(spec.reuse_keys());
  ledger_.Decide(true, &spec);
  EXPECT_TRUE(spec.reuse_keys());
}

TEST_F(Ledger, WhoAsksForNoKeysOrHasNoServerIsNotTold) {
  control::RunSpec none = Spec("noop");
  none.set_load(false);
  EXPECT_FALSE(Run(none, true));
  EXPECT_EQ(ledger_.Of(Spec()), Known::kNothing);
  control::RunSpec null = Spec();
  null.set_transport("null");
  EXPECT_FALSE(Run(null, true));
  EXPECT_FALSE(Run(Spec())) << "the null transport has written nothing";
}

// The agent of an older release does not look: it answers without `reused`.
TEST_F(Ledger, AnAgentThatDoesNotSayHasWrittenAll) {
  Run(Spec());
  const control::Loaded old = Wrote();
  ledger_.Take(Spec(), &old, kSound);
  EXPECT_EQ(ledger_.Of(Spec()), Known::kThere);
}

TEST_F(Ledger, KeysThatNobodyHereHasWrittenAreACaveatOnce) {
  std::vector<control::RunSpec> specs = {Spec(), Spec()};
  specs[1].set_agent_index(1);
  const std::vector<std::optional<control::Loaded>> loaded = {Found(), Found()};
  std::vector<result::Caveat> caveats;
  ledger_.Take(specs, loaded, {}, kSound, &caveats);
  ASSERT_THAT(caveats, SizeIs(1));
  EXPECT_EQ(caveats[0].code(), "keys_reused");
  EXPECT_THAT(caveats[0].text(), HasSubstr("200 keys were not written by this campaign"));
  EXPECT_THAT(caveats[0].text(), HasSubstr("128 of them were read"));
  caveats.clear();
  ledger_.Take(specs, loaded, {}, kSound, &caveats);
  EXPECT_THAT(caveats, IsEmpty()) << "from then on it is known";
}

// A sample does not tell what is missing between its keys; the run's own reads do.
TEST_F(Ledger, KeysThatAReadHasMissedAreWrittenAgain) {
  const std::vector<control::RunSpec> specs = {Spec()};
  const std::vector<std::optional<control::Loaded>> loaded = {Found()};
  std::vector<result::Caveat> caveats;
  std::vector<result::RunResult> results(1);
  result::OpResult* op = results[0].add_ops();
  op->set_op("get_miss");
  (*op->mutable_statuses())["NOT_FOUND"] = 5;
  ledger_.Take(specs, loaded, results, kSound, &caveats);
  EXPECT_EQ(ledger_.Of(Spec()), Known::kThere) << "they are to be missed";
  op->set_op("get");
  ledger_.Take(specs, loaded, results, kSound, &caveats);
  EXPECT_EQ(ledger_.Of(Spec()), Known::kSpoilt);
}

TEST_F(Ledger, AnAgentThatWasLostBeforeItLoadedHasSaidNothing) {
  std::vector<control::RunSpec> specs = {Spec(), Spec()};
  specs[1].set_agent_index(1);
  const std::vector<std::optional<control::Loaded>> loaded = {Wrote(), std::nullopt};
  std::vector<result::Caveat> caveats;
  ledger_.Take(specs, loaded, {}, kSound, &caveats);
  EXPECT_EQ(ledger_.Of(specs[0]), Known::kThere);
  EXPECT_EQ(ledger_.Of(specs[1]), Known::kNothing);
}

}  // namespace
}  // namespace kbench
