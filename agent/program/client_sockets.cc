#include "agent/program/client_sockets.h"

#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace kbench {
namespace {

namespace fs = std::filesystem;

// Inodes of the sockets that the process has open; false: they cannot be read.
bool CollectSockets(pid_t pid, std::set<uint64_t>* inodes) {
  std::error_code error;
  fs::directory_iterator files(absl::StrCat("/proc/", pid, "/fd"), error);
  if (error) return error == std::errc::no_such_file_or_directory;  // it has ended
  for (; files != fs::directory_iterator(); files.increment(error)) {
    if (error) return true;
    const std::string target = fs::read_symlink(files->path(), error).string();
    absl::string_view text = target;
    uint64_t inode = 0;
    if (absl::ConsumePrefix(&text, "socket:[") && absl::ConsumeSuffix(&text, "]") &&
        absl::SimpleAtoi(text, &inode)) {
      inodes->insert(inode);
    }
  }
  return true;
}

// "0100007F:1F90" -> 0x1F90
uint16_t PortOf(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) return 0;
  return static_cast<uint16_t>(strtoul(address.c_str() + colon + 1, nullptr, 16));
}

}  // namespace

ConnectionOwners FindOwners(const std::vector<pid_t>& processes, uint16_t port) {
  ConnectionOwners owners;
  std::set<uint64_t> inodes;
  bool readable = true;
  for (const pid_t pid : processes) readable = CollectSockets(pid, &inodes) && readable;
  for (const char* path : {"/proc/self/net/tcp", "/proc/self/net/tcp6"}) {
    std::ifstream in(path);
    std::string line;
    std::getline(in, line);  // the names of the columns
    while (std::getline(in, line)) {
      std::istringstream fields(line);
      std::string slot, local, remote, state, queues, timer, again, uid, timeout;
      uint64_t inode = 0;
      fields >> slot >> local >> remote >> state >> queues >> timer >> again >> uid >> timeout >>
          inode;
      constexpr char kEstablished[] = "01";
      if (state != kEstablished || PortOf(remote) != port || inode == 0) continue;
      if (inodes.contains(inode)) {
        owners.own.insert(PortOf(local));
      } else if (readable) {
        owners.others.insert(PortOf(local));
      }
    }
  }
  return owners;
}

}  // namespace kbench
