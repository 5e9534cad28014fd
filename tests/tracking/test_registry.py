from __future__ import annotations

import logging
import shutil
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from seqlab.errors import SeqlabError
from seqlab.tracking.client import mlflow_client
from seqlab.tracking.past_runs import find_experiment_runs, find_model_run
from seqlab.tracking.registry import fetch_export, promote, register_candidate
from seqlab.tracking.run import TrackedRun
from seqlab.tracking.scored_version import score_tags
from seqlab.tracking.store import StoreAwayError, resolve_tracking_uri

Train = Callable[..., str]


@pytest.fixture
def train(root: Path, model_folder: Path, tmp_path: Path) -> Train:
    """Creates a run with these dev scores, registers its model, and returns the run's id.

    `tags` are the version's. Without them its scores are those of the run, as in earlier versions.
    """
    copies = iter(range(10))

    def make(digest: str = "d1", *, tags: dict[str, str] | None = None, **scores: float) -> str:
        facts = {"corpus": "sample", "corpus.digest": digest, "git.commit": "c" * 40, "git.branch": "main"}
        folder = shutil.copytree(model_folder, tmp_path / f"copy{next(copies)}")
        with TrackedRun.start(root=root, experiment="seqlab-ner", run_name="a", tags=facts) as run:
            run.log_metrics({"best_dev": scores, "test": {name: 1 - value for name, value in scores.items()}})
            model_id = run.log_model_folder(folder, name="ner", tags={}, metrics=[])
            assert model_id is not None
            register_candidate(root, name="seqlab-ner", model_id=model_id, run_id=run.run_id, tags=tags)
        return run.run_id

    return make


def scores(dev: float, low: float, high: float, test: float = 0.5) -> dict[str, str]:
    return score_tags(
        {"dev": {"span_f1": dev, "span_f1_interval": [low, high], "tokens": 9}, "test": {"span_f1": test}}
    )


def aliases(root: Path) -> dict[str, str]:
    found = mlflow_client(resolve_tracking_uri(root)).get_registered_model("seqlab-ner").aliases
    return {alias: str(version) for alias, version in found.items()}


def test_the_best_version_on_dev_is_the_candidate(
    root: Path, train: Train, caplog: pytest.LogCaptureFixture
) -> None:
    train(span_f1=0.5)
    assert aliases(root) == {"candidate": "1"}
    with caplog.at_level(logging.INFO, "seqlab"):
        train(span_f1=0.4)
    assert aliases(root) == {"candidate": "1"}
    assert "version 1 (span F1 0.5000 on dev, 0.5000 on test) stays the candidate; version 2" in caplog.text
    run_id = train(span_f1=0.5)
    assert aliases(root) == {"candidate": "3"}
    # Scores on another corpus cannot be compared, so the newest version is the candidate.
    train("d2", span_f1=0.1)
    assert aliases(root) == {"candidate": "4"}
    version = mlflow_client(resolve_tracking_uri(root)).get_model_version("seqlab-ner", "3")
    assert version.run_id == run_id
    again = register_candidate(root, name="seqlab-ner", model_id=version.tags["model_id"], run_id=run_id)
    assert again == "3"


def test_a_version_has_scores_corpus_and_commit(root: Path, train: Train) -> None:
    train(tags={**scores(0.9, 0.85, 0.95, test=0.8), "corpus.synthetic": "true"}, span_f1=0.9)
    version = mlflow_client(resolve_tracking_uri(root)).get_model_version("seqlab-ner", "1")
    assert {key: value for key, value in version.tags.items() if key != "model_id"} == {
        "best_dev/span_f1": "0.9",
        "best_dev/span_f1_interval": "[0.85, 0.95]",
        "test/span_f1": "0.8",
        "corpus": "sample",
        "corpus.digest": "d1",
        "corpus.synthetic": "true",
        "git.commit": "c" * 40,
        "git.branch": "main",
    }
    assert version.description.split("\n\n") == [
        "span F1: 0.9000 [0.8500, 0.9500] on dev, 0.8000 on test",
        "corpus: sample (synthetic), digest d1",
        "commit: cccccccccccc (main)",
    ]


def test_a_registered_model_has_a_description_unless_it_has_another(root: Path, train: Train) -> None:
    client = mlflow_client(resolve_tracking_uri(root))
    train(span_f1=0.5)
    assert "models:/seqlab-ner@champion" in client.get_registered_model("seqlab-ner").description
    client.update_registered_model("seqlab-ner", "")
    train(span_f1=0.5)
    assert "models:/seqlab-ner/VERSION" in client.get_registered_model("seqlab-ner").description
    client.update_registered_model("seqlab-ner", "ours")
    train(span_f1=0.5)
    assert client.get_registered_model("seqlab-ner").description == "ours"


def test_a_run_is_found_by_experiment_version_alias_and_model(root: Path, train: Train) -> None:
    run_id = train(span_f1=0.5)
    model_id = mlflow_client(resolve_tracking_uri(root)).get_model_version("seqlab-ner", "1").tags["model_id"]
    for reference in ("models:/seqlab-ner/1", "models:/seqlab-ner@candidate", f"models:/{model_id}"):
        found = find_model_run(root, reference)
        assert found is not None
        assert found.run_id == run_id
    assert find_model_run(root, "models:/seqlab-ner/9") is None
    tags = {"dvc.exp_name": "it-1"}
    runs = [TrackedRun.start(root=root, experiment="e", run_name="n", tags=tags) for _ in range(2)]
    for run in runs:
        run.finish()
    assert [found.run_id for found in find_experiment_runs(root, "it-1")] == [runs[1].run_id, runs[0].run_id]
    assert find_experiment_runs(root, "it-2") == find_experiment_runs(root, "it's") == []


def test_only_a_version_with_no_lower_dev_score_becomes_champion(root: Path, train: Train) -> None:
    train(span_f1=0.5, token_accuracy=0.9)
    first = promote(root, name="seqlab-ner")
    assert (first.version.version, first.score, first.previous, first.notes) == ("1", "span_f1", None, ())
    # Promoting the champion again changes nothing.
    assert promote(root, name="seqlab-ner").previous is None

    train(span_f1=0.4, token_accuracy=0.95)
    message = (
        r"models:/seqlab-ner@champion \(version 1\): version 2 has a lower dev score than the champion\n"
        r"  expected: span F1 on dev of at least 0.5000\n  received: 0.4000\n  remedy: .*--force"
    )
    with pytest.raises(SeqlabError, match=message):
        promote(root, name="seqlab-ner", alias="2")
    assert aliases(root) == {"candidate": "1", "champion": "1"}

    forced = promote(root, name="seqlab-ner", alias="2", force=True)
    assert forced.version.describe("span_f1") == "version 2 (span F1 0.4000 on dev, 0.6000 on test)"
    assert forced.previous is not None
    assert forced.previous.describe("span_f1") == "version 1 (span F1 0.5000 on dev, 0.5000 on test)"
    back = promote(root, name="seqlab-ner", alias="1")
    assert (back.version.version, back.previous.version) == ("1", "2")
    assert aliases(root) == {"candidate": "1", "champion": "1"}


def test_test_chooses_nothing(root: Path, train: Train) -> None:
    train(tags=scores(0.5, 0.5, 0.5, test=0.9))
    promote(root, name="seqlab-ner")
    train(tags=scores(0.6, 0.6, 0.6, test=0.1))
    done = promote(root, name="seqlab-ner")
    assert (done.version.version, done.notes) == ("2", ())


def test_an_equal_version_becomes_champion(root: Path, train: Train) -> None:
    train(token_accuracy=0.9)
    promote(root, name="seqlab-ner")
    train(token_accuracy=0.9)
    assert promote(root, name="seqlab-ner").version.version == "2"


def test_a_difference_within_noise_is_reported(root: Path, train: Train) -> None:
    train(tags=scores(0.50, 0.45, 0.55))
    promote(root, name="seqlab-ner")
    train(tags=scores(0.52, 0.47, 0.57))
    noise = (
        "the difference on dev (+0.0200) is within noise: 0.5200 lies in the 95 % interval of version 1, "
        "[0.4500, 0.5500]"
    )
    assert promote(root, name="seqlab-ner").notes == (noise,)
    with pytest.raises(SeqlabError, match=r"0.5000; the difference on dev \(-0.0200\) is within noise"):
        promote(root, name="seqlab-ner", alias="1")


def test_the_best_version_of_the_newest_corpus_is_found(root: Path, train: Train) -> None:
    for digest, dev in (("d1", 0.9), ("d2", 0.5), ("d2", 0.7), ("d2", 0.6)):
        train(digest, tags=scores(dev, dev, dev), span_f1=dev)
    client = mlflow_client(resolve_tracking_uri(root))
    client.set_registered_model_alias("seqlab-ner", "candidate", "4")
    done = promote(root, name="seqlab-ner", best=True)
    assert done.version.version == "3"
    assert done.notes == ("it is the best of 3 versions on corpus sample, digest d2 on dev",)
    assert aliases(root) == {"candidate": "3", "champion": "3"}


def test_a_better_run_that_was_not_exported_is_named(root: Path, train: Train) -> None:
    train(tags=scores(0.5, 0.5, 0.5), span_f1=0.5)
    for digest, dev in (("d1", 0.625), ("d2", 0.9), ("d1", 0.4)):
        tags = {"corpus.digest": digest}
        with TrackedRun.start(root=root, experiment="seqlab-ner", run_name=f"dev{dev}", tags=tags) as run:
            run.log_metrics({"best_dev/span_f1": dev})
    _, note = promote(root, name="seqlab-ner", best=True).notes
    assert note.startswith("run dev0.625 (")
    assert note.endswith("has a higher score on dev (0.6250), but its model was not exported")


def test_scores_on_different_corpora_are_not_compared(root: Path, train: Train) -> None:
    train(span_f1=0.5)
    promote(root, name="seqlab-ner")
    train(digest="d2", span_f1=0.9)
    with pytest.raises(SeqlabError, match=r"scored on different corpora[\s\S]*digest d1[\s\S]*digest d2"):
        promote(root, name="seqlab-ner")
    assert promote(root, name="seqlab-ner", force=True).version.version == "2"


@pytest.mark.parametrize("best", [False, True])
def test_a_version_without_a_score(root: Path, train: Train, best: bool) -> None:
    train(loss=0.5)
    with pytest.raises(
        SeqlabError, match=r"no score on dev[\s\S]*best_dev/span_f1 or best_dev/token_accuracy"
    ):
        promote(root, name="seqlab-ner", best=best)


def test_no_version_at_all(root: Path) -> None:
    with pytest.raises(SeqlabError, match=r"does not exist[\s\S]*seqlab-ner has no versions[\s\S]*dvc repro"):
        promote(root, name="seqlab-ner", best=True)


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
