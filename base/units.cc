#include "base/units.h"

#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace kbench {
namespace {

struct Unit {
  absl::string_view name;
  double factor;
};

constexpr std::array<Unit, 6> kTimeUnits = {
    {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}}};
constexpr std::array<Unit, 7> kSizeUnits = {{{"B", 1},
                                             {"KiB", 1024},
                                             {"MiB", 1024.0 * 1024},
                                             {"GiB", 1024.0 * 1024 * 1024},
                                             {"KB", 1e3},
                                             {"MB", 1e6},
                                             {"GB", 1e9}}};

constexpr std::array<Unit, 4> kBitRateUnits = {
    {{"bit/s", 1}, {"kbit/s", 1e3}, {"Mbit/s", 1e6}, {"Gbit/s", 1e9}}};

// Splits "12.5ms" into 12.5 and "ms". False when there is no number in front.
bool SplitNumber(absl::string_view text, double* number, absl::string_view* unit) {
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, *number, std::chars_format::fixed);
  if (error != std::errc() || !std::isfinite(*number)) return false;
  *unit =
      absl::StripLeadingAsciiWhitespace(absl::string_view(rest, static_cast<size_t>(end - rest)));
  return true;
}

template <size_t N>
absl::StatusOr<int64_t> ParseWithUnits(absl::string_view what, absl::string_view text,
                                       const std::array<Unit, N>& units) {
  std::string names;
  for (const Unit& u : units) absl::StrAppend(&names, names.empty() ? "" : ", ", u.name);
  const auto refuse = [&](absl::string_view why) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' is not a ", what, ": ", why, " (units: ", names, ")"));
  };
  double number = 0;
  absl::string_view unit;
  if (!SplitNumber(absl::StripAsciiWhitespace(text), &number, &unit)) {
    return refuse("it must start with a number");
  }
  if (number < 0) return refuse("it must not be negative");
  if (unit.empty()) {
    if (number == 0) return 0;
    return refuse("a bare number needs a unit");
  }
  for (const Unit& u : units) {
    if (unit != u.name) continue;
    const double value = number * u.factor;
    if (value > 9.2e18) return refuse("it is too large");
    return static_cast<int64_t>(std::llround(value));
  }
  return refuse(absl::StrCat("unknown unit '", unit, "'"));
}

// In the largest of `units`, from the largest down to 1, that gives a whole number.
std::string Shortest(int64_t amount, const std::array<std::pair<int64_t, const char*>, 4>& units,
                     const char* zero) {
  if (amount == 0) return zero;
  const auto* unit = units.begin();
  while (amount % unit->first != 0) ++unit;
  return absl::StrCat(amount / unit->first, unit->second);
}

}  // namespace

absl::StatusOr<Nanos> ParseDuration(absl::string_view text) {
  absl::StatusOr<int64_t> ns = ParseWithUnits("duration", text, kTimeUnits);
  if (!ns.ok()) return ns.status();
  return Nanos(*ns);
}

absl::StatusOr<int64_t> ParseSize(absl::string_view text) {
  return ParseWithUnits("size", text, kSizeUnits);
}

absl::StatusOr<int64_t> ParseBitRate(absl::string_view text) {
  return ParseWithUnits("bit rate", text, kBitRateUnits);
}

absl::StatusOr<double> ParseRate(absl::string_view text) {
  double number = 0;
  absl::string_view unit;
  const absl::Status bad = absl::InvalidArgumentError(absl::StrCat(
      "'", text, "' is not a rate: write operations per second, like 500/s, 20k/s or 1.5M/s"));
  if (!SplitNumber(absl::StripAsciiWhitespace(text), &number, &unit) || number < 0) return bad;
  if (unit.size() >= 2 && unit.substr(unit.size() - 2) == "/s") unit.remove_suffix(2);
  if (unit.empty()) return number;
  if (unit == "k") return number * 1e3;
  if (unit == "M") return number * 1e6;
  return bad;
}

std::string FormatDuration(Nanos d) {
  return Shortest(d.count(), {{{1'000'000'000, "s"}, {1'000'000, "ms"}, {1'000, "us"}, {1, "ns"}}},
                  "0s");
}

std::string FormatSize(int64_t bytes) {
  return Shortest(bytes, {{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}, {1, "B"}}}, "0B");
}

std::string FormatBitRate(int64_t bits_per_second) {
  return Shortest(
      bits_per_second,
      {{{1'000'000'000, "Gbit/s"}, {1'000'000, "Mbit/s"}, {1'000, "kbit/s"}, {1, "bit/s"}}},
      "0bit/s");
}

std::string HumanDuration(double ns) {
  const double magnitude = std::fabs(ns);
  const auto three_digits = [](double v) {
    const double m = std::fabs(v);
    return absl::StrFormat("%.*f", m >= 99.95 ? 0 : m >= 9.995 ? 1 : 2, v);
  };
  if (magnitude < 999.5) return absl::StrFormat("%.0f ns", ns);
  if (magnitude < 999.5e3) return three_digits(ns / 1e3) + " us";
  if (magnitude < 999.5e6) return three_digits(ns / 1e6) + " ms";
  return three_digits(ns / 1e9) + " s";
}

}  // namespace kbench
