#include "cli/repo.h"

#include <fmt/format.h>

#include <ostream>

#include "aws/gen/git.h"
#include "base/text.h"
#include "cli/repository_name.h"
#include "cli/secret_input.h"
#include "cli/table.h"
#include "cli/target.h"

namespace kaapi::cli {
namespace {

namespace wire = aws::git;

constexpr std::size_t max_password_bytes = 4096;

// Finds whom to ask, then calls `ask(client, target) -> Result<void>`.
template <class Ask>
int with_target(const TargetOptions& options, const Surroundings& surroundings, std::ostream& err, const Ask& ask) {
  const Result<Target> target = find_target(options, surroundings);
  if (!target) return fail(target.error().message, err);
  aws::Client client = client_of(*target);
  const Result<void> done = ask(client, *target);
  return done ? exit_success : fail(explained(done.error(), *target), err);
}

// The same with the repository's whole name.
template <class Ask>
int with_repository(const RepoCommand& command, const Surroundings& surroundings, std::ostream& err, const Ask& ask) {
  const Result<std::string> name = full_repository_name(command.repository);
  if (!name) {
    fail(name.error().message, err);
    return exit_usage;
  }
  return with_target(command, surroundings, err,
                     [&](aws::Client& client, const Target& target) { return ask(client, target, *name); });
}

Result<std::string> read_password(int input, const std::string& username, std::ostream& err) {
  const SecretQuestion question{fmt::format("Password (or token) of {} there: ", username), "password",
                                fmt::format("kaapi repo mirror URL --user {} < FILE", harmless(username)),
                                max_password_bytes};
  Result<std::string> password = read_secret(input, question, err);
  if (!password) return password;
  if (const std::optional<std::size_t> broken = find_broken_utf8(*password)) {
    return make_error(errc::invalid, fmt::format("the password is no UTF-8 text (not from its byte {} on, counted "
                                                 "from 0); is this the right file?",
                                                 *broken));
  }
  return password;
}

// "https://github.com/team/shop.git" → team/shop.git; empty: it names none.
std::string repository_of_url(std::string_view url) {
  if (url.ends_with('/')) url.remove_suffix(1);
  const std::size_t name = url.rfind('/');
  const std::size_t owner = name == std::string_view::npos || name == 0 ? name : url.rfind('/', name - 1);
  return owner == std::string_view::npos ? std::string() : std::string(url.substr(owner + 1));
}

// What is missing to know what shall be a mirror of what; empty: nothing.
std::string missing_of(const MirrorRepoCommand& command) {
  if (command.url.empty() && !command.stop) {
    return "the URL to fetch from is missing, as in: kaapi repo mirror https://github.com/team/shop.git --every 5m";
  }
  if (!command.repository.empty() || !repository_of_url(command.url).empty()) return "";
  if (command.stop) return "say which repository shall mirror no longer: kaapi repo mirror --stop --repo OWNER/NAME";
  return fmt::format("'{}' names no repository; say how it is called here, with --repo OWNER/NAME",
                     harmless(command.url));
}

std::string clone_url(const Target& target, const wire::Repository& repository) {
  std::string endpoint = target.endpoint;
  while (endpoint.ends_with('/')) endpoint.pop_back();
  return endpoint + repository.clonePath.value_or("");
}

std::string in_words(const wire::ProtectionRule& rule) {
  std::string out = fmt::format("{} {}: no force push, no deletion", rule.kind, rule.pattern);
  for (const std::string& pusher : rule.pushers.value_or(std::vector<std::string>())) out += "; may push: " + pusher;
  return harmless(out);
}

std::string time_of(const std::optional<Time>& time) {
  return time ? format_time(*time) : "-";
}

void print(const wire::Repository& repository, const Target& target, std::ostream& out) {
  out << harmless(repository.repository.value_or("")) << "\n";
  out << "  clone           " << clone_url(target, repository) << "\n";
  out << "  default branch  " << harmless(repository.defaultBranch.value_or("")) << "\n";
  out << "  created         " << time_of(repository.createdAt) << "\n";
  out << "  arn             " << repository.arn.value_or("") << "\n";
  for (const wire::ProtectionRule& rule : repository.rules.value_or(std::vector<wire::ProtectionRule>())) {
    out << "  protected       " << in_words(rule) << "\n";
  }
  if (!repository.mirror) return;
  const wire::Mirror& mirror = *repository.mirror;
  out << "  mirror of       " << harmless(mirror.url.value_or("")) << "\n";
  if (mirror.everySeconds) out << "  fetched every   " << *mirror.everySeconds << " s\n";
  if (mirror.webhookPath) out << "  webhook         " << target.endpoint << *mirror.webhookPath << "\n";
  out << "  last fetched    " << time_of(mirror.lastFetchedAt) << "\n";
  if (mirror.lastError) {
    out << "  last tried      " << time_of(mirror.lastTriedAt) << "\n";
    out << "  last error      " << harmless(*mirror.lastError) << "\n";
  }
  for (const std::string& line : mirror.lastReport.value_or(std::vector<std::string>())) {
    out << "  last change     " << harmless(line) << "\n";
  }
}

Result<void> show(const std::optional<wire::Repository>& details, const Target& target, bool json, std::ostream& out) {
  const wire::Repository repository = details.value_or(wire::Repository());
  if (json) {
    out << aws::to_json(repository) << "\n";
  } else {
    print(repository, target, out);
  }
  return ok();
}

Result<std::vector<wire::ProtectionRule>> rules_for(aws::Client& client, const ProtectRepoCommand& command,
                                                    const std::string& name) {
  std::vector<wire::ProtectionRule> rules;
  if (command.add) {
    const auto now = client.call<wire::DescribeRepository>({name});
    if (!now) return now.error();
    if (now->details) rules = now->details->rules.value_or(rules);
  }
  const auto add = [&](std::string_view kind, const std::vector<std::string>& patterns) {
    for (const std::string& pattern : patterns) {
      wire::ProtectionRule rule;
      rule.kind = kind;
      rule.pattern = pattern;
      if (!command.pushers.empty()) rule.pushers = command.pushers;
      rules.push_back(std::move(rule));
    }
  };
  add(wire::RefKind::branch, command.branches);
  add(wire::RefKind::tag, command.tags);
  return rules;
}

Result<wire::MirrorRepositoryRequest> mirror_request(const MirrorRepoCommand& command, const std::string& name,
                                                     int input, std::ostream& err) {
  wire::MirrorRepositoryRequest request;
  request.repository = name;
  request.url = command.url;
  if (command.every.count() > 0) request.everySeconds = static_cast<std::int32_t>(command.every.count());
  request.webhook = command.webhook;
  if (command.username.empty()) return request;
  const Result<std::string> password = read_password(input, command.username, err);
  if (!password) return password.error();
  request.username = command.username;
  request.password = *password;
  return request;
}

Result<void> stop_mirroring(aws::Client& client, const std::string& name, std::ostream& out) {
  const auto stopped = client.call<wire::StopMirroring>({name});
  if (!stopped) return stopped.error();
  out << name
      << " is no mirror any more; what it holds stays. Until something is pushed to it, the same URL can be mirrored "
         "into it again.\n";
  return ok();
}

// Why the fetch that followed failed; empty: it did not, or is under way.
std::string fault_of(const wire::MirrorRepositoryResponse& made) {
  const wire::Repository repository = made.details.value_or(wire::Repository());
  const std::optional<std::string> error = repository.mirror ? repository.mirror->lastError : std::nullopt;
  if (!error) return {};
  return fmt::format(
      "{}; it is tried again by itself (kaapi repo show {} tells), until you set it anew, or stop it: kaapi repo "
      "mirror "
      "--stop --repo {}",
      harmless(*error), repository.repository.value_or(""), repository.repository.value_or(""));
}

void print(const wire::MirrorRepositoryResponse& made, const Target& target, std::ostream& out) {
  const wire::Repository repository = made.details.value_or(wire::Repository());
  const wire::Mirror mirror = repository.mirror.value_or(wire::Mirror());
  const std::string name = repository.repository.value_or("");
  out << fmt::format("{} mirrors {} {}; clone it from {}\n", name, harmless(mirror.url.value_or("")),
                     mirror.lastTriedAt && !mirror.lastError ? "now" : "from now on", clone_url(target, repository));
  if (!mirror.lastTriedAt) {
    out << fmt::format("The first fetch is under way: kaapi repo show {} tells how it went\n", name);
  }
  if (!made.webhookSecret) return;
  out << fmt::format(
      "Webhook, in the settings of the repository there (content type application/json, pushes):\n"
      "  URL     {}{}\n  secret  {}   (shown this once)\n",
      target.endpoint, made.webhookPath.value_or(""), *made.webhookSecret);
}

}  // namespace

int run_create_repo(const CreateRepoCommand& command, const Surroundings& surroundings, std::ostream& out,
                    std::ostream& err) {
  return with_repository(command, surroundings, err,
                         [&](aws::Client& client, const Target& target, const std::string& name) -> Result<void> {
                           wire::CreateRepositoryRequest request;
                           request.repository = name;
                           if (!command.default_branch.empty()) request.defaultBranch = command.default_branch;
                           const auto made = client.call<wire::CreateRepository>(request);
                           if (!made) return made.error();
                           const wire::Repository repository = made->details.value_or(wire::Repository());
                           if (command.json) return show(repository, target, true, out);
                           out << fmt::format(
                               "{} is there. Push to it:\n  git remote add kaapi {}\n  git config credential.{}.helper "
                               "'!kaapi git-credential'\n  git push kaapi {}\n",
                               name, clone_url(target, repository), target.endpoint,
                               harmless(repository.defaultBranch.value_or("main")));
                           return ok();
                         });
}

int run_list_repos(const RepoCommand& command, const Surroundings& surroundings, std::ostream& out, std::ostream& err) {
  return with_target(command, surroundings, err, [&](aws::Client& client, const Target& target) -> Result<void> {
    std::vector<wire::Repository> all;
    wire::ListRepositoriesRequest request;
    do {
      const auto page = client.call<wire::ListRepositories>(request);
      if (!page) return page.error();
      for (const wire::Repository& one : page->repositories.value_or(std::vector<wire::Repository>()))
        all.push_back(one);
      request.nextToken = page->nextToken;
    } while (request.nextToken);
    if (command.json) {
      wire::ListRepositoriesResponse whole;
      whole.repositories = std::move(all);
      out << aws::to_json(whole) << "\n";
      return ok();
    }
    if (all.empty()) out << "No repository yet. Make one: kaapi repo create NAME\n";
    std::vector<Row> rows;
    if (!all.empty()) rows.push_back({Cell("REPOSITORY"), Cell("BRANCH"), Cell("CLONE")});
    for (const wire::Repository& one : all) {
      rows.push_back(
          {Cell(one.repository.value_or("")), Cell(one.defaultBranch.value_or("")), Cell(clone_url(target, one))});
    }
    out << table(rows, 0, false);
    return ok();
  });
}

int run_show_repo(const RepoCommand& command, const Surroundings& surroundings, std::ostream& out, std::ostream& err) {
  return with_repository(command, surroundings, err,
                         [&](aws::Client& client, const Target& target, const std::string& name) -> Result<void> {
                           const auto found = client.call<wire::DescribeRepository>({name});
                           if (!found) return found.error();
                           return show(found->details, target, command.json, out);
                         });
}

int run_delete_repo(const DeleteRepoCommand& command, const Surroundings& surroundings, std::ostream& out,
                    std::ostream& err) {
  if (!command.yes) {
    fail(fmt::format("deleting {} deletes all its commits, for good; say so with --yes", command.repository), err);
    return exit_usage;
  }
  return with_repository(command, surroundings, err,
                         [&](aws::Client& client, const Target&, const std::string& name) -> Result<void> {
                           const auto gone = client.call<wire::DeleteRepository>({name});
                           if (!gone) return gone.error();
                           out << name << " is deleted.\n";
                           return ok();
                         });
}

int run_protect_repo(const ProtectRepoCommand& command, const Surroundings& surroundings, std::ostream& out,
                     std::ostream& err) {
  if (command.branches.empty() && command.tags.empty() && !command.none) {
    fail("say what to protect: --branch main, --tag 'v*' (or --none)", err);
    return exit_usage;
  }
  return with_repository(command, surroundings, err,
                         [&](aws::Client& client, const Target& target, const std::string& name) -> Result<void> {
                           const auto rules = rules_for(client, command, name);
                           if (!rules) return rules.error();
                           const auto changed = client.call<wire::PutRepositoryProtection>({name, *rules});
                           if (!changed) return changed.error();
                           return show(changed->details, target, command.json, out);
                         });
}

int run_default_branch(const DefaultBranchCommand& command, const Surroundings& surroundings, std::ostream& out,
                       std::ostream& err) {
  return with_repository(command, surroundings, err,
                         [&](aws::Client& client, const Target& target, const std::string& name) -> Result<void> {
                           const auto changed = client.call<wire::PutDefaultBranch>({name, command.branch});
                           if (!changed) return changed.error();
                           return show(changed->details, target, command.json, out);
                         });
}

int run_replay(const ReplayCommand& command, const Surroundings& surroundings, std::ostream& out, std::ostream& err) {
  return with_repository(command, surroundings, err,
                         [&](aws::Client& client, const Target&, const std::string& name) -> Result<void> {
                           const auto told = client.call<wire::ReplayPush>({name, command.ref});
                           if (!told) return told.error();
                           if (command.json) {
                             out << aws::to_json(*told) << "\n";
                             return ok();
                           }
                           const auto lines = told->lines.value_or(std::vector<std::string>());
                           for (const std::string& line : lines) out << harmless(line) << "\n";
                           if (lines.empty())
                             out << "No workflow of " << harmless(command.ref) << " listens to push.\n";
                           return ok();
                         });
}

int run_mirror_repo(const MirrorRepoCommand& command, const Surroundings& surroundings, int input, std::ostream& out,
                    std::ostream& err) {
  if (const std::string missing = missing_of(command); !missing.empty()) {
    fail(missing, err);
    return exit_usage;
  }
  RepoCommand named = command;
  if (named.repository.empty()) named.repository = repository_of_url(command.url);
  std::string fault;
  const int code =
      with_repository(named, surroundings, err,
                      [&](aws::Client& client, const Target& target, const std::string& name) -> Result<void> {
                        if (command.stop) return stop_mirroring(client, name, out);
                        const auto request = mirror_request(command, name, input, err);
                        if (!request) return request.error();
                        const auto made = client.call<wire::MirrorRepository>(*request);
                        if (!made) return made.error();
                        fault = fault_of(*made);
                        if (command.json) {
                          out << aws::to_json(*made) << "\n";
                        } else {
                          print(*made, target, out);
                        }
                        return ok();
                      });
  return fault.empty() ? code : fail(fault, err);
}

int run_create_token(const CreateTokenCommand& command, const Surroundings& surroundings, std::ostream& out,
                     std::ostream& err) {
  return with_target(command, surroundings, err, [&](aws::Client& client, const Target& target) -> Result<void> {
    wire::CreateAccessTokenRequest request;
    request.name = command.name;
    if (command.lifetime.count() > 0) request.durationSeconds = static_cast<std::int32_t>(command.lifetime.count());
    const auto made = client.call<wire::CreateAccessToken>(request);
    if (!made) return made.error();
    if (command.json) {
      out << aws::to_json(*made) << "\n";
      return ok();
    }
    const wire::AccessToken token = made->accessToken.value_or(wire::AccessToken());
    std::string host = target.endpoint;
    if (const std::size_t scheme = host.find("://"); scheme != std::string::npos) host.insert(scheme + 3, "git@");
    out << fmt::format(
        "{}\n\nShown this once; good until {}. It is the password, with any user name:\n"
        "  git remote add kaapi {}/git/OWNER/NAME.git\nTake it back: kaapi token rm {}\n",
        made->secret.value_or(""), time_of(token.expiresAt), host, token.tokenId.value_or(""));
    return ok();
  });
}

int run_list_tokens(const ListTokensCommand& command, const Surroundings& surroundings, std::ostream& out,
                    std::ostream& err) {
  return with_target(command, surroundings, err, [&](aws::Client& client, const Target&) -> Result<void> {
    wire::ListAccessTokensRequest request;
    if (command.all) request.all = true;
    const auto found = client.call<wire::ListAccessTokens>(request);
    if (!found) return found.error();
    if (command.json) {
      out << aws::to_json(*found) << "\n";
      return ok();
    }
    std::vector<Row> rows = {{Cell("ID"), Cell("NAME"), Cell("OF"), Cell("EXPIRES"), Cell("LAST USED")}};
    for (const wire::AccessToken& token : found->accessTokens.value_or(std::vector<wire::AccessToken>())) {
      rows.push_back({Cell(token.tokenId.value_or("")), Cell(token.name.value_or("")),
                      Cell(token.principalArn.value_or("")), Cell(time_of(token.expiresAt)),
                      Cell(time_of(token.lastUsedAt))});
    }
    out << (rows.size() == 1 ? "No access tokens. Make one: kaapi token create NAME\n" : table(rows, 0, false));
    return ok();
  });
}

int run_remove_tokens(const RemoveTokensCommand& command, const Surroundings& surroundings, std::ostream& out,
                      std::ostream& err) {
  return with_target(command, surroundings, err, [&](aws::Client& client, const Target&) -> Result<void> {
    for (const std::string& id : command.ids) {
      const auto gone = client.call<wire::DeleteAccessToken>({id});
      if (!gone) return gone.error();
      out << harmless(id) << " is worth nothing any more.\n";
    }
    return ok();
  });
}

}  // namespace kaapi::cli
