// Authentication, routing, and everything that reads. Uploads: http_uploads.cpp; manifests: http_manifests.cpp.
#include "registry/http_api.h"

#include <fmt/format.h>

#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "registry/api_call.h"
#include "registry/names.h"

namespace kaapi::registry {
namespace {

Error unauthorized(std::string_view why, std::string_view region, std::string_view host) {
  return make_error(
      "UNAUTHORIZED",
      fmt::format("{}. Run: aws ecr get-login-password --region {} | docker login --username AWS --password-stdin {}",
                  why, region, host),
      401);
}

bool reads(std::string_view method) {
  return method == "GET" || method == "HEAD";
}

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

Result<HttpApi::Access> HttpApi::authenticate(const http::RequestHead& head) const {
  const Config& config = registry_.config();
  const std::string_view host = head.headers.find("Host").value_or(config.host);
  const std::optional<std::string_view> header = head.headers.find("Authorization");
  Result<Token> token = make_error(errc::invalid, "no basic auth credentials");
  if (header && lower(header->substr(0, 6)) == "basic ") {
    const std::optional<std::string> credentials = base64_decode(trim(header->substr(6)));
    const std::size_t colon = credentials ? credentials->find(':') : std::string::npos;
    if (colon == std::string::npos) {
      token = make_error(errc::invalid, "the Authorization header holds no user and password");
    } else if (credentials->substr(0, colon) != "AWS") {
      token = make_error(errc::invalid, "the user name must be AWS");
    } else {
      token = tokens_.verify(std::string_view(*credentials).substr(colon + 1), registry_.now());
    }
  } else if (header) {
    token = make_error(errc::invalid, "only Basic authorization is understood");
  }
  if (token && token->account_id != config.account_id) {
    token = make_error(errc::invalid, "the authorization token belongs to another account");
  }
  if (token) return Access{token->region, token->pull_only};
  // Without authentication a token still says which region is meant.
  if (!config.auth) return Access{config.default_region, false};
  return unauthorized(token.error().message, config.default_region, host);
}

Result<http::Response> HttpApi::answer(const http::RequestHead& head, http::BodyReader& body) {
  const Result<Access> access = authenticate(head);
  if (!access) return access.error();
  if (access->pull_only && !reads(head.method)) {
    return make_error("DENIED", "this authorization token is for pulling only", 403);
  }
  const Route route = parse_route(head.path);
  if (route.endpoint == Endpoint::unknown) {
    return make_error("UNSUPPORTED", fmt::format("'{}' is no path of the OCI distribution specification", head.path),
                      404);
  }
  const bool read_only =
      route.endpoint == Endpoint::base || route.endpoint == Endpoint::catalog || route.endpoint == Endpoint::tags;
  if (read_only && !reads(head.method)) return method_not_allowed(head.method, "GET, HEAD");
  const Call call{head, body, {access->region, route.name}, route.reference};
  if (route.endpoint == Endpoint::base) return http::Response::json(200, "{}");
  if (route.endpoint == Endpoint::catalog) return catalog(call);
  if (!valid_repository_name(route.name)) {
    return make_error(
        "NAME_INVALID",
        fmt::format("'{}' is no repository name: 2 to 256 lower-case letters, digits and single '.', '_', '-' or '/' "
                    "between them",
                    route.name),
        400);
  }
  switch (route.endpoint) {
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
  if (!reads(call.head.method)) return method_not_allowed(call.head.method, "GET, HEAD, DELETE");
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
