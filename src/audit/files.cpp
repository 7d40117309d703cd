#include "audit/files.h"

#include <dirent.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string_view>

#include "base/file_descriptor.h"
#include "base/text.h"

namespace kaapi::audit {
namespace {

constexpr std::string_view prefix = "audit-";
constexpr std::string_view suffix = ".jsonl";

std::optional<std::uint64_t> number_of(std::string_view name) {
  if (!name.starts_with(prefix) || !name.ends_with(suffix) || name.size() <= prefix.size() + suffix.size()) {
    return std::nullopt;
  }
  const std::string_view digits = name.substr(prefix.size(), name.size() - prefix.size() - suffix.size());
  const std::optional<std::int64_t> number = parse_number(digits);
  if (!number || *number < 1) return std::nullopt;
  return static_cast<std::uint64_t>(*number);
}

}  // namespace

std::string file_path(const std::string& folder, std::uint64_t number) {
  return fmt::format("{}/{}{}{}", folder, prefix, number, suffix);
}

Result<std::vector<std::uint64_t>> file_numbers(const std::string& folder) {
  const auto close = [](DIR* opened) { ::closedir(opened); };
  const std::unique_ptr<DIR, decltype(close)> directory(::opendir(folder.c_str()), close);
  if (directory == nullptr) return file_error("read", folder);
  std::vector<std::uint64_t> numbers;
  errno = 0;
  while (const dirent* entry = ::readdir(directory.get())) {
    if (const auto number = number_of(entry->d_name)) numbers.push_back(*number);
  }
  if (errno != 0) return file_error("read", folder);
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

}  // namespace kaapi::audit
