from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "serving"))

from tiny_taggers import TOKENS, tiny_export

import seqlab
from seqlab.cli import main
from seqlab.evaluation.predictions import TaggedSentence, spell_as_iob2, write_predictions
from seqlab.evaluation.report import report_scores
from seqlab.tags import convert_tags

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def in_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the tiny exports as models and files of gold tags."""
    monkeypatch.setenv("COLUMNS", "200")
    for kind in ("ner", "pos"):
        (tmp_path / "models" / kind).mkdir(parents=True)
        (tmp_path / "models" / kind / "export").symlink_to(tiny_export(kind))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def gold_and_predicted(*, change: int = 4) -> list[TaggedSentence]:
    """The tiny tagger's own tags, and as gold the same without every fourth span."""
    rows = []
    for tokens, tagged in zip(TOKENS, seqlab.load(tiny_export("ner")).tag(TOKENS), strict=True):
        gold = list(tagged.tags)
        for number, span in enumerate(tagged.spans or []):
            if number % change == 0:
                gold[span.start_token : span.end_token] = ["O"] * (span.end_token - span.start_token)
        rows.append(TaggedSentence(tokens, gold, tagged.tags))
    return rows


def evaluate(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict:
    assert main(["evaluate", "--format", "json", *arguments]) == 0
    return json.loads(capsys.readouterr().out)


def test_gold_columns_and_predictions_give_the_numbers_of_the_stage(in_repository, capsys) -> None:
    rows = gold_and_predicted()
    expected = report_scores(list(spell_as_iob2(rows)), spans=True, seed=0)
    assert 0 < expected["span_f1"] < 1
    write_predictions(Path("predictions.conll"), rows)
    assert evaluate(capsys, "--predictions", "predictions.conll") == expected
    bioes = [(tokens, convert_tags(gold, source="IOB2", target="BIOES")) for tokens, gold, _ in rows]
    seqlab.write_conll("a.conll", bioes[:2])
    seqlab.write_conll("b.conll", bioes[2:])
    files = ("a.conll", "b.conll", "--tag-scheme", "BIOES")
    assert evaluate(capsys, *files) == expected
    assert evaluate(capsys, *files, "--model", "models/ner") == expected


def test_the_layout_and_the_seed_are_those_of_the_parameters(in_repository, capsys) -> None:
    shutil.copy(REPOSITORY / "params.yaml", ".")
    rows = gold_and_predicted()
    lines = ["".join(f"{t}\tX\tY\t{tag}\n" for t, tag in zip(*row[:2], strict=True)) for row in rows]
    Path("gold.conll").write_text("\n".join(lines), encoding="utf-8")
    expected = report_scores(list(spell_as_iob2(rows)), spans=True, seed=seqlab.load_params().seed)
    assert evaluate(capsys, "gold.conll") == expected


def test_tags_without_spans_and_other_columns(in_repository, capsys) -> None:
    tagged = seqlab.load("models/pos").tag(TOKENS)
    text = "\n".join("".join(f"{t.text} x {t.tag}\n" for t in row.tokens) for row in tagged)
    Path("gold.txt").write_text(text, encoding="utf-8")
    layout = ("--columns", "token,_,upos", "--separator", "space", "--column", "upos")
    scores = evaluate(capsys, "--task", "pos", "gold.txt", *layout)
    assert scores["token_accuracy"] == 1.0
    assert "span_f1" not in scores
    both = "\n".join("".join(f"{t.text}\t1\t{t.tag}\tNOUN\n" for t in row.tokens) for row in tagged)
    Path("both.txt").write_text(both, encoding="utf-8")
    scores = evaluate(capsys, "--predictions", "both.txt", "--columns", "token,_,gold,predicted")
    assert set(scores["per_tag"]) == {tag for row in tagged for tag in row.tags} | {"NOUN"}


def test_the_table(in_repository, capsys) -> None:
    write_predictions(Path("predictions.conll"), gold_and_predicted())
    assert main(["evaluate", "--predictions", "predictions.conll"]) == 0
    out = capsys.readouterr().out
    assert f"6 sentences, {sum(map(len, TOKENS))} tokens" in out
    Path("one.conll").write_text("one\tO\tO\n", encoding="utf-8")
    assert main(["evaluate", "--predictions", "one.conll"]) == 0
    assert "1 sentence, 1 token\n" in capsys.readouterr().out
    for name in ("span f1", "token accuracy", "95 % interval", "LOC", "PER"):
        assert name in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("missing.conll",), "missing.conll"),
        (("--predictions", "p.conll", "--task", "ner"), "without a tagger"),
        (("--predictions", "bad.conll"), "bad.conll:1: wrong number of columns"),
        (("bad.conll", "--columns", "token,tag"), "the corpus has no such tag column"),
        (("iob1.conll",), "this sentence is valid in IOB1"),
    ],
)
def test_errors(in_repository, capsys, arguments: tuple[str, ...], message: str) -> None:
    Path("bad.conll").write_text("one O\n", encoding="utf-8")
    Path("iob1.conll").write_text("one\tI-PER\n", encoding="utf-8")
    assert main(["evaluate", *arguments]) == 1
    assert message in capsys.readouterr().err
