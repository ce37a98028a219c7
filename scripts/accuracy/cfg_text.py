"""Darknet's .cfg files: read, changed and compared by their keys, comments aside."""

import re

from common import Failure

SECTION = re.compile(r"\s*\[(.*)\]\s*$")
OPTION = re.compile(r"\s*([^#;\[=\s][^=]*)=(.*)$")


class Section:
    def __init__(self, name):
        self.name = name
        self.lines = []  # behind its heading, comments and blank lines included

    def _find(self, key):
        """Index of the line that sets the key, or None."""
        for i, line in enumerate(self.lines):
            if key in parse_option(line):
                return i
        return None

    def options(self):
        """The first line that sets a key counts, as in Darknet."""
        found = {}
        for line in self.lines:
            found = parse_option(line) | found
        return found

    def change(self, key, value):
        """None takes the key out; a new one goes behind the section's heading."""
        place, line = self._find(key), f"{key}={value}"
        if value is None:
            if place is not None:
                del self.lines[place]
        elif place is None:
            self.lines.insert(0, line)
        else:
            self.lines[place] = line


class Cfg:
    """A network's sections; the first is [net]."""

    def __init__(self, text):
        self.sections = []
        for line in text.splitlines():
            heading = SECTION.match(line)
            if heading:
                self.sections.append(Section(heading[1].strip()))
            elif self.sections:
                self.sections[-1].lines.append(line)

    @property
    def net(self):
        return self.sections[0]

    @property
    def layers(self):
        return self.sections[1:]

    def quantised(self):
        return [section for section in self.layers if section.name.startswith("gdrq_")]

    def chosen(self, which):
        """Sections by their number, as `darknet` prints it, or "all" or "inner" quantised ones."""
        if which == "all":
            return self.quantised()
        if which == "inner":
            return self.quantised()[1:-1]
        if not isinstance(which, int) or not 0 <= which < len(self.layers):
            raise Failure(f"layers={{{which!r}: ...}}: neither \"all\", \"inner\" nor one of the "
                          f"network's {len(self.layers)} layers")
        return [self.layers[which]]

    def number(self, key, default=None):
        """Of [net]."""
        value = self.net.options().get(key, default)
        return None if value is None else float(value)

    def inner(self, key, default):
        """A key's value in the quantised layers between the first and the last, as one has it."""
        inner = self.chosen("inner") or self.quantised()
        return inner[0].options().get(key, self.net.options().get(key, default))

    def text(self, comment):
        lines = [f"# {comment}", ""]
        for section in self.sections:
            lines += [f"[{section.name}]", *section.lines]
        return "\n".join(lines).rstrip() + "\n"


def parse_option(line):
    """{key: value} of a line, without blanks, which Darknet drops; {} of any other line."""
    found = OPTION.match(line)
    return {} if not found else {"".join(found[1].split()): "".join(found[2].split())}


def differences(old, new):
    """What another cfg sets otherwise, one phrase per key."""
    if [section.name for section in old.sections] != [section.name for section in new.sections]:
        return ["the layers"]
    found = []
    for i, (a, b) in enumerate(zip(old.sections, new.sections)):
        where = "[net]" if i == 0 else f"layer {i - 1} [{a.name}]"
        before, now = a.options(), b.options()
        for key in sorted(before.keys() | now.keys()):
            if before.get(key) != now.get(key):
                found.append(f"{where} {key}: {before.get(key, 'not set')} there, "
                             f"{now.get(key, 'not set')} now")
    return found
