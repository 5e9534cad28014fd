"""Export a trained tagger in every form, and prove each form before it takes its place."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from seqlab.atomic import replaced_directory, write_json
from seqlab.batching.vocabulary import Vocabulary
from seqlab.evaluation.predictions import TaggedSentence, read_predictions, spell_as_iob2
from seqlab.params import TaskParams
from seqlab.pipeline.training import evaluation_window, load_prepared
from seqlab.serving.export_config import export_config
from seqlab.serving.float32 import load_tagger
from seqlab.serving.mlflow_model import save_mlflow_model
from seqlab.serving.model_card import model_card
from seqlab.serving.parity import check_parity
from seqlab.serving.rows import make_rows, tag_rows
from seqlab.serving.saved_model import export_saved_model
from seqlab.tracking.client import quiet_mlflow
from seqlab.tracking.registry import register_candidate
from seqlab.tracking.run import TrackedRun


def export_task(
    prepared: Path,
    models: Path,
    predictions: Path,
    metrics: Path,
    *,
    task_name: str,
    task: TaskParams,
    git: Mapping[str, str],
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Write `models/export` and return the parity report; nothing is replaced unless every form agrees.

    Args:
        prepared: the folder that prepare wrote.
        models: holds `model.keras` and `run.json`; `export/` is written into it.
        predictions: the folder with evaluate's `dev.conll`, whose sentences the forms are compared on.
        metrics: the folder with evaluate's `evaluate.json`.
        task_name: `ner` or `pos`.
        task: the task's section of the parameters.
        git: `git.commit` and `git.dirty`, for the model card.
        say: told about progress.

    Returns:
        `sentences`, `tokens`, `forms` (see `check_parity`), and `evaluated_tags_differing`, how many tags
        differ from those that evaluate wrote, perhaps on another device or in mixed precision.

    Raises:
        SeqlabError: the model cannot be loaded, a GPU is visible, or a form tags differently.
    """
    encoder, tags = load_prepared(prepared)
    corpus, scores, run = (
        json.loads(path.read_text(encoding="utf-8"))
        for path in (prepared / "corpus.json", metrics / "evaluate.json", models / "run.json")
    )
    tagger = load_tagger(models / "model.keras")
    spans = task.tag_scheme is not None
    window = evaluation_window(task.training)
    # Sentences of like length in a batch need little padding.
    dev = sorted(read_predictions(predictions / "dev.conll"), key=lambda sentence: len(sentence.tokens))
    sentences = [list(sentence.tokens) for sentence in dev]
    rows = make_rows(sentences, encoder=encoder, **window)
    with replaced_directory(models / "export") as made, tempfile.TemporaryDirectory() as scratch:
        say("writing the SavedModel")
        export_saved_model(tagger, made, encoder=encoder, tags=tags, spans=spans, **window)
        config = export_config(
            task=task_name,
            tag_scheme=task.tag_scheme,
            tags=tags.entries,
            corpus=corpus,
            scores=scores,
            run=run,
            **window,
        )
        write_json(made / "config.json", config)
        card = model_card(
            config,
            corpus=corpus,
            scores=scores,
            section=task.model_dump(mode="json"),
            commit=git["git.commit"],
            dirty=git["git.dirty"] == "true",
        )
        (made / "model_card.md").write_text(card, encoding="utf-8")
        forms = {"keras": models / "model.keras", "saved_model": made}
        if find_spec("onnx") and find_spec("onnxruntime"):
            from seqlab.serving.onnx.onnx_export import export_onnx

            say("writing the ONNX file")
            forms["onnx"] = made / "model.onnx"
            facts = {"task": task_name, "tags": json.dumps(tags.entries), "run_id": run["run_id"]}
            export_onnx(tagger, forms["onnx"], max_token_length=encoder.max_token_length, metadata=facts)
        else:
            say("no ONNX file: onnx and onnxruntime are not installed (pip install 'seqlab[onnx]')")
        forms["pyfunc"] = Path(scratch) / "pyfunc"
        with quiet_mlflow():
            save_mlflow_model(made, forms["pyfunc"], spans=spans, metadata={"tags": tags.entries})
        say(f"comparing {', '.join(forms)} with the trained model on {len(sentences)} sentences of dev")
        expected = tag_rows(tagger, rows)
        report = check_parity(
            forms, sentences=sentences, rows=rows, expected=expected, tag_names=tags.entries
        )
    return {
        "sentences": len(sentences),
        "tokens": len(expected[0]),
        "forms": report,
        "evaluated_tags_differing": _count_differing(dev, expected[0], tags=tags, spans=spans),
    }


def record_export(models: Path, *, root: Path, report: Mapping[str, Any]) -> str | None:
    """Log the export to the training's MLflow run and register it as the candidate.

    Args:
        models: holds `run.json` and `export/`.
        root: the repository's root.
        report: what `export_task` returned.

    Returns:
        The registered version as `models:/seqlab-ner/3`; None if the tracking server is away, and the model
        is sent later without being registered.
    """
    config = json.loads((models / "export" / "config.json").read_text(encoding="utf-8"))
    with TrackedRun.resume(root=root, run_json=models / "run.json") as run:
        run.log_artifact(models / "export" / "model_card.md", "model_card.md")
        run.log_dict(report, "export.json")
        facts = {
            "task": config["task"],
            "tag_scheme": str(config["tag_scheme"]),
            "corpus": config["corpus"]["corpus"],
            "corpus.digest": config["corpus"]["digest"],
            "corpus.synthetic": str(config["corpus"]["synthetic"]).lower(),
        }
        spans = config["tag_scheme"] is not None
        metrics = ["test/token_accuracy", *(["test/span_f1"] if spans else [])]
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / config["task"]
            with quiet_mlflow():
                save_mlflow_model(models / "export", folder, spans=spans, metadata=facts, run_id=run.run_id)
            model_id = run.log_model_folder(
                folder, name=config["task"], params={}, tags=facts, metrics=metrics
            )
        if model_id is None:
            return None
        name = f"seqlab-{config['task']}"
        version = register_candidate(root, name=name, model_id=model_id, run_id=run.run_id)
    return f"models:/{name}/{version}"


def _count_differing(dev: list[TaggedSentence], tag_ids: np.ndarray, *, tags: Vocabulary, spans: bool) -> int:
    stops = np.cumsum([len(sentence.tokens) for sentence in dev])
    ours = [
        TaggedSentence(sentence.tokens, sentence.gold, [tags.entries[i] for i in ids])
        for sentence, ids in zip(dev, np.split(tag_ids, stops[:-1]), strict=True)
    ]
    if spans:
        ours = list(spell_as_iob2(ours))
    return sum(
        theirs != tag
        for sentence, other in zip(dev, ours, strict=True)
        for theirs, tag in zip(sentence.predicted, other.predicted, strict=True)
    )
