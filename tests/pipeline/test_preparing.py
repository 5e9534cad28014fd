from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from seqlab.batching.auxiliary import read_auxiliary
from seqlab.batching.encoding import FeatureEncoder, read_encoded_split
from seqlab.batching.vocabulary import Vocabulary
from seqlab.corpora.own_files import copy_files
from seqlab.errors import SeqlabError
from seqlab.params_file import parse_params
from seqlab.pipeline.preparing import preparation_settings, prepare_task
from seqlab.tags import transition_constraints

REPOSITORY = Path(__file__).parents[2]
TRAIN = """EU	PROPN	B-ORG
rejects	VERB	O
EU	PROPN	B-ORG
Dutch	ADJ	B-MISC
Bank	NOUN	I-MISC

rejects	VERB	O

"""


def task(**embedder):
    values = yaml.safe_load((REPOSITORY / "params.yaml").read_text(encoding="utf-8"))
    none = REPOSITORY / "data/vectors/none.txt"
    values["ner"]["embedder"] |= {"min_count": 1, "max_token_length": 4, "vectors": str(none)} | embedder
    return parse_params(values).task("ner")


@pytest.fixture
def raw(tmp_path):
    return make_raw(tmp_path, dev="Paris\tPROPN\tB-LOC\n\n", test="EU\tPROPN\tB-ORG\n\n")


def make_raw(tmp_path, *, train=TRAIN, dev, test, **options):
    own = tmp_path / "own"
    own.mkdir()
    for split, text in (("train", train), ("dev", dev), ("test", test)):
        (own / f"{split}.conll").write_text(text, encoding="utf-8")
    paths = {split: str(own / f"{split}.conll") for split in ("train", "dev", "test")}
    columns = ["token", "upos", "ner"]
    copy_files(
        tmp_path / "raw", **paths, columns=columns, **{"tag_scheme": "IOB2", "separator": "\t"} | options
    )
    return tmp_path / "raw"


def test_vocabularies_come_from_train_alone_and_tags_are_converted(tmp_path, raw):
    report = prepare_task(raw, tmp_path / "prepared", task=task())
    encoder = FeatureEncoder.read(tmp_path / "prepared" / "vocabulary")
    tags = Vocabulary.read(tmp_path / "prepared" / "vocabulary" / "tags.json")
    assert encoder.tokens.entries[2:] == ["eu", "rejects", "bank", "dutch"]
    assert "P" not in encoder.characters
    assert tags.entries[2:] == ["O", "S-ORG", "B-MISC", "E-MISC"]
    train = read_encoded_split(tmp_path / "prepared" / "train", tags=tags)
    assert next(train.sentences()) == (
        ["EU", "rejects", "EU", "Dutch", "Bank"],
        ["S-ORG", "O", "S-ORG", "B-MISC", "E-MISC"],
    )
    assert report["splits"]["dev"]["tags_unseen_in_train"] == {"S-LOC": 1}
    assert report["splits"]["dev"]["unseen_token_rate"] == 1.0
    assert report["vocabulary"] == {
        "tokens": 6,
        "characters": len(encoder.characters),
        "shapes": 5,
        "tags": 6,
    }
    assert json.loads((tmp_path / "prepared" / "corpus.json").read_text(encoding="utf-8")) == report


def with_auxiliary(columns):
    values = task()
    return values.model_copy(update={"auxiliary": values.auxiliary.model_copy(update={"columns": columns})})


@pytest.mark.parametrize(("columns", "expected"), [("all", ["upos"]), (["upos"], ["upos"]), ([], [])])
def test_other_columns_of_train_are_encoded_beside_the_tasks_own(tmp_path, raw, columns, expected):
    report = prepare_task(raw, tmp_path / "prepared", task=with_auxiliary(columns))
    assert report["auxiliary_columns"] == expected
    auxiliary = read_auxiliary(tmp_path / "prepared" / "train")
    assert [column.name for column in auxiliary] == expected
    for column in auxiliary:
        tags = [column.tags.entries[i] for i in column.tag_ids]
        assert tags == ["PROPN", "VERB", "PROPN", "<unk>", "<unk>", "VERB"], (
            "a tag that occurs once is not learned"
        )
    assert read_auxiliary(tmp_path / "prepared" / "dev") == []


@pytest.mark.parametrize(("columns", "expected"), [("all", []), (["upos"], ["upos"])])
def test_a_column_of_very_many_tags_is_learned_only_by_its_name(tmp_path, caplog, columns, expected):
    train = "".join(f"a\tX{i}\tO\n\n" * 2 for i in range(501))
    raw = make_raw(tmp_path, train=train, dev="a\tX\tO\n\n", test="a\tX\tO\n\n")
    caplog.set_level("INFO", logger="seqlab")
    report = prepare_task(raw, tmp_path / "prepared", task=with_auxiliary(columns))
    assert report["auxiliary_columns"] == expected
    left_out = {} if expected else {"upos": "it has 501 tags, more than 500"}
    assert report["auxiliary_columns_left_out"] == left_out
    assert ("auxiliary column upos is not learned together with ner" in caplog.text) is (not expected)


def test_a_column_of_distinct_values_is_left_out(tmp_path, caplog):
    train = "".join(f"a\tid-{i}\tO\n" for i in range(9)) + "\n"
    raw = make_raw(tmp_path, train=train, dev="a\tX\tO\n\n", test="a\tX\tO\n\n")
    report = prepare_task(raw, tmp_path / "prepared", task=with_auxiliary("all"))
    assert report["auxiliary_columns"] == []
    assert report["auxiliary_columns_left_out"] == {"upos": "no tag occurs 2 times or more"}
    assert (
        "auxiliary column upos is not learned together with ner: no tag occurs 2 times or more" in caplog.text
    )
    assert read_auxiliary(tmp_path / "prepared" / "train") == []


def test_the_tag_o_is_known_even_if_train_does_not_have_it(tmp_path):
    text = "New\tX\tB-LOC\nYork\tX\tI-LOC\n\n"
    raw = make_raw(tmp_path, train=text, dev=text, test=text)
    prepare_task(raw, tmp_path / "prepared", task=task())
    tags = Vocabulary.read(tmp_path / "prepared" / "vocabulary" / "tags.json")
    assert tags.entries[2:] == ["B-LOC", "E-LOC", "O"]
    constraints = transition_constraints(tags.entries, scheme="BIOES")
    assert any(a and b for a, b in zip(constraints.start, constraints.end, strict=True)), (
        "one token has a tag"
    )


def test_an_auxiliary_column_may_hold_invalid_spans(tmp_path):
    train = "a\tX\tI-PER\nb\tX\tI-PER\n\n" * 2
    raw = make_raw(tmp_path, train=train, dev="a\tX\tO\n\n", test="a\tX\tO\n\n")
    values = with_auxiliary(["ner"]).model_copy(update={"column": "upos", "tag_scheme": None})
    prepare_task(raw, tmp_path / "prepared", task=values)
    (column,) = read_auxiliary(tmp_path / "prepared" / "train")
    assert column.tags.entries[2:] == ["I-PER"]


def test_an_auxiliary_column_that_the_corpus_lacks_is_named(tmp_path, raw):
    with pytest.raises(SeqlabError, match=r"auxiliary.columns[\s\S]*no such tag column[\s\S]*'xpos'"):
        prepare_task(raw, tmp_path / "prepared", task=with_auxiliary(["xpos"]))
    assert not (tmp_path / "prepared").exists()


def test_a_tag_that_train_does_not_have_is_kept_for_scoring(tmp_path, raw):
    prepare_task(raw, tmp_path / "prepared", task=task())
    tags = Vocabulary.read(tmp_path / "prepared" / "vocabulary" / "tags.json")
    dev = read_encoded_split(tmp_path / "prepared" / "dev", tags=tags)
    assert list(dev.sentences()) == [(["Paris"], ["S-LOC"])]


def test_rare_tokens_are_unknown(tmp_path, raw):
    prepare_task(raw, tmp_path / "prepared", task=task(min_count=2))
    encoder = FeatureEncoder.read(tmp_path / "prepared" / "vocabulary")
    assert encoder.tokens.entries[2:] == ["eu", "rejects"]


def test_vectors_of_forms_that_train_lacks_are_kept_apart(tmp_path, raw):
    (tmp_path / "vectors.txt").write_text("Oslo 5 6\nEU 1 2\nparis 3 4\n", encoding="utf-8")
    options = {"vectors": str(tmp_path / "vectors.txt"), "token_embedding_dim": 2}
    report = prepare_task(raw, tmp_path / "prepared", task=task(**options))
    encoder = FeatureEncoder.read(tmp_path / "prepared" / "vocabulary")
    table, frozen = (np.load(tmp_path / "prepared" / f"{name}.npy") for name in ("vectors", "frozen_vectors"))
    assert encoder.tokens.entries[2:] == ["eu", "rejects", "bank", "dutch", "oslo", "paris"]
    assert table.shape == (6, 2)
    np.testing.assert_array_equal(table[encoder.tokens.id("eu")], [1, 2])
    assert np.isnan(table[encoder.tokens.id("bank")]).all()
    np.testing.assert_array_equal(frozen, [[5, 6], [3, 4]])
    assert report["vectors"] == {
        "file": "vectors.txt",
        "read": 3,
        "dimension": 2,
        "forms": 3,
        "forms_of_train": 1,
        "forms_frozen": 2,
    }


def test_vectors_of_another_dimension_are_refused(tmp_path, raw):
    (tmp_path / "vectors.txt").write_text("EU 1 2\n", encoding="utf-8")
    with pytest.raises(SeqlabError, match=r"embedding_dim: [\s\S]*expected: 2, as in .*\n  received: 128"):
        prepare_task(raw, tmp_path / "prepared", task=task(vectors=str(tmp_path / "vectors.txt")))
    assert not (tmp_path / "prepared").exists()


def test_bad_input_stops_before_anything_is_overwritten(tmp_path, raw):
    prepare_task(raw, tmp_path / "prepared", task=task())
    before = sorted((path.name, path.stat().st_mtime_ns) for path in (tmp_path / "prepared").rglob("*"))
    (tmp_path / "other").mkdir()
    broken = make_raw(tmp_path / "other", dev="a\tX\tI-PER\n\n", test="a\tX\tO\n\n")
    with pytest.raises(SeqlabError, match=r"dev.conll:1:5: invalid transition"):
        prepare_task(broken, tmp_path / "prepared", task=task())
    assert (
        sorted((path.name, path.stat().st_mtime_ns) for path in (tmp_path / "prepared").rglob("*")) == before
    )
    assert {path.name for path in tmp_path.iterdir()} == {"own", "other", "prepared", "raw"}


def test_files_may_be_in_bilou(tmp_path):
    train = "Marie\tX\tB-PER\nCurie\tX\tL-PER\nsaw\tX\tO\nParis\tX\tU-LOC\n\n"
    raw = make_raw(tmp_path, train=train, dev="a\tX\tO\n\n", test="a\tX\tO\n\n", tag_scheme="BILOU")
    prepare_task(raw, tmp_path / "prepared", task=task())
    tags = Vocabulary.read(tmp_path / "prepared" / "vocabulary" / "tags.json")
    split = read_encoded_split(tmp_path / "prepared" / "train", tags=tags)
    assert next(split.sentences())[1] == ["B-PER", "E-PER", "O", "S-LOC"]


def test_repairs_are_counted(tmp_path):
    raw = make_raw(tmp_path, dev="a\tX\tI-PER\nb\tX\tI-PER\n\n", test="a\tX\tO\n\n", tag_repair=True)
    report = prepare_task(raw, tmp_path / "prepared", task=task())
    assert report["tags_repaired"] == {"dev": 1}


def test_a_wrong_separator_is_reported_as_such(tmp_path):
    raw = make_raw(tmp_path, dev="a\tX\tO\n\n", test="a\tX\tO\n\n", separator=" ")
    with pytest.raises(SeqlabError, match=r"train.conll:1[\s\S]*expected: 3"):
        prepare_task(raw, tmp_path / "prepared", task=task())


def test_a_column_without_spans_is_refused_for_a_span_task(tmp_path, raw):
    values = task().model_copy(update={"column": "upos"})
    with pytest.raises(
        SeqlabError,
        match=r"column 'upos' .* does not contain spans\n.*\n  received: BIOES; columns of spans: ner",
    ):
        prepare_task(raw, tmp_path / "prepared", task=values)


def test_an_incomplete_column_of_conllu_is_left_out(tmp_path, caplog):
    """XPOS is missing in many treebanks, in all words or in some."""
    rows = [("EU", "PROPN", "NNP"), ("rejects", "VERB", "VBZ"), ("it", "PRON", "_")]
    lines = (f"{i}\t{form}\t_\t{upos}\t{xpos}" + "\t_" * 5 for i, (form, upos, xpos) in enumerate(rows, 1))
    path = tmp_path / "en.conllu"
    path.write_text("\n".join(lines) + "\n\n", encoding="utf-8")
    dev = tmp_path / "dev.conllu"
    dev.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    names = {"train": str(path), "dev": str(dev), "test": str(dev)}
    copy_files(tmp_path / "raw", **names, columns=["token", "upos"])
    values = yaml.safe_load((REPOSITORY / "params.yaml").read_text(encoding="utf-8"))
    values["pos"]["embedder"]["vectors"] = str(REPOSITORY / "data/vectors/none.txt")
    caplog.set_level("WARNING", logger="seqlab")
    report = prepare_task(tmp_path / "raw", tmp_path / "prepared", task=parse_params(values).task("pos"))
    reason = f"a token has no tag ({path}, line 3)"
    assert report["auxiliary_columns_left_out"] == {"xpos": reason}
    assert f"auxiliary column xpos is not learned together with upos: {reason}" in caplog.text


class Noted:
    """Parameters that note which of them are read."""

    def __init__(self, params, read, prefix=""):
        self._params, self._read, self._prefix = params, read, prefix

    def __getattr__(self, name):
        value, place = getattr(self._params, name), f"{self._prefix}{name}"
        if hasattr(value, "model_fields_set"):
            return Noted(value, self._read, f"{place}.")
        self._read.add(place)
        return value


def test_prepared_data_depends_on_the_preparation_settings_alone(raw, tmp_path):
    read = set()
    prepare_task(raw, tmp_path / "prepared", task=Noted(task(), read))
    named = set(dotted_names(preparation_settings(task())))
    if_there_is_an_encoder = {f"embedder.pretrained.{name}" for name in ("digest", "layers", "trained")}
    assert read == named - if_there_is_an_encoder


def dotted_names(settings, prefix=""):
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from dotted_names(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"
