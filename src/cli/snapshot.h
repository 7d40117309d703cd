#pragma once
// What `kaapi status` shows, as asked from the AWS APIs.

#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace kaapi::cli {

// One cluster with what is in it. Values are the API's own answers.
struct ClusterSnapshot {
  json::value cluster;
  std::vector<json::value> services;
  std::vector<json::value> tasks;  // those meant to run
};

struct Snapshot {
  std::string where;  // the endpoint, or "AWS"
  std::string region;
  std::vector<ClusterSnapshot> clusters;
};

// One call of ECS: operation and request in, answer out.
using Ask = std::function<Result<json::value>(std::string_view operation, const json::value& request)>;

// Everything, or one cluster. Errors: `NotFound` for a cluster that does not exist; those of the calls.
Result<Snapshot> take_snapshot(const Ask& ask, const std::string& only_cluster);

}  // namespace kaapi::cli
