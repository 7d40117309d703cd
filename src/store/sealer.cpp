#include "store/sealer.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <stdexcept>

#include "base/text.h"

namespace kaapi::store {
namespace {

constexpr char format_version = 1;
constexpr std::size_t nonce_bytes = 12;
constexpr std::size_t tag_bytes = 16;
constexpr std::size_t overhead_bytes = 1 + nonce_bytes + tag_bytes;
constexpr std::size_t max_sealed_bytes = 1'048'576;
constexpr std::size_t max_key_file_bytes = 4096;
constexpr std::string_view check_place = "sealer/check";
constexpr std::string_view check_text = "kaapi";

using Cipher = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* bytes(std::string& text, std::size_t at) {
  return reinterpret_cast<unsigned char*>(text.data() + at);
}

void must(int done) {
  if (done != 1) throw std::runtime_error("the cryptographic library refused to work");
}

Error damaged(std::string message) {
  return make_error(errc::damaged, std::move(message), 500);
}

Error missing(const std::string& path) {
  return damaged(fmt::format(
      "the key file {} is missing, but the database beside it holds secrets that were sealed with it; restore "
      "the file from a backup (without it access keys and sessions are lost: then move the database away "
      "as well, to start with none)",
      path));
}

Error wrong(const std::string& path) {
  return damaged(
      fmt::format("the key file {} holds another key than the one that sealed the secrets in the database; "
                  "restore the file that belongs to this database",
                  path));
}

Result<void> check_mode(const std::string& path, const struct stat& info) {
  if (!S_ISREG(info.st_mode)) return damaged(fmt::format("the key file {} is no regular file; move it away", path));
  if ((info.st_mode & 077U) == 0) return ok();
  return damaged(
      fmt::format("the key file {} opens every stored secret but others may use it (mode {:04o}); run: chmod 600 {}",
                  path, info.st_mode & 07777U, path));
}

Result<std::string> make_key_file(const std::string& path) {
  std::string key(sealer_key_bytes, '\0');
  must(RAND_priv_bytes(bytes(key, 0), static_cast<int>(key.size())));
  std::string text = to_hex(key) + "\n";
  const Result<void> written = write_file_atomically(path, text, 0600);
  OPENSSL_cleanse(text.data(), text.size());
  if (!written) return written.error();
  return key;
}

std::optional<unsigned char> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned char>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned char>(c - 'a' + 10);
  return std::nullopt;
}

// The bytes of 64 lower-case hex digits; nullopt for anything else.
std::optional<std::string> parse_key(std::string_view text) {
  text = trim(text);
  if (text.size() != 2 * sealer_key_bytes) return std::nullopt;
  std::string key;
  for (std::size_t at = 0; at < text.size(); at += 2) {
    const auto high = hex_digit(text[at]);
    const auto low = hex_digit(text[at + 1]);
    if (!high || !low) return std::nullopt;
    key.push_back(static_cast<char>(*high * 16 + *low));
  }
  return key;
}

Result<std::string> read_key_file(const std::string& path) {
  Result<std::string> text = read_file(path, max_key_file_bytes);
  if (!text && text.error().code != errc::too_large) return text.error();
  std::optional<std::string> key = text ? parse_key(*text) : std::nullopt;
  if (text) OPENSSL_cleanse(text->data(), text->size());
  if (key) return std::move(*key);
  return damaged(fmt::format("the key file {} holds no key (it takes {} hex digits); restore it from a backup", path,
                             2 * sealer_key_bytes));
}

}  // namespace

Sealer::~Sealer() {
  OPENSSL_cleanse(key_.data(), key_.size());
}

Sealer::Sealer(Sealer&& other) noexcept : key_(other.key_) {
  OPENSSL_cleanse(other.key_.data(), other.key_.size());
}

Result<Sealer> Sealer::open(const std::string& path, const std::optional<std::string>& check) {
  struct stat info {};
  const bool exists = ::stat(path.c_str(), &info) == 0;
  if (!exists && errno == ENOENT && check) return missing(path);
  if (exists) {
    if (const Result<void> mode = check_mode(path, info); !mode) return mode.error();
  }
  Result<std::string> text = exists ? read_key_file(path) : make_key_file(path);
  if (!text) return text.error();
  Key key{};
  std::copy(text->begin(), text->end(), key.begin());
  OPENSSL_cleanse(text->data(), text->size());
  Sealer sealer(key);
  OPENSSL_cleanse(key.data(), key.size());
  if (check && !sealer.unseal(*check, check_place)) return wrong(path);
  return sealer;
}

std::string Sealer::check() const {
  return seal(check_text, check_place);
}

std::string Sealer::seal(std::string_view plain, std::string_view associated_data) const {
  if (plain.size() > max_sealed_bytes) throw std::logic_error("a secret is too long to be sealed");
  std::string sealed(overhead_bytes + plain.size(), '\0');
  sealed[0] = format_version;
  unsigned char* const nonce = bytes(sealed, 1);
  must(RAND_bytes(nonce, nonce_bytes));

  const Cipher cipher(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
  int written = 0;
  must(EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key_.data(), nonce));
  must(EVP_EncryptUpdate(cipher.get(), nullptr, &written, bytes(associated_data),
                         static_cast<int>(associated_data.size())));
  must(EVP_EncryptUpdate(cipher.get(), bytes(sealed, overhead_bytes), &written, bytes(plain),
                         static_cast<int>(plain.size())));
  unsigned char rest[EVP_MAX_BLOCK_LENGTH];  // GCM leaves none
  must(EVP_EncryptFinal_ex(cipher.get(), rest, &written));
  must(EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, tag_bytes, bytes(sealed, 1 + nonce_bytes)));
  return sealed;
}

Result<std::string> Sealer::unseal(std::string_view sealed, std::string_view associated_data) const {
  const Error refused = damaged(
      "a sealed value cannot be opened: it was changed, moved to another place, or sealed with another key; restore "
      "the "
      "database and its key file from one backup");
  if (sealed.size() < overhead_bytes || sealed.size() > overhead_bytes + max_sealed_bytes ||
      sealed[0] != format_version) {
    return refused;
  }
  std::string tag(sealed.substr(1 + nonce_bytes, tag_bytes));
  const std::string_view hidden = sealed.substr(overhead_bytes);
  std::string plain(hidden.size(), '\0');

  const Cipher cipher(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
  int written = 0;
  must(EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key_.data(), bytes(sealed.substr(1))));
  must(EVP_DecryptUpdate(cipher.get(), nullptr, &written, bytes(associated_data),
                         static_cast<int>(associated_data.size())));
  must(EVP_DecryptUpdate(cipher.get(), bytes(plain, 0), &written, bytes(hidden), static_cast<int>(hidden.size())));
  must(EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, tag_bytes, tag.data()));
  unsigned char rest[EVP_MAX_BLOCK_LENGTH];
  if (EVP_DecryptFinal_ex(cipher.get(), rest, &written) == 1) return plain;
  OPENSSL_cleanse(plain.data(), plain.size());
  return refused;
}

}  // namespace kaapi::store
