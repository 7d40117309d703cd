#include "aws/query.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace kaapi::aws {
namespace {

Error malformed(std::string text) {
  return make_error("MalformedQueryString", std::move(text));
}

// Takes the next "name=value" off the front.
std::string_view next_pair(std::string_view& rest) {
  const std::string_view pair = rest.substr(0, rest.find('&'));
  rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
  return pair;
}

Result<void> place(json::object& root, std::string_view name, std::string_view value) {
  json::object* at = &root;
  std::string_view rest = name;
  for (std::size_t depth = 0; depth < max_form_depth; ++depth) {
    const std::size_t dot = rest.find('.');
    const std::string_view step = rest.substr(0, dot);
    if (dot == std::string_view::npos) {
      if (!at->emplace(step, value).second) return malformed(fmt::format("the parameter '{}' is given twice", name));
      return ok();
    }
    json::value& child = at->emplace(step, json::object()).first->value();
    if (!child.is_object()) return malformed(fmt::format("the parameter '{}' is both a value and a structure", name));
    at = &child.get_object();
    rest.remove_prefix(dot + 1);
  }
  return malformed(fmt::format("a parameter's name has more than {} parts", max_form_depth));
}

}  // namespace

Result<json::value> parse_form(std::string_view form) {
  json::object root;
  std::size_t parameters = 0;
  while (!form.empty()) {
    const std::string_view pair = next_pair(form);
    if (pair.empty()) continue;
    if (++parameters > max_form_parameters) {
      return malformed(fmt::format("the form has more than {} parameters", max_form_parameters));
    }
    const std::size_t equals = pair.find('=');
    const std::string_view raw_value = equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
    const auto name = percent_decode(pair.substr(0, equals), true);
    const auto value = percent_decode(raw_value, true);
    if (!name || !value || name->empty()) return malformed("the form holds a broken percent escape or an empty name");
    if (name->size() > max_form_name_bytes) {
      return malformed(fmt::format("a parameter's name is longer than {} bytes", max_form_name_bytes));
    }
    if (const Result<void> placed = place(root, *name, *value); !placed) return placed.error();
  }
  return json::value(std::move(root));
}

std::string_view form_parameter(std::string_view form, std::string_view name) {
  while (!form.empty()) {
    const std::string_view pair = next_pair(form);
    if (pair.size() > name.size() && pair[name.size()] == '=' && pair.substr(0, name.size()) == name) {
      return pair.substr(name.size() + 1);
    }
  }
  return {};
}

}  // namespace kaapi::aws
