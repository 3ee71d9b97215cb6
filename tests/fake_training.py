"""Stands for motionflow.train: leaves a run's files at once, or misbehaves.

--dropout=0.5 fails, --seed=7 goes on until SIGTERM asks it to save. The cross-entropy
is a thousand times the learning rate.
"""

import json
import signal
import sys
import time
from pathlib import Path


def main(arguments):
    values = dict(word.removeprefix("--").split("=", 1) for word in arguments)
    run_dir = Path(values["run_dir"])
    run_dir.mkdir(parents=True, exist_ok=True)
    (run_dir / "flags.txt").write_text("\n".join(arguments))
    with (run_dir / "attempts.txt").open("a") as file:
        file.write("x")
    print("training")
    if values.get("dropout") == "0.5":
        sys.exit("error: half of it is too much")
    if values.get("seed") == "7":
        signal.signal(signal.SIGTERM, lambda *_: save_and_exit(run_dir))
        (run_dir / "started").touch()
        time.sleep(20)
    epochs = int(values["epochs"])
    rows = [str(epoch) for epoch in range(1, epochs + 1)]
    (run_dir / "history.csv").write_text("\n".join(["epoch", *rows]))
    metrics = {"cross_entropy": 1000 * float(values.get("learning_rate", "0.001"))}
    result = {"epochs": epochs, "training": metrics, "validation": metrics}
    (run_dir / "result.json").write_text(json.dumps(result | {"seconds": 1.5}))


def save_and_exit(run_dir):
    time.sleep(0.3)
    (run_dir / "saved").touch()
    sys.exit(143)


if __name__ == "__main__":
    main(sys.argv[1:])
