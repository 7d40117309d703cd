"""Pushes and pulls one large blob, by turns, to Kaapi's registry and to Debian's docker-registry.

Both are pushed to as docker does (POST, one PATCH with the whole blob, PUT with the digest) by the same client, which hands the file
to the kernel (sendfile) so that it costs little itself. Every round pushes new content. Kaapi checks a token on every request; the
peer checks nothing. Below 1 is faster.
"""

import base64
import dataclasses
import hashlib
import http.client
import os
import statistics
import subprocess
import time
import urllib.parse

import common
from common import say

REPOSITORY = "bench/blob"
BLOB_MIB = 512
ROUNDS = 5
PIECE_BYTES = 1 << 20
START_TIMEOUT_S = 10
TRANSFER_TIMEOUT_S = 600
ASKED_PUSH_RATIO = 0.5
ASKED_PULL_RATIO = 1.0


@dataclasses.dataclass
class Side:
    """One of the two servers, and what a client of it says on every request."""

    port: int
    pid: int
    headers: dict


def answers(port):
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        connection.request("GET", "/v2/")
        return connection.getresponse().read() is not None
    except OSError:
        return False


def start_docker_registry(folder):
    program = common.need("docker-registry", "tools/dev/install-packages bench")
    port = common.free_port()
    config = folder / "config.yml"
    config.write_text(
        f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder}/docker-registry}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n"
    )
    with open(folder / "docker-registry.log", "wb") as log:
        process = subprocess.Popen([program, "serve", config], stdout=log, stderr=log)
    return process, port


def expect(response, status):
    body = response.read()
    if response.status != status:
        raise common.BenchError(f"expected {status}, got {response.status}: {body[:500]!r}")
    return response


def target_of(response):
    location = urllib.parse.urlsplit(response.getheader("Location"))
    return location.path, location.query


def push(side, path, digest):
    """Seconds from the first request to the answer that the blob is stored."""
    begin = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", side.port, timeout=TRANSFER_TIMEOUT_S)
    connection.request("POST", f"/v2/{REPOSITORY}/blobs/uploads/", headers={"Content-Length": "0", **side.headers})
    where, query = target_of(expect(connection.getresponse(), 202))
    connection.putrequest("PATCH", f"{where}?{query}" if query else where)
    for name, value in {"Content-Type": "application/octet-stream", "Content-Length": str(os.path.getsize(path)), **side.headers}.items():
        connection.putheader(name, value)
    connection.endheaders()
    with open(path, "rb") as blob:
        connection.sock.sendfile(blob)
    where, query = target_of(expect(connection.getresponse(), 202))
    query = f"{query}&digest={digest}" if query else f"digest={digest}"
    connection.request("PUT", f"{where}?{query}", headers={"Content-Length": "0", **side.headers})
    expect(connection.getresponse(), 201)
    return time.perf_counter() - begin


def pull(side, digest, size):
    buffer = bytearray(PIECE_BYTES)
    begin = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", side.port, timeout=TRANSFER_TIMEOUT_S)
    connection.request("GET", f"/v2/{REPOSITORY}/blobs/{digest}", headers=side.headers)
    response = connection.getresponse()
    if response.status != 200:
        raise common.BenchError(f"expected 200, got {response.status}")
    received = 0
    while count := response.readinto(buffer):
        received += count
    if received != size:
        raise common.BenchError(f"expected {size} bytes, got {received}")
    return time.perf_counter() - begin


def change(path, round_number):
    """New content, at the cost of a few bytes; the file is in the page cache afterwards. Answers its digest."""
    hasher = hashlib.sha256()
    with open(path, "r+b") as blob:
        blob.write(round_number.to_bytes(8, "big"))
        blob.seek(0)
        while piece := blob.read(PIECE_BYTES):
            hasher.update(piece)
    os.sync()  # nobody pays for what was written before
    return "sha256:" + hasher.hexdigest()


def measured(action, side):
    """Wall seconds of one transfer, and the processor seconds that the server spent on it: those depend less on the machine's load."""
    before = common.cpu_seconds(side.pid)
    wall = action()
    return wall, common.cpu_seconds(side.pid) - before


def transfers(sides, blob):
    """For push and pull, one list of (wall, processor) for each side. Who comes first changes with every round."""
    times = {"push": ([], []), "pull": ([], [])}
    for round_number in range(ROUNDS):
        order = range(len(sides)) if round_number % 2 == 0 else reversed(range(len(sides)))
        common.wait_for_quiet()
        for index in order:
            side = sides[index]
            digest = change(blob, len(sides) * round_number + index)
            times["push"][index].append(measured(lambda: push(side, blob, digest), side))
            times["pull"][index].append(measured(lambda: pull(side, digest, BLOB_MIB * PIECE_BYTES), side))
    return times


def report(what, ours, theirs, asked):
    wall, processor = ([statistics.median(row[column] for row in rows) for rows in (ours, theirs)] for column in (0, 1))
    say(f"  {what}: wall {wall[0]:.3f} s against {wall[1]:.3f} s, processor {processor[0]:.3f} s against {processor[1]:.3f} s")
    return common.compared(f"{what} of {BLOB_MIB} MiB", *wall, "docker-registry", asked)


def kaapi_side(kaapi):
    kaapi.start()
    kaapi.aws("ecr", "create-repository", "--repository-name", REPOSITORY)
    login = f"AWS:{kaapi.aws('ecr', 'get-login-password').strip()}"
    basic = base64.b64encode(login.encode()).decode()
    return Side(kaapi.port, kaapi.process.pid, {"Authorization": f"Basic {basic}"})


def measure(build):
    common.need_docker()  # kaapi up wants it
    with common.work_folder() as folder:
        kaapi, peer = common.Kaapi(build, folder), None
        try:
            ours = kaapi_side(kaapi)
            peer, peer_port = start_docker_registry(folder)
            common.until("docker-registry answers", lambda: answers(peer_port), START_TIMEOUT_S)
            blob = folder / "blob"
            with open(blob, "wb") as out:
                for _ in range(BLOB_MIB):
                    out.write(os.urandom(PIECE_BYTES))
            times = transfers([ours, Side(peer_port, peer.pid, {})], blob)
            say(f"  kaapi's largest resident size: {common.memory_mib(ours.pid, 'VmHWM'):.1f} MiB")
        finally:
            if peer:
                peer.terminate()
                peer.wait()
            kaapi.clean_up()
    return [report("push", *times["push"], ASKED_PUSH_RATIO), report("pull", *times["pull"], ASKED_PULL_RATIO)]
