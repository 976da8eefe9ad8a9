// Who may command an agent: certificates of the fleet's authority, with the right role, still valid
// and not taken back; and what an agent's owner does not allow, whoever asks.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/base/certificate.h"
#include "tests/e2e/campaign_run.h"
#include "tests/e2e/process.h"

namespace kbench::e2e {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;

constexpr int kDone = 0, kUsage = 2, kAgentLost = 6;
constexpr long kDay = 86'400;

std::vector<std::string> Tls(const std::string& ca, const CertificateFiles& files) {
  return {"--tls-ca", ca, "--tls-certificate", files.certificate, "--tls-key", files.key};
}

CertificateWish Wish(const std::string& name, const std::string& role) {
  return {.common_name = name, .alternative_names = {"URI:urn:kbench:role:" + role}};
}

CertificateWish HostWish(const std::string& host) {
  return {.common_name = "agent", .alternative_names = {"URI:urn:kbench:role:agent", host}};
}

class ControlAccess : public testing::Test {
 protected:
  ControlAccess() : authority_(directory_.path()) {
    agent_ = authority_.Issue("agent", HostWish("IP:127.0.0.1"));
    controller_ = authority_.Issue("controller", Wish("lab controller", "controller"));
  }

  std::vector<std::string> Agent(std::vector<std::string> more = {}) const {
    std::vector<std::string> options = Tls(authority_.ca_file(), agent_);
    options.insert(options.end(), more.begin(), more.end());
    return options;
  }
  static Finished Ping(const std::string& address, const std::vector<std::string>& options) {
    std::vector<std::string> argv = {Program("kbench"), "agents", "ping", "--agents", address};
    argv.insert(argv.end(), options.begin(), options.end());
    return e2e::Run(argv, seconds(60));
  }
  Finished PingWith(const std::string& address, const CertificateFiles& files) const {
    return Ping(address, Tls(authority_.ca_file(), files));
  }
  // A small campaign by one agent.
  Finished Campaign(const Daemon& agent, const std::string& server, const std::string& more,
                    const CertificateFiles& files) const {
    const TempDir dir;
    return RunCampaign(dir,
                       absl::StrCat("name: access\nagents: ['", agent.address(),
                                    "']\nserver: {address: '", server,
                                    "'}\nworkload: {op: noop}\nprobes: {passes: [bare], "
                                    "baselines: none}\n",
                                    more),
                       Tls(authority_.ca_file(), files))
        .finished;
  }

  TempDir directory_;
  Authority authority_;
  CertificateFiles agent_, controller_;
};

TEST_F(ControlAccess, AControllerRunsACampaignOverMutualTls) {
  const Daemon agent("kbench-agent", Agent());
  const Daemon server("kbench-server", {});
  const Finished ping = PingWith(agent.address(), controller_);
  EXPECT_EQ(ping.code, kDone) << ping.err;
  const Finished run =
      Campaign(agent, server.address(), "run: {warmup: 10ms, duration: 50ms, repetitions: 1}\n",
               controller_);
  EXPECT_EQ(run.code, kDone) << run.out << run.err;
}

TEST_F(ControlAccess, AnObserverMayAskAndNotLoad) {
  const Daemon agent("kbench-agent", Agent());
  const Daemon server("kbench-server", {});
  const CertificateFiles observer = authority_.Issue("observer", Wish("watcher", "observer"));
  EXPECT_EQ(PingWith(agent.address(), observer).code, kDone);
  const Finished run = Campaign(agent, server.address(), "run: {duration: 50ms}\n", observer);
  EXPECT_EQ(run.code, kAgentLost);
  EXPECT_THAT(run.err, AllOf(HasSubstr("certificate 'watcher' has not the role"),
                             HasSubstr("urn:kbench:role:controller")));
}

TEST_F(ControlAccess, AnAgentsCertificateCommandsNobody) {
  const Daemon agent("kbench-agent", Agent());
  const Finished ping = PingWith(agent.address(), agent_);
  EXPECT_EQ(ping.code, kAgentLost);
  EXPECT_THAT(ping.err, HasSubstr("has not the role urn:kbench:role:observer"));
}

TEST_F(ControlAccess, StrangersExpiredAndRevokedCertificatesAreRefused) {
  const TempDir elsewhere;
  Authority other(elsewhere.path());
  const CertificateFiles stranger = other.Issue("stranger", Wish("stranger", "controller"));
  CertificateWish old = Wish("old", "controller");
  old.from_seconds = -2 * kDay;
  old.to_seconds = -kDay;
  CertificateWish early = Wish("early", "controller");
  early.from_seconds = kDay;
  early.to_seconds = 2 * kDay;
  const CertificateFiles revoked = authority_.Issue("revoked", Wish("revoked", "controller"));
  authority_.Revoke({revoked});
  const Daemon agent("kbench-agent", Agent({"--crl-directory", authority_.crl_directory()}));
  EXPECT_EQ(PingWith(agent.address(), controller_).code, kDone);
  for (const CertificateFiles& files :
       {stranger, authority_.Issue("old", old), authority_.Issue("early", early), revoked}) {
    const Finished ping = PingWith(agent.address(), files);
    EXPECT_EQ(ping.code, kAgentLost) << files.certificate;
    EXPECT_THAT(ping.err, HasSubstr(agent.address()));
  }
}

// It looks at its files every ten seconds.
TEST_F(ControlAccess, ARenewedCertificateNeedsNoRestart) {
  const std::string live = directory_.path() + "/live.pem";
  const auto put = [&](const CertificateFiles& files) {
    // The key first, as pki.yml does not promise an order: what does not fit together is not taken.
    for (const auto& [from, to] :
         {std::pair(files.key, live + ".key"), std::pair(files.certificate, live)}) {
      std::filesystem::copy_file(from, to + ".new");
      std::filesystem::rename(to + ".new", to);
    }
  };
  put(authority_.Issue("elsewhere", HostWish("DNS:other.example")));
  Daemon agent("kbench-agent",
               Tls(authority_.ca_file(), {.certificate = live, .key = live + ".key"}));
  ASSERT_EQ(PingWith(agent.address(), controller_).code, kAgentLost) << "it has another's name";
  put(agent_);
  const auto deadline = std::chrono::steady_clock::now() + seconds(60);
  Finished ping;
  do {
    ping = PingWith(agent.address(), controller_);
  } while (ping.code != kDone && std::chrono::steady_clock::now() < deadline);
  EXPECT_EQ(ping.code, kDone) << ping.err;
}

TEST_F(ControlAccess, WithoutCertificatesNobodyGetsIn) {
  const Daemon agent("kbench-agent", Agent());
  EXPECT_EQ(Ping(agent.address(), {}).code, kAgentLost);
}

TEST_F(ControlAccess, AControllerBelievesNoAgentOfAnotherNameOrAuthority) {
  const CertificateFiles elsewhere = authority_.Issue("elsewhere", HostWish("DNS:other.example"));
  const Daemon misnamed("kbench-agent", Tls(authority_.ca_file(), elsewhere));
  EXPECT_EQ(PingWith(misnamed.address(), controller_).code, kAgentLost);
  const TempDir directory;
  Authority other(directory.path());
  const CertificateFiles fake = other.Issue("fake", HostWish("IP:127.0.0.1"));
  const Daemon impostor("kbench-agent", Tls(authority_.ca_file(), fake));
  EXPECT_EQ(PingWith(impostor.address(), controller_).code, kAgentLost);
}

TEST_F(ControlAccess, AControllerBelievesNoAgentWhoseCertificateEndedOrWasTakenBack) {
  CertificateWish ended = HostWish("IP:127.0.0.1");
  ended.from_seconds = -2 * kDay;
  ended.to_seconds = -kDay;
  const Daemon old("kbench-agent", Tls(authority_.ca_file(), authority_.Issue("old", ended)));
  const Finished expired = PingWith(old.address(), controller_);
  EXPECT_EQ(expired.code, kAgentLost) << expired.out;
  EXPECT_THAT(expired.err, HasSubstr(old.address()));

  const CertificateFiles stolen = authority_.Issue("stolen", HostWish("IP:127.0.0.1"));
  authority_.Revoke({stolen});
  const Daemon thief("kbench-agent", Tls(authority_.ca_file(), stolen));
  const Daemon honest("kbench-agent", Agent());
  std::vector<std::string> options = Tls(authority_.ca_file(), controller_);
  EXPECT_EQ(Ping(thief.address(), options).code, kDone) << "nobody told the controller";
  options.insert(options.end(), {"--tls-crl-directory", authority_.crl_directory()});
  const Finished revoked = Ping(thief.address(), options);
  EXPECT_EQ(revoked.code, kAgentLost) << revoked.out;
  EXPECT_THAT(revoked.err, HasSubstr(thief.address()));
  EXPECT_EQ(Ping(honest.address(), options).code, kDone);
}

TEST_F(ControlAccess, SaysWhatIsMissing) {
  const auto refused = [](const std::string& program, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), Program(program));
    const Finished finished = e2e::Run(arguments, seconds(60));
    EXPECT_EQ(finished.code, kUsage) << finished.out << finished.err;
    return finished.err;
  };
  EXPECT_THAT(refused("kbench-agent", {"--listen", "127.0.0.1:0"}),
              HasSubstr("give --tls-ca, --tls-certificate and --tls-key"));
  EXPECT_THAT(refused("kbench-agent", {"--listen", "0.0.0.0:0", "--plaintext"}),
              HasSubstr("on loopback only"));
  EXPECT_THAT(refused("kbench-agent", {"--tls-ca", authority_.ca_file()}),
              HasSubstr("takes all of --tls-ca, --tls-certificate and --tls-key"));
  EXPECT_THAT(refused("kbench-agent", Agent({"--plaintext"})), HasSubstr("exclude each other"));
  EXPECT_THAT(refused("kbench-agent",
                      Tls(authority_.ca_file(), {.certificate = "/none.pem", .key = agent_.key})),
              HasSubstr("/none.pem"));
  EXPECT_THAT(refused("kbench-agent", Tls(authority_.ca_file(), {.certificate = agent_.certificate,
                                                                 .key = controller_.key})),
              HasSubstr(controller_.key));
  EXPECT_THAT(refused("kbench-agent", Agent({"--crl-directory", "/none"})),
              HasSubstr("/none is not a directory"));
  EXPECT_THAT(refused("kbench-agent", {"--plaintext", "--allow-target", "10.0.0.5/8"}),
              HasSubstr("is no network"));
  EXPECT_THAT(refused("kbench", {"agents", "ping", "--agents", "192.0.2.77:7100"}),
              AllOf(HasSubstr("on another host"), HasSubstr("--tls-ca")));
  EXPECT_THAT(refused("kbench", {"agents", "ping", "--agents", "127.0.0.1:1", "--tls-ca",
                                 authority_.ca_file()}),
              HasSubstr("give all of"));
}

TEST_F(ControlAccess, TakesItsOptionsFromAFile) {
  const std::string good = directory_.Write(
      "agent.toml", absl::StrCat("tls-ca = \"", authority_.ca_file(), "\"\ntls-certificate = \"",
                                 agent_.certificate, "\"\ntls-key = \"", agent_.key,
                                 "\"\nmax-connections = 3\nallow-target = [\"127.0.0.0/8\"]\n"));
  const Daemon agent("kbench-agent", {"--config", good});
  EXPECT_EQ(PingWith(agent.address(), controller_).code, kDone);
  const std::string bad = directory_.Write("bad.toml", "max-conections = 3\n");
  const Finished refused = e2e::Run({Program("kbench-agent"), "--config", bad}, seconds(60));
  EXPECT_EQ(refused.code, kUsage);
  EXPECT_THAT(refused.err, HasSubstr("max-conections"));
}

TEST_F(ControlAccess, AnAgentsOwnerHasTheLastWord) {
  const Daemon agent("kbench-agent",
                     Agent({"--max-connections", "4", "--max-duration", "2s", "--allow-target",
                            "127.0.0.0/8", "--allow-target", "::1"}));
  const Daemon slow("kbench-agent", Agent({"--max-rate", "100"}));
  const Daemon server("kbench-server", {});
  const auto said = [&](const Daemon& by, const std::string& more, const std::string& target) {
    const Finished run = Campaign(by, target, more, controller_);
    EXPECT_EQ(run.code, kUsage) << run.err;
    EXPECT_THAT(run.err, HasSubstr("this agent's owner does not allow it"));
    return run.err;
  };
  const std::string short_run = "run: {warmup: 0s, duration: 50ms, repetitions: 1}\n";
  EXPECT_EQ(Campaign(agent, server.address(), "load: {flows: 4}\n" + short_run, controller_).code,
            kDone);
  EXPECT_THAT(said(agent, "load: {flows: 5}\n" + short_run, server.address()),
              HasSubstr("5 connections are above --max-connections 4"));
  EXPECT_THAT(
      said(agent, "run: {warmup: 1s, duration: 1500ms, repetitions: 1}\n", server.address()),
      HasSubstr("above --max-duration 2s"));
  EXPECT_THAT(said(agent, short_run, "192.0.2.9:8123"),
              HasSubstr("192.0.2.9:8123 is in none of --allow-target 127.0.0.0/8, ::1"));
  EXPECT_THAT(said(slow, "load: {mode: open, rate_total: 200/s}\n" + short_run, server.address()),
              HasSubstr("200 requests/s are above --max-rate 100"));
  EXPECT_THAT(said(slow, short_run, server.address()), HasSubstr("a closed loop has no rate"));
  EXPECT_EQ(Campaign(slow, server.address(), "load: {mode: open, rate_total: 100/s}\n" + short_run,
                     controller_)
                .code,
            kDone);
}

}  // namespace
}  // namespace kbench::e2e
