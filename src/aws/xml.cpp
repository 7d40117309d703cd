#include "aws/xml.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "base/text.h"

namespace kaapi::aws {
namespace {

void append_utf8(std::string& out, std::uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0U | (code >> 6U));
    out += static_cast<char>(0x80U | (code & 0x3FU));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0U | (code >> 12U));
    out += static_cast<char>(0x80U | ((code >> 6U) & 0x3FU));
    out += static_cast<char>(0x80U | (code & 0x3FU));
  } else {
    out += static_cast<char>(0xF0U | (code >> 18U));
    out += static_cast<char>(0x80U | ((code >> 12U) & 0x3FU));
    out += static_cast<char>(0x80U | ((code >> 6U) & 0x3FU));
    out += static_cast<char>(0x80U | (code & 0x3FU));
  }
}

bool append_entity(std::string& out, std::string_view name) {
  if (name == "lt")
    out += '<';
  else if (name == "gt")
    out += '>';
  else if (name == "amp")
    out += '&';
  else if (name == "quot")
    out += '"';
  else if (name == "apos")
    out += '\'';
  else if (name.starts_with('#')) {
    const bool hex = name.size() > 1 && (name[1] == 'x' || name[1] == 'X');
    const std::string_view digits = name.substr(hex ? 2 : 1);
    std::uint32_t code = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, hex ? 16 : 10);
    if (error != std::errc() || end != digits.data() + digits.size() || code == 0 || code > 0x10FFFF) return false;
    append_utf8(out, code);
  } else {
    return false;
  }
  return true;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<json::value> document() {
    skip_to_element();
    json::object root;
    if (!element(root, 0)) return failure();
    skip_to_element();
    if (at_ != text_.size()) return failure();
    return json::value(std::move(root));
  }

 private:
  Error failure() const {
    return make_error(errc::invalid, fmt::format("not the XML that was expected, at byte {}", at_));
  }

  bool skip_past(std::string_view end) {
    const std::size_t found = text_.find(end, at_);
    if (found == std::string_view::npos) return false;
    at_ = found + end.size();
    return true;
  }

  bool looking_at(std::string_view what) const { return text_.substr(at_).starts_with(what); }

  // Spaces, the declaration and comments before the root and after it.
  void skip_to_element() {
    while (at_ < text_.size()) {
      if (std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) {
        ++at_;
      } else if (!(looking_at("<?") && skip_past("?>")) && !(looking_at("<!--") && skip_past("-->"))) {
        return;
      }
    }
  }

  // "<Name attributes>", leaving `closed` true for "<Name/>".
  std::optional<std::string_view> open_tag(bool& closed) {
    if (!looking_at("<")) return std::nullopt;
    const std::size_t end = text_.find('>', at_);
    if (end == std::string_view::npos) return std::nullopt;
    std::string_view inside = text_.substr(at_ + 1, end - at_ - 1);
    closed = inside.ends_with('/');
    if (closed) inside.remove_suffix(1);
    const std::string_view name = inside.substr(0, inside.find_first_of(" \t\r\n"));
    if (name.empty() || name[0] == '/' || name[0] == '!' || name[0] == '?') return std::nullopt;
    at_ = end + 1;
    return name;
  }

  static void add(json::object& parent, std::string_view name, json::value child) {
    const auto [place, fresh] = parent.emplace(name, nullptr);
    if (fresh) {
      place->value() = std::move(child);
      return;
    }
    if (!place->value().is_array()) {
      json::array siblings;
      siblings.push_back(std::move(place->value()));
      place->value() = std::move(siblings);
    }
    place->value().get_array().push_back(std::move(child));
  }

  bool element(json::object& parent, std::size_t depth) {
    bool closed = false;
    const auto name = open_tag(closed);
    if (!name || depth > max_xml_depth) return false;
    if (closed) {
      add(parent, *name, "");
      return true;
    }
    std::string characters;
    json::object children;
    while (!looking_at("</")) {
      if (at_ >= text_.size()) return false;
      if (looking_at("<!--")) {
        if (!skip_past("-->")) return false;
      } else if (looking_at("<")) {
        if (!element(children, depth + 1)) return false;
      } else if (!character_data(characters)) {
        return false;
      }
    }
    at_ += 2;
    if (!looking_at(*name)) return false;
    at_ += name->size();
    if (!looking_at(">")) return false;
    ++at_;
    if (children.empty()) {
      add(parent, *name, json::value(characters));
    } else {
      add(parent, *name, json::value(std::move(children)));
    }
    return true;
  }

  bool character_data(std::string& out) {
    if (text_[at_] != '&') {
      const std::size_t end = std::min(text_.find_first_of("<&", at_), text_.size());
      out.append(text_.substr(at_, end - at_));
      at_ = end;
      return true;
    }
    constexpr std::size_t max_entity = 12;
    const std::size_t end = text_.substr(0, at_ + max_entity).find(';', at_);
    if (end == std::string_view::npos || !append_entity(out, text_.substr(at_ + 1, end - at_ - 1))) return false;
    at_ = end + 1;
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

Result<json::value> parse_xml(std::string_view text) {
  return Parser(text).document();
}

}  // namespace kaapi::aws
