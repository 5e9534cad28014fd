"""Registered models: which version stands for what, and what a better one must beat."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqlab.errors import SeqlabError
from seqlab.tracking.client import mlflow_client, quiet_mlflow
from seqlab.tracking.store import STATE, resolve_tracking_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CANDIDATE = "candidate"
CHAMPION = "champion"

MODEL_ID_TAG = "model_id"

SCORES = ("test/span_f1", "test/token_accuracy")
"""Metrics that versions are compared by: the first that the candidate's run has."""


@dataclass(frozen=True)
class Promotion:
    """What became of a wish to make a version the champion.

    Args:
        name: the registered model.
        version: the version that is the champion now.
        score_name: the metric compared by.
        score: the version's score.
        champion: the champion before, None if there was none.
        champion_score: its score.
    """

    name: str
    version: str
    score_name: str
    score: float
    champion: str | None = None
    champion_score: float | None = None


def register_candidate(root: Path, *, name: str, model_id: str, run_id: str) -> str:
    """Registers a logged model as the newest version and points the alias `candidate` at it.

    Args:
        root: the repository's root.
        name: the registered model, e.g. `seqlab-ner`; made if it is missing.
        model_id: the logged model.
        run_id: the run that made it.

    Returns:
        The version's number. A model that is registered already keeps its version.
    """
    from mlflow.exceptions import MlflowException

    client = mlflow_client(resolve_tracking_uri(root))
    with quiet_mlflow():
        try:
            client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        # The place itself, since `models:/` would be looked up in whatever store is MLflow's default here.
        location = client.get_logged_model(model_id).artifact_location
        known = [v for v in client.search_model_versions(f"name = '{name}'") if _made_of(v) == model_id]
        version = (
            known[0]
            if known
            else client.create_model_version(
                name, source=location, run_id=run_id, model_id=model_id, tags={MODEL_ID_TAG: model_id}
            )
        )
        client.set_registered_model_alias(name, CANDIDATE, version.version)
    return str(version.version)


def promote(root: Path, *, name: str, alias: str = CANDIDATE, force: bool = False) -> Promotion:
    """Makes the version with that alias the champion, if it is no worse on test than the standing one.

    Args:
        root: the repository's root.
        name: the registered model.
        alias: which version is to be promoted, an alias or a version's number.
        force: promote also a worse one, or one that cannot be compared.

    Raises:
        SeqlabError: there is no such version; it scores worse than the champion; or the two were tested on
            different data.
    """
    client = mlflow_client(resolve_tracking_uri(root))
    version = _version(client, name, alias)
    tags, scores = _run_facts(client, version)
    score_name = next((key for key in SCORES if key in scores), None)
    if score_name is None:
        raise SeqlabError(
            "the version was never tested",
            where=f"models:/{name}/{version.version}",
            expected=" or ".join(SCORES) + " on its run",
            received=f"none on run {version.run_id}",
            remedy="run the evaluate stage (`dvc repro`), which logs the scores",
        )
    standing = _champion(client, name)
    if standing is None or standing.version == version.version:
        client.set_registered_model_alias(name, CHAMPION, version.version)
        return Promotion(name, str(version.version), score_name, scores[score_name])
    champion_tags, champion_scores = _run_facts(client, standing)
    where = f"models:/{name}@{CHAMPION} (version {standing.version})"
    if not force:
        _require_same_test(where, tags, champion_tags)
        if champion_scores.get(score_name, float("-inf")) > scores[score_name]:
            raise SeqlabError(
                f"version {version.version} is worse on test than the champion",
                where=where,
                expected=f"{score_name} of at least {champion_scores[score_name]:.4f}",
                received=f"{scores[score_name]:.4f}",
                remedy="keep the champion, or say --force to replace it all the same",
            )
    client.set_registered_model_alias(name, CHAMPION, version.version)
    return Promotion(
        name,
        str(version.version),
        score_name,
        scores[score_name],
        champion=str(standing.version),
        champion_score=champion_scores.get(score_name),
    )


def fetch_export(root: Path, reference: str) -> Path:
    """The folder of an exported tagger that the store keeps, copied to `<root>/.seqlab/exports/` once.

    Args:
        root: the repository's root.
        reference: `models:/name@alias`, `models:/name/version`, `models:/m-...`, or a run's id.

    Raises:
        SeqlabError: the store has no such model.
    """
    from mlflow.exceptions import MlflowException

    tracking_uri = resolve_tracking_uri(root)
    client = mlflow_client(tracking_uri)
    try:
        model_id = _model_id(client, reference)
        kept = root / STATE / "exports" / model_id
        if not kept.exists():
            from mlflow.artifacts import download_artifacts

            location = client.get_logged_model(model_id).artifact_location
            made = kept.with_name(f".{model_id}")
            shutil.rmtree(made, ignore_errors=True)
            made.mkdir(parents=True)
            with quiet_mlflow():
                download_artifacts(
                    artifact_uri=f"{location}/artifacts/export", dst_path=str(made), tracking_uri=tracking_uri
                )
            made.rename(kept)
    except MlflowException as error:
        raise SeqlabError(
            "there is no such model",
            where=reference,
            expected="an export's folder, models:/NAME@ALIAS, or the id of a run with a logged model",
            received=str(error).splitlines()[0][:300],
            remedy="look at the models and runs with `make ui`",
        ) from error
    return kept / "export"


def _model_id(client: MlflowClient, reference: str) -> str:
    from mlflow.exceptions import MlflowException

    if reference.startswith("models:/"):
        rest = reference.removeprefix("models:/")
        name, at, alias = rest.partition("@")
        if at:
            return _made_of(client.get_model_version_by_alias(name, alias))
        name, slash, number = rest.partition("/")
        return _made_of(client.get_model_version(name, number)) if slash else rest
    outputs = client.get_run(reference).outputs.model_outputs
    if not outputs:
        raise MlflowException(f"run {reference} has no logged model")
    models = [client.get_logged_model(output.model_id) for output in outputs]
    return str(max(models, key=lambda model: model.creation_timestamp).model_id)


def _made_of(version: ModelVersion) -> str:
    """The logged model's id; MLflow's own field for it is left empty by its SQL stores."""
    return str(version.tags.get(MODEL_ID_TAG) or version.model_id)


def _version(client: MlflowClient, name: str, alias: str) -> ModelVersion:
    from mlflow.exceptions import MlflowException

    try:
        if alias.isdigit():
            return client.get_model_version(name, alias)
        return client.get_model_version_by_alias(name, alias)
    except MlflowException as error:
        raise SeqlabError(
            "there is no such version of the model",
            where=f"models:/{name}",
            expected=f"version {alias}" if alias.isdigit() else f"a version with the alias {alias}",
            received=str(error).splitlines()[0][:300],
            remedy="run `dvc repro`, whose export stage registers one, or name another",
        ) from error


def _champion(client: MlflowClient, name: str) -> ModelVersion | None:
    champion = client.get_registered_model(name).aliases.get(CHAMPION)
    return None if champion is None else client.get_model_version(name, champion)


def _run_facts(client: MlflowClient, version: ModelVersion) -> tuple[dict[str, str], dict[str, float]]:
    data: Any = client.get_run(version.run_id).data
    return data.tags, data.metrics


def _require_same_test(where: str, tags: dict[str, str], champion_tags: dict[str, str]) -> None:
    key = "corpus.digest"
    if tags.get(key) != champion_tags.get(key):
        raise SeqlabError(
            "the two were not tested on the same corpus, so their scores cannot be compared",
            where=where,
            expected=f"corpus {champion_tags.get('corpus', '?')}, digest {champion_tags.get(key, '?')[:12]}",
            received=f"corpus {tags.get('corpus', '?')}, digest {tags.get(key, '?')[:12]}",
            remedy="train the champion's parameters on this corpus to compare, or say --force",
        )
