"""The program itself: starting, refusing to start, telling, ending."""

import pathlib
import signal
import stat
import subprocess

import pytest

from harness import ACCOUNT, KAAPI, REGION, Platform, fetch, run


def refused(platform, *options, **variables):
    """What `kaapi up` says when it must not start: one clear line, and not exit code 0."""
    command = [*platform.command(), *options]
    done = subprocess.run(command, env={**platform.env, **variables}, capture_output=True, text=True, timeout=30)
    assert done.returncode not in (0, -signal.SIGSEGV, -signal.SIGABRT), done.stderr
    return done.stderr.strip().splitlines()[-1]


def test_exports_what_the_clients_need(platform):
    exported = platform.exported()
    assert exported["AWS_ENDPOINT_URL"] == platform.endpoint
    assert exported["AWS_REGION"] == exported["AWS_DEFAULT_REGION"] == REGION
    assert platform.boto("sts").get_caller_identity()["Account"] == ACCOUNT
    assert platform.aws("sts", "get-caller-identity")["Account"] == ACCOUNT


def test_the_key_is_readable_by_its_owner_only(platform):
    secret = platform.env["AWS_SECRET_ACCESS_KEY"].encode()
    holders = [path for path in platform.data.rglob("*") if path.is_file() and path.stat().st_size < 1 << 20 and secret in path.read_bytes()]
    assert holders
    assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in holders} == {0}


def test_health_and_metrics_need_no_key(platform):
    assert fetch(platform.endpoint + "/healthz")
    assert "kaapi_" in fetch(platform.endpoint + "/metrics")


def test_a_second_instance_on_the_same_data_is_refused(platform):
    second = Platform()
    try:
        second.data = platform.data
        assert str(platform.data) in refused(second)
    finally:
        second.data = second.work / "data"
        second.close()


def test_a_taken_port_is_named(platform, fresh_platform):
    fresh_platform.listen = platform.listen
    assert str(platform.port) in refused(fresh_platform)


def test_an_engine_that_does_not_answer_is_named(fresh_platform):
    assert "docker" in refused(fresh_platform, DOCKER_HOST="unix:///nonexistent/docker.sock").lower()


def test_open_access_is_refused_off_loopback(fresh_platform):
    fresh_platform.listen = "0.0.0.0:0"
    assert "auth" in refused(fresh_platform, "--auth", "off")


def test_a_damaged_data_directory_is_named(fresh_platform):
    fresh_platform.start()
    assert fresh_platform.stop() == 0
    databases = [path for path in fresh_platform.data.rglob("*") if path.is_file() and path.read_bytes()[:15] == b"SQLite format 3"]
    assert databases
    for path in databases:
        path.write_bytes(b"no database at all" * 1000)
        for side in (path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
            side.unlink(missing_ok=True)
    assert str(fresh_platform.data) in refused(fresh_platform)


def test_the_key_and_the_account_survive_a_restart(fresh_platform):
    before = fresh_platform.start().exported()
    assert fresh_platform.stop() == 0
    assert fresh_platform.start().exported() == before


def test_open_access_on_loopback_takes_any_key():
    platform = Platform("--auth", "off")
    try:
        platform.start()
        platform.env.update(AWS_ACCESS_KEY_ID="anything", AWS_SECRET_ACCESS_KEY="anything")
        assert platform.aws("ecs", "list-clusters") == {"clusterArns": []}
    finally:
        platform.close()


@pytest.mark.parametrize("arguments", [["--help"], ["up", "--help"], ["env", "--help"], ["status", "--help"]])
def test_help_is_given(arguments):
    assert "sage" in run([KAAPI, *arguments]).stdout


def test_an_unknown_option_is_named():
    done = run([KAAPI, "up", "--bogus"], check=False)
    assert done.returncode != 0
    assert "--bogus" in done.stderr


def test_idle_is_small(fresh_platform):
    fresh_platform.start()
    status = pathlib.Path(f"/proc/{fresh_platform.process.pid}/status").read_text()
    resident_kib = int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])
    # The target is 20 MiB, measured in bench/; this only catches a leak or a large table at start.
    assert resident_kib < 64 * 1024
