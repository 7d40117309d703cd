#pragma once
// One call as one line of the log: JSON in the shape of a CloudTrail event, so that whoever reads CloudTrail's events
// reads these, and a member `decision` of our own. Pure.
// Source of the shape: "CloudTrail record contents" in the CloudTrail user guide.

#include <cstdint>
#include <string>
#include <string_view>

#include "aws/dispatch.h"
#include "base/clock.h"

namespace kaapi::audit {

// What the texts of others may take in a record, in bytes; longer ones are cut.
inline constexpr std::size_t max_name_bytes = 128;  // of an operation, a service, a region
inline constexpr std::size_t max_text_bytes = 512;  // of a user agent or an address
inline constexpr std::size_t max_reason_bytes = 1024;
inline constexpr std::size_t max_arn_bytes = 2048;
// Resources are listed until the record is so long; `omittedResources` counts the rest.
inline constexpr std::size_t max_resources_until_bytes = 24 * 1024;

// The line with its newline. Parameters and answers are not in it, and what looks like a signature, a token or a secret
// in a text (an error message that quotes a header) is left out: secrets must not be in the log whatever a room tells.
// `account_id` stands in for a caller that was not identified.
std::string to_line(const aws::CallRecord& record, std::string_view event_id, std::string_view account_id, Time now);

// The line that tells that `lost` calls between two times are not in the log.
std::string to_gap_line(std::uint64_t lost, Time since, std::string_view why, std::string_view event_id,
                        std::string_view account_id, Time now);

// Of events of the log itself: the gap line.
inline constexpr std::string_view own_event_source = "kaapi";
inline constexpr std::string_view gap_event_name = "AuditRecordsLost";

// True for the codes that tell "you may not" or "I do not know you", as against a call that was let through and failed.
bool is_refusal(std::string_view error_code);
// By the operation's name: "DescribeTasks" reads, "StopTask" does not. What is not known counts as a change.
bool is_read_only(std::string_view operation);
// CloudFormation's name of what an ARN names, as CloudTrail has it: "AWS::ECS::Service"; empty when it is not known.
std::string_view resource_type(std::string_view arn);

// `text` as valid UTF-8 of at most `max_bytes`, without what looks like a secret.
std::string harmless_text(std::string_view text, std::size_t max_bytes);

}  // namespace kaapi::audit
