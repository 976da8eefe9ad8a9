// Files that are there after a power cut, or are not there at all.
//
// Writing is create-new, write, fsync; what could not be written whole is removed again. A name
// becomes visible by rename within one directory, followed by an fsync of that directory. A full
// disk is ResourceExhausted and says which file of how many bytes did not fit.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/fd.h"

namespace kbench {

// A crash half-way leaves a part of it: for files that mean nothing before another one names them.
absl::Status WriteDurably(const std::string& path, absl::string_view content);
// Whole or not at all, in place of a file that may exist: through a temporary name beside it.
absl::Status ReplaceDurably(const std::string& path, absl::string_view content);
// AlreadyExists when `to` exists: nothing is ever overwritten.
absl::Status RenameDurably(const std::string& from, const std::string& to);
// The same bytes under another name: a link, or a copy where the file system does not link.
absl::Status LinkOrCopyDurably(const std::string& from, const std::string& to);
// AlreadyExists when it does, so that only one can have made it.
absl::Status MakeNewDirectory(const std::string& path);
absl::Status MakeDirectories(const std::string& path);
absl::Status SyncDirectory(const std::string& path);
absl::Status MakeFilesReadOnly(const std::string& directory);

// NotFound when it cannot be opened, Internal when it cannot be read.
absl::StatusOr<std::string> ReadFile(const std::string& path);

// An exclusive lock on a directory, held while the object lives. Empty when somebody holds it.
Fd TryLockDirectory(const std::string& path);
// Whether somebody holds it. Looking hinders nobody else who looks.
bool IsLocked(const std::string& path);

}  // namespace kbench
