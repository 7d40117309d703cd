#pragma once
// How git is called here: names, environment, one command in one repository.

#include <string>
#include <string_view>
#include <vector>

#include "actions/git/process.h"
#include "base/error.h"

namespace kaapi::actions::git {

inline constexpr std::string_view no_commit = "0000000000000000000000000000000000000000";
inline constexpr std::string_view default_owner = "kaapi";  // of a repository that is named without one
inline constexpr std::size_t max_name_part_bytes = 100;     // of an owner and of a name, as GitHub's
inline constexpr std::size_t max_ref_bytes = 255;

// "OWNER/NAME" of letters, digits, '-', '_' and '.', neither part beginning with '.' or '-' nor ending like a file of
// git's ("x.lock", "x.git").
bool is_repository_name(std::string_view name);
// `Invalid`, with what is expected.
Error bad_name(std::string_view given);
// "NAME" → "kaapi/NAME"; a ".git" at the end goes. Error: `Invalid`, with what is expected.
Result<std::string> full_name(std::string_view given);

bool is_commit(std::string_view text);  // 40 lower-case hexadecimal digits
// Below refs/, of the form that git-check-ref-format(1) asks for.
bool is_ref(std::string_view ref);
// Why it is none, naming it, and what to do; empty: it is one.
std::string ref_fault(std::string_view ref);
// "main" of "refs/heads/main", "v1" of "refs/tags/v1"; otherwise empty.
std::string_view branch_of(std::string_view ref);
std::string_view tag_of(std::string_view ref);
// "main" of "main" and of "refs/heads/main", as a person names a branch. Error: `Invalid`.
Result<std::string> branch_named(std::string_view given);

// The environment of every git here: nothing of this process's but proxies and certificates, no settings of the
// machine's or a user's. `settings`: "NAME", "VALUE" pairs as git -c takes them.
std::vector<std::string> environment(const std::vector<std::pair<std::string, std::string>>& settings = {});

// `git ARGUMENTS` in `directory`.
Command git_command(const std::string& directory, std::vector<std::string> arguments);
// Runs it. Error: those of run(), and `Unavailable` with what git said when it fails.
Result<std::string> git(const std::string& directory, std::vector<std::string> arguments, std::string_view input = {},
                        const Limits& limits = {});
// What git said, as one line without control characters.
std::string said(std::string_view errors);

}  // namespace kaapi::actions::git
