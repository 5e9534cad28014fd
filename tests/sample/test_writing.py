from __future__ import annotations

import pytest

from seqlab.errors import SeqlabError
from seqlab.sample import generate_sentences, writing
from seqlab.sample.writing import split_sizes, write_sample


def test_files_hold_the_generated_sentences(tmp_path):
    manifest = write_sample(tmp_path / "raw", sentences=205, seed=4)
    assert sorted(path.name for path in (tmp_path / "raw").iterdir()) == [
        "dev.conll",
        "test.conll",
        "train.conll",
    ]
    assert {split: part["sentences"] for split, part in manifest["splits"].items()} == {
        "train": 165,
        "dev": 20,
        "test": 20,
    }
    for split, part in manifest["splits"].items():
        expected = list(generate_sentences(split=split, start=0, stop=part["sentences"], seed=4))
        text = (tmp_path / "raw" / part["file"]).read_text(encoding="utf-8")
        blocks = text.removesuffix("\n\n").split("\n\n")
        assert text.endswith("\n\n")
        for block, sentence in zip(blocks, expected, strict=True):
            comment, *rows = block.split("\n")
            assert comment == f"# genre = {sentence.genre}"
            columns = tuple(zip(*(row.split("\t") for row in rows), strict=True))
            assert columns == (sentence.tokens, sentence.upos, sentence.ner)
        assert part["tokens"] == sum(len(sentence.tokens) for sentence in expected)


def test_the_manifest_says_that_it_is_synthetic(tmp_path):
    manifest = write_sample(tmp_path, sentences=100, seed=4)
    assert manifest["kind"] == "synthetic"
    assert (manifest["name"], manifest["seed"], manifest["columns"]) == (
        "sample",
        4,
        ["token", "upos", "ner"],
    )


def test_a_longer_corpus_begins_with_the_shorter_one(tmp_path):
    write_sample(tmp_path / "short", sentences=100, seed=4)
    write_sample(tmp_path / "long", sentences=200, seed=4)
    for split in ("train", "dev", "test"):
        short, long = ((tmp_path / size / f"{split}.conll").read_text() for size in ("short", "long"))
        assert long.startswith(short)
        assert len(long) > len(short)


def test_progress_counts_up_to_the_total(tmp_path):
    calls: list[tuple[int, int]] = []
    write_sample(tmp_path, sentences=1000, seed=4, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(500, 1000), (800, 1000), (900, 1000), (1000, 1000)]


def test_a_failure_leaves_what_was_there_before(tmp_path, monkeypatch):
    write_sample(tmp_path, sentences=100, seed=4)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def failing(*, split, start, stop, seed):
        yield from generate_sentences(split=split, start=start, stop=stop, seed=seed)
        if split == "test":
            raise OSError("disk full")

    monkeypatch.setattr(writing, "generate_sentences", failing)
    with pytest.raises(OSError, match="disk full"):
        write_sample(tmp_path, sentences=200, seed=5)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("sentences", [-1, 0, 99])
def test_too_few_sentences(tmp_path, sentences):
    with pytest.raises(
        SeqlabError, match=r"corpus\.sample\.sentences: the sample corpus is too small"
    ) as caught:
        write_sample(tmp_path / "raw", sentences=sentences, seed=4)
    assert f"received: {sentences}" in str(caught.value)
    assert not (tmp_path / "raw").exists()


def test_split_sizes_add_up():
    for sentences in (100, 101, 109, 6000, 1_000_000):
        sizes = split_sizes(sentences)
        assert sum(sizes.values()) == sentences
        assert sizes["dev"] == sizes["test"] == sentences // 10
