"""What a run does for one experiment: train or measure, then note the result."""

import datetime
import json
import random
import subprocess
import time

from common import BUILT, TOP, Failure, write_if_changed
from data_sets import write_list
from results import (append_result, describe_history, describe_keys, describe_network,
                     has_result, read_results)
from workspace import epochs_of


def calibration_images(job, i):
    """The list for the i-th calibration: the training images, or halves of them at random."""
    experiment, images = job.experiment, job.data_set.train
    if experiment.calibrations == 1:
        return images
    half, lines = job.space.folder / "calibration.txt", images.read_text().splitlines()
    write_list(half, random.Random(f"{experiment.seed} {i}").sample(lines, (len(lines) + 1) // 2))
    return half


def run_darknet(job, command, children, lock):
    """False if a signal stopped it."""
    status = children.run(command, keep_open=(lock,))
    if status and not children.stopped_by:
        raise Failure(f"{job.experiment.name}: darknet ended with status {status}")
    return not children.stopped_by


def calibrate(job, darknet, children, lock, i=0):
    """The weights that the experiment starts from, with thresholds from training images if it is to
    calibrate. None if a signal stopped that."""
    space, flags = job.space, job.experiment.calibrate
    if flags is None:
        return job.start
    done = run_darknet(job, [darknet, "gdrq", "calibrate", space.cfg, job.start,
                             calibration_images(job, i), space.calibrated, *flags], children, lock)
    return space.calibrated if done else None


def training_command(job, darknet, start):
    """Without -clear for a training that goes on: its weights have their count of iterations."""
    space, experiment = job.space, job.experiment
    command = [darknet, job.data_set.task, "train", space.data, space.cfg]
    if space.last.is_file():
        command += [space.last]
    elif start is None:
        command += ["-clear"]
    else:
        command += [start, "-clear"]
    if job.experiment.taught:
        command += ["-teacher_cfg", job.start_cfg, "-teacher_weights", job.start]
    measure = "-topk" if job.data_set.task == "classifier" else "-map"
    return [*command, "-seed", experiment.seed, measure, "-mAP_epochs", experiment.measure_epochs]


def train(job, darknet, children, lock):
    start = job.start
    if not job.space.last.is_file():
        start = calibrate(job, darknet, children, lock)
    status = children.run(training_command(job, darknet, start), keep_open=(lock,))
    if not job.space.final.is_file() and not children.stopped_by:
        raise Failure(f"{job.experiment.name}: darknet ended with status {status}")


def measure(job, darknet, children, lock):
    """A detector that is not trained."""
    space, started = job.space, time.monotonic()
    values = {"map50": [], "map": []}
    found = space.folder / "map.new"
    for i in range(job.experiment.calibrations):
        weights = calibrate(job, darknet, children, lock, i)
        if not run_darknet(job, [darknet, "detector", "map", space.data, space.cfg, weights,
                                 "-json", found], children, lock):
            return
        numbers = json.loads(found.read_text())
        for key, found_so_far in values.items():
            found_so_far.append(numbers[key])
    found.unlink()
    write_if_changed(space.measured, json.dumps(
        values | {"minutes": (time.monotonic() - started) / 60}, indent=1) + "\n")


def find_commit(darknet):
    """Of the tree, short, with a + where it differs from it; a build of elsewhere has none."""
    if darknet != BUILT.resolve():
        return "unknown"

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
            "teacher": experiment.start if experiment.taught else "",
            "keys": describe_keys(experiment), "epochs": f"{epochs:g}", "seed": experiment.seed,
            **describe_history(job.space.read_outcome()), "commit": job.space.commit,
            "date": datetime.date.today().isoformat()}


def finish(job, options, children):
    """Whether the experiment is finished now; else a signal stopped it."""
    space = job.space
    with space.lock() as lock:
        space.write(job.cfg, job.data_set, find_commit(options.darknet))
        if not space.result.is_file():
            if job.start is not None and not job.start.is_file():
                raise Failure(f"{job.experiment.name}: {job.start} is missing")
            step = measure if job.experiment.epochs == 0 else train
            step(job, options.darknet, children, lock.fileno())
        if not space.result.is_file():
            return False
        note(make_row(job), options.results)
    return True


def note(row, path):
    """Another run may have written the line meanwhile."""
    if not has_result(read_results(path), row):
        append_result(path, row)
    print(f"{row['experiment']}: {row['metric']} {row['mean_of_last_3']}; its line is in {path}")
