"""Names that tell runs apart: the experiment or the commit, and the settings that differ."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from seqlab.tracking.client import mlflow_client
from seqlab.tracking.operations import MAX_PARAM_LENGTH, flatten, param_text, safe_key, shorten
from seqlab.tracking.store import prepare_store, resolve_tracking_uri, store_errors

_MAX_SETTINGS = 3
_MAX_VALUE_LENGTH = 20
_TYPE = ".type"


def run_name(prefix: str, changes: Mapping[str, str], *, default: str) -> str:
    """Return a run's name, such as `quick-lr learning_rate=0.002`.

    Args:
        prefix: the experiment's name or the short commit; may be empty.
        changes: the settings that differ, as `changed_settings` returns them.
        default: replaces the settings if none differs.
    """
    shown = [f"{key}={shorten_value(value)}" for key, value in list(changes.items())[:_MAX_SETTINGS]]
    if len(changes) > _MAX_SETTINGS:
        shown.append(f"+{len(changes) - _MAX_SETTINGS}")
    return " ".join(filter(None, [prefix, *(shown or [default])]))


def changed_settings(settings: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, str]:
    """Return the settings that differ from `before`, by the shortest key that is unique among all settings.

    Both are nested, or flat with dotted keys, as MLflow returns parameters. `encoder.type` becomes `encoder`;
    if it differs, the encoder's other settings are left out.
    """
    new, old = as_params(settings), as_params(before)
    changed = {key for key, value in new.items() if key in old and value != old[key]}
    kinds = tuple(key.removesuffix("type") for key in changed if key.endswith(_TYPE))
    shown = [key for key in new if key in changed and (key.endswith(_TYPE) or not key.startswith(kinds))]
    return {_short_key(key, new): new[key] for key in shown}


def as_params(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return settings as `TrackedRun.log_params` logs them."""
    flat = flatten(settings, separator=".")
    return {safe_key(key): shorten(param_text(value), MAX_PARAM_LENGTH) for key, value in flat}


def previous_params(root: Path, experiment: str) -> dict[str, str]:
    """Return the parameters of the experiment's newest run; empty if there is none.

    Raises:
        SeqlabError: the store cannot be used.
    """
    experiment_id, uri = prepare_store(root, experiment), resolve_tracking_uri(root)
    with store_errors(uri):
        order = ["attributes.start_time DESC"]
        runs = mlflow_client(uri).search_runs([experiment_id], max_results=1, order_by=order)
    return dict(runs[0].data.params) if runs else {}


def shorten_value(value: str) -> str:
    """Return the value of a setting, cut if it is long."""
    return value if len(value) <= _MAX_VALUE_LENGTH else value[: _MAX_VALUE_LENGTH - 1] + "…"


def _short_key(key: str, keys: Collection[str]) -> str:
    key, parts = key.removesuffix(_TYPE), key.removesuffix(_TYPE).split(".")
    others = [other.removesuffix(_TYPE) for other in keys if other.removesuffix(_TYPE) != key]
    for length in range(1, len(parts)):
        short = ".".join(parts[-length:])
        if not any(f".{other}".endswith(f".{short}") for other in others):
            return short
    return key
