#include "actions/runner/place.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>

#include "actions/protocol/fields.h"
#include "base/file_descriptor.h"
#include "base/text.h"

namespace kaapi::actions::runner {
namespace {

// Adds --endpoint-url for an aws client that does not read AWS_ENDPOINT_URL (it does from 2.13 and 1.29 on). What it
// found out is kept, so that this costs once per job, or never where the runner knows it; `sh` starts in a millisecond.
constexpr std::string_view aws_wrapper = R"sh(#!/bin/sh
here=${0%/*}
kept="$here/.aws"
real= old_ifs=$IFS
IFS=:
for folder in $PATH; do
  if [ "$folder" != "$here" ] && [ -x "$folder/aws" ]; then real=$folder/aws; break; fi
done
IFS=$old_ifs
if [ -z "$real" ]; then
  echo "aws: not found; install the AWS command line client on the machine of this runner" >&2
  exit 127
fi
new= known=
if [ -r "$kept" ]; then { read -r new; read -r known; } < "$kept"; fi
if [ "$known" != "$real" ]; then
  version=$("$real" --version 2>&1)
  version=${version#*/}
  version=${version%% *}
  major=${version%%.*} minor=${version#*.} minor=${minor%%.*}
  new=no
  case "$major$minor" in
    *[!0-9]*|"") ;;
    *) if [ "$major" -gt 2 ] || { [ "$major" -eq 2 ] && [ "$minor" -ge 13 ]; } ||
          { [ "$major" -eq 1 ] && [ "$minor" -ge 29 ]; }; then new=yes; fi ;;
  esac
  if printf '%s\n%s\n' "$new" "$real" > "$kept.$$" 2>/dev/null; then mv -f "$kept.$$" "$kept"; fi
fi
if [ "$new" = yes ] || [ -z "$AWS_ENDPOINT_URL" ]; then exec "$real" "$@"; fi
for argument in "$@"; do
  case $argument in --endpoint-url|--endpoint-url=*) exec "$real" "$@" ;; esac
done
exec "$real" --endpoint-url "$AWS_ENDPOINT_URL" "$@"
)sh";

Result<void> make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) return file_error("make the folder", path);
  return ok();
}

Result<void> write_plain(const std::string& path, std::string_view content, unsigned mode) {
  const FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
  if (!file || ::write(file.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size())) {
    return file_error("write", path);
  }
  return ok();
}

}  // namespace

json::value to_json(const JobPlace& place) {
  return json::object{{"server_url", place.server_url},
                      {"folder", place.folder},
                      {"action_folder", place.action_folder},
                      {"runner_name", place.runner_name},
                      {"label_images", json::value_from(place.label_images)},
                      {"originals", json::value_from(place.originals)},
                      {"docker_buildkit", place.docker_buildkit},
                      {"aws_client", place.aws_client},
                      {"lost_after_ms", place.lost_after_ms}};
}

Result<JobPlace> job_place_from(const json::value& value) {
  JobPlace place;
  Fields fields(value, "place");
  fields.read("server_url", place.server_url);
  fields.read("folder", place.folder);
  fields.read("action_folder", place.action_folder);
  fields.read("runner_name", place.runner_name);
  json::object images;
  fields.read("label_images", images);
  fields.read("originals", place.originals);
  fields.read("docker_buildkit", place.docker_buildkit);
  fields.read("aws_client", place.aws_client);
  fields.read("lost_after_ms", place.lost_after_ms);
  if (const Result<void> done = fields.done(); !done) return done.error();
  for (const auto& [label, image] : images) {
    if (image.is_string()) place.label_images[std::string(label)] = std::string(std::string_view(image.as_string()));
  }
  return place;
}

Result<JobPaths> make_paths(const JobPlace& place, const JobMessage& message) {
  const std::string repo = message.repository.substr(message.repository.find('/') + 1);
  if (repo.empty() || repo == "." || repo == ".." || repo.find('/') != std::string::npos) {
    return make_error(errc::invalid, fmt::format("'{}' is no repository's name", message.repository));
  }
  JobPaths paths;
  paths.work = place.folder + "/work";
  const std::string above = fmt::format("{}/{}", paths.work, repo);
  paths.workspace = fmt::format("{}/{}", above, repo);
  paths.temp = paths.work + "/_temp";
  paths.tools = paths.work + "/_tool";
  paths.home = paths.temp + "/_github_home";
  paths.workflow = paths.temp + "/_github_workflow";
  paths.commands = paths.temp + "/_runner_file_commands";
  paths.docker_config = paths.temp + "/_docker";
  paths.bin = paths.work + "/_bin";
  paths.spool = place.folder + "/log";
  const std::string* const folders[] = {&paths.work,          &above,      &paths.workspace, &paths.temp,
                                        &paths.tools,         &paths.home, &paths.workflow,  &paths.commands,
                                        &paths.docker_config, &paths.bin};
  for (const std::string* folder : folders) {
    if (const Result<void> made = make_folder(*folder); !made) return made.error();
  }
  if (const Result<void> done = write_plain(paths.bin + "/aws", aws_wrapper, 0755); !done) return done.error();
  if (!place.aws_client.empty()) {
    if (const Result<void> kept = write_plain(paths.bin + "/.aws", place.aws_client, 0644); !kept) return kept.error();
  }
  const Result<void> event = write_plain(paths.workflow + "/event.json", json::serialize(message.event), 0644);
  if (!event) return event.error();
  return paths;
}

}  // namespace kaapi::actions::runner
