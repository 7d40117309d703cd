"""The registry with the real docker client, and what ECR says about it."""

import os

from harness import eventually


def forget(platform, reference):
    platform.docker("rmi", "-f", reference, check=False)


def test_what_was_pushed_comes_back(platform, busybox):
    pushed = platform.docker("image", "inspect", "-f", "{{.Id}}", busybox).stdout
    forget(platform, busybox)
    platform.docker("pull", busybox)
    assert platform.docker("image", "inspect", "-f", "{{.Id}}", busybox).stdout == pushed


def test_ecr_and_docker_agree_on_the_digest(platform, busybox):
    image = platform.aws("ecr", "describe-images", "--repository-name", "busybox")["imageDetails"][0]
    digests = platform.docker("image", "inspect", "-f", "{{join .RepoDigests \" \"}}", busybox).stdout
    assert f"{platform.registry}/busybox@{image['imageDigest']}" in digests
    assert image["imageTags"] == ["latest"]
    manifest = platform.boto("ecr").batch_get_image(repositoryName="busybox", imageIds=[{"imageTag": "latest"}])["images"][0]
    assert manifest["imageId"]["imageDigest"] == image["imageDigest"]


def test_a_pull_by_digest(platform, busybox):
    digest = platform.boto("ecr").list_images(repositoryName="busybox")["imageIds"][0]["imageDigest"]
    platform.docker("pull", f"{platform.registry}/busybox@{digest}")


def test_a_larger_layer_survives_a_kill_between_push_and_pull(platform, tmp_path):
    (tmp_path / "blob").write_bytes(os.urandom(24 << 20))
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY blob /blob\n")
    platform.docker("build", "-q", "-t", "kaapi-test/large:1", str(tmp_path))
    reference = platform.push("kaapi-test/large:1", "large")
    platform.restart_after_kill()
    forget(platform, reference)
    platform.docker("rmi", "-f", "kaapi-test/large:1")
    platform.docker("pull", reference)


def test_a_deleted_image_is_gone(platform, busybox_image):
    reference = platform.push(busybox_image, "deleted")
    ecr = platform.boto("ecr")
    digest = ecr.list_images(repositoryName="deleted")["imageIds"][0]["imageDigest"]
    assert ecr.batch_delete_image(repositoryName="deleted", imageIds=[{"imageDigest": digest}])["failures"] == []
    assert platform.docker("pull", reference, check=False).returncode != 0
    ecr.delete_repository(repositoryName="deleted")
    eventually("the repository is gone", lambda: "deleted" not in str(ecr.describe_repositories()["repositories"]))


def test_an_unknown_repository_is_refused(platform, busybox_image, busybox):
    reference = f"{platform.registry}/never-made:latest"
    platform.docker("tag", busybox_image, reference)
    said = platform.docker("push", reference, check=False)
    assert said.returncode != 0
    assert "never-made" in said.stderr + said.stdout


def test_a_wrong_repository_name_is_named(platform):
    said = platform.aws_error("ecr", "create-repository", "--repository-name", "Not Allowed")
    assert "repositoryName" in said
