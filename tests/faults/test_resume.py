"""A training that is killed at any moment goes on to the weights and the history of one that was not."""

from __future__ import annotations

import random
import re
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[1] / "pipeline"))

from small_task import REPOSITORY, prepare_small, small_params

from seqlab.errors import SeqlabError
from seqlab.modeling.fit import fit
from seqlab.params import TaskParams
from seqlab.pipeline.checkpoints import CODE, KEPT, TrainingCheckpoint, open_checkpoint, training_key
from seqlab.pipeline.interruption import InterruptAtEpochEnd
from seqlab.pipeline.training import TrainedTask, train_task

SEED = 3


class KilledError(BaseException):
    """Stands for the end of the process: nothing that follows in it runs."""


def params_of(task: str, **training: Any) -> TaskParams:
    encoder = {"ner": "transformer", "pos": "bilstm"}[task]
    return small_params(
        task,
        encoder=encoder,
        training={
            "epochs": 3,
            "checkpoint_minutes": 0,
            "weight_averaging_epochs": 0.5,
            **({"mention_replacement": 0.5} if task == "ner" else {}),
            **training,
        },
    )


def train(
    root: Path, prepared: Path, params: TaskParams, *, kill_at: tuple[int, int] | None = None
) -> tuple[TrainedTask, list[Any]]:
    """Train with a checkpoint below `root`, and end at `kill_at`: (epoch, step), step 0 after scoring."""
    events: list[Any] = []

    def reach(*moment: int) -> None:
        events.append(moment)
        if moment == kill_at:
            raise KilledError

    with open_checkpoint(root, "ner", prepared, params=params, seed=SEED, device="cpu") as checkpoint:
        trained = train_task(
            prepared,
            task=params,
            seed=SEED,
            checkpoint=checkpoint,
            on_step=lambda epoch, step, loss: reach(epoch, step),
            on_epoch=lambda row: reach(int(row["epoch"]) + 1, 0),
            on_resume=lambda state: events.append(("resume", state.epoch, len(state.losses))),
        )
    return trained, events


def history(trained: TrainedTask) -> list[dict[str, float]]:
    measured = ("duration_s", "train_s", "ended_ms")
    return [{k: v for k, v in row.items() if k not in measured} for row in trained.result.history]


def assert_equal(first: TrainedTask, second: TrainedTask) -> None:
    assert history(first) == history(second)
    for a, b in zip(first.tagger.get_weights(), second.tagger.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for name in ("best_epoch", "best_score", "stopped_early", "traces", "batch_shapes"):
        assert getattr(first.result, name) == getattr(second.result, name), name


@pytest.fixture(scope="module", autouse=True)
def every_step() -> Iterator[None]:
    """Fetch the losses after every step, so that each step is a moment at which the state is saved."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(fit.__kwdefaults__, "steps_per_fetch", 1)
        yield


@pytest.fixture(scope="module", params=["ner", "pos"])
def uninterrupted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp(request.param)
    params = params_of(request.param)
    prepared = prepare_small(folder / "corpus", params)
    moments: list[tuple[int, int]] = []
    trained = train_task(
        prepared,
        task=params,
        seed=SEED,
        on_step=lambda epoch, step, loss: moments.append((epoch, step)),
        on_epoch=lambda row: moments.append((int(row["epoch"]) + 1, 0)),
    )
    return prepared, params, trained, moments


def test_kills_at_random_moments_leave_weights_and_history_equal(uninterrupted: Any, tmp_path: Path) -> None:
    prepared, params, expected, moments = uninterrupted
    kills = sorted(random.Random(7).sample(moments, 2))
    for moment in kills:
        with pytest.raises(KilledError):
            train(tmp_path, prepared, params, kill_at=moment)
    trained, events = train(tmp_path, prepared, params)
    assert events[0][0] == "resume"
    assert_equal(trained, expected)
    assert not list((tmp_path / ".seqlab" / "checkpoints" / "ner").glob("*/")), "removed on success"


def test_a_checkpoint_belongs_to_one_configuration(tmp_path: Path) -> None:
    params = params_of("ner")
    prepared = prepare_small(tmp_path / "corpus", params)

    def key(**changes: Any) -> str:
        return training_key(prepared, **{"params": params, "seed": SEED, "device": "cpu", **changes})

    keys = [key(), key(seed=4), key(device="gpu"), key(params=params_of("ner", learning_rate=0.5))]
    assert key(params=params_of("ner", checkpoint_minutes=5)) == keys[0], "it cannot change the result"
    with (prepared / "train" / "tag_ids.bin").open("r+b") as file:
        file.write(b"\x05")
    assert len({*keys, key()}) == 5


@pytest.mark.parametrize("damage", [b"", b"PK", None])
def test_an_unreadable_checkpoint_is_a_warning(
    damage: bytes | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    params = params_of("pos")
    prepared = prepare_small(tmp_path / "corpus", params)
    arguments = {"params": params, "seed": SEED, "device": "cpu"}
    folder = tmp_path / ".seqlab" / "checkpoints" / "pos" / training_key(prepared, **arguments)
    checkpoint = TrainingCheckpoint(folder, minutes=1)
    checkpoint.save({"progress": np.arange(1000)})
    checkpoint.run_json.write_text("{}")
    content = bytearray(checkpoint.path.read_bytes())
    content[500] ^= 1
    checkpoint.path.write_bytes(content if damage is None else damage)
    with open_checkpoint(tmp_path, "pos", prepared, **arguments) as checkpoint:
        assert checkpoint.load() is None
        assert not checkpoint.run_json.exists(), "its run contains epochs that are trained again"
    assert "state.npz cannot be read" in caplog.text


def test_few_checkpoints_are_kept_and_none_in_use_is_removed(tmp_path: Path) -> None:
    params = params_of("pos")
    prepared = prepare_small(tmp_path / "corpus", params)
    arguments = {"params": params, "device": "cpu"}
    folder = tmp_path / ".seqlab" / "checkpoints" / "pos"
    with open_checkpoint(tmp_path, "pos", prepared, seed=0, **arguments) as in_use:
        for seed in range(1, KEPT + 4):
            with (
                pytest.raises(KilledError),
                open_checkpoint(tmp_path, "pos", prepared, seed=seed, **arguments),
            ):
                raise KilledError
        assert in_use.folder.exists()
        assert len(list(folder.glob("*/"))) <= KEPT + 2
        with open_checkpoint(tmp_path, "pos", prepared, seed=0, **arguments) as second:
            assert second is None, "two processes train the same configuration"


def test_a_full_disk_costs_one_warning_and_keeps_the_last_checkpoint(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoint = TrainingCheckpoint(tmp_path, minutes=1)
    checkpoint.save({"progress": np.arange(10)})
    checkpoint.run_json.write_text("{}")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        for _ in range(2):
            checkpoint.save({"progress": np.arange(10_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [record.message.partition(" (")[2] for record in caplog.records] == [
        "[Errno 27] File too large); training continues"
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state.npz"]
    np.testing.assert_array_equal(TrainingCheckpoint(tmp_path, minutes=1).load()["progress"], np.arange(10))


def test_the_key_covers_the_code_that_the_stage_depends_on() -> None:
    stages = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    deps = [dep for dep in stages["train"]["deps"] if dep.startswith("src/seqlab/")]
    assert len(deps) > 10
    code = [f"src/seqlab/{name}" for name in CODE]
    assert [dep for dep in deps if not any(Path(dep).is_relative_to(name) for name in code)] == []


@pytest.fixture
def sigint() -> Iterator[Callable[[Any], None]]:
    """Set the handler of SIGINT, which is another one if the tests run as a background job."""
    former = signal.getsignal(signal.SIGINT)
    yield lambda handler: signal.signal(signal.SIGINT, handler)
    signal.signal(signal.SIGINT, former)


def test_the_first_ctrl_c_asks_for_the_end_of_the_epoch_and_the_second_means_now(
    capsys: pytest.CaptureFixture[str], sigint: Callable[[Any], None]
) -> None:
    sigint(signal.default_int_handler)
    with InterruptAtEpochEnd() as interrupt:
        interrupt.check()
        signal.raise_signal(signal.SIGINT)
        assert "stops at the end of this epoch; press Ctrl-C again to stop it now" in capsys.readouterr().err
        with pytest.raises(KeyboardInterrupt, match="at the end of an epoch"):
            interrupt.check()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_ignored_ctrl_c_stays_ignored(
    capsys: pytest.CaptureFixture[str], sigint: Callable[[Any], None]
) -> None:
    sigint(signal.SIG_IGN)
    with InterruptAtEpochEnd() as interrupt:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        interrupt.check()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    assert capsys.readouterr().err == ""


def test_a_loss_that_is_not_finite_names_the_sentences_and_keeps_the_checkpoint(tmp_path: Path) -> None:
    params = params_of("pos", learning_rate=1e30, clip_norm=None, epochs=1)
    prepared = prepare_small(tmp_path / "corpus", params)
    with pytest.raises(SeqlabError) as raised:
        train(tmp_path, prepared, params)
    assert re.search(
        r"the (loss|gradient's norm) is (nan|inf) at epoch 1, step [2-5]\n  expected: a finite loss and .*\n"
        r"  received: losses .*; gradient norms .*; learning rate .*\n    batch: the sentences that start at "
        r".*/train.conll lines \d+(, \d+)+; one of them is: \w+ .*\n  remedy: lower training.learning_rate",
        str(raised.value),
    ), str(raised.value)
    assert list(tmp_path.glob(".seqlab/checkpoints/ner/*/state.npz"))
