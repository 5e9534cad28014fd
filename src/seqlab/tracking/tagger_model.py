"""Exported taggers as MLflow models that take plain text."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqlab.errors import SeqlabError
from seqlab.tracking.client import apply_settings, quiet_mlflow

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

    from seqlab.tracking.run import TrackedRun

EXAMPLE = ("Marie Curie was born in Warsaw.", "It's raining.")

_PYFUNC = Path(__file__).with_name("tagger_pyfunc.py")
_REQUIRED = ("tensorflow", "numpy", "mlflow")


def text_signature(*, spans: bool) -> ModelSignature:
    """One column of text in, with or without a name; columns of lists, one row a sentence, out.

    Args:
        spans: whether the tags spell spans.
    """
    apply_settings()
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import Array, Object, Property

    columns = {
        "tokens": DataType.string,
        "tags": DataType.string,
        "probabilities": DataType.double,
        "starts": DataType.long,
        "ends": DataType.long,
    }
    outputs = [ColSpec(Array(kind), name) for name, kind in columns.items()]
    if spans:
        parts = {
            "type": DataType.string,
            "text": DataType.string,
            "start": DataType.long,
            "end": DataType.long,
        }
        span = Object([Property(name, kind) for name, kind in parts.items()])
        outputs.append(ColSpec(Array(span), "spans"))
    return ModelSignature(inputs=Schema([ColSpec("string")]), outputs=Schema(outputs))


def save_tagger(
    export_dir: Path, folder: Path, *, spans: bool, metadata: Mapping[str, Any], run_id: str | None = None
) -> None:
    """Saves an exported tagger as an MLflow model that needs TensorFlow and MLflow and nothing of ours.

    The model is neither loaded nor called, so TensorFlow is not imported.

    Args:
        export_dir: the export's folder, with a SavedModel that has the signature `text`.
        folder: where to save; it must not exist.
        spans: whether the tags spell spans.
        metadata: facts for programs, kept in the file `MLmodel`.
        run_id: the run that made the model.

    Raises:
        SeqlabError: `export_dir` holds no SavedModel.
    """
    apply_settings()
    import mlflow.pyfunc
    from mlflow.models import Model

    if not (export_dir / "saved_model.pb").is_file():
        raise SeqlabError(
            "there is no SavedModel to log",
            where=str(export_dir),
            expected="a folder with saved_model.pb",
            remedy="run the export stage",
        )
    with quiet_mlflow():
        mlflow.pyfunc.save_model(
            str(folder),
            python_model=_PYFUNC,
            artifacts={"export": os.fspath(export_dir.resolve())},
            mlflow_model=Model(run_id=run_id),
            signature=text_signature(spans=spans),
            input_example=list(EXAMPLE),
            metadata=dict(metadata),
            pip_requirements=_installed(_REQUIRED),
        )


def log_tagger(
    run: TrackedRun,
    export_dir: Path,
    *,
    name: str,
    spans: bool,
    facts: Mapping[str, Any],
    metrics: Sequence[str] = (),
) -> str | None:
    """Logs an exported tagger as a model of the run; see `save_tagger`.

    Args:
        run: the run that made the model.
        export_dir: the export's folder.
        name: the model's name on the run, e.g. `ner`.
        spans: whether the tags spell spans.
        facts: kept in the file `MLmodel`, and shown as tags on the model's page.
        metrics: keys of the run's metrics that are shown on the model's page too, e.g. `test/span_f1`.

    Returns:
        The logged model's id; None if the server is away, and the model is sent later.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / name
        save_tagger(export_dir, folder, spans=spans, metadata=facts, run_id=run.run_id)
        return run.log_model_folder(folder, name=name, params={}, tags=facts, metrics=metrics)


def _installed(libraries: Sequence[str]) -> list[str]:
    return [f"{library}=={metadata.version(library)}" for library in libraries]
