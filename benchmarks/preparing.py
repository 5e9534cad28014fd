"""Time per sentence and peak memory of making, reading and preparing sample corpora of growing size.

    python benchmarks/preparing.py            # 10,000, 100,000 and 1,000,000 sentences
    python benchmarks/preparing.py --sentences 10000 30000

Each step runs in a new process, whose peak memory the operating system reports. If the time is linear, the
microseconds per sentence are constant. Writes benchmarks/results/preparing.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
RESULTS = REPOSITORY / "benchmarks" / "results" / "preparing.json"
STEPS = {
    "make": """
from seqlab.corpora.sources import fetch_source
fetch_source("sample", folder / "raw", sample={"sentences": sentences, "seed": 13}, files={},
             mirror=None, downloads=folder, dev_share=0.1, tag_repair=False,
             task_columns={"ner": "ner"})
""",
    "read": """
from seqlab.corpus.splits import read_split
for split in ("train", "dev", "test"):
    for sentence in read_split(folder / "raw", split, tag_column="ner"):
        pass
""",
    "prepare": """
from seqlab.params_file import load_params
from seqlab.pipeline.preparing import prepare_task
prepare_task(folder / "raw", folder / "prepared", task=load_params().task("ner"))
""",
}


def measure(step: str, folder: Path, sentences: int) -> dict[str, float]:
    """Run a step in a new process; return its wall and CPU seconds and its peak resident memory in MiB."""
    head = f"from pathlib import Path\nfolder, sentences = Path({str(folder)!r}), {sentences}\n"
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "src")}
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, "-c", head + STEPS[step]], cwd=REPOSITORY, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{step} failed at {sentences} sentences")
    return {
        "wall_s": time.monotonic() - started,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_mib": usage.ru_maxrss / 1024,
    }


def main() -> None:
    """Measure every step at every size and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sentences", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    sizes = parser.parse_args().sentences
    rows = []
    print(f"{'step':8} {'sentences':>10} {'wall s':>8} {'cpu us/sentence':>16} {'peak MiB':>9}")
    for sentences in sizes:
        with tempfile.TemporaryDirectory() as scratch:
            for step in STEPS:
                row = {"step": step, "sentences": sentences, **measure(step, Path(scratch), sentences)}
                rows.append(row)
                per_sentence = row["cpu_s"] / sentences * 1e6
                print(
                    f"{step:8} {sentences:10,} {row['wall_s']:8.1f} {per_sentence:16.0f} "
                    f"{row['peak_mib']:9.0f}",
                    flush=True,
                )
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"rows": rows}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
