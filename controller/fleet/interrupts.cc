#include "controller/fleet/interrupts.h"

#include <csignal>

namespace kbench {
namespace {

Interrupts g_interrupts;

extern "C" void OnInterrupt(int signal) {
  if (g_interrupts.count.fetch_add(1) == 0) g_interrupts.signal = signal;
  if (g_interrupts.count >= 2) {
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
  }
}

}  // namespace

Interrupts& CatchInterrupts() {
  static_assert(std::atomic<int>::is_always_lock_free, "a signal handler writes it");
  struct sigaction action = {};
  action.sa_handler = OnInterrupt;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  return g_interrupts;
}

}  // namespace kbench
