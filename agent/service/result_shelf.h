// Results that no controller has acknowledged: a controller that dies, or a link that goes, does
// not take a measurement with it. One file a run, whole or not at all, in a directory that outlives
// the agent; a controller fetches them by run id, and what it has stored it acknowledges.
//
// At most kMostKept results and kMostBytes: the oldest give way, and the log says so. When the disk
// is full before that, the new one is not kept: those that wait exist nowhere else.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/fd.h"
#include "base/mutex.h"

namespace kbench {

struct KeptResult {
  std::string run_id;
  uint64_t bytes = 0;
  int64_t ended_unix_ns = 0;  // of its file
};

class ResultShelf {
 public:
  static constexpr size_t kMostKept = 256;
  static constexpr uint64_t kMostBytes = uint64_t{4} << 30;

  // Makes the directory if it is not there, and says now if nothing can be written to it.
  static absl::StatusOr<std::unique_ptr<ResultShelf>> Open(const std::string& directory);

  // Durable when it returns; replaces an earlier result of the same run. `bytes` is a serialised
  // RunResult. InvalidArgument for an id that cannot be a file's name.
  absl::Status Put(const std::string& run_id, const std::string& bytes);
  // Oldest first.
  std::vector<KeptResult> List() const;
  // NotFound when there is none.
  absl::StatusOr<std::string> Read(const std::string& run_id) const;
  // Dropping what is not there is no error: it may have been acknowledged twice.
  absl::Status Drop(const std::string& run_id);

 private:
  ResultShelf(std::string directory, Fd lock)
      : directory_(std::move(directory)), lock_(std::move(lock)) {}
  std::string PathOf(const std::string& run_id) const;
  std::vector<KeptResult> ListLocked() const;
  // For a result of so many bytes, which may replace one.
  void MakeRoom(const std::string& run_id, uint64_t bytes);
  // By its file's time, which says who gives way: a clock that was stepped back must not.
  void StayNewest(const std::string& run_id);

  const std::string directory_;
  const Fd lock_;        // against another agent with the same directory
  mutable Mutex mutex_;  // of the directory
};

}  // namespace kbench
