// Results wait on the agent until a controller has them, and a run may be taken from its owner.

#include <gmock/gmock.h>

#include "tests/agent/service/agent_rig.h"
#include "tests/base/scratch_files.h"

namespace kbench {
namespace {

using testing::HasSubstr;

class ShelfOf {
 protected:
  TempDir dir_;
};

class ResultsServiceTest : private ShelfOf, public AgentServiceTest {
 protected:
  ResultsServiceTest() : AgentServiceTest(*ResultShelf::Open(dir_.path())) {}

  control::ResultsReply Kept() {
    grpc::ClientContext context;
    control::ResultsReply reply;
    EXPECT_TRUE(stub_->Results(&context, {}, &reply).ok());
    return reply;
  }
  grpc::Status Fetch(const std::string& run_id, std::string* bytes) {
    grpc::ClientContext context;
    control::FetchRequest request;
    request.set_run_id(run_id);
    const auto stream = stub_->Fetch(&context, request);
    bool last = false;
    for (control::ResultChunk chunk; stream->Read(&chunk);) {
      EXPECT_LE(chunk.data().size(), size_t{1} << 20);
      EXPECT_FALSE(last);
      *bytes += chunk.data();
      last = chunk.last();
    }
    const grpc::Status status = stream->Finish();
    EXPECT_EQ(last, status.ok());
    return status;
  }
  grpc::Status Acknowledge(const std::string& run_id) {
    grpc::ClientContext context;
    control::AcknowledgeRequest request;
    request.add_run_ids(run_id);
    control::AcknowledgeReply reply;
    return stub_->Acknowledge(&context, request, &reply);
  }
};

TEST_F(ResultsServiceTest, AResultStaysUntilItIsAcknowledged) {
  EXPECT_TRUE(Hello().keeps_results());
  Conversation run(stub_.get());
  control::RunSpec spec = WireSpec(server());
  spec.set_duration_ns(1'200'000'000);
  spec.set_sample_every(1);
  spec.set_samples_max(20'000);  // more than a chunk
  run.Prepare(spec);
  ASSERT_TRUE(run.Next().has_prepared());
  run.Start(AgentNow() + kLead);
  const result::RunResult sent = run.Result();
  EXPECT_TRUE(run.Finish().ok());
  ASSERT_EQ(Kept().kept_size(), 1);
  EXPECT_EQ(Kept().kept(0).run_id(), "run-1");
  EXPECT_GT(Kept().kept(0).ended_unix_s(), 1'700'000'000);
  std::string bytes;
  ASSERT_TRUE(Fetch("run-1", &bytes).ok());
  EXPECT_EQ(bytes.size(), Kept().kept(0).bytes());
  result::RunResult fetched;
  ASSERT_TRUE(fetched.ParseFromString(bytes));
  EXPECT_EQ(fetched.counts().answered(), sent.counts().answered());
  EXPECT_EQ(fetched.samples_size(), sent.samples_size());
  EXPECT_TRUE(Acknowledge("run-1").ok());
  EXPECT_EQ(Kept().kept_size(), 0);
  EXPECT_EQ(Fetch("run-1", &bytes).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Fetch("../x", &bytes).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ResultsServiceTest, WhatAVanishedControllerMeasuredIsKeptAndSaysThatItIsNotWhole) {
  control::RunSpec spec = WireSpec(server());
  spec.set_duration_ns(60'000'000'000);
  {
    Conversation run(stub_.get());
    run.Prepare(spec);
    ASSERT_TRUE(run.Next().has_prepared());
    run.Start(AgentNow() + kLead);
    ASSERT_TRUE(run.Next().has_interval());
    run.Cancel();
    EXPECT_FALSE(run.Finish().ok());
  }
  AwaitIdle();
  std::string bytes;
  ASSERT_TRUE(Fetch("run-1", &bytes).ok());
  result::RunResult result;
  ASSERT_TRUE(result.ParseFromString(bytes));
  EXPECT_TRUE(result.aborted());
  EXPECT_GT(result.counts().answered(), 0u);
}

TEST_F(ResultsServiceTest, ARunIsTakenFromItsOwnerOnPurposeAlone) {
  control::RunSpec spec = WireSpec(server());
  spec.set_duration_ns(60'000'000'000);
  Conversation run(stub_.get());
  run.Prepare(spec);
  ASSERT_TRUE(run.Next().has_prepared());
  run.Start(AgentNow() + kLead);
  const auto release = [this](const std::string& run_id) {
    grpc::ClientContext context;
    control::ReleaseRequest request;
    request.set_run_id(run_id);
    request.set_reason("eve@there pid 7");
    control::ReleaseReply reply;
    EXPECT_TRUE(stub_->Release(&context, request, &reply).ok());
    return reply;
  };
  EXPECT_EQ(release("run-2").run_id(), "") << "it is at work on another one";
  EXPECT_EQ(Hello().active_run(), "run-1");
  const control::ReleaseReply reply = release("");
  EXPECT_EQ(reply.run_id(), "run-1");
  EXPECT_EQ(reply.owner(), "tester@here 1");
  const result::RunResult result = run.Result();
  EXPECT_TRUE(result.aborted());
  EXPECT_THAT(result.abort_reason(), HasSubstr("released by eve@there pid 7"));
  AwaitIdle();
  EXPECT_EQ(release("").run_id(), "");
}

TEST_F(AgentServiceTest, WithoutAShelfNothingIsKept) {
  EXPECT_FALSE(Hello().keeps_results());
  grpc::ClientContext context;
  control::ResultsReply reply;
  const grpc::Status status = stub_->Results(&context, {}, &reply);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("--results"));
}

TEST_F(AgentServiceTest, SaysWhatItCanDo) {
  const control::Abilities abilities = Hello().abilities();
  EXPECT_EQ(abilities.transports().at("socket"), "");
  EXPECT_EQ(abilities.transports_size(), 4);
  EXPECT_EQ(abilities.kernel_stamps(), "");
  EXPECT_GT(abilities.locked_memory_limit(), 0u);
}

}  // namespace
}  // namespace kbench
