#include "tests/e2e/blows.h"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "base/fd.h"

namespace kbench::e2e {

void WaitUntil(MonoTime at) {
  const Fd timer(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
  const itimerspec until = {
      .it_interval = {},
      .it_value = {.tv_sec = at.ns() / 1'000'000'000, .tv_nsec = at.ns() % 1'000'000'000}};
  uint64_t expired = 0;
  if (timerfd_settime(timer.get(), TFD_TIMER_ABSTIME, &until, nullptr) != 0 ||
      read(timer.get(), &expired, sizeof(expired)) != sizeof(expired)) {
    std::abort();
  }
}

SmallDisk::SmallDisk(const std::string& path, const std::string& size) : path_(path), size_(size) {
  std::filesystem::create_directories(path);
  const std::string option = absl::StrCat("size=", size);
  mounted_ = mount("tmpfs", path.c_str(), "tmpfs", 0, option.c_str()) == 0;
}

SmallDisk::~SmallDisk() {
  if (mounted_) umount2(path_.c_str(), MNT_DETACH);
}

void SmallDisk::Fill() const { Resize(absl::StrCat("size=", Used())); }

void SmallDisk::Free() const { Resize(absl::StrCat("size=", size_)); }

void SmallDisk::Resize(const std::string& size) const {
  EXPECT_EQ(mount("tmpfs", path_.c_str(), "tmpfs", MS_REMOUNT, size.c_str()), 0) << size;
}

uint64_t SmallDisk::Used() const {
  std::error_code ignored;
  const auto space = std::filesystem::space(path_, ignored);
  return space.capacity - space.free + 4096;
}

}  // namespace kbench::e2e
