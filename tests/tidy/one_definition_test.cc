// All rooms can be linked into one program: nothing is defined twice.
//
// The linker takes one of two inline functions, or of two implicit destructors, of the same name
// without a word, so it is asked of the symbols: every symbol of ours, in whichever library it
// stands, has to come from one line of source. Debug information says which.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace kbench {
namespace {

using Places = std::map<std::string, std::set<std::string>>;  // symbol -> FILE that defines it

std::vector<std::string> Libraries(const std::string& list) {
  std::ifstream in(list);
  std::vector<std::string> libraries;
  for (std::string line; std::getline(in, line);) {
    if (!line.empty()) libraries.push_back(line);
  }
  return libraries;
}

std::string OutputOf(const std::string& command) {
  std::string output;
  std::FILE* pipe = popen(command.c_str(), "r");
  char buffer[4096];
  while (const size_t n = std::fread(buffer, 1, sizeof(buffer), pipe)) output.append(buffer, n);
  EXPECT_EQ(pclose(pipe), 0) << command;
  return output;
}

// A compiler cache may have made the object in another checkout of the project.
std::string FromRoot(absl::string_view file) {
  const size_t up = file.rfind("../");
  if (up != absl::string_view::npos) return std::string(file.substr(up + 3));
  absl::ConsumePrefix(&file, KBENCH_SOURCE_DIR "/");
  return std::string(file);
}

// Of symbols that name something in namespace kbench itself. What a library's template makes of our
// types comes from that library's header, whoever uses it.
Places WhoDefines(const std::vector<std::string>& libraries) {
  Places places;
  for (const std::string& library : libraries) {
    const std::string symbols = OutputOf(absl::StrCat("nm -l --defined-only '", library, "' 2>&1"));
    for (const absl::string_view line : absl::StrSplit(symbols, '\n')) {
      const std::pair<absl::string_view, absl::string_view> at =
          absl::StrSplit(line, absl::MaxSplits('\t', 1));
      const std::vector<absl::string_view> words = absl::StrSplit(at.first, ' ');
      if (words.size() != 3 || at.second.empty() || words[1].size() != 1) continue;
      if (!absl::StrContains("TDBRVWu", words[1])) continue;  // seen by other libraries
      if (!absl::StartsWith(words[2], "_ZN6kbench") && !absl::StartsWith(words[2], "_ZNK6kbench")) {
        continue;
      }
      const std::pair<absl::string_view, absl::string_view> file_line =
          absl::StrSplit(at.second, absl::MaxSplits(':', 1));
      places[std::string(words[2])].insert(FromRoot(file_line.first));
    }
  }
  return places;
}

// A function that the compiler has made (a destructor) is said to come from its type's header, or,
// where something was inlined into it first, from the source that needed it. So a header and a
// source are one definition.
bool AreTwo(const std::set<std::string>& files) {
  const auto headers = std::count_if(files.begin(), files.end(), [](const std::string& file) {
    return absl::EndsWith(file, ".h");
  });
  return headers == 0 ? files.size() > 1 : headers > 1;
}

std::vector<std::string> Twice(const Places& places) {
  std::vector<std::string> twice;
  for (const auto& [symbol, files] : places) {
    if (AreTwo(files)) twice.push_back(absl::StrCat(symbol, ": ", absl::StrJoin(files, ", ")));
  }
  return twice;
}

TEST(OneDefinition, NoTwoRoomsDefineOneSymbol) {
  const std::vector<std::string> libraries = Libraries(KBENCH_LIBRARIES);
  ASSERT_GT(libraries.size(), 15u);
  const Places places = WhoDefines(libraries);
  ASSERT_GT(places.size(), 1000u) << "without debug information nobody knows who defines what";
  for (const std::string& symbol : Twice(places)) ADD_FAILURE() << symbol;
}

TEST(OneDefinition, IsSeenToBeBroken) {
  const std::vector<std::string> twice = Twice(WhoDefines(Libraries(KBENCH_TWICE)));
  ASSERT_EQ(twice.size(), 1u) << absl::StrJoin(twice, "\n");
  EXPECT_TRUE(absl::StrContains(twice[0], "twice_here.cc")) << twice[0];
  EXPECT_TRUE(absl::StrContains(twice[0], "twice_there.cc")) << twice[0];
}

}  // namespace
}  // namespace kbench
