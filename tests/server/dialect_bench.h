// A device of one dialect with a plain and a TLS connection, and questions put to it: what it says
// in the words of Summary() (wire_answer.h), and whether the connection lives on.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/dialect.h"
#include "tests/server/desk_fixture.h"

namespace kbench::server {

class DialectBench {
 public:
  using Command = kinetic::Command;
  using KeyValue = kinetic::KeyValue;
  using MessageType = kinetic::MessageType;

  DialectBench(const Dialect& dialect, std::unique_ptr<Store> store);

  // As new: nothing stored, factory settings, unlocked, awake, fresh connections.
  void Reset();

  DeskFixture& device() { return fixture_; }
  const Dialect& dialect() const { return fixture_.dialect; }
  Talk& plain() { return *plain_; }
  Talk& secure() { return *secure_; }

  // Puts an object straight into the store.
  void Have(absl::string_view key, absl::string_view value = "", absl::string_view version = "");
  // Whether the store has it.
  bool Has(absl::string_view key);
  // Gives identity 2, whose key is "secret2", these scopes and no others.
  void SetSecond(std::vector<Scope> scopes);

  // What the plain connection says to these bytes: its answers, in the order in which they leave,
  // and "closes".
  std::string Send(absl::string_view bytes, bool texts = false, Talk* to = nullptr);
  // To a command, signed by identity 1.
  std::string Ask(const Command& command, absl::string_view value = "", bool texts = false);
  std::string AskSecurely(const Command& command);
  std::string AskByPin(const Command& command, absl::string_view pin, bool tls);
  // The next command of the plain connection.
  Command Next(MessageType type) { return plain_->Next(type); }
  Command Next(MessageType type, const KeyValue& key_value);
  // A change with all that any dialect wants of one.
  Command NextPut(absl::string_view key, absl::string_view version = "");
  Command NextOfBatch(MessageType type, uint32_t batch, std::optional<uint32_t> count = {});
  static std::string Signed(const Command& command, absl::string_view value = "");

 private:
  std::string Say(Talk* talk, const std::vector<Answer>& answers, bool texts);

  DeskFixture fixture_;
  std::unique_ptr<Talk> plain_, secure_;
};

}  // namespace kbench::server
