#pragma once
// The account that a data directory stands for, and its root access key. Made on the first start, kept in one file that
// only its owner may read.

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/ids.h"

namespace kaapi::identity {

inline constexpr std::string_view account_file_name = "account.json";
inline constexpr std::size_t max_account_file_bytes = 16UL * 1024;

struct Account {
  std::string account_id;         // 12 digits
  std::string access_key_id;      // "AKIA" and 16 of A-Z, 2-7
  std::string secret_access_key;  // 40 characters
  std::string region;             // the default for this data directory: "us-east-1"

  std::string root_arn() const;  // "arn:aws:iam::123456789012:root"
  bool operator==(const Account&) const = default;
};

struct AccountOptions {
  std::optional<std::string> account_id;  // asked for; must agree with what is stored
  std::optional<std::string> region;      // asked for; for this run it goes before what is stored
};

// "us-east-1": lower-case letters, digits and dashes. Error: `Invalid`.
Result<void> check_region(std::string_view region);

// Reads DIRECTORY/account.json. Errors: `NotFound`; `Damaged` (what is wrong and what to do, also when others may read
// it).
Result<Account> read_account(const std::string& directory);

// Reads the account or makes one. Errors as read_account() but `NotFound`; `Invalid` (an option that is malformed or
// disagrees with the stored account); `Unavailable` (cannot write).
Result<Account> open_account(const std::string& directory, const AccountOptions& options, IdSource& ids);

// Gives the account of `directory` a new root key, on disk when this returns. The caller makes sure that no other
// process does the same. Errors as read_account(); `Unavailable` (cannot write).
Result<Account> rotate_root_key(const std::string& directory, IdSource& ids);

}  // namespace kaapi::identity
