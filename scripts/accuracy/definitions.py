"""What an experiment is, and how a file of them is read."""

import dataclasses
import difflib
import fnmatch
import importlib.util
import traceback
from pathlib import Path

from common import Failure
from data_sets import ClassFolders


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A training, or with epochs=0 a measurement of the weights that it starts from."""

    name: str
    data: str  # key of DATA_SETS
    cfg: str  # in the tree's cfg/, or MODELS/FILE in the folder of --models
    # Where its weights come from: the experiment whose final ones they are, or MODELS/FILE; None:
    # from random numbers.
    start: str | None = None
    epochs: float | None = None  # None: the cfg's own max_batches
    learning_rate: float | None = None  # None: the cfg's own
    # Other values of keys in [net]; None takes a key out.
    net: dict = dataclasses.field(default_factory=dict)
    # The same for layers: their number in the network, "all" quantised ones, or the "inner" ones,
    # which are all but the first and the last.
    layers: dict = dataclasses.field(default_factory=dict)
    reshape_epochs: float = 0  # becomes quantize_after
    convert: tuple | None = None  # the bits that `darknet gdrq convert` makes a float cfg's
    # Flags of `darknet gdrq calibrate` on the training images, (): its defaults; None: don't.
    calibrate: tuple | None = None
    # More than 1: so many calibrations, each on a half of these images; their mean is the result.
    calibrations: int = 1
    taught: bool = False  # by the network whose weights it starts from (classifiers)
    measure_epochs: float = 1  # from one evaluation to the next
    seed: int = 1

    def derive(self, name, **changes):
        return dataclasses.replace(self, name=name, **changes)


@dataclasses.dataclass(frozen=True)
class Network:
    """A line of the main table: NAME/float, NAME/float-finetune and NAME/w4a4 and so on."""

    name: str
    title: str
    bars: dict  # by bits: points below the fine-tuned float network that are accepted
    # By bits: the experiment that is this float network, where it isn't NAME/float-finetune.
    references: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A table of single experiments."""

    title: str
    metric: str
    rows: list  # label, experiment
    against_first: bool = True  # whether the first row is what others are compared with


def depends_on(experiment):
    """Name of the experiment that makes the weights which it starts from, or None."""
    start = experiment.start
    return None if start is None or start.startswith("MODELS/") else start


def load(path):
    """The module in a file such as experiments.py, checked."""
    if not path.is_file():
        raise Failure(f"{path}: no such file of experiments")
    spec = importlib.util.spec_from_file_location("experiments", path)
    module = importlib.util.module_from_spec(spec)
    for name, nothing in (("NETWORKS", []), ("BITS", {}), ("COMPARISONS", [])):
        setattr(module, name, nothing)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # of code that may be the user's own
        raise Failure(describe_error(error, path)) from None
    for name in ("DATA_SETS", "EXPERIMENTS"):
        if not getattr(module, name, None):
            raise Failure(f"{path}: it has no {name}")
    check(module, path)
    return module


def describe_error(error, path):
    """One line that tells the line of the file in which it happened."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__)
             if Path(frame.filename).resolve() == path.resolve()]
    line = error.lineno if isinstance(error, SyntaxError) else (lines or ["?"])[-1]
    return f"{path}, line {line}: {getattr(error, 'msg', error)}"


def check(module, path):
    """A name may stand for weights only behind the experiment that makes them: no circles."""
    known = set()
    for experiment in module.EXPERIMENTS:
        name, start = experiment.name, depends_on(experiment)
        if name in known:
            raise Failure(f"{path}: two experiments are called {name}")
        if experiment.data not in module.DATA_SETS:
            raise Failure(f"{path}: {name}: no data set is called {experiment.data}")
        if start is not None and start not in known:
            raise Failure(f"{path}: {name} starts from {start}, which no experiment before it is")
        if experiment.taught and start is None:
            raise Failure(f"{path}: {name} is taught by nobody: it starts from no experiment")
        if experiment.taught and not isinstance(module.DATA_SETS[experiment.data], ClassFolders):
            raise Failure(f"{path}: {name} is a detector, which nobody can teach")
        check_measurement(experiment, module.DATA_SETS[experiment.data], path)
        known.add(name)
    for network in module.NETWORKS:
        for name in network.references.values():
            if name not in known:
                raise Failure(f"{path}: network {network.name} refers to {name}, which no "
                              "experiment is")


def check_measurement(experiment, data_set, path):
    """What is not trained is measured as a detector, and calibrated once or more."""
    name, times = experiment.name, experiment.calibrations
    if experiment.epochs == 0 and isinstance(data_set, ClassFolders):
        raise Failure(f"{path}: {name} is a classifier, which can't be measured without training")
    if times < 1 or (times > 1 and (experiment.calibrate is None or experiment.epochs != 0)):
        raise Failure(f"{path}: {name}: calibrations={times} needs calibrate= and epochs=0, and to "
                      "be 1 or more")


def select(experiments, patterns):
    """Those that any pattern names, in their own order; without patterns all."""
    if not patterns:
        return list(experiments)
    names = [experiment.name for experiment in experiments]
    chosen = set()
    for pattern in patterns:
        found = fnmatch.filter(names, pattern)
        if not found:
            near = difflib.get_close_matches(pattern, names, n=1)
            hint = f"; is it {near[0]}?" if near else ""
            raise Failure(f"no experiment is called '{pattern}'{hint} --list shows all")
        chosen.update(found)
    return [experiment for experiment in experiments if experiment.name in chosen]
