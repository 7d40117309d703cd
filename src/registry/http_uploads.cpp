// Pushing blobs: whole, in one stream, or in chunks that can be resumed.
#include <fmt/format.h>

#include "registry/api_call.h"
#include "registry/http_api.h"
#include "registry/names.h"
#include "registry/rights.h"

namespace kaapi::registry {
namespace {

std::string upload_location(const RepositoryKey& key, std::string_view id) {
  return fmt::format("/v2/{}/blobs/uploads/{}", key.name, id);
}

// 202 with where to go on and what has arrived.
http::Response progress(const RepositoryKey& key, std::string_view id, std::uint64_t offset, int status) {
  http::Response response;
  response.status = status;
  response.headers.set("Location", upload_location(key, id));
  response.headers.set("Docker-Upload-UUID", std::string(id));
  // "0-0" also stands for nothing yet, as in Docker's own registry.
  response.headers.set("Range", fmt::format("0-{}", offset == 0 ? 0 : offset - 1));
  return response;
}

http::Response created(const RepositoryKey& key, std::string_view digest) {
  http::Response response;
  response.status = 201;
  response.headers.set("Location", fmt::format("/v2/{}/blobs/{}", key.name, digest));
  response.headers.set("Docker-Content-Digest", std::string(digest));
  return response;
}

Error digest_invalid(std::string_view digest) {
  return make_error("DIGEST_INVALID", fmt::format("digest '{}' is not 'sha256:' and 64 lower-case hex digits", digest),
                    400);
}

Error busy() {
  return make_error("BLOB_UPLOAD_INVALID",
                    "another request is writing to this upload; wait for it or start a new upload", 409);
}

// A chunk must begin where the last one ended, and be as long as it says.
Result<void> check_chunk(const Call& call, std::uint64_t offset) {
  const std::optional<std::string_view> header = call.head.headers.find("Content-Range");
  if (!header) return ok();
  const Result<ChunkRange> range = parse_content_range(*header);
  if (!range) return range.error();
  if (range->first != offset) {
    return make_error("RANGE_INVALID",
                      fmt::format("the chunk begins at {}, but the upload holds {} bytes", range->first, offset), 416);
  }
  const std::uint64_t length = range->last - range->first + 1;
  if (call.head.content_length && *call.head.content_length != length) {
    return make_error("SIZE_INVALID",
                      fmt::format("Content-Range says {} bytes, Content-Length {}", length, *call.head.content_length),
                      400);
  }
  return ok();
}

}  // namespace

bool HttpApi::may_mount(const Call& call, std::string_view from) const {
  return valid_repository_name(from) && gate_.authorize(call.caller, mount_source_actions(), from).has_value() &&
         gate_.authorize(call.caller, mount_target_actions(), call.key.name).has_value();
}

Result<http::Response> HttpApi::start_upload(const Call& call) {
  if (const std::optional<std::string> mount = call.head.query_parameter("mount")) {
    const std::optional<std::string> from = call.head.query_parameter("from");
    if (from && valid_digest(*mount) && may_mount(call, *from)) {
      const Result<bool> mounted = registry_.catalog().mount_blob(call.key, *mount, *from, registry_.now());
      if (!mounted) return mounted.error();
      if (*mounted) return created(call.key, *mount);
    }
    // What cannot be mounted is pushed: the specification says to answer with an upload.
  } else if (const std::optional<std::string> digest = call.head.query_parameter("digest")) {
    if (!valid_digest(*digest)) return digest_invalid(*digest);
    // Before a long body is read for nothing.
    if (Result<Repository> found = registry_.catalog().repository(call.key); !found) return found.error();
    if (Result<void> stored = registry_.put_blob(call.key, call.body, *digest); !stored) return stored.error();
    return created(call.key, *digest);
  }
  const Result<std::string> id = registry_.start_upload(call.key);
  if (!id) return id.error();
  return progress(call.key, *id, 0, 202);
}

Result<http::Response> HttpApi::upload(const Call& call) {
  const std::string& id = call.reference;
  const std::string& method = call.head.method;
  if (method == "PATCH") return append(call, id);
  if (method == "PUT") return finish(call, id);
  if (method == "DELETE") {
    if (Result<void> cancelled = registry_.cancel_upload(call.key, id); !cancelled) return cancelled.error();
    http::Response response;
    response.status = 204;
    return response;
  }
  return upload_status(call, id);
}

Result<http::Response> HttpApi::upload_status(const Call& call, const std::string& id) {
  const Result<std::shared_ptr<Upload>> upload = registry_.upload(call.key, id);
  if (!upload) return upload.error();
  return progress(call.key, id, (*upload)->offset(), 204);
}

Result<http::Response> HttpApi::append(const Call& call, const std::string& id) {
  const Result<std::shared_ptr<Upload>> upload = registry_.upload(call.key, id);
  if (!upload) return upload.error();
  const std::unique_lock lock((*upload)->mutex(), std::try_to_lock);
  if (!lock) return busy();
  if (Result<void> fits = check_chunk(call, (*upload)->offset()); !fits) {
    if (fits.error().status != 416) return fits.error();
    // The specification wants to know where to resume.
    http::Response refused = error_response(fits.error());
    for (const auto& [name, value] : progress(call.key, id, (*upload)->offset(), 416).headers)
      refused.headers.set(name, value);
    return refused;
  }
  if (Result<void> appended = (*upload)->append(call.body); !appended) return appended.error();
  return progress(call.key, id, (*upload)->offset(), 202);
}

Result<http::Response> HttpApi::finish(const Call& call, const std::string& id) {
  const std::optional<std::string> digest = call.head.query_parameter("digest");
  if (!digest || !valid_digest(*digest)) return digest_invalid(digest.value_or(""));
  const Result<std::shared_ptr<Upload>> upload = registry_.upload(call.key, id);
  if (!upload) return upload.error();
  const std::unique_lock lock((*upload)->mutex(), std::try_to_lock);
  if (!lock) return busy();
  if (Result<void> fits = check_chunk(call, (*upload)->offset()); !fits) return fits.error();
  if (Result<void> appended = (*upload)->append(call.body); !appended) return appended.error();
  if (Result<void> done = registry_.finish_upload(call.key, id, **upload, *digest); !done) return done.error();
  return created(call.key, *digest);
}

}  // namespace kaapi::registry
