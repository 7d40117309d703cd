#pragma once
// The image of pause/pause.c, the program that holds the network namespace of a task with several containers open. It
// travels inside this program, so that no registry is needed for it.

#include <string>

#include "containers/engine.h"

namespace kaapi::containers {

// "kaapi/pause:" and the start of the program's own digest: a changed program is another image.
const std::string& pause_image_reference();

// Makes sure that the engine has the image. Thread-safe. Errors: as Engine::import_image().
Result<void> ensure_pause_image(Engine& engine);

}  // namespace kaapi::containers
