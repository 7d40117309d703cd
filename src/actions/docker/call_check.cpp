#include "actions/docker/call_check.h"

#include <fmt/format.h>

#include <filesystem>

#include "actions/docker/unix_socket.h"

namespace kaapi::actions::docker {

CallCheck::Step CallCheck::step_for(Rule rule) {
  switch (rule) {
    case Rule::pass:
      return &CallCheck::pass;
    case Rule::list:
      return &CallCheck::list;
    case Rule::container:
      return &CallCheck::container;
    case Rule::remove_container:
      return &CallCheck::remove_container;
    case Rule::make_container:
      return &CallCheck::make_container;
    case Rule::make_exec:
      return &CallCheck::make_exec;
    case Rule::exec:
      return &CallCheck::exec;
    case Rule::network:
      return &CallCheck::network;
    case Rule::network_members:
      return &CallCheck::network_members;
    case Rule::make_network:
      return &CallCheck::make_network;
    case Rule::volume:
      return &CallCheck::volume;
    case Rule::make_volume:
      return &CallCheck::make_volume;
    case Rule::commit:
      return &CallCheck::commit;
    case Rule::build:
      return &CallCheck::build;
    case Rule::name_image:
      return &CallCheck::name_image;
    case Rule::remove_image:
      return &CallCheck::remove_image;
    case Rule::prune_images:
      return &CallCheck::prune_images;
    case Rule::prune_builds:
      return &CallCheck::prune_builds;
  }
  return nullptr;
}

Result<PassedCall> CallCheck::check(Ruling ruling, Query query) {
  ruling_ = std::move(ruling);
  query_ = std::move(query);
  if (const Result<void> known = keep_known(query_, ruling_.query); !known) return known.error();
  const Step step = step_for(ruling_.rule);
  if (step == nullptr) return refused("nobody has said what may become of this call");
  if (const Result<void> good = (this->*step)(); !good) return good.error();
  passed_.takes_body = ruling_.takes_body;
  passed_.upgrades = ruling_.upgrades;
  passed_.target = target_of(ruling_, query_);
  return std::move(passed_);
}

Result<void> CallCheck::refer_to(const Result<std::string>& id) {
  if (!id) return id.error();
  ruling_.reference = *id;
  return ok();
}

Result<void> CallCheck::take_body(Result<std::string> checked) {
  if (!checked) return checked.error();
  passed_.body = std::move(*checked);
  return ok();
}

Result<void> CallCheck::go_on() const {
  return is_readable(stop_) ? Result<void>(make_error(errc::cancelled, "the job is over", 503)) : ok();
}

Result<void> CallCheck::list() {
  const Owner& owner = shared_.config.owner;
  Result<std::string> filters = with_label_filter(value_of(query_, "filters"), owner.label, owner.value);
  if (!filters) return filters.error();
  set_value(query_, "filters", std::move(*filters));
  return ok();
}

Result<void> CallCheck::container() {
  if (const Result<void> free = check_name(value_of(query_, "name")); !free) return free;
  return refer_to(shared_.owned.container(ruling_.reference));
}

Result<void> CallCheck::remove_container() {
  // Its nameless volumes have no label by which they could be found later.
  set_value(query_, "v", "1");
  return container();
}

Result<void> CallCheck::make_exec() {
  if (const Result<void> own = container(); !own) return own;
  const Result<std::string> body = read_body_();
  return take_body(body ? check_exec(*body) : body);
}

Result<void> CallCheck::exec() {
  const Result<std::string> in = shared_.owned.exec(ruling_.reference);
  return in ? ok() : Result<void>(in.error());
}

Result<void> CallCheck::network() {
  return refer_to(shared_.owned.network(ruling_.reference));
}

// Both in one: the network is the job's, and so must the container be.
Result<void> CallCheck::network_members() {
  if (const Result<void> own = network(); !own) return own;
  const Result<std::string> body = read_body_();
  if (!body) return body.error();
  Result<MemberWish> wish = check_member(*body);
  if (!wish) return wish.error();
  const Result<std::string> id = shared_.owned.container(wish->container);
  if (!id) return id.error();
  wish->body["Container"] = *id;
  return take_body(json::serialize(wish->body));
}

Result<void> CallCheck::make_network() {
  const Result<std::string> body = read_body_();
  if (!body) return body.error();
  Result<std::string> checked = check_network(*body, shared_.config.owner, shared_.config.own_names);
  if (!checked) return checked.error();
  passed_.held = std::unique_lock(shared_.making_network);
  if (const Result<void> room = shared_.owned.room_for_network(); !room) return room;
  shared_.made_any = true;
  return take_body(std::move(checked));
}

Result<void> CallCheck::volume() {
  return refer_to(shared_.owned.volume(ruling_.reference));
}

Result<void> CallCheck::make_volume() {
  const Result<std::string> body = read_body_();
  if (!body) return body.error();
  shared_.made_any = true;
  return take_body(check_volume(*body, shared_.config.owner));
}

Result<void> CallCheck::give_names(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (const Result<void> good = check_image_name(name); !good) return good;
  }
  passed_.giving = shared_.images.begin(names);
  return ok();
}

Result<void> CallCheck::name_image() {
  const bool pull = !value_of(query_, "fromImage").empty();
  const std::string_view name = value_of(query_, pull ? "fromImage" : "repo");
  const std::string_view tag = value_of(query_, "tag");
  const std::string_view from = value_of(query_, "fromSrc");
  if (!from.empty() && from != "-") {
    return refused("an import from a URL would be fetched by the engine: fetch it in the job, and import the file");
  }
  if (name.empty()) return ok();
  return give_names({tag.empty() ? std::string(name) : fmt::format("{}:{}", name, tag)});
}

Result<void> CallCheck::commit() {
  const Result<std::string> id = shared_.owned.container(value_of(query_, "container"));
  if (!id) return id.error();
  set_value(query_, "container", *id);
  return name_image();
}

Result<void> CallCheck::build() {
  if (const Result<void> good = check_build(query_, shared_.config.owner); !good) return good;
  shared_.made_any = shared_.made_any || !value_of(query_, "labels").empty();
  std::vector<std::string> names;
  for (const auto& [name, value] : query_) {
    if (name == "t" && !value.empty() && names.size() < max_listed) names.push_back(value);
  }
  return give_names(names);
}

Result<void> CallCheck::remove_image() {
  if (!is_true(value_of(query_, "force")) && shared_.images.is_own(ruling_.reference)) return ok();
  return refused(
      fmt::format("images are everybody's on this machine: a job may remove the names that it has given, "
                  "without force, not {}",
                  ruling_.reference));
}

Result<void> CallCheck::prune_images() {
  passed_.answer = R"({"ImagesDeleted":null,"SpaceReclaimed":0})";
  return ok();
}

Result<void> CallCheck::prune_builds() {
  passed_.answer = R"({"CachesDeleted":null,"SpaceReclaimed":0})";
  return ok();
}

Result<void> CallCheck::make_container() {
  if (const Result<void> free = check_name(value_of(query_, "name")); !free) return free;
  const Result<std::string> body = read_body_();
  if (!body) return body.error();
  Result<ContainerWish> wish = check_container(*body, shared_.config.owner);
  if (!wish) return wish.error();
  shared_.made_any = true;
  if (const Result<void> filled = fill(*wish); !filled) {
    Error error = filled.error();
    // Docker's client would take it for the image that is missing, and pull it.
    if (error.status == 404) error.status = 400;
    return error;
  }
  return take_body(json::serialize(wish->body));
}

Result<void> CallCheck::fill(ContainerWish& wish) {
  if (const Result<void> done = fill_names(wish); !done) return done;
  if (const Result<void> done = fill_binds(wish); !done) return done;
  if (!wish.publishes_all) return ok();
  if (const json::value* own = wish.body.if_contains("ExposedPorts"); own != nullptr && own->is_object()) {
    for (const auto& [port, nothing] : own->get_object()) wish.publish(port);
  }
  const json::value* image = wish.body.if_contains("Image");
  if (image == nullptr || !image->is_string()) return ok();
  for (const std::string& port : shared_.images.exposed_ports(image->get_string())) wish.publish(port);
  return ok();
}

Result<void> CallCheck::fill_names(ContainerWish& wish) {
  for (const std::string& name : wish.networks) {
    if (const Result<void> on = go_on(); !on) return on;
    if (const Result<std::string> id = shared_.owned.network(name); !id) return id.error();
  }
  for (std::size_t number = 0; number < wish.containers.size(); ++number) {
    if (const Result<void> on = go_on(); !on) return on;
    const Result<std::string> id = shared_.owned.container(wish.containers[number]);
    if (!id) return id.error();
    wish.set_container(number, *id);
  }
  for (const std::string& name : wish.volumes) {
    if (const Result<void> on = go_on(); !on) return on;
    if (const Result<void> made = shared_.owned.ensure_volume(name); !made) return made;
  }
  return ok();
}

Result<void> CallCheck::fill_binds(ContainerWish& wish) {
  for (std::size_t number = 0; number < wish.binds.size(); ++number) {
    if (const Result<void> on = go_on(); !on) return on;
    const Result<std::string> path = bind_path(wish.binds[number]);
    if (!path) return path.error();
    wish.set_bind(number, *path);
  }
  return ok();
}

// The job's own folder and what lies in it are where they seem to be.
std::string CallCheck::real_path(const std::string& seen) const {
  const std::string plain = std::filesystem::path(seen).lexically_normal().string();
  if (plain.starts_with(shared_.config.job_folder + "/")) return plain;
  for (const auto& [from, to] : shared_.config.moved) {
    if (plain == from || plain.starts_with(from + "/")) return to + plain.substr(from.size());
  }
  return seen;
}

Result<std::string> CallCheck::bind_path(const BindWish& bind) {
  // A job that hands on Docker hands on its own.
  if (bind.source == "/var/run/docker.sock" || bind.source == "/run/docker.sock" || bind.source == shared_.socket) {
    return shared_.socket;
  }
  if (bind.read_only && is_well_known(bind.source)) return bind.source;
  const Result<bool> same = shares_mounts(shared_.config.engine_socket);
  if (!same) return same.error();
  if (!*same) {
    return make_error(errc::unavailable,
                      "Docker and the runner see different mounts: a container cannot be given the "
                      "job's folders. Run both outside of containers and private namespaces",
                      500);
  }
  return shared_.folders.pin(real_path(bind.source), bind.read_only, bind.make_missing);
}

}  // namespace kaapi::actions::docker
