// Who speaks for a run whose connections are lost for good: one that the server has refused.
#include "agent/load/flow_tender.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/agent/load/session_rig.h"

namespace kbench {
namespace {

using testing::HasSubstr;
using Why = RunControl::Why;

// Two flows that are gone: the first without a word, the second one with the server's.
class FlowTenderTest : public ::testing::Test {
 protected:
  FlowTenderTest()
      : rig_({.flows = 2}, [](const FakeTransport::Request&) {
          return FakeTransport::Fate{.delay = Millis(1)};
        }) {
    const MonoTime at = Rig::kStart + Millis(100);
    rig_.transport().SayAt(FlowId(1), at, kinetic::StatusCode::kInvalidRequest, "Tag required");
    for (const uint32_t flow : {0u, 1u}) rig_.transport().CloseAt(FlowId(flow), at + Micros(500));
    rig_.Run();
    EXPECT_FALSE(rig_.session(0).refused());
    EXPECT_TRUE(rig_.session(1).refused());
  }
  FlowTender Make() {
    return FlowTender(&spec_, SocketAddress(), &control_, &rig_.transport(), &rig_.sessions());
  }

  Rig rig_;
  RunSpec spec_;  // no attempts to open a flow again are left
  RunControl control_;
};

TEST_F(FlowTenderTest, TheFlowThatWasRefusedSpeaksForTheOneThatIsUsedUp) {
  FlowTender tender = Make();
  tender.Tend(MonoNow());
  EXPECT_EQ(control_.why(), Why::kServerRefused) << control_.reason();
  EXPECT_THAT(control_.reason(), HasSubstr("it had said INVALID_REQUEST: Tag required"));
}

TEST_F(FlowTenderTest, AFlowThatWasRefusedSpeaksForAnotherWorkersLoss) {
  FlowTender tender = Make();
  tender.Conclude();
  EXPECT_EQ(control_.why(), Why::kNotStopped) << "nothing was lost for good";
  control_.Stop(Why::kServerLost, "another worker's");
  tender.Conclude();
  EXPECT_EQ(control_.why(), Why::kServerRefused);
  EXPECT_THAT(control_.reason(), HasSubstr("Tag required"));
}

TEST_F(FlowTenderTest, AFlowThatIsOpenAgainSaysNothing) {
  ASSERT_TRUE(rig_.transport().Reopen(rig_.session(1).flow(), {}, Seconds(1)).ok());
  rig_.session(1).Reopened();
  FlowTender tender = Make();
  tender.Tend(MonoNow());
  EXPECT_EQ(control_.why(), Why::kServerLost) << control_.reason();
}

}  // namespace
}  // namespace kbench
