"""What every stage shares: where things lie, JSON lines, and when two texts count as the same.

Every stage reads files of the work folder and writes files of the work folder. A file is written under another name
first and renamed when it is whole, so a stage whose output exists has ended.
"""

import gzip
import json
import os
import re
from pathlib import Path

TRAINING = Path(__file__).resolve().parent
REPOSITORY = TRAINING.parent
PREPARE = REPOSITORY / "models" / "prepare"
LOGS, FIGURES = TRAINING / "logs", TRAINING / "figures"
WORK = REPOSITORY / "target" / "training"
SEED = 20250

_WORD = re.compile(r"[a-z0-9]+")


def words(text):
    """Lower-case runs of ASCII letters and digits: what the comparisons of texts are made on."""
    return _WORD.findall(text.lower())


def normalised(text):
    """Two texts with the same normalised form count as the same text."""
    return " ".join(words(text))


def read_jsonl(path):
    """The objects of a JSON lines file, gzip or plain."""
    path = Path(path)
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)


def write_jsonl(path, rows):
    """One object a line; the file appears when it is whole."""
    with writing(path) as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def write_json(path, value):
    """One readable JSON file."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_text(path, text):
    with writing(path) as file:
        file.write(text)


class writing:
    """A text file that takes its name only when it was written to the end."""

    def __init__(self, path):
        self.path = Path(path)
        self.part = self.path.with_name(self.path.name + ".part")

    def __enter__(self):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.file = self.part.open("w", encoding="utf-8")
        return self.file

    def __exit__(self, failure, *_):
        self.file.close()
        if failure is None:
            os.replace(self.part, self.path)


def done(*paths):
    """Whether a stage has ended before; says so."""
    if all(Path(path).exists() for path in paths):
        print(f"exists: {', '.join(str(path) for path in paths)}; nothing to do")
        return True
    return False
