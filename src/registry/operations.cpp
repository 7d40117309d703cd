// Repositories and tokens. Images: operations_images.cpp.
#include "registry/operations.h"

#include <fmt/format.h>

#include "base/text.h"
#include "registry/names.h"
#include "registry/operations_common.h"

namespace kaapi::registry {
namespace {

namespace ecr = aws::ecr;

constexpr std::int64_t default_page_size = 100;  // of every ECR listing, says the API reference
constexpr std::string_view name_pattern = "(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*";

ecr::Repository describe(const Config& config, const Repository& repository) {
  ecr::Repository described;
  described.repositoryArn = repository_arn(repository.region, config.account_id, repository.name);
  described.registryId = config.account_id;
  described.repositoryName = repository.name;
  described.repositoryUri = fmt::format("{}/{}", config.host, repository.name);
  described.createdAt = repository.created_at;
  described.imageTagMutability = repository.tag_mutability;
  described.imageScanningConfiguration.emplace().scanOnPush = repository.scan_on_push;
  ecr::EncryptionConfiguration& encryption = described.encryptionConfiguration.emplace();
  encryption.encryptionType = repository.encryption_type;
  encryption.kmsKey = repository.kms_key;
  return described;
}

Result<Repository> wanted_repository(const aws::CallContext& context, const ecr::CreateRepositoryRequest& request) {
  if (!valid_repository_name(request.repositoryName)) {
    return invalid_parameter("repositoryName", fmt::format("must satisfy regular expression '{}'", name_pattern));
  }
  Repository wanted;
  wanted.region = context.region;
  wanted.name = request.repositoryName;
  wanted.created_at = context.now;
  wanted.tag_mutability = request.imageTagMutability.value_or(wanted.tag_mutability);
  Result<void> served = check_mutability(wanted.tag_mutability, request.imageTagMutabilityExclusionFilters.has_value());
  if (!served) return served.error();
  if (request.imageScanningConfiguration)
    wanted.scan_on_push = request.imageScanningConfiguration->scanOnPush.value_or(false);
  if (request.encryptionConfiguration) {
    wanted.encryption_type = request.encryptionConfiguration->encryptionType;
    wanted.kms_key = request.encryptionConfiguration->kmsKey;
  }
  return wanted;
}

Result<ecr::CreateRepositoryResponse> create_repository(Registry& registry, const aws::CallContext& context,
                                                        const ecr::CreateRepositoryRequest& request) {
  if (const Result<RepositoryKey> key = key_of(registry, context, request.repositoryName, request.registryId); !key) {
    return key.error();
  }
  const Result<Repository> wanted = wanted_repository(context, request);
  if (!wanted) return wanted.error();
  const Result<ResourceTags> tags = tags_of(request.tags.value_or(std::vector<ecr::Tag>()));
  if (!tags) return tags.error();
  const Result<Repository> created = registry.catalog().create_repository(*wanted, *tags);
  if (!created) return created.error();
  ecr::CreateRepositoryResponse response;
  response.repository = describe(registry.config(), *created);
  return response;
}

Result<ecr::DescribeRepositoriesResponse> describe_named(Registry& registry, const aws::CallContext& context,
                                                         const ecr::DescribeRepositoriesRequest& request) {
  if (request.nextToken) return invalid_parameter("nextToken", "must not be used when repositoryNames are specified");
  if (request.maxResults) return invalid_parameter("maxResults", "must not be used when repositoryNames are specified");
  ecr::DescribeRepositoriesResponse response;
  response.repositories.emplace();
  for (const std::string& name : *request.repositoryNames) {
    const Result<RepositoryKey> key = key_of(registry, context, name, request.registryId);
    if (!key) return key.error();
    const Result<Repository> found = registry.catalog().repository(*key);
    if (!found) return found.error();
    response.repositories->push_back(describe(registry.config(), *found));
  }
  return response;
}

Result<ecr::DescribeRepositoriesResponse> describe_repositories(Registry& registry, const aws::CallContext& context,
                                                                const ecr::DescribeRepositoriesRequest& request) {
  if (request.repositoryNames) return describe_named(registry, context, request);
  ecr::DescribeRepositoriesResponse response;
  response.repositories.emplace();
  // Another registry has no repositories here.
  if (request.registryId && *request.registryId != registry.config().account_id) return response;
  const Result<Paging> paging =
      paging_of("DescribeRepositories/" + context.region, request.nextToken, request.maxResults);
  if (!paging) return paging.error();
  const Result<std::vector<Repository>> found =
      registry.catalog().repositories(context.region, paging->after, paging->limit + 1);
  if (!found) return found.error();
  const auto limit = static_cast<std::size_t>(paging->limit);
  for (const Repository& repository : *found) {
    if (response.repositories->size() == limit) break;
    response.repositories->push_back(describe(registry.config(), repository));
  }
  const bool more = found->size() > limit;
  response.nextToken = next_token(*paging, more, more ? (*found)[limit - 1].name : "");
  return response;
}

Result<ecr::DeleteRepositoryResponse> delete_repository(Registry& registry, const aws::CallContext& context,
                                                        const ecr::DeleteRepositoryRequest& request) {
  const Result<RepositoryKey> key = key_of(registry, context, request.repositoryName, request.registryId);
  if (!key) return key.error();
  const Result<Repository> found = registry.catalog().repository(*key);
  if (!found) return found.error();
  if (Result<void> deleted = registry.delete_repository(*key, request.force.value_or(false)); !deleted)
    return deleted.error();
  ecr::DeleteRepositoryResponse response;
  response.repository = describe(registry.config(), *found);
  return response;
}

Result<ecr::GetAuthorizationTokenResponse> get_authorization_token(const Registry& registry, const TokenIssuer& tokens,
                                                                   const aws::CallContext& context,
                                                                   const ecr::GetAuthorizationTokenRequest& request) {
  for (const std::string& id : request.registryIds.value_or(std::vector<std::string>())) {
    if (id != registry.config().account_id) {
      return invalid_parameter("registryIds",
                               fmt::format("must be this account's registry, '{}'", registry.config().account_id));
    }
  }
  Token token;
  token.account_id = registry.config().account_id;
  token.region = context.region;
  token.principal = context.principal_arn;
  token.access_key_id = context.access_key_id;
  token.expires_at = context.now + token_lifetime;
  ecr::AuthorizationData data;
  data.authorizationToken = base64_encode("AWS:" + tokens.issue(token));
  data.expiresAt = token.expires_at;
  data.proxyEndpoint = "http://" + registry.config().host;
  ecr::GetAuthorizationTokenResponse response;
  response.authorizationData.emplace().push_back(std::move(data));
  return response;
}

}  // namespace

Error invalid_parameter(std::string_view parameter, std::string_view constraint) {
  return make_error(ecr::error::InvalidParameterException,
                    fmt::format("Invalid parameter at '{}' failed to satisfy constraint: '{}'", parameter, constraint));
}

Result<RepositoryKey> key_of(const Registry& registry, const aws::CallContext& context, const std::string& name,
                             const std::optional<std::string>& registry_id) {
  if (registry_id && *registry_id != registry.config().account_id) return repository_not_found(name, *registry_id);
  return RepositoryKey{context.region, name};
}

Result<Paging> paging_of(std::string scope, const std::optional<std::string>& next_token,
                         std::optional<std::int32_t> max_results) {
  Paging paging;
  paging.scope = std::move(scope);
  paging.limit = max_results.value_or(default_page_size);
  if (!next_token || next_token->empty()) return paging;
  std::optional<std::string> position = decode_page_token(paging.scope, *next_token);
  if (!position)
    return invalid_parameter("nextToken", "must be the nextToken of the previous page, with the same filters");
  paging.after = std::move(*position);
  return paging;
}

std::optional<std::string> next_token(const Paging& paging, bool more, std::string_view last) {
  if (!more) return std::nullopt;
  return encode_page_token(paging.scope, last);
}

void add_operations(aws::Dispatcher& dispatcher, Registry& registry, const TokenIssuer& tokens,
                    PolicyValidator validate) {
  const auto bind = [&registry](auto operation) {
    return [&registry, operation](const aws::CallContext& context, const auto& request) {
      return operation(registry, context, request);
    };
  };
  serve<ecr::CreateRepository>(dispatcher, bind(create_repository));
  serve<ecr::DescribeRepositories>(dispatcher, bind(describe_repositories));
  serve<ecr::DeleteRepository>(dispatcher, bind(delete_repository));
  serve<ecr::GetAuthorizationToken>(dispatcher, [&registry, &tokens](const aws::CallContext& context,
                                                                     const ecr::GetAuthorizationTokenRequest& request) {
    return get_authorization_token(registry, tokens, context, request);
  });
  add_image_operations(dispatcher, registry);
  add_settings_operations(dispatcher, registry, std::move(validate));
  add_layer_operations(dispatcher, registry);
}

}  // namespace kaapi::registry
