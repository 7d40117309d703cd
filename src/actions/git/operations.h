#pragma once
// The platform's operations on repositories, access tokens and mirrors: models/git.json.

#include "actions/git/access_tokens.h"
#include "actions/git/gate.h"
#include "actions/git/mirrors.h"
#include "actions/git/repositories.h"
#include "aws/dispatch.h"
#include "aws/sigv4.h"

namespace kaapi::actions::git {

// What the operations work on. All must outlive the dispatcher.
struct OperationRooms {
  Repositories& repositories;
  AccessTokens& tokens;
  Mirrors& mirrors;
  const aws::KeyStore& keys;
  const Clock& clock;
  GateConfig config;
};

void add_operations(aws::Dispatcher& dispatcher, const OperationRooms& rooms);

}  // namespace kaapi::actions::git
