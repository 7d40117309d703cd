// OpenID Connect providers: which issuers' tokens may be exchanged for a role's credentials. Thumbprints are stored for
// clients that send them; an issuer is trusted by its TLS certificate.
#include "identity/iam/operations_internal.h"

namespace kaapi::identity {
namespace {

constexpr std::string_view scheme = "https://";

// The URL without its scheme, as it is part of the ARN. AWS's rules, but for a port, which a local issuer may need.
Result<std::string> issuer_of(std::string_view url) {
  const std::string_view rest = url.starts_with(scheme) ? url.substr(scheme.size()) : std::string_view();
  const bool printable = std::all_of(rest.begin(), rest.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  const bool good = !rest.empty() && printable && rest.find_first_of("?#@") == std::string_view::npos &&
                    rest.front() != '/' && rest.front() != ':';
  if (good) return std::string(rest);
  return validation_error(
      "Invalid Open ID Connect Provider URL: it must be the issuer's https:// URL, without user, query or fragment");
}

Result<void> check_client_ids(const std::vector<std::string>& ids) {
  if (ids.size() <= max_client_ids) return ok();
  return quota_exceeded("ClientIdsPerOpenIdConnectProvider", max_client_ids);
}

// Lower-case hex.
Result<std::vector<std::string>> thumbprints_of(const std::vector<std::string>& given) {
  if (given.size() > max_thumbprints) {
    return invalid_input(fmt::format("Thumbprint list must contain at most {} entries.", max_thumbprints));
  }
  std::vector<std::string> thumbprints;
  for (const std::string& one : given) {
    thumbprints.push_back(lower(one));
    if (thumbprints.back().find_first_not_of("0123456789abcdef") != std::string::npos) {
      return invalid_input(fmt::format("Invalid thumbprint '{}': it takes 40 hexadecimal digits", one));
    }
  }
  return thumbprints;
}

Result<OidcProvider> wanted_provider(const CallContext& context,
                                     const wire::CreateOpenIDConnectProviderRequest& request) {
  Result<std::string> issuer = issuer_of(request.Url);
  if (!issuer) return issuer.error();
  Result<Tags> tags = tags_of(request.Tags);
  if (!tags) return tags.error();
  Result<std::vector<std::string>> thumbprints =
      thumbprints_of(request.ThumbprintList.value_or(std::vector<std::string>()));
  if (!thumbprints) return thumbprints.error();
  OidcProvider provider;
  provider.url = std::move(*issuer);
  provider.thumbprints = std::move(*thumbprints);
  provider.tags = std::move(*tags);
  provider.created_at = whole_seconds(context.now);
  for (const std::string& id : request.ClientIDList.value_or(std::vector<std::string>())) {
    std::vector<std::string>& ids = provider.client_ids;
    if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
  }
  if (const Result<void> checked = check_client_ids(provider.client_ids); !checked) return checked.error();
  return provider;
}

Result<wire::CreateOpenIDConnectProviderResponse> create_provider(
    Directory& directory, const CallContext& context, const wire::CreateOpenIDConnectProviderRequest& request) {
  Result<OidcProvider> provider = wanted_provider(context, request);
  if (!provider) return provider.error();
  provider->arn = fmt::format("arn:aws:iam::{}:oidc-provider/{}", directory.account_id(), provider->url);
  return directory.write([&](Edit& edit) -> Result<wire::CreateOpenIDConnectProviderResponse> {
    if (edit.state().oidc_provider(provider->arn) != nullptr) {
      return already_exists(fmt::format("Provider with url {}{} already exists.", scheme, provider->url));
    }
    if (edit.state().oidc_providers.size() >= max_oidc_providers) {
      return quota_exceeded("OpenIdConnectProvidersPerAccount", max_oidc_providers);
    }
    wire::CreateOpenIDConnectProviderResponse response;
    response.OpenIDConnectProviderArn = provider->arn;
    response.Tags = wire_tags(provider->tags);
    edit.put(std::move(*provider));
    return response;
  });
}

Result<wire::GetOpenIDConnectProviderResponse> get_provider(Directory& directory, const CallContext&,
                                                            const wire::GetOpenIDConnectProviderRequest& request) {
  const auto state = directory.state();
  const Result<const OidcProvider*> provider = require<OidcProvider>(*state, request.OpenIDConnectProviderArn);
  if (!provider) return provider.error();
  wire::GetOpenIDConnectProviderResponse response;
  response.Url = (*provider)->url;
  response.ClientIDList = (*provider)->client_ids;
  response.ThumbprintList = (*provider)->thumbprints;
  response.CreateDate = (*provider)->created_at;
  response.Tags = wire_tags((*provider)->tags);
  return response;
}

Result<wire::ListOpenIDConnectProvidersResponse> list_providers(Directory& directory, const CallContext&,
                                                                const wire::ListOpenIDConnectProvidersRequest&) {
  const auto state = directory.state();
  wire::ListOpenIDConnectProvidersResponse response;
  response.OpenIDConnectProviderList.emplace();
  for (const auto& [arn, provider] : state->oidc_providers.all()) {
    response.OpenIDConnectProviderList->emplace_back().Arn = arn;
  }
  return response;
}

// Says nothing when there is none, as AWS documents it.
Result<wire::DeleteOpenIDConnectProviderResponse> delete_provider(
    Directory& directory, const CallContext&, const wire::DeleteOpenIDConnectProviderRequest& request) {
  return directory.write([&](Edit& edit) -> Result<wire::DeleteOpenIDConnectProviderResponse> {
    if (const OidcProvider* found = edit.state().oidc_provider(request.OpenIDConnectProviderArn)) {
      const OidcProvider provider = *found;
      edit.erase(provider);
    }
    return wire::DeleteOpenIDConnectProviderResponse();
  });
}

Result<wire::AddClientIDToOpenIDConnectProviderResponse> add_client(
    Directory& directory, const CallContext&, const wire::AddClientIDToOpenIDConnectProviderRequest& request) {
  const Result<void> done = edit_one<OidcProvider>(
      directory, request.OpenIDConnectProviderArn, [&](const IamState&, OidcProvider& provider) -> Result<void> {
        std::vector<std::string>& ids = provider.client_ids;
        if (std::find(ids.begin(), ids.end(), request.ClientID) != ids.end()) return ok();
        ids.push_back(request.ClientID);
        return check_client_ids(ids);
      });
  if (!done) return done.error();
  return wire::AddClientIDToOpenIDConnectProviderResponse();
}

Result<wire::RemoveClientIDFromOpenIDConnectProviderResponse> remove_client(
    Directory& directory, const CallContext&, const wire::RemoveClientIDFromOpenIDConnectProviderRequest& request) {
  const Result<void> done =
      edit_one<OidcProvider>(directory, request.OpenIDConnectProviderArn, [&](const IamState&, OidcProvider& provider) {
        std::erase(provider.client_ids, request.ClientID);
        return ok();
      });
  if (!done) return done.error();
  return wire::RemoveClientIDFromOpenIDConnectProviderResponse();
}

Result<wire::UpdateOpenIDConnectProviderThumbprintResponse> update_thumbprint(
    Directory& directory, const CallContext&, const wire::UpdateOpenIDConnectProviderThumbprintRequest& request) {
  const Result<void> done = edit_one<OidcProvider>(
      directory, request.OpenIDConnectProviderArn, [&](const IamState&, OidcProvider& provider) -> Result<void> {
        Result<std::vector<std::string>> thumbprints = thumbprints_of(request.ThumbprintList);
        if (!thumbprints) return thumbprints.error();
        provider.thumbprints = std::move(*thumbprints);
        return ok();
      });
  if (!done) return done.error();
  return wire::UpdateOpenIDConnectProviderThumbprintResponse();
}

}  // namespace

void add_oidc_operations(aws::Dispatcher& dispatcher, Directory& directory) {
  serve<wire::CreateOpenIDConnectProvider>(dispatcher, directory, create_provider);
  serve<wire::GetOpenIDConnectProvider>(dispatcher, directory, get_provider);
  serve<wire::ListOpenIDConnectProviders>(dispatcher, directory, list_providers);
  serve<wire::DeleteOpenIDConnectProvider>(dispatcher, directory, delete_provider);
  serve<wire::AddClientIDToOpenIDConnectProvider>(dispatcher, directory, add_client);
  serve<wire::RemoveClientIDFromOpenIDConnectProvider>(dispatcher, directory, remove_client);
  serve<wire::UpdateOpenIDConnectProviderThumbprint>(dispatcher, directory, update_thumbprint);
}

}  // namespace kaapi::identity
