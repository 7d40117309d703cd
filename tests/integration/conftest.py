"""Fixtures: one platform per module, two small images per run, and the platform's own log in the report of a failed test."""

import re
import shutil

import pytest

import harness

BUSYBOX_IMAGE = "kaapi-test/busybox:1"
BACKEND_IMAGE = "kaapi-test/backend:1"
GIT_IMAGE = "kaapi-test/git:1"


def built(image, context):
    harness.run(["docker", "build", "-q", "--network", "none", "-t", image, context])
    yield image
    harness.run(["docker", "rmi", image], check=False)


@pytest.fixture(scope="session")
def busybox_image(tmp_path_factory):
    """A shell, httpd, sleep and friends: 2 MB, no hub, no download."""
    context = tmp_path_factory.mktemp("busybox")
    shutil.copy("/usr/bin/busybox" if shutil.which("/usr/bin/busybox") else "/bin/busybox", context / "busybox")
    (context / "Dockerfile").write_text(
        'FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "--install", "-s", "/bin"]\nCMD ["/bin/sh"]\n')
    yield from built(BUSYBOX_IMAGE, context)


@pytest.fixture(scope="session")
def git_image(tmp_path_factory, busybox_image):
    """This machine's git, with what it is linked to, beside busybox."""
    context = tmp_path_factory.mktemp("git")
    programs = ["/usr/bin/git", "/usr/lib/git-core/git-remote-http"]
    linked = harness.run(["ldd", *programs]).stdout.split()
    for path in {*programs, *(word for word in linked if word.startswith("/") and not word.endswith(":"))}:
        target = context / "root" / path.removeprefix("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    (context / "Dockerfile").write_text(f"FROM {busybox_image}\nCOPY root /\nENV PATH=/bin:/usr/bin\n")
    yield from built(GIT_IMAGE, context)


@pytest.fixture(scope="session")
def backend_image(tmp_path_factory):
    """The example backend as cmake built it: the same program as its Dockerfile makes, in no time."""
    context = tmp_path_factory.mktemp("backend")
    shutil.copy(harness.BUILD / "examples" / "backend" / "backend", context / "backend")
    (context / "Dockerfile").write_text(
        'FROM scratch\nCOPY backend /backend\nENV VERSION=1 PORT=8080\nEXPOSE 8080\nUSER 65534:65534\nENTRYPOINT ["/backend"]\n')
    yield from built(BACKEND_IMAGE, context)


@pytest.fixture(scope="module")
def platform():
    platform = harness.Platform()
    try:
        yield platform.start()
    finally:
        platform.close()


@pytest.fixture
def fresh_platform():
    """For tests that break it."""
    platform = harness.Platform()
    try:
        yield platform
    finally:
        platform.close()


@pytest.fixture(scope="module")
def busybox(platform, busybox_image):
    return platform.push(busybox_image, "busybox")


@pytest.fixture(scope="module")
def backend(platform, backend_image):
    return platform.push(backend_image, "backend")


@pytest.fixture
def cluster(platform, request):
    """A cluster of the test's own; what the test leaves in it is stopped without waiting."""
    name = re.sub("[^a-z0-9]+", "-", request.node.name.lower()).strip("-")
    platform.cluster(name)
    yield name
    if platform.process.poll() is None:
        for arn in platform.ecs.list_services(cluster=name)["serviceArns"]:
            platform.ecs.delete_service(cluster=name, service=arn, force=True)
        for arn in platform.ecs.list_tasks(cluster=name)["taskArns"]:
            platform.ecs.stop_task(cluster=name, task=arn, reason="the test is over")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    report = (yield).get_result()
    platform = item.funcargs.get("platform") or item.funcargs.get("fresh_platform")
    if report.failed and platform:
        report.sections.append(("the platform's log", platform.log_tail()))
