// Cases: PUT, GET, DELETE, GETVERSION and neighbours of one key.
#include "absl/strings/str_cat.h"
#include "client/conform/case_book.h"

namespace kbench::conform {

using kinetic::MessageType;
using kinetic::Synchronization;
using kinetic::Text;

namespace {

Expected Done() { return {.usual = "SUCCESS keyValue"}; }
Expected Mismatch() { return {.usual = "VERSION_MISMATCH keyValue"}; }

Expected Found(const std::string& object) { return {.usual = "SUCCESS " + object}; }

Step Get(CaseBook* book, Text key, Expected expected) {
  return book->OfKey(MessageType::kGet, key, std::move(expected));
}

Expected Metadata(CaseBook* book, Text key, absl::string_view value) {
  return {.usual = "SUCCESS " + book->Object(key, value, "1", "", false),
          .kineticd = "SUCCESS " + book->Object(key, value, "1", "metadataOnly=true", false)};
}

void AddReading(CaseBook* book) {
  Text key = book->Key("get");
  book->Add("get.object", "a GET gives value, version, tag and algorithm as they were put")
      ->steps = {book->Given(key, "one"), Get(book, key, Found(book->Object(key, "one")))};
  Step get = Get(book, key, Metadata(book, key, "one"));
  get.command.key_value->metadata_only = true;
  book->Add("get.metadata-only", "metadataOnly leaves out the value alone")->steps = {
      book->Given(key, "one"), get};
  key = book->Key("absent");
  book->Add("get.absent", "what is not stored is NOT_FOUND")->steps = {
      Get(book, key, NotFound(*book, key))};
  key = book->Key("get-value");
  get = Get(book, key, Found(book->Object(key, "one")));
  get.value = "a value that nobody asked for";
  get.expected.kineticd = kDriveRefuses;
  book->Add("get.with-a-value", "a GET's own value is of no use")->steps = {book->Given(key, "one"),
                                                                            get};
  key = book->Key("version");
  book->Add("getversion.object", "a GETVERSION gives the version alone")->steps = {
      book->Given(key, "one", "v7"),
      book->OfKey(
          MessageType::kGetVersion, key,
          {.usual = "SUCCESS keyValue dbVersion=v7",
           .kineticd = absl::StrCat("SUCCESS keyValue key=", book->Show(key), " dbVersion=v7")})};
  key = book->Key("absent");
  book->Add("getversion.absent", "what is not stored is NOT_FOUND")->steps = {
      book->OfKey(MessageType::kGetVersion, key, NotFound(*book, key))};
}

void AddWriting(CaseBook* book) {
  Text key = book->Key("put");
  book->Add("put.new", "a PUT's answer has a keyValue, present and empty")->steps = {
      book->Put(key, "one", {.next = "1"}, Done()),
      Get(book, key, Found(book->Object(key, "one")))};
  key = book->Key("put-empty");
  book->Add("put.empty-value", "a value may be empty")->steps = {
      book->Put(key, "", {.next = "1"}, Done()), Get(book, key, Found(book->Object(key, "")))};
  key = book->Key("put-unversioned");
  book->Add("put.no-version", "an object may have no version")->steps = {
      book->Put(key, "one", {}, Done()), Get(book, key, Found(book->Object(key, "one", "")))};
  key = book->Key("put-untagged");
  book->Add("put.no-tag", "a tag is the client's to give or to leave")->steps = {
      book->Put(key, "one", {.next = "1", .tagged = false},
                {.usual = "SUCCESS keyValue", .kineticd = kDriveRefuses}),
      Get(book, key,
          {.usual = absl::StrCat("SUCCESS keyValue key=", book->Show(key),
                                 " dbVersion=1 ?tag= value=one"),
           .simulator = absl::StrCat("SUCCESS keyValue key=", book->Show(key),
                                     " dbVersion=1 tag= value=one")})};
  key = book->Key("put-algorithm-0");
  Step put = book->Put(key, "one", {.next = "1", .tagged = false}, Done());
  put.command.key_value->tag = "";
  put.command.key_value->algorithm = 0;
  book->Add("put.algorithm-0", "an empty tag of algorithm 0, as libkinetic sends it, is good")
      ->steps = {put, Get(book, key,
                          {.usual = absl::StrCat("SUCCESS keyValue key=", book->Show(key),
                                                 " dbVersion=1 tag= ?algorithm=* value=one")})};

  const Text binary = book->Key(absl::string_view("bin\0\xff\n\x1b[2J", 10));
  book->Add("put.binary", "keys, versions and values are any bytes")->steps = {
      book->Put(binary, absl::string_view("\0\r\n\xff", 4),
                {.next = book->Keep(std::string("\0\xfe", 2))}, Done()),
      Get(book, binary,
          Found(book->Object(binary, absl::string_view("\0\r\n\xff", 4),
                             absl::string_view("\0\xfe", 2))))};
}

void AddSynchronizations(CaseBook* book) {
  const struct {
    const char* name;
    Synchronization synchronization;
  } ways[] = {{"writethrough", Synchronization::kWriteThrough},
              {"writeback", Synchronization::kWriteBack},
              {"flush", Synchronization::kFlush}};
  for (const auto& way : ways) {
    const Text key = book->Key(absl::StrCat("put-", way.name));
    const PutFields fields = {.next = "1", .force = true, .synchronization = way.synchronization};
    book->Add(absl::StrCat("put.", way.name), "every synchronization is done")->steps = {
        book->Put(key, "one", fields, Done()), Get(book, key, Found(book->Object(key, "one"))),
        book->Delete(key, fields, Done())};
  }
  const Expected undecided = {
      .usual = "INVALID_REQUEST keyValue", .spec = "SUCCESS keyValue", .kineticd = kDriveRefuses};
  const Text key = book->Key("put-undecided");
  const PutFields fields = {.next = "1", .force = true, .synchronization = std::nullopt};
  book->Add("put.no-synchronization", "a PUT says when it is to be durable")->steps = {
      book->Put(key, "one", fields, undecided)};
  book->Add("delete.no-synchronization", "a DELETE says when it is to be durable")->steps = {
      book->Given(key, "one"), book->Delete(key, fields, undecided)};
}

void AddVersions(CaseBook* book) {
  Text key = book->Key("cas");
  book->Add("put.compare-and-set", "a PUT with the stored version replaces it")->steps = {
      book->Given(key, "one"), book->Put(key, "two", {.next = "2", .expected = "1"}, Done()),
      Get(book, key, Found(book->Object(key, "two", "2")))};
  book->Add("put.version-mismatch", "a PUT with another version changes nothing")->steps = {
      book->Given(key, "one"), book->Put(key, "two", {.next = "2", .expected = "9"}, Mismatch()),
      Get(book, key, Found(book->Object(key, "one")))};
  book->Add("put.version-absent", "a PUT without a version does not replace one")->steps = {
      book->Given(key, "one"), book->Put(key, "two", {.next = "2"}, Mismatch()),
      Get(book, key, Found(book->Object(key, "one")))};
  book->Add("put.force", "a forced PUT replaces any version")->steps = {
      book->Given(key, "one"),
      book->Put(key, "two", {.next = "2", .expected = "9", .force = true}, Done()),
      Get(book, key, Found(book->Object(key, "two", "2")))};
  key = book->Key("cas-absent");
  book->Add("put.version-of-nothing", "a PUT with a version where nothing is stored is refused")
      ->steps = {book->Put(key, "one", {.next = "2", .expected = "1"},
                           {.usual = "VERSION_MISMATCH|NOT_FOUND keyValue"}),
                 Get(book, key, NotFound(*book, key))};
}

void AddDeleting(CaseBook* book) {
  Text key = book->Key("delete");
  book->Add("delete.object", "a DELETE's answer has a keyValue, present and empty")->steps = {
      book->Given(key, "one"), book->Delete(key, {.expected = "1"}, Done()),
      Get(book, key, NotFound(*book, key))};
  book->Add("delete.version-mismatch", "a DELETE with another version deletes nothing")->steps = {
      book->Given(key, "one"), book->Delete(key, {.expected = "9"}, Mismatch()),
      Get(book, key, Found(book->Object(key, "one")))};
  book->Add("delete.force", "a forced DELETE deletes any version")->steps = {
      book->Given(key, "one"), book->Delete(key, {.force = true}, Done()),
      Get(book, key, NotFound(*book, key))};
  key = book->Key("absent");
  book->Add("delete.absent", "what is not stored is NOT_FOUND")->steps = {
      book->Delete(key, {}, {.usual = "NOT_FOUND keyValue"})};
  book->Add("delete.force-absent", "a forced DELETE of nothing is done")->steps = {
      book->Delete(key, {.force = true}, Done())};
}

// Objects n1 and n3.
std::vector<Step> Neighbours(CaseBook* book, Step last) {
  Step first = book->Given(book->Key("n1"), "one");
  first.joined = true;
  return {first, book->Given(book->Key("n3"), "three"), std::move(last)};
}

void AddNeighbours(CaseBook* book) {
  const Text n1 = book->Key("n1"), n2 = book->Key("n2"), n3 = book->Key("n3");
  const Expected first = Found(book->Object(n1, "one")), third = Found(book->Object(n3, "three"));
  const auto step = [book](MessageType type, Text key, Expected expected) {
    return book->OfKey(type, key, std::move(expected));
  };
  book->Add("getnext.neighbour", "GETNEXT gives the object behind a key")->steps =
      Neighbours(book, step(MessageType::kGetNext, n1, third));
  book->Add("getnext.of-an-absent-key", "the key itself need not be there")->steps =
      Neighbours(book, step(MessageType::kGetNext, n2, third));
  book->Add("getprevious.neighbour", "GETPREVIOUS gives the object before a key")->steps =
      Neighbours(book, step(MessageType::kGetPrevious, n3, first));
  book->Add("getprevious.of-an-absent-key", "the key itself need not be there")->steps =
      Neighbours(book, step(MessageType::kGetPrevious, n2, first));
  Step metadata = step(MessageType::kGetNext, n1, Metadata(book, n3, "three"));
  metadata.command.key_value->metadata_only = true;
  book->Add("getnext.metadata-only", "metadataOnly leaves out the value alone")->steps =
      Neighbours(book, metadata);
  const Text low = book->Key(absl::string_view("order\x7f", 6)),
             high = book->Key(absl::string_view("order\x80", 6));
  book->Add("getnext.unsigned-order", "keys are in the order of unsigned bytes")->steps = {
      book->Given(low, "low"), book->Given(high, "high"),
      step(MessageType::kGetNext, low, Found(book->Object(high, "high")))};
  // Nothing can be stored there but by somebody who means to.
  const uint32_t longest = book->limits().max_key_size.value_or(0);
  Case* last = book->Add("getnext.of-the-last", "behind the last possible key there is nothing");
  if (longest == 0 || longest > 65'536) {
    last->not_tried = "the server tells no longest key";
  } else {
    const Text end = book->Named(std::string(longest, '\xff'), "last-possible-key");
    last->steps = {step(MessageType::kGetNext, end, NotFound(*book, end))};
  }
  const Text begin = book->Named(std::string(1, '\0'), "first-possible-key");
  Expected nothing = NotFound(*book, begin);
  for (std::string* pattern : {&nothing.usual, &*nothing.kineticd}) {
    absl::StrAppend(pattern, " or SUCCESS keyValue key= ...");
  }
  book->Add("getprevious.of-the-first",
            "before the first possible key there is at most the empty one")
      ->steps = {step(MessageType::kGetPrevious, begin, nothing)};
}

}  // namespace

void AddObjectCases(CaseBook* book) {
  AddReading(book);
  AddWriting(book);
  AddSynchronizations(book);
  AddVersions(book);
  AddDeleting(book);
  AddNeighbours(book);
}

}  // namespace kbench::conform
