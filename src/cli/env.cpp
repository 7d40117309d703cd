#include "cli/env.h"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>

#include "identity/account.h"

namespace kaapi::cli {
namespace {

// As one word of a shell.
std::string quoted(const std::string& text) {
  constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:+=@%[]";
  const auto harmless = [&](char c) { return plain.find(c) != std::string_view::npos; };
  if (!text.empty() && std::all_of(text.begin(), text.end(), harmless)) return text;
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// Where it runs, else where it ran last, else where it runs unless told otherwise.
std::string endpoint_of(const std::string& data_dir, const Surroundings& surroundings, std::ostream& err) {
  if (const auto running = surroundings.running_endpoint(data_dir)) return *running;
  const std::optional<std::string> last = surroundings.last_endpoint(data_dir);
  err << fmt::format("kaapi: note: no platform runs in {} now; this is {}\n", data_dir,
                     last ? "where it last listened" : "the default endpoint");
  return last.value_or(fmt::format("http://127.0.0.1:{}", default_port));
}

}  // namespace

int run_env(const EnvCommand& command, const Surroundings& surroundings, std::ostream& out, std::ostream& err) {
  const Result<identity::Account> account = identity::read_account(command.data_dir);
  if (!account) {
    const bool missing = account.error().code == errc::not_found;
    err << "kaapi: "
        << (missing ? fmt::format("no platform has been started in {} yet; start one with: kaapi up --data {}",
                                  command.data_dir, quoted(command.data_dir))
                    : account.error().message)
        << "\n";
    return exit_failure;
  }
  const std::string endpoint =
      command.endpoint.empty() ? endpoint_of(command.data_dir, surroundings, err) : command.endpoint;
  const std::pair<const char*, const std::string&> lines[] = {{"AWS_ENDPOINT_URL", endpoint},
                                                              {"AWS_ACCESS_KEY_ID", account->access_key_id},
                                                              {"AWS_SECRET_ACCESS_KEY", account->secret_access_key},
                                                              {"AWS_REGION", account->region},
                                                              {"AWS_DEFAULT_REGION", account->region}};
  for (const auto& [name, value] : lines) {
    out << "export " << name << "=" << quoted(value) << "\n";
  }
  return exit_success;
}

}  // namespace kaapi::cli
