"""What all scripts of this folder share: where the tree is, how they fail, the default files."""

import os
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
EXPERIMENTS = Path(__file__).resolve().parent / "experiments.py"
RESULTS = TOP / "docs/accuracy.csv"
BUILT = Path(os.environ.get("BUILD", TOP / "build")) / "darknet"  # the tree's own command


class Failure(Exception):
    """Ends a script, or one experiment of many, with a line for the user."""


def run_main(main):
    """Calls main; its failures become one line and status 1."""
    try:
        sys.exit(main())
    except (Failure, OSError, UnicodeDecodeError) as error:
        sys.exit(f"accuracy: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def write_if_changed(path, text):
    """Another run may be reading the file: it is replaced as a whole, and only for a reason."""
    if path.is_file() and path.read_text() == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = path.with_name(path.name + ".new")
    whole.write_text(text)
    whole.replace(path)
