"""Logits of many pairs by the PyTorch model, and how good an order and a probability are."""

import numpy as np
import torch

from pair_tokens import batches_by_length


def logits(model, tokens, pairs, batch_tokens=8000, precision=torch.bfloat16):
    """Of (query id, passage id) pairs: float32 `[pairs]`."""
    device = next(model.parameters()).device
    model.eval()
    trained_in, model.precision = model.precision, precision
    found = []
    with torch.no_grad():
        for start in range(0, len(pairs), 2048):
            inputs, order = batches_by_length(tokens, pairs[start : start + 2048], batch_tokens, device)
            found.append(model(inputs)[order].cpu().numpy())
    model.precision = trained_in
    return np.concatenate(found) if found else np.zeros(0, np.float32)


def sigmoid(values):
    return 1 / (1 + np.exp(-np.asarray(values, dtype=np.float64)))


def standardised(values):
    """`(x - mean) / deviation`, as the engine does before it adds scores; 0 where all are equal."""
    values = np.asarray(values, dtype=np.float64)
    deviation = values.std()
    return (values - values.mean()) / deviation if deviation > 0 else np.zeros_like(values)


def ndcg_10(relevant):
    """nDCG@10 of one ranking with its relevant passages as True; one relevant passage or more must exist."""
    relevant = np.asarray(relevant, dtype=np.float64)
    discount = 1 / np.log2(np.arange(2, 12))
    ideal = discount[: int(min(10, relevant.sum()))].sum()
    return float((relevant[:10] * discount[: len(relevant[:10])]).sum() / ideal) if ideal else 0.0


def rr_10(relevant):
    """Reciprocal rank of the first relevant passage, 0 when none is among the best ten."""
    places = np.flatnonzero(np.asarray(relevant)[:10])
    return 1 / (1 + int(places[0])) if len(places) else 0.0


def calibration_error(probabilities, labels, bins):
    """Expected calibration error: how far stated and found shares of relevant pairs lie apart, over `bins`.

    `bins`: index arrays, by `equal_mass` or `equal_width`. Naeini et al., AAAI 2015.
    """
    probabilities, labels = np.asarray(probabilities), np.asarray(labels)
    gaps = [len(own) * abs(probabilities[own].mean() - labels[own].mean()) for own in bins if len(own)]
    return float(sum(gaps) / len(probabilities))


def equal_mass(probabilities, num_bins=15):
    return np.array_split(np.argsort(probabilities, kind="stable"), num_bins)


def equal_width(probabilities, num_bins=10):
    place = np.minimum((np.asarray(probabilities) * num_bins).astype(int), num_bins - 1)
    return [np.flatnonzero(place == number) for number in range(num_bins)]
