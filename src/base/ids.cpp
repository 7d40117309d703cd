#include "base/ids.h"

#include <openssl/rand.h>

#include <stdexcept>
#include <string_view>

namespace kaapi {
namespace {

std::string draw(IdSource& source, std::string_view alphabet, std::size_t count) {
  std::string out(count, '\0');
  for (char& c : out) {
    c = alphabet[static_cast<std::size_t>(source.next() % alphabet.size())];
  }
  return out;
}

}  // namespace

std::string IdSource::hex(std::size_t digits) {
  return draw(*this, "0123456789abcdef", digits);
}

std::string IdSource::decimal(std::size_t digits) {
  return draw(*this, "123456789", 1) + draw(*this, "0123456789", digits - 1);
}

std::string IdSource::letters(std::size_t count) {
  return draw(*this, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", count);
}

std::string IdSource::uuid() {
  std::string out = hex(32);
  out[12] = '4';
  out[16] = "89ab"[next() % 4];
  for (const std::size_t at : {8U, 13U, 18U, 23U}) {
    out.insert(at, 1, '-');
  }
  return out;
}

std::uint64_t SecureIds::next() {
  std::uint64_t value = 0;
  if (RAND_bytes(reinterpret_cast<unsigned char*>(&value), sizeof value) != 1) {
    throw std::runtime_error("the system's random generator failed");
  }
  return value;
}

std::uint64_t SeededIds::next() {
  const std::lock_guard lock(mutex_);
  return engine_();
}

}  // namespace kaapi
