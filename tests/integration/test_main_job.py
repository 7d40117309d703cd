"""The main job with the commands word for word as a team types them: push, roll out, watch, migrate, read logs, roll back."""

import json
import subprocess
import threading

import pytest

from harness import HEALTH_PATH, REGION, ROOT, WAIT_TIMEOUT_S, eventually, fetch, url

CLUSTER = "shop-staging-cluster"
SERVICE = "shop-staging-service"
REPOSITORY = "shop-staging-repo"
FAMILY = "shop"
LOG_GROUP = f"/ecs/{CLUSTER}/{SERVICE}"


def push_version(platform, version):
    """The example as it lies in the repository, built from its own Dockerfile."""
    platform.shell(f"""
        aws ecr get-login-password | docker login --username AWS --password-stdin {platform.registry}
        docker build --build-arg VERSION={version} -t $REGISTRY/$REPOSITORY:latest ./backend ; docker push $REGISTRY/$REPOSITORY:latest
        """, cwd=ROOT / "examples", REPOSITORY=REPOSITORY)


def versions(platform):
    return sorted(json.loads(fetch(url(task, "/")))["version"] for task in platform.tasks(CLUSTER, SERVICE))


@pytest.fixture(scope="module")
def shop(platform):
    """Repository, cluster and a service with two healthy tasks, made with the real client."""
    platform.aws("ecr", "create-repository", "--repository-name", REPOSITORY)
    push_version(platform, "1")
    platform.aws("ecs", "create-cluster", "--cluster-name", CLUSTER)
    platform.register(FAMILY, f"{platform.registry}/{REPOSITORY}:latest", log_group=LOG_GROUP,
                      portMappings=[{"containerPort": 8080}],
                      healthCheck={"command": ["CMD", "/backend", "--health"], "interval": 5, "timeout": 2})
    platform.aws("ecs", "create-service", "--cluster", CLUSTER, "--service-name", SERVICE, "--task-definition", FAMILY,
                 "--desired-count", "2", "--network-configuration", "awsvpcConfiguration={subnets=[subnet-local]}")
    platform.wait_stable(CLUSTER, SERVICE)
    return platform


def test_a_pushed_latest_is_rolled_out_and_waited_for(shop):
    old = {task["taskArn"] for task in shop.tasks(CLUSTER, SERVICE)}
    push_version(shop, "2")
    shop.shell(f"""
        aws ecs update-service --cluster {CLUSTER} --service {SERVICE} --force-new-deployment
        aws ecs wait services-stable --cluster {CLUSTER} --services {SERVICE}
        """)
    assert versions(shop) == ["2", "2"]
    service = shop.wait_stable(CLUSTER, SERVICE)
    deployment = service["deployments"][0]
    assert deployment["status"] == "PRIMARY"
    assert deployment["rolloutStateReason"] == f"ECS deployment {deployment['id']} completed."
    stopped = [task for task in shop.tasks(CLUSTER, SERVICE, "STOPPED") if task["taskArn"] in old]
    assert len(stopped) == 2
    assert {task["stopCode"] for task in stopped} == {"ServiceSchedulerInitiated"}
    assert {task["containers"][0]["exitCode"] for task in stopped} == {0}
    assert any("has reached a steady state" in event["message"] for event in service["events"])


def test_a_migration_runs_once_with_its_exit_code_and_output(shop):
    migration = shop.register("shop-migration", f"{shop.registry}/{REPOSITORY}:latest", network="bridge", log_group="/ecs/migrations",
                              command=["--migrate"], environment=[{"name": "MIGRATION_EXIT_CODE", "value": "3"}])
    out = shop.shell(f"aws ecs run-task --cluster {CLUSTER} --task-definition {migration} --region {REGION}").stdout
    arn = json.loads(out)["tasks"][0]["taskArn"]
    shop.wait_task(CLUSTER, arn, "STOPPED")
    task = shop.aws("ecs", "describe-tasks", "--cluster", CLUSTER, "--tasks", arn)["tasks"][0]
    assert task["containers"][0]["exitCode"] == 3
    assert (task["stopCode"], task["stoppedReason"]) == ("EssentialContainerExited", "Essential container in task exited")
    lines = [line.split("Z ", 1)[1] for line in shop.log_lines("/ecs/migrations")]
    assert lines == ["migration 1 of 3 applied", "migration 2 of 3 applied", "migration 3 of 3 applied", "migrations failed"]


def test_logs_are_followed_while_the_tasks_run(shop):
    command = ["/usr/bin/aws", "--endpoint-url", shop.endpoint, "logs", "tail", LOG_GROUP, "--follow"]
    # A pipe makes Python's output wait for a full block; a terminal would not.
    env = {**shop.env, "PYTHONUNBUFFERED": "1"}
    tail = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    limit = threading.Timer(WAIT_TIMEOUT_S, tail.kill)
    limit.start()
    try:
        first = tail.stdout.readline()  # what was said before comes first
        assert "ecs/app/" in first
        fetch(url(shop.tasks(CLUSTER, SERVICE)[0], HEALTH_PATH + "?followed"))
        assert next(line for line in tail.stdout if "followed" in line).rstrip().endswith("200")
    finally:
        limit.cancel()
        tail.kill()
        tail.wait()
        tail.stdout.close()


def test_output_is_in_the_store_almost_at_once(shop):
    task = shop.tasks(CLUSTER, SERVICE)[0]
    fetch(url(task, HEALTH_PATH + "?quick"))
    stream = f"ecs/app/{task['taskArn'].rsplit('/', 1)[1]}"
    eventually("the line is in the store", lambda: shop.logs.filter_log_events(
        logGroupName=LOG_GROUP, logStreamNames=[stream], filterPattern="quick")["events"], timeout_s=2)


def test_the_previous_task_definition_is_found_and_rolled_back_to(shop):
    previous = shop.aws("ecs", "describe-services", "--cluster", CLUSTER, "--services", SERVICE)["services"][0]["taskDefinition"]
    definition = shop.ecs.describe_task_definition(taskDefinition=previous)["taskDefinition"]["containerDefinitions"][0]
    environment = [{"name": "VERSION", "value": "3"}]
    newer = shop.ecs.register_task_definition(family=FAMILY, networkMode="awsvpc", containerDefinitions=[
        {**definition, "environment": environment}])["taskDefinition"]["taskDefinitionArn"]
    shop.ecs.update_service(cluster=CLUSTER, service=SERVICE, taskDefinition=newer)
    shop.wait_stable(CLUSTER, SERVICE)
    assert versions(shop) == ["3", "3"]

    listed = json.loads(shop.shell(f"aws ecs list-task-definitions --family-prefix {FAMILY} --output json").stdout)["taskDefinitionArns"]
    assert listed == [previous, newer]
    shop.shell(f"aws ecs update-service --cluster {CLUSTER} --service {SERVICE} --task-definition {previous}")
    assert shop.wait_stable(CLUSTER, SERVICE)["taskDefinition"] == previous
    assert versions(shop) == ["2", "2"]


def test_status_shows_what_runs(shop):
    shown = shop.cli("status", "--data", shop.data).stdout
    for word in (CLUSTER, SERVICE, "2/2", "HEALTHY"):
        assert word in shown
