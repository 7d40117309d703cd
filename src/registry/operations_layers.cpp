// The ECR operations with which an image is pushed through the API instead of docker.
#include <fmt/format.h>

#include <algorithm>

#include "registry/names.h"
#include "registry/operations_common.h"

namespace kaapi::registry {
namespace {

namespace ecr = aws::ecr;

// What is asked of clients for one part: with base64 around it, it fits into the body of a request.
constexpr std::int64_t part_bytes = 1024 * 1024;

// A part that is in memory, as an upload reads it.
class PartReader final : public http::BodyReader {
 public:
  explicit PartReader(std::string_view bytes) : bytes_(bytes) {}
  Result<std::size_t> read(std::span<char> buffer) override {
    const std::size_t length = bytes_.copy(buffer.data(), buffer.size());
    bytes_.remove_prefix(length);
    return length;
  }

 private:
  std::string_view bytes_;
};

// What the floors below call by the names of the OCI specification.
Error ecr_error(const Error& error) {
  if (error.code == "BLOB_UPLOAD_UNKNOWN") {
    return make_error(ecr::error::UploadNotFoundException, error.message);
  }
  if (error.code == "TOOMANYREQUESTS") return make_error(ecr::error::LimitExceededException, error.message);
  if (error.code == "DIGEST_INVALID") return make_error(ecr::error::InvalidLayerException, error.message);
  if (error.code == "MANIFEST_INVALID") return make_error(ecr::error::InvalidParameterException, error.message);
  return error;
}

Result<ecr::BatchCheckLayerAvailabilityResponse> check_layers(Registry& registry, const aws::CallContext& context,
                                                              const ecr::BatchCheckLayerAvailabilityRequest& request) {
  const Result<RepositoryKey> key = key_of(registry, context, request.repositoryName, request.registryId);
  if (!key) return key.error();
  if (const Result<Repository> found = registry.catalog().repository(*key); !found) return found.error();
  ecr::BatchCheckLayerAvailabilityResponse response;
  response.layers.emplace();
  response.failures.emplace();
  for (const std::string& digest : request.layerDigests) {
    if (!valid_digest(digest)) {
      response.failures->push_back(
          {digest, std::string(ecr::LayerFailureCode::InvalidLayerDigest),
           "Invalid request parameters: the layer digest must be 'sha256:' and 64 hex digits"});
      continue;
    }
    const Result<std::uint64_t> size =
        registry.catalog().claim_blob(*key, digest, registry.now(), unreferenced_blob_lifetime / 2);
    if (!size && size.error().code != "BLOB_UNKNOWN") return size.error();
    ecr::Layer layer;
    layer.layerDigest = digest;
    layer.layerAvailability = size ? ecr::LayerAvailability::AVAILABLE : ecr::LayerAvailability::UNAVAILABLE;
    if (size) layer.layerSize = static_cast<std::int64_t>(*size);
    response.layers->push_back(std::move(layer));
  }
  return response;
}

Result<ecr::InitiateLayerUploadResponse> initiate(Registry& registry, const aws::CallContext& context,
                                                  const ecr::InitiateLayerUploadRequest& request) {
  const Result<RepositoryKey> key = key_of(registry, context, request.repositoryName, request.registryId);
  if (!key) return key.error();
  const Result<std::string> id = registry.start_upload(*key);
  if (!id) return ecr_error(id.error());
  ecr::InitiateLayerUploadResponse response;
  response.uploadId = *id;
  response.partSize = part_bytes;
  return response;
}

// An upload with nobody else at it.
struct HeldUpload {
  std::shared_ptr<Upload> upload;
  std::unique_lock<std::mutex> lock;
};
Result<HeldUpload> hold_upload(Registry& registry, const RepositoryKey& key, const std::string& id) {
  Result<std::shared_ptr<Upload>> upload = registry.upload(key, id);
  if (!upload) return ecr_error(upload.error());
  std::unique_lock lock((*upload)->mutex(), std::try_to_lock);
  if (!lock) {
    return make_error(ecr::error::InvalidParameterException,
                      fmt::format("Another request is writing to upload '{}'; send its parts one after the other", id));
  }
  return HeldUpload{std::move(*upload), std::move(lock)};
}

Result<ecr::UploadLayerPartResponse> upload_part(Registry& registry, const aws::CallContext& context,
                                                 const ecr::UploadLayerPartRequest& request) {
  const Result<RepositoryKey> key = key_of(registry, context, request.repositoryName, request.registryId);
  if (!key) return key.error();
  const Result<HeldUpload> held = hold_upload(registry, *key, request.uploadId);
  if (!held) return held.error();
  const auto offset = static_cast<std::int64_t>(held->upload->offset());
  const auto length = static_cast<std::int64_t>(request.layerPartBlob.size());
  if (request.partFirstByte != offset || request.partLastByte - request.partFirstByte + 1 != length) {
    return make_error(
        ecr::error::InvalidLayerPartException,
        fmt::format("The part of {} bytes says that it is bytes {} to {} of upload '{}', which has {} bytes", length,
                    request.partFirstByte, request.partLastByte, request.uploadId, offset));
  }
  PartReader reader(request.layerPartBlob);
  if (Result<void> appended = held->upload->append(reader); !appended) return ecr_error(appended.error());
  ecr::UploadLayerPartResponse response;
  response.registryId = registry.config().account_id;
  response.repositoryName = key->name;
  response.uploadId = request.uploadId;
  response.lastByteReceived = request.partLastByte;
  return response;
}

Result<ecr::CompleteLayerUploadResponse> complete(Registry& registry, const aws::CallContext& context,
                                                  const ecr::CompleteLayerUploadRequest& request) {
  const Result<RepositoryKey> key = key_of(registry, context, request.repositoryName, request.registryId);
  if (!key) return key.error();
  if (request.layerDigests.size() != 1 || !valid_digest(request.layerDigests.front())) {
    return invalid_parameter("layerDigests", "must be one digest: 'sha256:' and 64 lower-case hex digits");
  }
  const std::string& digest = request.layerDigests.front();
  const Result<HeldUpload> held = hold_upload(registry, *key, request.uploadId);
  if (!held) return held.error();
  if (held->upload->offset() == 0) {
    return make_error(ecr::error::EmptyUploadException,
                      fmt::format("Upload '{}' has no bytes; send its parts first", request.uploadId));
  }
  const Result<std::uint64_t> known = registry.catalog().blob_size(*key, digest);
  Result<void> done = registry.finish_upload(*key, request.uploadId, *held->upload, digest);
  if (!done) return ecr_error(done.error());
  if (known) {
    return make_error(ecr::error::LayerAlreadyExistsException,
                      fmt::format("Layer with digest '{}' already exists in the repository with name '{}' in registry "
                                  "with id '{}'",
                                  digest, key->name, registry.config().account_id));
  }
  ecr::CompleteLayerUploadResponse response;
  response.registryId = registry.config().account_id;
  response.repositoryName = key->name;
  response.uploadId = request.uploadId;
  response.layerDigest = digest;
  return response;
}

// ---- PutImage.

Error already_exists(const Registry& registry, const RepositoryKey& key, std::string_view digest,
                     std::string_view tag) {
  return make_error(ecr::error::ImageAlreadyExistsException,
                    fmt::format("Image with digest '{}'{} already exists in the repository with name '{}' in registry "
                                "with id '{}'",
                                digest, tag.empty() ? "" : fmt::format(" and tag '{}'", tag), key.name,
                                registry.config().account_id));
}

Error put_error(const Manifest& manifest, const Error& error) {
  if (error.code != "MANIFEST_BLOB_UNKNOWN") return ecr_error(error);
  return make_error(
      manifest.is_index ? ecr::error::ReferencedImagesNotFoundException : ecr::error::LayersNotFoundException,
      error.message);
}

Result<ecr::PutImageResponse> put_image(Registry& registry, const aws::CallContext& context,
                                        const ecr::PutImageRequest& request) {
  const Result<RepositoryKey> key = key_of(registry, context, request.repositoryName, request.registryId);
  if (!key) return key.error();
  const std::string tag = request.imageTag.value_or("");
  if (!tag.empty() && !valid_tag(tag)) {
    return invalid_parameter("imageTag", "must satisfy regular expression '[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}'");
  }
  const std::string digest = digest_of(request.imageManifest);
  if (request.imageDigest && *request.imageDigest != digest) {
    return make_error(ecr::error::ImageDigestDoesNotMatchException,
                      fmt::format("The digest of the manifest is {}, not {}", digest, *request.imageDigest));
  }
  const Result<Manifest> manifest = parse_manifest(request.imageManifest, request.imageManifestMediaType.value_or(""));
  if (!manifest) return ecr_error(manifest.error());
  const Result<std::string> current = registry.catalog().resolve(*key, tag.empty() ? digest : tag);
  if (current && *current == digest) {
    return already_exists(registry, *key, digest, tag);
  }
  Result<void> put =
      registry.catalog().put_manifest(*key, *manifest, request.imageManifest, digest, tag, registry.now());
  if (!put) return put_error(*manifest, put.error());
  ecr::PutImageResponse response;
  ecr::Image& image = response.image.emplace();
  image.registryId = registry.config().account_id;
  image.repositoryName = key->name;
  image.imageId.emplace().imageDigest = digest;
  if (!tag.empty()) image.imageId->imageTag = tag;
  image.imageManifest = request.imageManifest;
  image.imageManifestMediaType = manifest->media_type;
  return response;
}

}  // namespace

void add_layer_operations(aws::Dispatcher& dispatcher, Registry& registry) {
  const auto bind = [&registry](auto operation) {
    return [&registry, operation](const aws::CallContext& context, const auto& request) {
      return operation(registry, context, request);
    };
  };
  serve<ecr::BatchCheckLayerAvailability>(dispatcher, bind(check_layers));
  serve<ecr::InitiateLayerUpload>(dispatcher, bind(initiate));
  serve<ecr::UploadLayerPart>(dispatcher, bind(upload_part));
  serve<ecr::CompleteLayerUpload>(dispatcher, bind(complete));
  serve<ecr::PutImage>(dispatcher, bind(put_image));
}

}  // namespace kaapi::registry
