#include <fmt/format.h>

#include <functional>

#include "base/text.h"
#include "logs/operations_internal.h"

namespace kaapi::logs {
namespace {

Result<GroupName> group_of_arn(const CallContext& context, const std::string& arn) {
  if (arn.starts_with("arn:")) return group_of(context, arn);
  return invalid_parameter(
      fmt::format("'{}' is not the ARN of a log group, such as '{}'.", arn, group_arn(context, "NAME")));
}

// The older operations know no error of their own for it.
Error older_error(const Error& error) {
  return error.code == wire::error::TooManyTagsException ? invalid_parameter(error.message) : error;
}

Result<void> tag(Service service, const GroupName& group, const Tags& tags) {
  if (Result<void> checked = check_tags(tags); !checked) return checked;
  return service.store.tag(group, tags);
}

Result<wire::TagResourceResponse> tag_resource(Service service, const CallContext& context,
                                               const wire::TagResourceRequest& request) {
  const Result<GroupName> group = group_of_arn(context, request.resourceArn);
  if (!group) return group.error();
  if (Result<void> tagged = tag(service, *group, request.tags); !tagged) return tagged.error();
  return wire::TagResourceResponse{};
}

Result<wire::UntagResourceResponse> untag_resource(Service service, const CallContext& context,
                                                   const wire::UntagResourceRequest& request) {
  const Result<GroupName> group = group_of_arn(context, request.resourceArn);
  if (!group) return group.error();
  if (Result<void> untagged = service.store.untag(*group, request.tagKeys); !untagged) return untagged.error();
  return wire::UntagResourceResponse{};
}

Result<wire::ListTagsForResourceResponse> list_tags_for_resource(Service service, const CallContext& context,
                                                                 const wire::ListTagsForResourceRequest& request) {
  const Result<GroupName> group = group_of_arn(context, request.resourceArn);
  if (!group) return group.error();
  Result<Tags> tags = service.store.tags(*group);
  if (!tags) return tags.error();
  wire::ListTagsForResourceResponse response;
  response.tags = std::move(*tags);
  return response;
}

// ---- The older operations, which name the group.

Result<wire::TagLogGroupResponse> tag_log_group(Service service, const CallContext& context,
                                                const wire::TagLogGroupRequest& request) {
  Result<void> tagged = tag(service, {context.region, request.logGroupName}, request.tags);
  if (!tagged) return older_error(tagged.error());
  return wire::TagLogGroupResponse{};
}

Result<wire::UntagLogGroupResponse> untag_log_group(Service service, const CallContext& context,
                                                    const wire::UntagLogGroupRequest& request) {
  Result<void> untagged = service.store.untag({context.region, request.logGroupName}, request.tags);
  if (!untagged) return untagged.error();
  return wire::UntagLogGroupResponse{};
}

Result<wire::ListTagsLogGroupResponse> list_tags_log_group(Service service, const CallContext& context,
                                                           const wire::ListTagsLogGroupRequest& request) {
  Result<Tags> tags = service.store.tags({context.region, request.logGroupName});
  if (!tags) return tags.error();
  wire::ListTagsLogGroupResponse response;
  response.tags = std::move(*tags);
  return response;
}

}  // namespace

Result<void> check_tags(const Tags& tags) {
  for (const auto& [key, value] : tags) {
    if (lower(key).starts_with("aws:")) {
      return invalid_parameter(
          fmt::format("Tag key '{}' is not allowed: the prefix 'aws:' is reserved for AWS use.", key));
    }
  }
  return ok();
}

void add_tag_operations(aws::Dispatcher& dispatcher, Service service) {
  using std::placeholders::_1;
  using std::placeholders::_2;
  dispatcher.handle<wire::TagResource>(std::bind(tag_resource, service, _1, _2));
  dispatcher.handle<wire::UntagResource>(std::bind(untag_resource, service, _1, _2));
  dispatcher.handle<wire::ListTagsForResource>(std::bind(list_tags_for_resource, service, _1, _2));
  dispatcher.handle<wire::TagLogGroup>(std::bind(tag_log_group, service, _1, _2));
  dispatcher.handle<wire::UntagLogGroup>(std::bind(untag_log_group, service, _1, _2));
  dispatcher.handle<wire::ListTagsLogGroup>(std::bind(list_tags_log_group, service, _1, _2));
}

}  // namespace kaapi::logs
