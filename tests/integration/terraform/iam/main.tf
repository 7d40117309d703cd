# Everything of IAM that a deployment keeps in Terraform, and the data sources that read it back.
# `day` changes what a team changes later: 1 is the first apply, 2 the edits, 3 takes some of it away.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "day" {
  type    = number
  default = 1
}

provider "aws" {
  region = "eu-central-1"
  default_tags {
    tags = { project = "shop" }
  }
}

data "aws_caller_identity" "current" {}

locals {
  issuer = "token.actions.githubusercontent.com"
}

# --- who runs a task

data "aws_iam_policy_document" "tasks" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = var.day < 2 ? ["ecs-tasks.amazonaws.com"] : ["ecs-tasks.amazonaws.com", "ecs.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "execution" {
  name                 = "shop-execution"
  path                 = "/shop/"
  description          = var.day < 2 ? "pulls images & writes logs" : "pulls images, writes logs <and more>"
  max_session_duration = var.day < 2 ? 3600 : 7200
  assume_role_policy   = data.aws_iam_policy_document.tasks.json
  permissions_boundary = var.day == 2 ? aws_iam_policy.bounds.arn : null
  tags                 = var.day < 2 ? { team = "a", old = "x" } : { team = "b" }
}

resource "aws_iam_role_policy_attachment" "execution" {
  role       = aws_iam_role.execution.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}

resource "aws_iam_role_policy" "execution" {
  name = "secrets"
  role = aws_iam_role.execution.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = var.day < 2 ? ["secretsmanager:GetSecretValue"] : ["secretsmanager:*"], Resource = "*" }]
  })
}

resource "aws_iam_policy" "bounds" {
  name   = "shop-bounds"
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "*", Resource = "*" }] })
}

resource "aws_iam_instance_profile" "host" {
  name = "shop-host"
  role = aws_iam_role.execution.name
  tags = { day = var.day }
}

# --- who deploys, from a pipeline

resource "aws_iam_openid_connect_provider" "pipeline" {
  url             = "https://${local.issuer}"
  client_id_list  = var.day < 2 ? ["sts.amazonaws.com"] : ["sts.amazonaws.com", "shop"]
  thumbprint_list = [var.day < 2 ? "6938fd4d98bab03faadb97b34396831e3780aea1" : "1c58a3a8518e8759bf075b76b750d4f2df264fcd"]
  tags            = { day = var.day }
}

data "aws_iam_policy_document" "pipeline" {
  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]
    principals {
      type        = "Federated"
      identifiers = [aws_iam_openid_connect_provider.pipeline.arn]
    }
    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:aud"
      values   = ["sts.amazonaws.com"]
    }
    condition {
      test     = "StringLike"
      variable = "${local.issuer}:sub"
      values   = ["repo:shop/backend:*"]
    }
  }
}

resource "aws_iam_role" "pipeline" {
  name               = "shop-pipeline"
  assume_role_policy = data.aws_iam_policy_document.pipeline.json
}

resource "aws_iam_policy" "deploy" {
  name        = "shop-deploy"
  path        = "/shop/"
  description = "push to one repository, update one service, pass one role"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Sid = "Push", Effect = "Allow", Action = ["ecr:PutImage", "ecr:InitiateLayerUpload"], Resource = "arn:aws:ecr:*:*:repository/shop" },
      { Sid = "Update", Effect = "Allow", Action = "ecs:UpdateService", Resource = "*" },
      { Sid = "Pass", Effect = "Allow", Action = "iam:PassRole", Resource = aws_iam_role.execution.arn,
      Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } } },
      { Sid = "Day${var.day}", Effect = "Allow", Action = "ecs:DescribeServices", Resource = "*" },
    ]
  })
  tags = { day = var.day }
}

resource "aws_iam_role_policy_attachment" "deploy" {
  count      = var.day < 3 ? 1 : 0
  role       = aws_iam_role.pipeline.name
  policy_arn = aws_iam_policy.deploy.arn
}

# --- people

resource "aws_iam_group" "developers" {
  name = var.day < 2 ? "shop-developers" : "shop-engineers"
  path = "/shop/"
}

resource "aws_iam_group_policy_attachment" "developers" {
  group      = aws_iam_group.developers.name
  policy_arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
}

resource "aws_iam_group_policy" "developers" {
  name   = "logs"
  group  = aws_iam_group.developers.name
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "logs:*", Resource = "*" }] })
}

resource "aws_iam_user" "people" {
  for_each             = toset(["ann", "bob"])
  name                 = "shop-${each.key}"
  path                 = "/shop/"
  force_destroy        = true
  permissions_boundary = var.day == 2 ? aws_iam_policy.bounds.arn : null
  tags                 = { day = var.day }
}

resource "aws_iam_group_membership" "developers" {
  name  = "developers"
  group = aws_iam_group.developers.name
  users = [for name, user in aws_iam_user.people : user.name if var.day < 3 || name == "ann"]
}

resource "aws_iam_user_policy" "ann" {
  name   = "own"
  user   = aws_iam_user.people["ann"].name
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "sts:Get*", Resource = "*" }] })
}

resource "aws_iam_user_policy_attachment" "ann" {
  user       = aws_iam_user.people["ann"].name
  policy_arn = aws_iam_policy.deploy.arn
}

resource "aws_iam_access_key" "ann" {
  user   = aws_iam_user.people["ann"].name
  status = var.day < 2 ? "Active" : "Inactive"
}

resource "aws_iam_service_linked_role" "ecs" {
  aws_service_name = "ecs.amazonaws.com"
  description      = "day ${var.day}"
}

resource "aws_iam_account_alias" "shop" {
  account_alias = "shop-day-${var.day}"
}

# --- reading it all back

data "aws_iam_role" "execution" {
  name = aws_iam_role.execution.name
}

data "aws_iam_roles" "all" {
  path_prefix = "/shop/"
  depends_on  = [aws_iam_role.execution]
}

data "aws_iam_policy" "deploy" {
  arn = aws_iam_policy.deploy.arn
}

data "aws_iam_policy" "by_name" {
  name       = "shop-deploy"
  depends_on = [aws_iam_policy.deploy]
}

data "aws_iam_policy" "managed" {
  name = "AmazonECSTaskExecutionRolePolicy"
}

data "aws_iam_openid_connect_provider" "pipeline" {
  url        = "https://${local.issuer}"
  depends_on = [aws_iam_openid_connect_provider.pipeline]
}

data "aws_iam_user" "ann" {
  user_name = aws_iam_user.people["ann"].name
}

data "aws_iam_users" "all" {
  path_prefix = "/shop/"
  depends_on  = [aws_iam_user.people]
}

data "aws_iam_group" "developers" {
  group_name = aws_iam_group_membership.developers.group
}

data "aws_iam_instance_profile" "host" {
  name = aws_iam_instance_profile.host.name
}

data "aws_iam_access_keys" "ann" {
  user = aws_iam_access_key.ann.user
}

data "aws_iam_account_alias" "current" {
  depends_on = [aws_iam_account_alias.shop]
}

data "aws_iam_principal_policy_simulation" "pipeline" {
  action_names      = ["ecs:UpdateService"]
  policy_source_arn = aws_iam_role.pipeline.arn
  depends_on        = [aws_iam_role_policy_attachment.deploy]
}

output "read_back" {
  value = {
    account    = data.aws_caller_identity.current.account_id
    role       = data.aws_iam_role.execution.arn
    roles      = sort(data.aws_iam_roles.all.names)
    policy     = data.aws_iam_policy.deploy.arn == data.aws_iam_policy.by_name.arn
    managed    = data.aws_iam_policy.managed.arn
    clients    = sort(data.aws_iam_openid_connect_provider.pipeline.client_id_list)
    user       = data.aws_iam_user.ann.arn
    users      = sort(data.aws_iam_users.all.names)
    group      = sort([for user in data.aws_iam_group.developers.users : user.user_name])
    profile    = data.aws_iam_instance_profile.host.role_arn
    keys       = [for key in data.aws_iam_access_keys.ann.access_keys : key.status]
    alias      = data.aws_iam_account_alias.current.account_alias
    may_update = data.aws_iam_principal_policy_simulation.pipeline.all_allowed
  }
}

output "key" {
  value     = { id = aws_iam_access_key.ann.id, secret = aws_iam_access_key.ann.secret }
  sensitive = true
}
