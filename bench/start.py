"""Start of `kaapi up` to the first answered request, with an empty data directory and with many stored tasks; idle cost."""

import http.client
import pathlib
import shutil
import socket
import statistics
import subprocess
import time

import common
from common import Row, say

ROUNDS = 9
STORED_TASKS = 10_000
STORED_SERVICES = 20
ASKED_S = 0.050
IDLE_SETTLE_S = 2
IDLE_S = 10
ASKED_IDLE_MIB = 20
POLL_S = 0.0005
PEER_ROUNDS = 3


def ask(port, method, path, body=None, headers=None):
    """The first answer, from a server that may not listen yet."""
    deadline = time.monotonic() + common.START_TIMEOUT_S
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        if time.monotonic() > deadline:
            raise common.BenchError(f"nobody listens on port {port} after {common.START_TIMEOUT_S} s")
        time.sleep(POLL_S)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=common.START_TIMEOUT_S)
    connection.request(method, path, body, headers or {})
    response = connection.getresponse()
    answer = response.read()
    if response.status != 200:
        raise common.BenchError(f"{method} {path} answered {response.status}: {answer[:300]!r}")


def one_start(kaapi):
    """Seconds from just before the fork to the answer on /healthz and to that of a signed DescribeClusters."""
    begin = kaapi.launch()
    ask(kaapi.port, "GET", "/healthz")
    healthy = time.perf_counter() - begin
    headers = common.signed_headers(f"127.0.0.1:{kaapi.port}", "DescribeClusters", "{}", kaapi.account())
    ask(kaapi.port, "POST", "/", "{}", headers)
    return healthy, time.perf_counter() - begin


def starts(what, kaapi, before_each=lambda: None):
    times = []
    for _ in range(ROUNDS):
        before_each()
        times.append(one_start(kaapi))
        kaapi.stop()
    healthz, signed = zip(*times)
    say(f"{what}: /healthz {common.summary(healthz)} s; signed DescribeClusters {common.summary(signed)} s")
    return statistics.median(signed)


def start_row(what, ours, peer):
    limit = f"≤ {ASKED_S * 1000:.0f} ms"
    if peer is None:
        return Row(what, f"{ours * 1000:.0f} ms", asked=limit, met=ours <= ASKED_S)
    return Row(what, f"{ours * 1000:.0f} ms", f"{peer * 1000:.0f} ms (moto)", common.ratio(ours, peer), limit, ours <= ASKED_S)


def peer_start(folder):
    """moto's server, the mock that people use for tests, to its first answer."""
    program = shutil.which("moto_server")
    if not program:
        say("moto_server is missing, so the start has no peer: pip install 'moto[server]'")
        return None
    times = []
    for _ in range(PEER_ROUNDS):
        port = common.free_port()
        with open(folder / "moto.log", "wb") as log:
            begin = time.perf_counter()
            process = subprocess.Popen([program, "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log)
        try:
            ask(port, "GET", "/moto-api/")
            times.append(time.perf_counter() - begin)
        finally:
            process.terminate()
            process.wait()
    say(f"moto_server: {common.summary(times)} s")
    return statistics.median(times)


def store_tasks(build, kaapi):
    fill = pathlib.Path(build) / "bench" / "fill_tasks"
    if not fill.exists():
        raise common.BenchError(f"{fill} is missing: cmake --build {build} --target fill_tasks")
    kaapi.start()
    ecs = kaapi.client()
    ecs("CreateCluster", clusterName="stored")
    ecs("RegisterTaskDefinition", family="stored", containerDefinitions=[{"name": "backend", "image": "scratch", "memory": 64}])
    for number in range(STORED_SERVICES):
        ecs("CreateService", cluster="stored", serviceName=f"service-{number}", taskDefinition="stored", desiredCount=0)
    kaapi.stop()
    common.run([fill, kaapi.data / "control.db", common.REGION, "stored", STORED_TASKS])


def idle(what, kaapi):
    kaapi.start()
    time.sleep(IDLE_SETTLE_S)
    before = common.cpu_seconds(kaapi.process.pid)
    time.sleep(IDLE_S)
    used = common.cpu_seconds(kaapi.process.pid) - before
    resident = common.memory_mib(kaapi.process.pid)
    own = common.memory_mib(kaapi.process.pid, "RssAnon")
    kaapi.stop()
    percent = 100 * used / IDLE_S
    say(f"idle, {what}: {resident:.1f} MiB resident ({own:.1f} MiB not file-backed), {percent:.3f} % of a processor over {IDLE_S} s")
    return [Row(f"idle memory, {what}", f"{resident:.1f} MiB", asked=f"≤ {ASKED_IDLE_MIB} MiB", met=resident <= ASKED_IDLE_MIB),
            Row(f"idle processor, {what}", f"{percent:.2f} %", asked="0 %", met=round(percent, 1) == 0)]


def measure(build):
    common.need_docker()
    with common.work_folder() as folder:
        kaapi = common.Kaapi(build, folder)
        try:
            common.wait_for_quiet()
            peer = peer_start(folder)
            first = starts("very first start", kaapi, lambda: shutil.rmtree(kaapi.data, ignore_errors=True))
            empty = starts("start with an empty data directory", kaapi)
            rows = [start_row("start, very first", first, peer), start_row("start, empty", empty, peer)]
            rows += idle("empty", kaapi)
            store_tasks(build, kaapi)
            stored = starts(f"start with {STORED_TASKS} stored tasks", kaapi)
            rows.append(start_row(f"start, {STORED_TASKS} tasks", stored, peer))
            return rows + idle(f"{STORED_TASKS} tasks", kaapi)
        finally:
            kaapi.clean_up()
