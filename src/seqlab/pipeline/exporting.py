"""Exporting a trained tagger in every form, and checking each form before it replaces the last export."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from seqlab.atomic import replaced_directory, write_json
from seqlab.batching.vocabulary import Vocabulary
from seqlab.evaluation.predictions import TaggedSentence, read_predictions, spell_as_iob2
from seqlab.params import TaskParams
from seqlab.pipeline.predicting import load_prepared, prediction_window
from seqlab.serving.export_config import export_config
from seqlab.serving.export_files import CONFIG, file_digests
from seqlab.serving.float32 import load_tagger
from seqlab.serving.mlflow_model import save_mlflow_model
from seqlab.serving.model_card import model_card
from seqlab.serving.onnx.onnx_export import export_onnx
from seqlab.serving.onnx.onnx_graph import UnsupportedLayerError
from seqlab.serving.onnx.onnx_tagging import export_tagging
from seqlab.serving.parity import check_parity, started_runners
from seqlab.serving.piece_rules import piece_rules
from seqlab.serving.reference import make_batches, tag_batches
from seqlab.serving.saved_model import export_saved_model
from seqlab.tracking.client import quiet_mlflow
from seqlab.tracking.registry import register_candidate
from seqlab.tracking.run import TrackedRun
from seqlab.tracking.scored_version import score_tags
from seqlab.tracking.store import StoreAwayError, experiment_name

logger = logging.getLogger(__name__)

STRING_FORMS = ("tag", "pyfunc")
"""Forms that take text; the SavedModel, too, has signatures for it."""


def export_task(
    prepared: Path,
    models: Path,
    predictions: Path,
    metrics: Path,
    *,
    task_name: str,
    task: TaskParams,
    git: Mapping[str, str],
) -> dict[str, Any]:
    """Write `models/export` and return the parity report. Nothing is replaced unless every form agrees.

    Args:
        prepared: the folder that the prepare stage wrote.
        models: contains `model.keras` and `run.json`; `export/` is written into it.
        predictions: the folder of evaluate's `dev.conll`, on whose sentences the forms are compared.
        metrics: the folder of evaluate's `evaluate.json`.
        task_name: the task's name.
        task: the task's section of the parameters.
        git: `git.commit` and `git.dirty`, for the model card.

    Returns:
        `sentences`, `tokens`, `forms` (see `check_parity`), `unavailable` (for each form that cannot be made,
        the reason), and `evaluated_tags_differing`, the number of tags that differ from evaluate's, which may
        have run on another device or in mixed precision.

    Raises:
        SeqlabError: the model cannot be loaded, a GPU is visible, or a form predicts another tag.
    """
    encoder, tags = load_prepared(prepared)
    corpus, scores, run = (
        json.loads(path.read_text(encoding="utf-8"))
        for path in (prepared / "corpus.json", metrics / "evaluate.json", models / "run.json")
    )
    scores.pop("run_id", None)
    tagger = load_tagger(models / "model.keras")
    spans = task.tag_scheme is not None
    window: dict[str, Any] = prediction_window(task.training)
    tokenize, pieces = None, None
    takes_strings = encoder.pieces is None
    if encoder.pieces:
        from seqlab.hub.loading import PieceTokenizer

        tokenize = PieceTokenizer(prepared / "vocabulary" / "tokenizer")
        pieces = piece_rules(tokenize.tokenizer)
        takes_strings = pieces is not None
    # Batches of sentences of similar length need little padding.
    dev = sorted(read_predictions(predictions / "dev.conll"), key=lambda sentence: len(sentence.tokens))
    sentences = [list(sentence.tokens) for sentence in dev]
    batches = make_batches(sentences, encoder=encoder, tokenize=tokenize)
    with (
        started_runners() as processes,
        replaced_directory(models / "export") as made,
        tempfile.TemporaryDirectory() as scratch,
    ):
        logger.info("writing the SavedModel")
        export_saved_model(tagger, made, encoder=encoder, tags=tags, spans=spans, pieces=pieces, **window)
        forms = {"saved_model": made}
        unavailable: dict[str, str] = {}
        metadata = {"task": task_name, "tags": json.dumps(tags.entries), "run_id": run["run_id"]}
        onnx, characters = made / "model.onnx", encoder.max_token_length
        try:
            export_onnx(
                tagger,
                onnx,
                max_token_length=characters,
                pieces=encoder.pieces,
                metadata=metadata,
                **window,
            )
            forms["onnx"] = onnx
            if takes_strings:
                export_tagging(tagger, made, encoder=encoder, tags=tags, spans=spans, pieces=pieces, **window)
                forms["tag"] = made
        except UnsupportedLayerError as error:
            unavailable["onnx"] = f"{error.what} ({error.received})"
        if not takes_strings and tokenize:
            kind = type(tokenize.tokenizer).__name__
            unavailable |= dict.fromkeys(
                STRING_FORMS, f"the tokenizer of the pretrained encoder has no rules in exports ({kind})"
            )
        for form, reason in unavailable.items():
            logger.warning("no %s form: %s", form, reason)
        if takes_strings:
            forms["pyfunc"] = Path(scratch) / "pyfunc"
            with quiet_mlflow():
                save_mlflow_model(made, forms["pyfunc"], spans=spans, metadata={})
        config = export_config(
            task=task_name,
            tag_scheme=task.tag_scheme,
            tags=tags.entries,
            corpus=corpus,
            scores=scores,
            run=run,
            **window,
        )
        card = model_card(
            config,
            corpus=corpus,
            scores=scores,
            section=task.model_dump(mode="json"),
            commit=git["git.commit"],
            dirty=git["git.dirty"] == "true",
            forms=["keras", *forms],
            unavailable=unavailable,
        )
        (made / "model_card.md").write_text(card, encoding="utf-8")
        write_json(made / CONFIG, config | {"files": file_digests(made)})
        logger.info(
            "comparing %s with the trained model on %d sentences of dev", ", ".join(forms), len(sentences)
        )
        expected = tag_batches(tagger, batches, pieces=encoder.pieces, **window)
        report = check_parity(
            forms,
            processes=processes,
            sentences=sentences,
            batches=batches,
            window=window,
            expected=expected,
            tag_names=tags.entries,
            spans=spans,
        )
    return {
        "sentences": len(sentences),
        "tokens": len(expected[0]),
        "forms": report,
        "unavailable": unavailable,
        "evaluated_tags_differing": _count_differing(dev, expected[0], tags=tags, spans=spans),
    }


def record_export(models: Path, *, root: Path, report: Mapping[str, Any]) -> str | None:
    """Log the export to the training's MLflow run and register it; the best version is the candidate.

    Args:
        models: contains `run.json` and `export/`.
        root: the repository's root.
        report: the result of `export_task`.

    Returns:
        The registered version, for example `models:/seqlab-ner/3`; None if the tracking server is
        unreachable, in which case the model is sent later and not registered, or if no
        form takes text.
    """
    config = json.loads((models / "export" / "config.json").read_text(encoding="utf-8"))
    task, spans = config["task"], config["tag_scheme"] is not None
    with TrackedRun.resume(root=root, run_json=models / "run.json") as run:
        run.log_artifact(models / "export" / "model_card.md")
        run.log_dict(report, "export.json")
        run.set_tags({f"export.unavailable.{form}": reason for form, reason in report["unavailable"].items()})
        facts = {
            "task": task,
            "tag_scheme": str(config["tag_scheme"]),
            "corpus": config["corpus"]["corpus"],
            "corpus.digest": config["corpus"]["digest"],
            "corpus.synthetic": str(config["corpus"]["synthetic"]).lower(),
        }
        if "pyfunc" in report["unavailable"]:
            return None
        metrics = ["test/token_accuracy", *(["test/span_f1"] if spans else [])]
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / task
            with quiet_mlflow():
                save_mlflow_model(models / "export", folder, spans=spans, metadata=facts, run_id=run.run_id)
            model_id = run.log_model_folder(folder, name=task, tags=facts, metrics=metrics)
        if model_id is None:
            return None
        name = experiment_name(task)
        try:
            version = register_candidate(
                root,
                name=name,
                model_id=model_id,
                run_id=run.run_id,
                tags=facts | score_tags(config["scores"]),
            )
        except StoreAwayError:
            return None
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
