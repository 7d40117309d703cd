#pragma once
// Writers of the query protocol: an answer as XML, a request as a form. Reading is codec.h's, from the trees of
// query.h.

#include <optional>
#include <string>
#include <string_view>

#include "aws/codec.h"

namespace kaapi::aws {

// Appends XML elements to a string, which must outlive it. Not thread-safe.
class XmlWriter {
 public:
  explicit XmlWriter(std::string& out) : out_(out) {}

  void open(std::string_view name);
  void close(std::string_view name);
  void text(std::string_view text);  // escaped; characters that XML cannot hold become U+FFFD

 private:
  std::string& out_;
};

// Appends "A.member.1=x&…" to a string, which must outlive it. Not thread-safe.
class FormWriter {
 public:
  explicit FormWriter(std::string& out) : out_(out) {}

  // Until the matching leave(), names start with `name`.
  void enter(std::string_view name);
  void enter(std::size_t index);
  void leave();
  void value(std::string_view text);

 private:
  std::string& out_;
  std::string prefix_;
  std::vector<std::size_t> lengths_;
};

// A scalar as both writers show it.
std::string scalar_text(std::string_view text);
std::string scalar_text(std::int64_t number);
std::string scalar_text(std::int32_t number);
std::string scalar_text(double number);
std::string scalar_text(bool flag);
std::string scalar_text(Time time);
inline std::string scalar_text(const std::string& text) {
  return text;
}
std::string scalar_text(const Blob& bytes);

struct XmlFields {
  XmlWriter& out;

  template <class T>
  void operator()(std::string_view name, const std::optional<T>& from, const Rule& rule) const {
    if (from) (*this)(name, *from, rule);
  }
  template <class T>
  void operator()(std::string_view name, const T& from, const Rule& rule) const {
    if constexpr (is_list<T>) {
      if (!rule.flattened) out.open(name);
      for (const auto& item : from) (*this)(rule.flattened ? name : rule.item_name, item, *rule.item);
      if (!rule.flattened) out.close(name);
    } else if constexpr (is_map<T>) {
      if (!rule.flattened) out.open(name);
      const std::string_view entry = rule.flattened ? name : "entry";
      for (const auto& [key, item] : from) {
        out.open(entry);
        (*this)(rule.key_name, key, *rule.item);
        (*this)(rule.value_name, item, *rule.item);
        out.close(entry);
      }
      if (!rule.flattened) out.close(name);
    } else {
      out.open(name);
      if constexpr (is_scalar<T> || std::is_same_v<T, Blob>) {
        out.text(scalar_text(from));
      } else {
        encode(out, from);
      }
      out.close(name);
    }
  }
};

struct FormFields {
  FormWriter& out;

  template <class T>
  void operator()(std::string_view name, const std::optional<T>& from, const Rule& rule) const {
    if (from) (*this)(name, *from, rule);
  }
  template <class T>
  void operator()(std::string_view name, const T& from, const Rule& rule) const {
    out.enter(name);
    put(from, rule);
    out.leave();
  }

 private:
  template <class T>
  void put(const T& from, const Rule& rule) const {
    if constexpr (is_list<T> || is_map<T>) {
      if (from.empty()) return out.value("");
      std::size_t index = 0;
      if (!rule.flattened) out.enter(is_list<T> ? rule.item_name : std::string_view("entry"));
      for (const auto& item : from) {
        out.enter(++index);
        if constexpr (is_list<T>) {
          put(item, *rule.item);
        } else {
          (*this)(rule.key_name, item.first, *rule.item);
          (*this)(rule.value_name, item.second, *rule.item);
        }
        out.leave();
      }
      if (!rule.flattened) out.leave();
    } else if constexpr (is_scalar<T> || std::is_same_v<T, Blob>) {
      out.value(scalar_text(from));
    } else {
      encode(out, from);
    }
  }
};

}  // namespace kaapi::aws
