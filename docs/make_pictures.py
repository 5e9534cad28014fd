"""Make docs/pictures from runs of this commit.

    pip install vl-convert-python            # renders Vega-Lite without a network; chromium must be installed
    python docs/make_pictures.py mlflow --repository CLONE --task ner
    python docs/make_pictures.py plots --repository CLONE --task ner
    python docs/make_pictures.py errors --repository CLONE --task ner --against crf-3
    python docs/make_pictures.py terminal --repository CLONE --task product --against softmax

CLONE is a clone of this repository in which the runs to show were made: for `mlflow` and `errors`, those of
docs/experiments.md, with a champion; for `plots`, real text with `dvc repro evaluate@ner`; for `terminal`, which
writes docs/terminal.md, examples/walk.sh was run in it, task `product`.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from mlflow import MlflowClient
from PIL import Image

PICTURES = Path(__file__).parent / "pictures"
PORT = 5055
WIDTH = 1882
"""Of 1,882 pixels, 1,400 remain without the panel on the right."""
ASSISTANT_SHARE = 0.256
"""Of the window's width: the panel on the right that MLflow opens at a first visit. It is cut off."""
MENU = "workflowType=machine_learning"
"""Without it, MLflow's menu is that of language-model applications."""
START_UP_S = 120
ERRORS_WINDOW = (1400, 780)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("picture", choices=["mlflow", "plots", "errors", "terminal"])
    parser.add_argument("--repository", type=Path, default=Path.cwd())
    parser.add_argument("--task", default="ner")
    parser.add_argument("--against", help="what `seqlab errors` and `seqlab compare` take: an experiment")
    args = parser.parse_args()
    repository = args.repository.resolve()
    if args.picture == "errors":
        picture_errors(repository, args.task, args.against)
    elif args.picture == "terminal":
        write_terminal_page(repository, args.task, args.against)
    else:
        {"mlflow": picture_pages, "plots": picture_plots}[args.picture](repository, args.task)


def picture_pages(repository: Path, task: str) -> None:
    """Take screenshots of the MLflow UI: the task's runs, the comparison of those that were evaluated, and the champion.

    The champion is shown as a run and in the registry.
    """
    client = MlflowClient(f"sqlite:///{repository / 'mlflow.db'}")
    model = f"seqlab-{task}"
    experiment = client.get_experiment_by_name(model)
    runs = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time"])
    runs = [run for run in runs if "test/token_accuracy" in run.data.metrics]
    champion = client.get_model_version_by_alias(model, "champion")
    with ui_server(repository) as (server, table_of):
        ids = urllib.parse.quote(json.dumps([run.info.run_id for run in runs]))
        experiments = urllib.parse.quote(json.dumps([experiment.experiment_id]))
        pages = {
            "runs": (table_of[task], 690),
            "compare": (f"{server}/#/compare-runs?runs={ids}&experiments={experiments}&{MENU}", 650),
            "run": (f"{server}/#/experiments/{experiment.experiment_id}/runs/{champion.run_id}?{MENU}", 900),
            "registry": (f"{server}/#/models/{model}?{MENU}", 985),
        }
        for name, (address, height) in pages.items():
            take_screenshot(address, f"{name}.png", (WIDTH, height))
            page = Image.open(PICTURES / f"{name}.png").convert("RGB")
            page = page.crop((0, 0, round(page.width * (1 - ASSISTANT_SHARE)), page.height))
            page.quantize(128).save(PICTURES / f"{name}.png", optimize=True)


@contextmanager
def ui_server(repository: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Run `seqlab ui`; yield its address, and that of the table of runs of each task."""
    command = [sys.executable, "-m", "seqlab.cli", "ui", "--port", str(PORT)]
    server = subprocess.Popen(
        command, cwd=repository, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        tables = {}
        for line in server.stdout or ():
            if match := re.match(r"(\S+) runs: (\S+)", line):
                tables[match[1]] = match[2]
            if line.startswith("press Ctrl-C"):
                break
        wait_for(f"http://127.0.0.1:{PORT}/health")
        yield f"http://127.0.0.1:{PORT}", tables
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=30)


def write_terminal_page(repository: Path, task: str, experiment: str) -> None:
    """Write the output of commands as a terminal of 120 columns shows it to docs/terminal.md."""
    commands = {
        "The results of the last `dvc repro`": "seqlab summary",
        "The scores of an experiment beside those of the commit": f"dvc metrics diff HEAD {experiment}",
        "Experiments, with the parameters and scores that differ": "dvc exp show --only-changed --drop '.*/|Created|State|Executor|pos'",
        "What changed, and whether the difference is significant": f"seqlab compare --task {task} HEAD {experiment} --examples 0",
        "A file's columns, tags and problems": "seqlab check dev.conll",
    }
    parts = [
        "# In the terminal\n\nThe output of these commands after `examples/walk.sh`, in a terminal of 120 columns. "
        "This page is generated by `docs/make_pictures.py`.\n"
    ]
    for title, command in commands.items():
        done = subprocess.run(
            command.replace("dev.conll", str(corpus_file(repository, "dev"))),
            shell=True, cwd=repository, env=os.environ | {"COLUMNS": "120"}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        lines = [
            line.rstrip()
            for line in done.stdout.replace(str(corpus_file(repository, "dev")), "dev.conll").splitlines()
        ]
        assert max(map(len, lines)) <= 120, command
        parts.append(f"## {title}\n\n```\n$ {command}\n" + "\n".join(lines).strip("\n") + "\n```\n")
    (PICTURES.parent / "terminal.md").write_text("\n".join(parts), encoding="utf-8")


def corpus_file(repository: Path, split: str) -> Path:
    values = yaml.safe_load((repository / "params.yaml").read_text(encoding="utf-8"))
    return Path(values["corpus"]["files"][split])


def take_screenshot(address: str, name: str, window: tuple[int, int]) -> None:
    with tempfile.TemporaryDirectory() as profile:
        options = [
            "--headless=new", "--no-sandbox", "--hide-scrollbars", f"--user-data-dir={profile}",
            f"--window-size={window[0]},{window[1]}", "--virtual-time-budget=30000",
            f"--screenshot={PICTURES / name}",
        ]  # fmt: skip
        subprocess.run(["chromium", *options, address], check=True, timeout=180, capture_output=True)


def picture_errors(repository: Path, task: str, against: str) -> None:
    """Take a screenshot of the page of a run's errors beside another run's."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "errors.html"
        arguments = ["errors", task, "--against", against, "--output", str(page)]
        subprocess.run([sys.executable, "-m", "seqlab.cli", *arguments], cwd=repository, check=True)
        text = page.read_text(encoding="utf-8")
        page.write_text(text.replace(f"{corpus_file(repository, 'dev').parent}/", ""), encoding="utf-8")
        take_screenshot(page.as_uri(), "errors.png", ERRORS_WINDOW)
    picture = Image.open(PICTURES / "errors.png").convert("RGB")
    picture.quantize(128).save(PICTURES / "errors.png", optimize=True)


def wait_for(address: str) -> None:
    """Wait until a server on this machine answers."""
    deadline = time.monotonic() + START_UP_S
    while True:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def picture_plots(repository: Path, task: str) -> None:
    """Render the task's DVC plots, one below the other."""
    import vl_convert

    files = [f"metrics/{task}/{name}.csv" for name in ("learning_curve", "scores", "confusion")]
    with tempfile.TemporaryDirectory() as folder:
        show = [str(Path(sys.executable).with_name("dvc")), "plots", "show", *files, "--out", folder]
        subprocess.run(show, cwd=repository, check=True, capture_output=True)
        page = (Path(folder) / "index.html").read_text(encoding="utf-8")
    found = re.findall(r"var spec = (\{.*?\});\s*vegaEmbed", page, re.S)
    specs = sorted(
        map(json.loads, found),
        key=lambda spec: next(i for i, f in enumerate(files) if f in json.dumps(spec)),
    )
    images = [Image.open(io.BytesIO(vl_convert.vegalite_to_png(spec, scale=1.2))) for spec in specs]
    width, height = max(image.width for image in images), sum(image.height for image in images)
    picture = Image.new("RGB", (width, height), "white")
    top = 0
    for image in images:
        picture.paste(image.convert("RGB"), (0, top))
        top += image.height
    picture.quantize(64).save(PICTURES / "plots.png", optimize=True)


if __name__ == "__main__":
    main()
