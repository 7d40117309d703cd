// What docker push and docker login send. The first line is a Content-Type or a password, the rest a manifest.
// Properties: no crash; what an accepted manifest refers to are digests, and it is read the same way again under the
// type that it was found to have; nobody is let in without a token of ours.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "registry/manifest.h"
#include "registry/names.h"
#include "registry/token.h"

namespace {

using namespace kaapi;

void check_manifest(std::string_view content, std::string_view content_type) {
  const Result<registry::Manifest> manifest = registry::parse_manifest(content, content_type);
  if (!manifest) {
    if (manifest.error().code != "MANIFEST_INVALID" || manifest.error().status != 400) std::abort();
    return;
  }
  const auto is_digest = [](const std::string& text) { return registry::valid_digest(text); };
  if (!std::all_of(manifest->blobs.begin(), manifest->blobs.end(), is_digest)) std::abort();
  if (!std::all_of(manifest->children.begin(), manifest->children.end(), is_digest)) std::abort();
  if (manifest->is_index ? !manifest->blobs.empty() : manifest->blobs.empty()) std::abort();
  const Result<registry::Manifest> again = registry::parse_manifest(content, manifest->media_type);
  if (!again || again->blobs != manifest->blobs || again->children != manifest->children) std::abort();
}

// Names become parts of paths: whatever is accepted stays inside its folder.
void check_names(std::string_view text) {
  if (registry::valid_repository_name(text) &&
      (text.size() < 2 || text.size() > 256 || text.front() == '/' || text.find("..") != std::string_view::npos)) {
    std::abort();
  }
  if (registry::valid_tag(text) && (text.find('/') != std::string_view::npos || text.front() == '.')) std::abort();
  if (registry::valid_digest(text) && text.find_first_of("/.") != std::string_view::npos) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::string_view line = input.substr(0, input.find('\n'));
  const std::string_view rest = input.substr(std::min(input.size(), line.size() + 1));
  check_manifest(rest, line);
  check_names(line);
  static const registry::TokenIssuer issuer("a secret that the fuzzer cannot sign with");
  if (issuer.verify(line, Time{})) std::abort();
  return 0;
}
