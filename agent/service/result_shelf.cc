#include "agent/service/result_shelf.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/durable_files.h"
#include "base/status_macros.h"

namespace kbench {
namespace {

namespace fs = std::filesystem;

constexpr absl::string_view kSuffix = ".result";
constexpr size_t kLongestId = 100;
constexpr int64_t kSecond = 1'000'000'000;  // ns

absl::Status CheckId(const std::string& run_id) {
  const auto plain = [](unsigned char c) { return absl::ascii_isalnum(c) || c == '-' || c == '_'; };
  if (!run_id.empty() && run_id.size() <= kLongestId &&
      std::all_of(run_id.begin(), run_id.end(), plain)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("'", run_id, "' is no run id: up to ", kLongestId, " letters, digits, - and _"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ResultShelf>> ResultShelf::Open(const std::string& directory) {
  RETURN_IF_ERROR(MakeDirectories(directory));
  if (access(directory.c_str(), R_OK | W_OK | X_OK) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot keep results in ", directory, ": ", strerror(errno)));
  }
  Fd lock = TryLockDirectory(directory);
  if (!lock.valid()) {
    return absl::FailedPreconditionError(absl::StrCat(
        directory, " holds the results of another agent that runs; give each its own"));
  }
  // Of an agent that was killed while it wrote.
  std::error_code error;
  fs::directory_iterator entry(directory, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    if (entry->path().extension() == ".new") unlink(entry->path().c_str());
  }
  return std::unique_ptr<ResultShelf>(new ResultShelf(directory, std::move(lock)));
}

std::string ResultShelf::PathOf(const std::string& run_id) const {
  return absl::StrCat(directory_, "/", run_id, kSuffix);
}

absl::Status ResultShelf::Put(const std::string& run_id, const std::string& bytes) {
  RETURN_IF_ERROR(CheckId(run_id));
  MutexLock lock(&mutex_);
  MakeRoom(run_id, bytes.size());
  RETURN_IF_ERROR(ReplaceDurably(PathOf(run_id), bytes));
  StayNewest(run_id);
  return absl::OkStatus();
}

void ResultShelf::StayNewest(const std::string& run_id) {
  int64_t newest = 0, own = 0;
  for (const KeptResult& kept : ListLocked()) {
    int64_t& to = kept.run_id == run_id ? own : newest;
    to = std::max(to, kept.ended_unix_ns);
  }
  if (own > newest) return;
  const timespec time = {.tv_sec = (newest + 1) / kSecond, .tv_nsec = (newest + 1) % kSecond};
  const timespec times[] = {time, time};
  utimensat(AT_FDCWD, PathOf(run_id).c_str(), times, 0);
}

std::vector<KeptResult> ResultShelf::List() const {
  MutexLock lock(&mutex_);
  return ListLocked();
}

std::vector<KeptResult> ResultShelf::ListLocked() const {
  std::vector<KeptResult> kept;
  std::error_code error;
  fs::directory_iterator entry(directory_, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename();
    struct stat file = {};
    if (!absl::EndsWith(name, kSuffix) || stat(entry->path().c_str(), &file) != 0) continue;
    kept.push_back({.run_id = std::string(absl::StripSuffix(name, kSuffix)),
                    .bytes = static_cast<uint64_t>(file.st_size),
                    .ended_unix_ns = file.st_mtim.tv_sec * kSecond + file.st_mtim.tv_nsec});
  }
  std::sort(kept.begin(), kept.end(), [](const KeptResult& a, const KeptResult& b) {
    return std::pair(a.ended_unix_ns, a.run_id) < std::pair(b.ended_unix_ns, b.run_id);
  });
  return kept;
}

absl::StatusOr<std::string> ResultShelf::Read(const std::string& run_id) const {
  RETURN_IF_ERROR(CheckId(run_id));
  MutexLock lock(&mutex_);
  absl::StatusOr<std::string> bytes = ReadFile(PathOf(run_id));
  if (absl::IsNotFound(bytes.status())) {
    return absl::NotFoundError(absl::StrCat("no result of run ", run_id, " is kept here"));
  }
  return bytes;
}

absl::Status ResultShelf::Drop(const std::string& run_id) {
  RETURN_IF_ERROR(CheckId(run_id));
  MutexLock lock(&mutex_);
  if (unlink(PathOf(run_id).c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("cannot remove the result of run ", run_id, ": ", strerror(errno)));
}

void ResultShelf::MakeRoom(const std::string& run_id, uint64_t bytes) {
  std::vector<KeptResult> kept = ListLocked();
  kept.erase(std::remove_if(kept.begin(), kept.end(),
                            [&](const KeptResult& result) { return result.run_id == run_id; }),
             kept.end());
  size_t count = kept.size() + 1;
  for (const KeptResult& result : kept) bytes += result.bytes;
  for (const KeptResult& oldest : kept) {
    if (count <= kMostKept && bytes <= kMostBytes) return;
    std::cerr << absl::StrCat("kbench-agent: run ", oldest.run_id,
                              ": its result was never acknowledged and gives way to newer ones\n")
              << std::flush;
    unlink(PathOf(oldest.run_id).c_str());
    --count;
    bytes -= oldest.bytes;
  }
}

}  // namespace kbench
