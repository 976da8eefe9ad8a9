// Quantities as people write them: "500us", "1.5s", "4KiB", "1MiB", "20k". A bare number is
// refused where its unit would be a guess.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"

namespace kbench {

// ns, us, ms, s, m, h. "0" needs no unit.
absl::StatusOr<Nanos> ParseDuration(absl::string_view text);
// B, KiB, MiB, GiB and KB, MB, GB (powers of 1000). "0" needs no unit.
absl::StatusOr<int64_t> ParseSize(absl::string_view text);
// A rate in 1/s: a number with an optional k or M suffix and an optional "/s".
absl::StatusOr<double> ParseRate(absl::string_view text);
// Of a link, in bit/s: a number with bit/s, kbit/s, Mbit/s or Gbit/s (powers of 1000).
absl::StatusOr<int64_t> ParseBitRate(absl::string_view text);

// The shortest exact form with the largest unit: 1500000 ns -> "1500us", 4096 -> "4KiB".
std::string FormatDuration(Nanos d);
std::string FormatSize(int64_t bytes);
std::string FormatBitRate(int64_t bits_per_second);
// For people, three digits: "12.3 us", "1.05 ms".
std::string HumanDuration(double ns);

}  // namespace kbench
