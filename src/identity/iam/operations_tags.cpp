// Tags of users, roles, policies, instance profiles and providers. One text for all kinds.
#include "identity/iam/operations_internal.h"

namespace kaapi::identity {
namespace {

template <class T, class Op>
Result<typename Op::Response> tag(Directory& directory, const CallContext&, const typename Op::Request& request) {
  const Result<void> done = edit_one<T>(
      directory, key_of(request), [&](const IamState&, T& entity) { return add_tags(entity.tags, request.Tags); });
  if (!done) return done.error();
  return typename Op::Response();
}

template <class T, class Op>
Result<typename Op::Response> untag(Directory& directory, const CallContext&, const typename Op::Request& request) {
  const Result<void> done = edit_one<T>(directory, key_of(request), [&](const IamState&, T& entity) {
    remove_tags(entity.tags, request.TagKeys);
    return ok();
  });
  if (!done) return done.error();
  return typename Op::Response();
}

template <class T, class Op>
Result<typename Op::Response> list_tags(Directory& directory, const CallContext&, const typename Op::Request& request) {
  const auto state = directory.state();
  typename Op::Response response;
  Tags tags;
  // AWS's own policies have none.
  if (!is_aws_managed(key_of(request)) || managed_document(*state, key_of(request)) == nullptr) {
    const Result<const T*> entity = require<T>(*state, key_of(request));
    if (!entity) return entity.error();
    tags = (*entity)->tags;
  }
  Rows<Tag> all;
  for (const Tag& one : tags) all.emplace_back(one.Key, one);
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  const auto rows = cut(std::move(all), "tags/" + key_of(request), request, response);
  if (!rows) return rows.error();
  for (const auto& [key, one] : *rows) response.Tags.push_back({one.Key, one.Value});
  return response;
}

}  // namespace

void add_tag_operations(aws::Dispatcher& dispatcher, Directory& directory) {
  using namespace wire;
  serve<TagUser>(dispatcher, directory, tag<identity::User, TagUser>);
  serve<UntagUser>(dispatcher, directory, untag<identity::User, UntagUser>);
  serve<ListUserTags>(dispatcher, directory, list_tags<identity::User, ListUserTags>);
  serve<TagRole>(dispatcher, directory, tag<identity::Role, TagRole>);
  serve<UntagRole>(dispatcher, directory, untag<identity::Role, UntagRole>);
  serve<ListRoleTags>(dispatcher, directory, list_tags<identity::Role, ListRoleTags>);
  serve<TagPolicy>(dispatcher, directory, tag<ManagedPolicy, TagPolicy>);
  serve<UntagPolicy>(dispatcher, directory, untag<ManagedPolicy, UntagPolicy>);
  serve<ListPolicyTags>(dispatcher, directory, list_tags<ManagedPolicy, ListPolicyTags>);
  serve<TagInstanceProfile>(dispatcher, directory, tag<identity::InstanceProfile, TagInstanceProfile>);
  serve<UntagInstanceProfile>(dispatcher, directory, untag<identity::InstanceProfile, UntagInstanceProfile>);
  serve<ListInstanceProfileTags>(dispatcher, directory, list_tags<identity::InstanceProfile, ListInstanceProfileTags>);
  serve<TagOpenIDConnectProvider>(dispatcher, directory, tag<OidcProvider, TagOpenIDConnectProvider>);
  serve<UntagOpenIDConnectProvider>(dispatcher, directory, untag<OidcProvider, UntagOpenIDConnectProvider>);
  serve<ListOpenIDConnectProviderTags>(dispatcher, directory, list_tags<OidcProvider, ListOpenIDConnectProviderTags>);
}

}  // namespace kaapi::identity
