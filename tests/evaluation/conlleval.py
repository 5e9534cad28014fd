"""An independent implementation of the CoNLL-2000 scorer, which shares no code with seqlab.

Like the original script, it reads the file line by line and only remembers the previous line's tags, and
whether the current gold and predicted chunks have agreed so far. It never builds chunks, unlike seqlab.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

# Pairs of previous and current prefix between which a chunk ends or starts, if the type is the same.
ENDS = {"BB", "BO", "IB", "IO", "EE", "EI", "EO"}
STARTS = {"BB", "IB", "OB", "OI", "EE", "EI", "OE"}

# Rules that later ports of the scorer add for BIOES.
BIOES_ENDS = {"BS", "IS", "ES", "EB", "SE", "SI", "SO", "SS", "SB"}
BIOES_STARTS = {"SB", "EB", "BS", "IS", "OS", "SS", "ES", "SI", "SE"}


@dataclass
class Tally:
    tokens: int = 0
    correct_tokens: int = 0
    gold: Counter[str] = field(default_factory=Counter)
    predicted: Counter[str] = field(default_factory=Counter)
    correct: Counter[str] = field(default_factory=Counter)

    @property
    def accuracy(self) -> float:
        return 100.0 * self.correct_tokens / self.tokens if self.tokens else 0.0

    def percentages(self, entity_type: str | None = None) -> tuple[float, float, float]:
        """Precision, recall and F1 in percent, for one type or for all."""

        def count(counter: Counter[str]) -> int:
            return counter.total() if entity_type is None else counter[entity_type]

        precision = recall = f1 = 0.0
        if count(self.predicted) > 0:
            precision = 100.0 * count(self.correct) / count(self.predicted)
        if count(self.gold) > 0:
            recall = 100.0 * count(self.correct) / count(self.gold)
        if precision + recall > 0:
            f1 = 2 * precision * recall / (precision + recall)
        return precision, recall, f1


def conlleval(text: str, *, bioes: bool) -> Tally:
    """Score a file of `token ... gold predicted` lines; `bioes` adds the rules of the later ports."""
    ends = ENDS | BIOES_ENDS if bioes else ENDS
    starts = STARTS | BIOES_STARTS if bioes else STARTS

    def ended(before: tuple[str, str], now: tuple[str, str]) -> bool:
        return before[0] + now[0] in ends or (before[0] != "O" and before[1] != now[1])

    def started(before: tuple[str, str], now: tuple[str, str]) -> bool:
        return before[0] + now[0] in starts or (now[0] != "O" and before[1] != now[1])

    tally = Tally()
    agreeing = False
    last_gold = last_predicted = ("O", "")
    for line in [*text.split("\n"), ""]:
        fields = line.split(" ") if line else ["-X-", "O", "O"]
        gold, predicted = split_tag(fields[-2]), split_tag(fields[-1])
        if fields[0] == "-X-":
            predicted = ("O", "")
        else:
            tally.tokens += 1
            tally.correct_tokens += gold == predicted

        gold_ended, predicted_ended = ended(last_gold, gold), ended(last_predicted, predicted)
        gold_started, predicted_started = started(last_gold, gold), started(last_predicted, predicted)
        if agreeing and gold_ended and predicted_ended and last_gold[1] == last_predicted[1]:
            tally.correct[last_gold[1]] += 1
            agreeing = False
        elif agreeing and (gold_ended != predicted_ended or gold[1] != predicted[1]):
            agreeing = False
        if gold_started and predicted_started and gold[1] == predicted[1]:
            agreeing = True
        tally.gold[gold[1]] += gold_started
        tally.predicted[predicted[1]] += predicted_started
        last_gold, last_predicted = gold, predicted
    return tally


def split_tag(tag: str) -> tuple[str, str]:
    letter, hyphen, entity_type = tag.partition("-")
    return (letter, entity_type) if hyphen else (tag, "")
