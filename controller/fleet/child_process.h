// One program that we started and that ends with us: on every path out, also when we are killed.
//
// Its stdout is a pipe on which it says one line when it is ready; its stderr goes to a file. It
// has a process group of its own, so that Ctrl-C reaches us first and we can end it in order.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/fd.h"

namespace kbench {

struct ChildCommand {
  std::string name;  // for messages: "agent 0"
  std::vector<std::string> argv;
  std::string log_path;  // stderr; made new
  // Made readable by the child as file descriptor kSecretFd, without ever being on a disk or a
  // command line. Empty: there is none.
  std::string secret;
};

class ChildProcess {
 public:
  static constexpr int kSecretFd = 3;

  static absl::StatusOr<std::unique_ptr<ChildProcess>> Start(const ChildCommand& command);
  ~ChildProcess();  // Stop()
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // The first line of its stdout. On failure: how it ended and the end of its log
  // (InvalidArgument when it ended with the exit code for wrong usage), or that it was silent for
  // `timeout`.
  absl::StatusOr<std::string> ReadLine(Nanos timeout);

  // SIGTERM; SIGKILL when it is still there after `grace`. Reaps it. Idempotent.
  void Stop(Nanos grace = Seconds(2));
  // Only the first half of Stop(), so that several children can end side by side.
  void AskToStop();

  pid_t pid() const { return pid_; }
  const std::string& name() const { return name_; }

 private:
  ChildProcess() = default;
  absl::Status EndedEarly();
  // Waits for its end, for `grace` in peace, then kills it. waitpid's status; 0 when already
  // reaped.
  int Reap(Nanos grace);

  std::string name_;
  std::string log_path_;
  pid_t pid_ = -1;
  Fd pidfd_;
  Fd stdout_;
  bool reaped_ = false;
};

}  // namespace kbench
