#include "agent/host/host_monitor.h"

#include <algorithm>
#include <utility>

namespace kbench {

HostMonitor::HostMonitor(Options options) : options_(std::move(options)) {
  if (options_.server.has_value()) {
    absl::StatusOr<std::string> interface = InterfaceTowards(*options_.server);
    if (interface.ok()) link_.emplace(*std::move(interface));
  }
  use_.idle_state = DescribeIdleState("/sys/devices/system/cpu", options_.cpus);
  thread_ = std::thread([this] { Watch(); });
}

HostMonitor::~HostMonitor() { Stop(); }

void HostMonitor::Stop() {
  if (!thread_.joinable()) return;
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
  }
  changed_.NotifyAll();
  thread_.join();
}

bool HostMonitor::WaitUntil(MonoTime when) {
  MutexLock lock(&mutex_);
  while (!stopping_ && changed_.WaitUntil(&mutex_, when)) {
  }
  return !stopping_;
}

void HostMonitor::Watch() {
  if (!WaitUntil(options_.from)) return;
  for (MonoTime next = options_.from;;) {
    Look();
    if (next >= options_.until) return;
    next = std::min(next + kStep, options_.until);
    if (WaitUntil(next)) continue;
    Look();
    return;
  }
}

void HostMonitor::Look() {
  const MonoTime now = MonoNow();
  const std::optional<CpuTimes> times = ReadCpuTimes();
  if (!times.has_value()) return;
  const Nanos own(ReadClockNs(CLOCK_PROCESS_CPUTIME_ID));
  const std::optional<Nanos> pressure = ReadPressure();
  if (link_.has_value()) link_->Look();
  if (use_.samples++ == 0) {
    first_at_ = now;
    first_times_ = *times;
    first_own_ = own;
    first_pressure_ = pressure;
  } else if (now - last_at_ >= kStep / 2) {
    // A shorter stretch is too few of the kernel's ticks.
    const Nanos foreign = (times->busy - last_times_.busy) - (own - last_own_);
    use_.most_foreign = std::max(use_.most_foreign, foreign.seconds() / (now - last_at_).seconds());
  }
  last_at_ = now;
  last_times_ = *times;
  last_own_ = own;
  last_pressure_ = pressure;
}

HostUse HostMonitor::Finish() {
  Stop();
  use_.window = last_at_ - first_at_;
  use_.busy = last_times_.busy - first_times_.busy;
  use_.own = last_own_ - first_own_;
  use_.steal = last_times_.steal - first_times_.steal;
  use_.softirq = last_times_.softirq - first_times_.softirq;
  use_.cpus = last_times_.cpus;
  if (first_pressure_.has_value() && last_pressure_.has_value()) {
    use_.pressure = *last_pressure_ - *first_pressure_;
  }
  if (link_.has_value() && use_.samples > 0) use_.links = {link_->use()};
  return use_;
}

}  // namespace kbench
