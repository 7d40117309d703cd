// What jobs and whole workflows share: concurrency, defaults, permissions; containers; strategy.

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "actions/workflow/matrix.h"
#include "actions/workflow/parts.h"

namespace kaapi::actions::workflow {
namespace {

constexpr std::array<std::string_view, 16> scopes = {"actions",         "artifact-metadata",
                                                     "attestations",    "checks",
                                                     "contents",        "deployments",
                                                     "discussions",     "id-token",
                                                     "issues",          "models",
                                                     "packages",        "pages",
                                                     "pull-requests",   "repository-projects",
                                                     "security-events", "statuses"};

constexpr std::size_t max_services = 50;
constexpr std::size_t max_list_items = 1'000;  // of ports, volumes

std::vector<Text> read_texts(Reader& reader, const YamlNode& node, std::string_view what) {
  std::vector<Text> result;
  if (!reader.list(node, what)) return result;
  for (const YamlNode& item : node.items) {
    if (result.size() >= max_list_items) {
      reader.fault(item.position, fmt::format("{}: found more than {} items", what, max_list_items));
      break;
    }
    if (std::optional<Text> text = reader.required_text(item, what, Place::job_container)) {
      result.push_back(*std::move(text));
    }
  }
  return result;
}

std::optional<Credentials> read_credentials(Reader& reader, const YamlNode& node, const std::string& what) {
  static constexpr std::array<std::string_view, 2> keys = {"username", "password"};
  if (!reader.mapping(node, what, keys)) return std::nullopt;
  const YamlMember *user = node.find("username"), *password = node.find("password");
  if (user == nullptr || password == nullptr) {
    reader.fault(node.position, fmt::format("{}: expected both username and password", what));
    return std::nullopt;
  }
  std::optional<Text> name = reader.text(user->value, what + ".username", Place::job_container_credentials);
  std::optional<Text> secret = reader.text(password->value, what + ".password", Place::job_container_credentials);
  if (!name || !secret) return std::nullopt;
  return Credentials{*std::move(name), *std::move(secret)};
}

// An exclude that names no list is a misspelt one; so GitHub refuses it too.
void check_excludes(Reader& reader, const YamlNode& node, const Matrix& matrix, const std::string& what) {
  const YamlMember* exclude = node.find("exclude");
  if (exclude == nullptr) return;
  std::vector<std::string_view> lists;
  for (const DataMember& axis : matrix.axes) lists.push_back(axis.key);
  for (const YamlNode& entry : exclude->value.items) {
    for (const YamlMember& member : entry.members) {
      const bool known = std::any_of(lists.begin(), lists.end(), [&](std::string_view list) {
        return expression::equal_ignoring_case(list, member.key);
      });
      if (!known) reader.fault(member.position, fmt::format("{}.exclude: {}", what, no_such_list(member.key, lists)));
    }
  }
}

void read_lists(Reader& reader, const YamlNode& node, const std::string& what, Matrix& matrix) {
  for (const YamlMember& member : node.members) {
    const std::string axis = below(what, member.key);
    const bool entries = member.key == "include" || member.key == "exclude";
    Data data = reader.data(member.value, axis, Place::job_strategy);
    if (data.kind != Data::Kind::list && !data.expression) {
      reader.unexpected(member.value, axis, "a list, or an expression that yields a list");
    } else if (data.kind == Data::Kind::list && data.items.empty() && !entries) {
      reader.unexpected(member.value, axis, "a list that is not empty");
    }
    if (member.key == "include") {
      matrix.include = std::move(data);
    } else if (member.key == "exclude") {
      matrix.exclude = std::move(data);
    } else {
      matrix.axes.push_back({member.key, std::move(data)});
    }
  }
}

Matrix read_matrix(Reader& reader, const YamlNode& node, const std::string& what) {
  Matrix matrix;
  matrix.position = node.position;
  if (node.kind == YamlKind::text) {
    matrix.expression = reader.text(node, what, Place::job_strategy);
    if (matrix.expression && !matrix.expression->value.is_single_expression()) {
      reader.unexpected(node, what, "a mapping, or one expression that yields a mapping");
    }
    return matrix;
  }
  if (!reader.any_mapping(node, what)) return matrix;
  read_lists(reader, node, what, matrix);
  check_excludes(reader, node, matrix, what);
  const bool includes = matrix.include && (matrix.include->expression || !matrix.include->items.empty());
  if (matrix.axes.empty() && !includes) reader.unexpected(node, what, "at least one list of values, or include");
  return matrix;
}

}  // namespace

std::optional<Concurrency> read_concurrency(Reader& reader, const YamlNode& node, std::string_view what, Place place) {
  static constexpr std::array<std::string_view, 2> keys = {"group", "cancel-in-progress"};
  Concurrency result;
  if (node.kind == YamlKind::text) {
    std::optional<Text> group = reader.required_text(node, what, place);
    if (!group) return std::nullopt;
    result.group = *std::move(group);
    return result;
  }
  if (!reader.mapping(node, what, keys)) return std::nullopt;
  const YamlMember* group = node.find("group");
  if (group == nullptr) {
    reader.fault(node.position,
                 fmt::format("{}: group is missing, expected a name for what must not run at once", what));
    return std::nullopt;
  }
  result.group = reader.required_text(group->value, fmt::format("{}.group", what), place).value_or(Text{});
  if (const YamlMember* cancel = node.find("cancel-in-progress")) {
    result.cancel_in_progress = reader.flag(cancel->value, fmt::format("{}.cancel-in-progress", what), place);
  }
  return result;
}

Defaults read_defaults(Reader& reader, const YamlNode& node, std::string_view what, Place place) {
  static constexpr std::array<std::string_view, 1> keys = {"run"};
  static constexpr std::array<std::string_view, 2> run_keys = {"shell", "working-directory"};
  Defaults result;
  const std::string run_what = fmt::format("{}.run", what);
  if (!reader.mapping(node, what, keys)) return result;
  const YamlMember* run = node.find("run");
  if (run == nullptr || !reader.mapping(run->value, run_what, run_keys)) return result;
  if (const YamlMember* m = run->value.find("shell")) {
    result.shell = reader.required_text(m->value, run_what + ".shell", place);
  }
  if (const YamlMember* m = run->value.find("working-directory")) {
    result.working_directory = reader.required_text(m->value, run_what + ".working-directory", place);
  }
  return result;
}

std::optional<Permissions> read_permissions(Reader& reader, const YamlNode& node, std::string_view what) {
  Permissions result;
  if (node.kind == YamlKind::text && node.text == "read-all") return result.all = Access::read, result;
  if (node.kind == YamlKind::text && node.text == "write-all") return result.all = Access::write, result;
  if (node.kind == YamlKind::text) {
    reader.unexpected(node, what, "read-all, write-all, {} or a mapping of scopes");
    return std::nullopt;
  }
  if (!reader.mapping(node, what, scopes)) return std::nullopt;
  for (const YamlMember& member : node.members) {
    const YamlNode& value = member.value;
    const std::string_view text = value.kind == YamlKind::text ? std::string_view(value.text) : std::string_view();
    const std::string where = below(what, member.key);
    if (text == "none") {
      result.scopes[member.key] = Access::none;
    } else if (text == "write") {
      result.scopes[member.key] = Access::write;
    } else if (text == "read" && member.key != "id-token") {
      result.scopes[member.key] = Access::read;
    } else {
      reader.unexpected(value, where, member.key == "id-token" ? "write or none" : "read, write or none");
    }
  }
  return result;
}

std::optional<Container> read_container(Reader& reader, const YamlNode& node, std::string_view what, bool service) {
  std::vector<std::string_view> keys = {"image", "env", "ports", "volumes", "options", "credentials"};
  if (service) keys.insert(keys.end(), {"entrypoint", "command"});
  Container result;
  const auto at = [&](std::string_view key) { return below(what, key); };
  if (node.kind == YamlKind::text) {
    std::optional<Text> image = reader.text(node, what, Place::job_container);
    if (!image) return std::nullopt;
    result.image = *std::move(image);
    return result;
  }
  if (!reader.mapping(node, what, keys)) return std::nullopt;
  const YamlMember* image = node.find("image");
  if (image == nullptr) {
    reader.fault(node.position, fmt::format("{}: image is missing, expected such as node:20", what));
    return std::nullopt;
  }
  result.image = reader.text(image->value, at("image"), Place::job_container).value_or(Text{});
  if (const YamlMember* m = node.find("env"))
    result.env = reader.variables(m->value, at("env"), Place::job_container_env);
  if (const YamlMember* m = node.find("ports")) result.ports = read_texts(reader, m->value, at("ports"));
  if (const YamlMember* m = node.find("volumes")) result.volumes = read_texts(reader, m->value, at("volumes"));
  if (const YamlMember* m = node.find("credentials")) {
    result.credentials = read_credentials(reader, m->value, at("credentials"));
  }
  const auto optional_text = [&](std::string_view key, std::optional<Text>& into) {
    if (const YamlMember* m = node.find(key)) into = reader.text(m->value, at(key), Place::job_container);
  };
  optional_text("options", result.options);
  optional_text("entrypoint", result.entrypoint);
  optional_text("command", result.command);
  return result;
}

std::vector<Container> read_services(Reader& reader, const YamlNode& node, std::string_view what) {
  std::vector<Container> result;
  if (node.kind == YamlKind::null || !reader.any_mapping(node, what)) return result;
  for (const YamlMember& member : node.members) {
    if (result.size() >= max_services) {
      reader.fault(member.position, fmt::format("{}: found more than {} services", what, max_services));
      break;
    }
    const std::string where = below(what, member.key);
    reader.check_id(member.key, member.position, where);
    std::optional<Container> service = read_container(reader, member.value, where, true);
    if (!service) continue;
    service->id = member.key;
    result.push_back(*std::move(service));
  }
  return result;
}

Strategy read_strategy(Reader& reader, const YamlNode& node, std::string_view what) {
  static constexpr std::array<std::string_view, 3> keys = {"matrix", "fail-fast", "max-parallel"};
  Strategy result;
  const auto at = [&](std::string_view key) { return below(what, key); };
  if (!reader.mapping(node, what, keys)) return result;
  if (const YamlMember* m = node.find("fail-fast")) {
    result.fail_fast = reader.flag(m->value, at("fail-fast"), Place::job_strategy);
  }
  if (const YamlMember* m = node.find("max-parallel")) {
    result.max_parallel = reader.number(m->value, at("max-parallel"), Place::job_strategy, true);
  }
  if (const YamlMember* m = node.find("matrix")) result.matrix = read_matrix(reader, m->value, at("matrix"));
  return result;
}

}  // namespace kaapi::actions::workflow
