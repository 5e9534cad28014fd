"""The start of the shared server up to `mlflow server`; tests/server goes on with PostgreSQL."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

SERVER = Path(__file__).parents[1] / "server"
SETTINGS = {
    "MLFLOW_SERVER_ALLOWED_HOSTS": "mlflow.example.org",
    "MLFLOW_BACKEND_STORE_URI": "postgresql+psycopg2://mlflow@db/mlflow?host=%2Frun",
    "MLFLOW_FLASK_SERVER_SECRET_KEY": "a key",
    "MLFLOW_AUTH_ADMIN_USERNAME": "root",
}
MLFLOW = """\
#!/bin/sh
echo "arguments: $@"
env
"""


@pytest.fixture
def start(tmp_path):
    """Runs start.sh with changed settings and a program `mlflow` that prints its arguments and variables."""
    (tmp_path / "server").mkdir()
    shutil.copy(SERVER / "start.sh", tmp_path / "server")
    programs = tmp_path / ".venv-server" / "bin"
    programs.mkdir(parents=True)
    (programs / "mlflow").write_text(MLFLOW, encoding="utf-8")
    (programs / "mlflow").chmod(0o755)
    path = tmp_path / "settings of the team"

    def run(changes, mode=0o600):
        template = (SERVER / "settings.template").read_text(encoding="utf-8")
        values = {**SETTINGS, **changes}
        path.write_text(template + "".join(f"{name}='{value}'\n" for name, value in values.items()))
        path.chmod(mode)
        return subprocess.run(
            ["sh", "server/start.sh", path.name],
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "MLFLOW_TRACKING_URI": "http://elsewhere"},
            capture_output=True,
            text=True,
            timeout=30,
        )

    return run


def test_everybody_has_to_log_in_and_needs_a_role(start, tmp_path):
    done = start({})
    assert done.returncode == 0, done.stderr
    first, *rest = done.stdout.splitlines()
    variables = dict(line.split("=", 1) for line in rest if "=" in line)
    assert first == "arguments: server --app-name basic-auth", "no secret is on the command line"
    assert variables["MLFLOW_HOST"] == "127.0.0.1"
    assert not {"MLFLOW_TRACKING_URI", "TLS_KEY", "AWS_ACCESS_KEY_ID", "PGPASSFILE"} & set(variables)
    users = Path(variables["MLFLOW_AUTH_CONFIG_PATH"])
    assert users.parent == tmp_path
    assert users.stat().st_mode & 0o77 == 0
    config = configparser.ConfigParser()
    config.read(users)
    assert config["mlflow"]["default_permission"] == "NO_PERMISSIONS"
    assert config["mlflow"]["database_uri"] == SETTINGS["MLFLOW_BACKEND_STORE_URI"]
    assert "admin_password" not in config["mlflow"]


def test_other_machines_reach_it_by_tls_alone(start):
    done = start({"MLFLOW_HOST": "0.0.0.0"})
    assert done.returncode == 1
    assert "passwords would cross the network unencrypted\n  remedy: set TLS_CERTIFICATE" in done.stderr
    done = start({"MLFLOW_HOST": "0.0.0.0", "TLS_CERTIFICATE": "c.pem", "TLS_KEY": "k.pem"})
    assert "--ssl-certfile c.pem --ssl-keyfile k.pem" in done.stdout


@pytest.mark.parametrize("name", [*SETTINGS, "MLFLOW_HOST", "MLFLOW_ARTIFACTS_DESTINATION"])
def test_an_empty_setting_is_named(start, name):
    done = start({name: ""})
    assert (done.returncode, done.stdout) == (1, "")
    assert f"settings of the team: {name} is empty\n  remedy: fill it in" in done.stderr


@pytest.mark.parametrize(
    ("changes", "mode", "message"),
    [
        ({}, 0o640, "other users can read the passwords\n  remedy: chmod 600"),
        ({"MLFLOW_SERVER_ALLOWED_HOSTS": "*"}, 0o600, "every host name is allowed"),
    ],
)
def test_what_is_open_is_refused(start, changes, mode, message):
    done = start(changes, mode)
    assert done.returncode == 1
    assert message in done.stderr


def test_the_template_contains_no_password():
    text = (SERVER / "settings.template").read_text(encoding="utf-8")
    assert re.findall(r"^(?=.*(?:PASSWORD|SECRET|KEY)\w*=).*=.+$", text, re.M) == []
