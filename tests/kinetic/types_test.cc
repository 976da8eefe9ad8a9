#include "kinetic/types.h"

#include <gtest/gtest.h>

#include <set>

namespace kbench::kinetic {
namespace {

TEST(Name, IsTheWiresOwn) {
  EXPECT_EQ(Name(AuthType::kHmac), "HMACAUTH");
  EXPECT_EQ(Name(MessageType::kGetResponse), "GET_RESPONSE");
  EXPECT_EQ(Name(MessageType::kPeerToPeerPush), "PEER2PEERPUSH");
  EXPECT_EQ(Name(MessageType::kSetPowerLevelResponse), "SET_POWER_LEVEL_RESPONSE");
  EXPECT_EQ(Name(StatusCode::kPermDataError), "PERM_DATA_ERROR");
  EXPECT_EQ(Name(Synchronization::kWriteThrough), "WRITETHROUGH");
}

TEST(Name, KeepsTheNumberOfWhatNobodyDefined) {
  EXPECT_EQ(Name(static_cast<AuthType>(9)), "UNKNOWN(9)");
  EXPECT_EQ(Name(static_cast<MessageType>(77)), "UNKNOWN(77)");
  EXPECT_EQ(Name(static_cast<StatusCode>(-2)), "UNKNOWN(-2)");
  EXPECT_EQ(Name(static_cast<Synchronization>(0)), "UNKNOWN(0)");
}

TEST(Name, OfEveryStatusIsItsOwn) {
  std::set<std::string> names;
  for (int code = -1; code < kStatusCodeCount - 1; ++code) {
    names.insert(Name(static_cast<StatusCode>(code)));
  }
  EXPECT_EQ(names.size(), static_cast<size_t>(kStatusCodeCount));
  for (const std::string& name : names) EXPECT_EQ(name.find("UNKNOWN"), std::string::npos) << name;
  EXPECT_EQ(Name(static_cast<StatusCode>(kStatusCodeCount - 1)), "UNKNOWN(24)");
}

TEST(MessageType, OfAResponseIsItsRequestsLessOneInNumberAndName) {
  int requests = 0;
  for (int number = 1; number <= 48; ++number) {
    const auto type = static_cast<MessageType>(number);
    if (Name(type).rfind("UNKNOWN", 0) == 0) continue;
    const bool named_response = Name(type).find("_RESPONSE") != std::string::npos;
    EXPECT_EQ(IsRequest(type), !named_response) << number;
    if (!IsRequest(type)) continue;
    ++requests;
    EXPECT_EQ(Name(ResponseOf(type)), Name(type) + "_RESPONSE");
  }
  EXPECT_EQ(requests, 20);
  EXPECT_FALSE(IsRequest(MessageType::kInvalid));
  EXPECT_FALSE(IsRequest(static_cast<MessageType>(0)));
}

}  // namespace
}  // namespace kbench::kinetic
