#pragma once
// What libyaml finds in a text, event by event, with the places it came from in bytes. For yaml.cpp alone.

#include <yaml.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "actions/workflow/fault.h"

namespace kaapi::actions::workflow {

// Over a text in UTF-8, which outlives it; a byte order mark before it does not count. Not thread-safe.
class YamlEvents {
 public:
  explicit YamlEvents(std::string_view text);
  ~YamlEvents();
  YamlEvents(const YamlEvents&) = delete;
  YamlEvents& operator=(const YamlEvents&) = delete;

  // To the next event, which is valid until the next call. False when the text is no YAML: see problem().
  // Not to be called again after that, nor after YAML_STREAM_END_EVENT.
  bool next();
  const yaml_event_t& event() const { return event_; }

  // Of the text, from 0. libyaml counts characters.
  std::size_t offset(const yaml_mark_t& mark) const;
  // Lines end at \n alone, as editors count them; libyaml knows more ends than that.
  Position position(std::size_t offset) const;
  Position position(const yaml_mark_t& mark) const { return position(offset(mark)); }
  std::size_t line_count() const { return lines_.size(); }
  // The line's text, from 1, without its end; empty beyond the last one.
  std::string_view line(std::size_t number) const;

  // What was expected, and where. Of a text that is no YAML.
  Fault problem() const;

 private:
  std::string_view text_;
  std::vector<std::uint32_t> lines_;       // where each begins
  std::vector<std::uint32_t> characters_;  // where each begins; empty where each is one byte
  yaml_parser_t parser_{};
  yaml_event_t event_{};
};

// How libyaml hands out texts.
inline std::string_view yaml_text(const yaml_char_t* text, std::size_t size) {
  return {reinterpret_cast<const char*>(text), size};
}
std::string_view yaml_text(const yaml_char_t* text);  // ends with NUL; nullptr: empty

}  // namespace kaapi::actions::workflow
