#include "tests/e2e/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace kbench::e2e {
namespace {

using Clock = std::chrono::steady_clock;

std::vector<std::string> WithListen(const std::string& program, const std::string& listen,
                                    const std::vector<std::string>& arguments) {
  std::vector<std::string> argv = {Program(program), "--listen", listen};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return argv;
}

}  // namespace

Child::Child(const std::vector<std::string>& argv, const std::function<void()>& before_exec) {
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
  out_fd_ = Fd(out[0]);
  err_fd_ = Fd(err[0]);
}

Child::~Child() {
  if (reaped_ || pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, &status_, 0);
}

bool Child::Pump(Clock::time_point deadline) {
  pollfd fds[2] = {{.fd = out_fd_.valid() ? out_fd_.get() : -1, .events = POLLIN, .revents = 0},
                   {.fd = err_fd_.valid() ? err_fd_.get() : -1, .events = POLLIN, .revents = 0}};
  if (!out_fd_.valid() && !err_fd_.valid()) return false;
  const auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now()).count();
  poll(fds, 2, static_cast<int>(std::max<int64_t>(0, left)));
  const auto read_from = [](const pollfd& p, Fd* fd, std::string* into) {
    if (p.revents == 0) return;
    char buffer[4096];
    const ssize_t n = read(fd->get(), buffer, sizeof(buffer));
    if (n > 0) {
      into->append(buffer, static_cast<size_t>(n));
    } else {
      fd->Reset();
    }
  };
  read_from(fds[0], &out_fd_, &out_);
  read_from(fds[1], &err_fd_, &err_);
  return true;
}

std::string Child::WaitForOutput(const std::string& text, milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  while (out_.find(text) == std::string::npos && err_.find(text) == std::string::npos) {
    if (Clock::now() >= deadline || !Pump(deadline)) {
      ADD_FAILURE() << "no '" << text << "' in the output of process " << pid_ << ":\n"
                    << out_ << err_;
      break;
    }
  }
  return out_ + err_;
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
  while (!Reap() && Clock::now() < deadline) {
    // Output wakes the wait; a child that has closed its streams is about to end.
    if (!Pump(std::min(deadline, Clock::now() + milliseconds(20)))) {
      waitpid(pid_, &status_, 0);
      reaped_ = true;
    }
  }
  if (!reaped_) {
    ADD_FAILURE() << "process " << pid_ << " still runs after its time:\n" << out_ << err_;
    return -1;
  }
  while (Pump(Clock::now())) {
    pollfd fds[2] = {{.fd = out_fd_.valid() ? out_fd_.get() : -1, .events = POLLIN, .revents = 0},
                     {.fd = err_fd_.valid() ? err_fd_.get() : -1, .events = POLLIN, .revents = 0}};
    if (poll(fds, 2, 0) == 0) break;  // a grandchild may still hold the pipe
  }
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

Daemon::Daemon(const std::string& program, std::vector<std::string> arguments,
               const std::string& listen, const std::function<void()>& before_exec)
    : child_(WithListen(program, listen, arguments), before_exec) {
  const std::string ready = program + " listening on ";
  child_.WaitForOutput(ready, seconds(20));
  child_.WaitForOutput("\n", seconds(20));
  const size_t at = child_.out().find(ready);
  if (at == std::string::npos) return;
  const size_t begin = at + ready.size();
  address_ = child_.out().substr(begin, child_.out().find('\n', begin) - begin);
}

}  // namespace kbench::e2e
