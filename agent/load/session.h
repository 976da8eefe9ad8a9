// One stream of requests over one flow. In an open loop it never waits for an answer before it
// sends what is due, and it times every request from the moment at which it was due; a request
// that is due while `depth` others are unanswered is counted as unsent, never delayed. In a closed
// loop it keeps `depth` requests unanswered, and a request is intended from the instant at which
// its place became free (the previous answer was decoded): the generator's own housekeeping is
// then part of `wait`, and Little's law closes (depth = throughput x mean response).
//
// A server that answers SERVICE_BUSY asks for time, and a closed loop gives it (places.h): it sends
// nothing for a while, which is counted apart, and no request is intended within it. It does not
// send the refused request again, unless its stage says so (Stage::again_until), which is for what
// is not measured. In an open loop busy answers are failures like others.
//
// Its flow may be lost and opened again (Reopened()): what was in flight is lost then, and so is
// the time until the server's greeting; a closed loop's requests are intended from then on.
//
// A session lives through stages: prove (one NOOP), load, run. The same code serves all.
// It belongs to its worker's thread. Between Begin() and Finish() it allocates nothing, but for the
// answers to ranges and logs, which are lists (docs/architecture.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "agent/load/answer_judge.h"
#include "agent/load/arrival.h"
#include "agent/load/places.h"
#include "agent/load/probe_sampler.h"
#include "agent/load/recorder.h"
#include "agent/load/reply_reader.h"
#include "agent/load/request_maker.h"
#include "agent/load/slot_table.h"
#include "agent/load/workload.h"
#include "base/clock.h"
#include "transport/transport.h"

namespace kbench {

using NowFunction = MonoTime (*)();
inline constexpr MonoTime kNever = MonoTime(INT64_MAX);

// Beyond the requests' own outcomes: what came that nobody asked for.
struct SessionFindings {
  uint64_t late_answers = 0;  // of requests that had been given up as lost
  // Answers to nothing that we sent, and those that are none by what they say of themselves
  // (kinetic/answer.h); the latter are failures of their requests as well. What was wrong with the
  // first one.
  uint64_t protocol_errors = 0;
  std::string protocol_error_text;
  uint64_t commandless = 0;  // answers without a command: the server may not know our identity
  // Of the last VERSION_FAILURE: the cluster version that the server has, if it said so.
  std::optional<int64_t> cluster_version;
  uint64_t backoffs = 0;     // pauses after SERVICE_BUSY
  Nanos backed_off;          // their sum
  uint64_t sent_again = 0;   // requests, because of it
  uint64_t losses = 0;       // of the flow
  uint64_t reopened = 0;     // times that the flow was lost and is there again
  Nanos down;                // from its losses to its greetings, or to the stage's end
  uint64_t unsolicited = 0;  // statuses after the handshake
  kinetic::StatusCode unsolicited_status = kinetic::StatusCode::kInvalid;  // the last one
  std::string unsolicited_text;
};

class Session {
 public:
  struct Options {
    FlowId flow = {};
    uint32_t depth_max = 1;  // of all stages
    Nanos op_timeout = Seconds(10);
    uint32_t sample_every = 0;  // one request in n is probed, at random; 0: none
    uint64_t sample_seed = 0;
    uint32_t batch_parts = 0;  // frames of a batch but the last; 0: there are no batches
    bool verify = false;       // look at every value that is read
    bool exact = false;        // ... which is to be one of requests.values, and no other
    // What reads a value and gets another length has failed; where requests.values has lengths by
    // key, these.
    uint32_t value_bytes = 0;
    RequestMaker::Options requests;
    NowFunction now = &MonoNow;
  };

  // What to send next, until when, and who keeps the record. The pointers outlive the stage.
  struct Stage {
    OpStream* ops = nullptr;
    Arrival* arrival = nullptr;  // null: closed loop
    uint32_t depth = 1;
    bool reopens = false;           // a flow that is lost may come back
    uint64_t max_ops = UINT64_MAX;  // requests due in this stage; by default until its end
    // Of a closed loop: two requests are due at least so far apart, and are sent at the pump's next
    // tick. Zero: as soon as there is a place. For what is not measured.
    Nanos pace;
    // Of a closed loop, for what is not measured. A request that is answered SERVICE_BUSY before
    // this instant is sent again after the pause, and the recorder is not told of the answer.
    MonoTime again_until;
    // Of a closed loop, for what is not measured: `depth` is a bound. One place at first; one more
    // with each good answer that took less than an eighth of the time-out; one less with each that
    // took longer, and with each SERVICE_BUSY. So a slow server or path loses no request because
    // many others were in front of it.
    bool widens = false;
    // Injected: CPU time burned while each request is encoded, and while each answer is decoded.
    Nanos encode_burn;
    Nanos decode_burn;
    MonoTime start;
    MonoTime measure_from;  // requests intended earlier are sent but not recorded
    Recorder* recorder = nullptr;
  };

  // `transport` must be destroyed before the session is: it writes into the session's slots.
  Session(const Options& options, Transport* transport);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void Begin(const Stage& stage);
  // Sends what is due at `now`, as long as it is intended before `end`.
  void Issue(MonoTime now, MonoTime end) {
    stage_.arrival == nullptr ? IssueClosed(now, end) : IssueOpen(now, end);
  }
  // After an answer: in a closed loop, sends for every place that became free.
  void IssueFreed(MonoTime end) {
    if (stage_.arrival == nullptr) IssueClosed(stage_.start, end);
  }
  // Takes an event of this session's flow.
  void Take(const TransportEvent& event);
  // Gives up requests that are unanswered for op_timeout.
  void Expire(MonoTime now);
  // The transport has opened the flow again: the server's greeting will come.
  void Reopened();
  // Takes the flow for lost; it must have been closed in the transport.
  void GiveUp(std::string why) { Close(std::move(why)); }
  // Ends the stage: what is still unanswered is lost. Records are complete afterwards.
  void Finish();

  // The next instant at which Issue() has something to do unasked; kNever in a closed loop.
  MonoTime NextDue(MonoTime end) const;
  // Everything was sent and is answered or lost.
  bool Done(MonoTime now, MonoTime end) const;

  FlowId flow() const { return options_.flow; }
  uint32_t in_flight() const { return slots_.in_flight(); }
  bool ready() const { return ready_; }  // the handshake came, and was a welcome
  bool closed() const { return !closed_.empty(); }
  const std::string& closed_text() const { return closed_; }  // why the flow is gone
  // It is gone because the server said no: an unsolicited status was its last word, and none that
  // says that the server itself goes away.
  bool refused() const { return closed() && said_last_ && !IsFarewell(); }
  int64_t connection_id() const { return connection_id_; }
  int64_t greeted_cluster_version() const { return greeted_cluster_version_; }
  // As the handshake said them.
  const kinetic::GetLog::Limits& limits() const { return limits_; }
  // Of the stage's first request; zero: none yet.
  MonoTime first_started() const { return first_started_; }
  MonoTime first_intended() const { return first_intended_; }
  const SessionFindings& findings() const { return findings_; }
  // Most places that the stage has had; its depth, unless it widens.
  uint32_t widest() const { return stage_.arrival == nullptr ? places_.widest() : stage_.depth; }

 private:
  void IssueClosed(MonoTime now, MonoTime end);
  void IssueOpen(MonoTime now, MonoTime end);
  bool CanSend() const { return !closed() && ready_ && !slots_.full(); }
  void Send(const Op& op, MonoTime intended);
  void SendBatch(const Op& op, Slot* slot);
  void Hand(Bytes head, Bytes value, Slot* slot, SendStamps* stamps, bool probe);
  void TakeBytes(const TransportEvent& event);
  void TakeUnsolicited(const Reply& reply);
  bool IsFarewell() const;
  Slot* Match(const Reply& reply);
  // True when the reply answers a message within a batch: nothing is decided before its last.
  bool TakeBatchStep(const Reply& reply);
  // The request is over, in whatever way.
  void Land(Slot* slot);
  void Judge(const Reply& reply, const TransportEvent& event, Slot* slot);
  // Of an answer to a `request`.
  void NoteFault(const Reply& reply, kinetic::AnswerFault fault, kinetic::MessageType request);
  void NoteUnmatched(const Reply& reply);
  void Lose(Slot* slot, LostWhy why, absl::string_view text, MonoTime now);
  void Release(Slot* slot);
  // Into the trace, with all the stamps it will get.
  void KeepSample(Slot* slot);
  void SettleLingering();
  void Close(std::string why);
  // True when the server was busy, and the request is to be sent once more: nobody is told of it.
  bool IsToBeSentAgain(const Slot& slot, const Completion& completion);

  Options options_;
  Transport* transport_;
  Stage stage_ = {};
  SlotTable slots_;
  RequestMaker maker_;
  ReplyReader reader_;
  AnswerJudge judge_;
  Places places_;
  ProbeSampler probes_;

  uint64_t due_ = 0;       // in this stage
  std::vector<Op> again_;  // answered SERVICE_BUSY, to be sent once more
  uint32_t probes_in_flight_ = 0;
  uint32_t lingering_probes_ = 0;  // kOver, stamps not final
  uint64_t late_expected_ = 0;     // answers to lost requests that may still come
  uint64_t said_before_ = 0;       // findings_.unsolicited of earlier connections
  bool said_last_ = false;         // unasked, and nothing that was sent later has been answered
  MonoTime said_at_;
  RealTime last_kernel_received_;
  bool ready_ = false;
  int64_t connection_id_ = 0;
  int64_t greeted_cluster_version_ = 0;
  kinetic::GetLog::Limits limits_;
  MonoTime first_started_;
  MonoTime first_intended_;
  std::string closed_;
  MonoTime lost_at_;  // zero: not lost, or back again
  SessionFindings findings_;
};

}  // namespace kbench
