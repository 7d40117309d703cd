#include "identity/iam/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/text.h"

namespace kaapi::identity {

const PolicyVersion* ManagedPolicy::version(std::int32_t wanted) const {
  const auto found = std::find_if(versions.begin(), versions.end(),
                                  [&](const PolicyVersion& version) { return version.number == wanted; });
  return found == versions.end() ? nullptr : &*found;
}

std::string version_id(std::int32_t number) {
  return fmt::format("v{}", number);
}

std::int32_t parse_version_id(std::string_view id) {
  if (id.size() < 2 || id[0] != 'v' || id[1] == '0') return 0;
  const std::optional<std::int64_t> number = parse_number(id.substr(1));
  if (!number || *number > std::numeric_limits<std::int32_t>::max()) return 0;
  return static_cast<std::int32_t>(*number);
}

}  // namespace kaapi::identity
