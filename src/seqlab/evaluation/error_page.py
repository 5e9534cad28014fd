"""One HTML page on which the errors of a run, or of two, are read, filtered and searched.

The page needs no network, server or storage, so MLflow's UI shows it as an artifact in a sandboxed frame. It
contains the sentences as JSON, which the script of `error_page.html` draws. No text of a corpus is parsed as
HTML.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from seqlab.atomic import replaced_file
from seqlab.errors import SeqlabError
from seqlab.evaluation.counts import TaggedTriple, extract_spans
from seqlab.evaluation.error_analysis import ERROR_KINDS, span_errors
from seqlab.evaluation.scores import score_sentences
from seqlab.tags import Span

MAX_CORRECT = 20_000
"""A page leaves out the correctly tagged sentences of a split that has more sentences than this."""
_TAG_KINDS = ("wrong_tag",)
# `<` could end the script element or begin a comment in it; UTF-8 cannot encode surrogates.
_UNSAFE_IN_SCRIPT = re.compile(r"[<\ud800-\udfff]")


def split_errors(
    name: str,
    sentences: Sequence[TaggedTriple],
    *,
    spans: bool,
    train_tokens: Container[str] | None = None,
    places: Iterable[tuple[str, int]] = (),
    other: Sequence[TaggedTriple] | None = None,
) -> dict[str, Any]:
    """Return what the page contains of a split.

    Args:
        name: the split.
        sentences: `(tokens, gold, predicted)`, at least one.
        spans: whether the tags encode spans (`B-PER`). Otherwise each wrong tag is an error.
        train_tokens: the tokens seen in training; without them the page cannot filter by unseen tokens.
        places: for each sentence, the file and line from which it was read.
        other: the same sentences, with the tags that another run predicted.

    Returns:
        Values ready for JSON. Tokens are ids of `types`, and types of spans (or tags) ids of `labels`:

        - `name`, `score_name`, `scores`: the split, and each run's score, `span_f1` or `token_accuracy`;
        - `types`, `unseen`: the distinct tokens, and the ids of those not seen in training, or None;
        - `labels`, `kinds`: types of spans or tags, and kinds of errors;
        - `files`: those of `places`; `total`: the number of sentences, including those that are left out;
        - `sentences`: `[number, [file, line] or None, token ids, gold items, runs]`. The items are `[label,
          start, end]` of each span, or the label of each token. A run is `[predicted items, errors]`, and an
          error `[kind, gold item, predicted item]`, as positions in the lists, -1 for none. The predicted
          items are left out if all tags are correct.

    Raises:
        SeqlabError: the sentences or their gold tags are not those of `other`.
    """
    runs = [sentences] if other is None else [sentences, other]
    if other is not None:
        _check_same_sentences(name, sentences, other)
    score_name = "span_f1" if spans else "token_accuracy"
    types: dict[str, int] = {}
    labels: dict[str, int] = {}
    file_ids: dict[str, int] = {}
    rows = []
    places = list(places)
    for index, same in enumerate(zip(*runs, strict=True)):
        tokens, gold_tags, _ = same[0]
        gold = _items(gold_tags, spans)
        row_runs = []
        for _, _, predicted_tags in same:
            predicted = _items(predicted_tags, spans)
            errors = _errors(gold, predicted, spans)
            keep = spans or errors
            row_runs.append([_encode(predicted, labels, spans) if keep else [], errors])
        if len(sentences) > MAX_CORRECT and not any(errors for _, errors in row_runs):
            continue
        place = None
        if places:
            file, line = places[index]
            place = [file_ids.setdefault(file, len(file_ids)), line]
        ids = [types.setdefault(token, len(types)) for token in tokens]
        rows.append([index + 1, place, ids, _encode(gold, labels, spans), row_runs])
    unseen = (
        None if train_tokens is None else [id for token, id in types.items() if token not in train_tokens]
    )
    return {
        "name": name,
        "score_name": score_name,
        "scores": [score_sentences(run, spans=spans)[score_name] for run in runs],
        "spans": spans,
        "types": list(types),
        "unseen": unseen,
        "labels": list(labels),
        "kinds": list(ERROR_KINDS if spans else _TAG_KINDS),
        "files": list(file_ids),
        "total": len(sentences),
        "sentences": rows,
    }


def write_error_page(
    path: Path, splits: Iterable[Mapping[str, Any]], *, title: str, runs: Sequence[str] = ("this run",)
) -> None:
    """Write the page.

    Args:
        path: the HTML file; replaced only after the page is complete.
        splits: results of `split_errors`; the page opens on the first.
        title: heading of the page.
        runs: the name of each run.
    """
    template = (files(__package__) / "error_page.html").read_text(encoding="utf-8")
    data = json.dumps(
        {"title": title, "runs": list(runs), "splits": list(splits)},
        ensure_ascii=False,
        separators=(",", ":"),
    )
    data = _UNSAFE_IN_SCRIPT.sub(lambda match: f"\\u{ord(match[0]):04x}", data)
    before, after = template.split("{{data}}")
    page = before.replace("{{title}}", html.escape(title)) + data + after
    with replaced_file(path) as made:
        made.write_text(page, encoding="utf-8")


def _check_same_sentences(
    name: str, sentences: Sequence[TaggedTriple], other: Sequence[TaggedTriple]
) -> None:
    remedy = "compare two runs on the same corpus and the same column of tags"
    if len(sentences) != len(other):
        raise SeqlabError(
            f"the two runs have different sentences of {name}",
            expected=f"{len(sentences)} sentences, as in the first run",
            received=f"{len(other)} sentences",
            remedy=remedy,
        )
    for number, (first, second) in enumerate(zip(sentences, other, strict=True), start=1):
        for what, a, b in (("tokens", first[0], second[0]), ("gold tags", first[1], second[1])):
            if list(a) != list(b):
                raise SeqlabError(
                    f"the two runs have different {what} in sentence {number} of {name}",
                    expected=" ".join(a),
                    received=" ".join(b),
                    remedy=remedy,
                )


def _items(tags: Sequence[str], spans: bool) -> list[Span]:
    """Return the spans, or each tag as a span of one token."""
    return extract_spans(tags) if spans else [(tag, i, i + 1) for i, tag in enumerate(tags)]


def _encode(items: Iterable[Span], labels: dict[str, int], spans: bool) -> list[Any]:
    return [
        [labels.setdefault(label, len(labels)), start, end]
        if spans
        else labels.setdefault(label, len(labels))
        for label, start, end in items
    ]


def _errors(gold: list[Span], predicted: list[Span], spans: bool) -> list[list[int]]:
    if not spans:
        return [[0, i, i] for i, (a, b) in enumerate(zip(gold, predicted, strict=True)) if a != b]
    return [
        [
            ERROR_KINDS.index(kind),
            -1 if first is None else gold.index(first),
            -1 if second is None else predicted.index(second),
        ]
        for kind, first, second in span_errors(gold, predicted)
    ]
