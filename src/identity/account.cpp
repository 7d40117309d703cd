#include "identity/account.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/json.h"
#include "base/text.h"

namespace kaapi::identity {
namespace {

constexpr std::string_view default_region = "us-east-1";

bool is_account_id(std::string_view text) {
  return text.size() == 12 && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string path_of(const std::string& directory) {
  return fmt::format("{}/{}", directory, account_file_name);
}

Error damaged(const std::string& path, std::string_view why) {
  return make_error(
      errc::damaged,
      fmt::format("the account file {} {}; restore it from a backup, or move it away to get a new account and "
                  "new keys at the next start",
                  path, why),
      500);
}

// Whoever can read the file is root here, so it must be its owner's alone.
Result<void> check_mode(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return ok();  // read_file() says why
  if (!S_ISREG(info.st_mode)) return damaged(path, "is no regular file");
  if ((info.st_mode & 077U) != 0) {
    return make_error(errc::damaged,
                      fmt::format("the account file {} holds the root key but others may use it (mode {:04o}); "
                                  "run: chmod 600 {}",
                                  path, info.st_mode & 07777U, path),
                      500);
  }
  return ok();
}

Result<void> write_account(const std::string& path, const Account& account) {
  std::string text;
  JsonWriter out(text);
  out.begin_object();
  for (const auto& [key, value] :
       {std::pair("account_id", &account.account_id), std::pair("access_key_id", &account.access_key_id),
        std::pair("secret_access_key", &account.secret_access_key), std::pair("region", &account.region)}) {
    out.key(key);
    out.value(*value);
  }
  out.end_object();
  return write_file_atomically(path, text + "\n", 0600);
}

void renew_key(Account& account, IdSource& ids) {
  std::string secret_bytes;
  for (int word = 0; word < 4; ++word) {
    const std::uint64_t bits = ids.next();
    secret_bytes.append(reinterpret_cast<const char*>(&bits), sizeof bits);
  }
  constexpr std::size_t secret_size = 30;  // 40 characters of base64
  account.access_key_id = "AKIA" + ids.letters(16);
  account.secret_access_key = base64_encode(secret_bytes.substr(0, secret_size));
}

Account make_account(const AccountOptions& options, IdSource& ids) {
  Account account;
  account.account_id = options.account_id.value_or("");
  if (account.account_id.empty()) account.account_id = ids.decimal(12);
  renew_key(account, ids);
  account.region = options.region.value_or(std::string(default_region));
  return account;
}

Result<void> check_options(const AccountOptions& options) {
  if (options.account_id && !is_account_id(*options.account_id)) {
    return make_error(errc::invalid, fmt::format("'{}' is no account id: it takes 12 digits", *options.account_id));
  }
  return options.region ? check_region(*options.region) : ok();
}

}  // namespace

std::string Account::root_arn() const {
  return fmt::format("arn:aws:iam::{}:root", account_id);
}

Result<void> check_region(std::string_view region) {
  constexpr std::size_t max_region_bytes = 64;
  const bool good = !region.empty() && region.size() <= max_region_bytes &&
                    std::all_of(region.begin(), region.end(),
                                [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
  if (good) return ok();
  return make_error(errc::invalid,
                    fmt::format("'{}' is no region: it takes lower-case letters, digits and dashes, like {}",
                                region.substr(0, max_region_bytes), default_region));
}

Result<Account> read_account(const std::string& directory) {
  const std::string path = path_of(directory);
  if (const Result<void> mode = check_mode(path); !mode) return mode.error();
  const Result<std::string> text = read_file(path, max_account_file_bytes);
  if (!text) return text.error().code == errc::too_large ? damaged(path, "is too large") : text.error();
  const Result<json::value> value = parse_json(*text);
  if (!value) return damaged(path, "is " + value.error().message);

  Account account;
  account.account_id = string_member(*value, "account_id");
  account.access_key_id = string_member(*value, "access_key_id");
  account.secret_access_key = string_member(*value, "secret_access_key");
  account.region = string_member(*value, "region");
  if (!is_account_id(account.account_id)) return damaged(path, "has no account_id of 12 digits");
  if (account.access_key_id.size() < 16) return damaged(path, "has no access_key_id");
  if (account.secret_access_key.size() < 16) return damaged(path, "has no secret_access_key");
  if (!check_region(account.region)) return damaged(path, "has no valid region");
  return account;
}

Result<Account> open_account(const std::string& directory, const AccountOptions& options, IdSource& ids) {
  if (const Result<void> checked = check_options(options); !checked) return checked.error();
  Result<Account> account = read_account(directory);
  if (!account && account.error().code == errc::not_found) {
    Account made = make_account(options, ids);
    if (const Result<void> written = write_account(path_of(directory), made); !written) return written.error();
    return made;
  }
  if (!account) return account;
  if (options.account_id && *options.account_id != account->account_id) {
    return make_error(errc::invalid,
                      fmt::format("this data directory belongs to account {}, not {}; leave the account id "
                                  "out, or choose another data directory",
                                  account->account_id, *options.account_id));
  }
  if (options.region) account->region = *options.region;
  return account;
}

Result<Account> rotate_root_key(const std::string& directory, IdSource& ids) {
  Result<Account> account = read_account(directory);
  if (!account) return account;
  renew_key(*account, ids);
  if (const Result<void> written = write_account(path_of(directory), *account); !written) return written.error();
  return account;
}

}  // namespace kaapi::identity
