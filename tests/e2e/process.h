// Child processes for end-to-end tests: started with a deadline on every wait, ended by their own
// id whatever happens to the test.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
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

  // Waits until `text` stands in what the child wrote to one of its streams, and returns everything
  // so far; fails the test and returns what came when it ends or the time is over.
  std::string WaitForOutput(const std::string& text, milliseconds timeout);
  void Signal(int signal);
  // Exit code, 128 + signal when killed; -1 (and a test failure) when still alive after `timeout`.
  int Wait(milliseconds timeout);

  pid_t pid() const { return pid_; }
  // What it has written so far; all of it after Wait().
  std::string out() const { return Written(&Streams::out); }
  std::string err() const { return Written(&Streams::err); }

 private:
  struct Streams {
    std::string out;
    std::string err;
    bool ended = false;  // all is there that the child wrote
  };

  // Reads both streams for as long as they last: a child whose pipe is full would stand still.
  void Drain(Fd out, Fd err);
  std::string Written(std::string Streams::*stream) const;
  bool Reap();

  pid_t pid_ = -1;
  bool reaped_ = false;
  int status_ = 0;
  mutable std::mutex mutex_;
  std::condition_variable more_;
  Streams streams_;  // guarded by mutex_
  Fd stop_;          // eventfd: the child is gone, or: drain no longer
  std::thread drain_;
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

// A free loopback address for a daemon that is to come back to it after its end. Its port is none
// of those that the kernel gives to whoever asks for any: while it is free nobody else is given it.
std::string AddressToComeBackTo();

}  // namespace kbench::e2e
