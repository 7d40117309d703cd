#pragma once
// What actions/checkout fetches and checks out, decided without touching anything. Rules: actions/checkout's README and
// its ref-helper.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace kaapi::actions {

// Where a repository is fetched from.
struct CheckoutSource {
  std::string repository;  // "OWNER/NAME"
  std::string server;      // "http://127.0.0.1:4566", no final slash
  std::string url;
  bool own = false;       // the job's own repository
  bool platform = false;  // on the job's platform, so that the job's token may open it
};

// `wanted` empty: the job's own. Error: `Invalid` (a name that is none).
Result<CheckoutSource> checkout_source(std::string_view wanted, std::string_view own_repository,
                                       std::string_view clone_path, std::string_view server_url,
                                       std::string_view other_server);

struct CheckoutTarget {
  std::string ref;     // "refs/heads/main", "refs/tags/v1", "main", "" with a commit alone
  std::string commit;  // 40 or 64 hexadecimal digits, or empty
};

bool is_commit_name(std::string_view text);
// `wanted` is the input `ref`; `ref` and `sha` those of the event, which hold for the job's own repository only.
// Both empty afterwards: the repository's default branch.
CheckoutTarget checkout_target(std::string_view wanted, bool own, std::string_view ref, std::string_view sha);

// Of one fetch; `target.ref` is whole ("refs/...") or empty. `depth` 0: all history of all branches and tags.
std::vector<std::string> refspecs(const CheckoutTarget& target, std::int64_t depth, bool tags);

// The arguments behind "git checkout --force".
std::vector<std::string> checkout_arguments(const CheckoutTarget& target);

// Which of the refs that "git ls-remote" showed a short name means: a branch before a tag. nullopt: none.
std::optional<std::string> choose_ref(std::string_view name, std::string_view ls_remote_output);
// The default branch in the output of "git ls-remote --symref URL HEAD": "refs/heads/main".
std::optional<std::string> head_ref(std::string_view ls_remote_output);

// Whether git's complaint is of a network that may be well again in a moment.
bool is_transient(std::string_view git_errors);

}  // namespace kaapi::actions
