#pragma once
// What a job asks of Docker: which calls of the Engine API there are for jobs, and what is looked at before each.
// Docker Engine API 1.41 and newer. Pure; no I/O.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace kaapi::actions::docker {

enum class Rule {
  pass,             // as it is
  list,             // only what is the job's own: by a filter for its label
  container,        // {reference} must be the job's own
  make_container,   // the body is checked, see container_rules.h
  make_exec,        // {reference} must be the job's own; the body is checked
  exec,             // {reference} is an exec in a container that must be the job's own
  network,          // {reference} must be the job's own
  network_members,  // so must the container in the body
  make_network,     // the body is checked
  volume,           // {reference} must be the job's own
  make_volume,      // the body is checked
  commit,           // the container in the query must be the job's own
  build,            // the query is checked
  name_image,       // the job may remove this name later
  remove_image,     // only a name that this job has given
  prune_images,     // nothing: images are everybody's
};

struct Ruling {
  Rule rule = Rule::pass;
  std::string version;    // "/v1.41", or empty
  std::string before;     // "/containers/": what stands before the reference
  std::string reference;  // the container, exec, network, volume or image; empty where there is none
  std::string after;      // "/json": what stands behind it
  bool takes_body = false;
  bool upgrades = false;  // the connection may become a stream of bytes in both directions
  bool needs_buildx = false;
};

// The ruling for a method and a path as it was sent. Errors: `Invalid` (400: a path that is none), `AccessDenied` (403:
// a call that jobs do not have).
Result<Ruling> rule_of(std::string_view method, std::string_view path);

// A query, decoded and in order. Pairs as sent; a name may come twice.
using Query = std::vector<std::pair<std::string, std::string>>;
Result<Query> parse_query(std::string_view text);
std::string to_text(const Query& query);
// The first value of that name, as Docker takes it; empty when there is none.
std::string_view value_of(const Query& query, std::string_view name);
// Replaces every value of that name by one.
void set_value(Query& query, std::string_view name, std::string value);

// `filters` of a list with one more condition: this label with this value. Errors: `Invalid`.
Result<std::string> with_label_filter(std::string_view filters, std::string_view label, std::string_view value);

// What the query of `POST /build` may not ask for. Errors: `AccessDenied`.
Result<void> check_build(const Query& query);

// "app" is "app:latest", as Docker takes it.
std::string whole_image_name(std::string_view name);

// Error of a call that is refused, 403.
Error refused(std::string message);

}  // namespace kaapi::actions::docker
