#pragma once
// The role of a task, and how its containers reach its credentials: at the one address from which AWS's SDKs take
// credentials over plain HTTP, which is the gateway of a network that such containers join beside their own. Source:
// "Amazon ECS task IAM role" in the developer guide.

#include <string>
#include <string_view>

#include "containers/engine.h"
#include "ecs/model.h"

namespace kaapi::ecs {

inline constexpr std::string_view credentials_address = "169.254.170.2";
inline constexpr std::string_view credentials_path = "/v2/credentials/";  // and Task::credentials_id
// One on each machine, for every platform there: the address exists once.
inline constexpr std::string_view credentials_network = "kaapi-credentials";

// That network leads to the machine alone, and its containers do not see each other.
containers::NetworkSpec credentials_network_spec();
// Whether an IPv4 address is of that network; the machine's own is.
bool on_credentials_network(std::string_view address);

// Whether the task's containers join that network. Those on the machine's own network are there already, those without
// one can reach nobody.
bool joins_credentials_network(const Task& task);

// Whether a text has the form of a role's name or ARN, or is empty: no role. And what to say when it has not.
bool is_role(std::string_view text);
std::string role_error(std::string_view text);

}  // namespace kaapi::ecs
