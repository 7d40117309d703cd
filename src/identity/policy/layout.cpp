#include "identity/policy/layout.h"

#include <set>

#include "base/json.h"

namespace kaapi::identity::policy {
namespace {

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  Layout scan() {
    while (at_ < text_.size()) step();
    return std::move(layout_);
  }

 private:
  struct Level {
    bool object = false;
    bool expects_key = false;
    std::string key;  // the last one read
    std::set<std::string> keys;
    bool statement = false;
    Position begin;
  };

  void step() {
    switch (text_[at_]) {
      case '"':
        read_string();
        return;
      case '{':
      case '[':
        open();
        return;
      case '}':
      case ']':
        close();
        return;
      case ',':
        if (!levels_.empty()) levels_.back().expects_key = levels_.back().object;
        break;
      default:
        break;
    }
    advance(1);
  }

  void open() {
    Level level;
    level.object = text_[at_] == '{';
    level.expects_key = level.object;
    level.begin = here_;
    // The document's member Statement, or an element of the list that it is.
    const bool member = levels_.size() == 1 && levels_[0].key == "Statement";
    const bool element = levels_.size() == 2 && levels_[0].key == "Statement" && !levels_[1].object;
    level.statement = level.object && (member || element);
    levels_.push_back(std::move(level));
    advance(1);
  }

  void close() {
    advance(1);
    if (levels_.empty()) return;
    if (levels_.back().statement) layout_.statements.emplace_back(levels_.back().begin, here_);
    levels_.pop_back();
  }

  void read_string() {
    const Position begin = here_;
    std::size_t end = at_ + 1;
    while (end < text_.size() && text_[end] != '"') end += text_[end] == '\\' ? 2 : 1;
    const std::string_view quoted = text_.substr(at_, end + 1 - at_);
    advance(quoted.size());
    if (levels_.empty() || !levels_.back().expects_key) return;
    Level& level = levels_.back();
    level.expects_key = false;
    // Two spellings of one key ("\u0053id") are one key.
    const Result<json::value> key = parse_json(quoted);
    level.key = key && key->is_string() ? std::string(key->get_string()) : std::string(quoted);
    if (!level.keys.insert(level.key).second && !layout_.duplicate_key) {
      layout_.duplicate_key = level.key;
      layout_.duplicate_at = begin;
    }
  }

  void advance(std::size_t bytes) {
    for (const char c : text_.substr(at_, bytes)) {
      if (c == '\n') {
        ++here_.line;
        here_.column = 1;
      } else if ((static_cast<unsigned char>(c) & 0xC0U) != 0x80U) {
        ++here_.column;
      }
    }
    at_ += bytes;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  Position here_{1, 1};
  std::vector<Level> levels_;
  Layout layout_;
};

}  // namespace

Layout read_layout(std::string_view text) {
  return Scanner(text).scan();
}

}  // namespace kaapi::identity::policy
