#include "agent/program/contained_program.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"

namespace kbench {
namespace {

constexpr char kTerminate = 'T';  // the only order; the end of orders is one to kill
constexpr int kExecFailed = 127;

// ---- Between fork and exec, and in the warden: async-signal-safe calls only. ----

struct Raw {
  const char* path;
  char* const* argv;
  char* const* envp;
  const char* directory;
  const ProgramUser* user;
  uint64_t memory_bytes;
  int null_in, out, err, control, report, exec_error;
};

// What the warden says at the end, in one write.
struct Report {
  int32_t status;
  uint32_t left_behind;
  int64_t user_us, system_us;
};

[[noreturn]] void FailExec(const Raw& raw) {
  const int error = errno;
  [[maybe_unused]] const ssize_t n = write(raw.exec_error, &error, sizeof(error));
  _exit(kExecFailed);
}

void Limit(int resource, uint64_t most) {
  rlimit limit = {};
  getrlimit(static_cast<__rlimit_resource>(resource), &limit);
  limit.rlim_cur = std::min<uint64_t>(most, limit.rlim_max);
  limit.rlim_max = limit.rlim_cur;
  setrlimit(static_cast<__rlimit_resource>(resource), &limit);
}

// When memory is short, the kernel takes the program before anybody else.
void OfferToTheKernel() {
  const int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (file < 0) return;
  [[maybe_unused]] const ssize_t n = write(file, "1000", 4);
  close(file);
}

[[noreturn]] void BecomeProgram(const Raw& raw, pid_t warden) {
  setsid();
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != warden) _exit(kExecFailed);
  for (int number = 1; number < NSIG; ++number) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  OfferToTheKernel();
  Limit(RLIMIT_CORE, 0);
  if (raw.memory_bytes > 0) Limit(RLIMIT_DATA, raw.memory_bytes);
  dup2(raw.null_in, STDIN_FILENO);
  dup2(raw.out, STDOUT_FILENO);
  dup2(raw.err, STDERR_FILENO);
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  if (raw.user != nullptr) {
    const gid_t group = raw.user->gid;
    if (getuid() == 0 && setgroups(1, &group) != 0) FailExec(raw);
    if (setresgid(group, group, group) != 0) FailExec(raw);
    if (setresuid(raw.user->uid, raw.user->uid, raw.user->uid) != 0) FailExec(raw);
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // a change of user clears it
  }
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (chdir(raw.directory) != 0) FailExec(raw);
  close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
  execve(raw.path, raw.argv, raw.envp);
  FailExec(raw);
}

// Kills the direct children; those of a child that dies become ours, and are killed next time.
void KillChildren() {
  char path[64] = "/proc/self/task/";
  size_t at = strlen(path);
  char digits[16];
  int count = 0;
  for (pid_t tid = getpid(); tid > 0; tid /= 10)
    digits[count++] = static_cast<char>('0' + tid % 10);
  while (count > 0) path[at++] = digits[--count];
  for (const char* c = "/children"; *c != '\0'; ++c) path[at++] = *c;
  path[at] = '\0';
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  char text[4096];
  pid_t pid = 0;
  for (ssize_t n; (n = read(file, text, sizeof(text))) > 0;) {
    for (ssize_t i = 0; i < n; ++i) {
      if (text[i] >= '0' && text[i] <= '9') {
        pid = pid * 10 + (text[i] - '0');
      } else {
        if (pid > 0) kill(pid, SIGKILL);
        pid = 0;
      }
    }
  }
  close(file);
}

class Warden {
 public:
  explicit Warden(const Raw& raw) : raw_(raw) {}

  [[noreturn]] void Work(pid_t agent) {
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_NAME, "kbench-warden");
    setsid();
    if (getppid() != agent) _exit(0);
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, nullptr);
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    const int children = signalfd(-1, &child, SFD_NONBLOCK | SFD_CLOEXEC);
    const pid_t self = getpid();
    program_ = _Fork();
    if (program_ == 0) BecomeProgram(raw_, self);
    if (program_ < 0) FailExec(raw_);
    KeepOnly(children);
    Watch(children);
    KillEverybody();
    Say();
    _exit(0);
  }

 private:
  // Of all that was inherited; nothing of the agent's lives on here.
  void KeepOnly(int children) {
    const int kept[] = {raw_.control, raw_.report, children};
    int sorted[3] = {kept[0], kept[1], kept[2]};
    std::sort(sorted, sorted + 3);
    unsigned from = 0;
    for (const int fd : sorted) {
      if (static_cast<unsigned>(fd) > from) close_range(from, static_cast<unsigned>(fd) - 1, 0);
      from = static_cast<unsigned>(fd) + 1;
    }
    close_range(from, ~0U, 0);
  }

  void Watch(int children) {
    while (!ended_) {
      pollfd fds[] = {{.fd = raw_.control, .events = POLLIN, .revents = 0},
                      {.fd = children, .events = POLLIN, .revents = 0}};
      poll(fds, 2, -1);
      signalfd_siginfo info;
      while (read(children, &info, sizeof(info)) > 0) {
      }
      Reap(WNOHANG);
      if (fds[0].revents == 0) continue;
      char order = 0;
      if (read(raw_.control, &order, 1) <= 0) return;
      if (order == kTerminate && !ended_) kill(-program_, SIGTERM);
    }
  }

  // False: there is no child any more.
  bool Reap(int flags) {
    for (;;) {
      int status = 0;
      const pid_t pid = waitpid(-1, &status, flags);
      if (pid == 0) return true;
      if (pid < 0 && errno == EINTR) continue;
      if (pid < 0) return false;
      if (pid == program_) {
        ended_ = true;
        report_.status = status;
      } else if (ended_) {
        ++report_.left_behind;
      }
      if (flags == 0) return true;
    }
  }

  void KillEverybody() {
    do {
      if (!ended_) kill(program_, SIGKILL);
      kill(-program_, SIGKILL);
      KillChildren();
    } while (Reap(0));
  }

  void Say() {
    rusage use = {};
    getrusage(RUSAGE_CHILDREN, &use);
    report_.user_us = use.ru_utime.tv_sec * 1'000'000 + use.ru_utime.tv_usec;
    report_.system_us = use.ru_stime.tv_sec * 1'000'000 + use.ru_stime.tv_usec;
    [[maybe_unused]] const ssize_t n = write(raw_.report, &report_, sizeof(report_));
  }

  const Raw& raw_;
  pid_t program_ = -1;
  bool ended_ = false;
  Report report_ = {};
};

// ---- In the agent. ----

absl::Status SystemError(absl::string_view what, int error) {
  return absl::InternalError(absl::StrCat("cannot start a program: ", what, ": ", strerror(error)));
}

struct Pipe {
  Fd read;
  Fd write;
};

absl::StatusOr<Pipe> MakePipe() {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return SystemError("pipe", errno);
  return Pipe{.read = Fd(fds[0]), .write = Fd(fds[1])};
}

std::vector<char*> Pointers(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

std::string ReadProc(pid_t pid, const char* file) {
  std::ifstream in(absl::StrCat("/proc/", pid, "/", file));
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// The children of every thread of `parent`, and theirs.
void CollectBelow(pid_t parent, std::vector<pid_t>* found) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::directory_iterator threads(absl::StrCat("/proc/", parent, "/task"), error);
  if (error) return;
  for (auto thread = threads; thread != fs::directory_iterator(); thread.increment(error)) {
    if (error) return;
    std::ifstream in(thread->path() / "children");
    for (pid_t pid = 0; in >> pid;) {
      found->push_back(pid);
      CollectBelow(pid, found);
    }
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<ContainedProgram>> ContainedProgram::Start(
    const ProgramOrder& order) {
  absl::StatusOr<Pipe> out = MakePipe(), err = MakePipe(), report = MakePipe(),
                       exec_error = MakePipe();
  for (const auto* pipe : {&out, &err, &report, &exec_error}) {
    if (!pipe->ok()) return pipe->status();
  }
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return SystemError("socketpair", errno);
  }
  Fd ours(ends[0]), wardens(ends[1]);
  const Fd null_in(open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!null_in.valid()) return SystemError("/dev/null", errno);
  for (const Fd* end : {&out->read, &err->read}) fcntl(end->get(), F_SETFL, O_NONBLOCK);

  std::vector<std::string> words = {order.path};
  words.insert(words.end(), order.arguments.begin(), order.arguments.end());
  const std::vector<char*> argv = Pointers(words), envp = Pointers(order.environment);
  const Raw raw = {.path = order.path.c_str(),
                   .argv = argv.data(),
                   .envp = envp.data(),
                   .directory = order.directory.c_str(),
                   .user = order.user ? &*order.user : nullptr,
                   .memory_bytes = order.memory_bytes,
                   .null_in = null_in.get(),
                   .out = out->write.get(),
                   .err = err->write.get(),
                   .control = wardens.get(),
                   .report = report->write.get(),
                   .exec_error = exec_error->write.get()};
  const pid_t agent = getpid();
  auto program = std::unique_ptr<ContainedProgram>(new ContainedProgram);
  // Not fork(): handlers that libraries have registered are not for a copy that only waits.
  program->warden_ = _Fork();
  if (program->warden_ < 0) return SystemError("fork", errno);
  if (program->warden_ == 0) Warden(raw).Work(agent);
  program->control_ = std::move(ours);
  program->out_ = std::move(out->read);
  program->err_ = std::move(err->read);
  program->report_ = std::move(report->read);
  for (Fd* end : {&exec_error->write, &out->write, &err->write, &report->write, &wardens}) {
    end->Reset();
  }
  int error = 0;
  if (read(exec_error->read.get(), &error, sizeof(error)) == sizeof(error)) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot execute ", order.path, ": ", strerror(error),
                     error == ENOENT ? " (of a script: its interpreter)" : ""));
  }
  return program;
}

ContainedProgram::~ContainedProgram() {
  if (warden_ <= 0) return;
  KillAll();
  if (!Await(Seconds(5)).has_value()) kill(warden_, SIGKILL);
  while (waitpid(warden_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void ContainedProgram::AskToStop() {
  if (control_.valid()) send(control_.get(), &kTerminate, 1, MSG_NOSIGNAL);
}

void ContainedProgram::KillAll() { control_.Reset(); }

std::optional<ProgramEnd> ContainedProgram::Await(Nanos timeout) {
  const MonoTime deadline = MonoNow() + timeout;
  while (!end_.has_value()) {
    pollfd ready = {.fd = report_.get(), .events = POLLIN, .revents = 0};
    const timespec wait = ToTimespec(std::max(deadline - MonoNow(), Nanos()));
    const int n = ppoll(&ready, 1, &wait, nullptr);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return std::nullopt;
    Report report = {};
    if (read(report_.get(), &report, sizeof(report)) != sizeof(report)) return std::nullopt;
    end_ = ProgramEnd{.status = report.status,
                      .user = Micros(report.user_us),
                      .system = Micros(report.system_us),
                      .left_behind = report.left_behind};
  }
  return end_;
}

std::vector<pid_t> ContainedProgram::Processes() const {
  std::vector<pid_t> found;
  CollectBelow(warden_, &found);
  return found;
}

ContainedProgram::Use ContainedProgram::ReadUse() const {
  Use use;
  const int64_t tick = 1'000'000'000 / sysconf(_SC_CLK_TCK);
  const uint64_t page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  for (const pid_t pid : Processes()) {
    const std::string stat = ReadProc(pid, "stat");
    std::istringstream fields(stat.substr(std::min(stat.rfind(')') + 1, stat.size())));
    std::string skipped;
    for (int i = 0; i < 11; ++i) fields >> skipped;  // state to cmajflt
    int64_t user = 0, system = 0, waited_user = 0, waited_system = 0;
    if (!(fields >> user >> system >> waited_user >> waited_system)) continue;  // gone meanwhile
    use.user += Nanos((user + waited_user) * tick);
    use.system += Nanos((system + waited_system) * tick);
    std::istringstream memory(ReadProc(pid, "statm"));
    uint64_t size = 0, resident = 0;
    if (memory >> size >> resident) use.resident_bytes += resident * page;
    ++use.processes;
  }
  return use;
}

}  // namespace kbench
