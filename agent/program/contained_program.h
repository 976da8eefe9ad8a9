// One program of somebody else's making, which this process started and which ends with it, with
// everything that it started in turn.
//
//   agent ──fork── warden ──fork, exec── program ── its children, daemons among them
//
// The warden is a copy of this process that executes nothing but system calls: it is the subreaper
// of what it started, so nobody escapes it by a fork, and it kills all of them when the program
// ends, when it is told to, and when this process is gone. The program has no standard input, none
// of our descriptors, environment, capabilities or privileges, a session of its own, and no way to
// new privileges (set-user-id files do not help it).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/load/external_client.h"
#include "base/clock.h"
#include "base/fd.h"

namespace kbench {

struct ProgramOrder {
  std::string path;
  std::vector<std::string> arguments;    // without the program's own name
  std::vector<std::string> environment;  // "NAME=VALUE", all that it gets
  std::string directory;                 // it begins there
  std::optional<ProgramUser> user;       // none: ours
  uint64_t memory_bytes = 0;             // private memory of each process; 0: no bound
};

// How it ended, from the kernel. CPU time is of all that it started.
struct ProgramEnd {
  int status = 0;  // waitpid's
  Nanos user;
  Nanos system;
  uint32_t left_behind = 0;  // processes that outlived it and were killed
};

class ContainedProgram {
 public:
  // NotFound, or whatever the kernel said, when it cannot be executed.
  static absl::StatusOr<std::unique_ptr<ContainedProgram>> Start(const ProgramOrder& order);
  // Kills what is left.
  ~ContainedProgram();

  // Readable: there is output, or its end.
  int out() const { return out_.get(); }
  int err() const { return err_.get(); }
  // Readable once everything has ended.
  int report() const { return report_.get(); }

  void AskToStop();  // SIGTERM to the program's process group
  void KillAll();    // SIGKILL to all of it
  // Waits for the end of everything at most so long; nothing when somebody could not be killed in
  // time (one that hangs in the kernel).
  std::optional<ProgramEnd> Await(Nanos timeout);

  // What its processes have in memory now, shared pages counted for each; and the CPU time that
  // they and those that they waited for have used, to 10 ms.
  struct Use {
    uint64_t resident_bytes = 0;
    Nanos user;
    Nanos system;
    uint32_t processes = 0;
  };
  Use ReadUse() const;
  // All of its processes now.
  std::vector<pid_t> Processes() const;

 private:
  ContainedProgram() = default;

  pid_t warden_ = -1;
  Fd control_;  // a socket; its end kills
  Fd out_;
  Fd err_;
  Fd report_;
  std::optional<ProgramEnd> end_;
};

}  // namespace kbench
