"""The report that `seqlab compare` shows: the first configuration against each other one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from seqlab.errors import SeqlabError
from seqlab.evaluation.comparison import (
    SPANS,
    Counts,
    Difference,
    Measure,
    are_same_sentences,
    changed_sentences,
    compare_counts,
    count_runs,
    mean_score,
    measure_of,
    scores_by_type,
)
from seqlab.evaluation.counts import extract_spans
from seqlab.evaluation.predictions import TaggedSentence
from seqlab.pipeline.report_blocks import Block, Example, Heading, Paragraph, Table
from seqlab.pipeline.stored_results import SPLITS, StoredResult

_RESAMPLING_SEED = 13
_MAX_TYPES = 20
_UNKNOWN = "–"


@dataclass(frozen=True)
class Configuration:
    """Results that differ in the seed alone; in the report a letter stands for them."""

    letter: str
    results: Sequence[StoredResult]

    def runs(self, split: str) -> list[list[TaggedSentence]]:
        """Return the tagged sentences of each result; empty if one has no such split."""
        runs = [result.predictions.get(split, []) for result in self.results]
        return runs if all(runs) else []

    def run_name(self, index: int) -> str:
        """Return the letter, with the run's seed if there are several."""
        seed = self.results[index].settings.get("seed")
        return f"{self.letter}, seed {seed}" if len(self.results) > 1 else self.letter


def compare_results(
    results: Sequence[StoredResult], *, task: str, group_seeds: bool = False, examples: int = 3
) -> list[Block]:
    """Compare the first configuration with each other one.

    Args:
        results: of one task.
        task: the task's name.
        group_seeds: whether results that differ in the seed alone are one configuration.
        examples: the number of sentences shown that became better, and that became worse.

    Raises:
        SeqlabError: several results of one configuration have the same seed or different sentences.
    """
    groups = _group_by_settings(results) if group_seeds else [[result] for result in results]
    configurations = [
        Configuration(chr(ord("A") + index) if index < 26 else f"#{index + 1}", group)
        for index, group in enumerate(groups)
    ]
    counts, measures = _count_splits(configurations)
    verdicts, scores = _scores(configurations, counts, measures)
    blocks: list[Block] = [Heading(f"Comparison of {task}"), *_corpus_warnings(configurations)]
    blocks += [*verdicts, _overview(configurations), *_differing_settings(configurations), *scores]
    for split in ("test", "dev"):
        if len(counts.get(split, {})) > 1:
            blocks += _types(configurations, split, measures[split], counts[split])
            blocks += _sentences(configurations, split, measures[split], counts[split], examples)
            break
    return [*blocks, *_costs(configurations)]


def _group_by_settings(results: Sequence[StoredResult]) -> list[list[StoredResult]]:
    groups: dict[object, list[StoredResult]] = {}
    for index, result in enumerate(results):
        settings = frozenset((key, value) for key, value in result.settings.items() if key != "seed")
        # Nothing is known of a folder of predictions.
        groups.setdefault((settings, result.corpus_digest) if settings else index, []).append(result)
    for group in groups.values():
        seeds = [result.settings.get("seed") for result in group]
        if len(set(seeds)) < len(group):
            raise SeqlabError(
                "several results of one configuration have the same seed",
                where=", ".join(result.name for result in group),
                expected="a different seed for each",
                received=", ".join(map(str, seeds)),
                remedy="leave one of them out, or compare them without --group-seeds",
            )
        for split in SPLITS:
            runs = [result.predictions[split] for result in group if split in result.predictions]
            if not all(are_same_sentences(runs[0], run) for run in runs[1:]):
                raise SeqlabError(
                    f"results of one configuration have different sentences of {split}",
                    where=", ".join(result.name for result in group),
                    remedy="train and evaluate them on the same corpus",
                )
    return list(groups.values())


def _corpus_warnings(configurations: Sequence[Configuration]) -> list[Block]:
    """Return the warnings of what forbids a comparison: another corpus, other sentences."""
    digests = {
        configuration.letter: configuration.results[0].corpus_digest[:12]
        for configuration in configurations
        if configuration.results[0].corpus_digest
    }
    blocks: list[Block] = []
    if len(set(digests.values())) > 1:
        named = ", ".join(f"{letter} {digest}" for letter, digest in digests.items())
        blocks.append(
            Paragraph(f"The corpora differ (digests: {named}): scores are not comparable.", warning=True)
        )
    first = configurations[0]
    for other in configurations[1:]:
        for split in SPLITS:
            runs, other_runs = first.runs(split), other.runs(split)
            if not runs or not other_runs:
                continue
            same = are_same_sentences(runs[0], other_runs[0])
            if not same:
                text = f"{first.letter} and {other.letter} have different sentences or gold tags on {split}"
                blocks.append(Paragraph(f"{text}: not tested.", warning=True))
            elif blocks:
                text = f"{first.letter} and {other.letter} have the same sentences and gold tags on {split}."
                blocks.append(Paragraph(text))
    return blocks


def _overview(configurations: Sequence[Configuration]) -> Table:
    rows = []
    for configuration in configurations:
        for result in configuration.results:
            sizes = [f"{len(result.predictions[s])} {s}" for s in SPLITS if s in result.predictions]
            seed = result.settings.get("seed", _UNKNOWN)
            rows.append((configuration.letter, result.name, result.origin, seed, ", ".join(sizes)))
    return Table(("", "result", "read from", "seed", "sentences"), rows, numbers=(3,))


def _differing_settings(configurations: Sequence[Configuration]) -> list[Block]:
    settings = [configuration.results[0].settings for configuration in configurations]
    known = [found for found in settings if found]
    keys = list(dict.fromkeys(key for found in known for key in found))
    if all(len(configuration.results) > 1 for configuration in configurations):
        keys.remove("seed")
    rows = [
        (key, *(found.get(key, _UNKNOWN) for found in settings))
        for key in keys
        if len({found.get(key) for found in known}) > 1
    ]
    blocks: list[Block] = [Heading("Parameters that differ", level=2)]
    if rows:
        blocks.append(Table(("parameter", *(c.letter for c in configurations)), rows))
    elif len(known) > 1:
        blocks.append(Paragraph("None."))
    if unknown := [c.letter for c, found in zip(configurations, settings, strict=True) if not found]:
        blocks.append(Paragraph(f"Unknown for {', '.join(unknown)}: predictions alone."))
    return blocks


def _count_splits(
    configurations: Sequence[Configuration],
) -> tuple[dict[str, dict[str, Counts]], dict[str, Measure]]:
    """Return each split's counts by letter, and its measure.

    A configuration that does not have the first one's sentences has no counts.
    """
    counts: dict[str, dict[str, Counts]] = {}
    measures = {}
    for split in SPLITS:
        if not (first := configurations[0].runs(split)):
            continue
        measures[split] = measure_of(first[0])
        counts[split] = {
            configuration.letter: count_runs(runs, measures[split])
            for configuration in configurations
            if (runs := configuration.runs(split)) and are_same_sentences(first[0], runs[0])
        }
    return counts, measures


def _scores(
    configurations: Sequence[Configuration],
    counts: dict[str, dict[str, Counts]],
    measures: dict[str, Measure],
) -> tuple[list[Block], list[Block]]:
    """Return what the tests say, in words, and the tables."""
    verdicts: list[Block] = []
    scores, differences = [], []
    first = configurations[0]
    has_seeds = any(len(configuration.results) > 1 for configuration in configurations)
    for split in SPLITS:
        for configuration in configurations:
            if not (runs := configuration.runs(split)):
                continue
            measure = measures.get(split) or measure_of(runs[0])
            own = counts.get(split, {}).get(configuration.letter)
            own = count_runs(runs, measure) if own is None else own
            found = mean_score(own, measure, seed=_RESAMPLING_SEED)
            deviation = _UNKNOWN if found.deviation is None else f"{found.deviation:.4f}"
            row = (
                split,
                configuration.letter,
                measure.name,
                f"{found.mean:.4f}",
                _interval(found.low, found.high),
            )
            scores.append((*row, deviation, str(found.runs)) if has_seeds else row)
        for configuration in configurations[1:]:
            if configuration.letter in counts.get(split, {}):
                difference = compare_counts(
                    counts[split][first.letter],
                    counts[split][configuration.letter],
                    measures[split],
                    seed=_RESAMPLING_SEED,
                )
                pair = f"{configuration.letter} − {first.letter}"
                differences.append((split, pair, *_difference(difference, has_seeds)))
                changed = f"{measures[split].name} {difference.difference:+.4f}"
                verdicts.append(Paragraph(f"{pair} on {split}: {changed}, {difference.verdict}."))
    seeds = ("deviation", "seeds") if has_seeds else ()
    blocks: list[Block] = [
        Heading("Scores", level=2),
        Table(
            ("split", "", "score", "mean" if has_seeds else "value", "95 % interval", *seeds),
            scores,
            (3, 5, 6),
        ),
    ]
    if differences:
        over = ("p, sentences", "p, seeds") if has_seeds else ("p",)
        header = ("split", "pair", "difference", "95 % interval", *over)
        blocks.append(Table(header, differences, (2, *range(4, 4 + len(over)))))
    return verdicts, blocks


def _difference(found: Difference, has_seeds: bool) -> tuple[str, ...]:
    p_runs = _UNKNOWN if found.p_runs is None else f"{found.p_runs:.4f}"
    return (
        f"{found.difference:+.4f}",
        _interval(found.low, found.high, sign="+"),
        f"{found.p_sentences:.4f}",
        *((p_runs,) if has_seeds else ()),
    )


def _types(
    configurations: Sequence[Configuration], split: str, measure: Measure, counts: dict[str, Counts]
) -> list[Block]:
    shown = [configuration for configuration in configurations if configuration.letter in counts]
    tables = [scores_by_type(configuration.runs(split), measure) for configuration in shown]
    names = sorted({name for table in tables for name in table})
    absent = (0, 0.0)
    rows = []
    for name in names:
        gold = max(table.get(name, absent)[0] for table in tables)
        first, *others = (table.get(name, absent)[1] for table in tables)
        rows.append((name, gold, first, others))
    left_out = ""
    if len(rows) > _MAX_TYPES:
        rows.sort(key=lambda row: -max(abs(other - row[2]) * row[1] for other in row[3]))
        left_out = f"{len(rows) - _MAX_TYPES} more changed less, weighted by their frequency."
        rows = sorted(rows[:_MAX_TYPES])
    letters = [configuration.letter for configuration in shown]
    header = ("type" if measure is SPANS else "tag", "gold", *letters)
    cells = [
        (name, str(gold), f"{first:.4f}", *(f"{other:.4f} ({other - first:+.4f})" for other in others))
        for name, gold, first, others in rows
    ]
    title = Heading(f"F1 by {'entity type' if measure is SPANS else 'tag'} on {split}", level=2)
    blocks: list[Block] = [title, Table(header, cells, tuple(range(1, len(header))))]
    return [*blocks, Paragraph(left_out)] if left_out else blocks


def _sentences(
    configurations: Sequence[Configuration],
    split: str,
    measure: Measure,
    counts: dict[str, Counts],
    limit: int,
) -> list[Block]:
    first = configurations[0]
    blocks: list[Block] = [Heading(f"Sentences of {split} that changed", level=2)]
    for other in configurations[1:]:
        if other.letter not in counts:
            continue
        found = changed_sentences(counts[first.letter], counts[other.letter], measure)
        blocks.append(
            Paragraph(
                f"{other.letter} against {first.letter}: {len(found.better)} better (fewer errors), "
                f"{len(found.worse)} worse, {found.unchanged} unchanged."
            )
        )
        errors = {c.letter: measure.errors(counts[c.letter]) for c in (first, other)}
        for kind, indices in (("better", found.better), ("worse", found.worse)):
            for index in indices[:limit]:
                names, tags = ["gold"], [first.runs(split)[0][index].gold]
                for configuration in (first, other):
                    # Of several runs, those are shown whose errors differ most.
                    shows_most_errors = (configuration is first) == (kind == "better")
                    own = errors[configuration.letter][:, index]
                    run = int(own.argmax() if shows_most_errors else own.argmin())
                    names.append(configuration.run_name(run))
                    tags.append(configuration.runs(split)[run][index].predicted)
                tokens = first.runs(split)[0][index].tokens
                texts = _describe_tags(tokens, tags, spans=measure is SPANS)
                title = f"{split} sentence {index + 1}, {kind} in {other.letter}"
                blocks.append(Example(title, " ".join(tokens), list(zip(names, texts, strict=True))))
    return blocks


def _describe_tags(tokens: Sequence[str], tags: Sequence[Sequence[str]], *, spans: bool) -> list[str]:
    """Return, for gold and predictions, the spans or tags that not all of them have."""
    if spans:
        found = [extract_spans(row) for row in tags]
        common = set(found[0]).intersection(*found[1:])
        texts = [
            [
                f"{kind}: {' '.join(tokens[start:end])}"
                for kind, start, end in row
                if (kind, start, end) not in common
            ]
            for row in found
        ]
    else:
        columns = [index for index, column in enumerate(zip(*tags, strict=True)) if len(set(column)) > 1]
        texts = [[f"{tokens[index]}/{row[index]}" for index in columns] for row in tags]
    return ["; ".join(row) or "none" for row in texts]


def _costs(configurations: Sequence[Configuration]) -> list[Block]:
    units = {"duration_s": ".0f", "tokens_per_s": ",.0f", "parameters": ",.0f"}
    rows = []
    for configuration in configurations:
        cells = []
        for cost, form in units.items():
            values = [result.costs[cost] for result in configuration.results if cost in result.costs]
            cells.append(format(fmean(values), form) if values else _UNKNOWN)
        if set(cells) != {_UNKNOWN}:
            rows.append((configuration.letter, *cells))
    if not rows:
        return []
    header = ("", "training, s", "training tokens per s", "parameters")
    return [Heading("Cost", level=2), Table(header, rows, (1, 2, 3))]


def _interval(low: float, high: float, *, sign: str = "") -> str:
    return f"[{low:{sign}.4f}, {high:{sign}.4f}]"
