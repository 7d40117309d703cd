#pragma once
// For tests: the platform's artifacts and caches, as jobs see them (protocol/runner_api.h).

#include <fmt/format.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "actions/builtin/test_host.h"
#include "base/json.h"
#include "base/text.h"

namespace kaapi::actions {

// Answers a TestHost; must outlive its use.
class TestStorage {
 public:
  explicit TestStorage(TestHost& host) {
    host.on_get = [this](const std::string& path) { return get(path); };
    host.on_put = [this](const std::string& path, const std::string& body) { return put(path, body); };
  }

  struct Kept {
    std::string key, version, body;
  };
  std::vector<Kept> caches;                      // oldest first
  std::map<std::string, std::string> artifacts;  // zip by name
  int fails_with = 0;                            // a status, for everything

 private:
  using Answer = ActionHost::Answer;

  static std::string parameter(const std::string& path, const std::string& name) {
    const std::size_t query = path.find('?');
    for (const std::string& pair : split(query == std::string::npos ? "" : path.substr(query + 1), '&')) {
      if (pair.starts_with(name + "=")) return percent_decode(pair.substr(name.size() + 1)).value();
    }
    return {};
  }
  static std::vector<std::string> prefixes(const std::string& path) {
    std::vector<std::string> all = {parameter(path, "key")};
    for (const std::string& pair : split(path, '&')) {
      if (pair.starts_with("restore=")) all.push_back(percent_decode(pair.substr(8)).value());
    }
    return all;
  }
  static std::string name_in(const std::string& path) {
    const std::size_t slash = path.find('/');
    return percent_decode(path.substr(slash + 1, path.find('?') - slash - 1)).value();
  }
  json::object described(const std::string& name) const {
    return {{"id", 100 + std::distance(artifacts.begin(), artifacts.find(name))},
            {"name", name},
            {"size", artifacts.at(name).size()},
            {"digest", fmt::format("sha256:{}", to_hex(sha256(artifacts.at(name))))}};
  }
  Answer failure() const { return {fails_with, {}, R"({"message":"the disk is full"})"}; }

  Answer get(const std::string& path) const {
    if (fails_with != 0) return failure();
    if (path == "artifacts") {
      json::array list;
      for (const auto& [name, body] : artifacts) list.push_back(described(name));
      return {200, {}, json::serialize(json::object{{"artifacts", list}})};
    }
    if (path.starts_with("artifacts/")) {
      const auto found = artifacts.find(name_in(path));
      return found == artifacts.end() ? Answer{404, {}, "{}"} : Answer{200, {}, found->second};
    }
    for (const std::string& prefix : prefixes(path)) {
      for (auto each = caches.rbegin(); each != caches.rend(); ++each) {
        if (each->version != parameter(path, "version") || !each->key.starts_with(prefix)) continue;
        const bool look = parameter(path, "lookup") == "true";
        return {200, {{"x-kaapi-cache-key", each->key}}, look ? "" : each->body};
      }
    }
    return {204, {}, ""};
  }
  Answer put(const std::string& path, const std::string& body) {
    if (fails_with != 0) return failure();
    if (!path.starts_with("artifacts/")) {
      caches.push_back({parameter(path, "key"), parameter(path, "version"), body});
      return {201, {}, "{}"};
    }
    const std::string name = name_in(path);
    if (artifacts.contains(name) && parameter(path, "overwrite") != "true") return {409, {}, "{}"};
    artifacts[name] = body;
    return {201, {}, json::serialize(described(name))};
  }
};

}  // namespace kaapi::actions
