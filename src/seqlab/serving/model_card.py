"""The model card: what a tagger is, its training data, its scores, its errors and its exported forms."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

_TASKS = {"ner": "named entities", "pos": "parts of speech"}
_FORMS = {
    "keras": "Keras",
    "saved_model": "SavedModel",
    "onnx": "ONNX",
    "pyfunc": "MLflow model",
    "tag": "`seqlab tag`, on ONNX Runtime",
}
_SCORES = {
    "span_f1": "span F1",
    "span_precision": "span precision",
    "span_recall": "span recall",
    "token_accuracy": "token accuracy",
}


def model_card(
    config: Mapping[str, Any],
    *,
    corpus: Mapping[str, Any],
    scores: Mapping[str, Mapping[str, Any]],
    section: Mapping[str, Any],
    commit: str,
    dirty: bool,
    forms: Sequence[str],
    unavailable: Mapping[str, str],
) -> str:
    """Return the model card in Markdown.

    Args:
        config: the content of the export's `config.json`.
        corpus: the content of corpus.json.
        scores: the content of evaluate.json, by split.
        section: the task's section of params.yaml.
        commit: the Git commit of the export, or `none`.
        dirty: whether there were uncommitted changes.
        forms: `keras` and the exported forms, by the names of `runners.RUNNERS`.
        unavailable: for each form that could not be exported, the reason.
    """
    task, test = config["task"], scores["test"]
    encoder, head = section["encoder"]["type"], section["head"]["type"]
    parts = [
        f"# seqlab {task}: {_TASKS.get(task, task)} by a {encoder} tagger",
        _description(config, encoder=encoder, head=head),
        *_pretrained(corpus),
        "## Training data\n\n" + _corpus(corpus),
        "## Scores\n\n" + _score_table(scores),
    ]
    if corpus["synthetic"]:
        parts.append("**The corpus is synthetic: these scores say nothing about real text.**")
    if "per_type" in test:
        names = ("span_precision", "span_recall", "span_f1")
        parts.append("### By entity type, on test\n\n" + _type_table(test["per_type"], names, unit="spans"))
    else:
        names = ("precision", "recall", "f1")
        parts.append("### By tag, on test\n\n" + _type_table(test["per_tag"], names, unit="tokens"))
    scheme = " Tags are in IOB2." if config["tag_scheme"] else ""
    parts.append("## Most frequent errors\n\n" + _errors(test.get("most_confused", []), scheme))
    parts.append("## Exported forms\n\n" + _exported_forms(forms, unavailable))
    parts.append("## Intended use\n\n" + _intended_use(corpus))
    parts.append("## How to reproduce it\n\n" + _reproduction(config, commit=commit, dirty=dirty))
    return "\n\n".join(parts) + "\n"


def _description(config: Mapping[str, Any], *, encoder: str, head: str) -> str:
    scheme = f" in {config['tag_scheme']}" if config["tag_scheme"] else ""
    tags = ", ".join(map(_code, config["tags"][2:]))
    return (
        f"Tags each token of a sentence. Encoder: {encoder}; head: {head}. "
        f"{len(config['tags']) - 2} tags{scheme}: {tags}."
    )


def _pretrained(corpus: Mapping[str, Any]) -> list[str]:
    files = corpus.get("pretrained")
    if not files:
        return []
    licence = _text(files["licence"]) if files["licence"] else "not named by its files; ask who published it"
    return [
        f"## Pretrained encoder\n\n- Source: {_code(files['source'])}\n- Licence: {licence}\n"
        f"- Digest: `{files['digest']}`"
    ]


def _corpus(corpus: Mapping[str, Any]) -> str:
    auxiliary = ", ".join(map(_code, corpus.get("auxiliary_columns", [])))
    lines = [
        f"- Corpus: {_text(corpus['corpus'])} ({_text(corpus['title'])}), column {_code(corpus['column'])}"
        + (f", with the auxiliary columns {auxiliary}" if auxiliary else ""),
        f"- Licence: {_text(corpus['licence'])}",
        f"- Digest: `{corpus['digest']}`",
    ]
    rows = [
        [split, f"{counts['sentences']:,}", f"{counts['tokens']:,}"]
        for split, counts in corpus["splits"].items()
    ]
    return "\n".join(lines) + "\n\n" + _table(["split", "sentences", "tokens"], rows)


def _score_table(scores: Mapping[str, Mapping[str, Any]]) -> str:
    def cell(row: Mapping[str, Any], name: str) -> str:
        interval = row.get(f"{name}_interval")
        return f"{row[name]:.4f}" + (f" [{interval[0]:.4f}, {interval[1]:.4f}]" if interval else "")

    shown = [name for name in _SCORES if name in scores["test"]]
    rows = [[_SCORES[name], *(cell(row, name) for row in scores.values())] for name in shown]
    return _table(["score", *scores], rows) + "\n\nIn brackets: 95 % intervals, from resampled sentences."


def _type_table(per_type: Mapping[str, Mapping[str, Any]], names: Sequence[str], *, unit: str) -> str:
    rows = [
        [_code(name), *(f"{row[key]:.4f}" for key in names), f"{row['gold']:,}"]
        for name, row in per_type.items()
    ]
    return _table(["type", "precision", "recall", "F1", f"{unit} in gold"], rows)


def _errors(confused: Sequence[Mapping[str, Any]], scheme: str) -> str:
    if not confused:
        return "All tags of test are correct."
    lines = [f"The most frequent confusions on test; `>>` and `<<` mark the token.{scheme}"]
    for row in confused:
        lines.append(
            f"\n- {_code(row['predicted'])} instead of {_code(row['gold'])}: {row['count']} tokens, "
            f"{row['share']:.1%} of {_code(row['gold'])}"
        )
        lines += [f"  - {_code(example)}" for example in row["examples"]]
    return "\n".join(lines)


def _exported_forms(forms: Sequence[str], unavailable: Mapping[str, str]) -> str:
    lines = [f"- {_FORMS[name]}" for name in forms]
    lines += [f"- not available: {_FORMS[name]} ({_text(reason)})" for name, reason in unavailable.items()]
    return "\n".join(lines)


def _intended_use(corpus: Mapping[str, Any]) -> str:
    texts = "text of the same language and kind as its training data"
    return (
        f"For {'trying out the pipeline only' if corpus['synthetic'] else texts}. Input is one sentence at a "
        "time, tokenised as in the Penn Treebank. Scores are lower in other domains, and probabilities are "
        "not calibrated. Do not make decisions about people from its output alone."
    )


def _reproduction(config: Mapping[str, Any], *, commit: str, dirty: bool) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in config["versions"].items())
    state = f"commit `{commit}`" + (" with uncommitted changes" if dirty else "")
    return (
        f"In a clone of its repository, with MLFLOW_TRACKING_URI set to its store of runs:\n\n```\n"
        f"seqlab reproduce {config['run_id']}\n```\n\n"
        f"This trains from the commit, changes, parameters and data of MLflow run `{config['run_id']}` of "
        f"experiment `{config['experiment']}`, and compares. Exported from {state}. Versions: {versions}."
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    escaped = ([cell.replace("|", "\\|") for cell in cells] for cells in lines)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in escaped)


def _code(text: str) -> str:
    """Return text as code, in which Markdown and HTML mean nothing; a backtick would end it."""
    return f"`{text.replace('`', chr(39))}`"


def _text(text: str) -> str:
    return html.escape(text, quote=False)
