"""Memory of `bifocal serve` during a flood of large `_bulk` bodies, and when it is left alone afterwards.

    make build                                           # target/release/bifocal
    python3 benches/load/flood.py [--seconds 60] [--clients 8] [--body-mb 8]

Documents have 120 random words and a number. Prints resident memory (VmRSS, and of it RssAnon and RssFile, in MB) empty, at most,
and by the seconds after the last bulk; fails where documents are lost. Python's standard library alone.
"""

import argparse
import http.client
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import threading
import time

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
PORT = 9377


def ask(method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=300)
    connection.request(method, path, body, {"content-type": "application/json"} if body else {})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read() or b"null")


def resident(pid):
    wanted = ("VmRSS", "RssAnon", "RssFile")
    lines = (line.split() for line in open(f"/proc/{pid}/status"))
    return {words[0][:-1]: int(words[1]) // 1024 for words in lines if words and words[0][:-1] in wanted}


def bulk(seed, size):
    rng = random.Random(seed)
    words = [f"word{number}" for number in range(20_000)]
    lines, length = [], 0
    while length < size:
        lines.append('{"index":{}}\n' + json.dumps({"text": " ".join(rng.choices(words, k=120)), "n": rng.randrange(1000)}) + "\n")
        length += len(lines[-1])
    return "".join(lines).encode(), len(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--body-mb", type=int, default=8)
    arguments = parser.parse_args()
    bodies = [bulk(seed, arguments.body_mb << 20) for seed in range(4)]
    with tempfile.TemporaryDirectory(dir=TARGET) as folder:
        command = [TARGET / "release" / "bifocal", "serve", folder, "--port", str(PORT)]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            sys.exit(flood(server.pid, arguments, bodies))
        finally:
            server.terminate()
            server.wait()


def flood(pid, arguments, bodies):
    for _ in range(200):
        try:
            ask("GET", "/")
            break
        except OSError:
            time.sleep(0.05)
    print("empty", resident(pid), flush=True)
    until = time.time() + arguments.seconds
    counts = {"acknowledged": 0, "refused bodies": 0}
    lock = threading.Lock()

    def client(turn):
        while time.time() < until:
            body, size = bodies[turn % len(bodies)]
            turn += 1
            status, answer = ask("POST", "/flood/_bulk", body)
            with lock:
                if status == 200:
                    counts["acknowledged"] += size - sum("error" in item["index"] for item in answer["items"] if answer["errors"])
                else:
                    counts["refused bodies"] += 1

    threads = [threading.Thread(target=client, args=(number,)) for number in range(arguments.clients)]
    for thread in threads:
        thread.start()
    most = {}
    while any(thread.is_alive() for thread in threads):
        most = max(most, resident(pid), key=lambda found: found.get("VmRSS", 0))
        time.sleep(0.2)
    print("most", most, counts, flush=True)
    ended = time.time()
    for after in (5, 10, 20, 40, 80):
        time.sleep(max(0.0, ended + after - time.time()))
        print(f"{after} s after", resident(pid), flush=True)
    ask("POST", "/flood/_refresh")
    found = ask("GET", "/flood/_count")[1]["count"]
    print("documents", found)
    return 0 if found == counts["acknowledged"] else "documents were lost"


if __name__ == "__main__":
    main()
