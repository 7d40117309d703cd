"""What the integration tests stand on: a real `kaapi up`, the real clients beside it, and no trace of either afterwards."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

import boto3
import botocore.config

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("KAAPI_BUILD", ROOT / "build"))
KAAPI = BUILD / "kaapi"
REGION = "eu-central-1"
ACCOUNT = "123456789012"
START_TIMEOUT_S = 15
WAIT_TIMEOUT_S = 60
COMMAND_TIMEOUT_S = 120
POLL_INTERVAL_S = 0.05
HEALTH_PATH = "/api/v1/utils/health/"
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-local"]}}


def eventually(what, condition, timeout_s=WAIT_TIMEOUT_S):
    """The first true value of condition(); an API has no events to wait for, so it is asked again and again."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s} s: {what}")
        time.sleep(POLL_INTERVAL_S)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(arguments, check=True, **options):
    """A finished command, as text. A failure shows what the command said."""
    done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, arguments))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


def fetch(url, timeout_s=2):
    with urllib.request.urlopen(url, timeout=timeout_s) as answer:
        return answer.read().decode()


def answers(url, timeout_s=2):
    try:
        fetch(url, timeout_s)
        return True
    except (OSError, urllib.error.URLError):
        return False


class Platform:
    """A `kaapi up` on a port and a data directory of its own. `start`, `kill` and `stop` may be called again and again."""

    def __init__(self, *options, region=REGION, account=ACCOUNT):
        self.region, self.account = region, account
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="kaapi-test-"))
        self.data = self.work / "data"
        self.log = self.work / "kaapi.log"
        self.port = free_port()
        self.listen = f"127.0.0.1:{self.port}"
        self.endpoint = f"http://{self.listen}"
        self.registry = f"localhost:{self.port}"
        self.options = options
        self.process = None
        self.clients = {}
        (self.work / "home").mkdir()
        self.env = {
            "PATH": os.environ["PATH"], "HOME": str(self.work / "home"), "LC_ALL": "C.UTF-8",
            "DOCKER_CONFIG": str(self.work / "docker"), "DOCKER_BUILDKIT": "0",
            "AWS_PAGER": "", "AWS_MAX_ATTEMPTS": "1", "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }
        if "DOCKER_HOST" in os.environ:
            self.env["DOCKER_HOST"] = os.environ["DOCKER_HOST"]

    # --- the process

    def command(self):
        return [str(KAAPI), "up", "--listen", self.listen, "--data", str(self.data), "--region", self.region, "--account-id", self.account,
                "--log-level", "debug", *self.options]

    def start(self):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command(), env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        eventually("the platform answers", self._ready, START_TIMEOUT_S)
        assert self.label  # without it nothing could be cleaned up
        if "AWS_ACCESS_KEY_ID" not in self.env:
            self.env.update(self.exported())
        return self

    def _ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"kaapi up ended with {self.process.returncode}:\n{self.log_tail()}")
        return answers(self.endpoint + "/healthz", 0.5)

    def kill(self):
        """kill -9: what a power cut or the kernel would do to it."""
        self.process.kill()
        self.process.wait(WAIT_TIMEOUT_S)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(WAIT_TIMEOUT_S)

    def restart_after_kill(self):
        self.kill()
        return self.start()

    def log_tail(self, lines=80):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""

    def cli(self, *arguments, check=True):
        return run([KAAPI, *arguments], check=check, env=self.env)

    def exported(self):
        """The variables of `kaapi env`, as a shell understands its lines."""
        lines = run([KAAPI, "env", "--data", self.data], env={"PATH": os.environ["PATH"]}).stdout
        shown = run(["bash", "-euc", 'eval "$1"; env -0', "bash", lines], env={}).stdout
        pairs = (item.split("=", 1) for item in shown.split("\0") if "=" in item)
        return {name: value for name, value in pairs if name.startswith("AWS_")}

    # --- the clients

    def shell(self, script, check=True, cwd=ROOT, **variables):
        """Runs lines as a person types them. Debian's aws is too old for AWS_ENDPOINT_URL, so `aws` carries the option here."""
        prelude = 'aws() { /usr/bin/aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }\n'
        env = {**self.env, "REGISTRY": self.registry, **variables}
        return run(["bash", "-euo", "pipefail", "-c", prelude + script], check=check, env=env, cwd=cwd)

    def aws(self, *arguments):
        """The parsed answer of the real client."""
        out = run(["/usr/bin/aws", "--endpoint-url", self.endpoint, *arguments, "--output", "json"], env=self.env).stdout
        return json.loads(out) if out.strip() else None

    def aws_error(self, *arguments, **variables):
        """What the real client says when it must fail."""
        done = run(["/usr/bin/aws", "--endpoint-url", self.endpoint, *arguments], check=False, env={**self.env, **variables})
        assert done.returncode != 0, f"aws {' '.join(arguments)} should have failed and printed:\n{done.stdout}"
        return done.stderr

    def boto(self, service, region=None):
        region = region or self.region
        if (service, region) not in self.clients:
            self.clients[service, region] = boto3.client(
                service, region_name=region, endpoint_url=self.endpoint, aws_access_key_id=self.env["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=self.env["AWS_SECRET_ACCESS_KEY"],
                config=botocore.config.Config(retries={"max_attempts": 0}, parameter_validation=False, max_pool_connections=4))
        return self.clients[service, region]

    @property
    def ecs(self):
        return self.boto("ecs")

    @property
    def logs(self):
        return self.boto("logs")

    def docker(self, *arguments, check=True, **options):
        return run(["docker", *arguments], check=check, env=self.env, **options)

    def login(self):
        self.shell("aws ecr get-login-password | docker login --username AWS --password-stdin $REGISTRY")

    def push(self, image, repository, tag="latest"):
        """Pushes a local image into a repository of the platform (made when missing) and returns its reference there."""
        ecr = self.boto("ecr")
        try:
            ecr.create_repository(repositoryName=repository)
        except ecr.exceptions.RepositoryAlreadyExistsException:
            pass
        if not (self.work / "docker" / "config.json").exists():
            self.login()
        reference = f"{self.registry}/{repository}:{tag}"
        self.docker("tag", image, reference)
        self.docker("push", reference)
        return reference

    # --- shorthands for what most tests need

    def cluster(self, name):
        return self.ecs.create_cluster(clusterName=name)["cluster"]["clusterArn"]

    def register(self, family, image, network="awsvpc", log_group=None, **container):
        """A task definition of one container named `app`; returns its ARN."""
        definition = {"name": "app", "image": image, "essential": True, "memory": 128, **container}
        if log_group:
            definition["logConfiguration"] = {"logDriver": "awslogs", "options": {
                "awslogs-group": log_group, "awslogs-region": REGION, "awslogs-stream-prefix": "ecs", "awslogs-create-group": "true"}}
        answer = self.ecs.register_task_definition(family=family, networkMode=network, containerDefinitions=[definition])
        return answer["taskDefinition"]["taskDefinitionArn"]

    def run_task(self, cluster, task_definition, **options):
        """Runs one task of a task definition in awsvpc mode; returns its ARN."""
        answer = self.ecs.run_task(cluster=cluster, taskDefinition=task_definition, networkConfiguration=NETWORK, **options)
        assert not answer.get("failures"), answer["failures"]
        return answer["tasks"][0]["taskArn"]

    def task(self, cluster, arn):
        return self.ecs.describe_tasks(cluster=cluster, tasks=[arn])["tasks"][0]

    def wait_task(self, cluster, arn, status, timeout_s=WAIT_TIMEOUT_S):
        def reached():
            task = self.task(cluster, arn)
            if status != "STOPPED":
                assert task["lastStatus"] != "STOPPED", f"the task stopped: {task.get('stoppedReason')}"
            return task if task["lastStatus"] == status else None
        return eventually(f"task {arn} is {status}", reached, timeout_s)

    def create_service(self, cluster, name, task_definition, desired=2, **options):
        return self.ecs.create_service(cluster=cluster, serviceName=name, taskDefinition=task_definition, desiredCount=desired,
                                       networkConfiguration=NETWORK, **options)["service"]

    def service(self, cluster, name):
        return self.ecs.describe_services(cluster=cluster, services=[name])["services"][0]

    def tasks(self, cluster, service, status="RUNNING"):
        """Described tasks of a service, by desired status."""
        arns = self.ecs.list_tasks(cluster=cluster, serviceName=service, desiredStatus=status)["taskArns"]
        return self.ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []

    def wait_stable(self, cluster, name, timeout_s=WAIT_TIMEOUT_S):
        """Waits for what `aws ecs wait services-stable` waits for, and for the deployment to say so; returns the service."""
        def stable():
            service = self.service(cluster, name)
            deployments = service["deployments"]
            done = len(deployments) == 1 and deployments[0]["rolloutState"] == "COMPLETED"
            return service if done and service["runningCount"] == service["desiredCount"] else None
        return eventually(f"service {name} is stable", stable, timeout_s)

    def log_lines(self, group, stream_contains=""):
        """Every message of a group in order, read page by page."""
        pages = self.logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        return [event["message"] for page in pages for event in page["events"] if stream_contains in event["logStreamName"]]

    # --- the end

    @property
    def label(self):
        """The label on everything that this platform made in the engine."""
        return f"label=kaapi.instance={(self.data / 'instance').read_text().strip()}"

    def containers(self, *states, cluster=""):
        """Ids of the containers of this platform, or of one of its clusters."""
        filters = [f"--filter={self.label}", *(f"--filter=status={state}" for state in states)]
        shown = self.docker("ps", "-a", "--no-trunc", *filters, "--format", '{{.ID}} {{.Label "com.amazonaws.ecs.cluster"}}').stdout
        return [line.split()[0] for line in shown.splitlines() if line.endswith(cluster)]

    def close(self):
        """Leaves nothing behind: process, containers, networks, images, files."""
        if self.process and self.process.poll() is None:
            self.kill()
        self.end_runner()
        if (self.data / "instance").exists():
            if containers := self.containers():
                self.docker("rm", "-f", *containers, check=False)
            for network in self.docker("network", "ls", "-q", "--filter", self.label).stdout.split():
                self.docker("network", "rm", network, check=False)
            # Where the jobs of root's platforms have their workspaces.
            shutil.rmtree(pathlib.Path("/var/lib/kaapi-runner") / (self.data / "instance").read_text().strip(), ignore_errors=True)
        # Of another platform's tasks the pause image stays: what is in use is not removed. Who misses it makes it again.
        if images := self.local_images() + self.docker("images", "-q", "kaapi/pause").stdout.split():
            self.docker("rmi", *images, check=False)
        shutil.rmtree(self.work, ignore_errors=True)

    def end_runner(self):
        """The runner of workflow jobs outlives a platform that was killed, so that jobs go on."""
        file = self.data / "runner.pid"
        if not file.exists():
            return
        pid = int(file.read_text().split()[0])
        try:
            command = pathlib.Path(f"/proc/{pid}/cmdline").read_text()
        except OSError:
            return
        if str(self.data) in command:
            os.kill(pid, signal.SIGTERM)
            eventually("the runner has ended", lambda: not pathlib.Path(f"/proc/{pid}").exists())

    def local_images(self):
        """References by which the engine knows images of this platform's registry: by tag, or by digest where the tag has moved on."""
        shown = self.docker("images", "--digests", "--format", "{{.Repository}} {{.Tag}} {{.Digest}}").stdout
        rows = [line.split() for line in shown.splitlines() if line.startswith(self.registry + "/")]
        return [f"{name}:{tag}" if tag != "<none>" else f"{name}@{digest}" for name, tag, digest in rows]


def address(task):
    """The task's own IPv4 address, from its network attachment."""
    details = [detail for attachment in task["attachments"] for detail in attachment["details"]]
    return next(detail["value"] for detail in details if detail["name"] == "privateIPv4Address")


def url(task, path=HEALTH_PATH, port=8080):
    return f"http://{address(task)}:{port}{path}"
