#include "ecs/operations_internal.h"

#include <algorithm>
#include <set>

#include "base/json.h"

namespace kaapi::ecs {
namespace {

constexpr std::size_t max_resource_name_chars = 255;

std::string arn(const CallContext& context, std::string_view kind, std::string_view rest) {
  return fmt::format("arn:aws:ecs:{}:{}:{}/{}", context.region, context.account_id, kind, rest);
}

}  // namespace

Error invalid_parameter(std::string message) {
  return make_error(wire::error::InvalidParameterException, std::move(message));
}

Error client_error(std::string message) {
  return make_error(wire::error::ClientException, std::move(message));
}

std::string unsupported(std::string_view member) {
  return fmt::format("{} is not supported by this version of kaapi", member);
}

std::string cluster_arn(const CallContext& context, std::string_view cluster) {
  return arn(context, "cluster", cluster);
}

std::string service_arn(const CallContext& context, std::string_view cluster, std::string_view service) {
  return arn(context, "service", fmt::format("{}/{}", cluster, service));
}

std::string task_arn(const CallContext& context, std::string_view cluster, std::string_view task) {
  return arn(context, "task", fmt::format("{}/{}", cluster, task));
}

std::string definition_arn(const CallContext& context, std::string_view family, int revision) {
  return arn(context, "task-definition", fmt::format("{}:{}", family, revision));
}

std::string instance_arn(const CallContext& context, std::string_view cluster) {
  const std::string id = to_hex(sha256(cluster_arn(context, cluster))).substr(0, 32);
  return arn(context, "container-instance", fmt::format("{}/{}", cluster, id));
}

Named parse_name(const CallContext& context, std::string_view kind, std::string_view text) {
  Named named;
  if (!text.starts_with("arn:")) {
    named.name = text;
    return named;
  }
  const std::string prefix = arn(context, kind, "");
  if (!text.starts_with(prefix)) {
    named.foreign = true;
    return named;
  }
  const std::string_view rest = text.substr(prefix.size());
  const std::size_t slash = rest.find('/');
  if (slash == std::string_view::npos) {
    named.name = rest;
  } else {
    named.cluster = rest.substr(0, slash);
    named.name = rest.substr(slash + 1);
  }
  return named;
}

bool is_resource_name(std::string_view name) {
  return !name.empty() && name.size() <= max_resource_name_chars && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

std::string cluster_name(const CallContext& context, const std::optional<std::string>& given) {
  if (!given || given->empty()) return "default";
  return parse_name(context, "cluster", *given).name;  // empty, so never found, when it is foreign
}

Result<std::string> require_cluster(store::Session& session, const CallContext& context,
                                    const std::optional<std::string>& given) {
  std::string name = cluster_name(context, given);
  const std::optional<ClusterRow> cluster = find_cluster(session, context.region, name);
  if (!cluster) return make_error(wire::error::ClusterNotFoundException, "Cluster not found.");
  if (cluster->status != "ACTIVE") {
    return make_error(wire::error::ClusterNotFoundException, "The referenced cluster was inactive.");
  }
  return name;
}

Result<void> check_cluster_of(const Named& named, std::string_view cluster) {
  if (named.cluster.empty() || named.cluster == cluster) return ok();
  return invalid_parameter(
      fmt::format("Invalid identifier: Identifier is for {}. Your cluster is {}", named.cluster, cluster));
}

Result<std::optional<DefinitionRow>> look_up_definition(store::Session& session, const CallContext& context,
                                                        std::string_view text) {
  const Named named = parse_name(context, "task-definition", text);
  if (named.foreign) return std::optional<DefinitionRow>();
  const std::size_t colon = named.name.find(':');
  if (colon == std::string::npos) return latest_definition(session, context.region, named.name);
  const std::string_view revision = std::string_view(named.name).substr(colon + 1);
  const std::optional<std::int64_t> number = parse_number(revision);
  if (!number) return client_error(fmt::format("Invalid revision number. Number: {}", revision.substr(0, 100)));
  if (*number > std::numeric_limits<int>::max()) return std::optional<DefinitionRow>();
  return find_definition(session, context.region, named.name.substr(0, colon), static_cast<int>(*number));
}

Result<DefinitionRow> require_active_definition(store::Session& session, const CallContext& context,
                                                std::string_view text) {
  Result<std::optional<DefinitionRow>> found = look_up_definition(session, context, text);
  if (!found) return found.error();
  if (!*found) return client_error("TaskDefinition not found.");
  if ((*found)->status != "ACTIVE") return client_error("TaskDefinition is inactive");
  return std::move(**found);
}

Result<void> check_launch_type(const wire::TaskDefinition& definition, std::string_view launch_type) {
  const std::vector<std::string> compatible = definition.compatibilities.value_or(std::vector<std::string>());
  if (std::find(compatible.begin(), compatible.end(), launch_type) != compatible.end()) return ok();
  return invalid_parameter(fmt::format("Task definition does not support launch_type {}.", launch_type));
}

Result<void> check_network(const wire::TaskDefinition& definition,
                           const std::optional<wire::NetworkConfiguration>& network) {
  const bool given = network && network->awsvpcConfiguration;
  if (definition.networkMode == "awsvpc") {
    if (!given) {
      return invalid_parameter("Network Configuration must be provided when networkMode 'awsvpc' is specified.");
    }
    if (network->awsvpcConfiguration->subnets.empty()) return invalid_parameter("subnets can not be empty.");
    return ok();
  }
  if (!given) return ok();
  return invalid_parameter("Network Configuration is not valid for the given networkMode of this task definition.");
}

Result<std::optional<std::string>> launch_type_of(
    const std::optional<std::string>& launch_type,
    const std::optional<std::vector<wire::CapacityProviderStrategyItem>>& strategy) {
  if (launch_type && strategy && !strategy->empty()) {
    return invalid_parameter(
        "Specifying both a launch type and capacity provider strategy is not supported. Remove one "
        "and try again.");
  }
  if (launch_type) {
    if (*launch_type != "EC2" && *launch_type != "FARGATE") {
      return invalid_parameter(unsupported(fmt::format("launchType {}", *launch_type)));
    }
    return launch_type;
  }
  if (!strategy || strategy->empty()) return std::optional<std::string>();
  for (const wire::CapacityProviderStrategyItem& each : *strategy) {
    if (each.capacityProvider == "FARGATE" || each.capacityProvider == "FARGATE_SPOT") continue;
    return invalid_parameter("The specified capacity provider was not found. Specify a valid name and try again.");
  }
  return std::optional<std::string>("FARGATE");
}

std::string default_launch_type(store::Session& session, const CallContext& context, std::string_view cluster) {
  const std::optional<ClusterRow> row = find_cluster(session, context.region, cluster);
  if (!row) return "EC2";
  const wire::Cluster doc = stored<wire::Cluster>(row->doc);
  return doc.defaultCapacityProviderStrategy && !doc.defaultCapacityProviderStrategy->empty() ? "FARGATE" : "EC2";
}

Result<Page> page_of(std::string_view scope, const std::optional<std::string>& token,
                     const std::optional<std::int32_t>& max_results, int default_size) {
  constexpr int max_size = 100;
  Page page;
  page.size = max_results.value_or(default_size);
  if (page.size < 1 || page.size > max_size) {
    return invalid_parameter(fmt::format("maxResults must be between 1 and {}, not {}.", max_size, page.size));
  }
  if (token && !token->empty()) {
    std::optional<std::string> position = decode_page_token(scope, *token);
    if (!position) {
      return invalid_parameter("Invalid token: nextToken must come from the last answer of the same listing.");
    }
    page.after = std::move(*position);
  }
  return page;
}

std::string tags_text(const Tags& tags) {
  std::string text;
  if (tags.empty()) return text;
  JsonWriter out(text);
  aws::JsonFields{out}.put(tags);
  return text;
}

Tags tags_from(std::string_view text) {
  if (text.empty()) return {};
  wire::ListTagsForResourceResponse holder =
      stored<wire::ListTagsForResourceResponse>(fmt::format("{{\"tags\":{}}}", text));
  return std::move(holder.tags).value_or(Tags());
}

Result<void> check_tags(const Tags& tags) {
  std::set<std::string_view> keys;
  for (const wire::Tag& tag : tags) {
    if (!tag.key || tag.key->empty()) return invalid_parameter("A tag needs a key of 1 to 128 characters.");
    if (lower(*tag.key).starts_with("aws:")) {
      return invalid_parameter(
          fmt::format("Tag key '{}' is not allowed: the prefix 'aws:' is reserved for AWS use.", *tag.key));
    }
    if (!keys.insert(*tag.key).second) {
      return invalid_parameter(fmt::format("Duplicate tag keys found: '{}' is given more than once.", *tag.key));
    }
  }
  return ok();
}

bool includes_tags(const std::optional<std::vector<std::string>>& include) {
  return include && std::find(include->begin(), include->end(), "TAGS") != include->end();
}

}  // namespace kaapi::ecs
