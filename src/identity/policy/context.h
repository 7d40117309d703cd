#pragma once
// The values that a request offers to conditions and policy variables: aws:SourceIp, aws:ResourceTag/team, ...

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kaapi::identity::policy {

// Asked for a key only when a policy needs it, so that an expensive value (a resource's tags) costs nothing where no
// policy looks at it. Used by one thread during one decision; the answer must not change within it.
class Context {
 public:
  virtual ~Context() = default;

  // The values of a key in lower case ("aws:principaltag/team"), or nullopt when the request does not carry it. A key
  // with one value yields one element; an empty list counts as absent.
  virtual std::optional<std::vector<std::string>> find(std::string_view lower_case_key) const = 0;
};

// A context from a map, for simulation and tests.
class MapContext final : public Context {
 public:
  MapContext() = default;

  // `key` in any case; replaces what was there.
  void set(std::string_view key, std::vector<std::string> values);
  std::optional<std::vector<std::string>> find(std::string_view lower_case_key) const override;

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
};

}  // namespace kaapi::identity::policy
