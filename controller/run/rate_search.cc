#include "controller/run/rate_search.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace kbench {
namespace {

class Search {
 public:
  Search(const RateSearchOptions& options, const RunProbe& run) : options_(options), run_(run) {}

  RateAnswer Find() {
    if (Bracket() && Bisect()) Confirm();
    return std::move(answer_);
  }

 private:
  // False when the search is over. What does not hold in a short run is tried once more: a moment
  // of the machine is not to end the search below what it looks for.
  bool Probe(double rate, bool confirming, bool* holds) {
    if (!RunOne(rate, confirming, holds)) return false;
    if (!*holds && !confirming && !RunOne(rate, confirming, holds)) return false;
    const RateProbe& last = answer_.probes.back();
    if (last.holds) {
      low_ = std::max(low_, rate);
    } else {
      high_ = rate;
      answer_.above = rate;
      answer_.stopped_by = last.why;
      answer_.client = last.client;
    }
    return true;
  }

  bool RunOne(double rate, bool confirming, bool* holds) {
    absl::StatusOr<RateProbe> probe = run_(rate, confirming);
    if (!probe.ok()) {
      answer_.kind = RateAnswer::Kind::kBroken;
      answer_.status = probe.status();
      return false;
    }
    *holds = probe->holds;
    answer_.probes.push_back(*std::move(probe));
    return true;
  }

  bool Bracket() {
    double rate = RoundedRate(std::clamp(options_.from, options_.least, options_.most));
    while (true) {
      bool holds = false;
      if (!Probe(rate, false, &holds)) return false;
      if (holds && (high_ > 0 || rate >= options_.most)) return true;
      if (!holds && low_ > 0) return true;
      if (!holds && rate <= options_.least) {
        answer_.kind = RateAnswer::Kind::kNothingHolds;
        return false;
      }
      rate = holds ? std::min(RoundedRate(rate * 2), options_.most)
                   : std::max(RoundedRate(rate / 2), options_.least);
    }
  }

  bool Bisect() {
    while (high_ > 0 && high_ / low_ > 1 + options_.resolution) {
      const double middle = RoundedRate(std::sqrt(low_ * high_));
      bool holds = false;
      if (middle <= low_ || middle >= high_) return true;  // no four digits lie between
      if (!Probe(middle, false, &holds)) return false;
    }
    return true;
  }

  void Confirm() {
    double rate = low_;
    for (int i = 0; i < options_.confirmations && rate >= options_.least; ++i) {
      bool holds = false;
      if (!Probe(rate, true, &holds)) return;
      if (holds) {
        answer_.rate = rate;
        answer_.kind = high_ == 0               ? RateAnswer::Kind::kMost
                       : answer_.client.empty() ? RateAnswer::Kind::kFound
                                                : RateAnswer::Kind::kClient;
        return;
      }
      rate = RoundedRate(rate / (1 + options_.resolution));
    }
    answer_.kind = RateAnswer::Kind::kUnconfirmed;
  }

  const RateSearchOptions& options_;
  const RunProbe& run_;
  RateAnswer answer_;
  double low_ = 0;   // held, in a short run; 0: none
  double high_ = 0;  // the last that did not hold; 0: none
};

}  // namespace

const char* Name(RateAnswer::Kind kind) {
  switch (kind) {
    case RateAnswer::Kind::kFound:
      return "found";
    case RateAnswer::Kind::kMost:
      return "most";
    case RateAnswer::Kind::kClient:
      return "client";
    case RateAnswer::Kind::kNothingHolds:
      return "nothing_holds";
    case RateAnswer::Kind::kUnconfirmed:
      return "unconfirmed";
    case RateAnswer::Kind::kBroken:
      break;
  }
  return "broken";
}

double RoundedRate(double rate) {
  if (rate <= 0) return 0;
  const int decimals = 3 - static_cast<int>(std::floor(std::log10(rate)));
  const double scale = std::pow(10, std::abs(decimals));
  return decimals >= 0 ? std::round(rate * scale) / scale : std::round(rate / scale) * scale;
}

std::string RateText(double rate) {
  return rate >= 1000 ? absl::StrFormat("%.0f/s", rate) : absl::StrCat(rate, "/s");
}

RateAnswer SearchRate(const RateSearchOptions& options, const RunProbe& run) {
  return Search(options, run).Find();
}

}  // namespace kbench
