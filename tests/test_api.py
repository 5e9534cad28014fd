"""The Python door: `import seqlab`."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "serving"))

from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_taggers import SENTENCES, TOKENS, tiny_export

import seqlab
from seqlab.errors import SeqlabError
from seqlab.evaluation.predictions import TaggedSentence, spell_as_iob2
from seqlab.evaluation.report import report_scores

SOURCE = Path(seqlab.__file__).parent


@pytest.fixture(scope="module")
def ner() -> seqlab.Tagger:
    return seqlab.load(tiny_export("ner"))


def test_importing_the_package_imports_nothing_else() -> None:
    code = "import sys; before = set(sys.modules); import seqlab; print(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"numpy", "tensorflow", "keras", "mlflow", "pydantic", "yaml"}
    assert "seqlab" in done.stdout.split()
    assert not heavy & set(done.stdout.split())


def test_loading_and_tagging_import_no_tensorflow() -> None:
    code = "import sys, seqlab; seqlab.load(sys.argv[1]).tag('one'); print(*sys.modules)"
    command = [sys.executable, "-c", code, str(tiny_export("ner"))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not {"tensorflow", "keras", "mlflow", "onnx"} & set(done.stdout.split())


def test_every_public_name_is_there_and_typed() -> None:
    assert set(seqlab.__all__) <= set(dir(seqlab))
    assert all(getattr(seqlab, name) is not None for name in seqlab.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        seqlab.nothing  # noqa: B018
    assert (SOURCE / "py.typed").is_file()
    tree = ast.parse((SOURCE / "__init__.py").read_text("utf-8"))
    (typed,) = (node for node in tree.body if isinstance(node, ast.If))
    declared = {alias.name for node in ast.walk(typed) for alias in getattr(node, "names", [])}
    assert declared | {"__version__"} == set(seqlab.__all__)


def test_text_has_tokens_tags_and_spans_with_offsets(ner: seqlab.Tagger) -> None:
    text = "Dr. Smith's in Zürich."
    tagged = ner.tag(text)
    assert isinstance(tagged, seqlab.TaggedText)
    assert [token.text for token in tagged.tokens] == ["Dr.", "Smith", "'s", "in", "Zürich", "."]
    assert all(text[token.start : token.end] == token.text for token in tagged.tokens)
    assert tagged.spans
    assert all(text[span.start : span.end] == span.text for span in tagged.spans)
    assert {tag[0] for tag in tagged.tags} <= set("BIO")
    assert "ner, trained on tiny" in repr(ner)


def test_texts_and_tokens(ner: seqlab.Tagger) -> None:
    texts = ner.tag(SENTENCES)
    assert texts == ner.tag(iter(SENTENCES)) == ner.tag(TOKENS)
    assert ner.tag([]) == []
    assert ner.tag([[]])[0].tokens == []


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("bell \x07", r"text 1:6: a control character"),
        (["a", "half \ud800"], r"text 2:6: the text is not Unicode[\s\S]*U\+D800"),
        ([["a"], ["b", ""]], r"sentence 2, token 2: this is not a valid token"),
        (["a", ["b"]], r"these are not sentences[\s\S]*received: list, str"),
        ([1], r"these are not sentences[\s\S]*received: int"),
    ],
)
def test_what_is_no_text_raises(ner: seqlab.Tagger, texts: object, message: str) -> None:
    with pytest.raises(SeqlabError, match=message):
        ner.tag(texts)


def test_a_model_of_the_registry_or_a_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from seqlab.tracking import registry

    monkeypatch.chdir(tmp_path)
    (tmp_path / "models" / "pos").mkdir(parents=True)
    (tmp_path / "models" / "pos" / "export").symlink_to(tiny_export("pos"))
    asked = []
    monkeypatch.setattr(registry, "fetch_export", lambda _, name: asked.append(name) or tiny_export("pos"))
    for model in ("models/pos", "models/pos/export", "models:/seqlab-pos@champion", "0123abcd", None):
        tagger = seqlab.load(model, task="pos")
        assert (tagger.task, tagger.spans) == ("pos", False)
    assert asked == ["models:/seqlab-pos@champion", "0123abcd"]
    assert seqlab.load().task == "pos", "the only one"
    with pytest.raises(SeqlabError, match="models/ner/export: there is no exported model"):
        seqlab.load(task="ner")


def test_a_corpus_is_read_checked_and_written(tmp_path: Path) -> None:
    (tmp_path / "a.conll").write_text("Ann NNP B-PER\nsaw VBD O\n\nIt PRP O\n", encoding="utf-8")
    layout = {"columns": ["token", "xpos", "ner"], "separator": "space"}
    sentences = seqlab.read_corpus(tmp_path / "a.conll", **layout, tag_scheme="IOB2")
    assert [(s.tokens, s.tags, s.line) for s in sentences] == [
        (("Ann", "saw"), ("B-PER", "O"), 1),
        (("It",), ("O",), 4),
    ]
    assert seqlab.read_corpus(tmp_path / "a.conll", **layout, column="xpos")[1].tags == ("PRP",)
    seqlab.write_conll(tmp_path / "b.conll", sentences)
    assert seqlab.read_corpus(tmp_path / "b.conll")[0].tokens == ("Ann", "saw")
    (report,) = seqlab.check(tmp_path / "a.conll", **layout, tag_schemes={"ner": "BIOES"})
    assert report.errors.listed[0].what.startswith("invalid transition in column ner")
    with pytest.raises(SeqlabError, match=r"no such tag column[\s\S]*one of xpos, ner"):
        seqlab.read_corpus(tmp_path / "a.conll", **layout, column="pos")
    (tmp_path / "c.conllu").write_text("1\tIt\tit\tPRON\tPRP\t_\t_\t_\t_\t_\n\n", encoding="utf-8")
    assert seqlab.read_corpus(tmp_path / "c.conllu")[0].tags == ("PRON",)


def test_what_was_tagged_is_written(ner: seqlab.Tagger, tmp_path: Path) -> None:
    tagged = ner.tag([*SENTENCES, ""])
    seqlab.write_conll(tmp_path / "deep" / "a.conll", tagged)
    read = seqlab.read_corpus(tmp_path / "deep" / "a.conll", tag_scheme="IOB2")
    assert [list(sentence.tags) for sentence in read] == [text.tags for text in tagged[:-1]]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.text(min_size=0, max_size=4), min_size=1, max_size=3), min_size=1, max_size=3))
def test_what_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]
) -> None:
    path = tmp_path_factory.mktemp("written") / "a.conll"
    try:
        seqlab.write_conll(path, [(row, ["O"] * len(row)) for row in rows])
    except SeqlabError:
        received = None if path.exists() else rows
    else:
        received = [list(s.tokens) for s in seqlab.read_corpus(path, comment_prefix=None)]
    assert received == rows


def test_sentences_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(SeqlabError, match=r"sentence 1: this is not a tagged sentence[\s\S]*1 tokens and 2"):
        seqlab.write_conll(tmp_path / "a", [(["a"], ["O", "O"])])
    with pytest.raises(SeqlabError, match=r"sentence 1, token 2: this cannot be written as columns"):
        seqlab.write_conll(tmp_path / "a", [(["a", "-DOCSTART-"], ["O", "O"])])


GOLD = [["B-PER", "I-PER", "O"], ["I-LOC"], ["O", "O"]]
PREDICTED = [["B-PER", "E-PER", "O"], ["O"], ["O", "S-LOC"]]


def test_scores_are_those_of_the_evaluate_stage() -> None:
    scores = seqlab.score(GOLD, PREDICTED, seed=3)
    pairs = zip(GOLD, PREDICTED, strict=True)
    rows = [TaggedSentence(["x"] * len(gold), gold, other) for gold, other in pairs]
    expected = report_scores(list(spell_as_iob2(rows)), spans=True, seed=3)
    assert {**scores, "most_confused": 0} == {**expected, "most_confused": 0}
    assert (scores["span_f1"], scores["tokens"]) == (0.5, 6)
    json.dumps(scores)


def test_scores_of_tags_without_spans(ner: seqlab.Tagger) -> None:
    scores = seqlab.score([["NOUN", "O"]], [["NOUN", "VERB"]])
    assert scores["token_accuracy"] == 0.5
    assert "span_f1" not in scores
    assert "span_f1" not in seqlab.score([["O"]], [["O"]], spans=False)
    tagged = ner.tag(SENTENCES)
    assert seqlab.score(tagged, tagged)["span_f1"] == 1.0
    gold = [seqlab.Sentence(tuple(tokens), ("O",) * len(tokens)) for tokens in TOKENS]
    assert ">>Marie<<" in json.dumps(seqlab.score(gold, tagged)["most_confused"])


@pytest.mark.parametrize(
    ("gold", "predicted", "message"),
    [
        ([], [], "no sentences to score"),
        ([["O"]], [], r"gold and predicted: the numbers of sentences differ[\s\S]*1, as in gold"),
        ([["O"]], [["O", "O"]], r"sentence 1: the numbers of tags differ[\s\S]*received: 2"),
    ],
)
def test_what_cannot_be_compared_raises(gold: list, predicted: list, message: str) -> None:
    with pytest.raises(SeqlabError, match=message):
        seqlab.score(gold, predicted)


def test_the_only_exported_task_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from seqlab.api import find_export

    monkeypatch.chdir(tmp_path)
    assert find_export(None) == Path("models/ner/export")
    (tmp_path / "models" / "chunk" / "export").mkdir(parents=True)
    assert find_export(None) == Path("models/chunk/export")
    (tmp_path / "models" / "pos" / "export").mkdir(parents=True)
    assert find_export(None) == Path("models/ner/export")
    assert find_export(None, task="pos") == Path("models/pos/export")
