// Cases: START_BATCH, changes within a batch, END_BATCH and ABORT_BATCH.
#include "absl/strings/str_cat.h"
#include "client/conform/case_book.h"

namespace kbench::conform {

using kinetic::MessageType;
using kinetic::Text;

namespace {

constexpr uint32_t kBatch = 7;
constexpr uint32_t kMostTried = 200;

Step OfBatch(Step step, uint32_t id = kBatch) {
  step.command.header.batch_id = id;
  return step;
}

// A change within a batch is not answered.
Step Within(Step step) {
  step = OfBatch(std::move(step));
  step.answered = false;
  step.expected = {.usual = "no-answer"};
  return step;
}

Step About(CaseBook* book, MessageType type, Expected expected, uint32_t id = kBatch) {
  kinetic::Command command;
  command.has_header = true;
  command.header.message_type = type;
  return OfBatch(book->Ask(command, std::move(expected)), id);
}

// The vendor's server repeats the batchID in its answers.
Expected Answer(const std::string& answer) {
  const auto blank = answer.find(' ');
  const std::string status = answer.substr(0, blank),
                    rest = blank == std::string::npos ? "" : answer.substr(blank);
  return {.usual = answer, .kineticd = absl::StrCat(status, " batchID=7", rest)};
}

Step Start(CaseBook* book) { return About(book, MessageType::kStartBatch, Answer("SUCCESS")); }

Step End(CaseBook* book, uint32_t count, Expected expected) {
  Step step = About(book, MessageType::kEndBatch, std::move(expected));
  step.command.batch.emplace().count = count;
  return step;
}

Step PutWithin(CaseBook* book, Text key, absl::string_view value = "one") {
  return Within(book->Put(key, value, {.next = "1", .force = true}, {}));
}

Step Get(CaseBook* book, Text key, Expected expected) {
  return book->OfKey(MessageType::kGet, key, std::move(expected));
}

Expected Found(CaseBook* book, Text key) {
  return {.usual = "SUCCESS " + book->Object(key, "one")};
}

void AddWholes(CaseBook* book) {
  const Text a = book->Key("b-a"), b = book->Key("b-b"), c = book->Key("b-c");
  book->Add("batch.commit", "the changes of a batch happen together at its end")->steps = {
      book->Given(c, "one"),
      Start(book),
      PutWithin(book, a),
      PutWithin(book, b),
      Within(book->Delete(c, {.expected = "1"}, {})),
      End(book, 3, Answer("SUCCESS batch sequences=#3,#4,#5")),
      Get(book, a, Found(book, a)),
      Get(book, b, Found(book, b)),
      Get(book, c, NotFound(*book, c))};
  const Text early = book->Key("b-early");
  book->Add("batch.not-before-its-end", "until then nothing of it is seen")->steps = {
      Start(book), PutWithin(book, early), Get(book, early, NotFound(*book, early))};
  const Text aborted = book->Key("b-aborted");
  book->Add("batch.abort", "an aborted batch is forgotten")->steps = {
      Start(book), PutWithin(book, aborted),
      About(book, MessageType::kAbortBatch, {.usual = "SUCCESS", .kineticd = "SUCCESS ?batchID=7"}),
      Get(book, aborted, NotFound(*book, aborted))};
  Expected empty = Answer("SUCCESS ?batch");
  empty.simulator = "INVALID_BATCH ?batch";
  book->Add("batch.empty", "a batch of no changes ends well")->steps = {Start(book),
                                                                        End(book, 0, empty)};
  const Text lost = book->Key("b-lost");
  book->Add("batch.lost-connection-1", "a batch whose connection ends is forgotten")->steps = {
      Start(book), PutWithin(book, lost)};
  book->Add("batch.lost-connection-2", "... and nothing of it is done")->steps = {
      Get(book, lost, NotFound(*book, lost))};
}

void AddFailures(CaseBook* book) {
  const Text good = book->Key("b-good"), bad = book->Key("b-bad");
  Step mismatch = Within(book->Put(bad, "two", {.next = "2", .expected = "9"}, {}));
  book->Add("batch.version-mismatch", "a change that cannot be fails its batch at the end")->steps =
      {book->Given(bad, "one"),
       Start(book),
       PutWithin(book, good),
       mismatch,
       End(book, 2,
           {.usual = "INVALID_BATCH batch sequences=#3,#4 failedSequence=#4",
            .spec = "VERSION_MISMATCH batch sequences=#3,#4 failedSequence=#4",
            .kineticd = "VERSION_MISMATCH batchID=7 batch ?sequences=* failedSequence=#4"}),
       Get(book, good, NotFound(*book, good)),
       Get(book, bad, Found(book, bad))};
  const Text counted = book->Key("b-counted");
  Expected count = Answer("INVALID_BATCH ?batch ?sequences=#2 ?failedSequence=*");
  count.simulator = "SUCCESS batch sequences=#2";
  book->Add("batch.wrong-count", "a batch of another count is refused")->steps = {
      Start(book), PutWithin(book, counted), End(book, 5, count)};
  const Text untagged = book->Key("b-untagged");
  Step put = Within(book->Put(untagged, "one", {.next = "1", .force = true, .tagged = false}, {}));
  put.expected.kineticd = kDriveRefuses;
  book->Add("batch.no-tag", "a tag is the client's to give or to leave, in a batch too")->steps = {
      Start(book), put, End(book, 1, Answer("SUCCESS batch sequences=#2"))};
}

void AddUnknown(CaseBook* book) {
  const Expected unknown = {
      .usual = "INVALID_BATCH ?batch",
      .simulator = "unsolicited INVALID_REQUEST no-header closes",
      .kineticd = "unsolicited INVALID_BATCH type ackSequence connectionID ?batchID=* closes"};
  Step end = End(book, 0, unknown);
  end.command.header.batch_id = 99;
  book->Add("batch.end-unknown", "the end of a batch that is not open is refused")->steps = {end};
  book->Add("batch.abort-unknown", "an abort of a batch that is not open is refused")->steps = {
      About(book, MessageType::kAbortBatch, unknown, 99)};
  const Text key = book->Key("b-unknown");
  Step put = OfBatch(book->Put(key, "one", {.next = "1", .force = true}, unknown), 99);
  put.expected.usual = "unsolicited INVALID_BATCH closes";
  book->Add("batch.change-unknown",
            "nobody waits for an answer to a change, so only the connection's end can refuse it")
      ->steps = {put};
  Expected open = unknown;
  open.simulator = "closes";
  book->Add("batch.start-twice", "a batchID that is open is not opened again")->steps = {
      Start(book), About(book, MessageType::kStartBatch, open)};
  Step nameless = About(book, MessageType::kStartBatch,
                        {.usual = "INVALID_REQUEST|INVALID_BATCH",
                         .simulator = "SUCCESS or INVALID_REQUEST",
                         .kineticd = "..."});
  nameless.command.header.batch_id.reset();
  book->Add("batch.start-nameless", "a batch has a batchID")->steps = {nameless};
  const Text read = book->Key("b-read");
  Expected within = {.usual = "INVALID_BATCH ?keyValue"};
  within.simulator = "SUCCESS ?batchID=7 " + book->Object(read, "one");
  within.kineticd = within.simulator;
  book->Add("batch.get-within", "only changes are part of a batch")->steps = {
      book->Given(read, "one"), Start(book), OfBatch(Get(book, read, within))};
}

void AddLimits(CaseBook* book) {
  const auto& limits = book->limits();
  Case* full = book->Add("batch.as-many-changes-as-allowed", "a batch may be full");
  Case* over = book->Add("batch.one-change-too-many", "a change above the limit fails its batch");
  const uint32_t changes = limits.max_operation_count_per_batch.value_or(0);
  if (changes == 0 || changes > kMostTried) {
    full->not_tried = over->not_tried =
        "the server tells no limit of changes in a batch that could be tried";
  } else {
    full->steps = {Start(book)};
    for (uint32_t i = 0; i < changes; ++i) {
      full->steps.push_back(PutWithin(book, book->Key(absl::StrCat("b-full", i))));
    }
    over->steps = full->steps;
    full->steps.push_back(End(book, changes, Answer("SUCCESS batch sequences=*")));
    Step last = PutWithin(book, book->Key("b-too-many"));
    last.expected.simulator = "unsolicited INVALID_REQUEST no-header closes";
    last.expected.kineticd =
        "unsolicited INVALID_BATCH type ackSequence connectionID ?batchID=* closes";
    over->steps.push_back(last);
    over->steps.push_back(
        End(book, changes + 1, Answer("INVALID_BATCH batch sequences=* failedSequence=*")));
  }
  Case* many = book->Add("batch.one-too-many-open", "a connection has so many open batches");
  const uint32_t batches = limits.max_batch_count_per_device.value_or(0);
  if (batches == 0 || batches > kMostTried) {
    many->not_tried = "the server tells no limit of open batches that could be tried";
    return;
  }
  for (uint32_t i = 1; i <= batches; ++i) {
    many->steps.push_back(About(book, MessageType::kStartBatch,
                                {.usual = "SUCCESS", .kineticd = "SUCCESS batchID=*"}, i));
  }
  many->steps.push_back(
      About(book, MessageType::kStartBatch,
            {.usual = "INVALID_REQUEST",
             .simulator = "unsolicited INVALID_REQUEST no-header closes",
             .kineticd = "unsolicited INVALID_REQUEST|INVALID_BATCH type ackSequence connectionID "
                         "?batchID=* closes"},
            batches + 1));
}

}  // namespace

void AddBatchCases(CaseBook* book) {
  AddWholes(book);
  AddFailures(book);
  AddUnknown(book);
  AddLimits(book);
}

}  // namespace kbench::conform
