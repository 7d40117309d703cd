#include "cli/repository_name.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/file_descriptor.h"
#include "base/text.h"

namespace kaapi::cli {
namespace {

constexpr std::string_view git_path = "/git/";
constexpr std::string_view git_suffix = ".git";

bool is_part(std::string_view part) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  };
  return !part.empty() && part.size() <= max_repository_part_bytes && part.front() != '.' && part.front() != '-' &&
         std::all_of(part.begin(), part.end(), fits);
}

// "HOST:PORT" of a URL, without who logs in; this machine's own names are one.
std::string authority_of(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return {};
  std::string_view port = url.starts_with("https:") ? "443" : "80";
  url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find('/'));
  if (const std::size_t at = url.rfind('@'); at != std::string_view::npos) url.remove_prefix(at + 1);
  const std::size_t colon = url.rfind(':');
  std::string_view host = url;
  if (colon != std::string_view::npos && url.find(']', colon) == std::string_view::npos) {
    host = url.substr(0, colon);
    port = url.substr(colon + 1);
  }
  std::string name = lower(host);
  if (name == "127.0.0.1" || name == "[::1]") name = "localhost";
  return fmt::format("{}:{}", name, port);
}

// "OWNER/NAME" of "http://host/git/OWNER/NAME.git"; empty when it is no such URL.
std::string repository_of_url(std::string_view url) {
  const std::size_t scheme = url.find("://");
  const std::size_t slash = scheme == std::string_view::npos ? scheme : url.find('/', scheme + 3);
  if (slash == std::string_view::npos) return {};
  std::string_view path = url.substr(slash);
  while (path.ends_with('/')) path.remove_suffix(1);
  if (!path.starts_with(git_path)) return {};
  Result<std::string> name = full_repository_name(path.substr(git_path.size()));
  return name ? std::move(*name) : std::string();
}

std::string read_all(int fd) {
  std::string text;
  std::array<char, 4096> buffer{};
  while (text.size() < max_remotes_bytes) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return text;
}

std::string in_words(const std::vector<std::string>& names) {
  constexpr std::size_t most = 5;
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < most; ++i) {
    if (i > 0) text += ", ";
    text += names[i];
  }
  if (names.size() > most) text += fmt::format(" and {} more", names.size() - most);
  return text;
}

}  // namespace

Result<std::string> full_repository_name(std::string_view given) {
  std::string_view text = given;
  if (text.ends_with(git_suffix)) text.remove_suffix(git_suffix.size());
  const std::size_t slash = text.find('/');
  const std::string_view owner = slash == std::string_view::npos ? default_owner : text.substr(0, slash);
  const std::string_view name = slash == std::string_view::npos ? text : text.substr(slash + 1);
  if (!is_part(owner) || !is_part(name)) {
    return make_error(errc::invalid,
                      fmt::format("'{}' is no name of a repository: it takes NAME or OWNER/NAME, each of letters, "
                                  "digits, '-', '_' and '.', at most {} characters",
                                  given.substr(0, 200), max_repository_part_bytes));
  }
  return fmt::format("{}/{}", owner, name);
}

std::vector<std::string> repositories_in_remotes(std::string_view remotes, std::string_view endpoint) {
  const std::string wanted = authority_of(endpoint);
  std::vector<std::string> found;
  if (wanted.empty()) return found;
  for (const std::string& line : split(remotes, '\n')) {
    const std::size_t tab = line.find('\t');
    if (tab == std::string::npos) continue;
    const std::string_view rest = std::string_view(line).substr(tab + 1);
    const std::string_view url = rest.substr(0, rest.find(' '));
    if (authority_of(url) != wanted) continue;
    std::string name = repository_of_url(url);
    if (name.empty()) continue;
    if (line.compare(0, tab, "origin") == 0) return {std::move(name)};
    if (std::find(found.begin(), found.end(), name) == found.end()) found.push_back(std::move(name));
  }
  return found;
}

std::string remotes_of_working_directory() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return {};
  const FileDescriptor reading(ends[0]);
  FileDescriptor writing(ends[1]);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, writing.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  std::string program = "git";
  std::string remote = "remote";
  std::string verbose = "-v";
  std::array<char*, 4> arguments = {program.data(), remote.data(), verbose.data(), nullptr};
  pid_t child = -1;
  const int failed = ::posix_spawnp(&child, "git", &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return {};
  writing = FileDescriptor(-1);
  std::string text = read_all(reading.get());
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? text : std::string();
}

Result<std::string> choose_repository(std::string_view given, std::string_view remotes, std::string_view endpoint,
                                      const std::function<Result<std::vector<std::string>>()>& all) {
  if (!given.empty()) return full_repository_name(given);
  std::vector<std::string> meant = repositories_in_remotes(remotes, endpoint);
  if (meant.size() == 1) return std::move(meant.front());
  if (!meant.empty()) {
    return make_error(errc::conflict, fmt::format("the git remotes here name more than one repository ({}); say which "
                                                  "one with --repo NAME",
                                                  in_words(meant)));
  }
  Result<std::vector<std::string>> there = all();
  if (!there) return there.error();
  if (there->size() == 1) return std::move(there->front());
  if (there->empty()) {
    return make_error(errc::not_found, "there is no repository yet; make one with: kaapi repo create NAME");
  }
  return make_error(errc::conflict, fmt::format("there is more than one repository ({}), and no git remote here names "
                                                "one of them; say which one with --repo NAME",
                                                in_words(*there)));
}

Result<std::string> repository_of(std::string_view given, const Target& target, aws::Client& client) {
  if (!given.empty()) return full_repository_name(given);
  const auto all = [&]() -> Result<std::vector<std::string>> {
    const Result<json::value> answer = client.call("git", "ListRepositories", json::object());
    if (!answer) return make_error(answer.error().code, explained(answer.error(), target));
    std::vector<std::string> names;
    const json::value* list = find_member(*answer, "repositories");
    if (list != nullptr && list->is_array()) {
      for (const json::value& one : list->as_array()) names.push_back(string_member(one, "repository"));
    }
    return names;
  };
  return choose_repository(given, remotes_of_working_directory(), target.endpoint, all);
}

}  // namespace kaapi::cli
