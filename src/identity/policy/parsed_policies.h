#pragma once
// Policies that are asked for again and again by their text, parsed once.

#include <cstddef>
#include <functional>
#include <memory>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/error.h"
#include "identity/policy/document.h"

namespace kaapi::identity::policy {

inline constexpr std::size_t max_parsed_policies = 256;
// Together, of their texts; what they are parsed to takes a small multiple of it.
inline constexpr std::size_t max_parsed_policy_bytes = 1024UL * 1024;

// Thread-safe. When it is full it starts anew.
class ParsedPolicies {
 public:
  explicit ParsedPolicies(Kind kind) : kind_(kind) {}

  // As policy::parse(). What cannot be parsed is not remembered.
  Result<std::shared_ptr<const Document>> parse(std::string_view text);
  std::size_t size() const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };

  const Kind kind_;
  mutable std::shared_mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<const Document>, Hash, std::equal_to<>> documents_;
  std::size_t bytes_ = 0;
};

}  // namespace kaapi::identity::policy
