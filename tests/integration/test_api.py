"""The wire, with boto3: paging, kept-apart regions, errors that name what is wrong."""

import http.client
import json
import time

import pytest
from botocore.exceptions import ClientError

from harness import REGION


def error_of(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def pages(client, operation, key, size, **arguments):
    """All items and the number of pages, through the client's own paginator."""
    seen = list(client.get_paginator(operation).paginate(PaginationConfig={"PageSize": size}, **arguments))
    return [item for page in seen for item in page[key]], len(seen)


def register(platform, family):
    return platform.register(family, "busybox")


def test_lists_page(platform):
    arns = [register(platform, "paged") for _ in range(7)]
    listed, count = pages(platform.ecs, "list_task_definitions", "taskDefinitionArns", 3, familyPrefix="paged")
    assert (listed, count) == (arns, 3)
    newest_first, _ = pages(platform.ecs, "list_task_definitions", "taskDefinitionArns", 3, familyPrefix="paged", sort="DESC")
    assert newest_first == arns[::-1]
    for number in range(5):
        platform.cluster(f"paged-{number}")
        platform.logs.create_log_group(logGroupName=f"/paged/{number}")
    listed, count = pages(platform.ecs, "list_clusters", "clusterArns", 2)
    assert len(set(listed)) == len(listed) >= 5 and count >= 3
    groups, count = pages(platform.logs, "describe_log_groups", "logGroups", 2, logGroupNamePrefix="/paged/")
    assert [group["logGroupName"] for group in groups] == [f"/paged/{number}" for number in range(5)]
    assert count >= 3


def test_family_prefix_is_exact_for_task_definitions_only(platform):
    exact = register(platform, "shop")
    register(platform, "shop-migration")
    assert platform.ecs.list_task_definitions(familyPrefix="shop")["taskDefinitionArns"] == [exact]
    assert platform.ecs.list_task_definition_families(familyPrefix="shop")["families"] == ["shop", "shop-migration"]


def test_revisions_are_never_reused(platform):
    first = register(platform, "unique")
    platform.ecs.deregister_task_definition(taskDefinition=first)
    assert register(platform, "unique").endswith(":2")
    assert platform.ecs.list_task_definitions(familyPrefix="unique", status="INACTIVE")["taskDefinitionArns"] == [first]


def test_a_wrong_token_is_refused(platform):
    code, message = error_of(platform.ecs.list_clusters, nextToken="made up")
    assert code == "InvalidParameterException"
    assert "token" in message.lower()


def test_log_events_page_and_filter(platform):
    logs = platform.logs
    logs.create_log_group(logGroupName="/app")
    logs.create_log_stream(logGroupName="/app", logStreamName="one")
    now_ms = int(time.time() * 1000)
    events = [{"timestamp": now_ms + number, "message": f"line {number} {'ERROR' if number % 10 == 0 else 'fine'}"} for number in range(100)]
    logs.put_log_events(logGroupName="/app", logStreamName="one", logEvents=events)
    found, _ = pages(logs, "filter_log_events", "events", 3, logGroupName="/app", filterPattern="ERROR")
    assert [event["message"] for event in found] == [f"line {number} ERROR" for number in range(0, 100, 10)]
    some = logs.filter_log_events(logGroupName="/app", startTime=now_ms + 5, endTime=now_ms + 8)["events"]
    assert [event["timestamp"] - now_ms for event in some][0] == 5

    first = logs.get_log_events(logGroupName="/app", logStreamName="one", startFromHead=True, limit=60)
    rest = logs.get_log_events(logGroupName="/app", logStreamName="one", startFromHead=True, limit=60, nextToken=first["nextForwardToken"])
    assert [event["message"] for event in first["events"] + rest["events"]] == [event["message"] for event in events]
    end = logs.get_log_events(logGroupName="/app", logStreamName="one", startFromHead=True, nextToken=rest["nextForwardToken"])
    assert (end["events"], end["nextForwardToken"]) == ([], rest["nextForwardToken"])


def test_regions_are_kept_apart(platform):
    platform.cluster("only-here")
    elsewhere = platform.boto("ecs", "us-west-2")
    assert elsewhere.list_clusters()["clusterArns"] == []
    arn = elsewhere.create_cluster(clusterName="only-here")["cluster"]["clusterArn"]
    assert ":us-west-2:" in arn
    assert len([each for each in platform.ecs.list_clusters()["clusterArns"] if each.endswith("/only-here")]) == 1


def test_tags(platform):
    arn = platform.cluster("tagged")
    platform.ecs.tag_resource(resourceArn=arn, tags=[{"key": "team", "value": "shop"}, {"key": "stage", "value": "test"}])
    platform.ecs.untag_resource(resourceArn=arn, tagKeys=["stage"])
    assert platform.ecs.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "team", "value": "shop"}]


def test_a_bad_value_is_named(platform):
    code, message = error_of(platform.ecs.create_service, cluster="tagged", serviceName="x", taskDefinition="x", desiredCount="two")
    assert code in ("ClientException", "InvalidParameterException", "SerializationException", "ValidationException")
    assert "desiredCount" in message
    _, message = error_of(platform.ecs.run_task, taskDefinition="x", count=11)
    assert "count" in message


def test_an_operation_that_is_not_there_is_named(platform):
    _, message = error_of(platform.ecs.create_capacity_provider, name="x", autoScalingGroupProvider={"autoScalingGroupArn": "arn"})
    assert "CreateCapacityProvider" in message


def test_a_cluster_in_use_is_not_deleted(platform):
    platform.cluster("in-use")
    platform.create_service("in-use", "app", register(platform, "in-use"), desired=0)
    code, _ = error_of(platform.ecs.delete_cluster, cluster="in-use")
    assert code == "ClusterContainsServicesException"
    platform.ecs.delete_service(cluster="in-use", service="app")
    assert platform.ecs.delete_cluster(cluster="in-use")["cluster"]["status"] == "INACTIVE"


def test_a_service_is_created_once(platform):
    platform.cluster("once")
    definition = register(platform, "once")
    platform.create_service("once", "app", definition, desired=0)
    code, message = error_of(platform.ecs.create_service, cluster="once", serviceName="app", taskDefinition=definition, desiredCount=1)
    assert code == "InvalidParameterException"
    assert "not idempotent" in message


@pytest.mark.parametrize("body", [b"{", b"[]", b"", b"\xff\xfe", b'{"cluster": ' + b"[" * 5000, b'{"a":' * 3000],
                         ids=["cut off", "a list", "nothing", "no text", "deep lists", "deep objects"])
def test_garbage_gets_an_error_and_breaks_nothing(platform, body):
    connection = http.client.HTTPConnection("127.0.0.1", platform.port, timeout=10)
    connection.request("POST", "/", body, {"X-Amz-Target": "AmazonEC2ContainerServiceV20141113.ListClusters",
                                           "Content-Type": "application/x-amz-json-1.1"})
    answer = connection.getresponse()
    text = answer.read()
    assert 400 <= answer.status < 500
    assert json.loads(text)["__type"]
    connection.close()
    platform.ecs.list_clusters()


def test_a_request_without_a_signature_is_refused(platform):
    connection = http.client.HTTPConnection("127.0.0.1", platform.port, timeout=10)
    connection.request("POST", "/", b"{}", {"X-Amz-Target": "AmazonEC2ContainerServiceV20141113.ListClusters",
                                            "Content-Type": "application/x-amz-json-1.1"})
    answer = connection.getresponse()
    assert answer.status in (400, 403)
    assert "MissingAuthenticationToken" in json.loads(answer.read())["__type"]
    connection.close()


def test_arns_carry_region_and_account(platform):
    assert platform.cluster("named").startswith(f"arn:aws:ecs:{REGION}:123456789012:cluster/")
