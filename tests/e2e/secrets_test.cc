// Keys of Kinetic identities, PINs and private TLS keys stay in their files: campaigns and single
// commands, good ones and all kinds of failing ones, run with secrets that exist nowhere else, and
// then everything is searched for them, in every form in which they could be written: what programs
// said, what they left on disk, and their command lines and environments while they ran.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>
#include <sstream>
#include <string_view>
#include <thread>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/fd.h"
#include "tests/base/certificate.h"
#include "tests/e2e/campaign_run.h"

namespace kbench::e2e {
namespace {

namespace fs = std::filesystem;
using testing::AnyOf;
using testing::IsEmpty;
using testing::Ne;

constexpr int kDone = 0, kAgentLost = 6, kUnreachable = 8, kInterrupted = 130;
constexpr const char* kShort =
    "run: {warmup: 20ms, duration: 100ms, repetitions: 1, connect_timeout: 2s, op_timeout: 2s}\n";
constexpr const char* kLong =
    "run: {warmup: 20ms, duration: 60s, repetitions: 1, connect_timeout: 2s, op_timeout: 2s}\n";

// What must not be found, each with a name for the message, in all forms of writing.
class Secrets {
 public:
  void Add(const std::string& name, const std::string& secret) {
    AddForm(name, secret);
    std::string hex = absl::BytesToHexString(secret);
    AddForm(name + " in hexadecimal", hex);
    AddForm(name + " in capital hexadecimal", absl::AsciiStrToUpper(hex));
    // Three bytes make four characters: the rest of a longer text can begin at any of the three.
    for (size_t before = 0; before < 3; ++before) {
      const std::string coded = absl::Base64Escape(std::string(before, 'x') + secret);
      AddForm(name + " in base64", coded.substr(4, coded.size() - 8));
    }
  }
  // Each line of a private key has bits of it.
  void AddPem(const std::string& name, const std::string& file) {
    std::istringstream lines(ReadFile(file));
    size_t added = 0;
    for (std::string line; std::getline(lines, line);) {
      if (line.find("--") != std::string::npos || line.size() < 20) continue;
      AddForm(name, line);
      ++added;
    }
    EXPECT_GT(added, 0u) << file;
  }
  // Names of what is in `text`.
  std::set<std::string> In(std::string_view text) const {
    std::set<std::string> found;
    const std::lock_guard lock(mutex_);
    for (const auto& [name, form] : forms_) {
      if (text.find(form) != std::string_view::npos) found.insert(name);
    }
    return found;
  }

 private:
  void AddForm(const std::string& name, const std::string& form) {
    ASSERT_GE(form.size(), 8u) << name << " would be found by chance";
    const std::lock_guard lock(mutex_);
    forms_.emplace_back(name, form);
  }
  mutable std::mutex mutex_;  // a test adds while the watch looks
  std::vector<std::pair<std::string, std::string>> forms_;
};

// Of a process that may be gone.
std::string ReadIfThere(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// Reads the command lines and environments of all processes again and again while it lives.
class ProcessWatch {
 public:
  explicit ProcessWatch(const Secrets& secrets)
      : secrets_(secrets), stop_(eventfd(0, EFD_CLOEXEC)), thread_([this] { Watch(); }) {}
  ~ProcessWatch() { Stop(); }
  ProcessWatch(const ProcessWatch&) = delete;
  ProcessWatch& operator=(const ProcessWatch&) = delete;

  // What was seen until now, each as "secret: file of which process".
  std::set<std::string> Stop() {
    if (thread_.joinable()) {
      eventfd_write(stop_.get(), 1);
      thread_.join();
    }
    return found_;
  }
  // Looks once.
  static std::set<std::string> Look(const Secrets& secrets) {
    std::set<std::string> found;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator("/proc", error)) {
      const std::string pid = entry.path().filename();
      if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
      for (const char* file : {"cmdline", "environ"}) {
        const std::string text = ReadIfThere(absl::StrCat("/proc/", pid, "/", file));
        for (const std::string& name : secrets.In(text)) {
          found.insert(absl::StrCat(name, ": ", file, " of ",
                                    ReadIfThere(absl::StrCat("/proc/", pid, "/comm"))));
        }
      }
    }
    return found;
  }

 private:
  void Watch() {
    pollfd stop = {.fd = stop_.get(), .events = POLLIN, .revents = 0};
    while (poll(&stop, 1, /*ms=*/5) == 0) found_.merge(Look(secrets_));
  }

  const Secrets& secrets_;
  Fd stop_;
  std::set<std::string> found_;  // the thread's until it is joined
  std::thread thread_;
};

// Names of the secrets in any file below `directory`, and in the files' names.
std::set<std::string> InFiles(const Secrets& secrets, const std::string& directory) {
  std::set<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    std::set<std::string> here = secrets.In(entry.path().string());
    if (entry.is_regular_file()) here.merge(secrets.In(ReadFile(entry.path())));
    for (const std::string& name : here) found.insert(name + " in " + entry.path().string());
  }
  return found;
}

std::vector<std::string> Joined(std::vector<std::string> first,
                                const std::vector<std::string>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

class SecretsStay : public testing::Test {
 protected:
  SecretsStay() : authority_(keys_.path()) {
    agent_ = Issue("agent", {"URI:urn:kbench:role:agent", "IP:127.0.0.1"});
    controller_ = Issue("controller", {"URI:urn:kbench:role:controller"});
    observer_ = Issue("observer", {"URI:urn:kbench:role:observer"});
    server_tls_ = Issue("server", {"IP:127.0.0.1"});
    key_file_ = Secret("the identity's key", "Kq7-identity-7QhWcXzR2m");
    wrong_key_file_ = Secret("a wrong key", "Kq7-wrong-key-Tn5bYvJ8");
  }
  void TearDown() override {
    EXPECT_THAT(watch_.Stop(), IsEmpty());
    EXPECT_THAT(InFiles(secrets_, work_.path()), IsEmpty());
  }

  // A file with a secret that is searched for.
  std::string Secret(const std::string& name, const std::string& secret) {
    secrets_.Add(name, secret);
    return keys_.Write(absl::StrCat("secret-", ++files_), secret);
  }
  CertificateFiles Issue(const std::string& name, const std::vector<std::string>& names) {
    const CertificateFiles files =
        authority_.Issue(name, {.common_name = name, .alternative_names = names});
    secrets_.AddPem("the TLS key of " + name, files.key);
    return files;
  }
  // The server's options: identity 1 has the key of key_file_.
  std::vector<std::string> Server(const std::vector<std::string>& more = {}) {
    const std::string line = absl::StrCat("1 ", ReadFile(key_file_), "\n");
    return Joined({"--identity-key-file", keys_.Write("identities", line)}, more);
  }
  std::string Yaml(const std::string& agent, const std::string& server, const std::string& key_file,
                   const std::string& more) const {
    return absl::StrCat("name: secrets\nagents: ['", agent, "']\nserver: {address: '", server,
                        "', key_file: '", key_file, "'}\nworkload: {op: [get, noop], keys: 16}\n",
                        "probes: {passes: [full]}\n", more);
  }
  std::vector<std::string> RunArgv(const std::string& yaml,
                                   const std::vector<std::string>& more) const {
    return Joined({Program("kbench"), "run", work_.Write("campaign.yaml", yaml), "--results",
                   work_.path() + "/results"},
                  more);
  }
  // Runs a program to its end; nothing that it said has a secret in it.
  int Run(const std::vector<std::string>& argv, milliseconds timeout = seconds(60)) {
    const Finished finished = e2e::Run(argv, timeout);
    Check(finished.out, finished.err, argv[0]);
    return finished.code;
  }
  void Check(const std::string& out, const std::string& err, const std::string& who) {
    EXPECT_THAT(secrets_.In(out), IsEmpty()) << who << " wrote to stdout:\n" << out;
    EXPECT_THAT(secrets_.In(err), IsEmpty()) << who << " wrote to stderr:\n" << err;
  }
  // Stops a daemon in order; nothing that it ever said has a secret in it.
  void Finish(Daemon* daemon, const std::string& who) {
    daemon->child().Signal(SIGTERM);
    daemon->child().Wait(seconds(60));
    Check(daemon->child().out(), daemon->child().err(), who);
  }

  TempDir keys_;  // has the secrets, and is not searched
  TempDir work_;
  Authority authority_;
  CertificateFiles agent_, controller_, observer_, server_tls_;
  Secrets secrets_;
  std::string key_file_, wrong_key_file_;
  int files_ = 0;
  ProcessWatch watch_{secrets_};
};

TEST(SecretsSearch, FindsThemWhereverTheyAre) {
  // All processes are looked at, those of the same test in another checkout, too.
  const std::string secret = absl::StrCat("a-secret-of-test-", getpid(), "-alone");
  Secrets secrets;
  secrets.Add("key", secret);
  EXPECT_THAT(secrets.In("nothing"), IsEmpty());
  EXPECT_THAT(secrets.In(absl::StrCat("x ", secret, " x")), testing::ElementsAre("key"));
  EXPECT_THAT(secrets.In(absl::BytesToHexString(secret)), Ne(std::set<std::string>()));
  for (const char* before : {"", "1", "12", "123"}) {
    EXPECT_THAT(secrets.In(absl::Base64Escape(absl::StrCat(before, secret, ", and more"))),
                testing::ElementsAre("key in base64"))
        << before;
  }
  const TempDir dir;
  dir.Write("log", absl::StrCat("a line\nkey=", secret, "\n"));
  EXPECT_THAT(InFiles(secrets, dir.path()), testing::SizeIs(1));
  EXPECT_THAT(ProcessWatch::Look(secrets), IsEmpty());
  const std::string stay = "echo here; kill -STOP $$";
  {
    Child child({"/bin/sh", "-c", stay, secret});
    child.WaitForOutput("here", seconds(60));
    EXPECT_THAT(ProcessWatch::Look(secrets), testing::ElementsAre("key: cmdline of sh\n"));
  }
  Child child({"/usr/bin/env", "KEY=" + secret, "/bin/sh", "-c", stay});
  child.WaitForOutput("here", seconds(60));
  EXPECT_THAT(ProcessWatch::Look(secrets), testing::ElementsAre("key: environ of sh\n"));
}

TEST_F(SecretsStay, InCampaignsThatSucceedAndInThoseThatAreRefused) {
  Daemon server("kbench-server", Server());
  Daemon agent("kbench-agent", authority_.TlsOptions(agent_));
  const std::string good = Yaml(agent.address(), server.address(), key_file_, kShort);
  EXPECT_EQ(Run(RunArgv(good, authority_.TlsOptions(controller_))), kDone);
  EXPECT_EQ(Run(RunArgv(good, Joined(authority_.TlsOptions(controller_), {"--format", "json"}))),
            kDone);
  EXPECT_EQ(Run(RunArgv(good, authority_.TlsOptions(observer_))), kAgentLost)
      << "an observer may not load";
  EXPECT_EQ(Run(RunArgv(Yaml(agent.address(), server.address(), wrong_key_file_, kShort),
                        authority_.TlsOptions(controller_))),
            kUnreachable);
  EXPECT_EQ(Run(RunArgv(Yaml(agent.address(), "127.0.0.1:1", key_file_, kShort),
                        authority_.TlsOptions(controller_))),
            kUnreachable);
  EXPECT_EQ(Run(RunArgv(good + "workloda: {}\n", authority_.TlsOptions(controller_))), 2);
  for (const char* format : {"text", "json", "csv", "markdown", "html"}) {
    EXPECT_EQ(
        Run({Program("kbench"), "report", Look(work_, {}).result_dirs.at(0), "--format", format}),
        kDone);
  }
  Finish(&agent, "the agent");
  Finish(&server, "the server");
}

TEST_F(SecretsStay, WhenAgentServerOrControllerEndInARun) {
  const auto start = [&](const Daemon& agent, const Daemon& server) {
    return RunArgv(Yaml(agent.address(), server.address(), key_file_, kLong),
                   Joined(authority_.TlsOptions(controller_), {"--set", "workload.op=get"}));
  };
  enum Victim { kAgent, kServer, kController };
  for (const Victim victim : {kAgent, kServer, kController}) {
    Daemon server("kbench-server", Server());
    Daemon agent("kbench-agent", authority_.TlsOptions(agent_));
    Child run(start(agent, server));
    run.WaitForOutput("ops/s", seconds(60));  // progress: the window is open
    if (victim == kAgent) agent.child().Signal(SIGKILL);
    if (victim == kServer) server.child().Signal(SIGKILL);
    if (victim == kController) run.Signal(SIGINT);
    const int code = run.Wait(seconds(60));
    EXPECT_THAT(code, AnyOf(kAgentLost, kUnreachable, kInterrupted)) << run.err();
    Check(run.out(), run.err(), "kbench run");
    Finish(&agent, "the agent");
    Finish(&server, "the server");
  }
}

TEST_F(SecretsStay, WithTheServerThatKbenchStartsItself) {
  const std::string yaml = absl::StrCat("name: local\nserver: {key_file: '", key_file_,
                                        "'}\nworkload: {op: get, keys: 16}\n", kShort);
  EXPECT_EQ(Run(RunArgv(yaml, {"--local", "1"})), kDone);
}

TEST_F(SecretsStay, InSingleRequests) {
  Daemon server("kbench-server", Server({"--tls-listen", "127.0.0.1:0", "--tls-certificate",
                                         server_tls_.certificate, "--tls-key", server_tls_.key}));
  const std::string said = server.child().WaitForOutput("TLS", seconds(60));
  const size_t at = said.find("127.0.0.1:", said.find("TLS"));
  ASSERT_NE(at, std::string::npos) << said;
  const std::string tls_address = said.substr(at, said.find_first_not_of("0123456789.:", at) - at);
  const auto kv = [&](const std::string& address, const std::string& key_file,
                      const std::vector<std::string>& more) {
    return Run(Joined({Program("kbench-kv"), "--server", address, "--key-file", key_file}, more));
  };
  const std::vector<std::string> tls = {"--tls", "--ca", authority_.ca_file()};
  EXPECT_EQ(kv(server.address(), key_file_, {"noop"}), kDone);
  EXPECT_NE(kv(server.address(), wrong_key_file_, {"noop"}), kDone);
  EXPECT_NE(kv("127.0.0.1:1", key_file_, {"noop"}), kDone);
  const std::string new_key = Secret("a new identity's key", "Kq7-acl-key-Dw4LpHs6GfXy");
  const std::string pin = Secret("a PIN", "Kq7-pin-8841-ZkMtRbQe");
  const std::string wrong_pin = Secret("a wrong PIN", "Kq7-pin-0000-JcUxNvWa");
  EXPECT_EQ(kv(tls_address, key_file_, Joined(tls, {"pin", "set-lock", "--pin-file", pin})), kDone);
  EXPECT_NE(kv(tls_address, key_file_,
               Joined(tls, {"pin", "set-lock", "--pin-file", pin, "--old-pin-file", wrong_pin})),
            kDone);
  EXPECT_NE(kv(tls_address, key_file_, Joined(tls, {"pin", "lock", "--pin-file", wrong_pin})),
            kDone);
  EXPECT_NE(kv(server.address(), key_file_, {"pin", "lock", "--pin-file", pin}), kDone)
      << "not over TLS";
  EXPECT_NE(kv(tls_address, key_file_, {"noop"}), kDone) << "TLS is asked for";
  EXPECT_EQ(kv(server.address(), key_file_,
               {"--format", "json", "log", "messages", "configuration", "statistics"}),
            kDone);
  EXPECT_NE(kv(server.address(), key_file_, {"acl", "2", "read", "--acl-key-file", new_key}), kDone)
      << "not over TLS";
  EXPECT_EQ(kv(tls_address, key_file_,
               Joined(tls, {"acl", "1", "read", "security", "getlog", "--acl-key-file", new_key})),
            kDone);
  EXPECT_NE(kv(server.address(), key_file_, {"noop"}), kDone) << "its key is another now";
  Finish(&server, "the server");
}

TEST_F(SecretsStay, InProbes) {
  Daemon server("kbench-server", Server());
  Daemon agent("kbench-agent", authority_.TlsOptions(agent_));
  const auto probe = [&](const std::string& key_file) {
    return Run(Joined({Program("kbench"), "probe", "--agents", agent.address(), "--server",
                       server.address(), "--key-file", key_file},
                      authority_.TlsOptions(controller_)));
  };
  EXPECT_EQ(probe(key_file_), kDone);
  EXPECT_NE(probe(wrong_key_file_), kDone);
  Finish(&agent, "the agent");
  Finish(&server, "the server");
}

TEST_F(SecretsStay, InFilesThatAreMalformed) {
  const std::string key = ReadFile(key_file_);
  for (const std::string& line :
       {key, "1 hex:" + key, "one " + key, "1 " + key + "\n1 " + key, key + " 1"}) {
    EXPECT_NE(Run({Program("kbench-server"), "--listen", "127.0.0.1:0", "--identity-key-file",
                   keys_.Write("malformed", line + "\n")},
                  seconds(60)),
              kDone)
        << line;
  }
  const std::string pem = ReadFile(agent_.key);
  const std::string half = keys_.Write("half.key", pem.substr(0, pem.size() - 60));
  EXPECT_NE(Run(Joined({Program("kbench-agent"), "--listen", "127.0.0.1:0"},
                       authority_.TlsOptions({.certificate = agent_.certificate, .key = half}))),
            kDone);
  EXPECT_NE(
      Run(Joined({Program("kbench-agent"), "--listen", "127.0.0.1:0"},
                 authority_.TlsOptions({.certificate = agent_.key, .key = agent_.certificate}))),
      kDone);
  EXPECT_NE(
      Run(Joined({Program("kbench"), "agents", "ping", "--agents", "127.0.0.1:1"},
                 authority_.TlsOptions({.certificate = controller_.certificate, .key = half}))),
      kDone);
  EXPECT_NE(Run({Program("kbench-server"), "--listen", "127.0.0.1:0", "--tls-listen", "127.0.0.1:0",
                 "--tls-certificate", server_tls_.certificate, "--tls-key", half}),
            kDone);
  // A file of secrets where a file of options should be.
  EXPECT_NE(Run({Program("kbench-agent"), "--config", agent_.key}), kDone);
  EXPECT_NE(Run({Program("kbench-agent"), "--config", key_file_}), kDone);
}

}  // namespace
}  // namespace kbench::e2e
