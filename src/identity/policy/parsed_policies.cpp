#include "identity/policy/parsed_policies.h"

#include <mutex>

namespace kaapi::identity::policy {

Result<std::shared_ptr<const Document>> ParsedPolicies::parse(std::string_view text) {
  {
    const std::shared_lock lock(mutex_);
    const auto found = documents_.find(text);
    if (found != documents_.end()) return found->second;
  }
  Result<std::shared_ptr<const Document>> parsed = policy::parse(text, kind_);
  if (!parsed || text.size() > max_parsed_policy_bytes) return parsed;
  const std::unique_lock lock(mutex_);
  if (documents_.size() >= max_parsed_policies || bytes_ + text.size() > max_parsed_policy_bytes) {
    documents_.clear();
    bytes_ = 0;
  }
  if (documents_.emplace(text, *parsed).second) bytes_ += text.size();
  return parsed;
}

std::size_t ParsedPolicies::size() const {
  const std::shared_lock lock(mutex_);
  return documents_.size();
}

}  // namespace kaapi::identity::policy
