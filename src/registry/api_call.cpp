#include "registry/api_call.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/json.h"
#include "base/text.h"

namespace kaapi::registry {
namespace {

constexpr std::int64_t max_page_size = 1000;

// One table of what the floors below answer and how the specification calls it.
struct WireError {
  std::string_view inside;
  std::string_view code;
  int status;
};
constexpr std::array<WireError, 5> wire_errors = {{
    {"RepositoryNotFoundException", "NAME_UNKNOWN", 404},
    {"ImageTagAlreadyExistsException", "TAG_INVALID", 400},
    {"ImageReferencedByManifestList", "UNSUPPORTED", 405},
    {errc::too_large, "SIZE_INVALID", 413},
    {errc::timed_out, "UNKNOWN", 408},
}};

std::string join(const std::vector<std::string>& parts, std::size_t count) {
  return fmt::format("{}", fmt::join(parts.begin(), parts.begin() + static_cast<std::ptrdiff_t>(count), "/"));
}

Error range_invalid(std::string_view header, std::uint64_t size) {
  return make_error("RANGE_INVALID",
                    fmt::format("Range '{}' does not lie within the {} bytes of the blob", header, size), 416);
}

}  // namespace

Route parse_route(std::string_view path) {
  constexpr std::string_view prefix = "/v2/";
  if (path == "/v2" || path == prefix) return {Endpoint::base, "", ""};
  const std::optional<std::string> decoded = percent_decode(path);
  if (!decoded || !decoded->starts_with(prefix)) return {};
  std::vector<std::string> parts = split(std::string_view(*decoded).substr(prefix.size()), '/');
  if (parts.size() == 1) return {parts[0] == "_catalog" ? Endpoint::catalog : Endpoint::unknown, "", ""};
  // ".../blobs/uploads" and ".../blobs/uploads/" both start an upload.
  if (parts.back().empty()) parts.pop_back();
  const std::size_t count = parts.size();
  const auto from_end = [&](std::size_t back) { return back < count ? std::string_view(parts[count - 1 - back]) : ""; };
  if (count > 2 && from_end(1) == "tags" && from_end(0) == "list") return {Endpoint::tags, join(parts, count - 2), ""};
  if (count > 2 && from_end(1) == "blobs" && from_end(0) == "uploads")
    return {Endpoint::start_upload, join(parts, count - 2), ""};
  if (count > 3 && from_end(2) == "blobs" && from_end(1) == "uploads")
    return {Endpoint::upload, join(parts, count - 3), parts.back()};
  if (count > 2 && from_end(1) == "blobs") return {Endpoint::blob, join(parts, count - 2), parts.back()};
  if (count > 2 && from_end(1) == "manifests") return {Endpoint::manifest, join(parts, count - 2), parts.back()};
  return {};
}

http::Response error_response(const Error& error) {
  std::string_view code = error.code;
  int status = error.status;
  for (const WireError& entry : wire_errors) {
    if (entry.inside != code) continue;
    code = entry.code;
    status = entry.status;
    break;
  }
  // The specification's codes are upper case; whatever else comes from below has no name there.
  if (std::any_of(code.begin(), code.end(), [](char c) { return c >= 'a' && c <= 'z'; })) code = "UNKNOWN";
  std::string body;
  JsonWriter writer(body);
  writer.begin_object();
  writer.key("errors");
  writer.begin_array();
  writer.begin_object();
  writer.key("code");
  writer.value(code);
  writer.key("message");
  writer.value(error.message);
  writer.key("detail");
  writer.null();
  writer.end_object();
  writer.end_array();
  writer.end_object();
  return http::Response::json(status, std::move(body));
}

Error method_not_allowed(std::string_view method, std::string_view allowed) {
  return make_error("UNSUPPORTED", fmt::format("{} is not supported here; supported are {}", method, allowed), 405);
}

Result<std::optional<ByteRange>> parse_range(std::optional<std::string_view> header, std::uint64_t size) {
  constexpr std::string_view unit = "bytes=";
  // RFC 9110, 14.2: a unit or a form that is not understood is ignored; several ranges may be answered whole.
  if (!header || !header->starts_with(unit) || header->find(',') != std::string_view::npos)
    return std::optional<ByteRange>();
  const std::string_view spec = trim(header->substr(unit.size()));
  const std::size_t dash = spec.find('-');
  if (dash == std::string_view::npos) return std::optional<ByteRange>();
  const std::string_view from_text = spec.substr(0, dash);
  const std::string_view to_text = spec.substr(dash + 1);
  const std::optional<std::int64_t> from = parse_number(from_text);
  const std::optional<std::int64_t> to = parse_number(to_text);
  if ((!from && !from_text.empty()) || (!to && !to_text.empty()) || (!from && !to)) return std::optional<ByteRange>();
  if (!from) {  // the last bytes
    const std::uint64_t length = std::min(static_cast<std::uint64_t>(*to), size);
    if (length == 0) return range_invalid(*header, size);
    return std::optional<ByteRange>({size - length, length});
  }
  const auto first = static_cast<std::uint64_t>(*from);
  if (first >= size) return range_invalid(*header, size);
  const std::uint64_t last = to ? std::min(static_cast<std::uint64_t>(*to), size - 1) : size - 1;
  if (last < first) return std::optional<ByteRange>();
  return std::optional<ByteRange>({first, last - first + 1});
}

Result<ChunkRange> parse_content_range(std::string_view header) {
  std::string_view spec = trim(header);
  if (spec.starts_with("bytes ")) spec.remove_prefix(6);
  spec = spec.substr(0, spec.find('/'));
  const std::size_t dash = spec.find('-');
  const std::optional<std::int64_t> first = parse_number(spec.substr(0, dash));
  const std::optional<std::int64_t> last =
      dash == std::string_view::npos ? std::nullopt : parse_number(spec.substr(dash + 1));
  if (!first || !last || *last < *first) {
    return make_error("BLOB_UPLOAD_INVALID", fmt::format("Content-Range '{}' is not of the form 'first-last'", header),
                      400);
  }
  return ChunkRange{static_cast<std::uint64_t>(*first), static_cast<std::uint64_t>(*last)};
}

Result<Page> parse_page(const http::RequestHead& head) {
  Page page;
  page.limit = max_page_size;
  page.after = head.query_parameter("last").value_or("");
  if (const std::optional<std::string> text = head.query_parameter("n")) {
    const std::optional<std::int64_t> number = parse_number(*text);
    if (!number) {
      return make_error("PAGINATION_NUMBER_INVALID", fmt::format("n must be a number of entries, not '{}'", *text),
                        400);
    }
    page.limit = std::min(*number, max_page_size);
  }
  return page;
}

}  // namespace kaapi::registry
