"""The file that describes a sweep, checked against the parameters before anything runs."""

from __future__ import annotations

import itertools
import math
import random
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from seqlab.errors import SeqlabError
from seqlab.evaluation.scores import score_names
from seqlab.params import Params, Positive, Section
from seqlab.params_file import check_params, parse_params
from seqlab.yaml_text import parse_yaml, read_yaml_text, with_values, yaml_lines

CHECKED = 500
"""Combinations that are checked if there are too many to check all."""

_SHOWN = 3
_NAME = r"[A-Za-z0-9][A-Za-z0-9_-]*"
_DIGITS = 4

Bounds = Annotated[list[float], Field(min_length=2, max_length=2)]
IntBounds = Annotated[list[int], Field(min_length=2, max_length=2)]


class Range(Section):
    """The values of one parameter: exactly one of `choice`, `uniform`, `log_uniform`, `int`, `log_int`."""

    choice: Annotated[list[Any], Field(min_length=1)] | None = None
    """any values, also mappings for a whole section"""
    uniform: Bounds | None = None
    log_uniform: Bounds | None = None
    int: IntBounds | None = None
    log_int: IntBounds | None = None
    step: Positive = 1
    """of `int`"""

    @model_validator(mode="after")
    def _is_a_range(self) -> Range:
        kinds = [kind for kind in _KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            raise ValueError(f"needs exactly one of {', '.join(_KINDS)}, received {kinds or 'none'}")
        if self.choice is not None:
            if any(value in self.choice[:index] for index, value in enumerate(self.choice)):
                raise ValueError(f"contains a value twice: {self.choice}")
            return self
        low, high = self.bounds
        if low >= high:
            raise ValueError(f"the lower bound must be below the upper one, received [{low}, {high}]")
        if self.is_log and low <= 0:
            raise ValueError(f"the lower bound must be above 0, received {low}")
        if self.step > 1 and (self.int is None or (high - low) % self.step):
            raise ValueError(f"step belongs to int, and must divide {high} - {low}")
        return self

    @property
    def bounds(self) -> list[Any]:
        """The lowest and the highest value of a range of numbers."""
        return self.uniform or self.log_uniform or self.int or self.log_int or []

    @property
    def is_log(self) -> bool:
        """Whether the logarithm is uniform."""
        return self.log_uniform is not None or self.log_int is not None

    @property
    def is_float(self) -> bool:
        """Whether the values are real numbers."""
        return self.uniform is not None or self.log_uniform is not None

    def listed(self) -> list[Any]:
        """Return all values, or the bounds of real numbers and of many integers."""
        if self.choice is not None:
            return self.choice
        low, high = self.bounds
        count = 2 if self.is_float or self.is_log else (high - low) // self.step + 1
        return list(range(low, high + 1, self.step)) if 2 < count <= CHECKED else [low, high]

    def draw(self, source: random.Random) -> Any:
        """Return a random value."""
        if self.choice is not None:
            return source.choice(self.choice)
        low, high = self.bounds
        if self.int is not None:
            return source.randrange(low, high + 1, self.step)
        if self.is_log:
            value = math.exp(source.uniform(math.log(low), math.log(high)))
        else:
            value = source.uniform(low, high)
        return self.rounded(value) if self.is_float else min(max(round(value), low), high)

    def rounded(self, value: float) -> float:
        """Return a real number with four digits, within the bounds: what is tried is what can be written."""
        low, high = self.bounds
        return min(max(float(f"{value:.{_DIGITS}g}"), low), high)


_KINDS = [name for name in Range.model_fields if name != "step"]


class Resources(Section):
    """What one trial gets."""

    cpus: Positive = 1
    """cores, and threads of TensorFlow"""
    gpus: Annotated[float, Field(ge=0)] = 0
    """GPUs; 0.5: two trials share one"""


class SweepSpec(Section):
    """A sweep."""

    name: Annotated[str, Field(pattern=f"^{_NAME}$")]
    """of its folder and its runs; by default the file's name"""
    task: str
    trials: Positive | None = None
    """number of trials; a grid has as many as there are combinations"""
    search: Literal["tpe", "random", "grid"] = "tpe"
    metric: str | None = None
    """a dev score, by default the task's `training.monitor`"""
    mode: Literal["max", "min"] = "max"
    stop_early: Literal["asha", "median"] | None = None
    """which trials are stopped: by successive halving, or those below the median of others"""
    grace_epochs: Positive = 2
    """epochs before a trial may be stopped"""
    seed: Annotated[int, Field(ge=0)] = 13
    """of the search"""
    space: Annotated[dict[str, Range], Field(min_length=1)]
    resources: Resources = Resources()
    max_concurrent: Positive | None = None
    """trials at a time; by default as many as there are resources for"""
    retries: Annotated[int, Field(ge=0)] = 3
    """of a trial whose process or machine was lost"""

    @model_validator(mode="after")
    def _settings_agree(self) -> SweepSpec:
        if self.search == "grid":
            if endless := [name for name, values in self.space.items() if values.choice is None]:
                raise ValueError(f"a grid needs `choice` for every parameter, unlike {', '.join(endless)}")
            if self.trials is not None:
                raise ValueError("a grid has one trial for each combination; remove `trials`")
        elif self.trials is None:
            raise ValueError("trials is missing: the number of trials")
        return self

    @property
    def num_trials(self) -> int:
        """The number of trials."""
        if self.trials is not None:
            return self.trials
        return math.prod(len(values.choice or ()) for values in self.space.values())


@dataclass(frozen=True)
class CheckedSweep:
    """A sweep whose space fits the parameters.

    Args:
        spec: the sweep, with its metric.
        text: the file's text.
        base: the plain values of params.yaml, which the trials change.
        base_text: the text of params.yaml.
        params: the same, typed.
    """

    spec: SweepSpec
    text: str
    base: dict[str, Any]
    base_text: str
    params: Params

    def params_of(self, values: Mapping[str, Any]) -> Params:
        """Return the parameters of a trial.

        Raises:
            SeqlabError: these values cannot be together.
        """
        where = ", ".join(f"{name}={value}" for name, value in values.items())
        return parse_params(with_values(self.base, values), where=f"trial with {where}")


def read_sweep(path: Path, params_path: Path) -> CheckedSweep:
    """Read a sweep's file and check it, and all values of its space, against a params.yaml.

    Raises:
        SeqlabError: a file is missing or invalid; the message names every bad line.
    """
    text = _read(path)
    values, base_text = parse_yaml(text, where=str(path)), read_yaml_text(params_path)
    base = parse_yaml(base_text, where=str(params_path))
    params = parse_params(base, where=str(params_path))
    if isinstance(values, dict):
        values.setdefault("name", _default_name(path))
    lines = yaml_lines(text)
    try:
        spec = SweepSpec.model_validate(values)
    except ValidationError as error:
        problems = [(problem["loc"], _message(problem["msg"], problem)) for problem in error.errors()]
        raise _invalid(path, lines, problems) from None
    if problems := [*_task_problems(spec, params), *_space_problems(spec, base, params)]:
        raise _invalid(path, lines, problems)
    spec = spec.model_copy(update={"metric": spec.metric or params.task(spec.task).training.monitor})
    sweep = CheckedSweep(spec, text, base, base_text, params)
    if problems := _combination_problems(spec, base):
        raise _invalid(path, lines, problems)
    return sweep


def sweep_name(path: Path) -> str:
    """Return the name of the sweep that a file describes, without checking the rest of it.

    Raises:
        SeqlabError: the file is not YAML.
    """
    values = parse_yaml(_read(path), where=str(path))
    return str(values.get("name", _default_name(path))) if isinstance(values, dict) else _default_name(path)


def _default_name(path: Path) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "-", path.stem).lstrip("-_") or "sweep"


def drawn(spec: SweepSpec, number: int) -> dict[str, Any]:
    """Return the values of a trial of a random search or of a grid; equal numbers give equal values."""
    if spec.search == "grid":
        combinations = itertools.product(*(values.choice or () for values in spec.space.values()))
        return dict(zip(spec.space, next(itertools.islice(combinations, number, None)), strict=True))
    source = random.Random(f"{spec.seed} {number}")
    return {name: values.draw(source) for name, values in spec.space.items()}


Problem = tuple[tuple[str | int, ...], str]


def _task_problems(spec: SweepSpec, params: Params) -> Iterable[Problem]:
    if spec.task not in params.sections:
        yield ("task",), f"unknown task {spec.task!r}; params.yaml has {', '.join(params.sections)}"
        return
    section = params.task(spec.task)
    scores = score_names(spans=section.tag_scheme is not None)
    if spec.metric is not None and spec.metric not in scores:
        yield ("metric",), f"{spec.metric!r} is not a dev score of {spec.task}: {', '.join(scores)}"
    if section.training.strategy == "multi_worker":
        yield ("task",), f"{spec.task}.training.strategy is multi_worker; a trial trains on one machine"
    if params.device == "gpu" and not spec.resources.gpus:
        yield ("resources",), "params.yaml has device: gpu, and trials get no GPU; set resources.gpus"


def _space_problems(spec: SweepSpec, base: dict[str, Any], params: Params) -> Iterable[Problem]:
    """Yield what is wrong with a parameter of the space by itself."""
    for name, values in spec.space.items():
        first, where = name.split(".")[0], ("space", name)
        if first == "tasks" or (first in params.sections and first != spec.task):
            yield where, f"{name} does not change the task {spec.task}"
            continue
        problems, outcomes = {}, []
        for value in values.listed():
            try:
                checked, found = check_params(with_values(base, {name: value}))
            except KeyError:
                problems[name] = "unknown parameter"
                break
            own = [text for key, text in found.items() if key == name or key.startswith(f"{name}.")]
            if own:
                problems[str(value)] = f"{value!r}: {own[0]}"
            elif checked is not None and spec.task in checked.sections:
                outcomes.append(_relevant(checked, spec.task))
        if problems:
            yield where, f"{name}: {'; '.join(problems.values())}"
        elif len(outcomes) > 1 and all(outcome == outcomes[0] for outcome in outcomes):
            yield where, f"{name} changes nothing; the section {spec.task} overrides it, or does not use it"


def _combination_problems(spec: SweepSpec, base: dict[str, Any]) -> list[Problem]:
    """Return combinations of values that cannot be together: of all that will be tried, or of many."""
    counts = [len(values.listed()) for values in spec.space.values()]
    is_listed = all(values.choice is not None or values.int is not None for values in spec.space.values())
    if spec.search == "tpe" and is_listed and math.prod(counts) <= CHECKED:
        lists = [values.listed() for values in spec.space.values()]
        tried = [dict(zip(spec.space, row, strict=True)) for row in itertools.product(*lists)]
    else:
        count = CHECKED if spec.search == "tpe" else min(spec.num_trials, 20 * CHECKED)
        tried = [drawn(spec, number) for number in range(count)]
    bad = [(values, found) for values in tried if (found := check_params(with_values(base, values))[1])]
    problems: list[Problem] = []
    for values, found in bad[:_SHOWN]:
        combination = ", ".join(f"{name}={value}" for name, value in values.items())
        message = "; ".join(f"{key}: {text}" for key, text in found.items())
        problems.append((("space",), f"{combination}: {message}"))
    if len(bad) > _SHOWN:
        problems.append((("space",), f"{len(bad)} of {len(tried)} combinations are invalid"))
    return problems


def _relevant(params: Params, task: str) -> tuple[Any, ...]:
    return params.task(task), params.seed, params.device, params.corpus


def _message(text: str, problem: Mapping[str, Any]) -> str:
    place = ".".join(str(part) for part in problem["loc"])
    got = "" if problem["type"] in ("missing", "value_error") else f" (received {problem['input']!r})"
    return f"{place}: {text.removeprefix('Value error, ')}{got}".removeprefix(": ")


def _invalid(path: Path, lines: Mapping[Any, int], problems: Iterable[Problem]) -> SeqlabError:
    listed = [f"line {_line(lines, place)}: {text}" for place, text in problems]
    return SeqlabError(
        f"{len(listed)} problem{'s' if len(listed) > 1 else ''} in the sweep",
        where=str(path),
        received="\n    ".join(listed),
        remedy="correct the file; docs/sweeps.md describes it, docs/parameters.md the parameters",
    )


def _line(lines: Mapping[Any, int], place: tuple[str | int, ...]) -> int:
    while place and place not in lines:
        place = place[:-1]
    return lines.get(place, 1)


def _read(path: Path) -> str:
    if not path.is_file():
        raise SeqlabError(
            "there is no such file", where=str(path), expected="a sweep in YAML", remedy="see docs/sweeps.md"
        )
    return read_yaml_text(path)
