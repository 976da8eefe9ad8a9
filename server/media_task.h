// MEDIASCAN and MEDIAOPTIMIZE.
//
// A scan walks over a range, slice by slice; it reads every object of the range, so that the store
// checks it, and compares its tag if its algorithm is known here (kinetic/tag.h): one of a length
// that CRC32C, SHA-1 or SHA-2 never has is wrong, as on the simulator. The answer
// lists the keys of what cannot be trusted, and as endKey how far it came. Keys that the identity
// may not list are neither looked at nor told.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "kinetic/types.h"
#include "server/caller.h"
#include "server/dialect.h"
#include "server/limits.h"
#include "server/store.h"
#include "server/task.h"

namespace kbench::server {

// A range of the wire with memory of its own.
struct OwnedRange {
  explicit OwnedRange(const kinetic::Range& range);
  Store::Bound First() const;
  Store::Bound Last() const;

  std::string start, end;
  bool start_inclusive, end_inclusive;
};

class ScanTask final : public Task {
 public:
  struct Options {
    const Store* store = nullptr;
    kinetic::Range range;   // its views are needed during construction only
    uint32_t keys_max = 0;  // bad keys before it stops
    std::shared_ptr<const Identity> identity;
    bool tls = false;
    std::optional<MonoTime> deadline;
    Dialect::ScanTells tells = Dialect::ScanTells::kHowFar;
  };
  explicit ScanTask(const Options& options);

  bool Step() override;
  Objection Finish(kinetic::Command* response) override;

 private:
  bool Good(absl::string_view key) const;

  Options options_;
  OwnedRange range_;
  std::string reached_;  // the last key that was passed
  std::string told_;     // the last one that was looked at
  bool begun_ = false;
  bool expired_ = false;
  absl::Status failed_;
  std::vector<std::string> bad_;
};

// MEDIAOPTIMIZE: the store gives back what it can, on a thread of its own.
class CompactTask final : public Task {
 public:
  // `wake` is called when it is done, from that thread.
  CompactTask(Store* store, const kinetic::Range& range, const std::function<void()>& wake);
  ~CompactTask() override { thread_.join(); }

  bool Step() override { return done_; }
  bool waiting() const override { return !done_; }
  Objection Finish(kinetic::Command* response) override;

 private:
  OwnedRange range_;
  absl::Status result_;
  std::atomic<bool> done_ = false;
  std::thread thread_;
};

}  // namespace kbench::server
