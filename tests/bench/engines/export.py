"""export.py CFG WEIGHTS FOLDER: the network for ONNX Runtime, OpenVINO and ncnn, float and 8-bit.

Runs in the environment of requirements.txt. Thresholds come from random pixels, the kind of input
that is measured later, by the engines' own tools where they have any.
"""

import sys
from pathlib import Path

import numpy
import nncf
import onnx
import onnxruntime
import openvino
from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters, OverflowFix
from onnxruntime.quantization import (CalibrationDataReader, QuantFormat, QuantType,
                                      quantize_static)
from onnxruntime.quantization.shape_inference import quant_pre_process

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import to_ncnn  # noqa: E402
import to_onnx  # noqa: E402
from darknet_weights import read_weights  # noqa: E402
from layers import read_layers  # noqa: E402
from pixels import random_pixels  # noqa: E402
from results import has_vnni  # noqa: E402

CALIBRATION_IMAGES = 4


class Images(CalibrationDataReader):
    def __init__(self, images):
        self.images = iter(images)

    def get_next(self):
        image = next(self.images, None)
        return None if image is None else {to_onnx.INPUT: image}


def quantise_for_onnxruntime(source, target, images):
    """Without VNNI its sums of two products overflow, so weights get 7 bits (its own advice)."""
    prepared = target.with_name("prepared.onnx")
    quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
    quantize_static(str(prepared), str(target), Images(images), quant_format=QuantFormat.QDQ,
                    activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
                    per_channel=True, reduce_range=not has_vnni())


def quantise_for_openvino(source, target, images):
    """Mixed is its preset for other activations than relu; for the rest see above."""
    seven_bits = OverflowFix.DISABLE if has_vnni() else OverflowFix.ENABLE
    model = nncf.quantize(openvino.Core().read_model(source), nncf.Dataset(images),
                          preset=nncf.QuantizationPreset.MIXED, subset_size=len(images),
                          advanced_parameters=AdvancedQuantizationParameters(
                              overflow_fix=seven_bits))
    openvino.save_model(model, target, compress_to_fp16=False)


def largest_inputs(net, layers, weights, images):
    """By convolution: the largest magnitude that it reads."""
    wanted = {i: layer.reads[0] for i, layer in enumerate(layers) if layer.kind == "convolutional"}
    inner = sorted({read for read in wanted.values() if read >= 0})
    model = to_onnx.make_model(net, layers, weights, inner)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    largest = {-1: 1.0}
    for image in images:
        for read, values in zip(inner, session.run(None, {to_onnx.INPUT: image})):
            largest[read] = max(largest.get(read, 0), float(numpy.abs(values).max()))
    return {i: largest[read] for i, read in wanted.items()}


def main():
    cfg, weights_path, folder = map(Path, sys.argv[1:])
    net, layers = read_layers(cfg)
    weights = read_weights(weights_path, layers)
    shape = [1, *(int(net[key]) for key in ("channels", "height", "width"))]
    images = [random_pixels(shape, 100 + i) for i in range(CALIBRATION_IMAGES)]
    onnx.save(to_onnx.make_model(net, layers, weights), folder / "float.onnx")
    quantise_for_onnxruntime(folder / "float.onnx", folder / "int8.onnx", images)
    quantise_for_openvino(folder / "float.onnx", folder / "openvino-int8.xml", images)
    to_ncnn.write_model(folder / "ncnn-float", layers, weights)
    scales = {i: 127 / largest
              for i, largest in largest_inputs(net, layers, weights, images).items()}
    to_ncnn.write_model(folder / "ncnn-int8", layers, weights, scales)


if __name__ == "__main__":
    main()
