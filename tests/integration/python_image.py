"""An image with Python and boto3, made from what runs these tests: no hub, no download, a few seconds."""

import importlib.util
import os
import pathlib
import re
import subprocess
import sys
import sysconfig
import tarfile

import harness

# Of the rest of its descriptions of services boto3 would only carry the weight.
SERVICES = {"ecs", "logs", "sts"}
# Debian's botocore takes `requests` from outside, and what that needs; others bring their own.
PACKAGES = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six", "requests", "chardet", "charset_normalizer",
            "idna", "certifi")
LEFT_OUT = {"test", "idlelib", "lib2to3", "ensurepip", "tkinter", "pydoc_data", "site-packages", "dist-packages"}


def shared_libraries(files):
    """What the loader needs for these programs and modules, and the loader itself."""
    shown = subprocess.run(["ldd", *map(str, files)], capture_output=True, text=True).stdout
    return {pathlib.Path(found) for found in re.findall(r"(/\S+\.so\S*)", shown) if os.path.exists(found)}


def make(image):
    interpreter = pathlib.Path(sys.executable).resolve()
    stdlib = pathlib.Path(sysconfig.get_path("stdlib"))
    found = [importlib.util.find_spec(package) for package in PACKAGES]
    packages = [pathlib.Path(spec.origin) for spec in found if spec]
    binaries = [interpreter, *stdlib.glob("lib-dynload/*.so")]

    def of_python(entry):
        inside = pathlib.PurePath("/" + entry.name).relative_to(stdlib).parts
        return None if "__pycache__" in inside or LEFT_OUT & set(inside[:1]) else entry

    def of_packages(entry):
        parts = pathlib.PurePath(entry.name).parts  # packages/botocore/data/ec2/...
        service = parts[3] if parts[1:3] == ("botocore", "data") and len(parts) > 3 and entry.isdir() else None
        return None if "__pycache__" in parts or service not in {None, *SERVICES} else entry

    importing = subprocess.Popen(["docker", "import", "--change", f'ENTRYPOINT ["{interpreter}"]', "-", image],
                                 stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    with tarfile.open(fileobj=importing.stdin, mode="w|", dereference=True) as archive:
        archive.add(stdlib, filter=of_python)
        for package in packages:
            single = package.name != "__init__.py"
            where = package if single else package.parent
            archive.add(where, arcname=f"packages/{where.name}", filter=of_packages)
        for file in {interpreter, *shared_libraries(binaries)}:
            archive.add(file)
    importing.stdin.close()
    if importing.wait(harness.COMMAND_TIMEOUT_S) != 0:
        raise AssertionError("docker import refused the image with Python")
    return image
