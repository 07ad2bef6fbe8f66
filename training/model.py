"""The cross-encoder in PyTorch: a BERT encoder that reads query and passage together, and one logit from its first
token.

`[CLS] query [SEP] passage [SEP]` -> encoder -> first token -> pooler (dense, tanh) -> classifier -> logit. Parameters
have Hugging Face's names (those of `BertForSequenceClassification` without the `bert.` prefix), so a checkpoint loads
there, and `models/prepare/bert_graph.py` writes it as ONNX.

PERF: only the first token leaves the last layer, so that layer computes keys and values for all tokens and the rest
for one, which saves an eighth of a step with six layers. Parameters stay float32; what is multiplied is cast to
bfloat16 and activations stay bfloat16, which on CPUs with AVX-512 BF16 is three times as fast as float32. There is no
dropout but before the classifier: on a CPU the random numbers cost more than they bring in one pass over the data.
"""

import json
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

HEADS, EPSILON = 12, 1e-12


class CrossEncoder(nn.Module):
    """`layers`: how many; the sizes are those of MiniLM and bge-small."""

    def __init__(self, layers, hidden=384, wide=1536, vocabulary=30522, positions=512):
        super().__init__()
        self.embeddings = nn.Module()
        self.embeddings.word_embeddings = nn.Embedding(vocabulary, hidden)
        self.embeddings.position_embeddings = nn.Embedding(positions, hidden)
        self.embeddings.token_type_embeddings = nn.Embedding(2, hidden)
        self.embeddings.LayerNorm = nn.LayerNorm(hidden, EPSILON)
        self.encoder = nn.Module()
        self.encoder.layer = nn.ModuleList(Layer(hidden, wide) for _ in range(layers))
        self.pooler = nn.Module()
        self.pooler.dense = nn.Linear(hidden, hidden)
        self.classifier = nn.Linear(hidden, 1)
        self.dropout = nn.Dropout(0.1)
        # What activations and matrix products are in; float32 for exact answers.
        self.precision = torch.bfloat16

    def forward(self, batches):
        """`batches`: [(`ids`, `types`, `lengths`)]: int64 `[pairs, tokens]`, padded at the end, and `[pairs]`.

        Logits of all batches one after another, float32 `[pairs]`. PERF: several batches in one call, each of pairs of
        about one length, because the gradient of the word embeddings is as large as the table for every look-up.
        """
        sizes = [ids.numel() for ids, _, _ in batches]
        words = self.embeddings.word_embeddings(torch.cat([ids.flatten() for ids, _, _ in batches])).split(sizes)
        layers = [layer.cast(self.precision) for layer in self.encoder.layer]
        return torch.cat(
            [
                self.encode(word.view(*ids.shape, -1), types, lengths, layers)
                for word, (ids, types, lengths) in zip(words, batches)
            ]
        )

    def encode(self, words, types, lengths, layers):
        """`words`: `[pairs, tokens, hidden]`, from the table; `layers`: what `Layer.cast` gave. Logits `[pairs]`."""
        tokens = words.shape[1]
        embeddings = self.embeddings
        summed = words + embeddings.token_type_embeddings(types) + embeddings.position_embeddings.weight[:tokens]
        hidden = normalise(summed.to(self.precision), embeddings.LayerNorm)
        padding = torch.arange(tokens, device=words.device) >= lengths[:, None]
        mask = torch.zeros(padding.shape, dtype=hidden.dtype, device=words.device).masked_fill(padding, -1e4)
        last = len(self.encoder.layer) - 1
        for number, layer in enumerate(layers):
            hidden = through(layer, hidden, mask, only_first=number == last)
        first = hidden[:, 0].float()
        return self.classifier(self.dropout(torch.tanh(self.pooler.dense(first)))).squeeze(-1)


class Layer(nn.Module):
    """One layer of BERT, normalised after each part."""

    def __init__(self, hidden, wide):
        super().__init__()
        self.attention = nn.Module()
        self.attention.self = nn.Module()
        for part in ("query", "key", "value"):
            setattr(self.attention.self, part, nn.Linear(hidden, hidden))
        self.attention.output = nn.Module()
        self.attention.output.dense = nn.Linear(hidden, hidden)
        self.attention.output.LayerNorm = nn.LayerNorm(hidden, EPSILON)
        self.intermediate = nn.Module()
        self.intermediate.dense = nn.Linear(hidden, wide)
        self.output = nn.Module()
        self.output.dense = nn.Linear(wide, hidden)
        self.output.LayerNorm = nn.LayerNorm(hidden, EPSILON)

    def cast(self, precision):
        """The layer's parameters in `precision`, those of queries, keys and values side by side.

        PERF: once a step, not once a batch: casting forth, and adding up float32 gradients batch by batch, took a
        quarter of a step.
        """
        own, norms = self.attention.self, (self.attention.output.LayerNorm, self.output.LayerNorm)
        heads = (own.query, own.key, own.value)
        parts = {
            "heads": (torch.cat([part.weight for part in heads]), torch.cat([part.bias for part in heads])),
            "attended": (self.attention.output.dense.weight, self.attention.output.dense.bias),
            "wide": (self.intermediate.dense.weight, self.intermediate.dense.bias),
            "narrow": (self.output.dense.weight, self.output.dense.bias),
            **{f"norm {number}": (norm.weight, norm.bias) for number, norm in enumerate(norms)},
        }
        return {name: tuple(value.to(precision) for value in pair) for name, pair in parts.items()}


def through(layer, hidden, mask, only_first):
    """A layer, as `Layer.cast` gave it: `[pairs, tokens, hidden]` to the same, or to `[pairs, 1, hidden]`."""
    size = hidden.shape[-1]
    weight, bias = layer["heads"]
    if only_first:
        keys, values = F.linear(hidden, weight[size:], bias[size:]).chunk(2, dim=-1)
        hidden = hidden[:, :1]
        queries = F.linear(hidden, weight[:size], bias[:size])
    else:
        queries, keys, values = F.linear(hidden, weight, bias).chunk(3, dim=-1)
    context = attend(queries, keys, values, mask)
    attended = F.layer_norm(F.linear(context, *layer["attended"]) + hidden, (size,), *layer["norm 0"], EPSILON)
    wide = F.gelu(F.linear(attended, *layer["wide"]))
    return F.layer_norm(F.linear(wide, *layer["narrow"]) + attended, (size,), *layer["norm 1"], EPSILON)


def attend(queries, keys, values, mask):
    """Attention of all heads: `[pairs, tokens, hidden]` each (fewer tokens in `queries` are fine) -> as `queries`.

    `mask`: `[pairs, tokens]`, what is added to the scores: 0, or far below 0 for padding.

    PERF: on a CPU, matrix products written out; PyTorch 2.15's fused attention takes five times as long there, forward
    and backward together (126 ms for 16 pairs of 130 tokens on one core, against 24 ms).
    """
    pairs, tokens, hidden = queries.shape
    size = hidden // HEADS

    def heads(value):
        return value.unflatten(-1, (HEADS, size)).transpose(1, 2)

    if queries.device.type != "cpu":
        context = F.scaled_dot_product_attention(
            heads(queries), heads(keys), heads(values), attn_mask=mask[:, None, None, :]
        )
        return context.transpose(1, 2).flatten(2)
    q, k, v = (heads(value).reshape(pairs * HEADS, -1, size) for value in (queries, keys, values))
    mask = mask.repeat_interleave(HEADS, dim=0)[:, None, :]
    weights = torch.baddbmm(mask, q, k.transpose(1, 2), alpha=size**-0.5).softmax(-1)
    return torch.bmm(weights, v).view(pairs, HEADS, tokens, size).transpose(1, 2).flatten(2)


def normalise(value, norm):
    return F.layer_norm(value, norm.normalized_shape, norm.weight.to(value.dtype), norm.bias.to(value.dtype), norm.eps)


def from_bi_encoder(weights, layers=None):
    """A cross-encoder that starts from a bi-encoder's weights (name -> array); `layers` of it, all when None.

    The head starts small, so that the first logits are near 0 and the encoder is not shaken by them.
    """
    kept = _numbers(weights) if layers is None else layers
    model = CrossEncoder(len(kept))
    own = model.state_dict()
    for name, value in _cut(weights, kept).items():
        if name in own and not name.startswith(("pooler.", "classifier.")):
            own[name] = torch.as_tensor(value).clone()
    torch.nn.init.normal_(own["pooler.dense.weight"], std=0.02)
    torch.nn.init.normal_(own["classifier.weight"], std=0.02)
    for name in ("pooler.dense.bias", "classifier.bias"):
        torch.nn.init.zeros_(own[name])
    model.load_state_dict(own)
    return model


def load(path, layers=None):
    """A trained cross-encoder from `save`'s file; `layers` of it (numbers from 0), all when None."""
    weights = {name.removeprefix("bert."): value for name, value in load_file(path).items()}
    kept = _numbers(weights) if layers is None else layers
    model = CrossEncoder(len(kept))
    model.load_state_dict(_cut(weights, kept))
    return model


def save(model, path):
    """Weights as safetensors under Hugging Face's names, and `config.json` beside it, as
    `BertForSequenceClassification` reads them."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    weights = {
        ("" if name.startswith("classifier.") else "bert.") + name: value.detach().cpu().float().contiguous().clone()
        for name, value in model.state_dict().items()
    }
    save_file(weights, path, metadata={"format": "pt"})
    vocabulary, hidden = model.embeddings.word_embeddings.weight.shape
    config = {
        "architectures": ["BertForSequenceClassification"],
        "model_type": "bert",
        "num_labels": 1,
        "id2label": {"0": "LABEL_0"},
        "label2id": {"LABEL_0": 0},
        "hidden_size": hidden,
        "num_hidden_layers": len(model.encoder.layer),
        "num_attention_heads": HEADS,
        "intermediate_size": model.encoder.layer[0].intermediate.dense.weight.shape[0],
        "hidden_act": "gelu",
        "layer_norm_eps": EPSILON,
        "max_position_embeddings": model.embeddings.position_embeddings.weight.shape[0],
        "type_vocab_size": 2,
        "vocab_size": vocabulary,
        "pad_token_id": 0,
    }
    (path.parent / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _numbers(weights):
    return list(range(1 + max(int(name.split(".")[2]) for name in weights if name.startswith("encoder.layer."))))


def _cut(weights, kept):
    """Keeps the layers `kept` and numbers them anew."""
    new_number = {old: new for new, old in enumerate(kept)}
    cut = {}
    for name, value in weights.items():
        parts = name.split(".")
        if name.startswith("encoder.layer."):
            if int(parts[2]) not in new_number:
                continue
            parts[2] = str(new_number[int(parts[2])])
        cut[".".join(parts)] = value
    return cut
