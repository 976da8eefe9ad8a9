// Which agents' keys are on which servers, as far as this campaign knows: so that they are written
// once for every server, and not before each run.
//
// What is known here only saves work. A run whose keys are believed to be there still has its agent
// read a sample of them (RunSpec.reuse_keys), and write all of them when the sample is not as it
// should be: a server may have been restarted, or emptied by somebody else. What the campaign
// itself does to its keys cannot be told from a sample, and is known here: after a run that
// deletes, that did not end well, or whose reads missed a key or found another value, they are
// written whatever is found.
//
// Keys are the same where agent, key seed and key size are; the seed is the data set's
// (controller/campaign/plan.h), so the same keys always hold the same values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "proto/agent.pb.h"
#include "proto/result.pb.h"

namespace kbench {

class KeyLedger {
 public:
  enum class Known {
    kNothing,  // this campaign has not written them there
    kThere,
    kSpoilt,  // it has written them, and then deleted some, or it may have
  };

  Known Of(const control::RunSpec& spec) const;
  // Sets reuse_keys of a spec that asks for keys: they are there, or, when nothing is known of them
  // and `trust` is set, they may be there from an earlier campaign.
  void Decide(bool trust, control::RunSpec* spec) const;
  void Decide(bool trust, std::vector<control::RunSpec>* specs) const;

  // A run was made. `loaded` is what its agent said of its keys, null when it said nothing; `sound`
  // tells whether the run came to its end.
  void Take(const control::RunSpec& spec, const control::Loaded* loaded, bool sound);
  // The same for all agents, in one order; `results` are of those that gave one, in any. Adds the
  // caveat `keys_reused` when keys were taken over that this campaign has not written.
  void Take(const std::vector<control::RunSpec>& specs,
            const std::vector<std::optional<control::Loaded>>& loaded,
            const std::vector<result::RunResult>& results, bool sound,
            std::vector<result::Caveat>* caveats);

 private:
  // Agent, key seed, key size.
  using DataSet = std::tuple<uint32_t, uint64_t, uint32_t>;
  static DataSet DataSetOf(const control::RunSpec& spec);

  // Server -> how many of the data set's keys it has, the first ones.
  std::map<DataSet, std::map<std::string, uint64_t>> there_;
  // Some may be missing, on every server that is not in there_: two addresses may lead to one.
  std::set<DataSet> spoilt_;
};

}  // namespace kbench
