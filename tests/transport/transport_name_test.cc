#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "transport/transport.h"

namespace kbench {
namespace {

TEST(TransportKind, NamesAreReadBack) {
  for (TransportKind kind : {TransportKind::kSocket, TransportKind::kEpoll, TransportKind::kUring,
                             TransportKind::kNull}) {
    EXPECT_EQ(ParseTransportKind(Name(kind)).value(), kind);
  }
  const absl::Status status = ParseTransportKind("io_uring").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("socket, epoll, uring and null"));
}

TEST(MakeTransport, RefusesSizesThatMakeNoSense) {
  EXPECT_FALSE(MakeTransport(TransportKind::kSocket, {.flows_max = 0}).ok());
  EXPECT_FALSE(MakeTransport(TransportKind::kNull, {.frames_max = 0}).ok());
  EXPECT_FALSE(MakeTransport(TransportKind::kUring, {.flows_max = 100'000}).ok());
}

}  // namespace
}  // namespace kbench
