"""DescribeServices over kept-alive connections with signatures verified, by wrk; the peer is moto's server."""

import json
import re
import shutil
import subprocess
import threading
import time

import backend_service
import common
from backend_service import CLUSTER, IMAGE, SERVICE
from common import Row, run, say

ASKED_PER_S = 20_000
SECONDS = 10
WARM_UP_S = 2
CONNECTIONS = 32
PEER_CONNECTIONS = (1, 4, CONNECTIONS)  # the peer counts with what suits it best
WRITE_EVERY_S = 0.010
EVENT_ROLLOUTS = 3  # so that the answer has the events of a service that lives
MOTO_START_TIMEOUT_S = 30

def lua_text(text):
    return json.dumps(text)  # Lua reads the same quotes and backslashes


def write_script(path, headers, body):
    """One request, signed once and sent again and again: a signature is good for five minutes."""
    # Host is what wrk itself writes; it is signed all the same.
    lines = "\n".join(f"wrk.headers[{lua_text(name)}] = {lua_text(value)}" for name, value in headers.items() if name != "host")
    path.write_text(f'wrk.method = "POST"\nwrk.body = {lua_text(body)}\n{lines}\n')


def load(port, script, seconds=SECONDS, connections=CONNECTIONS):
    """Answers per second; every one must be a 2xx."""
    wrk = common.need("wrk", "tools/dev/install-packages bench")
    out = run([wrk, "-t", "1", "-c", connections, "-d", f"{seconds}s", "--timeout", "10s", "--latency", "-s", script, f"http://127.0.0.1:{port}/"])
    errors = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    if errors:
        raise common.BenchError(f"{errors[1]} answers were no success:\n{out}")
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])
    slowest = re.search(r"99%\s+(\S+)", out)
    return rate, slowest[1] if slowest else "?"


def question():
    return json.dumps({"cluster": CLUSTER, "services": [SERVICE]})


class Writer:
    """Changes something in the same database again and again, so that no answer can be kept for long."""

    def __init__(self, kaapi):
        self.ecs = kaapi.client()
        self.arn = self.ecs("DescribeClusters", clusters=[CLUSTER])["clusters"][0]["clusterArn"]
        self.stopping = threading.Event()
        self.writes = 0
        self.failure = None
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        try:
            due = time.monotonic()
            while not self.stopping.wait(max(0, due - time.monotonic())):
                self.ecs("TagResource", resourceArn=self.arn, tags=[{"key": "write", "value": str(self.writes)}])
                self.writes += 1
                due += WRITE_EVERY_S
        except common.BenchError as failure:
            self.failure = failure

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()
        if self.failure:
            raise self.failure


def measure_kaapi(build, folder):
    kaapi = common.Kaapi(build, folder)
    script = folder / "kaapi.lua"
    body = question()
    try:
        kaapi.start()
        with backend_service.running(kaapi) as ecs:
            for _ in range(EVENT_ROLLOUTS):
                ecs("UpdateService", cluster=CLUSTER, service=SERVICE, forceNewDeployment=True)
                common.until("a deployment is over", lambda: backend_service.completed(backend_service.describe(ecs)), 120)
            service = backend_service.describe(ecs)
            say(f"  the answer: {len(json.dumps(service))} bytes, {len(service['events'])} events")
            common.wait_for_quiet()
            write_script(script, common.signed_headers(f"127.0.0.1:{kaapi.port}", "DescribeServices", body, kaapi.account()), body)
            load(kaapi.port, script, WARM_UP_S)
            cpu = common.cpu_seconds(kaapi.process.pid)
            still, slowest = load(kaapi.port, script)
            cpu = common.cpu_seconds(kaapi.process.pid) - cpu
            say(f"  kaapi: {still:.0f}/s, 99 % within {slowest}; {cpu / SECONDS:.2f} processors, {cpu / (still * SECONDS) * 1e6:.1f} µs of one each")
            with Writer(kaapi) as writer:
                moving, slowest = load(kaapi.port, script)
            say(f"  kaapi with {writer.writes / SECONDS:.0f} writes/s in between: {moving:.0f}/s, 99 % within {slowest}")
            say(f"  kaapi afterwards: {common.memory_mib(kaapi.process.pid):.1f} MiB resident")
        return still, moving
    finally:
        kaapi.clean_up()


def measure_moto(folder):
    """The same service in moto's server, and the same question; it does not verify signatures."""
    program = shutil.which("moto_server")
    if not program:
        say("  moto_server is missing, so there is no peer: pip install 'moto[server]'")
        return None
    port = common.free_port()
    account = {"access_key_id": "test", "secret_access_key": "test"}
    with open(folder / "moto.log", "wb") as log:
        process = subprocess.Popen([program, "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log)
    try:
        ecs = common.EcsClient(port, account)

        def created():
            try:
                ecs("CreateCluster", clusterName=CLUSTER)
                return True
            except OSError:
                ecs.connection.close()
                return False

        common.until("moto answers", created, MOTO_START_TIMEOUT_S)
        ecs("RegisterTaskDefinition", family="bench", containerDefinitions=[{"name": "backend", "image": IMAGE, "memory": 64}])
        ecs("CreateService", cluster=CLUSTER, serviceName=SERVICE, taskDefinition="bench", desiredCount=2)
        body = question()
        script = folder / "moto.lua"
        write_script(script, common.signed_headers(f"127.0.0.1:{port}", "DescribeServices", body, account), body)
        load(port, script, WARM_UP_S, 1)
        rates = []
        for connections in PEER_CONNECTIONS:
            rate, slowest = load(port, script, connections=connections)
            say(f"  moto, {connections} connections: {rate:.0f}/s, 99 % within {slowest}")
            rates.append(rate)
        return max(rates)
    finally:
        process.terminate()
        process.wait()


def row(what, ours, peer, asked=None):
    limit = f"≥ {asked}/s" if asked else ""
    met = ours >= asked if asked else None
    if peer is None:
        return Row(what, f"{ours:.0f}/s", asked=limit, met=met)
    return Row(what, f"{ours:.0f}/s", f"{peer:.0f}/s (moto)", common.ratio(ours, peer), limit, met)


def measure(build):
    common.need_docker()
    common.need("wrk", "tools/dev/install-packages bench")
    with common.work_folder() as folder:
        try:
            backend_service.build_image(build, folder)
            still, moving = measure_kaapi(build, folder)
            peer = measure_moto(folder)
        finally:
            backend_service.remove_images(IMAGE)
    return [row("DescribeServices", still, peer, ASKED_PER_S), row("DescribeServices amid writes", moving, peer)]
