"""The model registry: versions of a tagger, their aliases, and promotion."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from seqlab.atomic import replaced_directory
from seqlab.credentials import without_credentials
from seqlab.errors import SeqlabError
from seqlab.tracking.client import is_connection_failure, mlflow_client, quiet_mlflow
from seqlab.tracking.scored_version import (
    DIGEST_TAG,
    SCORE_NAMES,
    SCORES,
    ScoredVersion,
    read_scored_version,
    version_description,
    within_noise,
)
from seqlab.tracking.store import STATE, resolve_tracking_uri, store_errors

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

logger = logging.getLogger(__name__)

CANDIDATE = "candidate"
CHAMPION = "champion"
MODEL_ID_TAG = "model_id"

_RUN_TAGS = ("corpus", DIGEST_TAG, "git.commit", "git.branch", "git.dirty", "dvc.exp_name")
_MAX_VERSIONS = 1000


@dataclass(frozen=True)
class Promotion:
    """The version that is now the champion, the previous champion, and what a reader should know.

    Args:
        name: the registered model's name.
        score: the score on dev that was compared, one of `SCORES`.
        version: the version that is now the champion.
        previous: the champion before, if it was another version.
        notes: for example, that the difference is within noise.
    """

    name: str
    score: str
    version: ScoredVersion
    previous: ScoredVersion | None = None
    notes: tuple[str, ...] = ()


_MODEL_DESCRIPTION = f"""\
Sequence taggers, one version for each export; a version's description has its scores, corpus and commit.

The alias `{CANDIDATE}` is the version that is best on dev, `{CHAMPION}` the one chosen by `seqlab promote`.

Use: `seqlab tag --model models:/{{name}}@{CHAMPION} FILE`.
Make again: `seqlab reproduce models:/{{name}}/VERSION`.
"""


def register_candidate(
    root: Path, *, name: str, model_id: str, run_id: str, tags: Mapping[str, str] | None = None
) -> str:
    """Register a logged model as a version of `name`; the best version on dev has the alias `candidate`.

    The version gets `tags` (see `score_tags`), the commit and corpus of its run, and a description of them.
    If the current candidate has a higher dev score on the same corpus, it stays the candidate.

    Returns:
        The version's number. A model that is already registered keeps its version.
    """
    from mlflow.exceptions import MlflowException

    uri = resolve_tracking_uri(root)
    client = mlflow_client(uri)
    with store_errors(uri), quiet_mlflow():
        description = _MODEL_DESCRIPTION.format(name=name)
        try:
            client.create_registered_model(name, description=description)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            if not client.get_registered_model(name).description:
                client.update_registered_model(name, description)
        versions = client.search_model_versions(f"name = '{name}'")
        version = next((known for known in versions if _logged_model_id(known) == model_id), None)
        if version is None:
            run_tags = client.get_run(run_id).data.tags
            facts = {key: run_tags[key] for key in _RUN_TAGS if key in run_tags} | dict(tags or {})
            # MLflow would resolve `models:/...` in its default store, which may be another one.
            source = client.get_logged_model(model_id).artifact_location
            version = client.create_model_version(
                name,
                source=source,
                run_id=run_id,
                model_id=model_id,
                tags={MODEL_ID_TAG: model_id, **facts},
                description=version_description(facts),
            )
        current = client.get_registered_model(name).aliases.get(CANDIDATE)
        candidate = (
            None if current is None else read_scored_version(client, client.get_model_version(name, current))
        )
        new = read_scored_version(client, version)
        score = new.main_score
        if (
            candidate
            and score
            and candidate.digest == new.digest
            and candidate.dev.get(score, 0) > new.dev[score]
        ):
            stays, lower = candidate.describe(score), new.describe(score)
            logger.info("%s: %s stays the candidate; %s is not better on dev", name, stays, lower)
        else:
            client.set_registered_model_alias(name, CANDIDATE, version.version)
    return str(version.version)


def promote(
    root: Path, *, name: str, alias: str = CANDIDATE, best: bool = False, force: bool = False
) -> Promotion:
    """Make a version the champion, if its score on dev is not lower. Test is reported and chooses nothing.

    Args:
        root: the repository's root.
        name: the registered model's name, which is also that of the experiment.
        alias: the version, by an alias or a number.
        best: promote the version with the highest dev score on the newest version's corpus instead; it also
            becomes the candidate.
        force: promote a version even if its score is lower than the champion's or cannot be compared.

    Raises:
        SeqlabError: the version does not exist, its dev score is lower than the champion's, or the two were
            trained on different corpora.
    """
    uri = resolve_tracking_uri(root)
    client = mlflow_client(uri)
    with store_errors(uri):
        expected = f"version {alias}" if alias.isdigit() else f"a version with the alias {alias}"
        remedy = "run `dvc repro`, whose export stage registers a version, or choose another version"
        notes: list[str] = []
        with _not_found("this version of the model does not exist", f"models:/{name}", expected, remedy):
            if best:
                version, compared = _best_version(client, name)
                notes.append(f"it is the best of {compared} on dev")
            else:
                version = read_scored_version(client, get_model_version(client, name, alias))
        score = version.main_score
        if score is None:
            raise SeqlabError(
                "this version has no score on dev",
                where=f"models:/{name}/{version.version}",
                expected=f"{' or '.join(f'best_dev/{key}' for key in SCORES)} in its tags or its run",
                received="neither",
                remedy="run the evaluate stage (`dvc repro`), which logs the scores",
            )
        champion_version = client.get_registered_model(name).aliases.get(CHAMPION)
        previous = None
        if champion_version is not None and str(champion_version) != version.version:
            previous = read_scored_version(client, client.get_model_version(name, str(champion_version)))
            noise = within_noise(version, previous, score)
            if not force:
                _check_not_worse(name, version, previous, score, noise)
            notes += [noise] if noise else []
        if best:
            notes += _better_unregistered_runs(client, name, version, score)
            client.set_registered_model_alias(name, CANDIDATE, version.version)
        client.set_registered_model_alias(name, CHAMPION, version.version)
    return Promotion(name, score, version, previous, tuple(notes))


def _check_not_worse(
    name: str, version: ScoredVersion, champion: ScoredVersion, score: str, noise: str
) -> None:
    where = f"models:/{name}@{CHAMPION} (version {champion.version})"
    if version.digest != champion.digest:
        raise SeqlabError(
            "the versions were scored on different corpora, so their scores cannot be compared",
            where=where,
            expected=champion.describe_corpus(),
            received=version.describe_corpus(),
            remedy="train with the champion's parameters on this corpus, or use --force",
        )
    if champion.dev.get(score, 0) > version.dev[score]:
        raise SeqlabError(
            f"version {version.version} has a lower dev score than the champion",
            where=where,
            expected=f"{SCORE_NAMES[score]} on dev of at least {champion.dev[score]:.4f}",
            received=f"{version.dev[score]:.4f}{'; ' + noise if noise else ''}",
            remedy="keep the champion, or replace it anyway with --force",
        )


def _best_version(client: MlflowClient, name: str) -> tuple[ScoredVersion, str]:
    """Return the best version on dev of those on the newest one's corpus, and what they are in words."""
    from mlflow.exceptions import MlflowException

    found = client.search_model_versions(f"name = '{name}'", max_results=_MAX_VERSIONS)
    versions = [
        read_scored_version(client, version) for version in sorted(found, key=lambda one: -int(one.version))
    ]
    if not versions:
        raise MlflowException(f"{name} has no versions")
    newest = versions[0]
    score = newest.main_score
    if score is None:
        return newest, "1 version"
    compared = [one for one in versions if one.digest == newest.digest and score in one.dev]
    # The first of equal versions is the newest.
    best = max(compared, key=lambda one: one.dev[score])
    return best, f"{len(compared)} version{'s' if len(compared) > 1 else ''} on {newest.describe_corpus()}"


def _better_unregistered_runs(
    client: MlflowClient, name: str, version: ScoredVersion, score: str
) -> list[str]:
    """Return a note for a run of the experiment whose dev score is higher, but which was not exported."""
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        return []
    metric = f"metrics.`best_dev/{score}`"
    better = f"{metric} > {version.dev[score]:.20f} and tags.`{DIGEST_TAG}` = '{version.digest}'"
    runs = client.search_runs([experiment.experiment_id], better, max_results=1, order_by=[f"{metric} DESC"])
    return [
        f"run {run.info.run_name} ({run.info.run_id[:12]}) has a higher score on dev "
        f"({run.data.metrics[f'best_dev/{score}']:.4f}), but its model was not exported"
        for run in runs
    ]


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
        name, version = split_model_reference(reference)
        return _logged_model_id(get_model_version(client, name, version)) if version else name
    outputs = client.get_run(reference).outputs.model_outputs
    if not outputs:
        raise MlflowException(f"run {reference} has no logged model")
    models = [client.get_logged_model(output.model_id) for output in outputs]
    return str(max(models, key=lambda model: model.creation_timestamp).model_id)


def _logged_model_id(version: ModelVersion) -> str:
    """Return the logged model's id from our tag, because MLflow's SQL stores leave `model_id` empty."""
    return str(version.tags.get(MODEL_ID_TAG) or version.model_id)


def split_model_reference(reference: str) -> tuple[str, str]:
    """Return name and version, or name and alias, of `models:/NAME/VERSION` or `models:/NAME@ALIAS`.

    `models:/m-...` is a logged model, whose version is empty.
    """
    name, _, version = re.sub("[/@]", " ", reference.removeprefix("models:/")).partition(" ")
    return name, version


def get_model_version(client: MlflowClient, name: str, alias: str) -> ModelVersion:
    """Return a registered version by its number or an alias."""
    if alias.isdigit():
        return client.get_model_version(name, alias)
    return client.get_model_version_by_alias(name, alias)
