"""Rows of results, and the table of them."""

import functools
import json
import os
import re
import statistics
from pathlib import Path

NO_VNNI = "the processor has no AVX512-VNNI"


@functools.cache
def read_cpuinfo():
    """Model and flags of the first processor."""
    text = Path("/proc/cpuinfo").read_text()
    found = [re.search(rf"^{key}\s*: (.*)", text, re.M) for key in ("model name", "flags")]
    model, flags = (match[1] if match else "" for match in found)
    return model or "unknown processor", flags.split()


def has_vnni():
    return "avx512_vnni" in read_cpuinfo()[1]


def describe_machine():
    model, flags = read_cpuinfo()
    best = [name for flag, name in (("avx512_vnni", "AVX512-VNNI"), ("avx512bw", "AVX-512"),
                                    ("avx2", "AVX2")) if flag in flags]
    return ", ".join([model, *best[:1], f"{os.cpu_count()} cores"])


def save_rows(path, rows):
    path.write_text(json.dumps({"machine": describe_machine(), "rows": rows}, indent=1) + "\n")


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def compared(what, unit, ours, other, required, ratio, at_most=False):
    """A row. ours, other: values per round; ratio: of two medians, `required` the least or most.

    With None for `required` the row is for information only.
    """
    flat = [[v for r in rounds for v in r] for rounds in (ours, other)]
    medians = [statistics.median(values) for values in flat]
    by_round = [ratio(statistics.median(a), statistics.median(b)) for a, b in zip(ours, other)]
    value = ratio(*medians)
    return {"what": what, "unit": unit, "ours": spread(flat[0]), "other": spread(flat[1]),
            "ratio": {"median": value, "min": min(by_round), "max": max(by_round)},
            "required": required, "at_most": at_most,
            "reached": None if required is None
            else value <= required if at_most else value >= required}


def faster(what, ours, other, required):
    in_ms = [[[1000 * t for t in times] for times in rounds] for rounds in (ours, other)]
    return compared(what, "ms", *in_ms, required, lambda a, b: b / a)


def at_most(what, unit, ours, other, required):
    return compared(what, unit, ours, other, required, lambda a, b: a / b, at_most=True)


def omitted(what, why, required=None):
    row = {"what": what, "omitted": why}
    return row if required is None else row | {"required": required}


def say_omitted(row):
    bar = f" (required: >= {row['required']:.3g})" if "required" in row else ""
    return f"omitted: {row['omitted']}{bar}"


def say_bar(row):
    if row["required"] is None:
        return ["-", "-"]
    return [f"{'<=' if row['at_most'] else '>='} {row['required']:.3g}",
            "yes" if row["reached"] else "NO"]


def format_spread(values, unit=""):
    digits = 2 if values["median"] < 10 else 1 if values["median"] < 100 else 0
    return (f"{values['median']:.{digits}f}{unit} "
            f"({values['min']:.{digits}f}..{values['max']:.{digits}f})")


def format_table(rows):
    cells = [["work", "unit", "ours", "other", "ratio", "required", "reached"]]
    for row in rows:
        if "omitted" in row:
            cells.append([row["what"], say_omitted(row)])
            continue
        cells.append([row["what"], row["unit"], format_spread(row["ours"]),
                      format_spread(row["other"]), format_spread(row["ratio"]), *say_bar(row)])
    # What is said of an omitted row runs across the columns.
    widths = [max(len(line[i]) for line in cells if i == 0 or len(line) > 2)
              for i in range(len(cells[0]))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths)).rstrip()
                     for line in cells)
