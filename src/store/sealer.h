#pragma once
// Secrets at rest: what is sealed is unreadable and unchangeable without the key file, which lives beside the database,
// not in it. AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce for each value.

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace kaapi::store {

inline constexpr std::size_t sealer_key_bytes = 32;

// Immutable after open(), thread-safe. The key is wiped from memory at the end.
class Sealer {
 public:
  // Reads the key file. `check` is what an earlier check() answered, kept with the sealed values: when it is given, the
  // file must be there and hold the same key; when it is not, nothing is sealed yet, and a missing file is made (mode
  // 0600). Errors: `Damaged` (missing although something is sealed, another key, no key at all, or readable by others;
  // says what to do), `Unavailable` (cannot be read or written).
  static Result<Sealer> open(const std::string& path, const std::optional<std::string>& check = std::nullopt);

  ~Sealer();
  Sealer(Sealer&& other) noexcept;
  Sealer(const Sealer&) = delete;
  Sealer& operator=(const Sealer&) = delete;
  Sealer& operator=(Sealer&&) = delete;

  // A value that proves the key and tells nothing about it.
  std::string check() const;

  // `associated_data` names the place of the value ("access-key/AKIA…"): sealed bytes that were moved to another place
  // do not open there. The answer is bytes, 29 more than `plain`. Throws std::runtime_error when OpenSSL fails, which
  // is no expected failure.
  std::string seal(std::string_view plain, std::string_view associated_data) const;
  // Error: `Damaged` when the bytes are not what seal() made with this key for this place.
  Result<std::string> unseal(std::string_view sealed, std::string_view associated_data) const;

 private:
  using Key = std::array<unsigned char, sealer_key_bytes>;
  explicit Sealer(const Key& key) : key_(key) {}

  Key key_;
};

}  // namespace kaapi::store
