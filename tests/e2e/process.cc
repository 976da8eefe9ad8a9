#include "tests/e2e/process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <utility>

namespace kbench::e2e {
namespace {

using Clock = std::chrono::steady_clock;

// What the thread that reads a child's streams is told.
constexpr uint64_t kChildIsGone = 1;
constexpr uint64_t kReadNoMore = 1 << 20;

void Tell(const Fd& eventfd, uint64_t what) {
  EXPECT_EQ(write(eventfd.get(), &what, sizeof(what)), static_cast<ssize_t>(sizeof(what)));
}

std::vector<std::string> WithListen(const std::string& program, const std::string& listen,
                                    const std::vector<std::string>& arguments) {
  std::vector<std::string> argv = {Program(program), "--listen", listen};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return argv;
}

}  // namespace

Child::Child(const std::vector<std::string>& argv, const std::function<void()>& before_exec)
    : stop_(eventfd(0, EFD_CLOEXEC)) {
  int out[2], err[2];
  if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) std::abort();
  std::vector<char*> raw;
  raw.reserve(argv.size() + 1);
  for (const std::string& a : argv) raw.push_back(const_cast<char*>(a.c_str()));
  raw.push_back(nullptr);
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(out[1], STDOUT_FILENO);
    dup2(err[1], STDERR_FILENO);
    const int null = open("/dev/null", O_RDONLY);
    dup2(null, STDIN_FILENO);
    if (before_exec) before_exec();
    execv(raw[0], raw.data());
    _exit(127);
  }
  close(out[1]);
  close(err[1]);
  drain_ = std::thread([this, out = Fd(out[0]), err = Fd(err[0])]() mutable {
    Drain(std::move(out), std::move(err));
  });
}

Child::~Child() {
  if (!reaped_ && pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, &status_, 0);
  }
  Tell(stop_, kReadNoMore);
  drain_.join();
}

void Child::Drain(Fd out, Fd err) {
  pollfd fds[] = {{.fd = out.get(), .events = POLLIN, .revents = 0},
                  {.fd = err.get(), .events = POLLIN, .revents = 0},
                  {.fd = stop_.get(), .events = POLLIN, .revents = 0}};
  std::string* const into[] = {&streams_.out, &streams_.err};
  while (fds[0].fd >= 0 || fds[1].fd >= 0) {
    poll(fds, 3, -1);
    const std::lock_guard lock(mutex_);
    for (int i = 0; i < 2; ++i) {
      if (fds[i].fd < 0 || fds[i].revents == 0) continue;
      char buffer[4096];
      const ssize_t n = read(fds[i].fd, buffer, sizeof(buffer));
      if (n > 0) into[i]->append(buffer, static_cast<size_t>(n));
      if (n == 0 || (n < 0 && errno != EINTR)) fds[i].fd = -1;
    }
    // A grandchild may hold the pipes of a child that is gone: it has written what is read by now.
    if (fds[0].revents == 0 && fds[1].revents == 0 && fds[2].revents != 0) {
      uint64_t told = 0;
      const bool heard = read(stop_.get(), &told, sizeof(told)) == sizeof(told);
      if (!heard || told >= kReadNoMore) break;
      streams_.ended = true;
    }
    more_.notify_all();
  }
  const std::lock_guard lock(mutex_);
  streams_.ended = true;
  more_.notify_all();
}

std::string Child::Written(std::string Streams::*stream) const {
  const std::lock_guard lock(mutex_);
  return streams_.*stream;
}

std::string Child::WaitForOutput(const std::string& text, milliseconds timeout) {
  std::unique_lock lock(mutex_);
  const auto has = [&] {
    return streams_.out.find(text) != std::string::npos ||
           streams_.err.find(text) != std::string::npos;
  };
  more_.wait_for(lock, timeout, [&] { return has() || streams_.ended; });
  if (!has()) {
    ADD_FAILURE() << "no '" << text << "' in the output of process " << pid_ << ":\n"
                  << streams_.out << streams_.err;
  }
  return streams_.out + streams_.err;
}

void Child::Signal(int signal) {
  if (!reaped_) kill(pid_, signal);
}

bool Child::Reap() {
  if (!reaped_ && waitpid(pid_, &status_, WNOHANG) == pid_) reaped_ = true;
  return reaped_;
}

int Child::Wait(milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  std::unique_lock lock(mutex_);
  while (!Reap() && Clock::now() < deadline) {
    // The end of its streams wakes the wait; a child that has closed them is about to end.
    const bool ended = more_.wait_for(lock, milliseconds(20), [&] { return streams_.ended; });
    if (ended) more_.wait_for(lock, milliseconds(1));
  }
  if (!reaped_) {
    ADD_FAILURE() << "process " << pid_ << " still runs after its time:\n"
                  << streams_.out << streams_.err;
    return -1;
  }
  // What it wrote at last may still stand in the pipes; a grandchild may keep them open.
  Tell(stop_, kChildIsGone);
  more_.wait(lock, [&] { return streams_.ended; });
  return WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
}

Finished Run(const std::vector<std::string>& argv, milliseconds timeout,
             const std::function<void()>& before_exec) {
  Child child(argv, before_exec);
  const int code = child.Wait(timeout);
  return {.code = code, .out = child.out(), .err = child.err()};
}

std::string Program(const std::string& name) { return std::string(KBENCH_BIN_DIR) + "/" + name; }

TempDir::TempDir() {
  std::string pattern = (std::filesystem::temp_directory_path() / "kbench-e2e-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) std::abort();
  path_ = pattern;
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TempDir::Write(const std::string& name, const std::string& text) const {
  std::string path = path_ + "/" + name;
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in.good()) << "cannot read " << path;
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string AddressToComeBackTo() {
  constexpr int kFirst = 15'000, kCount = 15'000, kAttempts = 100;  // below ip_local_port_range
  std::random_device entropy;
  for (int i = 0; i < kAttempts; ++i) {
    const auto port = static_cast<uint16_t>(kFirst + entropy() % kCount);
    const Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {}};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
      return "127.0.0.1:" + std::to_string(port);
    }
  }
  ADD_FAILURE() << "no free port between " << kFirst << " and " << kFirst + kCount;
  return "127.0.0.1:0";
}

Daemon::Daemon(const std::string& program, std::vector<std::string> arguments,
               const std::string& listen, const std::function<void()>& before_exec)
    : child_(WithListen(program, listen, arguments), before_exec) {
  const std::string ready = program + " listening on ";
  child_.WaitForOutput(ready, seconds(60));
  child_.WaitForOutput("\n", seconds(60));
  const std::string out = child_.out();
  const size_t at = out.find(ready);
  if (at == std::string::npos) return;
  const size_t begin = at + ready.size();
  address_ = out.substr(begin, out.find('\n', begin) - begin);
}

}  // namespace kbench::e2e
