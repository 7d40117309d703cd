#include "identity/sts/session_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.h"

namespace kaapi::identity {
namespace {

constexpr std::size_t max_session_tags = 50;
constexpr std::size_t max_tag_key_bytes = 4UL * 128;  // characters of UTF-8
constexpr std::size_t max_tag_value_bytes = 4UL * 256;

Error invalid(std::string message) {
  return make_error("ValidationError", std::move(message));
}

Duration seconds(std::int64_t count) {
  return std::chrono::seconds(count);
}

}  // namespace

Result<Duration> role_session_duration(const Role& role, std::optional<std::int64_t> asked_s, bool chained) {
  if (chained && asked_s && *asked_s > max_chained_session_s) {
    return invalid(
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.");
  }
  if (asked_s && *asked_s > role.max_session_duration_s) {
    return invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.");
  }
  return seconds(asked_s.value_or(default_session_s));
}

Duration session_token_duration(std::optional<std::int64_t> asked_s, bool root) {
  const std::int64_t wanted = asked_s.value_or(default_session_token_s);
  return seconds(root ? std::min(wanted, max_root_session_token_s) : wanted);
}

Result<std::vector<SessionPolicy>> session_policies(
    const IamState& state, const std::optional<std::string>& inline_policy,
    const std::optional<std::vector<aws::sts::PolicyDescriptorType>>& arns) {
  std::vector<SessionPolicy> policies;
  if (inline_policy) {
    auto document = policy::parse(*inline_policy, policy::Kind::identity);
    if (!document) return document.error();
    policies.push_back({"", *inline_policy, std::move(*document)});
  }
  if (!arns) return policies;
  if (arns->size() > max_session_policy_arns) {
    return invalid(fmt::format("{} PolicyArns were passed, and a session takes {} at most", arns->size(),
                               max_session_policy_arns));
  }
  for (const aws::sts::PolicyDescriptorType& descriptor : *arns) {
    const std::string arn = descriptor.arn.value_or("");
    if (managed_document(state, arn) == nullptr) {
      return invalid(fmt::format("The policy '{}' in PolicyArns does not exist or cannot be attached", arn));
    }
    policies.push_back({arn, "", nullptr});
  }
  return policies;
}

Result<SessionTags> session_tags(const std::vector<std::pair<std::string, std::string>>& passed,
                                 const std::vector<std::string>& transitive, const Session* caller) {
  SessionTags result;
  std::set<std::string> settled;  // in lower case: tag keys are told apart without case
  if (caller != nullptr) {
    result.transitive = caller->transitive_tag_keys;
    for (const std::string& key : caller->transitive_tag_keys) {
      settled.insert(lower(key));
      if (const auto tag = caller->tags.find(key); tag != caller->tags.end()) result.tags.insert(*tag);
    }
  }
  std::set<std::string> seen;
  for (const auto& [key, value] : passed) {
    std::string lower_key = lower(key);
    if (settled.contains(lower_key)) {
      return make_error("InvalidParameterValue",
                        fmt::format("One of the specified transitive tag keys can't be set because it conflicts with a "
                                    "transitive tag key from the calling session: {}",
                                    key));
    }
    if (lower_key.starts_with("aws:")) {
      return invalid(fmt::format("The tag key '{}' begins with aws:, which is reserved", key));
    }
    if (key.empty() || key.size() > max_tag_key_bytes || value.size() > max_tag_value_bytes) {
      return invalid("A tag key has 1 to 128 characters, and a tag value 256 at most");
    }
    if (!seen.insert(std::move(lower_key)).second) {
      return invalid(fmt::format("The tag key '{}' is there twice. Tag keys are not told apart by case", key));
    }
    result.tags.emplace(key, value);
  }
  if (result.tags.size() > max_session_tags) {
    return invalid(fmt::format("A session takes {} tags at most, with those of the calling session", max_session_tags));
  }
  for (const std::string& key : transitive) {
    if (!result.tags.contains(key)) {
      return invalid(fmt::format("The transitive tag key '{}' is not among the tags that were passed", key));
    }
    if (std::find(result.transitive.begin(), result.transitive.end(), key) == result.transitive.end()) {
      result.transitive.push_back(key);
    }
  }
  return result;
}

Result<void> check_source_identity(std::string_view text) {
  constexpr std::size_t min_bytes = 2;
  constexpr std::size_t max_bytes = 64;
  const bool good =
      text.size() >= min_bytes && text.size() <= max_bytes && std::all_of(text.begin(), text.end(), [](char c) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        return plain || std::string_view("+=,.@-_").find(c) != std::string_view::npos;
      });
  if (good) return ok();
  return invalid("A source identity has 2 to 64 characters, each a letter, a digit or one of +=,.@-_");
}

Result<std::optional<std::int32_t>> packed_percent(const Session& session) {
  if (session.policies.empty() && session.tags.empty()) return std::optional<std::int32_t>();
  std::size_t size = 0;
  for (const SessionPolicy& policy : session.policies) size += policy.arn.size() + policy::counted_size(policy.text);
  for (const auto& [key, value] : session.tags) size += key.size() + value.size();
  const std::size_t percent = (size * 100 + max_packed_size - 1) / max_packed_size;
  if (size <= max_packed_size) return std::optional<std::int32_t>(static_cast<std::int32_t>(percent));
  return make_error("PackedPolicyTooLarge",
                    fmt::format("Packed policy consumes {}% of allotted space, please use smaller policy. Session "
                                "policies and tags may have {} characters together",
                                percent, max_packed_size));
}

}  // namespace kaapi::identity
