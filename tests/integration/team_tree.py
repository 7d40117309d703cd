"""A team's working tree whose `origin` is a platform: what the pipeline tests and bench/ push. Needs git and nothing else."""

import pathlib
import shutil

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "pipeline"
WORKFLOWS = ROOT / "tests" / "workflows"

# What tests/workflows/*.yml have in them.
ACCOUNT = "111122223333"
REGION = "ap-south-1"
PREFIX = "shop"
REPOSITORY = "kaapi/shop"
ROLE = "github-action-role"
ENVIRONMENT = "AWS_ENV_VARS"

DOCKERFILE = """FROM scratch
COPY backend /backend
ENV VERSION={version} PORT=8080
EXPOSE 8080
USER 65534:65534
ENTRYPOINT ["/backend"]
"""


class Stage:
    """The names of one stage."""

    def __init__(self, name):
        infix = "-staging" if name == "staging" else ""
        self.repository = f"{PREFIX}{infix}-repo"
        self.cluster = f"{PREFIX}{infix}-cluster"
        self.service = f"{PREFIX}{infix}-service"
        self.family = f"{PREFIX}{infix}"


STAGING, PRODUCTION = Stage("staging"), Stage("production")


def filled(name, **words):
    """A file of examples/pipeline with the team's names in it."""
    text = (EXAMPLE / name).read_text()
    for word, value in {"ACCOUNT": ACCOUNT, "REGION": REGION, "PREFIX": PREFIX, "REPOSITORY": REPOSITORY, **words}.items():
        text = text.replace(word, value)
    return text


class Tree:
    """A working tree. `run` is the harness's way to run a command to its end; `env` is what git sees of the environment."""

    def __init__(self, folder, run, env):
        self.folder, self.run_command = folder, run
        self.env = {**env, "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1"}

    def create(self, endpoint, kaapi, data):
        """Makes it, with `origin` on the platform at `endpoint` and the program `kaapi` for its passwords."""
        self.folder.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")
        self.git("remote", "add", "origin", f"{endpoint}/git/{REPOSITORY}.git")
        for key, value in {"user.name": "Dev", "user.email": "dev@example.com",
                           "credential.helper": f"!'{kaapi}' git-credential --data '{data}'"}.items():
            self.git("config", key, value)

    def add_backend(self, program):
        """The workflow files as they are, and what ./backend is built from; a Dockerfile comes with the first version."""
        (self.folder / ".github" / "workflows").mkdir(parents=True)
        for file in WORKFLOWS.glob("cd-*.yml"):
            shutil.copy(file, self.folder / ".github" / "workflows")
        (self.folder / "backend").mkdir()
        shutil.copy(program, self.folder / "backend" / "backend")

    def git(self, *words, **options):
        return self.run_command(["git", *words], cwd=self.folder, env=self.env, **options)

    def write(self, path, text):
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def commit(self, message, version=None):
        """Commits everything; `version` is what the built backend will answer."""
        if version is not None:
            self.write("backend/Dockerfile", DOCKERFILE.format(version=version))
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
