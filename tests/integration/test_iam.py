"""Users, roles, policies and providers with the real clients: Terraform, aws, boto3."""

import json
import stat

import pytest
from botocore.exceptions import ClientError

import harness
from harness import ACCOUNT
from terraform import Terraform

ARN = f"arn:aws:iam::{ACCOUNT}"
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
ALLOW_LOGS = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "logs:*", "Resource": "*"}]}


@pytest.fixture
def iam(platform):
    return platform.boto("iam", "us-east-1")


def error_of(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"], caught.value.response["ResponseMetadata"]["HTTPStatusCode"]


def everything(iam):
    """The names of all that anybody made."""
    details = iam.get_paginator("get_account_authorization_details").paginate(
        Filter=["User", "Group", "Role", "LocalManagedPolicy"]).build_full_result()
    names = {"users": [user["UserName"] for user in details["UserDetailList"]],
             "groups": [group["GroupName"] for group in details["GroupDetailList"]],
             "roles": [role["RoleName"] for role in details["RoleDetailList"]],
             "policies": [policy["PolicyName"] for policy in details["Policies"]],
             "profiles": [profile["InstanceProfileName"] for profile in iam.list_instance_profiles()["InstanceProfiles"]],
             "providers": iam.list_open_id_connect_providers()["OpenIDConnectProviderList"],
             "aliases": iam.list_account_aliases()["AccountAliases"]}
    return {kind: found for kind, found in names.items() if found}


def test_terraform_applies_plans_nothing_and_destroys(fresh_platform, tmp_path):
    platform = fresh_platform.start()
    iam = platform.boto("iam", "us-east-1")
    terraform = Terraform(platform, "iam", tmp_path)

    terraform.apply(day=1)
    terraform.assert_nothing_to_do(day=1)
    shown = terraform.output("read_back")
    assert shown == {
        "account": ACCOUNT, "role": f"{ARN}:role/shop/shop-execution", "roles": ["shop-execution"], "policy": True,
        "managed": "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy", "clients": ["sts.amazonaws.com"],
        "user": f"{ARN}:user/shop/shop-ann", "users": ["shop-ann", "shop-bob"], "group": ["shop-ann", "shop-bob"],
        "profile": f"{ARN}:role/shop/shop-execution", "keys": ["Active"], "alias": "shop-day-1", "may_update": True}

    terraform.apply(day=2)
    terraform.assert_nothing_to_do(day=2)
    role = iam.get_role(RoleName="shop-execution")["Role"]
    assert (role["MaxSessionDuration"], role["Description"]) == (7200, "pulls images, writes logs <and more>")
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"] == f"{ARN}:policy/shop-bounds"
    assert {tag["Key"]: tag["Value"] for tag in role["Tags"]} == {"project": "shop", "team": "b"}
    assert terraform.output("read_back")["keys"] == ["Inactive"]

    platform.restart_after_kill()  # nothing of it may be lost
    terraform.assert_nothing_to_do(day=2)

    terraform.apply(day=3)
    terraform.assert_nothing_to_do(day=3)
    shown = terraform.output("read_back")
    assert (shown["group"], shown["may_update"]) == (["shop-ann"], False)
    # With force_destroy Terraform takes along what it did not make.
    iam.create_access_key(UserName="shop-bob")

    terraform.destroy(day=3)
    assert everything(iam) == {}


def test_an_access_key_works_until_it_is_inactive(platform, iam):
    iam.create_user(UserName="carl", Path="/people/")
    key = iam.create_access_key(UserName="carl")["AccessKey"]
    secret = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    before = iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])
    assert before["AccessKeyLastUsed"]["ServiceName"] == "N/A"

    shown = platform.shell("aws sts get-caller-identity --output json", **secret).stdout
    assert json.loads(shown)["Arn"] == f"{ARN}:user/people/carl"
    assert json.loads(shown)["UserId"].startswith("AIDA")
    assert "AccessDenied" in platform.aws_error("iam", "list-users", **secret), "a user without policies can do nothing"
    after = iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])
    assert (after["UserName"], after["AccessKeyLastUsed"]["ServiceName"]) == ("carl", "iam"), "an attempt is a use"

    iam.update_access_key(UserName="carl", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    assert "InvalidClientTokenId" in platform.aws_error("sts", "get-caller-identity", **secret)
    iam.update_access_key(UserName="carl", AccessKeyId=key["AccessKeyId"], Status="Active")
    platform.shell("aws sts get-caller-identity", **secret)
    iam.delete_access_key(UserName="carl", AccessKeyId=key["AccessKeyId"])
    assert "InvalidClientTokenId" in platform.aws_error("sts", "get-caller-identity", **secret)


def test_documents_come_back_as_they_were(platform, iam):
    document = json.dumps({**ALLOW_LOGS, "Id": "spaces, + and ~ & % é"}, ensure_ascii=False, indent=2)
    iam.create_role(RoleName="documents", AssumeRolePolicyDocument=TRUST)
    iam.put_role_policy(RoleName="documents", PolicyName="p", PolicyDocument=document)
    assert iam.get_role_policy(RoleName="documents", PolicyName="p")["PolicyDocument"] == json.loads(document)
    assert iam.get_role(RoleName="documents")["Role"]["AssumeRolePolicyDocument"] == json.loads(TRUST)
    cli = platform.aws("iam", "get-role-policy", "--role-name", "documents", "--policy-name", "p")
    assert cli["PolicyDocument"] == json.loads(document)


def test_lists_page_through_the_clients(platform, iam):
    for number in range(7):
        iam.create_role(RoleName=f"paged-{number}", Path="/paged/", AssumeRolePolicyDocument=TRUST)
    pages = list(iam.get_paginator("list_roles").paginate(PathPrefix="/paged/", PaginationConfig={"PageSize": 3}))
    assert [len(page["Roles"]) for page in pages] == [3, 3, 1]
    assert [role["RoleName"] for page in pages for role in page["Roles"]] == [f"paged-{number}" for number in range(7)]
    listed = platform.aws("iam", "list-roles", "--path-prefix", "/paged/", "--page-size", "2", "--query", "Roles[].RoleName")
    assert len(listed) == 7


def test_errors_are_awss(platform, iam):
    iam.create_user(UserName="dora")
    assert error_of(iam.create_user, UserName="dora") == ("EntityAlreadyExists", 409)
    assert error_of(iam.get_role, RoleName="nobody") == ("NoSuchEntity", 404)
    assert error_of(iam.create_policy, PolicyName="bad", PolicyDocument="{}") == ("MalformedPolicyDocument", 400)
    iam.create_access_key(UserName="dora")
    assert error_of(iam.delete_user, UserName="dora") == ("DeleteConflict", 409)
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_user(UserName="nobody")
    said = platform.aws_error("iam", "get-user", "--user-name", "nobody")
    assert "(NoSuchEntity) when calling the GetUser operation" in said and "The user with name nobody cannot be found." in said


def test_any_region_is_taken(platform):
    """IAM is global, but clients sign for the region they are set to, or for us-east-1."""
    for region in ("us-east-1", "eu-west-3"):
        platform.boto("iam", region).create_group(GroupName=f"from-{region}")
    names = [group["GroupName"] for group in platform.boto("iam", "ap-south-1").list_groups()["Groups"]]
    assert {"from-us-east-1", "from-eu-west-3"} <= set(names)


def test_simulation_with_the_aws_command(platform, iam):
    arn = iam.create_role(RoleName="simulated", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    iam.put_role_policy(RoleName="simulated", PolicyName="logs", PolicyDocument=json.dumps(ALLOW_LOGS))
    answer = platform.aws("iam", "simulate-principal-policy", "--policy-source-arn", arn,
                          "--action-names", "logs:PutLogEvents", "ecs:RunTask")
    decisions = {result["EvalActionName"]: result["EvalDecision"] for result in answer["EvaluationResults"]}
    assert decisions == {"logs:PutLogEvents": "allowed", "ecs:RunTask": "implicitDeny"}


def test_a_trust_policy_without_a_subject_is_warned_of(platform, iam):
    provider = iam.create_open_id_connect_provider(Url="https://gitlab.com", ClientIDList=["shop"])["OpenIDConnectProviderArn"]
    trust = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Federated": provider}, "Action": "sts:AssumeRoleWithWebIdentity"}]}
    iam.create_role(RoleName="open-to-all", AssumeRolePolicyDocument=json.dumps(trust))
    harness.eventually("the log warns", lambda: 'add a condition on "gitlab.com:sub"' in platform.log_tail())


def test_secrets_are_sealed_and_the_key_file_is_needed(fresh_platform):
    platform = fresh_platform.start()
    iam = platform.boto("iam", "us-east-1")
    iam.create_user(UserName="eve")
    secret = iam.create_access_key(UserName="eve")["AccessKey"]["SecretAccessKey"]
    platform.stop()
    stored = b"".join(path.read_bytes() for path in platform.data.glob("identity.db*"))
    assert b"eve" in stored and secret.encode() not in stored
    key = platform.data / "identity.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600

    def refusal():
        return harness.run(platform.command(), check=False, env=platform.env)

    key.chmod(0o644)
    done = refusal()
    assert done.returncode != 0 and f"chmod 600 {key}" in done.stderr
    key.chmod(0o600)
    kept = key.read_text()
    key.write_text("0" * 64 + "\n")
    done = refusal()
    assert done.returncode != 0 and "another key" in done.stderr
    key.unlink()
    done = refusal()
    assert done.returncode != 0 and "is missing" in done.stderr and not key.exists()
    key.touch(mode=0o600)
    key.write_text(kept)
    platform.start()
    assert iam.list_access_keys(UserName="eve")["AccessKeyMetadata"]
