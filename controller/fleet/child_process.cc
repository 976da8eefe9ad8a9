#include "controller/fleet/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "controller/fleet/exit_codes.h"

namespace kbench {
namespace {

constexpr size_t kLineMax = 4096;
constexpr size_t kLogTailMax = 2000;

struct ChildFds {
  int null_in;
  int out;
  int log;
  int secret;  // -1: none
  int report;  // errno of a failed exec goes here
};

// Between fork and exec: async-signal-safe calls only, in a copy of a process with threads.
[[noreturn]] void BecomeChild(char* const* argv, const ChildFds& fds, pid_t parent) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(127);  // died before the line above
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGINT, SIG_DFL);
  signal(SIGTERM, SIG_DFL);
  signal(SIGPIPE, SIG_DFL);
  dup2(fds.null_in, STDIN_FILENO);
  dup2(fds.out, STDOUT_FILENO);
  dup2(fds.log, STDERR_FILENO);
  int last = STDERR_FILENO;
  int report = fds.report;
  if (fds.secret >= 0) {
    // The report pipe may itself be number kSecretFd.
    report = fcntl(fds.report, F_DUPFD_CLOEXEC, ChildProcess::kSecretFd + 1);
    dup2(fds.secret, ChildProcess::kSecretFd);
    last = ChildProcess::kSecretFd;
  }
  close_range(static_cast<unsigned>(last + 1), ~0U, CLOSE_RANGE_CLOEXEC);
  execv(argv[0], argv);
  const int error = errno;
  [[maybe_unused]] const ssize_t n = write(report, &error, sizeof(error));
  _exit(127);
}

// glibc 2.36 declares pidfd_open for C only.
int PidFd(pid_t pid) { return static_cast<int>(syscall(SYS_pidfd_open, pid, 0)); }

absl::Status SystemError(absl::string_view name, absl::string_view what, int error) {
  return absl::InternalError(
      absl::StrCat("cannot start ", name, ": ", what, ": ", strerror(error)));
}

absl::StatusOr<Fd> SecretFile(const std::string& secret) {
  Fd file(memfd_create("kbench-secret", MFD_CLOEXEC));
  if (!file.valid() ||
      write(file.get(), secret.data(), secret.size()) != static_cast<ssize_t>(secret.size()) ||
      lseek(file.get(), 0, SEEK_SET) != 0) {
    return SystemError("a child", "memfd", errno);
  }
  return file;
}

std::string Tail(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  std::string log = text.str();
  if (log.size() > kLogTailMax) log = log.substr(log.size() - kLogTailMax);
  return log.empty() ? "its log is empty" : absl::StrCat("its log ends with:\n", log);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ChildProcess>> ChildProcess::Start(const ChildCommand& command) {
  int out[2], report[2];
  if (pipe2(out, O_CLOEXEC) != 0) return SystemError(command.name, "pipe", errno);
  Fd out_read(out[0]), out_write(out[1]);
  if (pipe2(report, O_CLOEXEC) != 0) return SystemError(command.name, "pipe", errno);
  Fd report_read(report[0]), report_write(report[1]);
  Fd null_in(open("/dev/null", O_RDONLY | O_CLOEXEC));
  Fd log(open(command.log_path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!log.valid()) return SystemError(command.name, command.log_path, errno);
  Fd secret;
  if (!command.secret.empty()) {
    absl::StatusOr<Fd> made = SecretFile(command.secret);
    if (!made.ok()) return made.status();
    secret = *std::move(made);
  }
  std::vector<char*> argv;
  for (const std::string& word : command.argv) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);

  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return SystemError(command.name, "fork", errno);
  if (pid == 0) {
    BecomeChild(argv.data(),
                {.null_in = null_in.get(),
                 .out = out_write.get(),
                 .log = log.get(),
                 .secret = secret.get(),
                 .report = report_write.get()},
                parent);
  }
  auto child = std::unique_ptr<ChildProcess>(new ChildProcess);
  child->name_ = command.name;
  child->log_path_ = command.log_path;
  child->pid_ = pid;
  child->pidfd_ = Fd(PidFd(pid));
  child->stdout_ = std::move(out_read);
  out_write.Reset();
  report_write.Reset();
  int error = 0;
  if (read(report_read.get(), &error, sizeof(error)) == sizeof(error)) {
    return SystemError(command.name, command.argv[0], error);
  }
  return child;
}

ChildProcess::~ChildProcess() { Stop(); }

absl::StatusOr<std::string> ChildProcess::ReadLine(Nanos timeout) {
  const MonoTime deadline = MonoNow() + timeout;
  std::string line;
  while (line.size() < kLineMax) {
    const Nanos left = std::max(deadline - MonoNow(), Nanos(0));
    pollfd ready{.fd = stdout_.get(), .events = POLLIN, .revents = 0};
    const timespec wait = ToTimespec(left);
    const int n = ppoll(&ready, 1, &wait, nullptr);
    if (n < 0 && errno == EINTR) continue;
    if (n == 0) {
      return absl::DeadlineExceededError(absl::StrCat(name_,
                                                      " did not say that it is ready within ",
                                                      timeout.seconds(), " s; ", Tail(log_path_)));
    }
    char c = 0;
    const ssize_t got = read(stdout_.get(), &c, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return EndedEarly();
    if (c == '\n') return line;
    line.push_back(c);
  }
  return absl::InternalError(absl::StrCat(name_, " said something else than that it is ready"));
}

// Its stdout is closed: it has ended, or it will be made to.
absl::Status ChildProcess::EndedEarly() {
  const int status = Reap(Seconds(2));
  const std::string how = WIFEXITED(status) ? absl::StrCat("exit status ", WEXITSTATUS(status))
                                            : absl::StrCat("signal ", WTERMSIG(status));
  const std::string text =
      absl::StrCat(name_, " ended before it was ready (", how, "); ", Tail(log_path_));
  // It did not like what it was asked for, so neither do we.
  const bool usage = WIFEXITED(status) && WEXITSTATUS(status) == static_cast<int>(ExitCode::kUsage);
  return usage ? absl::InvalidArgumentError(text) : absl::InternalError(text);
}

void ChildProcess::AskToStop() {
  if (!reaped_) kill(pid_, SIGTERM);
}

void ChildProcess::Stop(Nanos grace) {
  AskToStop();
  Reap(grace);
}

int ChildProcess::Reap(Nanos grace) {
  if (reaped_) return 0;
  const MonoTime deadline = MonoNow() + grace;
  pollfd ended{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
  int n = 0;
  do {
    const timespec wait = ToTimespec(std::max(deadline - MonoNow(), Nanos(0)));
    n = ppoll(&ended, 1, &wait, nullptr);
  } while (n < 0 && errno == EINTR);
  if (n <= 0) kill(pid_, SIGKILL);
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  reaped_ = true;
  return status;
}

}  // namespace kbench
