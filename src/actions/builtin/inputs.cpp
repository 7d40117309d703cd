#include "actions/builtin/inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "base/text.h"

namespace kaapi::actions {
namespace {

// How late a cancelled wait ends.
constexpr std::chrono::milliseconds cancel_check_interval{100};

std::vector<std::string> pieces(std::string_view text, std::string_view separators) {
  std::vector<std::string> found;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(separators), text.size());
    if (const std::string_view piece = trim(text.substr(0, end)); !piece.empty()) found.emplace_back(piece);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return found;
}

// As the toolkit's issueCommand: a message is one line.
std::string escaped(std::string_view message) {
  std::string text;
  for (const char c : message) {
    if (c == '%') {
      text += "%25";
    } else if (c == '\r') {
      text += "%0D";
    } else if (c == '\n') {
      text += "%0A";
    } else {
      text += c;
    }
  }
  return text;
}

}  // namespace

Result<bool> bool_input(const ActionHost& host, std::string_view name, bool otherwise) {
  return bool_of(host.input(name), name, otherwise);
}

Result<bool> bool_of(std::string_view given, std::string_view name, bool otherwise) {
  const std::string text = lower(given);
  if (text.empty()) return otherwise;
  if (text == "true") return true;
  if (text == "false") return false;
  return make_error(errc::invalid, fmt::format("the input '{}' is true or false, not '{}'", name, text));
}

Result<std::int64_t> number_input(const ActionHost& host, std::string_view name, std::int64_t otherwise,
                                  std::int64_t least, std::int64_t most) {
  return number_of(host.input(name), name, otherwise, least, most);
}

Result<std::int64_t> number_of(std::string_view given, std::string_view name, std::int64_t otherwise,
                               std::int64_t least, std::int64_t most) {
  if (given.empty()) return otherwise;
  const std::optional<std::int64_t> number = parse_number(given);
  if (!number || *number < least || *number > most) {
    return make_error(errc::invalid, fmt::format("the input '{}' is a whole number from {} to {}, not '{}'", name,
                                                 least, most, given));
  }
  return *number;
}

std::vector<std::string> lines_of(std::string_view text) {
  return pieces(text, "\n");
}

std::vector<std::string> items_of(std::string_view text) {
  return pieces(text, ",\n");
}

void log_lines(ActionHost& host, std::string_view text) {
  for (const std::string& line : lines_of(text)) {
    const std::size_t shown = line.rfind('\r');
    host.log(shown == std::string::npos ? std::string_view(line) : std::string_view(line).substr(shown + 1));
  }
}

void warn(ActionHost& host, std::string_view message) {
  host.log(fmt::format("::warning::{}", escaped(message)));
}

void debug(ActionHost& host, std::string_view message) {
  host.log(fmt::format("::debug::{}", escaped(message)));
}

Result<void> pause(const ActionHost& host, std::chrono::milliseconds duration) {
  const auto end = std::chrono::steady_clock::now() + duration;
  while (true) {
    if (host.cancelled()) return make_error(errc::cancelled, "the step was cancelled");
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    if (left.count() <= 0) return ok();
    std::this_thread::sleep_for(std::min(left, cancel_check_interval));
  }
}

bool is_below(std::string_view path, std::string_view folder) {
  if (folder == "/") return true;
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

std::string home_folder(const ActionHost& host) {
  const std::string home = host.env("HOME").value_or("/");
  const Result<std::string> here = host.host_path(home);
  // One that is not seen from here is told of where a path in it is asked for.
  return here ? *here : home;
}

Result<std::string> absolute_path(const ActionHost& host, std::string_view path) {
  std::filesystem::path whole(path);
  if (path == "~" || path.starts_with("~/")) whole = fmt::format("{}{}", home_folder(host), path.substr(1));
  std::string normal = (std::filesystem::path(host.workspace()) / whole).lexically_normal().string();
  while (normal.size() > 1 && normal.ends_with('/')) normal.pop_back();
  return host.host_path(normal);
}

Result<std::string> read_input_file(const ActionHost& host, std::string_view name, std::size_t max_bytes) {
  const Result<std::string> path = absolute_path(host, host.input(name));
  Result<std::string> text = path ? read_file(*path, max_bytes) : path;
  if (text) return text;
  return make_error(errc::invalid, fmt::format("the input '{}': {}", name, text.error().message));
}

}  // namespace kaapi::actions
