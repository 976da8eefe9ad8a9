// Only what the owner named may be run, and only as long as nobody else could have changed it.
#include "agent/program/allowed_clients.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "agent/run/caps.h"
#include "tests/agent/specs.h"

namespace kbench {
namespace {

using testing::HasSubstr;

class AllowedClientsTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/allowed-XXXXXX";
    directory_ = mkdtemp(name);
    program_ = directory_ + "/program";
    std::ofstream(program_) << "#!/bin/sh\n";
    chmod(program_.c_str(), 0755);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  static std::string Refused(const std::string& text) {
    AllowedClients clients;
    return std::string(clients.Allow(text).message());
  }

  std::string directory_;
  std::string program_;
};

TEST_F(AllowedClientsTest, AreFoundByName) {
  AllowedClients clients;
  ASSERT_TRUE(clients.Allow("mine=" + program_).ok());
  ExternalClient client = {.name = "mine"};
  ASSERT_TRUE(clients.Resolve(&client).ok());
  EXPECT_EQ(client.path, program_);
  EXPECT_FALSE(client.user.has_value());
  client.name = "theirs";
  const absl::Status no = clients.Resolve(&client);
  EXPECT_EQ(no.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(no.message()), HasSubstr("'theirs'; allowed are mine"));
  // A path is no name, whatever is there.
  client.name = program_;
  EXPECT_FALSE(clients.Resolve(&client).ok());
}

TEST_F(AllowedClientsTest, AreNoneByDefault) {
  ExternalClient client = {.name = "sh"};
  EXPECT_THAT(std::string(AllowedClients().Resolve(&client).message()),
              HasSubstr("none is allowed"));
  EXPECT_TRUE(AllowedClients().Problems().empty());
}

TEST_F(AllowedClientsTest, AreGivenAsNameAndAbsolutePath) {
  EXPECT_THAT(Refused(program_), HasSubstr("NAME=/PATH"));
  EXPECT_THAT(Refused("=" + program_), HasSubstr("NAME=/PATH"));
  EXPECT_THAT(Refused("a b=" + program_), HasSubstr("NAME=/PATH"));
  EXPECT_THAT(Refused("a=program"), HasSubstr("no absolute path"));
  EXPECT_THAT(Refused("a="), HasSubstr("no absolute path"));
  EXPECT_THAT(Refused("a=" + directory_ + "/../" + "x"), HasSubstr("'..'"));
  EXPECT_THAT(Refused("a=" + directory_), HasSubstr("no file that may be executed"));
  EXPECT_THAT(Refused("a=" + directory_ + "/none"), HasSubstr("No such file"));
  AllowedClients clients;
  ASSERT_TRUE(clients.Allow("a=" + program_).ok());
  EXPECT_THAT(std::string(clients.Allow("a=" + program_).message()), HasSubstr("twice"));
}

TEST_F(AllowedClientsTest, AreNotWhatOthersMayChange) {
  chmod(program_.c_str(), 0775);
  EXPECT_THAT(Refused("a=" + program_), HasSubstr("chmod go-w"));
  chmod(program_.c_str(), 0644);
  EXPECT_THAT(Refused("a=" + program_), HasSubstr("may be executed"));
  chmod(program_.c_str(), 0755);
  chmod(directory_.c_str(), 0777);
  EXPECT_THAT(Refused("a=" + program_), HasSubstr("can be written by others"));
  chmod(directory_.c_str(), 01777);
  EXPECT_EQ(Refused("a=" + program_), "") << "sticky, as /tmp";
  // A link is followed: it is what it leads to that is looked at.
  chmod(directory_.c_str(), 0755);
  const std::string link = directory_ + "/link";
  ASSERT_EQ(symlink(program_.c_str(), link.c_str()), 0);
  AllowedClients clients;
  ASSERT_TRUE(clients.Allow("a=" + link).ok());
  ExternalClient client = {.name = "a"};
  ASSERT_TRUE(clients.Resolve(&client).ok());
  EXPECT_EQ(client.path, program_);
}

TEST_F(AllowedClientsTest, AreLookedAtAgainEachTime) {
  AllowedClients clients;
  ASSERT_TRUE(clients.Allow("a=" + program_).ok());
  EXPECT_EQ(clients.Problems().at("a"), "");
  chmod(program_.c_str(), 0777);
  ExternalClient client = {.name = "a"};
  EXPECT_EQ(clients.Resolve(&client).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(clients.Problems().at("a"), HasSubstr("chmod go-w"));
}

TEST_F(AllowedClientsTest, RunAsSomebodyElseOnlyForRoot) {
  AllowedClients clients;
  EXPECT_THAT(std::string(clients.RunAs("no-such-user").message()), HasSubstr("no user"));
  if (geteuid() != 0) GTEST_SKIP() << "only root can start a program as somebody else";
  ASSERT_TRUE(clients.RunAs("nobody").ok());
  ASSERT_TRUE(clients.Allow("a=" + program_).ok());
  ExternalClient client = {.name = "a"};
  ASSERT_TRUE(clients.Resolve(&client).ok());
  ASSERT_TRUE(client.user.has_value());
  EXPECT_NE(client.user->uid, 0u);
}

TEST_F(AllowedClientsTest, AreHeldToTheOwnersCaps) {
  Caps caps;
  ASSERT_TRUE(caps.clients.Allow("a=" + program_).ok());
  RunSpec spec = SmallSpec({.host = "127.0.0.1", .port = 8123});
  spec.client = ExternalClient{.name = "a", .arguments = {}, .grace = Seconds(5), .path = {}};
  ASSERT_TRUE(Hold(caps, &spec).ok());
  EXPECT_EQ(spec.client->path, program_);
  caps.duration = Seconds(5);
  EXPECT_THAT(std::string(Hold(caps, &spec).message()), HasSubstr("client.grace"));
  caps.duration = Seconds(6);
  EXPECT_TRUE(Hold(caps, &spec).ok());
  caps.connections = 10;
  EXPECT_THAT(std::string(Hold(caps, &spec).message()), HasSubstr("--max-connections"));
  caps.connections = 0;
  caps.rate = 100;
  EXPECT_THAT(std::string(Hold(caps, &spec).message()), HasSubstr("--max-rate"));
}

}  // namespace
}  // namespace kbench
