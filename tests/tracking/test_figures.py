from __future__ import annotations

from typing import Any

import matplotlib
import pytest
from matplotlib.figure import Figure

from seqlab.tracking.figures import confusion_figure, learning_curve_figure, span_scores_figure


def history(**more: Any) -> list[dict[str, Any]]:
    return [
        {"epoch": epoch, "train_loss": 1 / epoch, "span_f1": score, "token_accuracy": 0.9, **more}
        for epoch, score in ((1, 0.2), (2, 0.7), (3, 0.6))
    ]


def texts(figure: Figure) -> str:
    figure.draw_without_rendering()
    return "\n".join(text.get_text() for text in figure.findobj(matplotlib.text.Text))


def test_learning_curves_mark_the_best_epoch() -> None:
    figure = learning_curve_figure(history(loss=0.4, learning_rate=1e-3), title="ner on sample (synthetic)")
    assert len(figure.axes) == 3
    labels = texts(figure)
    for text in ("ner on sample (synthetic)", "dev span F1", "dev token accuracy", "best: 0.7000", "dev"):
        assert text in labels
    assert list(figure.axes[0].lines[0].get_ydata()) == [1, 1 / 2, 1 / 3]


def test_learning_curves_of_one_epoch_without_scores() -> None:
    figure = learning_curve_figure([{"epoch": 1, "train_loss": 0.3}], title="pos on mine")
    assert len(figure.axes) == 2
    assert "best" not in texts(figure)


def test_the_confusion_matrix_is_normalised_by_gold_tag_and_sorted_by_frequency() -> None:
    rows = [
        {"actual": "VERB", "predicted": "VERB", "count": 1},
        {"actual": "NOUN", "predicted": "NOUN", "count": 9},
        {"actual": "NOUN", "predicted": "VERB", "count": 3},
        {"actual": "VERB", "predicted": "NOUN", "count": 1},
        {"actual": "NOUN", "predicted": "X", "count": 0},
    ]
    figure = confusion_figure(rows, title="pos on ewt")
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["NOUN (12)", "VERB (2)", "X (0)"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["NOUN", "VERB", "X"]
    assert axes.images[0].get_array().tolist() == [[0.75, 0.25, 0], [0.5, 0.5, 0], [0, 0, 0]]
    assert "pos on ewt" in texts(figure)


def test_a_tag_is_no_formula() -> None:
    tag = r"$\nonsense{$"  # a syntax error, if it were one
    confusion = confusion_figure([{"actual": tag, "predicted": "PRP$", "count": 2}], title="pos")
    scores = span_scores_figure([{"tag": tag, "gold": 2, "token_accuracy": 0.5, "f1": 0.5}], title="pos")
    for figure in (confusion, scores):
        assert r"\nonsense" in texts(figure)


def test_rare_tags_are_merged() -> None:
    rows = [{"actual": f"T{n}", "predicted": f"T{n}", "count": 30 - n} for n in range(30)]
    axes = confusion_figure(rows, title="pos").axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == [*(f"T{n} ({30 - n})" for n in range(19)), f"(other) ({sum(range(1, 12))})"]


def test_scores_by_type_are_sorted_by_frequency_after_the_total() -> None:
    score = {"span_precision": 0.5, "span_recall": 0.25, "span_f1": 1 / 3}
    rows = [
        {"entity_type": name, "gold": gold, **score}
        for name, gold in (("LOC", 5), ("PER", 20_500), ("(all)", 7))
    ]
    figure = span_scores_figure(rows, title="ner on sample (synthetic)")
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["(all)\n7", "PER\n20.5k", "LOC\n5"]
    assert [bar.get_height() for bar in axes.patches[:3]] == [0.5, 0.5, 0.5]
    assert len(axes.patches) == 9
    labels = texts(figure)
    assert "span F1" in labels
    assert "33" in labels


@pytest.mark.parametrize("count", [1, 60])
def test_scores_by_tag(count: int) -> None:
    rows = [{"tag": f"T{n}", "token_accuracy": 0.5, "f1": 0.5, "gold": 100 - n} for n in range(count)]
    figure = span_scores_figure(rows, title="pos on ewt")
    assert len(figure.axes[0].get_xticklabels()) == min(count, 25)
    assert "tokens by tag" in texts(figure)


def test_no_entities() -> None:
    assert "spans by type" not in texts(span_scores_figure([], title="ner on mine"))
