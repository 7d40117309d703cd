// aws-actions/configure-aws-credentials.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "actions/builtin/actions.h"
#include "actions/builtin/aws_session.h"
#include "actions/builtin/credentials_plan.h"
#include "actions/builtin/inputs.h"
#include "base/text.h"

namespace kaapi::actions {
namespace {

constexpr std::size_t max_token_bytes = 20'000;  // as the model of AssumeRoleWithWebIdentity says
// Inputs that a variable gives where the workflow does not: AWS_REGION, ROLE_TO_ASSUME, ... as the original.
constexpr std::array<std::string_view, 18> from_variables = {"aws-region",
                                                             "role-to-assume",
                                                             "web-identity-token-file",
                                                             "role-chaining",
                                                             "audience",
                                                             "mask-aws-account-id",
                                                             "role-duration-seconds",
                                                             "role-external-id",
                                                             "role-session-name",
                                                             "role-skip-session-tagging",
                                                             "transitive-tag-keys",
                                                             "inline-session-policy",
                                                             "managed-session-policies",
                                                             "output-credentials",
                                                             "unset-current-credentials",
                                                             "disable-retry",
                                                             "retry-max-attempts",
                                                             "use-existing-credentials"};
constexpr std::array<std::string_view, 5> exported = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
                                                      "AWS_DEFAULT_REGION", "AWS_REGION"};

struct Settings {
  CredentialInputs inputs;
  std::vector<std::string> allowed_accounts;
  bool mask_account = false, to_env = true, to_outputs = false, unset = false, use_existing = false;
  RetryRule retry;
};

struct Obtained {
  aws::Credentials keys;
  std::string expires;  // empty: never
};

std::string variable_of(std::string_view input) {
  std::string name(input);
  for (char& c : name) c = c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return name;
}

std::string given(const ActionHost& host, std::string_view input) {
  std::string text = host.input(input);
  const bool may = std::find(from_variables.begin(), from_variables.end(), input) != from_variables.end();
  if (!text.empty() || !may) return text;
  return std::string(trim(host.env(variable_of(input)).value_or("")));
}

Result<void> read_flags(const ActionHost& host, Settings& into) {
  struct Flag {
    std::string_view name;
    bool& value;
  };
  bool no_retry = false;
  bool ignored = false;
  for (const Flag& flag :
       {Flag{"mask-aws-account-id", into.mask_account}, Flag{"output-env-credentials", into.to_env},
        Flag{"output-credentials", into.to_outputs}, Flag{"unset-current-credentials", into.unset},
        Flag{"use-existing-credentials", into.use_existing}, Flag{"disable-retry", no_retry},
        Flag{"role-chaining", into.inputs.role_chaining},
        Flag{"role-skip-session-tagging", into.inputs.skip_session_tagging},
        Flag{"force-skip-oidc", into.inputs.force_skip_oidc}, Flag{"special-characters-workaround", ignored}}) {
    const Result<bool> value = bool_of(given(host, flag.name), flag.name, flag.value);
    if (!value) return value.error();
    flag.value = *value;
  }
  const Result<std::int64_t> attempts = number_of(given(host, "retry-max-attempts"), "retry-max-attempts", 12, 1, 100);
  if (!attempts) return attempts.error();
  into.retry.attempts = no_retry ? 1 : static_cast<int>(*attempts);
  return ok();
}

Result<Settings> read_inputs(ActionHost& host) {
  Settings made;
  if (const Result<void> flags = read_flags(host, made); !flags) return flags.error();
  CredentialInputs& inputs = made.inputs;
  inputs.region = given(host, "aws-region");
  inputs.role = given(host, "role-to-assume");
  inputs.access_key_id = host.input("aws-access-key-id");
  inputs.secret_access_key = host.input("aws-secret-access-key");
  inputs.session_token = host.input("aws-session-token");
  inputs.token_file = given(host, "web-identity-token-file");
  inputs.external_id = given(host, "role-external-id");
  inputs.session_policy = given(host, "inline-session-policy");
  inputs.session_policy_arns = items_of(given(host, "managed-session-policies"));
  inputs.transitive_tag_keys = items_of(given(host, "transitive-tag-keys"));
  if (const std::string name = given(host, "role-session-name"); !name.empty()) inputs.session_name = name;
  if (const std::string audience = given(host, "audience"); !audience.empty()) inputs.audience = audience;
  inputs.may_ask_token = host.job().may_ask_token;
  constexpr std::int64_t longest_s = 43'200;  // that a role may allow
  const Result<std::int64_t> duration =
      number_of(given(host, "role-duration-seconds"), "role-duration-seconds", 3600, 900, longest_s);
  if (!duration) return duration.error();
  inputs.duration_s = *duration;
  made.allowed_accounts = items_of(host.input("allowed-account-ids"));
  for (const std::string_view name : {"http-proxy", "no-proxy", "aws-profile", "action-timeout-s"}) {
    if (!host.input(name).empty()) warn(host, fmt::format("The input '{}' has no effect here.", name));
  }
  return made;
}

void mask(ActionHost& host, const aws::Credentials& keys) {
  for (const std::string& value : {keys.access_key_id, keys.secret_access_key, keys.session_token}) {
    if (!value.empty()) host.add_mask(value);
  }
}

Result<std::string> job_token(ActionHost& host, const std::string& audience) {
  const auto answer = host.get(fmt::format("id-token?audience={}", percent_encode(audience)));
  if (!answer) return answer.error();
  const Result<json::value> body = parse_json(answer->body);
  const json::value& tree = body ? *body : json::value();
  std::string token = string_member(tree, "value");
  if (answer->status != 200 || token.empty()) {
    return make_error(errc::unavailable,
                      fmt::format("the platform gives the job no OIDC token: {}",
                                  string_member(tree, "message", fmt::format("it answered {}", answer->status))));
  }
  host.add_mask(token);
  return token;
}

Result<std::string> web_identity_token(ActionHost& host, const CredentialInputs& inputs, Means means) {
  if (means == Means::with_token) return job_token(host, inputs.audience);
  const Result<std::string> path = absolute_path(host, inputs.token_file);
  const Result<std::string> token = path ? read_file(*path, max_token_bytes) : path;
  if (!token) {
    return make_error(errc::invalid, fmt::format("the input 'web-identity-token-file': {}", token.error().message));
  }
  host.add_mask(trim(*token));
  return std::string(trim(*token));
}

// Who the credentials are of.
struct Identity {
  std::string account, arn;
};
Result<Identity> identity_of(const ActionHost& host, const Settings& settings, const aws::Credentials& keys) {
  aws::ClientConfig config = endpoint_config(host, "sts", settings.inputs.region);
  config.credentials = keys;
  aws::Client client(config);
  const Result<json::value> answer =
      call_with_retries(host, settings.retry, [&] { return client.call("sts", "GetCallerIdentity", json::object()); });
  if (!answer) {
    return make_error(errc::invalid, fmt::format("the credentials are not valid: {}", described(answer.error())));
  }
  return Identity{string_member(*answer, "Account"), string_member(*answer, "Arn")};
}

Result<Obtained> assume(ActionHost& host, const Settings& settings, Means means, const aws::Credentials& own) {
  const CredentialInputs& inputs = settings.inputs;
  const bool with_web_identity = means == Means::with_token || means == Means::with_file;
  std::string account;
  if (!with_web_identity) {
    const Result<Identity> identity = identity_of(host, settings, own);
    if (!identity) return identity.error();
    account = identity->account;
  }
  const Result<std::string> arn = role_arn(inputs.role, account);
  if (!arn) return arn.error();
  std::map<std::string, std::string> github;
  for (const std::string name :
       {"GITHUB_REPOSITORY", "GITHUB_WORKFLOW", "GITHUB_ACTION", "GITHUB_ACTOR", "GITHUB_SHA", "GITHUB_REF"}) {
    github[name] = host.env(name).value_or("");
  }
  json::object request = assume_request(inputs, means, *arn, github);
  aws::ClientConfig config = endpoint_config(host, "sts", inputs.region);
  if (with_web_identity) {
    const Result<std::string> token = web_identity_token(host, inputs, means);
    if (!token) return token.error();
    request["WebIdentityToken"] = *token;
  } else {
    config.credentials = own;
  }
  host.log(fmt::format("Assuming role {} {}", *arn, with_web_identity ? "with OIDC" : "with the credentials at hand"));
  aws::Client client(config);
  const Result<json::value> answer = call_with_retries(host, settings.retry, [&] {
    return client.call("sts", with_web_identity ? "AssumeRoleWithWebIdentity" : "AssumeRole", request);
  });
  if (!answer) {
    return make_error(errc::invalid, fmt::format("could not assume role {}{}: {}", *arn,
                                                 with_web_identity ? " with OIDC" : "", described(answer.error())));
  }
  const json::value* keys = find_member(*answer, "Credentials");
  if (keys == nullptr) return make_error(errc::unavailable, "the answer to AssumeRole holds no credentials");
  return Obtained{{string_member(*keys, "AccessKeyId"), string_member(*keys, "SecretAccessKey"),
                   string_member(*keys, "SessionToken")},
                  string_member(*keys, "Expiration")};
}

aws::Credentials credentials_of_env(const ActionHost& host) {
  return {host.env("AWS_ACCESS_KEY_ID").value_or(""), host.env("AWS_SECRET_ACCESS_KEY").value_or(""),
          host.env("AWS_SESSION_TOKEN").value_or("")};
}

Result<Obtained> obtain(ActionHost& host, const Settings& settings, Means means) {
  const CredentialInputs& inputs = settings.inputs;
  const aws::Credentials given{inputs.access_key_id, inputs.secret_access_key, inputs.session_token};
  if (means == Means::own_keys) return Obtained{given, ""};
  if (means == Means::with_existing || means == Means::with_job) {
    const Result<aws::ClientConfig> present = session_config(host, "sts", inputs.region);
    if (!present) {
      return make_error(errc::invalid,
                        fmt::format("could not load credentials: give 'role-to-assume' (with permissions: id-token: "
                                    "write) or 'aws-access-key-id' and 'aws-secret-access-key'. {}",
                                    present.error().message));
    }
    if (means == Means::with_existing) return Obtained{present->credentials, ""};
    return assume(host, settings, means, present->credentials);
  }
  mask(host, given);
  return assume(host, settings, means, given);
}

Result<void> check_account(const Settings& settings, const std::string& account) {
  const std::vector<std::string>& allowed = settings.allowed_accounts;
  if (allowed.empty() || std::find(allowed.begin(), allowed.end(), account) != allowed.end()) return ok();
  return make_error(errc::invalid, fmt::format("the credentials are of account {}, and 'allowed-account-ids' names {}",
                                               account, fmt::join(allowed, ", ")));
}

void hand_out(ActionHost& host, const Settings& settings, const Obtained& obtained, const Identity& identity) {
  const aws::Credentials& keys = obtained.keys;
  if (settings.mask_account) host.add_mask(identity.account);
  if (settings.to_env) {
    host.set_env("AWS_ACCESS_KEY_ID", keys.access_key_id);
    host.set_env("AWS_SECRET_ACCESS_KEY", keys.secret_access_key);
    // An old token would spoil new keys that have none.
    if (!keys.session_token.empty() || host.env("AWS_SESSION_TOKEN")) {
      host.set_env("AWS_SESSION_TOKEN", keys.session_token);
    }
    host.save_state("exported", "true");
  }
  if (settings.to_outputs) {
    host.set_output("aws-access-key-id", keys.access_key_id);
    host.set_output("aws-secret-access-key", keys.secret_access_key);
    host.set_output("aws-session-token", keys.session_token);
    if (!obtained.expires.empty()) host.set_output("aws-expiration", obtained.expires);
  }
  host.set_output("aws-account-id", identity.account);
  host.set_output("authenticated-arn", identity.arn);
  host.log(fmt::format("Authenticated as {}", identity.arn));
}

void set_region(ActionHost& host, const Settings& settings) {
  if (!settings.to_env) return;
  if (settings.unset) {
    for (const std::string_view name : exported) host.set_env(name, "");
  }
  host.set_env("AWS_DEFAULT_REGION", settings.inputs.region);
  host.set_env("AWS_REGION", settings.inputs.region);
  host.save_state("exported", "true");
}

// Those that are there and may stay.
bool has_valid_credentials(ActionHost& host, const Settings& settings) {
  if (!settings.use_existing) return false;
  const aws::Credentials present = credentials_of_env(host);
  const bool valid = !present.access_key_id.empty() && identity_of(host, settings, present);
  host.log(valid ? "::notice::Pre-existing credentials are valid. No need to generate new ones."
                 : "::notice::No valid credentials exist. Running as normal.");
  return valid;
}

ActionResult run(ActionHost& host) {
  const Result<Settings> settings = read_inputs(host);
  if (!settings) return settings.error();
  if (const Result<void> fits = check_region(settings->inputs.region); !fits) return fits;
  set_region(host, *settings);
  if (has_valid_credentials(host, *settings)) return ok();
  const Result<Means> means = choose_means(settings->inputs);
  if (!means) return means.error();
  const Result<Obtained> obtained = obtain(host, *settings, *means);
  if (!obtained) return obtained.error();
  mask(host, obtained->keys);
  const Result<Identity> identity = identity_of(host, *settings, obtained->keys);
  if (!identity) return identity.error();
  if (const Result<void> fits = check_account(*settings, identity->account); !fits) return fits;
  hand_out(host, *settings, *obtained, *identity);
  return ok();
}

ActionResult clear(ActionHost& host) {
  if (host.state("exported") != "true") return ok();
  for (const std::string_view name : exported) host.set_env(name, "");
  return ok();
}

}  // namespace

BuiltIn configure_credentials_action() {
  BuiltIn action;
  action.name = "aws-actions/configure-aws-credentials";
  // Where a variable may give it, an input has no default here: that would go before the variable.
  action.inputs = {{"aws-region", ""},
                   {"role-to-assume", ""},
                   {"aws-access-key-id", ""},
                   {"aws-secret-access-key", ""},
                   {"aws-session-token", ""},
                   {"web-identity-token-file", ""},
                   {"role-chaining", ""},
                   {"audience", "sts.amazonaws.com"},
                   {"http-proxy", ""},
                   {"no-proxy", ""},
                   {"aws-profile", ""},
                   {"mask-aws-account-id", ""},
                   {"role-duration-seconds", ""},
                   {"role-external-id", ""},
                   {"role-session-name", ""},
                   {"role-skip-session-tagging", ""},
                   {"transitive-tag-keys", ""},
                   {"inline-session-policy", ""},
                   {"managed-session-policies", ""},
                   {"output-credentials", ""},
                   {"output-env-credentials", "true"},
                   {"unset-current-credentials", ""},
                   {"disable-retry", ""},
                   {"retry-max-attempts", ""},
                   {"special-characters-workaround", "false"},
                   {"use-existing-credentials", ""},
                   {"allowed-account-ids", ""},
                   {"force-skip-oidc", "false"},
                   {"action-timeout-s", ""}};
  action.main = run;
  action.post = clear;
  return action;
}

}  // namespace kaapi::actions
