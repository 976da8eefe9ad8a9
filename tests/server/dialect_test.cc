// What each dialect does, asked on both stores, as the table of docs/protocol.md: the table there
// is what this test makes, so that neither can say what the other does not. KBENCH_UPDATE_GOLDEN=1
// writes it; it is reviewed as a diff.
#include "server/dialect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "server/rocks_store.h"
#include "tests/e2e/process.h"
#include "tests/server/dialect_bench.h"
#include "tests/server/dialect_rows.h"

namespace kbench::server {
namespace {

using kinetic::GetLog;
using Bench = DialectBench;
using ::testing::HasSubstr;

// Dialects by row, from one kind of store.
using Cells = std::vector<std::vector<std::string>>;

Cells AskAll(const std::vector<DialectRow>& rows,
             const std::function<std::unique_ptr<Store>(const std::string&)>& make_store) {
  Cells cells(rows.size());
  for (const std::string& name : DialectNames()) {
    Bench bench(*FindDialect(name), make_store(name));
    for (size_t i = 0; i < rows.size(); ++i) {
      SCOPED_TRACE(absl::StrCat(name, ": ", rows[i].question));
      bench.Reset();
      cells[i].push_back(rows[i].ask(&bench));
    }
  }
  return cells;
}

std::string Markdown(const char* heading, const std::vector<DialectRow>& rows, const Cells& cells) {
  std::string out =
      absl::StrCat("| ", heading, " | ", absl::StrJoin(DialectNames(), " | "), " |\n|---|");
  for (size_t i = 0; i < DialectNames().size(); ++i) out += "---|";
  out += "\n";
  for (size_t i = 0; i < rows.size(); ++i) {
    std::vector<std::string> shown = cells[i];
    // What is as in kbench is not said again.
    for (size_t d = 1; d < shown.size(); ++d) {
      if (shown[d] == shown[0]) shown[d] = "same";
    }
    for (std::string& cell : shown) cell = absl::StrReplaceAll(cell, {{"|", "\\|"}});
    absl::StrAppend(&out, "| ", rows[i].question, " | ", absl::StrJoin(shown, " | "), " |\n");
  }
  return out;
}

std::unique_ptr<Store> Memory(const std::string&) { return std::make_unique<MemoryStore>(); }

const std::string kBegin = "<!-- made by tests/server/dialect_test.cc -->\n";
const std::string kEnd = "<!-- to here -->\n";

TEST(Dialects, AreTheTableOfTheProtocolDocument) {
  const std::string path = absl::StrCat(KBENCH_SOURCE_DIR, "/docs/protocol.md");
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  std::string document = text.str();
  const size_t begin = document.find(kBegin), end = document.find(kEnd);
  ASSERT_TRUE(begin != std::string::npos && end != std::string::npos && begin < end) << path;
  const size_t from = begin + kBegin.size();
  const std::string made =
      absl::StrCat(Markdown("question", DialectRows(), AskAll(DialectRows(), Memory)), "\n",
                   Markdown("limit told", LimitRows(), AskAll(LimitRows(), Memory)));
  if (std::getenv("KBENCH_UPDATE_GOLDEN") != nullptr) {
    document.replace(from, end - from, made);
    std::ofstream(path) << document;
    return;
  }
  EXPECT_EQ(document.substr(from, end - from), made)
      << "KBENCH_UPDATE_GOLDEN=1 writes the table; review the diff";
}

TEST(Dialects, AnswerTheSameFromRocksdb) {
  const e2e::TempDir dir;
  const auto rocks = [&dir](const std::string& name) -> std::unique_ptr<Store> {
    auto store = RocksStore::Open(absl::StrCat(dir.path(), "/", name));
    EXPECT_TRUE(store.ok()) << store.status();
    return *std::move(store);
  };
  const Cells memory = AskAll(DialectRows(), Memory), disk = AskAll(DialectRows(), rocks);
  for (size_t i = 0; i < DialectRows().size(); ++i) {
    EXPECT_EQ(memory[i], disk[i]) << DialectRows()[i].question;
  }
}

// A table whose columns were all alike would prove nothing.
TEST(Dialects, EachDiffersFromEveryOther) {
  const Cells cells = AskAll(DialectRows(), Memory);
  const std::vector<std::string> names = DialectNames();
  for (size_t a = 0; a < names.size(); ++a) {
    for (size_t b = 0; b < a; ++b) {
      int different = 0;
      for (const auto& row : cells) different += row[a] != row[b];
      EXPECT_GE(different, 8) << names[a] << " and " << names[b];
    }
  }
}

TEST(Dialects, LimitsThatAreNamedAreToldAndEnforcedInEveryDialect) {
  for (const std::string& name : DialectNames()) {
    SCOPED_TRACE(name);
    Bench bench(*FindDialect(name), Memory(name));
    const absl::StatusOr<Limits> limits = ParseLimits(
        "key=100,tag=50,message=100000,identities=7,connections=8,pin=9,batch-operations=3,"
        "batches=2,batch-size=1000,range=10",
        bench.dialect().limits);
    ASSERT_TRUE(limits.ok()) << limits.status();
    bench.device().limits = *limits;
    Talk talk(&bench.device(), 12);
    const GetLog::Limits& told = *talk.greeting().limits;
    EXPECT_EQ(told.max_key_size, 100u);
    EXPECT_EQ(told.max_tag_size, 50u);
    EXPECT_EQ(told.max_message_size, 100'000u);
    EXPECT_EQ(told.max_identity_count, 7u);
    EXPECT_EQ(told.max_connections, 8u);
    EXPECT_EQ(told.max_pin_size, 9u);
    EXPECT_EQ(told.max_operation_count_per_batch, 3u);
    EXPECT_EQ(told.max_deletes_per_batch, 3u);
    EXPECT_EQ(told.max_batch_count_per_device, 2u);
    EXPECT_EQ(told.max_batch_size, 1000u);
    const std::string key(101, 'k');
    EXPECT_THAT(bench.Ask(bench.NextPut(key)), HasSubstr("INVALID_REQUEST"));
  }
}

TEST(Dialects, ThereIsNoOther) {
  EXPECT_EQ(FindDialect("klingon"), nullptr);
  EXPECT_EQ(FindDialect("kbench"), &KbenchDialect());
  EXPECT_THAT(DialectNames(), ::testing::ElementsAre("kbench", "spec", "simulator", "kineticd"));
}

}  // namespace
}  // namespace kbench::server
