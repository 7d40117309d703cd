#pragma once
// Which handler serves a path.

#include <algorithm>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "http/server.h"

namespace kaapi::http {

struct Route {
  std::string prefix;
  std::size_t max_body_bytes = 0;  // of a Handler; a StreamHandler reads as much as it likes
  std::variant<Handler, StreamHandler> handler;
  bool may_wait = false;  // a StreamHandler that has a stream thread also for requests without a body
};

// Longest prefix first. Not changed while a server runs.
class Router {
 public:
  void add(Route route) {
    const auto after = [&](const Route& other) { return other.prefix.size() < route.prefix.size(); };
    routes_.insert(std::find_if(routes_.begin(), routes_.end(), after), std::move(route));
  }
  // nullptr when no prefix matches.
  const Route* find(std::string_view path) const {
    const auto matches = [&](const Route& route) { return path.starts_with(route.prefix); };
    const auto found = std::find_if(routes_.begin(), routes_.end(), matches);
    return found == routes_.end() ? nullptr : &*found;
  }

 private:
  std::vector<Route> routes_;
};

}  // namespace kaapi::http
