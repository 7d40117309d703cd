#include "containers/pause_image.h"

#include <mutex>
#include <string_view>

#include "base/text.h"
#include "containers/tar.h"

// From pause/program.S.
extern "C" const char kaapi_pause_program_begin[];
extern "C" const char kaapi_pause_program_end[];

namespace kaapi::containers {
namespace {

constexpr std::size_t tag_digits = 12;

std::string_view program() {
  return {kaapi_pause_program_begin, static_cast<std::size_t>(kaapi_pause_program_end - kaapi_pause_program_begin)};
}

}  // namespace

const std::string& pause_image_reference() {
  static const std::string reference = "kaapi/pause:" + to_hex(sha256(program())).substr(0, tag_digits);
  return reference;
}

Result<void> ensure_pause_image(Engine& engine) {
  // One at a time: every import makes an image anew, and the loser's would stay behind without a name.
  static std::mutex importing;
  const std::lock_guard lock(importing);
  const Result<Image> present = engine.inspect_image(pause_image_reference());
  if (present) {
    return ok();
  }
  if (present.error().code != errc::not_found) {
    return present.error();
  }
  const Result<Image> imported = engine.import_image(
      pause_image_reference(), tar_entry("pause", TarType::file, program()) + tar_end(), {"/pause"});
  return imported ? ok() : Result<void>(imported.error());
}

}  // namespace kaapi::containers
