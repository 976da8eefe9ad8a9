#include "tests/analysis/report/markup.h"

#include <algorithm>
#include <set>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace kbench::analysis {
namespace {

const std::set<std::string> kVoid = {"meta", "input", "br", "hr", "link", "img", "base"};

bool IsNameByte(char c) { return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == ':'; }

class Parser {
 public:
  explicit Parser(absl::string_view page) : page_(page) {}

  absl::StatusOr<std::vector<Element>> Parse() {
    if (!Take("<!DOCTYPE html>")) return Wrong("the page does not begin with its doctype");
    while (at_ < page_.size() && error_.empty()) {
      if (page_[at_] != '<') {
        Text();
      } else if (Take("</")) {
        Close();
      } else {
        ++at_;
        Open();
      }
    }
    if (!error_.empty()) return Wrong(error_);
    if (!open_.empty()) return Wrong(absl::StrCat("<", Innermost().name, "> is never closed"));
    return std::move(elements_);
  }

 private:
  absl::Status Wrong(absl::string_view what) const {
    const size_t from = at_ < 60 ? 0 : at_ - 60;
    return absl::InvalidArgumentError(
        absl::StrCat(what, " at byte ", at_, ": ", page_.substr(from, 120)));
  }

  bool Take(absl::string_view token) {
    if (!absl::StartsWith(page_.substr(std::min(at_, page_.size())), token)) return false;
    at_ += token.size();
    return true;
  }

  std::string Name() {
    const size_t from = at_;
    while (at_ < page_.size() && IsNameByte(page_[at_])) ++at_;
    if (at_ == from) error_ = "a name was expected";
    return std::string(page_.substr(from, at_ - from));
  }

  void Space() {
    while (at_ < page_.size() && absl::ascii_isspace(page_[at_])) ++at_;
  }

  Element& Innermost() { return elements_[open_.back()]; }

  void CheckReferences(absl::string_view text) {
    for (size_t i = text.find('&'); i != text.npos; i = text.find('&', i + 1)) {
      const size_t end = text.find(';', i);
      if (end == text.npos || end - i > 8) error_ = "an & that begins no character reference";
    }
    const bool control = std::any_of(text.begin(), text.end(), [](char c) {
      return static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t';
    });
    if (control) error_ = "a control character";
  }

  void Text() {
    const size_t end = std::min(page_.find('<', at_), page_.size());
    AddText(page_.substr(at_, end - at_));
    at_ = end;
  }

  void AddText(absl::string_view text) {
    CheckReferences(text);
    if (open_.empty()) {
      if (!absl::StripAsciiWhitespace(text).empty()) error_ = "text outside the page's root";
      return;
    }
    absl::StrAppend(&Innermost().text, text);
    for (int i : open_) absl::StrAppend(&elements_[i].all_text, text);
  }

  void Close() {
    const std::string name = Name();
    if (open_.empty() || Innermost().name != name) {
      error_ = absl::StrCat("</", name, "> closes nothing");
    } else if (!Take(">")) {
      error_ = "a closing tag without its end";
    } else {
      open_.pop_back();
    }
  }

  void Attributes(Element* element) {
    for (Space(); at_ < page_.size() && IsNameByte(page_[at_]) && error_.empty(); Space()) {
      const std::string name = Name();
      std::string value;
      if (Take("=")) {
        const size_t end = Take("\"") ? page_.find('"', at_) : page_.npos;
        if (end == page_.npos) {
          error_ = "an attribute's value is not in double quotes";
          return;
        }
        value = std::string(page_.substr(at_, end - at_));
        if (absl::StrContains(value, '<')) error_ = "a < in an attribute";
        CheckReferences(value);
        at_ = end + 1;
      }
      if (!element->attributes.emplace(name, value).second) error_ = "an attribute given twice";
    }
  }

  void Open() {
    Element element{.inside = open_, .at = at_ - 1};
    element.name = Name();
    Attributes(&element);
    if (!error_.empty()) return;
    const bool closed = Take("/");
    if (!Take(">")) {
      error_ = "a tag without its end";
      return;
    }
    const std::string name = element.name;
    elements_.push_back(std::move(element));
    if (closed || kVoid.contains(name)) return;
    open_.push_back(static_cast<int>(elements_.size()) - 1);
    if (name == "style" || name == "script") Raw(name);
  }

  // Up to the end tag, whatever is in between.
  void Raw(const std::string& name) {
    const size_t end = std::min(page_.find("</" + name, at_), page_.size());
    Innermost().text = std::string(page_.substr(at_, end - at_));
    at_ = end;
  }

  absl::string_view page_;
  size_t at_ = 0;
  std::string error_;
  std::vector<Element> elements_;
  std::vector<int> open_;
};

}  // namespace

absl::StatusOr<std::vector<Element>> ParsePage(absl::string_view page) {
  return Parser(page).Parse();
}

}  // namespace kbench::analysis
