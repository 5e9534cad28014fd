"""The artifacts of a store whose database was copied or moved: MLflow records absolute paths."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

_ADDRESSES = {
    "experiments": ("artifact_location",),
    "runs": ("artifact_uri",),
    "logged_models": ("artifact_location",),
    "model_versions": ("source", "storage_location"),
}
"""Tables and columns of MLflow's database that contain addresses of artifacts."""


def relocate_artifacts(database: Path, *, former: Path, folder: Path) -> int:
    """Replace the folder `former` by `folder` in every address of the database.

    The artifacts of a run or model stay where they are if only `former` has them. New runs use `folder`.

    Returns:
        The number of addresses that were changed.
    """
    from mlflow.utils.file_utils import local_file_uri_to_path

    def exists(address: str) -> bool:
        return Path(local_file_uri_to_path(address)).exists()

    old, new = f"{former.as_uri()}/", f"{folder.as_uri()}/"
    changed = 0
    with closing(sqlite3.connect(database, timeout=30)) as connection, connection:
        for table, columns in _ADDRESSES.items():
            for column in columns:
                rows = connection.execute(
                    f"SELECT rowid, {column} FROM {table} WHERE substr({column}, 1, ?) = ?", (len(old), old)
                ).fetchall()
                for row_id, address in rows:
                    moved = new + address.removeprefix(old)
                    if table == "experiments" or exists(moved) or not exists(address):
                        update = f"UPDATE {table} SET {column} = ? WHERE rowid = ?"
                        changed += connection.execute(update, (moved, row_id)).rowcount
    return changed
