#include "client/conform/interpreter.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <thread>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "client/conform/pattern.h"
#include "client/conform/pdu.h"

namespace kbench::conform {

using kinetic::MessageType;

namespace {

constexpr std::chrono::milliseconds kBusyPause(20);
constexpr int kBusyAttempts = 4;
constexpr size_t kLongestText = 4000;  // of what a server says to one request
constexpr absl::string_view kCloses = "closes", kNothing = "nothing", kGarbage = "no-Kinetic",
                            kThenSilent = "then-silent";

absl::StatusOr<std::unique_ptr<Link>> ConnectOnce(const Target& target, const Names& names,
                                                  MonoTime deadline, Greeting* greeting) {
  ASSIGN_OR_RETURN(std::unique_ptr<Link> link,
                   Link::Open(target.server, target.address.host, target.tls, deadline));
  Heard heard = link->Receive(deadline);
  switch (heard.kind) {
    case Heard::Kind::kPdu:
      break;
    case Heard::Kind::kClosed:
      return absl::UnavailableError(
          absl::StrCat("the connection ended before a greeting: ", Printable(heard.why)));
    case Heard::Kind::kSilent:
      return absl::UnavailableError("no greeting came within the time-out");
    case Heard::Kind::kNoKinetic:
      return absl::UnavailableError(
          absl::StrCat("what came first is no Kinetic: ", Printable(heard.why)));
  }
  const kinetic::HmacKey key(target.key);
  greeting->pdu = heard.pdu;
  greeting->text = AnswerText(heard.pdu->message(), heard.value,
                              {.names = &names, .key = &key, .identity = target.identity});
  return link;
}

bool Busy(const Greeting& greeting) {
  const auto& status = greeting.command().status;
  return status.has_value() && status->code == kinetic::StatusCode::kServiceBusy;
}

bool Busy(const StepResult& result) { return absl::StartsWith(result.did, "SERVICE_BUSY"); }

Step Noop() {
  Step noop;
  noop.command.has_header = true;
  noop.command.header.message_type = MessageType::kNoop;
  return noop;
}

// One connection, and what is known on it of the requests that have no answer yet.
class Exchange {
 public:
  Exchange(const Target& target, const Names& names, std::unique_ptr<Link> link,
           const Greeting& greeting)
      : target_(target),
        names_(names),
        link_(std::move(link)),
        key_(target.key),
        limits_(greeting.limits()),
        asker_{.identity = target.identity,
               .key = target.key,
               .connection_id = greeting.connection_id(),
               .cluster_version = greeting.cluster_version()} {}

  // Steps until all are done or the connection is of no more use.
  std::vector<StepResult> Run(const std::vector<Step>& steps) {
    for (const Step& step : steps) {
      Queue(step);
      if (step.joined) continue;
      const bool alone = pending_.size() == 1;
      Ask();
      // A server that is busy for a while has said nothing yet of what is asked here.
      for (int i = 1; alone && !ended_ && i < kBusyAttempts && Busy(results_.back()); ++i) {
        std::this_thread::sleep_for(kBusyPause * (1 << i));
        results_.pop_back();
        Queue(step);
        Ask();
      }
      if (ended_) break;
    }
    return std::move(results_);
  }

 private:
  struct Pending {
    size_t result = 0;
    const Step* step = nullptr;
    Pdu pdu;
    int came = 0;  // its answer's place among those of the piece; 0: none yet
  };

  void Queue(const Step& step) {
    Pending pending = {.result = results_.size(), .step = &step, .pdu = Build(step, &asker_)};
    if (pending.pdu.sequence.has_value()) {
      numbers_.insert({*pending.pdu.sequence, static_cast<int>(results_.size()) + 1});
    }
    results_.push_back({.asked = RequestText(step)});
    if (pending.step->auth == Auth::kOther) {
      other_key_ = std::make_unique<kinetic::HmacKey>(step.key);
    }
    pending_.push_back(std::move(pending));
  }

  std::string RequestText(const Step& step) const;

  // Sends what is queued, and says of every piece of it what came.
  void Ask() {
    const bool sent = SendQueued();
    const Step& last = *pending_.back().step;
    const bool fenced = sent && !last.answered;
    const std::optional<uint64_t> fence = fenced ? SendNoop() : std::nullopt;
    const MonoTime deadline = MonoNow() + (Framed(last.form) ? target_.answer : target_.quiet);
    const Heard::Kind end = Await(fence, deadline);
    for (const Pending& pending : pending_) Conclude(pending, end);
    // Whoever refuses may close: the next request shows it.
    std::string* did = &results_[pending_.back().result].did;
    const bool well = absl::StartsWith(*did, "SUCCESS") || absl::StartsWith(*did, "pin SUCCESS") ||
                      *did == "no-answer";
    if (end == Heard::Kind::kPdu && !well) Framed(last.form) ? Probe(did) : AwaitEnd(did);
    if (end != Heard::Kind::kPdu) ended_ = true;
    pending_.clear();
    arrivals_ = 0;
  }

  // Whether what follows a request of this form can still be told from it.
  static bool Framed(Form form) {
    return form != Form::kWrongMagic && form != Form::kMessageTooLong &&
           form != Form::kValueTooLong && form != Form::kNegativeLength;
  }

  bool SendQueued() {
    std::string bytes;
    size_t piece = 0;
    for (const Pending& pending : pending_) {
      absl::StrAppend(&bytes, pending.pdu.bytes);
      piece = std::max(piece, pending.step->piece);
    }
    return link_->Send(bytes, piece, MonoNow() + target_.answer);
  }

  std::optional<uint64_t> SendNoop() {
    const Pdu pdu = Build(Noop(), &asker_);
    link_->Send(pdu.bytes, 0, MonoNow() + target_.answer);
    return pdu.sequence;
  }

  // Until all that is to be answered is, and the fence too, if there is one.
  Heard::Kind Await(std::optional<uint64_t> fence, MonoTime deadline) {
    while (true) {
      const bool open = absl::c_any_of(
          pending_, [](const Pending& p) { return p.step->answered && p.came == 0; });
      if (!open && !fence.has_value()) return Heard::Kind::kPdu;
      // A server that never stops talking is no reason to wait longer.
      if (MonoNow() >= deadline) return Heard::Kind::kSilent;
      const Heard heard = link_->Receive(deadline);
      if (heard.kind != Heard::Kind::kPdu) return heard.kind;
      const auto acknowledged = heard.pdu->message().command.header.ack_sequence;
      if (fence.has_value() && acknowledged == fence) {
        fence.reset();
        continue;
      }
      Attribute(heard);
    }
  }

  // An answer to the request that it acknowledges, else to the first that has none.
  void Attribute(const Heard& heard) {
    const auto acknowledged = heard.pdu->message().command.header.ack_sequence;
    auto to = absl::c_find_if(pending_, [&](const Pending& p) {
      return acknowledged.has_value() && p.came == 0 && p.pdu.sequence == acknowledged;
    });
    if (to == pending_.end()) to = absl::c_find_if(pending_, [](auto& p) { return p.came == 0; });
    const bool more = to == pending_.end();
    if (more) to = std::prev(to);
    StepResult* result = &results_[to->result];
    if (result->did.size() < kLongestText) {
      absl::StrAppend(&result->did, more ? " and " : "", Text(heard, *to));
    }
    const auto& status = heard.pdu->message().command.status;
    if (status.has_value() && status->message.has_value()) {
      result->said = Printable(*status->message);
    }
    if (to->came == 0) to->came = ++arrivals_;
  }

  std::string Text(const Heard& heard, const Pending& to) const {
    const bool other = to.step->auth == Auth::kOther;
    return AnswerText(heard.pdu->message(), heard.value,
                      {.names = &names_,
                       .key = other ? other_key_.get() : &key_,
                       .identity = other ? to.step->identity : target_.identity,
                       .connection_id = asker_.connection_id,
                       .cluster_version = asker_.cluster_version,
                       .response_type = to.pdu.response_type,
                       .sequence = to.pdu.sequence,
                       .numbers = &numbers_,
                       .limits = &limits_});
  }

  void Conclude(const Pending& pending, Heard::Kind end) {
    std::string* did = &results_[pending.result].did;
    const auto add = [&](absl::string_view word) {
      absl::StrAppend(did, did->empty() ? "" : " ", word);
    };
    if (const std::string overtaken = OvertakenBy(pending); !overtaken.empty()) add(overtaken);
    if (end == Heard::Kind::kClosed) return add(kCloses);
    if (end == Heard::Kind::kNoKinetic) return add(kGarbage);
    if (end == Heard::Kind::kSilent) return add(pending.came > 0 ? kThenSilent : kNothing);
    if (pending.came == 0) add("no-answer");
  }

  // "after=#3,#4": the answers to these requests, which were sent together with it and behind it,
  // came before its own. Empty: none.
  std::string OvertakenBy(const Pending& pending) const {
    std::vector<std::string> earlier;
    for (const Pending& other : pending_) {
      if (other.result > pending.result && other.came > 0 && other.came < pending.came) {
        earlier.push_back(absl::StrCat("#", other.result + 1));
      }
    }
    return earlier.empty() ? "" : absl::StrCat("after=", absl::StrJoin(earlier, ","));
  }

  // The question is whether the connection lives: other PDUs than the answer are of no interest.
  void Probe(std::string* did) {
    const std::optional<uint64_t> noop = SendNoop();
    const MonoTime deadline = MonoNow() + target_.answer;
    Heard heard;
    do {
      heard = link_->Receive(deadline);
      if (heard.kind != Heard::Kind::kPdu) return End(heard.kind, did);
      if (heard.pdu->message().command.header.ack_sequence == noop) return;
    } while (MonoNow() < deadline);
    End(Heard::Kind::kSilent, did);
  }

  // Nothing can be asked any more: it closes, or it does not.
  void AwaitEnd(std::string* did) {
    const MonoTime deadline = MonoNow() + target_.quiet;
    Heard heard;
    do {
      heard = link_->Receive(deadline);
    } while (heard.kind == Heard::Kind::kPdu && MonoNow() < deadline);
    End(heard.kind == Heard::Kind::kPdu ? Heard::Kind::kSilent : heard.kind, did);
  }

  void End(Heard::Kind how, std::string* did) {
    ended_ = true;
    absl::StrAppend(did, " ",
                    how == Heard::Kind::kClosed      ? kCloses
                    : how == Heard::Kind::kNoKinetic ? kGarbage
                                                     : kThenSilent);
  }

  const Target& target_;
  const Names& names_;
  std::unique_ptr<Link> link_;
  const kinetic::HmacKey key_;
  std::unique_ptr<kinetic::HmacKey> other_key_;
  const kinetic::GetLog::Limits limits_;
  Asker asker_;
  std::map<uint64_t, int> numbers_;
  std::vector<Pending> pending_;  // sent or queued, not concluded
  int arrivals_ = 0;              // of first answers to them
  std::vector<StepResult> results_;
  bool ended_ = false;
};

// In words, for people: what is usual is not said.
std::string Exchange::RequestText(const Step& step) const {
  const auto& type = step.command.header.message_type;
  std::string text = !step.command.has_header ? "no header"
                     : type.has_value()       ? kinetic::Name(*type)
                                              : "no messageType";
  const auto also = [&](absl::string_view word) { absl::StrAppend(&text, " ", word); };
  if (step.command.header.batch_id.has_value()) {
    also(absl::StrCat("batchID=", *step.command.header.batch_id));
  }
  if (step.command.header.timeout_ms.has_value()) {
    also(absl::StrCat("timeout=", *step.command.header.timeout_ms));
  }
  if (step.command.header.priority.has_value()) {
    also(absl::StrCat("priority=", *step.command.header.priority));
  }
  const std::string body = BodyText(step.command, {.names = &names_});
  if (!body.empty()) also(body);
  if (!step.value.empty()) also(absl::StrCat("value=", names_.Show(step.value)));
  static const std::map<Auth, absl::string_view> kAuth = {
      {Auth::kWrongKey, "(another key)"},     {Auth::kUnknownIdentity, "(unknown identity)"},
      {Auth::kNoIdentity, "(no hmacAuth)"},   {Auth::kNone, "(no authType)"},
      {Auth::kUnsolicited, "(unsolicited)"},  {Auth::kPin, "(by PIN)"},
      {Auth::kOther, "(as another identity)"}};
  if (const auto at = kAuth.find(step.auth); at != kAuth.end()) also(at->second);
  using Value = HeaderChanges::Value;
  using Sequence = HeaderChanges::Sequence;
  const HeaderChanges& header = step.header;
  if (header.connection_id == Value::kWrong) also("(another connectionID)");
  if (header.connection_id == Value::kAbsent) also("(no connectionID)");
  if (header.cluster_version == Value::kWrong) also("(another clusterVersion)");
  if (header.cluster_version == Value::kAbsent) also("(no clusterVersion)");
  if (header.sequence == Sequence::kSame) also("(the same sequence)");
  if (header.sequence == Sequence::kSmaller) also("(a smaller sequence)");
  if (header.sequence == Sequence::kAbsent) also("(no sequence)");
  if (header.sequence == Sequence::kFarAhead) also("(sequence far ahead)");
  static const std::map<Form, absl::string_view> kForms = {
      {Form::kUnknownFields, "(with unknown fields)"},
      {Form::kNoCommand, "(no commandBytes)"},
      {Form::kEmptyMessage, "(an empty message)"},
      {Form::kGarbageMessage, "(a message that is no protobuf)"},
      {Form::kGarbageCommand, "(a command that is no protobuf)"},
      {Form::kWrongMagic, "(magic G)"},
      {Form::kMessageTooLong, "(message length 0x7fffff00)"},
      {Form::kValueTooLong, "(value length 0x7fffff00)"},
      {Form::kNegativeLength, "(message length 0xffffffff)"}};
  if (const auto at = kForms.find(step.form); at != kForms.end()) also(at->second);
  if (step.piece > 0) also(absl::StrCat("(", step.piece, " B at a time)"));
  return text;
}

void Judge(const Expected& expected, StepResult* result) {
  for (size_t d = 0; d < kDialects.size(); ++d) {
    result->agrees[d] = Matches(expected.of(kDialects[d]), result->did);
  }
}

// The opening of the connection, if it is looked at, is the first of the results.
void Judge(const Case& tested, const Greeting& greeting, std::vector<StepResult>* results) {
  for (size_t i = 0; i < results->size(); ++i) Judge(tested.steps[i].expected, &(*results)[i]);
  if (!tested.greeting.has_value()) return;
  StepResult opened = {.asked = "(a connection)", .did = greeting.text};
  Judge(*tested.greeting, &opened);
  results->insert(results->begin(), std::move(opened));
}

// Steps beside the case, on a connection of their own; empty, or what went wrong.
std::string RunBeside(const std::vector<Step>& steps, const Target& target, const Names& names) {
  if (steps.empty()) return "";
  Greeting greeting;
  auto link = Connect(target, names, &greeting);
  if (!link.ok()) return absl::StrCat("no connection to do it: ", link.status().message());
  std::vector<StepResult> results = Exchange(target, names, *std::move(link), greeting).Run(steps);
  for (size_t i = 0; i < steps.size(); ++i) {
    if (i >= results.size()) return "the server ended the connection meanwhile";
    if (!Matches(steps[i].expected.usual, results[i].did)) {
      return absl::StrCat(results[i].asked, " was answered ", results[i].did, " ", results[i].said);
    }
  }
  return "";
}

}  // namespace

const std::string& Expected::of(Dialect dialect) const {
  const std::optional<std::string>& own = dialect == Dialect::kKbench      ? kbench
                                          : dialect == Dialect::kSpec      ? spec
                                          : dialect == Dialect::kSimulator ? simulator
                                                                           : kineticd;
  return own.has_value() ? *own : usual;
}

kinetic::GetLog::Limits Greeting::limits() const {
  const auto& log = command().get_log;
  return log.has_value() ? log->limits.value_or(kinetic::GetLog::Limits())
                         : kinetic::GetLog::Limits();
}

kinetic::GetLog::Configuration Greeting::configuration() const {
  const auto& log = command().get_log;
  return log.has_value() ? log->configuration.value_or(kinetic::GetLog::Configuration())
                         : kinetic::GetLog::Configuration();
}

absl::StatusOr<std::unique_ptr<Link>> Connect(const Target& target, const Names& names,
                                              Greeting* greeting) {
  const MonoTime deadline = MonoNow() + target.connect;
  const absl::Status busy =
      absl::UnavailableError("the server says SERVICE_BUSY instead of a greeting");
  for (bool was_busy = false;; was_busy = true) {
    auto link = ConnectOnce(target, names, deadline, greeting);
    if (link.ok() && !Busy(*greeting)) return link;
    const bool over = MonoNow() + Millis(kBusyPause.count()) >= deadline;
    // The last attempt may be cut off by the deadline; what was heard before says more.
    if (!link.ok()) return was_busy && over ? busy : link.status();
    if (over) return busy;
    std::this_thread::sleep_for(kBusyPause);
  }
}

bool CaseResult::agrees(Dialect dialect) const {
  const auto index = static_cast<size_t>(dialect);
  return tried() && no_connection.empty() && not_prepared.empty() &&
         absl::c_all_of(steps, [&](const StepResult& step) { return step.agrees[index]; });
}

CaseResult::Life CaseResult::life() const {
  if (!tried()) return Life::kUntold;
  if (!no_connection.empty()) return Life::kGone;
  const size_t first = tested->greeting.has_value() ? 1 : 0;  // of the requests
  if (steps.size() <= first) return Life::kUntold;
  return steps[first].did == kNothing ? Life::kGone : Life::kThere;
}

std::string AskNoop(const Target& target, const Names& names, std::unique_ptr<Link> link,
                    const Greeting& greeting) {
  const std::vector<Step> steps = {Noop()};
  return Exchange(target, names, std::move(link), greeting).Run(steps).front().did;
}

CaseResult RunCase(const Case& tested, const Target& target, const Names& names) {
  CaseResult result = {.tested = &tested, .not_tried = tested.not_tried};
  if (!result.tried()) return result;
  result.not_prepared = RunBeside(tested.prepare, target, names);
  Greeting greeting;
  auto link = Connect(target, names, &greeting);
  if (link.ok()) {
    result.steps = Exchange(target, names, *std::move(link), greeting).Run(tested.steps);
    Judge(tested, greeting, &result.steps);
  } else {
    result.no_connection = std::string(link.status().message());
  }
  result.not_restored = RunBeside(tested.restore, target, names);
  return result;
}

}  // namespace kbench::conform
