from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from seqlab.batching.encoding import FeatureEncoder, write_encoded_split
from seqlab.batching.vocabulary import Vocabulary
from seqlab.cli import main
from seqlab.corpus.sentence import Sentence
from seqlab.evaluation.predictions import write_predictions

REPOSITORY = Path(__file__).parents[2]
GOLD = [(("Ann", "saw", "Oslo"), ("B-PER", "O", "B-LOC")), (("Bo", "left"), ("B-PER", "O"))]


def predict(path: Path, *predicted: str, gold=GOLD) -> None:
    write_predictions(path, [(*row, tags.split()) for row, tags in zip(gold, predicted, strict=True)])


def prepare(folder: Path, *, dev=GOLD) -> None:
    """Write a prepared dev split, and a train split in which only Ann occurs."""
    nothing = Vocabulary([])
    encoder = FeatureEncoder(nothing, nothing, nothing, lowercase=False, max_token_length=2)
    tags = Vocabulary(["O", "B-PER", "B-LOC"])
    (folder / "vocabulary").mkdir(parents=True)
    tags.write(folder / "vocabulary/tags.json")
    train = [Sentence(("Ann",), ("B-PER",))]
    dev = [Sentence(*row, file="dev.conll", line=line) for row, line in zip(dev, (1, 5), strict=True)]
    for name, sentences in (("train", train), ("dev", dev)):
        write_encoded_split(folder / name, sentences, encoder=encoder, tags=tags)


@pytest.fixture
def predictions(tmp_path, monkeypatch):
    """The predictions of a run, with an error in the first sentence of dev and in the second of test."""
    shutil.copy(REPOSITORY / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data/predictions/ner"
    predict(folder / "dev.conll", "B-PER O O", "B-PER O")
    predict(folder / "test.conll", "B-PER O B-LOC", "O O")
    return folder


def page_data(path: str = "errors.html"):
    page = Path(path).read_text(encoding="utf-8")
    return json.loads(page.partition('id="data">')[2].partition("</script>")[0])


def test_a_page_of_the_first_task(predictions, capsys):
    prepare(Path("data/prepared/ner"))
    assert main(["errors"]) == 0
    assert capsys.readouterr().out == "errors.html\n"
    data = page_data()
    dev, test = data["splits"]
    assert (data["title"], data["runs"]) == ("ner, data/predictions/ner", ["this run"])
    assert [sentence[4][0][1] != [] for sentence in dev["sentences"]] == [True, False]
    assert ([sentence[1] for sentence in dev["sentences"]], dev["files"]) == ([[0, 1], [0, 5]], ["dev.conll"])
    assert [dev["types"][id] for id in dev["unseen"]] == ["saw", "Oslo", "Bo", "left"]
    assert test["unseen"] is None, "test is not prepared"


def test_the_prepared_data_of_another_corpus_is_not_used(predictions):
    prepare(Path("data/prepared/ner"), dev=[GOLD[0], (("Cy", "left"), ("B-PER", "O"))])
    assert main(["errors", "ner", "--output", "pages/ner.html"]) == 0
    dev = page_data("pages/ner.html")["splits"][0]
    assert (dev["unseen"], dev["files"]) == (None, [])


def test_the_prepared_data_of_an_older_version_is_not_used(predictions):
    prepare(Path("data/prepared/ner"))
    Path("data/prepared/ner/dev/places.bin").unlink()
    assert main(["errors"]) == 0
    assert page_data()["splits"][0]["unseen"] is None


def test_another_run_beside_it(predictions, tmp_path):
    predict(tmp_path / "other/dev.conll", "O O O", "B-PER O")
    assert main(["errors", "--against", "other"]) == 0
    data = page_data()
    assert data["title"] == "ner, data/predictions/ner against other"
    assert data["runs"] == ["this run", "other run"]
    assert [split["name"] for split in data["splits"]] == ["dev"], "the other run has no test"
    assert [[len(errors) for _, errors in sentence[4]] for sentence in data["splits"][0]["sentences"]] == [
        [1, 2],
        [0, 0],
    ]


def test_another_run_by_what_compare_takes(predictions, tmp_path):
    predict(tmp_path / "clone/data/predictions/ner/dev.conll", "O O O", "B-PER O")
    assert main(["errors", "--against", "clone"]) == 0
    data = page_data()
    assert data["title"] == "ner, data/predictions/ner against clone"
    assert [split["name"] for split in data["splits"]] == ["dev"]


def test_two_files_of_any_name(predictions, tmp_path):
    predict(tmp_path / "crf.conll", "B-PER O B-LOC", "B-PER O")
    arguments = ["--predictions", "data/predictions/ner/dev.conll", "--against", "crf.conll"]
    assert main(["errors", *arguments]) == 0
    (split,) = page_data()["splits"]
    assert (split["name"], split["scores"]) == ("dev", [0.8, 1.0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["chunks"], "params.yaml: unknown task"),
        (["pos"], "data/predictions/pos: no predictions\n  expected: a .conll file, or a folder"),
        (["--against", "empty"], "empty: there are no predictions of ner\n"),
        (["--against", "nothing.conll"], "nothing.conll: no sentences\n"),
        (
            ["--predictions", "only", "--against", "data/predictions/ner/test.conll"],
            "data/predictions/ner/test.conll: the two runs have no split in common\n"
            "  expected: predictions for dev\n  received: predictions for test",
        ),
        (["--against", "no-such-run"], "no-such-run: there is no such result\n"),
        (["--against", "less"], "the two runs have different sentences of dev"),
    ],
)
def test_errors_say_what_to_do(arguments, message, predictions, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "nothing.conll").touch()
    predict(tmp_path / "only/dev.conll", "O O O", "O O")
    predict(tmp_path / "less/dev.conll", "O O O", gold=GOLD[:1])
    if arguments[-1] == "nothing.conll":
        arguments = ["--predictions", "only/dev.conll", *arguments]
    assert main(["errors", *arguments]) == 1
    assert capsys.readouterr().err.startswith(f"error: {message}")
    assert not Path("errors.html").exists()
