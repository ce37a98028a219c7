"""Results as table and plot show them: per cent, and points below the fine-tuned float network."""

from common import Failure
from results import latest, read_results

NOT_RUN = "not run yet"


class Scores:
    def __init__(self, path):
        if not path.is_file():
            raise Failure(f"{path}: no such table of results")
        self.rows = latest(read_results(path))

    def per_cent(self, name):
        """Mean of the last evaluations of an experiment, or None if it was not run."""
        row = self.rows.get(name)
        return None if row is None else 100 * float(row["mean_of_last_3"])

    def points(self, name, reference):
        """Above the reference, or None if either was not run."""
        values = self.per_cent(name), self.per_cent(reference)
        return None if None in values else values[0] - values[1]


def float_name(network):
    return f"{network.name}/float"


def finetuned_name(network):
    return f"{network.name}/float-finetune"


def quantised_name(network, bits):
    return f"{network.name}/{bits}"


def reference_name(network, bits):
    """The float network that was fine-tuned as long as the one of these bits."""
    return network.references.get(bits, finetuned_name(network))


def title_of(bits):
    return bits.upper()
