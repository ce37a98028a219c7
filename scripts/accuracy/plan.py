"""What a run has to do: which experiments, in which order, from which data and weights."""

import dataclasses
from pathlib import Path

from cfg_text import Cfg
from common import Failure
from data_sets import Prepared
from definitions import depends_on
from results import has_result, latest
from steps import make_row
from workspace import Workspace, find_file, make_cfg


@dataclasses.dataclass
class Job:
    """One experiment with all that it needs."""

    space: Workspace
    data_set: Prepared
    cfg: Cfg
    start: Path | None  # weights
    start_cfg: Path | None  # of the experiment that makes them
    sets_aside: bool  # what is there: --again
    is_settled: bool = False  # there is nothing to do

    @property
    def experiment(self):
        return self.space.experiment


class Plan:
    def __init__(self, module, options, rows):
        self.module = module
        self.options = options
        self.rows = rows  # of the results
        self.latest = latest(rows)
        self.by_name = {experiment.name: experiment for experiment in module.EXPERIMENTS}

    def space(self, experiment):
        return Workspace(self.options.work, experiment)

    def find_needed(self, chosen):
        """The chosen ones, and unfinished ones that they start from."""
        needed = {}
        for experiment in chosen:
            self._add(experiment, needed, anew=self.options.again)
        return [e for e in self.module.EXPERIMENTS if e.name in needed]

    def _add(self, experiment, needed, anew=False):
        if experiment.name in needed:
            return
        needed[experiment.name] = experiment
        start = depends_on(experiment)
        if start is not None and (anew or not self.space(experiment).result.is_file()) and \
                not self.space(self.by_name[start]).is_done:
            self._add(self.by_name[start], needed)

    def make_jobs(self, experiments, chosen):
        """What is wrong with data, cfgs or models is told here, before any training."""
        used = dict.fromkeys(experiment.data for experiment in experiments)
        prepared = {name: self._prepare(name) for name in used}
        return [self._make_job(experiment, prepared[experiment.data],
                               self.options.again and experiment in chosen)
                for experiment in experiments]

    def _prepare(self, name):
        data_set = self.module.DATA_SETS[name]
        return data_set.prepare(self.options.data / data_set.folder,
                                self.options.work / "data" / name)

    def _make_job(self, experiment, data_set, again):
        cfg = make_cfg(experiment, data_set, self.options)
        space = self.space(experiment)
        sets_aside = again and (space.is_begun or space.result.is_file())
        changes = [] if sets_aside else space.find_changes(cfg)
        if changes:
            raise Failure(f"{experiment.name}: it is another one than the experiment in "
                          f"{space.folder} was begun with ({'; '.join(changes)}); --again begins "
                          "anew")
        start, start_cfg = self._find_start(experiment)
        job = Job(space, data_set, cfg, start, start_cfg, sets_aside)
        # The table that came with the tree doesn't say that anything was trained here.
        job.is_settled = not sets_aside and space.is_done and has_result(self.rows, make_row(job))
        return job

    def _find_start(self, experiment):
        source = depends_on(experiment)
        if source is not None:
            space = self.space(self.by_name[source])
            return space.final, space.cfg
        return experiment.start and find_file(experiment.start, self.options.models), None
