#include "actions/runner/file_commands.h"

#include <fmt/format.h>

#include "base/text.h"

namespace kaapi::actions::runner {
namespace {

class Lines {
 public:
  explicit Lines(std::string_view text) : text_(text) {}
  bool next(std::string_view& line) {
    if (at_ >= text_.size()) return false;
    const std::size_t end = std::min(text_.find('\n', at_), text_.size());
    line = text_.substr(at_, end - at_);
    if (line.ends_with('\r')) line.remove_suffix(1);
    at_ = end + 1;
    ++number_;
    return true;
  }
  std::size_t number() const { return number_; }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t number_ = 0;
};

Error wrong(std::size_t line, std::string_view what) {
  return make_error(errc::invalid, fmt::format("line {}: {}", line, what));
}

Result<std::string> read_block(Lines& lines, std::string_view mark, std::size_t from) {
  std::string value;
  std::string_view line;
  bool first = true;
  while (lines.next(line)) {
    if (line == mark) return value;
    if (!first) value += '\n';
    value += line;
    first = false;
  }
  return wrong(from, fmt::format("the value does not end: no line is '{}'", mark));
}

}  // namespace

Result<NamedValues> parse_named_values(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  NamedValues values;
  Lines lines(text);
  std::string_view line;
  while (lines.next(line)) {
    if (line.empty()) continue;
    const std::size_t number = lines.number();
    const std::size_t equals = line.find('=');
    const std::size_t block = line.find("<<");
    if (equals != std::string_view::npos && equals < block) {
      if (equals == 0) return wrong(number, "the name before '=' is empty");
      values.emplace_back(line.substr(0, equals), line.substr(equals + 1));
    } else if (block != std::string_view::npos) {
      const std::string_view mark = line.substr(block + 2);
      if (block == 0 || mark.empty()) return wrong(number, "expected NAME<<MARK with a name and a mark");
      Result<std::string> value = read_block(lines, mark, number);
      if (!value) return value.error();
      values.emplace_back(line.substr(0, block), std::move(*value));
    } else {
      return wrong(number, "expected NAME=VALUE or NAME<<MARK");
    }
  }
  return values;
}

std::vector<std::string> parse_path_lines(std::string_view text) {
  std::vector<std::string> folders;
  Lines lines(text);
  std::string_view line;
  while (lines.next(line)) {
    if (!line.empty()) folders.emplace_back(line);
  }
  return folders;
}

bool may_set_env(std::string_view name) {
  return lower(name) != "node_options";
}

}  // namespace kaapi::actions::runner
