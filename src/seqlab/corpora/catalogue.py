"""The catalogue of corpora that are available by name; `treebanks` has the treebanks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from seqlab.corpora.pins import Pin, Source

_CONLL2002 = "https://raw.githubusercontent.com/teropa/nlp/master/resources/corpora/conll2002/"
_WNUT = (
    "https://raw.githubusercontent.com/leondz/emerging_entities_17/e52a2d2a71ac1a051ca2d532eef28653c5c02603/"
)


@dataclass(frozen=True, slots=True)
class Corpus:
    """A corpus that is available by name.

    Args:
        name: the value of `corpus.name`.
        title: its full name.
        licence: the terms of use.
        homepage: its web page.
        citation: the publication to cite.
        columns: the columns of the files made from it, `token` and its tag columns.
        tag_schemes: the tag scheme of each column of spans.
        sources: the files it is made from; none if it is not downloaded.
        builder: the name of its builder in `seqlab.corpora.builders`; empty if it is not downloaded.
        join: for Universal NER: how sentences of both treebanks are matched, `sent_id` or `order`.
        notice: a notice to log when it is downloaded.
    """

    name: str
    title: str
    licence: str
    homepage: str
    citation: str
    columns: tuple[str, ...]
    tag_schemes: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[Source, ...] = ()
    builder: str = ""
    join: str = ""
    notice: str = ""

    @property
    def tag_columns(self) -> tuple[str, ...]:
        """The tag columns."""
        return tuple(column for column in self.columns if column != "token")


def _conll2002(language: str, file_name: str, pins: tuple[str, str, str]) -> Corpus:
    files = zip(("train", "dev", "test"), ("train", "testa", "testb"), pins, strict=True)
    return Corpus(
        name=f"conll2002/{language}",
        title=f"CoNLL-2002 shared task, {'Spanish' if language == 'es' else 'Dutch'}",
        licence="none published; the text is "
        + ("the EFE news agency's" if language == "es" else "the newspaper De Morgen's")
        + ", given for research on the shared task",
        homepage="https://aclanthology.org/W02-2024/",
        citation="Tjong Kim Sang, Erik F. 2002. Introduction to the CoNLL-2002 Shared Task: "
        "Language-Independent Named Entity Recognition. In Proceedings of CoNLL-2002.",
        columns=("token", "pos", "ner"),
        tag_schemes={"ner": "IOB2"},
        sources=tuple(
            Source(f"{_CONLL2002}{file_name}.{ending}", Pin.parse(pin), split) for split, ending, pin in files
        ),
        builder="conll2002",
    )


STANDALONE_CORPORA = (
    Corpus(
        name="sample",
        title="A synthetic corpus, generated from a seed",
        licence="Apache-2.0, as the project",
        homepage="",
        citation="",
        columns=("token", "upos", "ner"),
        tag_schemes={"ner": "IOB2"},
    ),
    Corpus(
        name="files",
        title="Your own CoNLL or CoNLL-U files",
        licence="your own",
        homepage="",
        citation="",
        columns=(),
    ),
    Corpus(
        name="conll2003",
        title="CoNLL-2003 shared task, English",
        licence="the text is from the Reuters Corpus, for research under an agreement with NIST: "
        "https://trec.nist.gov/data/reuters/reuters.html",
        homepage="https://aclanthology.org/W03-0419/",
        citation="Tjong Kim Sang, Erik F. and De Meulder, Fien. 2003. Introduction to the CoNLL-2003 Shared "
        "Task: Language-Independent Named Entity Recognition. In Proceedings of CoNLL-2003.",
        columns=("token", "pos", "chunks", "ner"),
        tag_schemes={"chunks": "IOB2", "ner": "IOB2"},
        sources=(
            Source(
                "https://data.deepai.org/conll2003.zip",
                Pin.parse("sha256:96a104d174ddae7558bab603f19382c5fe02ff1da5c077a7f3ce2ced1578a2c3:982975"),
            ),
        ),
        builder="conll2003",
        notice="The text of CoNLL-2003 is from the Reuters Corpus. Its use requires the agreement at "
        "https://trec.nist.gov/data/reuters/reuters.html; make sure that you have it.",
    ),
    _conll2002(
        "es",
        "esp",
        (
            "sha256:a20d95cab7d88a19a86f8c1ad6329325c99fbd9529ed978cbd7e31d4b01b4008:2970825",
            "sha256:85c17793b77881c53d19017d9d0f1e6fb98b7ddcab54a5f24b05ed1793103c87:594058",
            "sha256:1f8f7a392c6d4979a5592a5794eed43d7869b46da6851bbcde99714149f1d016:575807",
        ),
    ),
    _conll2002(
        "nl",
        "ned",
        (
            "sha256:0a419dcb356b62c8cff38515675550b3d5dbea9f45a1c4956328dbd5cc7fcdbc:2377174",
            "sha256:51259d4bfe52462f211d3d0b67173a7ecbfa296e199f6c6bd0895f4c78155057:450785",
            "sha256:2aa748edb82e6f9c4d82e57a4bed69ded18cfa4803122c75070335d513517488:814282",
        ),
    ),
    Corpus(
        name="wnut17",
        title="WNUT 2017 shared task on novel and emerging entities, English",
        licence="CC BY 4.0",
        homepage="https://noisy-text.github.io/2017/emerging-rare-entities.html",
        citation="Derczynski, Leon, Eric Nichols, Marieke van Erp and Nut Limsopatham. 2017. Results of the "
        "WNUT2017 Shared Task on Novel and Emerging Entity Recognition. In Proceedings of the 3rd Workshop "
        "on Noisy User-generated Text.",
        columns=("token", "ner"),
        tag_schemes={"ner": "IOB2"},
        sources=(
            Source(
                f"{_WNUT}wnut17train.conll",
                Pin.parse("git-blob:f492698d4776475fd62851998b7b3623c416c92f:493781"),
                "train",
            ),
            Source(
                f"{_WNUT}emerging.dev.conll",
                Pin.parse("git-blob:128e929f695c9f7499a8e652ee46cd505848e34e:114749"),
                "dev",
            ),
            Source(
                f"{_WNUT}emerging.test.annotated",
                Pin.parse("git-blob:a599ac827c810886f53978afca5596a9ab1ef4a6:192425"),
                "test",
            ),
        ),
        builder="wnut17",
    ),
)
