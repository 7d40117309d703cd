#pragma once
// Which repository a command is about: the one given, or the one that can be meant.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "aws/client.h"
#include "base/error.h"
#include "cli/target.h"

namespace kaapi::cli {

inline constexpr std::string_view default_owner = "kaapi";
inline constexpr std::size_t max_repository_part_bytes = 100;  // of an owner and of a name, as GitHub's
inline constexpr std::size_t max_remotes_bytes = 64UL * 1024;  // of what git says of its remotes

// "NAME" → "kaapi/NAME"; "OWNER/NAME" stays; a ".git" at the end goes. Error: `Invalid`, with what is expected.
Result<std::string> full_repository_name(std::string_view given);

// The repositories of the platform at `endpoint` among what `git remote -v` prints ("origin\tURL (fetch)" lines), each
// once; that of "origin" alone when it is one of them. Pure.
std::vector<std::string> repositories_in_remotes(std::string_view remotes, std::string_view endpoint);

// What `git remote -v` prints in the working directory; empty when that is no git repository or git is missing.
std::string remotes_of_working_directory();

// The repository `given` (--repo), else the one that the remotes name, else the only one there is. `all` is asked only
// when the rest does not tell. Errors: `Invalid`, `NotFound` (none there), `Conflict` (several may be meant; names
// them); those of `all`.
Result<std::string> choose_repository(std::string_view given, std::string_view remotes, std::string_view endpoint,
                                      const std::function<Result<std::vector<std::string>>()>& all);

// The same with the working directory's remotes and the repositories of `target`, asked through `client`. What
// commands call: `const Result<std::string> repository = repository_of(command.repository, *target, client);`
Result<std::string> repository_of(std::string_view given, const Target& target, aws::Client& client);

}  // namespace kaapi::cli
