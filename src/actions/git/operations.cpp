#include "actions/git/operations.h"

#include <fmt/format.h>

#include <algorithm>

#include "actions/git/git.h"
#include "actions/protocol/actor.h"
#include "aws/gen/git.h"
#include "base/text.h"

namespace kaapi::actions::git {
namespace {

namespace wire = aws::git;

constexpr std::int32_t default_page = 100;
constexpr std::string_view list_scope = "ListRepositories";

// The codes of the model for those of the house.
Error on_wire(const Error& error, std::string_view missing = wire::error::RepositoryNotFoundException) {
  if (error.code == errc::not_found) return make_error(missing, error.message);
  if (error.code == errc::conflict) return make_error(wire::error::RepositoryAlreadyExistsException, error.message);
  if (error.code == errc::too_large) return make_error(wire::error::LimitExceededException, error.message);
  if (error.code == errc::invalid) return make_error(wire::error::ValidationException, error.message);
  return internal_error(error.message);
}

class Operations {
 public:
  explicit Operations(const OperationRooms& rooms) : rooms_(rooms) {}

  // Repositories are one region's. In another the policies would be asked for other ARNs than those of the
  // repositories.
  Result<void> check_region(const aws::CallContext& context) const {
    if (context.region == rooms_.config.region) return ok();
    return make_error(wire::error::ValidationException,
                      fmt::format("repositories live in {}, not in {}: call with --region {}", rooms_.config.region,
                                  context.region, rooms_.config.region));
  }

  wire::Repository described(const Repository& repository) const {
    wire::Repository out;
    out.repository = repository.name;
    out.arn = repository_arn(rooms_.config, repository.name);
    out.id = std::to_string(repository.id);
    out.defaultBranch = repository.default_branch;
    out.clonePath = repository.clone_path();
    out.createdAt = repository.created_at;
    std::vector<wire::ProtectionRule> rules;
    for (const Rule& rule : repository.rules) {
      wire::ProtectionRule one;
      one.kind = rule.kind == Rule::Kind::tag ? wire::RefKind::tag : wire::RefKind::branch;
      one.pattern = rule.pattern;
      if (!rule.pushers.empty()) one.pushers = rule.pushers;
      rules.push_back(std::move(one));
    }
    out.rules = std::move(rules);
    if (!repository.mirror_of.empty()) out.mirror = mirror_of(repository.name);
    return out;
  }

  Result<wire::CreateRepositoryResponse> create(const wire::CreateRepositoryRequest& request) const {
    const Result<Repository> made = rooms_.repositories.create(request.repository, request.defaultBranch.value_or(""));
    if (!made) return on_wire(made.error());
    return wire::CreateRepositoryResponse{described(*made)};
  }

  Result<wire::DescribeRepositoryResponse> describe(const wire::DescribeRepositoryRequest& request) const {
    const Result<Repository> found = rooms_.repositories.find(request.repository);
    if (!found) return on_wire(found.error());
    return wire::DescribeRepositoryResponse{described(*found)};
  }

  Result<wire::ListRepositoriesResponse> list(const wire::ListRepositoriesRequest& request) const {
    const auto limit = static_cast<std::size_t>(request.maxResults.value_or(default_page));
    const std::optional<std::string> after =
        request.nextToken ? decode_page_token(list_scope, *request.nextToken) : std::string();
    if (!after) return make_error(wire::error::ValidationException, "nextToken is not of this listing");
    const auto page = rooms_.repositories.list(*after, limit + 1);
    if (!page) return on_wire(page.error());
    wire::ListRepositoriesResponse response;
    std::vector<wire::Repository> out;
    for (std::size_t i = 0; i < std::min(limit, page->size()); ++i) out.push_back(described((*page)[i]));
    if (page->size() > limit) response.nextToken = encode_page_token(list_scope, (*page)[limit - 1].name);
    response.repositories = std::move(out);
    return response;
  }

  Result<wire::DeleteRepositoryResponse> remove(const wire::DeleteRepositoryRequest& request) const {
    if (const auto found = rooms_.repositories.find(request.repository); !found) return on_wire(found.error());
    // First, so that nothing is left for another repository of that name.
    const Result<void> forgotten = rooms_.forget(request.repository);
    if (!forgotten && forgotten.error().code == errc::conflict) {
      return make_error(wire::error::ValidationException, forgotten.error().message);
    }
    if (!forgotten) return on_wire(forgotten.error());
    const Result<void> gone = rooms_.repositories.remove(request.repository);
    if (!gone) return on_wire(gone.error());
    return wire::DeleteRepositoryResponse();
  }

  Result<wire::PutRepositoryProtectionResponse> protect(const wire::PutRepositoryProtectionRequest& request) const {
    std::vector<Rule> rules;
    for (const wire::ProtectionRule& rule : request.rules) {
      rules.push_back({rule.kind == wire::RefKind::tag ? Rule::Kind::tag : Rule::Kind::branch, rule.pattern,
                       rule.pushers.value_or(std::vector<std::string>())});
    }
    const Result<Repository> changed = rooms_.repositories.protect(request.repository, std::move(rules));
    if (!changed) return on_wire(changed.error());
    return wire::PutRepositoryProtectionResponse{described(*changed)};
  }

  Result<wire::PutDefaultBranchResponse> set_default_branch(const wire::PutDefaultBranchRequest& request) const {
    if (const auto found = rooms_.repositories.find(request.repository); !found) return on_wire(found.error());
    const Result<Repository> changed = rooms_.pushes.set_default_branch(request.repository, request.defaultBranch);
    if (!changed) return on_wire(changed.error(), wire::error::ValidationException);
    return wire::PutDefaultBranchResponse{described(*changed)};
  }

  Result<wire::ReplayPushResponse> replay(const aws::CallContext& context,
                                          const wire::ReplayPushRequest& request) const {
    if (const auto found = rooms_.repositories.find(request.repository); !found) return on_wire(found.error());
    PushEvent event;
    event.repository = request.repository;
    event.actor = actor_name(context.principal_arn);
    event.actor_arn = context.principal_arn;
    event.actor_id = actor_id(context.user_id, context.principal_arn);
    const Result<PushReport> report = rooms_.pushes.replay(std::move(event), request.ref);
    if (!report) return on_wire(report.error(), wire::error::ValidationException);
    return wire::ReplayPushResponse{report->lines};
  }

  Result<wire::CreateAccessTokenResponse> create_token(const aws::CallContext& context,
                                                       const wire::CreateAccessTokenRequest& request) const {
    const auto lifetime =
        request.durationSeconds ? std::chrono::seconds(*request.durationSeconds) : default_token_lifetime;
    AccessToken token;
    token.name = request.name;
    token.access_key_id = context.access_key_id;
    token.principal_arn = context.principal_arn;
    token.expires_at = rooms_.clock.now() + lifetime;
    // A session's tokens end with it.
    const std::optional<aws::AccessKey> key = rooms_.keys.find(context.access_key_id);
    if (key && key->expires_at) token.expires_at = std::min(token.expires_at, *key->expires_at);
    const Result<AccessTokens::Created> made = rooms_.tokens.create(std::move(token));
    if (!made) return on_wire(made.error());
    return wire::CreateAccessTokenResponse{on_wire(made->token), made->secret};
  }

  Result<wire::ListAccessTokensResponse> list_tokens(const aws::CallContext& context,
                                                     const wire::ListAccessTokensRequest& request) const {
    const bool all = request.all.value_or(false);
    if (all && !context.is_root) {
      return make_error(wire::error::ValidationException, "only the account's root sees the access tokens of all");
    }
    const auto found = rooms_.tokens.list(all ? std::string() : context.principal_arn);
    if (!found) return on_wire(found.error());
    std::vector<wire::AccessToken> out;
    for (const AccessToken& token : *found) out.push_back(on_wire(token));
    return wire::ListAccessTokensResponse{std::move(out)};
  }

  Result<wire::DeleteAccessTokenResponse> delete_token(const aws::CallContext& context,
                                                       const wire::DeleteAccessTokenRequest& request) const {
    const Result<void> gone =
        rooms_.tokens.remove(request.tokenId, context.is_root ? std::string() : context.principal_arn);
    if (!gone) return on_wire(gone.error(), wire::error::AccessTokenNotFoundException);
    return wire::DeleteAccessTokenResponse();
  }

  Result<wire::MirrorRepositoryResponse> mirror(const aws::CallContext& context,
                                                const wire::MirrorRepositoryRequest& request) const {
    if (!rooms_.repositories.find(request.repository)) {
      const Result<std::string> may = rooms_.gate.authorize(context, create_action, request.repository);
      if (!may) return may.error();
    }
    MirrorSpec spec;
    spec.repository = request.repository;
    spec.url = request.url;
    spec.every = std::chrono::seconds(request.everySeconds.value_or(0));
    spec.webhook = request.webhook.value_or(false);
    spec.username = request.username.value_or("");
    spec.password = request.password.value_or("");
    const Result<std::string> secret = rooms_.mirrors.set(spec);
    if (!secret) return on_wire(secret.error());
    // What is wrong with the URL or the password is told at once, unless that takes long.
    rooms_.mirrors.wait_for_outcome(request.repository);
    const Result<Repository> found = rooms_.repositories.find(request.repository);
    if (!found) return on_wire(found.error());
    wire::MirrorRepositoryResponse response;
    response.details = described(*found);
    if (!secret->empty()) {
      response.webhookPath = fmt::format("{}{}", webhook_path, request.repository);
      response.webhookSecret = *secret;
    }
    return response;
  }

  Result<wire::StopMirroringResponse> stop_mirroring(const wire::StopMirroringRequest& request) const {
    const Result<void> stopped = rooms_.mirrors.remove(request.repository);
    if (!stopped) return on_wire(stopped.error());
    return wire::StopMirroringResponse();
  }

 private:
  using Error = kaapi::Error;
  static Error on_wire(const Error& error, std::string_view missing = wire::error::RepositoryNotFoundException) {
    return git::on_wire(error, missing);
  }
  static wire::AccessToken on_wire(const AccessToken& token) {
    wire::AccessToken out;
    out.tokenId = token.id;
    out.name = token.name;
    out.principalArn = token.principal_arn;
    out.createdAt = token.created_at;
    out.expiresAt = token.expires_at;
    out.lastUsedAt = token.last_used_at;
    return out;
  }
  std::optional<wire::Mirror> mirror_of(const std::string& repository) const {
    const std::optional<Mirror> found = rooms_.mirrors.find(repository);
    if (!found) return std::nullopt;
    wire::Mirror out;
    out.url = found->url;
    if (found->every.count() > 0) out.everySeconds = static_cast<std::int32_t>(found->every.count());
    if (found->webhook) out.webhookPath = fmt::format("{}{}", webhook_path, repository);
    out.lastFetchedAt = found->fetched_at;
    out.lastTriedAt = found->tried_at;
    if (!found->error.empty()) out.lastError = found->error;
    if (!found->report.empty()) out.lastReport = found->report;
    return out;
  }

  OperationRooms rooms_;
};

// Checked for the region, then run.
template <class Op, class Run>
void handle(aws::Dispatcher& dispatcher, const std::shared_ptr<const Operations>& operations, Run run) {
  dispatcher.handle<Op>([operations, run](const aws::CallContext& context,
                                          const typename Op::Request& request) -> Result<typename Op::Response> {
    if (const Result<void> here = operations->check_region(context); !here) return here.error();
    if constexpr (std::is_invocable_v<Run, const Operations&, const aws::CallContext&, const typename Op::Request&>) {
      return std::invoke(run, *operations, context, request);
    } else {
      return std::invoke(run, *operations, request);
    }
  });
}

}  // namespace

void add_operations(aws::Dispatcher& dispatcher, const OperationRooms& rooms) {
  const auto operations = std::make_shared<const Operations>(rooms);
  handle<wire::CreateRepository>(dispatcher, operations, &Operations::create);
  handle<wire::DescribeRepository>(dispatcher, operations, &Operations::describe);
  handle<wire::ListRepositories>(dispatcher, operations, &Operations::list);
  handle<wire::DeleteRepository>(dispatcher, operations, &Operations::remove);
  handle<wire::PutRepositoryProtection>(dispatcher, operations, &Operations::protect);
  handle<wire::PutDefaultBranch>(dispatcher, operations, &Operations::set_default_branch);
  handle<wire::ReplayPush>(dispatcher, operations, &Operations::replay);
  handle<wire::CreateAccessToken>(dispatcher, operations, &Operations::create_token);
  handle<wire::ListAccessTokens>(dispatcher, operations, &Operations::list_tokens);
  handle<wire::DeleteAccessToken>(dispatcher, operations, &Operations::delete_token);
  handle<wire::MirrorRepository>(dispatcher, operations, &Operations::mirror);
  handle<wire::StopMirroring>(dispatcher, operations, &Operations::stop_mirroring);
}

}  // namespace kaapi::actions::git
