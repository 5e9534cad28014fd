"""A Ray cluster of two node processes on loopback: a worker and then a whole node are killed."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from tiny_taggers import SENTENCES, tiny_export

from seqlab.errors import SeqlabError
from seqlab.serving.folders.block_tagger import Model, TaggedBlock, read_model
from seqlab.serving.folders.file_formats import Block
from seqlab.serving.folders.folder_tagging import tag_folder
from seqlab.serving.folders.workers import local_workers, ray_workers

ROWS_IN_BLOCK, NUM_BLOCKS = 500, 12
PATIENCE_S = 60


def busy_worker(node: Any) -> psutil.Process:
    """Wait until a worker of a node tags a block; Ray names its processes after their tasks."""
    (raylet,) = node.all_processes["raylet"]
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        for process in psutil.Process(raylet.process.pid).children(recursive=True):
            try:
                if process.cmdline()[:1] == ["ray::_tag_with"]:
                    return process
            except psutil.NoSuchProcess:
                continue
        time.sleep(0.001)
    raise AssertionError(f"no worker tagged within {PATIENCE_S} s")


def test_a_worker_and_a_node_are_killed(cluster: Any, tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    lines = [f"{i} {SENTENCES[i % len(SENTENCES)]}" for i in range(ROWS_IN_BLOCK * NUM_BLOCKS // 2)]
    for name in ("a.txt", "b.txt"):
        (source / name).write_text("\n".join(lines), encoding="utf-8")
    model = read_model(tiny_export("ner"))
    numbers: list[tuple[str, int]] = []
    on_cluster = ray_workers(model, address=cluster.address)

    def workers(blocks: Iterable[Block]) -> Iterator[TaggedBlock]:
        for result in on_cluster(blocks):
            numbers.append((result.file_name, result.number))
            if len(numbers) == 1:
                busy_worker(cluster.head_node).kill()
            if len(numbers) == 3:
                (lost,) = cluster.worker_nodes
                busy_worker(lost)
                lost.kill_all_processes(check_alive=False, allow_graceful=False, wait=True)
            yield result

    def tag(output: Path, workers: Any) -> dict[str, bytes]:
        tag_folder(source, output, model=model, workers=workers, block_rows=ROWS_IN_BLOCK)
        return {path.name: path.read_bytes() for path in sorted(output.glob("*.txt"))}

    tagged = tag(tmp_path / "cluster", workers)
    assert sorted(numbers) == [(name, i) for name in ("a.txt", "b.txt") for i in range(NUM_BLOCKS // 2)]
    assert tagged == tag(tmp_path / "one", local_workers(model, processes=1))
    assert len(tagged) == 2
    tag_folder(source, tmp_path / "cluster", model=model, workers=refuse, block_rows=ROWS_IN_BLOCK)


def refuse(blocks: Iterable[Block]) -> Iterator[TaggedBlock]:
    assert list(blocks) == []
    return iter(())


def test_ray_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SeqlabError, match=r"--ray: Ray is not installed[\s\S]*make extras"):
        ray_workers(Model({}), address="auto")


def test_there_is_no_cluster(free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "")
    for address in ("nowhere", f"127.0.0.1:{free_port}"):
        with pytest.raises(SeqlabError, match=rf"--ray {address}: there is no Ray cluster[\s\S]*ray start"):
            ray_workers(Model({}), address=address)
