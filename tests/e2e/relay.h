// A user-space relay that adds a known delay each way: the network with a known answer. It
// terminates TCP on both sides, holds every chunk of bytes until it is due, and spins through the
// last stretch of the wait, so that what it adds is what it says within a few microseconds. It logs
// what it really added.
#pragma once

#include <mutex>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/fd.h"
#include "base/histogram.h"

namespace kbench::e2e {

class Relay {
 public:
  // Listens on `listen_on`; port 0 takes a free one.
  Relay(const std::string& target, Nanos delay_each_way,
        const std::string& listen_on = "127.0.0.1:0");
  ~Relay();

  const std::string& address() const { return address_; }
  // Median of (left the relay - reached the relay), over the chunks of both directions.
  Nanos MedianAdded() const;

 private:
  void Loop(const std::string& target, Nanos delay);

  Fd listener_;
  Fd stop_;
  std::string address_;
  mutable std::mutex mutex_;
  Histogram added_;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace kbench::e2e
