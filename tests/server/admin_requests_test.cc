// What changes the device: SETUP, SECURITY, PINOP; who may, what it does, and what survives.
#include "server/admin_requests.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "client/requests.h"
#include "tests/server/desk_fixture.h"

namespace kbench::server {
namespace {

using kinetic::Command;
using kinetic::MessageType;
using kinetic::Permission;
using kinetic::PinOp;
using kinetic::Security;
using kinetic::StatusCode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class AdminTest : public ::testing::Test {
 protected:
  // A request as `talk` would number it.
  static Answer Ask(Talk* talk, Command command, absl::string_view value = "") {
    const Command numbered = talk->Next(*command.header.message_type);
    command.header = numbered.header;
    return talk->Ask(command, value);
  }
  static Answer AskByPin(Talk* talk, PinOp op, absl::string_view pin) {
    Command command = client::PinRequest(op);
    command.header = talk->Next(MessageType::kPinOp).header;
    return talk->AskByPin(command, pin);
  }
  StatusCode Set(const std::vector<Security::Acl>& acls) {
    return Ask(&secure_, client::SetAclsRequest(acls)).status;
  }
  static Security::Acl Acl(int64_t identity, const std::vector<Permission>& permissions,
                           kinetic::Text scope = "", uint64_t offset = 0) {
    Security::Acl acl = {.identity = identity, .key = "new key", .hmac_algorithm = 1};
    Security::Scope& in = acl.scopes.emplace_back();
    in.offset = offset;
    in.value = scope;
    for (const Permission p : permissions) in.permissions.push_back(static_cast<int32_t>(p));
    return acl;
  }

  static constexpr StatusCode kOk = StatusCode::kSuccess;
  static constexpr StatusCode kInvalid = StatusCode::kInvalidRequest;
  static constexpr StatusCode kNotAuthorized = StatusCode::kNotAuthorized;
  DeskFixture fixture_;
  Talk plain_{&fixture_, 1};
  Talk secure_{&fixture_, 2, /*tls=*/true};
};

TEST_F(AdminTest, SetupChangesTheClusterVersionForEverybodyAtOnceAndForGood) {
  EXPECT_EQ(Ask(&plain_, client::SetClusterVersionRequest(7)).status, kOk);
  const Answer old = secure_.Ask(secure_.Next(MessageType::kNoop));
  EXPECT_EQ(old.status, StatusCode::kVersionFailure);
  EXPECT_EQ(old.cluster_version, 7);
  EXPECT_THAT(old.status_message, HasSubstr("CLUSTER_VERSION_FAILURE"));
  fixture_.Restart();
  Talk late(&fixture_, 3);
  EXPECT_EQ(late.greeting().cluster_version, 7);
}

TEST_F(AdminTest, SetupUnderstandsBothProtocolGenerations) {
  Command old = plain_.Next(MessageType::kSetup);  // 3.x has no setupOpType
  old.setup = {.new_cluster_version = 0};
  EXPECT_EQ(plain_.Ask(old).status, kOk);
  Command firmware = plain_.Next(MessageType::kSetup);
  const Answer accepted = plain_.Ask(firmware, "an image");
  EXPECT_EQ(accepted.status, kOk);
  EXPECT_THAT(accepted.status_message, HasSubstr("8 bytes was accepted and ignored"));
  EXPECT_EQ(Ask(&plain_, client::FirmwareRequest(), "image").status, kOk);
  EXPECT_EQ(Ask(&plain_, client::FirmwareRequest()).status, kInvalid) << "no image";
  EXPECT_EQ(plain_.Ask(plain_.Next(MessageType::kSetup)).status, kInvalid) << "nothing at all";
  Command strange = plain_.Next(MessageType::kSetup);
  strange.setup = {.new_cluster_version = 3, .setup_op_type = 9};
  EXPECT_EQ(plain_.Ask(strange).status, kInvalid);
  EXPECT_EQ(fixture_.device.state().cluster_version, 0);
}

TEST_F(AdminTest, SecurityNeedsTls) {
  const Answer answer = Ask(&plain_, client::SetAclsRequest({Acl(3, {Permission::kRead})}));
  EXPECT_EQ(answer.status, kInvalid);
  EXPECT_THAT(answer.status_message, HasSubstr("TLS"));
  EXPECT_EQ(fixture_.device.state().access.Find(3), nullptr);
}

TEST_F(AdminTest, AclsReplaceThoseOfTheIdentitiesTheyNameAndLeaveTheOthers) {
  ASSERT_EQ(Set({Acl(2, {Permission::kRead}), Acl(3, {Permission::kWrite})}), kOk);
  EXPECT_EQ(plain_.Ask(plain_.Next(MessageType::kNoop)).status, kOk) << "identity 1 is untouched";
  plain_.SignAs(2, "new key");
  const Answer answer = plain_.Put("k", "v");
  EXPECT_EQ(answer.status, kNotAuthorized);
  EXPECT_EQ(answer.status_message, "permission denied") << "kinetic-java compares these words";
  EXPECT_TRUE(answer.signature_good);
  plain_.SignAs(3, "new key");
  EXPECT_EQ(plain_.Put("k", "v").status, kOk);
  fixture_.Restart();
  plain_.SignAs(2, "new key");
  EXPECT_EQ(plain_.Put("k", "v").status, kNotAuthorized) << "kept";
}

TEST_F(AdminTest, AnAnswerIsSignedWithTheKeyOfItsRequest) {
  Security::Acl own = Acl(1, {Permission::kSecurity, Permission::kRead});
  const Answer answer = Ask(&secure_, client::SetAclsRequest({own}));
  EXPECT_EQ(answer.status, kOk);
  EXPECT_TRUE(answer.signature_good) << "the old key";
  EXPECT_EQ(secure_.Ask(secure_.Next(MessageType::kNoop)).status, StatusCode::kHmacFailure);
}

// "all" of libkinetic's shell: with 10, of a branch of the protocol that has applets.
TEST_F(AdminTest, PermissionsOfLaterProtocolsArePassedOver) {
  ASSERT_EQ(Set({Acl(4, {Permission::kRead, Permission{6}, Permission{10}, Permission{1000}})}),
            kOk);
  plain_.SignAs(4, "new key");
  EXPECT_EQ(Ask(&plain_, client::GetRequest("k")).status, StatusCode::kNotFound);
  EXPECT_EQ(plain_.Put("k", "v").status, kNotAuthorized);
  EXPECT_EQ(Set({Acl(5, {Permission{10}})}), kInvalid) << "nothing is left of it";
}

TEST_F(AdminTest, AclsThatCannotBeChangeNothing) {
  Security::Acl no_scope = {.identity = 5, .key = "k", .hmac_algorithm = 1};
  Security::Acl no_key = Acl(5, {Permission::kRead});
  no_key.key = "";
  Security::Acl no_identity = Acl(5, {Permission::kRead});
  no_identity.identity.reset();
  Security::Acl other_algorithm = Acl(5, {Permission::kRead});
  other_algorithm.hmac_algorithm = 2;
  Security::Acl strange_permission = Acl(5, {Permission::kRead, Permission{-1}});
  Security::Acl long_scope = Acl(5, {Permission::kRead}, "x", 4096);
  Security::Acl no_permission = Acl(5, {});
  Security::Acl priority = Acl(5, {Permission::kRead});
  priority.max_priority = 10;
  for (const Security::Acl& acl :
       {no_scope, no_key, no_identity, strange_permission, long_scope, no_permission, priority}) {
    EXPECT_EQ(Set({Acl(4, {Permission::kRead}), acl}), kInvalid);
  }
  EXPECT_EQ(Set({Acl(4, {Permission::kRead}), other_algorithm}), StatusCode::kNoSuchHmacAlgorithm);
  EXPECT_EQ(Set({Acl(4, {Permission::kRead}), Acl(4, {Permission::kRead})}), kInvalid) << "twice";
  EXPECT_EQ(fixture_.device.state().access.size(), 2u) << "all or nothing";
  fixture_.limits.identities = 2;
  EXPECT_EQ(Set({Acl(4, {Permission::kRead})}), kInvalid) << "too many";
  EXPECT_EQ(Set({}), kOk) << "nothing to change";
}

TEST_F(AdminTest, EveryOperationNeedsItsPermission) {
  const struct {
    Command command;
    Permission permission;
  } cases[] = {
      {client::GetRequest("k"), Permission::kRead},
      {client::GetVersionRequest("k"), Permission::kRead},
      {client::GetNextRequest("j"), Permission::kRead},
      {client::GetPreviousRequest("l"), Permission::kRead},
      {client::PutRequest("k"), Permission::kWrite},
      {client::DeleteRequest("k"), Permission::kDelete},
      {client::KeyRangeRequest({.start_key = "a", .end_key = "z"}), Permission::kRange},
      {client::MediaScanRequest({}), Permission::kRange},
      {client::MediaOptimizeRequest({}), Permission::kRange},
      {client::SetClusterVersionRequest(0), Permission::kSetup},
      {client::PushRequest({}), Permission::kPeerToPeer},
      {client::GetLogRequest({kinetic::GetLog::Type::kLimits}), Permission::kGetLog},
      {client::SetAclsRequest({}), Permission::kSecurity},
      {client::PowerRequest(kinetic::PowerLevel::kOperational), Permission::kPowerManagement},
  };
  const std::vector<Permission> all = EverythingScope().permissions;
  Talk other(&fixture_, 9, /*tls=*/true);
  other.SignAs(2, "new key");
  for (const auto& c : cases) {
    SCOPED_TRACE(kinetic::Name(*c.command.header.message_type));
    fixture_.store = MemoryStore();
    plain_.Put("k", "v");
    std::vector<Permission> without;
    for (const Permission p : all) {
      if (p != c.permission) without.push_back(p);
    }
    ASSERT_EQ(Set({Acl(2, without)}), kOk);
    EXPECT_EQ(Ask(&other, c.command).status, kNotAuthorized);
    ASSERT_EQ(Set({Acl(2, {c.permission})}), kOk);
    EXPECT_NE(Ask(&other, c.command).status, kNotAuthorized);
  }
  ASSERT_EQ(Set({Acl(2, {Permission::kGetLog})}), kOk);
  EXPECT_EQ(other.Ask(other.Next(MessageType::kNoop)).status, kOk) << "a NOOP needs none";
  EXPECT_EQ(other.Ask(other.Next(MessageType::kFlushAllData)).status, kOk);
}

TEST_F(AdminTest, ScopesDecideByKey) {
  plain_.Put("a1", "");
  plain_.Put("b1", "");
  plain_.Put("b2", "");
  plain_.Put("c1", "");
  ASSERT_EQ(Set({Acl(2, {Permission::kRead, Permission::kRange}, "b")}), kOk);
  plain_.SignAs(2, "new key");
  EXPECT_EQ(Ask(&plain_, client::GetRequest("b1")).status, kOk);
  EXPECT_EQ(Ask(&plain_, client::GetRequest("a1")).status, kNotAuthorized);
  const Answer hidden = Ask(&plain_, client::GetNextRequest("b2"));
  EXPECT_EQ(hidden.status, kNotAuthorized) << "the neighbour is c1";
  EXPECT_FALSE(hidden.key.has_value());
  EXPECT_EQ(Ask(&plain_, client::GetNextRequest("a1")).key, "b1")
      << "where the search begins needs no permission";
  EXPECT_THAT(Ask(&plain_, client::KeyRangeRequest({.start_key = "b", .end_key = "z"})).keys,
              ElementsAre("b1", "b2"))
      << "ends at the first that may not be seen";
}

TEST_F(AdminTest, PinsAreSetWithTheOldOneAndKept) {
  const auto set = [&](kinetic::Text old_pin, kinetic::Text new_pin) {
    return Ask(&secure_, client::SetErasePinRequest(old_pin, new_pin)).status;
  };
  EXPECT_EQ(set("anything", "123"), kOk) << "none was set";
  EXPECT_EQ(set("", "456"), kNotAuthorized);
  EXPECT_EQ(set("12", "456"), kNotAuthorized);
  fixture_.Restart();
  EXPECT_EQ(set("123", "456"), kOk);
  const std::string long_pin(65, '1');
  EXPECT_EQ(set("456", long_pin), kInvalid) << "too long";
  EXPECT_EQ(set("456", ""), kOk) << "none again";
  Command both = secure_.Next(MessageType::kSecurity);
  both.security = {.new_lock_pin = "1", .new_erase_pin = "2"};
  EXPECT_EQ(secure_.Ask(both).status, kInvalid) << "one thing at a time";
}

TEST_F(AdminTest, ErasingForgetsEverythingButTheConnections) {
  plain_.Put("k", "v");
  ASSERT_EQ(Ask(&secure_, client::SetErasePinRequest("", "123")).status, kOk);
  ASSERT_EQ(Ask(&secure_, client::SetLockPinRequest("", "lock")).status, kOk);
  ASSERT_EQ(Set({Acl(2, {Permission::kRead})}), kOk);
  EXPECT_EQ(AskByPin(&plain_, PinOp::kErase, "123").status, kInvalid) << "not over plain TCP";
  EXPECT_EQ(AskByPin(&secure_, PinOp::kErase, "wrong").status, kNotAuthorized);
  EXPECT_EQ(AskByPin(&secure_, PinOp::kLock, "lock").status, kOk);
  const Answer erased = AskByPin(&secure_, PinOp::kErase, "123");
  EXPECT_EQ(erased.status, kOk) << "also while locked: it is the way out";
  EXPECT_EQ(erased.auth_type, kinetic::AuthType::kPin);
  EXPECT_EQ(erased.type, MessageType::kPinOpResponse);
  EXPECT_EQ(Ask(&plain_, client::GetRequest("k")).status, StatusCode::kNotFound);
  EXPECT_EQ(AskByPin(&secure_, PinOp::kSecureErase, "").status, kOk) << "no PIN is set any more";
  plain_.SignAs(2, "secret2");
  EXPECT_EQ(plain_.Put("k", "v").status, kOk) << "the factory's identities";
}

TEST_F(AdminTest, ALockPinLocksNowOnRequestAndAtEveryStart) {
  EXPECT_EQ(AskByPin(&secure_, PinOp::kLock, "").status, kInvalid);
  ASSERT_EQ(Ask(&secure_, client::SetLockPinRequest("", "123")).status, kOk);
  EXPECT_EQ(plain_.Put("k", "v").status, kOk) << "setting it does not lock";
  EXPECT_EQ(AskByPin(&secure_, PinOp::kLock, "1234").status, kNotAuthorized);
  EXPECT_EQ(plain_.Put("k", "v").status, kOk);
  EXPECT_EQ(AskByPin(&secure_, PinOp::kLock, "123").status, kOk);
  EXPECT_EQ(plain_.Put("k", "v").status, StatusCode::kDeviceLocked);
  EXPECT_EQ(AskByPin(&secure_, PinOp::kUnlock, "wrong").status, kNotAuthorized);
  EXPECT_EQ(AskByPin(&secure_, PinOp::kUnlock, "123").status, kOk);
  EXPECT_EQ(AskByPin(&secure_, PinOp::kUnlock, "123").status, kOk) << "once more does no harm";
  EXPECT_EQ(plain_.Put("k", "w").status, kOk);
  fixture_.Restart();
  EXPECT_EQ(plain_.Put("k", "v").status, StatusCode::kDeviceLocked);
  EXPECT_EQ(AskByPin(&secure_, PinOp::kUnlock, "123").status, kOk);
  EXPECT_EQ(plain_.Put("k", "x").status, kOk);
}

TEST_F(AdminTest, APinOperationIsNotSignedWithAnHmac) {
  EXPECT_EQ(Ask(&secure_, client::PinRequest(PinOp::kErase)).status, kInvalid);
}

TEST(Settings, GoThroughBytesUnchanged) {
  Device::State state = {.cluster_version = -5,
                         .access = AccessTable::Factory(),
                         .lock_pin = std::string("l\0k", 3),
                         .erase_pin = "e"};
  auto identity = std::make_shared<Identity>("k\xff");
  identity->max_priority = 3;
  identity->scopes = {{.offset = 9,
                       .value = "value",
                       .permissions = {Permission::kRange, Permission::kRead},
                       .tls_required = true}};
  state.access.Set(77, identity);
  const absl::StatusOr<Device::State> back = DecodeSettings(EncodeSettings(state));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->cluster_version, -5);
  EXPECT_EQ(back->lock_pin, state.lock_pin);
  EXPECT_EQ(back->erase_pin, "e");
  ASSERT_EQ(back->access.size(), 2u);
  const auto found = back->access.Find(77);
  EXPECT_EQ(found->key_text, "k\xff");
  EXPECT_EQ(found->max_priority, 3);
  ASSERT_EQ(found->scopes.size(), 1u);
  EXPECT_EQ(found->scopes[0].offset, 9u);
  EXPECT_EQ(found->scopes[0].value, "value");
  EXPECT_THAT(found->scopes[0].permissions, ElementsAre(Permission::kRange, Permission::kRead));
  EXPECT_TRUE(found->scopes[0].tls_required);
  EXPECT_TRUE(absl::IsDataLoss(DecodeSettings("garbage").status()));
  EXPECT_TRUE(absl::IsDataLoss(DecodeSettings("").status()));
}

}  // namespace
}  // namespace kbench::server
