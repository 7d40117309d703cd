#include "registry/rights.h"

#include <fmt/format.h>

#include <array>

namespace kaapi::registry {
namespace {

constexpr std::array<std::string_view, 1> describe = {"ecr:DescribeRepositories"};
constexpr std::array<std::string_view, 1> list = {"ecr:ListImages"};
constexpr std::array<std::string_view, 1> get_image = {"ecr:BatchGetImage"};
constexpr std::array<std::string_view, 1> put_image = {"ecr:PutImage"};
constexpr std::array<std::string_view, 1> delete_image = {"ecr:BatchDeleteImage"};
constexpr std::array<std::string_view, 1> download = {"ecr:GetDownloadUrlForLayer"};
// Who pushes asks so whether a layer may be skipped, who pulls how long it is.
constexpr std::array<std::string_view, 2> look = {"ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer"};
constexpr std::array<std::string_view, 1> initiate = {"ecr:InitiateLayerUpload"};
constexpr std::array<std::string_view, 1> part = {"ecr:UploadLayerPart"};
constexpr std::array<std::string_view, 1> complete = {"ecr:CompleteLayerUpload"};
constexpr std::array<std::string_view, 2> last_part = {"ecr:UploadLayerPart", "ecr:CompleteLayerUpload"};
constexpr std::array<std::string_view, 3> whole = {"ecr:InitiateLayerUpload", "ecr:UploadLayerPart",
                                                   "ecr:CompleteLayerUpload"};
constexpr std::array<std::string_view, 2> mount_source = {"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"};

struct Row {
  Endpoint endpoint;
  std::string_view method;
  Right right;
};

constexpr bool any_of = true;
constexpr bool writes = true;
constexpr bool recorded = true;
constexpr bool no = false;

constexpr std::array<Row, 19> rows = {{
    {Endpoint::base, "GET", {"GetAuthorizationToken", {}, no, no, no}},
    {Endpoint::base, "HEAD", {"GetAuthorizationToken", {}, no, no, no}},
    {Endpoint::catalog, "GET", {"DescribeRepositories", describe, no, no, no}},
    {Endpoint::catalog, "HEAD", {"DescribeRepositories", describe, no, no, no}},
    {Endpoint::tags, "GET", {"ListImages", list, no, no, no}},
    {Endpoint::tags, "HEAD", {"ListImages", list, no, no, no}},
    {Endpoint::manifest, "GET", {"BatchGetImage", get_image, no, no, recorded}},
    {Endpoint::manifest, "HEAD", {"BatchGetImage", get_image, no, no, no}},
    {Endpoint::manifest, "PUT", {"PutImage", put_image, no, writes, recorded}},
    {Endpoint::manifest, "DELETE", {"BatchDeleteImage", delete_image, no, writes, recorded}},
    {Endpoint::blob, "GET", {"GetDownloadUrlForLayer", download, no, no, no}},
    {Endpoint::blob, "HEAD", {"BatchCheckLayerAvailability", look, any_of, no, no}},
    {Endpoint::blob, "DELETE", {"BatchDeleteImage", delete_image, no, writes, recorded}},
    {Endpoint::start_upload, "POST", {"InitiateLayerUpload", initiate, no, writes, no}},
    {Endpoint::upload, "PATCH", {"UploadLayerPart", part, no, writes, no}},
    {Endpoint::upload, "PUT", {"CompleteLayerUpload", complete, no, writes, recorded}},
    {Endpoint::upload, "GET", {"UploadLayerPart", part, no, no, no}},
    {Endpoint::upload, "HEAD", {"UploadLayerPart", part, no, no, no}},
    {Endpoint::upload, "DELETE", {"UploadLayerPart", part, no, writes, no}},
}};

// Requests that do more than their method says.
constexpr Right whole_blob = {"CompleteLayerUpload", whole, no, writes, recorded};
constexpr Right last_bytes = {"CompleteLayerUpload", last_part, no, writes, recorded};

}  // namespace

const Right* right_of(Endpoint endpoint, const http::RequestHead& head) {
  if (endpoint == Endpoint::start_upload && head.method == "POST" && head.query_parameter("digest")) return &whole_blob;
  const bool has_body = head.content_length != 0U;
  if (endpoint == Endpoint::upload && head.method == "PUT" && has_body) return &last_bytes;
  for (const Row& row : rows) {
    if (row.endpoint == endpoint && row.method == head.method) return &row.right;
  }
  return nullptr;
}

std::string allowed_methods(Endpoint endpoint) {
  std::string methods;
  for (const Row& row : rows) {
    if (row.endpoint == endpoint) methods += fmt::format("{}{}", methods.empty() ? "" : ", ", row.method);
  }
  return methods;
}

std::vector<aws::Access> accesses_of(std::span<const std::string_view> actions, std::string_view repository_arn) {
  std::vector<aws::Access> accesses;
  for (const std::string_view action : actions) {
    accesses.push_back({std::string(action), std::string(repository_arn), {}});
  }
  return accesses;
}

std::span<const std::string_view> mount_source_actions() {
  return mount_source;
}

std::span<const std::string_view> mount_target_actions() {
  return complete;
}

}  // namespace kaapi::registry
