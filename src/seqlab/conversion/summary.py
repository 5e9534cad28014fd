"""What a conversion prints: what was written and left out, and the parameters that use the result."""

from __future__ import annotations

from collections.abc import Sequence

from seqlab.conversion.converting import Conversion
from seqlab.corpus.check_report import format_findings
from seqlab.corpus.findings import count_of, printable

_SPLITS = {"train": ("train",), "dev": ("dev", "val"), "test": ("test",)}


def format_conversions(conversions: Sequence[Conversion], *, max_per_kind: int) -> str:
    """Format what was left out or changed, then the files that were written."""
    lines = format_findings([conversion.errors for conversion in conversions], "", max_per_kind)
    lines += format_findings([conversion.warnings for conversion in conversions], "warning: ", max_per_kind)
    for conversion in conversions:
        sentences, tokens = (
            count_of(conversion.sentences, "sentence"),
            count_of(conversion.tokens, "token"),
        )
        lines.append(f"{conversion.source.path} -> {conversion.output}: {sentences}, {tokens}")
    return "\n".join(map(printable, lines))


def format_parameters(conversions: Sequence[Conversion], *, tag_scheme: str) -> str:
    """Format the lines of `params.yaml` that use the files as a corpus.

    A file whose name begins with train, dev, val or test is that split. Without dev, a part of train is used.
    """
    files: dict[str, str] = {}
    for conversion in conversions:
        name = conversion.source.name.lower()
        split = next((split for split, starts in _SPLITS.items() if name.startswith(starts)), None)
        if split and split not in files:
            files[split] = str(conversion.output)
    first = conversions[0]
    train = files.get("train", str(first.output))
    spans = first.span_columns
    tags = [name for name in first.columns if name not in spans]
    tasks = {"ner": spans[0]} if spans else {}
    if tags:
        tasks["pos"] = tags[0]
    lines = [
        "corpus:",
        "  name: files",
        "  files:",
        f"    train: {train}",
        f"    dev: {files.get('dev', train)}",
        f"    test: {files['test']}" if "test" in files else "    test: ...  # a file that is not in train",
        f"    columns: [{', '.join(['token', *first.columns])}]",
        "    separator: tab",
        '    comment_prefix: "# "',
        f"    tag_scheme: {tag_scheme}",
        f"tasks: [{', '.join(tasks)}]",
    ]
    for task, column in tasks.items():
        if column != {"ner": "ner", "pos": "upos"}[task]:
            lines += [f"{task}:", f"  column: {column}"]
    return "\n".join(lines)
