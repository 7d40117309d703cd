"""A team's repository on a platform of its own: the staging workflow of tests/workflows, a role that its jobs assume, a service."""

import json
import pathlib
import shutil

import backend_service
import common
from common import ROOT, run

REPOSITORY = "kaapi/shop"
ACCOUNT = "111122223333"
PREFIX = "shop"
ENVIRONMENT = "AWS_ENV_VARS"
ROLE = "github-action-role"
IMAGE_REPOSITORY = f"{PREFIX}-staging-repo"
CLUSTER, SERVICE = f"{PREFIX}-staging-cluster", f"{PREFIX}-staging-service"
WORKFLOW_REGION = "ap-south-1"
DOCKERFILE = """FROM scratch
COPY backend /backend
ENV VERSION={version} PORT=8080
EXPOSE 8080
USER 65534:65534
ENTRYPOINT ["/backend"]
"""


class Shop:
    """The working tree in `folder` whose `origin` is the platform."""

    def __init__(self, kaapi, build, folder):
        self.kaapi, self.build, self.tree = kaapi, build, folder / "shop"
        self.environment = {**kaapi.client_environment(), "HOME": str(folder), "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1"}
        self.command("repo", "create", REPOSITORY)
        self.make_tree()

    def command(self, *words):
        """What `kaapi WORDS` prints."""
        return run([self.kaapi.program, *words, "--data", self.kaapi.data], env=self.environment)

    def git(self, *words):
        return run(["git", *words], cwd=self.tree, env=self.environment)

    def make_tree(self):
        self.tree.mkdir()
        self.git("init", "-q", "-b", "main")
        self.git("remote", "add", "origin", f"http://127.0.0.1:{self.kaapi.port}/git/{REPOSITORY}.git")
        for key, value in {"user.name": "Bench", "user.email": "bench@example.com",
                           "credential.helper": f"!'{self.kaapi.program.resolve()}' git-credential --data '{self.kaapi.data}'"}.items():
            self.git("config", key, value)

    def write(self, path, text):
        file = self.tree / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def commit(self, message):
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)

    def run_of_push(self):
        """The newest run with its jobs."""
        newest = json.loads(self.command("run", "list", "--repo", REPOSITORY, "--json"))["runs"][0]["runId"]
        return json.loads(self.command("run", "show", str(newest), "--repo", REPOSITORY, "--json"))

    # --- what a deployment needs

    def add_backend(self):
        """The backend and the workflow that builds it, for the platform's region."""
        (self.tree / "backend").mkdir()
        shutil.copy(pathlib.Path(self.build) / "examples" / "backend" / "backend", self.tree / "backend" / "backend")
        run(["strip", self.tree / "backend" / "backend"])
        text = (ROOT / "tests" / "workflows" / "cd-staging.yml").read_text()
        self.write(".github/workflows/cd-staging.yml", text.replace(WORKFLOW_REGION, common.REGION))
        self.set_version("v0")

    def set_version(self, version):
        self.write("backend/Dockerfile", DOCKERFILE.format(version=version))
        self.commit(f"backend {version}")

    def add_rights(self):
        """The environment's variable and the role, as docs/pipeline.md sets them up."""
        self.command("env", "create", ENVIRONMENT, "--repo", REPOSITORY)
        self.command("env", "set", f"AWS_RESOURCE_PREFIX={PREFIX}", "--repo", REPOSITORY, "--env", ENVIRONMENT)
        aws = self.kaapi.aws
        aws("iam", "create-open-id-connect-provider", "--url", "https://token.actions.githubusercontent.com",
            "--client-id-list", "sts.amazonaws.com", "--thumbprint-list", "0" * 40)
        aws("iam", "create-role", "--role-name", ROLE, "--assume-role-policy-document", filled("trust-policy.json"))
        aws("iam", "put-role-policy", "--role-name", ROLE, "--policy-name", "deploy", "--policy-document", filled("deploy-policy.json"))

    def add_service(self):
        """A service of two tasks that runs the image of the staging repository, and its client."""
        image = backend_service.push_image(self.kaapi, IMAGE_REPOSITORY)
        ecs = self.kaapi.client()
        backend_service.create(ecs, image, CLUSTER, SERVICE)
        return ecs


def filled(name):
    text = (ROOT / "examples" / "pipeline" / name).read_text()
    for word, value in {"ACCOUNT": ACCOUNT, "REGION": common.REGION, "PREFIX": PREFIX, "REPOSITORY": REPOSITORY}.items():
        text = text.replace(word, value)
    return text
