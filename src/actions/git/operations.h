#pragma once
// The platform's operations on repositories, access tokens and mirrors: models/git.json.

#include <functional>
#include <string>

#include "actions/git/access_tokens.h"
#include "actions/git/gate.h"
#include "actions/git/mirrors.h"
#include "actions/git/pushes.h"
#include "actions/git/repositories.h"
#include "aws/dispatch.h"
#include "aws/sigv4.h"

namespace kaapi::actions::git {

// What the operations work on. All must outlive the dispatcher.
struct OperationRooms {
  Repositories& repositories;
  AccessTokens& tokens;
  Mirrors& mirrors;
  Pushes& pushes;
  const Gate& gate;
  const aws::KeyStore& keys;
  const Clock& clock;
  GateConfig config;
  // Removes what others keep of a repository that is about to be deleted. Error: it may not go, or not now.
  std::function<Result<void>(const std::string& repository)> forget;
};

void add_operations(aws::Dispatcher& dispatcher, const OperationRooms& rooms);

}  // namespace kaapi::actions::git
