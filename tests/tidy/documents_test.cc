// What documents point to is there: links, files of the tree that they name, and decisions by
// number.

#include <gtest/gtest.h>

#include <filesystem>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "base/durable_files.h"

namespace kbench {
namespace {

namespace fs = std::filesystem;

struct Document {
  fs::path path;
  std::string text;
};

fs::path Root() { return KBENCH_SOURCE_DIR; }

std::vector<Document> Documents() {
  std::vector<Document> documents;
  for (const char* name :
       {"README.md", "CONTRIBUTING.md", "playbooks/README.md", "tests/testbed/README.md"}) {
    documents.push_back({Root() / name, *ReadFile(Root() / name)});
  }
  for (const auto& entry : fs::recursive_directory_iterator(Root() / "docs")) {
    if (entry.path().extension() == ".md") {
      documents.push_back({entry.path(), *ReadFile(entry.path())});
    }
  }
  return documents;
}

std::vector<std::string> Matches(const std::string& text, const char* pattern) {
  const std::regex regex(pattern);
  std::vector<std::string> found;
  for (std::sregex_iterator at(text.begin(), text.end(), regex), end; at != end; ++at) {
    found.push_back((*at)[1]);
  }
  return found;
}

TEST(Documents, LinksLeadSomewhere) {
  size_t links = 0;
  for (const Document& document : Documents()) {
    for (const std::string& target : Matches(document.text, R"(\]\(([^)#\s]+)[^)]*\))")) {
      if (target.find("://") != std::string::npos) continue;
      ++links;
      EXPECT_TRUE(fs::exists(document.path.parent_path() / target))
          << document.path << " links to " << target;
    }
  }
  EXPECT_GT(links, 20u);
}

TEST(Documents, FilesThatAreNamedAreThere) {
  constexpr char kPath[] =
      "`((?:agent|analysis|base|campaigns|client|cmake|controller|docs|kinetic|playbooks|proto|"
      "server|tests|transport)/[\\w./-]*\\.(?:h|cc|py|md|proto|txt|sh|yml|yaml))`";
  size_t named = 0;
  for (const Document& document : Documents()) {
    for (const std::string& path : Matches(document.text, kPath)) {
      ++named;
      EXPECT_TRUE(fs::exists(Root() / path)) << document.path << " names " << path;
    }
  }
  EXPECT_GT(named, 20u);
}

TEST(Documents, DecisionsThatAreNamedByNumberAreThere) {
  std::set<std::string> there;
  for (const auto& entry : fs::directory_iterator(Root() / "docs/decisions")) {
    there.insert(entry.path().filename().string().substr(0, 3));
  }
  size_t named = 0;
  for (const Document& document : Documents()) {
    for (const std::string& number :
         Matches(document.text, "(?:[Dd]ecisions? |decisions/|\\[)(0\\d\\d)\\b")) {
      ++named;
      EXPECT_TRUE(there.contains(number)) << document.path << " names decision " << number;
    }
  }
  EXPECT_GT(named, 50u);
}

TEST(Documents, EveryDecisionIsInTheIndexWithItsStatus) {
  const std::string index = *ReadFile(Root() / "docs/decisions/README.md");
  std::set<std::string> numbers;
  for (const auto& entry : fs::directory_iterator(Root() / "docs/decisions")) {
    const std::string name = entry.path().filename();
    if (name == "README.md") continue;
    const std::string number = name.substr(0, 3);
    EXPECT_TRUE(numbers.insert(number).second) << number << " was given twice";
    const std::regex row("\\| \\[" + number + "\\]\\(" + name +
                         "\\) \\| [^|]+ \\| (holds|no longer true|replaced by)[^|]* \\|\n");
    EXPECT_TRUE(std::regex_search(index, row)) << name << " has no row in the index";
  }
}

}  // namespace
}  // namespace kbench
