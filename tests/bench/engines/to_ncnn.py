"""A Darknet network as ncnn's .param and .bin, in float or with 8 bits.

ncnn's own converters are programs that its wheel does not hold; the two files are simple enough to
be written here. With 8 bits, weights have a scale per filter, inputs one per layer, and where
convolutions read another directly, codes pass between them, all as ncnn2int8 would have it.
"""

import collections
import struct

import numpy

from layers import find_heads

INT8_WEIGHTS = 0x000D4B38
INT8, INT8_TO_INT8 = 2, 102  # int8_scale_term
LEAKY = "9=2 -23310=1,0.1"


def source_of(layers, i):
    """The layer that really makes what i holds: routes of one layer only pass it on."""
    while i >= 0 and layers[i].kind == "route" and len(layers[i].reads) == 1:
        i = layers[i].reads[0]
    return i


class Graph:
    """Lines of .param. Every blob has one reader: one with more goes through a Split."""

    def __init__(self, layers):
        self.layers, self.lines, self.blobs = layers, [], 0
        self.names = {}  # of the blobs that are left, by layer
        self.readers = collections.Counter(source_of(layers, read) for layer in layers
                                           if self.is_written(layer) for read in layer.reads)

    @staticmethod
    def is_written(layer):
        return layer.kind != "yolo" and not (layer.kind == "route" and len(layer.reads) == 1)

    def add(self, kind, reads, i, parameters=""):
        taken = [self.names[source_of(self.layers, read)].pop() for read in reads]
        name = "pixels" if i < 0 else f"layer{i}"
        self.line(kind, name, taken, [name], parameters)
        copies = [f"{name}_{n}" for n in range(self.readers[i])]
        if self.readers[i] > 1:
            self.line("Split", f"{name}_copies", [name], copies)
        self.names[i] = copies if len(copies) > 1 else [name]

    def line(self, kind, name, reads, writes, parameters=""):
        self.blobs += len(writes)
        self.lines.append(" ".join([kind, name, str(len(reads)), str(len(writes)), *reads, *writes,
                                    parameters]).rstrip())

    def text(self):
        return "\n".join(["7767517", f"{len(self.lines)} {self.blobs}", *self.lines]) + "\n"


def other_parameters(layer):
    if layer.kind == "maxpool":
        before, behind = layer.pool_pads
        return "Pooling", (f"0=0 1={layer.number('size', layer.number('stride', 1))} "
                           f"2={layer.number('stride', 1)} 3={before} 14={behind} 13={before} "
                           f"15={behind} 5=1")
    if layer.kind == "upsample":
        return "Interp", f"0=1 1={layer.number('stride', 2)} 2={layer.number('stride', 2)}"
    if layer.kind == "route":
        return "Concat", "0=0"
    raise ValueError(f"[{layer.kind}] is not exported")


def convolution_parameters(layer, weights, scale_term):
    if layer.number("groups", 1) != 1:
        raise ValueError("groups are not exported")
    activation = {"leaky": LEAKY, "relu": "9=1", "linear": ""}[layer.activation]
    scales = f"8={scale_term}" if scale_term else ""
    return " ".join(f"0={len(weights)} 1={layer.number('size', 1)} 3={layer.number('stride', 1)} "
                    f"4={layer.pad} 5=1 6={weights.size} {scales} {activation}".split())


def aligned(data):
    return data + bytes(-len(data) % 4)


def float_numbers(weights, bias):
    return struct.pack("<I", 0) + weights.astype("<f4").tobytes() + bias.astype("<f4").tobytes()


def int8_numbers(weights, bias, input_scale, output_scale):
    scales = 127 / numpy.maximum(numpy.abs(weights).max(axis=(1, 2, 3)), 1e-12)
    codes = numpy.rint(weights * scales[:, None, None, None]).astype(numpy.int8)
    floats = [bias, scales, [input_scale], [] if output_scale is None else [output_scale]]
    return (struct.pack("<I", INT8_WEIGHTS) + aligned(codes.tobytes()) +
            b"".join(numpy.asarray(part, "<f4").tobytes() for part in floats))


def reading_convolution(layers, i):
    """One of those that read layer i, if none but convolutions do; else None."""
    readers = [k for k, layer in enumerate(layers) if Graph.is_written(layer)
               and i in [source_of(layers, read) for read in layer.reads]]
    if readers and all(layers[k].kind == "convolutional" for k in readers):
        return readers[0]
    return None


def write_model(path, layers, weights, input_scales=None):
    """Writes path.param and path.bin; input_scales, of the convolutions' inputs, make it 8-bit."""
    graph, numbers = Graph(layers), []
    shape = layers[0].input
    graph.add("Input", [], -1, f"0={shape[2]} 1={shape[1]} 2={shape[0]}")
    for i, layer in enumerate(layers):
        if not graph.is_written(layer):
            continue
        if layer.kind != "convolutional":
            kind, parameters = other_parameters(layer)
            graph.add(kind, layer.reads, i, parameters)
            continue
        reader = reading_convolution(layers, i) if input_scales else None
        term = (INT8 if reader is None else INT8_TO_INT8) if input_scales else 0
        graph.add("Convolution", layer.reads, i, convolution_parameters(layer, weights[i][0], term))
        numbers.append(int8_numbers(*weights[i], input_scales[i], input_scales.get(reader))
                       if input_scales else float_numbers(*weights[i]))
    path.with_suffix(".param").write_text(graph.text())
    path.with_suffix(".bin").write_bytes(b"".join(numbers))
    return [f"layer{head}" for head in find_heads(layers)]
