// Child processes for end-to-end tests: started with a deadline on every wait, ended by their own
// id whatever happens to the test.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/fd.h"

namespace kbench::e2e {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Child {
 public:
  // argv[0] is a path. `before_exec` runs in the child: only async-signal-safe calls.
  explicit Child(const std::vector<std::string>& argv,
                 const std::function<void()>& before_exec = nullptr);
  ~Child();  // SIGKILL and reap, when still running
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // Reads until `text` stands in what the child wrote to stdout and stderr together, and returns
  // everything so far; fails the test and returns what came when it ends or the time is over.
  std::string WaitForOutput(const std::string& text, milliseconds timeout);
  void Signal(int signal);
  // Exit code, 128 + signal when killed; -1 (and a test failure) when still alive after `timeout`.
  int Wait(milliseconds timeout);

  pid_t pid() const { return pid_; }
  const std::string& out() const { return out_; }
  const std::string& err() const { return err_; }

 private:
  // Reads what is there, waiting until `deadline` at most. False: both streams have ended.
  bool Pump(std::chrono::steady_clock::time_point deadline);
  bool Reap();

  pid_t pid_ = -1;
  bool reaped_ = false;
  int status_ = 0;
  Fd out_fd_;
  Fd err_fd_;
  std::string out_;
  std::string err_;
};

struct Finished {
  int code = -1;
  std::string out;
  std::string err;
};

Finished Run(const std::vector<std::string>& argv, milliseconds timeout = seconds(60),
             const std::function<void()>& before_exec = nullptr);

// Path of one of this build's programs: "kbench", "kbench-agent", "kbench-server".
std::string Program(const std::string& name);

// A directory that is removed with everything in it.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  const std::string& path() const { return path_; }
  // Writes a file into it and returns its path.
  std::string Write(const std::string& name, const std::string& text) const;

 private:
  std::string path_;
};

std::string ReadFile(const std::string& path);

// A kbench-server or kbench-agent on a free loopback port, or where `listen` says.
class Daemon {
 public:
  Daemon(const std::string& program, std::vector<std::string> arguments,
         const std::string& listen = "127.0.0.1:0",
         const std::function<void()>& before_exec = nullptr);
  const std::string& address() const { return address_; }
  Child& child() { return child_; }

 private:
  Child child_;
  std::string address_;
};

}  // namespace kbench::e2e
