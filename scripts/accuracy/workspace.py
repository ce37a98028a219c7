"""An experiment's folder: its cfg and .data files, and what training leaves there."""

import fcntl
import json
import os

from cfg_text import Cfg, differences
from child import run_quietly
from common import TOP, Failure, write_if_changed
from results import History, read_history, read_iterations


class Workspace:
    """WORK/EXPERIMENT/. Files are called after the cfg of the tree, as training calls its own."""

    def __init__(self, work, experiment):
        self.experiment = experiment
        self.folder = work / experiment.name
        base = experiment.cfg.rpartition("/")[2].removesuffix(".cfg")
        self.cfg = self.folder / f"{base}.cfg"
        self.data = self.folder / f"{base}.data"
        self.backup = self.folder / "backup"
        self.last = self.backup / f"{base}_last.weights"
        self.final = self.backup / f"{base}_final.weights"
        self.history = self.backup / f"{base}.csv"
        self.measured = self.folder / "map.json"  # of an experiment without training
        self.calibrated = self.folder / f"{base}.weights"
        self.begun = self.folder / "begun.json"  # with which commit, start, seed and so on

    @property
    def result(self):
        """The file that is there when all is done."""
        return self.measured if self.experiment.epochs == 0 else self.final

    @property
    def is_done(self):
        """What starts from it has its weights and its cfg."""
        return self.result.is_file() and self.cfg.is_file()

    def read_outcome(self):
        """Of a finished experiment."""
        if self.experiment.epochs != 0:
            return read_history(self.history)
        numbers = json.loads(self.measured.read_text())
        return History("mAP@0.50", numbers["map50"], 0, numbers["minutes"])

    def _read_begun(self):
        """{} in folders of before there was such a file."""
        try:
            begun = json.loads(self.begun.read_text()) if self.begun.is_file() else {}
        except ValueError as error:
            raise Failure(f"{self.begun}: damaged: {error}") from None
        if not isinstance(begun, dict):
            raise Failure(f"{self.begun}: damaged: no object")
        return begun

    @property
    def commit(self):
        return self._read_begun().get("commit", "unknown")

    def set_aside(self):
        """Renames the folder; nothing that was trained is lost."""
        self.lock().close()
        names = (f"{self.folder.name}.old{n}" for n in ["", *range(2, 1000)])
        self.folder.rename(next(path for path in map(self.folder.with_name, names)
                                if not path.exists()))

    def progress(self):
        """Iterations done and to do, or None before anything was saved."""
        if not all(path.is_file() for path in (self.last, self.cfg, self.history)):
            return None
        _, rows = read_iterations(self.history)
        return len(rows), int(Cfg(self.cfg.read_text()).number("max_batches"))

    @property
    def is_begun(self):
        """Something was made with its cfg."""
        return self.cfg.is_file() and (self.last.is_file() or self.result.is_file())

    def find_changes(self, cfg):
        """Phrases: weights of one experiment must not go on as another's."""
        if not self.is_begun:
            return []
        there = self._read_begun()
        return differences(Cfg(self.cfg.read_text()), cfg) + [
            f"{key}: {describe(there[key])} there, {describe(now)} now"
            for key, now in beginning(self.experiment).items() if there.get(key, now) != now]

    def write(self, cfg, data_set, commit):
        """Before training, what it reads."""
        self.backup.mkdir(parents=True, exist_ok=True)
        comment = f"Experiment {self.experiment.name}, made from {self.experiment.cfg}."
        if not self.is_begun:
            write_if_changed(self.cfg, cfg.text(comment))
            begun = {"commit": commit} | beginning(self.experiment)
            write_if_changed(self.begun, json.dumps(begun, indent=1) + "\n")
        write_if_changed(self.data, data_set.data_file(self.backup))

    def lock(self):
        """An open file that keeps other runs away until it is closed, here and in children."""
        self.folder.mkdir(parents=True, exist_ok=True)
        file = open(self.folder / "lock", "w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise Failure(f"{self.folder}: another run is at work there") from None
        return file


def beginning(experiment):
    """What makes an experiment beside its cfg, as JSON gives it back."""
    calibrate = experiment.calibrate
    return {"data": experiment.data, "start": experiment.start, "seed": experiment.seed,
            "taught": experiment.taught,
            "calibrate": None if calibrate is None else [str(flag) for flag in calibrate],
            "calibrations": experiment.calibrations, "measure_epochs": experiment.measure_epochs}


def describe(value):
    return "none" if value is None else " ".join(value) if isinstance(value, list) else str(value)


def find_file(name, models):
    """A file of the tree's cfg/, or of --models where its name begins with MODELS/."""
    if not name.startswith("MODELS/"):
        path = TOP / "cfg" / name
    elif models is None:
        raise Failure(f"{name.removeprefix('MODELS/')} is needed: give the folder that has it with "
                      "--models")
    else:
        path = models / name.removeprefix("MODELS/")
    if not path.is_file():
        raise Failure(f"{path}: no such file")
    return path


def converted(path, bits, darknet, work):
    """Text of a float cfg in quantised form."""
    out = work / f"converted.{os.getpid()}.cfg"  # another run may be converting its own
    run_quietly([darknet, "gdrq", "convert", path, out, "-weight_bits", bits[0],
                 "-activation_bits", bits[1]], path)
    text = out.read_text()
    out.unlink()
    return text


def schedule(experiment, cfg, data_set):
    """The keys of [net] that the numbers of epochs make."""
    per_epoch = data_set.iterations_per_epoch(cfg.number("batch", 1))
    keys = {}
    if experiment.epochs:
        keys["max_batches"] = round(experiment.epochs * per_epoch)
    if experiment.reshape_epochs:
        keys["quantize_after"] = round(experiment.reshape_epochs * per_epoch)
    if experiment.learning_rate is not None:
        keys["learning_rate"] = experiment.learning_rate
    return keys


def make_cfg(experiment, data_set, options):
    """The tree's cfg with the experiment's changes."""
    path = find_file(experiment.cfg, options.models)
    text = path.read_text() if not experiment.convert else \
        converted(path, experiment.convert, options.darknet, options.work)
    cfg = Cfg(text)
    changes = [(cfg.net, experiment.net)]
    changes += [(section, keys) for which, keys in experiment.layers.items()
                for section in cfg.chosen(which)]
    for section, keys in changes:
        for key, value in keys.items():
            section.change(key, value)
    for key, value in schedule(experiment, cfg, data_set).items():
        cfg.net.change(key, value)
    return cfg


def epochs_of(experiment, cfg, data_set):
    """Of a cfg's own schedule: how often it sees each image."""
    if experiment.epochs is not None:
        return experiment.epochs
    images = len(data_set.train.read_text().splitlines())
    return round(cfg.number("max_batches") * cfg.number("batch", 1) / images, 1)
