// What playbooks/tune.yml did to this host: its record, and whether the host is still so. The
// record says what was there before and what was wanted; what holds now is read from the kernel,
// because a restart undoes a tuning and leaves its record. A record that cannot be read is a stated
// fact.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace kbench {

struct TunedSetting {
  std::string setting;  // "/proc/sys/net/ipv4/tcp_rmem", "unit:irqbalance.service"
  std::string status;   // applied, already, absent, refused, restored
  std::string wanted;   // empty once restored
  std::string before;   // empty where nothing was changed
  std::string now;      // empty where it cannot be read, as for units
  std::string reason;   // of a refusal

  // Whether the host should be so by the record and is not.
  bool Undone() const;
};

struct HostTuning {
  static constexpr char kRecord[] = "/etc/kbench/tuning.json";
  static constexpr char kNone[] = "none", kTuned[] = "tuned", kUntuned[] = "untuned",
                        kUnreadable[] = "unreadable";

  std::string state = kNone;  // one of these four; none: tune.yml was never here
  std::string changed_at;     // UTC, of the record's last change
  std::string problem;        // why the record is unreadable
  std::vector<TunedSetting> settings;
};

// Reads the record and the settings that it names, those below /proc/sys, /proc/irq and
// /sys/devices/system/cpu and no others. `root` stands before each setting's path.
HostTuning ReadHostTuning(const std::string& record = HostTuning::kRecord,
                          const std::string& root = "");

// Whether two values are equal but for blanks, as in the three numbers of tcp_rmem.
bool SameSetting(absl::string_view one, absl::string_view other);

}  // namespace kbench
