#include "controller/run/doctor.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/units.h"
#include "base/version.h"
#include "controller/campaign/captured_command.h"

namespace kbench {
namespace {

constexpr Nanos kHello = Seconds(5);
constexpr int kPings = 21;
constexpr Nanos kClockGood = Micros(500);  // error bound that a start skew of 1 ms leaves room for
constexpr uint64_t kFewFiles = 4096;
constexpr uint64_t kLittleLockedMemory = 8 << 20;  // rings of io_uring before Linux 5.12

std::string Human(Nanos d) { return HumanDuration(static_cast<double>(d.count())); }

class Examination {
 public:
  explicit Examination(std::string who) : who_(std::move(who)) {}

  void Good(std::string what, std::string text) {
    Add(std::move(what), Finding::kGood, std::move(text), "");
  }
  void Add(std::string what, Finding finding, std::string text, std::string remedy) {
    checkups_.push_back({.who = who_,
                         .what = std::move(what),
                         .finding = finding,
                         .text = std::move(text),
                         .remedy = std::move(remedy)});
  }
  // `problem` as abilities have them: empty is good.
  void Ability(const std::string& what, const std::string& problem, const std::string& good,
               const std::string& remedy) {
    if (problem.empty()) return Good(what, good);
    Add(what, Finding::kDoubtful, problem, remedy);
  }

  std::vector<Checkup> Take() { return std::move(checkups_); }

 private:
  const std::string who_;
  std::vector<Checkup> checkups_;
};

void ExamineVersion(const control::HelloReply& hello, Examination* into) {
  const std::string text =
      absl::StrCat("release ", hello.agent().release(), ", protocol ",
                   hello.agent().protocol_major(), ".", hello.agent().protocol_minor());
  if (hello.agent().release() == ReleaseVersion()) return into->Good("version", text);
  into->Add("version", Finding::kDoubtful,
            absl::StrCat(text, ", this kbench is ", ReleaseVersion()),
            "install the same release on both (playbooks/upgrade.yml)");
}

void ExamineIdle(const control::HelloReply& hello, Examination* into) {
  if (hello.active_run().empty()) return into->Good("idle", "no run");
  into->Add("idle", Finding::kBad,
            absl::StrFormat("busy with run %s of %s for %.0f s", hello.active_run(),
                            hello.active_owner(), Nanos(hello.active_for_ns()).seconds()),
            "wait for it, or end it with 'kbench agents release'");
}

void ExamineClock(AgentLink* agent, Examination* into) {
  const absl::StatusOr<AgentClockMap> clock = agent->MeasureClock(kPings, kHello);
  if (!clock.ok()) {
    return into->Add("clock", Finding::kBad, std::string(clock.status().message()),
                     "look at the agent's log");
  }
  const std::string text = absl::StrCat("known to ", Human(clock->error_bound()), " (round trip ",
                                        Human(clock->round_trip_min()), ")");
  if (clock->error_bound() <= kClockGood) return into->Good("clock", text);
  into->Add("clock", Finding::kDoubtful, text,
            "the agents' windows may start that far apart; bring the controller nearer");
}

void ExamineLimits(const control::HelloReply& hello, Examination* into) {
  const uint64_t files = hello.host().open_files_limit();
  const std::string text = absl::StrCat(files, " open files");
  if (files >= kFewFiles) {
    into->Good("files", text);
  } else {
    into->Add("files", Finding::kDoubtful, text,
              "every connection needs one: raise LimitNOFILE of kbench-agent.service");
  }
  const uint64_t locked = hello.abilities().locked_memory_limit();
  if (locked >= kLittleLockedMemory) {
    into->Good("memlock",
               locked == UINT64_MAX ? "no limit" : FormatSize(static_cast<int64_t>(locked)));
  } else {
    into->Add("memlock", Finding::kDoubtful, FormatSize(static_cast<int64_t>(locked)),
              "io_uring of older kernels wants more: raise LimitMEMLOCK of kbench-agent.service");
  }
}

void ExamineAbilities(const control::HelloReply& hello, Examination* into) {
  const control::Abilities& abilities = hello.abilities();
  const auto uring = abilities.transports().find("uring");
  into->Ability("io_uring", uring == abilities.transports().end() ? "unknown" : uring->second,
                "allowed", "see kernel.io_uring_disabled, and the unit's SystemCallFilter");
  into->Ability("stamps", abilities.kernel_stamps(), "the kernel stamps packets of sockets",
                "without them only packets separate client stack from network");
  into->Ability("packets", abilities.packets(), "can be seen",
                "full passes see no packets here: give the agent CAP_NET_RAW");
  into->Ability("realtime", abilities.clock_synchronized(), "kept by a time service",
                "nothing is computed from it, but logs of hosts will not line up: run chrony");
  if (hello.keeps_results()) {
    into->Good("results", "kept until they are stored");
  } else {
    into->Add("results", Finding::kDoubtful, "lost with their controller",
              "start the agent with --results DIRECTORY");
  }
}

// The programs that the owner lets controllers run; `wanted` is the campaign's, empty for none.
void ExamineClients(const control::HelloReply& hello, const std::string& wanted,
                    Examination* into) {
  std::vector<std::string> good;
  for (const auto& [name, problem] : hello.abilities().clients()) {
    if (problem.empty()) {
      good.push_back(name);
    } else {
      into->Add(absl::StrCat("client ", name), Finding::kDoubtful, problem,
                "mend it, or take it out of the agent's --allow-client");
    }
  }
  std::sort(good.begin(), good.end());
  if (!good.empty()) {
    into->Good("clients", absl::StrCat("may be run: ", absl::StrJoin(good, ", ")));
  }
  if (wanted.empty() || std::find(good.begin(), good.end(), wanted) != good.end()) return;
  into->Add(absl::StrCat("client ", wanted), Finding::kBad,
            "the campaign needs it, and it may or can not be run here",
            absl::StrCat("kbench-agent --allow-client ", wanted, "=/PATH"));
}

}  // namespace

std::vector<Checkup> ExamineAgent(AgentLink* agent, const std::vector<std::string>& transports,
                                  const std::string& client, absl::Status* status) {
  Examination examination(agent->address());
  const absl::StatusOr<control::HelloReply> hello = agent->Hello(kHello);
  *status = hello.status();
  if (!hello.ok()) {
    examination.Add("answers", Finding::kBad, std::string(hello.status().message()),
                    "is kbench-agent running there, and do the certificates fit?");
    return examination.Take();
  }
  examination.Good("answers",
                   absl::StrCat(hello->host().hostname(), ", Linux ", hello->host().kernel(), ", ",
                                hello->host().cpus(), " cpus"));
  ExamineVersion(*hello, &examination);
  ExamineIdle(*hello, &examination);
  if (!hello->active_run().empty()) *status = CheckIdle(agent->address(), *hello);
  ExamineClock(agent, &examination);
  ExamineLimits(*hello, &examination);
  ExamineAbilities(*hello, &examination);
  ExamineClients(*hello, client, &examination);
  for (const std::string& transport : transports) {
    const auto problem = hello->abilities().transports().find(transport);
    if (problem != hello->abilities().transports().end() && problem->second.empty()) continue;
    examination.Add(absl::StrCat("transport ", transport), Finding::kBad,
                    "the campaign needs it, and it cannot be used here",
                    "take it out of the campaign, or see what is said of it above");
  }
  return examination.Take();
}

Checkup ExamineTarget(AgentLink* agent, const KineticServer& server, const Interrupts* interrupts,
                      absl::Status* status) {
  const PathProber prober({.echoes_max = 20, .echo_time = Millis(500), .bulk = Nanos(0)},
                          interrupts);
  const MeasuredPath path = prober.ToServer(agent, server);
  *status = path.status;
  Checkup checkup{.who = agent->address(), .what = absl::StrCat("target ", server.address)};
  if (path.status.ok()) {
    checkup.text = "answers NOOPs";
    return checkup;
  }
  checkup.finding = Finding::kBad;
  checkup.text = std::string(path.status.message());
  checkup.remedy = "check its address, port and key, and what the agent's --allow-target lets pass";
  return checkup;
}

std::vector<Checkup> ExamineSsh(const std::string& inventory) {
  // One line a host: "client1 | SUCCESS => {...}". A host that fails makes ansible fail, whose
  // lines are wanted all the same.
  const absl::StatusOr<std::string> said =
      CaptureCommand({"sh", "-c", "ansible all -i \"$1\" -m ansible.builtin.ping -o 2>&1 || true",
                      "sh", inventory},
                     Seconds(120));
  std::vector<Checkup> checkups;
  for (absl::string_view line :
       absl::StrSplit(said.ok() ? *said : std::string(said.status().message()), '\n')) {
    const std::vector<std::string> fields = absl::StrSplit(line, absl::MaxSplits(" | ", 1));
    if (fields.size() != 2) continue;
    const bool good = absl::StartsWith(fields[1], "SUCCESS");
    checkups.push_back({.who = fields[0],
                        .what = "ssh",
                        .finding = good ? Finding::kGood : Finding::kBad,
                        .text = good ? "Ansible reaches it" : fields[1],
                        .remedy = good ? "" : "see its host key, user and ssh configuration"});
  }
  if (checkups.empty()) {
    checkups.push_back({.who = inventory,
                        .what = "ssh",
                        .finding = Finding::kBad,
                        .text = said.ok() ? *said : std::string(said.status().message()),
                        .remedy = "is ansible installed, and the inventory not empty?"});
  }
  return checkups;
}

std::string CheckupsText(const std::vector<Checkup>& checkups) {
  size_t who = 0, what = 0;
  for (const Checkup& c : checkups) {
    who = std::max(who, c.who.size());
    what = std::max(what, c.what.size());
  }
  std::string text;
  for (const Checkup& c : checkups) {
    const char* const mark = c.finding == Finding::kGood       ? "good"
                             : c.finding == Finding::kDoubtful ? "note"
                                                               : "BAD ";
    absl::StrAppendFormat(&text, "%s  %-*s  %-*s  %s\n", mark, static_cast<int>(who), c.who,
                          static_cast<int>(what), c.what, c.text);
    if (!c.remedy.empty()) {
      absl::StrAppendFormat(&text, "      %-*s  %-*s  -> %s\n", static_cast<int>(who), "",
                            static_cast<int>(what), "", c.remedy);
    }
  }
  return text;
}

std::string CheckupsJson(const std::vector<Checkup>& checkups) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Checkup& c : checkups) {
    list.push_back({{"who", c.who},
                    {"what", c.what},
                    {"finding", c.finding == Finding::kGood       ? "good"
                                : c.finding == Finding::kDoubtful ? "doubtful"
                                                                  : "bad"},
                    {"text", c.text},
                    {"remedy", c.remedy}});
  }
  return list.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace kbench
