#include "actions/docker/cleanup.h"

#include <fmt/format.h>

#include <functional>
#include <thread>

#include "actions/docker/engine_api.h"
#include "base/text.h"

namespace kaapi::actions::docker {
namespace {

class Cleanup {
 public:
  Cleanup(const http::Endpoint& engine, const Owner& owner)
      : api_(engine), filter_(label_filter(owner.label, owner.value)) {}

  // Containers first: they hold the others.
  std::vector<std::string> round() {
    left_.clear();
    if (!containers()) return left_;
    networks();
    volumes();
    images();
    return left_;
  }

 private:
  // False: the engine does not answer, or not with a list.
  bool each(std::string_view what, const std::string& target, std::string_view list,
            const std::function<void(const json::value&)>& remove) {
    const Result<json::value> answer = api_.ask("GET", target);
    if (!answer) {
      left_.push_back(fmt::format("the {}, which cannot be listed: {}", what, answer.error().message));
      return false;
    }
    const json::value* found = list.empty() ? &*answer : find_member(*answer, list);
    if (found == nullptr || !found->is_array()) return true;
    for (const json::value& one : found->get_array()) remove(one);
    return true;
  }

  void remove(std::string_view what, const std::string& name, const std::string& target) {
    const Result<json::value> done = api_.ask("DELETE", target);
    if (done || done.error().code == errc::not_found) return;
    left_.push_back(fmt::format("{} {}: {}", what, name, done.error().message));
  }

  bool containers() {
    return each("containers", "/containers/json?all=1&" + filter_, "", [&](const json::value& one) {
      const json::value* labels = find_member(one, "Labels");
      // A task whose image brings the label along is none of the job's.
      if (labels != nullptr && !string_member(*labels, "kaapi.instance").empty()) return;
      const std::string id = string_member(one, "Id");
      remove("container", id, fmt::format("/containers/{}?force=1&v=1", percent_encode(id)));
    });
  }

  void networks() {
    each("networks", "/networks?" + filter_, "", [&](const json::value& one) {
      remove("network", string_member(one, "Name"), "/networks/" + percent_encode(string_member(one, "Id")));
    });
  }

  void volumes() {
    each("volumes", "/volumes?" + filter_, "Volumes", [&](const json::value& one) {
      const std::string name = string_member(one, "Name");
      remove("volume", name, fmt::format("/volumes/{}?force=1", percent_encode(name)));
    });
  }

  // By their names and without force: one that somebody uses stays, and is no reason to warn.
  void images() {
    const std::vector<std::string> before = left_;
    each("images", "/images/json?" + filter_, "", [&](const json::value& one) {
      const json::value* names = find_member(one, "RepoTags");
      bool named = false;
      if (names != nullptr && names->is_array()) {
        for (const json::value& name : names->get_array()) {
          if (!name.is_string() || name.get_string() == "<none>:<none>") continue;
          named = true;
          remove("image", std::string(std::string_view(name.get_string())),
                 "/images/" + percent_encode(std::string_view(name.get_string()), true));
        }
      }
      const std::string id = string_member(one, "Id");
      if (!named) remove("image", id, "/images/" + percent_encode(id));
    });
    left_ = before;
  }

  EngineApi api_;
  const std::string filter_;
  std::vector<std::string> left_;
};

}  // namespace

std::vector<std::string> remove_owned(const http::Endpoint& engine, const Owner& owner,
                                      std::chrono::milliseconds pause) {
  Cleanup cleanup(engine, owner);
  std::vector<std::string> left;
  for (int round = 0; round < cleanup_rounds; ++round) {
    if (round > 0) std::this_thread::sleep_for(pause);
    left = cleanup.round();
    if (left.empty()) break;
  }
  return left;
}

}  // namespace kaapi::actions::docker
