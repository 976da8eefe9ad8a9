// A program of somebody else's making is held to what it was given: time, memory, output; and
// nothing of it is left when it is over, whatever it did to stay.
#include "agent/program/client_watch.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace kbench {
namespace {

using testing::HasSubstr;
using testing::StartsWith;
using End = ClientOutcome::End;

constexpr Nanos kLong = Seconds(60);  // what no test waits for

ProgramOrder Shell(const std::string& script) {
  return {.path = "/bin/sh",
          .arguments = {"-c", script},
          .environment = {"PATH=/usr/local/bin:/usr/bin:/bin"},
          .directory = "/",
          .user = std::nullopt};
}

ClientBounds Bounds(Nanos until_stop, Nanos patience = kLong) {
  return {.stop_at = MonoNow() + until_stop, .patience = patience};
}

ClientWatched Watched(const ProgramOrder& order, const ClientBounds& bounds) {
  const RunControl control;
  auto watched = WatchClient(order, bounds, control);
  EXPECT_TRUE(watched.ok()) << watched.status();
  return watched.ok() ? *std::move(watched) : ClientWatched();
}

// Ended, and reaped: by whoever had to.
bool IsGone(pid_t pid) {
  const int fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (fd < 0) return errno == ESRCH;
  pollfd ended = {.fd = fd, .events = POLLIN, .revents = 0};
  const int n = poll(&ended, 1, 20'000);
  close(fd);
  return n == 1;
}

std::vector<pid_t> PidsIn(const std::string& output) {
  std::vector<pid_t> pids;
  for (absl::string_view word : absl::StrSplit(output, absl::ByAnyChar(" \n"), absl::SkipEmpty())) {
    int pid = 0;
    if (absl::SimpleAtoi(word, &pid)) pids.push_back(pid);
  }
  return pids;
}

TEST(ClientProgram, EndsWithItsOwnCodeAndWords) {
  const ClientWatched w = Watched(Shell("echo to out; echo to err >&2; exit 3"), Bounds(kLong));
  EXPECT_EQ(w.outcome.end, End::kByItself);
  EXPECT_EQ(w.outcome.exit_code, 3);
  EXPECT_EQ(w.outcome.signal, 0);
  EXPECT_EQ(w.output, "to out\n");
  EXPECT_EQ(w.outcome.output_begin, "to out\n");
  EXPECT_EQ(w.outcome.errors_end, "to err\n");
  EXPECT_EQ(w.outcome.output_bytes, 14u);
  EXPECT_EQ(w.outcome.left_behind, 0u);
  const ClientWatched killed = Watched(Shell("kill -SEGV $$"), Bounds(kLong));
  EXPECT_EQ(killed.outcome.signal, SIGSEGV);
}

TEST(ClientProgram, ThatCannotBeExecutedSaysWhy) {
  const RunControl control;
  ProgramOrder order = Shell("");
  order.path = "/etc/passwd";
  const auto denied = WatchClient(order, Bounds(kLong), control).status();
  EXPECT_THAT(std::string(denied.message()), HasSubstr("/etc/passwd: Permission denied"));
  order.path = "/no/such/program";
  EXPECT_THAT(std::string(WatchClient(order, Bounds(kLong), control).status().message()),
              HasSubstr("No such file"));
  order = Shell("exit 0");
  order.directory = "/no/such/directory";
  EXPECT_FALSE(WatchClient(order, Bounds(kLong), control).ok());
}

TEST(ClientProgram, HasNothingOfTheAgents) {
  setenv("KBENCH_TEST_SECRET", "xyzzy", 1);
  const int leak = open("/dev/null", O_RDONLY);  // not close-on-exec
  const ClientWatched w = Watched(
      Shell("env; ls /proc/self/fd | tr '\\n' ' '; cat; cat /proc/self/oom_score_adj; "
            "grep NoNewPrivs /proc/self/status; grep CapAmb /proc/self/status; ulimit -c; pwd"),
      Bounds(kLong));
  close(leak);
  unsetenv("KBENCH_TEST_SECRET");
  EXPECT_THAT(w.output, testing::Not(HasSubstr("xyzzy")));
  EXPECT_THAT(w.output, HasSubstr("\n0 1 2 3 1000\n")) << "3 is the directory that ls reads";
  EXPECT_THAT(w.output, HasSubstr("NoNewPrivs:\t1"));
  EXPECT_THAT(w.output, HasSubstr("CapAmb:\t0000000000000000\n0\n/\n"));
}

TEST(ClientProgram, IsToldToStopWhenItsTimeIsOver) {
  const ClientWatched w = Watched(
      Shell("trap 'echo stopping; exit 7' TERM; while :; do sleep 0.05; done"), Bounds(Seconds(2)));
  EXPECT_EQ(w.outcome.end, End::kToldToStop);
  EXPECT_EQ(w.outcome.exit_code, 7);
  EXPECT_THAT(w.output, HasSubstr("stopping"));
}

TEST(ClientProgram, ThatDoesNotStopIsKilledWithAllItsDescendants) {
  // Deaf to SIGTERM, and so is a child in a session of its own, whose parent is gone.
  const ClientWatched w = Watched(
      Shell("trap '' TERM; (setsid sh -c 'trap \"\" TERM; echo $$; sleep 1000 & sleep 1000' &); "
            "echo $$; sleep 1000 & wait; sleep 1000"),
      Bounds(Seconds(2), Millis(100)));
  EXPECT_EQ(w.outcome.end, End::kKilled);
  EXPECT_EQ(w.outcome.signal, SIGKILL);
  const std::vector<pid_t> pids = PidsIn(w.output);
  ASSERT_EQ(pids.size(), 2u) << w.output;
  for (const pid_t pid : pids) EXPECT_TRUE(IsGone(pid)) << pid;
}

TEST(ClientProgram, LeavesNothingBehindWhenItEnds) {
  const ClientWatched w = Watched(Shell("setsid sleep 1000 & echo $!; exit 0"), Bounds(kLong));
  EXPECT_EQ(w.outcome.end, End::kByItself);
  EXPECT_EQ(w.outcome.exit_code, 0);
  EXPECT_EQ(w.outcome.left_behind, 1u);
  ASSERT_EQ(PidsIn(w.output).size(), 1u);
  EXPECT_TRUE(IsGone(PidsIn(w.output)[0]));
}

TEST(ClientProgram, ThatLeavesOneDaemonAfterTheOtherIsKilledWithAllOfThem) {
  const ClientWatched w = Watched(Shell("while :; do (setsid sleep 1000 & echo $!); done"),
                                  Bounds(Seconds(1), Millis(50)));
  const std::vector<pid_t> pids = PidsIn(w.output);
  EXPECT_GT(pids.size(), 1u);
  for (const pid_t pid : pids) EXPECT_TRUE(IsGone(pid)) << pid;
}

TEST(ClientProgram, ThatFloodsItsOutputIsReadInBoundedMemory) {
  const ClientWatched w =
      Watched(Shell("echo first; head -c 40000000 /dev/zero | tr '\\0' x"), Bounds(kLong));
  EXPECT_EQ(w.outcome.output_bytes, 40'000'006u);
  EXPECT_TRUE(w.outcome.output_cut) << w.outcome.output_bytes;
  EXPECT_EQ(w.output.size(), kClientOutputMax);
  EXPECT_THAT(w.outcome.output_begin, StartsWith("first\n"));
  EXPECT_LE(w.outcome.output_begin.size(), kClientOutputKept);
  EXPECT_LE(w.outcome.output_end.size(), kClientOutputKept);
  // And one that never ends is stopped in its time, however fast it is.
  EXPECT_EQ(Watched(Shell("yes"), Bounds(Millis(200))).outcome.signal, SIGTERM);
}

TEST(ClientProgram, MayCloseItsStreamsAndGoOn) {
  const ClientWatched w = Watched(Shell("exec >&- 2>&-; sleep 0.3; exit 4"), Bounds(kLong));
  EXPECT_EQ(w.outcome.exit_code, 4);
}

TEST(ClientProgram, OfTooMuchMemoryIsEnded) {
  if (access("/usr/bin/python3", X_OK) != 0) GTEST_SKIP() << "no /usr/bin/python3";
  ProgramOrder order = Shell("");
  order.path = "/usr/bin/python3";
  constexpr uint64_t kBound = 128 << 20;
  // Alone above it: the kernel refuses the memory at once.
  order.memory_bytes = kBound;
  order.arguments = {"-c", "x = b'x' * (256 << 20)"};
  ClientBounds bounds = Bounds(kLong);
  bounds.memory_bytes = kBound;
  const ClientWatched alone = Watched(order, bounds);
  EXPECT_EQ(alone.outcome.exit_code, 1);
  EXPECT_THAT(alone.outcome.errors_end, HasSubstr("MemoryError"));
  // Together above it: seen, and killed.
  order.arguments = {"-c",
                     "import os, time\nx = b'x' * (48 << 20)\nos.fork()\nos.fork()\n"
                     "time.sleep(1000)"};
  const ClientWatched together = Watched(order, bounds);
  EXPECT_EQ(together.outcome.end, End::kMemory);
  EXPECT_GT(together.outcome.most_memory_bytes, kBound);
  EXPECT_LT(together.outcome.wall, kLong);
}

TEST(ClientProgram, EndsWithItsRun) {
  RunControl control;
  control.Stop(RunControl::Why::kAsked, "the test asked");
  const auto w =
      WatchClient(Shell("trap '' TERM; echo $$; sleep 1000; sleep 1000"), Bounds(kLong), control);
  ASSERT_TRUE(w.ok()) << w.status();
  EXPECT_EQ(w->outcome.end, End::kRunStopped);
}

TEST(ClientProgram, EndsWithTheProcessThatStartedIt) {
  int fds[2];
  ASSERT_EQ(pipe(fds), 0);
  const pid_t agent = fork();
  if (agent == 0) {
    auto program = ContainedProgram::Start(
        Shell("trap '' TERM HUP; (setsid sleep 1000 &); sleep 1000; sleep 1000"));
    std::vector<pid_t> pids;
    while (pids.size() < 3) pids = (*program)->Processes();  // itself, the daemon, the sleep
    if (write(fds[1], pids.data(), 3 * sizeof(pid_t)) != 3 * sizeof(pid_t)) _exit(1);
    raise(SIGKILL);
  }
  close(fds[1]);
  pid_t pids[3] = {};
  ASSERT_EQ(read(fds[0], pids, sizeof(pids)), static_cast<ssize_t>(sizeof(pids)));
  close(fds[0]);
  int status = 0;
  ASSERT_EQ(waitpid(agent, &status, 0), agent);
  ASSERT_TRUE(WIFSIGNALED(status));
  for (const pid_t pid : pids) EXPECT_TRUE(IsGone(pid)) << pid;
}

TEST(ClientProgram, IsWhoItsOwnerSays) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can start a program as somebody else";
  const passwd* const nobody = getpwnam("nobody");
  ASSERT_NE(nobody, nullptr);
  ProgramOrder order = Shell("id -u; id -g; id -G; grep CapEff /proc/self/status");
  order.user = ProgramUser{.uid = nobody->pw_uid, .gid = nobody->pw_gid};
  EXPECT_EQ(Watched(order, Bounds(kLong)).output,
            absl::StrCat(nobody->pw_uid, "\n", nobody->pw_gid, "\n", nobody->pw_gid,
                         "\nCapEff:\t0000000000000000\n"));
}

TEST(ClientProgram, IsLookedAtWhileItWorks) {
  const ClientWatched w =
      Watched(Shell("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; sleep 0.3"), Bounds(kLong));
  ASSERT_GE(w.looks.size(), 2u);
  EXPECT_GT(w.outcome.user + w.outcome.system, Nanos());
  EXPECT_GT(w.outcome.most_memory_bytes, 0u);
  EXPECT_LE(w.looks.front().user, w.looks.back().user);
  EXPECT_LE(w.looks.back().at, w.ended);
}

}  // namespace
}  // namespace kbench
