"""Exported taggers as MLflow models that take plain text."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqlab.errors import SeqlabError

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

EXAMPLE = ("Marie Curie was born in Warsaw.", "It's raining.")

_PYFUNC = Path(__file__).with_name("mlflow_pyfunc.py")
_REQUIRED = ("tensorflow", "numpy", "mlflow")


def text_signature(*, spans: bool) -> ModelSignature:
    """One column of text in, with or without a name; columns of lists, one row a sentence, out.

    Args:
        spans: whether the tags spell spans.
    """
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


def save_mlflow_model(
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
    import mlflow.pyfunc
    from mlflow.models import Model

    if not (export_dir / "saved_model.pb").is_file():
        raise SeqlabError(
            "there is no SavedModel to log",
            where=str(export_dir),
            expected="a folder with saved_model.pb",
            remedy="run the export stage",
        )
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


def _installed(libraries: Sequence[str]) -> list[str]:
    return [f"{library}=={metadata.version(library)}" for library in libraries]
