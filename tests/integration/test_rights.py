"""Nobody does what no policy allows: a client without rights, a pipeline's role with exactly its own, sessions that end, keys that are switched off."""

import base64
import json
import time
import urllib.error
import urllib.request

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

import harness
from harness import ACCOUNT, REGION

ROLE = f"arn:aws:iam::{ACCOUNT}:role"
# What a pipeline needs: push to one repository, update one service, pass one role.
PIPELINE = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"},
    {"Effect": "Allow", "Resource": f"arn:aws:ecr:*:{ACCOUNT}:repository/shop-repo",
     "Action": ["ecr:BatchCheckLayerAvailability", "ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload",
                "ecr:PutImage", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]},
    {"Effect": "Allow", "Action": ["ecs:UpdateService", "ecs:DescribeServices"], "Resource": f"arn:aws:ecs:*:{ACCOUNT}:service/shop/web"},
    {"Effect": "Allow", "Action": "ecs:RegisterTaskDefinition", "Resource": "*"},
    {"Effect": "Allow", "Action": "iam:PassRole", "Resource": f"{ROLE}/shop-task",
     "Condition": {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}}]}


def trust(principal):
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]})


def client(platform, service, key):
    return boto3.client(service, endpoint_url=platform.endpoint, region_name=REGION, aws_access_key_id=key["AccessKeyId"],
                        aws_secret_access_key=key["SecretAccessKey"], aws_session_token=key.get("SessionToken"))


def answer_of(url, body=None, headers=None):
    """Status and text of an answer, whatever the status."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers or {}), timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def refused(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert caught.value.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException"), caught.value
    return caught.value.response["Error"]["Message"]


@pytest.fixture(scope="module")
def iam(platform):
    return platform.boto("iam", "us-east-1")


@pytest.fixture(scope="module")
def nobody(iam):
    """The key of a user with no policy at all."""
    iam.create_user(UserName="nobody")
    return iam.create_access_key(UserName="nobody")["AccessKey"]


@pytest.fixture(scope="module")
def pipeline(platform, iam):
    """A session of the pipeline's role, assumed by a user who may do nothing else."""
    iam.create_user(UserName="ci")
    iam.create_role(RoleName="shop-pipeline", AssumeRolePolicyDocument=trust({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}))
    iam.put_role_policy(RoleName="shop-pipeline", PolicyName="deploy", PolicyDocument=json.dumps(PIPELINE))
    for name in ("shop-task", "shop-admin"):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust({"Service": "ecs-tasks.amazonaws.com"}))
    key = iam.create_access_key(UserName="ci")["AccessKey"]
    sts = client(platform, "sts", key)
    message = refused(sts.assume_role, RoleArn=f"{ROLE}/shop-pipeline", RoleSessionName="build")
    assert "is not authorized to perform: sts:AssumeRole on resource" in message
    iam.put_user_policy(UserName="ci", PolicyName="assume", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": f"{ROLE}/shop-pipeline"}]}))
    return sts.assume_role(RoleArn=f"{ROLE}/shop-pipeline", RoleSessionName="build")["Credentials"]


# One call of each service; a service of which one could be made without a right would show here.
CALLS = [("ecs", "list_clusters", {}), ("ecs", "create_cluster", {"clusterName": "x"}), ("ecs", "describe_clusters", {}),
         ("ecs", "run_task", {"taskDefinition": "x"}), ("ecs", "stop_task", {"task": "x"}), ("ecr", "get_authorization_token", {}),
         ("ecr", "describe_repositories", {}), ("ecr", "create_repository", {"repositoryName": "xx"}), ("logs", "describe_log_groups", {}),
         ("logs", "create_log_group", {"logGroupName": "x"}), ("iam", "list_users", {}), ("iam", "get_user", {}),
         ("iam", "create_access_key", {}), ("iam", "put_user_policy", {"UserName": "nobody", "PolicyName": "p", "PolicyDocument": "{}"}),
         ("sts", "assume_role", {"RoleArn": f"{ROLE}/x", "RoleSessionName": "xx"}), ("cloudtrail", "lookup_events", {})]


@pytest.mark.parametrize("service, operation, arguments", CALLS, ids=[f"{call[0]}:{call[1]}" for call in CALLS])
def test_a_client_without_rights_can_do_nothing(platform, nobody, service, operation, arguments):
    message = refused(getattr(client(platform, service, nobody), operation), **arguments)
    assert f"User: arn:aws:iam::{ACCOUNT}:user/nobody is not authorized to perform: {service}:" in message


def served():
    """Every operation that is served and asks the policies: (service's model, operation)."""
    for path in sorted((harness.ROOT / "models").glob("*.json")):
        rows = json.loads((harness.ROOT / "models" / "permissions" / path.name).read_text())["operations"]
        model = json.loads(path.read_text())
        for operation in model["operations"]:
            if rows[operation].get("rule", "asked") == "asked":
                yield model, operation


def test_no_operation_is_open_to_a_client_without_rights(platform, nobody):
    """All of them, from the models: rights are asked before a request is even read, so an empty one will do."""
    credentials = Credentials(nobody["AccessKeyId"], nobody["SecretAccessKey"])
    opened, asked = [], 0
    for model, operation in served():
        meta = model["metadata"]
        if meta["protocol"] == "json":
            headers = {"X-Amz-Target": f"{meta['target_prefix']}.{operation}", "Content-Type": "application/x-amz-json-1.1"}
            body = "{}"
        else:
            headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
            body = f"Action={operation}&Version={meta['api_version']}"
        request = AWSRequest("POST", platform.endpoint + "/", data=body, headers=headers)
        SigV4Auth(credentials, meta["signing_name"], REGION).add_auth(request)
        status, text = answer_of(platform.endpoint + "/", body.encode(), dict(request.headers))
        asked += 1
        if status not in (400, 403) or "is not authorized to perform" not in text:
            opened.append(f"{meta['signing_name']}:{operation}: {status} {text[:200]}")
    assert asked > 150 and not opened, "\n".join(opened)


def test_a_pipelines_role_updates_its_service_and_no_other(platform, pipeline, busybox):
    platform.cluster("shop")
    definition = platform.register("web", busybox, command=["sleep", "1000"])
    for name in ("web", "other"):
        platform.create_service("shop", name, definition, desired=0)
    ecs = client(platform, "ecs", pipeline)
    assert ecs.update_service(cluster="shop", service="web", forceNewDeployment=True)["service"]["serviceName"] == "web"
    message = refused(ecs.update_service, cluster="shop", service="other", forceNewDeployment=True)
    assert message == (f"User: arn:aws:sts::{ACCOUNT}:assumed-role/shop-pipeline/build is not authorized to perform: ecs:UpdateService on "
                       f"resource: arn:aws:ecs:{REGION}:{ACCOUNT}:service/shop/other because no identity-based policy allows the "
                       "ecs:UpdateService action")
    # Not by another name of the same service either.
    refused(ecs.update_service, cluster="shop", service=f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/shop/other")
    refused(ecs.delete_service, cluster="shop", service="web")


def test_a_pipelines_role_passes_its_role_and_no_other(platform, pipeline):
    ecs = client(platform, "ecs", pipeline)
    container = [{"name": "app", "image": "x", "memory": 64}]
    ecs.register_task_definition(family="passed", taskRoleArn=f"{ROLE}/shop-task", containerDefinitions=container)
    message = refused(ecs.register_task_definition, family="passed", taskRoleArn=f"{ROLE}/shop-admin", containerDefinitions=container)
    assert f"is not authorized to perform: iam:PassRole on resource: {ROLE}/shop-admin because no identity-based policy allows" in message
    # The short name is the same role.
    refused(ecs.register_task_definition, family="passed", executionRoleArn="shop-admin", containerDefinitions=container)


def test_a_denied_call_tells_the_policy_that_denied_it(platform, iam, nobody):
    iam.put_user_policy(UserName="nobody", PolicyName="mostly", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "logs:*", "Resource": "*"}, {"Sid": "Keep", "Effect": "Deny", "Action": "logs:Delete*", "Resource": "*"}]}))
    try:
        logs = client(platform, "logs", nobody)
        logs.create_log_group(logGroupName="kept")
        message = refused(logs.delete_log_group, logGroupName="kept")
        assert "with an explicit deny in an identity-based policy" in message and "mostly" in message
        why = platform.cli("iam", "why", "--principal", f"arn:aws:iam::{ACCOUNT}:user/nobody", "--action", "logs:DeleteLogGroup",
                           check=False)
        assert why.returncode == 3 and "Sid Keep" in why.stdout and "DENIED" in why.stdout, why.stdout
    finally:
        iam.delete_user_policy(UserName="nobody", PolicyName="mostly")


def test_a_key_that_was_switched_off_opens_nothing(platform, iam):
    iam.create_user(UserName="leaver")
    iam.attach_user_policy(UserName="leaver", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    key = iam.create_access_key(UserName="leaver")["AccessKey"]
    ecs = client(platform, "ecs", key)
    assert "clusterArns" in ecs.list_clusters()
    iam.update_access_key(UserName="leaver", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    with pytest.raises(ClientError) as caught:
        ecs.list_clusters()
    assert caught.value.response["Error"]["Code"] == "UnrecognizedClientException"


def test_a_session_loses_what_its_role_loses(platform, iam, pipeline):
    ecs = client(platform, "ecs", pipeline)
    ecs.register_task_definition(family="lost", containerDefinitions=[{"name": "app", "image": "x", "memory": 64}])
    iam.put_role_policy(RoleName="shop-pipeline", PolicyName="stop", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Deny", "Action": "*", "Resource": "*",
         "Condition": {"DateLessThan": {"aws:TokenIssueTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 5))}}}]}))
    try:
        message = refused(ecs.register_task_definition, family="lost", containerDefinitions=[{"name": "app", "image": "x", "memory": 64}])
        assert "explicit deny" in message
    finally:
        iam.delete_role_policy(RoleName="shop-pipeline", PolicyName="stop")


def test_a_pipelines_role_pushes_to_its_repository_and_no_other(platform, pipeline, busybox_image, tmp_path):
    for name in ("shop-repo", "other-repo"):
        platform.boto("ecr").create_repository(repositoryName=name)
    token = client(platform, "ecr", pipeline).get_authorization_token()["authorizationData"][0]
    registry = token["proxyEndpoint"].split("//")[1]
    password = base64.b64decode(token["authorizationToken"]).decode().split(":", 1)[1]
    docker = ["docker", "--config", str(tmp_path)]
    harness.run([*docker, "login", "--username", "AWS", "--password-stdin", registry], input=password)
    for name in ("shop-repo", "other-repo"):
        harness.run(["docker", "tag", busybox_image, f"{registry}/{name}:1"])
    try:
        harness.run([*docker, "push", "-q", f"{registry}/shop-repo:1"])
        failed = harness.run([*docker, "push", "-q", f"{registry}/other-repo:1"], check=False)
        assert failed.returncode != 0 and "is not authorized to perform: ecr:" in failed.stderr, failed.stderr
    finally:
        for name in ("shop-repo", "other-repo"):
            harness.run(["docker", "rmi", f"{registry}/{name}:1"], check=False)


def test_a_presigned_url_says_who_signed_it_until_it_expires(platform):
    url = platform.boto("sts").generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="GET")
    assert f"arn:aws:iam::{ACCOUNT}:root" in answer_of(url)[1]
    status, text = answer_of(url.replace("X-Amz-Expires=60", "X-Amz-Expires=600"))
    assert status == 403 and "SignatureDoesNotMatch" in text
