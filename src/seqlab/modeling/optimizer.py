"""The optimizer and its learning-rate schedule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops


@dataclass(frozen=True)
class VariableRate:
    """The learning rate of a variable, relative to the schedule.

    Args:
        factor: of the schedule's learning rate.
        warmup_steps: steps in which the factor grows linearly from `factor / warmup_steps`; 0 for none.
    """

    factor: float
    warmup_steps: int = 0


def make_optimizer(
    *,
    learning_rate: float,
    warmup_steps: int,
    total_steps: int,
    weight_decay: float = 0.0,
    clip_norm: float | None = None,
    averaged_steps: int = 0,
    loss_scaling: bool = False,
    rates: Mapping[str, VariableRate] | None = None,
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
        averaged_steps: number of steps that an exponential moving average of the weights covers (Polyak and
            Juditsky 1992); 0 or 1 for none. The average takes the weights of every n-th step, with momentum
            `1 - n / averaged_steps`. On TensorFlow, n is `averaged_steps // 16`, at least 1; otherwise 1.
        loss_scaling: whether to scale the loss dynamically, so that float16 gradients do not underflow.
        rates: learning rates by the path of the variable; other variables have that of the schedule.
    """
    warmup_steps = min(warmup_steps, total_steps // 2)
    schedule = keras.optimizers.schedules.CosineDecay(
        learning_rate / max(warmup_steps, 1),
        decay_steps=total_steps - warmup_steps,
        warmup_target=learning_rate,
        warmup_steps=warmup_steps,
    )
    is_fused = keras.backend.backend() == "tensorflow"
    every = max(averaged_steps // 16, 1) if is_fused else 1
    optimizer = (FusedAdamW if is_fused else RatedAdamW)(
        learning_rate=schedule,
        weight_decay=weight_decay,
        global_clipnorm=clip_norm,
        beta_2=0.98,
        use_ema=averaged_steps > 1,
        ema_momentum=1 - every / max(averaged_steps, 2),
    )
    optimizer.averaged_every = every
    optimizer.rates = dict(rates or {})
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta", "embeddings", "scale"])
    return keras.optimizers.LossScaleOptimizer(optimizer) if loss_scaling else optimizer


class RatedAdamW(keras.optimizers.AdamW):
    """AdamW with a learning rate for each variable.

    Attributes:
        rates: by the path of the variable; other variables have the learning rate of the schedule.
        averaged_every: number of steps from one update of the moving average to the next; 1 unless fused.
    """

    rates: Mapping[str, VariableRate] = {}
    averaged_every = 1

    def rate_of(self, variable: Any, learning_rate: Any) -> Any:
        """Return the learning rate of a variable, from that of the schedule."""
        rate = self.rates.get(variable.path)
        if rate is None:
            return learning_rate
        factor = ops.cast(rate.factor, "float32")
        if rate.warmup_steps:
            done = ops.cast(self.iterations + 1, "float32") / rate.warmup_steps
            factor = factor * ops.minimum(1.0, done)
        return ops.cast(learning_rate, "float32") * factor

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        super().update_step(gradient, variable, self.rate_of(variable, learning_rate))

    def _apply_weight_decay(self, variables: Any) -> None:
        if not self.weight_decay:
            return
        learning_rate = self.learning_rate
        for variable in filter(self._use_weight_decay, variables):
            share = ops.cast(self.rate_of(variable, learning_rate) * self.weight_decay, variable.dtype)
            self.assign(variable, variable - variable * share)


@keras.saving.register_keras_serializable(package="seqlab")
class FusedAdamW(RatedAdamW):
    """AdamW on TensorFlow, whose update of a variable, and of its moving average, is one kernel each.

    Keras runs about twelve kernels, each of which reads and writes the whole variable, also for a large
    embedding table. The results are the same up to rounding.

    Attributes:
        gradient_norm: the global norm of the last step's gradients, before they were clipped.
    """

    def build(self, variables: Any) -> None:
        super().build(variables)
        self.gradient_norm = keras.Variable(
            0.0, trainable=False, name="gradient_norm", aggregation="only_first_replica"
        )

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        import tensorflow as tf

        index = self._get_variable_index(variable)
        step = tf.cast(self.iterations.value + 1, variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.pow(tf.cast(self.beta_1, variable.dtype), step),
            beta2_power=tf.pow(tf.cast(self.beta_2, variable.dtype), step),
            lr=tf.cast(self.rate_of(variable, learning_rate), variable.dtype),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=tf.cast(tf.convert_to_tensor(gradient), variable.dtype),
        )

    def _clip_gradients(self, grads: Any) -> Any:
        """Note the gradients' norm and clip them, after rows of equal tokens in an embedding's are added.

        Keras takes the norm before it adds them, so the norm would depend on how a batch is divided.
        """
        import tensorflow as tf

        grads = [tf.convert_to_tensor(gradient) for gradient in grads]
        norm = tf.linalg.global_norm(grads)  # one kernel for each gradient
        self.gradient_norm.assign(norm)
        if self.global_clipnorm:
            return tf.clip_by_global_norm(grads, self.global_clipnorm, use_norm=norm)[0]
        return super()._clip_gradients(grads)

    def _apply_weight_decay(self, variables: Any) -> None:
        """Decay the weights by one kernel each; the schedule is computed once, not for each."""
        import tensorflow as tf

        if not self.weight_decay:
            return
        learning_rate = self.learning_rate
        for variable in filter(self._use_weight_decay, variables):
            tf.raw_ops.ResourceApplyGradientDescent(
                var=variable.value.handle,
                alpha=tf.cast(self.rate_of(variable, learning_rate) * self.weight_decay, variable.dtype),
                delta=variable.value,
            )

    def _backend_update_step(self, grads: Any, trainable_variables: Any, learning_rate: Any) -> None:
        """Update each variable with its gradient, which is already summed over the replicas.

        Keras sums the gradients here, after it has clipped them.
        """
        for gradient, variable in zip(grads, trainable_variables, strict=True):
            self.update_step(gradient, variable, learning_rate)

    def _update_model_variables_moving_average(self, trainable_variables: Any) -> None:
        if not self.use_ema:
            return
        import tensorflow as tf

        def update() -> None:
            is_first = tf.equal(self.iterations.value, 0)
            weight = tf.where(is_first, 1.0, 1.0 - self.ema_momentum)
            for variable, average in zip(
                trainable_variables, self._model_variables_moving_average, strict=True
            ):
                tf.raw_ops.ResourceApplyGradientDescent(
                    var=average.value.handle,
                    alpha=tf.cast(weight, variable.dtype),
                    delta=tf.subtract(average.value, variable.value),
                )

        if self.averaged_every == 1:
            update()
        else:
            tf.cond(tf.equal(self.iterations.value % self.averaged_every, 0), update, lambda: None)
