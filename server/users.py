"""Add, remove and list the users of the shared server, and set their passwords.

    python server/users.py add ann --role writer
    python server/users.py password ann
    python server/users.py remove ann
    python server/users.py list

MLFLOW_TRACKING_URI, MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD name the server and one of its
administrators. A new password is random, and printed once. A writer reads everything, trains into every
experiment, registers versions of models and sets their aliases, and deletes only what it created. A reader
reads everything.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from collections.abc import Sequence
from typing import Any

PERMISSIONS = {"reader": "READ", "writer": "EDIT"}
RESOURCES = ("experiment", "registered_model")
WORKSPACE = "default"  # the only one, unless MLflow's workspaces are enabled


def request(method: str, path: str, **values: Any) -> Any:
    """Send one request of MLflow's REST API, with its values as JSON, or in the address of a GET request."""
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    credentials = get_default_host_creds(os.environ["MLFLOW_TRACKING_URI"])
    sent = {"params" if method == "GET" else "json": values}
    response = http_request(credentials, path, method, raise_on_status=False, **sent)
    answer = response.json() if "json" in response.headers.get("Content-Type", "") else {}
    if response.status_code >= 400:
        message = answer.get("message") or response.text
        # The lines after the first may contain SQL, with the hash of a password.
        sys.exit(f"error: HTTP {response.status_code}: {message.splitlines()[0]}")
    return answer


def find_role(name: str) -> int:
    """Return the role's id; create the role with its permissions if it does not exist."""
    for role in request("GET", "/api/3.0/mlflow/roles/list", workspace=WORKSPACE)["roles"]:
        if role["name"] == name:
            return role["id"]
    role_id = request("POST", "/api/3.0/mlflow/roles/create", workspace=WORKSPACE, name=name)["role"]["id"]
    for resource in RESOURCES:
        grant = {"resource_type": resource, "resource_pattern": "*", "permission": PERMISSIONS[name]}
        request("POST", "/api/3.0/mlflow/roles/permissions/add", role_id=role_id, **grant)
    return role_id


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command, by default that of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for command in ("add", "password", "remove"):
        commands.add_parser(command).add_argument("name")
    commands.choices["add"].add_argument("--role", choices=sorted(PERMISSIONS), required=True)
    commands.add_parser("list")
    parsed = parser.parse_args(arguments)
    if "MLFLOW_TRACKING_URI" not in os.environ:
        sys.exit("error: MLFLOW_TRACKING_URI is not set\n  remedy: set it to the server's address")
    password = secrets.token_urlsafe(18)
    if parsed.command == "list":
        for user in request("GET", "/api/2.0/mlflow/users/list")["users"]:
            roles = request("GET", "/api/3.0/mlflow/users/roles/list", username=user["username"])["roles"]
            names = [role["name"] for role in roles if role["name"] in PERMISSIONS]
            print(user["username"], "administrator" if user["is_admin"] else " ".join(names))
        return
    if parsed.command == "remove":
        request("DELETE", "/api/2.0/mlflow/users/delete", username=parsed.name)
        return
    if parsed.command == "add":
        role_id = find_role(parsed.role)
        request("POST", "/api/2.0/mlflow/users/create", username=parsed.name, password=password)
        request("POST", "/api/3.0/mlflow/roles/assign", username=parsed.name, role_id=role_id)
    else:
        update = "/api/2.0/mlflow/users/update-password"
        request("PATCH", update, username=parsed.name, password=password)
    print(f"MLFLOW_TRACKING_USERNAME={parsed.name}\nMLFLOW_TRACKING_PASSWORD={password}")


if __name__ == "__main__":
    main()
