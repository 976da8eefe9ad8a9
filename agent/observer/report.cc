#include "agent/observer/report.h"

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/units.h"

namespace kbench::observer {
namespace {

struct Count {
  absl::string_view name;
  uint64_t WireCounters::*value;
};
constexpr Count kCounts[] = {
    {"packets", &WireCounters::packets},
    {"bytes", &WireCounters::bytes},
    {"ring_drops", &WireCounters::ring_drops},
    {"flows", &WireCounters::flows},
    {"requests", &WireCounters::requests},
    {"answered", &WireCounters::answered},
    {"resynchronized", &WireCounters::resynchronized},
    {"records_lost", &WireCounters::records_lost},
    {"retransmitted_packets", &WireCounters::retransmitted_packets},
    {"reordered_packets", &WireCounters::reordered_packets},
    {"gaps", &WireCounters::gaps},
    {"unanswered", &WireCounters::unanswered},
    {"unmatched_answers", &WireCounters::unmatched_answers},
    {"in_batches", &WireCounters::in_batches},
    {"unusable_packets", &WireCounters::unusable_packets},
    {"flows_refused", &WireCounters::flows_refused},
};

// The columns of a record, in the order of the CSV; also the JSON's names.
struct Column {
  absl::string_view name;
  int64_t (*value)(const WireRecord&);
};
constexpr Column kColumns[] = {
    {"connection_id", [](const WireRecord& r) { return r.connection_id; }},
    {"sequence", [](const WireRecord& r) { return static_cast<int64_t>(r.sequence); }},
    {"request_first", [](const WireRecord& r) { return r.request_first.ns(); }},
    {"request_last", [](const WireRecord& r) { return r.request_last.ns(); }},
    {"response_first", [](const WireRecord& r) { return r.response_first.ns(); }},
    {"response_last", [](const WireRecord& r) { return r.response_last.ns(); }},
    {"before_last", [](const WireRecord& r) { return r.before_last.ns(); }},
    {"request_last_again", [](const WireRecord& r) { return r.request_last_again.ns(); }},
    {"response_last_again", [](const WireRecord& r) { return r.response_last_again.ns(); }},
    {"service_ns", [](const WireRecord& r) { return r.service.count(); }},
    {"inside", [](const WireRecord& r) { return int64_t{r.inside}; }},
    {"flags", [](const WireRecord& r) { return int64_t{r.flags}; }},
};

std::string Spread(const Histogram& h) {
  if (h.count() == 0) return "none";
  return absl::StrFormat("p50 %s  p90 %s  p99 %s  p99.9 %s  max %s  mean %s",
                         HumanDuration(static_cast<double>(h.Percentile(50).count())),
                         HumanDuration(static_cast<double>(h.Percentile(90).count())),
                         HumanDuration(static_cast<double>(h.Percentile(99).count())),
                         HumanDuration(static_cast<double>(h.Percentile(99.9).count())),
                         HumanDuration(static_cast<double>(h.max().count())),
                         HumanDuration(h.mean_ns()));
}

double BusyShare(const WireSums& sums) {
  return sums.window > Nanos() ? sums.busy.seconds() / sums.window.seconds() : 0;
}
double MeanInside(const WireSums& sums) {
  return sums.window > Nanos() ? sums.inside.seconds() / sums.window.seconds() : 0;
}

std::string JsonText(absl::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppendFormat(&out, "\\u%04x", static_cast<unsigned>(c));
    } else {
      out.push_back(c);
    }
  }
  return out + "\"";
}

void Put(const std::string& text, std::FILE* out) { std::fwrite(text.data(), 1, text.size(), out); }

}  // namespace

double MatchRate(const WireCounters& counters) {
  const uint64_t expected = counters.requests - std::min(counters.requests, counters.in_batches);
  if (expected == 0) return 1;
  return std::min(1.0, static_cast<double>(counters.answered) / static_cast<double>(expected));
}

std::vector<std::string> Doubts(const Reported& reported) {
  const WireCounters& c = reported.observation.counters;
  std::vector<std::string> doubts;
  const auto add = [&](uint64_t count, absl::string_view text) {
    if (count > 0) doubts.push_back(absl::StrCat(count, " ", text));
  };
  if (c.packets == 0) {
    doubts.push_back(absl::StrCat(
        "no packet of TCP port ", reported.port, " was seen",
        reported.other_way > 0
            ? absl::StrCat(" in these directions, but ", reported.other_way,
                           " that went the other way: is it the other --view?")
            : std::string("; on the server's host the view is server, on the client's client")));
  } else if (c.requests == 0 && c.answered == 0) {
    doubts.push_back(absl::StrCat(
        "port ", reported.port,
        " carried packets but no Kinetic request in the clear: another protocol, TLS, or no "
        "request was made"));
  }
  add(c.ring_drops,
      "packets were dropped because the observer could not keep up: requests in them "
      "are missing");
  add(c.gaps, "stretches of a connection were never seen; what lay in them is missing");
  add(c.resynchronized,
      "times a direction of a connection had to be found again, or was found "
      "after its begin");
  add(c.unmatched_answers, "answers belong to no request that was seen");
  add(c.unanswered, "requests were not answered before their connection ended or was lost");
  add(c.unusable_packets, "packets were IP fragments, or cut within their headers");
  add(c.flows_refused, "packets belong to connections beyond those that are followed at once");
  add(c.records_lost, "requests have no record, for want of room; sums and counts include them");
  if (MatchRate(c) < 0.995) {
    doubts.push_back(absl::StrFormat(
        "only %.2f %% of the requests have an answer: times may be those of the lucky ones",
        100 * MatchRate(c)));
  }
  if (const int64_t step = reported.observation.clock_step.count(); std::abs(step) > 1000) {
    doubts.push_back(absl::StrCat("the clock of the stamps was set by ",
                                  HumanDuration(static_cast<double>(step)), " meanwhile"));
  }
  return doubts;
}

std::string TextReport(const Reported& reported) {
  const WireObservation& o = reported.observation;
  const WireCounters& c = o.counters;
  Histogram residence, emission, arrival;
  uint64_t shared = 0, twice = 0, reordered = 0, most_inside = 0;
  for (const WireRecord& one : o.records) {
    if (one.request_last.is_set() && one.request_first.is_set()) {
      arrival.Record(one.request_last - one.request_first);
    }
    if (one.request_last.is_set() && one.response_first.is_set()) {
      residence.Record(one.response_first - one.request_last);
    }
    if (one.response_first.is_set() && one.response_last.is_set()) {
      emission.Record(one.response_last - one.response_first);
    }
    shared += (one.flags & WireRecord::kSharedPacket) != 0 ? 1 : 0;
    twice += (one.flags & (WireRecord::kRequestSeenTwice | WireRecord::kResponseSeenTwice)) != 0;
    reordered += (one.flags & WireRecord::kReordered) != 0 ? 1 : 0;
    most_inside = std::max<uint64_t>(most_inside, one.inside);
  }
  const bool client = reported.view == View::kClient;
  std::string text =
      absl::StrFormat("port %d, %s, view %s, %.3f s\n", reported.port, reported.from,
                      !reported.view.has_value() ? "not told" : (client ? "client" : "server"),
                      o.sums.window.seconds());
  absl::StrAppendFormat(&text, "  packets       %d of %d connections, %d bytes; %d dropped\n",
                        c.packets, c.flows, c.bytes, c.ring_drops);
  absl::StrAppendFormat(&text, "  sent again    %d packets, %d out of order\n",
                        c.retransmitted_packets, c.reordered_packets);
  absl::StrAppendFormat(&text,
                        "  requests      %d, of which %d in batches; answered %d (%.3f %%)\n",
                        c.requests, c.in_batches, c.answered, 100 * MatchRate(c));
  if (!o.records.empty()) {
    absl::StrAppendFormat(
        &text, "  of records    %d: shared a packet %d, sent again %d, out of order %d\n",
        o.records.size(), shared, twice, reordered);
    absl::StrAppend(&text, "  request       ", Spread(arrival), "\n");
    absl::StrAppend(&text, client ? "  turn-round    " : "  residence     ", Spread(residence),
                    "\n");
    absl::StrAppend(&text, "  answer        ", Spread(emission), "\n");
    absl::StrAppend(&text, "  service time  ", Spread(o.sums.service), "\n");
    absl::StrAppendFormat(
        &text, "  busy          %.1f %% of the time; inside: mean %.2f, at most %d on arrival\n",
        100 * BusyShare(o.sums), MeanInside(o.sums), most_inside);
    text +=
        "arrival: request's first byte to its last; residence: request's last byte to answer's "
        "first;\nemission: answer's first byte to its last; service time: since it had come and "
        "the "
        "answer before\nit had left; inside: requests that have come and are not answered\n";
  }
  for (const std::string& doubt : Doubts(reported)) absl::StrAppend(&text, "note: ", doubt, "\n");
  return text;
}

void WriteCsv(const Reported& reported, std::FILE* out) {
  const auto name = [](std::string* text, const Column& c) { absl::StrAppend(text, c.name); };
  Put(absl::StrJoin(kColumns, ",", name) + "\n", out);
  for (const WireRecord& record : reported.observation.records) {
    Put(absl::StrJoin(
            kColumns, ",",
            [&](std::string* text, const Column& c) { absl::StrAppend(text, c.value(record)); }) +
            "\n",
        out);
  }
}

void WriteJson(const Reported& reported, std::FILE* out) {
  const WireObservation& o = reported.observation;
  std::string text =
      absl::StrCat("{\"port\":", reported.port, ",\"from\":", JsonText(reported.from), ",\"view\":",
                   !reported.view.has_value()        ? "null"
                   : *reported.view == View::kClient ? "\"client\""
                                                     : "\"server\"",
                   ",\"counters\":{");
  absl::StrAppend(&text, absl::StrJoin(kCounts, ",", [&](std::string* to, const Count& count) {
    absl::StrAppend(to, "\"", count.name, "\":", o.counters.*count.value);
  }));
  absl::StrAppendFormat(&text,
                        "},\"window_ns\":%d,\"busy_ns\":%d,\"inside_ns\":%d,\"departures\":%d,"
                        "\"service_sum_ns\":%d,\"clock_step_ns\":%d,\"match_rate\":%.6f,",
                        o.sums.window.count(), o.sums.busy.count(), o.sums.inside.count(),
                        o.sums.departures, o.sums.service_sum.count(), o.clock_step.count(),
                        MatchRate(o.counters));
  absl::StrAppend(&text, "\"doubts\":[",
                  absl::StrJoin(Doubts(reported), ",",
                                [](std::string* to, const std::string& doubt) {
                                  absl::StrAppend(to, JsonText(doubt));
                                }),
                  "],\"records\":[");
  Put(text, out);
  bool first = true;
  for (const WireRecord& record : o.records) {
    Put(absl::StrCat(first ? "\n{" : ",\n{",
                     absl::StrJoin(kColumns, ",",
                                   [&](std::string* to, const Column& c) {
                                     absl::StrAppend(to, "\"", c.name, "\":", c.value(record));
                                   }),
                     "}"),
        out);
    first = false;
  }
  Put("\n]}\n", out);
}

}  // namespace kbench::observer
