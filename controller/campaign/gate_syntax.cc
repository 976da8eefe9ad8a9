#include "controller/campaign/gate_syntax.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "base/units.h"
#include "controller/campaign/campaign_fields.h"
#include "controller/campaign/suggestion.h"

namespace kbench {
namespace {

using What = analysis::Gate::What;

struct Word {
  const char* name;
  What what;
};
constexpr Word kWords[] = {
    {"mean", What::kMean},     {"max", What::kMax},   {"errors", What::kErrors},
    {"unsent", What::kUnsent}, {"rate", What::kRate}, {"achieved/offered", What::kAchieved},
};

constexpr absl::string_view kForms =
    "write it like 'p99(get) < 2ms', 'errors < 0.1%' or 'achieved/offered > 0.99'";

absl::Status Refuse(absl::string_view what) { return absl::InvalidArgumentError(what); }

std::string DidYouMean(absl::string_view word, const std::vector<std::string>& words) {
  const std::string near = NearestWord(word, words);
  return near.empty() ? absl::StrCat("; ", kForms) : absl::StrCat("; did you mean '", near, "'?");
}

// "99.9" of "p99.9".
bool TakePercentile(absl::string_view digits, double* percentile) {
  return absl::SimpleAtod(digits, percentile) && *percentile > 0 && *percentile < 100;
}

absl::Status TakeWhat(absl::string_view name, analysis::Gate* gate) {
  for (const Word& word : kWords) {
    if (name != word.name) continue;
    gate->what = word.what;
    return absl::OkStatus();
  }
  absl::string_view digits = name;
  const bool service = absl::ConsumePrefix(&digits, "service_");
  if (absl::ConsumePrefix(&digits, "p") && !digits.empty() && absl::ascii_isdigit(digits[0])) {
    gate->what = service ? What::kServicePercentile : What::kPercentile;
    if (TakePercentile(digits, &gate->percentile)) return absl::OkStatus();
    return Refuse(absl::StrCat("'", name, "' is no percentile between 0 and 100"));
  }
  std::vector<std::string> names = {"p50", "p99", "p99.9", "service_p99"};
  for (const Word& word : kWords) names.emplace_back(word.name);
  return Refuse(
      absl::StrCat("'", name, "' is nothing that a gate can hold", DidYouMean(name, names)));
}

absl::Status TakeOp(absl::string_view op, analysis::Gate* gate) {
  std::vector<std::string> names = CampaignOpNames();
  names.emplace_back("all");
  gate->op = std::string(op);
  if (std::find(names.begin(), names.end(), op) != names.end()) return absl::OkStatus();
  return Refuse(absl::StrCat("'", op, "' is no operation", DidYouMean(op, names)));
}

absl::Status TakeValue(absl::string_view value, analysis::Gate* gate) {
  gate->op = "all";
  const size_t open = value.find('(');
  RETURN_IF_ERROR(TakeWhat(absl::StripTrailingAsciiWhitespace(value.substr(0, open)), gate));
  if (open == absl::string_view::npos) return absl::OkStatus();
  if (value.back() != ')') return Refuse(absl::StrCat("'", value, "' has no ')' at its end"));
  if (gate->what == What::kAchieved) {
    return Refuse("achieved/offered is of all operations together; drop what is in parentheses");
  }
  return TakeOp(absl::StripAsciiWhitespace(value.substr(open + 1, value.size() - open - 2)), gate);
}

// "0.1%"; a ratio may also be a bare number.
absl::StatusOr<double> ParseShare(absl::string_view text, bool bare) {
  double value = 0;
  absl::string_view number = text;
  const bool percent = absl::ConsumeSuffix(&number, "%");
  if (!absl::SimpleAtod(absl::StripAsciiWhitespace(number), &value) || !(value >= 0)) {
    return Refuse(absl::StrCat("'", text, "' is no share; write it like 0.1%"));
  }
  if (!percent && !bare && value != 0) {
    return Refuse(absl::StrCat("'", text, "' needs a unit; write it like ", text, "%"));
  }
  return percent ? value / 100 : value;
}

absl::Status TakeBound(absl::string_view text, analysis::Gate* gate) {
  switch (gate->what) {
    case What::kErrors:
    case What::kUnsent: {
      ASSIGN_OR_RETURN(gate->bound, ParseShare(text, false));
      if (gate->bound <= 1) return absl::OkStatus();
      return Refuse(absl::StrCat("'", text, "' is more than all; write a share of at most 100%"));
    }
    case What::kAchieved: {
      ASSIGN_OR_RETURN(gate->bound, ParseShare(text, true));
      return absl::OkStatus();
    }
    case What::kRate: {
      ASSIGN_OR_RETURN(gate->bound, ParseRate(text));
      return absl::OkStatus();
    }
    default: {
      ASSIGN_OR_RETURN(const Nanos bound, ParseDuration(text));
      gate->bound = static_cast<double>(bound.count());
      return absl::OkStatus();
    }
  }
}

}  // namespace

absl::StatusOr<analysis::Gate> ParseGate(absl::string_view text) {
  analysis::Gate gate;
  const size_t at = text.find_first_of("<>");
  if (at == absl::string_view::npos) {
    return Refuse(absl::StrCat("'", text, "' compares nothing; ", kForms));
  }
  gate.below = text[at] == '<';
  gate.strict = at + 1 >= text.size() || text[at + 1] != '=';
  const absl::string_view value = absl::StripAsciiWhitespace(text.substr(0, at));
  const absl::string_view bound =
      absl::StripAsciiWhitespace(text.substr(at + (gate.strict ? 1 : 2)));
  if (value.empty() || bound.empty()) {
    return Refuse(absl::StrCat("'", text, "' has nothing on one side; ", kForms));
  }
  RETURN_IF_ERROR(TakeValue(value, &gate));
  RETURN_IF_ERROR(TakeBound(bound, &gate));
  gate.text = absl::StrCat(value, gate.below ? " <" : " >", gate.strict ? " " : "= ", bound);
  return gate;
}

}  // namespace kbench
