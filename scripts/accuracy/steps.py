"""What a run does for one experiment: train or measure, then note the result."""

import datetime
import json
import random
import subprocess
import time

from child import run_quietly
from common import TOP, Failure, write_if_changed
from data_sets import write_list
from results import History, append_result, describe_history, describe_network, read_history
from workspace import epochs_of


def calibration_images(job, i):
    """The list for the i-th calibration: the training images, or halves of them at random."""
    experiment, images = job.experiment, job.data_set.train
    if experiment.calibrations == 1:
        return images
    half, lines = job.space.folder / "calibration.txt", images.read_text().splitlines()
    write_list(half, random.Random(experiment.seed + i).sample(lines, (len(lines) + 1) // 2))
    return half


def calibrate(job, darknet, i=0):
    """The weights that the experiment starts from, with thresholds from training images."""
    space, flags = job.space, job.experiment.calibrate
    if flags is None:
        return job.start
    run_quietly([darknet, "gdrq", "calibrate", space.cfg, job.start, calibration_images(job, i),
                 space.calibrated, *flags], job.experiment.name)
    return space.calibrated


def training_command(job, darknet):
    """Without -clear for a training that goes on: its weights have their count of iterations. A new
    one of stock weights in a network of few bits begins with thresholds and statistics that suit
    them if the experiment is to calibrate."""
    space, experiment = job.space, job.experiment
    command = [darknet, job.data_set.task, "train", space.data, space.cfg]
    if space.last.is_file():
        command += [space.last]
    elif job.start is None:
        command += ["-clear"]
    else:
        command += [calibrate(job, darknet), "-clear"]
    if job.experiment.taught:
        command += ["-teacher_cfg", job.start_cfg, "-teacher_weights", job.start]
    measure = "-topk" if job.data_set.task == "classifier" else "-map"
    return [*command, "-seed", experiment.seed, measure, "-mAP_epochs", experiment.measure_epochs]


def train(job, darknet, children, lock):
    status = children.run(training_command(job, darknet), keep_open=(lock,))
    if not job.space.final.is_file() and not children.stopped_by:
        raise Failure(f"{job.experiment.name}: darknet ended with status {status}")


def measure(job, darknet, children, lock):
    """A detector that is not trained."""
    space, started, values = job.space, time.monotonic(), []
    found = space.folder / "map.new"
    for i in range(job.experiment.calibrations):
        status = children.run([darknet, "detector", "map", space.data, space.cfg,
                               calibrate(job, darknet, i), "-json", found], keep_open=(lock,))
        if children.stopped_by:
            return
        if status:
            raise Failure(f"{job.experiment.name}: darknet ended with status {status}")
        values.append(json.loads(found.read_text())["map50"])
    found.unlink()
    write_if_changed(space.measured, json.dumps(
        {"map50": values, "minutes": (time.monotonic() - started) / 60}, indent=1) + "\n")


def read_outcome(job):
    if job.experiment.epochs != 0:
        return read_history(job.space.history)
    numbers = json.loads(job.space.measured.read_text())
    return History("mAP@0.50", numbers["map50"], 0, numbers["minutes"])


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
