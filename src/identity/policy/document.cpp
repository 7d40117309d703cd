#include "identity/policy/document.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "base/json.h"
#include "base/text.h"
#include "identity/policy/layout.h"
#include "identity/policy/parse_principal.h"

namespace kaapi::identity::policy {
namespace {

constexpr std::string_view syntax_errors = "Syntax errors in policy.";
constexpr std::string_view need_vendor = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.";

// A value may be as long as the document; the message quotes its beginning.
Error malformed(std::string message) {
  if (message.size() > max_refusal_bytes) {
    std::size_t end = max_refusal_bytes;
    while (end > 0 && (static_cast<unsigned char>(message[end]) & 0xC0U) == 0x80U) --end;
    message.resize(end);
    message += "...";
  }
  return make_error("MalformedPolicyDocument", std::move(message));
}

bool is_letter_or_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool all_of(std::string_view text, std::string_view others) {
  return std::all_of(text.begin(), text.end(),
                     [&](char c) { return is_letter_or_digit(c) || others.find(c) != std::string_view::npos; });
}

// What is wrong with one action; empty when nothing is.
std::string wrong_action(std::string_view action, Kind kind) {
  if (kind == Kind::trust && !lower(action).starts_with("sts:")) {
    return fmt::format(
        "AssumeRole policy may only specify STS AssumeRole actions. {}: expected sts:AssumeRole, "
        "sts:AssumeRoleWithWebIdentity, sts:TagSession or sts:SetSourceIdentity",
        action);
  }
  if (action == "*") return {};
  const std::size_t colon = action.find(':');
  if (colon == std::string_view::npos || colon == 0) {
    return fmt::format("{} {}: expected SERVICE:ACTION such as ecs:UpdateService, or \"*\"", need_vendor, action);
  }
  const std::string_view vendor = action.substr(0, colon);
  if (action.find(':', colon + 1) != std::string_view::npos) {
    return fmt::format("Actions/Condition can contain only one colon. {}: expected SERVICE:ACTION", action);
  }
  if (vendor != "*" && !all_of(vendor, "-.")) {
    return fmt::format("Vendor {} is not valid {}: expected a service without wildcards, such as ecs", vendor, action);
  }
  const std::string_view name = action.substr(colon + 1);
  if (name.empty() || !all_of(name, "*?-_")) {
    return fmt::format("{} {}: expected the name of an action behind the colon, where * and ? may stand", syntax_errors,
                       action);
  }
  return {};
}

// What is wrong with one resource; empty when nothing is.
std::string wrong_resource(std::string_view resource, bool variables) {
  if (resource == "*") return {};
  const std::vector<std::string> parts = split(resource, ':');
  constexpr std::size_t service_and_more = 4;
  constexpr std::size_t arn_parts = 6;
  const bool whole = parts.size() >= arn_parts;
  const bool open_end = parts.size() >= service_and_more && resource.ends_with('*');
  if (parts[0] != "arn" || (!whole && !open_end)) {
    return fmt::format("Resource {} must be in ARN format or \"*\".", resource);
  }
  const auto is_variable = [&](const std::string& part) { return variables && part.starts_with("${"); };
  if (parts[1] != "*" && !parts[1].starts_with("aws") && !is_variable(parts[1])) {
    return fmt::format("Partition \"{}\" is not valid for resource \"{}\".", parts[1], resource);
  }
  if (parts[2].empty() || parts[2].find_first_of("*?") != std::string::npos) {
    return fmt::format(
        "Resource vendor must be fully qualified and cannot contain regexes. {}: expected a service "
        "without wildcards as the third part of the ARN",
        resource);
  }
  return {};
}

// Parses one document; holds what the statements share.
class Parser {
 public:
  explicit Parser(Kind kind) : kind_(kind) {}

  Result<std::shared_ptr<const Document>> parse(std::string_view text) {
    if (text.size() > max_document_bytes) {
      return malformed(fmt::format("The policy has {} bytes: expected at most {}", text.size(), max_document_bytes));
    }
    const Result<json::value> value = parse_json(text);
    if (!value) return malformed(fmt::format("This policy contains invalid Json: {}", value.error().message));
    layout_ = read_layout(text);
    if (layout_.duplicate_key) {
      return malformed(
          fmt::format("{} The key \"{}\" stands twice in one object (line {}, column {}): expected each "
                      "key once",
                      syntax_errors, *layout_.duplicate_key, layout_.duplicate_at.line, layout_.duplicate_at.column));
    }
    if (!value->is_object()) return malformed(fmt::format("{} Expected a JSON object", syntax_errors));
    if (const Result<void> read = read_document(value->get_object()); !read) return read.error();
    return std::make_shared<const Document>(std::move(document_));
  }

 private:
  Result<void> read_document(const json::object& object) {
    for (const auto& member : object) {
      const std::string_view key = member.key();
      if (key != "Version" && key != "Id" && key != "Statement") {
        return malformed(fmt::format("{} Unknown field {}: expected Version, Id and Statement", syntax_errors, key));
      }
    }
    document_.kind = kind_;
    if (const Result<void> head = read_head(object); !head) return head;
    const json::value* statements = object.if_contains("Statement");
    if (statements == nullptr) return malformed(fmt::format("{} Missing required field Statement", syntax_errors));
    if (statements->is_object()) return read_statement(*statements);
    if (!statements->is_array() || statements->get_array().empty()) {
      return malformed(fmt::format("{} Statement: expected one statement or a list of them", syntax_errors));
    }
    if (statements->get_array().size() > max_statements) {
      return malformed(fmt::format("The policy has {} statements: expected at most {}", statements->get_array().size(),
                                   max_statements));
    }
    for (const json::value& statement : statements->get_array()) {
      if (const Result<void> read = read_statement(statement); !read) return read;
    }
    return ok();
  }

  Result<void> read_head(const json::object& object) {
    document_.version = "2008-10-17";
    if (const json::value* version = object.if_contains("Version")) {
      const bool known =
          version->is_string() && (version->get_string() == "2012-10-17" || version->get_string() == "2008-10-17");
      if (!known) {
        return malformed(
            "The policy must contain a valid version string. Version: expected \"2012-10-17\" or "
            "\"2008-10-17\"");
      }
      document_.version = version->get_string();
    }
    variables_ = document_.version == "2012-10-17";
    if (const json::value* id = object.if_contains("Id")) {
      if (!id->is_string()) return malformed(fmt::format("{} Id: expected a string", syntax_errors));
      document_.id = id->get_string();
    }
    return ok();
  }

  Result<void> read_statement(const json::value& value) {
    Statement statement;
    statement.number = document_.statements.size() + 1;
    where_ = fmt::format("Statement {}", statement.number);
    if (!value.is_object()) return refuse(syntax_errors, "expected an object");
    const json::object& object = value.get_object();
    if (const Result<void> step = check_elements(object); !step) return step;
    if (const Result<void> step = read_sid(object, statement); !step) return step;
    if (const Result<void> step = read_effect(object, statement); !step) return step;
    if (const Result<void> step = read_principals(object, statement); !step) return step;
    if (const Result<void> step = read_actions(object, statement); !step) return step;
    if (const Result<void> step = read_resources(object, statement); !step) return step;
    if (const Result<void> step = read_conditions(object, statement); !step) return step;
    if (statement.number <= layout_.statements.size()) {
      std::tie(statement.begin, statement.end) = layout_.statements[statement.number - 1];
    }
    document_.statements.push_back(std::move(statement));
    return ok();
  }

  Result<void> check_elements(const json::object& object) {
    static constexpr std::string_view known[] = {"Sid",       "Effect",   "Principal",   "NotPrincipal", "Action",
                                                 "NotAction", "Resource", "NotResource", "Condition"};
    for (const auto& member : object) {
      if (std::find(std::begin(known), std::end(known), std::string_view(member.key())) == std::end(known)) {
        return refuse(syntax_errors, fmt::format("Unknown field {}: expected {}", std::string_view(member.key()),
                                                 fmt::join(known, ", ")));
      }
    }
    for (const std::string_view element : {"Principal", "Action", "Resource"}) {
      if (object.contains(element) && object.contains(fmt::format("Not{}", element))) {
        return refuse(syntax_errors, fmt::format("expected either {0} or Not{0}, not both", element));
      }
    }
    return ok();
  }

  Result<void> read_sid(const json::object& object, Statement& statement) {
    const json::value* sid = object.if_contains("Sid");
    if (sid == nullptr) return ok();
    if (!sid->is_string()) return refuse(syntax_errors, "Sid: expected a string");
    statement.sid = sid->get_string();
    // Resource policies are written by people and consoles: "new statement".
    if (kind_ != Kind::resource && !all_of(statement.sid, "")) {
      return refuse(
          "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular "
          "expression [0-9A-Za-z]*",
          fmt::format("Sid is \"{}\"", statement.sid));
    }
    if (statement.sid.empty()) return ok();
    where_ += fmt::format(" (Sid {})", statement.sid);
    if (!sids_.insert(statement.sid).second) {
      return refuse("Statement IDs (SID) in a single policy must be unique.", "expected a Sid that no other has");
    }
    return ok();
  }

  Result<void> read_effect(const json::object& object, Statement& statement) {
    const json::value* effect = object.if_contains("Effect");
    if (effect == nullptr) return refuse("Missing required field Effect", "expected \"Allow\" or \"Deny\"");
    const bool known = effect->is_string() && (effect->get_string() == "Allow" || effect->get_string() == "Deny");
    if (!known) {
      return refuse(fmt::format("Invalid effect: {}", json::serialize(*effect)), "expected \"Allow\" or \"Deny\"");
    }
    statement.allow = effect->get_string() == "Allow";
    return ok();
  }

  Result<void> read_principals(const json::object& object, Statement& statement) {
    const json::value* element = object.if_contains("Principal");
    if (element == nullptr) element = object.if_contains("NotPrincipal");
    if (kind_ == Kind::identity) {
      if (element == nullptr) return ok();
      return refuse("Policy document should not specify a principal.",
                    "it applies to the user, group or role that it is attached to");
    }
    if (element == nullptr) {
      return refuse("Missing required field Principal",
                    "expected who is meant, such as {\"Service\": "
                    "\"ecs-tasks.amazonaws.com\"}");
    }
    statement.not_principal = object.contains("NotPrincipal");
    Result<std::vector<PrincipalPattern>> principals = parse_principals(*element);
    if (!principals) return refuse("", principals.error().message);
    statement.principals = std::move(*principals);
    return count_values(statement.principals.size());
  }

  Result<void> read_actions(const json::object& object, Statement& statement) {
    statement.not_action = object.contains("NotAction");
    const std::string_view name = statement.not_action ? "NotAction" : "Action";
    const json::value* element = object.if_contains(name);
    if (element == nullptr) return refuse("Policy statement must contain actions.", "expected Action or NotAction");
    const Result<std::vector<std::string>> actions = read_strings(*element);
    if (!actions) return refuse(syntax_errors, fmt::format("{}: {}", name, actions.error().message));
    if (actions->empty()) return refuse("Policy statement must contain actions.", "expected at least one");
    for (const std::string& action : *actions) {
      if (std::string wrong = wrong_action(action, kind_); !wrong.empty()) return refuse("", wrong);
      Result<Pattern> pattern = Pattern::prepare(lower(action), Wildcards::anywhere, false);
      if (!pattern) return refuse(syntax_errors, fmt::format("{}: {}", name, pattern.error().message));
      statement.actions.push_back(std::move(*pattern));
    }
    return count_values(actions->size());
  }

  Result<void> read_resources(const json::object& object, Statement& statement) {
    statement.not_resource = object.contains("NotResource");
    const std::string_view name = statement.not_resource ? "NotResource" : "Resource";
    const json::value* element = object.if_contains(name);
    if (kind_ == Kind::trust) {
      if (element == nullptr) return ok();
      return refuse(fmt::format("Has prohibited field {}", name), "the resource is the role itself");
    }
    if (element == nullptr) {
      if (kind_ == Kind::resource) return ok();
      return refuse("Policy statement must contain resources.", "expected Resource or NotResource");
    }
    const Result<std::vector<std::string>> resources = read_strings(*element);
    if (!resources) return refuse(syntax_errors, fmt::format("{}: {}", name, resources.error().message));
    if (resources->empty()) return refuse("Policy statement must contain resources.", "expected at least one");
    for (const std::string& resource : *resources) {
      if (std::string wrong = wrong_resource(resource, variables_); !wrong.empty()) return refuse("", wrong);
      Result<Pattern> pattern = Pattern::prepare(resource, Wildcards::resource, variables_);
      if (!pattern) return refuse(syntax_errors, fmt::format("{}: {}", name, pattern.error().message));
      statement.resources.push_back(std::move(*pattern));
    }
    return count_values(resources->size());
  }

  Result<void> read_conditions(const json::object& object, Statement& statement) {
    const json::value* element = object.if_contains("Condition");
    if (element == nullptr) return ok();
    if (!element->is_object()) return refuse(syntax_errors, "Condition: expected an object of operators");
    for (const auto& line : element->get_object()) {
      const std::string_view name = line.key();
      if (const Result<Operator> op = parse_operator(name); !op) return refuse("", op.error().message);
      if (!line.value().is_object()) {
        return refuse(syntax_errors, fmt::format("Condition {}: expected an object of keys", name));
      }
      std::set<std::string> keys;
      for (const auto& member : line.value().get_object()) {
        const std::string_view key = member.key();
        if (!keys.insert(lower(key)).second) {
          return refuse(syntax_errors,
                        fmt::format("Condition {}: the key {} stands twice; case does not count", name, key));
        }
        if (const Result<void> read = read_condition(name, key, member.value(), statement); !read) return read;
      }
    }
    return ok();
  }

  Result<void> read_condition(std::string_view name, std::string_view key, const json::value& value,
                              Statement& statement) {
    const std::size_t colon = key.find(':');
    if (colon == std::string_view::npos || colon == 0 || colon + 1 == key.size()) {
      return refuse(need_vendor, fmt::format("Condition {}: {}: expected a key such as aws:SourceIp", name, key));
    }
    std::vector<std::string> values;
    const auto add = [&](const json::value& scalar) {
      const bool fits = scalar.is_string() || scalar.is_number() || scalar.is_bool();
      if (fits) values.push_back(scalar.is_string() ? std::string(scalar.get_string()) : json::serialize(scalar));
      return fits;
    };
    bool fits = true;
    if (value.is_array()) {
      for (const json::value& scalar : value.get_array()) fits = fits && add(scalar);
    } else {
      fits = add(value);
    }
    if (!fits) {
      return refuse(syntax_errors,
                    fmt::format("Condition {}: {}: expected strings, numbers, true or false", name, key));
    }
    Result<Condition> condition = make_condition(name, key, values, variables_);
    if (!condition) return refuse(syntax_errors, fmt::format("Condition: {}", condition.error().message));
    statement.conditions.push_back(std::move(*condition));
    return count_values(values.size() + 1);
  }

  Result<void> count_values(std::size_t more) {
    values_ += more;
    if (values_ <= max_values) return ok();
    return malformed(fmt::format("The lists of the policy hold more than {} values: expected fewer", max_values));
  }

  // `words`: what IAM says; may be empty when `detail` begins with it.
  Error refuse(std::string_view words, std::string_view detail) const {
    return malformed(fmt::format("{}{}{}: {}", words, words.empty() ? "" : " ", where_, detail));
  }

  Kind kind_;
  Layout layout_;
  Document document_;
  bool variables_ = false;
  std::string where_;  // the statement that is read
  std::set<std::string> sids_;
  std::size_t values_ = 0;
};

}  // namespace

std::string Statement::name() const {
  return sid.empty() ? fmt::format("statement {}", number) : fmt::format("Sid {}", sid);
}

std::size_t counted_size(std::string_view json) {
  return static_cast<std::size_t>(std::count_if(json.begin(), json.end(), [](char c) {
    const bool space = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    const bool continuation = (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
    return !space && !continuation;
  }));
}

Result<std::shared_ptr<const Document>> parse(std::string_view json, Kind kind) {
  return Parser(kind).parse(json);
}

std::vector<std::string> context_keys(const Document& document) {
  std::set<std::string> keys;
  const auto add = [&](const std::vector<Pattern>& patterns) {
    for (const Pattern& pattern : patterns) pattern.add_keys(keys);
  };
  for (const Statement& statement : document.statements) {
    add(statement.resources);
    for (const Condition& condition : statement.conditions) {
      keys.insert(condition.key);
      add(condition.values);
    }
  }
  return {keys.begin(), keys.end()};
}

}  // namespace kaapi::identity::policy
