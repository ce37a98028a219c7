"""The table of results, one line per finished experiment, and the histories it is made from."""

import csv
import dataclasses
import io
import math
import statistics

from common import Failure

COLUMNS = ["experiment", "network", "data", "weight_bits", "activation_bits", "threshold", "groups",
           "reshape", "teacher", "keys", "epochs", "seed", "iterations", "metric",
           "mean_of_last_3", "best", "last", "minutes", "commit", "date"]
# Of [net] and of layers, told by other columns.
KEYS_WITH_COLUMNS = {"weight_bits", "activation_bits", "threshold", "threshold_weights",
                     "threshold_activations", "reshape", "quant_groups"}
CIRCUMSTANCES = ["minutes", "commit", "date"]
EVALUATIONS_IN_MEAN = 3
FLOAT_BITS = 32


@dataclasses.dataclass(frozen=True)
class History:
    """What a training or a measurement left behind."""

    metric: str
    values: list  # of the metric, in order; without iterations, of calibrations
    iterations: int
    minutes: float


def read_iterations(path):
    """The header and the lines of the .csv that training writes, one per iteration. What a power
    cut left of the last one does not count, as training itself has it."""
    with open(path, newline="") as file:
        text = file.read()
    whole = text[:text.rfind("\n") + 1]
    header, *rows = list(csv.reader(io.StringIO(whole))) or [[]]
    if len(header) != 8 or header[0] != "iteration" or header[6] != "seconds" or \
            any(len(row) != len(header) for row in rows):
        raise Failure(f"{path}: not the whole history of a training with evaluations")
    return header, rows


def read_history(path):
    """A resumed training goes on in the same file, with its time."""
    header, rows = read_iterations(path)
    try:
        values = [float(row[7]) for row in rows if row[7]]
        iterations, minutes = (int(rows[-1][0]), float(rows[-1][6]) / 60) if rows else (0, 0)
    except ValueError as error:
        raise Failure(f"{path}: {error}") from None
    if not values:
        raise Failure(f"{path}: no evaluation in it")
    return History(header[7], values, iterations, minutes)


def is_number(text):
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def read_results(path):
    """All rows, or none where there is no file yet. Half a line must not become a whole one."""
    if not path.is_file():
        return []
    with open(path, newline="") as file:
        text = file.read()
    table = csv.DictReader(io.StringIO(text))
    if table.fieldnames != COLUMNS:
        raise Failure(f"{path}: its first line is not that of a table of results, "
                      f"{','.join(COLUMNS)}")
    rows = list(table)
    for row in rows:
        if None in row or None in row.values() or not is_number(row["mean_of_last_3"]):
            raise Failure(f"{path}: the line of '{row['experiment']}' is damaged")
    if not text.endswith("\n"):
        raise Failure(f"{path}: its last line has no end")
    return rows


def has_result(rows, wanted):
    """Whether one of the rows says the same of the same experiment."""
    said = [column for column in COLUMNS if column not in CIRCUMSTANCES]
    return any(all(row[column] == str(wanted[column]) for column in said) for row in rows)


def latest(rows):
    """By experiment; of one that was run again, the last row."""
    return {row["experiment"]: row for row in rows}


def format_line(fields):
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(fields)
    return line.getvalue()


def append_result(path, row):
    """In one write, so that two runs can share the file."""
    line = format_line(row[column] for column in COLUMNS)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a") as file:
        file.write((format_line(COLUMNS) if file.tell() == 0 else "") + line)


def describe_network(cfg):
    """How a cfg quantises: the columns of its layers between the first and the last."""
    if not cfg.quantised():
        return {"weight_bits": FLOAT_BITS, "activation_bits": FLOAT_BITS, "threshold": "",
                "groups": "", "reshape": ""}
    common = cfg.inner("threshold", "learned")
    thresholds = [cfg.inner(f"threshold_{what}", common) for what in ("weights", "activations")]
    stage = int(cfg.inner("quantize_after", 0))
    return {"weight_bits": cfg.inner("weight_bits", 4),
            "activation_bits": cfg.inner("activation_bits", 4),
            "threshold": "/".join(dict.fromkeys(thresholds)),
            "groups": cfg.inner("quant_groups", "filters"),
            "reshape": f"{cfg.inner('reshape', 'project')} {stage}" if stage else "none"}


def describe_keys(experiment):
    """What it changes beside that: KEY=VALUE, with LAYERS: before keys of layers, and the flags of
    `darknet gdrq calibrate`."""
    changed = {"": experiment.net,
               **{f"{which}:": keys for which, keys in experiment.layers.items()}}
    words = [f"{where}{key}={'' if value is None else value}"
             for where, keys in changed.items() for key, value in keys.items()
             if key not in KEYS_WITH_COLUMNS or where not in ("", "inner:", "all:")]
    if experiment.learning_rate is not None:
        words.append(f"learning_rate={experiment.learning_rate:g}")
    if experiment.calibrate is not None:
        words += ["calibrate", *map(str, experiment.calibrate)]
    if experiment.calibrations > 1:
        words.append(f"calibrations={experiment.calibrations}")
    return " ".join(words)


def describe_history(history):
    """Numbers as written, rounded to what they mean."""
    values = history.values
    counted = values[-EVALUATIONS_IN_MEAN:] if history.iterations else values
    return {"iterations": history.iterations, "metric": history.metric,
            "mean_of_last_3": f"{statistics.fmean(counted):.5f}",
            "best": f"{max(values):.5f}", "last": f"{values[-1]:.5f}",
            "minutes": f"{history.minutes:.1f}"}
