#include "tests/server/desk_fixture.h"

#include <gtest/gtest.h>

#include <array>
#include <thread>
#include <utility>

#include "kinetic/frame.h"

namespace kbench::server {

Device::State DeskFixture::Factory() {
  Device::State state{.access = AccessTable::Factory()};
  auto second = std::make_shared<Identity>("secret2");
  second->scopes = {EverythingScope()};
  state.access.Set(2, std::move(second));
  return state;
}

DeskFixture::DeskFixture(std::unique_ptr<Store> on, const Dialect& which)
    : dialect(which), owned_store(std::move(on)), device(*Device::Open(&store, Factory())) {
  desk.limits = &limits;
  desk.dialect = &dialect;
  desk.counters = &counters;
  desk.device = &device;
  desk.handler = &handler;
  desk.logs = &logs;
  desk.service = &service;
}

Talk::Talk(DeskFixture* fixture, int64_t connection_id, bool tls)
    : conversation_(connection_id, tls, &fixture->desk), connection_id_(connection_id) {
  const std::vector<Answer> answers = TakeAnswers();
  EXPECT_EQ(answers.size(), 1u);
  greeting_ = answers.at(0);
}

std::vector<Answer> Talk::Send(absl::string_view bytes) {
  Bytes in = AsBytes(bytes);
  using Kind = Conversation::Step::Kind;
  while (true) {
    const Kind kind = conversation_.Consume(&in, RealNow()).kind;
    if (kind == Kind::kMore || kind == Kind::kClosing) break;
    if (kind != Kind::kPending) continue;
    while (!conversation_.task()->Step()) std::this_thread::yield();
    conversation_.EndTask();
  }
  return TakeAnswers();
}

Answer Talk::Ask(const kinetic::Command& command, absl::string_view value) {
  const std::vector<Answer> answers = Send(RequestBytes(command, identity_, key_, value));
  EXPECT_EQ(answers.size(), 1u);
  return answers.empty() ? Answer() : answers[0];
}

void Talk::SignAs(int64_t identity, std::string key) {
  identity_ = identity;
  key_ = std::move(key);
}

Answer Talk::AskByPin(const kinetic::Command& command, absl::string_view pin) {
  std::string bytes;
  kinetic::Encoder().Append(command, {.kind = kinetic::Signature::Kind::kPin, .pin = pin}, 0,
                            &bytes);
  const std::vector<Answer> answers = Send(bytes);
  EXPECT_EQ(answers.size(), 1u);
  return answers.empty() ? Answer() : answers[0];
}

void Talk::Tell(const kinetic::Command& command, absl::string_view value) {
  EXPECT_TRUE(Send(RequestBytes(command, identity_, key_, value)).empty());
}

kinetic::Command Talk::Next(kinetic::MessageType type) {
  return Request(type, connection_id_, ++sequence_);
}

Answer Talk::Put(absl::string_view key, absl::string_view value) {
  kinetic::Command put = Next(kinetic::MessageType::kPut);
  put.key_value = {.key = key, .synchronization = kinetic::Synchronization::kWriteBack};
  return Ask(put, value);
}

std::vector<Answer> Talk::TakeAnswers() {
  Outbox& outbox = conversation_.outbox();
  std::string bytes;
  while (!outbox.empty()) {
    outbox.Ripen(MonoNow() + Seconds(3600));  // as if nothing more came for a while
    std::array<iovec, 4> pieces;
    const int used = outbox.Gather(MonoTime(), 1 << 20, pieces);
    EXPECT_GT(used, 0);
    size_t n = 0;
    for (int i = 0; i < used; ++i) {
      bytes.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
      n += pieces[i].iov_len;
    }
    outbox.Sent(n, RealTime(1), &ring_);
  }
  std::vector<Answer> answers;
  kinetic::FrameReader reader;
  for (Bytes in = AsBytes(bytes); !in.empty();) {
    const absl::StatusOr<bool> complete = reader.Consume(&in);
    EXPECT_TRUE(complete.ok() && *complete) << complete.status();
    if (!complete.ok() || !*complete) break;
    answers.push_back(ParseAnswer(reader.message(), reader.value(), key_));
  }
  return answers;
}

}  // namespace kbench::server
