"""The optimizer and its learning-rate schedule."""

from __future__ import annotations

import keras


def make_optimizer(
    *,
    learning_rate: float,
    warmup_steps: int,
    total_steps: int,
    weight_decay: float = 0.0,
    clip_norm: float | None = None,
    averaged_steps: int = 0,
) -> keras.optimizers.Optimizer:
    """Return AdamW (Loshchilov and Hutter 2019) with linear warm-up and cosine decay to 0 (SGDR, 2017).

    Biases, normalisation scales and embeddings do not decay.

    Args:
        learning_rate: maximum of the schedule.
        warmup_steps: steps until the maximum is reached, starting at `learning_rate / warmup_steps`; at most
            half of total_steps are used for warm-up.
        total_steps: steps until the learning rate is 0.
        weight_decay: decoupled weight decay per step, multiplied by the learning rate.
        clip_norm: maximum global norm of the gradients, or None.
        averaged_steps: number of steps that an exponential moving average of the weights covers, with
            momentum `1 - 1 / averaged_steps` (Polyak and Juditsky 1992); 0 or 1 for none.
    """
    warmup_steps = min(warmup_steps, total_steps // 2)
    schedule = keras.optimizers.schedules.CosineDecay(
        learning_rate / max(warmup_steps, 1),
        decay_steps=total_steps - warmup_steps,
        warmup_target=learning_rate,
        warmup_steps=warmup_steps,
    )
    optimizer = keras.optimizers.AdamW(
        learning_rate=schedule,
        weight_decay=weight_decay,
        global_clipnorm=clip_norm,
        beta_2=0.98,
        use_ema=averaged_steps > 1,
        ema_momentum=1 - 1 / max(averaged_steps, 2),
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta", "embeddings", "scale"])
    return optimizer
