"""The model registry: versions of a tagger, their aliases, and promotion."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from seqlab.atomic import replaced_directory
from seqlab.credentials import without_credentials
from seqlab.errors import SeqlabError
from seqlab.tracking.client import is_connection_failure, mlflow_client, quiet_mlflow
from seqlab.tracking.store import STATE, resolve_tracking_uri, store_errors

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import RunData
    from mlflow.entities.model_registry import ModelVersion

CANDIDATE = "candidate"
CHAMPION = "champion"
MODEL_ID_TAG = "model_id"
DIGEST_TAG = "corpus.digest"

SCORES = ("test/span_f1", "test/token_accuracy")
"""Versions are compared by the first of these metrics that the candidate's run contains."""


@dataclass(frozen=True)
class Promotion:
    """The version that is now the champion, and the previous champion, if any, with their test scores."""

    name: str
    version: str
    score_name: str
    score: float
    champion: str | None = None
    champion_score: float | None = None


def register_candidate(root: Path, *, name: str, model_id: str, run_id: str) -> str:
    """Register a logged model as a version of `name` and set the alias `candidate` to it.

    Returns:
        The version's number. A model that is already registered keeps its version.
    """
    from mlflow.exceptions import MlflowException

    uri = resolve_tracking_uri(root)
    client = mlflow_client(uri)
    with store_errors(uri), quiet_mlflow():
        try:
            client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        versions = client.search_model_versions(f"name = '{name}'")
        version = next((known for known in versions if _logged_model_id(known) == model_id), None)
        if version is None:
            # MLflow would resolve `models:/...` in its default store, which may be another one.
            source = client.get_logged_model(model_id).artifact_location
            version = client.create_model_version(
                name, source=source, run_id=run_id, model_id=model_id, tags={MODEL_ID_TAG: model_id}
            )
        client.set_registered_model_alias(name, CANDIDATE, version.version)
    return str(version.version)


def promote(root: Path, *, name: str, alias: str = CANDIDATE, force: bool = False) -> Promotion:
    """Make the version `alias` (an alias or a number) the champion, if its test score is not lower.

    `force` promotes a version even if its score is lower than the champion's or cannot be compared.

    Raises:
        SeqlabError: the version does not exist, its score is lower than the champion's, or the two were
            tested on different data.
    """
    uri = resolve_tracking_uri(root)
    client = mlflow_client(uri)
    with store_errors(uri):
        expected = f"version {alias}" if alias.isdigit() else f"a version with the alias {alias}"
        remedy = "run `dvc repro`, whose export stage registers a version, or choose another version"
        with _not_found("this version of the model does not exist", f"models:/{name}", expected, remedy):
            version = _model_version(client, name, alias)
        candidate = client.get_run(version.run_id).data
        champion_version = client.get_registered_model(name).aliases.get(CHAMPION)
        score_name = next((key for key in SCORES if key in candidate.metrics), None)
        if score_name is None:
            raise SeqlabError(
                "this version has not been tested",
                where=f"models:/{name}/{version.version}",
                expected=f"{' or '.join(SCORES)} in its run",
                received=f"neither in run {version.run_id}",
                remedy="run the evaluate stage (`dvc repro`), which logs the scores",
            )
        score, previous, previous_score = candidate.metrics[score_name], None, None
        if champion_version is not None and champion_version != version.version:
            previous = str(champion_version)
            champion = client.get_run(client.get_model_version(name, previous).run_id).data
            previous_score = champion.metrics.get(score_name)
            if not force:
                where = f"models:/{name}@{CHAMPION} (version {previous})"
                if candidate.tags.get(DIGEST_TAG) != champion.tags.get(DIGEST_TAG):
                    raise SeqlabError(
                        "the versions were tested on different corpora, so their scores cannot be compared",
                        where=where,
                        expected=_corpus(champion),
                        received=_corpus(candidate),
                        remedy="train with the champion's parameters on this corpus, or use --force",
                    )
                if previous_score is not None and previous_score > score:
                    raise SeqlabError(
                        f"version {version.version} has a lower test score than the champion",
                        where=where,
                        expected=f"{score_name} of at least {previous_score:.4f}",
                        received=f"{score:.4f}",
                        remedy="keep the champion, or replace it anyway with --force",
                    )
        client.set_registered_model_alias(name, CHAMPION, version.version)
    return Promotion(name, str(version.version), score_name, score, previous, previous_score)


def fetch_export(root: Path, reference: str) -> Path:
    """Download an exported tagger to `<root>/.seqlab/exports/`, unless it is there, and return its folder.

    Args:
        root: the repository's root.
        reference: `models:/name@alias`, `models:/name/version`, `models:/m-...`, or a run's id.

    Raises:
        SeqlabError: the store does not contain the model.
    """
    uri = resolve_tracking_uri(root)
    client = mlflow_client(uri)
    expected = "an export's folder, models:/NAME@ALIAS, or the id of a run with a logged model"
    remedy = "look up the models and runs with `make ui`"
    with store_errors(uri), _not_found("this model does not exist", reference, expected, remedy):
        model_id = _resolve_model_id(client, reference)
        folder = root / STATE / "exports" / model_id
        if not folder.exists():
            from mlflow.artifacts import download_artifacts

            source = f"{client.get_logged_model(model_id).artifact_location}/artifacts/export"
            with replaced_directory(folder) as made, quiet_mlflow():
                download_artifacts(artifact_uri=source, dst_path=str(made), tracking_uri=uri)
    return folder / "export"


@contextmanager
def _not_found(what: str, where: str, expected: str, remedy: str) -> Iterator[None]:
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if is_connection_failure(error):
            raise
        received = without_credentials(str(error).splitlines()[0])[:300]
        raise SeqlabError(what, where=where, expected=expected, received=received, remedy=remedy) from error


def _resolve_model_id(client: MlflowClient, reference: str) -> str:
    from mlflow.exceptions import MlflowException

    if reference.startswith("models:/"):
        name, _, version = re.sub("[/@]", " ", reference.removeprefix("models:/")).partition(" ")
        return _logged_model_id(_model_version(client, name, version)) if version else name
    outputs = client.get_run(reference).outputs.model_outputs
    if not outputs:
        raise MlflowException(f"run {reference} has no logged model")
    models = [client.get_logged_model(output.model_id) for output in outputs]
    return str(max(models, key=lambda model: model.creation_timestamp).model_id)


def _logged_model_id(version: ModelVersion) -> str:
    """Return the logged model's id from our tag, because MLflow's SQL stores leave `model_id` empty."""
    return str(version.tags.get(MODEL_ID_TAG) or version.model_id)


def _model_version(client: MlflowClient, name: str, alias: str) -> ModelVersion:
    if alias.isdigit():
        return client.get_model_version(name, alias)
    return client.get_model_version_by_alias(name, alias)


def _corpus(run: RunData) -> str:
    return f"corpus {run.tags.get('corpus', '?')}, digest {run.tags.get(DIGEST_TAG, '?')[:12]}"
