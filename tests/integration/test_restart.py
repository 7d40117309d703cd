"""kill -9 of the platform at the worst moments: it comes back, adopts what runs, and finishes what it had begun."""

import json
import threading

import pytest

from harness import address, answers, eventually, fetch, url

CHECK = {"command": ["CMD", "/backend", "--health"], "interval": 5, "timeout": 2}
MANY_LINES = 320_000
WRITE_MANY = ["awk", f'BEGIN {{ for (i = 1; i <= {MANY_LINES}; i++) printf "line %d %0500d\\n", i, i }}']
COUNTING = ["sh", "-c", "i=0; trap 'echo end; exit 0' TERM; while :; do echo line $i; i=$((i + 1)); usleep 5000; done"]


class Prober:
    """Asks every running container of a cluster again and again, and keeps how many answered each time."""

    def __init__(self, platform, cluster):
        self.platform = platform
        self.cluster = cluster
        self.counts = []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._probe)

    def __enter__(self):
        self.thread.start()
        eventually("the first count", lambda: self.counts)
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def _probe(self):
        while not self.over.is_set():
            listed = self.platform.containers("running", cluster=self.cluster)
            shown = self.platform.docker("inspect", *listed, check=False).stdout
            networks = [container["NetworkSettings"]["Networks"] for container in json.loads(shown or "[]")]
            addresses = {network["IPAddress"] for each in networks for network in each.values() if network["IPAddress"]}
            count = sum(answers(f"http://{host}:8080/api/v1/utils/health/", 1) for host in addresses)
            # A task that took over after the list was made was not asked: such a round says nothing.
            if set(self.platform.containers("running", cluster=self.cluster)) == set(listed):
                self.counts.append(count)


@pytest.fixture
def counting(platform, cluster, busybox):
    """A task that prints numbered lines and `end`; yields (task ARN, log group)."""
    group = f"/ecs/{cluster}"
    arn = platform.run_task(cluster, platform.register(f"{cluster}-counting", busybox, log_group=group, command=COUNTING))
    platform.wait_task(cluster, arn, "RUNNING")
    return arn, group


def said(platform, cluster):
    """How many lines the engine has of the cluster's one container."""
    container, = platform.containers("running", cluster=cluster)
    return len(platform.docker("logs", container).stdout.splitlines())


def version_of(task):
    return json.loads(fetch(url(task, "/")))["version"]


def register_version(platform, cluster, backend, version):
    return platform.register(f"{cluster}-app", backend, healthCheck=CHECK, environment=[{"name": "VERSION", "value": version}])


@pytest.fixture
def two_tasks(platform, cluster, backend):
    platform.create_service(cluster, "app", register_version(platform, cluster, backend, "1"))
    platform.wait_stable(cluster, "app")
    return cluster


# Killed at once, when the new tasks have been asked for, when the first one is running: three different places to come back to.
@pytest.mark.parametrize("moment", ["at once", "pending", "running"])
def test_kill_during_a_rolling_update(platform, two_tasks, backend, moment):
    cluster = two_tasks
    newer = register_version(platform, cluster, backend, "2")

    def new_tasks(*states):
        return [task for task in platform.tasks(cluster, "app") if task["taskDefinitionArn"] == newer and task["lastStatus"] in states]

    with Prober(platform, cluster) as prober:
        platform.ecs.update_service(cluster=cluster, service="app", taskDefinition=newer)
        if moment == "pending":
            eventually("new tasks exist", lambda: new_tasks("PROVISIONING", "PENDING", "ACTIVATING", "RUNNING"))
        if moment == "running":
            eventually("a new task runs", lambda: new_tasks("RUNNING"))
        platform.restart_after_kill()
        service = platform.wait_stable(cluster, "app")
    assert service["taskDefinition"] == newer
    assert [version_of(task) for task in platform.tasks(cluster, "app")] == ["2", "2"]
    assert min(prober.counts) >= 2 and max(prober.counts) <= 4
    eventually("only the two new containers are left", lambda: len(platform.containers(cluster=cluster)) == 2)


def test_kill_and_restart_leaves_the_tasks_alone(platform, two_tasks):
    before = {task["taskArn"]: task["containers"][0]["runtimeId"] for task in platform.tasks(two_tasks, "app")}
    running = platform.containers("running", cluster=two_tasks)
    for _ in range(3):
        platform.restart_after_kill()
    after = {task["taskArn"]: task["containers"][0]["runtimeId"] for task in platform.tasks(two_tasks, "app")}
    assert after == before
    assert set(platform.containers("running", cluster=two_tasks)) == set(running)


def test_tasks_answer_while_the_platform_is_gone(platform, two_tasks):
    urls = [url(task) for task in platform.tasks(two_tasks, "app")]
    assert platform.stop() == 0
    assert all(answers(each) for each in urls)
    platform.start()
    assert all(answers(each) for each in urls)
    assert platform.service(two_tasks, "app")["runningCount"] == 2


def test_a_task_that_died_meanwhile_is_seen_and_replaced(platform, two_tasks):
    victim = platform.tasks(two_tasks, "app")[0]
    platform.kill()
    platform.docker("kill", victim["containers"][0]["runtimeId"])
    platform.start()
    assert platform.wait_task(two_tasks, victim["taskArn"], "STOPPED")["containers"][0]["exitCode"] == 137
    service = platform.wait_stable(two_tasks, "app")
    assert service["runningCount"] == 2
    assert victim["taskArn"] not in {task["taskArn"] for task in platform.tasks(two_tasks, "app")}


def test_a_task_asked_for_before_the_kill_runs_once(platform, cluster, busybox):
    once = platform.register(f"{cluster}-once", busybox, log_group=f"/ecs/{cluster}", command=["sh", "-c", "echo ran; sleep 1"])
    arn = platform.run_task(cluster, once)
    platform.restart_after_kill()
    task = platform.wait_task(cluster, arn, "STOPPED")
    assert task["containers"][0]["exitCode"] == 0
    assert platform.log_lines(f"/ecs/{cluster}") == ["ran"]


def test_a_stop_asked_for_before_the_kill_is_carried_out(platform, cluster, backend):
    arn = platform.run_task(cluster, platform.register("stopped", backend))
    task = platform.wait_task(cluster, arn, "RUNNING")
    platform.ecs.stop_task(cluster=cluster, task=arn, reason="enough")
    platform.restart_after_kill()
    stopped = platform.wait_task(cluster, arn, "STOPPED")
    assert stopped["stoppedReason"] == "enough"
    assert not answers(url(task))
    assert address(task)


def test_no_line_is_lost_or_doubled(platform, cluster, counting):
    arn, group = counting
    for _ in range(2):
        seen = len(platform.log_lines(group))
        eventually("more lines came", lambda: len(platform.log_lines(group)) > seen + 20)
        platform.kill()
        before = said(platform, cluster)
        eventually("it goes on talking while nobody listens", lambda: said(platform, cluster) > before + 20)
        platform.start()
    platform.ecs.stop_task(cluster=cluster, task=arn, reason="enough")
    platform.wait_task(cluster, arn, "STOPPED")
    lines = platform.log_lines(group)
    assert lines[-1] == "end"
    assert lines[:-1] == [f"line {number}" for number in range(len(lines) - 1)]


def missing_and_doubled(lines):
    """Of the numbers 1 to MANY_LINES, the first that are missing, and how many came more than once."""
    numbers = [int(line.split()[1]) for line in lines]
    return sorted(set(range(1, MANY_LINES + 1)) - set(numbers))[:10], len(numbers) - len(set(numbers))


# It takes longer to read all of that than the end of a task waits for it.
@pytest.mark.parametrize("kills", [0, 2])
def test_a_container_that_wrote_much_and_ended_loses_nothing(platform, cluster, busybox, kills):
    group = f"/ecs/{cluster}"
    arn = platform.run_task(cluster, platform.register(f"{cluster}-many", busybox, log_group=group, command=WRITE_MANY))

    def stored_bytes():
        groups = platform.logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
        return groups[0]["storedBytes"] if groups else 0

    for _ in range(kills):
        before = stored_bytes()
        eventually("more of it is stored", lambda before=before: stored_bytes() > before + 5_000_000)
        platform.restart_after_kill()
    task = platform.wait_task(cluster, arn, "STOPPED", timeout_s=120)
    assert task["containers"][0]["exitCode"] == 0
    eventually("all is read and the container removed", lambda: not platform.containers(cluster=cluster), timeout_s=120)
    assert missing_and_doubled(platform.log_lines(group)) == ([], 0)
