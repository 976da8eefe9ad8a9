// A dispatcher in front of fake agents, with limits that a test can make short.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "controller/fleet/exit_codes.h"
#include "controller/fleet/hello.h"
#include "controller/run/dispatcher.h"
#include "tests/controller/fake_agent.h"

namespace kbench {

// Long enough for a good agent on a busy machine, short enough to wait for a silent one.
inline constexpr Nanos kSilenceLimit = Millis(700);

class DispatcherTest : public ::testing::Test {
 protected:
  FakeAgent& Add(FakeScript script = {}) {
    agents_.push_back(std::make_unique<FakeAgent>(std::move(script)));
    Link(agents_.back()->address());
    return *agents_.back();
  }
  void Link(const std::string& address) {
    links_.push_back(std::make_unique<AgentLink>(address, AgentCredentials()));
  }

  static constexpr char kKey[] = "key-of-identity-1";
  // Of a run without a warm-up that takes no time on a fake.
  static control::RunSpec Spec(bool load = true) {
    control::RunSpec spec;
    spec.set_run_id("abc-0001");
    spec.set_hmac_key(kKey);
    spec.set_load(load);
    spec.set_keys(1);
    spec.set_duration_ns(Millis(1).count());
    spec.set_op_timeout_ns(Millis(1).count());
    spec.set_connect_timeout_ns(Millis(1).count());
    return spec;
  }

  std::vector<AgentLink*> Links() const {
    std::vector<AgentLink*> links;
    for (const auto& link : links_) links.push_back(link.get());
    return links;
  }
  absl::StatusOr<std::vector<control::HelloReply>> HelloAll() const {
    return kbench::HelloAll(Links(), limits_.hello);
  }
  DispatchOutcome Execute(const control::RunSpec& spec = Spec()) {
    RunRequest request{
        .run_id = "abc-0001", .cell = 3, .repetition = 1, .pass = analysis::Pass::kFull};
    request.agents = Links();
    for (size_t i = 0; i < links_.size(); ++i) {
      request.specs.push_back(spec);
      request.specs.back().set_agent_index(static_cast<uint32_t>(i));
    }
    request.observer = observer_;
    request.enough = enough_;
    return Dispatcher(limits_, &interrupts_, &progress_).Execute(request);
  }

  static bool Says(const absl::Status& status, const std::string& part) {
    return std::string(status.message()).find(part) != std::string::npos;
  }
  static bool HasCaveat(const DispatchOutcome& outcome, const std::string& code) {
    for (const result::Caveat& caveat : outcome.evidence.caveats) {
      if (caveat.code() == code) return true;
    }
    return false;
  }

  // One more agent, which looks on.
  FakeAgent& AddObserver(FakeScript script = {}) {
    observer_agent_ = std::make_unique<FakeAgent>(std::move(script));
    observer_link_ = std::make_unique<AgentLink>(observer_agent_->address(), AgentCredentials());
    observer_ = {.link = observer_link_.get(), .port = 8123};
    return *observer_agent_;
  }

  PhaseLimits limits_;
  Interrupts interrupts_;
  Progress progress_{{.quiet = true}};
  std::vector<std::unique_ptr<FakeAgent>> agents_;
  std::vector<std::unique_ptr<AgentLink>> links_;  // end before their agents do
  std::unique_ptr<FakeAgent> observer_agent_;
  std::unique_ptr<AgentLink> observer_link_;
  std::optional<ServerObserver> observer_;
  std::function<bool(size_t, const result::Interval&)> enough_;  // of the next request
};

// Silent from the first command of that kind on.
inline FakeScript SilentFrom(control::RunCommand::CommandCase which) {
  return {.answer = [which](const control::RunCommand& command, Events good) {
    return command.command_case() >= which ? Events() : std::move(good);
  }};
}

// Answers to one kind of command with something else.
inline FakeScript Instead(control::RunCommand::CommandCase which, Events events) {
  return {.answer = [which, events = std::move(events)](const control::RunCommand& command,
                                                        Events good) {
    if (command.command_case() == which) return events;
    return good;
  }};
}

}  // namespace kbench
