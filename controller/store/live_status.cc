#include "controller/store/live_status.h"

#include <pwd.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "base/durable_files.h"
#include "base/status_macros.h"

namespace kbench {
namespace {

constexpr Nanos kLookEvery = Millis(100);

std::string StatusPath(const std::string& partial_dir) { return partial_dir + "/status.json"; }
std::string CancelPath(const std::string& partial_dir) { return partial_dir + "/cancel"; }

}  // namespace

std::string LiveStatusJson(const LiveStatus& status) {
  const nlohmann::ordered_json json = {{"campaign", status.campaign},
                                       {"run_id", status.run_id},
                                       {"controller", status.controller},
                                       {"updated_unix_ms", status.updated_unix_ms},
                                       {"runs", status.runs},
                                       {"run", status.run},
                                       {"what", status.what},
                                       {"phase", status.phase},
                                       {"ops_per_s", status.ops_per_s},
                                       {"left_ms", status.left_ms},
                                       {"absent", status.absent}};
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

absl::StatusOr<LiveStatus> ParseLiveStatus(absl::string_view text) {
  try {
    const auto json = nlohmann::json::parse(text.begin(), text.end());
    LiveStatus status;
    json.at("campaign").get_to(status.campaign);
    json.at("run_id").get_to(status.run_id);
    json.at("controller").get_to(status.controller);
    json.at("updated_unix_ms").get_to(status.updated_unix_ms);
    json.at("runs").get_to(status.runs);
    json.at("run").get_to(status.run);
    json.at("what").get_to(status.what);
    json.at("phase").get_to(status.phase);
    json.at("ops_per_s").get_to(status.ops_per_s);
    json.at("left_ms").get_to(status.left_ms);
    json.at("absent").get_to(status.absent);
    return status;
  } catch (const nlohmann::json::exception& error) {
    return absl::InternalError(
        absl::StrCat("status.json is of another release, or damaged: ", error.what()));
  }
}

std::string OwnerOfRun(const std::string& run_id) {
  return absl::StrCat("kbench run ", run_id, " by ", ThisController());
}

std::string ThisController() {
  char host[256] = "";
  gethostname(host, sizeof(host) - 1);
  const passwd* const user = getpwuid(geteuid());
  return absl::StrCat(user != nullptr ? user->pw_name : absl::StrCat("uid ", geteuid()), "@", host,
                      " pid ", getpid());
}

// Not durable, on purpose: it is of no use after a crash, and a sync costs the disk time.
void WriteLiveStatus(const std::string& partial_dir, const LiveStatus& status) {
  const std::string path = StatusPath(partial_dir);
  const std::string temporary = path + ".new";
  bool written = false;
  {
    std::ofstream file(temporary, std::ios::trunc);
    file << LiveStatusJson(status);
    file.flush();
    written = file.good();
  }
  if (!written || std::rename(temporary.c_str(), path.c_str()) != 0) unlink(temporary.c_str());
}

absl::StatusOr<LiveStatus> ReadLiveStatus(const std::string& partial_dir) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(StatusPath(partial_dir)));
  return ParseLiveStatus(text);
}

absl::Status AskToCancel(const std::string& partial_dir, bool hard) {
  return ReplaceDurably(CancelPath(partial_dir), hard ? "hard" : "stop");
}

void RemoveLiveFiles(const std::string& partial_dir) {
  for (const std::string& path : {StatusPath(partial_dir), CancelPath(partial_dir)}) {
    unlink(path.c_str());
    unlink((path + ".new").c_str());
  }
}

CancelWatch::CancelWatch(const std::string& partial_dir, Interrupts* interrupts)
    : path_(CancelPath(partial_dir)), interrupts_(interrupts), thread_([this] { Watch(); }) {}

CancelWatch::~CancelWatch() {
  {
    MutexLock lock(&mutex_);
    over_ = true;
  }
  changed_.NotifyAll();
  thread_.join();
}

bool CancelWatch::OverWithin(Nanos time) {
  const MonoTime end = MonoNow() + time;
  MutexLock lock(&mutex_);
  while (!over_ && changed_.WaitUntil(&mutex_, end)) {
  }
  return over_;
}

void CancelWatch::Watch() {
  while (!OverWithin(kLookEvery)) {
    if (access(path_.c_str(), F_OK) != 0) continue;
    const absl::StatusOr<std::string> wish = ReadFile(path_);
    if (wish.ok()) interrupts_->Ask(*wish == "hard" ? 2 : 1);
  }
}

}  // namespace kbench
