// What is done to a campaign's hosts, for tests of what becomes of it.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"

namespace kbench::e2e {

// For instants that are a test's input: when a blow falls, how long somebody is frozen. Nothing is
// waited for by it.
void WaitUntil(MonoTime at);

// A file system of its own for what is written below `path`, which is made. Needs root.
class SmallDisk {
 public:
  explicit SmallDisk(const std::string& path, const std::string& size = "64m");
  ~SmallDisk();
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  bool mounted() const { return mounted_; }
  // What is there stays; nothing more fits, until Free().
  void Fill() const;
  void Free() const;

 private:
  void Resize(const std::string& size) const;
  uint64_t Used() const;

  const std::string path_;
  const std::string size_;
  bool mounted_ = false;
};

}  // namespace kbench::e2e
