// `kbench probe` between real agents and a real server, and what it says when a path is not there.

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "tests/e2e/campaign_run.h"

namespace kbench::e2e {
namespace {

void ExpectSaid(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << "'" << part << "' is not in:\n" << text;
}

Finished Probe(std::vector<std::string> options) {
  options.insert(options.begin(), {Program("kbench"), "probe"});
  return e2e::Run(options, seconds(60));
}

nlohmann::json PathsOf(const Finished& finished) {
  const nlohmann::json json = nlohmann::json::parse(finished.out, nullptr, false);
  EXPECT_FALSE(json.is_discarded()) << finished.out << finished.err;
  return json.is_discarded() ? nlohmann::json::array() : json.at("paths");
}

TEST(Probe, MeasuresEveryPathOfALocalTrial) {
  const Finished finished = Probe({"--local", "--duration", "100ms", "--format", "json"});
  ASSERT_EQ(finished.code, 0) << finished.err;
  const nlohmann::json paths = PathsOf(finished);
  ASSERT_EQ(paths.size(), 4u) << "two agents: each to the server and to the other";
  int noops = 0;
  for (const auto& path : paths) {
    SCOPED_TRACE(path.dump());
    EXPECT_EQ(path.at("reason"), "");
    EXPECT_GE(path.at("echoes"), 20);
    EXPECT_GT(path.at("echo_floor_ns"), 0);
    EXPECT_GE(path.at("echo_p50_ns"), path.at("echo_floor_ns"));
    EXPECT_GE(path.at("echo_p99_ns"), path.at("echo_p50_ns"));
    EXPECT_GT(path.at("connect_ns"), 0);
    EXPECT_GT(path.at("min_rtt_ns"), 0);
    if (path.at("by") == "noop") {
      ++noops;
      EXPECT_TRUE(path.at("sent_bytes_per_s").is_null()) << "a server is not flooded";
      continue;
    }
    EXPECT_GT(path.at("sent_bytes_per_s"), 0);
    EXPECT_GT(path.at("received_bytes_per_s"), 0);
    EXPECT_GT(path.at("serialisation_out_ns").at("1MiB"),
              path.at("serialisation_out_ns").at("4KiB"));
  }
  EXPECT_EQ(noops, 2);
}

TEST(Probe, PrintsATable) {
  Daemon server("kbench-server", {});
  Daemon agent("kbench-agent", {"--plaintext"});
  Daemon servers_agent("kbench-agent", {"--plaintext"});
  const Finished finished =
      Probe({"--agents", agent.address(), "--server", server.address(), "--server-agent",
             servers_agent.address(), "--duration", "50ms"});
  EXPECT_EQ(finished.code, 0) << finished.err;
  for (const std::string& part :
       {agent.address(), server.address(), servers_agent.address(), std::string("B/s"),
        std::string("floor"), std::string("1MiB out")}) {
    ExpectSaid(finished.out, part);
  }
}

TEST(Probe, AServerThatIsNotThereHasItsExitCodeAndTheOtherPathsAreMeasured) {
  Daemon first("kbench-agent", {"--plaintext"});
  Daemon second("kbench-agent", {"--plaintext"});
  std::string gone;
  {
    Daemon server("kbench-server", {});
    gone = server.address();
  }
  const Finished finished = Probe({"--agents", first.address() + "," + second.address(), "--server",
                                   gone, "--duration", "50ms", "--format", "json"});
  EXPECT_EQ(finished.code, 8) << finished.err;
  ExpectSaid(finished.err, gone);
  int measured = 0;
  for (const auto& path : PathsOf(finished)) measured += path.at("reason") == "";
  EXPECT_EQ(measured, 2);
}

TEST(Probe, AWrongKeyIsAServerThatSaysNo) {
  Daemon server("kbench-server", {});
  Daemon agent("kbench-agent", {"--plaintext"});
  const TempDir dir;
  const Finished finished = Probe({"--agents", agent.address(), "--server", server.address(),
                                   "--key-file", dir.Write("key", "wrong"), "--duration", "50ms"});
  EXPECT_EQ(finished.code, 8) << finished.err;
  ExpectSaid(finished.out, "HMAC");
}

TEST(Probe, AnAgentThatIsNotThereEndsIt) {
  std::string gone;
  {
    Daemon agent("kbench-agent", {"--plaintext"});
    gone = agent.address();
  }
  const Finished finished = Probe({"--agents", gone, "--server", "127.0.0.1:1"});
  EXPECT_EQ(finished.code, 6) << finished.err;
  ExpectSaid(finished.err, gone);
}

// Ansible itself is not needed: what `ansible-inventory --list` would print comes from a script.
TEST(Probe, AnInventoryNamesAgentsAndServer) {
  Daemon server("kbench-server", {});
  Daemon agent("kbench-agent", {"--plaintext"});
  const auto port = [](const Daemon& of) {
    return std::stoi(of.address().substr(of.address().rfind(':') + 1));
  };
  const nlohmann::json list = {
      {"_meta",
       {{"hostvars",
         {{"client1", {{"ansible_host", "127.0.0.1"}, {"kbench_agent_port", port(agent)}}},
          {"drive7", {{"ansible_host", "127.0.0.1"}, {"kbench_server_port", port(server)}}}}}}},
      {"all", {{"children", {"agents", "servers"}}}},
      {"agents", {{"hosts", {"client1"}}}},
      {"servers", {{"hosts", {"drive7"}}}}};
  const TempDir dir;
  const std::string script =
      dir.Write("ansible-inventory", "#!/bin/sh\necho '" + list.dump() + "'\n");
  ASSERT_EQ(chmod(script.c_str(), 0755), 0);
  const auto kbench = [&](std::vector<std::string> arguments) {
    const char* path = std::getenv("PATH");
    arguments.insert(arguments.begin(),
                     {"/usr/bin/env", "PATH=" + dir.path() + ":" + (path == nullptr ? "" : path),
                      Program("kbench")});
    arguments.insert(arguments.end(), {"--inventory", dir.Write("hosts.ini", "")});
    return e2e::Run(arguments, seconds(60));
  };
  const Finished listed = kbench({"agents", "list"});
  EXPECT_EQ(listed.code, 0) << listed.err;
  EXPECT_EQ(listed.out, agent.address() + "\n");
  ExpectSaid(kbench({"agents", "ping", "--group", "client1"}).out, "idle");
  const Finished probed =
      kbench({"probe", "--server", "@drive7", "--duration", "50ms", "--format", "json"});
  EXPECT_EQ(probed.code, 0) << probed.err;
  EXPECT_EQ(PathsOf(probed).size(), 1u);
  const Finished unknown = kbench({"probe", "--server", "@drive8"});
  EXPECT_EQ(unknown.code, 2);
  ExpectSaid(unknown.err, "drive8");
  const Finished no_inventory = Probe({"--agents", agent.address(), "--server", "@drive7"});
  EXPECT_EQ(no_inventory.code, 2);
  ExpectSaid(no_inventory.err, "--inventory");
}

TEST(Probe, SaysWhatIsMissingOnTheCommandLine) {
  for (const auto& [options, says] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{}, "--agents"},
           {{"--agents", "127.0.0.1:7100"}, "no path"},
           {{"--agents", "127.0.0.1"}, "add --server"},
           {{"--agents", "127.0.0.1", "--server", "127.0.0.1:1"}, "not HOST:PORT"},
           {{"--agents", "127.0.0.1:0", "--server", "127.0.0.1:1"}, "no port"},
           {{"--agents", "127.0.0.1:1,127.0.0.1:2", "--tls"}, "add --server"},
           {{"--agents", "127.0.0.1:1", "--server", "127.0.0.1:1", "--ca-file", "x"}, "--tls"},
           {{"--agents", "127.0.0.1:1", "--server", "127.0.0.1:1", "--duration", "5"}, "unit"},
           {{"--agents", "127.0.0.1:1", "--server", "127.0.0.1:1", "--duration", "1h"}, "60s"},
           {{"--local", "--agents", "127.0.0.1:1"}, "--agents"},
           {{"--local", "--format", "xml"}, "xml"}}) {
    const Finished finished = Probe(options);
    EXPECT_EQ(finished.code, 2) << finished.err;
    ExpectSaid(finished.err, says);
  }
}

}  // namespace
}  // namespace kbench::e2e
