#include "agent/service/wire_proto.h"

namespace kbench {
namespace {

void Fill(const observer::WireRecord& from, result::WireRecord* to) {
  to->set_connection_id(from.connection_id);
  to->set_sequence(from.sequence);
  to->set_request_first(from.request_first.ns());
  to->set_request_last(from.request_last.ns());
  to->set_response_first(from.response_first.ns());
  to->set_response_last(from.response_last.ns());
  to->set_before_last(from.before_last.ns());
  to->set_inside(from.inside);
  to->set_service_ns(from.service.count());
  to->set_flags(from.flags);
  to->set_request_last_again(from.request_last_again.ns());
  to->set_response_last_again(from.response_last_again.ns());
}

// The numbers are the message's own.
constexpr bool Same(uint32_t ours, uint32_t theirs) { return ours == theirs; }
using Ours = observer::WireRecord;
using Theirs = result::WireRecord;
static_assert(Same(Ours::kRequestSeenTwice, Theirs::REQUEST_SEEN_TWICE));
static_assert(Same(Ours::kResponseSeenTwice, Theirs::RESPONSE_SEEN_TWICE));
static_assert(Same(Ours::kReordered, Theirs::REORDERED));
static_assert(Same(Ours::kSharedPacket, Theirs::SHARED_PACKET));
static_assert(Same(Ours::kInBatch, Theirs::IN_BATCH));

}  // namespace

void Fill(const observer::WireObservation& from, observer::View view, const std::string& host,
          result::WireTrace* to) {
  to->set_available(true);
  to->set_place(view == observer::View::kClient ? result::WireTrace::CLIENT
                                                : result::WireTrace::SERVER);
  to->set_host(host);
  const observer::WireCounters& counters = from.counters;
  to->set_packets(counters.packets);
  to->set_bytes(counters.bytes);
  to->set_ring_drops(counters.ring_drops);
  to->set_flows(counters.flows);
  to->set_requests(counters.requests);
  to->set_answered(counters.answered);
  to->set_resynchronized(counters.resynchronized);
  to->set_records_lost(counters.records_lost);
  to->set_retransmitted_packets(counters.retransmitted_packets);
  to->set_reordered_packets(counters.reordered_packets);
  to->set_clock_step_ns(from.clock_step.count());
  to->set_realtime(from.clocks.real.ns());
  to->set_monotonic(from.clocks.mono.ns());
  for (const observer::WireRecord& record : from.records) Fill(record, to->add_records());
  to->set_window_ns(from.sums.window.count());
  to->set_busy_ns(from.sums.busy.count());
  to->set_departures(from.sums.departures);
  to->set_service_sum_ns(from.sums.service_sum.count());
  to->set_service_ns(from.sums.service.Encode());
  to->set_inside_ns(from.sums.inside.count());
}

}  // namespace kbench
