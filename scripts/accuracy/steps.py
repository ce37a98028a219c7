"""What a run does for one experiment: train or measure, then note the result."""

import datetime
import json
import subprocess
import time

from child import run_quietly
from common import TOP, Failure
from results import History, append_result, describe_history, describe_network, read_history
from workspace import epochs_of


def training_command(job, darknet):
    """Without -clear for a training that goes on: its weights have their count of iterations."""
    space, experiment = job.space, job.experiment
    command = [darknet, job.data_set.task, "train", space.data, space.cfg]
    if space.last.is_file():
        command += [space.last]
    elif job.start is None:
        command += ["-clear"]
    else:
        command += [job.start, "-clear"]
    if job.experiment.taught:
        command += ["-teacher_cfg", job.start_cfg, "-teacher_weights", job.start]
    measure = "-topk" if job.data_set.task == "classifier" else "-map"
    return [*command, "-seed", experiment.seed, measure, "-mAP_epochs", experiment.measure_epochs]


def train(job, darknet, children, lock):
    status = children.run(training_command(job, darknet), keep_open=(lock,))
    if not job.space.final.is_file() and not children.stopped_by:
        raise Failure(f"{job.experiment.name}: darknet ended with status {status}")


def calibrate(job, darknet):
    """The weights that the experiment starts from, with thresholds from the training images."""
    space, flags = job.space, job.experiment.calibrate
    if flags is None:
        return job.start
    run_quietly([darknet, "gdrq", "calibrate", space.cfg, job.start, job.data_set.train,
                 space.calibrated, *flags], job.experiment.name)
    return space.calibrated


def measure(job, darknet, children, lock):
    """A detector that is not trained."""
    space, started = job.space, time.monotonic()
    weights, found = calibrate(job, darknet), space.folder / "map.new"
    status = children.run([darknet, "detector", "map", space.data, space.cfg, weights, "-json",
                           found], keep_open=(lock,))
    if children.stopped_by:
        return
    if status:
        raise Failure(f"{job.experiment.name}: darknet ended with status {status}")
    numbers = json.loads(found.read_text()) | {"minutes": (time.monotonic() - started) / 60}
    found.unlink()
    space.measured.write_text(json.dumps(numbers, indent=1) + "\n")


def read_outcome(job):
    if job.experiment.epochs != 0:
        return read_history(job.space.history)
    numbers = json.loads(job.space.measured.read_text())
    return History("mAP@0.50", [numbers["map50"]], 0, numbers["minutes"])


def find_commit():
    """Short, with a + where what is run differs from it."""
    def git(*words):
        return subprocess.run(["git", "-C", TOP, *words], text=True, capture_output=True).stdout
    commit = git("rev-parse", "--short", "HEAD").strip()
    changed = git("status", "--porcelain", "--", "gdrq_layers", "darknet", "cfg", "scripts")
    return commit + ("+" if changed else "") if commit else "unknown"


def make_row(job):
    experiment = job.experiment
    epochs = epochs_of(experiment, job.cfg, job.data_set)
    return {"experiment": experiment.name, "network": job.space.cfg.stem, "data": experiment.data,
            **describe_network(job.cfg),
            "teacher": experiment.start if experiment.taught else "", "epochs": f"{epochs:g}",
            "seed": experiment.seed,
            **describe_history(read_outcome(job)), "commit": find_commit(),
            "date": datetime.date.today().isoformat()}


def finish(job, wants_row, options, children):
    """Whether the experiment is finished now; else a signal stopped it."""
    space = job.space
    with space.lock() as lock:
        if not space.result.is_file():
            if job.start is not None and not job.start.is_file():
                raise Failure(f"{job.experiment.name}: {job.start} is missing")
            space.write(job.cfg, job.data_set)
            step = measure if job.experiment.epochs == 0 else train
            step(job, options.darknet, children, lock.fileno())
        if not space.result.is_file():
            return False
        if wants_row:
            row = make_row(job)
            append_result(options.results, row)
            space.note_row()
            print(f"{job.experiment.name}: {row['metric']} {row['mean_of_last_3']}; its line is in "
                  f"{options.results}")
    return True
