#pragma once
// Where random identifiers come from, behind an interface so that the simulation can replay a seed.

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <random>
#include <string>

namespace kaapi {

// Thread-safe.
class IdSource {
 public:
  virtual ~IdSource() = default;
  // 64 uniform bits.
  virtual std::uint64_t next() = 0;

  std::string hex(std::size_t digits);      // lower case, e.g. a task id of 32 digits
  std::string decimal(std::size_t digits);  // the first digit is not 0, e.g. a deployment id of 19 digits
  std::string letters(std::size_t count);   // A-Z and 2-7, e.g. the tail of an access key id
  std::string uuid();                       // RFC 4122 version 4
};

// Identifiers nobody can guess (OpenSSL's generator).
class SecureIds final : public IdSource {
 public:
  std::uint64_t next() override;
};

// The same sequence for the same seed.
class SeededIds final : public IdSource {
 public:
  explicit SeededIds(std::uint64_t seed) : engine_(seed) {}
  std::uint64_t next() override;

 private:
  std::mutex mutex_;
  std::mt19937_64 engine_;
};

}  // namespace kaapi
