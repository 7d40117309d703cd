#include <algorithm>
#include <functional>

#include "base/json.h"
#include "ecs/facts.h"
#include "ecs/operations.h"
#include "ecs/operations_internal.h"

namespace kaapi::ecs {
namespace {

Error no_such_resource(std::string_view arn) {
  return make_error(wire::error::ResourceNotFoundException,
                    fmt::format("The specified resource wasn't found: {}", arn.substr(0, 300)));
}

// A resource's tags with the way to store them again. `save` is valid for the time of the session.
struct Tagged {
  Tags tags;
  std::function<void(const Tags&)> save;
};

Result<Tagged> tagged_cluster(store::Session& session, const CallContext& context, const std::string& name) {
  const std::optional<ClusterRow> row = find_cluster(session, context.region, name);
  if (!row || row->status != "ACTIVE") {
    return make_error(wire::error::ClusterNotFoundException, "Cluster not found.");
  }
  wire::Cluster cluster = stored<wire::Cluster>(row->doc);
  return Tagged{cluster.tags.value_or(Tags()), [&session, row, cluster](const Tags& tags) mutable {
                  cluster.tags = tags;
                  ClusterRow changed = *row;
                  changed.doc = aws::to_json(cluster);
                  save_cluster(session, changed);
                }};
}

Result<Tagged> tagged_service(store::Session& session, const CallContext& context, const std::string& arn,
                              const Named& named) {
  const std::optional<Service> service = find_service(session, context.region, named.cluster, named.name);
  if (!service || service->status == ServiceStatus::inactive) return no_such_resource(arn);
  wire::Service settings = stored<wire::Service>(service->wire);
  return Tagged{settings.tags.value_or(Tags()), [&session, service, settings](const Tags& tags) mutable {
                  settings.tags = tags;
                  Service changed = *service;
                  changed.wire = aws::to_json(settings);
                  save_service(session, changed);
                }};
}

Result<Tagged> tagged_task(store::Session& session, const CallContext& context, const std::string& arn,
                           const Named& named) {
  const std::optional<Task> task = find_task(session, named.name);
  if (!task || task->region != context.region || task->cluster != named.cluster) return no_such_resource(arn);
  return Tagged{tags_from(task->tags), [&session, task](const Tags& tags) {
                  Task changed = *task;
                  changed.tags = tags_text(tags);
                  save_task(session, changed);
                }};
}

Result<Tagged> tagged_definition(store::Session& session, const CallContext& context, const std::string& arn,
                                 const Named& named) {
  if (named.name.find(':') == std::string::npos) return no_such_resource(arn);
  const Result<std::optional<DefinitionRow>> row = look_up_definition(session, context, arn);
  if (!row) return row.error();
  if (!*row) return no_such_resource(arn);
  return Tagged{tags_from((*row)->tags), [&session, definition = **row](const Tags& tags) {
                  DefinitionRow changed = definition;
                  changed.tags = tags_text(tags);
                  save_definition(session, changed);
                }};
}

Result<Tagged> find_tagged(store::Session& session, const CallContext& context, const std::string& arn) {
  if (!arn.starts_with("arn:")) {
    return invalid_parameter(
        fmt::format("Invalid resourceArn '{}': it takes the full ARN of a cluster, service, task or "
                    "task definition.",
                    arn.substr(0, 300)));
  }
  if (const Named named = parse_name(context, "cluster", arn); !named.foreign) {
    return tagged_cluster(session, context, named.name);
  }
  if (const Named named = parse_name(context, "service", arn); !named.foreign) {
    return tagged_service(session, context, arn, named);
  }
  if (const Named named = parse_name(context, "task", arn); !named.foreign) {
    return tagged_task(session, context, arn, named);
  }
  if (const Named named = parse_name(context, "task-definition", arn); !named.foreign) {
    return tagged_definition(session, context, arn, named);
  }
  return no_such_resource(arn);
}

auto find_key(Tags& tags, const std::optional<std::string>& key) {
  return std::find_if(tags.begin(), tags.end(), [&](const wire::Tag& tag) { return tag.key == key; });
}

}  // namespace

Result<wire::TagResourceResponse> Operations::tag_resource(const Context& context,
                                                           const wire::TagResourceRequest& request) {
  if (const Result<void> checked = check_tags(request.tags); !checked) return checked.error();
  return database_.write([&](store::Session& session) -> Result<wire::TagResourceResponse> {
    Result<Tagged> resource = find_tagged(session, context, request.resourceArn);
    if (!resource) return resource.error();
    for (const wire::Tag& tag : request.tags) {
      const auto existing = find_key(resource->tags, tag.key);
      if (existing == resource->tags.end()) {
        resource->tags.push_back(tag);
      } else {
        existing->value = tag.value;
      }
    }
    // Those that the platform itself gives are not counted.
    const auto own = std::count_if(resource->tags.begin(), resource->tags.end(),
                                   [](const wire::Tag& tag) { return !tag.key->starts_with("aws:"); });
    if (static_cast<std::size_t>(own) > max_tags) {
      return invalid_parameter(fmt::format("A resource can have at most {} tags; this would make {}.", max_tags, own));
    }
    resource->save(resource->tags);
    return wire::TagResourceResponse();
  });
}

Result<wire::UntagResourceResponse> Operations::untag_resource(const Context& context,
                                                               const wire::UntagResourceRequest& request) {
  for (const std::string& key : request.tagKeys) {
    if (lower(key).starts_with("aws:")) {
      return invalid_parameter(
          fmt::format("Tag key '{}' is not allowed: the prefix 'aws:' is reserved for AWS use.", key));
    }
  }
  return database_.write([&](store::Session& session) -> Result<wire::UntagResourceResponse> {
    Result<Tagged> resource = find_tagged(session, context, request.resourceArn);
    if (!resource) return resource.error();
    std::erase_if(resource->tags, [&](const wire::Tag& tag) {
      return std::find(request.tagKeys.begin(), request.tagKeys.end(), tag.key) != request.tagKeys.end();
    });
    resource->save(resource->tags);
    return wire::UntagResourceResponse();
  });
}

Result<wire::ListTagsForResourceResponse> Operations::list_tags_for_resource(
    const Context& context, const wire::ListTagsForResourceRequest& request) {
  return database_.read([&](store::Session& session) -> Result<wire::ListTagsForResourceResponse> {
    Result<Tagged> resource = find_tagged(session, context, request.resourceArn);
    if (!resource) return resource.error();
    return wire::ListTagsForResourceResponse{std::move(resource->tags)};
  });
}

std::map<std::string, std::string> ResourceFacts::tags_of(std::string_view arn) const {
  constexpr std::size_t region_part = 3;
  const std::vector<std::string> parts = split(arn, ':');
  CallContext context;
  context.account_id = account_id_;
  if (parts.size() > region_part) context.region = parts[region_part];
  std::map<std::string, std::string> tags;
  const Result<void> read = database_.read([&](store::Session& session) -> Result<void> {
    const Result<Tagged> resource = find_tagged(session, context, std::string(arn));
    if (!resource) return ok();
    for (const wire::Tag& tag : resource->tags) tags[tag.key.value_or("")] = tag.value.value_or("");
    return ok();
  });
  if (!read) tags.clear();
  return tags;
}

}  // namespace kaapi::ecs
