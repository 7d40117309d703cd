"""The example backend as a process: what it answers, what it prints, how it ends. Usage: backend_test.py PROGRAM."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import unittest

PROGRAM = sys.argv.pop(1) if len(sys.argv) > 1 else "build/examples/backend/backend"
HEALTH = "/api/v1/utils/health/"
WAIT_S = 10


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Backend:
    """A running backend; reading its next line is how a test waits for it."""

    def __init__(self, wait=True, **settings):
        self.port = free_port()
        self.env = {"PATH": os.environ["PATH"], "PORT": str(self.port), **settings}
        self.process = subprocess.Popen([PROGRAM], env=self.env, stdout=subprocess.PIPE, text=True)
        if wait:
            self.read_until("listening")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(WAIT_S)
        self.process.stdout.close()

    def read_until(self, text):
        for line in self.process.stdout:
            if text in line:
                return line
        raise AssertionError(f"the backend ended without saying {text!r}")

    def get(self, path, method="GET"):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        connection.request(method, path)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, body, answer.headers["Content-Type"]

    def health(self):
        return subprocess.run([PROGRAM, "--health"], env=self.env, timeout=WAIT_S).returncode

    def end(self, sent=signal.SIGTERM):
        self.process.send_signal(sent)
        return self.process.wait(WAIT_S)


class BackendTest(unittest.TestCase):
    def test_answers_its_routes(self):
        with Backend(VERSION="1.2", GREETING='say "hi"', ECS_CONTAINER_METADATA_URI_V4="http://169.254.170.2/v4/0abc-1") as backend:
            self.assertEqual(backend.get(HEALTH), (200, b"true", "application/json"))
            status, body, _ = backend.get("/")
            self.assertEqual((status, json.loads(body)), (200, {"message": 'say "hi"', "version": "1.2", "task": "0abc-1"}))
            self.assertEqual(backend.get("/nothing")[0], 404)
            self.assertEqual(backend.get("/", "POST")[0], 405)
            self.assertEqual(backend.health(), 0)

    def test_prints_one_line_per_request_at_once(self):
        with Backend() as backend:
            backend.get("/a?b=c")
            self.assertRegex(backend.read_until("GET"), r"^\d{4}-\d\d-\d\dT[\d:.]+Z 127\.0\.0\.1 GET /a\?b=c 404$")

    def test_keeps_a_connection_open_for_many_requests(self):
        with Backend() as backend:
            connection = http.client.HTTPConnection("127.0.0.1", backend.port, timeout=WAIT_S)
            for _ in range(100):
                connection.request("GET", HEALTH)
                self.assertEqual(connection.getresponse().read(), b"true")
            connection.close()

    def test_answers_a_client_that_has_closed_its_sending_side(self):
        with Backend() as backend, socket.create_connection(("127.0.0.1", backend.port), WAIT_S) as client:
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            client.shutdown(socket.SHUT_WR)
            self.assertIn(b"200 OK", client.makefile("rb").read())

    def test_drops_a_request_that_is_too_large(self):
        with Backend() as backend, socket.create_connection(("127.0.0.1", backend.port), WAIT_S) as client:
            with self.assertRaises((ConnectionError, AssertionError)):
                for _ in range(100):
                    client.sendall(b"x" * 4096)
                self.assertNotEqual(client.recv(1), b"")
            self.assertEqual(backend.health(), 0)

    def test_finishes_the_request_in_hand_on_sigterm(self):
        with Backend() as backend, socket.create_connection(("127.0.0.1", backend.port), WAIT_S) as client:
            client.sendall(b"GET /api/v1/utils/wait/?ms=300 HTTP/1.1\r\n\r\n")
            # A second connection is served after the first was read: the request is in hand when the signal comes.
            backend.get("/")
            backend.process.send_signal(signal.SIGTERM)
            answer = client.makefile("rb").read()
            self.assertIn(b"200 OK", answer)
            self.assertIn(b"Connection: close", answer)
            self.assertEqual(backend.process.wait(WAIT_S), 0)

    def test_ends_at_once_with_only_idle_connections(self):
        with Backend() as backend, socket.create_connection(("127.0.0.1", backend.port), WAIT_S):
            self.assertEqual(backend.health(), 0)
            self.assertEqual(backend.end(), 0)

    def test_health_check_fails_when_nothing_listens_or_unhealthy(self):
        with Backend(UNHEALTHY_AFTER_S="0") as backend:
            self.assertEqual(backend.get(HEALTH)[:2], (503, b"false"))
            self.assertEqual(backend.health(), 1)
            backend.end()
            self.assertEqual(backend.health(), 1)

    def test_crashes_when_told(self):
        with Backend(wait=False, CRASH_ON_START="7") as backend:
            self.assertEqual(backend.process.wait(WAIT_S), 7)
        with Backend(CRASH_AFTER_S="1", CRASH_EXIT_CODE="9") as backend:
            self.assertEqual(backend.process.wait(WAIT_S), 9)

    def test_starts_slowly_and_still_stops_at_once(self):
        with Backend(wait=False, SLOW_START_S="60") as backend:
            backend.read_until("SLOW_START_S")
            self.assertEqual(backend.health(), 1)
            self.assertEqual(backend.end(), 0)

    def test_ignores_sigterm_when_told(self):
        with Backend(IGNORE_SIGTERM="1") as backend:
            backend.process.send_signal(signal.SIGTERM)
            backend.read_until("not stopping")
            self.assertEqual(backend.get(HEALTH)[0], 200)
            self.assertEqual(backend.end(signal.SIGKILL), -signal.SIGKILL)

    def test_migrates_as_a_one_off(self):
        for arguments, settings in ((["--migrate"], {}), ([], {"MIGRATE": "1"})):
            done = subprocess.run([PROGRAM, *arguments], env={"MIGRATION_STEPS": "2", **settings}, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0)
            self.assertEqual(re.findall(r"Z (.*)", done.stdout),
                             ["migration 1 of 2 applied", "migration 2 of 2 applied", "migrations done"])
        failed = subprocess.run([PROGRAM, "--migrate"], env={"MIGRATION_EXIT_CODE": "3"}, capture_output=True)
        self.assertEqual(failed.returncode, 3)

    def test_says_which_setting_is_wrong(self):
        done = subprocess.run([PROGRAM], env={"PORT": "80a"}, capture_output=True, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn("PORT=80a is not a whole number from 0 to 65535", done.stderr)


if __name__ == "__main__":
    unittest.main()
