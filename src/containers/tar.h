#pragma once
// Just enough of the tar format (POSIX ustar) to hand an engine the files of a small image. Pure functions.

#include <string>
#include <string_view>

namespace kaapi::containers {

enum class TarType : char { file = '0', symbolic_link = '2', directory = '5' };

// One entry, owned by root, mode 0755, made at time 0: the same content gives the same bytes. `name` and `link` are at
// most 100 bytes; `link` is what a symbolic link points to.
std::string tar_entry(std::string_view name, TarType type, std::string_view content, std::string_view link = {});
// What an archive ends with.
std::string tar_end();

}  // namespace kaapi::containers
