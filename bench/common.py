"""What every benchmark stands on: a real `kaapi up` with its own data and port, a signing client, and rows of the final table."""

import contextlib
import dataclasses
import datetime
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
REGION = "us-east-1"
START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 30
QUIET_LOAD = 0.7
ECS_TARGET = "AmazonEC2ContainerServiceV20141113"
JSON_TYPE = "application/x-amz-json-1.1"

# Seconds that a whole run may spend waiting for quiet.
quiet_patience_s = 120


class BenchError(Exception):
    """A benchmark that could not be run; the text says why and what to do."""


@dataclasses.dataclass
class Row:
    """One line of the final table. `peer` and `ratio` are empty where there is nobody to compare with."""

    what: str
    ours: str
    peer: str = ""
    ratio: str = ""
    asked: str = ""
    met: bool | None = None


def ratio(ours, peer):
    value = ours / peer
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


def compared(what, ours_s, peer_s, peer_name, at_most):
    """A row of two times, where ours must take at most the given part of the peer's."""
    return Row(what, f"{ours_s:.2f} s", f"{peer_s:.2f} s ({peer_name})", ratio(ours_s, peer_s), f"ratio ≤ {at_most}",
               ours_s <= at_most * peer_s)


def print_table(rows):
    lines = [("what", "ours", "peer", "ratio", "asked", "met")]
    lines += [(row.what, row.ours, row.peer, row.ratio, row.asked, {True: "yes", False: "NO", None: ""}[row.met]) for row in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    print()
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip())


def say(text):
    print(text, flush=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def need(program, how):
    path = shutil.which(program)
    if not path:
        raise BenchError(f"the program {program} is missing: {how}")
    return path


def run(arguments, **options):
    """The output of a command; a failure shows what it said."""
    done = subprocess.run([str(word) for word in arguments], capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        raise BenchError(f"{' '.join(map(str, arguments))} ended with {done.returncode}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def measured_by(build, target, what, asked_us):
    """Rows of what a program of bench/ measures: it takes seconds per case and prints {case: microseconds}."""
    program = pathlib.Path(build) / "bench" / target
    if not program.exists():
        raise BenchError(f"{program} is missing: cmake --build {build} --target {target}")
    wait_for_quiet()
    took = json.loads(run([program, "1"]))
    return [Row(f"{what}: {case}", f"{us:.1f} µs", asked=f"≤ {asked_us} µs", met=us <= asked_us) for case, us in took.items()]


def need_docker():
    need("docker", "tools/dev/install-packages engine")
    done = subprocess.run(["docker", "version", "--format", "{{.Server.Version}}"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError("the Docker Engine does not answer: start it, or use the one of ./run")


def wait_for_quiet():
    """Other work on the machine would be measured too; once the patience of the whole run is used up, it is taken as it is."""
    global quiet_patience_s
    busy = busy_share()
    while busy > QUIET_LOAD and quiet_patience_s > 0:
        busy = busy_share()
        quiet_patience_s -= 1
    if busy > QUIET_LOAD:
        say(f"  note: the machine is busy with something else ({busy:.1f} processors), which the next number includes")


def busy_share(seconds=1.0):
    """How many processors did something during the next second."""
    def busy_ticks():
        with open("/proc/stat", encoding="ascii") as stat:
            fields = [int(field) for field in stat.readline().split()[1:9]]
        return sum(fields) - fields[3] - fields[4]
    before = busy_ticks()
    time.sleep(seconds)
    return (busy_ticks() - before) / os.sysconf("SC_CLK_TCK") / seconds


def until(what, condition, timeout_s=60, every_s=0.02):
    """The first true value of condition(): only benchmarks poll."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise BenchError(f"not within {timeout_s} s: {what}")
        time.sleep(every_s)


@contextlib.contextmanager
def work_folder():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kaapi-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# --- requests


def _hmac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signed_headers(host, operation, body, account, region=REGION):
    """The headers of a signed ECS request (Signature Version 4), good for five minutes."""
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    headers = {"content-type": JSON_TYPE, "host": host, "x-amz-date": now, "x-amz-target": f"{ECS_TARGET}.{operation}"}
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body.encode()).hexdigest()}"
    scope = f"{now[:8]}/{region}/ecs/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = b"AWS4" + account["secret_access_key"].encode()
    for part in (now[:8], region, "ecs", "aws4_request"):
        key = _hmac(key, part)
    signature = _hmac(key, text).hex()
    credential = f"{account['access_key_id']}/{scope}"
    headers["authorization"] = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"
    return headers


class EcsClient:
    """Calls ECS operations over one kept-alive connection. One thread at a time."""

    def __init__(self, port, account, region=REGION):
        self.host = f"127.0.0.1:{port}"
        self.account, self.region = account, region
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def __call__(self, operation, **request):
        body = json.dumps(request)
        self.connection.request("POST", "/", body, signed_headers(self.host, operation, body, self.account, self.region))
        response = self.connection.getresponse()
        answer = response.read()
        if response.status != 200:
            raise BenchError(f"{operation} answered {response.status}: {answer[:500].decode(errors='replace')}")
        return json.loads(answer)


# --- the platform


class Kaapi:
    """A `kaapi up` on a free port, with a data directory in `folder`. start() and stop() as often as wanted."""

    def __init__(self, build, folder, options=(), region=REGION):
        self.program = pathlib.Path(build) / "kaapi"
        if not self.program.exists():
            raise BenchError(f"{self.program} is missing: cmake --build {build} --target kaapi")
        self.data = folder / "data"
        self.log = folder / "kaapi.log"
        self.port = free_port()
        self.options, self.region = options, region
        self.process = None

    def launch(self):
        """Starts the process and answers the time just before; it does not wait for anything."""
        command = [self.program, "up", "--listen", f"127.0.0.1:{self.port}", "--data", self.data, "--region", self.region, *self.options]
        with open(self.log, "ab") as log:
            begin = time.perf_counter()
            self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return begin

    def start(self):
        self.launch()
        until("kaapi answers", self._answers, START_TIMEOUT_S)
        return self

    def _answers(self):
        if self.process.poll() is not None:
            raise BenchError(f"kaapi up ended with {self.process.returncode}: {self.log.read_text(errors='replace')[-2000:]}")
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
            connection.request("GET", "/healthz")
            return connection.getresponse().read() is not None
        except OSError:
            return False

    def account(self):
        return json.loads((self.data / "account.json").read_text())

    def client(self):
        return EcsClient(self.port, self.account(), self.region)

    def client_environment(self):
        """For `aws` and `docker`, kept apart from the settings of whoever runs this."""
        account = self.account()
        return {**os.environ, "DOCKER_CONFIG": str(self.data.parent / "docker"), "AWS_ACCESS_KEY_ID": account["access_key_id"],
                "AWS_SECRET_ACCESS_KEY": account["secret_access_key"], "AWS_DEFAULT_REGION": self.region,
                "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}

    def aws(self, *words):
        """What Debian's aws client prints."""
        aws = need("/usr/bin/aws", "tools/dev/install-packages run")
        return run([aws, "--endpoint-url", f"http://127.0.0.1:{self.port}", *words], env=self.client_environment())

    def stop(self):
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def clean_up(self):
        """Ends the process and removes what it left in the engine."""
        self.stop()
        instance_file = self.data / "instance"
        if not instance_file.exists():
            return
        label = f"label=kaapi.instance={instance_file.read_text().strip()}"
        for list_command, remove in ((["docker", "ps", "-aq"], ["docker", "rm", "-f"]),
                                     (["docker", "network", "ls", "-q"], ["docker", "network", "rm"])):
            found = run([*list_command, "--filter", label]).split()
            if found:
                run([*remove, *found])


def cpu_seconds(pid):
    """Processor time of the process so far, ended threads included, to the nanosecond (the ticks in /proc are 10 ms each)."""
    return time.clock_gettime(~pid << 3 | 2)  # what clock_getcpuclockid(3) answers


def memory_mib(pid, field="VmRSS"):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field + ":")) / 1024


def summary(values):
    return f"median {statistics.median(values):.3f}, smallest {min(values):.3f}, largest {max(values):.3f}"
