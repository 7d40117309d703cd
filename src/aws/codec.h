#pragma once
// Reading and writing the generated types. Each generated structure lists its members once, for every visitor below:
//   template <class V, class T> void fields_Tag(V& v, T& t) { v("key", t.key, rule_TagKey); ... }
// The same description reads JSON and query forms (as a tree, see query.h) and XML, and writes JSON, XML and forms.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "aws/model.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"

namespace kaapi::aws {

inline constexpr std::size_t max_violations_shown = 20;
inline constexpr std::size_t max_shown_value_bytes = 512;

// What the tree holds: `json` as parsed; `query` and `xml` with every scalar as text, lists and maps under their wire
// names.
enum class Wire { json, query, xml };
// `wire`: a client's request, everything is checked. `stored`: our own text, or a server's answer; only types are
// checked, and a required member that is absent keeps its default.
enum class Strictness { wire, stored };

// Collects what is wrong while a value is read. One use, one thread.
class Reader {
 public:
  Reader(Wire wire, Strictness strictness) : wire_(wire), strictness_(strictness) {}

  template <class T>
  void value(const json::value& from, T& to, const Rule& rule);

  // The members of one object, visited by a generated fields_…().
  class Members {
   public:
    // Notes a failure when `from` is no object.
    Members(Reader& reader, const json::value& from);
    explicit operator bool() const { return object_ != nullptr; }

    template <class T>
    void operator()(std::string_view name, std::optional<T>& to, const Rule& rule) {
      if (const json::value* from = find(name)) {
        reader_.enter(name);
        reader_.value(*from, to.emplace(), rule);
        reader_.leave();
      }
    }
    template <class T>
    void operator()(std::string_view name, T& to, const Rule& rule) {
      const json::value* from = find(name);
      reader_.enter(name);
      if (from != nullptr) {
        reader_.value(*from, to, rule);
      } else {
        reader_.missing();
      }
      reader_.leave();
    }

   private:
    const json::value* find(std::string_view name) const;  // null counts as absent

    Reader& reader_;
    const json::object* object_;
  };

  // Success, or what was wrong in the service's words: SerializationException for a wrong type, else its validation
  // error.
  Result<void> finish(const ServiceInfo& service) const;

 private:
  struct Step {
    std::string_view name;  // of a member or a map's key
    std::size_t index = 0;  // of a list's member, from 1
  };

  void scalar(const json::value& from, std::string& to, const Rule& rule);
  void scalar(const json::value& from, std::int64_t& to, const Rule& rule);
  void scalar(const json::value& from, std::int32_t& to, const Rule& rule);
  void scalar(const json::value& from, double& to, const Rule& rule);
  void scalar(const json::value& from, bool& to, const Rule& rule);
  void scalar(const json::value& from, Time& to, const Rule& rule);
  void blob(const json::value& from, std::string& to, const Rule& rule);
  std::optional<std::int64_t> whole_number(const json::value& from) const;

  // The items of a list or the pairs of a map, however the wire shows them.
  const json::array* list_items(const json::value& from, const Rule& rule, json::array& scratch);
  void map_pairs(const json::value& from, const Rule& rule,
                 std::vector<std::pair<std::string_view, const json::value*>>& pairs);
  void check_size(std::size_t size, const json::value& from, const Rule& rule);
  void check_text(std::string_view text, const Rule& rule);
  void check_range(std::int64_t number, const Rule& rule);

  void enter(std::string_view name) { path_.push_back({name, 0}); }
  void enter(std::size_t index) { path_.push_back({{}, index}); }
  void leave() { path_.pop_back(); }
  void missing();
  void wrong_type(const json::value& from, std::string_view wanted);
  void violated(std::string_view value, const Rule& rule, std::string_view constraint);
  std::string path() const;

  Wire wire_;
  Strictness strictness_;
  std::vector<Step> path_;
  std::vector<std::string> violations_;
  std::size_t violation_count_ = 0;
  std::string type_failure_;  // the first
};

// Marks a blob where a text would be read: base64 on the wire, bytes in the structure.
struct Blob : std::string {
  using std::string::string;
  Blob(std::string bytes) : std::string(std::move(bytes)) {}
};

template <class T>
inline constexpr bool is_list = false;
template <class T>
inline constexpr bool is_list<std::vector<T>> = true;
template <class T>
inline constexpr bool is_map = false;
template <class T>
inline constexpr bool is_map<std::map<std::string, T>> = true;
template <class T>
inline constexpr bool is_scalar = std::is_arithmetic_v<T> || std::is_same_v<T, std::string> || std::is_same_v<T, Time>;

template <class T>
void Reader::value(const json::value& from, T& to, const Rule& rule) {
  if constexpr (is_scalar<T>) {
    scalar(from, to, rule);
  } else if constexpr (std::is_same_v<T, Blob>) {
    blob(from, to, rule);
  } else if constexpr (std::is_same_v<T, json::value>) {
    to = from;
  } else if constexpr (is_list<T>) {
    json::array scratch;
    const json::array* items = list_items(from, rule, scratch);
    if (items == nullptr) return;
    to.reserve(items->size());
    for (const json::value& item : *items) {
      enter(to.size() + 1);
      if (item.is_null()) {
        missing();
        to.emplace_back();
      } else {
        value(item, to.emplace_back(), *rule.item);
      }
      leave();
    }
  } else if constexpr (is_map<T>) {
    std::vector<std::pair<std::string_view, const json::value*>> pairs;
    map_pairs(from, rule, pairs);
    for (const auto& [key, item] : pairs) {
      enter(key);
      if (rule.key != nullptr) check_text(key, *rule.key);
      value(*item, to[std::string(key)], *rule.item);
      leave();
    }
  } else {
    read(*this, from, to);  // generated, found beside T
  }
}

// Writes members as JSON.
struct JsonFields {
  JsonWriter& out;

  template <class T>
  void operator()(std::string_view name, const std::optional<T>& from, const Rule&) const {
    if (!from) return;
    out.key(name);
    put(*from);
  }
  template <class T>
  void operator()(std::string_view name, const T& from, const Rule&) const {
    out.key(name);
    put(from);
  }

  template <class T>
  void put(const T& from) const {
    if constexpr (std::is_same_v<T, Time>) {
      put_time(from);
    } else if constexpr (std::is_same_v<T, Blob>) {
      put_blob(from);
    } else if constexpr (is_scalar<T>) {
      out.value(from);
    } else if constexpr (std::is_same_v<T, json::value>) {
      out.raw(json::serialize(from));
    } else if constexpr (is_list<T>) {
      out.begin_array();
      for (const auto& item : from) put(item);
      out.end_array();
    } else if constexpr (is_map<T>) {
      out.begin_object();
      for (const auto& [key, item] : from) {
        out.key(key);
        put(item);
      }
      out.end_object();
    } else {
      encode(out, from);  // generated, found beside T
    }
  }

 private:
  void put_time(Time time) const;  // seconds with three decimals
  void put_blob(std::string_view bytes) const;
};

// A request as a client sent it. Errors: SerializationException, or the service's own validation error, naming the
// member.
template <class T>
Result<T> decode(const json::value& from) {
  Reader reader(Wire::json, Strictness::wire);
  T to;
  read(reader, from, to);
  if (const Result<void> checked = reader.finish(service_of(to)); !checked) return checked.error();
  return to;
}

// One JSON object, as on the wire.
template <class T>
std::string to_json(const T& from) {
  std::string text;
  JsonWriter out(text);
  encode(out, from);
  return text;
}

// Read what to_json() wrote, also by an older version: absent members keep their defaults, constraints are not
// checked. Errors: `Invalid` (no JSON), SerializationException (a member of another type).
template <class T>
Result<T> from_tree(const json::value& from) {
  Reader reader(Wire::json, Strictness::stored);
  T to;
  read(reader, from, to);
  if (const Result<void> checked = reader.finish(service_of(to)); !checked) return checked.error();
  return to;
}
template <class T>
Result<T> from_json(std::string_view text) {
  const Result<json::value> parsed = parse_json(text);
  if (!parsed) return parsed.error();
  return from_tree<T>(*parsed);
}

}  // namespace kaapi::aws
