"""What goes wrong in real life, and that it is said where one looks first."""

import threading
import time

from harness import answers, eventually, fetch, url

BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
ALWAYS_HEALTHY = {"command": ["CMD-SHELL", "exit 0"], "interval": 5, "timeout": 2}
NEVER_HEALTHY = {"command": ["CMD-SHELL", "echo no database; exit 3"], "interval": 5, "timeout": 2, "retries": 1}
SLEEP = ["sh", "-c", "trap 'exit 0' TERM; sleep 600 & wait"]
TASK_FAILED = "TaskFailedToStart"


def healthy_service(platform, cluster, busybox, desired=2):
    good = platform.register(f"{cluster}-app", busybox, command=SLEEP, healthCheck=ALWAYS_HEALTHY)
    platform.create_service(cluster, "app", good, desired, deploymentConfiguration=BREAKER)
    platform.wait_stable(cluster, "app")
    return good


def assert_rolled_back(platform, cluster, good, before):
    """The breaker ended the bad deployment, went back, and the good tasks were never touched."""
    service = eventually("the breaker rolled back", lambda: rolled_back(platform, cluster, good), timeout_s=90)
    assert {task["taskArn"] for task in platform.tasks(cluster, "app")} == before
    messages = [event["message"] for event in service["events"]]
    assert any("deployment failed: tasks failed to start." in message for message in messages)
    assert any("rolling back to deployment" in message for message in messages)


def rolled_back(platform, cluster, good):
    service = platform.service(cluster, "app")
    primary = next(d for d in service["deployments"] if d["status"] == "PRIMARY")
    done = primary["taskDefinition"] == good and primary["rolloutState"] == "COMPLETED" and len(service["deployments"]) == 1
    return service if done else None


def test_unknown_cluster(platform):
    said = platform.aws_error("ecs", "update-service", "--cluster", "nowhere", "--service", "app", "--force-new-deployment")
    assert "(ClusterNotFoundException)" in said


def test_unknown_service(platform, cluster):
    said = platform.aws_error("ecs", "update-service", "--cluster", cluster, "--service", "nothing", "--desired-count", "1")
    assert "(ServiceNotFoundException)" in said
    assert platform.ecs.describe_services(cluster=cluster, services=["nothing"])["failures"][0]["reason"] == "MISSING"


def test_unknown_task_definition(platform, cluster):
    said = platform.aws_error("ecs", "run-task", "--cluster", cluster, "--task-definition", "nothing")
    assert "(ClientException)" in said


def test_inactive_revision(platform, cluster, busybox):
    good = healthy_service(platform, cluster, busybox, desired=1)
    inactive = platform.register(f"{cluster}-app", busybox, command=SLEEP)
    platform.ecs.deregister_task_definition(taskDefinition=inactive)
    said = platform.aws_error("ecs", "update-service", "--cluster", cluster, "--service", "app", "--task-definition", inactive)
    assert "(ClientException)" in said and "TaskDefinition is inactive" in said
    said = platform.aws_error("ecs", "run-task", "--cluster", cluster, "--task-definition", inactive)
    assert "TaskDefinition is inactive" in said
    assert platform.service(cluster, "app")["taskDefinition"] == good


def test_wrong_registry_password(platform):
    said = platform.docker("login", "--username", "AWS", "--password-stdin", platform.registry, input="wrong", check=False)
    assert said.returncode != 0
    assert "unauthorized" in said.stderr.lower()


def test_push_without_a_login(platform, busybox_image, busybox, tmp_path):
    reference = f"{platform.registry}/busybox:stranger"
    platform.docker("tag", busybox_image, reference)
    said = platform.docker("--config", str(tmp_path), "push", reference, check=False)
    assert said.returncode != 0
    assert "stranger" not in str(platform.boto("ecr").list_images(repositoryName="busybox")["imageIds"])


def test_wrong_secret_and_unknown_key(platform):
    said = platform.aws_error("ecs", "list-clusters", AWS_SECRET_ACCESS_KEY="wrong")
    assert "(InvalidSignatureException)" in said or "(SignatureDoesNotMatch)" in said
    said = platform.aws_error("ecs", "list-clusters", AWS_ACCESS_KEY_ID="AKIAAAAAAAAAAAAAAAAA")
    assert "(UnrecognizedClientException)" in said


def test_image_that_does_not_exist(platform, cluster):
    missing = platform.register("missing-image", f"{platform.registry}/busybox:nothing")
    task = platform.wait_task(cluster, platform.run_task(cluster, missing), "STOPPED")
    assert task["stopCode"] == TASK_FAILED
    assert task["stoppedReason"].startswith("CannotPullContainerError")


def test_update_to_an_image_that_does_not_exist_rolls_back(platform, cluster, busybox):
    good = healthy_service(platform, cluster, busybox)
    before = {task["taskArn"] for task in platform.tasks(cluster, "app")}
    missing = platform.register(f"{cluster}-app", f"{platform.registry}/busybox:nothing", healthCheck=ALWAYS_HEALTHY)
    platform.ecs.update_service(cluster=cluster, service="app", taskDefinition=missing)
    assert_rolled_back(platform, cluster, good, before)


def test_container_that_cannot_start(platform, cluster, busybox):
    broken = platform.register("no-program", busybox, entryPoint=["/no/such/program"])
    task = platform.wait_task(cluster, platform.run_task(cluster, broken), "STOPPED")
    assert task["stopCode"] == TASK_FAILED
    assert task["stoppedReason"].startswith("CannotStartContainerError")


def test_container_that_exits_at_once_rolls_back(platform, cluster, backend, busybox):
    good = healthy_service(platform, cluster, busybox)
    before = {task["taskArn"] for task in platform.tasks(cluster, "app")}
    crashing = platform.register(f"{cluster}-app", backend, environment=[{"name": "CRASH_ON_START", "value": "7"}])
    platform.ecs.update_service(cluster=cluster, service="app", taskDefinition=crashing)
    assert_rolled_back(platform, cluster, good, before)
    crashed = [task for task in platform.tasks(cluster, "app", "STOPPED") if task["taskDefinitionArn"] == crashing]
    assert len(crashed) >= 3  # the breaker's lowest threshold
    assert 7 in {task["containers"][0].get("exitCode") for task in crashed}


def test_first_deployment_that_never_starts_stays_failed(platform, cluster, backend):
    crashing = platform.register(f"{cluster}-app", backend, environment=[{"name": "CRASH_ON_START", "value": "7"}])
    platform.create_service(cluster, "app", crashing, 1, deploymentConfiguration=BREAKER)

    def failed():
        deployment = platform.service(cluster, "app")["deployments"][0]
        return deployment if deployment["rolloutState"] == "FAILED" else None

    deployment = eventually("the deployment failed", failed)
    assert deployment["rolloutStateReason"] == "ECS deployment circuit breaker: tasks failed to start."
    assert deployment["failedTasks"] >= 3


def test_health_that_never_comes_rolls_back(platform, cluster, busybox):
    good = healthy_service(platform, cluster, busybox)
    before = {task["taskArn"] for task in platform.tasks(cluster, "app")}
    sick = platform.register(f"{cluster}-app", busybox, command=SLEEP, healthCheck=NEVER_HEALTHY)
    platform.ecs.update_service(cluster=cluster, service="app", taskDefinition=sick)
    assert_rolled_back(platform, cluster, good, before)
    stopped = [task for task in platform.tasks(cluster, "app", "STOPPED") if task["taskDefinitionArn"] == sick]
    assert "Task failed container health checks" in {task["stoppedReason"] for task in stopped}
    assert "health check failed: exit code 3: no database" in {task["containers"][0].get("reason") for task in stopped}
    messages = [event["message"] for event in platform.service(cluster, "app")["events"]]
    assert any(message.endswith("Container app: health check failed: exit code 3: no database") for message in messages)


def test_task_that_turns_unhealthy_is_replaced(platform, cluster, backend):
    check = {"command": ["CMD", "/backend", "--health"], "interval": 5, "timeout": 2, "retries": 1}
    turning = platform.register(f"{cluster}-app", backend, healthCheck=check, environment=[{"name": "UNHEALTHY_AFTER_S", "value": "6"}])
    platform.create_service(cluster, "app", turning, 1)
    platform.wait_stable(cluster, "app")
    first = platform.tasks(cluster, "app")[0]["taskArn"]
    replaced = platform.wait_task(cluster, first, "STOPPED")
    assert replaced["stoppedReason"] == "Task failed container health checks"
    eventually("another task has taken its place", lambda: [task for task in platform.tasks(cluster, "app") if task["taskArn"] != first])


def test_task_that_dies_is_replaced(platform, cluster, backend):
    platform.create_service(cluster, "app", platform.register(f"{cluster}-app", backend), 1)
    platform.wait_stable(cluster, "app")
    task = platform.tasks(cluster, "app")[0]
    platform.docker("kill", task["containers"][0]["runtimeId"])
    assert platform.wait_task(cluster, task["taskArn"], "STOPPED")["containers"][0]["exitCode"] == 137
    eventually("another task runs", lambda: [other for other in platform.tasks(cluster, "app")
                                             if other["taskArn"] != task["taskArn"] and other["lastStatus"] == "RUNNING"])


def test_stop_that_is_ignored_is_enforced(platform, cluster, backend):
    stubborn = platform.register("stubborn", backend, stopTimeout=2, environment=[{"name": "IGNORE_SIGTERM", "value": "1"}])
    arn = platform.run_task(cluster, stubborn)
    task = platform.wait_task(cluster, arn, "RUNNING")
    eventually("it serves", lambda: answers(url(task)))
    asked_at = time.monotonic()
    platform.aws("ecs", "stop-task", "--cluster", cluster, "--task", arn, "--reason", "enough")
    task = platform.wait_task(cluster, arn, "STOPPED")
    assert 2 <= time.monotonic() - asked_at < 10
    assert task["containers"][0]["exitCode"] == 137
    assert (task["stopCode"], task["stoppedReason"]) == ("UserInitiated", "enough")


def test_stop_lets_a_request_finish(platform, cluster, backend):
    arn = platform.run_task(cluster, platform.register("polite", backend, stopTimeout=20))
    task = platform.wait_task(cluster, arn, "RUNNING")
    eventually("it serves", lambda: answers(url(task)))
    answer = []
    slow = threading.Thread(target=lambda: answer.append(fetch(url(task, "/api/v1/utils/wait/?ms=1500"), 10)))
    slow.start()
    platform.ecs.stop_task(cluster=cluster, task=arn, reason="enough")
    slow.join()
    assert answer == ["true"]
    assert platform.wait_task(cluster, arn, "STOPPED")["containers"][0]["exitCode"] == 0
