from __future__ import annotations

import dataclasses
import io
import zipfile

import pytest

from seqlab.corpora.archives import UnsafeArchiveError
from seqlab.corpora.builders import FetchedFiles, make_builder
from seqlab.corpora.downloads import fetch_sources
from seqlab.corpora.pins import PinMismatchError
from seqlab.corpora.sources import corpus_by_name, fetch_corpus
from seqlab.corpus.splits import read_split
from seqlab.errors import CorpusError


@pytest.fixture
def fetched(tmp_path):
    archive = tmp_path / "corpus.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("train.txt", "text")
    plain = tmp_path / "train.conll"
    plain.touch()
    files = {"https://e.org/corpus.zip": archive, "https://e.org/train.conll": plain}
    return FetchedFiles(files, tmp_path / "scratch")


def test_paths_come_in_the_nest_that_addresses_were_asked_in(fetched, tmp_path):
    train = tmp_path / "train.conll"
    url = "https://e.org/train.conll"
    assert fetched.download(url) == train
    assert fetched.download({"train": [url, url], "dev": url}) == {"train": [train, train], "dev": train}


def test_archives_are_unpacked_and_other_files_left(fetched, tmp_path):
    paths = fetched.download_and_extract({"a": "https://e.org/corpus.zip", "b": "https://e.org/train.conll"})
    assert (paths["a"] / "train.txt").read_text() == "text"
    assert paths["b"] == tmp_path / "train.conll"


def test_an_unsafe_archive_is_refused(fetched, tmp_path):
    with zipfile.ZipFile(tmp_path / "corpus.zip", "w") as zipped:
        zipped.writestr("../train.txt", "text")
    with pytest.raises(UnsafeArchiveError, match=r"'\.\./train\.txt' leaves the folder"):
        fetched.download_and_extract("https://e.org/corpus.zip")


def test_an_address_that_no_table_names_is_refused(fetched):
    with pytest.raises(
        CorpusError, match=r"the builder requests a file .*\n  expected: one of https://e.org"
    ) as caught:
        fetched.download("https://e.org/other.conll")
    assert "received: https://e.org/other.conll" in str(caught.value)


@pytest.fixture
def wnut17_builder(publish, loopback_mirror, tmp_path):
    texts = {"train": "".join(f"word{i}\tO\n\n" for i in range(30)), "dev": "a\tO\n\n", "test": "b\tO\n\n"}
    corpus = rewritten(corpus_by_name("wnut17"), publish, texts)
    files = fetch_sources(corpus.sources, tmp_path / "downloads", mirror=str(loopback_mirror.folder))
    return make_builder(corpus, files=files, scratch=tmp_path / "scratch")


def test_a_builder_describes_its_corpus(wnut17_builder):
    assert wnut17_builder.info.homepage == "https://noisy-text.github.io/2017/emerging-rare-entities.html"
    assert "Derczynski" in wnut17_builder.info.citation
    assert "Licence: CC BY 4.0" in wnut17_builder.info.description


def test_examples_keep_their_order(wnut17_builder):
    examples = list(wnut17_builder.examples()["train"])
    assert [example["tokens"] for example in examples] == [[f"word{i}"] for i in range(30)]
    assert examples[0] == {"tokens": ["word0"], "ner": ["O"]}


def test_a_builder_prepares_a_dataset_as_any_of_tensorflow_datasets(wnut17_builder, tmp_path):
    wnut17_builder.download_and_prepare(download_dir=tmp_path / "tfds-downloads")
    assert {name: info.num_examples for name, info in wnut17_builder.info.splits.items()} == {
        "train": 30,
        "dev": 1,
        "test": 1,
    }


ENGLISH = {
    "train.txt": "-DOCSTART- -X- -X- O\n\nAnn NNP B-NP B-PER\nsailed VBD B-VP O\n\n\nOld JJ B-NP B-LOC\n"
    "Harbour NNP I-NP I-LOC\n\n-DOCSTART- -X- -X- O\n\nYes UH B-INTJ O\n\n",
    "valid.txt": "-DOCSTART- -X- -X- O\n\nTea NN B-NP O\n \nRain NN B-NP O\n\n",
    "test.txt": "-DOCSTART- -X- -X- O\n\nUmbra NNP B-NP B-ORG",
}


@pytest.fixture
def fetch(tmp_path, loopback_mirror):
    def fetch_it(corpus, **arguments):
        return fetch_corpus(
            corpus,
            tmp_path / "raw",
            mirror=loopback_mirror.address,
            downloads=tmp_path / "downloads",
            **arguments,
        )

    return fetch_it


@pytest.fixture
def conll2003(publish):
    def make(files):
        corpus = corpus_by_name("conll2003")
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            for name, text in files.items():
                archive.writestr(name, text)
        return dataclasses.replace(corpus, sources=(publish(corpus.sources[0].url, content.getvalue()),))

    return make


def sentences(folder, split, column):
    return [
        list(zip(sentence.tokens, sentence.tags, strict=True))
        for sentence in read_split(folder, split, tag_column=column)
    ]


def test_conll2003_comes_from_a_mirror_to_the_sentence(conll2003, fetch, tmp_path):
    manifest = fetch(conll2003(ENGLISH))
    raw = tmp_path / "raw"
    assert manifest["columns"] == ["token", "pos", "chunks", "ner"]
    assert sentences(raw, "train", "ner") == [
        [("Ann", "B-PER"), ("sailed", "O")],
        [("Old", "B-LOC"), ("Harbour", "I-LOC")],
        [("Yes", "O")],
    ]
    assert sentences(raw, "dev", "pos") == [[("Tea", "NN")], [("Rain", "NN")]]
    assert sentences(raw, "test", "chunks") == [[("Umbra", "B-NP")]]
    assert {path.name for path in raw.iterdir()} == {"corpus.json", "train.conll", "dev.conll", "test.conll"}


def test_iob1_becomes_iob2(conll2003, fetch, tmp_path):
    iob1 = "Ann NNP I-NP I-PER\nBob NNP B-NP B-PER\n, , O O\nOld JJ I-NP I-LOC\nHarbour NNP I-NP I-LOC\n"
    fetch(conll2003(ENGLISH | {"train.txt": iob1}))
    (sentence,) = sentences(tmp_path / "raw", "train", "ner")
    assert [tag for _, tag in sentence] == ["B-PER", "B-PER", "O", "B-LOC", "I-LOC"]
    (sentence,) = sentences(tmp_path / "raw", "train", "chunks")
    assert [tag for _, tag in sentence] == ["B-NP", "B-NP", "O", "B-NP", "I-NP"]


def test_an_unreadable_line_is_named_and_nothing_is_left(conll2003, fetch, tmp_path):
    with pytest.raises(CorpusError, match=r"valid\.txt:2: wrong number of columns\n  expected: 4 columns"):
        fetch(conll2003(ENGLISH | {"valid.txt": "Tea NN B-NP O\nRain NN\n"}))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["downloads", "mirror"]


def test_conll2002_comes_from_a_mirror_to_the_sentence(publish, fetch, tmp_path):
    texts = {
        "train": "-DOCSTART- -DOCSTART- O\nTe Prep O\nEdam N B-LOC\n\n-DOCSTART- -DOCSTART- O\nJa Int O\n\n",
        "dev": "Nee Int O\n\n",
        "test": "Regen N O\n\nWind N O\n\n",
    }
    fetch(rewritten(corpus_by_name("conll2002/nl"), publish, texts))
    assert sentences(tmp_path / "raw", "train", "ner") == [[("Te", "O"), ("Edam", "B-LOC")], [("Ja", "O")]]
    assert sentences(tmp_path / "raw", "dev", "pos") == [[("Nee", "Int")]]
    assert sentences(tmp_path / "raw", "test", "ner") == [[("Regen", "O")], [("Wind", "O")]]


def test_invalid_tags_are_reported_and_repaired_only_on_request(publish, tmp_path, loopback_mirror, caplog):
    texts = {
        "train": "Sol NC I-LOC\n\nLa DA B-LOC\nMar NC O\n\n",
        "dev": "Sol NC O\n\n",
        "test": "Sol NC O\n\n",
    }
    corpus = rewritten(corpus_by_name("conll2002/es"), publish, texts)
    texts["train"] = "Sol NC I-LOC\n\nLa DA B-LOC\nMar NC O\n\n"
    for tag_repair in (False, True):
        fetch_corpus(
            corpus,
            tmp_path / "raw",
            mirror=loopback_mirror.address,
            tag_repair=tag_repair,
            downloads=tmp_path / "downloads",
        )
        if not tag_repair:
            with pytest.raises(CorpusError, match=r"conll2002/es/train\.conll:1:8: invalid transition"):
                sentences(tmp_path / "raw", "train", "ner")
    assert caplog.messages == [
        "conll2002/es has invalid IOB2 tags in 1 sentences: set corpus.tag_repair to read them"
    ]
    assert sentences(tmp_path / "raw", "train", "ner")[0] == [("Sol", "B-LOC")]


def test_wnut17_has_types_with_hyphens_and_lines_of_tabs(publish, fetch, tmp_path):
    texts = {
        "train": "@ann\tB-person\nhums\tO\nOld\tB-creative-work\nHarbour\tI-creative-work\n\t\nyes\tO\n\t\n",
        "dev": "tea\tO\n\n",
        "test": "rain\tO\n\n#\tO\n",
    }
    manifest = fetch(rewritten(corpus_by_name("wnut17"), publish, texts))
    assert manifest["columns"] == ["token", "ner"]
    assert manifest["licence"] == "CC BY 4.0"
    train = sentences(tmp_path / "raw", "train", "ner")
    assert train[0][2:] == [("Old", "B-creative-work"), ("Harbour", "I-creative-work")]
    assert len(train) == 2
    assert len(sentences(tmp_path / "raw", "test", "ner")) == 2


SPLITS = ("train", "dev", "test")


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
    with pytest.raises(PinMismatchError, match="the file's bytes differ from the pinned ones") as caught:
        fetch_corpus(
            english.corpus, tmp_path / "raw", downloads=tmp_path / "downloads", mirror=loopback_mirror.address
        )
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
    with pytest.raises(CorpusError, match="the treebank ud/en_ewt is published without its text") as caught:
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
