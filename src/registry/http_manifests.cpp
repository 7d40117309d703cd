// Manifests by tag and by digest.
#include <fmt/format.h>

#include <array>

#include "registry/api_call.h"
#include "registry/http_api.h"
#include "registry/names.h"

namespace kaapi::registry {
namespace {

constexpr std::size_t read_bytes = 64 * 1024;

Result<std::string> read_manifest(const Call& call) {
  const Error too_large =
      make_error("SIZE_INVALID", fmt::format("a manifest may be at most {} bytes long", max_manifest_bytes), 413);
  if (call.head.content_length.value_or(0) > max_manifest_bytes) return too_large;
  std::string content;
  while (true) {
    const std::size_t before = content.size();
    content.resize(before + read_bytes);
    const Result<std::size_t> got = call.body.read(std::span(content).subspan(before));
    if (!got) return got.error();
    content.resize(before + *got);
    if (*got == 0) return content;
    if (content.size() > max_manifest_bytes) return too_large;
  }
}

bool is_digest(std::string_view reference) {
  return reference.find(':') != std::string_view::npos;
}

Result<void> check_reference(std::string_view reference) {
  if (is_digest(reference) && !valid_digest(reference)) {
    return make_error("DIGEST_INVALID", fmt::format("'{}' is no sha256 digest", reference), 400);
  }
  if (!is_digest(reference) && !valid_tag(reference)) {
    return make_error(
        "TAG_INVALID",
        fmt::format("'{}' is no tag: 1 to 128 letters, digits, '_', '.' and '-', beginning with none of the last two",
                    reference),
        400);
  }
  return ok();
}

}  // namespace

Result<http::Response> HttpApi::manifest(const Call& call) {
  if (Result<void> valid = check_reference(call.reference); !valid) return valid.error();
  if (call.head.method == "PUT") return put_manifest(call);
  if (call.head.method == "DELETE") return delete_manifest(call);
  Result<StoredManifest> found = registry_.catalog().manifest(call.key, call.reference);
  if (!found) return found.error();
  http::Response response;
  response.headers.set("Content-Type", found->media_type);
  response.headers.set("Docker-Content-Digest", found->digest);
  response.headers.set("ETag", fmt::format("\"{}\"", found->digest));
  if (call.head.headers.find("If-None-Match") == fmt::format("\"{}\"", found->digest)) {
    response.status = 304;
    return response;
  }
  response.body = std::move(found->content);
  return response;
}

Result<http::Response> HttpApi::put_manifest(const Call& call) {
  const Result<std::string> content = read_manifest(call);
  if (!content) return content.error();
  const std::string digest = digest_of(*content);
  const bool by_digest = is_digest(call.reference);
  if (by_digest && digest != call.reference) {
    return make_error("DIGEST_INVALID",
                      fmt::format("the manifest's digest is {}, but the request says {}", digest, call.reference), 400);
  }
  const Result<Manifest> manifest = parse_manifest(*content, call.head.headers.find("Content-Type").value_or(""));
  if (!manifest) return manifest.error();
  const std::string_view tag = by_digest ? std::string_view() : std::string_view(call.reference);
  if (Result<void> put = registry_.catalog().put_manifest(call.key, *manifest, *content, digest, tag, registry_.now());
      !put) {
    return put.error();
  }
  http::Response response;
  response.status = 201;
  response.headers.set("Location", fmt::format("/v2/{}/manifests/{}", call.key.name, digest));
  response.headers.set("Docker-Content-Digest", digest);
  return response;
}

Result<http::Response> HttpApi::delete_manifest(const Call& call) {
  Result<void> removed = is_digest(call.reference) ? registry_.catalog().delete_manifest(call.key, call.reference)
                                                   : registry_.catalog().delete_tag(call.key, call.reference);
  if (!removed) return removed.error();
  http::Response response;
  response.status = 202;
  return response;
}

}  // namespace kaapi::registry
