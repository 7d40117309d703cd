#include "actions/workflow/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "actions/expression/lexer.h"
#include "actions/expression/suggest.h"
#include "base/text.h"

namespace kaapi::actions::workflow {
namespace {

using expression::Checked;
using expression::Condition;
using expression::ExpressionError;
using expression::Kind;
using expression::Template;
using expression::Value;

bool all_digits(std::string_view text, std::string_view digits) {
  return !text.empty() && text.find_first_not_of(digits) == std::string_view::npos;
}

// YAML 1.2's core schema.
std::optional<double> yaml_number(std::string_view text) {
  constexpr std::string_view decimal = "0123456789";
  if (text.empty()) return std::nullopt;
  std::string_view digits = text;
  if (digits.starts_with('-') || digits.starts_with('+')) digits.remove_prefix(1);
  if (digits == ".inf" || digits == ".Inf" || digits == ".INF") {
    return text[0] == '-' ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
  }
  if (text == ".nan" || text == ".NaN" || text == ".NAN") return std::numeric_limits<double>::quiet_NaN();
  const bool prefixed = (text.starts_with("0x") && all_digits(text.substr(2), "0123456789abcdefABCDEF")) ||
                        (text.starts_with("0o") && all_digits(text.substr(2), "01234567"));
  const bool begins = !digits.empty() && (decimal.find(digits[0]) != std::string_view::npos || digits[0] == '.');
  if (!prefixed && !begins) return std::nullopt;
  if (!prefixed && digits.find_first_not_of("0123456789.eE+-") != std::string_view::npos) return std::nullopt;
  const double number = expression::parse_number(text);
  return std::isnan(number) ? std::nullopt : std::optional(number);
}

}  // namespace

expression::Value scalar_value(const YamlNode& node) {
  if (node.kind != YamlKind::text) return {};
  if (!node.plain) return node.text;
  const std::string& text = node.text;
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  if (const std::optional<double> number = yaml_number(text)) return *number;
  return text;
}

void Reader::unexpected(const YamlNode& node, std::string_view what, std::string_view expected) {
  fault(node.position, fmt::format("{}: found {}, expected {}", what, describe(node), expected));
}

bool Reader::mapping(const YamlNode& node, std::string_view what, Keys keys) {
  if (!any_mapping(node, what)) return false;
  for (const YamlMember& member : node.members) {
    if (std::find(keys.begin(), keys.end(), member.key) != keys.end()) continue;
    fault(member.position, fmt::format("{}: unknown key {}{}: expected {}", what, quoted(member.key),
                                       expression::did_you_mean(member.key, keys), fmt::join(keys, ", ")));
  }
  return true;
}

bool Reader::any_mapping(const YamlNode& node, std::string_view what) {
  if (node.kind == YamlKind::mapping) return true;
  unexpected(node, what, "a mapping");
  return false;
}

bool Reader::list(const YamlNode& node, std::string_view what) {
  if (node.kind == YamlKind::list) return true;
  unexpected(node, what, "a list");
  return false;
}

void Reader::check_expressions(const YamlNode& node, const Template& parsed, std::string_view what, Place place) {
  for (const Template::Part& part : parsed.parts()) {
    if (!part.expression) continue;
    if (place == Place::none) {
      fault(locate(node, part.position), fmt::format("{}: no expression may stand here: expected a plain value", what));
      return;
    }
    for (const ExpressionError& error : check_available(*part.expression, expression::available(place))) {
      fault(locate(node, part.position + error.position), fmt::format("{}: {}", what, error.message));
    }
  }
}

std::optional<Template> Reader::parse(const YamlNode& node, std::string_view what, Place place) {
  Checked<Template> parsed = Template::parse(node.text);
  if (!parsed) {
    fault(locate(node, parsed.error().position), fmt::format("{}: {}", what, parsed.error().message));
    return std::nullopt;
  }
  if (parsed->has_expressions()) {
    check_expressions(node, *parsed, what, place);
    return std::move(*parsed);
  }
  // As GitHub makes texts of plain numbers and booleans.
  if (!node.plain) return std::move(*parsed);
  const Value value = scalar_value(node);
  return value.is(Kind::string) ? std::move(*parsed) : Template::plain(expression::to_text(value));
}

std::optional<Text> Reader::text(const YamlNode& node, std::string_view what, Place place) {
  if (node.kind == YamlKind::null) return Text{{}, node.position};
  if (node.kind != YamlKind::text) {
    unexpected(node, what, "a text");
    return std::nullopt;
  }
  std::optional<Template> parsed = parse(node, what, place);
  if (!parsed) return std::nullopt;
  return Text{*std::move(parsed), node.position};
}

std::optional<Text> Reader::required_text(const YamlNode& node, std::string_view what, Place place) {
  if (node.kind != YamlKind::text || node.text.empty()) {
    unexpected(node, what, "a text that is not empty");
    return std::nullopt;
  }
  return text(node, what, place);
}

std::optional<Text> Reader::flag(const YamlNode& node, std::string_view what, Place place) {
  const bool scalar = node.kind == YamlKind::text;
  if (!scalar || (!scalar_value(node).is(Kind::boolean) && node.text.find("${{") == std::string::npos)) {
    unexpected(node, what, "true, false or an expression");
    return std::nullopt;
  }
  return text(node, what, place);
}

std::optional<Text> Reader::number(const YamlNode& node, std::string_view what, Place place, bool zero) {
  const Value value = scalar_value(node);
  const bool finite = value.is(Kind::number) && std::isfinite(value.number());
  const bool number = finite && (value.number() > 0 || (zero && value.number() == 0));
  if (!number && (node.kind != YamlKind::text || node.text.find("${{") == std::string::npos)) {
    unexpected(node, what, zero ? "a number, 0 for no limit, or an expression" : "a number above 0 or an expression");
    return std::nullopt;
  }
  return text(node, what, place);
}

If Reader::condition(const YamlNode& node, std::string_view what, Place place) {
  If result;
  result.position = node.position;
  if (node.kind == YamlKind::null) return result;
  if (node.kind != YamlKind::text) {
    unexpected(node, what, "an expression");
    return result;
  }
  const std::string text = node.plain ? expression::to_text(scalar_value(node)) : node.text;
  Checked<Condition> parsed = Condition::parse(text);
  if (!parsed) {
    fault(locate(node, parsed.error().position), fmt::format("{}: {}", what, parsed.error().message));
    return result;
  }
  result.condition = std::move(*parsed);
  const bool braces = text.find("${{") != std::string::npos;
  constexpr std::size_t opening_bytes = 3;  // put around what had none
  for (const Template::Part& part : result.condition.text().parts()) {
    if (!part.expression) continue;
    const std::size_t begin = part.position - (braces ? 0 : opening_bytes) +
                              static_cast<std::size_t>(trim(text).data() - std::string_view(text).data());
    for (const ExpressionError& error : check_available(*part.expression, expression::available(place))) {
      fault(locate(node, begin + error.position), fmt::format("{}: {}", what, error.message));
    }
  }
  return result;
}

Variables Reader::variables(const YamlNode& node, std::string_view what, Place place) {
  Variables result;
  if (node.kind == YamlKind::null) return result;
  if (node.kind == YamlKind::text && node.text.find("${{") != std::string::npos) {
    result.expression = text(node, what, place);
    if (result.expression && !result.expression->value.is_single_expression()) {
      unexpected(node, what, "a mapping, or one expression that yields a mapping");
    }
    return result;
  }
  if (!any_mapping(node, what)) return result;
  for (const YamlMember& member : node.members) {
    const std::string where = below(what, member.key);
    if (member.key.empty()) fault(member.position, fmt::format("{}: a name is empty", what));
    std::optional<Text> value = text(member.value, where, place);
    if (value) result.list.push_back({member.key, *std::move(value)});
  }
  return result;
}

Data Reader::data(const YamlNode& node, std::string_view what, Place place) {
  Data result;
  result.position = node.position;
  switch (node.kind) {
    case YamlKind::null:
      return result;
    case YamlKind::text: {
      std::optional<Template> parsed = parse(node, what, place);
      if (parsed && parsed->has_expressions()) {
        result.expression = std::move(parsed);
      } else {
        result.literal = scalar_value(node);
      }
      return result;
    }
    case YamlKind::list:
      result.kind = Data::Kind::list;
      for (const YamlNode& item : node.items) result.items.push_back(data(item, what, place));
      return result;
    case YamlKind::mapping:
      result.kind = Data::Kind::mapping;
      for (const YamlMember& member : node.members) {
        result.members.push_back({member.key, data(member.value, below(what, member.key), place)});
      }
      return result;
  }
  return result;
}

std::string Reader::plain(const YamlNode& node, std::string_view what) {
  const std::optional<Text> read = text(node, what, Place::none);
  return read ? read->value.source() : std::string();
}

bool Reader::plain_flag(const YamlNode& node, std::string_view what) {
  const Value value = scalar_value(node);
  if (!value.is(Kind::boolean)) {
    unexpected(node, what, "true or false");
    return false;
  }
  return value.boolean();
}

std::vector<std::string> Reader::plain_list(const YamlNode& node, std::string_view what) {
  std::vector<std::string> result;
  const auto add = [&](const YamlNode& item) {
    if (item.kind != YamlKind::text || item.text.empty()) {
      unexpected(item, what, "a text that is not empty");
    } else {
      result.push_back(plain(item, what));
    }
  };
  if (node.kind == YamlKind::list) {
    for (const YamlNode& item : node.items) add(item);
  } else if (node.kind == YamlKind::text) {
    add(node);
  } else {
    unexpected(node, what, "a text or a list of texts");
  }
  return result;
}

std::optional<PatternList> Reader::patterns(const YamlNode& node, std::string_view what) {
  PatternList result;
  const std::vector<std::string> texts = plain_list(node, what);
  if (texts.empty()) return std::nullopt;
  if (texts.size() > max_patterns) {
    fault(node.position, fmt::format("{}: found {} patterns, expected at most {}", what, texts.size(), max_patterns));
    return std::nullopt;
  }
  std::size_t bytes = 0;
  for (const std::string& text : texts) bytes += text.size();
  if (bytes > max_pattern_list_bytes) {
    fault(node.position, fmt::format("{}: found patterns of {} bytes together, expected at most {}: each is compared "
                                     "with every changed file; ** and * make them fewer",
                                     what, bytes, max_pattern_list_bytes));
    return std::nullopt;
  }
  for (std::size_t i = 0; i < texts.size(); ++i) {
    Result<Glob> glob = Glob::prepare(texts[i]);
    if (glob) {
      result.patterns.push_back(std::move(*glob));
      continue;
    }
    const Position at = i < node.items.size() ? node.items[i].position : node.position;
    fault(at, fmt::format("{}: the pattern {} is invalid: {}", what, quoted(texts[i]), glob.error().message));
  }
  return result;
}

bool Reader::check_id(const std::string& id, Position position, std::string_view what) {
  if (id.size() <= max_name_bytes && expression::is_identifier(id)) return true;
  fault(position, fmt::format("{}: {} is no valid id: expected letters, digits, - and _, at most {}, beginning with a "
                              "letter or _",
                              what, quoted(id), max_name_bytes));
  return false;
}

std::optional<ActionReference> Reader::action_reference(const YamlNode& node, std::string_view what) {
  const std::optional<Text> read = required_text(node, what, Place::none);
  if (!read) return std::nullopt;
  ActionReference action;
  action.text = read->value.source();
  constexpr std::string_view docker = "docker://";
  const std::string_view text = action.text;
  if (text.starts_with("./") || text == ".") {
    action.path = text;
    return action;
  }
  if (text.starts_with(docker) && text.size() > docker.size()) {
    action.kind = ActionReference::Kind::docker;
    action.image = text.substr(docker.size());
    return action;
  }
  action.kind = ActionReference::Kind::repository;
  const std::size_t at = text.rfind('@');
  const std::vector<std::string> parts = split(text.substr(0, at), '/');
  const bool whole = at != std::string_view::npos && at + 1 < text.size() && parts.size() >= 2 &&
                     std::none_of(parts.begin(), parts.end(),
                                  [](const std::string& part) { return part.empty() || part == ".." || part == "."; });
  if (!whole) {
    unexpected(node, what, "./PATH, OWNER/NAME@REF, OWNER/NAME/PATH@REF or docker://IMAGE");
    return std::nullopt;
  }
  action.owner = parts[0];
  action.name = parts[1];
  for (std::size_t i = 2; i < parts.size(); ++i) action.path += (i > 2 ? "/" : "") + parts[i];
  action.ref = text.substr(at + 1);
  return action;
}

}  // namespace kaapi::actions::workflow
