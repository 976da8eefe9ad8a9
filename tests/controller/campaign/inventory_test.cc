#include "controller/campaign/inventory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "controller/campaign/campaign.h"
#include "controller/campaign/captured_command.h"

namespace kbench {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using Kind = Inventory::Kind;

// As `ansible-inventory --list` prints it.
constexpr char kListed[] = R"({
  "_meta": {"hostvars": {
    "client1": {"ansible_host": "10.0.0.5"},
    "client2": {"ansible_host": "10.0.0.6", "kbench_agent_port": 7200},
    "client3": {"ansible_host": "fd00::7", "kbench_agent_port": "7300"},
    "drive7": {"ansible_host": "10.0.0.70", "kbench_server_address": "192.0.2.7",
               "kbench_server_port": 8124}}},
  "all": {"children": ["ungrouped", "agents", "servers"]},
  "agents": {"children": ["fast"], "hosts": ["client1"]},
  "fast": {"hosts": ["client2", "client3"]},
  "servers": {"hosts": ["drive7", "plain"]}
})";

TEST(Inventory, NamesTheHostsOfAGroupAndOfItsChildren) {
  const auto inventory = Inventory::Parse("hosts.ini", kListed);
  ASSERT_TRUE(inventory.ok()) << inventory.status();
  EXPECT_THAT(*inventory->Find("agents", Kind::kAgent),
              ElementsAre("10.0.0.5:7100", "10.0.0.6:7200", "[fd00::7]:7300"));
  EXPECT_THAT(*inventory->Find("fast", Kind::kAgent),
              ElementsAre("10.0.0.6:7200", "[fd00::7]:7300"));
  EXPECT_THAT(*inventory->Find("client2", Kind::kAgent), ElementsAre("10.0.0.6:7200"));
  EXPECT_THAT(*inventory->Find("drive7", Kind::kServer), ElementsAre("192.0.2.7:8124"));
  EXPECT_THAT(*inventory->Find("drive7", Kind::kAgent), ElementsAre("10.0.0.70:7100"));
  EXPECT_THAT(*inventory->Find("plain", Kind::kServer), ElementsAre("plain:8123"));
}

TEST(Inventory, SaysWhatThereIsWhenANameIsUnknown) {
  const auto found = Inventory::Parse("hosts.ini", kListed)->Find("agent", Kind::kAgent);
  EXPECT_THAT(found.status().message(),
              AllOf(HasSubstr("inventory hosts.ini: no host and no group with hosts is called "
                              "'agent'"),
                    HasSubstr("agents"), HasSubstr("client1")));
}

TEST(Inventory, RefusesWhatIsNoInventory) {
  for (const char* text : {"", "[]", "{}", "{\"_meta\": 3}", "{\"agents\": {\"hosts\": 3}}",
                           "{\"agents\": {\"hosts\": [3]}}"}) {
    EXPECT_FALSE(Inventory::Parse("x", text).ok()) << text;
  }
  EXPECT_THAT(Inventory::Parse("x",
                               R"({"_meta": {"hostvars": {"a": {"kbench_agent_port": "seven"}}},
                                   "agents": {"hosts": ["a"]}})")
                  .status()
                  .message(),
              HasSubstr("host a: kbench_agent_address 'a' and kbench_agent_port 'seven'"));
}

TEST(Inventory, GroupsThatHoldEachOtherEnd) {
  const auto inventory = Inventory::Parse(
      "x", R"({"a": {"children": ["b"], "hosts": ["one"]}, "b": {"children": ["a"]}})");
  ASSERT_TRUE(inventory.ok()) << inventory.status();
  EXPECT_THAT(*inventory->Find("b", Kind::kAgent), ElementsAre("one:7100"));
}

// A program of this name in a directory that PATH begins with.
class FakeAnsible {
 public:
  explicit FakeAnsible(const std::string& script) {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "kbench-ansible-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    directory_ = pattern;
    const std::string program = directory_ + "/ansible-inventory";
    std::ofstream(program) << "#!/bin/sh\n" << script << "\n";
    chmod(program.c_str(), 0755);
    path_ = getenv("PATH");
    setenv("PATH", absl::StrCat(directory_, ":", path_).c_str(), 1);
  }
  ~FakeAnsible() {
    setenv("PATH", path_.c_str(), 1);
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

 private:
  std::string directory_, path_;
};

TEST(Inventory, IsReadByAnsible) {
  const FakeAnsible ansible(
      absl::StrCat("test \"$*\" = '-i my hosts.ini --list' || exit 9\ncat "
                   "<<'END'\n",
                   kListed, "\nEND"));
  const auto inventory = Inventory::Read("my hosts.ini");
  ASSERT_TRUE(inventory.ok()) << inventory.status();
  EXPECT_TRUE(inventory->Find("servers", Kind::kServer).ok());
}

TEST(Inventory, SaysWhatAnsibleSaid) {
  const FakeAnsible ansible("echo 'ERROR! no such file' >&2; exit 4");
  EXPECT_THAT(Inventory::Read("hosts.ini").status().message(),
              AllOf(HasSubstr("ended with code 4"), HasSubstr("ERROR! no such file")));
}

TEST(CaptureCommand, EndsAProgramThatDoesNotEnd) {
  const auto output = CaptureCommand({"sh", "-c", "echo begun >&2; sleep 60"}, Millis(200));
  EXPECT_EQ(output.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(output.status().message(), HasSubstr("begun"));
  EXPECT_EQ(CaptureCommand({"kbench-no-such-program"}, Seconds(1)).status().code(),
            absl::StatusCode::kNotFound);
}

TEST(Campaign, TakesItsHostsFromAnInventory) {
  const Inventory inventory = *Inventory::Parse("hosts.ini", kListed);
  const CampaignOptions options = {.inventory = &inventory};
  const auto all = ParseCampaign("c", "name: x\nserver: {address: '@drive7'}\n", options);
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ(all->agents.size(), 3u);
  EXPECT_EQ(all->cells[0].settings.server_address, "192.0.2.7:8124");
  const auto some = ParseCampaign("c",
                                  "name: x\nagents: ['@fast', '10.9.9.9:1']\n"
                                  "server: {address: ['@drive7', '@plain'], observer: '@drive7'}\n",
                                  options);
  ASSERT_TRUE(some.ok()) << some.status();
  EXPECT_THAT(some->agents, ElementsAre("10.0.0.6:7200", "[fd00::7]:7300", "10.9.9.9:1"));
  EXPECT_EQ(some->cells.size(), 2u);
  EXPECT_EQ(some->cells[1].settings.server_address, "plain:8123");
  EXPECT_EQ(some->cells[0].settings.observer, "10.0.0.70:7100");
}

TEST(Campaign, SaysWhereANameIsNotFound) {
  const Inventory inventory = *Inventory::Parse("hosts.ini", kListed);
  const auto said = [](const char* text, const CampaignOptions& options) {
    return std::string(ParseCampaign("c", text, options).status().message());
  };
  EXPECT_THAT(
      said("name: x\nagents: ['@fsat']\nserver: {address: '@drive7'}\n", {.inventory = &inventory}),
      HasSubstr("c:2:10: in 'agents': inventory hosts.ini: no host and no group"));
  EXPECT_THAT(said("name: x\nserver: {address: '@servers'}\n", {.inventory = &inventory}),
              HasSubstr("'@servers' is a group of 2 hosts; name one of them"));
  EXPECT_THAT(said("name: x\nagents: ['@fast']\nserver: {address: 'a:1'}\n", {}),
              HasSubstr("add --inventory FILE"));
}

}  // namespace
}  // namespace kbench
