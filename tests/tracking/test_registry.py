from __future__ import annotations

import shutil
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from seqlab.errors import SeqlabError
from seqlab.tracking.client import mlflow_client
from seqlab.tracking.registry import Promotion, fetch_export, promote, register_candidate
from seqlab.tracking.run import TrackedRun
from seqlab.tracking.store import StoreAwayError, resolve_tracking_uri

Train = Callable[..., str]


@pytest.fixture
def train(root: Path, model_folder: Path, tmp_path: Path) -> Train:
    """Creates a run with these test scores, registers its model, and returns the run's id."""
    copies = iter(range(10))

    def make(digest: str = "d1", **scores: float) -> str:
        tags = {"corpus": "sample", "corpus.digest": digest}
        folder = shutil.copytree(model_folder, tmp_path / f"copy{next(copies)}")
        with TrackedRun.start(root=root, experiment="seqlab-ner", run_name="a", tags=tags) as run:
            run.log_metrics({"test": scores})
            model_id = run.log_model_folder(folder, name="ner", tags={}, metrics=[])
            assert model_id is not None
            register_candidate(root, name="seqlab-ner", model_id=model_id, run_id=run.run_id)
        return run.run_id

    return make


def aliases(root: Path) -> dict[str, str]:
    found = mlflow_client(resolve_tracking_uri(root)).get_registered_model("seqlab-ner").aliases
    return {alias: str(version) for alias, version in found.items()}


def test_the_newest_version_is_the_candidate(root: Path, train: Train) -> None:
    train(span_f1=0.5)
    run_id = train(span_f1=0.4)
    assert aliases(root) == {"candidate": "2"}
    version = mlflow_client(resolve_tracking_uri(root)).get_model_version("seqlab-ner", "2")
    assert version.run_id == run_id
    again = register_candidate(root, name="seqlab-ner", model_id=version.tags["model_id"], run_id=run_id)
    assert again == "2"


def test_only_a_candidate_with_no_lower_score_becomes_champion(root: Path, train: Train) -> None:
    train(span_f1=0.5, token_accuracy=0.9)
    assert promote(root, name="seqlab-ner") == Promotion("seqlab-ner", "1", "test/span_f1", 0.5)
    # Promoting the champion again changes nothing.
    assert promote(root, name="seqlab-ner").champion is None

    train(span_f1=0.4, token_accuracy=0.95)
    message = (
        r"models:/seqlab-ner@champion \(version 1\): version 2 has a lower test score than the champion\n"
        r"  expected: test/span_f1 of at least 0.5000\n  received: 0.4000\n  remedy: .*--force"
    )
    with pytest.raises(SeqlabError, match=message):
        promote(root, name="seqlab-ner")
    assert aliases(root) == {"candidate": "2", "champion": "1"}

    forced = promote(root, name="seqlab-ner", force=True)
    assert forced == Promotion("seqlab-ner", "2", "test/span_f1", 0.4, champion="1", champion_score=0.5)
    back = promote(root, name="seqlab-ner", alias="1")
    assert (back.version, back.champion) == ("1", "2")
    assert aliases(root) == {"candidate": "2", "champion": "1"}


def test_an_equal_candidate_becomes_champion(root: Path, train: Train) -> None:
    train(token_accuracy=0.9)
    promote(root, name="seqlab-ner")
    train(token_accuracy=0.9)
    assert promote(root, name="seqlab-ner").version == "2"


def test_scores_on_different_corpora_are_not_compared(root: Path, train: Train) -> None:
    train(span_f1=0.5)
    promote(root, name="seqlab-ner")
    train(digest="d2", span_f1=0.9)
    with pytest.raises(SeqlabError, match=r"tested on different corpora[\s\S]*digest d1[\s\S]*digest d2"):
        promote(root, name="seqlab-ner")
    assert promote(root, name="seqlab-ner", force=True).version == "2"


def test_a_version_without_a_score(root: Path, train: Train) -> None:
    train(loss=0.5)
    with pytest.raises(SeqlabError, match=r"has not been tested[\s\S]*test/span_f1 or test/token_accuracy"):
        promote(root, name="seqlab-ner")


@pytest.mark.parametrize("alias", ["candidate", "7"])
def test_a_missing_version(root: Path, alias: str) -> None:
    with pytest.raises(
        SeqlabError, match=rf"version of the model does not exist[\s\S]*{alias}[\s\S]*dvc repro"
    ):
        promote(root, name="seqlab-ner", alias=alias)


def test_an_export_is_found_by_each_kind_of_reference(root: Path, train: Train) -> None:
    run_id = train(span_f1=0.5)
    version = mlflow_client(resolve_tracking_uri(root)).get_model_version("seqlab-ner", "1")
    references = [
        "models:/seqlab-ner@candidate",
        "models:/seqlab-ner/1",
        f"models:/{version.tags['model_id']}",
        run_id,
    ]
    folders = {fetch_export(root, reference) for reference in references}
    assert len(folders) == 1
    (folder,) = folders
    assert sorted(path.name for path in folder.iterdir()) == ["config.json"]


def test_a_run_without_a_model(root: Path) -> None:
    with TrackedRun.start(root=root, experiment="seqlab-ner", run_name="a") as run:
        pass
    with pytest.raises(SeqlabError, match=r"this model does not exist[\s\S]*has no logged model"):
        fetch_export(root, run.run_id)


@pytest.mark.parametrize("reference", ["models:/seqlab-ner@champion", "models:/none/3", "0" * 32])
def test_a_missing_model(root: Path, reference: str) -> None:
    with pytest.raises(SeqlabError, match=rf"{reference}: this model does not exist[\s\S]*make ui"):
        fetch_export(root, reference)


def test_a_server_that_is_away_raises_without_credentials(
    root: Path, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://name:secret@127.0.0.1:{free_port}")
    calls: list[Callable[[], object]] = [
        lambda: promote(root, name="seqlab-ner"),
        lambda: fetch_export(root, "models:/seqlab-ner@champion"),
        lambda: register_candidate(root, name="seqlab-ner", model_id="m", run_id="r"),
    ]
    for call in calls:
        with pytest.raises(StoreAwayError, match="cannot be reached") as raised:
            call()
        assert "secret" not in "".join(traceback.format_exception(raised.value))
