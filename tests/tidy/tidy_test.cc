// The house's structure as a test: who may include whom, which library has which single home, and
// what no file may contain. docs/architecture.md explains the rules; this enforces them.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/durable_files.h"

namespace kbench {
namespace {

namespace fs = std::filesystem;

struct SourceFile {
  std::string path;  // from the project's root
  std::string room;
  std::string text;
  std::vector<std::string> includes;  // as written, without <> or ""
};

// Rooms are folders. A row names those that the room may include, beside itself; no arrow runs
// back.
const std::map<std::string, std::set<std::string>>& Rooms() {
  static const auto* const rooms = new std::map<std::string, std::set<std::string>>{
      {"base", {}},
      {"proto", {}},
      {"kinetic", {"base", "proto"}},
      {"transport", {"base", "kinetic"}},
      {"client", {"base", "kinetic", "transport"}},
      {"client/conform", {"base", "client", "kinetic"}},
      {"server", {"base", "client", "kinetic"}},

      {"agent/observer", {"base", "kinetic"}},
      {"agent/host", {"base"}},
      {"agent/path", {"base", "client", "kinetic", "transport"}},
      {"agent/load", {"base", "kinetic", "transport"}},
      {"agent/program", {"agent/load", "base"}},
      {"agent/run",
       {"agent/host", "agent/load", "agent/observer", "agent/path", "agent/program", "base",
        "client", "kinetic", "transport"}},
      {"agent/service",
       {"agent/host", "agent/load", "agent/observer", "agent/path", "agent/program", "agent/run",
        "base", "kinetic", "proto"}},
      {"agent", {"agent/host", "agent/run", "agent/service", "base"}},

      {"analysis/evidence", {"base", "proto"}},
      {"analysis/split", {"analysis/evidence", "base"}},
      {"analysis/verdict", {"analysis/evidence", "analysis/split", "base"}},
      {"analysis/report", {"analysis/evidence", "analysis/split", "analysis/verdict", "base"}},

      {"controller/campaign", {"analysis/evidence", "base", "proto"}},
      {"controller/fleet",
       {"analysis/report", "analysis/verdict", "controller/campaign", "base", "proto"}},
      {"controller/store",
       {"analysis/evidence", "analysis/report", "controller/campaign", "controller/fleet", "base",
        "proto"}},
      {"controller/run",
       {"analysis/evidence", "analysis/report", "analysis/split", "analysis/verdict",
        "controller/campaign", "controller/fleet", "controller/store", "base", "proto"}},
      {"controller/command",
       {"analysis/evidence", "analysis/report", "analysis/split", "analysis/verdict",
        "controller/campaign", "controller/fleet", "controller/run", "controller/store", "base"}},
      {"controller", {"controller/command", "controller/fleet", "base"}},
  };
  return *rooms;
}

std::string FolderOf(const std::string& path) { return fs::path(path).parent_path(); }

const std::vector<SourceFile>& Sources() {
  static const auto* const files = [] {
    auto* all = new std::vector<SourceFile>;
    const fs::path root = KBENCH_SOURCE_DIR;
    std::set<std::string> tops = {"tests"};
    for (const auto& [room, may] : Rooms()) tops.insert(room.substr(0, room.find('/')));
    for (const std::string& top : tops) {
      for (const auto& entry : fs::recursive_directory_iterator(root / top)) {
        const std::string extension = entry.path().extension();
        if (!entry.is_regular_file() || (extension != ".cc" && extension != ".h")) continue;
        SourceFile file{.path = fs::relative(entry.path(), root), .text = *ReadFile(entry.path())};
        file.room = top == "tests" ? top : FolderOf(file.path);
        for (absl::string_view line : absl::StrSplit(file.text, '\n')) {
          if (!absl::ConsumePrefix(&line, "#include ")) continue;
          const size_t end = line.find_first_of(">\"", 1);
          if (line.size() > 2 && end != absl::string_view::npos) {
            file.includes.emplace_back(line.substr(1, end - 1));
          }
        }
        all->push_back(std::move(file));
      }
    }
    return all;
  }();
  return *files;
}

TEST(Structure, FindsTheSources) { EXPECT_GT(Sources().size(), 50u); }

TEST(Structure, EverySourceStandsInARoom) {
  for (const SourceFile& file : Sources()) {
    if (file.room == "tests") continue;
    EXPECT_TRUE(Rooms().contains(file.room)) << file.path << " is in no room of this test";
  }
}

TEST(Structure, RoomsIncludeOnlyWhatTheyMay) {
  for (const SourceFile& file : Sources()) {
    if (!Rooms().contains(file.room)) continue;
    for (const std::string& include : file.includes) {
      const std::string room = FolderOf(include);
      if (room == file.room || !Rooms().contains(room)) continue;
      EXPECT_TRUE(Rooms().at(file.room).contains(room)) << file.path << " includes " << include;
    }
  }
}

// A row that allows more than is used would let an arrow in unseen.
TEST(Structure, EveryArrowIsUsed) {
  std::map<std::string, std::set<std::string>> used;
  for (const SourceFile& file : Sources()) {
    for (const std::string& include : file.includes) used[file.room].insert(FolderOf(include));
  }
  for (const auto& [room, may] : Rooms()) {
    for (const std::string& other : may) {
      EXPECT_TRUE(used[room].contains(other)) << room << " includes nothing of " << other;
    }
  }
}

TEST(Structure, NoArrowRunsBack) {
  std::set<std::string> below;  // rooms all of whose includes are below already
  for (size_t before = 1; before != below.size();) {
    before = below.size();
    for (const auto& [room, may] : Rooms()) {
      if (std::includes(below.begin(), below.end(), may.begin(), may.end())) below.insert(room);
    }
    if (before == below.size()) break;
  }
  for (const auto& [room, may] : Rooms()) {
    EXPECT_TRUE(below.contains(room)) << room << " stands in a circle of includes";
  }
}

TEST(Structure, TestsMirrorTheRooms) {
  const std::set<std::string> beside = {"tests/base", "tests/bench", "tests/data",    "tests/e2e",
                                        "tests/fuzz", "tests/tidy",  "tests/testbed", "tests"};
  for (const SourceFile& file : Sources()) {
    if (file.room != "tests") continue;
    const std::string folder = FolderOf(file.path);
    if (beside.contains(folder)) continue;
    const std::string mirrored = folder.substr(sizeof("tests/") - 1);
    const bool top = std::any_of(Rooms().begin(), Rooms().end(), [&mirrored](const auto& row) {
      return absl::StartsWith(row.first, mirrored + "/");
    });
    EXPECT_TRUE(top || Rooms().contains(mirrored)) << file.path << " mirrors no room";
    if (top && !Rooms().contains(mirrored)) {
      EXPECT_FALSE(absl::EndsWith(file.path, "_test.cc"))
          << file.path << " belongs beside the room that it tests";
    }
  }
}

TEST(Structure, ProtobufStaysAtTheEdges) {
  for (const SourceFile& file : Sources()) {
    if (file.room == "tests") continue;
    const std::string stem = fs::path(file.path).stem();
    for (const std::string& include : file.includes) {
      if (include == "proto/kinetic.pb.h") {
        EXPECT_TRUE(file.room == "kinetic" && absl::EndsWith(file.path, ".cc")) << file.path;
      } else if (absl::StartsWith(include, "proto/") && absl::StartsWith(file.room, "agent")) {
        EXPECT_TRUE(absl::EndsWith(stem, "_service") || absl::EndsWith(stem, "_proto") ||
                    stem == "run_stream")
            << file.path << " includes " << include;
      } else if (absl::StartsWith(include, "proto/agent") &&
                 absl::StartsWith(file.room, "analysis")) {
        ADD_FAILURE() << file.path << " includes " << include;
      }
    }
  }
}

TEST(Structure, EveryLibraryHasOneHome) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> homes = {
      {"liburing", {"transport/uring_"}},
      {"openssl/", {"kinetic/hmac", "kinetic/tag", "base/digest", "base/tls"}},
      {"rocksdb/", {"server/rocks_store"}},
      {"grpcpp/",
       {"_service", "agent/service/run_stream", "agent/service/server_credentials", "agent/main",
        "controller/fleet/agent_link", "controller/main"}},
      {"yaml-cpp/", {"controller/campaign/campaign"}},
      {"CLI/", {"main", "controller/command/command"}},
      {"pcap/", {"agent/observer/capture_file"}},
  };
  for (const SourceFile& file : Sources()) {
    if (file.room == "tests") continue;
    for (const std::string& include : file.includes) {
      for (const auto& [library, places] : homes) {
        if (!absl::StartsWith(include, library)) continue;
        bool home = false;
        for (const std::string& place : places) home |= absl::StrContains(file.path, place);
        EXPECT_TRUE(home) << file.path << " includes " << include << "; homes of " << library
                          << " are listed in tests/tidy/tidy_test.cc";
      }
    }
  }
}

TEST(Structure, EveryHeaderSaysFirstWhatItIs) {
  for (const SourceFile& file : Sources()) {
    if (!absl::EndsWith(file.path, ".h")) continue;
    EXPECT_TRUE(absl::StartsWith(file.text, "// ")) << file.path;
    EXPECT_TRUE(absl::StrContains(file.text, "#pragma once")) << file.path;
  }
}

TEST(Structure, NothingIsLeftForLaterOrTiedToOneMachine) {
  const std::vector<std::string> banned = {std::string("TO") + "DO", std::string("FIX") + "ME",
                                           std::string("/wor") + "k/", std::string("/ro") + "ot/",
                                           std::string("using name") + "space std;"};
  for (const SourceFile& file : Sources()) {
    for (const std::string& word : banned) {
      EXPECT_FALSE(absl::StrContains(file.text, word)) << file.path << " contains " << word;
    }
  }
}

TEST(Structure, TestsDoNotSleep) {
  for (const SourceFile& file : Sources()) {
    if (file.room != "tests" || absl::EndsWith(file.path, "tidy_test.cc")) continue;
    // It defines the function for the program that it is loaded into.
    if (absl::EndsWith(file.path, "stepped_clock_preload.cc")) continue;
    for (const char* call : {"sleep_for(", "usleep(", "nanosleep("}) {
      EXPECT_FALSE(absl::StrContains(file.text, call)) << file.path << " calls " << call;
    }
  }
}

TEST(Structure, FilesStaySmall) {
  constexpr int kMaxLines = 600;
  for (const SourceFile& file : Sources()) {
    const auto lines = std::count(file.text.begin(), file.text.end(), '\n');
    EXPECT_LE(lines, kMaxLines) << file.path << ": split it by idea";
  }
}

TEST(Structure, IsFormatted) {
  if (std::system("command -v clang-format >/dev/null") != 0) {
    GTEST_SKIP() << "clang-format is not installed";
  }
  std::string command =
      "cd " + std::string(KBENCH_SOURCE_DIR) + " && clang-format --dry-run -Werror";
  for (const SourceFile& file : Sources()) command += " " + file.path;
  EXPECT_EQ(std::system((command + " 2>&1 | head -20 | grep . && exit 1 || exit 0").c_str()), 0)
      << "run `make format`";
}

}  // namespace
}  // namespace kbench
