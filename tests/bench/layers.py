"""Reads a cfg into layers with shapes, for those who make the same network elsewhere."""

import dataclasses
import re


@dataclasses.dataclass
class Layer:
    """One section: reads are indices of layers, -1 is the network's input; shapes are c, h, w."""

    kind: str
    options: dict
    reads: list
    input: tuple
    output: tuple = None

    def number(self, key, default=None):
        return int(self.options[key] if default is None else self.options.get(key, default))

    @property
    def activation(self):
        return self.options.get("activation", "logistic")

    @property
    def pad(self):
        """On each side, of a convolution."""
        return self.number("size", 1) // 2 if self.number("pad", 0) else self.number("padding", 0)

    @property
    def pool_pads(self):
        """Before and behind, of a maxpool."""
        padding = self.number("padding", self.number("size", self.number("stride", 1)) - 1)
        return padding // 2, padding - padding // 2


def read_sections(cfg):
    sections = []
    for line in cfg.read_text().splitlines():
        line = re.sub(r"[#;].*", "", line).replace(" ", "")
        if line.startswith("["):
            sections.append((line.strip("[]"), {}))
        elif "=" in line:
            key, value = line.split("=", 1)
            sections[-1][1][key] = value
    return sections


def reads_of(kind, options, i):
    if kind == "route":
        given = [int(index) for index in options["layers"].split(",")]
        return [index if index >= 0 else i + index for index in given]
    if kind == "shortcut":
        return [i - 1, i + int(options["from"])]
    return [i - 1]


def output_of(layer, inputs):
    c, h, w = layer.input
    if layer.kind == "convolutional":
        size, stride = layer.number("size", 1), layer.number("stride", 1)
        return (layer.number("filters", 1),
                *((side + 2 * layer.pad - size) // stride + 1 for side in (h, w)))
    if layer.kind == "maxpool":
        stride = layer.number("stride", 1)
        size = layer.number("size", stride)
        return (c, *((side + sum(layer.pool_pads) - size) // stride + 1 for side in (h, w)))
    if layer.kind == "route":
        return (sum(shape[0] for shape in inputs), h, w)
    if layer.kind == "upsample":
        return (c, h * layer.number("stride", 2), w * layer.number("stride", 2))
    if layer.kind == "avgpool":
        return (c, 1, 1)
    if layer.kind in ("shortcut", "yolo", "dropout", "softmax"):
        return layer.input
    raise ValueError(f"[{layer.kind}] is not known to tests/bench/layers.py")


def read_layers(cfg):
    """The options of [net], and the layers."""
    (_, net), *sections = read_sections(cfg)
    shapes = {-1: tuple(int(net[key]) for key in ("channels", "height", "width"))}
    layers = []
    for i, (kind, options) in enumerate(sections):
        reads = reads_of(kind, options, i)
        layer = Layer(kind, options, reads, shapes[reads[0]])
        layer.output = shapes[i] = output_of(layer, [shapes[read] for read in reads])
        layers.append(layer)
    return net, layers


def find_heads(layers):
    """Indices of the layers that the yolo layers read; without those, of the last layer."""
    return ([layer.reads[0] for layer in layers if layer.kind == "yolo"] or [len(layers) - 1])


def convolutions(layers):
    return [layer for layer in layers if layer.kind == "convolutional"]
