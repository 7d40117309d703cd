#pragma once
// Image names, taken apart. Pure. Rules: the grammar of github.com/distribution/reference, and the short forms that
// docker shows.

#include <optional>
#include <string>
#include <string_view>

namespace kaapi::daemon {

struct ImageName {
  std::string host;       // "localhost:4566"; empty: Docker Hub
  std::string path;       // "team/app"
  std::string reference;  // tag or digest; "latest" when none is given

  bool by_digest() const { return reference.starts_with("sha256:"); }
  // As docker writes it in an image's digests: "localhost:4566/team/app", "debian" for docker.io/library/debian.
  std::string repository() const;
};

ImageName parse_image_name(std::string_view text);

// The region of ACCOUNT.dkr.ecr.REGION.amazonaws.com; nullopt for any other host, or of another account.
std::optional<std::string> ecr_region(std::string_view host, std::string_view account_id);

}  // namespace kaapi::daemon
