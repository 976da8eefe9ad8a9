#include "client/conform/matrix.h"

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

namespace kbench::conform {
namespace {

using nlohmann::ordered_json;
using Verdict = Survey::Verdict;

absl::string_view Word(Verdict verdict) {
  switch (verdict) {
    case Verdict::kAgrees:
      return "agrees";
    case Verdict::kDiffers:
      return "DIFFERS";
    case Verdict::kNotTried:
      return "not tried";
  }
  return "";
}

// What was expected of a case's step; the opening of the connection, if it is looked at, is the
// first.
const Expected& ExpectedOf(const Case& tested, size_t step) {
  if (!tested.greeting.has_value()) return tested.steps[step].expected;
  return step == 0 ? *tested.greeting : tested.steps[step - 1].expected;
}

// The step in which the server differs from the dialect; nothing: in none.
const StepResult* FirstDifference(const CaseResult& result, Dialect dialect, size_t* index) {
  for (size_t i = 0; i < result.steps.size(); ++i) {
    if (result.steps[i].agrees[static_cast<size_t>(dialect)]) continue;
    *index = i;
    return &result.steps[i];
  }
  return nullptr;
}

// The step that says most: where it differs, else the last.
const StepResult* Telling(const Survey& survey, const CaseResult& result) {
  size_t index = 0;
  const StepResult* differs = FirstDifference(result, survey.dialect, &index);
  if (differs != nullptr) return differs;
  return result.steps.empty() ? nullptr : &result.steps.back();
}

std::string Did(const Survey& survey, const CaseResult& result) {
  if (!result.tried()) return result.not_tried;
  if (!result.no_connection.empty()) return "no connection: " + result.no_connection;
  if (!result.not_prepared.empty()) return "not prepared: " + result.not_prepared;
  const StepResult* told = Telling(survey, result);
  if (told == nullptr) return "";
  return absl::StrCat(told->did, result.not_restored.empty() ? "" : " (and is not put back)");
}

// What the dialect does in some step is not known: anything agrees with it.
bool Unknown(const Case& tested, Dialect dialect) {
  return absl::c_any_of(tested.steps,
                        [&](const Step& step) { return step.expected.of(dialect) == "..."; });
}

// "as kbench, spec; simulator would: closes"
std::string As(const CaseResult& result) {
  if (!result.tried() || !result.no_connection.empty()) return "";
  std::vector<std::string> same, unknown, parts;
  std::vector<std::pair<std::string, std::vector<std::string>>> others;  // by what they would do
  for (const Dialect dialect : kDialects) {
    const std::string name(Name(dialect));
    size_t index = 0;
    if (FirstDifference(result, dialect, &index) == nullptr) {
      (Unknown(*result.tested, dialect) ? unknown : same).push_back(name);
      continue;
    }
    const std::string& would = ExpectedOf(*result.tested, index).of(dialect);
    auto at = absl::c_find_if(others, [&](const auto& other) { return other.first == would; });
    if (at == others.end()) at = others.insert(at, {would, {}});
    at->second.push_back(name);
  }
  if (others.empty() && unknown.empty()) return "as all";
  parts.push_back(same.empty() ? "as none" : absl::StrCat("as ", absl::StrJoin(same, ", ")));
  for (const auto& [would, names] : others) {
    parts.push_back(absl::StrCat(absl::StrJoin(names, ", "), " would: ", would));
  }
  if (!unknown.empty()) {
    parts.push_back(absl::StrCat("not known of ", absl::StrJoin(unknown, ", ")));
  }
  return absl::StrJoin(parts, "; ");
}

std::string Heading(const Survey& survey) {
  const std::string because =
      !survey.recognised_by.empty()  ? absl::StrCat(" (recognised by ", survey.recognised_by, ")")
      : !survey.unrecognised.empty() ? absl::StrCat(" (not recognised: ", survey.unrecognised, ")")
                                     : " as asked";
  return absl::StrCat(survey.target.address.ToString(), " over ",
                      survey.target.tls != nullptr ? "TLS" : "TCP", ", held against ",
                      Name(survey.dialect), because);
}

std::string Counts(const Survey& survey) {
  return absl::StrCat(survey.results.size(), " cases: ", survey.Count(Verdict::kAgrees), " agree, ",
                      survey.Count(Verdict::kDiffers), " differ, ",
                      survey.Count(Verdict::kNotTried), " not tried");
}

std::vector<std::string> Remarks(const Survey& survey) {
  std::vector<std::string> remarks;
  if (!survey.cut_short.empty()) remarks.push_back("cut short: " + survey.cut_short);
  for (const CaseResult& result : survey.results) {
    if (result.not_restored.empty()) continue;
    remarks.push_back(
        absl::StrCat("not put back after ", result.tested->name, ": ", result.not_restored));
  }
  if (!survey.left_behind.empty()) remarks.push_back("left behind: " + survey.left_behind);
  return remarks;
}

std::string DifferenceText(const Survey& survey, const CaseResult& result) {
  std::string text = absl::StrCat("\n", result.tested->name, ": ", result.tested->asks, "\n");
  if (!result.no_connection.empty()) {
    return absl::StrCat(text, "  no connection: ", result.no_connection, "\n");
  }
  if (!result.not_prepared.empty()) {
    absl::StrAppend(&text, "  not prepared: ", result.not_prepared, "\n");
  }
  for (size_t i = 0; i < result.steps.size(); ++i) {
    const StepResult& step = result.steps[i];
    const bool agrees = step.agrees[static_cast<size_t>(survey.dialect)];
    absl::StrAppend(&text, "  ", i + 1, ". ", step.asked, "\n     the server: ", step.did, "\n");
    if (!step.said.empty()) absl::StrAppend(&text, "     in its words: ", step.said, "\n");
    if (!agrees) {
      absl::StrAppend(&text, "     ", Name(survey.dialect), ": ",
                      ExpectedOf(*result.tested, i).of(survey.dialect), "   <- differs\n");
    }
  }
  if (result.steps.size() < result.tested->steps.size()) {
    absl::StrAppend(&text, "  (then the connection was of no more use)\n");
  }
  return text;
}

std::string Cell(absl::string_view text) {
  if (text.empty()) return "";
  return absl::StrCat("`", absl::StrReplaceAll(text, {{"|", "\\|"}, {"`", "'"}}), "`");
}

std::string Plain(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"|", "\\|"}, {"<", "&lt;"}, {"*", "\\*"}, {"_", "\\_"}});
}

ordered_json ExpectedJson(const Expected& expected) {
  ordered_json json = ordered_json::object();
  for (const Dialect dialect : kDialects) json[std::string(Name(dialect))] = expected.of(dialect);
  return json;
}

ordered_json ResultJson(const Survey& survey, const CaseResult& result) {
  ordered_json json = {{"name", result.tested->name},
                       {"asks", result.tested->asks},
                       {"verdict", Word(survey.VerdictOf(result))},
                       {"destructive", result.tested->destructive}};
  if (!result.tried()) {
    json["not_tried"] = result.not_tried;
    return json;
  }
  if (!result.no_connection.empty()) json["no_connection"] = result.no_connection;
  if (!result.not_prepared.empty()) json["not_prepared"] = result.not_prepared;
  ordered_json& dialects = json["as"] = ordered_json::array();
  for (const Dialect dialect : kDialects) {
    if (result.agrees(dialect) && !Unknown(*result.tested, dialect)) {
      dialects.push_back(Name(dialect));
    }
  }
  ordered_json& steps = json["steps"] = ordered_json::array();
  for (size_t i = 0; i < result.steps.size(); ++i) {
    const StepResult& step = result.steps[i];
    steps.push_back({{"asked", step.asked},
                     {"did", step.did},
                     {"said", step.said},
                     {"agrees", step.agrees[static_cast<size_t>(survey.dialect)]},
                     {"expected", ExpectedJson(ExpectedOf(*result.tested, i))}});
  }
  if (!result.not_restored.empty()) json["not_restored"] = result.not_restored;
  return json;
}

std::string Dump(const ordered_json& json) { return json.dump(2) + "\n"; }

size_t StepsOf(const Case& one) { return one.steps.size() + (one.greeting.has_value() ? 1 : 0); }

// What a dialect does in a case: in the step that tells them apart, or where it last parts from
// ours, else at the end. Behind an answer that closes nothing is asked.
std::string Does(const Case& one, Dialect dialect) {
  if (one.telling.has_value()) return one.steps[*one.telling].expected.of(dialect);
  std::string does;
  bool parts = false;
  for (size_t i = 0; i < StepsOf(one); ++i) {
    const std::string& expected = ExpectedOf(one, i).of(dialect);
    if (expected == "...") return "not known";
    const bool differs = expected != ExpectedOf(one, i).of(Dialect::kKbench);
    if (differs || !parts) does = expected;
    parts |= differs;
    if (absl::EndsWith(expected, "closes")) break;
  }
  return does;
}

}  // namespace

std::string MatrixText(const Survey& survey) {
  std::string text = absl::StrCat("kbench conform ", Heading(survey), "\n",
                                  "greeting: ", survey.greeting, "\n", Counts(survey), "\n\n");
  for (const CaseResult& result : survey.results) {
    absl::StrAppendFormat(&text, "%-9s  %-34s  %s", Word(survey.VerdictOf(result)),
                          result.tested->name, Did(survey, result));
    const std::string as = As(result);
    absl::StrAppend(&text, as.empty() ? "" : "   ", as, "\n");
  }
  if (survey.Count(Verdict::kDiffers) > 0) text += "\nDifferences\n";
  for (const CaseResult& result : survey.results) {
    if (survey.VerdictOf(result) == Verdict::kDiffers) text += DifferenceText(survey, result);
  }
  const std::vector<std::string> remarks = Remarks(survey);
  if (!remarks.empty()) absl::StrAppend(&text, "\n", absl::StrJoin(remarks, "\n"), "\n");
  return text;
}

std::string MatrixJson(const Survey& survey) {
  ordered_json json = {{"format_version", 1},
                       {"server", survey.target.address.ToString()},
                       {"tls", survey.target.tls != nullptr},
                       {"identity", survey.target.identity},
                       {"dialect", Name(survey.dialect)},
                       {"recognised_by", survey.recognised_by},
                       {"unrecognised", survey.unrecognised},
                       {"destructive", survey.destructive},
                       {"greeting", survey.greeting},
                       {"agree", survey.Count(Verdict::kAgrees)},
                       {"differ", survey.Count(Verdict::kDiffers)},
                       {"not_tried", survey.Count(Verdict::kNotTried)},
                       {"remarks", Remarks(survey)}};
  ordered_json& cases = json["cases"] = ordered_json::array();
  for (const CaseResult& result : survey.results) cases.push_back(ResultJson(survey, result));
  return Dump(json);
}

std::string MatrixMarkdown(const Survey& survey) {
  std::string text = absl::StrCat("## ", Plain(Heading(survey)), "\n\n", Counts(survey), ".\n\n",
                                  "| case | | what the server did | which dialects do so |\n",
                                  "|---|---|---|---|\n");
  for (const CaseResult& result : survey.results) {
    const bool tried = result.tried() && result.no_connection.empty();
    const std::string did = Did(survey, result);
    absl::StrAppend(&text, "| ", result.tested->name, " | ", Word(survey.VerdictOf(result)), " | ",
                    tried ? Cell(did) : Plain(did), " | ", Plain(As(result)), " |\n");
  }
  const std::vector<std::string> remarks = Remarks(survey);
  for (const std::string& remark : remarks) absl::StrAppend(&text, "\n", Plain(remark), "\n");
  return text;
}

std::string ListText(const CaseBook& book) {
  std::string text;
  for (const Case& one : book.cases()) {
    absl::StrAppend(&text, one.name, one.destructive ? " (destructive)" : "", ": ", one.asks, "\n");
    for (const Dialect dialect : kDialects) {
      absl::StrAppendFormat(&text, "  %-10s %s\n", Name(dialect), Does(one, dialect));
    }
  }
  return text;
}

std::string ListJson(const CaseBook& book) {
  ordered_json cases = ordered_json::array();
  for (const Case& one : book.cases()) {
    ordered_json& json = cases.emplace_back(
        ordered_json{{"name", one.name}, {"asks", one.asks}, {"destructive", one.destructive}});
    for (const Dialect dialect : kDialects) {
      json["does"][std::string(Name(dialect))] = Does(one, dialect);
    }
  }
  return Dump({{"format_version", 1}, {"cases", cases}});
}

std::string ListMarkdown(const CaseBook& book) {
  std::string text =
      "| case | the rule | kbench | spec | simulator | kineticd |\n|---|---|---|---|---|---|\n";
  for (const Case& one : book.cases()) {
    absl::StrAppend(&text, "| ", one.name, one.destructive ? " (destructive)" : "", " | ",
                    Plain(one.asks));
    const std::string ours = Does(one, Dialect::kKbench);
    for (const Dialect dialect : kDialects) {
      const std::string does = Does(one, dialect);
      absl::StrAppend(&text, " | ",
                      dialect != Dialect::kKbench && does == ours ? "same"
                      : does == "not known"                       ? does
                                                                  : Cell(does));
    }
    text += " |\n";
  }
  return text;
}

}  // namespace kbench::conform
