#pragma once
// Small text helpers that more than one floor needs.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace kaapi {

std::vector<std::string> split(std::string_view text, char separator);
std::string_view trim(std::string_view text);  // spaces, tabs, CR, LF
std::string lower(std::string_view text);      // ASCII only
std::string to_hex(std::string_view bytes);    // lower case

std::string base64_encode(std::string_view bytes);
std::optional<std::string> base64_decode(std::string_view text);  // nullopt unless it is padded RFC 4648 base64

// RFC 3986: everything but A-Z a-z 0-9 - . _ ~ is escaped, upper-case hex; '/' kept when `keep_slash`.
std::string percent_encode(std::string_view text, bool keep_slash = false);
// nullopt on a broken escape. '+' stays '+' unless `plus_is_space` (form bodies).
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space = false);

// The text with U+FFFD for every byte that belongs to no character (RFC 3629): what people and programs wrote may be
// anything, JSON and databases hold text.
std::string as_utf8(std::string_view bytes);
// Where the first such byte is; nullopt: it is all text.
std::optional<std::size_t> find_broken_utf8(std::string_view bytes);
// A whole decimal number without sign, or nullopt.
std::optional<std::int64_t> parse_number(std::string_view text);

// SHA-256 of `bytes`, as 32 raw bytes.
std::string sha256(std::string_view bytes);
// HMAC-SHA-256, as 32 raw bytes.
std::string hmac_sha256(std::string_view key, std::string_view bytes);
// Takes the same time whatever differs, for secrets of one length.
bool equal_constant_time(std::string_view a, std::string_view b);

// The position after the last item of a page, opaque to clients and checked on the way back: nextToken everywhere.
// `scope` names the listing (operation and its filters), so that a token of another listing is refused.
std::string encode_page_token(std::string_view scope, std::string_view position);
std::optional<std::string> decode_page_token(std::string_view scope, std::string_view token);

// Files: whole-file read with a size limit, and an atomic, durable write (temporary file, fsync, rename, fsync of the
// folder).
Result<std::string> read_file(const std::string& path, std::size_t max_bytes);
Result<void> write_file_atomically(const std::string& path, std::string_view content, unsigned mode);
// The pieces of it, for files that are not written in one go.
Result<void> sync_file(const std::string& path);
Result<void> rename_durably(const std::string& from, const std::string& to);

}  // namespace kaapi
