#pragma once
// For this folder's tests: a registry on real files, requests as functions, small images.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/test_directory.h"
#include "base/text.h"
#include "registry/http_api.h"
#include "registry/names.h"
#include "registry/registry.h"
#include "registry/token.h"
#include "store/database.h"

namespace kaapi::registry {

inline constexpr std::string_view account = "123456789012";
inline constexpr std::string_view region = "eu-north-1";

// A body that comes in pieces and may break off.
class FakeBody final : public http::BodyReader {
 public:
  explicit FakeBody(std::string content, std::size_t piece_bytes = 60'000, bool breaks = false)
      : content_(std::move(content)), piece_bytes_(piece_bytes), breaks_(breaks) {}

  Result<std::size_t> read(std::span<char> buffer) override {
    if (position_ == content_.size() && breaks_) return make_error(errc::unavailable, "the client went away");
    const std::size_t length = std::min({buffer.size(), piece_bytes_, content_.size() - position_});
    std::copy_n(content_.data() + position_, length, buffer.data());
    position_ += length;
    return length;
  }

 private:
  std::string content_;
  std::size_t piece_bytes_;
  bool breaks_;
  std::size_t position_ = 0;
};

struct Answer {
  int status = 0;
  http::Headers headers;
  std::string body;
  std::optional<std::uint64_t> announced;

  std::string header(std::string_view name) const { return std::string(headers.find(name).value_or("")); }
  // The code of the first error, "" when there is none.
  std::string code() const {
    const Result<json::value> value = parse_json(body);
    const json::value* errors = value ? find_member(*value, "errors") : nullptr;
    return errors == nullptr ? "" : string_member(errors->as_array().at(0), "code");
  }
  std::string message() const {
    const Result<json::value> value = parse_json(body);
    const json::value* errors = value ? find_member(*value, "errors") : nullptr;
    return errors == nullptr ? "" : string_member(errors->as_array().at(0), "message");
  }
};

class RegistryTest : public testing::Test {
 protected:
  void SetUp() override {
    clock_.set(SystemClock().now());
    start();
    add_repository("app");
  }
  void TearDown() override {
    api_.reset();
    registry_.reset();
    database_.reset();
  }

  // A restart, or the first start: nothing but the files survives.
  void start() {
    api_.reset();
    registry_.reset();
    database_.reset();
    database_ = store::Database::open(directory_ + "/registry.db", migrations()).value();
    Config config;
    config.data_dir = directory_ + "/registry";
    config.account_id = account;
    config.default_region = region;
    config.host = "localhost:4566";
    config.auth = auth_;
    registry_ = Registry::open(config, *database_, clock_, ids_).value();
    api_ = std::make_unique<HttpApi>(*registry_, tokens_);
  }

  void add_repository(std::string name, std::string mutability = "MUTABLE", std::string_view where = region) {
    Repository wanted;
    wanted.region = where;
    wanted.name = std::move(name);
    wanted.tag_mutability = std::move(mutability);
    wanted.created_at = clock_.now();
    ASSERT_TRUE(registry_->catalog().create_repository(wanted, {}));
  }

  std::string password(std::string_view where = region, bool pull_only = false) const {
    Token token;
    token.account_id = account;
    token.region = where;
    token.principal = "arn:aws:iam::123456789012:root";
    token.pull_only = pull_only;
    token.expires_at = clock_.now() + token_lifetime;
    return tokens_.issue(token);
  }

  using Fields = std::vector<std::pair<std::string, std::string>>;

  // A request with the given Authorization; "" sends none.
  Answer send_as(const std::string& authorization, const std::string& method, const std::string& target,
                 http::BodyReader& body, const Fields& fields = {}) {
    http::RequestHead head;
    head.method = method;
    head.target = target;
    head.path = target.substr(0, target.find('?'));
    if (head.path.size() < target.size()) head.query = target.substr(head.path.size() + 1);
    head.remote_address = "192.0.2.7:40000";
    head.headers.add("Host", "localhost:4566");
    head.headers.add("User-Agent", "docker/20.10");
    if (!authorization.empty()) head.headers.add("Authorization", authorization);
    for (const auto& [name, value] : fields) head.headers.add(name, value);
    if (const auto length = head.headers.find("Content-Length")) {
      head.content_length = static_cast<std::uint64_t>(parse_number(*length).value_or(0));
    }
    http::Response response = (*api_)(head, body);
    Answer answer;
    answer.status = response.status;
    answer.headers = response.headers;
    answer.announced = response.announced_length;
    if (const auto* text = std::get_if<std::string>(&response.body)) {
      answer.body = *text;
    } else {
      const auto& file = std::get<http::FileBody>(response.body);
      answer.body.resize(file.length);
      EXPECT_EQ(::pread(file.fd, answer.body.data(), file.length, static_cast<off_t>(file.offset)),
                static_cast<ssize_t>(file.length));
    }
    return answer;
  }
  Answer send(const std::string& method, const std::string& target, std::string body = "", const Fields& fields = {}) {
    FakeBody reader(std::move(body));
    return send_as(authorization(), method, target, reader, fields);
  }
  // Of send().
  virtual std::string authorization() const { return "Basic " + base64_encode("AWS:" + password()); }

  // Pushes a blob in one request and answers its digest.
  std::string push_blob(const std::string& repository, const std::string& content) {
    std::string digest = digest_of(content);
    EXPECT_EQ(send("POST", "/v2/" + repository + "/blobs/uploads/?digest=" + digest, content).status, 201);
    return digest;
  }

  static std::string descriptor(const std::string& content, const std::string& type = "application/octet-stream") {
    return fmt::format(R"({{"mediaType":"{}","digest":"{}","size":{}}})", type, digest_of(content), content.size());
  }
  static std::string image_manifest(const std::string& config, const std::string& layer) {
    return fmt::format(R"({{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[{}]}})", manifest_type,
                       descriptor(config, "application/vnd.docker.container.image.v1+json"), descriptor(layer));
  }
  // Pushes an image with one layer and answers its digest.
  std::string push_image(const std::string& repository, const std::string& tag, const std::string& layer) {
    push_blob(repository, "{}");
    push_blob(repository, layer);
    const std::string manifest = image_manifest("{}", layer);
    const Answer put = send("PUT", "/v2/" + repository + "/manifests/" + (tag.empty() ? digest_of(manifest) : tag),
                            manifest, {{"Content-Type", std::string(manifest_type)}});
    EXPECT_EQ(put.status, 201) << put.body;
    return put.header("Docker-Content-Digest");
  }

  std::size_t files_in(const std::string& folder) const {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_ + "/registry/" + folder)) {
      if (entry.is_regular_file()) ++count;
    }
    return count;
  }

  static constexpr std::string_view manifest_type = "application/vnd.docker.distribution.manifest.v2+json";

  const TestDirectory folder_;
  const std::string& directory_ = folder_.path();
  ManualClock clock_;
  SecureIds ids_;
  TokenIssuer tokens_{"0123456789abcdef0123456789abcdef"};
  bool auth_ = true;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<Registry> registry_;
  std::unique_ptr<HttpApi> api_;
};

}  // namespace kaapi::registry
