"""What a task definition says is what the container gets: networks, ports, limits, process, images pinned."""

import json

from harness import HEALTH_PATH, address, answers, eventually, fetch, free_port, url

SERVE = ["sh", "-c", "mkdir -p /tmp/www && echo hello > /tmp/www/index.html && exec httpd -f -p 80 -h /tmp/www"]


def inspect(platform, task):
    return json.loads(platform.docker("inspect", task["containers"][0]["runtimeId"]).stdout)[0]


def test_awsvpc_tasks_have_addresses_of_their_own(platform, cluster, backend):
    definition = platform.register("own-address", backend, portMappings=[{"containerPort": 8080}])
    tasks = [platform.wait_task(cluster, platform.run_task(cluster, definition), "RUNNING") for _ in range(2)]
    assert address(tasks[0]) != address(tasks[1])
    for task in tasks:
        eventually("it answers on its address", lambda task=task: answers(url(task)))
        assert task["containers"][0]["networkInterfaces"][0]["privateIpv4Address"] == address(task)


def test_bridge_ports_static_and_dynamic(platform, cluster, backend):
    static = free_port()
    definition = platform.register("ports", backend, network="bridge", portMappings=[
        {"containerPort": 8080, "hostPort": static}, {"containerPort": 8080, "hostPort": 0}])
    arn = platform.ecs.run_task(cluster=cluster, taskDefinition=definition)["tasks"][0]["taskArn"]
    task = platform.wait_task(cluster, arn, "RUNNING")
    bindings = task["containers"][0]["networkBindings"]
    assert static in {binding["hostPort"] for binding in bindings}
    assert {binding["containerPort"] for binding in bindings} == {8080}
    for binding in bindings:
        eventually("the port answers", lambda binding=binding: answers(f"http://127.0.0.1:{binding['hostPort']}{HEALTH_PATH}"))


def test_the_process_is_as_defined(platform, cluster, busybox):
    definition = platform.register(
        "process", busybox, log_group="/tasks/process", entryPoint=["sh", "-c"], command=['echo "$GREETING $(pwd) $(id -u)"; sleep 600'],
        environment=[{"name": "GREETING", "value": "hi there"}], workingDirectory="/tmp", user="1234", memory=64, memoryReservation=32, cpu=128)
    arn = platform.run_task(cluster, definition)
    task = platform.wait_task(cluster, arn, "RUNNING")
    eventually("it has spoken", lambda: platform.log_lines("/tasks/process") == ["hi there /tmp 1234"])
    limits = inspect(platform, task)["HostConfig"]
    assert (limits["Memory"], limits["MemoryReservation"], limits["CpuShares"]) == (64 << 20, 32 << 20, 128)


def test_overrides_reach_the_container(platform, cluster, busybox):
    definition = platform.register("overridden", busybox, log_group="/tasks/overrides", command=["echo", "as defined"])
    arn = platform.run_task(cluster, definition, overrides={"containerOverrides": [
        {"name": "app", "command": ["sh", "-c", "echo $WORD"], "environment": [{"name": "WORD", "value": "changed"}]}]})
    platform.wait_task(cluster, arn, "STOPPED")
    assert platform.log_lines("/tasks/overrides") == ["changed"]


def test_a_side_container_may_end_but_an_essential_one_ends_the_task(platform, cluster, busybox):
    definition = platform.ecs.register_task_definition(family="pair", networkMode="awsvpc", containerDefinitions=[
        {"name": "main", "image": busybox, "memory": 32, "command": ["sh", "-c", "trap 'exit 5' TERM; sleep 600 & wait"]},
        {"name": "side", "image": busybox, "memory": 32, "essential": False, "command": ["sh", "-c", "exit 3"]},
    ])["taskDefinition"]["taskDefinitionArn"]
    arn = platform.run_task(cluster, definition)

    def side_ended():
        task = platform.task(cluster, arn)
        codes = {container["name"]: container.get("exitCode") for container in task["containers"]}
        return task if codes["side"] == 3 else None

    assert eventually("the side container ended", side_ended)["desiredStatus"] == "RUNNING"
    main = next(c for c in platform.wait_task(cluster, arn, "RUNNING")["containers"] if c["name"] == "main")
    platform.docker("kill", "--signal", "TERM", main["runtimeId"])
    task = platform.wait_task(cluster, arn, "STOPPED")
    assert task["stopCode"] == "EssentialContainerExited"
    assert {c["name"]: c["exitCode"] for c in task["containers"]} == {"main": 5, "side": 3}


def test_a_success_makes_it_healthy_at_once(platform, cluster, busybox):
    check = {"command": ["CMD-SHELL", "wget -q -O - http://127.0.0.1/ | grep -q hello"], "interval": 30, "timeout": 5, "startPeriod": 60}
    arn = platform.run_task(cluster, platform.register("probed", busybox, command=SERVE, healthCheck=check))
    platform.wait_task(cluster, arn, "RUNNING")
    # The interval is 30 s: only quick probing during the start explains health within a few.
    eventually("it is healthy", lambda: platform.task(cluster, arn).get("healthStatus") == "HEALTHY", timeout_s=5)


def test_a_deployment_keeps_the_image_it_began_with(platform, cluster, backend, backend_image, busybox_image):
    reference = platform.push(backend_image, "moving")
    definition = platform.register("moving", reference)
    platform.create_service(cluster, "app", definition, desired=1)
    platform.wait_stable(cluster, "app")
    first = platform.tasks(cluster, "app")[0]["containers"][0]["imageDigest"]
    platform.push(busybox_image, "moving")
    platform.ecs.update_service(cluster=cluster, service="app", desiredCount=2)
    platform.wait_stable(cluster, "app")
    assert {task["containers"][0]["imageDigest"] for task in platform.tasks(cluster, "app")} == {first}
    assert all(fetch(url(task)) == "true" for task in platform.tasks(cluster, "app"))


def test_scaling_and_deleting_a_service(platform, cluster, backend):
    platform.create_service(cluster, "app", platform.register("scaled", backend), desired=1)
    platform.wait_stable(cluster, "app")
    platform.ecs.update_service(cluster=cluster, service="app", desiredCount=3)
    assert platform.wait_stable(cluster, "app")["runningCount"] == 3
    platform.ecs.update_service(cluster=cluster, service="app", desiredCount=0)
    assert platform.wait_stable(cluster, "app")["runningCount"] == 0
    platform.ecs.delete_service(cluster=cluster, service="app")
    eventually("it is gone", lambda: platform.service(cluster, "app")["status"] == "INACTIVE")
