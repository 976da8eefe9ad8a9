// The record of tune.yml is read as it stands, what it says is held against what the host says, and
// whatever else lies in its place is a stated fact.
#include "agent/host/host_tuning.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "agent/service/result_proto.h"

namespace kbench {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kRmem[] = "/proc/sys/net/ipv4/tcp_rmem";
constexpr char kGovernor[] = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor";

class HostTuningTest : public testing::Test {
 protected:
  HostTuningTest() {
    char name[] = "/tmp/kbench-tuning.XXXXXX";
    root_ = mkdtemp(name);
  }
  ~HostTuningTest() override { std::filesystem::remove_all(root_); }

  // A file of the host below root_.
  void Put(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    std::ofstream(root_ + path, std::ios::binary) << text;
  }
  HostTuning Read() const { return ReadHostTuning(Record(), root_); }
  HostTuning ReadWith(const std::string& text) const {
    Put("/tuning.json", text);
    return Read();
  }
  std::string Record() const { return root_ + "/tuning.json"; }

  std::string root_;
};

std::string Entry(const std::string& setting, const std::string& more) {
  return absl::StrCat("{\"setting\": \"", setting, "\", ", more, "}");
}

std::string Whole(const std::string& state, const std::string& settings) {
  return absl::StrCat("{\"schema\": 1, \"state\": \"", state,
                      "\", \"changed_at\": \"2026-11-26T17:19:08Z\", \"settings\": [", settings,
                      "]}");
}

const char* const kApplied =
    R"("status": "applied", "wanted": "4096 131072 67108864", "before": "4096\t131072\t6291456")";

TEST_F(HostTuningTest, AHostWithoutARecordWasNeverTuned) {
  EXPECT_EQ(Read().state, HostTuning::kNone);
  EXPECT_THAT(Read().settings, IsEmpty());
}

TEST_F(HostTuningTest, SaysWhatWasThereBeforeAndWhatIsThereNow) {
  Put(kRmem, "4096\t131072\t67108864\n");
  const HostTuning tuning = ReadWith(Whole("tuned", Entry(kRmem, kApplied)));
  EXPECT_EQ(tuning.state, HostTuning::kTuned);
  EXPECT_EQ(tuning.changed_at, "2026-11-26T17:19:08Z");
  ASSERT_THAT(tuning.settings, SizeIs(1));
  EXPECT_EQ(tuning.settings[0].status, "applied");
  EXPECT_EQ(tuning.settings[0].wanted, "4096 131072 67108864");
  EXPECT_EQ(tuning.settings[0].before, "4096\t131072\t6291456");
  EXPECT_EQ(tuning.settings[0].now, "4096\t131072\t67108864");
  EXPECT_FALSE(tuning.settings[0].Undone()) << "blanks are no difference";
}

TEST_F(HostTuningTest, SeesThatARestartHasUndoneIt) {
  Put(kRmem, "4096\t131072\t6291456\n");
  Put(kGovernor, "powersave\n");
  const HostTuning tuning = ReadWith(Whole(
      "tuned",
      absl::StrCat(Entry(kRmem, kApplied), ", ",
                   Entry(kGovernor, R"("status": "already", "wanted": "performance")"), ", ",
                   Entry("unit:irqbalance.service",
                         R"("status": "applied", "wanted": "inactive", "before": "active")"))));
  ASSERT_THAT(tuning.settings, SizeIs(3));
  EXPECT_TRUE(tuning.settings[0].Undone());
  EXPECT_TRUE(tuning.settings[1].Undone());
  EXPECT_FALSE(tuning.settings[2].Undone()) << "a unit is not asked for";
  EXPECT_EQ(ToProto(tuning).undone(), 2u);
}

TEST_F(HostTuningTest, AHostThatWasRestoredIsNotTuned) {
  Put(kRmem, "4096\t131072\t6291456\n");
  const HostTuning tuning = ReadWith(
      Whole("untuned", Entry(kRmem, R"("status": "restored", "before": "4096 131072 6291456")")));
  EXPECT_EQ(tuning.state, HostTuning::kUntuned);
  ASSERT_THAT(tuning.settings, SizeIs(1));
  EXPECT_EQ(tuning.settings[0].now, "4096\t131072\t6291456");
  EXPECT_FALSE(tuning.settings[0].Undone());
}

TEST_F(HostTuningTest, ARefusedSettingKeepsItsReason) {
  Put("/proc/sys/net/core/rmem_max", "212992\n");
  const HostTuning tuning = ReadWith(Whole(
      "tuned",
      Entry("/proc/sys/net/core/rmem_max",
            R"("status": "refused", "wanted": "67108864", "reason": "it can only be read here")")));
  ASSERT_THAT(tuning.settings, SizeIs(1));
  EXPECT_EQ(tuning.settings[0].reason, "it can only be read here");
  EXPECT_FALSE(tuning.settings[0].Undone()) << "it never was as wanted";
}

// The record is text that anybody with the right to write it may have written.
TEST_F(HostTuningTest, ReadsNoFileThatIsNoSetting) {
  Put("/etc/shadow", "secret");
  Put("/proc/sys/plain", "a value");
  const HostTuning tuning =
      ReadWith(Whole("tuned", absl::StrCat(Entry("/etc/shadow", kApplied), ", ",
                                           Entry("/proc/sys/../../etc/shadow", kApplied), ", ",
                                           Entry("/proc/sys/plain", kApplied))));
  ASSERT_THAT(tuning.settings, SizeIs(3));
  EXPECT_EQ(tuning.settings[0].now, "");
  EXPECT_EQ(tuning.settings[1].now, "");
  EXPECT_EQ(tuning.settings[2].now, "a value");
}

TEST_F(HostTuningTest, AnythingElseIsUnreadableAndSaysWhy) {
  const std::string good = Whole("tuned", Entry(kRmem, kApplied));
  for (size_t length = 0; length < good.size(); ++length) {
    EXPECT_EQ(ReadWith(good.substr(0, length)).state, HostTuning::kUnreadable) << length;
  }
  const auto problem = [&](const std::string& text) {
    const HostTuning tuning = ReadWith(text);
    EXPECT_EQ(tuning.state, HostTuning::kUnreadable) << text.substr(0, 80);
    EXPECT_THAT(tuning.settings, IsEmpty());
    return tuning.problem;
  };
  EXPECT_EQ(problem(std::string("\0\xff\xfe\x80garbage", 11)), "it is not JSON");
  EXPECT_EQ(problem("[1, 2]"), "it holds no JSON object");
  EXPECT_EQ(problem("{}"), "its `state` is neither tuned nor untuned");
  EXPECT_EQ(problem(R"({"state": 7, "settings": []})"), "its `state` is neither tuned nor untuned");
  EXPECT_EQ(problem(R"({"state": "tuned"})"), "it has no list `settings`");
  EXPECT_EQ(problem(R"({"state": "tuned", "settings": {}})"), "it has no list `settings`");
  EXPECT_EQ(problem(Whole("tuned", "5")), "an entry of `settings` names no setting");
  EXPECT_EQ(problem(Whole("tuned", "{\"setting\": [1]}")),
            "an entry of `settings` names no setting");
  EXPECT_THAT(problem(std::string(2 << 20, ' ')), HasSubstr("longer than"));
  EXPECT_EQ(problem(std::string(500'000, '[')), "it is not JSON");
}

TEST_F(HostTuningTest, WhatIsNoFileKeepsNobodyWaiting) {
  ASSERT_EQ(mkfifo(Record().c_str(), 0600), 0);
  EXPECT_EQ(Read().problem, "it is no file");
  ASSERT_EQ(unlink(Record().c_str()), 0);
  ASSERT_EQ(mkdir(Record().c_str(), 0700), 0);
  EXPECT_EQ(Read().state, HostTuning::kUnreadable);
  ASSERT_EQ(rmdir(Record().c_str()), 0);
  ASSERT_EQ(symlink("/proc/self/mem", Record().c_str()), 0);  // opens, and cannot be read
  EXPECT_EQ(Read().state, HostTuning::kUnreadable);
}

TEST_F(HostTuningTest, TravelsInTheResultAsPrintableText) {
  Put(kRmem, "4096\t131072\t67108864\n");
  const result::HostTuning sent = ToProto(
      ReadWith(Whole("tuned", Entry(kRmem, R"("status": "applied\u00e9", "wanted": "a\tb")"))));
  ASSERT_EQ(sent.settings_size(), 1);
  EXPECT_EQ(sent.state(), "tuned");
  EXPECT_EQ(sent.settings(0).status(), "applied??");
  EXPECT_EQ(sent.settings(0).wanted(), "a b");
  EXPECT_EQ(sent.settings(0).now(), "4096 131072 67108864");
}

}  // namespace
}  // namespace kbench
