"""The Dockerfiles: no test builds them, but what they name exists, is pinned, and is documented."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

REPOSITORY = Path(__file__).parents[1]
DOCKERFILES = sorted((REPOSITORY / "docker").glob("*.Dockerfile"))
PAGE = (REPOSITORY / "docs" / "docker.md").read_text(encoding="utf-8")
LOCKS = {"serve": "docker/serve.lock", "train": "requirements-gpu.lock"}


def instructions(dockerfile: Path, name: str) -> list[str]:
    text = re.sub(r"^#.*\n", "", dockerfile.read_text(encoding="utf-8"), flags=re.M)
    return re.findall(rf"^{name} (.*)$", text, re.M)


def versions(lock: str) -> dict[str, str]:
    text = (REPOSITORY / lock).read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z][\w.-]*(?:\[[\w,-]+\])?)==([^ ;]+)", text, re.M))


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.stem)
def test_the_base_is_a_python_that_seqlab_supports_without_a_registry_address(dockerfile):
    (base,) = instructions(dockerfile, "FROM")
    version = re.fullmatch(r"python:(3\.\d+)-slim", base)
    supported = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert version[1] in SpecifierSet(supported["requires-python"])


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.stem)
def test_copied_files_exist_and_are_sent_to_the_builder(dockerfile):
    sent = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for source, _ in (line.split() for line in instructions(dockerfile, "COPY")):
        assert f"!{source}" in sent
        # The model is fetched by the command of the page.
        assert (REPOSITORY / source).is_file() or f"--dst-path {source}" in PAGE


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.stem)
def test_packages_come_from_the_copied_lock_file_with_hashes(dockerfile):
    lock = LOCKS[dockerfile.stem]
    copied = dict(line.split() for line in instructions(dockerfile, "COPY"))
    (install,) = [line for line in instructions(dockerfile, "RUN") if "pip install" in line]
    options = shlex.split(install)
    assert "--require-hashes" in options
    assert options[options.index("-r") + 1] == copied[lock]
    names = re.findall(r"^[a-z].*==.*$", (REPOSITORY / lock).read_text(encoding="utf-8"), re.M)
    assert names
    assert all(line.endswith("\\") for line in names)  # a hash follows
    assert "://" not in (REPOSITORY / lock).read_text(encoding="utf-8")


def test_the_server_has_the_versions_of_the_development_environment():
    ours, server = versions("requirements.lock"), versions("docker/serve.lock")
    assert {name: version for name, version in server.items() if ours.get(name) != version} == {}
    assert {"mlflow", "tensorflow", "numpy"} <= set(server)


def test_the_commands_are_those_of_the_page_and_agree_on_the_port():
    for dockerfile in DOCKERFILES:
        assert f"docker build -f docker/{dockerfile.name} -t " in PAGE
    serve, train = DOCKERFILES
    (command,) = map(json.loads, instructions(serve, "CMD"))
    (port,) = instructions(serve, "EXPOSE")
    assert command[:3] == ["mlflow", "models", "serve"]
    assert command[command.index("--port") + 1] == port
    copied = dict(line.split() for line in instructions(serve, "COPY"))
    assert command[command.index("--model-uri") + 1] == copied["docker/model"]
    assert f"127.0.0.1:5001:{port} seqlab-ner" in PAGE
    assert f"127.0.0.1:{port}/ping" in instructions(serve, "HEALTHCHECK")[0]
    assert instructions(serve, "USER") == ["tagger"]
    assert json.loads(instructions(train, "CMD")[0]) == ["dvc", "repro"]
    (folder,) = instructions(train, "WORKDIR")
    assert f'-v "$PWD":{folder} ' in PAGE
    assert f"PYTHONPATH={folder}/src" in instructions(train, "ENV")[0]
