#include "base/durable_files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace kbench {
namespace {

namespace fs = std::filesystem;

absl::Status FileError(absl::string_view what, const std::string& path, int error) {
  const bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
  const bool forbidden = error == EACCES || error == EPERM || error == EROFS;
  const std::string text = absl::StrCat(
      "cannot ", what, " ", path, ": ", strerror(error),
      full        ? "; free some space, or name another directory with --results"
      : forbidden ? "; change its permissions, or name another directory with --results"
                  : "");
  if (error == ENOENT) return absl::NotFoundError(text);
  if (error == EEXIST) return absl::AlreadyExistsError(text);
  if (full) return absl::ResourceExhaustedError(text);
  return absl::InternalError(text);
}

// False with errno.
bool WriteAll(int fd, absl::string_view content) {
  while (!content.empty()) {
    const ssize_t n = write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    content.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

}  // namespace

absl::Status WriteDurably(const std::string& path, absl::string_view content) {
  const std::string what = absl::StrCat("write ", content.size(), " bytes to");
  Fd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!fd.valid()) return FileError(what, path, errno);
  if (WriteAll(fd.get(), content) && fsync(fd.get()) == 0 && close(fd.Release()) == 0) {
    return absl::OkStatus();
  }
  const int error = errno;
  unlink(path.c_str());  // it is ours, and it is not whole
  return FileError(what, path, error);
}

absl::Status ReplaceDurably(const std::string& path, absl::string_view content) {
  const std::string temporary = path + ".new";
  unlink(temporary.c_str());
  RETURN_IF_ERROR(WriteDurably(temporary, content));
  if (rename(temporary.c_str(), path.c_str()) != 0) return FileError("replace", path, errno);
  return SyncDirectory(fs::path(path).parent_path());
}

absl::Status RenameDurably(const std::string& from, const std::string& to) {
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) != 0) {
    // Some file systems (NFS) cannot promise it. Names carry a run id of their own, so looking
    // first leaves no window that anybody else would use.
    if (errno == EINVAL && access(to.c_str(), F_OK) != 0) {
      if (rename(from.c_str(), to.c_str()) == 0) return SyncDirectory(fs::path(to).parent_path());
    }
    return FileError(absl::StrCat("rename ", from, " to"), to, errno);
  }
  return SyncDirectory(fs::path(to).parent_path());
}

absl::Status LinkOrCopyDurably(const std::string& from, const std::string& to) {
  if (link(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string content, ReadFile(from));
  return WriteDurably(to, content);
}

absl::Status MakeNewDirectory(const std::string& path) {
  if (mkdir(path.c_str(), 0755) != 0) return FileError("make the directory", path, errno);
  return absl::OkStatus();
}

absl::Status MakeDirectories(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return FileError("make the directory", path, error.value());
  return absl::OkStatus();
}

absl::Status SyncDirectory(const std::string& path) {
  // The parent of a bare file name has no name.
  const char* const name = path.empty() ? "." : path.c_str();
  Fd fd(open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid() || fsync(fd.get()) != 0) return FileError("sync", name, errno);
  return absl::OkStatus();
}

absl::Status MakeFilesReadOnly(const std::string& directory) {
  std::error_code error;
  constexpr fs::perms kWrite =
      fs::perms::owner_write | fs::perms::group_write | fs::perms::others_write;
  for (const auto& entry : fs::recursive_directory_iterator(directory, error)) {
    struct stat file = {};
    if (stat(entry.path().c_str(), &file) != 0 || !S_ISREG(file.st_mode)) continue;
    if ((file.st_mode & (S_IWUSR | S_IWGRP | S_IWOTH)) == 0) continue;
    fs::permissions(entry.path(), kWrite, fs::perm_options::remove, error);
    if (error == std::errc::no_such_file_or_directory) error.clear();  // it came and went
    if (error) return FileError("protect", entry.path(), error.value());
  }
  if (error) return FileError("walk", directory, error.value());
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return FileError("read", path, errno);
  std::string content;
  char buffer[65536];
  while (true) {
    const ssize_t n = read(fd.get(), buffer, sizeof(buffer));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return FileError("read", path, errno);
    if (n == 0) return content;
    content.append(buffer, static_cast<size_t>(n));
  }
}

// Who looks (IsLocked) holds a shared lock for an instant: a second look a little later is enough.
Fd TryLockDirectory(const std::string& path) {
  Fd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (int i = 0; fd.valid() && i < 20; ++i) {
    if (flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return Fd();
}

bool IsLocked(const std::string& path) {
  const Fd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return fd.valid() && flock(fd.get(), LOCK_SH | LOCK_NB) != 0;
}

}  // namespace kbench
