"""The containers of a task call AWS with the rights of its task role: boto3 finds the credentials by itself, nobody else gets them,
and they end with the task."""

import json
import re

import boto3
import botocore.config
import pytest
from botocore.exceptions import ClientError
from harness import ACCOUNT, REGION, Platform, address, answers, eventually, url

import python_image

ROLE = f"arn:aws:iam::{ACCOUNT}:role/app"
TRUST = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
RIGHTS = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ecs:ListClusters", "Resource": "*"}]}
CREDENTIALS_NETWORK = "kaapi-credentials"
FETCH = "wget -q -O - http://169.254.170.2$AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"

# As an application does it: no key, no region, no address. Only older boto3 has to be told of AWS_ENDPOINT_URL.
APPLICATION = """
import json, os, boto3, botocore
old = tuple(map(int, botocore.__version__.split(".")[:2])) < (1, 31)
where = {"endpoint_url": os.environ["AWS_ENDPOINT_URL"]} if old else {}
client = lambda service: boto3.client(service, **where)
try:
    client("logs").describe_log_groups()
    denied = "nothing"
except botocore.exceptions.ClientError as error:
    denied = error.response["Error"]["Code"]
print(json.dumps({"arn": client("sts").get_caller_identity()["Arn"], "clusters": len(client("ecs").list_clusters()["clusterArns"]),
                  "denied": denied, "method": boto3.Session().get_credentials().method}))
"""


def make_role(platform, name="app", trust=TRUST):
    iam = platform.boto("iam", "us-east-1")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    iam.put_role_policy(RoleName=name, PolicyName="rights", PolicyDocument=json.dumps(RIGHTS))
    return iam.get_role(RoleName=name)["Role"]["Arn"]


@pytest.fixture(scope="module", autouse=True)
def role(platform):
    yield make_role(platform)


@pytest.fixture(scope="module", autouse=True)
def no_network_is_left(platform):
    yield
    platform.close()
    platform.docker("network", "rm", CREDENTIALS_NETWORK, check=False)


@pytest.fixture(scope="module")
def boto3_image(platform):
    image = python_image.make("kaapi-test/boto3:1")
    yield platform.push(image, "boto3")
    platform.docker("rmi", image, check=False)


def register(platform, family, *containers, role=ROLE, network="awsvpc"):
    roles = {"taskRoleArn": role} if role else {}
    answer = platform.ecs.register_task_definition(family=family, networkMode=network, **roles, containerDefinitions=[
        {"memory": 128, "stopTimeout": 2, **container} for container in containers])
    return answer["taskDefinition"]["taskDefinitionArn"]


def sleeper(image, name="app"):
    return {"name": name, "image": image, "command": ["sh", "-c", "trap 'exit 0' TERM; sleep 600 & wait"]}


def start_sleeper(platform, cluster, image, family, **options):
    arn = platform.run_task(cluster, register(platform, family, sleeper(image), **options))
    return platform.wait_task(cluster, arn, "RUNNING")


def sh(platform, task, script, check=True):
    return platform.docker("exec", task["containers"][0]["runtimeId"], "sh", "-c", script, check=check)


def credentials_of(platform, task):
    return json.loads(sh(platform, task, FETCH).stdout)


def caller(platform, credentials):
    """Who that is, asked at the platform's main address."""
    sts = boto3.client("sts", region_name=REGION, endpoint_url=platform.endpoint, aws_access_key_id=credentials["AccessKeyId"],
                       aws_secret_access_key=credentials["SecretAccessKey"], aws_session_token=credentials["Token"],
                       config=botocore.config.Config(retries={"max_attempts": 0}))
    try:
        return sts.get_caller_identity()["Arn"]
    except ClientError as error:
        return error.response["Error"]["Code"]


def test_boto3_in_a_task_has_the_rights_of_its_role_and_no_others(platform, cluster, boto3_image):
    log = {"logDriver": "awslogs", "options": {"awslogs-group": "/roles/boto3", "awslogs-region": REGION,
                                               "awslogs-stream-prefix": "ecs", "awslogs-create-group": "true"}}
    definition = register(platform, "boto3", {
        "name": "app", "image": boto3_image, "command": ["-c", APPLICATION], "logConfiguration": log,
        "environment": [{"name": "PYTHONPATH", "value": "/packages"}]})
    arn = platform.run_task(cluster, definition)
    task = eventually("it has ended", lambda: (t := platform.task(cluster, arn))["lastStatus"] == "STOPPED" and t)
    said = platform.log_lines("/roles/boto3")
    assert task["containers"][0].get("exitCode") == 0, (task.get("stoppedReason"), said)
    assert json.loads(said[-1]) == {
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/app/{arn.split('/')[-1]}",
        "clusters": len(platform.ecs.list_clusters()["clusterArns"]), "denied": "AccessDeniedException", "method": "container-role"}


def test_credentials_are_for_the_tasks_own_containers(platform, cluster, busybox):
    task = start_sleeper(platform, cluster, busybox, "mine")
    other = start_sleeper(platform, cluster, busybox, "other")
    plain = start_sleeper(platform, cluster, busybox, "plain", role=None)
    mine = credentials_of(platform, task)
    assert mine["RoleArn"] == ROLE
    assert re.fullmatch(r"ASIA[A-Z2-7]{16}", mine["AccessKeyId"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", mine["Expiration"])
    assert credentials_of(platform, task) == mine
    assert credentials_of(platform, other)["AccessKeyId"] != mine["AccessKeyId"]

    where = sh(platform, task, "echo $AWS_CONTAINER_CREDENTIALS_RELATIVE_URI").stdout.strip()
    stolen = sh(platform, other, f"wget -O - http://169.254.170.2{where}", check=False)
    assert (stolen.returncode, stolen.stdout) == (1, "") and "404" in stolen.stderr
    stolen = sh(platform, plain, f"wget -O - http://169.254.170.2{where}", check=False)
    assert (stolen.returncode, stolen.stdout) == (1, "") and "403" in stolen.stderr
    assert not answers(f"http://169.254.170.2{where}"), "nor for the machine itself"
    assert sh(platform, plain, "env | grep -c -e AWS_CONTAINER -e AWS_ENDPOINT", check=False).stdout.strip() == "0"


def test_a_task_with_a_role_is_on_its_own_network_first(platform, cluster, busybox):
    task = start_sleeper(platform, cluster, busybox, "routed")
    server = platform.run_task(cluster, register(platform, "server", {
        "name": "app", "image": busybox, "command": ["sh", "-c", "mkdir /tmp && echo hello > /tmp/index.html && exec httpd -f -p 80 -h /tmp"]}))
    server = platform.wait_task(cluster, server, "RUNNING")
    eventually("the server answers", lambda: answers(url(server, "/", 80)))
    gateway = address(task).rsplit(".", 1)[0]
    assert f"default via {gateway.rsplit('.', 1)[0]}." in sh(platform, task, "ip route").stdout
    assert sh(platform, task, "hostname -i").stdout.split()[0] == address(task)
    assert sh(platform, task, f"timeout 5 wget -q -O - {url(server, '/', 80)}").stdout == "hello\n"
    # On the network of credentials the two do not meet.
    shown = sh(platform, server, "ip -4 addr").stdout
    (there,) = re.findall(r"inet (169\.254\.17[01]\.\d+)/", shown)
    assert sh(platform, task, f"timeout 2 wget -q -O - http://{there}/", check=False).returncode != 0


def test_two_containers_of_a_task_have_the_same_role(platform, cluster, busybox):
    arn = platform.run_task(cluster, register(platform, "pair", sleeper(busybox), sleeper(busybox, "side")))
    task = platform.wait_task(cluster, arn, "RUNNING")
    first, second = (json.loads(platform.docker("exec", container["runtimeId"], "sh", "-c", FETCH).stdout)
                     for container in task["containers"])
    assert first == second


@pytest.mark.parametrize("network", ["bridge", "host"])
def test_other_network_modes_reach_them_as_well(platform, cluster, busybox, network):
    definition = register(platform, f"on-{network}", sleeper(busybox), network=network)
    arn = platform.ecs.run_task(cluster=cluster, taskDefinition=definition)["tasks"][0]["taskArn"]
    task = platform.wait_task(cluster, arn, "RUNNING")
    assert caller(platform, credentials_of(platform, task)).endswith(arn.split("/")[-1])


def test_credentials_end_with_the_task(platform, cluster, busybox):
    task = start_sleeper(platform, cluster, busybox, "short")
    credentials = credentials_of(platform, task)
    assert caller(platform, credentials) == f"arn:aws:sts::{ACCOUNT}:assumed-role/app/{task['taskArn'].split('/')[-1]}"
    platform.ecs.stop_task(cluster=cluster, task=task["taskArn"])
    platform.wait_task(cluster, task["taskArn"], "STOPPED")
    eventually("they are revoked", lambda: caller(platform, credentials) in ("InvalidClientTokenId", "ExpiredToken"))
    eventually("nothing of it is left", lambda: not platform.containers(cluster=cluster))


def test_a_role_of_an_override_counts(platform, cluster, busybox):
    make_role(platform, "override")
    definition = register(platform, "overridden", sleeper(busybox))
    arn = platform.run_task(cluster, definition, overrides={"taskRoleArn": "override"})
    task = platform.wait_task(cluster, arn, "RUNNING")
    assert credentials_of(platform, task)["RoleArn"] == f"arn:aws:iam::{ACCOUNT}:role/override"


@pytest.mark.parametrize("service", [None, "ec2.amazonaws.com"], ids=["no such role", "a role for others"])
def test_a_role_that_cannot_be_assumed_is_the_stopped_reason(platform, cluster, busybox, service):
    name = "missing"
    if service:
        name = "others"
        make_role(platform, name, {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}]})
    arn = platform.run_task(cluster, register(platform, name, sleeper(busybox), role=name))
    task = eventually("it has stopped", lambda: (t := platform.task(cluster, arn))["lastStatus"] == "STOPPED" and t)
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"].startswith(
        f"ECS was unable to assume the role 'arn:aws:iam::{ACCOUNT}:role/{name}' that was provided for this task.")
    eventually("nothing of it is left", lambda: not platform.containers(cluster=cluster))


def test_another_platform_on_the_machine_says_why_it_cannot(platform, cluster, busybox, busybox_image):
    start_sleeper(platform, cluster, busybox, "first")
    second = Platform()
    try:
        second.start()
        second.cluster("second")
        make_role(second)
        image = second.push(busybox_image, "busybox")
        arn = second.run_task("second", register(second, "app", sleeper(image)))
        task = eventually("it has stopped", lambda: (t := second.task("second", arn))["lastStatus"] == "STOPPED" and t)
        assert task["stoppedReason"].startswith("ResourceInitializationError: unable to give the task the credentials of its role: ")
        assert "169.254.170.2" in task["stoppedReason"]
        plain = second.run_task("second", register(second, "plain", sleeper(image), role=None))
        second.wait_task("second", plain, "RUNNING")
    finally:
        second.close()


def test_a_killed_platform_goes_on_where_it_was(platform, cluster, busybox):
    lives = start_sleeper(platform, cluster, busybox, "lives")
    ends = start_sleeper(platform, cluster, busybox, "ends")
    of_ended = credentials_of(platform, ends)
    before = credentials_of(platform, lives)
    platform.kill()
    platform.docker("kill", ends["containers"][0]["runtimeId"])
    platform.start()
    assert caller(platform, before).endswith(lives["taskArn"].split("/")[-1]), "what was given out holds"
    assert caller(platform, credentials_of(platform, lives)).endswith(lives["taskArn"].split("/")[-1])
    platform.wait_task(cluster, ends["taskArn"], "STOPPED")
    eventually("they are revoked", lambda: caller(platform, of_ended) == "InvalidClientTokenId")


def test_a_service_with_a_role_rolls_over(platform, cluster, busybox):
    definition = register(platform, "served", sleeper(busybox))
    platform.create_service(cluster, "served", definition)
    platform.wait_stable(cluster, "served")
    before = [credentials_of(platform, task) for task in platform.tasks(cluster, "served")]
    platform.ecs.update_service(cluster=cluster, service="served", forceNewDeployment=True)
    platform.wait_stable(cluster, "served")
    eventually("those of before are revoked", lambda: {caller(platform, each) for each in before} == {"InvalidClientTokenId"})
    assert all(caller(platform, credentials_of(platform, task)).startswith("arn:") for task in platform.tasks(cluster, "served"))
