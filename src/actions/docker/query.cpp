#include "actions/docker/query.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "actions/docker/body_rules.h"
#include "base/json.h"
#include "base/text.h"

namespace kaapi::actions::docker {
namespace {

// From where a build may fetch: over the job's own session, or from a server, as anybody may. Not by ssh: the engine
// would do it with root's keys.
bool is_remote(std::string_view remote) {
  constexpr std::array prefixes = {"http://", "https://", "git://", "github.com/"};
  return remote.empty() || remote == "client-session" || remote == "-" ||
         std::any_of(prefixes.begin(), prefixes.end(), [&](const char* prefix) { return remote.starts_with(prefix); });
}

Result<void> check_build_pair(std::string_view name, std::string_view value) {
  if (name == "networkmode" && value != "" && value != "default" && value != "bridge" && value != "none") {
    return refused(
        fmt::format("a job's build has no network mode {}: it would hear what others send on that network", value));
  }
  if (name == "cgroupparent" && !value.empty()) return refused("a job's build has no cgroup parent of its choice");
  if (name == "securityopt" && !value.empty() && value != "null" && value != "[]") {
    return refused("a job's build has no security options");
  }
  if (name == "remote" && !is_remote(value)) {
    return refused(fmt::format("a job's build takes its context from itself or by HTTP, not from {}", value));
  }
  if (name == "t") return check_image_name(value);
  if (name == "shmsize") return check_memory_size("shmsize", parse_number(value).value_or(value.empty() ? 0 : -1));
  return ok();
}

}  // namespace

Error refused(std::string message) {
  return make_error("AccessDenied", std::move(message), 403);
}

Result<Query> parse_query(std::string_view text) {
  Query query;
  if (text.empty()) return query;
  for (const std::string& pair : split(text, '&')) {
    const std::size_t equals = pair.find('=');
    const auto name = percent_decode(std::string_view(pair).substr(0, equals), true);
    const auto value = equals == std::string::npos ? std::optional<std::string>("")
                                                   : percent_decode(std::string_view(pair).substr(equals + 1), true);
    if (!name || !value) return make_error(errc::invalid, "the query has a broken percent escape");
    query.emplace_back(*name, *value);
  }
  return query;
}

std::string to_text(const Query& query) {
  std::string text;
  for (const auto& [name, value] : query) {
    text += fmt::format("{}{}={}", text.empty() ? "" : "&", percent_encode(name), percent_encode(value));
  }
  return text;
}

std::string_view value_of(const Query& query, std::string_view name) {
  const auto found = std::find_if(query.begin(), query.end(), [&](const auto& one) { return one.first == name; });
  return found == query.end() ? std::string_view() : std::string_view(found->second);
}

void set_value(Query& query, std::string_view name, std::string value) {
  std::erase_if(query, [&](const auto& one) { return one.first == name; });
  query.emplace_back(name, std::move(value));
}

bool is_true(std::string_view value) {
  const std::string plain = lower(trim(value));
  return !plain.empty() && plain != "0" && plain != "no" && plain != "false" && plain != "none";
}

Result<void> keep_known(Query& query, std::string_view known) {
  const std::vector<std::string> names = split(known, ' ');
  Query kept;
  for (auto& [name, value] : query) {
    if (std::find(names.begin(), names.end(), name) != names.end() && !name.empty()) {
      kept.emplace_back(std::move(name), std::move(value));
    } else if (is_true(value)) {
      return refused(fmt::format("jobs may not ask Docker for {} here", percent_encode(name)));
    }
  }
  query = std::move(kept);
  return ok();
}

Result<std::string> with_label_filter(std::string_view filters, std::string_view label, std::string_view value) {
  json::value parsed = json::object();
  if (!filters.empty()) {
    Result<json::value> given = parse_json(filters);
    if (!given || !given->is_object()) return make_error(errc::invalid, "filters: must be a JSON object");
    parsed = std::move(*given);
  }
  json::object& all = parsed.as_object();
  const std::string wanted = fmt::format("{}={}", label, value);
  json::value& labels = all["label"];
  // Both forms that Docker reads: {"label": {"a=b": true}} and {"label": ["a=b"]}.
  if (labels.is_array()) {
    labels.as_array().emplace_back(wanted);
  } else if (labels.is_object()) {
    labels.as_object()[wanted] = true;
  } else if (labels.is_null()) {
    labels = json::object{{wanted, true}};
  } else {
    return make_error(errc::invalid, "filters: label must be an object or a list");
  }
  // An older spelling of prune's filter, and whatever differs in case only, would be another condition, not a wider
  // one: conditions narrow.
  return json::serialize(parsed);
}

Result<void> check_build(Query& query, const Owner& owner) {
  for (const auto& [name, value] : query) {
    if (const Result<void> good = check_build_pair(name, value); !good) return good;
  }
  const std::string given(value_of(query, "labels"));
  if (!given.empty() && given != "null") {
    Result<std::string> labels = check_labels(given, owner);
    if (!labels) return labels.error();
    set_value(query, "labels", std::move(*labels));
  }
  const std::string_view limits = value_of(query, "ulimits");
  if (limits.empty() || limits == "null") return ok();
  const Result<json::value> list = parse_json(limits);
  if (!list) return make_error(errc::invalid, "ulimits: must be a JSON list");
  set_value(query, "ulimits", std::string(limits));
  return check_ulimits(*list);
}

std::string whole_image_name(std::string_view name) {
  for (const std::string_view usual : {"docker.io/", "index.docker.io/"}) {
    if (name.starts_with(usual)) name.remove_prefix(usual.size());
  }
  constexpr std::string_view library = "library/";
  if (name.starts_with(library) && name.find('/', library.size()) == std::string_view::npos) {
    name.remove_prefix(library.size());
  }
  const std::size_t slash = name.rfind('/');
  const std::string_view last = slash == std::string_view::npos ? name : name.substr(slash + 1);
  return last.find_first_of(":@") == std::string_view::npos ? fmt::format("{}:latest", name) : std::string(name);
}

Result<void> check_image_name(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  const std::string_view last = slash == std::string_view::npos ? name : name.substr(slash + 1);
  if (last.substr(0, last.find_first_of(":@")) != "sha256") return ok();
  return refused(fmt::format("a job gives no image the name {}: it would be read as a digest", name));
}

}  // namespace kaapi::actions::docker
