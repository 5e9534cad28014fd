"""Which values to try next. A suggestion depends on the spec and on the trials so far, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from seqlab.errors import SeqlabError
from seqlab.sweeps.journal import Trial
from seqlab.sweeps.spec import Range, SweepSpec, drawn

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


def suggest(spec: SweepSpec, trials: Sequence[Trial]) -> dict[str, Any]:
    """Return the values of the next trial, given all earlier ones, finished or not.

    A study is made anew for each suggestion, so that a sweep that goes on needs no other state than its
    trials.

    Raises:
        SeqlabError: Optuna is not installed.
    """
    if spec.search != "tpe":
        return drawn(spec, len(trials))
    optuna = _import_optuna()
    direction = "maximize" if spec.mode == "max" else "minimize"
    sampler = optuna.samplers.TPESampler(seed=spec.seed + len(trials), constant_liar=True)
    study = optuna.create_study(direction=direction, sampler=sampler)
    distributions = {name: _distribution(values) for name, values in spec.space.items()}
    states = optuna.trial.TrialState
    for trial in trials:
        state = {"finished": states.COMPLETE, "stopped": states.PRUNED, "failed": states.FAIL}
        study.add_trial(
            optuna.trial.create_trial(
                state=state.get(trial.status, states.RUNNING),
                value=trial.score if trial.status == "finished" else None,
                params={name: _encode(spec.space[name], value) for name, value in trial.values.items()},
                distributions=distributions,
                intermediate_values=dict(trial.scores),
            )
        )
    chosen = study.ask(distributions).params
    return {name: _decode(values, chosen[name]) for name, values in spec.space.items()}


def _import_optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise SeqlabError(
            "Optuna is not installed",
            where="seqlab sweep",
            expected="the extra `ray` of seqlab",
            remedy="run `make extras`, or set search: random",
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _distribution(values: Range) -> BaseDistribution:
    from optuna import distributions

    if values.choice is not None:  # by their indices, because a value may be a list or a mapping
        return distributions.CategoricalDistribution(range(len(values.choice)))
    low, high = values.bounds
    if values.is_float:
        return distributions.FloatDistribution(low, high, log=values.is_log)
    return distributions.IntDistribution(low, high, log=values.is_log, step=values.step)


def _encode(values: Range, value: Any) -> Any:
    return value if values.choice is None else values.choice.index(value)


def _decode(values: Range, chosen: Any) -> Any:
    if values.choice is not None:
        return values.choice[chosen]
    return values.rounded(chosen) if values.is_float else chosen
