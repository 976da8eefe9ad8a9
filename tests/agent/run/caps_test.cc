#include "agent/run/caps.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kbench {
namespace {

using testing::HasSubstr;

RunSpec Spec() {
  RunSpec spec;
  spec.server = {.host = "127.0.0.1", .port = 8123};
  spec.flows = 4;
  spec.warmup = Seconds(1);
  spec.duration = Seconds(5);
  return spec;
}

TEST(Caps, WithoutAnyEverythingIsAllowedAndNothingIsResolved) {
  RunSpec spec = Spec();
  spec.server.host = "no.such.host.example";
  EXPECT_TRUE(Hold({}, &spec).ok());
  EXPECT_EQ(spec.server.host, "no.such.host.example");
}

TEST(Caps, HoldAtTheirEdge) {
  RunSpec spec = Spec();
  EXPECT_TRUE(Hold({.duration = Seconds(6), .connections = 4}, &spec).ok());
  EXPECT_THAT(Hold({.duration = Millis(5999)}, &spec).message(),
              HasSubstr("warm-up and duration of 6s are above --max-duration 5999ms"));
  EXPECT_THAT(Hold({.connections = 3}, &spec).message(),
              HasSubstr("4 connections are above --max-connections 3"));
  EXPECT_EQ(Hold({.connections = 3}, &spec).code(), absl::StatusCode::kPermissionDenied);
}

TEST(Caps, ARateTakesAnOpenLoop) {
  RunSpec spec = Spec();
  EXPECT_THAT(Hold({.rate = 1000}, &spec).message(), HasSubstr("a closed loop has no rate"));
  spec.open = OpenLoop{.rate = 1000};
  EXPECT_TRUE(Hold({.rate = 1000}, &spec).ok());
  EXPECT_THAT(Hold({.rate = 999}, &spec).message(), HasSubstr("above --max-rate 999"));
}

TEST(Caps, ARateCountsEveryPutOfABatch) {
  RunSpec spec = Spec();
  spec.open = OpenLoop{.rate = 100};
  spec.ops = {{.kind = OpKind::kBatch}};
  spec.batch_ops = 9;
  EXPECT_TRUE(Hold({.rate = 1000}, &spec).ok());
  EXPECT_THAT(Hold({.rate = 999}, &spec).message(),
              HasSubstr("1000 requests/s, puts of batches counted, are above --max-rate 999"));
}

TEST(Caps, ABurstIsNoMoreThanASecondMayBring) {
  RunSpec spec = Spec();
  spec.agent_count = 2;
  spec.open = OpenLoop{.arrival = ArrivalKind::kBursts, .rate = 10, .burst = 200};
  EXPECT_TRUE(Hold({.rate = 100}, &spec).ok());
  EXPECT_THAT(Hold({.rate = 99}, &spec).message(),
              HasSubstr("a burst of 100 requests is above --max-rate 99"));
}

TEST(Caps, BoundTheLoadThatComesBefore) {
  RunSpec spec = Spec();
  spec.open = OpenLoop{.rate = 10};
  ASSERT_TRUE(Hold({.rate = 100, .duration = Seconds(6)}, &spec).ok());
  EXPECT_EQ(spec.load_pace, Millis(40)) << "of each of four flows";
  EXPECT_EQ(spec.load_most, Seconds(6));
  ASSERT_TRUE(Hold({}, &spec).ok());
}

TEST(Caps, ATargetIsOfAnAllowedNetworkAndStaysTheAddressThatWasChecked) {
  const Caps caps = {.targets = {*ParseNetwork("127.0.0.0/8"), *ParseNetwork("::1")}};
  HostPort target = {.host = "localhost", .port = 8123};
  EXPECT_TRUE(HoldTarget(caps, &target).ok());
  EXPECT_NE(target.host, "localhost");
  EXPECT_EQ(target.port, 8123);
  target.host = "192.0.2.9";
  EXPECT_THAT(HoldTarget(caps, &target).message(),
              HasSubstr("192.0.2.9:8123 is in none of --allow-target 127.0.0.0/8, ::1"));
}

}  // namespace
}  // namespace kbench
