// Requests by connection and sequence number: those whose packets are wanted.
#pragma once

#include <algorithm>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace kbench {

class RequestSet {
 public:
  void Add(int64_t connection_id, uint64_t sequence) {
    sequences_[connection_id].push_back(sequence);
    sorted_ = false;
  }
  bool Contains(int64_t connection_id, uint64_t sequence) {
    if (!sorted_) Sort();
    const auto found = sequences_.find(connection_id);
    return found != sequences_.end() &&
           std::binary_search(found->second.begin(), found->second.end(), sequence);
  }

 private:
  void Sort() {
    for (auto& [id, sequences] : sequences_) std::sort(sequences.begin(), sequences.end());
    sorted_ = true;
  }

  std::unordered_map<int64_t, std::vector<uint64_t>> sequences_;
  bool sorted_ = true;
};

}  // namespace kbench
