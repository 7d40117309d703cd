"""The registry with the real docker client, and what ECR says about it."""

import json
import os

from harness import eventually, run


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


def test_what_terraform_sets_on_a_repository_is_read_back(platform):
    ecr = platform.boto("ecr")
    made = ecr.create_repository(repositoryName="settings", tags=[{"Key": "team", "Value": "a"}])["repository"]
    arn = made["repositoryArn"]
    ecr.tag_resource(resourceArn=arn, tags=[{"Key": "stage", "Value": "x"}])
    ecr.untag_resource(resourceArn=arn, tagKeys=["team"])
    assert ecr.list_tags_for_resource(resourceArn=arn)["tags"] == [{"Key": "stage", "Value": "x"}]
    for scan in (True, False):
        ecr.put_image_scanning_configuration(repositoryName="settings", imageScanningConfiguration={"scanOnPush": scan})
        described = ecr.describe_repositories(repositoryNames=["settings"])["repositories"][0]
        assert described["imageScanningConfiguration"] == {"scanOnPush": scan}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [
        {"Sid": "pull", "Effect": "Allow", "Principal": "*", "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]}]})
    ecr.set_repository_policy(repositoryName="settings", policyText=policy)
    assert ecr.get_repository_policy(repositoryName="settings")["policyText"] == policy
    ecr.delete_repository_policy(repositoryName="settings")
    said = platform.aws_error("ecr", "get-repository-policy", "--repository-name", "settings")
    assert "RepositoryPolicyNotFoundException" in said
    said = platform.aws_error("ecr", "put-lifecycle-policy", "--repository-name", "settings", "--lifecycle-policy-text",
                              lifecycle(tagStatus="any", countType="imageCountMoreThan", countNumber=0))
    assert "countNumber" in said
    ecr.delete_repository(repositoryName="settings")


def lifecycle(**selection):
    return json.dumps({"rules": [{"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}]})


def test_a_lifecycle_policy_removes_the_oldest_images(platform, busybox_image, tmp_path):
    platform.push(busybox_image, "expiring", tag="old")
    (tmp_path / "Dockerfile").write_text(f"FROM {busybox_image}\nLABEL newer=yes\n")
    platform.docker("build", "-q", "-t", "kaapi-test/newer:1", str(tmp_path))
    reference = platform.push("kaapi-test/newer:1", "expiring", tag="new")
    ecr = platform.boto("ecr")
    text = lifecycle(tagStatus="any", countType="imageCountMoreThan", countNumber=1)
    ecr.put_lifecycle_policy(repositoryName="expiring", lifecyclePolicyText=text)
    assert ecr.get_lifecycle_policy(repositoryName="expiring")["lifecyclePolicyText"] == text
    assert [image.get("imageTag") for image in ecr.list_images(repositoryName="expiring")["imageIds"]] == ["new"]
    platform.docker("rmi", "-f", "kaapi-test/newer:1")
    forget(platform, reference)
    platform.docker("pull", reference)
    assert ecr.delete_lifecycle_policy(repositoryName="expiring")["lifecyclePolicyText"] == text


def test_an_image_is_tagged_anew_through_the_api(platform, busybox):
    ecr = platform.boto("ecr")
    image = ecr.batch_get_image(repositoryName="busybox", imageIds=[{"imageTag": "latest"}])["images"][0]
    put = {"repositoryName": "busybox", "imageTag": "again", "imageManifest": image["imageManifest"]}
    assert ecr.put_image(**put)["image"]["imageId"]["imageDigest"] == image["imageId"]["imageDigest"]
    platform.docker("pull", f"{platform.registry}/busybox:again")
    said = platform.aws_error("ecr", "put-image", "--repository-name", "busybox", "--image-tag", "again", "--image-manifest",
                              image["imageManifest"])
    assert "ImageAlreadyExistsException" in said


PUSH = ["ecr:BatchCheckLayerAvailability", "ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload",
        "ecr:PutImage", "ecr:BatchGetImage"]


def test_a_pipeline_pushes_to_its_own_repository_and_no_other(platform, busybox_image, tmp_path):
    ecr, iam = platform.boto("ecr"), platform.boto("iam")
    for name in ("mine", "theirs"):
        ecr.create_repository(repositoryName=name)
        platform.docker("tag", busybox_image, f"{platform.registry}/{name}:1")
    mine = ecr.describe_repositories(repositoryNames=["mine"])["repositories"][0]["repositoryArn"]
    iam.create_user(UserName="pipeline")
    iam.put_user_policy(UserName="pipeline", PolicyName="push", PolicyDocument=json.dumps({
        "Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"},
            {"Effect": "Allow", "Action": PUSH, "Resource": mine}]}))
    key = iam.create_access_key(UserName="pipeline")["AccessKey"]
    variables = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
                 "DOCKER_CONFIG": str(tmp_path / "docker")}

    def as_pipeline(script):
        return platform.shell(script, check=False, **variables)

    login = "aws ecr get-login-password | docker login --username AWS --password-stdin $REGISTRY"
    assert as_pipeline(login).returncode == 0
    pushed = as_pipeline("docker push $REGISTRY/mine:1")
    assert pushed.returncode == 0, pushed.stderr
    refused = as_pipeline("docker push $REGISTRY/theirs:1")
    assert refused.returncode != 0
    said = refused.stdout + refused.stderr
    assert ":user/pipeline is not authorized to perform: ecr:InitiateLayerUpload on resource" in said
    assert ":repository/theirs because no identity-based policy allows the ecr:InitiateLayerUpload action" in said
    # It may push, but not read layers, until the repository's own policy lets it.
    token = as_pipeline("aws ecr get-login-password").stdout.strip()
    manifest = json.loads(ecr.batch_get_image(repositoryName="mine", imageIds=[{"imageTag": "1"}])["images"][0]["imageManifest"])
    layer = f"http://{platform.registry}/v2/mine/blobs/{manifest['config']['digest']}"

    def status_of_layer():
        return run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-u", f"AWS:{token}", layer]).stdout

    assert status_of_layer() == "403"
    arn = iam.get_user(UserName="pipeline")["User"]["Arn"]
    ecr.set_repository_policy(repositoryName="mine", policyText=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "ecr:GetDownloadUrlForLayer"}]}))
    assert status_of_layer() == "200"
    # The login goes with the key.
    iam.update_access_key(UserName="pipeline", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    assert status_of_layer() == "401"
    gone = as_pipeline("docker push $REGISTRY/mine:1")
    assert gone.returncode != 0
