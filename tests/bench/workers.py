"""Processes that are measured: started, asked one after the other, and compared with each other.

All get two threads (the stock library uses one) and GOMP_SPINCOUNT=1000, as the command sets it for
itself: a thread that waits must not take the core from the process whose turn it is.
"""

import functools
import math
import os
import subprocess
import sys
from pathlib import Path

from layers import convolutions, find_heads, read_layers

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("BUILD", TOP / "build")).resolve()
BENCH = BUILD / "bench"  # the workers
RESULTS = BENCH / "results"
THREADS = 2
# oneDNN may round the half of a code another way than a plain loop does.
CODE_TOLERANCE = 1e-3


def fail(message):
    sys.exit(f"bench: {message}")


class Worker:
    """A process that serves tests/bench/protocol.h."""

    def __init__(self, name, command, **variables):
        self.name = name
        environment = {key: value for key, value in os.environ.items()
                       if key not in ("OMP_WAIT_POLICY", "LD_PRELOAD")}
        environment |= {"OMP_NUM_THREADS": str(THREADS), "GOMP_SPINCOUNT": "1000", **variables}
        self.log = open(RESULTS / f"{name}.log", "w+")
        self.process = subprocess.Popen([str(word) for word in command], env=environment, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.log)
        self.answer("ready")

    def answer(self, word):
        words = self.process.stdout.readline().split()
        if not words or words[0] != word:
            self.process.kill()
            self.process.wait()
            self.log.seek(0)
            last = (self.log.read().splitlines() or ["no message"])[-1]
            fail(f"{self.name} ended with status {self.process.returncode}: {last}")
        return words[1:]

    def ask(self, command, word):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.answer(word)

    def run(self, warm, n):
        """Seconds of each of n passes."""
        return [float(t) for t in self.ask(f"run {warm} {n}", "times")]

    def time_layers(self, n):
        """Medians of n passes: seconds of the whole, and of each convolutional layer."""
        whole, *each = [float(t) for t in self.ask(f"layers {n}", "layers")]
        return whole, each

    def dump(self, name):
        path = RESULTS / f"{self.name}-{name}.bin"
        self.ask(f"dump {path}", "dumped")
        return path

    def status(self):
        """Cost of the last pass, peak memory and size of the code buffers in MiB."""
        cost, peak, codes = self.ask("status", "status")
        if not math.isfinite(float(cost)):
            fail(f"{self.name}: the loss is {cost}")
        return float(cost), int(peak) / 1024, int(codes) / 2**20

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.log.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def worker(name, mode, cfg, weights, plugged, **variables):
    if plugged:
        variables["LD_PRELOAD"] = str(BUILD / "libgdrq.so")
    return Worker(name, [BENCH / "worker", mode, cfg, weights], **variables)


def opencv_worker(cfg, weights):
    net, layers = read_layers(cfg)
    return Worker("opencv", [BENCH / "opencv_worker", cfg, weights, net["width"], net["height"],
                             THREADS, *find_heads(layers)])


def write_shapes(cfg):
    """The convolutions of a cfg, as tests/bench/onednn_worker.cpp reads them."""
    shapes = RESULTS / f"{cfg.stem}.shapes"
    lines = [" ".join(str(word) for word in (*layer.input, layer.number("filters", 1),
                                             layer.number("size", 1), layer.number("stride", 1),
                                             layer.pad, layer.number("groups", 1),
                                             layer.activation))
             for layer in convolutions(read_layers(cfg)[1])]
    shapes.write_text("\n".join(lines) + "\n")
    return shapes


def onednn_worker(cfg, isa=None):
    """oneDNN's 8-bit convolutions of a cfg, which were found to compute what a plain loop does."""
    command = [BENCH / "onednn_worker", write_shapes(cfg)]
    ours = Worker(f"onednn-{isa}" if isa else "onednn", command,
                  **{"ONEDNN_MAX_CPU_ISA": isa} if isa else {})
    with Worker("plain", [*command, "plain"]) as plain:
        check_distance(f"{cfg.stem}, convolutions of oneDNN", CODE_TOLERANCE, ours.dump("codes"),
                       plain.dump("codes"))
    return ours


def take_turns(turns, rounds):
    """Calls one function after the other, again and again: what each returned, per round."""
    answers = [[] for _ in turns]
    for _ in range(rounds):
        for of_turn, turn in zip(answers, turns):
            of_turn.append(turn())
    return answers


def interleave(plan, rounds):
    """plan: (worker, warm, timed) in the order of their turns. Times per worker and round."""
    return take_turns([functools.partial(candidate.run, warm, timed)
                       for candidate, warm, timed in plan], rounds)


def run_command(command, **options):
    done = subprocess.run([str(word) for word in command], text=True, capture_output=True,
                          **options)
    if done.returncode:
        last = (done.stderr.splitlines() or ["no message"])[-1]
        fail(f"{Path(command[0]).name} ended with status {done.returncode}: {last}")
    return done.stdout


def check_distance(what, tolerance, *files):
    """Compares two dumps (the second may be changes of a third); stops where they disagree."""
    distance = float(run_command([BENCH / "compare", *files]))
    print(f"{what}: relative difference {distance:.1e}, at most {tolerance:g} allowed")
    if not distance <= tolerance:
        fail(f"{what}: the outputs disagree")
