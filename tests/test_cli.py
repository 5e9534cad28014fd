from __future__ import annotations

import logging
import shlex
import shutil
import subprocess
import sys
from importlib import import_module, metadata

import pytest

from seqlab.cli import COMMANDS, build_parser, main


@pytest.fixture(autouse=True)
def logging_as_before():
    package = logging.getLogger("seqlab")
    before = package.handlers, package.level, package.propagate
    yield
    package.handlers, package.level, package.propagate = before


def test_the_version(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"seqlab {metadata.version('seqlab')}\n"


def test_the_package_is_the_command():
    command = [sys.executable, "-m", "seqlab", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("seqlab ")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_has_examples_that_parse(name, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        build_parser().parse_args([name, "--help"])
    text = capsys.readouterr().out
    examples = import_module(f"seqlab.commands.{name}").EXAMPLES
    assert examples
    lines = text.partition("examples:")[0].splitlines()
    assert [line for line in lines if len(line) > 80 and "{" not in line] == []  # choices are not wrapped
    for example in examples:
        assert f"  {example}\n" in text
        command = example.rpartition("| ")[2].partition(" > ")[0]
        program, *arguments = shlex.split(command)
        assert program == "seqlab"
        assert build_parser().parse_args(arguments).run


def test_verbose_and_quiet_stand_before_and_after_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for arguments, level in (
        (["-v", "replay"], logging.INFO),
        (["replay", "--verbose"], logging.INFO),
        (["--quiet", "replay"], logging.ERROR),
        (["replay", "-q"], logging.ERROR),
    ):
        assert main(arguments) == 0
        assert logging.getLogger("seqlab").level == level
    with pytest.raises(SystemExit):
        main(["-v", "-q", "replay"])


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell, capsys, tmp_path):
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(name in script for name in COMMANDS)
    assert "tag-scheme" in script
    if program := shutil.which(shell):
        (tmp_path / "script").write_text(script)
        subprocess.run([program, "-n", tmp_path / "script"], check=True, timeout=60)


def test_a_reader_that_ends_early_is_no_error():
    command = [sys.executable, "-m", "seqlab", "corpora"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
        process.wait(60)
