#include "containers/tar.h"

#include <fmt/format.h>

namespace kaapi::containers {
namespace {

constexpr std::size_t block_bytes = 512;

}  // namespace

std::string tar_entry(std::string_view name, TarType type, std::string_view content, std::string_view link) {
  using namespace std::string_view_literals;
  std::string header(block_bytes, '\0');
  const auto put = [&](std::size_t at, std::string_view text) { header.replace(at, text.size(), text); };
  put(0, name);
  put(100, "0000755");
  put(108, "0000000");
  put(116, "0000000");
  put(124, fmt::format("{:011o}", content.size()));
  put(136, "00000000000");
  put(148, "        ");  // the checksum counts itself as spaces
  header[156] = static_cast<char>(type);
  put(157, link);
  put(257, "ustar\00000"sv);
  unsigned sum = 0;
  for (const char byte : header) {
    sum += static_cast<unsigned char>(byte);
  }
  put(148, fmt::format("{:06o}", sum));
  put(154, "\0 "sv);
  std::string entry = std::move(header);
  entry += content;
  entry.append((block_bytes - content.size() % block_bytes) % block_bytes, '\0');
  return entry;
}

std::string tar_end() {
  return std::string(2 * block_bytes, '\0');
}

}  // namespace kaapi::containers
