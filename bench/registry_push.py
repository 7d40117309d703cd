#!/usr/bin/env python3
"""Pushes and pulls one large blob, by turns, to Kaapi's registry and to Debian's docker-registry, and prints the ratios.

    cmake --build build --target registry_server
    bench/registry_push.py [--build build] [--mib 512] [--rounds 5]

Both servers run on free ports of the loopback with data in one temporary folder; both are pushed to as docker does (POST, one
PATCH with the whole blob, PUT with the digest) by the same client, which hands the file to the kernel (sendfile) so that it costs
little itself. Every round pushes new content. The ratio is that of the medians, ours to theirs: below 1 is faster.
"""

import argparse
import hashlib
import http.client
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse

REPOSITORY = "bench/blob"
PIECE_BYTES = 1 << 20
START_TIMEOUT_S = 10


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_it_answers(port):
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            connection.request("GET", "/v2/")
            connection.getresponse().read()
            return
        except OSError:
            if time.monotonic() > deadline:
                sys.exit(f"the server on port {port} does not answer after {START_TIMEOUT_S} s")
            time.sleep(0.05)


def start_kaapi(build, folder):
    program = pathlib.Path(build) / "bench" / "registry_server"
    if not program.exists():
        sys.exit(f"{program} is missing: cmake --build {build} --target registry_server")
    port = free_port()
    log = open(folder / "kaapi.log", "wb")
    process = subprocess.Popen([program, folder / "kaapi", str(port), REPOSITORY], stdout=log, stderr=log)
    return process, port


def start_docker_registry(folder):
    program = shutil.which("docker-registry")
    if not program:
        sys.exit("docker-registry is missing: apt-get install docker-registry")
    port = free_port()
    config = folder / "config.yml"
    config.write_text(
        f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder}/docker-registry}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n"
    )
    log = open(folder / "docker-registry.log", "wb")
    process = subprocess.Popen([program, "serve", config], stdout=log, stderr=log)
    return process, port


def expect(response, status):
    body = response.read()
    if response.status != status:
        sys.exit(f"expected {status}, got {response.status}: {body[:500]!r}")
    return response


def target_of(response):
    location = urllib.parse.urlsplit(response.getheader("Location"))
    return location.path, location.query


def push(port, path, digest):
    """Seconds from the first request to the answer that the blob is stored."""
    begin = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    connection.request("POST", f"/v2/{REPOSITORY}/blobs/uploads/", headers={"Content-Length": "0"})
    where, query = target_of(expect(connection.getresponse(), 202))
    connection.putrequest("PATCH", f"{where}?{query}" if query else where)
    connection.putheader("Content-Type", "application/octet-stream")
    connection.putheader("Content-Length", str(os.path.getsize(path)))
    connection.endheaders()
    with open(path, "rb") as blob:
        connection.sock.sendfile(blob)
    where, query = target_of(expect(connection.getresponse(), 202))
    query = f"{query}&digest={digest}" if query else f"digest={digest}"
    connection.request("PUT", f"{where}?{query}", headers={"Content-Length": "0"})
    expect(connection.getresponse(), 201)
    return time.perf_counter() - begin


def pull(port, digest, size):
    buffer = bytearray(PIECE_BYTES)
    begin = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    connection.request("GET", f"/v2/{REPOSITORY}/blobs/{digest}")
    response = connection.getresponse()
    if response.status != 200:
        sys.exit(f"expected 200, got {response.status}")
    received = 0
    while count := response.readinto(buffer):
        received += count
    if received != size:
        sys.exit(f"expected {size} bytes, got {received}")
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


def cpu_seconds(process):
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(action, process):
    """Wall seconds of one transfer, and the processor seconds that the server spent on it: those depend less on the machine's load."""
    before = cpu_seconds(process)
    wall = action()
    return wall, cpu_seconds(process) - before


def report(what, ours, theirs):
    for column, kind in enumerate(("wall", "processor")):
        mine, peer = (statistics.median(row[column] for row in rows) for rows in (ours, theirs))
        print(f"{what}, {kind}: kaapi {mine:.3f} s, docker-registry {peer:.3f} s, ratio {mine / peer:.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--mib", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kaapi-bench-"))
    processes = []
    try:
        kaapi, kaapi_port = start_kaapi(arguments.build, folder)
        processes.append(kaapi)
        peer, peer_port = start_docker_registry(folder)
        processes.append(peer)
        for port in (kaapi_port, peer_port):
            wait_until_it_answers(port)
        blob = folder / "blob"
        with open(blob, "wb") as out:
            for _ in range(arguments.mib):
                out.write(os.urandom(PIECE_BYTES))
        times = {name: ([], []) for name in ("push", "pull")}
        for round_number in range(arguments.rounds):
            sides = [(0, kaapi, kaapi_port), (1, peer, peer_port)]
            for side, process, port in sides if round_number % 2 == 0 else reversed(sides):
                digest = change(blob, 2 * round_number + side)
                times["push"][side].append(measure(lambda: push(port, blob, digest), process))
                times["pull"][side].append(measure(lambda: pull(port, digest, arguments.mib * PIECE_BYTES), process))
        for name, (ours, theirs) in times.items():
            report(f"{name} of {arguments.mib} MiB, median of {arguments.rounds}", ours, theirs)
        with open(f"/proc/{kaapi.pid}/status", encoding="ascii") as status:
            print("kaapi's largest resident size:", next(line.split(":")[1].strip() for line in status if line.startswith("VmHWM")))
    finally:
        for process in processes:
            process.terminate()
            process.wait()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
