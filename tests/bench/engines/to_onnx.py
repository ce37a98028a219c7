"""A Darknet network as ONNX: convolutions, maxpools, upsamples and routes, up to the heads."""

import onnx
from onnx import TensorProto, helper, numpy_helper

from layers import find_heads

INPUT = "pixels"


def tensor_name(i):
    """Of a layer's output; -1 is the network's input."""
    return INPUT if i < 0 else f"layer{i}"


def convolution_nodes(i, layer, numbers, initializers):
    for kind, values in zip(("weights", "bias"), numbers):
        initializers.append(numpy_helper.from_array(values, f"{kind}{i}"))
    size, stride = layer.number("size", 1), layer.number("stride", 1)
    linear = layer.activation == "linear"
    sums = tensor_name(i) if linear else f"sums{i}"
    yield helper.make_node("Conv", [tensor_name(layer.reads[0]), f"weights{i}", f"bias{i}"], [sums],
                           kernel_shape=[size] * 2, strides=[stride] * 2, pads=[layer.pad] * 4,
                           group=layer.number("groups", 1))
    if layer.activation == "leaky":
        yield helper.make_node("LeakyRelu", [sums], [tensor_name(i)], alpha=0.1)
    elif layer.activation == "relu":
        yield helper.make_node("Relu", [sums], [tensor_name(i)])
    elif not linear:
        raise ValueError(f"activation={layer.activation} is not exported")


def other_node(i, layer, initializers):
    reads, out = [tensor_name(read) for read in layer.reads], [tensor_name(i)]
    if layer.kind == "maxpool":
        before, behind = layer.pool_pads
        return helper.make_node("MaxPool", reads, out,
                                kernel_shape=[layer.number("size", layer.number("stride", 1))] * 2,
                                strides=[layer.number("stride", 1)] * 2,
                                pads=[before, before, behind, behind])
    if layer.kind == "upsample":
        factor = layer.number("stride", 2)
        initializers.append(helper.make_tensor(f"factors{i}", TensorProto.FLOAT, [4],
                                               [1, 1, factor, factor]))
        return helper.make_node("Resize", [*reads, "", f"factors{i}"], out, mode="nearest",
                                coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    if layer.kind == "route":
        return helper.make_node("Concat", reads, out, axis=1)
    raise ValueError(f"[{layer.kind}] is not exported")


def value_info(name, shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, *shape])


def make_model(net, layers, weights, outputs=None):
    """outputs: indices of the layers whose values are wanted, by default of the heads."""
    nodes, initializers = [], []
    for i, layer in enumerate(layers):
        if layer.kind == "convolutional":
            nodes += convolution_nodes(i, layer, weights[i], initializers)
        elif layer.kind != "yolo":
            nodes.append(other_node(i, layer, initializers))
    shape = [int(net[key]) for key in ("channels", "height", "width")]
    results = [value_info(tensor_name(i), layers[i].output)
               for i in (find_heads(layers) if outputs is None else outputs)]
    graph = helper.make_graph(nodes, "darknet", [value_info(INPUT, shape)], results, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model
