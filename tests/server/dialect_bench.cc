#include "tests/server/dialect_bench.h"

#include <gtest/gtest.h>

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/server/wire_answer.h"

namespace kbench::server {

DialectBench::DialectBench(const Dialect& dialect, std::unique_ptr<Store> store)
    : fixture_(std::move(store), dialect) {
  fixture_.logs.set_ports(8123, 8443);
  Reset();
}

void DialectBench::Reset() {
  EXPECT_TRUE(fixture_.device.Erase().ok());
  fixture_.limits = fixture_.dialect.limits;
  fixture_.device.set_locked(false);
  fixture_.device.set_power(kinetic::PowerLevel::kOperational);
  fixture_.counters = OpCounters();
  plain_ = std::make_unique<Talk>(&fixture_);
  secure_ = std::make_unique<Talk>(&fixture_, Talk::kConnection + 1, /*tls=*/true);
}

void DialectBench::Have(absl::string_view key, absl::string_view value, absl::string_view version) {
  auto entry = std::make_shared<Entry>();
  entry->version = std::string(version);
  entry->value = Value(value.size());
  if (!value.empty()) std::memcpy(entry->value.data(), value.data(), value.size());
  const Store::Change change[] = {{.key = key, .entry = std::move(entry)}};
  EXPECT_TRUE(fixture_.store.Apply(change, Store::Durability::kLater).ok());
}

bool DialectBench::Has(absl::string_view key) { return *fixture_.store.Find(key) != nullptr; }

void DialectBench::SetSecond(std::vector<Scope> scopes) {
  Device::State state = fixture_.device.state();
  auto second = std::make_shared<Identity>("secret2");
  second->scopes = std::move(scopes);
  state.access.Set(2, std::move(second));
  EXPECT_TRUE(fixture_.device.Change(std::move(state)).ok());
}

std::string DialectBench::Say(Talk* talk, const std::vector<Answer>& answers, bool texts) {
  std::vector<std::string> said;
  for (const Answer& answer : answers) {
    const absl::string_view key = answer.identity == 2 ? "secret2" : "asdfasdf";
    said.push_back(Summary(FieldsOf(AsBytes(answer.message), AsBytes(answer.value), key), texts));
  }
  if (talk->closing()) said.emplace_back("closes");
  return said.empty() ? "no answer" : absl::StrJoin(said, "; ");
}

std::string DialectBench::Send(absl::string_view bytes, bool texts, Talk* to) {
  Talk* talk = to == nullptr ? plain_.get() : to;
  return Say(talk, talk->Send(bytes), texts);
}

std::string DialectBench::Signed(const Command& command, absl::string_view value) {
  return RequestBytes(command, kinetic::kFactoryIdentity, kinetic::kFactoryKey, value);
}

std::string DialectBench::Ask(const Command& command, absl::string_view value, bool texts) {
  return Send(Signed(command, value), texts);
}

std::string DialectBench::AskSecurely(const Command& command) {
  Command numbered = command;
  numbered.header = secure_->Next(*command.header.message_type).header;
  return Send(Signed(numbered), false, secure_.get());
}

std::string DialectBench::AskByPin(const Command& command, absl::string_view pin, bool tls) {
  Talk* talk = tls ? secure_.get() : plain_.get();
  Command numbered = command;
  numbered.header = talk->Next(*command.header.message_type).header;
  std::string bytes;
  kinetic::Encoder().Append(numbered, {.kind = kinetic::Signature::Kind::kPin, .pin = pin}, 0,
                            &bytes);
  return Send(bytes, false, talk);
}

kinetic::Command DialectBench::Next(MessageType type, const KeyValue& key_value) {
  Command command = plain_->Next(type);
  command.key_value = key_value;
  return command;
}

kinetic::Command DialectBench::NextPut(absl::string_view key, absl::string_view version) {
  return Next(MessageType::kPut, {.key = key,
                                  .new_version = version,
                                  .tag = "t",
                                  .algorithm = 4,
                                  .synchronization = kinetic::Synchronization::kWriteBack});
}

kinetic::Command DialectBench::NextOfBatch(MessageType type, uint32_t batch,
                                           std::optional<uint32_t> count) {
  Command command = plain_->Next(type);
  command.header.batch_id = batch;
  if (count.has_value()) command.batch = {.count = count};
  return command;
}

}  // namespace kbench::server
