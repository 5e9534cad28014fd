"""One MLflow run, written to by several stages, that loses nothing when the server goes away."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from seqlab.atomic import write_json
from seqlab.tracking.client import is_remote, mlflow_client
from seqlab.tracking.names import LONGEST_PARAM, LONGEST_TAG, flatten, param_text, safe_key, shorten
from seqlab.tracking.provenance import current_user
from seqlab.tracking.resume import find_or_replace_run, read_run_json
from seqlab.tracking.store import StoreAwayError, prepare_store, resolve_tracking_uri
from seqlab.tracking.writer import RunWriter

if TYPE_CHECKING:
    from matplotlib.figure import Figure

logger = logging.getLogger(__name__)

ERROR_TAG = "error"
SHORT_DIGEST = 12


class TrackedRun:
    """A run with an explicit id; nothing of MLflow's "active run" is used, so runs can be open side by side.

    Made by `start` or `resume`. Used as a context manager it ends FINISHED, FAILED with the error's text
    in the tag `error` and its traceback in `error.txt`, or KILLED on Ctrl-C.

    A write that fails because the store cannot be reached is kept below `<root>/.seqlab/mlflow-pending/`
    and sent, in order, by a later write, by the next `resume`, or by `replay_pending`. One warning tells
    of it. Every other failure is raised.

    Attributes:
        run_id: the run's id.
        experiment: the experiment's name.
        experiment_id: the experiment's id in its store.
        tracking_uri: the store, without credentials.
    """

    def __init__(self, *, root: Path, run_id: str, experiment: str, experiment_id: str) -> None:
        self.root = root
        self.run_id = run_id
        self.experiment = experiment
        self.experiment_id = experiment_id
        self._writer = RunWriter(root=root, run_id=run_id)
        self.tracking_uri = self._writer.tracking_uri
        self._ended_before = False
        self._failed_before = False

    @classmethod
    def start(
        cls,
        *,
        root: Path,
        experiment: str,
        run_name: str,
        tags: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> TrackedRun:
        """Makes a new run; the store is made, or the server asked, first.

        Args:
            root: the repository's root, where the store and pending writes lie (a stage's DVC_ROOT).
            experiment: the experiment's name, made if it is missing.
            run_name: what the run is called in the table of runs.
            tags: see `set_tags`.
            params: see `log_params`.

        Raises:
            SeqlabError: the store cannot be used; says why and what to do.
        """
        experiment_id = prepare_store(root, experiment)
        client = mlflow_client(resolve_tracking_uri(root))
        made = client.create_run(experiment_id, tags={"mlflow.user": current_user()}, run_name=run_name)
        run = cls(root=root, run_id=made.info.run_id, experiment=experiment, experiment_id=experiment_id)
        run.set_tags(tags or {})
        run.log_params(params or {})
        return run

    @classmethod
    def resume(cls, *, root: Path, run_json: Path) -> TrackedRun:
        """Picks a run up again from the file that `save` wrote, and sends what is still pending of it.

        If the server is away, everything goes to the journal. If the store has no such run (the result
        came from DVC's cache, the store did not), a run of its own stands in for it, the same at every
        later call, with the first run's id in the tag `stands_in_for`.

        Raises:
            SeqlabError: the file is missing or is no run's file, or the store cannot be used.
        """
        saved = read_run_json(run_json)
        try:
            experiment_id = prepare_store(root, saved["experiment"])
        except StoreAwayError as error:
            run = cls(
                root=root,
                run_id=saved["run_id"],
                experiment=saved["experiment"],
                experiment_id=str(saved.get("experiment_id", "")),
            )
            run._ended_before = True
            run._writer.keep({"kind": "status", "status": "RUNNING"}, error)
            return run
        client = mlflow_client(resolve_tracking_uri(root))
        found = find_or_replace_run(client, saved, experiment_id, user=current_user())
        run = cls(
            root=root,
            run_id=found.info.run_id,
            experiment=saved["experiment"],
            experiment_id=found.info.experiment_id,
        )
        run._ended_before = found.info.end_time is not None
        run._failed_before = ERROR_TAG in found.data.tags
        run._writer.write({"kind": "status", "status": "RUNNING"})
        return run

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Logs parameters, nested ones with dotted keys.

        A value over 500 characters is cut, and stands in full in the artifact `params/<key>.txt`.
        """
        pairs = []
        for key, value in flatten(params, separator="."):
            name, text = safe_key(key), param_text(value)
            pairs.append([name, shorten(text, LONGEST_PARAM)])
            if len(text) > LONGEST_PARAM:
                self.log_text(text, f"params/{name}.txt")
        self._batch(params=pairs)

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Logs numbers in one request, nested ones with keys joined by `/`: `{"dev": {"span_f1": 0.9}}`.

        Characters of a key that MLflow refuses are written as `safe_key` does.

        Args:
            metrics: numbers; NaN and infinities are allowed.
            step: the epoch, counted from 1 by convention; 0 if there is none.
        """
        now = _now_ms()
        self._batch(
            metrics=[
                [safe_key(key), float(value), now, step or 0]
                for key, value in flatten(metrics, separator="/")
            ]
        )

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Sets tags; values are written as parameters are, and cut at 5000 characters."""
        self._batch(
            tags=[[safe_key(key), shorten(param_text(value), LONGEST_TAG)] for key, value in tags.items()]
        )

    def log_artifact(self, path: Path, name: str) -> None:
        """Logs a file or a whole folder under `name`, a path in the run's artifacts (`plots/scores.png`)."""
        folder, _, basename = name.rpartition("/")
        if path.is_dir():
            self._writer.write({"kind": "artifact", "file": str(path.resolve()), "artifact_path": name})
        elif path.name == basename:
            self._writer.write({"kind": "artifact", "file": str(path.resolve()), "artifact_path": folder})
        else:
            with tempfile.TemporaryDirectory() as scratch:
                self.log_artifact(shutil.copyfile(path, Path(scratch) / basename), name)

    def log_text(self, text: str, name: str) -> None:
        """Logs text as an artifact in UTF-8."""
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / name.rpartition("/")[2]
            path.write_text(text, encoding="utf-8")
            self.log_artifact(path, name)

    def log_dict(self, values: Mapping[str, Any], name: str) -> None:
        """Logs a mapping as a JSON artifact."""
        self.log_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", name)

    def log_figure(self, figure: Figure, name: str) -> None:
        """Logs a Matplotlib figure as a picture; the format is that of the name's ending."""
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / name.rpartition("/")[2]
            figure.savefig(path, dpi=120)
            self.log_artifact(path, name)

    def log_dataset(
        self, *, name: str, digest: str, source: str, profile: Mapping[str, Any], context: str
    ) -> None:
        """Logs a dataset as the run's input, so that it stands in the column Dataset of the table of runs.

        Args:
            name: the corpus's name, with the split if the run uses one alone.
            digest: hash of its content; the table shows the first 12 characters, the profile holds all.
            source: where it comes from, a path or a URL.
            profile: counts and facts (sentences, tokens, tags, `synthetic`...).
            context: what the run does with it: `train`, `dev` or `test`.
        """
        self._writer.write(
            {
                "kind": "dataset",
                "name": name,
                "digest": digest[:SHORT_DIGEST],
                "source_type": "http" if is_remote(source) else "local",
                "source": json.dumps({"url" if is_remote(source) else "uri": source}),
                "profile": json.dumps({**profile, "digest": digest}),
                "context": context,
            }
        )

    def log_model_folder(
        self,
        folder: Path,
        *,
        name: str,
        params: Mapping[str, Any],
        tags: Mapping[str, Any],
        metrics: Sequence[str],
    ) -> str | None:
        """Logs a folder that an MLflow flavour saved, as a model of this run (see `tracking.model`).

        Returns:
            The logged model's id, or None if the store is away and the model waits to be sent.
        """
        return self._writer.write(
            {
                "kind": "model",
                "file": str(folder.resolve()),
                "name": name,
                "params": {safe_key(key): param_text(value) for key, value in params.items()},
                "tags": {safe_key(key): param_text(value) for key, value in tags.items()},
                "metrics": [safe_key(key) for key in metrics],
            }
        )

    def finish(self, status: str = "FINISHED") -> None:
        """Ends the run: FINISHED, FAILED or KILLED.

        The end time is set once, so that the column Duration shows the training and not the
        hours until a later stage picked the run up.
        """
        if status == "FINISHED" and self._failed_before:
            self._writer.write({"kind": "delete_tag", "key": ERROR_TAG})
        end_time_ms = None if self._ended_before else _now_ms()
        self._writer.write({"kind": "status", "status": status, "end_time_ms": end_time_ms})

    def save(self, run_json: Path) -> None:
        """Writes `run_id`, `experiment` and what helps to find them as JSON, all or nothing."""
        own_store = self.tracking_uri == f"sqlite:///{self.root.resolve()}/mlflow.db"
        content = {
            "run_id": self.run_id,
            "experiment": self.experiment,
            "experiment_id": self.experiment_id,
            # Relative to the repository's root: the file travels through DVC's cache to other machines.
            "tracking_uri": "sqlite:///mlflow.db" if own_store else self.tracking_uri,
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
            self.log_text("".join(traceback.format_exception(error)), "error.txt")
            self.finish("KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED")
        except Exception as second:
            # The first error is the one that the user must see.
            logger.warning("MLflow run %s could not be marked as failed: %s", self.run_id, second)

    def _batch(
        self,
        *,
        metrics: list[list[Any]] | None = None,
        params: list[list[str]] | None = None,
        tags: list[list[str]] | None = None,
    ) -> None:
        if metrics or params or tags:
            self._writer.write(
                {"kind": "batch", "metrics": metrics or [], "params": params or [], "tags": tags or []}
            )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
