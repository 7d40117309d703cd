// aws-actions/amazon-ecr-login.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>

#include "actions/builtin/actions.h"
#include "actions/builtin/aws_session.h"
#include "actions/builtin/docker_auth.h"
#include "actions/builtin/inputs.h"
#include "base/text.h"

namespace kaapi::actions {
namespace {

struct Login {
  std::string registry, user, password;
};

Result<json::value> authorization_data(ActionHost& host) {
  const Result<aws::ClientConfig> config = session_config(host, "ecr");
  if (!config) return config.error();
  json::object request;
  if (const std::vector<std::string> ids = items_of(host.input("registries")); !ids.empty()) {
    json::array& list = request["registryIds"].emplace_array();
    for (const std::string& id : ids) list.emplace_back(id);
  }
  aws::Client client(*config);
  Result<json::value> answer =
      call_with_retries(host, {}, [&] { return client.call("ecr", "GetAuthorizationToken", request); });
  if (!answer) {
    return make_error(errc::invalid, fmt::format("could not log in to Amazon ECR: {}", described(answer.error())));
  }
  return answer;
}

Result<std::vector<Login>> logins_of(const json::value& answer) {
  std::vector<Login> logins;
  const json::value* data = find_member(answer, "authorizationData");
  if (data != nullptr && data->is_array()) {
    for (const json::value& each : data->as_array()) {
      const std::string pair = base64_decode(string_member(each, "authorizationToken")).value_or("");
      const std::size_t colon = pair.find(':');
      if (colon == std::string::npos) return make_error(errc::invalid, "Amazon ECR's authorization token is no login");
      logins.push_back(
          {registry_of(string_member(each, "proxyEndpoint")), pair.substr(0, colon), pair.substr(colon + 1)});
    }
  }
  if (logins.empty()) return make_error(errc::invalid, "Amazon ECR answered no authorization token");
  return logins;
}

// The job's Docker configuration, changed by `change(text) -> Result<std::string>`.
template <class Change>
Result<void> change_docker_config(const ActionHost& host, const Change& change) {
  const std::string path = fmt::format("{}/config.json", host.docker_config());
  const Result<std::string> old = read_file(path, max_docker_config_bytes);
  if (!old && old.error().code != errc::not_found) return old.error();
  const Result<std::string> changed = change(old ? *old : std::string());
  if (!changed) return changed.error();
  return write_file_atomically(path, *changed, 0600);
}

// Part of an output's name.
std::string suffix(std::string_view registry) {
  std::string text;
  for (const char c : registry) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (plain) {
      text += c;
    } else if (!text.ends_with('_')) {
      text += '_';  // one for a run of them, as the original does
    }
  }
  return text;
}

Result<void> log_in(ActionHost& host, const std::vector<Login>& logins, bool mask_password) {
  std::vector<std::string> registries;
  for (const Login& login : logins) {
    host.add_mask(base64_encode(fmt::format("{}:{}", login.user, login.password)));
    if (mask_password) host.add_mask(login.password);
    const Result<void> written = change_docker_config(host, [&](const std::string& config) {
      return with_docker_login(config, login.registry, login.user, login.password);
    });
    if (!written) return written;
    host.log(fmt::format("Logged in to the registry {}", login.registry));
    host.set_output(fmt::format("docker_username_{}", suffix(login.registry)), login.user);
    host.set_output(fmt::format("docker_password_{}", suffix(login.registry)), login.password);
    registries.push_back(login.registry);
  }
  if (logins.size() == 1) host.set_output("registry", logins.front().registry);
  host.save_state("registries", fmt::format("{}", fmt::join(registries, ",")));
  return ok();
}

ActionResult run(ActionHost& host) {
  const std::string type = lower(host.input("registry-type"));
  if (type == "public") {
    return make_error(errc::invalid,
                      "'registry-type: public' is not offered: Amazon ECR Public has no counterpart "
                      "here. Use 'private', or log in with docker/login-action");
  }
  if (!type.empty() && type != "private") {
    return make_error(errc::invalid, fmt::format("the input 'registry-type' is private or public, not '{}'", type));
  }
  if (!host.input("http-proxy").empty()) warn(host, "The input 'http-proxy' has no effect here.");
  const Result<bool> mask_password = bool_input(host, "mask-password", true);
  if (!mask_password) return mask_password.error();
  const Result<bool> skip_logout = bool_input(host, "skip-logout", false);
  if (!skip_logout) return skip_logout.error();
  const Result<json::value> answer = authorization_data(host);
  if (!answer) return answer.error();
  const Result<std::vector<Login>> logins = logins_of(*answer);
  if (!logins) return logins.error();
  return log_in(host, *logins, *mask_password);
}

ActionResult log_out(ActionHost& host) {
  if (lower(host.input("skip-logout")) == "true") return ok();
  for (const std::string& registry : items_of(host.state("registries"))) {
    const Result<void> gone =
        change_docker_config(host, [&](const std::string& config) { return without_docker_login(config, registry); });
    if (!gone) return gone;
    host.log(fmt::format("Logged out of the registry {}", registry));
  }
  return ok();
}

}  // namespace

BuiltIn ecr_login_action() {
  BuiltIn action;
  action.name = "aws-actions/amazon-ecr-login";
  action.inputs = {{"http-proxy", ""},
                   {"mask-password", "true"},
                   {"registries", ""},
                   {"registry-type", "private"},
                   {"skip-logout", "false"}};
  action.main = run;
  action.post = log_out;
  return action;
}

}  // namespace kaapi::actions
