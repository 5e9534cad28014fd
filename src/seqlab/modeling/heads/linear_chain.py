"""Exact inference in a linear chain: sequence scores that are sums over tokens and transitions.

For a sentence of N tokens with emissions x (N, K) and transitions A (K, K), a tag sequence y has the score

    s(y) = sum_n x[n, y_n] + sum_{n<N} A[y_n, y_{n+1}]

All functions use `keras.ops` only, take a bool mask (B, T) with True = a real token and right padding, work
at dynamic length, and return finite values for a fully padded row. The T steps run in one `ops.scan`, which
compiles in a fraction of a second at any length. No gradient flows through a scan, because XLA cannot compile
that.
"""

from __future__ import annotations

from keras import ops

from seqlab.modeling.masks.masked_ops import MASKED_SCORE, Tensor


def with_boundary_scores(emissions: Tensor, start_scores: Tensor, end_scores: Tensor, mask: Tensor) -> Tensor:
    """Add the start scores to the first real token and the end scores to the last one.

    Args:
        emissions: float (B, T, K).
        start_scores: float (K,).
        end_scores: float (K,).
        mask: bool (B, T), True = a real token, right padding.

    Returns:
        float (B, T, K); 0 where the mask is False, even if the input is NaN there.
    """
    has_next = ops.concatenate([mask[:, 1:], ops.zeros_like(mask[:, :1])], axis=1)
    scores = emissions + ops.where(has_next[..., None], 0.0, end_scores)
    scores = ops.concatenate([scores[:, :1] + start_scores, scores[:, 1:]], axis=1)
    return ops.where(mask[..., None], scores, 0.0)


def log_partition(
    emissions: Tensor, transitions: Tensor, mask: Tensor, possible: Tensor | None = None
) -> Tensor:
    """Return log sum_y exp s(y), with exact gradients with respect to emissions and transitions.

    The gradient is the expected count of each tag and of each transition (Lafferty et al. 2001), which
    the forward-backward algorithm computes. It is attached as `E - stop_gradient(E)`, where E is linear in
    the scores, so first derivatives are exact and no loop is differentiated. Second derivatives are not
    available.

    Args:
        emissions: float32 (B, T, K), from `with_boundary_scores`.
        transitions: float32 (K, K), `[from][to]`.
        mask: bool (B, T).
        possible: bool (B, T, K), the tags that y may have; None for all. If each token has one, as gold tags
            do, s(y) is the result, and the algorithm does not run.

    Returns:
        float32 (B,).
    """
    if possible is not None:
        emissions = ops.where(possible, emissions, MASKED_SCORE)
    scores = ops.stop_gradient(emissions), ops.stop_gradient(transitions)
    if possible is None:
        log_z, tag_counts, transition_counts = _forward_backward(*scores, mask)
    else:
        path = ops.logical_and(possible, mask[..., None])
        is_single = ops.all(ops.equal(ops.sum(ops.cast(path, "int32"), axis=-1), ops.cast(mask, "int32")))
        log_z, tag_counts, transition_counts = ops.cond(
            is_single, lambda: _single_path(*scores, path), lambda: _forward_backward(*scores, mask)
        )
    expected_score = ops.sum(tag_counts * emissions, axis=(1, 2))
    expected_score += ops.sum(transition_counts * transitions, axis=(1, 2))
    return ops.stop_gradient(log_z) + expected_score - ops.stop_gradient(expected_score)


def marginals(emissions: Tensor, transitions: Tensor, mask: Tensor) -> Tensor:
    """Return p(y_n = k) for every real token, 0 on padding.

    Args:
        emissions: float32 (B, T, K), from `with_boundary_scores`.
        transitions: float32 (K, K), `[from][to]`.
        mask: bool (B, T).

    Returns:
        float32 (B, T, K); the probabilities of a real token sum to 1.
    """
    return _forward_backward(emissions, transitions, mask)[1]


def best_tags(emissions: Tensor, transitions: Tensor, mask: Tensor) -> Tensor:
    """Return argmax_y s(y), by the Viterbi algorithm.

    Args:
        emissions: float32 (B, T, K), from `with_boundary_scores`.
        transitions: float32 (K, K), `[from][to]`.
        mask: bool (B, T).

    Returns:
        int32 (B, T), 0 on padding.
    """
    same_tag = ops.zeros_like(emissions[:, 0, :], dtype="int32") + ops.arange(ops.shape(emissions)[2])

    def step(carry: tuple[Tensor, Tensor], following: Tensor) -> tuple[Tensor, Tensor]:
        scores, _ = carry
        emission, is_real = _unpack(following)
        candidates = scores[:, :, None] + transitions[None]
        scores = ops.where(is_real, ops.max(candidates, axis=1) + emission, scores)
        # Padding repeats the previous tag, so that backtracking starts at the last real token.
        best_previous = ops.where(is_real, ops.argmax(candidates, axis=1), same_tag)
        return (scores, best_previous), (scores, best_previous)

    (last_scores, _), (_, best_previous) = ops.scan(
        step, (emissions[:, 0, :], same_tag), _following(emissions, mask)
    )

    def step_back(tag: Tensor, best_previous_of_step: Tensor) -> tuple[Tensor, Tensor]:
        previous = ops.take_along_axis(best_previous_of_step, tag, axis=1)
        return previous, previous

    last_tag = ops.cast(ops.argmax(last_scores, axis=-1), "int32")[:, None]
    _, tags = ops.scan(step_back, last_tag, best_previous, reverse=True)
    return ops.where(mask, ops.transpose(tags[:, :, 0]), 0)


def _forward_backward(emissions: Tensor, transitions: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return log Z (B,), tag probabilities (B, T, K) and summed transition probabilities (B, K, K)."""
    following = _following(emissions, mask)

    def forward(alpha: Tensor, following_token: Tensor) -> tuple[Tensor, Tensor]:
        emission, is_real = _unpack(following_token)
        moved = ops.logsumexp(alpha[:, :, None] + transitions[None], axis=1) + emission
        return ops.where(is_real, moved, alpha), alpha

    def backward(beta: Tensor, following_token: Tensor) -> tuple[Tensor, Tensor]:
        emission, is_real = _unpack(following_token)
        moved = ops.logsumexp(transitions[None] + (emission + beta)[:, None, :], axis=2)
        beta = ops.where(is_real, moved, beta)
        return beta, beta

    last_alpha, alphas = ops.scan(forward, emissions[:, 0, :], following)
    last_beta = ops.zeros_like(last_alpha)
    _, betas = ops.scan(backward, last_beta, following, reverse=True)
    log_z = ops.logsumexp(last_alpha, axis=-1)
    # Softmax instead of exp(. - log_z): it sums to 1 even if log_z is large.
    tag_probabilities = ops.transpose(ops.softmax(alphas + betas, axis=-1), (1, 0, 2))
    tag_probabilities = ops.where(mask[..., None], tag_probabilities, 0.0)

    emission, is_real = _unpack(following)
    beta_of_following = ops.concatenate([betas[1:], last_beta[None]], axis=0)
    pair_scores = alphas[..., :, None] + transitions + (emission + beta_of_following)[..., None, :]
    pair_probabilities = ops.exp(pair_scores - ops.logsumexp(pair_scores, axis=(-2, -1), keepdims=True))
    transition_counts = ops.sum(ops.where(is_real[..., None], pair_probabilities, 0.0), axis=0)
    return log_z, tag_probabilities, transition_counts


def _single_path(emissions: Tensor, transitions: Tensor, path: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return s(y), and how often y has each tag, (B, T, K), and each transition, (B, K, K).

    Args:
        emissions: float32 (B, T, K).
        transitions: float32 (K, K).
        path: bool (B, T, K), True for the tag of each real token.
    """
    tag_counts = ops.cast(path, "float32")
    transition_counts = ops.matmul(ops.transpose(tag_counts[:, :-1], (0, 2, 1)), tag_counts[:, 1:])
    score = ops.sum(tag_counts * emissions, axis=(1, 2)) + ops.sum(
        transition_counts * transitions, axis=(1, 2)
    )
    return score, tag_counts, transition_counts


def _following(emissions: Tensor, mask: Tensor) -> Tensor:
    """Return the next token of each token: its emissions and, as last channel, its mask; (T, B, K + 1).

    One tensor, because Keras's scan over several tensors fails at dynamic length on TensorFlow. T steps, the
    last one into padding, because a scan over T - 1 = 0 steps fails as well.
    """
    mask = ops.cast(mask, emissions.dtype)[..., None]
    packed = ops.concatenate([emissions, mask], axis=-1)
    packed = ops.concatenate([packed[:, 1:], ops.zeros_like(packed[:, :1])], axis=1)
    return ops.transpose(packed, (1, 0, 2))


def _unpack(following: Tensor) -> tuple[Tensor, Tensor]:
    return following[..., :-1], following[..., -1:] > 0
