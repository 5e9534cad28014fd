#!/bin/sh
# Start the shared MLflow server: sh server/start.sh SETTINGS. `make server` installs what it needs.
#
# Everybody has to log in, and nobody may read or write anything without a role (server/users.py). Settings and passwords
# come from the file alone; none is on the command line, where other users of the machine would see it.
set -eu
fail() {
    echo "error: $1" >&2
    echo "  remedy: $2" >&2
    exit 1
}
[ $# -eq 1 ] || fail "the file of settings is missing" "sh server/start.sh SETTINGS, a copy of server/settings.template"
[ -f "$1" ] || fail "$1: no such file" "copy server/settings.template and fill it in"
[ -z "$(find -L "$1" -perm /077)" ] || fail "$1: other users can read the passwords" "chmod 600 $1"
settings=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
set -a
. "$settings"
set +a
for name in MLFLOW_HOST MLFLOW_PORT MLFLOW_SERVER_ALLOWED_HOSTS MLFLOW_BACKEND_STORE_URI MLFLOW_ARTIFACTS_DESTINATION \
    MLFLOW_FLASK_SERVER_SECRET_KEY MLFLOW_AUTH_ADMIN_USERNAME; do
    eval "value=\${$name:-}"
    [ -n "$value" ] || fail "$1: $name is empty" "fill it in"
done
[ "$MLFLOW_SERVER_ALLOWED_HOSTS" != "*" ] || fail "$1: every host name is allowed" "list those that clients use"
for name in TLS_CERTIFICATE TLS_KEY PGPASSFILE MLFLOW_S3_ENDPOINT_URL AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_DEFAULT_REGION \
    MLFLOW_AUTH_ADMIN_PASSWORD; do
    eval "[ -n \"\${$name:-}\" ] || unset $name"
done
MLFLOW_UVICORN_OPTS="--log-level warning"
if [ -n "${TLS_CERTIFICATE:-}" ] && [ -n "${TLS_KEY:-}" ]; then
    MLFLOW_UVICORN_OPTS="$MLFLOW_UVICORN_OPTS --ssl-certfile $TLS_CERTIFICATE --ssl-keyfile $TLS_KEY"
elif [ "$MLFLOW_HOST" != 127.0.0.1 ]; then
    fail "$1: passwords would cross the network unencrypted" "set TLS_CERTIFICATE and TLS_KEY, or MLFLOW_HOST to 127.0.0.1"
fi

# MLflow reads these from a file; the users are in the database of the runs, so that one backup contains both.
umask 077
MLFLOW_AUTH_CONFIG_PATH=$settings.auth.ini
cat >"$MLFLOW_AUTH_CONFIG_PATH" <<INI
[mlflow]
default_permission = NO_PERMISSIONS
database_uri = $(printf %s "$MLFLOW_BACKEND_STORE_URI" | sed 's/%/%%/g')
admin_username = $MLFLOW_AUTH_ADMIN_USERNAME
auth_cache_ttl_seconds = 10
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
INI
MLFLOW_DISABLE_TELEMETRY=true
MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false
PYTHONWARNINGS=ignore::DeprecationWarning,ignore::UserWarning
export MLFLOW_AUTH_CONFIG_PATH MLFLOW_UVICORN_OPTS MLFLOW_DISABLE_TELEMETRY MLFLOW_SERVER_ENABLE_JOB_EXECUTION PYTHONWARNINGS
unset MLFLOW_TRACKING_URI
PATH=$(cd "$(dirname "$0")/.." && pwd)/.venv-server/bin:$PATH
exec mlflow server --app-name basic-auth
