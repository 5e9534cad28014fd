"""Exported taggers as MLflow models, with the signature that they really have."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seqlab.errors import SeqlabError
from seqlab.tracking.client import apply_settings, quiet_mlflow
from seqlab.tracking.run import TrackedRun

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

# A tensor by name: its dtype as NumPy names it, and its shape with -1 where it varies.
Tensors = Mapping[str, tuple[str, Sequence[int]]]

_PYFUNC = Path(__file__).with_name("saved_model_pyfunc.py")


def tensor_signature(inputs: Tensors, outputs: Tensors) -> ModelSignature:
    """A signature of named tensors.

    Args:
        inputs: e.g. `{"token_ids": ("int32", (-1, -1)), "char_ids": ("int32", (-1, -1, 20))}`.
        outputs: e.g. `{"tag_ids": ("int32", (-1, -1))}`.
    """
    apply_settings()
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    def schema(tensors: Tensors) -> Any:
        return Schema(
            [TensorSpec(np.dtype(dtype), tuple(shape), name) for name, (dtype, shape) in tensors.items()]
        )

    return ModelSignature(inputs=schema(inputs), outputs=schema(outputs))


def log_saved_model(
    run: TrackedRun,
    export_dir: Path,
    *,
    name: str,
    signature: ModelSignature,
    input_example: Mapping[str, np.ndarray] | None = None,
    metadata: Mapping[str, Any] | None = None,
    saved_model_path: str = ".",
    signature_name: str = "serving_default",
    params: Mapping[str, Any] | None = None,
    tags: Mapping[str, Any] | None = None,
    metrics: Sequence[str] = (),
    pip_requirements: Sequence[str] | None = None,
) -> str | None:
    """Logs an exported SavedModel as a model of the run, callable with `mlflow.pyfunc.load_model`.

    The model is neither loaded nor called, so TensorFlow is not imported; parity is the export
    stage's to prove. A process with TensorFlow and MLflow and nothing of ours can load it. Files that lie
    beside the SavedModel in `export_dir` are logged with it.

    Args:
        run: the run that made the model.
        export_dir: a folder with the SavedModel.
        name: the model's name on the run, e.g. `ner`.
        signature: see `tensor_signature`; its names are those of the SavedModel's signature.
        input_example: a batch that the model takes.
        metadata: facts for programs, kept in the file `MLmodel`.
        saved_model_path: the SavedModel's folder, relative to `export_dir`.
        signature_name: which of the SavedModel's signatures is called.
        params: parameters shown on the model's page.
        tags: tags shown on the model's page.
        metrics: keys of the run's metrics that are shown on the model's page too, e.g. `test/span_f1`.
        pip_requirements: what a process needs to load it; by default TensorFlow and NumPy as installed.

    Returns:
        The model's URI, `models:/m-...`; None if the server is away, and the model is sent later.

    Raises:
        SeqlabError: `export_dir` holds no SavedModel.
    """
    apply_settings()
    import mlflow.pyfunc
    from mlflow.models import Model

    if not (export_dir / saved_model_path / "saved_model.pb").is_file():
        raise SeqlabError(
            "there is no SavedModel to log",
            where=str(export_dir / saved_model_path),
            expected="a folder with saved_model.pb",
            remedy="run the export stage",
        )
    with quiet_mlflow(), tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / name
        mlflow.pyfunc.save_model(
            str(folder),
            python_model=_PYFUNC,
            artifacts={"export": os.fspath(export_dir.resolve())},
            mlflow_model=Model(run_id=run.run_id),
            signature=signature,
            input_example=dict(input_example) if input_example is not None else None,
            model_config={"saved_model_path": saved_model_path, "signature_name": signature_name},
            metadata=dict(metadata or {}),
            pip_requirements=list(pip_requirements or _installed("tensorflow", "numpy", "mlflow")),
        )
        model_id = run.log_model_folder(
            folder, name=name, params=params or {}, tags=tags or {}, metrics=metrics
        )
    return f"models:/{model_id}" if model_id else None


def _installed(*libraries: str) -> list[str]:
    return [f"{library}=={metadata.version(library)}" for library in libraries]
