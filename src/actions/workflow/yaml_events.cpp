#include "actions/workflow/yaml_events.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <utility>

namespace kaapi::actions::workflow {
namespace {

// Where UTF-8 begins a character: every byte but those that go on with one (RFC 3629, section 3).
bool begins_character(char byte) {
  constexpr unsigned char mark = 0xC0, goes_on = 0x80;
  return (static_cast<unsigned char>(byte) & mark) != goes_on;
}

// Some editors begin files with a byte order mark, and show none.
std::string_view without_mark(std::string_view text) {
  constexpr std::string_view mark = "\xEF\xBB\xBF";
  return text.starts_with(mark) ? text.substr(mark.size()) : text;
}

// Of a character that libyaml just says "cannot start any token" of.
std::string explain_character(char found) {
  if (found == '\t') return "found a tab: expected spaces, by which alone YAML is indented";
  return fmt::format("found {}, which no text without quotes begins with: expected quotes around the text",
                     quoted(std::string_view(&found, 1)));
}

std::vector<std::uint32_t> character_begins(std::string_view text) {
  std::vector<std::uint32_t> begins;
  if (std::all_of(text.begin(), text.end(), [](char byte) { return static_cast<signed char>(byte) >= 0; })) {
    return begins;
  }
  begins.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (begins_character(text[i])) begins.push_back(static_cast<std::uint32_t>(i));
  }
  return begins;
}

std::vector<std::uint32_t> line_begins(std::string_view text) {
  std::vector<std::uint32_t> begins = {0};
  for (std::size_t at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1)) {
    begins.push_back(static_cast<std::uint32_t>(at + 1));
  }
  return begins;
}

}  // namespace

std::string_view yaml_text(const yaml_char_t* text) {
  return text == nullptr ? std::string_view() : std::string_view(reinterpret_cast<const char*>(text));
}

YamlEvents::YamlEvents(std::string_view text)
    : text_(without_mark(text)), lines_(line_begins(text_)), characters_(character_begins(text_)) {
  if (yaml_parser_initialize(&parser_) == 0) throw std::bad_alloc();
  yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
  yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text_.data()), text_.size());
}

YamlEvents::~YamlEvents() {
  yaml_event_delete(&event_);
  yaml_parser_delete(&parser_);
}

bool YamlEvents::next() {
  yaml_event_delete(&event_);
  const bool good = yaml_parser_parse(&parser_, &event_) != 0;
  if (!good && parser_.error == YAML_MEMORY_ERROR) throw std::bad_alloc();
  return good;
}

std::size_t YamlEvents::offset(const yaml_mark_t& mark) const {
  if (characters_.empty()) return std::min(mark.index, text_.size());
  return mark.index < characters_.size() ? characters_[mark.index] : text_.size();
}

Position YamlEvents::position(std::size_t offset) const {
  const auto after = std::upper_bound(lines_.begin(), lines_.end(), offset);
  return {static_cast<std::size_t>(after - lines_.begin()), offset - *(after - 1) + 1};
}

std::string_view YamlEvents::line(std::size_t number) const {
  if (number == 0 || number > lines_.size()) return {};
  const std::size_t begin = lines_[number - 1];
  const std::size_t end = number < lines_.size() ? lines_[number] - 1 : text_.size();
  return text_.substr(begin, end - begin);
}

Fault YamlEvents::problem() const {
  const std::string_view what = parser_.problem == nullptr ? "it cannot be read" : parser_.problem;
  // The reader knows the byte, but no mark.
  if (parser_.error == YAML_READER_ERROR) {
    return {position(std::min(parser_.problem_offset, text_.size())), std::string(what)};
  }
  const std::size_t at = offset(parser_.problem_mark);
  if (what == "found character that cannot start any token" && at < text_.size()) {
    return {position(at), explain_character(text_[at])};
  }
  std::string message(what);
  if (parser_.context != nullptr) {
    message += fmt::format(" {} that begins in line {}", parser_.context, position(parser_.context_mark).line);
  }
  return {position(at), std::move(message)};
}

}  // namespace kaapi::actions::workflow
