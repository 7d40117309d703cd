#pragma once
// What a job asks of Docker: which calls of the Engine API there are for jobs, and what is looked at before each.
// Versions 1.24 and newer of it, as clients name them in the path. Pure; no I/O.

#include <string>
#include <string_view>

#include "actions/docker/query.h"
#include "base/error.h"

namespace kaapi::actions::docker {

enum class Rule {
  pass,              // as it is
  list,              // only what is the job's own: by a filter for its label
  container,         // {reference} must be the job's own
  remove_container,  // so must it here; its nameless volumes go with it
  make_container,    // the body is checked, see container_rules.h
  make_exec,         // {reference} must be the job's own; the body is checked
  exec,              // {reference} is an exec in a container that must be the job's own
  network,           // {reference} must be the job's own
  network_members,   // so must the container in the body
  make_network,      // the body is checked
  volume,            // {reference} must be the job's own
  make_volume,       // the body is checked
  commit,            // the container in the query must be the job's own
  build,             // the query is checked
  name_image,        // the job may remove this name later, if it was nobody's
  remove_image,      // only a name that this job has given
  prune_images,      // nothing: images are everybody's
  prune_builds,      // nothing: so is the cache of builds
};

struct Ruling {
  Rule rule = Rule::pass;
  std::string version;     // "/v1.41", or empty
  std::string before;      // "/containers/": what stands before the reference
  std::string reference;   // the container, exec, network, volume or image; empty where there is none
  std::string after;       // "/json": what stands behind it
  std::string_view query;  // names that it may have, with spaces between
  bool takes_body = false;
  bool upgrades = false;  // the connection may become a stream of bytes in both directions
  bool needs_buildx = false;
};

// The ruling for a method and a path as it was sent. Errors: `Invalid` (400: a path that is none), `AccessDenied` (403:
// a call that jobs do not have).
Result<Ruling> rule_of(std::string_view method, std::string_view path);

// What the engine gets: a path of nothing but letters, digits and "/_.:@-", without "..", and the query escaped.
std::string target_of(const Ruling& ruling, const Query& query);

// An image's name as it may stand in a path.
bool is_image_reference(std::string_view name);

}  // namespace kaapi::actions::docker
