#include "cli/snapshot.h"

#include <fmt/format.h>

#include <algorithm>

namespace kaapi::cli {
namespace {

// What one Describe call takes (API reference).
constexpr std::size_t clusters_per_call = 100;
constexpr std::size_t services_per_call = 10;
constexpr std::size_t tasks_per_call = 100;
// Beyond this a person would not read it anyway.
constexpr std::size_t max_listed = 5'000;

// Every page of a listing.
Result<std::vector<json::value>> list_all(const Ask& ask, std::string_view operation, json::object request,
                                          std::string_view member) {
  std::vector<json::value> all;
  while (true) {
    const Result<json::value> page = ask(operation, request);
    if (!page) return page.error();
    if (const json::value* items = find_member(*page, member); items != nullptr && items->is_array()) {
      all.insert(all.end(), items->as_array().begin(), items->as_array().end());
    }
    const std::string token = string_member(*page, "nextToken");
    if (token.empty() || all.size() >= max_listed) return all;
    request["nextToken"] = token;
  }
}

// Describes in portions of what one call takes.
Result<std::vector<json::value>> describe_all(const Ask& ask, std::string_view operation, const json::object& request,
                                              std::string_view member, const std::vector<json::value>& names,
                                              std::size_t per_call) {
  std::vector<json::value> all;
  for (std::size_t from = 0; from < names.size(); from += per_call) {
    const std::size_t count = std::min(per_call, names.size() - from);
    json::object portion = request;
    portion[member] = json::array(names.begin() + static_cast<std::ptrdiff_t>(from),
                                  names.begin() + static_cast<std::ptrdiff_t>(from + count));
    const Result<json::value> answer = ask(operation, portion);
    if (!answer) return answer.error();
    if (const json::value* items = find_member(*answer, member); items != nullptr && items->is_array()) {
      all.insert(all.end(), items->as_array().begin(), items->as_array().end());
    }
  }
  return all;
}

Result<std::vector<json::value>> find_clusters(const Ask& ask, const std::string& only_cluster) {
  std::vector<json::value> names;
  if (only_cluster.empty()) {
    Result<std::vector<json::value>> listed = list_all(ask, "ListClusters", {}, "clusterArns");
    if (!listed) return listed.error();
    names = std::move(*listed);
  } else {
    names.emplace_back(only_cluster);
  }
  Result<std::vector<json::value>> clusters =
      describe_all(ask, "DescribeClusters", {}, "clusters", names, clusters_per_call);
  if (!clusters) return clusters.error();
  std::erase_if(*clusters, [](const json::value& cluster) { return string_member(cluster, "status") == "INACTIVE"; });
  if (clusters->empty() && !only_cluster.empty()) {
    return make_error(errc::not_found,
                      fmt::format("there is no cluster {} here; `kaapi status` shows those that are", only_cluster));
  }
  return clusters;
}

Result<ClusterSnapshot> look_into(const Ask& ask, json::value cluster) {
  ClusterSnapshot found;
  const json::object in_cluster{{"cluster", string_member(cluster, "clusterArn")}};
  found.cluster = std::move(cluster);
  const Result<std::vector<json::value>> services = list_all(ask, "ListServices", in_cluster, "serviceArns");
  if (!services) return services.error();
  Result<std::vector<json::value>> described =
      describe_all(ask, "DescribeServices", in_cluster, "services", *services, services_per_call);
  if (!described) return described.error();
  found.services = std::move(*described);
  const Result<std::vector<json::value>> tasks = list_all(ask, "ListTasks", in_cluster, "taskArns");
  if (!tasks) return tasks.error();
  Result<std::vector<json::value>> described_tasks =
      describe_all(ask, "DescribeTasks", in_cluster, "tasks", *tasks, tasks_per_call);
  if (!described_tasks) return described_tasks.error();
  found.tasks = std::move(*described_tasks);
  return found;
}

}  // namespace

Result<Snapshot> take_snapshot(const Ask& ask, const std::string& only_cluster) {
  Result<std::vector<json::value>> clusters = find_clusters(ask, only_cluster);
  if (!clusters) return clusters.error();
  Snapshot snapshot;
  for (json::value& cluster : *clusters) {
    Result<ClusterSnapshot> found = look_into(ask, std::move(cluster));
    if (!found) return found.error();
    snapshot.clusters.push_back(std::move(*found));
  }
  return snapshot;
}

}  // namespace kaapi::cli
