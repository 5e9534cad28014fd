"""The taggers of params.yaml in PyTorch, as a PyTorch user would write and train them.

benchmarks/training.py compares with them. The layers, their sizes and initial weights, the loss, the
optimizer, its schedule, the averaged weights, the auxiliary columns, the mention replacement and the scorer
are seqlab's. The rest is PyTorch's own, in eager mode: `nn.LSTM` (on packed sequences, unless a batch needs
no padding, which is faster), `scaled_dot_product_attention`, a CRF as a loop over time that autograd
differentiates, fused AdamW, `AveragedModel`. A batch has as many sentences as seqlab's and is padded to its
own longest sentence and token; no sentence is dropped or cut.

Needs PyTorch, NumPy and the plain Python modules `seqlab.tags` and `seqlab.evaluation`. Takes one argument,
JSON with `prepared` (a folder that seqlab's prepare stage wrote), `task` (the task's parameters), `seed`,
`threads` and `started` (the Unix time at which the process was started), and prints the measurement as JSON.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from seqlab.evaluation.scores import score_sentences
from seqlab.tags import NUM_RESERVED, tags_to_spans, transition_constraints

MASKED = -1e9
SORTED_BATCHES = 100
"""Shuffled sentences are sorted by length within this many batches, as torchtext's BucketIterator does."""
EVALUATION_BATCH = 64


@dataclass(frozen=True)
class Split:
    """A prepared split; the files are described in seqlab/batching/encoding.py and auxiliary.py.

    Args:
        type_ids, tag_ids: int32 (tokens,).
        auxiliary: int32 (tokens, columns), tag ids of the auxiliary columns.
        auxiliary_sizes: tags in each column, including the two reserved ids.
        offsets: int64 (sentences + 1,).
        features: `token_ids` and `shape_ids` (types,), `char_ids` (types, characters).
        tags: names by tag id.
    """

    type_ids: np.ndarray
    tag_ids: np.ndarray
    auxiliary: np.ndarray
    auxiliary_sizes: list[int]
    offsets: np.ndarray
    features: dict[str, Tensor]
    tags: list[str]

    @classmethod
    def read(cls, folder: Path, tags: list[str]) -> Split:
        """Read a split's folder."""
        listed = folder / "auxiliary.json"
        columns = json.loads(listed.read_text("utf-8")) if listed.exists() else []
        type_ids = np.fromfile(folder / "type_ids.bin", np.int32)
        auxiliary = [np.fromfile(folder / f"auxiliary_{n}.bin", np.int32) for n in range(len(columns))]
        names = ("token_ids", "char_ids", "shape_ids")
        return cls(
            type_ids=type_ids,
            tag_ids=np.fromfile(folder / "tag_ids.bin", np.int32),
            auxiliary=np.stack(auxiliary, 1) if columns else np.zeros((len(type_ids), 0), np.int32),
            auxiliary_sizes=[len(column["tags"]) for column in columns],
            offsets=np.fromfile(folder / "offsets.bin", np.int64),
            features={name: torch.from_numpy(np.load(folder / f"{name}.npy")).long() for name in names},
            tags=[*tags, *json.loads((folder / "meta.json").read_text("utf-8"))["extra_tags"]],
        )

    def batch(self, rows: np.ndarray, *, sources: np.ndarray | None = None) -> dict[str, Tensor]:
        """Gather sentences, padded to the longest, the longest first; `sources` replaces tokens."""
        starts, lengths = self.offsets[rows], self.offsets[rows + 1] - self.offsets[rows]
        positions = np.arange(lengths[0])
        mask = positions < lengths[:, None]
        at = np.where(mask, starts[:, None] + positions, 0)
        read_at = at if sources is None else sources[at]
        types = torch.from_numpy(np.where(mask, self.type_ids[read_at], 0)).long()
        batch = {name: table[types] for name, table in self.features.items()}
        longest = int((batch["char_ids"] != 0).sum(-1).max())
        return batch | {
            "char_ids": batch["char_ids"][:, :, :longest],
            "mask": torch.from_numpy(mask),
            "lengths": torch.from_numpy(lengths),
            "tag_ids": torch.from_numpy(np.where(mask, self.tag_ids[at], 0)).long(),
            "auxiliary_ids": torch.from_numpy(np.where(mask[..., None], self.auxiliary[read_at], 0)).long(),
        }


def make_batches(split: Split, batch_size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Return an epoch's batches of sentences of similar length, in random order."""
    lengths = np.diff(split.offsets)
    order = rng.permutation(len(lengths))
    batches = []
    for first in range(0, len(order), SORTED_BATCHES * batch_size):
        chunk = order[first : first + SORTED_BATCHES * batch_size]
        chunk = chunk[np.argsort(-lengths[chunk])]
        batches += [chunk[i : i + batch_size] for i in range(0, len(chunk), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]


class MentionReplacer:
    """Replaces a share of the mentions by others of their type and length, as seqlab's does."""

    def __init__(self, split: Split, *, scheme: str, share: float) -> None:
        self.num_tokens, self.share = len(split.type_ids), share
        starts = defaultdict(list)
        for first, stop in zip(split.offsets[:-1], split.offsets[1:], strict=True):
            tags = [split.tags[i] for i in split.tag_ids[first:stop]]
            for kind, start, end in tags_to_spans(tags, scheme=scheme):
                starts[kind, end - start].append(first + start)
        self.mentions = [(length, np.array(at)) for (_, length), at in starts.items()]

    def sources(self, rng: np.random.Generator) -> np.ndarray:
        """Return for each token the position of the token to read instead."""
        sources = np.arange(self.num_tokens)
        for length, starts in self.mentions:
            replaced = starts[rng.random(len(starts)) < self.share, None] + np.arange(length)
            sources[replaced] = rng.choice(starts, len(replaced))[:, None] + np.arange(length)
        return sources


class Embedder(nn.Module):
    """Token embedding, character CNN with max pooling, and one-hot word shape, concatenated."""

    def __init__(self, params: dict[str, Any], *, tokens: int, characters: int, shapes: int) -> None:
        super().__init__()
        dim, kernels = params["character_embedding_dim"], params["character_kernel_sizes"]
        self.token_dropout, self.num_shapes = params["token_dropout"], shapes
        self.tokens = nn.Embedding(tokens, params["token_embedding_dim"], padding_idx=0)
        self.characters = nn.Embedding(characters, dim, padding_idx=0)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(dim, params["character_filters"], size, padding="same", bias=False) for size in kernels
        )
        self.bias = nn.Parameter(torch.zeros(params["character_filters"] * len(kernels)))
        self.dropout = nn.Dropout(params["dropout"])
        self.output_dim = params["token_embedding_dim"] + len(self.bias) + shapes

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        token_ids = batch["token_ids"]
        if self.training:
            dropped = (torch.rand(token_ids.shape) < self.token_dropout) & batch["mask"]
            token_ids = token_ids.masked_fill(dropped, 1)
        char_ids = batch["char_ids"].flatten(0, 1)
        vectors, padding = self.characters(char_ids).transpose(1, 2), (char_ids == 0).unsqueeze(1)
        pooled = [f(vectors).masked_fill(padding, MASKED).amax(2) for f in self.convolutions]
        characters = functional.relu(torch.cat(pooled, 1) + self.bias).view(*token_ids.shape, -1)
        shapes = functional.one_hot(batch["shape_ids"], self.num_shapes).float()
        return self.dropout(torch.cat([self.tokens(token_ids), characters, shapes], -1))


class BiLSTM(nn.Module):
    """Stacked bidirectional LSTM layers over packed sequences."""

    def __init__(self, params: dict[str, Any], input_dim: int) -> None:
        super().__init__()
        options = {"batch_first": True, "bidirectional": True, "dropout": params["dropout"]}
        self.lstm = nn.LSTM(input_dim, params["units"], params["num_layers"], **options)
        self.dropout = nn.Dropout(params["dropout"])
        self.output_dim = 2 * params["units"]

    def forward(self, x: Tensor, batch: dict[str, Tensor]) -> Tensor:
        if batch["mask"].all():  # oneDNN's LSTM, about 30 % faster, does not take packed sequences
            return self.dropout(self.lstm(x)[0])
        packed = pack_padded_sequence(x, batch["lengths"], batch_first=True)
        return self.dropout(pad_packed_sequence(self.lstm(packed)[0], batch_first=True)[0])


class Block(nn.Module):
    """Convolution, self-attention with relative positions (TENER), and feed-forward step, all pre-norm."""

    def __init__(self, params: dict[str, Any]) -> None:
        super().__init__()
        dim, self.heads = params["hidden_dim"], params["num_heads"]
        self.norms = nn.ModuleList(nn.LayerNorm(dim, eps=1e-6) for _ in range(3))
        self.convolution = nn.Conv1d(dim, dim, params["convolution_kernel_size"], padding="same")
        self.query_key_value, self.output = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.content_bias, self.distance_bias = (
            nn.Parameter(torch.empty(self.heads, 1, dim // self.heads)) for _ in range(2)
        )
        self.feed_forward = nn.Sequential(
            nn.Linear(dim, params["intermediate_dim"]),
            nn.GELU(),
            nn.Dropout(params["dropout"]),
            nn.Linear(params["intermediate_dim"], dim),
        )
        self.dropout, self.attention_dropout = nn.Dropout(params["dropout"]), params["attention_dropout"]

    def forward(self, x: Tensor, mask: Tensor, sine: Tensor, cosine: Tensor) -> Tensor:
        normed = (self.norms[0](x) * mask.unsqueeze(-1)).transpose(1, 2)
        x = x + self.dropout(functional.gelu(self.convolution(normed).transpose(1, 2)))
        x = x + self.dropout(self.output(self.attend(self.norms[1](x), mask, sine, cosine)))
        return x + self.dropout(self.feed_forward(self.norms[2](x)))

    def attend(self, x: Tensor, mask: Tensor, sine: Tensor, cosine: Tensor) -> Tensor:
        """Attention (B, T, D); content and distance are one product, as in seqlab's SelfAttention."""
        split = self.query_key_value(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        query, key, value = split.unbind(0)
        for_sine, for_cosine = (query + self.distance_bias).chunk(2, -1)
        rotated = [for_sine * sine + for_cosine * cosine, for_cosine * sine - for_sine * cosine]
        positions = torch.cat([cosine, sine], -1).expand_as(key)
        context = functional.scaled_dot_product_attention(
            torch.cat([query + self.content_bias, *rotated], -1),
            torch.cat([key, positions], -1),
            value,
            attn_mask=mask[:, None, None, :],
            dropout_p=self.attention_dropout if self.training else 0.0,
            scale=value.shape[-1] ** -0.5,
        )
        return context.transpose(1, 2).flatten(2)


class Transformer(nn.Module):
    """A projection to the hidden dimension, blocks, and a normalisation."""

    def __init__(self, params: dict[str, Any], input_dim: int) -> None:
        super().__init__()
        self.output_dim, self.head_dim = params["hidden_dim"], params["hidden_dim"] // params["num_heads"]
        self.projection = nn.Linear(input_dim, self.output_dim)
        self.dropout = nn.Dropout(params["dropout"])
        self.blocks = nn.ModuleList(Block(params) for _ in range(params["num_layers"]))
        self.norm = nn.LayerNorm(self.output_dim, eps=1e-6)

    def forward(self, x: Tensor, batch: dict[str, Tensor]) -> Tensor:
        frequencies = 10000.0 ** (-2.0 * torch.arange(self.head_dim // 2) / self.head_dim)
        angles = torch.arange(x.shape[1]).unsqueeze(1) * frequencies
        sine, cosine = angles.sin(), angles.cos()
        x = self.dropout(self.projection(x))
        for block in self.blocks:
            x = block(x, batch["mask"], sine, cosine)
        return self.norm(x)


class Softmax(nn.Module):
    """Independent tag scores; the loss is the mean cross-entropy of the tokens with a known tag."""

    def __init__(self, input_dim: int, num_tags: int) -> None:
        super().__init__()
        self.projection = nn.Linear(input_dim, num_tags)

    def loss(self, x: Tensor, tag_ids: Tensor, mask: Tensor) -> Tensor:
        logits, gold = self.projection(x)[..., NUM_RESERVED:], tag_ids - NUM_RESERVED
        return functional.cross_entropy(logits.flatten(0, 1), gold.flatten().clamp(min=-1), ignore_index=-1)

    def decode(self, x: Tensor, mask: Tensor) -> Tensor:
        return self.projection(x)[..., NUM_RESERVED:].argmax(-1) + NUM_RESERVED


class CRF(nn.Module):
    """A linear-chain CRF under the tag scheme's constraints, vectorised over the batch, a loop over time."""

    def __init__(self, input_dim: int, tags: list[str], scheme: str | None) -> None:
        super().__init__()
        self.projection = nn.Linear(input_dim, len(tags))
        self.start, self.end = (nn.Parameter(torch.zeros(len(tags))) for _ in range(2))
        self.transitions = nn.Parameter(torch.zeros(len(tags), len(tags)))
        allowed = transition_constraints(tags, scheme=scheme)
        for name in ("start", "end", "transitions"):
            rules = torch.tensor(getattr(allowed, name))
            self.register_buffer(f"{name}_rules", torch.zeros(rules.shape).masked_fill(~rules, MASKED))

    def scores(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return emissions (B, T, K) with the scores of start and end, and transitions (K, K)."""
        is_last = mask & ~functional.pad(mask[:, 1:], (0, 1))
        emissions = self.projection(x) + is_last.unsqueeze(-1) * (self.end + self.end_rules)
        start = functional.pad((self.start + self.start_rules)[None], (0, 0, 0, x.shape[1] - 1))
        return emissions + start, self.transitions + self.transitions_rules

    def loss(self, x: Tensor, tag_ids: Tensor, mask: Tensor) -> Tensor:
        emissions, transitions = self.scores(x, mask)
        gold = (emissions.gather(2, tag_ids.unsqueeze(2)).squeeze(2) * mask).sum()
        gold = gold + (transitions[tag_ids[:, :-1], tag_ids[:, 1:]] * mask[:, 1:]).sum()
        alpha, *following = emissions.unbind(1)
        for emission, is_real in zip(following, mask.unsqueeze(-1).unbind(1)[1:], strict=True):
            moved = torch.logsumexp(alpha.unsqueeze(2) + transitions, 1) + emission
            alpha = torch.where(is_real, moved, alpha)
        return (torch.logsumexp(alpha, 1).sum() - gold) / mask.sum()

    def decode(self, x: Tensor, mask: Tensor) -> Tensor:
        emissions, transitions = self.scores(x, mask)
        best, *following = emissions.unbind(1)
        same, previous = torch.arange(best.shape[1]).expand_as(best), []
        for emission, is_real in zip(following, mask.unsqueeze(-1).unbind(1)[1:], strict=True):
            moved, from_tag = (best.unsqueeze(2) + transitions).max(1)
            best = torch.where(is_real, moved + emission, best)
            previous.append(torch.where(is_real, from_tag, same))
        tags = [best.argmax(1, keepdim=True)]
        for from_tag in reversed(previous):
            tags.append(from_tag.gather(1, tags[-1]))
        return torch.cat(tags[::-1], 1)


class Tagger(nn.Module):
    """Embedder, encoder and head, and a softmax head per auxiliary column."""

    def __init__(self, task: dict[str, Any], train: Split, vocabulary: dict[str, list[str]]) -> None:
        super().__init__()
        sizes = {name: len(vocabulary[name]) for name in ("tokens", "characters", "shapes")}
        self.embedder = Embedder(task["embedder"], **sizes)
        encoder = {"bilstm": BiLSTM, "transformer": Transformer}[task["encoder"]["type"]]
        self.encoder = encoder(task["encoder"], self.embedder.output_dim)
        dim, tags = self.encoder.output_dim, vocabulary["tags"]
        is_crf = task["head"]["type"] == "crf"
        self.head = CRF(dim, tags, task["tag_scheme"]) if is_crf else Softmax(dim, len(tags))
        self.auxiliary = nn.ModuleList(Softmax(dim, size) for size in train.auxiliary_sizes)
        self.auxiliary_weight = task["auxiliary"]["weight"]
        initialise(self)

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """Return the mean loss per token, with the weighted losses of the auxiliary columns."""
        x, mask = self.encoder(self.embedder(batch), batch), batch["mask"]
        loss = self.head.loss(x, batch["tag_ids"], mask)
        for head, ids in zip(self.auxiliary, batch["auxiliary_ids"].unbind(-1), strict=True):
            loss = loss + self.auxiliary_weight * head.loss(x, ids, mask)
        return loss

    def decode(self, batch: dict[str, Tensor]) -> Tensor:
        """Return the best tag ids, (B, T)."""
        return self.head.decode(self.encoder(self.embedder(batch), batch), batch["mask"])


@torch.no_grad()
def initialise(tagger: Tagger) -> None:
    """Start from Keras's distributions; the LSTM's second bias, which Keras does not have, stays 0."""
    for name, weight in tagger.named_parameters():
        if "bias_hh" in name:
            nn.init.zeros_(weight).requires_grad_(False)
        elif "bias_ih" in name:
            nn.init.zeros_(weight)[len(weight) // 4 : len(weight) // 2] = 1.0  # forget gate
        elif "weight_hh" in name:
            nn.init.orthogonal_(weight)
        elif "weight_ih" in name or "content_bias" in name or "distance_bias" in name:
            nn.init.xavier_uniform_(weight)
        elif "query_key_value.weight" in name:
            for part in weight.chunk(3):
                nn.init.xavier_uniform_(part)
        elif name.endswith(("tokens.weight", "characters.weight")):
            nn.init.uniform_(weight, -0.05, 0.05)[0] = 0.0
        elif weight.dim() > 1 and "transitions" not in name:
            nn.init.xavier_uniform_(weight)
        elif "bias" in name:
            nn.init.zeros_(weight)


def make_optimizer(tagger: Tagger, training: dict[str, Any], steps: int) -> tuple[Any, Any]:
    """Return AdamW and its schedule: linear warm-up, then cosine decay to 0; biases and embeddings keep."""
    kept = ("bias", "norm", "tokens", "characters")
    groups = [[], []]
    for name, weight in tagger.named_parameters():
        if weight.requires_grad:
            groups[any(part in name for part in kept)].append(weight)
    optimizer = torch.optim.AdamW(
        [{"params": groups[0], "weight_decay": training["weight_decay"]}, {"params": groups[1]}],
        lr=training["learning_rate"],
        betas=(0.9, 0.98),
        eps=1e-7,
        weight_decay=0.0,
        fused=True,
    )
    total = training["epochs"] * steps
    warmup = min(round(training["warmup_epochs"] * steps), total // 2)

    def share(step: int) -> float:
        if step < warmup:
            return (1 + step * (warmup - 1) / warmup) / warmup
        return (1 + math.cos(math.pi * min((step - warmup) / (total - warmup), 1.0))) / 2

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, share)


@torch.inference_mode()
def score(tagger: Tagger, split: Split, *, spans: bool) -> dict[str, float]:
    """Score a split with seqlab's scorer."""
    tagger.eval()
    order = np.argsort(-np.diff(split.offsets), kind="stable")
    predicted = np.zeros(len(split.type_ids), np.int64)
    for first in range(0, len(order), EVALUATION_BATCH):
        rows = order[first : first + EVALUATION_BATCH]
        batch = split.batch(rows)
        for row, tag_ids, length in zip(rows, tagger.decode(batch).numpy(), batch["lengths"], strict=True):
            predicted[split.offsets[row] : split.offsets[row + 1]] = tag_ids[:length]
    names = np.array(split.tags, object)
    gold, guessed = names[split.tag_ids].tolist(), names[predicted].tolist()
    bounds = zip(split.offsets[:-1].tolist(), split.offsets[1:].tolist(), strict=True)
    rows = ((gold[a:b], gold[a:b], guessed[a:b]) for a, b in bounds)  # the scorer does not look at tokens
    return score_sentences(rows, spans=spans)


def measure(prepared: Path, task: dict[str, Any], *, seed: int, started: float) -> dict[str, Any]:
    """Train on `prepared` and return the times, the scores on dev and the number of parameters."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    names = ("tokens", "characters", "shapes", "tags")
    vocabulary = {n: json.loads((prepared / "vocabulary" / f"{n}.json").read_text("utf-8")) for n in names}
    train, dev = (Split.read(prepared / split, vocabulary["tags"]) for split in ("train", "dev"))
    training, scheme = task["training"], task["tag_scheme"]
    replacer = None
    if scheme is not None and training["mention_replacement"]:
        replacer = MentionReplacer(train, scheme=scheme, share=training["mention_replacement"])
    tagger = Tagger(task, train, vocabulary)
    steps = len(make_batches(train, training["batch_size"], rng))
    optimizer, schedule = make_optimizer(tagger, training, steps)
    averaged_steps = max(round(training["weight_averaging_epochs"] * steps), 1)
    averaged = AveragedModel(tagger, multi_avg_fn=get_ema_multi_avg_fn(1 - 1 / averaged_steps))
    trained = [weight for weight in tagger.parameters() if weight.requires_grad]
    start_up_s, epochs = 0.0, []
    for _ in range(training["epochs"]):
        began, positions = time.monotonic(), 0
        sources = replacer.sources(rng) if replacer else None
        tagger.train()
        for rows in make_batches(train, training["batch_size"], rng):
            batch = train.batch(rows, sources=sources)
            loss = tagger.loss(batch)
            optimizer.zero_grad()
            loss.backward()
            if training["clip_norm"] is not None:
                nn.utils.clip_grad_norm_(trained, training["clip_norm"], foreach=True)
            optimizer.step()
            schedule.step()
            averaged.update_parameters(tagger)
            positions += batch["mask"].numel()
            start_up_s = start_up_s or time.time() - started
        row = {"train_s": time.monotonic() - began, "tokens": len(train.type_ids), "steps": steps}
        scores = score(averaged.module, dev, spans=scheme is not None)
        row["score"] = scores[training["monitor"]]
        row["padding_efficiency"] = len(train.type_ids) / positions
        epochs.append(row | {"duration_s": time.monotonic() - began})
    tagger.auxiliary = nn.ModuleList()
    parameters = sum(weight.numel() for weight in tagger.parameters() if weight.requires_grad)
    return {"start_up_s": start_up_s, "parameters": parameters, "epochs": epochs}


def main() -> None:
    """Measure what the argument asks for."""
    spec = json.loads(sys.argv[1])
    torch.set_num_threads(spec["threads"])
    torch.set_flush_denormal(True)  # as TensorFlow does
    print(
        json.dumps(measure(Path(spec["prepared"]), spec["task"], seed=spec["seed"], started=spec["started"]))
    )


if __name__ == "__main__":
    main()
