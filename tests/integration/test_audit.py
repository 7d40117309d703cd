"""The audit log: every call with who, what, from where and why, through CloudTrail's API and `kaapi audit`; nothing secret in it."""

import datetime
import json
import queue
import stat
import subprocess
import threading

import boto3
import botocore.config
import pytest
from botocore.exceptions import ClientError

from harness import ACCOUNT, KAAPI, REGION, WAIT_TIMEOUT_S, fetch

TRUST = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}]}
ONE_CLUSTER = {"Version": "2012-10-17", "Statement": [
    {"Sid": "Look", "Effect": "Allow", "Action": "ecs:DescribeClusters",
     "Resource": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/seen"}]}


def lookup(platform, key=None, value=None, **arguments):
    """The events found, newest first, each as its JSON."""
    attributes = [{"AttributeKey": key, "AttributeValue": value}] if key else []
    pages = platform.boto("cloudtrail").get_paginator("lookup_events").paginate(LookupAttributes=attributes, **arguments)
    return [json.loads(event["CloudTrailEvent"]) for page in pages for event in page["Events"]]


def client(platform, service, key):
    """A client with a key (and perhaps a session token) of its own."""
    return boto3.client(
        service, region_name=REGION, endpoint_url=platform.endpoint, aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"], aws_session_token=key.get("SessionToken"),
        config=botocore.config.Config(retries={"max_attempts": 0}))


def audit(platform, *arguments):
    return platform.cli("audit", "--data", platform.data, *arguments).stdout


def audit_text(platform):
    return "".join(path.read_text() for path in sorted((platform.data / "audit").iterdir()))


@pytest.fixture(scope="module")
def role(platform):
    """Keys of a role's session that may look at one cluster and do nothing else."""
    iam = platform.boto("iam")
    arn = iam.create_role(RoleName="looker", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    iam.put_role_policy(RoleName="looker", PolicyName="look", PolicyDocument=json.dumps(ONE_CLUSTER))
    iam.create_user(UserName="carol")
    iam.put_user_policy(UserName="carol", PolicyName="assume", PolicyDocument=json.dumps({
        "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": arn}]}))
    key = iam.create_access_key(UserName="carol")["AccessKey"]
    session = client(platform, "sts", key).assume_role(RoleArn=arn, RoleSessionName="run-7")["Credentials"]
    return {"user": key, "session": session}


def test_a_call_is_found_by_who_what_where_and_when(platform):
    arn = platform.cluster("found")
    event = lookup(platform, "ResourceName", "found")[0]
    assert (event["eventSource"], event["eventName"], event["readOnly"]) == ("ecs.amazonaws.com", "CreateCluster", False)
    assert (event["sourceIPAddress"], event["awsRegion"]) == ("127.0.0.1", REGION)
    assert event["userIdentity"]["type"] == "Root" and event["userIdentity"]["accessKeyId"] == platform.env["AWS_ACCESS_KEY_ID"]
    assert "Boto3" in event["userAgent"]
    assert event["resources"] == [{"ARN": arn, "accountId": ACCOUNT, "type": "AWS::ECS::Cluster"}]
    assert event["decision"]["allowed"] is True
    at = datetime.datetime.fromisoformat(event["eventTime"].replace("Z", "+00:00"))
    window = {"StartTime": at, "EndTime": at + datetime.timedelta(seconds=1)}
    for key, value in [("EventName", "CreateCluster"), ("Username", "root"), ("ResourceName", arn), ("EventId", event["eventID"]),
                       ("EventSource", "ecs.amazonaws.com"), ("ResourceType", "AWS::ECS::Cluster"), ("ReadOnly", "false"),
                       ("AccessKeyId", platform.env["AWS_ACCESS_KEY_ID"])]:
        assert event in lookup(platform, key, value), key
        assert event in lookup(platform, key, value, **window), key
    assert event not in lookup(platform, EndTime=at - datetime.timedelta(seconds=1))
    assert event not in lookup(platform, StartTime=at + datetime.timedelta(seconds=1))


def test_the_request_id_of_an_answer_leads_to_its_event(platform):
    asked = platform.ecs.list_clusters()["ResponseMetadata"]["RequestId"]
    assert [event["eventName"] for event in lookup(platform) if event.get("requestID") == asked] == ["ListClusters"]


def test_the_aws_client_looks_events_up(platform):
    platform.cluster("by-the-client")
    answer = platform.aws("cloudtrail", "lookup-events", "--lookup-attributes",
                          "AttributeKey=ResourceName,AttributeValue=by-the-client")
    assert [(event["EventName"], event["Username"]) for event in answer["Events"]] == [("CreateCluster", "root")]


def test_lookups_page(platform):
    for number in range(7):
        platform.cluster(f"page-{number}")
    answer = platform.boto("cloudtrail").get_paginator("lookup_events").paginate(
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "CreateCluster"}], PaginationConfig={"PageSize": 3})
    pages = list(answer)
    names = [event["Resources"][0]["ResourceName"].split("/")[-1] for page in pages for event in page["Events"]]
    assert names[:7] == [f"page-{number}" for number in reversed(range(7))]
    assert len(pages) >= 3


@pytest.mark.parametrize("code, arguments", [
    ("InvalidMaxResultsException", {"MaxResults": 51}),
    ("InvalidTimeRangeException", {"StartTime": 2000, "EndTime": 1000}),
    ("InvalidNextTokenException", {"NextToken": "made up"}),
    ("InvalidLookupAttributesException", {"LookupAttributes": [{"AttributeKey": "Colour", "AttributeValue": "red"}]}),
])
def test_a_wrong_lookup_is_refused_as_by_aws(platform, code, arguments):
    with pytest.raises(ClientError) as refused:
        platform.boto("cloudtrail").lookup_events(**arguments)
    assert refused.value.response["Error"]["Code"] == code


def test_a_refusal_tells_who_and_why(platform, role):
    ecs = client(platform, "ecs", role["session"])
    assert ecs.describe_clusters(clusters=["seen"])["failures"]
    with pytest.raises(ClientError):
        ecs.create_cluster(clusterName="forbidden")
    refused, allowed = lookup(platform, "Username", "run-7")[:2]
    assert (allowed["eventName"], allowed["decision"]["allowed"]) == ("DescribeClusters", True)
    assert "look" in allowed["decision"]["reason"]
    assert (refused["eventName"], refused["errorCode"]) == ("CreateCluster", "AccessDeniedException")
    assert refused["decision"]["allowed"] is False
    assert "is not authorized to perform: ecs:CreateCluster" in refused["decision"]["reason"]
    identity = refused["userIdentity"]
    assert (identity["type"], identity["arn"]) == ("AssumedRole", f"arn:aws:sts::{ACCOUNT}:assumed-role/looker/run-7")
    assert identity["sessionContext"]["sessionIssuer"]["userName"] == "looker"
    assert refused["resources"][0]["ARN"] == f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/forbidden"
    assert lookup(platform, "EventName", "AssumeRole")[0]["userIdentity"]["userName"] == "carol"

    shown = audit(platform, "--denied", "--user", "looker").splitlines()
    assert len(shown) == 2
    assert "looker/run-7" in shown[1] and "ecs:CreateCluster" in shown[1] and "cluster/forbidden" in shown[1]
    assert "denied: User: arn:aws:sts" in shown[1]


def test_who_cannot_be_told_apart_is_recorded_too(platform):
    with pytest.raises(ClientError):
        client(platform, "ecs", {"AccessKeyId": "AKIAAAAAAAAAAAAAAAAA", "SecretAccessKey": "wrong"}).list_clusters()
    newest = lookup(platform, "EventName", "ListClusters")[0]
    assert newest["errorCode"] == "UnrecognizedClientException"
    assert newest["decision"]["allowed"] is False
    assert newest["sourceIPAddress"] == "127.0.0.1"


def test_no_secret_is_in_it(platform, role):
    secrets = [platform.env["AWS_SECRET_ACCESS_KEY"], role["user"]["SecretAccessKey"], role["session"]["SecretAccessKey"],
               role["session"]["SessionToken"]]
    platform.login()
    password = platform.shell("aws ecr get-login-password").stdout.strip()
    url = platform.boto("sts").generate_presigned_url("get_caller_identity")
    secrets += [password, url.split("X-Amz-Signature=")[1].split("&")[0]]
    with pytest.raises(ClientError):
        client(platform, "ecs", {**role["session"], "SecretAccessKey": "wrong"}).list_clusters()
    written = audit_text(platform)
    assert "GetAuthorizationToken" in written
    for secret in secrets:
        assert secret and secret not in written
    assert '"Sid' not in written and "Sid\\" not in written  # no request's parameters, such as a policy


def test_a_push_is_recorded(platform, busybox_image):
    platform.push(busybox_image, "audited", "1")
    found = lookup(platform, "ResourceName", "audited")
    assert "PutImage" in [event["eventName"] for event in found]
    assert {event["eventSource"] for event in found} == {"ecr.amazonaws.com"}


def test_only_its_owner_reads_it(platform):
    folder = platform.data / "audit"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_counters_say_how_many_were_written_and_lost(platform):
    text = fetch(platform.endpoint + "/metrics")
    values = dict(line.split() for line in text.splitlines() if line.startswith("kaapi_audit"))
    assert int(values["kaapi_audit_records_total"]) > 0
    assert int(values["kaapi_audit_lost_total"]) == 0


class Follower:
    """A `kaapi audit --follow` whose lines are taken one by one."""

    def __init__(self, platform, *arguments):
        command = [str(KAAPI), "audit", "--data", str(platform.data), "--follow", *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=platform.env)
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line)

    def next(self):
        return self.lines.get(timeout=WAIT_TIMEOUT_S)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(WAIT_TIMEOUT_S)


def test_a_follower_sees_each_call_as_it_comes(platform):
    platform.cluster("before")
    with Follower(platform, "--event", "ecs:CreateCluster", "--last", "1") as follower:
        assert "OUTCOME" in follower.next()
        assert "cluster/before" in follower.next()
        platform.cluster("while-following")
        line = follower.next()
        assert "cluster/while-following" in line and "allowed" in line
    with Follower(platform, "--json", "--last", "0", "--user", "root") as follower:
        # The follower may look after the first of these calls: then it sees one of the next.
        for number in range(100):
            platform.cluster(f"follow-{number}")
            if not follower.lines.empty():
                break
        assert json.loads(follower.next())["eventName"] == "CreateCluster"


def test_what_was_answered_is_recorded_whatever_dies(fresh_platform):
    platform = fresh_platform.start()
    for number in range(20):
        platform.cluster(f"kept-{number}")
    platform.kill()
    text = audit_text(platform)
    assert all(f"cluster/kept-{number}\"" in text for number in range(20))
    assert audit(platform, "--last", "1").splitlines()[-1].split()[2] == "ecs:CreateCluster"  # also while nothing runs
    # What a power cut may leave: a line without an end. It stays, and nothing after it is lost.
    with (platform.data / "audit" / "audit-1.jsonl").open("a") as file:
        file.write('{"eventVersion":"1.08","eventID":')
    platform.start()
    platform.cluster("after")
    assert [event["resources"][0]["ARN"].split("/")[-1] for event in lookup(platform, "EventName", "CreateCluster")][:2] == [
        "after", "kept-19"]
    assert "cluster/after" in audit(platform, "--last", "5")
