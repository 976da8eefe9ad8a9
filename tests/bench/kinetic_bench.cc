// What this room costs per operation. For comparing builds with each other by hand; as a test it
// only proves that it still runs.
#include <benchmark/benchmark.h>

#include "base/histogram.h"
#include "base/random.h"
#include "kinetic/codec.h"
#include "kinetic/frame.h"

namespace kbench::kinetic {
namespace {

constexpr absl::string_view kKey = "kbench/0123456789abcdef";

Command PutRequest() {
  Command command;
  command.has_header = true;
  command.header.cluster_version = 0;
  command.header.connection_id = 1'795'407'083'369;
  command.header.message_type = MessageType::kPut;
  command.key_value = KeyValue{.key = kKey,
                               .new_version = "1",
                               .tag = "",
                               .algorithm = 1,
                               .force = true,
                               .synchronization = Synchronization::kWriteBack};
  return command;
}

Command GetResponse() {
  Command command;
  command.has_header = true;
  command.header.connection_id = 1'795'407'083'369;
  command.header.ack_sequence = 77;
  command.header.message_type = MessageType::kGetResponse;
  command.key_value = KeyValue{.key = kKey, .db_version = "1", .tag = "", .algorithm = 1};
  command.status = CommandStatus{.code = StatusCode::kSuccess};
  return command;
}

void BM_EncodePutHead(benchmark::State& state) {
  const HmacKey key(kFactoryKey);
  Encoder encoder;
  Command command = PutRequest();
  std::string out;
  uint64_t sequence = 0;
  for (auto _ : state) {
    command.header.sequence = ++sequence;
    out.clear();
    encoder.Append(command, Signature::Hmac(kFactoryIdentity, &key), 4096, &out);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(BM_EncodePutHead);

void BM_DecodeGetResponse(benchmark::State& state) {
  const HmacKey key(kFactoryKey);
  std::string pdu;
  Encoder().Append(GetResponse(), Signature::Hmac(kFactoryIdentity, &key), 4096, &pdu);
  const Bytes message = AsBytes(pdu).subspan(kFrameHeaderSize);
  Decoder decoder;
  for (auto _ : state) {
    benchmark::DoNotOptimize(decoder.Decode(message).ok());
  }
}
BENCHMARK(BM_DecodeGetResponse);

void BM_FrameReader4KiB(benchmark::State& state) {
  const HmacKey key(kFactoryKey);
  std::string pdu;
  Encoder().Append(GetResponse(), Signature::Hmac(kFactoryIdentity, &key), 4096, &pdu);
  pdu.append(4096, 'v');
  FrameReader reader;
  for (auto _ : state) {
    Bytes in = AsBytes(pdu);
    benchmark::DoNotOptimize(reader.Consume(&in).value_or(false));
  }
}
BENCHMARK(BM_FrameReader4KiB);

void BM_Sign(benchmark::State& state) {
  const HmacKey key(kFactoryKey);
  const std::string command(static_cast<size_t>(state.range(0)), 'c');
  for (auto _ : state) {
    benchmark::DoNotOptimize(key.Sign(AsBytes(command)));
  }
}
BENCHMARK(BM_Sign)->Arg(15)->Arg(60)->Arg(4096);

void BM_HistogramRecord(benchmark::State& state) {
  Histogram histogram;
  Random random(1);
  std::vector<Nanos> values(1024);
  for (Nanos& value : values) value = Nanos(1 + random.Below(10'000'000));
  size_t i = 0;
  for (auto _ : state) {
    histogram.Record(values[i++ % values.size()]);
  }
  benchmark::DoNotOptimize(histogram.count());
}
BENCHMARK(BM_HistogramRecord);

}  // namespace
}  // namespace kbench::kinetic

BENCHMARK_MAIN();
