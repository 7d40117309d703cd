#pragma once
// Inside this folder: the tables of git.db.

#include "store/database.h"

namespace kaapi::actions::git {

// What store::Database::open() is given for git.db.
store::Migrations migrations();

}  // namespace kaapi::actions::git
