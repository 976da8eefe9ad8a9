// Every field that a campaign may hold: where it stands, what it takes, what it means when absent.
// One table, so that the parser, the defaults, `--set`, suggestions and constants cannot disagree.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "controller/campaign/campaign.h"

namespace kbench {

struct CampaignField {
  std::string path;     // "workload.value_size"
  std::string axis;     // "value_size"
  std::string expects;  // "a size from 0B to 1MiB, like 4KiB": the remedy in every error
  bool may_sweep = true;
  // Sets the field from a scalar's text (a map's as "k=v,k=v") and returns the canonical text.
  std::function<absl::StatusOr<std::string>(absl::string_view, Settings*)> apply;
  // The canonical text of the field in `settings`; for constants.
  std::function<std::string(const Settings&)> show;
  bool takes_map = false;
  // A list in the campaign is one value, not a sweep: apply() takes "a,b", and each item alone.
  bool takes_list = false;
  // Of such a list: words of a command, in their order, which may repeat; apply() takes them with
  // '\n' between.
  bool takes_words = false;
};

// `name` and `agents` are not in it: they are no setting of a cell.
const std::vector<CampaignField>& CampaignFields();
// Of workload.op and of gates.
const std::vector<std::string>& CampaignOpNames();
const CampaignField* FindCampaignField(absl::string_view path);

}  // namespace kbench
