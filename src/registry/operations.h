#pragma once
// The ECR operations: Amazon ECR API reference, version 2015-09-21.

#include "aws/dispatch.h"
#include "registry/registry.h"
#include "registry/token.h"

namespace kaapi::registry {

// CreateRepository, DescribeRepositories, DeleteRepository, GetAuthorizationToken, DescribeImages, ListImages,
// BatchGetImage and BatchDeleteImage. All must outlive the dispatcher's last call.
void add_operations(aws::Dispatcher& dispatcher, Registry& registry, const TokenIssuer& tokens);

}  // namespace kaapi::registry
