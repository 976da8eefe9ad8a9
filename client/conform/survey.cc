#include "client/conform/survey.h"

#include <iterator>
#include <random>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "client/client.h"
#include "client/conform/admission.h"
#include "client/requests.h"
#include "kinetic/codec.h"

namespace kbench::conform {
namespace {

// So many questions in a row without a connection or an answer are the server's last.
constexpr int kInARow = 3;
constexpr size_t kPrefixDigits = 12;
constexpr absl::string_view kNoAnswer = "nothing";  // see AskNoop()

std::string RandomPrefix() {
  std::random_device entropy;
  return absl::StrFormat("kbench-conform/%0*x/", kPrefixDigits,
                         (uint64_t{entropy()} << 32 | entropy()) >> (64 - 4 * kPrefixDigits));
}

// Removes what is stored under the run's prefix. Says what was left, and why.
std::string RemoveKeys(const Target& target, const CaseBook& book, const std::string& prefix) {
  const auto why = [&](absl::string_view what) {
    return absl::StrCat("keys that begin with ", prefix, ": ", Printable(what));
  };
  auto connected = client::Client::Connect({.server = target.server,
                                            .server_name = target.address.host,
                                            .tls = target.tls,
                                            .identity = target.identity,
                                            .hmac_key = target.key,
                                            .timeout = target.connect});
  if (!connected.ok()) return why(connected.status().message());
  client::Client& client = **connected;
  client.set_timeout(target.answer);
  std::vector<std::string> keys;
  const auto visited = client.VisitKeys(prefix, prefix + "\xff", [&](absl::string_view key) {
    if (absl::StartsWith(key, prefix)) keys.emplace_back(key);
    return true;
  });
  if (!visited.ok()) return why(visited.status().message());
  // Who may not ask for a range can still remove what it stored.
  const size_t longest = book.limits().max_key_size.value_or(UINT32_MAX);
  if (visited->status != kinetic::StatusCode::kSuccess) {
    absl::c_copy_if(book.keys(), std::back_inserter(keys),
                    [&](const std::string& key) { return key.size() <= longest; });
  }
  for (const std::string& key : keys) {
    const auto deleted = client.Call(client::DeleteRequest(key));
    if (!deleted.ok()) return why(deleted.status().message());
    if (deleted->status != kinetic::StatusCode::kSuccess) return why(deleted->Describe());
  }
  return "";
}

// Watches for a server that is gone, so that a run ends soon after it. Some cases may well have no
// answer (of bytes that are no request): a NOOP has the last word.
class Watch {
 public:
  // `silent`: it gave no answer to the NOOP before the first case.
  Watch(Survey* survey, bool silent) : survey_(survey), in_a_row_(silent ? 1 : 0) {}

  // After every case whose result is there.
  void See() {
    using Life = CaseResult::Life;
    const Life life = survey_->results.back().life();
    if (life == Life::kThere) IsThere();
    if (life == Life::kGone && ++in_a_row_ == kInARow) Ask();
  }

  // After the last one, for fewer than that many at its end.
  void Finish() {
    if (in_a_row_ > 0 && survey_->cut_short.empty()) Ask();
  }

 private:
  void Ask() {
    Greeting greeting;
    auto link = Connect(survey_->target, *survey_->names, &greeting);
    if (!link.ok()) return End(absl::StrCat("the server was lost: ", link.status().message()));
    if (AskNoop(survey_->target, *survey_->names, *std::move(link), greeting) != kNoAnswer) {
      return IsThere();
    }
    End("the server had stopped answering");
  }

  void IsThere() {
    in_a_row_ = 0;
    since_ = survey_->results.size();
  }

  void End(std::string why) {
    survey_->lost = true;
    survey_->cut_short = std::move(why);
    // Of these nothing was asked.
    for (size_t i = since_; i < survey_->results.size(); ++i) {
      CaseResult& result = survey_->results[i];
      if (!result.no_connection.empty()) {
        result = {.tested = result.tested, .not_tried = survey_->cut_short};
      }
    }
  }

  Survey* const survey_;
  int in_a_row_;
  size_t since_ = 0;  // the first result after the last answer
};

CaseResult ResultOf(const Case& one, const SurveyOptions& options, Survey* survey) {
  CaseResult result = {.tested = &one};
  if (one.destructive && !options.destructive) {
    result.not_tried = "destructive: see --destructive";
  } else if (!survey->cut_short.empty()) {
    result.not_tried = survey->cut_short;
  } else if (options.stopped != nullptr && *options.stopped) {
    survey->stopped = true;
    survey->cut_short = result.not_tried = "the run was stopped";
  } else {
    result = RunCase(one, survey->target, *survey->names);
  }
  return result;
}

void RunCases(const SurveyOptions& options, bool silent, Survey* survey) {
  Watch watch(survey, silent);
  for (const bool destructive : {false, true}) {
    for (const Case& one : survey->book->cases()) {
      if (one.destructive != destructive) continue;
      survey->results.push_back(ResultOf(one, options, survey));
      watch.See();
    }
  }
  watch.Finish();
}

}  // namespace

Survey::Verdict Survey::VerdictOf(const CaseResult& result) const {
  if (!result.tried()) return Verdict::kNotTried;
  return result.agrees(dialect) && result.not_restored.empty() ? Verdict::kAgrees
                                                               : Verdict::kDiffers;
}

int Survey::Count(Verdict verdict) const {
  return static_cast<int>(
      absl::c_count_if(results, [&](const CaseResult& r) { return VerdictOf(r) == verdict; }));
}

bool Survey::clean() const {
  return Count(Verdict::kDiffers) == 0 && left_behind.empty() && cut_short.empty();
}

absl::StatusOr<Survey> RunSurvey(const SurveyOptions& options) {
  Survey survey = {.target = options.target,
                   .destructive = options.destructive,
                   .prefix = RandomPrefix(),
                   .names = std::make_unique<Names>()};
  survey.names->set_prefix(survey.prefix);
  Greeting greeting;
  ASSIGN_OR_RETURN(std::unique_ptr<Link> link, Connect(options.target, *survey.names, &greeting));
  survey.greeting = greeting.text;
  std::optional<Dialect> dialect = options.dialect;
  if (!dialect.has_value()) {
    std::string seen;
    dialect = Recognise(greeting.configuration(), &seen);
    (dialect.has_value() ? survey.recognised_by : survey.unrecognised) = seen;
  }
  survey.dialect = dialect.value_or(Dialect::kSpec);
  survey.book = std::make_unique<CaseBook>(options.target, greeting, survey.names.get());
  RETURN_IF_ERROR(survey.book->Choose(options.only));
  const std::string noop = AskNoop(options.target, *survey.names, std::move(link), greeting);
  RETURN_IF_ERROR(Admitted(options.target, greeting, noop, !options.only.empty()));
  RunCases(options, noop == kNoAnswer, &survey);
  const bool none = absl::c_none_of(survey.results, [](const CaseResult& r) { return r.tried(); });
  if (none && survey.cut_short.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("no case was tried: ", survey.results.front().tested->name, " is ",
                     survey.results.front().not_tried));
  }
  survey.left_behind = RemoveKeys(options.target, *survey.book, survey.prefix);
  return survey;
}

std::unique_ptr<CaseBook> ImaginedBook(Names* names) {
  kinetic::Command command;
  command.has_header = true;
  kinetic::GetLog::Limits& limits = command.get_log.emplace().limits.emplace();
  limits.max_key_size = 4096;
  limits.max_value_size = 1 << 20;
  limits.max_version_size = 2048;
  limits.max_tag_size = 64 * 1024;
  limits.max_outstanding_read_requests = 30;
  limits.max_outstanding_write_requests = 20;
  limits.max_key_range_count = 200;
  limits.max_operation_count_per_batch = 15;
  limits.max_batch_count_per_device = 5;
  std::string pdu;
  kinetic::Encoder().Append(command, kinetic::Signature::Unsolicited(), 0, &pdu);
  Greeting greeting = {.pdu = std::make_shared<kinetic::Decoder>()};
  (void)greeting.pdu->Decode(AsBytes(pdu).subspan(kinetic::kFrameHeaderSize));
  names->set_prefix(absl::StrCat("kbench-conform/", std::string(kPrefixDigits, '0'), "/"));
  Target target;
  target.address = {.host = "HOST", .port = kinetic::kDefaultPort};
  return std::make_unique<CaseBook>(target, greeting, names);
}

}  // namespace kbench::conform
