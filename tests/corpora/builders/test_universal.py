from __future__ import annotations

import dataclasses

import pytest

from seqlab.corpora.mirror import fetch_sources
from seqlab.corpora.pins import PinMismatchError
from seqlab.corpora.public import corpus_by_name, fetch_corpus
from seqlab.corpus.splits import read_split
from seqlab.errors import CorpusError

SPLITS = ("train", "dev", "test")


@pytest.fixture
def fetch(tmp_path, loopback_mirror):
    return lambda corpus: fetch_corpus(corpus, tmp_path / "raw", mirror=loopback_mirror.address)


def row(text):
    """One sentence of a treebank from `token/UPOS/xpos` items."""
    fields = [item.split("/") for item in text.split()]
    lines = [
        f"{i}\t{token}\t_\t{upos}\t{xpos}\t_\t0\t_\t_\t_" for i, (token, upos, xpos) in enumerate(fields, 1)
    ]
    return "\n".join(lines) + "\n\n"


def rewritten(corpus, publish, texts):
    sources = [
        publish(source.url, texts[source.split], source.split, source.role) for source in corpus.sources
    ]
    return dataclasses.replace(corpus, sources=tuple(sources))


def test_english_is_fetched_verified_and_joined(english, fetch, tmp_path, loopback_mirror):
    manifest = fetch(english.corpus)
    assert {path for path, _ in loopback_mirror.requests} == {s.mirror_path for s in english.corpus.sources}
    assert manifest["columns"] == ["token", "upos", "xpos", "ner"]
    assert manifest["tag_schemes"] == {"ner": "IOB2"}
    assert manifest["licence"] == "CC BY-SA 4.0"
    for column in ("ner", "upos"):
        counts = {
            split: sum(1 for _ in read_split(tmp_path / "raw", split, tag_column=column)) for split in SPLITS
        }
        assert counts == english.sizes


def test_a_flipped_byte_in_english_is_refused(english, tmp_path, loopback_mirror):
    source = next(source for source in english.corpus.sources if source.split == "dev")
    served = loopback_mirror.folder / source.mirror_path
    content = bytearray(served.read_bytes())
    content[len(content) // 2] ^= 1
    served.write_bytes(content)
    with pytest.raises(PinMismatchError, match="the file's bytes are not the pinned ones") as caught:
        fetch_corpus(english.corpus, tmp_path / "raw", mirror=loopback_mirror.address)
    assert str(source.pin) in str(caught.value)
    assert not (tmp_path / "raw").exists()
    with pytest.raises(PinMismatchError):
        fetch_sources([source], tmp_path / "downloads", mirror=str(loopback_mirror.folder))


def test_words_and_entities_come_together(made_up_english, fetch, tmp_path):
    fetch(made_up_english.corpus)
    assert (tmp_path / "raw/train.conll").read_text() == (
        "# sent_id = t-1\nAnn\tPROPN\tNNP\tB-PER\nsailed\tVERB\tVBD\tO\n#\tSYM\tSYM\tO\n\n"
        "# sent_id = t-2\nOld\tADJ\tJJ\tB-LOC\nHarbour\tPROPN\tNNP\tI-LOC\nslept\tVERB\tVBD\tO\n\n"
        "# sent_id = t-3\nIt\tPRON\tPRP\tO\nrained\tVERB\tVBD\tO\n.\tPUNCT\t.\tO\n\n"
    )


def test_treebanks_that_do_not_agree_are_refused(made_up_english, publish, fetch, tmp_path):
    def changed(source):
        if (source.split, source.role) != ("test", "entities"):
            return source
        return publish(
            source.url, "# sent_id = e-2\n1\tAnna\tB-PER\n2\tnods\tO\n\n", source.split, source.role
        )

    sources = tuple(changed(source) for source in made_up_english.corpus.sources)
    with pytest.raises(
        CorpusError, match=r"a sentence has no counterpart|the tokens of a sentence do not agree"
    ):
        fetch(dataclasses.replace(made_up_english.corpus, sources=sources))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["downloads", "mirror"]


def test_sentences_with_other_ids_are_joined_in_order(publish, fetch, tmp_path):
    corpus = corpus_by_name("uner_sk_snk")
    texts = {
        "words": "# sent_id = dev-s1\n" + row("Anna/PROPN/SSfs1 spí/VERB/VKesc"),
        "entities": "# sent_id = batch-0000-0001\n1\tAnna\tB-PER\t-\t-\n2\tspí\tO\t-\t-\n\n",
    }
    sources = tuple(
        publish(source.url, texts[source.role], source.split, source.role) for source in corpus.sources
    )
    fetch(dataclasses.replace(corpus, sources=sources))
    assert (tmp_path / "raw/dev.conll").read_text() == (
        "# sent_id = dev-s1\nAnna\tPROPN\tSSfs1\tB-PER\nspí\tVERB\tVKesc\tO\n\n"
    )


def test_a_treebank_without_dev_gives_a_share_of_train(publish, fetch, tmp_path):
    corpus = corpus_by_name("ud/en_ewt")
    corpus = dataclasses.replace(corpus, sources=tuple(s for s in corpus.sources if s.split != "dev"))
    texts = {
        "train": "".join(row(f"word{i}/NOUN/_ stays/VERB/_") for i in range(40)),
        "test": row("Yes/INTJ/_"),
    }
    manifest = fetch(rewritten(corpus, publish, texts))
    assert manifest["columns"] == ["token", "upos", "_"]
    train, dev = (
        {sentence.tokens for sentence in read_split(tmp_path / "raw", split, tag_column="upos")}
        for split in ("train", "dev")
    )
    assert len(train | dev) == 40
    assert not train & dev
    assert dev


def test_a_treebank_without_its_text_is_refused(publish, fetch):
    texts = {"train": row("_/NOUN/_ _/VERB/_"), "dev": row("_/NOUN/_"), "test": row("_/NOUN/_")}
    with pytest.raises(CorpusError, match="the treebank ud/en_ewt comes without its text") as caught:
        fetch(rewritten(corpus_by_name("ud/en_ewt"), publish, texts))
    assert "read the files with corpus.name: files" in str(caught.value)


def test_a_split_of_several_files_is_read_through(publish, fetch, tmp_path):
    corpus = corpus_by_name("ud/cs_pdt")
    sources = tuple(
        publish(source.url, row(f"slovo{i}/NOUN/NN"), source.split, source.role)
        for i, source in enumerate(corpus.sources)
    )
    fetch(dataclasses.replace(corpus, sources=sources))
    train = [sentence.tokens for sentence in read_split(tmp_path / "raw", "train", tag_column="xpos")]
    assert train == [("slovo0",), ("slovo1",), ("slovo2",), ("slovo3",)]
