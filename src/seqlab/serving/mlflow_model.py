"""Save an export as an MLflow model that takes raw text."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqlab.errors import SeqlabError

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

EXAMPLE = ("Marie Curie was born in Warsaw.", "It's raining.")

_PYFUNC = Path(__file__).with_name("mlflow_pyfunc.py")


def text_signature(*, spans: bool) -> ModelSignature:
    """Return the signature: one column of text in, one row with columns of lists per sentence out."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import Array, Object, Property

    text, number = DataType.string, DataType.long
    columns = {
        "tokens": text, "tags": text, "probabilities": DataType.double, "starts": number, "ends": number
    }  # fmt: skip
    outputs = [ColSpec(Array(kind), name) for name, kind in columns.items()]
    if spans:
        span = {"type": text, "text": text, "start": number, "end": number}
        properties = [Property(name, kind) for name, kind in span.items()]
        outputs.append(ColSpec(Array(Object(properties)), "spans"))
    return ModelSignature(inputs=Schema([ColSpec("string")]), outputs=Schema(outputs))


def save_mlflow_model(
    export_dir: Path, folder: Path, *, spans: bool, metadata: Mapping[str, Any], run_id: str | None = None
) -> None:
    """Save an export as an MLflow model that requires TensorFlow and MLflow but not seqlab.

    The model is not loaded, so TensorFlow is not imported.

    Args:
        export_dir: the folder of a SavedModel with the signature `text`.
        folder: the folder to write; it must not exist.
        spans: whether the tags encode spans.
        metadata: stored in the file `MLmodel`.
        run_id: the run that trained the model.

    Raises:
        SeqlabError: `export_dir` contains no SavedModel.
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
        pip_requirements=[f"{name}=={version(name)}" for name in ("tensorflow", "numpy", "mlflow")],
    )
