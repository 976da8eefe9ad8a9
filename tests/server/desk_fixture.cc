#include "tests/server/desk_fixture.h"

#include <gtest/gtest.h>

#include <array>

#include "kinetic/frame.h"

namespace kbench::server {

DeskFixture::DeskFixture() {
  desk.limits = &limits;
  desk.keys = &keys;
  desk.handler = &handler;
  desk.logs = &logs;
  desk.service = &service;
}

Talk::Talk(DeskFixture* fixture, int64_t connection_id)
    : conversation_(connection_id, &fixture->desk), connection_id_(connection_id) {
  const std::vector<Answer> answers = TakeAnswers();
  EXPECT_EQ(answers.size(), 1u);
  greeting_ = answers.at(0);
}

std::vector<Answer> Talk::Send(absl::string_view bytes) {
  Bytes in = AsBytes(bytes);
  while (conversation_.Consume(&in).kind == Conversation::Step::Kind::kAnswered) {
  }
  return TakeAnswers();
}

Answer Talk::Ask(const kinetic::Command& command, absl::string_view value) {
  const std::vector<Answer> answers =
      Send(RequestBytes(command, kinetic::kFactoryIdentity, kinetic::kFactoryKey, value));
  EXPECT_EQ(answers.size(), 1u);
  return answers.empty() ? Answer() : answers[0];
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
    answers.push_back(ParseAnswer(reader.message(), reader.value(), kinetic::kFactoryKey));
  }
  return answers;
}

}  // namespace kbench::server
