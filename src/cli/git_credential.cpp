#include "cli/git_credential.h"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <iostream>
#include <map>
#include <memory>

#include "base/text.h"
#include "cli/follow.h"
#include "cli/git_hook.h"
#include "cli/target.h"

namespace kaapi::cli {
namespace {

constexpr std::size_t max_credential_lines = 100;

constexpr const char* hook_help =
    R"help(Run by git on the platform's machine, not by people: it asks the platform whether a push may be and tells of it.)help";

constexpr const char* credential_help = R"help(Examples:
  git -c credential.helper='!kaapi git-credential' clone http://127.0.0.1:4566/git/team/shop.git
  git config credential.http://127.0.0.1:4566.helper '!kaapi git-credential --data ~/staging'

A credential helper for git: answers with the keys of the environment or of the data directory, for the platform's own
address only.)help";

// "HOST:PORT" in one spelling, so that localhost is 127.0.0.1.
std::string authority(const http::Endpoint& peer) {
  const std::string host = lower(peer.host);
  const bool loopback = host == "localhost" || host == "127.0.0.1" || host == "::1";
  return fmt::format("{}:{}", loopback ? "localhost" : host, peer.port);
}

bool asks_for(std::map<std::string, std::string>& asked, const std::string& endpoint) {
  const Result<http::Endpoint> there = peer_of(fmt::format("{}://{}", asked["protocol"], asked["host"]));
  const Result<http::Endpoint> own = peer_of(endpoint);
  if (there && own) return authority(*there) == authority(*own);
  return endpoint == fmt::format("{}://{}", asked["protocol"], asked["host"]);
}

}  // namespace

int run_git_credential(const GitCredentialCommand& command, const Surroundings& surroundings, std::istream& input,
                       std::ostream& out, std::ostream& err) {
  std::map<std::string, std::string> asked;
  std::string line;
  for (std::size_t i = 0; i < max_credential_lines && std::getline(input, line) && !line.empty(); ++i) {
    const std::size_t equals = line.find('=');
    if (equals != std::string::npos) asked[line.substr(0, equals)] = line.substr(equals + 1);
  }
  if (command.action != "get") return exit_success;
  const Result<Target> target = find_target(command, surroundings);
  if (!target && target.error().code == errc::unavailable) {
    // git asks its helpers about every host.
    const std::optional<std::string> last = surroundings.last_endpoint(command.data_dir);
    return last && asks_for(asked, *last) ? fail(target.error().message, err) : exit_success;
  }
  if (!target) return fail(target.error().message, err);
  if (!asks_for(asked, target->endpoint)) return exit_success;
  const aws::Credentials& keys = target->credentials;
  out << fmt::format("username={}\npassword={}{}{}\n", keys.access_key_id, keys.secret_access_key,
                     keys.session_token.empty() ? "" : "/", keys.session_token);
  return exit_success;
}

void add_git_commands(CLI::App& program, const std::string& data_dir, ChosenCommand& chosen) {
  CLI::App* hook = program.add_subcommand("git-hook", "Run by git during a push")->group("");
  auto name = std::make_shared<std::string>();
  hook->add_option("hook", *name)->required()->check(CLI::IsMember({"pre-receive", "post-receive"}).description(""));
  hook->footer(hook_help);
  hook->callback([name, &chosen] {
    chosen = [name](const Surroundings& surroundings, std::ostream& out, std::ostream& err) {
      return run_git_hook(*name, surroundings, std::cin, out, err);
    };
  });
  CLI::App* helper =
      program.add_subcommand("git-credential", "Log git in with the platform's keys: a credential helper");
  auto command = std::make_shared<GitCredentialCommand>();
  command->data_dir = data_dir;
  helper->add_option("--data", command->data_dir, "The data directory (default: $KAAPI_DATA, or as shown)")
      ->type_name("DIR")
      ->capture_default_str();
  helper->add_option("--endpoint", command->endpoint, "Of this platform")->type_name("URL");
  helper->add_option("action", command->action, "get, store or erase")->required();
  helper->footer(credential_help);
  helper->callback([helper, command, &chosen] {
    command->data_dir_given = helper->count("--data") > 0;
    chosen = [command](const Surroundings& surroundings, std::ostream& out, std::ostream& err) {
      return run_git_credential(*command, surroundings, std::cin, out, err);
    };
  });
}

}  // namespace kaapi::cli
