"""Pictures of a run, from plain rows; nothing is drawn on a screen and no state is shared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = Mapping[str, Any]

TRAIN_COLOUR, DEV_COLOUR, RATE_COLOUR = "#3b6ea5", "#d1702f", "#6b6b6b"
_SCORE_COLOURS = {
    "span_precision": "#9db8d3",
    "span_recall": "#5f8fbf",
    "span_f1": "#1f4e79",
    "token_accuracy": "#9db8d3",
    "f1": "#1f4e79",
}
_DEV_STYLES = ("-", "--", ":", "-.")
_SCORE_NAMES = {
    "span_precision": "span precision",
    "span_recall": "span recall",
    "span_f1": "span F1",
    "token_accuracy": "token accuracy",
    "f1": "F1",
}
_NO_SCORES = frozenset(
    ("epoch", "steps", "tokens", "duration_s", "padding_efficiency", "train_loss", "learning_rate")
)
_OTHER = "(other)"


def learning_curve_figure(history: Sequence[Row], *, title: str, monitor: str = "") -> Figure:
    """Loss, dev scores and learning rate over epochs, with the best epoch marked.

    Args:
        history: a row per epoch: `epoch`, `train_loss`, perhaps `loss` (on dev) and `learning_rate`;
            every key that is not known otherwise is a dev score (0..1).
        title: task and corpus, `synthetic` with it where that holds.
        monitor: the score that chooses the best epoch; by default `span_f1`, or else the first.
    """
    names = [key for key in history[0] if key not in _NO_SCORES and key != "loss"]
    with_rate = "learning_rate" in history[0]
    figure = _new_figure(width=13.5 if with_rate else 9.5, height=4.0, title=title)
    axes = figure.subplots(1, 3 if with_rate else 2)
    epochs = [int(row["epoch"]) for row in history]

    _line(axes[0], epochs, history, "train_loss", label="train", colour=TRAIN_COLOUR)
    if "loss" in history[0]:
        _line(axes[0], epochs, history, "loss", label="dev", colour=DEV_COLOUR)
    axes[0].set(title="loss per token", ylim=(0, None))

    for name, style in zip(names, _DEV_STYLES * len(names), strict=False):
        label = f"dev {_SCORE_NAMES.get(name, name)}"
        _line(axes[1], epochs, history, name, label=label, colour=DEV_COLOUR, style=style)
    axes[1].set(title="score on dev", ylim=(None, 1.01 if names else None))
    if names:
        monitor = monitor or ("span_f1" if "span_f1" in names else names[0])
        _mark_best(axes[1], history, monitor)

    if with_rate:
        _line(axes[2], epochs, history, "learning_rate", label="", colour=RATE_COLOUR)
        axes[2].set(title="learning rate", ylim=(0, None))
        axes[2].ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    for axis in axes:
        axis.set_xlabel("epoch")
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.grid(alpha=0.3)
        if axis.get_legend_handles_labels()[0]:
            axis.legend(frameon=False)
    return figure


def confusion_figure(rows: Sequence[Row], *, title: str, top: int = 20) -> Figure:
    """Which tags are taken for which: each row is a gold tag, and its shares add up to one.

    Args:
        rows: a row per cell: `actual`, `predicted` (tags) and `count` (tokens).
        title: task and corpus.
        top: how many tags are shown, the most frequent gold ones; the rest is one row and column `(other)`.
    """
    gold: Counter[str] = Counter()
    for row in rows:
        gold[row["actual"]] += row["count"]
    # A tag with no gold token still has a column, if it is ever predicted.
    ranked = sorted(
        {row[key] for row in rows for key in ("actual", "predicted")}, key=lambda t: (-gold[t], t)
    )
    tags = ranked if len(ranked) <= top else [*ranked[: top - 1], _OTHER]
    place = {tag: index for index, tag in enumerate(tags)}
    counts = [[0] * len(tags) for _ in tags]
    for row in rows:
        actual, predicted = (place.get(row[key], len(tags) - 1) for key in ("actual", "predicted"))
        counts[actual][predicted] += row["count"]
    totals = [sum(line) for line in counts]
    shares = [[cell / (total or 1) for cell in line] for line, total in zip(counts, totals, strict=True)]

    size = max(5.0, 0.42 * len(tags) + 2.6)
    figure = _new_figure(width=size + 1.0, height=size, title=f"{title}: confusion of tags (test)")
    axes = figure.subplots()
    picture = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    labels = [f"{tag} ({_short(total)})" for tag, total in zip(tags, totals, strict=True)]
    axes.set_xticks(range(len(tags)), tags, rotation=90)
    axes.set_yticks(range(len(tags)), labels)
    axes.set(xlabel="predicted tag", ylabel="gold tag (tokens)")
    for y, line in enumerate(shares):
        for x, share in enumerate(line):
            if share >= 0.005:
                axes.text(
                    x,
                    y,
                    f"{100 * share:.0f}",
                    ha="center",
                    va="center",
                    fontsize=7,
                    color="white" if share > 0.55 else "black",
                )
    figure.colorbar(picture, ax=axes, shrink=0.8, label="share of the gold tag's tokens (in cells: %)")
    return figure


def span_scores_figure(rows: Sequence[Row], *, title: str, top: int = 25) -> Figure:
    """Scores by entity type, or by tag where tags are not spans, as bars.

    Args:
        rows: `entity_type` (or `tag`), `gold` (how many there are), and scores (0..1): `span_precision`,
            `span_recall`, `span_f1`, or `token_accuracy`, `f1`. A type in round brackets is a
            total and comes first.
        title: task and corpus.
        top: how many are shown, the most frequent ones.
    """
    name = "entity_type" if rows and "entity_type" in rows[0] else "tag"
    what = "spans by type" if name == "entity_type" else "tokens by tag"
    shown = sorted(rows, key=lambda row: (not str(row[name]).startswith("("), -row["gold"], row[name]))[:top]
    scores = [key for key in _SCORE_COLOURS if shown and key in shown[0]]
    figure = _new_figure(width=max(6.0, 2.0 + 0.75 * len(shown)), height=4.4, title=f"{title}: {what} (test)")
    axes = figure.subplots()
    width = 0.8 / max(1, len(scores))
    for index, score in enumerate(scores):
        offset = (index - (len(scores) - 1) / 2) * width
        positions = [place + offset for place in range(len(shown))]
        bars = axes.bar(
            positions,
            [row[score] for row in shown],
            width=width,
            color=_SCORE_COLOURS[score],
            label=_SCORE_NAMES[score],
        )
        if index == len(scores) - 1:
            axes.bar_label(bars, fmt=lambda value: f"{100 * value:.0f}", fontsize=7, padding=2)
    rotation = 0 if len(shown) <= 8 else 60
    axes.set_xticks(
        range(len(shown)),
        [f"{row[name]}\n{_short(row['gold'])}" for row in shown],
        rotation=rotation,
        ha="center" if rotation == 0 else "right",
        rotation_mode="anchor" if rotation else "default",
    )
    axes.set(ylim=(0, 1.06), ylabel="score", xlabel="below each name: how many are in test")
    axes.grid(axis="y", alpha=0.3)
    axes.margins(x=0.02)
    axes.set_axisbelow(True)
    figure.legend(
        *axes.get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=len(scores) or 1
    )
    return figure


def _new_figure(*, width: float, height: float, title: str) -> Figure:
    # A figure without pyplot needs no screen: it draws itself with Agg when it is saved.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(title, fontsize=12)
    return figure


def _line(
    axes: Axes,
    epochs: Sequence[int],
    history: Sequence[Row],
    key: str,
    *,
    label: str,
    colour: str,
    style: str = "-",
) -> None:
    values = [row[key] for row in history]
    axes.plot(epochs, values, linestyle=style, marker="o", markersize=3, color=colour, label=label or None)


def _mark_best(axes: Axes, history: Sequence[Row], monitor: str) -> None:
    best = max(history, key=lambda row: row[monitor])
    axes.axvline(int(best["epoch"]), color=DEV_COLOUR, alpha=0.35, linewidth=1)
    axes.annotate(
        f"best: {best[monitor]:.4f}",
        (int(best["epoch"]), best[monitor]),
        xytext=(0, -14),
        textcoords="offset points",
        ha="right",
        fontsize=8,
        color=DEV_COLOUR,
    )


def _short(count: int) -> str:
    return f"{count / 1000:.1f}k" if count >= 10_000 else f"{count:,}"
