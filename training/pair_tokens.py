"""Queries and passages as tokens, each text tokenised once; pairs of them in batches of about one length."""

import numpy as np
import torch
from tokenizers import Tokenizer

import common

CLS, SEP = 101, 102
MAX_QUERY_TOKENS = 64
# The tokenizer of both start models: BERT's uncased word pieces.
TOKENIZER = common.REPOSITORY / "models" / "all-MiniLM-L6-v2" / "tokenizer.json"


class PairTokens:
    """`[CLS] query [SEP] passage [SEP]`, at most `max_tokens`; only the passage is cut (a query over 64 tokens too)."""

    def __init__(self, work, groups, max_tokens):
        tokenizer = Tokenizer.from_file(str(TOKENIZER))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self.max_tokens = max_tokens
        wanted = {passage for group in groups for passage in group["passages"]}
        texts = {row["_id"]: row["text"] for row in common.read_jsonl(work / "passages.jsonl") if row["_id"] in wanted}
        self.queries = self._tokens(tokenizer, {group["_id"]: group["query"] for group in groups}, MAX_QUERY_TOKENS)
        self.passages = self._tokens(tokenizer, texts, max_tokens)

    @staticmethod
    def _tokens(tokenizer, texts, longest):
        encodings = tokenizer.encode_batch_fast(list(texts.values()), add_special_tokens=False)
        return {key: np.array(encoding.ids[:longest], dtype=np.int64) for key, encoding in zip(texts, encodings)}

    def length(self, query, passage):
        return min(self.max_tokens, 3 + len(self.queries[query]) + len(self.passages[passage]))

    def write(self, query, passage, ids, types):
        """Fills a row of zeros."""
        query, passage = self.queries[query], self.passages[passage]
        start = len(query) + 2
        end = min(self.max_tokens, start + len(passage) + 1)
        ids[0], ids[1 : start - 1], ids[start - 1] = CLS, query, SEP
        ids[start : end - 1], ids[end - 1] = passage[: end - 1 - start], SEP
        types[start:end] = 1


def batches_by_length(tokens, pairs, batch_tokens, device="cpu"):
    """The pairs, (query, passage), longest first, in batches of at most `batch_tokens` tokens with padding.

    Returns [(ids, types, lengths)] as `CrossEncoder.forward` takes them, and `order`: `logits[order]` are those of
    `pairs`.
    """
    lengths = np.array([tokens.length(*pair) for pair in pairs])
    by_length = np.argsort(-lengths, kind="stable")
    batches, start = [], 0
    while start < len(pairs):
        longest = int(lengths[by_length[start]])
        rows = by_length[start : start + max(1, batch_tokens // longest)]
        ids, types = np.zeros((len(rows), longest), dtype=np.int64), np.zeros((len(rows), longest), dtype=np.int64)
        for row, idx in enumerate(rows):
            tokens.write(*pairs[idx], ids[row], types[row])
        batches.append(tuple(torch.from_numpy(array).to(device) for array in (ids, types, lengths[rows])))
        start += len(rows)
    order = np.empty(len(pairs), dtype=np.int64)
    order[by_length] = np.arange(len(pairs))
    return batches, torch.from_numpy(order).to(device)
