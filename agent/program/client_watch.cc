#include "agent/program/client_watch.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "agent/program/client_sockets.h"
#include "base/status_macros.h"

namespace kbench {
namespace {

constexpr Nanos kLookEvery = Millis(100);
constexpr Nanos kOwnersEvery = Millis(200);
constexpr Nanos kControlEvery = Millis(20);  // how late a Stop may be heard
constexpr Nanos kKillTime = Seconds(5);      // until the kernel has ended everything

// One stream of the program: its begin, its end, and how much there was.
class Stream {
 public:
  explicit Stream(size_t most) : most_(most) {}

  // Takes what is there; false: it has ended.
  bool Read(int fd) {
    char buffer[64 * 1024];
    // Whoever writes faster than we read must not keep us from looking at the clock.
    for (int i = 0; i < 16; ++i) {
      const ssize_t n = read(fd, buffer, sizeof(buffer));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return errno == EAGAIN;
      if (n == 0) return false;
      Take(absl::string_view(buffer, static_cast<size_t>(n)));
      if (n < static_cast<ssize_t>(sizeof(buffer))) return true;
    }
    return true;
  }

  uint64_t bytes() const { return bytes_; }
  bool cut() const { return bytes_ > most_; }
  std::string begin() const { return text_.substr(0, kClientOutputKept); }
  std::string end() const { return end_; }
  std::string TakeText() { return std::move(text_); }

 private:
  void Take(absl::string_view some) {
    bytes_ += some.size();
    absl::StrAppend(&text_, some.substr(0, most_ - text_.size()));
    absl::StrAppend(&end_, some);
    if (end_.size() > kClientOutputKept) end_.erase(0, end_.size() - kClientOutputKept);
  }

  const size_t most_;
  uint64_t bytes_ = 0;
  std::string text_;
  std::string end_;
};

class Watch {
 public:
  Watch(ContainedProgram* program, const ClientBounds& bounds, const RunControl& control)
      : program_(*program), bounds_(bounds), control_(control) {}

  ClientWatched Go() {
    watched_.started = MonoNow();
    for (bool over = false; !over;) {
      over = AwaitSomething();
      const MonoTime now = MonoNow();
      if (!over) Hold(now);
      if (now >= next_look_) Look(now);
    }
    watched_.ended = MonoNow();
    Finish();
    return std::move(watched_);
  }

 private:
  // Reads what came. True: everything has ended, or has had the time to.
  bool AwaitSomething() {
    pollfd fds[] = {{.fd = out_open_ ? program_.out() : -1, .events = POLLIN, .revents = 0},
                    {.fd = err_open_ ? program_.err() : -1, .events = POLLIN, .revents = 0},
                    {.fd = program_.report(), .events = POLLIN, .revents = 0}};
    const timespec wait = ToTimespec(kControlEvery);
    ppoll(fds, 3, &wait, nullptr);
    if (fds[0].revents != 0) out_open_ = out_.Read(program_.out());
    if (fds[1].revents != 0) err_open_ = err_.Read(program_.err());
    if (fds[2].revents == 0) return killed_at_.is_set() && MonoNow() - killed_at_ > kKillTime;
    // Nobody is left to write: what they wrote is in the pipes.
    while (out_open_ && Unread(program_.out())) out_open_ = out_.Read(program_.out());
    while (err_open_ && Unread(program_.err())) err_open_ = err_.Read(program_.err());
    return true;
  }

  static bool Unread(int fd) {
    pollfd ready = {.fd = fd, .events = POLLIN, .revents = 0};
    return poll(&ready, 1, 0) > 0 && (ready.revents & POLLIN) != 0;
  }

  void Hold(MonoTime now) {
    using End = ClientOutcome::End;
    if (killed_at_.is_set()) return;
    if (control_.stopped() || memory_ > bounds_.memory_bytes) {
      watched_.outcome.end = control_.stopped() ? End::kRunStopped : End::kMemory;
      Kill(now);
    } else if (told_at_.is_set() && now - told_at_ > bounds_.patience) {
      watched_.outcome.end = End::kKilled;
      Kill(now);
    } else if (!told_at_.is_set() && now >= bounds_.stop_at) {
      watched_.outcome.end = End::kToldToStop;
      told_at_ = now;
      program_.AskToStop();
    }
  }

  void Kill(MonoTime now) {
    killed_at_ = now;
    program_.KillAll();
  }

  void Look(MonoTime now) {
    const ContainedProgram::Use use = program_.ReadUse();
    if (use.processes > 0) watched_.looks.push_back({now, use.user, use.system});
    watched_.outcome.most_memory_bytes =
        std::max(watched_.outcome.most_memory_bytes, use.resident_bytes);
    memory_ = bounds_.memory_bytes > 0 ? use.resident_bytes : 0;
    next_look_ = now + kLookEvery;
    if (now < next_owners_) return;
    next_owners_ = now + kOwnersEvery;
    const std::vector<pid_t> processes = program_.Processes();
    if (processes.empty()) return;
    const ConnectionOwners owners = FindOwners(processes, bounds_.port);
    for (const uint16_t port : owners.own) own_ports_.insert(port);
    for (const uint16_t port : owners.others) watched_.foreign_ports.insert(port);
  }

  void Finish() {
    ClientOutcome& outcome = watched_.outcome;
    outcome.wall = watched_.ended - watched_.started;
    outcome.output_bytes = out_.bytes() + err_.bytes();
    outcome.output_cut = out_.cut();
    outcome.output_begin = out_.begin();
    if (out_.bytes() > kClientOutputKept) outcome.output_end = out_.end();
    outcome.errors_end = err_.end();
    watched_.output = out_.TakeText();
    const std::optional<ProgramEnd> end = program_.Await(Nanos());
    if (end) {  // whoever is still connected is somebody else
      const ConnectionOwners owners = FindOwners({}, bounds_.port);
      for (const uint16_t port : owners.others) watched_.foreign_ports.insert(port);
    }
    // A socket that was opened between two looks was taken for another's, once.
    for (const uint16_t port : own_ports_) watched_.foreign_ports.erase(port);
    if (!end) {
      outcome.end = ClientOutcome::End::kKilled;
      outcome.signal = SIGKILL;
      return;
    }
    if (WIFEXITED(end->status)) outcome.exit_code = WEXITSTATUS(end->status);
    if (WIFSIGNALED(end->status)) outcome.signal = WTERMSIG(end->status);
    outcome.user = end->user;
    outcome.system = end->system;
    outcome.left_behind = end->left_behind;
    watched_.looks.push_back({watched_.ended, end->user, end->system});
  }

  ContainedProgram& program_;
  const ClientBounds& bounds_;
  const RunControl& control_;
  Stream out_{kClientOutputMax};
  Stream err_{kClientOutputKept};
  bool out_open_ = true, err_open_ = true;
  uint64_t memory_ = 0;
  MonoTime next_look_, next_owners_, told_at_, killed_at_;
  std::set<uint16_t> own_ports_;
  ClientWatched watched_;
};

}  // namespace

absl::StatusOr<ClientWatched> WatchClient(const ProgramOrder& order, const ClientBounds& bounds,
                                          const RunControl& control) {
  ASSIGN_OR_RETURN(const std::unique_ptr<ContainedProgram> program, ContainedProgram::Start(order));
  return Watch(program.get(), bounds, control).Go();
}

}  // namespace kbench
