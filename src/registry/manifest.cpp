#include "registry/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/json.h"
#include "base/text.h"
#include "registry/names.h"

namespace kaapi::registry {
namespace {

constexpr std::string_view docker_manifest = "application/vnd.docker.distribution.manifest.v2+json";
constexpr std::string_view docker_list = "application/vnd.docker.distribution.manifest.list.v2+json";
constexpr std::string_view oci_manifest = "application/vnd.oci.image.manifest.v1+json";
constexpr std::string_view oci_index = "application/vnd.oci.image.index.v1+json";

// Layers that live elsewhere and need not be pushed: their descriptors carry URLs.
constexpr std::array<std::string_view, 5> foreign_layers = {
    "application/vnd.docker.image.rootfs.foreign.diff.tar",
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
};

Error invalid(std::string message) {
  return make_error("MANIFEST_INVALID", std::move(message), 400);
}

struct Descriptor {
  std::string media_type;
  std::string digest;
  std::uint64_t size = 0;
};

Result<Descriptor> parse_descriptor(const json::value& value, std::string_view where) {
  if (!value.is_object()) return invalid(fmt::format("manifest invalid: {} is no descriptor object", where));
  Descriptor descriptor;
  descriptor.media_type = string_member(value, "mediaType");
  descriptor.digest = string_member(value, "digest");
  if (!valid_digest(descriptor.digest)) {
    return invalid(fmt::format("manifest invalid: {}.digest must be 'sha256:' and 64 lower-case hex digits", where));
  }
  const std::int64_t size = int_member(value, "size", -1);
  if (size < 0 || static_cast<std::uint64_t>(size) > max_blob_bytes) {
    return invalid(fmt::format("manifest invalid: {}.size must be a number of bytes up to {}", where, max_blob_bytes));
  }
  descriptor.size = static_cast<std::uint64_t>(size);
  return descriptor;
}

Result<std::vector<Descriptor>> parse_descriptors(const json::value& manifest, std::string_view member) {
  const json::value* list = find_member(manifest, member);
  if (list == nullptr || !list->is_array()) {
    return invalid(fmt::format("manifest invalid: {} must be a list of descriptors", member));
  }
  std::vector<Descriptor> descriptors;
  for (const json::value& item : list->get_array()) {
    Result<Descriptor> descriptor = parse_descriptor(item, fmt::format("{}[{}]", member, descriptors.size()));
    if (!descriptor) return descriptor.error();
    descriptors.push_back(std::move(*descriptor));
  }
  return descriptors;
}

// The media type without parameters: "a/b; charset=utf-8" is "a/b".
std::string bare_type(std::string_view content_type) {
  return lower(trim(content_type.substr(0, content_type.find(';'))));
}

// One of the constants above.
Result<std::string_view> media_type_of(const json::value& manifest, std::string_view content_type) {
  const std::string own = string_member(manifest, "mediaType");
  const std::string sent = bare_type(content_type);
  const std::string_view type =
      sent.empty() || sent == "application/json" ? std::string_view(own) : std::string_view(sent);
  if (type.empty()) {
    return invalid("manifest invalid: neither the Content-Type header nor mediaType says what kind of manifest it is");
  }
  if (!own.empty() && own != type) {
    return invalid(
        fmt::format("manifest invalid: mediaType is '{}', but the Content-Type header says '{}'", own, type));
  }
  for (const std::string_view known : {docker_manifest, docker_list, oci_manifest, oci_index}) {
    if (type == known) return known;
  }
  return invalid(
      fmt::format("manifest invalid: media type '{}' is not supported; push an image manifest version 2 schema 2, "
                  "an OCI image manifest or an index of these",
                  type));
}

Result<Manifest> parse_image(const json::value& value, Manifest manifest) {
  const json::value* config = find_member(value, "config");
  if (config == nullptr) return invalid("manifest invalid: config is missing");
  const Result<Descriptor> config_descriptor = parse_descriptor(*config, "config");
  if (!config_descriptor) return config_descriptor.error();
  const Result<std::vector<Descriptor>> layers = parse_descriptors(value, "layers");
  if (!layers) return layers.error();
  manifest.config_digest = config_descriptor->digest;
  manifest.artifact_media_type = string_member(value, "artifactType", config_descriptor->media_type);
  manifest.blobs.push_back(config_descriptor->digest);
  manifest.image_bytes = config_descriptor->size;
  for (const Descriptor& layer : *layers) {
    manifest.image_bytes += layer.size;
    const bool foreign =
        std::find(foreign_layers.begin(), foreign_layers.end(), layer.media_type) != foreign_layers.end();
    if (!foreign) manifest.blobs.push_back(layer.digest);
  }
  return manifest;
}

}  // namespace

Result<Manifest> parse_manifest(std::string_view content, std::string_view content_type) {
  const Result<json::value> value = parse_json(content);
  if (!value) return invalid(fmt::format("manifest invalid: {}", value.error().message));
  if (!value->is_object()) return invalid("manifest invalid: it is no JSON object");
  if (int_member(*value, "schemaVersion") != 2) return invalid("manifest invalid: schemaVersion must be 2");
  const Result<std::string_view> type = media_type_of(*value, content_type);
  if (!type) return type.error();
  Manifest manifest;
  manifest.media_type = *type;
  manifest.is_index = manifest.media_type == docker_list || manifest.media_type == oci_index;
  if (!manifest.is_index) return parse_image(*value, std::move(manifest));
  const Result<std::vector<Descriptor>> children = parse_descriptors(*value, "manifests");
  if (!children) return children.error();
  manifest.artifact_media_type = string_member(*value, "artifactType");
  for (const Descriptor& child : *children) manifest.children.push_back(child.digest);
  return manifest;
}

}  // namespace kaapi::registry
