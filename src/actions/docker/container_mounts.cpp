// What a job's container sees of files: binds, volumes, file systems in memory.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <tuple>

#include "actions/docker/container_check.h"
#include "actions/docker/query.h"
#include "base/text.h"

namespace kaapi::actions::docker {
namespace {

// Of a bind: how it is mounted. Not shared or slave: what is mounted on one side would appear on the other.
const Names bind_options = {"ro", "rw", "z", "Z", "cached", "consistent", "delegated", "nocopy", "private", "rprivate"};
// Of a file system in memory. Its size is looked at by itself.
const Names tmpfs_options = {"ro", "rw", "exec", "noexec", "suid", "nosuid", "dev", "nodev", "noatime", "relatime"};
// Where a job names no size; the kernel's own would be half of the machine's memory.
constexpr std::int64_t default_tmpfs_bytes = 1024LL * 1024 * 1024;

Result<bool> is_read_only(const std::string& bind, const std::string& options) {
  bool read_only = false;
  for (const std::string& option : options.empty() ? std::vector<std::string>() : split(options, ',')) {
    if (!bind_options.contains(option)) {
      return refused(fmt::format("HostConfig.Binds {}: jobs may not use the option {}", bind, option));
    }
    read_only = read_only || option == "ro";
  }
  return read_only;
}

// "64m" in bytes; -1: it is none, or beyond all bounds.
std::int64_t bytes_of(std::string_view size) {
  constexpr std::string_view units = "kmg";
  std::int64_t unit = 1;
  if (!size.empty()) {
    const std::size_t at = units.find(lower(size).back());
    if (at != std::string_view::npos) {
      unit = std::int64_t{1} << (10 * (at + 1));
      size.remove_suffix(1);
    }
  }
  const auto number = parse_number(size);
  return number && *number > 0 && *number <= max_memory_size / unit ? *number * unit : -1;
}

Result<std::string> tmpfs_with_size(std::string_view options) {
  bool sized = false;
  for (const std::string& option : options.empty() ? std::vector<std::string>() : split(options, ',')) {
    const std::string name = option.substr(0, option.find('='));
    if (name == "size") {
      sized = true;
      if (const Result<void> good = check_memory_size("HostConfig.Tmpfs size", bytes_of(option.substr(5))); !good) {
        return good.error();
      }
    } else if (!tmpfs_options.contains(option) && name != "mode" && name != "uid" && name != "gid") {
      return refused(fmt::format("HostConfig.Tmpfs: jobs may not use the option {}", option));
    }
  }
  if (sized) return std::string(options);
  return fmt::format("{}{}size={}", options, options.empty() ? "" : ",", default_tmpfs_bytes);
}

Result<void> check_options(json::object& mount) {
  const std::string where = "HostConfig.Mounts";
  for (const char* name : {"BindOptions", "VolumeOptions", "TmpfsOptions"}) {
    if (member_object(mount, name) == nullptr) return wrong_type(where, "made of objects");
  }
  // Now that all are there, none moves any more.
  json::object& bind = mount.at("BindOptions").get_object();
  json::object& volume = mount.at("VolumeOptions").get_object();
  json::object& tmpfs = mount.at("TmpfsOptions").get_object();
  const std::string propagation = text_of(bind, "Propagation");
  if (propagation == "private" || propagation == "rprivate") bind.erase("Propagation");
  for (const auto& [options, names, what] : {std::tuple{&bind, Names{"NonRecursive"}, "BindOptions"},
                                             {&volume, {"NoCopy", "Labels", "Subpath"}, "VolumeOptions"},
                                             {&tmpfs, {"SizeBytes", "Mode"}, "TmpfsOptions"}}) {
    if (const Result<void> good = keep_members(*options, names, where + "." + what); !good) return good;
  }
  return ok();
}

Result<void> check_tmpfs_mount(json::object& mount) {
  json::value& bytes = mount["TmpfsOptions"].as_object()["SizeBytes"];
  if (is_empty(bytes)) bytes = default_tmpfs_bytes;
  return check_memory_size("HostConfig.Mounts.TmpfsOptions.SizeBytes", bytes.is_int64() ? bytes.get_int64() : -1);
}

// The bind's source, and whether a missing one is made.
Result<void> check_bind_mount(HostConfig& host, json::object& mount, std::size_t at, bool make_missing) {
  const std::string source = text_of(mount, "Source");
  if (!source.starts_with('/')) return make_error(errc::invalid, "HostConfig.Mounts: Source must be absolute");
  const json::value* read_only = mount.if_contains("ReadOnly");
  host.wish.binds.push_back({source, read_only != nullptr && !is_empty(*read_only), make_missing});
  host.wish.bind_places.push_back({"Mounts", at, {}});
  return ok();
}

Result<void> check_mount(HostConfig& host, json::object& mount, std::size_t at) {
  const std::string where = "HostConfig.Mounts";
  const Names known = {"Type",        "Source",        "Target",       "ReadOnly",
                       "BindOptions", "VolumeOptions", "TmpfsOptions", "Consistency"};
  if (const Result<void> good = keep_members(mount, known, where); !good) return good;
  bool make_missing = false;
  if (json::object* bind = member_object(mount, "BindOptions"); bind != nullptr) {
    make_missing = bind->contains("CreateMountpoint") && !is_empty(bind->at("CreateMountpoint"));
    bind->erase("CreateMountpoint");
  }
  if (const Result<void> good = check_options(mount); !good) return good;
  const std::string type = text_of(mount, "Type");
  Result<void> good = ok();
  if (type == "tmpfs") {
    good = check_tmpfs_mount(mount);
  } else if (type == "volume") {
    // One without a name has no other mark by which it is found.
    good = own(mount["VolumeOptions"].as_object(), host.owner);
    if (const std::string name = text_of(mount, "Source"); !name.empty()) host.wish.volumes.push_back(name);
  } else if (type == "bind") {
    good = check_bind_mount(host, mount, at, make_missing);
  } else {
    good = refused(fmt::format("{}: jobs may not mount the type {}", where, type));
  }
  for (const char* options : {"BindOptions", "VolumeOptions", "TmpfsOptions"}) {
    if (mount.at(options).as_object().empty()) mount.erase(options);
  }
  return good;
}

}  // namespace

Result<void> check_binds(HostConfig& host) {
  const Result<std::vector<std::string>> binds = texts_in(host.given, "Binds");
  if (!binds) return binds.error();
  if (binds->size() > max_listed) return too_many("HostConfig.Binds");
  for (std::size_t at = 0; at < binds->size(); ++at) {
    const std::string& bind = (*binds)[at];
    const std::vector<std::string> parts = split(bind, ':');
    if (parts.size() < 2 || parts.size() > 3) {
      return refused(fmt::format("HostConfig.Binds {}: must be SOURCE:TARGET or SOURCE:TARGET:OPTIONS", bind));
    }
    const Result<bool> read_only = is_read_only(bind, parts.size() == 3 ? parts[2] : "");
    if (!read_only) return read_only.error();
    if (!parts[0].starts_with('/')) {
      host.wish.volumes.push_back(parts[0]);
      continue;
    }
    host.wish.binds.push_back({parts[0], *read_only, true});
    host.wish.bind_places.push_back({"Binds", at, bind.substr(parts[0].size())});
  }
  host.accept("Binds");
  return ok();
}

Result<void> check_mounts(HostConfig& host) {
  json::value* list = host.given.if_contains("Mounts");
  if (list == nullptr || list->is_null()) return ok();
  if (!list->is_array()) return wrong_type("HostConfig.Mounts", "a list");
  if (list->get_array().size() > max_listed) return too_many("HostConfig.Mounts");
  std::size_t at = 0;
  for (json::value& item : list->get_array()) {
    if (!item.is_object()) return wrong_type("HostConfig.Mounts", "a list of objects");
    if (const Result<void> good = check_mount(host, item.get_object(), at++); !good) return good;
  }
  host.accept("Mounts");
  return ok();
}

Result<void> check_volumes_from(HostConfig& host) {
  const Result<std::vector<std::string>> from = texts_in(host.given, "VolumesFrom");
  if (!from) return from.error();
  if (from->size() > max_listed) return too_many("HostConfig.VolumesFrom");
  for (std::size_t at = 0; at < from->size(); ++at) {
    const std::string& one = (*from)[at];
    const std::size_t colon = std::min(one.find(':'), one.size());
    host.wish.containers.push_back(one.substr(0, colon));
    host.wish.container_places.push_back({"VolumesFrom", at, one.substr(colon)});
  }
  host.accept("VolumesFrom");
  return ok();
}

Result<void> check_memory_files(HostConfig& host) {
  if (const json::value* size = host.given.if_contains("ShmSize"); size != nullptr && !is_empty(*size)) {
    const std::int64_t bytes = size->is_int64() ? size->get_int64() : -1;
    if (const Result<void> good = check_memory_size("HostConfig.ShmSize", bytes); !good) return good;
    host.accept("ShmSize");
  }
  json::object* tmpfs = member_object(host.given, "Tmpfs");
  if (tmpfs == nullptr) return wrong_type("HostConfig.Tmpfs", "an object");
  if (tmpfs->size() > max_listed) return too_many("HostConfig.Tmpfs");
  for (auto& [path, options] : *tmpfs) {
    if (!options.is_string()) return wrong_type("HostConfig.Tmpfs", "made of texts");
    Result<std::string> sized = tmpfs_with_size(std::string_view(options.get_string()));
    if (!sized) return sized.error();
    options = std::move(*sized);
  }
  host.accept("Tmpfs");
  return ok();
}

}  // namespace kaapi::actions::docker
