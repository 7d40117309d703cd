"""The service that benchmarks roll out and describe: two tasks of examples/backend with a health check."""

import contextlib
import os
import pathlib
import shutil
import subprocess

import common
from common import BenchError, run, until

CLUSTER = "bench-cluster"
SERVICE = "bench-service"
FAMILY = "bench"
TASKS = 2
IMAGE = "kaapi-bench-backend:latest"
HEALTH_CHECK = {"command": ["CMD", "/backend", "--health"], "interval": 5, "timeout": 2, "retries": 3, "startPeriod": 30}
# The image carries the same check for whoever reads it from there (Swarm), with the shortest interval that Docker suggests:
# Docker probes for the first time after one interval, so a longer one would make it slower than it can be.
DOCKERFILE = """FROM scratch
COPY backend /backend
ENV PORT=8080
EXPOSE 8080
USER 65534:65534
HEALTHCHECK --interval=1s --timeout=2s --retries=3 CMD ["/backend", "--health"]
ENTRYPOINT ["/backend"]
"""


def program(build):
    """The backend, as it was built."""
    file = pathlib.Path(build) / "examples" / "backend" / "backend"
    if not file.is_file():
        raise BenchError(f"{file} is missing: cmake --build {build} --target example_backend")
    return file


def build_image(build, folder):
    context = folder / "image"
    context.mkdir()
    shutil.copy(program(build), context / "backend")
    run(["strip", context / "backend"])
    (context / "Dockerfile").write_text(DOCKERFILE)
    run(["docker", "build", "-t", IMAGE, context], env={**os.environ, "DOCKER_BUILDKIT": "0"})


def push_image(kaapi, repository="bench-backend"):
    """Into the platform's own registry, with the real clients. Answers the name under which tasks ask for it."""
    registry = f"localhost:{kaapi.port}"
    name = f"{registry}/{repository}:latest"
    kaapi.aws("ecr", "create-repository", "--repository-name", repository)
    environment = kaapi.client_environment()
    run(["docker", "login", "--username", "AWS", "--password-stdin", registry], env=environment, input=kaapi.aws("ecr", "get-login-password"))
    run(["docker", "tag", IMAGE, name])
    run(["docker", "push", name], env=environment)
    return name


def remove_images(*names):
    for name in names:
        subprocess.run(["docker", "rmi", "-f", name], capture_output=True, check=False)


def create(ecs, image, cluster=CLUSTER, service=SERVICE):
    """Creates cluster, definition and service, and waits until its first deployment is over."""
    ecs("CreateCluster", clusterName=cluster)
    ecs("RegisterTaskDefinition", family=FAMILY, networkMode="awsvpc", cpu="256", memory="512", requiresCompatibilities=["FARGATE"], containerDefinitions=[{
        "name": "backend", "image": image, "essential": True, "portMappings": [{"containerPort": 8080}],
        "healthCheck": HEALTH_CHECK,
        "logConfiguration": {"logDriver": "awslogs", "options": {
            "awslogs-group": "/ecs/bench", "awslogs-region": ecs.region, "awslogs-stream-prefix": "ecs", "awslogs-create-group": "true"}},
    }])
    ecs("CreateService", cluster=cluster, serviceName=service, taskDefinition=FAMILY, desiredCount=TASKS, launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-local"]}},
        deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": True}})
    until("the first deployment is over", lambda: completed(describe(ecs, cluster, service)), 120)


def describe(ecs, cluster=CLUSTER, service=SERVICE):
    return ecs("DescribeServices", cluster=cluster, services=[service])["services"][0]


def task_arns(ecs, cluster=CLUSTER, service=SERVICE):
    return ecs("ListTasks", cluster=cluster, serviceName=service)["taskArns"]


def described(ecs, cluster, arns):
    return ecs("DescribeTasks", cluster=cluster, tasks=arns)["tasks"] if arns else []


def completed(service):
    deployments = service["deployments"]
    return len(deployments) == 1 and deployments[0]["rolloutState"] == "COMPLETED"


def delete(ecs, cluster=CLUSTER, service=SERVICE):
    ecs("DeleteService", cluster=cluster, service=service, force=True)
    until("the service's tasks are gone", lambda: describe(ecs, cluster, service)["status"] == "INACTIVE", 60)


@contextlib.contextmanager
def running(kaapi):
    """The client of a platform on which the service runs."""
    name = push_image(kaapi)
    try:
        ecs = kaapi.client()
        create(ecs, name)
        yield ecs
        delete(ecs)
    finally:
        remove_images(name)
