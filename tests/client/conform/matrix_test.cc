// The matrix of one small survey and the list of cases, letter for letter. KBENCH_UPDATE_GOLDEN=1
// rewrites the files, to be reviewed as a diff.
#include "client/conform/matrix.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"

namespace kbench::conform {
namespace {

using ::testing::HasSubstr;

void ExpectGolden(const std::string& actual, const std::string& file) {
  const std::string path = absl::StrCat(KBENCH_SOURCE_DIR, "/tests/client/conform/golden/", file);
  if (std::getenv("KBENCH_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path, std::ios::binary) << actual;
    GTEST_SKIP() << "wrote " << path;
  }
  std::ifstream in(path, std::ios::binary);
  ASSERT_TRUE(in) << "no golden file " << path << "; KBENCH_UPDATE_GOLDEN=1 writes it";
  std::stringstream expected;
  expected << in.rdbuf();
  EXPECT_EQ(actual, expected.str()) << file;
}

// One case of each kind that a matrix can tell of.
class SmallSurvey {
 public:
  SmallSurvey() {
    survey_.target.address = {.host = "drive", .port = 8123};
    survey_.dialect = Dialect::kSpec;
    survey_.unrecognised = "vendor 'Another', model 'Drive | 1'";
    survey_.greeting = "unsolicited SUCCESS connectionID";
    Add("noop", "NOOP is answered", {.usual = "SUCCESS"}, "SUCCESS");
    Add("header.repeated", "a sequence that was there is refused",
        {.usual = "INVALID_REQUEST",
         .simulator = "INVALID_REQUEST no-ackSequence",
         .kineticd = "closes"},
        "INVALID_REQUEST");
    Add("put.new", "a PUT's answer has a keyValue", {.usual = "SUCCESS keyValue"}, "SUCCESS");
    survey_.results.back().steps.back().said = "\\x1b words";
    Add("setup.nothing", "a SETUP says what it sets", {.usual = "A|B", .kineticd = "..."}, "B");
    Add("pin.lock", "a locked device answers to its PIN alone", {.usual = "SUCCESS"}, "SUCCESS");
    survey_.results.back().not_restored = "PINOP was answered pin NOT_AUTHORIZED";
    Add("pin.erase", "an erased device has nothing", {.usual = "SUCCESS"}, "");
    survey_.results.back().steps.clear();
    survey_.results.back().not_tried = "destructive: see --destructive";
    Add("afterwards", "the device stores and finds", {.usual = "SUCCESS"}, "");
    survey_.results.back().steps.clear();
    survey_.results.back().no_connection = "connect: Connection refused";
    survey_.left_behind = "keys that begin with kbench-conform/1/: no greeting";
  }

  const Survey& get() const { return survey_; }

 private:
  void Add(const char* name, const char* asks, const Expected& expected, const std::string& did) {
    Case& one = cases_.emplace_back();
    one.name = name;
    one.asks = asks;
    one.steps.push_back({.expected = expected});
    StepResult step = {.asked = "NOOP", .did = did};
    for (size_t d = 0; d < kDialects.size(); ++d) {
      const std::string& of = expected.of(kDialects[d]);
      step.agrees[d] = of == did || of == "..." || (of == "A|B" && did == "B");
    }
    survey_.results.push_back({.tested = &one, .steps = {step}});
  }

  std::deque<Case> cases_;
  Survey survey_;
};

TEST(MatrixGolden, Text) { ExpectGolden(MatrixText(SmallSurvey().get()), "matrix.txt"); }
TEST(MatrixGolden, Json) { ExpectGolden(MatrixJson(SmallSurvey().get()), "matrix.json"); }
TEST(MatrixGolden, Markdown) { ExpectGolden(MatrixMarkdown(SmallSurvey().get()), "matrix.md"); }

TEST(Matrix, CountsWhatDiffersAndSaysWhoWouldDoSo) {
  const SmallSurvey survey;
  EXPECT_EQ(survey.get().Count(Survey::Verdict::kAgrees), 3);
  EXPECT_EQ(survey.get().Count(Survey::Verdict::kDiffers), 3);
  EXPECT_EQ(survey.get().Count(Survey::Verdict::kNotTried), 1);
  EXPECT_FALSE(survey.get().clean());
  const std::string text = MatrixText(survey.get());
  EXPECT_THAT(text, HasSubstr("as kbench, spec; simulator would: INVALID_REQUEST no-ackSequence; "
                              "kineticd would: closes"));
  EXPECT_THAT(text, HasSubstr("as kbench, spec, simulator; not known of kineticd"));
}

TEST(List, HasEveryCaseOnceAndWhatEachDialectDoes) {
  Names names;
  const auto book = ImaginedBook(&names);
  const auto json = nlohmann::json::parse(ListJson(*book));
  std::set<std::string> seen;
  for (const auto& one : json["cases"]) {
    const std::string name = one["name"];
    EXPECT_TRUE(seen.insert(name).second) << name << " is there twice";
    EXPECT_FALSE(one["asks"].get<std::string>().empty()) << name;
    for (const Dialect dialect : kDialects) {
      EXPECT_FALSE(one["does"][std::string(Name(dialect))].get<std::string>().empty()) << name;
    }
  }
  EXPECT_GT(seen.size(), 140u);
  // Every request of the protocol has its cases.
  for (const char* area :
       {"noop", "put.new", "get.object", "delete.object", "getversion.object", "getnext.neighbour",
        "getprevious.neighbour", "range.inclusive", "flushalldata", "getlog.limits", "batch.commit",
        "batch.abort", "setup.cluster-version", "security.acl", "p2p.to-itself", "pin.lock",
        "mediascan.range", "mediaoptimize.range", "power.hibernate"}) {
    EXPECT_TRUE(seen.contains(area)) << area;
  }
}

}  // namespace
}  // namespace kbench::conform
