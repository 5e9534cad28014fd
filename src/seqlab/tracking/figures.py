"""Figures of a run, plotted from plain rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = Mapping[str, Any]

TRAIN_COLOUR, DEV_COLOUR, RATE_COLOUR = "#3b6ea5", "#d1702f", "#6b6b6b"
# Scores by their keys: a readable name, and the colour of the bars.
_SCORES = {
    "span_precision": ("span precision", "#9db8d3"),
    "span_recall": ("span recall", "#5f8fbf"),
    "span_f1": ("span F1", "#1f4e79"),
    "token_accuracy": ("token accuracy", "#9db8d3"),
    "f1": ("F1", "#1f4e79"),
}
_DEV_STYLES = ("-", "--", ":", "-.")
_NOT_SCORES = frozenset(
    ("epoch", "steps", "tokens", "duration_s", "padding_efficiency", "train_loss", "loss", "learning_rate")
)
_OTHER = "(other)"
_MAX_TAGS = 20
_MAX_BARS = 25


def learning_curve_figure(history: Sequence[Row], *, title: str) -> Figure:
    """Plot loss, dev scores and learning rate over epochs, and mark the best epoch.

    Args:
        history: a row per epoch with `epoch`, `train_loss`, and optionally `loss` (on dev) and
            `learning_rate`; the other keys, except an epoch's sizes and times, are dev scores (0..1).
            The best epoch has the highest span F1, or else the highest first score.
        title: the figure's title.
    """
    names = [key for key in history[0] if key not in _NOT_SCORES]
    with_rate = "learning_rate" in history[0]
    figure = _new_figure(width=13.5 if with_rate else 9.5, height=4.0, title=title)
    axes = figure.subplots(1, 3 if with_rate else 2)
    epochs = [int(row["epoch"]) for row in history]

    def plot(axis: Axes, key: str, label: str, colour: str, style: str = "-") -> None:
        values = [row[key] for row in history]
        axis.plot(epochs, values, style, marker="o", markersize=3, color=colour, label=label or None)

    plot(axes[0], "train_loss", "train", TRAIN_COLOUR)
    if "loss" in history[0]:
        plot(axes[0], "loss", "dev", DEV_COLOUR)
    axes[0].set(title="loss per token", ylim=(0, None))

    for name, style in zip(names, cycle(_DEV_STYLES), strict=False):
        plot(axes[1], name, f"dev {_SCORES[name][0] if name in _SCORES else name}", DEV_COLOUR, style)
    axes[1].set(title="score on dev", ylim=(None, 1.01 if names else None))
    if names:
        score = "span_f1" if "span_f1" in names else names[0]
        best = max(history, key=lambda row: row[score])
        axes[1].axvline(int(best["epoch"]), color=DEV_COLOUR, alpha=0.35, linewidth=1)
        x, y = int(best["epoch"]), best[score]
        axes[1].text(x, y, f"\nbest: {y:.4f}", ha="right", va="top", fontsize=8, color=DEV_COLOUR)

    if with_rate:
        plot(axes[2], "learning_rate", "", RATE_COLOUR)
        axes[2].set(title="learning rate", ylim=(0, None))
        axes[2].ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    for axis in axes:
        axis.set_xlabel("epoch")
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.grid(alpha=0.3)
        if axis.get_legend_handles_labels()[0]:
            axis.legend(frameon=False)
    return figure


def confusion_figure(rows: Sequence[Row], *, title: str) -> Figure:
    """Plot the confusion matrix of tags. Each row is a gold tag, and its shares sum to 1.

    If there are more than 20 tags, those with the fewest gold tokens are merged into `(other)`. `rows` has a
    row per cell: `actual` and `predicted` (tags), and `count` (tokens).
    """
    gold: Counter[str] = Counter()
    for row in rows:
        gold[row["actual"]] += row["count"]
    # Tags without gold tokens are included: they may have been predicted.
    ranked = sorted(
        {row[key] for row in rows for key in ("actual", "predicted")}, key=lambda tag: (-gold[tag], tag)
    )
    tags = ranked if len(ranked) <= _MAX_TAGS else [*ranked[: _MAX_TAGS - 1], _OTHER]
    index = {tag: position for position, tag in enumerate(tags)}
    counts = [[0] * len(tags) for _ in tags]
    for row in rows:
        actual, predicted = (index.get(row[key], len(tags) - 1) for key in ("actual", "predicted"))
        counts[actual][predicted] += row["count"]
    totals = [sum(line) for line in counts]
    shares = [[cell / (total or 1) for cell in line] for line, total in zip(counts, totals, strict=True)]

    size = max(5.0, 0.42 * len(tags) + 2.6)
    figure = _new_figure(width=size + 1.0, height=size, title=f"{title}: confusion of tags (test)")
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    labels = [_literal(f"{tag} ({_short(total)})") for tag, total in zip(tags, totals, strict=True)]
    axes.set_xticks(range(len(tags)), map(_literal, tags), rotation=90)
    axes.set_yticks(range(len(tags)), labels)
    axes.set(xlabel="predicted tag", ylabel="gold tag (tokens)")
    for y, line in enumerate(shares):
        for x, share in enumerate(line):
            if share >= 0.005:
                colour = "white" if share > 0.55 else "black"
                axes.text(x, y, f"{100 * share:.0f}", ha="center", va="center", fontsize=7, color=colour)
    figure.colorbar(image, ax=axes, shrink=0.8, label="share of the gold tag's tokens (in cells: %)")
    return figure


def span_scores_figure(rows: Sequence[Row], *, title: str) -> Figure:
    """Plot scores by entity type, or by tag for tags that do not encode spans, as bars.

    The 25 most frequent types or tags are shown, after totals, whose names are in round brackets. `rows` has
    `entity_type` (or `tag`), `gold` (number in the corpus), and scores (0..1): `span_precision`,
    `span_recall` and `span_f1`, or `token_accuracy` and `f1`.
    """
    key = "entity_type" if rows and "entity_type" in rows[0] else "tag"
    unit = "spans by type" if key == "entity_type" else "tokens by tag"
    shown = sorted(rows, key=lambda row: (not str(row[key]).startswith("("), -row["gold"], row[key]))
    shown = shown[:_MAX_BARS]
    scores = [score for score in _SCORES if shown and score in shown[0]]
    figure = _new_figure(width=max(6.0, 2.0 + 0.75 * len(shown)), height=4.4, title=f"{title}: {unit} (test)")
    axes = figure.subplots()
    width = 0.8 / max(1, len(scores))
    for index, score in enumerate(scores):
        offset = (index - (len(scores) - 1) / 2) * width
        positions = [position + offset for position in range(len(shown))]
        label, colour = _SCORES[score]
        bars = axes.bar(positions, [row[score] for row in shown], width=width, color=colour, label=label)
        if index == len(scores) - 1:
            axes.bar_label(bars, fmt=lambda value: f"{100 * value:.0f}", fontsize=7, padding=2)
    labels = [_literal(f"{row[key]}\n{_short(row['gold'])}") for row in shown]
    if len(shown) <= 8:
        axes.set_xticks(range(len(shown)), labels)
    else:
        axes.set_xticks(range(len(shown)), labels, rotation=60, ha="right", rotation_mode="anchor")
    axes.set(ylim=(0, 1.06), ylabel="score", xlabel="below each name: number in test")
    axes.grid(axis="y", alpha=0.3)
    axes.margins(x=0.02)
    axes.set_axisbelow(True)
    handles, names = axes.get_legend_handles_labels()
    figure.legend(handles, names, frameon=False, loc="outside lower center", ncols=len(scores) or 1)
    return figure


def _new_figure(*, width: float, height: float, title: str) -> Figure:
    # A figure created without pyplot needs no display and changes no global state.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(title, fontsize=12)
    return figure


def _literal(text: str) -> str:
    """Return text for Matplotlib, which would read what is between two dollar signs as a formula."""
    return text.replace("$", r"\$")


def _short(count: int) -> str:
    return f"{count / 1000:.1f}k" if count >= 10_000 else f"{count:,}"
