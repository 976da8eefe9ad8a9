#include "base/value_sizes.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/random.h"
#include "base/status_macros.h"
#include "base/units.h"

namespace kbench {
namespace {

constexpr uint64_t kStream = 0x73697a6573;  // "sizes": apart from what else a word decides

absl::Status Refuse(absl::string_view text, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("'", text, "' ", why));
}

absl::StatusOr<double> OneSize(absl::string_view text) {
  ASSIGN_OR_RETURN(const int64_t size, ParseSize(text));
  if (size > ValueSizes::kLargest) return Refuse(text, "is above 1MiB");
  return static_cast<double>(size);
}

double NormalCdf(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

// By halving: it is done once per run.
double NormalQuantile(double p) {
  double low = -40, high = 40;
  for (int i = 0; i < 80; ++i) {
    const double middle = (low + high) / 2;
    (NormalCdf(middle) < p ? low : high) = middle;
  }
  return (low + high) / 2;
}

// What follows the name of a distribution: words and their numbers, each once.
class Numbers {
 public:
  absl::Status Read(const std::vector<std::string>& words, const std::vector<std::string>& known) {
    if (words.size() % 2 != 1) return absl::InvalidArgumentError("a word without its number");
    for (size_t i = 1; i < words.size(); i += 2) {
      const std::string& name = words[i];
      if (std::find(known.begin(), known.end(), name) == known.end()) {
        return Refuse(name, "is none of its words");
      }
      double value = 0;
      if (name == "sigma" || name == "alpha") {
        if (!absl::SimpleAtod(words[i + 1], &value) || !(value >= 0.01 && value <= 100)) {
          return Refuse(words[i + 1], "is no number from 0.01 to 100");
        }
      } else {
        ASSIGN_OR_RETURN(value, OneSize(words[i + 1]));
      }
      if (!values_.emplace(name, value).second) return Refuse(name, "stands there twice");
    }
    return absl::OkStatus();
  }
  bool has(const std::string& name) const { return values_.contains(name); }
  double of(const std::string& name) const { return has(name) ? values_.at(name) : 0; }

 private:
  std::map<std::string, double> values_;
};

using Quantile = std::function<double(double)>;

// The distribution's inverse; all words are there and in order.
Quantile QuantileOf(const std::string& name, const Numbers& n) {
  const double least = n.of("least"), most = n.of("most");
  if (name == "uniform") return [=](double u) { return least + u * (most - least); };
  if (name == "pareto") {
    const double alpha = n.of("alpha");
    const double rest = 1 - std::pow(least / most, alpha);
    return [=](double u) { return least * std::pow(1 - u * rest, -1 / alpha); };
  }
  const double median = n.of("median"), sigma = n.of("sigma");
  const auto cdf = [=](double x) { return x <= 0 ? 0 : NormalCdf(std::log(x / median) / sigma); };
  const double low = cdf(least), high = cdf(most);
  return
      [=](double u) { return median * std::exp(sigma * NormalQuantile(low + u * (high - low))); };
}

struct Form {
  const char* name;
  std::vector<std::string> needed;
  std::vector<std::string> known;
  const char* example;
};

const std::vector<Form>& Forms() {
  static const auto* const forms = new std::vector<Form>{
      {"uniform", {"least", "most"}, {"least", "most"}, "uniform least 1KiB most 64KiB"},
      {"lognormal",
       {"median", "sigma", "most"},
       {"median", "sigma", "least", "most"},
       "lognormal median 4KiB sigma 1.2 most 1MiB"},
      {"pareto",
       {"least", "alpha", "most"},
       {"least", "alpha", "most"},
       "pareto least 1KiB alpha 1.1 most 1MiB"},
  };
  return *forms;
}

absl::Status CheckNumbers(const Form& form, const Numbers& n) {
  for (const std::string& needed : form.needed) {
    if (!n.has(needed)) return absl::InvalidArgumentError(absl::StrCat("no '", needed, "' in it"));
  }
  if (n.of("least") >= n.of("most")) {
    return absl::InvalidArgumentError("its least is not below its most");
  }
  if (absl::string_view(form.name) == "pareto" && n.of("least") < 1) {
    return absl::InvalidArgumentError("its least is 0");
  }
  const double median = n.of("median");
  if (n.has("median") && (median <= n.of("least") || median >= n.of("most"))) {
    return absl::InvalidArgumentError("its median is not between its least and its most");
  }
  return absl::OkStatus();
}

}  // namespace

ValueSizes::ValueSizes(std::string text, std::vector<Weight> weights) : text_(std::move(text)) {
  std::sort(weights.begin(), weights.end(),
            [](const Weight& a, const Weight& b) { return a.size < b.size; });
  double total = 0;
  for (const Weight& one : weights) total += one.weight;
  double sum = 0;
  for (const Weight& one : weights) {
    sum += one.weight;
    if (sizes_.empty() || sizes_.back() != one.size) {
      sizes_.push_back(one.size);
      upto_.push_back(0);
    }
    upto_.back() = sum / total;
  }
  upto_.back() = 1;
}

ValueSizes ValueSizes::Fixed(uint32_t bytes) {
  return ValueSizes(FormatSize(bytes), {{.size = bytes, .weight = 1}});
}

absl::StatusOr<ValueSizes> ValueSizes::Parse(absl::string_view text) {
  if (absl::StrContains(text, '=')) return ByWeight(text);
  if (absl::StrContains(text, ' ')) return ByQuantiles(text);
  for (const Form& form : Forms()) {
    if (text == form.name)
      return Refuse(text, absl::StrCat("has no numbers; like '", form.example, "'"));
  }
  ASSIGN_OR_RETURN(const double size, OneSize(text));
  return Fixed(static_cast<uint32_t>(size));
}

absl::StatusOr<ValueSizes> ValueSizes::ByWeight(absl::string_view text) {
  std::vector<Weight> weights;
  std::string canonical;
  for (absl::string_view part : absl::StrSplit(text, ',')) {
    const std::pair<absl::string_view, absl::string_view> pair =
        absl::StrSplit(part, absl::MaxSplits('=', 1));
    Weight one;
    ASSIGN_OR_RETURN(const double size, OneSize(pair.first));
    one.size = static_cast<uint32_t>(size);
    if (!absl::SimpleAtod(pair.second, &one.weight) || !(one.weight > 0 && one.weight <= 1e9)) {
      return Refuse(pair.second, absl::StrCat("is no weight for ", pair.first));
    }
    for (const Weight& other : weights) {
      if (other.size == one.size) return Refuse(pair.first, "stands there twice");
    }
    weights.push_back(one);
    absl::StrAppend(&canonical, canonical.empty() ? "" : ",", FormatSize(one.size), "=",
                    one.weight);
  }
  if (weights.size() > kMostWeights) return Refuse(text, "lists more than 64 sizes");
  return ValueSizes(std::move(canonical), std::move(weights));
}

absl::StatusOr<ValueSizes> ValueSizes::ByQuantiles(absl::string_view text) {
  const std::vector<std::string> words = absl::StrSplit(text, ' ', absl::SkipEmpty());
  for (const Form& form : Forms()) {
    if (words.empty() || words[0] != form.name) continue;
    Numbers numbers;
    absl::Status status = numbers.Read(words, form.known);
    if (status.ok()) status = CheckNumbers(form, numbers);
    if (!status.ok()) {
      return Refuse(text, absl::StrCat("is no ", form.name, " distribution: ", status.message(),
                                       "; like '", form.example, "'"));
    }
    const Quantile quantile = QuantileOf(form.name, numbers);
    std::vector<Weight> weights;
    for (size_t i = 0; i < kQuantiles; ++i) {
      const double size = quantile((static_cast<double>(i) + 0.5) / kQuantiles);
      weights.push_back({.size = static_cast<uint32_t>(std::llround(size)), .weight = 1});
    }
    std::string canonical;
    for (const std::string& word : words) {
      absl::StrAppend(&canonical, canonical.empty() ? "" : " ", word);
    }
    return ValueSizes(std::move(canonical), std::move(weights));
  }
  return Refuse(text, "is no distribution; there are uniform, lognormal and pareto");
}

size_t ValueSizes::IndexOf(uint64_t word) const {
  if (fixed()) return 0;
  const double u = static_cast<double>(Mix64(word ^ kStream) >> 11) * 0x1.0p-53;
  const auto at = std::upper_bound(upto_.begin(), upto_.end() - 1, u);
  return static_cast<size_t>(at - upto_.begin());
}

double ValueSizes::mean() const {
  double mean = 0, before = 0;
  for (size_t i = 0; i < sizes_.size(); ++i) {
    mean += sizes_[i] * (upto_[i] - before);
    before = upto_[i];
  }
  return mean;
}

}  // namespace kbench
