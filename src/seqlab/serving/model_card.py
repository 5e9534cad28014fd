"""The model card: what a tagger is, what it was trained on, how good it is, and where it fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_TASKS = {"ner": "named entities", "pos": "parts of speech"}


def model_card(
    config: Mapping[str, Any],
    *,
    corpus: Mapping[str, Any],
    scores: Mapping[str, Mapping[str, Any]],
    section: Mapping[str, Any],
    commit: str,
    dirty: bool,
) -> str:
    """The card as Markdown.

    Args:
        config: the export's `config.json`.
        corpus: what prepare wrote in corpus.json.
        scores: by split, what evaluate wrote in evaluate.json.
        section: the task's section of params.yaml.
        commit: the Git commit that the model was exported at, or `none`.
        dirty: whether files differed from that commit.
    """
    task = config["task"]
    encoder, head = section["encoder"]["type"], section["head"]["type"]
    parts = [
        f"# seqlab {task}: {_TASKS.get(task, task)} by a {encoder} tagger",
        _what(config, encoder=encoder, head=head),
        "## Trained on\n\n" + _corpus(corpus),
        "## Scores\n\n" + _score_table(scores),
    ]
    test = scores["test"]
    if corpus["synthetic"]:
        parts.append("**The corpus is synthetic: these scores say nothing about real text.**")
    if "per_type" in test:
        names = ("span_precision", "span_recall", "span_f1")
        parts.append("### By entity type, on test\n\n" + _type_table(test["per_type"], names, unit="spans"))
    else:
        names = ("precision", "recall", "f1")
        parts.append("### By tag, on test\n\n" + _type_table(test["per_tag"], names, unit="tokens"))
    spelling = " Spans are spelt in IOB2 here." if config["tag_scheme"] else ""
    parts.append("## Known failures\n\n" + _failures(test.get("most_confused", []), spelling))
    parts.append("## Intended use\n\n" + _use(corpus))
    parts.append("## How to reproduce it\n\n" + _reproduce(config, commit=commit, dirty=dirty))
    return "\n\n".join(parts) + "\n"


def _what(config: Mapping[str, Any], *, encoder: str, head: str) -> str:
    scheme = f", spelt in {config['tag_scheme']}" if config["tag_scheme"] else ""
    tags = ", ".join(f"`{tag}`" for tag in config["tags"][2:])
    return (
        f"Tags each token of a sentence. Encoder: {encoder}; head: {head}. It knows "
        f"{len(config['tags']) - 2} tags{scheme}: {tags}."
    )


def _corpus(corpus: Mapping[str, Any]) -> str:
    beside = ", ".join(f"`{column}`" for column in corpus.get("auxiliary_columns", []))
    lines = [
        f"- Corpus: {corpus['corpus']} ({corpus['title']}), column `{corpus['column']}`"
        + (f", learned together with {beside}" if beside else ""),
        f"- Licence: {corpus['licence']}",
        f"- Digest: `{corpus['digest']}`",
    ]
    rows = [
        [split, f"{counts['sentences']:,}", f"{counts['tokens']:,}"]
        for split, counts in corpus["splits"].items()
    ]
    return "\n".join(lines) + "\n\n" + _table(["split", "sentences", "tokens"], rows)


def _score_table(scores: Mapping[str, Mapping[str, Any]]) -> str:
    names = {
        "span_f1": "span F1",
        "span_precision": "span precision",
        "span_recall": "span recall",
        "token_accuracy": "token accuracy",
    }
    shown = [name for name in names if name in scores["test"]]
    rows = [[names[name], *(_with_interval(scores[split], name) for split in scores)] for name in shown]
    return _table(["score", *scores], rows) + "\n\nIn brackets: 95 % intervals, by resampling sentences."


def _with_interval(row: Mapping[str, Any], name: str) -> str:
    interval = row.get(f"{name}_interval")
    low_high = f" [{interval[0]:.4f}, {interval[1]:.4f}]" if interval else ""
    return f"{row[name]:.4f}{low_high}"


def _type_table(per_type: Mapping[str, Mapping[str, Any]], names: Sequence[str], *, unit: str) -> str:
    rows = [
        [f"`{name}`", *(f"{row[key]:.4f}" for key in names), f"{row['gold']:,}"]
        for name, row in per_type.items()
    ]
    return _table(["type", "precision", "recall", "F1", f"{unit} in gold"], rows)


def _failures(confused: Sequence[Mapping[str, Any]], spelling: str) -> str:
    if not confused:
        return "No tag of test was wrong."
    lines = [
        "The tags most often taken for others on test; the token in question stands between `>>` and `<<`."
        + spelling
    ]
    for row in confused:
        lines.append(
            f"\n- `{row['gold']}` taken for `{row['predicted']}`: {row['count']} tokens, "
            f"{row['share']:.1%} of `{row['gold']}`"
        )
        lines += [f"  - {_escaped(example)}" for example in row["examples"]]
    return "\n".join(lines)


def _use(corpus: Mapping[str, Any]) -> str:
    data = (
        "for trying the pipeline out, and for nothing else"
        if corpus["synthetic"]
        else ("for text like that it was trained on: same language, same kind of writing")
    )
    return (
        f"It is made {data}. One sentence at a time, tokenised as the Penn Treebank is. Scores fall on "
        "other domains, and a probability is no promise. Do not decide about people by its output alone."
    )


def _reproduce(config: Mapping[str, Any], *, commit: str, dirty: bool) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in config["versions"].items())
    state = f"commit `{commit}`" + (" with changes that were not committed" if dirty else "")
    return (
        f"From {state}:\n\n```\ngit checkout {commit}\nmake repro\n```\n\n"
        f"MLflow run `{config['run_id']}` of experiment `{config['experiment']}` has every parameter. "
        f"Versions: {versions}."
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _escaped(example: str) -> str:
    return "`" + example.replace("`", "'") + "`"
