// The house's structure as a test: who may include whom, which library has which single home, and
// what no file may contain. docs/architecture.md explains the rules; this enforces them.

#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace kbench {
namespace {

namespace fs = std::filesystem;

struct SourceFile {
  std::string path;  // from the project's root
  std::string room;
  std::string text;
  std::vector<std::string> includes;  // as written, without <> or ""
};

std::string ReadAll(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

const std::set<std::string> kRooms = {"agent",   "analysis", "base",   "client",   "controller",
                                      "kinetic", "proto",    "server", "transport"};

const std::vector<SourceFile>& Sources() {
  static const auto* const files = [] {
    auto* all = new std::vector<SourceFile>;
    const fs::path root = KBENCH_SOURCE_DIR;
    std::vector<std::string> tops(kRooms.begin(), kRooms.end());
    tops.push_back("tests");
    for (const std::string& top : tops) {
      for (const auto& entry : fs::recursive_directory_iterator(root / top)) {
        const std::string extension = entry.path().extension();
        if (!entry.is_regular_file() || (extension != ".cc" && extension != ".h")) continue;
        SourceFile file{
            .path = fs::relative(entry.path(), root), .room = top, .text = ReadAll(entry.path())};
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

TEST(Structure, RoomsIncludeOnlyWhatTheyMay) {
  const std::map<std::string, std::set<std::string>> may = {
      {"base", {}},
      {"proto", {}},
      {"kinetic", {"base", "proto"}},
      {"transport", {"base", "kinetic"}},
      {"client", {"base", "kinetic", "transport"}},
      {"server", {"base", "client", "kinetic"}},
      {"agent", {"base", "client", "kinetic", "proto", "transport"}},
      {"analysis", {"base", "proto"}},
      {"controller", {"base", "proto", "analysis"}},
  };
  for (const SourceFile& file : Sources()) {
    if (file.room == "tests") continue;
    for (const std::string& include : file.includes) {
      const std::string room = include.substr(0, include.find('/'));
      if (room == file.room || !kRooms.contains(room)) continue;
      EXPECT_TRUE(may.at(file.room).contains(room)) << file.path << " includes " << include;
    }
  }
}

TEST(Structure, TheObserverStandsAlone) {
  const std::set<std::string> may = {"base", "kinetic"};
  for (const SourceFile& file : Sources()) {
    if (!absl::StartsWith(file.path, "agent/observer/")) continue;
    for (const std::string& include : file.includes) {
      const std::string room = include.substr(0, include.find('/'));
      if (!kRooms.contains(room) || absl::StartsWith(include, "agent/observer/")) continue;
      EXPECT_TRUE(may.contains(room)) << file.path << " includes " << include;
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
      } else if (absl::StartsWith(include, "proto/") && file.room == "agent") {
        EXPECT_TRUE(absl::EndsWith(stem, "_service") || absl::EndsWith(stem, "_proto") ||
                    stem == "run_stream")
            << file.path << " includes " << include;
      } else if (absl::StartsWith(include, "proto/agent") && file.room == "analysis") {
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
       {"_service", "agent/run_stream", "agent/server_credentials", "agent/main",
        "controller/agent_link", "controller/main"}},
      {"yaml-cpp/", {"controller/campaign"}},
      {"CLI/", {"main", "controller/command"}},
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
