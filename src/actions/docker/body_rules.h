#pragma once
// What bodies of the Engine API's calls may hold, beside that which makes a container (container_rules.h). Only members
// that are known here are passed on, in exactly this spelling: Docker's own parser does not tell upper from lower case.
// Pure; no I/O.

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace kaapi::actions::docker {

// Of each kind, in one call.
inline constexpr std::size_t max_listed = 64;
// What a container or a build takes of the machine's memory by a file system in it.
inline constexpr std::int64_t max_memory_size = 4LL * 1024 * 1024 * 1024;

// By which everything that a job has made is known: a label and its value.
struct Owner {
  std::string label;
  std::string value;
};

// Errors of all checks: `Invalid` (400: no JSON, of a wrong type), `AccessDenied` (403) with the member and the reason.
Result<std::string> check_exec(std::string_view body);
// `own_names`: how the names begin that the runner itself gives, "kaapi-job-42"; everybody else's names with kaapi- are
// the platform's.
Result<std::string> check_network(std::string_view body, const Owner& owner, std::string_view own_names);
Result<std::string> check_volume(std::string_view body, const Owner& owner);
// A JSON object of labels, as builds have it. The job's own label gets the job's value.
Result<std::string> check_labels(std::string_view labels, const Owner& owner);
Result<void> check_ulimits(const json::value& list);
Result<void> check_memory_size(std::string_view member, std::int64_t bytes);

// Of connect and disconnect: `container` is who.
struct MemberWish {
  json::object body;
  std::string container;
};
Result<MemberWish> check_member(std::string_view body);

// A container's, network's or volume's name or id as it may stand in a path: letters, digits, "_", ".", "-".
bool is_reference(std::string_view text);
// Names of this kind are the platform's.
bool is_reserved_name(std::string_view name);
Result<void> check_name(std::string_view name);

// --- How a check is made ---
using Names = std::set<std::string_view>;
Result<json::object> object_in(std::string_view body);
// Whether a member says nothing: null, false, 0, empty.
bool is_empty(const json::value& value);
// Drops members that say nothing, and refuses those that are not known.
Result<void> keep_members(json::object& object, const Names& known, std::string_view where);
// The member as text; empty when it is missing or something else.
std::string text_of(const json::object& object, std::string_view name);
// The member as an object, made where it is missing or null, which moves the others; nullptr: it is something else.
json::object* member_object(json::object& object, std::string_view name);
// Items of a list of texts; none when it is missing.
Result<std::vector<std::string>> texts_in(const json::object& object, std::string_view name);
// How it joins a network.
Result<void> check_endpoint(json::object& endpoint, std::string_view where);
// `Labels` without those of the platform, with the job's own.
Result<void> own(json::object& object, const Owner& owner);
Error wrong_type(std::string_view member, std::string_view type);
Error too_many(std::string_view member);

}  // namespace kaapi::actions::docker
