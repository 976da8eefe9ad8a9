// What a tag costs: a put that is made, and a value that is verified, by algorithm and size. For
// comparing by hand (--benchmark_enable_random_interleaving=true); as a test it only proves that it
// still runs.
#include <benchmark/benchmark.h>

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "agent/load/reply_reader.h"
#include "agent/load/request_maker.h"
#include "agent/load/workload.h"
#include "kinetic/crc32c.h"

namespace kbench {
namespace {

// The number of the algorithm; 0: none.
std::optional<kinetic::TagAlgorithm> TagOf(int64_t number) {
  if (number == 0) return std::nullopt;
  return static_cast<kinetic::TagAlgorithm>(number);
}

void BM_MakePut(benchmark::State& state) {
  const auto tag = TagOf(state.range(0));
  const kinetic::HmacKey key(kinetic::kFactoryKey);
  const ValuePool values(1, static_cast<uint32_t>(state.range(1)));
  RequestMaker maker({.tag = tag, .keys = KeyGenerator(1, 0, 16), .key = &key, .values = &values});
  std::string head;
  uint64_t sequence = 0;
  for (auto _ : state) {
    ++sequence;
    benchmark::DoNotOptimize(
        maker.Make({.kind = OpKind::kPut, .key = sequence % 1000}, sequence, &head));
  }
  state.SetLabel(std::string(tag ? kinetic::TagName(*tag) : "none"));
}
BENCHMARK(BM_MakePut)->ArgsProduct({{0, 4, 1, 2}, {4096, 64 << 10}});

// From the first byte of an answer to the verdict on its value and its tag.
void BM_VerifyGet(benchmark::State& state) {
  const auto tag = TagOf(state.range(0));
  const kinetic::HmacKey key(kinetic::kFactoryKey);
  const ValuePool values(1, static_cast<uint32_t>(state.range(1)));
  const uint64_t word = 77;
  std::string value(kValueLabelSize, '\0');
  EncodeValueLabel(values.LabelOf(word, 1), reinterpret_cast<uint8_t*>(value.data()));
  absl::StrAppend(&value, AsText(values.BodyOf(word)));
  kinetic::Command answer;
  answer.has_header = true;
  answer.header.ack_sequence = 1;
  answer.header.message_type = kinetic::MessageType::kGetResponse;
  answer.key_value.emplace().key = "a key of 16 byte";
  answer.status = {.code = kinetic::StatusCode::kSuccess};
  kinetic::Tag made;
  if (tag.has_value()) {
    made = kinetic::MakeTag(*tag, AsBytes(value));
    answer.key_value->tag = made.text();
    answer.key_value->algorithm = static_cast<int32_t>(*tag);
  }
  std::string pdu;
  kinetic::Encoder().Append(answer, kinetic::Signature::Hmac(1, &key),
                            static_cast<uint32_t>(value.size()), &pdu);
  pdu += value;
  ReplyReader reader(&key, /*check_values=*/true);
  for (auto _ : state) {
    Bytes in = AsBytes(pdu);
    const auto reply = reader.Next(&in);
    if (!reply.ok() || *reply == nullptr || !reader.value_fault(word).empty() ||
        !reader.tag_fault().empty() || reader.tag_known() != tag.has_value()) {
      state.SkipWithError("a good value was found wrong");
      break;
    }
  }
  state.SetLabel(std::string(tag ? kinetic::TagName(*tag) : "none"));
}
BENCHMARK(BM_VerifyGet)->ArgsProduct({{0, 4, 1, 2}, {4096, 64 << 10}});

void BM_Crc32c(benchmark::State& state) {
  const std::string bytes(static_cast<size_t>(state.range(1)), 'b');
  const bool table = state.range(0) != 0;
  if (!table && !kinetic::HasCrc32cInstruction()) {
    state.SkipWithError("this processor has no instruction for it");
  }
  for (auto _ : state) {
    benchmark::DoNotOptimize(table ? kinetic::Crc32cByTable(0, AsBytes(bytes))
                                   : kinetic::Crc32cByInstruction(0, AsBytes(bytes)));
  }
  state.SetLabel(table ? "table" : "instruction");
}
BENCHMARK(BM_Crc32c)->ArgsProduct({{0, 1}, {32, 4096, 64 << 10}});

}  // namespace
}  // namespace kbench

BENCHMARK_MAIN();
