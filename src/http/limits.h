#pragma once
// Bounds of the server that nobody needs to configure. The configurable ones are in ServerConfig.

#include <chrono>
#include <cstddef>

namespace kaapi::http {

// AWS's longest legitimate targets are presigned URLs with session tokens, about 4 KiB.
inline constexpr std::size_t max_target_bytes = 16 * 1024;
inline constexpr std::size_t max_header_fields = 200;
// Chunk extensions and trailers carry nothing that we use; what goes beyond is an attempt to keep us busy.
inline constexpr std::size_t max_chunk_line_bytes = 256;
inline constexpr std::size_t max_trailer_bytes = 8 * 1024;

// How long an answered connection is still drained so that the peer can read the answer before the reset
// (RFC 9112, section 9.6).
inline constexpr std::chrono::milliseconds linger_timeout{2'000};
// Connections beyond max_connections that are told so at once; further ones are closed without a word.
inline constexpr std::size_t max_refused_connections = 64;
// How long accepting rests when the process is out of descriptors.
inline constexpr std::chrono::milliseconds accept_pause{100};

// One turn of one connection; after that the others come first.
inline constexpr std::size_t receive_bytes = 16 * 1024;
inline constexpr std::size_t body_growth_bytes = 64 * 1024;
inline constexpr std::size_t write_turn_bytes = 4 * 1024 * 1024;
// What an idle connection may keep of its input buffer.
inline constexpr std::size_t kept_input_bytes = 4 * 1024;

// Below the 2 MiB of a huge page, so that a thread costs the pages it touched and no more.
inline constexpr std::size_t thread_stack_bytes = 1024 * 1024;
// A thread for uploads that had nothing to do for so long ends.
inline constexpr std::chrono::milliseconds stream_thread_idle{10'000};

}  // namespace kaapi::http
