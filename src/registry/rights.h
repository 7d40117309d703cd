#pragma once
// Inside this folder: which ECR actions a request at /v2/ stands for. Pure. Source of the rows: "Repository policies"
// and "Private registry authentication" in the Amazon ECR User Guide, and the Service Authorization Reference.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "aws/authorization.h"
#include "http/message.h"
#include "registry/api_call.h"

namespace kaapi::registry {

struct Right {
  std::string_view operation;  // the name in the audit log: "PutImage"
  // Asked for the repository; empty: whoever is logged in may.
  std::span<const std::string_view> actions;
  bool any_of = false;    // one of the actions is enough
  bool writes = false;    // not for tokens that only pull
  bool recorded = false;  // in the audit log also when it is allowed; what is refused always is
};

// nullptr: the endpoint does not know the method, see allowed_methods().
const Right* right_of(Endpoint endpoint, const http::RequestHead& head);
// "GET, HEAD", for the answer.
std::string allowed_methods(Endpoint endpoint);

// The questions to the policies about one repository, whose name may be a pattern.
std::vector<aws::Access> accesses_of(std::span<const std::string_view> actions, std::string_view repository_arn);

// What a push needs beside the right to upload, to have a blob of another repository without sending it.
std::span<const std::string_view> mount_source_actions();
std::span<const std::string_view> mount_target_actions();

}  // namespace kaapi::registry
