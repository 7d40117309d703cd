#include "actions/builtin/checkout_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace kaapi::actions {
namespace {

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool is_repository_name(std::string_view name) {
  const std::size_t slash = name.find('/');
  if (slash == 0 || slash == std::string_view::npos || slash + 1 == name.size()) return false;
  const auto plain = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' ||
           c == '.';
  };
  const std::string_view owner = name.substr(0, slash);
  const std::string_view own_name = name.substr(slash + 1);
  return std::all_of(owner.begin(), owner.end(), plain) && std::all_of(own_name.begin(), own_name.end(), plain) &&
         owner.find_first_not_of('.') != std::string_view::npos &&
         own_name.find_first_not_of('.') != std::string_view::npos;
}

// "refs/remotes/origin/main" of "refs/heads/main": where a fetched ref is kept.
std::string kept_as(std::string_view ref) {
  constexpr std::string_view heads = "refs/heads/";
  constexpr std::string_view pulls = "refs/pull/";
  if (ref.starts_with(heads)) return fmt::format("refs/remotes/origin/{}", ref.substr(heads.size()));
  if (ref.starts_with(pulls)) return fmt::format("refs/remotes/pull/{}", ref.substr(pulls.size()));
  return std::string(ref);
}

}  // namespace

Result<CheckoutSource> checkout_source(std::string_view wanted, std::string_view own_repository,
                                       std::string_view clone_path, std::string_view server_url,
                                       std::string_view other_server) {
  CheckoutSource source;
  source.repository = std::string(wanted.empty() ? own_repository : wanted);
  if (!is_repository_name(source.repository)) {
    return make_error(errc::invalid, fmt::format("the input 'repository' is OWNER/NAME, not '{}'", wanted));
  }
  while (other_server.ends_with('/')) other_server.remove_suffix(1);
  source.platform = other_server.empty() || other_server == server_url;
  source.own = source.platform && lower(source.repository) == lower(own_repository);
  source.server = std::string(source.platform ? server_url : other_server);
  if (!source.platform) {
    source.url = fmt::format("{}/{}", source.server, source.repository);
  } else if (source.own) {
    source.url = fmt::format("{}{}", source.server, clone_path);
  } else {
    // Neighbours of the job's own repository.
    const std::size_t at = clone_path.rfind(own_repository);
    const std::string_view before = at == std::string_view::npos ? "/git/" : clone_path.substr(0, at);
    const std::string_view after =
        at == std::string_view::npos ? ".git" : clone_path.substr(at + own_repository.size());
    source.url = fmt::format("{}{}{}{}", source.server, before, source.repository, after);
  }
  return source;
}

bool is_commit_name(std::string_view text) {
  return (text.size() == 40 || text.size() == 64) && std::all_of(text.begin(), text.end(), is_hex);
}

CheckoutTarget checkout_target(std::string_view wanted, bool own, std::string_view ref, std::string_view sha) {
  if (is_commit_name(wanted)) return {"", std::string(wanted)};
  if (!wanted.empty()) return {std::string(wanted), ""};
  if (!own) return {};
  return {std::string(ref), std::string(sha)};
}

std::vector<std::string> refspecs(const CheckoutTarget& target, std::int64_t depth, bool tags) {
  std::vector<std::string> specs;
  const bool is_tag = target.ref.starts_with("refs/tags/");
  if (depth == 0) {
    specs = {"+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"};
    if (!target.commit.empty() && !is_tag) specs.push_back(target.commit);
    if (!target.ref.empty() && !is_tag && !target.ref.starts_with("refs/heads/")) {
      specs.push_back(fmt::format("+{}:{}", target.ref, kept_as(target.ref)));
    }
    return specs;
  }
  if (tags) specs.emplace_back("+refs/tags/*:refs/tags/*");
  if (is_tag) {
    // The tag itself, so that an annotated one stays one.
    if (!tags) specs.push_back(fmt::format("+{0}:{0}", target.ref));
  } else if (!target.commit.empty()) {
    specs.push_back(target.ref.empty() ? target.commit : fmt::format("+{}:{}", target.commit, kept_as(target.ref)));
  } else {
    specs.push_back(fmt::format("+{}:{}", target.ref, kept_as(target.ref)));
  }
  return specs;
}

std::vector<std::string> checkout_arguments(const CheckoutTarget& target) {
  constexpr std::string_view heads = "refs/heads/";
  const std::string start =
      !target.commit.empty() ? target.commit : (target.ref.empty() ? "HEAD" : kept_as(target.ref));
  if (target.ref.starts_with(heads)) return {"-B", target.ref.substr(heads.size()), start};
  return {"--detach", start};
}

std::optional<std::string> choose_ref(std::string_view name, std::string_view ls_remote_output) {
  const std::array<std::string, 2> candidates = {fmt::format("refs/heads/{}", name), fmt::format("refs/tags/{}", name)};
  const std::vector<std::string> lines = split(ls_remote_output, '\n');
  for (const std::string& candidate : candidates) {
    for (const std::string& line : lines) {
      const std::size_t tab = line.find('\t');
      if (tab != std::string::npos && std::string_view(line).substr(tab + 1) == candidate) return candidate;
    }
  }
  return std::nullopt;
}

std::optional<std::string> head_ref(std::string_view ls_remote_output) {
  constexpr std::string_view start = "ref: ";
  for (const std::string& line : split(ls_remote_output, '\n')) {
    const std::size_t tab = line.find('\t');
    if (line.starts_with(start) && tab != std::string::npos && line.substr(tab + 1) == "HEAD") {
      return line.substr(start.size(), tab - start.size());
    }
  }
  return std::nullopt;
}

bool is_transient(std::string_view git_errors) {
  constexpr std::array<std::string_view, 9> signs = {"Could not resolve host",
                                                     "Failed to connect",
                                                     "Connection refused",
                                                     "Connection reset",
                                                     "Connection timed out",
                                                     "unexpected disconnect",
                                                     "early EOF",
                                                     "Empty reply from server",
                                                     "requested URL returned error: 50"};
  return std::any_of(signs.begin(), signs.end(),
                     [&](std::string_view sign) { return git_errors.find(sign) != std::string_view::npos; });
}

}  // namespace kaapi::actions
