"""Who tags the blocks: this process, processes of this machine, or a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any

from seqlab.errors import SeqlabError
from seqlab.ray_cluster import connect
from seqlab.serving.folders.block_tagger import BlockTagger, Model, TaggedBlock
from seqlab.serving.folders.file_formats import Block

Workers = Callable[[Iterable[Block]], Iterator[TaggedBlock]]
"""Tags blocks, which it reads as workers become free, and yields them in any order."""

RETRIES = 5
"""How often a block is tagged again on Ray after its worker has died."""

_REMEDY = "run the same command again: finished blocks are kept"

_block_tagger: BlockTagger | None = None
"""The model of this process; a process of a pool or of Ray loads it once."""
_loaded_digest = ""


def local_workers(model: Model, *, processes: int) -> Workers:
    """Return workers of this machine: one process per core, or this process if there is one core."""

    def tag(blocks: Iterable[Block]) -> Iterator[TaggedBlock]:
        if processes == 1:
            yield from map(BlockTagger(model), blocks)
            return
        context = get_context("spawn")  # a fork would copy the threads' locks
        with ProcessPoolExecutor(processes, context, initializer=_load, initargs=(model,)) as pool:

            def wait_for_some(pending: list[Future[TaggedBlock]]) -> list[Future[TaggedBlock]]:
                return list(wait(pending, return_when=FIRST_COMPLETED).done)

            try:
                for future in _some_at_a_time(
                    blocks, lambda block: pool.submit(_tag, block), wait_for_some, limit=lambda: 2 * processes
                ):
                    yield future.result()
            except BrokenProcessPool as error:
                raise SeqlabError("a worker process died", received=str(error), remedy=_REMEDY) from error
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    return tag


def ray_workers(model: Model, *, address: str) -> Workers:
    """Return workers on a Ray cluster, one task per block and core.

    The model and the blocks are sent to the workers, and tagged blocks are sent back, so that only this
    process reads and writes files. Ray repeats the tasks whose workers died, or whose results were lost.

    Raises:
        SeqlabError: Ray is not installed, or there is no cluster at the address.
    """
    ray = connect(address, where="--ray", otherwise="tag without --ray")

    def tag(blocks: Iterable[Block]) -> Iterator[TaggedBlock]:
        digest, sent_model = model.digest(), ray.put(model)
        task = ray.remote(num_cpus=1, max_retries=RETRIES, scheduling_strategy="SPREAD")(_tag_with)

        def wait_for_some(pending: list[Any]) -> list[Any]:
            return list(ray.wait(pending, num_returns=1)[0])

        def limit() -> int:  # nodes come and go
            return max(2, 2 * int(ray.cluster_resources().get("CPU", 1)))

        try:
            for done in _some_at_a_time(
                blocks, lambda block: task.remote(sent_model, digest, block), wait_for_some, limit=limit
            ):
                yield ray.get(done)
        except ray.exceptions.RayTaskError as error:
            raise SeqlabError(
                "a block cannot be tagged on the cluster",
                received=f"{type(error.cause).__name__}: {str(error.cause)[:500]}",
                remedy="install the same version of seqlab and its dependencies on every node",
            ) from error
        except ray.exceptions.RayError as error:
            received = f"{type(error).__name__}: {str(error)[:500]}"
            raise SeqlabError(
                "workers of the cluster died too often", received=received, remedy=_REMEDY
            ) from error
        finally:
            ray.shutdown()

    return tag


def _some_at_a_time(
    blocks: Iterable[Block],
    submit: Callable[[Block], Any],
    wait_for_some: Callable[[list[Any]], list[Any]],
    *,
    limit: Callable[[], int],
) -> Iterator[Any]:
    """Submit blocks and yield what is done, with at most `limit()` blocks submitted at a time."""
    pending: list[Any] = []
    for block in blocks:
        pending.append(submit(block))
        while len(pending) >= limit():
            for done in wait_for_some(pending):
                pending.remove(done)
                yield done
    while pending:
        for done in wait_for_some(pending):
            pending.remove(done)
            yield done


def _load(model: Model) -> None:
    global _block_tagger
    _block_tagger = BlockTagger(model)


def _tag(block: Block) -> TaggedBlock:
    assert _block_tagger is not None
    return _block_tagger(block)


def _tag_with(model: Model, digest: str, block: Block) -> TaggedBlock:
    global _loaded_digest
    if digest != _loaded_digest:
        _load(model)
        _loaded_digest = digest
    return _tag(block)
