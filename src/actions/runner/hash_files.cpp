#include "actions/runner/hash_files.h"

#include <fmt/format.h>
#include <fnmatch.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <vector>

#include "base/file_descriptor.h"
#include "base/text.h"

namespace kaapi::actions::runner {
namespace {

namespace fs = std::filesystem;

struct Pattern {
  bool excludes = false;
  std::vector<std::string> segments;
};

Result<std::vector<Pattern>> read_patterns(const std::string& folder, std::span<const std::string> texts) {
  std::vector<Pattern> patterns;
  for (const std::string& text : texts) {
    for (const std::string& line : split(text, '\n')) {
      std::string_view rest = trim(line);
      if (rest.empty() || rest.starts_with('#')) continue;
      Pattern pattern;
      if (rest.starts_with('!')) {
        pattern.excludes = true;
        rest.remove_prefix(1);
      }
      if (rest.starts_with(folder + "/")) rest.remove_prefix(folder.size() + 1);
      if (rest.starts_with('/') || rest.starts_with("../") || rest.find("/../") != std::string_view::npos) {
        return make_error(errc::invalid, fmt::format("hashFiles: '{}' is outside of the workspace", rest));
      }
      for (std::string& segment : split(rest, '/')) {
        if (!segment.empty() && segment != ".") pattern.segments.push_back(std::move(segment));
      }
      patterns.push_back(std::move(pattern));
    }
  }
  return patterns;
}

using Segments = std::span<const std::string>;

// A pattern that names a folder means what is in it.
bool matches(Segments pattern, Segments path) {
  if (pattern.empty()) return true;
  if (path.empty()) return pattern.size() == 1 && pattern[0] == "**";
  if (pattern[0] == "**") return matches(pattern.subspan(1), path) || matches(pattern, path.subspan(1));
  return ::fnmatch(pattern[0].c_str(), path[0].c_str(), 0) == 0 && matches(pattern.subspan(1), path.subspan(1));
}

bool wanted(const std::vector<Pattern>& patterns, const std::string& relative) {
  const std::vector<std::string> path = split(relative, '/');
  bool wanted = false;
  for (const Pattern& pattern : patterns) {
    if (pattern.excludes == wanted && matches(pattern.segments, path)) wanted = !pattern.excludes;
  }
  return wanted;
}

Result<std::string> hash_of_file(const std::string& path) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return file_error("read", path);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> hash(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  EVP_DigestInit_ex(hash.get(), EVP_sha256(), nullptr);
  std::vector<char> buffer(128UL * 1024);
  while (true) {
    const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0) return file_error("read", path);
    if (got == 0) break;
    EVP_DigestUpdate(hash.get(), buffer.data(), static_cast<std::size_t>(got));
  }
  std::array<unsigned char, 32> digest{};
  EVP_DigestFinal_ex(hash.get(), digest.data(), nullptr);
  return std::string(reinterpret_cast<const char*>(digest.data()), digest.size());
}

Result<std::vector<std::string>> find(const std::string& folder, const std::vector<Pattern>& patterns) {
  std::vector<std::string> found;
  std::error_code failed;
  for (auto at = fs::recursive_directory_iterator(folder, fs::directory_options::skip_permission_denied, failed);
       !failed && at != fs::recursive_directory_iterator(); at.increment(failed)) {
    std::error_code ignored;
    if (!at->is_regular_file(ignored)) continue;
    std::string relative = at->path().lexically_relative(folder).generic_string();
    if (!wanted(patterns, relative)) continue;
    found.push_back(std::move(relative));
    if (found.size() > max_hashed_files) {
      return make_error(errc::too_large, fmt::format("hashFiles: more than {} files match", max_hashed_files));
    }
  }
  if (failed) return make_error(errc::unavailable, fmt::format("hashFiles: {}: {}", folder, failed.message()));
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

Result<std::string> hash_files(const std::string& folder, std::span<const std::string> patterns) {
  const auto read = read_patterns(folder, patterns);
  if (!read) return read.error();
  const auto files = find(folder, *read);
  if (!files) return files.error();
  if (files->empty()) return std::string();
  std::string hashes;
  for (const std::string& file : *files) {
    const Result<std::string> hash = hash_of_file(fmt::format("{}/{}", folder, file));
    if (!hash) return hash.error();
    hashes += *hash;
  }
  return to_hex(sha256(hashes));
}

}  // namespace kaapi::actions::runner
