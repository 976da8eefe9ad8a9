#include "agent/service/client_proto.h"

#include "absl/strings/str_cat.h"
#include "agent/service/result_proto.h"

namespace kbench {
namespace {

result::ExternalClient::End ToProto(ClientOutcome::End end) {
  switch (end) {
    case ClientOutcome::End::kByItself:
      return result::ExternalClient::BY_ITSELF;
    case ClientOutcome::End::kToldToStop:
      return result::ExternalClient::TOLD_TO_STOP;
    case ClientOutcome::End::kKilled:
      return result::ExternalClient::KILLED;
    case ClientOutcome::End::kMemory:
      return result::ExternalClient::MEMORY;
    case ClientOutcome::End::kRunStopped:
      return result::ExternalClient::RUN_STOPPED;
  }
  return result::ExternalClient::UNKNOWN;
}

}  // namespace

absl::StatusOr<FigureFormat> ParseFigureFormat(absl::string_view name) {
  if (name == "auto" || name.empty()) return FigureFormat::kAuto;
  if (name == "csv") return FigureFormat::kCsv;
  if (name == "fio") return FigureFormat::kFio;
  if (name == "none") return FigureFormat::kNone;
  return absl::InvalidArgumentError(
      absl::StrCat("'", name, "' is no form of figures; there are auto, csv, fio and none"));
}

ExternalClient ClientFromProto(const control::ExternalClient& from) {
  ExternalClient to;
  to.name = from.name();
  to.arguments.assign(from.arguments().begin(), from.arguments().end());
  to.grace = Nanos(from.grace_ns());
  to.memory_bytes = from.memory_bytes();
  return to;
}

result::ExternalClient ToProto(const ClientOutcome& from) {
  result::ExternalClient to;
  to.set_name(from.name);
  for (const std::string& word : from.command) to.add_command(PrintableText(word));
  to.set_end(ToProto(from.end));
  to.set_exit_code(from.exit_code);
  to.set_signal(from.signal);
  to.set_wall_ns(from.wall.count());
  to.set_user_ns(from.user.count());
  to.set_system_ns(from.system.count());
  to.set_most_memory_bytes(from.most_memory_bytes);
  to.set_left_behind(from.left_behind);
  to.set_output_bytes(from.output_bytes);
  to.set_output_begin(from.output_begin);
  to.set_output_end(from.output_end);
  to.set_errors_end(from.errors_end);
  for (const OwnFigure& figure : from.own.figures) {
    result::ExternalClient::Figure* out = to.add_figures();
    out->set_op(PrintableText(figure.op));
    out->set_count(figure.count);
    out->set_mean_ns(figure.mean_ns);
    if (figure.p50_ns) out->set_p50_ns(*figure.p50_ns);
    if (figure.p99_ns) out->set_p99_ns(*figure.p99_ns);
    out->set_source(PrintableText(figure.source));
    out->set_answers_seen(figure.answers_seen);
    out->set_wire_seen_ns(figure.wire_seen_ns);
    if (figure.sum_seen_ns) out->set_sum_seen_ns(*figure.sum_seen_ns);
  }
  to.set_figures_problem(PrintableText(from.own.problem));
  to.set_figures_of_window(from.own_of_window);
  to.set_pipelined(from.pipelined);
  to.set_gaps_known(from.gaps_known);
  to.set_requests(from.whole);
  to.set_foreign(from.foreign);
  to.set_connections(from.connections);
  to.set_to_first_request_ns(from.to_first_request.count());
  return to;
}

}  // namespace kbench
