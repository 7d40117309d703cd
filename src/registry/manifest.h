#pragma once
// What a manifest says. Pure: bytes in, references out.
// Rules: OCI image specification (manifest.md, image-index.md) and Docker's "Image Manifest Version 2, Schema 2".

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace kaapi::registry {

// The OCI distribution specification asks registries to take at least this much; Docker's own registry takes no more.
inline constexpr std::size_t max_manifest_bytes = 4 * 1024 * 1024;
// ECR's quota for one layer: 52,000 MiB.
inline constexpr std::uint64_t max_blob_bytes = 52'000ULL * 1024 * 1024;

struct Manifest {
  bool is_index = false;  // OCI index or Docker manifest list
  std::string media_type;
  std::string artifact_media_type;    // the config's media type, or artifactType where that is given
  std::string config_digest;          // empty for an index
  std::vector<std::string> blobs;     // config and layers that have to be in the repository
  std::vector<std::string> children;  // manifests that have to be in the repository
  std::uint64_t image_bytes = 0;      // config and layers as pushed; 0 for an index
};

// `content_type` is the request's header, possibly empty: then the manifest's own mediaType says what it is.
// Errors: MANIFEST_INVALID (400), naming the member.
Result<Manifest> parse_manifest(std::string_view content, std::string_view content_type);

}  // namespace kaapi::registry
