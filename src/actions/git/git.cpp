#include "actions/git/git.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/text.h"

namespace kaapi::actions::git {
namespace {

constexpr std::size_t max_said_bytes = 500;

bool is_name_part(std::string_view part) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  };
  return !part.empty() && part.size() <= max_name_part_bytes && part.front() != '.' && part.front() != '-' &&
         !part.ends_with(".git") && !part.ends_with(".lock") && std::all_of(part.begin(), part.end(), fits);
}

bool is_ref_part(std::string_view part) {
  return !part.empty() && part.front() != '.' && !part.ends_with(".lock") && !part.ends_with('.');
}

}  // namespace

bool is_repository_name(std::string_view name) {
  const std::size_t slash = name.find('/');
  return slash != std::string_view::npos && is_name_part(name.substr(0, slash)) && is_name_part(name.substr(slash + 1));
}

Error bad_name(std::string_view given) {
  return make_error(
      errc::invalid,
      fmt::format("'{}' is no name of a repository: OWNER/NAME or NAME is expected, each of up to {} letters, "
                  "digits, '-', '_' and '.', beginning with neither '.' nor '-'",
                  given.substr(0, 200), max_name_part_bytes));
}

Result<std::string> full_name(std::string_view given) {
  std::string_view name = given;
  if (name.ends_with(".git")) name.remove_suffix(4);
  std::string full =
      name.find('/') == std::string_view::npos ? fmt::format("{}/{}", default_owner, name) : std::string(name);
  if (is_repository_name(full)) return full;
  return bad_name(given);
}

bool is_commit(std::string_view text) {
  return text.size() == no_commit.size() && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_ref(std::string_view ref) {
  constexpr std::string_view never = " ~^:?*[\\\x7f";
  if (!ref.starts_with("refs/") || ref.size() > max_ref_bytes) return false;
  if (ref.find("..") != std::string_view::npos || ref.find("@{") != std::string_view::npos) return false;
  const auto bad = [&](char c) {
    return static_cast<unsigned char>(c) < 0x20U || never.find(c) != std::string_view::npos;
  };
  if (std::any_of(ref.begin(), ref.end(), bad) || find_broken_utf8(ref)) return false;
  const std::vector<std::string> parts = split(ref, '/');
  return parts.size() > 1 && std::all_of(parts.begin(), parts.end(), is_ref_part);
}

std::string ref_fault(std::string_view ref) {
  if (is_ref(ref)) return {};
  const std::string named = as_utf8(ref.substr(0, max_ref_bytes));
  if (ref.size() > max_ref_bytes) {
    return fmt::format(
        "{}...: the name of this ref has {} bytes, and {} are the most: give it a shorter one (git branch "
        "-m OLD NEW, or a new tag)",
        named, ref.size(), max_ref_bytes);
  }
  if (find_broken_utf8(ref)) {
    return fmt::format("{}: the name of this ref is no UTF-8: rename it (git branch -m OLD NEW, or a new tag)", named);
  }
  return fmt::format("{}: this is no name of a ref, see git check-ref-format: rename it", named);
}

std::string_view branch_of(std::string_view ref) {
  constexpr std::string_view heads = "refs/heads/";
  return ref.starts_with(heads) ? ref.substr(heads.size()) : std::string_view();
}

std::string_view tag_of(std::string_view ref) {
  constexpr std::string_view tags = "refs/tags/";
  return ref.starts_with(tags) ? ref.substr(tags.size()) : std::string_view();
}

Result<std::string> branch_named(std::string_view given) {
  const std::string branch(given.starts_with("refs/heads/") ? branch_of(given) : given);
  if (!branch.starts_with("refs/") && is_ref("refs/heads/" + branch)) return branch;
  return make_error(errc::invalid, fmt::format("'{}' is no name of a branch: give one like main or refs/heads/main",
                                               as_utf8(given.substr(0, max_ref_bytes))));
}

std::vector<std::string> environment(const std::vector<std::pair<std::string, std::string>>& settings) {
  std::vector<std::string> out = {"PATH=/usr/local/bin:/usr/bin:/bin",
                                  "HOME=/nonexistent",
                                  "LANG=C.UTF-8",
                                  "GIT_CONFIG_NOSYSTEM=1",
                                  "GIT_CONFIG_GLOBAL=/dev/null",
                                  "GIT_TERMINAL_PROMPT=0",
                                  "GIT_ALLOW_PROTOCOL=http:https"};
  for (const char* name :
       {"http_proxy", "https_proxy", "no_proxy", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "TMPDIR"}) {
    if (const char* value = std::getenv(name); value != nullptr) out.push_back(fmt::format("{}={}", name, value));
  }
  // As the command line's, which git trusts: safe.directory is not read from elsewhere in a repository.
  std::vector<std::pair<std::string, std::string>> all = {{"safe.directory", "*"}, {"gc.autoDetach", "false"}};
  all.insert(all.end(), settings.begin(), settings.end());
  out.push_back(fmt::format("GIT_CONFIG_COUNT={}", all.size()));
  for (std::size_t i = 0; i < all.size(); ++i) {
    out.push_back(fmt::format("GIT_CONFIG_KEY_{}={}", i, all[i].first));
    out.push_back(fmt::format("GIT_CONFIG_VALUE_{}={}", i, all[i].second));
  }
  return out;
}

Command git_command(const std::string& directory, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "git");
  return {std::move(arguments), environment(), directory};
}

Result<std::string> git(const std::string& directory, std::vector<std::string> arguments, std::string_view input,
                        const Limits& limits) {
  const std::string what = arguments.front();
  Result<Finished> finished = run(git_command(directory, std::move(arguments)), input, limits);
  if (!finished) return finished.error();
  if (finished->exit_code == 0) return std::move(finished->output);
  return make_error(errc::unavailable, fmt::format("git {} failed: {}", what, said(finished->errors)));
}

std::string said(std::string_view errors) {
  std::string out(trim(errors).substr(0, max_said_bytes));
  for (char& c : out) {
    if (c == '\n') c = ' ';
    if (static_cast<unsigned char>(c) < 0x20U || c == 0x7F) c = '?';
  }
  return out.empty() ? "it gave no reason" : out;
}

}  // namespace kaapi::actions::git
