"""Data sets, from folders as their archives have them to lists of images that Darknet reads."""

import dataclasses
import math
import os
from pathlib import Path

from child import run_quietly
from common import TOP, Failure, write_if_changed


@dataclasses.dataclass(frozen=True)
class Prepared:
    """What a .data file says."""

    task: str  # "classifier" or "detector"
    train: Path
    valid: Path
    names_key: str  # "labels" for classifiers, "names" for detectors
    names: Path

    def data_file(self, backup):
        classes = len([line for line in self.names.read_text().splitlines() if line.strip()])
        return (f"classes = {classes}\ntrain = {self.train}\nvalid = {self.valid}\n"
                f"{self.names_key} = {self.names}\nbackup = {backup}\n")

    def iterations_per_epoch(self, batch):
        return math.ceil(len(self.train.read_text().splitlines()) / batch)


def require_folder(path, what):
    if not path.is_dir():
        raise Failure(f"{path}: no such folder; {what}")


def write_list(path, images):
    write_if_changed(path, "".join(f"{image}\n" for image in images))


@dataclasses.dataclass(frozen=True)
class ClassFolders:
    """Images in PART/CLASS/, for a classifier."""

    folder: str
    labels: Path  # the classes' names, one per line
    train: str = "train"
    valid: str = "test"

    def prepare(self, source, out):
        require_folder(source, f"it is to hold {self.train}/ and {self.valid}/ with classes")
        lists = {}
        for key, part in (("train", self.train), ("valid", self.valid)):
            images = self._images(source / part)
            lists[key] = out / f"{key}.txt"
            write_list(lists[key], images)
        return Prepared("classifier", **lists, names_key="labels", names=self.labels)

    def _images(self, part):
        """Sorted, so that a seed means the same everywhere."""
        images = []
        for name in self.labels.read_text().split():
            require_folder(part / name, f"{self.labels.name} has a class {name}")
            images += [path for path in (part / name).iterdir()
                       if path.suffix.lower() in (".jpg", ".jpeg", ".png")]
            if not images or images[-1].parent.name != name:
                raise Failure(f"{part / name}: no .jpg or .png file in it")
        return sorted(images)


@dataclasses.dataclass(frozen=True)
class Voc:
    """A folder as Pascal VOC has it; scripts/voc_to_darknet converts it."""

    folder: str

    def prepare(self, source, out):
        require_folder(source, "it is to hold Annotations, JPEGImages and ImageSets")
        origin, path = out / "origin", str(source.resolve())
        if not origin.is_file() or origin.read_text() != path:
            run_quietly([TOP / "scripts/voc_to_darknet", source, out], source)
            write_if_changed(origin, path)
        return Prepared("detector", train=out / "trainval.txt", valid=out / "test.txt",
                        names_key="names", names=out / f"{out.name}.names")


@dataclasses.dataclass(frozen=True)
class DarknetLabels:
    """Images and Darknet's labels in folders of their own, one of each per part."""

    folder: str
    images: str  # {} is the part
    labels: str
    train: str
    valid: str
    names: Path

    def prepare(self, source, out):
        require_folder(source, "it is to hold images and labels")
        if not self.names.is_file():
            raise Failure(f"{self.names}: missing; Debian's package darknet has it")
        lists = {key: self._link(source, out / key, part)
                 for key, part in (("train", self.train), ("valid", self.valid))}
        return Prepared("detector", **lists, names_key="names", names=self.names)

    def _link(self, source, out, part):
        """The list of a part. Darknet looks for labels/N.txt beside images/N.jpg."""
        out.mkdir(parents=True, exist_ok=True)
        images, labels = (source / pattern.format(part) for pattern in (self.images, self.labels))
        require_folder(images, f"it is to hold the images of {part}")
        require_folder(labels, f"it is to hold the labels of {part}")
        make_link(out / "images", images)
        pictures = sorted((out / "images").glob("*.jpg"))
        if not pictures:
            raise Failure(f"{images}: no .jpg file in it")
        self._link_labels(labels, out / "labels", pictures)
        path = out.with_suffix(".txt")
        write_list(path, pictures)
        return path

    @staticmethod
    def _link_labels(source, out, pictures):
        """COCO has no file for an image without objects; a training wants an empty one."""
        if out.is_symlink():
            out.unlink()
        out.mkdir(exist_ok=True)
        for picture in pictures:
            name = picture.with_suffix(".txt").name
            if (source / name).is_file():
                if not (out / name).is_symlink():
                    (out / name).unlink(missing_ok=True)
                make_link(out / name, source / name)
            else:
                write_if_changed(out / name, "")


def make_link(link, target):
    """Where data sets were elsewhere in an earlier run, the link moves."""
    target = target.resolve()
    if link.is_symlink() and Path(os.readlink(link)) != target:
        link.unlink()
    if not link.is_symlink():
        link.symlink_to(target)


def check_out(folder):
    """Darknet replaces these words in a path to find an image's labels, and drops blanks."""
    bad = [word for word in ("images", "JPEGImages", "raw", " ") if word in str(folder)]
    if bad:
        raise Failure(f"{folder}: Darknet would not find labels below a path with '{bad[0]}' in "
                      "it; choose another folder with --work")
