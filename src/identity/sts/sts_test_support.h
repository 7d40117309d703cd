#pragma once
// IAM and STS in memory, for the tests of this folder.

#include <fmt/format.h>

#include <memory>
#include <string>
#include <string_view>

#include "identity/iam/iam_test_support.h"
#include "identity/oidc/keys.h"
#include "identity/oidc/test_issuer.h"
#include "identity/sts/keys.h"
#include "identity/sts/sessions.h"
#include "identity/sts/sts_operations.h"

namespace kaapi::identity {

class StsTest : public IamTest {
 protected:
  StsTest() { open_sts(); }

  // As after a restart of the program.
  void open_sts() {
    open();
    keys.reset();
    sessions.reset();
    sessions = *Sessions::open(*database, *sealer, clock, ids);
    keys = std::make_unique<Keys>(test_account, *directory, *sessions);
    add_sts_operations(*dispatcher, {*directory, *sessions, *keys, issuers, *sealer});
  }

  Answer sts(std::string_view action, Parameters parameters = {}) {
    return send("sts", "2011-06-15", action, parameters);
  }
  Answer sts_must(std::string_view action, Parameters parameters = {}) {
    return succeeded(action, sts(action, parameters));
  }
  // "403 AccessDenied: why" of a call that must fail.
  std::string sts_refused(std::string_view action, Parameters parameters = {}) {
    const Answer answer = sts(action, parameters);
    return fmt::format("{} {}: {}", answer.status, answer.code, answer.text("Message"));
  }

  // From now on this key calls, as the front door finds it.
  void use(std::string_view access_key_id) {
    const std::optional<aws::AccessKey> key = keys->find(access_key_id);
    ASSERT_TRUE(key) << access_key_id;
    context.access_key_id = access_key_id;
    context.principal_arn = key->principal_arn;
    context.user_id = key->user_id;
    context.is_root = key->is_root;
  }
  void use_root() { use(test_account.access_key_id); }
  // Makes a user with a policy (none when empty); answers an access key.
  std::string user_with(std::string_view name, std::string_view document) {
    user(name);
    if (!document.empty()) {
      must("PutUserPolicy", {{"UserName", name}, {"PolicyName", "own"}, {"PolicyDocument", document}});
    }
    return must("CreateAccessKey", {{"UserName", name}}).text("AccessKeyId");
  }
  void role_with(std::string_view name, std::string_view trust, std::string_view document = "") {
    must("CreateRole", {{"RoleName", name}, {"AssumeRolePolicyDocument", trust}});
    if (document.empty()) return;
    must("PutRolePolicy", {{"RoleName", name}, {"PolicyName", "own"}, {"PolicyDocument", document}});
  }

  oidc::FakeFetcher fetcher;
  oidc::IssuerKeys issuers{fetcher, clock};
  std::unique_ptr<Sessions> sessions;
  std::unique_ptr<Keys> keys;
};

// A statement list in a document.
inline std::string document(std::string_view statements) {
  return fmt::format(R"({{"Version":"2012-10-17","Statement":[{}]}})", statements);
}
inline std::string allow(std::string_view action, std::string_view resource = "*") {
  return document(fmt::format(R"({{"Effect":"Allow","Action":"{}","Resource":"{}"}})", action, resource));
}
// Lets a principal do sts:AssumeRole and what goes with it.
inline std::string trust(std::string_view principal, std::string_view more = "") {
  return document(fmt::format(
      R"({{"Effect":"Allow","Principal":{{"AWS":"{}"}},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]{}}})",
      principal, more));
}
inline constexpr std::string_view account_root = "arn:aws:iam::123456789012:root";

}  // namespace kaapi::identity
