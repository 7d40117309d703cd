"""The containers of one awsvpc task are on one network: one address, and each other's 127.0.0.1."""

import json

import pytest
from harness import REGION, address, answers, eventually, fetch, url

# Nobody listens in the first second: who does not wait until it is healthy reaches nobody.
SERVE_LATE = ["sh", "-c", "mkdir -p /tmp/www && echo hello > /tmp/www/index.html && sleep 1 && exec httpd -f -p 80 -h /tmp/www"]
CHECK = {"command": ["CMD-SHELL", "wget -q -O - http://127.0.0.1/ | grep -q hello"], "interval": 5, "timeout": 2, "retries": 10}


def logged(group):
    return {"logDriver": "awslogs", "options": {
        "awslogs-group": group, "awslogs-region": REGION, "awslogs-stream-prefix": "ecs", "awslogs-create-group": "true"}}


def register(platform, family, *containers):
    answer = platform.ecs.register_task_definition(family=family, networkMode="awsvpc", containerDefinitions=[
        {"memory": 32, "stopTimeout": 2, **container} for container in containers])
    return answer["taskDefinition"]["taskDefinitionArn"]


def pause_containers(platform, task_arn):
    return platform.docker("ps", "-aq", "--no-trunc", "--filter", "label=kaapi.container=pause",
                           "--filter", f"label=kaapi.task={task_arn.split('/')[-1]}").stdout.split()


def network_mode(platform, container):
    return json.loads(platform.docker("inspect", container).stdout)[0]["HostConfig"]["NetworkMode"]


def container(task, name):
    return next(c for c in task["containers"] if c["name"] == name)


def test_one_container_reaches_the_other_at_localhost_once_it_is_healthy(platform, cluster, busybox):
    definition = register(
        platform, "pair",
        {"name": "client", "image": busybox, "essential": False, "logConfiguration": logged("/network/pair"),
         "dependsOn": [{"containerName": "server", "condition": "HEALTHY"}],
         "command": ["sh", "-c", "wget -q -O - http://127.0.0.1/ || echo nobody listens"]},
        {"name": "server", "image": busybox, "command": SERVE_LATE, "healthCheck": CHECK, "portMappings": [{"containerPort": 80}]})
    arn = platform.run_task(cluster, definition)
    platform.wait_task(cluster, arn, "RUNNING")
    eventually("the client has ended", lambda: container(platform.task(cluster, arn), "client").get("exitCode") is not None)
    eventually("the client has spoken", lambda: platform.log_lines("/network/pair"))
    assert platform.log_lines("/network/pair") == ["hello"]

    task = platform.task(cluster, arn)
    assert task["lastStatus"] == "RUNNING"
    assert fetch(url(task, "/", 80)) == "hello\n"
    assert {c["networkInterfaces"][0]["privateIpv4Address"] for c in task["containers"]} == {address(task)}
    (pause,) = pause_containers(platform, arn)
    assert {network_mode(platform, c["runtimeId"]) for c in task["containers"]} == {f"container:{pause}"}
    assert {c["name"] for c in task["containers"]} == {"client", "server"}

    platform.ecs.stop_task(cluster=cluster, task=arn)
    platform.wait_task(cluster, arn, "STOPPED")
    eventually("nothing of it is left", lambda: not platform.containers(cluster=cluster))


def test_a_single_container_needs_no_pause(platform, cluster, busybox):
    arn = platform.run_task(cluster, platform.register("alone", busybox, command=["sleep", "600"]))
    platform.wait_task(cluster, arn, "RUNNING")
    assert len(platform.containers(cluster=cluster)) == 1
    assert not pause_containers(platform, arn)


def test_a_service_of_pairs_rolls_over_and_leaves_nothing(platform, cluster, busybox):
    server = {"name": "server", "image": busybox, "command": SERVE_LATE, "healthCheck": CHECK}
    side = {"name": "side", "image": busybox, "command": ["sh", "-c", "trap 'exit 0' TERM; sleep 600 & wait"],
            "dependsOn": [{"containerName": "server", "condition": "HEALTHY"}]}
    platform.create_service(cluster, "app", register(platform, "pairs", server, side))
    platform.wait_stable(cluster, "app")
    before = platform.tasks(cluster, "app")
    assert len({address(task) for task in before}) == 2
    platform.ecs.update_service(cluster=cluster, service="app", forceNewDeployment=True)
    platform.wait_stable(cluster, "app")
    eventually("two tasks of three containers each are left", lambda: len(platform.containers(cluster=cluster)) == 6)
    assert not [task for task in before if pause_containers(platform, task["taskArn"])]


def test_a_network_that_is_gone_is_not_replaced_by_another(platform, cluster, busybox):
    gate = {"command": ["CMD-SHELL", "test -f /open"], "interval": 5, "timeout": 2, "retries": 10, "startPeriod": 60}
    definition = register(
        platform, "orphans",
        {"name": "first", "image": busybox, "command": ["sleep", "600"], "healthCheck": gate},
        {"name": "second", "image": busybox, "command": ["sleep", "600"], "dependsOn": [{"containerName": "first", "condition": "HEALTHY"}]})
    arn = platform.run_task(cluster, definition)
    first = eventually("the first runs", lambda: container(platform.task(cluster, arn), "first").get("runtimeId"))
    (pause,) = pause_containers(platform, arn)
    platform.docker("kill", pause)
    platform.docker("exec", first, "touch", "/open")
    task = platform.wait_task(cluster, arn, "STOPPED")
    assert task["stopCode"] == "TaskFailedToStart"
    assert "CannotStartContainerError: the network namespace that the containers of the task share is gone" in task["stoppedReason"]
    eventually("nothing of it is left", lambda: not platform.containers(cluster=cluster))


@pytest.mark.parametrize("ended", [False, True], ids=["still running", "stopped meanwhile"])
def test_a_pause_is_adopted_like_the_containers_it_serves(fresh_platform, busybox_image, ended):
    platform = fresh_platform.start()
    cluster = "adopted"
    platform.cluster(cluster)
    image = platform.push(busybox_image, "busybox")
    side = {"name": "side", "image": image, "command": ["sh", "-c", "trap 'exit 0' TERM; sleep 600 & wait"]}
    definition = register(platform, "adopted", {"name": "server", "image": image, "command": SERVE_LATE}, side)
    arn = platform.run_task(cluster, definition)
    task = platform.wait_task(cluster, arn, "RUNNING")
    eventually("it answers", lambda: answers(url(task, "/", 80)))
    platform.kill()
    if ended:
        platform.docker("kill", *(c["runtimeId"] for c in task["containers"]))
        platform.start()
        platform.wait_task(cluster, arn, "STOPPED")
    else:
        platform.start()
        assert address(platform.task(cluster, arn)) == address(task)
        assert fetch(url(task, "/", 80)) == "hello\n"
        assert len(pause_containers(platform, arn)) == 1
        platform.ecs.stop_task(cluster=cluster, task=arn)
        platform.wait_task(cluster, arn, "STOPPED")
    eventually("nothing of it is left", lambda: not platform.containers())
    assert platform.ecs.list_tasks(cluster=cluster)["taskArns"] == []
