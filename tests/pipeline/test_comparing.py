from __future__ import annotations

import pytest

from seqlab.errors import SeqlabError
from seqlab.evaluation.predictions import TaggedSentence
from seqlab.pipeline.comparing import compare_results
from seqlab.pipeline.report_blocks import Example, Heading, Paragraph, Table
from seqlab.pipeline.stored_results import StoredResult

TOKENS, GOLD = ("Ada", "Lovelace", "met", "Bonn"), ("B-PER", "I-PER", "O", "B-LOC")
RIGHT = TaggedSentence(TOKENS, GOLD, GOLD)
WRONG = TaggedSentence(TOKENS, GOLD, ("B-LOC", "I-LOC", "O", "B-LOC"))
SETTINGS = {"seed": "13", "head.type": "crf", "encoder.type": "bilstm"}


def result(name: str, right: int, wrong: int, digest: str = "d1", **settings: str) -> StoredResult:
    sentences = [RIGHT] * right + [WRONG] * wrong
    return StoredResult(
        name,
        "folder",
        {"test": sentences},
        settings=SETTINGS | {key.replace("_", "."): value for key, value in settings.items()},
        corpus_digest=digest,
        costs={"duration_s": 10.0 * right},
    )


def table_with(blocks, column: str) -> Table:
    return next(block for block in blocks if isinstance(block, Table) and column in block.header)


def texts(blocks) -> str:
    return "\n".join(block.text for block in blocks if isinstance(block, (Heading, Paragraph)))


def test_the_report_of_two_results():
    blocks = compare_results(
        [result("a", 10, 30), result("b", 30, 10, head_type="softmax")], task="ner", examples=1
    )
    assert table_with(blocks, "parameter").rows == [("head.type", "crf", "softmax")]
    scores = table_with(blocks, "value")
    assert [row[:4] for row in scores.rows] == [
        ("test", "A", "span F1", "0.6250"),
        ("test", "B", "span F1", "0.8750"),
    ]
    (difference,) = table_with(blocks, "pair").rows
    assert difference[:3] == ("test", "B − A", "+0.2500")
    assert blocks[1] == Paragraph("B − A on test: span F1 +0.2500, a difference between these two trainings.")
    assert table_with(blocks, "type").rows == [
        ("LOC", "40", "0.7273", "0.8889 (+0.1616)"),
        ("PER", "40", "0.4000", "0.8571 (+0.4571)"),
    ]
    assert "B against A: 20 better (fewer errors), 0 worse, 20 unchanged." in texts(blocks)
    (example,) = [block for block in blocks if isinstance(block, Example)]
    assert example.title == "test sentence 11, better in B"
    assert example.sentence == "Ada Lovelace met Bonn"
    assert example.lines == [
        ("gold", "PER: Ada Lovelace"),
        ("A", "LOC: Ada Lovelace"),
        ("B", "PER: Ada Lovelace"),
    ]
    assert table_with(blocks, "parameters").rows == [("A", "100", "–", "–"), ("B", "300", "–", "–")]
    assert "not comparable" not in texts(blocks)


def test_other_corpora_are_said_first_and_other_sentences_are_not_tested():
    other = StoredResult("b", "folder", {"test": [RIGHT]}, settings=SETTINGS, corpus_digest="d2")
    blocks = compare_results([result("a", 3, 3), other], task="ner")
    warnings = [block.text for block in blocks[1:3] if isinstance(block, Paragraph) and block.warning]
    assert warnings == [
        "The corpora differ (digests: A d1, B d2): scores are not comparable.",
        "A and B have different sentences or gold tags on test: not tested.",
    ]
    assert [row[1] for row in table_with(blocks, "value").rows] == ["A", "B"]
    assert not [block for block in blocks if isinstance(block, Table) and "pair" in block.header]


def test_another_corpus_with_the_same_test_sentences_is_tested():
    blocks = compare_results([result("a", 3, 3), result("b", 3, 3, "d2")], task="ner")
    assert "A and B have the same sentences and gold tags on test." in texts(blocks)
    assert "B − A on test: span F1 +0.0000, no difference shown." in texts(blocks)


def test_tags_that_are_not_spans():
    tagged = [TaggedSentence(("a", "b"), ("DET", "NOUN"), ("DET", tag)) for tag in ("NOUN", "VERB")]
    first, second = (StoredResult(name, "", {"dev": [row]}) for name, row in zip("ab", tagged, strict=True))
    blocks = compare_results([first, second], task="pos")
    assert [row[2:4] for row in table_with(blocks, "value").rows] == [
        ("token accuracy", "1.0000"),
        ("token accuracy", "0.5000"),
    ]
    (example,) = [block for block in blocks if isinstance(block, Example)]
    assert example.lines == [("gold", "b/NOUN"), ("A", "b/NOUN"), ("B", "b/VERB")]
    assert "Unknown for A, B: predictions alone." in texts(blocks)


def test_seeds_are_grouped_by_the_other_settings():
    results = [
        result(f"{head}-{seed}", right + int(seed), 40 - right - int(seed), head_type=head, seed=seed)
        for seed in "1234"
        for head, right in (("crf", 10), ("softmax", 25))
    ]
    blocks = compare_results(results, task="ner", group_seeds=True)
    assert [row[:2] for row in table_with(blocks, "read from").rows] == [
        *(("A", f"crf-{seed}") for seed in "1234"),
        *(("B", f"softmax-{seed}") for seed in "1234"),
    ]
    assert table_with(blocks, "parameter").rows == [("head.type", "crf", "softmax")]
    assert [row[-2:] for row in table_with(blocks, "deviation").rows] == [("0.0161", "4"), ("0.0161", "4")]
    (difference,) = table_with(blocks, "p, seeds").rows
    assert difference[2] == "+0.1875"
    assert difference[-1] == "0.0286"
    assert "B − A on test: span F1 +0.1875, a difference." in texts(blocks)
    example = next(block for block in blocks if isinstance(block, Example))
    assert example.title == "test sentence 12, better in B"
    assert example.lines == [
        ("gold", "PER: Ada Lovelace"),
        ("A, seed 1", "LOC: Ada Lovelace"),
        ("B, seed 1", "PER: Ada Lovelace"),
    ]


def test_a_seed_twice_in_a_group_is_refused():
    with pytest.raises(SeqlabError, match=r"a, b: several results of one configuration have the same seed"):
        compare_results([result("a", 1, 1), result("b", 1, 1)], task="ner", group_seeds=True)


def test_seeds_on_other_sentences_are_refused():
    with pytest.raises(SeqlabError, match="different sentences of test"):
        compare_results([result("a", 1, 1), result("b", 1, 2, seed="2")], task="ner", group_seeds=True)
