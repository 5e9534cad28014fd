"""The optimizer and its learning-rate schedule."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="seqlab")
class WarmupCosine(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up from 0 to the peak, then half a cosine down to 0 (Loshchilov and Hutter 2017, SGDR).

    `step < warmup_steps`: `peak * (step + 1) / warmup_steps`; after that
    `peak * (1 + cos(pi * (step - warmup_steps) / (total_steps - warmup_steps))) / 2`, and 0 past the end.

    Args:
        peak: the highest learning rate.
        warmup_steps: steps until the peak is reached.
        total_steps: steps until 0 is reached.
    """

    def __init__(self, *, peak: float, warmup_steps: int, total_steps: int) -> None:
        self.peak, self.warmup_steps, self.total_steps = peak, warmup_steps, total_steps

    def __call__(self, step: Any) -> Any:
        """The learning rate at `step`, a scalar."""
        step = ops.cast(step, "float32")
        warmup = self.peak * (step + 1.0) / max(self.warmup_steps, 1)
        share = (step - self.warmup_steps) / max(self.total_steps - self.warmup_steps, 1)
        decayed = self.peak * 0.5 * (1.0 + ops.cos(3.141592653589793 * ops.clip(share, 0.0, 1.0)))
        return ops.where(step < self.warmup_steps, warmup, decayed)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {"peak": self.peak, "warmup_steps": self.warmup_steps, "total_steps": self.total_steps}


def make_optimizer(
    *,
    learning_rate: float,
    warmup_steps: int,
    total_steps: int,
    weight_decay: float = 0.0,
    clip_norm: float | None = None,
    averaged_steps: int = 0,
) -> keras.optimizers.Optimizer:
    """AdamW (Loshchilov and Hutter 2019) with warm-up and cosine decay.

    Biases, normalisation scales and embeddings do not decay.

    Args:
        learning_rate: the schedule's peak.
        warmup_steps: steps of linear warm-up.
        total_steps: steps until the learning rate is 0.
        weight_decay: decoupled weight decay per step, times the learning rate.
        clip_norm: largest global norm of the gradients, or None.
        averaged_steps: steps over which an exponential moving average of the weights reaches back, with
            momentum `1 - 1 / averaged_steps` (Polyak and Juditsky 1992); 0 or 1 for none.
    """
    optimizer = keras.optimizers.AdamW(
        learning_rate=WarmupCosine(peak=learning_rate, warmup_steps=warmup_steps, total_steps=total_steps),
        weight_decay=weight_decay,
        global_clipnorm=clip_norm,
        beta_2=0.98,
        use_ema=averaged_steps > 1,
        ema_momentum=1 - 1 / max(averaged_steps, 2),
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta", "embeddings", "scale"])
    return optimizer
