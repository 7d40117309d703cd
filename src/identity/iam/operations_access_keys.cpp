// Access keys of users. The root key is made and changed by the program's own commands only.
#include "identity/iam/operations_internal.h"

namespace kaapi::identity {
namespace {

constexpr std::string_view active = "Active";
constexpr std::string_view inactive = "Inactive";

Error no_such_key(std::string_view id) {
  return no_such_entity(fmt::format("The Access Key with id {} cannot be found.", id));
}

// The key, which must be that user's.
Result<const AccessKeyRecord*> require_key(const IamState& state, const User& user, const std::string& id) {
  const AccessKeyRecord* key = state.access_keys.find(id);
  if (key == nullptr || key->user != user.name) return no_such_key(id);
  return key;
}

Result<wire::CreateAccessKeyResponse> create_access_key(Directory& directory, const CallContext& context,
                                                        const wire::CreateAccessKeyRequest& request) {
  return directory.write([&](Edit& edit) -> Result<wire::CreateAccessKeyResponse> {
    const Result<const User*> found = user_or_caller(edit.state(), context, request.UserName);
    if (!found) return found.error();
    User user = **found;
    if (user.access_keys.size() >= max_access_keys_per_user) {
      return quota_exceeded("AccessKeysPerUser", max_access_keys_per_user);
    }
    AccessKeyRecord key;
    key.id = "AKIA" + directory.ids().letters(16);
    key.secret = new_secret(directory.ids());
    key.user = user.name;
    key.created_at = whole_seconds(context.now);
    user.access_keys.push_back(key.id);

    wire::CreateAccessKeyResponse response;
    response.AccessKey.UserName = key.user;
    response.AccessKey.AccessKeyId = key.id;
    response.AccessKey.Status = active;
    response.AccessKey.SecretAccessKey = key.secret;
    response.AccessKey.CreateDate = key.created_at;
    edit.put(std::move(key));
    edit.put(std::move(user));
    return response;
  });
}

Result<wire::UpdateAccessKeyResponse> update_access_key(Directory& directory, const CallContext& context,
                                                        const wire::UpdateAccessKeyRequest& request) {
  if (request.Status != active && request.Status != inactive) {
    return validation_error("The status of an access key must be Active or Inactive");
  }
  return directory.write([&](Edit& edit) -> Result<wire::UpdateAccessKeyResponse> {
    const Result<const User*> user = user_or_caller(edit.state(), context, request.UserName);
    if (!user) return user.error();
    const Result<const AccessKeyRecord*> found = require_key(edit.state(), **user, request.AccessKeyId);
    if (!found) return found.error();
    AccessKeyRecord key = **found;
    key.active = request.Status == active;
    edit.put(std::move(key));
    return wire::UpdateAccessKeyResponse();
  });
}

Result<wire::DeleteAccessKeyResponse> delete_access_key(Directory& directory, const CallContext& context,
                                                        const wire::DeleteAccessKeyRequest& request) {
  return directory.write([&](Edit& edit) -> Result<wire::DeleteAccessKeyResponse> {
    const Result<const User*> found = user_or_caller(edit.state(), context, request.UserName);
    if (!found) return found.error();
    User user = **found;
    const Result<const AccessKeyRecord*> key = require_key(edit.state(), user, request.AccessKeyId);
    if (!key) return key.error();
    const AccessKeyRecord record = **key;
    std::erase(user.access_keys, record.id);
    edit.erase(record);
    edit.put(std::move(user));
    return wire::DeleteAccessKeyResponse();
  });
}

Result<wire::ListAccessKeysResponse> list_access_keys(Directory& directory, const CallContext& context,
                                                      const wire::ListAccessKeysRequest& request) {
  const auto state = directory.state();
  const Result<const User*> user = user_or_caller(*state, context, request.UserName);
  if (!user) return user.error();
  Rows<const AccessKeyRecord*> all;
  for (const std::string& id : (*user)->access_keys) all.emplace_back(id, state->access_keys.find(id));
  std::sort(all.begin(), all.end());
  wire::ListAccessKeysResponse response;
  const auto rows = cut(std::move(all), "access-keys/" + (*user)->name, request, response);
  if (!rows) return rows.error();
  for (const auto& [id, key] : *rows) {
    wire::AccessKeyMetadata& shown = response.AccessKeyMetadata.emplace_back();
    shown.UserName = key->user;
    shown.AccessKeyId = id;
    shown.Status = key->active ? active : inactive;
    shown.CreateDate = key->created_at;
  }
  return response;
}

Result<wire::GetAccessKeyLastUsedResponse> get_access_key_last_used(Directory& directory, const CallContext&,
                                                                    const wire::GetAccessKeyLastUsedRequest& request) {
  const auto state = directory.state();
  const AccessKeyRecord* key = state->access_keys.find(request.AccessKeyId);
  if (key == nullptr) return no_such_key(request.AccessKeyId);
  wire::GetAccessKeyLastUsedResponse response;
  response.UserName = key->user;
  wire::AccessKeyLastUsed& shown = response.AccessKeyLastUsed.emplace();
  const std::optional<LastUsed> last = directory.last_used(key->id);
  shown.ServiceName = last ? last->service : "N/A";
  shown.Region = last ? last->region : "N/A";
  if (last) shown.LastUsedDate = whole_seconds(last->at);
  return response;
}

}  // namespace

void add_access_key_operations(aws::Dispatcher& dispatcher, Directory& directory) {
  serve<wire::CreateAccessKey>(dispatcher, directory, create_access_key);
  serve<wire::UpdateAccessKey>(dispatcher, directory, update_access_key);
  serve<wire::DeleteAccessKey>(dispatcher, directory, delete_access_key);
  serve<wire::ListAccessKeys>(dispatcher, directory, list_access_keys);
  serve<wire::GetAccessKeyLastUsed>(dispatcher, directory, get_access_key_last_used);
}

}  // namespace kaapi::identity
