#include "agent/load/tcp_use.h"

#include <algorithm>

namespace kbench {

void TcpUse::Add(const TcpUse& other) {
  flows += other.flows;
  if (other.min_rtt > Nanos() && (min_rtt == Nanos() || other.min_rtt < min_rtt)) {
    min_rtt = other.min_rtt;
  }
  retransmits += other.retransmits;
  busy += other.busy;
  receive_window_limited += other.receive_window_limited;
  send_buffer_limited += other.send_buffer_limited;
}

TcpMeter::TcpMeter(const Transport* transport,
                   const std::vector<std::unique_ptr<Session>>* sessions)
    : transport_(transport), sessions_(*sessions), before_(sessions->size()) {
  for (size_t i = 0; i < sessions_.size(); ++i) {
    transport_->ReadTcp(sessions_[i]->flow(), &before_[i].reading);
    before_[i].losses = sessions_[i]->findings().losses;
  }
}

TcpUse TcpMeter::Read() const {
  TcpUse use;
  for (size_t i = 0; i < sessions_.size(); ++i) {
    TcpReading now;
    if (!transport_->ReadTcp(sessions_[i]->flow(), &now)) continue;
    const bool same = sessions_[i]->findings().losses == before_[i].losses;
    const TcpReading before = same ? before_[i].reading : TcpReading{};
    use.Add({.flows = 1,
             .min_rtt = now.min_rtt,
             .retransmits = now.retransmits - before.retransmits,
             .busy = now.busy - before.busy,
             .receive_window_limited = now.receive_window_limited - before.receive_window_limited,
             .send_buffer_limited = now.send_buffer_limited - before.send_buffer_limited});
  }
  return use;
}

}  // namespace kbench
