"""Numbers of a Darknet .weights file, with batch norm merged into the convolutions."""

import numpy


def skip_header(file):
    major, minor, _ = numpy.fromfile(file, numpy.int32, 3)
    file.seek(8 if major * 10 + minor >= 2 else 4, 1)  # images seen


def read_floats(file, count):
    values = numpy.fromfile(file, numpy.float32, count)
    if len(values) != count:
        raise ValueError("the weights file is too short")
    return values


def read_convolution(file, layer):
    """Weights (filter, channel, row, column) and biases."""
    filters, size = layer.number("filters", 1), layer.number("size", 1)
    shape = (filters, layer.input[0] // layer.number("groups", 1), size, size)
    bias, normalised = read_floats(file, filters), layer.number("batch_normalize", 0)
    if normalised:
        scale, mean, variance = (read_floats(file, filters) for _ in range(3))
    weights = read_floats(file, int(numpy.prod(shape))).reshape(shape)
    if normalised:
        factor = scale / (numpy.sqrt(variance) + 1e-6)
        weights, bias = weights * factor[:, None, None, None], bias - mean * factor
    return weights, bias


def read_weights(path, layers):
    """By index of the convolutions."""
    with open(path, "rb") as file:
        skip_header(file)
        return {i: read_convolution(file, layer) for i, layer in enumerate(layers)
                if layer.kind == "convolutional"}
