#include "aws/codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "aws/pattern.h"
#include "aws/wire_time.h"
#include "base/text.h"

namespace kaapi::aws {
namespace {

std::string_view view(const json::string& text) {
  return {text.data(), text.size()};
}

// Coral's names of what it found, which AWS's answers show.
std::string_view kind_name(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return "NULL_VALUE";
    case json::kind::bool_:
      return value.get_bool() ? "TRUE_VALUE" : "FALSE_VALUE";
    case json::kind::int64:
    case json::kind::uint64:
    case json::kind::double_:
      return "NUMBER_VALUE";
    case json::kind::string:
      return "STRING_VALUE";
    case json::kind::array:
      return "START_ARRAY";
    case json::kind::object:
      return "START_OBJECT";
  }
  return "UNKNOWN_VALUE";
}

// At most max_shown_value_bytes, cut between characters.
std::string_view shortened(std::string_view text) {
  if (text.size() <= max_shown_value_bytes) return text;
  std::size_t end = max_shown_value_bytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end);
}

// The length that AWS counts is in characters; here code points.
std::size_t length_in_characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string shown(const json::value& value) {
  if (const json::string* text = value.if_string()) return std::string(view(*text));
  return json::serialize(value);
}

}  // namespace

Reader::Members::Members(Reader& reader, const json::value& from) : reader_(reader), object_(from.if_object()) {
  if (object_ != nullptr) return;
  // An element without content is an empty structure.
  static const json::object empty;
  if (reader.wire_ != Wire::json && from.is_string() && from.get_string().empty()) {
    object_ = &empty;
  } else {
    reader.wrong_type(from, "a structure");
  }
}

const json::value* Reader::Members::find(std::string_view name) const {
  const json::value* found = object_->if_contains(name);
  return found == nullptr || found->is_null() ? nullptr : found;
}

void Reader::scalar(const json::value& from, std::string& to, const Rule& rule) {
  const json::string* text = from.if_string();
  if (text == nullptr) return wrong_type(from, "a String");
  to.assign(text->data(), text->size());
  check_text(to, rule);
}

std::optional<std::int64_t> Reader::whole_number(const json::value& from) const {
  if (from.is_int64()) return from.get_int64();
  if (from.is_double()) {
    const double number = from.get_double();
    constexpr double exact_limit = 9.0e15;  // beyond, a double skips whole numbers
    if (std::abs(number) < exact_limit && number == std::trunc(number)) return static_cast<std::int64_t>(number);
  } else if (wire_ != Wire::json && from.is_string()) {
    const std::string_view text = view(from.get_string());
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc() && end == text.data() + text.size()) return number;
  }
  return std::nullopt;
}

void Reader::scalar(const json::value& from, std::int64_t& to, const Rule& rule) {
  const std::optional<std::int64_t> number = whole_number(from);
  if (!number) return wrong_type(from, "a Long");
  to = *number;
  check_range(to, rule);
}

void Reader::scalar(const json::value& from, std::int32_t& to, const Rule& rule) {
  const std::optional<std::int64_t> number = whole_number(from);
  if (!number || *number != static_cast<std::int32_t>(*number)) return wrong_type(from, "an Integer");
  to = static_cast<std::int32_t>(*number);
  check_range(to, rule);
}

void Reader::scalar(const json::value& from, double& to, const Rule& rule) {
  if (wire_ != Wire::json && from.is_string()) {
    const std::string_view text = view(from.get_string());
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), to);
    if (error != std::errc() || end != text.data() + text.size()) return wrong_type(from, "a Double");
  } else if (from.is_number()) {
    to = from.to_number<double>();
  } else {
    return wrong_type(from, "a Double");
  }
  if (to < static_cast<double>(rule.min)) check_range(rule.min - 1, rule);
  if (to > static_cast<double>(rule.max)) check_range(rule.max + 1, rule);
}

void Reader::scalar(const json::value& from, bool& to, const Rule&) {
  if (from.is_bool()) {
    to = from.get_bool();
  } else if (wire_ != Wire::json && from.is_string() && (from.get_string() == "true" || from.get_string() == "false")) {
    to = from.get_string() == "true";
  } else {
    wrong_type(from, "a Boolean");
  }
}

void Reader::scalar(const json::value& from, Time& to, const Rule&) {
  constexpr double max_seconds = 253'402'300'800.0;  // the year 10000
  std::optional<Time> time;
  if (from.is_number()) {
    const double seconds = from.to_number<double>();
    if (std::abs(seconds) < max_seconds) time = from_millis(std::llround(seconds * 1000.0));
  } else if (wire_ != Wire::json && from.is_string()) {
    time = parse_wire_time(view(from.get_string()));
  }
  if (!time) return wrong_type(from, "a Timestamp");
  to = *time;
}

void Reader::blob(const json::value& from, std::string& to, const Rule& rule) {
  std::optional<std::string> bytes;
  if (from.is_string()) bytes = base64_decode(view(from.get_string()));
  if (!bytes) return wrong_type(from, "a Blob");
  to = std::move(*bytes);
  check_size(to.size(), from, rule);
}

const json::array* Reader::list_items(const json::value& from, const Rule& rule, json::array& scratch) {
  const json::array* items = from.if_array();
  if (wire_ == Wire::json || (rule.flattened && items != nullptr)) {
    if (items == nullptr) wrong_type(from, "a List");
  } else if (wire_ == Wire::xml) {
    const json::value* inside = rule.flattened ? &from : find_member(from, rule.item_name);
    if (inside != nullptr) items = inside->if_array();
    if (items == nullptr) {
      if (inside != nullptr) scratch.push_back(*inside);
      items = &scratch;
    }
  } else {
    // The form's tree keeps "Tags.member.2" as {"member": {"2": …}}; the numbers give the order.
    const json::value* inside = rule.flattened ? &from : find_member(from, rule.item_name);
    const json::object* numbered = inside == nullptr ? nullptr : inside->if_object();
    std::map<std::int64_t, const json::value*> sorted;
    if (numbered != nullptr) {
      for (const auto& [number, item] : *numbered) {
        const std::optional<std::int64_t> index = parse_number({number.data(), number.size()});
        if (!index) {
          wrong_type(item, "a List");
          return nullptr;
        }
        sorted.emplace(*index, &item);
      }
    } else if (!(from.is_string() && from.get_string().empty())) {
      wrong_type(from, "a List");
      return nullptr;
    }
    for (const auto& [index, item] : sorted) scratch.push_back(*item);
    items = &scratch;
  }
  if (items != nullptr) check_size(items->size(), from, rule);
  return items;
}

void Reader::map_pairs(const json::value& from, const Rule& rule,
                       std::vector<std::pair<std::string_view, const json::value*>>& pairs) {
  const auto add_entry = [&](const json::value& entry) {
    const json::value* key = find_member(entry, rule.key_name);
    const json::value* item = find_member(entry, rule.value_name);
    if (key == nullptr || !key->is_string() || item == nullptr) return wrong_type(entry, "a Map");
    pairs.emplace_back(view(key->get_string()), item);
  };
  const json::value* inside = rule.flattened ? &from : find_member(from, "entry");
  if (wire_ == Wire::json) {
    const json::object* object = from.if_object();
    if (object == nullptr) return wrong_type(from, "a Map");
    for (const auto& [key, item] : *object) {
      if (!item.is_null()) pairs.emplace_back(std::string_view(key.data(), key.size()), &item);
    }
  } else if (inside != nullptr && wire_ == Wire::query && inside->is_object()) {
    for (const auto& [number, entry] : inside->get_object()) add_entry(entry);
  } else if (inside != nullptr && inside->is_array()) {
    for (const json::value& entry : inside->get_array()) add_entry(entry);
  } else if (inside != nullptr) {
    add_entry(*inside);
  }
  check_size(pairs.size(), from, rule);
}

void Reader::check_size(std::size_t size, const json::value& from, const Rule& rule) {
  if (strictness_ == Strictness::stored) return;
  const auto count = static_cast<std::int64_t>(size);
  if (count > rule.max) {
    violated(shown(from), rule, fmt::format("Member must have length less than or equal to {}", rule.max));
  } else if (count < rule.min) {
    violated(shown(from), rule, fmt::format("Member must have length greater than or equal to {}", rule.min));
  }
}

void Reader::check_text(std::string_view text, const Rule& rule) {
  if (strictness_ == Strictness::stored) return;
  constexpr auto no_max = std::numeric_limits<std::int64_t>::max();
  if (rule.max != no_max || rule.min > 0) {
    const auto length = static_cast<std::int64_t>(length_in_characters(text));
    if (length > rule.max) {
      // Without looking at the pattern: matching is only asked of texts of bounded length.
      return violated(text, rule, fmt::format("Member must have length less than or equal to {}", rule.max));
    }
    if (length < rule.min) {
      violated(text, rule, fmt::format("Member must have length greater than or equal to {}", rule.min));
    }
  }
  if (!rule.regex.empty() && !matches_pattern(rule.regex, text)) {
    violated(text, rule, fmt::format("Member must satisfy regular expression pattern: {}", rule.pattern));
  }
  if (!rule.values.empty() && std::find(rule.values.begin(), rule.values.end(), text) == rule.values.end()) {
    violated(text, rule, fmt::format("Member must satisfy enum value set: [{}]", fmt::join(rule.values, ", ")));
  }
}

void Reader::check_range(std::int64_t number, const Rule& rule) {
  if (strictness_ == Strictness::stored) return;
  if (number > rule.max) {
    violated(fmt::to_string(number), rule, fmt::format("Member must have value less than or equal to {}", rule.max));
  } else if (number < rule.min) {
    violated(fmt::to_string(number), rule, fmt::format("Member must have value greater than or equal to {}", rule.min));
  }
}

void Reader::missing() {
  if (strictness_ == Strictness::stored) return;
  ++violation_count_;
  if (violations_.size() < max_violations_shown) {
    violations_.push_back(
        fmt::format("Value null at '{}' failed to satisfy constraint: Member must not be null", path()));
  }
}

void Reader::wrong_type(const json::value& from, std::string_view wanted) {
  if (type_failure_.empty()) {
    type_failure_ = fmt::format("{} can not be converted to {}", kind_name(from), wanted);
    if (!path_.empty()) type_failure_ += fmt::format(" at '{}'", path());
  }
}

void Reader::violated(std::string_view value, const Rule& rule, std::string_view constraint) {
  ++violation_count_;
  if (violations_.size() >= max_violations_shown) return;
  const std::string at = path();
  violations_.push_back(rule.sensitive ? fmt::format("Value at '{}' failed to satisfy constraint: {}", at, constraint)
                                       : fmt::format("Value '{}' at '{}' failed to satisfy constraint: {}",
                                                     shortened(value), at, constraint));
}

// "tags.1.member.key". Coral shows members in lower camel case, whatever the query protocol calls them.
std::string Reader::path() const {
  std::string text;
  for (const Step& step : path_) {
    if (!text.empty()) text += '.';
    if (step.index > 0) {
      text += fmt::format("{}.member", step.index);
      continue;
    }
    const std::size_t start = text.size();
    text += shortened(step.name);
    if (wire_ == Wire::query && text.size() > start && text[start] >= 'A' && text[start] <= 'Z') {
      text[start] = static_cast<char>(text[start] - 'A' + 'a');
    }
  }
  return text;
}

Result<void> Reader::finish(const ServiceInfo& service) const {
  if (!type_failure_.empty()) return make_error("SerializationException", type_failure_);
  if (violation_count_ == 0) return ok();
  std::string text = fmt::format("{} validation error{} detected: {}", violation_count_,
                                 violation_count_ == 1 ? "" : "s", fmt::join(violations_, "; "));
  if (violations_.size() < violation_count_) text += "; and more";
  return make_error(service.validation_error, std::move(text));
}

void JsonFields::put_time(Time time) const {
  const std::int64_t millis = to_millis(time);
  const std::int64_t size = millis < 0 ? -millis : millis;
  const fmt::format_int seconds(size / 1000);
  const auto fraction = static_cast<unsigned>(size % 1000);
  char text[32];
  char* end = text;
  if (millis < 0) *end++ = '-';
  end = std::copy(seconds.data(), seconds.data() + seconds.size(), end);
  *end++ = '.';
  for (const unsigned unit : {100U, 10U, 1U}) *end++ = static_cast<char>('0' + fraction / unit % 10);
  out.raw({text, static_cast<std::size_t>(end - text)});
}

void JsonFields::put_blob(std::string_view bytes) const {
  out.value(base64_encode(bytes));
}

}  // namespace kaapi::aws
