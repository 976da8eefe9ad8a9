#include <memory>

#include "absl/strings/str_format.h"
#include "base/address.h"
#include "base/units.h"
#include "controller/agent_link.h"
#include "controller/commands.h"

namespace kbench {
namespace {

constexpr int kPings = 21;

// One line per agent; the first failure gives the code, the others are still pinged.
ExitCode Ping(const std::vector<std::string>& agents) {
  ExitCode code = ExitCode::kDone;
  absl::PrintF("%-24s %-9s %-9s %12s %18s %s\n", "agent", "protocol", "release", "rtt",
               "clock offset", "state");
  for (const std::string& text : agents) {
    const auto address = ParseHostPort(text);
    if (!address.ok()) return Fail(address.status());
    AgentLink link(address->ToString());
    const auto hello = link.Hello(Seconds(5));
    const auto clock = hello.ok() ? link.MeasureClock(kPings, Seconds(5))
                                  : absl::StatusOr<AgentClockMap>(hello.status());
    if (!clock.ok()) {
      const ExitCode failure = Fail(clock.status());
      if (code == ExitCode::kDone) code = failure;
      continue;
    }
    const control::Version& version = hello->agent();
    absl::PrintF("%-24s %-9s %-9s %12s %18s %s\n", link.address(),
                 absl::StrFormat("%d.%d", version.protocol_major(), version.protocol_minor()),
                 version.release(),
                 HumanDuration(static_cast<double>(clock->round_trip_min().count())),
                 absl::StrFormat("%+.6f s", Nanos(clock->offset_ns()).seconds()),
                 hello->active_run().empty()
                     ? std::string("idle")
                     : absl::StrFormat("run %s of %s", hello->active_run(), hello->active_owner()));
  }
  return code;
}

}  // namespace

void AddAgentCommands(CommandLine* line) {
  CLI::App* agents = line->app.add_subcommand("agents", "Ask agents how they are");
  agents->require_subcommand(1);
  CLI::App* ping = agents->add_subcommand("ping", "Version, round trip and clock offset");
  auto addresses = std::make_shared<std::vector<std::string>>();
  ping->add_option("--agents", *addresses, "HOST:PORT,HOST:PORT,...")->required()->delimiter(',');
  ping->callback([line, addresses] { line->code = Ping(*addresses); });
}

}  // namespace kbench
