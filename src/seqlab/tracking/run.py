"""One MLflow run that several stages write to. No store delays these writes, and no outage loses them."""

from __future__ import annotations

import json
import logging
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from seqlab.atomic import write_json
from seqlab.credentials import without_credentials
from seqlab.errors import SeqlabError
from seqlab.tracking.client import is_remote, mlflow_client
from seqlab.tracking.open_runs import OpenRun, killed_runs
from seqlab.tracking.operations import (
    MAX_PARAM_LENGTH,
    MAX_TAG_LENGTH,
    Operation,
    flatten,
    param_text,
    safe_key,
    shorten,
)
from seqlab.tracking.pending import RunWriter, pending_operations
from seqlab.tracking.provenance import current_user
from seqlab.tracking.store import DATABASE, StoreAwayError, prepare_store, resolve_tracking_uri, store_errors

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mlflow import MlflowClient
    from mlflow.entities import Run

logger = logging.getLogger(__name__)

ERROR_TAG = "error"
REPLACEMENT_TAG = "stands_in_for"


class TrackedRun:
    """A run with an explicit id. MLflow's "active run" is not used, so several runs can be open at once.

    Create it with `start` or `resume`. As a context manager it ends the run as FINISHED, as FAILED with the
    message in the tag `error` and the traceback in `error.txt`, or as KILLED on Ctrl-C and SIGTERM. If its
    process is killed otherwise, the next `start` in its experiment ends the run as KILLED.

    Every write is kept on disk and sent by a background thread (see `seqlab.tracking.pending`), so that it
    returns at once. While the store is away, the writes stay on disk until they are sent in order by this
    thread, by the next `resume`, or by `replay_pending`; the first one logs a warning. A write that the store
    rejects is set aside with a warning.
    """

    def __init__(self, *, root: Path, run_id: str, experiment: str, experiment_id: str) -> None:
        self.root = root
        self.run_id = run_id
        self.experiment = experiment
        self.experiment_id = experiment_id
        self._writer = RunWriter(root=root, run_id=run_id)
        self.tracking_uri = self._writer.tracking_uri
        self._has_ended = False
        self._may_have_failed = False
        self._record = OpenRun(root, run_id=run_id, experiment=experiment, tracking_uri=self.tracking_uri)

    @classmethod
    def start(
        cls,
        *,
        root: Path,
        experiment: str,
        run_name: str,
        tags: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        identity: Mapping[str, str] | None = None,
    ) -> TrackedRun:
        """Create a run, and its store and experiment if they do not exist. End runs of killed processes.

        `root` is the repository's root (a stage's DVC_ROOT), which contains the store and pending writes.
        `identity` are tags that no other run has: if there is a run with them, it is opened again.

        Raises:
            SeqlabError: the store cannot be used.
        """
        experiment_id = prepare_store(root, experiment)
        uri = resolve_tracking_uri(root)
        client = mlflow_client(uri)
        with store_errors(uri):
            _end_killed_runs(client, root=root, experiment=experiment)
            found = _find_identical(client, experiment_id, identity) if identity else None
            created = found or client.create_run(
                experiment_id, tags={"mlflow.user": current_user(), **(identity or {})}, run_name=run_name
            )
        run = cls(root=root, run_id=created.info.run_id, experiment=experiment, experiment_id=experiment_id)
        if found:
            run._may_have_failed = True
            run._write({"kind": "status", "status": "RUNNING"})
        run.set_tags(tags or {})
        run.log_params(params or {})
        return run

    @classmethod
    def resume(cls, *, root: Path, run_json: Path) -> TrackedRun:
        """Open a run again from the file written by `save`, and send its pending writes.

        If the store is away, all writes are kept. If the store does not contain the run, because the result
        was restored from DVC's cache, the first call creates a replacement that later calls open; its tag
        `stands_in_for` contains the original id.

        Raises:
            SeqlabError: the file is missing or invalid, or the store cannot be used.
        """
        saved = read_run_json(run_json)
        run_id, experiment, uri = saved["run_id"], saved["experiment"], resolve_tracking_uri(root)
        running = {"kind": "status", "status": "RUNNING"}
        try:
            experiment_id = prepare_store(root, experiment)
            client = mlflow_client(uri)
            with store_errors(uri):
                found = _find_or_replace_run(client, saved, experiment_id)
                writer = RunWriter(root=root, run_id=found.info.run_id)
                if pending_operations(writer.folder):
                    writer.send_pending()
                    found = client.get_run(found.info.run_id)
        except StoreAwayError as error:
            experiment_id = str(saved.get("experiment_id", ""))
            run = cls(root=root, run_id=run_id, experiment=experiment, experiment_id=experiment_id)
            run._has_ended = run._may_have_failed = True
            run._writer.note_away(error)
            run._write(running)
            return run
        info = found.info
        run = cls(root=root, run_id=info.run_id, experiment=experiment, experiment_id=info.experiment_id)
        run._has_ended = info.end_time is not None
        run._may_have_failed = ERROR_TAG in found.data.tags
        run._write(running)
        return run

    @classmethod
    def reopen(cls, *, root: Path, run_json: Path) -> TrackedRun:
        """Open the run of an interrupted training, which goes on in it: its end is set again by `finish`.

        Raises:
            SeqlabError: as `resume`.
        """
        run = cls.resume(root=root, run_json=run_json)
        run._has_ended = False
        uri = resolve_tracking_uri(root)
        with suppress(StoreAwayError), store_errors(uri):
            _end_killed_runs(mlflow_client(uri), root=root, experiment=run.experiment)
        return run

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log parameters, nested ones with dotted keys.

        A value over 500 characters is truncated, and logged in full as the artifact `params/<key>.txt`.
        """
        texts = {safe_key(key): param_text(value) for key, value in flatten(params, separator=".")}
        for key, text in texts.items():
            if len(text) > MAX_PARAM_LENGTH:
                self._log_text(text, f"params/{key}.txt")
        self._log_batch("params", [(key, shorten(text, MAX_PARAM_LENGTH)) for key, text in texts.items()])

    def log_metrics(self, metrics: Mapping[str, Any], step: int = 0, *, time_ms: int | None = None) -> None:
        """Log numbers, nested ones with keys joined by `/`: `{"dev": {"span_f1": 0.9}}`.

        `step` is the epoch, starting at 1, or 0 if the metrics do not belong to an epoch.
        `time_ms` is their time since 1970, by default now: a point logged twice with the same time is stored
        once.
        """
        now_ms = _now_ms() if time_ms is None else time_ms
        leaves = flatten(metrics, separator="/")
        self._log_batch("metrics", [(safe_key(key), float(value), now_ms, step) for key, value in leaves])

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Set tags. Values are formatted like parameters and truncated to 5000 characters."""
        texts = {safe_key(key): without_credentials(param_text(value)) for key, value in tags.items()}
        self._log_batch("tags", [(key, shorten(text, MAX_TAG_LENGTH)) for key, text in texts.items()])

    def log_artifact(self, path: Path, folder: str = "") -> None:
        """Log a file into a folder of the run's artifacts, by default the root."""
        self._write({"kind": "artifact", "file": str(path.resolve()), "artifact_path": folder})

    def log_dict(self, values: Mapping[str, Any], name: str) -> None:
        """Log a mapping as the JSON artifact `name`."""
        self._log_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", name)

    def log_bytes(self, content: bytes, name: str) -> None:
        """Log the artifact `name` of the run's root."""
        with tempfile.TemporaryDirectory() as scratch:
            (Path(scratch) / name).write_bytes(content)
            self.log_artifact(Path(scratch) / name)

    def log_figure(self, figure: Figure, name: str) -> None:
        """Log a Matplotlib figure as the artifact `name`, whose suffix determines the format."""
        folder, _, basename = name.rpartition("/")
        with tempfile.TemporaryDirectory() as scratch:
            figure.savefig(Path(scratch) / basename, dpi=120)
            self.log_artifact(Path(scratch) / basename, folder)

    def log_dataset(
        self, *, name: str, digest: str, source: str, profile: Mapping[str, Any], context: str
    ) -> None:
        """Log a dataset as an input of the run, for the column Dataset of the table of runs.

        Args:
            name: the corpus's name, with the split if the run uses only one.
            digest: hash of the content; the table shows the first 12 characters, the profile contains all.
            source: the path, URL or title of the dataset.
            profile: counts and facts, such as `sentences`, `tokens` and `synthetic`.
            context: the split: `train`, `dev` or `test`.
        """
        source_type, key = ("http", "url") if is_remote(source) else ("local", "uri")
        self._write(
            {
                "kind": "dataset",
                "name": name,
                "digest": digest[:12],
                "source_type": source_type,
                "source": json.dumps({key: without_credentials(source)}),
                "profile": json.dumps({**profile, "digest": digest}),
                "context": context,
            }
        )

    def log_model_folder(
        self, folder: Path, *, name: str, tags: Mapping[str, Any], metrics: Sequence[str]
    ) -> str | None:
        """Log a folder saved by an MLflow flavour as a model of this run, with the run's `metrics`.

        Waits until the model was sent, unless the store is away.

        Returns:
            The logged model's id, or None if the store is away and the model is sent later.

        Raises:
            SeqlabError: the store rejected the model.
        """
        return self._writer.write_and_wait(
            {
                "kind": "model",
                "file": str(folder.resolve()),
                "name": name,
                "tags": {safe_key(key): param_text(value) for key, value in tags.items()},
                "metrics": [safe_key(key) for key in metrics],
            }
        )

    def finish(self, status: str = "FINISHED") -> None:
        """End the run as FINISHED, FAILED or KILLED, and wait until its writes were sent, for a bounded time.

        The end time is set only once, so that MLflow's Duration is that of the training and does not include
        the time until a later stage.
        """
        if status == "FINISHED" and self._may_have_failed:
            self._write({"kind": "delete_tag", "key": ERROR_TAG})
        end_time_ms = None if self._has_ended else _now_ms()
        self._write({"kind": "status", "status": status, "end_time_ms": end_time_ms})
        self._record.close()
        self.flush()

    def flush(self, **bounds: float) -> int:
        """Wait until all writes were sent, for a bounded time; return how many are left. See `RunWriter`."""
        return self._writer.flush(**bounds)

    def save(self, run_json: Path) -> None:
        """Write the run's ids and its store as JSON, for `resume`."""
        own_store = self.tracking_uri == f"sqlite:///{self.root.resolve() / DATABASE}"
        content = {
            "run_id": self.run_id,
            "experiment": self.experiment,
            "experiment_id": self.experiment_id,
            # Relative to the repository's root, because DVC's cache shares the file between machines.
            "tracking_uri": f"sqlite:///{DATABASE}" if own_store else self.tracking_uri,
        }
        write_json(run_json, content)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
            self.finish()
            return
        try:
            self.set_tags({ERROR_TAG: str(error) or type(error).__name__})
            self._log_text(without_credentials("".join(traceback.format_exception(error))), "error.txt")
            self.finish("KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED")
        except Exception as second:
            # Only logged, so that the original error is the one that is raised.
            reason = without_credentials(str(second))
            logger.warning("MLflow run %s could not be marked as failed: %s", self.run_id, reason)

    def _log_batch(self, entities: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if rows:
            self._write({"kind": "batch", entities: rows})

    def _log_text(self, text: str, name: str) -> None:
        self._write({"kind": "text", "text": text, "name": name})

    def _write(self, operation: Operation) -> None:
        self._writer.write(operation)
        self._record.note_write()


def read_run_json(path: Path) -> dict[str, Any]:
    """Read the file written by `TrackedRun.save`.

    Raises:
        SeqlabError: the file is missing, or does not contain `run_id` and `experiment`.
    """
    remedy = "run the train stage, which writes it (dvc repro), or fetch it (dvc pull)"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SeqlabError("there is no MLflow run to resume", where=str(path), remedy=remedy) from None
    except ValueError as error:
        content = error
    if not isinstance(content, dict) or not all(
        isinstance(content.get(key), str) for key in ("run_id", "experiment")
    ):
        raise SeqlabError(
            "the file does not describe an MLflow run",
            where=str(path),
            expected="a JSON object with the strings run_id and experiment",
            received=without_credentials(str(content))[:200],
            remedy=remedy,
        )
    return content


def _find_or_replace_run(client: MlflowClient, saved: Mapping[str, Any], experiment_id: str) -> Run:
    from mlflow.exceptions import MlflowException

    run_id = saved["run_id"]
    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
    else:
        if run.info.lifecycle_stage == "deleted":
            logger.warning("MLflow run %s was deleted and is restored", run_id)
            client.restore_run(run_id)
        return run
    replacements = client.search_runs([experiment_id], f"tags.{REPLACEMENT_TAG} = '{run_id}'", max_results=1)
    if replacements:
        return replacements[0]
    logger.warning(
        "the MLflow store does not contain run %s (created at %s); a new run of '%s' replaces it",
        run_id,
        without_credentials(str(saved.get("tracking_uri", "an unknown address"))),
        saved["experiment"],
    )
    tags = {REPLACEMENT_TAG: run_id, "mlflow.user": current_user()}
    return client.create_run(experiment_id, tags=tags, run_name=f"restored-{run_id[:8]}")


def _find_identical(client: MlflowClient, experiment_id: str, identity: Mapping[str, str]) -> Run | None:
    condition = " and ".join(f"tags.`{key}` = '{value}'" for key, value in identity.items())
    return next(iter(client.search_runs([experiment_id], condition, max_results=1)), None)


def _end_killed_runs(client: MlflowClient, *, root: Path, experiment: str) -> None:
    """End the runs of killed processes as KILLED at the time of their last write."""
    from mlflow.exceptions import MlflowException

    uri = without_credentials(resolve_tracking_uri(root))
    for run_id, last_write_ms in killed_runs(root, experiment=experiment, tracking_uri=uri):
        writer = RunWriter(root=root, run_id=run_id)
        writer.send_pending()  # may contain the run's end
        try:
            info = client.get_run(run_id).info
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            continue
        if info.status == "RUNNING":
            message = "the process was killed, for example by SIGKILL or for lack of memory"
            writer.append({"kind": "batch", "tags": [(ERROR_TAG, message)]})
            end_time_ms = None if info.end_time else last_write_ms
            writer.append({"kind": "status", "status": "KILLED", "end_time_ms": end_time_ms})
            writer.send_pending()
            logger.warning("MLflow run %s of a killed process was RUNNING and is set to KILLED", run_id)
        writer.remove_empty_folder()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
