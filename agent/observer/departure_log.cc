#include "agent/observer/departure_log.h"

#include <algorithm>
#include <utility>

#include "base/varint.h"

namespace kbench::observer {
namespace {

// Idle stretches that a request may reach back over and still be counted exactly.
constexpr size_t kOpenStretches = 4096;

}  // namespace

SumBuilder::SumBuilder(RealTime from, RealTime until) : from_(from), until_(until) {}

void SumBuilder::Add(RealTime arrived, RealTime departed) {
  if (departed >= from_ && departed < until_) {
    const Nanos service = departed - std::max(arrived, last_departed_);
    ++sums_.departures;
    sums_.service_sum += service;
    sums_.service.Record(service);
  }
  last_departed_ = std::max(last_departed_, departed);
  const RealTime begin = std::max(arrived, from_), end = std::min(departed, until_);
  if (begin >= end) return;
  sums_.inside += end - begin;
  Cover(begin, end);
}

void SumBuilder::Cover(RealTime begin, RealTime end) {
  while (!busy_.empty() && busy_.back().end >= begin) {
    begin = std::min(begin, busy_.back().begin);
    end = std::max(end, busy_.back().end);
    busy_.pop_back();
  }
  busy_.push_back({.begin = begin, .end = end});
  if (busy_.size() < kOpenStretches) return;
  const auto half = busy_.begin() + kOpenStretches / 2;
  for (auto it = busy_.begin(); it != half; ++it) sums_.busy += it->end - it->begin;
  busy_.erase(busy_.begin(), half);
}

WireSums SumBuilder::Sums() const {
  WireSums sums = sums_;
  for (const Interval& one : busy_) sums.busy += one.end - one.begin;
  return sums;
}

void DepartureLog::SetWindow(RealTime from, RealTime until) {
  from_ = from;
  until_ = until;
  // What is folded cannot be counted anew; a window that begins after it needs none of it.
  if (chunks_.size() * kChunk < kept_ || folded_until_ < from) folded_ = SumBuilder(from, until);
}

void DepartureLog::Add(RealTime arrived, RealTime departed) {
  departed = std::max(departed, packed_until_);
  auto place = open_.end();
  while (place != open_.begin() && (place - 1)->departed > departed) --place;
  open_.insert(place, {.arrived = arrived, .departed = departed});
  if (open_.size() == 2 * kChunk) PackOldest();
}

void DepartureLog::PackOldest() {
  Chunk chunk = {.base = open_.front().departed};
  RealTime before = chunk.base;
  for (size_t i = 0; i < kChunk; ++i) {
    AppendVarint(&chunk.bytes, static_cast<uint64_t>((open_[i].departed - before).count()));
    AppendVarint(&chunk.bytes, ZigZag((open_[i].departed - open_[i].arrived).count()));
    before = open_[i].departed;
  }
  packed_until_ = before;
  chunk.bytes.shrink_to_fit();
  chunks_.push_back(std::move(chunk));
  open_.erase(open_.begin(), open_.begin() + kChunk);
  if (chunks_.size() * kChunk <= kept_) return;
  Decode(chunks_.front(), &folded_);
  if (chunks_.size() > 1) folded_until_ = chunks_[1].base;
  chunks_.pop_front();
}

void DepartureLog::Decode(const Chunk& chunk, SumBuilder* builder) {
  absl::string_view in = chunk.bytes;
  RealTime departed = chunk.base;
  uint64_t step = 0, stay = 0;
  while (ConsumeVarint(&in, &step) && ConsumeVarint(&in, &stay)) {
    departed = departed + Nanos(static_cast<int64_t>(step));
    builder->Add(departed - Nanos(UnZigZag(stay)), departed);
  }
}

WireSums DepartureLog::Sums() const {
  SumBuilder builder = folded_;
  for (const Chunk& chunk : chunks_) Decode(chunk, &builder);
  for (const Entry& one : open_) builder.Add(one.arrived, one.departed);
  return builder.Sums();
}

}  // namespace kbench::observer
