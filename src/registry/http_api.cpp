// Routing, asking, and everything that reads. Uploads: http_uploads.cpp; manifests: http_manifests.cpp.
#include "registry/http_api.h"

#include <fmt/format.h>

#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "registry/api_call.h"
#include "registry/names.h"
#include "registry/rights.h"

namespace kaapi::registry {
namespace {

// {"name":"app","tags":["a","b"]}, or {"repositories":[...]} without a name.
std::string list_json(std::string_view name, std::string_view member, const std::vector<std::string>& items) {
  std::string body;
  JsonWriter writer(body);
  writer.begin_object();
  if (!name.empty()) {
    writer.key("name");
    writer.value(name);
  }
  writer.key(member);
  writer.begin_array();
  for (const std::string& item : items) writer.value(item);
  writer.end_array();
  writer.end_object();
  return body;
}

// `items` has one more than the page when there is a next one.
http::Response list_response(std::string_view path, const Page& page, std::string_view name, std::string_view member,
                             std::vector<std::string> items) {
  const auto limit = static_cast<std::size_t>(page.limit);
  const bool more = items.size() > limit;
  if (more) items.resize(limit);
  http::Response response = http::Response::json(200, list_json(name, member, items));
  if (more && !items.empty()) {
    response.headers.add("Link",
                         fmt::format("<{}?n={}&last={}>; rel=\"next\"", path, limit, percent_encode(items.back())));
  }
  return response;
}

void add_blob_headers(http::Response& response, std::string_view digest) {
  response.headers.set("Content-Type", "application/octet-stream");
  response.headers.set("Docker-Content-Digest", std::string(digest));
  response.headers.set("ETag", fmt::format("\"{}\"", digest));
  response.headers.set("Accept-Ranges", "bytes");
  response.headers.set("Cache-Control", "max-age=31536000, immutable");
}

}  // namespace

http::Response HttpApi::operator()(const http::RequestHead& head, http::BodyReader& body) {
  Result<http::Response> answered = answer(head, body);
  http::Response response = answered ? std::move(*answered) : error_response(answered.error());
  if (response.status >= 500) log::warn("registry", "{} {}: {}", head.method, head.path, answered.error().message);
  if (response.status == 401) {
    const std::string_view host = head.headers.find("Host").value_or(registry_.config().host);
    response.headers.set("WWW-Authenticate",
                         fmt::format("Basic realm=\"http://{}/\",service=\"ecr.amazonaws.com\"", host));
  }
  response.headers.set("Docker-Distribution-Api-Version", "registry/2.0");
  if (head.method == "HEAD" && !response.announced_length && std::holds_alternative<std::string>(response.body)) {
    response.announced_length = std::get<std::string>(response.body).size();
    response.body = std::string();
  }
  return response;
}

Result<http::Response> HttpApi::answer(const http::RequestHead& head, http::BodyReader& body) {
  const Result<Caller> caller = gate_.authenticate(head);
  if (!caller) return caller.error();
  const Route route = parse_route(head.path);
  if (route.endpoint == Endpoint::unknown) {
    return make_error("UNSUPPORTED", fmt::format("'{}' is no path of the OCI distribution specification", head.path),
                      404);
  }
  const Right* right = right_of(route.endpoint, head);
  if (right == nullptr) return method_not_allowed(head.method, allowed_methods(route.endpoint));
  const bool named = route.endpoint != Endpoint::base && route.endpoint != Endpoint::catalog;
  if (named && !valid_repository_name(route.name)) {
    return make_error(
        "NAME_INVALID",
        fmt::format("'{}' is no repository name: 2 to 256 lower-case letters, digits and single '.', '_', '-' or '/' "
                    "between them",
                    route.name),
        400);
  }
  return guarded({head, body, {caller->context.region, route.name}, route.reference, *caller}, route, *right);
}

Result<http::Response> HttpApi::guarded(const Call& call, const Route& route, const Right& right) {
  // The list of all repositories is about all of them.
  const std::string_view repository = route.endpoint == Endpoint::catalog ? "*" : std::string_view(route.name);
  aws::CallRecord record;
  record.service = "ecr";
  record.operation = right.operation;
  record.context = &call.caller.context;
  if (gate_.records()) record.accesses = accesses_of(right.actions, gate_.arn_of(call.caller, repository));

  Result<std::string> allowed = gate_.authorize(call.caller, right.actions, repository, right.any_of);
  if (call.caller.pull_only && right.writes) {
    allowed = make_error("DENIED", "this authorization token is for pulling only", 403);
  }
  if (!allowed) {
    record.error = make_error("AccessDeniedException", allowed.error().message, allowed.error().status);
    gate_.record(record);
    return allowed.error();
  }
  Result<http::Response> answered = serve(call, route.endpoint);
  if (right.recorded) {
    record.reason = std::move(*allowed);
    if (!answered) record.error = answered.error();
    gate_.record(record);
  }
  return answered;
}

Result<http::Response> HttpApi::serve(const Call& call, Endpoint endpoint) {
  switch (endpoint) {
    case Endpoint::base:
      return http::Response::json(200, "{}");
    case Endpoint::catalog:
      return catalog(call);
    case Endpoint::tags:
      return tags(call);
    case Endpoint::manifest:
      return manifest(call);
    case Endpoint::blob:
      return blob(call);
    case Endpoint::start_upload:
      return start_upload(call);
    default:
      return upload(call);
  }
}

Result<http::Response> HttpApi::blob(const Call& call) {
  if (!valid_digest(call.reference)) {
    return make_error("DIGEST_INVALID", fmt::format("'{}' is no sha256 digest", call.reference), 400);
  }
  if (call.head.method == "DELETE") {
    if (Result<void> removed = registry_.catalog().unlink_blob(call.key, call.reference); !removed)
      return removed.error();
    http::Response response;
    response.status = 202;
    return response;
  }
  const bool head_only = call.head.method == "HEAD";
  // HEAD is how a pusher asks whether it may skip a layer.
  const Result<std::uint64_t> size =
      head_only
          ? registry_.catalog().claim_blob(call.key, call.reference, registry_.now(), unreferenced_blob_lifetime / 2)
          : registry_.catalog().blob_size(call.key, call.reference);
  if (!size) return size.error();
  http::Response response;
  add_blob_headers(response, call.reference);
  if (head_only) {
    response.announced_length = *size;
    return response;
  }
  const Result<std::optional<ByteRange>> range = parse_range(call.head.headers.find("Range"), *size);
  if (!range) {
    http::Response refused = error_response(range.error());
    refused.headers.set("Content-Range", fmt::format("bytes */{}", *size));
    return refused;
  }
  const ByteRange part = range->value_or(ByteRange{0, *size});
  if (*range) {
    response.status = 206;
    response.headers.set("Content-Range",
                         fmt::format("bytes {}-{}/{}", part.first, part.first + part.length - 1, *size));
  }
  if (registry_.blobs().size(call.reference) != *size) {
    return make_error(
        errc::damaged,
        fmt::format("blob {} is missing or damaged on the server's disk; push the image again", call.reference), 500);
  }
  Result<http::FileBody> file = registry_.blobs().read(call.reference, part.first, part.length);
  if (!file) return make_error(errc::internal, file.error().message, 500);
  response.body = std::move(*file);
  return response;
}

Result<http::Response> HttpApi::tags(const Call& call) {
  const Result<Page> page = parse_page(call.head);
  if (!page) return page.error();
  Result<std::vector<std::string>> found = registry_.catalog().tags(call.key, page->after, page->limit + 1);
  if (!found) return found.error();
  return list_response(call.head.path, *page, call.key.name, "tags", std::move(*found));
}

Result<http::Response> HttpApi::catalog(const Call& call) {
  const Result<Page> page = parse_page(call.head);
  if (!page) return page.error();
  const Result<std::vector<Repository>> found =
      registry_.catalog().repositories(call.key.region, page->after, page->limit + 1);
  if (!found) return found.error();
  std::vector<std::string> names;
  for (const Repository& repository : *found) names.push_back(repository.name);
  return list_response(call.head.path, *page, "", "repositories", std::move(names));
}

}  // namespace kaapi::registry
