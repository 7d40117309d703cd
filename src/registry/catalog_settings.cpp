// What is set on a repository: tags, policies, scanning, mutability.
#include <fmt/format.h>

#include "registry/catalog_rows.h"
#include "registry/names.h"

namespace kaapi::registry {
namespace {

using store::Session;
using store::Statement;

Error no_policy(std::string_view name, std::string_view account_id) {
  return make_error("RepositoryPolicyNotFoundException",
                    fmt::format("Repository policy does not exist for the repository with name '{}' in the registry "
                                "with id '{}'",
                                name, account_id));
}

Error no_lifecycle_policy(std::string_view name, std::string_view account_id) {
  return make_error("LifecyclePolicyNotFoundException",
                    fmt::format("Lifecycle policy does not exist for the repository with name '{}' in the registry "
                                "with id '{}'",
                                name, account_id));
}

std::optional<std::string> policy_of(Session& session, std::int64_t repository_id) {
  Statement row = session.query("SELECT policy FROM repositories WHERE id=?1 AND policy IS NOT NULL", repository_id);
  if (!row.step()) return std::nullopt;
  return std::string(row.text(0));
}

std::optional<StoredLifecyclePolicy> lifecycle_policy_of(Session& session, std::int64_t repository_id) {
  Statement row = session.query(
      "SELECT lifecycle_policy,lifecycle_evaluated_at FROM repositories WHERE id=?1 AND lifecycle_policy IS NOT NULL",
      repository_id);
  if (!row.step()) return std::nullopt;
  return StoredLifecyclePolicy{std::string(row.text(0)), from_millis(row.number(1))};
}

}  // namespace

std::optional<RepositoryKey> repository_of_arn(std::string_view arn, std::string_view account_id) {
  constexpr std::string_view before_region = "arn:aws:ecr:";
  if (!arn.starts_with(before_region)) return std::nullopt;
  arn.remove_prefix(before_region.size());
  const std::string_view region = arn.substr(0, arn.find(':'));
  const std::string before_name = fmt::format("{}:{}:repository/", region, account_id);
  if (!arn.starts_with(before_name)) return std::nullopt;
  arn.remove_prefix(before_name.size());
  if (!valid_repository_name(arn)) return std::nullopt;
  return RepositoryKey{std::string(region), std::string(arn)};
}

std::int64_t count_of(Statement rows) {
  return rows.step() ? rows.number(0) : 0;
}

Result<void> put_resource_tags(Session& session, const Repository& repository, const ResourceTags& tags) {
  for (const auto& [key, value] : tags) {
    session.run(
        "INSERT INTO resource_tags(repository_id,key,value) VALUES(?1,?2,?3)"
        " ON CONFLICT(repository_id,key) DO UPDATE SET value=excluded.value",
        repository.id, key, value);
  }
  const auto count = static_cast<std::size_t>(
      count_of(session.query("SELECT count(*) FROM resource_tags WHERE repository_id=?1", repository.id)));
  if (count > max_resource_tags) {
    return make_error("TooManyTagsException",
                      fmt::format("The repository with name '{}' would have {} tags; a repository can have at most {}",
                                  repository.name, count, max_resource_tags));
  }
  return ok();
}

Result<ResourceTags> Catalog::resource_tags(const RepositoryKey& key) {
  return read(key, [](Session& session, const Repository& repository) -> Result<ResourceTags> {
    Statement rows = session.query("SELECT key,value FROM resource_tags WHERE repository_id=?1", repository.id);
    ResourceTags tags;
    while (rows.step()) tags.emplace(rows.text(0), rows.text(1));
    return tags;
  });
}

Result<void> Catalog::add_resource_tags(const RepositoryKey& key, const ResourceTags& tags) {
  return write(key, [&](Session& session, const Repository& repository) -> Result<void> {
    return put_resource_tags(session, repository, tags);
  });
}

Result<void> Catalog::remove_resource_tags(const RepositoryKey& key, const std::vector<std::string>& keys) {
  return write(key, [&](Session& session, const Repository& repository) -> Result<void> {
    for (const std::string& tag : keys) {
      session.run("DELETE FROM resource_tags WHERE repository_id=?1 AND key=?2", repository.id, tag);
    }
    return ok();
  });
}

Result<void> Catalog::set_scan_on_push(const RepositoryKey& key, bool scan_on_push) {
  return write(key, [&](Session& session, const Repository& repository) -> Result<void> {
    session.run("UPDATE repositories SET scan_on_push=?2 WHERE id=?1", repository.id, scan_on_push);
    return ok();
  });
}

Result<void> Catalog::set_tag_mutability(const RepositoryKey& key, std::string_view mutability) {
  return write(key, [&](Session& session, const Repository& repository) -> Result<void> {
    session.run("UPDATE repositories SET tag_mutability=?2 WHERE id=?1", repository.id, mutability);
    return ok();
  });
}

Result<std::string> Catalog::policy(const RepositoryKey& key) {
  return read(key, [&](Session& session, const Repository& repository) -> Result<std::string> {
    std::optional<std::string> text = policy_of(session, repository.id);
    if (!text) return no_policy(key.name, account_id_);
    return std::move(*text);
  });
}

Result<void> Catalog::set_policy(const RepositoryKey& key, std::string_view text) {
  return write(key, [&](Session& session, const Repository& repository) -> Result<void> {
    session.run("UPDATE repositories SET policy=?2 WHERE id=?1", repository.id, text);
    return ok();
  });
}

Result<std::string> Catalog::remove_policy(const RepositoryKey& key) {
  return write(key, [&](Session& session, const Repository& repository) -> Result<std::string> {
    std::optional<std::string> text = policy_of(session, repository.id);
    if (!text) return no_policy(key.name, account_id_);
    session.run("UPDATE repositories SET policy=NULL WHERE id=?1", repository.id);
    return std::move(*text);
  });
}

Result<StoredLifecyclePolicy> Catalog::lifecycle_policy(const RepositoryKey& key) {
  return read(key, [&](Session& session, const Repository& repository) -> Result<StoredLifecyclePolicy> {
    std::optional<StoredLifecyclePolicy> stored = lifecycle_policy_of(session, repository.id);
    if (!stored) return no_lifecycle_policy(key.name, account_id_);
    return std::move(*stored);
  });
}

Result<void> Catalog::set_lifecycle_policy(const RepositoryKey& key, std::string_view text) {
  return write(key, [&](Session& session, const Repository& repository) -> Result<void> {
    session.run("UPDATE repositories SET lifecycle_policy=?2,lifecycle_evaluated_at=0 WHERE id=?1", repository.id,
                text);
    return ok();
  });
}

Result<StoredLifecyclePolicy> Catalog::remove_lifecycle_policy(const RepositoryKey& key) {
  return write(key, [&](Session& session, const Repository& repository) -> Result<StoredLifecyclePolicy> {
    std::optional<StoredLifecyclePolicy> stored = lifecycle_policy_of(session, repository.id);
    if (!stored) return no_lifecycle_policy(key.name, account_id_);
    session.run("UPDATE repositories SET lifecycle_policy=NULL WHERE id=?1", repository.id);
    return std::move(*stored);
  });
}

Result<void> Catalog::set_lifecycle_evaluated(const RepositoryKey& key, Time now) {
  return write(key, [&](Session& session, const Repository& repository) -> Result<void> {
    session.run("UPDATE repositories SET lifecycle_evaluated_at=?2 WHERE id=?1", repository.id, to_millis(now));
    return ok();
  });
}

Result<std::vector<RepositoryKey>> Catalog::repositories_with_lifecycle_policy() {
  return database_.read([](Session& session) -> Result<std::vector<RepositoryKey>> {
    Statement rows = session.query("SELECT region,name FROM repositories WHERE lifecycle_policy IS NOT NULL");
    std::vector<RepositoryKey> keys;
    while (rows.step()) keys.push_back({std::string(rows.text(0)), std::string(rows.text(1))});
    return keys;
  });
}

}  // namespace kaapi::registry
