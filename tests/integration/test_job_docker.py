"""Docker in jobs: what workflows do with it works, and none of the ways by which Docker's socket makes its user root does. Runs as root, as the
platform does where jobs have users of their own."""

import re

import harness
import pipeline
import pytest
import python_image
import team_tree
from pipeline import workflow
from team_tree import REPOSITORY


@pytest.fixture(scope="module")
def platform():
    platform = harness.Platform(region=team_tree.REGION, account=team_tree.ACCOUNT)
    try:
        yield platform.start()
    finally:
        platform.close()


@pytest.fixture(scope="module")
def team(platform, backend_image):
    team = pipeline.Team(platform, backend_image)
    team.commit("The backend", version="v1")
    return team


def run_workflow(team, text):
    """The log of a workflow that a push of what stands in the tree to another branch runs, and its conclusion."""
    # On top of what was pushed before: the first branch of a repository is protected.
    pushed = team.git("branch", "-r", "--list", "origin/other").stdout.strip()
    team.git("checkout", "-q", "-B", "other", "origin/other" if pushed else "main")
    team.write(".github/workflows/docker.yml", workflow(text))
    team.commit("Docker in a job")
    team.git("push", "--force", "origin", "other", check=False)
    team.git("checkout", "-q", "-f", "main")
    run = team.newest_run()["runId"]
    team.wait_run(run, "completed")
    return team.kaapi("run", "log", run, "--repo", REPOSITORY).stdout, team.describe(run)["conclusion"]


def run_steps(team, script, job=""):
    """The same of one job with this script."""
    head = f"on: {{push: {{branches: [other]}}}}\njobs:\n  docker:\n    runs-on: ubuntu-latest\n{job}    steps:\n      - run: |\n"
    return run_workflow(team, head + "\n".join(" " * 10 + line for line in script.strip().split("\n")) + "\n")


def lines_of(log):
    """Without their times."""
    return [line.split(" ", 1)[-1] for line in log.splitlines()]


def jobs_things(kind, *options):
    """Tasks' containers say that they are no job's by an empty label."""
    words = ["docker", kind, "ls", *options, "--filter", "label=kaapi.job", "--format", '{{.Label "kaapi.job"}}']
    return harness.run(words).stdout.split()


def test_jobs_use_docker_as_workflows_do(team, busybox_image):
    log, conclusion = run_steps(team, f"""
mkdir -p in && echo given > in/file
docker run --rm -v "$PWD/in:/in:ro" -v "$PWD/out:/out" {busybox_image} sh -c 'cat /in/file > /out/file'
cat out/file
echo temporary > /tmp/file && docker run --rm -v /tmp/file:/file {busybox_image} cat /file
docker network create mine
docker volume create kept
docker run -d --name server --network mine --network-alias web -v kept:/www -w /www -p 127.0.0.1::80 {busybox_image} httpd -f -p 80
docker exec server sh -c 'echo served > /www/page'
docker run --rm --network mine {busybox_image} wget -q -O - http://web/page
wget -q -O - "http://$(docker port server 80)/page" || curl -fsS "http://$(docker port server 80)/page"
echo "running: $(docker ps --format '{{{{.Names}}}}')"
docker logs server
echo piped | docker run --rm -i {busybox_image} sh -c 'read line; echo "got $line"'
docker cp server:/www/page copied && cat copied
printf 'FROM {busybox_image}\\nRUN echo built > /it\\n' > Dockerfile
docker build -q -t kaapi-test/mine:1 . && docker run --rm kaapi-test/mine:1 cat /it
docker rmi kaapi-test/mine:1
docker run --rm {busybox_image} sh -c 'exit 7' || echo "ended with $?"
docker image prune -f
""")
    assert conclusion == "success", log
    for text in ("given", "temporary", "running: server", "got piped", "built", "ended with 7"):
        assert text in log, log
    assert log.count("served") >= 3, log
    harness.eventually("what the job left is gone",
                       lambda: not jobs_things("container", "-a") and not jobs_things("network") and not jobs_things("volume"))


def test_services_and_a_job_container(team, busybox_image):
    log, conclusion = run_steps(team, """
wget -q -O - http://web/page
echo "$(wget -q -O - "$AWS_ENDPOINT_URL/healthz") is what the platform says inside"
test "$AWS_ENDPOINT_URL" = "${{ github.server_url }}" && echo "known by one address"
echo "inside as $(id -u) in $PWD" && echo kept > from-inside
""", f"""    container: {busybox_image}
    defaults: {{run: {{shell: sh}}}}
    services:
      web:
        image: {busybox_image}
        command: sh -c "mkdir /www; echo serviced > /www/page; httpd -f -p 80 -h /www"
        options: --health-cmd "wget -q -O - http://127.0.0.1/page" --health-interval 1s --health-retries 20
""")
    assert conclusion == "success", log
    assert "Waiting until service web is healthy" in log, log
    assert "serviced" in log and "inside as 0 in /__w" in log, log
    # The script is in the log too.
    assert [line for line in lines_of(log) if line.endswith(" is what the platform says inside")], log
    assert "known by one address" in lines_of(log), log


def test_git_in_a_job_container_pushes_what_checkout_may(team, git_image):
    log, conclusion = run_workflow(team, f"""
on: {{push: {{branches: [other]}}}}
jobs:
  docker:
    runs-on: ubuntu-latest
    container: {git_image}
    defaults: {{run: {{shell: sh}}}}
    permissions: {{contents: write}}
    steps:
      - uses: actions/checkout@v6
      - run: |
          echo new > from-inside
          git add from-inside
          git -c user.name=ci -c user.email=ci@example.com commit --quiet -m "From inside"
          git push --quiet origin HEAD:refs/heads/from-inside
          git ls-remote origin refs/heads/from-inside | sed 's/^/there is /'
""")
    assert conclusion == "success", log
    assert re.search(r"there is [0-9a-f]{40}\s+refs/heads/from-inside", log), log


def test_an_action_in_a_container_reaches_the_platform(team, busybox_image):
    team.write("ask/action.yml", "name: Ask\nruns: {using: docker, image: Dockerfile, args: [healthz]}\n")
    team.write("ask/Dockerfile", f"FROM {busybox_image}\nCOPY ask /ask\nENTRYPOINT [\"/ask\"]\n")
    team.write("ask/ask", "#!/bin/sh\necho \"says $(wget -q -O - $AWS_ENDPOINT_URL/$1)\" && echo answer=42 >> $GITHUB_OUTPUT\n")
    (team.folder / "ask/ask").chmod(0o755)
    log, conclusion = run_workflow(team, """
on: {push: {branches: [other]}}
jobs:
  docker:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v6
      - {uses: ./ask, id: ask}
      - run: echo "it answered ${{ steps.ask.outputs.answer }}"
""")
    assert conclusion == "success", log
    assert [line for line in lines_of(log) if line.startswith("says ")], log
    assert "it answered 42" in lines_of(log), log


def test_docker_makes_no_job_root(team, platform, busybox_image):
    task = platform.containers("running")[0]
    log, conclusion = run_steps(team, f"""
id -u
refused() {{ if out=$("$@" 2>&1); then echo "NOT REFUSED: $*"; else echo "refused: $out"; fi; }}
refused docker run --rm -v /:/host {busybox_image} cat /host/etc/shadow
refused docker run --rm --mount type=bind,source=/etc,target=/host {busybox_image} cat /host/shadow
ln -s / way-out
refused docker run --rm -v "$PWD/way-out:/host" {busybox_image} cat /host/etc/shadow
refused docker run --rm -v "$PWD/way-out/etc:/host" {busybox_image} cat /host/shadow
refused docker run --rm -v "$PWD/../../../..:/host" {busybox_image} ls /host
refused docker run --rm --privileged {busybox_image} true
refused docker run --rm --pid host {busybox_image} true
refused docker run --rm --network host {busybox_image} true
refused docker run --rm --cap-add SYS_ADMIN {busybox_image} true
refused docker run --rm --device /dev/null {busybox_image} true
refused docker run --rm --security-opt apparmor=unconfined {busybox_image} true
refused docker run --rm --network container:{task} {busybox_image} true
refused docker run --rm --volumes-from {task} {busybox_image} true
refused docker volume create -o type=none -o o=bind -o device=/ all
refused docker inspect {task}
refused docker logs {task}
refused docker exec {task} true
refused docker stop {task}
refused docker rmi -f {busybox_image}
refused docker swarm init
echo "all containers: [$(docker ps -aq)], at the usual place: [$(docker -H unix:///var/run/docker.sock ps -aq)]"
cp /usr/bin/id root-id
docker run --rm -v "$PWD:/w" {busybox_image} sh -c 'mknod /w/disk b 8 0; chown 0:0 /w/root-id; chmod 4755 /w/root-id'
ls -ln root-id; test ! -e disk && echo "no device"
echo "as $(./root-id -u)"
python3 - > device.tar <<'END'
import sys, tarfile
disk = tarfile.TarInfo("disk"); disk.type = tarfile.BLKTYPE; disk.devmajor, disk.mode = 8, 0o666
tarfile.open(fileobj=sys.stdout.buffer, mode="w|").addfile(disk)
END
docker create --name with-disk -v "$PWD:/w" {busybox_image} true > /dev/null
docker cp - with-disk:/w < device.tar || echo "no device comes by docker cp"
refused head -c 1 disk
ls -d /proc/[0-9]* | wc -l | sed 's/^/processes: /'
""")
    assert conclusion == "success", log
    # The script is in the log too, with its own words.
    said = lines_of(log)
    assert not [line for line in said if line.startswith("NOT REFUSED: ")], log
    assert sum(line.startswith("refused: ") for line in said) == 21, log
    assert int(next(line for line in said if line.startswith("processes: ")).split()[1]) < 20, log
    for text in ("the job's own folders", "leads out of the job's folder", "HostConfig.Privileged", "HostConfig.PidMode", "No such container",
                 "all containers: [], at the usual place: []", "no device"):
        assert text in log, log
    assert "-rwsr-xr-x 1 0 0 " in log and "as 0" not in said and [line for line in said if line.startswith("as 6")], log
    assert task in platform.containers("running")


# The root of a container is the machine's root as far as files go, and a job may hand it whatever it can open itself.
HANDS = """
import array, os, socket
line = socket.socket(socket.AF_UNIX); line.bind("s"); os.chmod("s", 0o777); line.listen()
print("listens", flush=True)
peer = line.accept()[0]
given = array.array("i", [os.open(path, os.O_PATH) for path in ("/", "/etc", "/proc", "/dev")])
peer.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, given)])
peer.recv(1)
"""
TAKES = """
import array, os, socket, stat
line = socket.socket(socket.AF_UNIX); line.connect("/w/s")
taken = array.array("i"); taken.frombytes(line.recvmsg(1, socket.CMSG_SPACE(16))[1][0][2])
root, etc, proc, dev = taken
def opened(at, path, flags=os.O_RDONLY):
    return os.open(path, flags, dir_fd=at)
def something(data):
    if not data: raise OSError(0, "it is empty")
    return data
def tries(what, do):
    try: print("GOT", what, do())
    except OSError as error: print("nothing of", what, "-", error.strerror)
tries("shadow", lambda: something(os.read(opened(etc, "shadow"), 9)))
tries("other folders", lambda: [name for name in ("root", "home", "work", "srv", "boot") if name in os.listdir(opened(root, "."))] or something(""))
tries("the platform's data", lambda: opened(root, DATA))
tries("other jobs", lambda: something([n for n in os.listdir(opened(root, RUNNERS)) if n not in (os.path.basename(RUNNERS),)][1:]))
tries("a program", lambda: opened(root, "usr/bin/planted", os.O_WRONLY | os.O_CREAT))
tries("a setting", lambda: opened(etc, "planted", os.O_WRONLY | os.O_CREAT))
tries("the kernel's settings", lambda: opened(proc, "sys/kernel/core_pattern", os.O_WRONLY))
tries("disks", lambda: something([n for n in os.listdir(opened(dev, ".")) if stat.S_ISBLK(os.stat(n, dir_fd=dev).st_mode)]))
print("tried")
"""


def test_what_a_job_hands_to_its_container_leads_nowhere(team, platform):
    image = python_image.make("kaapi-test/python:1")
    head = f"DATA, RUNNERS = {str(platform.data).lstrip('/')!r}, 'var/lib/kaapi-runner'\n"
    script = f"""
cat > hands.py <<'END'
{HANDS.strip()}
END
cat > takes.py <<'END'
{head}{TAKES.strip()}
END
python3 hands.py > said & until grep -q listens said; do :; done
docker run --rm -v "$PWD:/w" {image} /w/takes.py
"""
    log, conclusion = run_steps(team, script)
    assert conclusion == "success", log
    said = lines_of(log)
    assert "tried" in said and not [line for line in said if line.startswith("GOT ")], log
    assert sum(line.startswith("nothing of ") for line in said) == 8, log


def test_what_a_job_leaves_is_removed_whatever_it_does_to_the_client(team, busybox_image):
    """Docker's client of root's, run with the job's settings, would have failed, or run what the job says."""
    log, conclusion = run_steps(team, f"""
mkdir -p $RUNNER_TEMP/../../.docker $HOME/.docker
for at in $RUNNER_TEMP/../../.docker $HOME/.docker; do echo '{{{{"credHelpers": 7' > $at/config.json; done
export DOCKER_CONFIG=$RUNNER_TEMP
docker run -d --name again --restart always -v "$PWD:/w" -v /data {busybox_image} sleep 1000
docker run -d --name linked --link again:a -p 8000-8999:80 {busybox_image} sleep 1000
docker inspect -f 'policy {{{{.HostConfig.RestartPolicy.Name}}}}, ports {{{{json .HostConfig.PortBindings}}}}' linked again
docker inspect -f 'image {{{{.Os}}}}' {busybox_image}
docker tag {busybox_image} kaapi-test/named:$$ && docker rmi kaapi-test/named:$$
docker commit again kaapi-test/committed:$$ && docker rmi kaapi-test/committed:$$
docker system prune -f
! docker run --rm --mac-address 02:42:ac:11:00:02 {busybox_image} true
! docker run --rm -p 80:80 {busybox_image} true
! docker run --rm -v /etc/passwd:/p {busybox_image} true
docker run --rm -v /etc/passwd:/p:ro {busybox_image} true
docker run --rm -v "$PWD:/w" {busybox_image} sh -c 'mknod /w/disk b 8 0; chown 0:0 /w/../w' || true
docker network create left && docker volume create left
""")
    assert conclusion == "success", log
    said = lines_of(log)
    assert "policy no, ports {}" in said and "image linux" in said, log
    assert [line for line in said if line.startswith("policy no, ports {") and '"HostIp":"127.0.0.1"' in line], log
    harness.eventually("what the job left is gone",
                       lambda: not jobs_things("container", "-a") and not jobs_things("network") and not jobs_things("volume"))
