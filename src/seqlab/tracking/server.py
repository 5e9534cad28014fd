"""The MLflow page on this machine, over the same store that the runs are written to."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from seqlab.errors import SeqlabError
from seqlab.tracking.client import SETTINGS, is_remote, without_credentials
from seqlab.tracking.store import artifact_folder, resolve_tracking_uri

_SERVER_SETTINGS = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "PYTHONWARNINGS": "ignore::DeprecationWarning,ignore::UserWarning",
}


def ui_command(root: Path, *, port: int = 5000) -> list[str]:
    """The command that serves the store's page and API on `127.0.0.1` until it is interrupted.

    Args:
        root: the repository's root.
        port: where it listens; the page is `http://127.0.0.1:<port>`.

    Raises:
        SeqlabError: MLFLOW_TRACKING_URI names a server, which has a page of its own.
    """
    tracking_uri = resolve_tracking_uri(root)
    folder = artifact_folder(root, tracking_uri)
    if folder is None:
        address = without_credentials(tracking_uri)
        raise SeqlabError(
            "the runs are on a server, which has a page of its own",
            where="MLFLOW_TRACKING_URI",
            received=address,
            remedy=f"open {address} in a browser" if is_remote(address) else "open that service's page",
        )
    options = {
        "--backend-store-uri": tracking_uri,
        "--registry-store-uri": tracking_uri,
        "--default-artifact-root": folder.as_uri(),
        "--artifacts-destination": folder.as_uri(),
        "--host": "127.0.0.1",
        "--port": str(port),
        # The default of four processes takes four times as long to start, for one reader.
        "--workers": "1",
        # Else every picture and script that the page loads is a line in the terminal.
        "--uvicorn-opts": "--log-level warning",
    }
    return [sys.executable, "-m", "mlflow", "server", *(part for pair in options.items() for part in pair)]


def ui_environment() -> dict[str, str]:
    """The environment for that command: quiet, without telemetry and without MLflow's own job runner.

    `MLFLOW_TRACKING_URI` is left out, since the server would read it as an address to call.
    """
    environment = {**SETTINGS, **_SERVER_SETTINGS, **os.environ}
    environment.pop("MLFLOW_TRACKING_URI", None)
    return environment
