"""A rolling update of a two-task service with a health check, image present: Kaapi against Docker Swarm."""

import statistics
import subprocess
import time

import backend_service
import common
from backend_service import CLUSTER, IMAGE, SERVICE, TASKS, described, task_arns
from common import BenchError, Row, run, say, until
from engine_events import EngineEvents

ROUNDS = 7
ASKED_RATIO = 0.4
ASKED_S = 1.0
POLL_S = 0.02
SWARM_SERVICE = "kaapi-bench-swarm"
GATEWAY = "docker_gwbridge"  # a network that joining a swarm makes and leaving it leaves behind
UPDATE = ["--force", "--update-order", "start-first", "--update-parallelism", str(TASKS), "--update-monitor", "1s"]


# --- Kaapi


def primary_completed(ecs):
    return backend_service.describe(ecs)["deployments"][0]["rolloutState"] == "COMPLETED"


def update(ecs):
    """Seconds from UpdateService until the deployment is COMPLETED and its predecessor's tasks are STOPPED, and to COMPLETED alone."""
    old = task_arns(ecs)
    begin = time.perf_counter()
    ecs("UpdateService", cluster=CLUSTER, service=SERVICE, forceNewDeployment=True)
    until("the deployment is COMPLETED", lambda: primary_completed(ecs), every_s=POLL_S)
    completed = time.perf_counter() - begin

    def old_stopped():
        return all(task["lastStatus"] == "STOPPED" for task in described(ecs, CLUSTER, old))

    until("the old tasks are STOPPED", old_stopped, every_s=POLL_S)
    return time.perf_counter() - begin, completed, old


def steps(ecs, begin, old, engine_events):
    """Where the time of one update went: lines of milliseconds since the request and what happened."""
    lines = []
    tasks = {"old": described(ecs, CLUSTER, old),
             "new": described(ecs, CLUSTER, task_arns(ecs))}
    fields = {"new": ("createdAt", "pullStartedAt", "pullStoppedAt", "startedAt"), "old": ("stoppingAt", "executionStoppedAt", "stoppedAt")}
    side_of = {}
    for side, group in tasks.items():
        for task in group:
            name = task["taskArn"][-32:]
            side_of[name] = side
            lines += [(task[field], f"{side} task {name[:6]}  {field}") for field in fields[side] if field in task]
    lines += [(event["createdAt"], f"service event    {event['message']}") for event in backend_service.describe(ecs)["events"]]
    lines += [(at, f"{side_of.get(name[-32:], '?')} task {name[-32:-26]}  engine: {what}") for at, what, _, name in engine_events]
    return [f"{(at - begin) * 1000:7.0f}  {text}" for at, text in sorted(lines) if at >= begin - 0.001]


def measure_kaapi(build, folder):
    kaapi = common.Kaapi(build, folder)
    try:
        kaapi.start()
        with backend_service.running(kaapi) as ecs:
            times, shown = [], []
            for _ in range(ROUNDS):
                common.wait_for_quiet()
                cpu = common.cpu_seconds(kaapi.process.pid)
                begin = time.time()
                with EngineEvents(f"kaapi.instance={(kaapi.data / 'instance').read_text().strip()}") as events:
                    total, completed, old = update(ecs)
                cpu = common.cpu_seconds(kaapi.process.pid) - cpu
                say(f"  kaapi: {total:.3f} s (COMPLETED after {completed:.3f} s; kaapi's own processor time {cpu * 1000:.0f} ms)")
                if total < min(times, default=total + 1):
                    shown = steps(ecs, begin, old, events.events)
                times.append(total)
            say("\n  ".join(["  where the quickest spent its time, in ms after the request:", *shown]))
        return times
    finally:
        kaapi.clean_up()


# --- Docker Swarm


class Swarm:
    """A one-node swarm: the one that is there, or one that is made here and left again."""

    def __enter__(self):
        state = run(["docker", "info", "--format", "{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}}"]).split()
        self.made = state[0] == "inactive"
        self.had_gateway = gateway_exists()
        if self.made:
            run(["docker", "swarm", "init", "--advertise-addr", "127.0.0.1", "--listen-addr", "127.0.0.1:0"])
        elif state[1] != "true":
            raise BenchError("this engine belongs to a swarm that it does not manage; measure on another machine")
        return self

    def __exit__(self, *_):
        subprocess.run(["docker", "service", "rm", SWARM_SERVICE], capture_output=True, check=False)
        until("Swarm's tasks are gone", lambda: not swarm_containers(all_of_them=True), 60)
        if self.made:
            run(["docker", "swarm", "leave", "--force"])
            if not self.had_gateway and gateway_exists():
                run(["docker", "network", "rm", GATEWAY])


def gateway_exists():
    return bool(run(["docker", "network", "ls", "-q", "--filter", f"name=^{GATEWAY}$"]).strip())


def swarm_containers(all_of_them=False):
    every = ["-a"] if all_of_them else []
    return run(["docker", "ps", "-q", "--no-trunc", *every, "--filter", f"label=com.docker.swarm.service.name={SWARM_SERVICE}"]).split()


def swarm_update():
    """Seconds until Swarm calls the update completed and the old tasks have stopped."""
    old = set(swarm_containers())
    begin = time.perf_counter()
    with subprocess.Popen(["docker", "service", "update", *UPDATE, SWARM_SERVICE], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as client:
        state = ["docker", "service", "inspect", "--format", "{{if .UpdateStatus}}{{.UpdateStatus.State}}{{end}}", SWARM_SERVICE]
        # The state of the update before stays until this one has begun.
        until("Swarm has begun", lambda: run(state).strip() == "updating" or set(swarm_containers()) - old, every_s=POLL_S)
        until("Swarm's update is completed", lambda: run(state).strip() == "completed", every_s=POLL_S)
        until("Swarm's old tasks have stopped", lambda: not old & set(swarm_containers()), every_s=POLL_S)
        total = time.perf_counter() - begin
        if client.wait() != 0:
            raise BenchError(f"docker service update ended with {client.returncode}")
        return total


def measure_swarm():
    with Swarm():
        run(["docker", "service", "create", "--detach", "--name", SWARM_SERVICE, "--replicas", TASKS, "--no-resolve-image",
             "--limit-memory", "512M", "--limit-cpu", "0.25", "--env", "VERSION=bench", IMAGE])
        until("Swarm's tasks run", lambda: f"{TASKS}/{TASKS}" in run(["docker", "service", "ls", "--filter", f"name={SWARM_SERVICE}"]), 120)
        times = []
        for _ in range(ROUNDS):
            common.wait_for_quiet()
            times.append(swarm_update())
            say(f"  swarm: {times[-1]:.3f} s")
        return times


def measure(build):
    common.need_docker()
    with common.work_folder() as folder:
        try:
            backend_service.build_image(build, folder)
            ours = measure_kaapi(build, folder)
            theirs = measure_swarm()
        finally:
            backend_service.remove_images(IMAGE)
    say(f"  kaapi: {common.summary(ours)} s\n  swarm: {common.summary(theirs)} s")
    mine, peer = statistics.median(ours), statistics.median(theirs)
    return [common.compared(f"rolling update, {TASKS} tasks", mine, peer, "Swarm", ASKED_RATIO),
            Row("rolling update, target", f"{mine:.2f} s", asked=f"{ASKED_S} s", met=mine <= ASKED_S)]
