#pragma once
// What the operations share: names and ARNs, look-ups with AWS's errors, pages, tags. Not for other folders.

#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "aws/dispatch.h"
#include "aws/gen/ecs.h"
#include "base/error.h"
#include "base/text.h"
#include "ecs/state.h"
#include "store/database.h"

namespace kaapi::ecs {

namespace wire = aws::ecs;
using aws::CallContext;

// Errors.

Error invalid_parameter(std::string message);
Error client_error(std::string message);
// "MEMBER is not supported by this version of kaapi".
std::string unsupported(std::string_view member);

// ARNs, in the long format.

std::string cluster_arn(const CallContext& context, std::string_view cluster);
std::string service_arn(const CallContext& context, std::string_view cluster, std::string_view service);
std::string task_arn(const CallContext& context, std::string_view cluster, std::string_view task);
std::string definition_arn(const CallContext& context, std::string_view family, int revision);
// The one machine, as a container instance of the cluster: the same one every time.
std::string instance_arn(const CallContext& context, std::string_view cluster);

// A name that was given bare or as an ARN. `foreign`: an ARN of another region, account or kind, so a miss.
struct Named {
  std::string name;     // "web", or for a cluster its name, for a task its id
  std::string cluster;  // when the ARN says it
  bool foreign = false;
};
// `kind`: "cluster", "service", "task", "task-definition", "container-instance".
Named parse_name(const CallContext& context, std::string_view kind, std::string_view text);
// 1 to 255 letters, digits, hyphens and underscores.
bool is_resource_name(std::string_view name);

// The name of the cluster that the request means; "default" when it says none.
std::string cluster_name(const CallContext& context, const std::optional<std::string>& given);
// The same, which must exist and be ACTIVE: else ClusterNotFoundException.
Result<std::string> require_cluster(store::Session& session, const CallContext& context,
                                    const std::optional<std::string>& given);
// `named` must not point into another cluster: else InvalidParameterException.
Result<void> check_cluster_of(const Named& named, std::string_view cluster);

// "family", "family:revision" or an ARN. Without a revision: the newest ACTIVE one. nullopt when there is none.
// Errors: ClientException for a revision that is no number.
Result<std::optional<DefinitionRow>> look_up_definition(store::Session& session, const CallContext& context,
                                                        std::string_view text);
// One that may be run: else ClientException.
Result<DefinitionRow> require_active_definition(store::Session& session, const CallContext& context,
                                                std::string_view text);
// Can it run as this launch type? Else InvalidParameterException.
Result<void> check_launch_type(const wire::TaskDefinition& definition, std::string_view launch_type);
// Network configuration is required for awsvpc and only then: else InvalidParameterException.
Result<void> check_network(const wire::TaskDefinition& definition,
                           const std::optional<wire::NetworkConfiguration>& network);

// The launch type that a request asks for, directly or by the capacity providers FARGATE and FARGATE_SPOT; nullopt when
// it says nothing. Errors: InvalidParameterException.
Result<std::optional<std::string>> launch_type_of(
    const std::optional<std::string>& launch_type,
    const std::optional<std::vector<wire::CapacityProviderStrategyItem>>& strategy);
// What a request that says nothing gets: the cluster's default capacity providers, else EC2.
std::string default_launch_type(store::Session& session, const CallContext& context, std::string_view cluster);

// Stored wire JSON; what cannot be read throws store::SqlFailure with `Damaged`.
template <class T>
T stored(std::string_view text) {
  Result<T> value = aws::from_json<T>(text);
  if (!value) {
    throw store::SqlFailure(
        make_error(errc::damaged, fmt::format("a stored wire value cannot be read: {}", value.error().message), 500));
  }
  return std::move(*value);
}

// Pages.

struct Page {
  int size = 0;
  std::string after;  // empty: from the start
};
// `scope` names the listing with its filters. Errors: InvalidParameterException.
Result<Page> page_of(std::string_view scope, const std::optional<std::string>& token,
                     const std::optional<std::int32_t>& max_results, int default_size = 100);
// `items` were read with one more than the page; cuts it off and returns the token of the next page.
template <class T, class Position>
std::optional<std::string> cut_page(std::vector<T>& items, const Page& page, std::string_view scope,
                                    Position&& position) {
  if (items.size() <= static_cast<std::size_t>(page.size)) return std::nullopt;
  items.resize(static_cast<std::size_t>(page.size));
  return encode_page_token(scope, position(items.back()));
}

// Tags.

using Tags = std::vector<wire::Tag>;
std::string tags_text(const Tags& tags);  // wire JSON list; empty when there are none
Tags tags_from(std::string_view text);
// Keys and values of a request. Errors: InvalidParameterException.
Result<void> check_tags(const Tags& tags);
bool includes_tags(const std::optional<std::vector<std::string>>& include);

}  // namespace kaapi::ecs
