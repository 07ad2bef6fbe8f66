"""The mined negatives of the last full run, kept in the repository: mining takes the engine and half an hour, training from them does not.

`mined/` has no texts, only ids and scores: `groups.SPLIT.jsonl.gz` (`_id`, `passages`, `fused`, as mine.py says),
`hybrid.MODEL.trec.gz` (query, passage, score) for calibrate.py, and `of.json`: the SHA-256 of the files of pairs.py that the ids refer
to. Where these files are the same, the work folder is filled from here.
"""

import gzip
import hashlib
import json
import shutil

import common

FOLDER = common.TRAINING / "mined"
# Outputs of pairs.py that decide what is mined.
FROM = ["passages.jsonl", "train.jsonl", "held_out.jsonl", "unseen.jsonl"]
SPLITS = ["train", "held_out"]
# calibrate.py reads no deeper.
DEPTH = 50


def keep(work):
    """Writes what the work folder's mining found."""
    FOLDER.mkdir(exist_ok=True)
    for split in SPLITS:
        rows = common.read_jsonl(work / f"groups.{split}.jsonl")
        lines = (json.dumps({key: row[key] for key in ("_id", "passages", "fused")}) for row in rows)
        write(FOLDER / f"groups.{split}.jsonl.gz", lines)
    for path in sorted((work / "runs").glob("hybrid.*.trec")):
        write(FOLDER / f"{path.name}.gz", shortened(path))
    shutil.copy(work / "mine.json", FOLDER / "mine.json")
    common.write_json(FOLDER / "of.json", {name: digest(work / name) for name in FROM})


def restore(work):
    """Fills the work folder, where it has the pairs that `mined/` was mined from; whether it did."""
    of = FOLDER / "of.json"
    if not of.exists() or json.loads(of.read_text(encoding="utf-8")) != {name: digest(work / name) for name in FROM}:
        return False
    for split in SPLITS:
        pairs = {row["_id"]: row for row in common.read_jsonl(work / f"{split}.jsonl")}
        rows = common.read_jsonl(FOLDER / f"groups.{split}.jsonl.gz")
        groups = ({**row, "query": pairs[row["_id"]]["text"], "source": pairs[row["_id"]]["source"]} for row in rows)
        common.write_jsonl(work / f"groups.{split}.jsonl", groups)
    for path in sorted(FOLDER.glob("hybrid.*.trec.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            common.write_text(work / "runs" / path.name.removesuffix(".gz"), file.read())
    shutil.copy(FOLDER / "mine.json", work / "mine.json")
    return True


def shortened(path):
    """The best `DEPTH` lines of each query, scores with four digits."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            query, q0, passage, rank, score, tag = line.split()
            if int(rank) <= DEPTH:
                yield f"{query} {q0} {passage} {rank} {float(score):.4f} {tag}"


def write(path, lines):
    """The same bytes for the same lines: no time stands in the file."""
    with path.open("wb") as raw, gzip.GzipFile(fileobj=raw, filename="", mode="wb", mtime=0) as file:
        for line in lines:
            file.write(f"{line}\n".encode())


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None
