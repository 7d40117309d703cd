#include <fmt/format.h>

#include "logs/store_internal.h"

namespace kaapi::logs {

Result<GroupRow> find_group(Session& session, const GroupName& group) {
  Statement rows =
      session.query("SELECT id, retention_days FROM log_group WHERE region=?1 AND name=?2", group.region, group.name);
  if (!rows.step()) return no_such_group();
  GroupRow row{rows.number(0), std::nullopt};
  if (!rows.is_null(1)) row.retention_days = rows.number(1);
  return row;
}

void write_tags(Session& session, std::int64_t group_id, const Tags& tags) {
  for (const auto& [key, value] : tags) {
    session.run("INSERT OR REPLACE INTO log_group_tag(group_id, key, value) VALUES(?1, ?2, ?3)", group_id, key, value);
  }
}

Result<void> LogStore::create_group(const GroupName& group, std::string_view log_class, const Tags& tags, Time now) {
  return database_.write([&](Session& session) -> Result<void> {
    if (find_group(session, group)) return group_exists();
    session.run("INSERT INTO log_group(region, name, class, created_at_ms) VALUES(?1, ?2, ?3, ?4)", group.region,
                group.name, log_class, to_millis(now));
    write_tags(session, session.last_insert_id(), tags);
    return ok();
  });
}

Result<void> LogStore::delete_group(const GroupName& group) {
  const Result<void> done = database_.write([&](Session& session) -> Result<void> {
    const Result<GroupRow> found = find_group(session, group);
    if (!found) return found.error();
    session.run("UPDATE log_group SET region=?2, name='*'||id, retention_days=NULL WHERE id=?1", found->id,
                deleted_region);
    return ok();
  });
  if (done) notify_maintenance();
  return done;
}

Result<void> LogStore::set_retention(const GroupName& group, std::optional<std::int64_t> days) {
  const Result<void> done = database_.write([&](Session& session) -> Result<void> {
    const Result<GroupRow> found = find_group(session, group);
    if (!found) return found.error();
    session.run("UPDATE log_group SET retention_days=?2 WHERE id=?1", found->id, days);
    return ok();
  });
  if (done) notify_maintenance();
  return done;
}

namespace {

Group read_group(const Statement& rows) {
  Group group;
  group.name = rows.text(0);
  group.log_class = rows.text(1);
  group.created_at_ms = rows.number(2);
  if (!rows.is_null(3)) group.retention_days = rows.number(3);
  group.stored_bytes = rows.number(4);
  return group;
}

bool wanted(const Group& group, const GroupQuery& query) {
  if (!query.log_class.empty() && group.log_class != query.log_class) return false;
  return group.name.find(query.pattern) != std::string::npos;
}

GroupPage named_groups(Session& session, const std::string& region, const GroupQuery& query) {
  std::vector<std::string> names = query.names;
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  GroupPage page;
  for (const std::string& name : names) {
    if (name <= query.after) continue;
    Statement rows = session.query(
        "SELECT name, class, created_at_ms, retention_days, stored_bytes FROM log_group WHERE region=?1 AND name=?2",
        region, name);
    if (!rows.step()) continue;
    Group group = read_group(rows);
    if (!wanted(group, query)) continue;
    page.more = page.groups.size() == query.limit;
    if (page.more) break;
    page.groups.push_back(std::move(group));
  }
  return page;
}

}  // namespace

Result<GroupPage> LogStore::groups(const std::string& region, const GroupQuery& query) {
  return database_.read([&](Session& session) -> Result<GroupPage> {
    if (!query.names.empty()) return named_groups(session, region, query);
    GroupPage page;
    Statement rows = session.query(
        "SELECT name, class, created_at_ms, retention_days, stored_bytes FROM log_group "
        "WHERE region=?1 AND name>=?2 ORDER BY name",
        region, first_name(query.after, query.prefix));
    while (rows.step()) {
      Group group = read_group(rows);
      if (!group.name.starts_with(query.prefix)) break;
      if (!wanted(group, query)) continue;
      page.more = page.groups.size() == query.limit;
      if (page.more) break;
      page.groups.push_back(std::move(group));
    }
    return page;
  });
}

Result<Tags> LogStore::tags(const GroupName& group) {
  return database_.read([&](Session& session) -> Result<Tags> {
    const Result<GroupRow> found = find_group(session, group);
    if (!found) return found.error();
    Tags tags;
    Statement rows = session.query("SELECT key, value FROM log_group_tag WHERE group_id=?1", found->id);
    while (rows.step()) tags.emplace(rows.text(0), rows.text(1));
    return tags;
  });
}

Result<void> LogStore::tag(const GroupName& group, const Tags& tags) {
  return database_.write([&](Session& session) -> Result<void> {
    const Result<GroupRow> found = find_group(session, group);
    if (!found) return found.error();
    write_tags(session, found->id, tags);
    Statement count = session.query("SELECT count(*) FROM log_group_tag WHERE group_id=?1", found->id);
    count.step();
    if (count.number(0) > static_cast<std::int64_t>(max_tags)) {
      return make_error("TooManyTagsException", fmt::format("The log group would have {} tags; at most {} are allowed.",
                                                            count.number(0), max_tags));
    }
    return ok();
  });
}

Result<void> LogStore::untag(const GroupName& group, const std::vector<std::string>& keys) {
  return database_.write([&](Session& session) -> Result<void> {
    const Result<GroupRow> found = find_group(session, group);
    if (!found) return found.error();
    for (const std::string& key : keys) {
      session.run("DELETE FROM log_group_tag WHERE group_id=?1 AND key=?2", found->id, key);
    }
    return ok();
  });
}

}  // namespace kaapi::logs
