#include "actions/settings/operations.h"

#include <fmt/format.h>

#include <memory>

#include "aws/gen/settings.h"

namespace kaapi::actions::settings {
namespace {

namespace wire = aws::settings;
using aws::CallContext;

// What the room calls its errors, in the words of the wire; what is no caller's fault stays.
Error on_the_wire(const Error& error) {
  if (error.code == errc::invalid) return make_error(wire::error::ValidationException, error.message);
  if (error.code == errc::not_found) return make_error(wire::error::ResourceNotFoundException, error.message);
  if (error.code == errc::too_large) return make_error(wire::error::LimitExceededException, error.message);
  if (error.code == errc::conflict) return make_error(wire::error::ConflictException, error.message);
  return error;
}

Result<void> check_place(const OperationsConfig& config, const CallContext& context, std::string_view repository) {
  if (!config.region.empty() && context.region != config.region) {
    return make_error(wire::error::ValidationException,
                      fmt::format("Repositories of this platform are in the region {}, not in {}; ask there",
                                  config.region, context.region));
  }
  if (config.exists && !config.exists(repository)) {
    return make_error(
        wire::error::ResourceNotFoundException,
        fmt::format("There is no repository {}; make it with: kaapi repo create {}", repository, repository));
  }
  return ok();
}

template <class Request>
Level level_of(const Request& request) {
  return {request.repository, request.environment ? std::string_view(*request.environment) : std::string_view()};
}

wire::Environment shown(Environment environment) {
  wire::Environment out;
  out.name = std::move(environment.name);
  out.reviewers = std::move(environment.protection.reviewers);
  out.preventSelfReview = environment.protection.prevent_self_review;
  out.waitMinutes = static_cast<std::int32_t>(environment.protection.wait.count());
  out.branches = std::move(environment.protection.branches);
  out.tags = std::move(environment.protection.tags);
  out.protectedOnly = environment.protection.protected_only;
  out.createdAt = environment.created;
  out.updatedAt = environment.updated;
  return out;
}

Protection protection_of(const wire::PutEnvironmentRequest& request) {
  Protection protection;
  protection.reviewers = request.reviewers.value_or(std::vector<std::string>());
  protection.prevent_self_review = request.preventSelfReview.value_or(false);
  protection.wait = std::chrono::minutes(request.waitMinutes.value_or(0));
  protection.branches = request.branches.value_or(std::vector<std::string>());
  protection.tags = request.tags.value_or(std::vector<std::string>());
  protection.protected_only = request.protectedOnly.value_or(false);
  return protection;
}

// Handlers share one configuration. `operation(request) -> Result<Response>` in the room's own errors.
class Table {
 public:
  Table(aws::Dispatcher& dispatcher, OperationsConfig config)
      : dispatcher_(dispatcher), config_(std::make_shared<const OperationsConfig>(std::move(config))) {}

  template <class Op, class Operation>
  void serve(Operation operation) {
    using Request = typename Op::Request;
    using Response = typename Op::Response;
    dispatcher_.handle<Op>([config = config_, operation = std::move(operation)](
                               const CallContext& context, const Request& request) -> Result<Response> {
      if (const Result<void> there = check_place(*config, context, request.repository); !there) return there.error();
      Result<Response> response = operation(request);
      if (!response) return on_the_wire(response.error());
      return response;
    });
  }

 private:
  aws::Dispatcher& dispatcher_;
  std::shared_ptr<const OperationsConfig> config_;
};

template <class Response>
Result<Response> done(const Result<void>& outcome) {
  if (!outcome) return outcome.error();
  return Response{};
}

void add_variables(Table& table, Settings& settings) {
  table.serve<wire::PutVariable>([&settings](const wire::PutVariableRequest& request) {
    return done<wire::PutVariableResponse>(settings.put_variable(level_of(request), request.name, request.value));
  });
  table.serve<wire::DeleteVariable>([&settings](const wire::DeleteVariableRequest& request) {
    return done<wire::DeleteVariableResponse>(settings.delete_variable(level_of(request), request.name));
  });
  table.serve<wire::ListVariables>(
      [&settings](const wire::ListVariablesRequest& request) -> Result<wire::ListVariablesResponse> {
        Result<std::vector<Variable>> all = settings.list_variables(level_of(request));
        if (!all) return all.error();
        wire::ListVariablesResponse response;
        response.variables.emplace();
        for (Variable& one : *all) {
          response.variables->push_back({std::move(one.name), std::move(one.value), one.created, one.updated});
        }
        return response;
      });
}

void add_secrets(Table& table, Settings& settings) {
  table.serve<wire::PutSecret>([&settings](const wire::PutSecretRequest& request) {
    return done<wire::PutSecretResponse>(settings.put_secret(level_of(request), request.name, request.value));
  });
  table.serve<wire::DeleteSecret>([&settings](const wire::DeleteSecretRequest& request) {
    return done<wire::DeleteSecretResponse>(settings.delete_secret(level_of(request), request.name));
  });
  table.serve<wire::ListSecrets>(
      [&settings](const wire::ListSecretsRequest& request) -> Result<wire::ListSecretsResponse> {
        Result<std::vector<Secret>> all = settings.list_secrets(level_of(request));
        if (!all) return all.error();
        wire::ListSecretsResponse response;
        response.secrets.emplace();
        for (Secret& one : *all) response.secrets->push_back({std::move(one.name), one.created, one.updated});
        return response;
      });
}

void add_environments(Table& table, Settings& settings) {
  table.serve<wire::PutEnvironment>(
      [&settings](const wire::PutEnvironmentRequest& request) -> Result<wire::PutEnvironmentResponse> {
        Result<Environment> made =
            settings.put_environment(request.repository, request.environment, protection_of(request));
        if (!made) return made.error();
        wire::PutEnvironmentResponse response;
        response.environment = shown(std::move(*made));
        return response;
      });
  table.serve<wire::DeleteEnvironment>([&settings](const wire::DeleteEnvironmentRequest& request) {
    return done<wire::DeleteEnvironmentResponse>(settings.delete_environment(request.repository, request.environment));
  });
  table.serve<wire::ListEnvironments>(
      [&settings](const wire::ListEnvironmentsRequest& request) -> Result<wire::ListEnvironmentsResponse> {
        Result<std::vector<Environment>> all = settings.environments(request.repository);
        if (!all) return all.error();
        wire::ListEnvironmentsResponse response;
        response.environments.emplace();
        for (Environment& one : *all) response.environments->push_back(shown(std::move(one)));
        return response;
      });
}

}  // namespace

void add_settings_operations(aws::Dispatcher& dispatcher, Settings& settings, OperationsConfig config) {
  Table table(dispatcher, std::move(config));
  add_variables(table, settings);
  add_secrets(table, settings);
  add_environments(table, settings);
}

}  // namespace kaapi::actions::settings
