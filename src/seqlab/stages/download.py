"""Make or download the corpus."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from seqlab.params_file import load_params, require_paths_inside
from seqlab.pipeline.downloading import fetch_corpus
from seqlab.stages import repository_root, run_stage

logger = logging.getLogger("seqlab.stages")


def download() -> None:
    """Write data/raw: the splits and the manifest corpus.json."""
    params, root = load_params(), repository_root()
    require_paths_inside(params, root)
    manifest = fetch_corpus(params, Path("data/raw"), downloads=root / "data" / "downloads")
    kind = "synthetic, " if manifest["synthetic"] else ""
    licence = manifest["licence"] or "licence not stated"
    logger.info("corpus %s (%s%s), digest %s", manifest["name"], kind, licence, manifest["digest"][:12])


if __name__ == "__main__":
    sys.exit(run_stage(download))
