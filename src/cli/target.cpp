#include "cli/target.h"

#include <fmt/format.h>

#include <ostream>

#include "identity/account.h"

namespace kaapi::cli {
namespace {

constexpr std::chrono::milliseconds call_timeout{10'000};

Error not_running(const std::string& data_dir, const Surroundings& surroundings) {
  const std::optional<std::string> last = surroundings.last_endpoint(data_dir);
  return make_error(
      errc::unavailable,
      fmt::format("the platform of {0} is not running{1}; start it with the options that it had: kaapi up "
                  "--data {0}",
                  data_dir, last ? fmt::format(" (it last listened at {})", *last) : ""));
}

}  // namespace

Result<Target> find_target(const TargetOptions& options, const Surroundings& surroundings) {
  const auto variable = [&](const char* name) { return surroundings.variable(name).value_or(""); };
  Target target;
  const std::string key = variable("AWS_ACCESS_KEY_ID");
  if (!options.data_dir_given && !key.empty()) {
    target.credentials = {key, variable("AWS_SECRET_ACCESS_KEY"), variable("AWS_SESSION_TOKEN")};
    target.endpoint = variable("AWS_ENDPOINT_URL");
    target.region = variable("AWS_REGION");
    if (target.region.empty()) target.region = variable("AWS_DEFAULT_REGION");
    if (target.region.empty()) target.region = "us-east-1";
  } else {
    const Result<identity::Account> account = identity::read_account(options.data_dir);
    if (!account && account.error().code == errc::not_found) {
      return make_error(errc::not_found,
                        fmt::format("no platform has been started in {} yet, and there are no AWS credentials in the "
                                    "environment; start a platform with: kaapi up",
                                    options.data_dir));
    }
    if (!account) return account.error();
    target.credentials = {account->access_key_id, account->secret_access_key, ""};
    target.region = account->region;
    // Whoever else listens where it did, or where platforms usually do, is not asked.
    const std::optional<std::string> running = surroundings.running_endpoint(options.data_dir);
    if (!running && options.endpoint.empty()) return not_running(options.data_dir, surroundings);
    target.endpoint = running.value_or(options.endpoint);
  }
  if (!options.endpoint.empty()) target.endpoint = options.endpoint;
  if (!options.region.empty()) target.region = options.region;
  return target;
}

aws::Client client_of(const Target& target) {
  aws::ClientConfig config;
  config.endpoint_url = target.endpoint;
  config.credentials = target.credentials;
  config.region = target.region;
  config.timeout = call_timeout;
  return aws::Client(config);
}

std::string explained(const Error& error, const Target& target) {
  // What was found on this side of the wire, or not found there, needs no code.
  for (const std::string_view code : {errc::not_found, errc::invalid, errc::too_large, errc::cancelled}) {
    if (error.code == code) return error.message;
  }
  if (error.code != errc::unavailable && error.code != errc::timed_out) {
    return fmt::format("{}: {}", error.code, error.message);
  }
  return fmt::format(
      "{}; {}", error.message,
      target.endpoint.empty() ? "is AWS reachable from here?" : "is the platform up? Start it: kaapi up");
}

int fail(std::string_view message, std::ostream& err) {
  err << "kaapi: " << message << "\n";
  return exit_failure;
}

}  // namespace kaapi::cli
