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
    host.on_delete = [this](const std::string& path) { return remove(path); };
  }

  struct Kept {
    std::string key, version, body;
  };
  using Artifacts = std::map<std::string, std::string>;  // zip by name
  std::vector<Kept> caches;                              // oldest first
  Artifacts artifacts;                                   // of this run
  std::map<std::string, Artifacts> other_runs;           // by their numbers
  int fails_with = 0;                                    // a status, for everything

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
  static json::object described(const Artifacts& all, const std::string& name) {
    return {{"id", 100 + std::distance(all.begin(), all.find(name))},
            {"name", name},
            {"size", all.at(name).size()},
            {"digest", fmt::format("sha256:{}", to_hex(sha256(all.at(name))))}};
  }
  Answer failure() const { return {fails_with, {}, R"({"message":"the disk is full"})"}; }

  Answer get(const std::string& path) const {
    if (fails_with != 0) return failure();
    if (path.starts_with("artifacts")) return get_artifacts(path);
    for (const std::string& prefix : prefixes(path)) {
      for (auto each = caches.rbegin(); each != caches.rend(); ++each) {
        if (each->version != parameter(path, "version") || !each->key.starts_with(prefix)) continue;
        const bool look = parameter(path, "lookup") == "true";
        return {200, {{"x-kaapi-cache-key", each->key}}, look ? "" : each->body};
      }
    }
    return {204, {}, ""};
  }
  Answer get_artifacts(const std::string& path) const {
    const std::string run = parameter(path, "run");
    if (!run.empty() && !other_runs.contains(run)) return {404, {}, R"({"message":"there is no such run"})"};
    const Artifacts& all = run.empty() ? artifacts : other_runs.at(run);
    if (path.starts_with("artifacts/")) {
      const auto found = all.find(name_in(path));
      return found == all.end() ? Answer{404, {}, "{}"} : Answer{200, {}, found->second};
    }
    json::array list;
    for (const auto& [name, body] : all) list.push_back(described(all, name));
    return {200, {}, json::serialize(json::object{{"artifacts", list}})};
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
    return {201, {}, json::serialize(described(artifacts, name))};
  }
  Answer remove(const std::string& path) {
    if (fails_with != 0) return failure();
    return {artifacts.erase(name_in(path)) > 0 ? 204 : 404, {}, ""};
  }
};

}  // namespace kaapi::actions
