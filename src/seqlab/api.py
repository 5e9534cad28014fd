"""Everything that `import seqlab` offers; the commands call these functions, too. See docs/python.md."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from seqlab.cores import available_cores
from seqlab.corpus.blocks import read_sentences, scan_blocks
from seqlab.corpus.conll import IGNORED_COLUMN, ConllLayout, check_tag_column
from seqlab.corpus.conll import write_conll as write_rows
from seqlab.corpus.conllu import ConlluLayout
from seqlab.corpus.file_formats import is_conllu
from seqlab.corpus.sentence import Sentence
from seqlab.errors import SeqlabError
from seqlab.serving.tagging.tagged_text import TaggedText, TextTagger
from seqlab.serving.tagging.text_lines import find_problem

if TYPE_CHECKING:
    from seqlab.corpus.checking import CheckedFile
    from seqlab.params import Params

logger = logging.getLogger(__name__)

TaggedTokens = Sentence | TaggedText | tuple[Sequence[str], Sequence[str]]
"""A sentence with its tags: what was read, what was tagged, or a pair of tokens and tags."""


class Tagger:
    """A loaded export. `load` returns it.

    Attributes:
        form: the export as it runs here, on ONNX Runtime or TensorFlow.
        config: the content of the export's `config.json`.
        task: the name of the task.
        spans: whether tags encode spans.
    """

    def __init__(self, form: TextTagger) -> None:
        self.form, self.config = form, form.config
        self.task: str = self.config["task"]
        self.spans: bool = self.config["tag_scheme"] is not None

    def __repr__(self) -> str:
        corpus, run = self.config["corpus"]["corpus"], self.config["run_id"]
        return f"<seqlab.Tagger {self.task}, trained on {corpus}, run {run}>"

    @overload
    def tag(self, texts: str) -> TaggedText: ...  # type: ignore[overload-overlap]

    @overload
    def tag(self, texts: Iterable[str] | Iterable[Sequence[str]]) -> list[TaggedText]: ...

    def tag(self, texts: str | Iterable[str] | Iterable[Sequence[str]]) -> TaggedText | list[TaggedText]:
        """Tag sentences.

        Args:
            texts: a sentence, several sentences, or several lists of tokens. Sentences are tokenised; the
                text of a list of tokens is the tokens joined by blanks.

        Returns:
            For each sentence its tokens and, if tags encode spans, its spans, with offsets in characters. One
            sentence as a string gives one result, anything else a list.

        Raises:
            SeqlabError: a text contains control characters or surrogates, or a token is empty.
        """
        if isinstance(texts, str):
            return self.tag([texts])[0]
        sentences = list(texts)
        if all(isinstance(sentence, str) for sentence in sentences):
            for number, text in enumerate(sentences, start=1):
                if (problem := find_problem(str(text), f"text {number}")) is not None:
                    raise problem
            return self.form.tag(sentences)  # type: ignore[arg-type]
        if any(isinstance(sentence, str) or not isinstance(sentence, Sequence) for sentence in sentences):
            kinds = sorted({type(sentence).__name__ for sentence in sentences})
            raise SeqlabError(
                "these are not sentences",
                where="texts",
                expected="a string, strings, or lists of tokens",
                received=", ".join(kinds),
            )
        return self.form.tag_sentences(sentences)


def load(
    model: str | PathLike[str] | None = None,
    *,
    task: str | None = None,
    threads: int | None = None,
    int8: bool = False,
    tag_scheme: str | None = None,
) -> Tagger:
    """Load a trained tagger; TensorFlow is imported only if the export has no ONNX form.

    Args:
        model: the folder of an export or the folder that contains `export/`, `models:/NAME@ALIAS`,
            `models:/NAME/VERSION`, or an MLflow run id. None is `models/TASK/export`, with `ner` if no task
            is given.
        task: the expected task; None accepts any task.
        threads: number of batches that are computed at the same time, each on one core; None uses all cores.
        int8: use 8-bit weights: faster, but a few tags differ.
        tag_scheme: the scheme of the tags that the tagger returns: `IOB1`, `IOB2`, `BIOES` or `BILOU`; None
            is IOB2.

    Raises:
        SeqlabError: there is no such model, it is damaged, or it belongs to another task.
    """
    from seqlab.serving.tagging.exported_tagger import load_exported_tagger

    directory, threads = find_export(model, task=task), threads or available_cores()
    options: dict[str, Any] = {"threads": threads, "int8": int8, "tag_scheme": tag_scheme}
    tagger = Tagger(load_exported_tagger(directory, task=task, **options))
    logger.info("loaded %s: %r (%s, %d threads)", directory, tagger, type(tagger.form).__name__, threads)
    return tagger


def find_export(model: str | PathLike[str] | None, *, task: str | None = None) -> Path:
    """Return the folder of an export, which may not exist; see `load`. A registered model is downloaded."""
    if model is None:
        return Path("models") / (task or default_task()) / "export"
    path = Path(model)
    if path.is_dir():
        return path / "export" if (path / "export" / "config.json").is_file() else path
    name = os.fspath(model)
    if not name.startswith("models:/") and (os.sep in name or "." in name):
        return path
    from seqlab.tracking.registry import fetch_export

    return fetch_export(Path.cwd(), name)


def default_task() -> str:
    """Return the task that has an export below `models`, if it is the only one; else `ner`."""
    exports = list(Path("models").glob("*/export"))
    return exports[0].parent.name if len(exports) == 1 else "ner"


def read_corpus(
    path: str | PathLike[str],
    *,
    columns: Sequence[str] = ("token", "tag"),
    column: str | None = None,
    separator: str = "tab",
    comment_prefix: str | None = "# ",
    tag_scheme: str | None = None,
    tag_repair: bool = False,
) -> list[Sentence]:
    """Read the sentences of a CoNLL or CoNLL-U file, plain, `.gz` or `.zst`.

    Args:
        path: the file. A file named `.conllu` has its own columns, among them `upos` and `xpos`.
        columns: the names of the columns in order, one of them `token`; `_` for a column to ignore.
        column: the column of the tags; None is the last of `columns`, and `upos` in CoNLL-U.
        separator: `tab`, `space`, or `whitespace` for any run of both.
        comment_prefix: the start of a comment, None if there are none.
        tag_scheme: the scheme in which the tags must be valid, None if they are not checked.
        tag_repair: repair invalid tags, as conlleval reads them, instead of raising.

    Raises:
        SeqlabError: the first error in the file, with its line.
    """
    layout: ConllLayout | ConlluLayout = ConllLayout(tuple(columns), separator, comment_prefix)
    if is_conllu(path):
        layout = ConlluLayout()
    named = [name for name in layout.columns if name not in ("token", IGNORED_COLUMN)]
    if column is None and named:
        column = "upos" if "upos" in named and isinstance(layout, ConlluLayout) else named[-1]
    check_tag_column(column or "", layout.columns, where=str(path))
    blocks = scan_blocks(path, layout=layout)
    return list(read_sentences(blocks, tag_column=str(column), tag_scheme=tag_scheme, tag_repair=tag_repair))


def write_conll(path: str | PathLike[str], sentences: Iterable[TaggedTokens]) -> None:
    """Write `token<TAB>tag` lines, with a blank line after each sentence. Texts without tokens are left out.

    Args:
        path: the file. It is replaced only after all sentences are written.
        sentences: from `read_corpus` or `Tagger.tag`, or pairs of tokens and tags.

    Raises:
        SeqlabError: a token or tag is empty or cannot stand in a column.
    """
    rows = ((_tokens_of(sentence), _tags_of(sentence)) for sentence in sentences)
    write_rows(path, ((tokens, tags) for tokens, tags in rows if tokens or tags))


def check(
    *paths: str | PathLike[str],
    columns: Sequence[str] = ("token", "tag"),
    separator: str = "tab",
    comment_prefix: str | None = "# ",
    tag_schemes: Mapping[str, str] | None = None,
) -> list[CheckedFile]:
    """Return every error and warning in CoNLL or CoNLL-U files, as `seqlab check` prints them.

    Args:
        paths: files, each treated as a split, or folders.
        columns: as in `read_corpus`, like `separator` and `comment_prefix`.
        separator: the column separator.
        comment_prefix: the start of a comment.
        tag_schemes: the scheme of each column of spans, for example `{"ner": "IOB2"}`.
    """
    from seqlab.corpus.checking import check_files

    layout = ConllLayout(tuple(columns), separator, comment_prefix)
    return check_files(paths, layout=layout, tag_schemes=tag_schemes or {})


def score(
    gold: Iterable[Sequence[str] | TaggedTokens],
    predicted: Iterable[Sequence[str] | TaggedTokens],
    *,
    spans: bool | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Score predicted tags as the evaluate stage does.

    Args:
        gold: for each sentence its tags, or what `read_corpus` and `Tagger.tag` return.
        predicted: the same sentences, in any scheme.
        spans: whether tags encode spans; None if all tags are `O` or have a prefix such as `B-`.
        seed: seed of the 95 % intervals.

    Returns:
        The fields of a split in `metrics/TASK/evaluate.json`, except those that need the training data:
        `span_f1`, `token_accuracy`, their intervals, `per_type`, `most_confused` and others.

    Raises:
        SeqlabError: there are no sentences, or the numbers of sentences or tokens differ.
    """
    from seqlab.evaluation.predictions import TaggedSentence, spell_as_iob2
    from seqlab.evaluation.report import report_scores
    from seqlab.tags import find_unreadable_tag

    rows: list[TaggedSentence] = []
    pairs = list(gold), list(predicted)
    if len(pairs[0]) != len(pairs[1]):
        raise _not_comparable("gold and predicted", "sentences", *map(len, pairs))
    for number, (own, other) in enumerate(zip(*pairs, strict=True), start=1):
        tags, others = _tags_of(own), _tags_of(other)
        if len(tags) != len(others):
            raise _not_comparable(f"sentence {number}", "tags", len(tags), len(others))
        if tags:
            rows.append(TaggedSentence(_tokens_of(own) or ["_"] * len(tags), tags, others))
    if spans is None:
        spans = all(find_unreadable_tag(tags) is None for row in rows for tags in row[1:])
    if spans:
        rows = list(spell_as_iob2(rows))
    return report_scores(rows, spans=spans, seed=seed)


def _not_comparable(where: str, unit: str, gold: int, predicted: int) -> SeqlabError:
    return SeqlabError(
        f"the numbers of {unit} differ",
        where=where,
        expected=f"{gold}, as in gold",
        received=f"{predicted}",
        remedy="tag the tokens of the gold sentences: tagger.tag([s.tokens for s in gold])",
    )


def _tags_of(sentence: Any) -> Sequence[str]:
    if isinstance(sentence, Sentence | TaggedText):
        return sentence.tags
    if isinstance(sentence, tuple) and len(sentence) == 2 and not isinstance(sentence[0], str):
        return list(sentence[1])
    return list(sentence)


def _tokens_of(sentence: Any) -> Sequence[str]:
    """Return the tokens, an empty list if there are tags alone."""
    if isinstance(sentence, Sentence):
        return sentence.tokens
    if isinstance(sentence, TaggedText):
        return [token.text for token in sentence.tokens]
    if isinstance(sentence, tuple) and len(sentence) == 2 and not isinstance(sentence[0], str):
        return list(sentence[0])
    return []


@dataclass(frozen=True)
class TrainedModel:
    """The result of a training.

    Args:
        model: the trained `model.keras`.
        run_id: the MLflow run.
        summary: the content of `train.json`: among others `best_epoch` and the scores on `dev`.
    """

    model: Path
    run_id: str
    summary: dict[str, Any]


def train(
    params: Params | Mapping[str, Any] | str | PathLike[str] = "params.yaml",
    *,
    task: str,
    folder: str | PathLike[str],
) -> TrainedModel:
    """Train a tagger as `dvc repro train@TASK` does, with the same result, outside of DVC's folders.

    It calls the functions of the stages download, prepare and train. Paths in the parameters are relative to
    the working directory. Calling it again resumes an interrupted training.

    Args:
        params: a `params.yaml`, or its content.
        task: the name of the task.
        folder: the folder to write: `data/`, `models/TASK`, `metrics/TASK` and, unless MLFLOW_TRACKING_URI is
            set, the store of the runs.

    Raises:
        SeqlabError: a parameter or the corpus is invalid, or the training fails.
    """
    from seqlab.atomic import write_json
    from seqlab.params import Params
    from seqlab.params_file import load_params, parse_params
    from seqlab.pipeline.downloading import fetch_corpus
    from seqlab.pipeline.preparing import prepare_task
    from seqlab.pipeline.recorded_training import train_and_record

    if isinstance(params, Mapping):
        params = parse_params(params, where="params")
    elif not isinstance(params, Params):
        params = load_params(Path(params))
    root = Path(folder).resolve()
    raw, prepared = root / "data" / "raw", root / "data" / "prepared" / task
    models, metrics = root / "models" / task, root / "metrics" / task
    section = params.task(task)
    fetch_corpus(params, raw, downloads=root / "data" / "downloads")
    report = prepare_task(raw, prepared, task=section, mirror=params.corpus.mirror)
    write_json(metrics / "corpus.json", report)
    train_and_record(task, params=params, root=root, prepared=prepared, models=models, metrics=metrics)
    run, summary = (
        json.loads(path.read_text(encoding="utf-8")) for path in (models / "run.json", metrics / "train.json")
    )
    return TrainedModel(models / "model.keras", run["run_id"], summary)
