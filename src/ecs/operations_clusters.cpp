#include <algorithm>

#include "ecs/operations.h"
#include "ecs/operations_internal.h"

namespace kaapi::ecs {
namespace {

constexpr std::size_t max_clusters_described = 100;

Result<void> check_capacity_providers(const wire::CreateClusterRequest& request) {
  const auto known = [](const std::string& name) { return name == "FARGATE" || name == "FARGATE_SPOT"; };
  const std::vector<std::string> providers = request.capacityProviders.value_or(std::vector<std::string>());
  bool all_known = std::all_of(providers.begin(), providers.end(), known);
  if (request.defaultCapacityProviderStrategy) {
    for (const auto& item : *request.defaultCapacityProviderStrategy) {
      all_known = all_known && known(item.capacityProvider);
      if (std::find(providers.begin(), providers.end(), item.capacityProvider) == providers.end()) {
        return invalid_parameter(
            fmt::format("The default capacity provider strategy names {}, which is not among the cluster's "
                        "capacityProviders.",
                        item.capacityProvider));
      }
    }
  }
  if (all_known) return ok();
  return invalid_parameter("The specified capacity provider was not found. Specify a valid name and try again.");
}

wire::Cluster new_cluster(const CallContext& context, const std::string& name,
                          const wire::CreateClusterRequest& request) {
  wire::Cluster cluster;
  cluster.clusterArn = cluster_arn(context, name);
  cluster.clusterName = name;
  cluster.configuration = request.configuration;
  cluster.status = "ACTIVE";
  cluster.tags = request.tags.value_or(Tags());
  cluster.settings = request.settings.value_or(std::vector<wire::ClusterSetting>{{"containerInsights", "disabled"}});
  cluster.capacityProviders = request.capacityProviders.value_or(std::vector<std::string>());
  cluster.defaultCapacityProviderStrategy =
      request.defaultCapacityProviderStrategy.value_or(std::vector<wire::CapacityProviderStrategyItem>());
  if (request.serviceConnectDefaults && !request.serviceConnectDefaults->namespace_.empty()) {
    cluster.serviceConnectDefaults = wire::ClusterServiceConnectDefaults{request.serviceConnectDefaults->namespace_};
  }
  return cluster;
}

struct ClusterCounts {
  std::map<std::string, TaskCounts> tasks;  // by launch type
  std::map<std::string, ServiceCounts> services;
};

ClusterCounts count(store::Session& session, const ClusterRow& row) {
  return {count_tasks_of_cluster(session, row.region, row.name),
          count_services_of_cluster(session, row.region, row.name)};
}

void fill_counts(wire::Cluster& cluster, const ClusterCounts& counts) {
  cluster.registeredContainerInstancesCount = cluster.status == "ACTIVE" ? 1 : 0;  // the machine
  cluster.runningTasksCount = 0;
  cluster.pendingTasksCount = 0;
  cluster.activeServicesCount = 0;
  for (const auto& [launch_type, tasks] : counts.tasks) {
    *cluster.runningTasksCount += tasks.running;
    *cluster.pendingTasksCount += tasks.pending;
  }
  for (const auto& [launch_type, services] : counts.services) *cluster.activeServicesCount += services.active;
}

std::vector<wire::KeyValuePair> statistics_of(const ClusterCounts& counts) {
  std::vector<wire::KeyValuePair> statistics;
  const auto add = [&](std::string name, int number) {
    statistics.push_back({std::move(name), fmt::to_string(number)});
  };
  for (const auto& [launch_type, word] : {std::pair("EC2", "EC2"), std::pair("FARGATE", "Fargate")}) {
    const auto tasks = counts.tasks.find(launch_type);
    const auto services = counts.services.find(launch_type);
    const TaskCounts of_tasks = tasks == counts.tasks.end() ? TaskCounts() : tasks->second;
    const ServiceCounts of_services = services == counts.services.end() ? ServiceCounts() : services->second;
    add(fmt::format("running{}TasksCount", word), of_tasks.running);
    add(fmt::format("pending{}TasksCount", word), of_tasks.pending);
    add(fmt::format("active{}ServiceCount", word), of_services.active);
    add(fmt::format("draining{}ServiceCount", word), of_services.draining);
  }
  return statistics;
}

// What is shown only when it is asked for.
void apply_include(wire::Cluster& cluster, const ClusterCounts& counts, const std::vector<std::string>& include) {
  const auto wanted = [&](std::string_view field) {
    return std::find(include.begin(), include.end(), field) != include.end();
  };
  if (!wanted("TAGS")) cluster.tags.emplace().clear();
  if (!wanted("SETTINGS")) cluster.settings.emplace().clear();
  if (!wanted("CONFIGURATIONS")) cluster.configuration.reset();
  cluster.statistics = wanted("STATISTICS") ? statistics_of(counts) : std::vector<wire::KeyValuePair>();
  if (wanted("ATTACHMENTS")) cluster.attachments.emplace();
}

}  // namespace

Result<wire::CreateClusterResponse> Operations::create_cluster(const Context& context,
                                                               const wire::CreateClusterRequest& request) {
  const std::string name = request.clusterName.value_or("default");
  if (!is_resource_name(name)) {
    return invalid_parameter(fmt::format(
        "Invalid clusterName '{}': it takes 1 to 255 letters, digits, hyphens and underscores.", name.substr(0, 300)));
  }
  if (request.tags) {
    if (const Result<void> checked = check_tags(*request.tags); !checked) return checked.error();
  }
  if (const Result<void> checked = check_capacity_providers(request); !checked) return checked.error();
  return database_.write([&](store::Session& session) -> Result<wire::CreateClusterResponse> {
    wire::CreateClusterResponse response;
    const std::optional<ClusterRow> existing = find_cluster(session, context.region, name);
    if (existing && existing->status == "ACTIVE") {
      response.cluster = stored<wire::Cluster>(existing->doc);
      fill_counts(*response.cluster, count(session, *existing));
    } else {
      const wire::Cluster cluster = new_cluster(context, name, request);
      save_cluster(session, {context.region, name, "ACTIVE", aws::to_json(cluster), clock_.now()});
      response.cluster = cluster;
      fill_counts(*response.cluster, {});
    }
    response.cluster->statistics.emplace();
    return response;
  });
}

Result<wire::DescribeClustersResponse> Operations::describe_clusters(const Context& context,
                                                                     const wire::DescribeClustersRequest& request) {
  std::vector<std::string> wanted = request.clusters.value_or(std::vector<std::string>());
  if (wanted.empty()) wanted.emplace_back("default");
  if (wanted.size() > max_clusters_described) {
    return invalid_parameter(fmt::format("clusters can have at most {} items.", max_clusters_described));
  }
  const std::vector<std::string> include = request.include.value_or(std::vector<std::string>());
  return database_.read([&](store::Session& session) -> Result<wire::DescribeClustersResponse> {
    wire::DescribeClustersResponse response;
    response.clusters.emplace();
    response.failures.emplace();
    for (const std::string& each : wanted) {
      const Named named = parse_name(context, "cluster", each);
      const std::optional<ClusterRow> row = find_cluster(session, context.region, named.name);
      if (named.foreign || !row) {
        response.failures->push_back(
            {each.starts_with("arn:") ? each : cluster_arn(context, each), "MISSING", std::nullopt});
        continue;
      }
      wire::Cluster cluster = stored<wire::Cluster>(row->doc);
      const ClusterCounts counts = count(session, *row);
      fill_counts(cluster, counts);
      apply_include(cluster, counts, include);
      response.clusters->push_back(std::move(cluster));
    }
    return response;
  });
}

Result<wire::ListClustersResponse> Operations::list_clusters(const Context& context,
                                                             const wire::ListClustersRequest& request) {
  const std::string scope = fmt::format("ListClusters {}", context.region);
  const Result<Page> page = page_of(scope, request.nextToken, request.maxResults);
  if (!page) return page.error();
  return database_.read([&](store::Session& session) -> Result<wire::ListClustersResponse> {
    std::vector<std::string> names = ecs::list_clusters(session, context.region, page->after, page->size + 1);
    wire::ListClustersResponse response;
    response.nextToken = cut_page(names, *page, scope, [](const std::string& name) { return name; });
    response.clusterArns.emplace();
    for (const std::string& name : names) response.clusterArns->push_back(cluster_arn(context, name));
    return response;
  });
}

Result<wire::DeleteClusterResponse> Operations::delete_cluster(const Context& context,
                                                               const wire::DeleteClusterRequest& request) {
  return database_.write([&](store::Session& session) -> Result<wire::DeleteClusterResponse> {
    std::optional<ClusterRow> row = find_cluster(session, context.region, cluster_name(context, request.cluster));
    if (!row) return make_error(wire::error::ClusterNotFoundException, "Cluster not found.");
    const ClusterCounts counts = count(session, *row);
    if (!counts.services.empty()) {
      return make_error(wire::error::ClusterContainsServicesException,
                        "The Cluster cannot be deleted while Services are active.");
    }
    if (!counts.tasks.empty()) {
      return make_error(wire::error::ClusterContainsTasksException,
                        "The Cluster cannot be deleted while Tasks are active.");
    }
    wire::Cluster cluster = stored<wire::Cluster>(row->doc);
    cluster.status = "INACTIVE";
    row->status = "INACTIVE";
    row->doc = aws::to_json(cluster);
    save_cluster(session, *row);
    fill_counts(cluster, counts);
    return wire::DeleteClusterResponse{std::move(cluster)};
  });
}

}  // namespace kaapi::ecs
