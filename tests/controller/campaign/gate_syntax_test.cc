#include "controller/campaign/gate_syntax.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kbench {
namespace {

using analysis::Gate;
using ::testing::HasSubstr;

Gate Good(const char* text) {
  const auto gate = ParseGate(text);
  EXPECT_TRUE(gate.ok()) << gate.status();
  return gate.ok() ? *gate : Gate();
}

std::string Error(const char* text) {
  const auto gate = ParseGate(text);
  EXPECT_FALSE(gate.ok()) << "accepted: " << text;
  return gate.ok() ? "" : std::string(gate.status().message());
}

TEST(GateSyntax, ReadsEveryForm) {
  Gate gate = Good("p99.9(get)<2ms");
  EXPECT_EQ(gate.what, Gate::What::kPercentile);
  EXPECT_EQ(gate.percentile, 99.9);
  EXPECT_EQ(gate.op, "get");
  EXPECT_TRUE(gate.below && gate.strict);
  EXPECT_EQ(gate.bound, 2e6);
  EXPECT_EQ(gate.text, "p99.9(get) < 2ms");

  EXPECT_EQ(Good("service_p50 < 1us").what, Gate::What::kServicePercentile);
  EXPECT_EQ(Good("service_p50 < 1us").op, "all");
  EXPECT_EQ(Good("mean( put ) < 3ms").op, "put");
  EXPECT_EQ(Good("max(all) <= 1s").what, Gate::What::kMax);
  gate = Good("errors < 0.1%");
  EXPECT_EQ(gate.what, Gate::What::kErrors);
  EXPECT_DOUBLE_EQ(gate.bound, 0.001);
  EXPECT_EQ(Good("errors(get) <= 0").bound, 0);
  gate = Good("  achieved/offered  >=  0.99 ");
  EXPECT_FALSE(gate.below || gate.strict);
  EXPECT_EQ(gate.text, "achieved/offered >= 0.99");
  EXPECT_EQ(Good("rate(get) > 5k/s").bound, 5000);
  EXPECT_EQ(Good("unsent <= 0%").bound, 0);
}

// What the manifest keeps is read again.
TEST(GateSyntax, CanonicalTextIsItsOwn) {
  for (const char* text : {"p99(get)<2ms", "errors<=0.1%", "achieved/offered>0.99", "rate>1k/s"}) {
    const Gate once = Good(text);
    EXPECT_EQ(Good(once.text.c_str()).text, once.text);
  }
}

TEST(GateSyntax, ErrorsNameTheRemedy) {
  EXPECT_THAT(Error("p99(gte) < 2ms"), HasSubstr("did you mean 'get'?"));
  EXPECT_THAT(Error("error < 1%"), HasSubstr("did you mean 'errors'?"));
  EXPECT_THAT(Error("latency < 2ms"), HasSubstr("write it like 'p99(get) < 2ms'"));
  EXPECT_THAT(Error("p99(get)"), HasSubstr("compares nothing"));
  EXPECT_THAT(Error("p99(get) <"), HasSubstr("nothing on one side"));
  EXPECT_THAT(Error("< 2ms"), HasSubstr("nothing on one side"));
  EXPECT_THAT(Error("p99(get) < 2"), HasSubstr("needs a unit"));
  EXPECT_THAT(Error("p100(get) < 2ms"), HasSubstr("between 0 and 100"));
  EXPECT_THAT(Error("p99(get < 2ms"), HasSubstr("no ')'"));
  EXPECT_THAT(Error("errors < 200%"), HasSubstr("more than all"));
  EXPECT_THAT(Error("errors < 1"), HasSubstr("write it like 1%"));
  EXPECT_THAT(Error("errors < few"), HasSubstr("is no share"));
  EXPECT_THAT(Error("achieved/offered(get) > 0.9"), HasSubstr("drop what is in parentheses"));
  EXPECT_THAT(Error("p99 == 2ms"), HasSubstr("compares nothing"));
  EXPECT_THAT(Error(""), HasSubstr("compares nothing"));
}

}  // namespace
}  // namespace kbench
