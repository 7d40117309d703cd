#pragma once
// Who has pushed, started or reviewed something, by the ARN of the caller. Pure.

#include <string>
#include <string_view>

namespace kaapi::actions {

// For people, and as github.actor: "ann" for a user, "ROLE/SESSION" for a session, so that nobody is taken for a user
// whose name a session has chosen, and "root" for the account.
std::string actor_name(std::string_view principal_arn);

// Whose an ARN is: of a session arn:aws:sts::ID:assumed-role/ROLE/NAME the role, whatever the session calls itself; of
// everybody else the ARN itself, without a path: names are unique in an account, and sessions do not tell it.
std::string principal_of(std::string_view arn);

// github.actor_id and the claim of that name: who somebody is when names are used again. `user_id` as policies see it
// ("AIDA...", "AROA...:SESSION", the account's number): IAM's unique id, of a session its role's, because a session is
// called as it likes. Where nobody has one (empty) 63 bits of the ARN's hash, as a number.
std::string actor_id(std::string_view user_id, std::string_view principal_arn);

}  // namespace kaapi::actions
