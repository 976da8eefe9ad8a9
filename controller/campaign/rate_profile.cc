#include "controller/campaign/rate_profile.h"

#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "base/units.h"

namespace kbench {
namespace {

constexpr double kMost = 10e6;

absl::Status Refuse(absl::string_view text, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("'", text, "' ", why));
}

absl::StatusOr<double> OneRate(absl::string_view text) {
  ASSIGN_OR_RETURN(const double rate, ParseRate(text));
  if (rate <= 0 || rate > kMost) return Refuse(text, "is out of range");
  return rate;
}

// "2s" or "20%".
absl::Status TakeLength(absl::string_view text, RatePart* part) {
  absl::string_view number = text;
  if (absl::ConsumeSuffix(&number, "%")) {
    if (!absl::SimpleAtod(number, &part->share) || !(part->share > 0 && part->share <= 100)) {
      return Refuse(text, "is no share of the window");
    }
    part->share /= 100;
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(part->length, ParseDuration(text));
  return part->length > Nanos() ? absl::OkStatus() : Refuse(text, "is no time at all");
}

absl::StatusOr<RatePart> OnePart(absl::string_view text) {
  const std::pair<absl::string_view, absl::string_view> rate_and_length =
      absl::StrSplit(text, absl::MaxSplits(" for ", 1));
  const std::vector<absl::string_view> rates = absl::StrSplit(rate_and_length.first, " to ");
  if (rates.size() > 2) return Refuse(text, "goes to more than one rate");
  RatePart part;
  ASSIGN_OR_RETURN(part.from, OneRate(rates.front()));
  ASSIGN_OR_RETURN(part.to, OneRate(rates.back()));
  const absl::string_view length = absl::StripAsciiWhitespace(rate_and_length.second);
  if (!length.empty()) RETURN_IF_ERROR(TakeLength(length, &part));
  return part;
}

std::string RateOf(double rate) { return absl::StrCat(rate, "/s"); }

}  // namespace

absl::StatusOr<RateProfile> RateProfile::Parse(absl::string_view text) {
  RateProfile profile;
  for (absl::string_view piece : absl::StrSplit(text, " then ")) {
    ASSIGN_OR_RETURN(const RatePart part, OnePart(piece));
    profile.parts_.push_back(part);
  }
  const RatePart& first = profile.parts_.front();
  for (const RatePart& part : profile.parts_) {
    if (profile.is_steps() && part.from != part.to) {
      return Refuse(text, "mixes steps with a ramp; a step has one rate");
    }
    if ((part.length > Nanos()) != (first.length > Nanos()) ||
        (part.share > 0) != (first.share > 0)) {
      return Refuse(text, "gives some steps a length and others none, or another kind of length");
    }
  }
  if (!profile.is_steps() && (first.length > Nanos() || first.share > 0)) {
    return Refuse(text, "has one part, which is as long as the window; drop 'for ...'");
  }
  return profile;
}

std::string RateProfile::FaultOver(Nanos window) const {
  Nanos length;
  double share = 0;
  for (const RatePart& part : parts_) {
    length += part.length;
    share += part.share;
  }
  if (length > Nanos() && length != window) {
    return absl::StrCat("its steps take ", FormatDuration(length), " and run.duration is ",
                        FormatDuration(window), "; make them equal, or give shares, like 20%");
  }
  if (share > 0 && std::fabs(share - 1) > 1e-6) {
    return absl::StrCat("its steps take ", 100 * share, " % of the window; make it 100 %");
  }
  return "";
}

std::vector<RatePart> RateProfile::Over(Nanos window) const {
  std::vector<RatePart> parts = parts_;
  Nanos left = window;
  for (RatePart& part : parts) {
    const double share = part.share > 0 ? part.share : 1.0 / static_cast<double>(parts.size());
    if (part.length == Nanos()) {
      part.length = Nanos(std::llround(static_cast<double>(window.count()) * share));
    }
    if (&part == &parts.back()) part.length = left;
    left -= part.length;
  }
  return parts;
}

double RateProfile::MeanOver(Nanos window) const {
  double requests = 0;
  for (const RatePart& part : Over(window)) {
    requests += (part.from + part.to) / 2 * part.length.seconds();
  }
  return is_ramp() || is_steps() ? requests / window.seconds() : rate();
}

std::string RateProfile::ToString() const {
  return absl::StrJoin(parts_, " then ", [](std::string* out, const RatePart& part) {
    absl::StrAppend(out, RateOf(part.from));
    if (part.to != part.from) absl::StrAppend(out, " to ", RateOf(part.to));
    if (part.length > Nanos()) absl::StrAppend(out, " for ", FormatDuration(part.length));
    if (part.share > 0) absl::StrAppend(out, " for ", 100 * part.share, "%");
  });
}

}  // namespace kbench
