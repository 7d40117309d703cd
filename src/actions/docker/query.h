#pragma once
// The query of a call: read as Docker reads it, looked at, and written anew. Pure; no I/O.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace kaapi::actions::docker {

struct Owner;

// Pairs as sent, decoded and in order; a name may come twice.
using Query = std::vector<std::pair<std::string, std::string>>;
// Errors: `Invalid`.
Result<Query> parse_query(std::string_view text);
std::string to_text(const Query& query);
// The first value of that name, as Docker takes it; empty when there is none.
std::string_view value_of(const Query& query, std::string_view name);
// Replaces every value of that name by one.
void set_value(Query& query, std::string_view name, std::string value);
// What Docker takes for yes.
bool is_true(std::string_view value);

// Drops what is not in `known` (names with spaces between) and says nothing. Errors: `AccessDenied` for the others.
Result<void> keep_known(Query& query, std::string_view known);

// `filters` of a list with one more condition: this label with this value. Errors: `Invalid`.
Result<std::string> with_label_filter(std::string_view filters, std::string_view label, std::string_view value);

// What the query of `POST /build` may not ask for; the job's label gets the job's value where it is among the labels.
// Errors: `AccessDenied`, `Invalid`.
Result<void> check_build(Query& query, const Owner& owner);

// As Docker shows it, whatever way it is written: "app" and "docker.io/library/app" are "app:latest".
std::string whole_image_name(std::string_view name);
// One that would stand in the way of images' digests: "sha256:…" is read as one. Errors: `AccessDenied`.
Result<void> check_image_name(std::string_view name);

// Error of a call that is refused, 403.
Error refused(std::string message);

}  // namespace kaapi::actions::docker
