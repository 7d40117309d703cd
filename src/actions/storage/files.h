#pragma once
// Bodies as files: DIRECTORY/incoming/ID while they are received, DIRECTORY/files/ID once they are complete and on
// disk.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/ids.h"
#include "http/message.h"

namespace kaapi::actions::storage {

// A body that is complete and on disk.
struct Stored {
  std::string file;  // its id
  std::uint64_t size = 0;
  std::string digest;  // "sha256:..."
};

// Thread-safe; the file system is its only state.
class Files {
 public:
  // Makes the folders, and removes what a crash left in incoming/. Errors: `Unavailable`.
  static Result<Files> open(const std::string& directory, IdSource& ids);

  // Streams the body into a file of its own. Nothing is left behind on failure. Errors: `TooLarge` past `max_bytes`
  // (`what` says of what: "an artifact"), `Unavailable` (the disk), those of the reader.
  Result<Stored> receive(http::BodyReader& body, std::uint64_t max_bytes, std::string_view what) const;
  // For sending. Errors: `NotFound`, `Unavailable`.
  Result<http::FileBody> read(std::string_view file) const;
  // Harmless when it is not there. Who is reading it reads on.
  void remove(std::string_view file) const;
  // Calls `visit(id)` for each file.
  void for_each(const std::function<void(const std::string& file)>& visit) const;
  bool has(std::string_view file) const;

 private:
  Files(std::string directory, IdSource& ids) : directory_(std::move(directory)), ids_(&ids) {}
  std::string incoming(std::string_view file) const;
  std::string complete(std::string_view file) const;

  std::string directory_;
  IdSource* ids_;
};

}  // namespace kaapi::actions::storage
