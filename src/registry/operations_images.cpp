// The ECR operations on images.
#include <fmt/format.h>

#include <algorithm>

#include "registry/names.h"
#include "registry/operations_common.h"

namespace kaapi::registry {
namespace {

namespace ecr = aws::ecr;

// All manifests of one BatchGetImage answer: a hundred of the largest would be 400 MiB.
constexpr std::size_t max_batch_manifest_bytes = 32 * 1024 * 1024;

TagStatus tag_status(const std::optional<std::string>& wanted) {
  if (!wanted || *wanted == ecr::TagStatus::ANY) return TagStatus::any;
  return *wanted == ecr::TagStatus::TAGGED ? TagStatus::tagged : TagStatus::untagged;
}

// The position in a listing of images and tags: tags hold no spaces.
std::string position_of(const ImageName& name) {
  return name.digest + " " + name.tag;
}

ImageName parse_position(const std::string& position) {
  const std::size_t space = position.find(' ');
  if (space == std::string::npos) return {position, ""};
  return {position.substr(0, space), position.substr(space + 1)};
}

ecr::ImageIdentifier identifier(const std::string& digest, const std::string& tag) {
  ecr::ImageIdentifier id;
  if (!digest.empty()) id.imageDigest = digest;
  if (!tag.empty()) id.imageTag = tag;
  return id;
}

// Why an identifier can name no image, as a failure of a batch.
std::optional<ecr::ImageFailure> malformed(const ecr::ImageIdentifier& id) {
  ecr::ImageFailure failure;
  failure.imageId = id;
  if (!id.imageDigest && !id.imageTag) {
    failure.failureCode = ecr::ImageFailureCode::MissingDigestAndTag;
    failure.failureReason = "Invalid request parameters: both tag and digest cannot be null";
  } else if (id.imageDigest && !valid_digest(*id.imageDigest)) {
    failure.failureCode = ecr::ImageFailureCode::InvalidImageDigest;
    failure.failureReason =
        "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'";
  } else if (id.imageTag && !valid_tag(*id.imageTag)) {
    failure.failureCode = ecr::ImageFailureCode::InvalidImageTag;
    failure.failureReason =
        "Invalid request parameters: image tag should satisfy the regex '[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}'";
  } else {
    return std::nullopt;
  }
  return failure;
}

// What the catalog found wrong with one image of a batch; nullopt when the whole request has failed.
std::optional<ecr::ImageFailure> failure_of(const ecr::ImageIdentifier& id, const Error& error) {
  ecr::ImageFailure failure;
  failure.imageId = id;
  if (error.code == "MANIFEST_UNKNOWN") {
    failure.failureCode = ecr::ImageFailureCode::ImageNotFound;
    failure.failureReason = "Requested image not found";
  } else if (error.code == ecr::ImageFailureCode::ImageReferencedByManifestList ||
             error.code == ecr::ImageFailureCode::ImageTagDoesNotMatchDigest) {
    failure.failureCode = error.code;
    failure.failureReason = error.message;
  } else {
    return std::nullopt;
  }
  return failure;
}

// The digest of an image named by tag, digest or both.
Result<std::string> find_image(Registry& registry, const RepositoryKey& key, const ecr::ImageIdentifier& id) {
  Result<std::string> digest = registry.catalog().resolve(key, id.imageTag ? *id.imageTag : *id.imageDigest);
  if (digest && id.imageDigest && *digest != *id.imageDigest) {
    return make_error(ecr::ImageFailureCode::ImageTagDoesNotMatchDigest,
                      fmt::format("Requested image tag '{}' does not match digest {}", *id.imageTag, *id.imageDigest));
  }
  return digest;
}

ecr::ImageDetail detail_of(const Registry& registry, const RepositoryKey& key, const Image& image) {
  ecr::ImageDetail detail;
  detail.registryId = registry.config().account_id;
  detail.repositoryName = key.name;
  detail.imageDigest = image.digest;
  if (!image.tags.empty()) detail.imageTags = image.tags;
  detail.imageSizeInBytes = image.size_bytes;
  detail.imagePushedAt = image.pushed_at;
  detail.imageManifestMediaType = image.media_type;
  if (!image.artifact_media_type.empty()) detail.artifactMediaType = image.artifact_media_type;
  return detail;
}

Error image_not_found(const Registry& registry, const RepositoryKey& key, const ecr::ImageIdentifier& id) {
  return make_error(
      ecr::error::ImageNotFoundException,
      fmt::format("The image with imageId {{imageDigest:'{}', imageTag:'{}'}} does not exist within the repository "
                  "with name '{}' in the registry with id '{}'",
                  id.imageDigest.value_or("null"), id.imageTag.value_or("null"), key.name,
                  registry.config().account_id));
}

Result<ecr::DescribeImagesResponse> describe_named(Registry& registry, const RepositoryKey& key,
                                                   const ecr::DescribeImagesRequest& request) {
  if (request.nextToken) return invalid_parameter("nextToken", "must not be used when imageIds are specified");
  if (request.maxResults) return invalid_parameter("maxResults", "must not be used when imageIds are specified");
  ecr::DescribeImagesResponse response;
  response.imageDetails.emplace();
  for (const ecr::ImageIdentifier& id : *request.imageIds) {
    if (const std::optional<ecr::ImageFailure> failure = malformed(id)) {
      return make_error(ecr::error::InvalidParameterException, *failure->failureReason);
    }
    const Result<std::string> digest = find_image(registry, key, id);
    if (!digest && failure_of(id, digest.error())) return image_not_found(registry, key, id);
    if (!digest) return digest.error();
    const auto same = [&](const ecr::ImageDetail& detail) { return detail.imageDigest == *digest; };
    if (std::any_of(response.imageDetails->begin(), response.imageDetails->end(), same)) continue;
    const Result<Image> image = registry.catalog().image(key, *digest);
    if (!image && failure_of(id, image.error())) return image_not_found(registry, key, id);
    if (!image) return image.error();
    response.imageDetails->push_back(detail_of(registry, key, *image));
  }
  return response;
}

Result<ecr::DescribeImagesResponse> describe_images(Registry& registry, const aws::CallContext& context,
                                                    const ecr::DescribeImagesRequest& request) {
  const Result<RepositoryKey> key = key_of(registry, context, request.repositoryName, request.registryId);
  if (!key) return key.error();
  if (request.imageIds) return describe_named(registry, *key, request);
  const std::optional<std::string> filter = request.filter ? request.filter->tagStatus : std::nullopt;
  const TagStatus status = tag_status(filter);
  const Result<Paging> paging =
      paging_of(fmt::format("DescribeImages/{}/{}/{}", key->region, key->name, filter.value_or("")), request.nextToken,
                request.maxResults);
  if (!paging) return paging.error();
  const Result<std::vector<Image>> found = registry.catalog().images(*key, status, paging->after, paging->limit + 1);
  if (!found) return found.error();
  const auto limit = static_cast<std::size_t>(paging->limit);
  ecr::DescribeImagesResponse response;
  response.imageDetails.emplace();
  for (std::size_t i = 0; i < std::min(limit, found->size()); ++i) {
    response.imageDetails->push_back(detail_of(registry, *key, (*found)[i]));
  }
  const bool more = found->size() > limit;
  response.nextToken = next_token(*paging, more, more ? (*found)[limit - 1].digest : "");
  return response;
}

Result<ecr::ListImagesResponse> list_images(Registry& registry, const aws::CallContext& context,
                                            const ecr::ListImagesRequest& request) {
  const Result<RepositoryKey> key = key_of(registry, context, request.repositoryName, request.registryId);
  if (!key) return key.error();
  const std::optional<std::string> filter = request.filter ? request.filter->tagStatus : std::nullopt;
  const TagStatus status = tag_status(filter);
  const Result<Paging> paging =
      paging_of(fmt::format("ListImages/{}/{}/{}", key->region, key->name, filter.value_or("")), request.nextToken,
                request.maxResults);
  if (!paging) return paging.error();
  const Result<std::vector<ImageName>> found =
      registry.catalog().image_names(*key, status, parse_position(paging->after), paging->limit + 1);
  if (!found) return found.error();
  const auto limit = static_cast<std::size_t>(paging->limit);
  ecr::ListImagesResponse response;
  response.imageIds.emplace();
  for (std::size_t i = 0; i < std::min(limit, found->size()); ++i) {
    response.imageIds->push_back(identifier((*found)[i].digest, (*found)[i].tag));
  }
  const bool more = found->size() > limit;
  response.nextToken = next_token(*paging, more, more ? position_of((*found)[limit - 1]) : "");
  return response;
}

Result<ecr::Image> get_image(Registry& registry, const RepositoryKey& key, const ecr::ImageIdentifier& id,
                             const std::optional<std::vector<std::string>>& accepted) {
  const Result<std::string> digest = find_image(registry, key, id);
  if (!digest) return digest.error();
  Result<StoredManifest> manifest = registry.catalog().manifest(key, *digest);
  if (!manifest) return manifest.error();
  if (accepted && std::find(accepted->begin(), accepted->end(), manifest->media_type) == accepted->end()) {
    return make_error("MANIFEST_UNKNOWN", "Requested image not found");
  }
  ecr::Image image;
  image.registryId = registry.config().account_id;
  image.repositoryName = key.name;
  image.imageId = identifier(*digest, id.imageTag.value_or(""));
  image.imageManifest = std::move(manifest->content);
  image.imageManifestMediaType = std::move(manifest->media_type);
  return image;
}

Result<ecr::BatchGetImageResponse> batch_get_image(Registry& registry, const aws::CallContext& context,
                                                   const ecr::BatchGetImageRequest& request) {
  const Result<RepositoryKey> key = key_of(registry, context, request.repositoryName, request.registryId);
  if (!key) return key.error();
  // An unknown repository fails the request also when every identifier is malformed.
  if (const Result<Repository> found = registry.catalog().repository(*key); !found) return found.error();
  ecr::BatchGetImageResponse response;
  response.images.emplace();
  response.failures.emplace();
  std::size_t bytes = 0;
  for (const ecr::ImageIdentifier& id : request.imageIds) {
    std::optional<ecr::ImageFailure> failure = malformed(id);
    if (!failure) {
      Result<ecr::Image> image = get_image(registry, *key, id, request.acceptedMediaTypes);
      if (image) {
        bytes += image->imageManifest->size();
        response.images->push_back(std::move(*image));
      } else {
        failure = failure_of(id, image.error());
        if (!failure) return image.error();
      }
    }
    if (failure) response.failures->push_back(std::move(*failure));
    if (bytes > max_batch_manifest_bytes) {
      return invalid_parameter(
          "imageIds",
          fmt::format("must name images whose manifests have at most {} bytes together", max_batch_manifest_bytes));
    }
  }
  return response;
}

// What one identifier of BatchDeleteImage removed: an entry per tag, or the bare digest.
Result<std::vector<ecr::ImageIdentifier>> delete_image(Registry& registry, const RepositoryKey& key,
                                                       const ecr::ImageIdentifier& id) {
  std::vector<ecr::ImageIdentifier> removed;
  if (id.imageTag) {
    const Result<std::string> digest =
        registry.catalog().delete_tagged_image(key, *id.imageTag, id.imageDigest.value_or(""));
    if (!digest) return digest.error();
    removed.push_back(identifier(*digest, *id.imageTag));
    return removed;
  }
  const Result<Image> image = registry.catalog().image(key, *id.imageDigest);
  if (!image) return image.error();
  if (Result<void> deleted = registry.catalog().delete_manifest(key, *id.imageDigest); !deleted) return deleted.error();
  for (const std::string& tag : image->tags) removed.push_back(identifier(image->digest, tag));
  if (removed.empty()) removed.push_back(identifier(image->digest, ""));
  return removed;
}

Result<ecr::BatchDeleteImageResponse> batch_delete_image(Registry& registry, const aws::CallContext& context,
                                                         const ecr::BatchDeleteImageRequest& request) {
  const Result<RepositoryKey> key = key_of(registry, context, request.repositoryName, request.registryId);
  if (!key) return key.error();
  if (const Result<Repository> found = registry.catalog().repository(*key); !found) return found.error();
  ecr::BatchDeleteImageResponse response;
  response.imageIds.emplace();
  response.failures.emplace();
  for (const ecr::ImageIdentifier& id : request.imageIds) {
    std::optional<ecr::ImageFailure> failure = malformed(id);
    if (!failure) {
      const Result<std::vector<ecr::ImageIdentifier>> removed = delete_image(registry, *key, id);
      if (removed) {
        response.imageIds->insert(response.imageIds->end(), removed->begin(), removed->end());
      } else {
        failure = failure_of(id, removed.error());
        if (!failure) return removed.error();
      }
    }
    if (failure) response.failures->push_back(std::move(*failure));
  }
  return response;
}

}  // namespace

void add_image_operations(aws::Dispatcher& dispatcher, Registry& registry) {
  const auto bind = [&registry](auto operation) {
    return [&registry, operation](const aws::CallContext& context, const auto& request) {
      return operation(registry, context, request);
    };
  };
  serve<ecr::DescribeImages>(dispatcher, bind(describe_images));
  serve<ecr::ListImages>(dispatcher, bind(list_images));
  serve<ecr::BatchGetImage>(dispatcher, bind(batch_get_image));
  serve<ecr::BatchDeleteImage>(dispatcher, bind(batch_delete_image));
}

}  // namespace kaapi::registry
