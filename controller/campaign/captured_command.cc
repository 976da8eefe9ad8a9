#include "controller/campaign/captured_command.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/fd.h"

extern char** environ;

namespace kbench {
namespace {

constexpr size_t kLastWords = 2000;  // bytes of stderr in a message

// A file without a name takes whatever is written, so that nobody has to read meanwhile.
Fd Memory(const char* name) { return Fd(memfd_create(name, MFD_CLOEXEC)); }

std::string Everything(const Fd& fd) {
  std::string text;
  char buffer[65536];
  for (off_t at = 0;;) {
    const ssize_t n = pread(fd.get(), buffer, sizeof(buffer), at);
    if (n <= 0) return text;
    text.append(buffer, static_cast<size_t>(n));
    at += n;
  }
}

std::string LastWords(const Fd& fd) {
  std::string text = Everything(fd);
  if (text.size() > kLastWords) text = absl::StrCat("...", text.substr(text.size() - kLastWords));
  return std::string(absl::StripAsciiWhitespace(text));
}

// Whether it ended in time.
bool AwaitEnd(pid_t pid, Nanos timeout) {
  const Fd process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  pollfd ended = {.fd = process.get(), .events = POLLIN, .revents = 0};
  const MonoTime deadline = MonoNow() + timeout;
  for (;;) {
    const int64_t left_ms = (deadline - MonoNow()).count() / 1'000'000;
    if (left_ms <= 0) return false;
    const int n = poll(&ended, 1, static_cast<int>(left_ms));
    if (n > 0) return true;
    if (n < 0 && errno != EINTR) return false;
  }
}

}  // namespace

absl::StatusOr<std::string> CaptureCommand(const std::vector<std::string>& argv, Nanos timeout) {
  const Fd out = Memory("stdout"), err = Memory("stderr");
  const Fd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, null.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err.get(), STDERR_FILENO);
  std::vector<char*> raw;
  for (const std::string& argument : argv) raw.push_back(const_cast<char*>(argument.c_str()));
  raw.push_back(nullptr);
  pid_t pid = -1;
  const int error = posix_spawnp(&pid, raw[0], &actions, nullptr, raw.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    return absl::NotFoundError(absl::StrCat("cannot run ", argv[0], ": ", strerror(error)));
  }
  const bool in_time = AwaitEnd(pid, timeout);
  if (!in_time) kill(pid, SIGKILL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  if (!in_time) {
    return absl::DeadlineExceededError(
        absl::StrCat(argv[0], " did not end within ", timeout.seconds(), " s: ", LastWords(err)));
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return absl::InternalError(
        absl::StrCat(argv[0],
                     WIFEXITED(status) ? absl::StrCat(" ended with code ", WEXITSTATUS(status))
                                       : absl::StrCat(" was ended by signal ", WTERMSIG(status)),
                     ": ", LastWords(err)));
  }
  return Everything(out);
}

}  // namespace kbench
