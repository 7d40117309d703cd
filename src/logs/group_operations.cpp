#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>

#include "base/text.h"
#include "logs/operations_internal.h"

namespace kaapi::logs {
namespace {

// PutRetentionPolicy's description in the API reference.
constexpr std::array<std::int32_t, 22> allowed_retention_days = {
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653};
constexpr std::int32_t default_page = 50;

Result<wire::CreateLogGroupResponse> create_log_group(Service service, const CallContext& context,
                                                      const wire::CreateLogGroupRequest& request) {
  if (request.kmsKeyId) return invalid_parameter("kmsKeyId is not supported: there is no KMS here. Leave it out.");
  if (request.deletionProtectionEnabled.value_or(false)) {
    return invalid_parameter("deletionProtectionEnabled is not supported. Leave it out.");
  }
  const Tags tags = request.tags.value_or(Tags());
  if (Result<void> checked = check_tags(tags); !checked) return checked.error();
  const Result<void> made = service.store.create_group(
      {context.region, request.logGroupName}, request.logGroupClass.value_or("STANDARD"), tags, service.clock.now());
  if (!made) return made.error();
  return wire::CreateLogGroupResponse{};
}

Result<wire::DeleteLogGroupResponse> delete_log_group(Service service, const CallContext& context,
                                                      const wire::DeleteLogGroupRequest& request) {
  const Result<void> deleted = service.store.delete_group({context.region, request.logGroupName});
  if (!deleted) return deleted.error();
  return wire::DeleteLogGroupResponse{};
}

Result<GroupQuery> group_query(const CallContext& context, const wire::DescribeLogGroupsRequest& request) {
  GroupQuery query;
  query.prefix = request.logGroupNamePrefix.value_or("");
  query.pattern = request.logGroupNamePattern.value_or("");
  query.log_class = request.logGroupClass.value_or("");
  query.limit = static_cast<std::size_t>(request.limit.value_or(default_page));
  if (!query.prefix.empty() && !query.pattern.empty()) {
    return invalid_parameter("logGroupNamePrefix and logGroupNamePattern cannot be used together.");
  }
  if (request.logGroupIdentifiers && (!query.prefix.empty() || !query.pattern.empty())) {
    return invalid_parameter(
        "logGroupIdentifiers cannot be used together with logGroupNamePrefix or logGroupNamePattern.");
  }
  for (const std::string& identifier : request.logGroupIdentifiers.value_or(std::vector<std::string>())) {
    Result<GroupName> group = group_of(context, identifier);
    if (!group) return group.error();
    query.names.push_back(std::move(group->name));
  }
  return query;
}

wire::LogGroup to_wire(const CallContext& context, Group group) {
  wire::LogGroup out;
  out.arn = group_arn(context, group.name) + ":*";
  out.logGroupArn = group_arn(context, group.name);
  out.creationTime = group.created_at_ms;
  if (group.retention_days) out.retentionInDays = static_cast<std::int32_t>(*group.retention_days);
  out.metricFilterCount = 0;
  out.storedBytes = group.stored_bytes;
  out.logGroupClass = std::move(group.log_class);
  out.logGroupName = std::move(group.name);
  return out;
}

Result<wire::DescribeLogGroupsResponse> describe_log_groups(Service service, const CallContext& context,
                                                            const wire::DescribeLogGroupsRequest& request) {
  Result<GroupQuery> query = group_query(context, request);
  if (!query) return query.error();
  const std::string scope =
      fmt::format("DescribeLogGroups\n{}\n{}\n{}\n{}", context.region, query->prefix, query->pattern, query->log_class);
  Result<std::optional<std::string>> after = page_position(scope, request.nextToken);
  if (!after) return after.error();
  query->after = after->value_or("");
  Result<GroupPage> page = service.store.groups(context.region, *query);
  if (!page) return page.error();
  wire::DescribeLogGroupsResponse response;
  if (page->more) response.nextToken = encode_page_token(scope, page->groups.back().name);
  std::vector<wire::LogGroup>& groups = response.logGroups.emplace();
  for (Group& group : page->groups) groups.push_back(to_wire(context, std::move(group)));
  return response;
}

Result<wire::PutRetentionPolicyResponse> put_retention_policy(Service service, const CallContext& context,
                                                              const wire::PutRetentionPolicyRequest& request) {
  const auto& allowed = allowed_retention_days;
  if (std::find(allowed.begin(), allowed.end(), request.retentionInDays) == allowed.end()) {
    return invalid_parameter(fmt::format("retentionInDays is {}; it must be one of: {}.", request.retentionInDays,
                                         fmt::join(allowed, ", ")));
  }
  const Result<void> set = service.store.set_retention({context.region, request.logGroupName}, request.retentionInDays);
  if (!set) return set.error();
  return wire::PutRetentionPolicyResponse{};
}

Result<wire::DeleteRetentionPolicyResponse> delete_retention_policy(Service service, const CallContext& context,
                                                                    const wire::DeleteRetentionPolicyRequest& request) {
  Result<void> set = service.store.set_retention({context.region, request.logGroupName}, std::nullopt);
  if (!set) return set.error();
  return wire::DeleteRetentionPolicyResponse{};
}

Result<wire::CreateLogStreamResponse> create_log_stream(Service service, const CallContext& context,
                                                        const wire::CreateLogStreamRequest& request) {
  const Result<void> made =
      service.store.create_stream({context.region, request.logGroupName}, request.logStreamName, service.clock.now());
  if (!made) return made.error();
  return wire::CreateLogStreamResponse{};
}

Result<wire::DeleteLogStreamResponse> delete_log_stream(Service service, const CallContext& context,
                                                        const wire::DeleteLogStreamRequest& request) {
  Result<void> deleted = service.store.delete_stream({context.region, request.logGroupName}, request.logStreamName);
  if (!deleted) return deleted.error();
  return wire::DeleteLogStreamResponse{};
}

wire::LogStream to_wire(const CallContext& context, const GroupName& group, Stream stream) {
  wire::LogStream out;
  out.arn = fmt::format("{}:log-stream:{}", group_arn(context, group.name), stream.name);
  out.creationTime = stream.created_at_ms;
  out.firstEventTimestamp = stream.first_event_at_ms;
  out.lastEventTimestamp = stream.last_event_at_ms;
  out.lastIngestionTime = stream.last_ingested_at_ms;
  out.uploadSequenceToken = fmt::format("49{:054}", stream.id);  // nobody looks at it any more, and clients expect one
  out.storedBytes = 0;                                           // always, says the API reference
  out.logStreamName = std::move(stream.name);
  return out;
}

Result<wire::DescribeLogStreamsResponse> describe_log_streams(Service service, const CallContext& context,
                                                              const wire::DescribeLogStreamsRequest& request) {
  const Result<GroupName> group = group_of(context, request.logGroupName, request.logGroupIdentifier);
  if (!group) return group.error();
  StreamQuery query;
  query.prefix = request.logStreamNamePrefix.value_or("");
  query.by_last_event = request.orderBy == "LastEventTime";
  query.descending = request.descending.value_or(false);
  query.limit = static_cast<std::size_t>(request.limit.value_or(default_page));
  if (query.by_last_event && !query.prefix.empty()) {
    return invalid_parameter("Cannot order by LastEventTime with a logStreamNamePrefix.");
  }
  const std::string scope = fmt::format("DescribeLogStreams\n{}\n{}\n{}\n{}{}", group->region, group->name,
                                        query.prefix, query.by_last_event, query.descending);
  Result<std::optional<std::string>> after = page_position(scope, request.nextToken);
  if (!after) return after.error();
  query.after = after->value_or("");
  Result<StreamPage> page = service.store.streams(*group, query);
  if (!page) return page.error();
  wire::DescribeLogStreamsResponse response;
  if (page->next) response.nextToken = encode_page_token(scope, *page->next);
  std::vector<wire::LogStream>& streams = response.logStreams.emplace();
  for (Stream& stream : page->streams) streams.push_back(to_wire(context, *group, std::move(stream)));
  return response;
}

}  // namespace

void add_group_operations(aws::Dispatcher& dispatcher, Service service) {
  using std::placeholders::_1;
  using std::placeholders::_2;
  dispatcher.handle<wire::CreateLogGroup>(std::bind(create_log_group, service, _1, _2));
  dispatcher.handle<wire::DeleteLogGroup>(std::bind(delete_log_group, service, _1, _2));
  dispatcher.handle<wire::DescribeLogGroups>(std::bind(describe_log_groups, service, _1, _2));
  dispatcher.handle<wire::PutRetentionPolicy>(std::bind(put_retention_policy, service, _1, _2));
  dispatcher.handle<wire::DeleteRetentionPolicy>(std::bind(delete_retention_policy, service, _1, _2));
  dispatcher.handle<wire::CreateLogStream>(std::bind(create_log_stream, service, _1, _2));
  dispatcher.handle<wire::DeleteLogStream>(std::bind(delete_log_stream, service, _1, _2));
  dispatcher.handle<wire::DescribeLogStreams>(std::bind(describe_log_streams, service, _1, _2));
}

}  // namespace kaapi::logs
