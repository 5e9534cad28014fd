"""PostgreSQL, an S3 endpoint and the server of server/start.sh, on loopback."""

from __future__ import annotations

import io
import logging
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from runpy import run_path
from typing import Any

import pytest
import requests

REPOSITORY = Path(__file__).parents[2]
PROGRAMS = REPOSITORY / ".venv-server" / "bin"
BUCKET = "seqlab-artifacts"
REGION = "us-east-1"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": secrets.token_urlsafe(16)}
TIMEOUT_S = 300


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Postgres:
    """A new PostgreSQL cluster, whose role `mlflow` has to give its password. It refuses to run as root."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.pgpass = folder / "pgpass"
        self._user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
        password = secrets.token_urlsafe(16)
        self.pgpass.write_text(f"127.0.0.1:{self.port}:*:mlflow:{password}\n", encoding="utf-8")
        self.pgpass.chmod(0o600)
        (folder / "password").write_text(password, encoding="utf-8")
        if self._user:
            owner = pwd.getpwnam("postgres")
            for path in (folder, folder / "password"):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        authentication = ("--username=mlflow", "--auth=scram-sha-256", f"--pwfile={folder / 'password'}")
        self._run("initdb", f"--pgdata={folder / 'data'}", *authentication, "--no-sync")

    def start(self) -> None:
        options = (
            f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories='' -c fsync=off"
        )
        self._run("pg_ctl", "start", "-w", f"--pgdata={self.folder / 'data'}", f"--options={options}")

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "-w", "-m", "immediate", f"--pgdata={self.folder / 'data'}")

    def uri(self, database: str) -> str:
        return f"postgresql+psycopg2://mlflow@127.0.0.1:{self.port}/{database}"

    def client(self, program: str, *arguments: str) -> str:
        """Run createdb, psql, pg_dump or pg_restore as the role, with the password of the file."""
        environment = {**os.environ, "PGPASSFILE": str(self.pgpass), "PGUSER": "mlflow"}
        environment |= {"PGHOST": "127.0.0.1", "PGPORT": str(self.port)}
        command = [_program(program), *arguments]
        return subprocess.run(
            command, env=environment, check=True, capture_output=True, text=True, timeout=TIMEOUT_S
        ).stdout

    def _run(self, program: str, *arguments: str) -> None:
        with (self.folder / "log").open("a", encoding="utf-8") as log:
            subprocess.run(
                [_program(program), *arguments],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                check=True,
                timeout=TIMEOUT_S,
                **self._user,
            )


def _program(name: str) -> str:
    """Find a program of PostgreSQL; Debian keeps most of them outside PATH."""
    found = shutil.which(name) or next(map(str, Path("/usr/lib/postgresql").glob(f"*/bin/{name}")), None)
    assert found, f"make test-server needs PostgreSQL's {name} (Debian: apt install postgresql)"
    return found


@contextmanager
def postgres() -> Iterator[Postgres]:
    # pytest's folders are closed to the user postgres.
    with tempfile.TemporaryDirectory(prefix="seqlab-postgres-") as folder:
        database = Postgres(Path(folder))
        database.start()
        try:
            yield database
        finally:
            database.stop()


def s3_client(endpoint: str) -> Any:
    import boto3

    return boto3.client(
        "s3", endpoint_url=endpoint, region_name=REGION, **{name.lower(): key for name, key in KEYS.items()}
    )


@contextmanager
def s3_endpoint() -> Iterator[str]:
    """Moto's S3 with one bucket; it keeps objects in memory and checks no keys."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        s3_client(endpoint).create_bucket(Bucket=BUCKET)
        yield endpoint
    finally:
        server.stop()


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate of 127.0.0.1 that it signed itself, and its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "1",
                "-subj",
                "/CN=127.0.0.1",
            ),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
        timeout=TIMEOUT_S,
    )
    return certificate, key


class SharedServer:
    """The server of server/start.sh with settings of its own. Its administrator is `admin`."""

    def __init__(self, folder: Path, *, uri: str, pgpass: Path, s3: str) -> None:
        self.folder, self.port = folder, free_port()
        self.certificate, key = make_certificate(folder)
        self.address = f"https://127.0.0.1:{self.port}"
        self.password = secrets.token_urlsafe(16)
        self.settings = {
            "MLFLOW_PORT": self.port,
            "MLFLOW_WORKERS": 2,
            "TLS_CERTIFICATE": self.certificate,
            "TLS_KEY": key,
            "MLFLOW_SERVER_ALLOWED_HOSTS": f"127.0.0.1:{self.port}",
            "MLFLOW_BACKEND_STORE_URI": uri,
            "PGPASSFILE": pgpass,
            "MLFLOW_ARTIFACTS_DESTINATION": f"s3://{BUCKET}/mlflow",
            "MLFLOW_S3_ENDPOINT_URL": s3,
            **KEYS,
            "AWS_DEFAULT_REGION": REGION,
            "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_urlsafe(32),
            "MLFLOW_AUTH_ADMIN_USERNAME": "admin",
            "MLFLOW_AUTH_ADMIN_PASSWORD": self.password,
        }

    def start(self) -> None:
        template = (REPOSITORY / "server/settings.template").read_text(encoding="utf-8")
        path = self.folder / "settings"
        path.write_text(template + "".join(f"{name}='{value}'\n" for name, value in self.settings.items()))
        path.chmod(0o600)
        variables = {name: os.environ[name] for name in ("HOME", "LANG", "PATH") if name in os.environ}
        with (self.folder / "log").open("w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                ["sh", "server/start.sh", str(path)],
                cwd=REPOSITORY,
                env=variables,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            self._wait_until_it_answers()
        except BaseException:
            self.stop()
            raise

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while self.request("/health") != 200:
            log = (self.folder / "log").read_text(encoding="utf-8")
            assert self.process.poll() is None, f"the server ended while it started: {log}"
            assert time.monotonic() < deadline, f"the server did not answer: {log}"
            time.sleep(0.2)

    def stop(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=30)

    def request(self, path: str, **options: object) -> int:
        """Return the status of a GET request, 0 if nothing answers."""
        try:
            return requests.get(
                self.address + path, verify=str(self.certificate), timeout=20, **options
            ).status_code
        except requests.ConnectionError:
            return 0

    def login(self, user: str = "", password: str = "") -> dict[str, str]:
        """Return the environment variables with which a client logs in; without a user, those of none."""
        address = {
            "MLFLOW_TRACKING_URI": self.address,
            "MLFLOW_TRACKING_SERVER_CERT_PATH": str(self.certificate),
        }
        if not user:
            return address
        return {
            **address,
            "MLFLOW_TRACKING_USERNAME": user,
            "MLFLOW_TRACKING_PASSWORD": password,
        }

    def manage_users(self, *arguments: str) -> str:
        """Run server/users.py as the administrator, and return what it prints."""
        printed = io.StringIO()
        with environment(self.login("admin", self.password)), redirect_stdout(printed):
            run_path(str(REPOSITORY / "server/users.py"))["main"](arguments)
        return printed.getvalue()

    def new_login(self, *arguments: str) -> dict[str, str]:
        """Add a user, or set a password; return the environment variables with which that user logs in."""
        printed = dict(line.split("=", 1) for line in self.manage_users(*arguments).split())
        return self.login(printed["MLFLOW_TRACKING_USERNAME"], printed["MLFLOW_TRACKING_PASSWORD"])


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """Replace the variables that name a store or a repository."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("MLFLOW_TRACKING", "DVC_")):
                patch.delenv(name)
        for name, value in values.items():
            patch.setenv(name, value)
        yield
