"""engine_worker.py ENGINE MODEL CFG THREADS: serves inference by onnxruntime, openvino or ncnn.

Speaks tests/bench/protocol.h; runs in the environment of requirements.txt. As with the other
workers a pass is one image that is in memory already, and its results are the heads.
"""

import os
import sys
import time
from pathlib import Path

import numpy

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from layers import find_heads, read_layers  # noqa: E402
from pixels import random_pixels  # noqa: E402


class OnnxRuntime:
    def __init__(self, model, image, heads, threads):
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(model, options,
                                                    providers=["CPUExecutionProvider"])
        self.feed = {self.session.get_inputs()[0].name: image}
        self.heads = heads

    def forward(self):
        return self.session.run(self.heads, self.feed)


class OpenVino:
    def __init__(self, model, image, heads, threads):
        import openvino
        compiled = openvino.Core().compile_model(model, "CPU", {
            "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32"})
        self.request = compiled.create_infer_request()
        self.request.set_input_tensor(openvino.Tensor(image, shared_memory=True))
        self.heads = heads

    def forward(self):
        self.request.infer(share_outputs=True)
        return [self.request.get_tensor(head).data for head in self.heads]


class Ncnn:
    def __init__(self, model, image, heads, threads):
        import ncnn
        self.net = ncnn.Net()
        # Memory is kept from pass to pass, as its own benchmark does it.
        self.pools = ncnn.UnlockedPoolAllocator(), ncnn.PoolAllocator()
        self.net.opt.num_threads = threads
        self.net.opt.blob_allocator, self.net.opt.workspace_allocator = self.pools
        if self.net.load_param(f"{model}.param") or self.net.load_model(f"{model}.bin"):
            sys.exit(f"engine_worker: ncnn can't load {model}")
        self.input, self.heads = ncnn.Mat(image[0]).clone(), heads

    def forward(self):
        extractor = self.net.create_extractor()
        extractor.input("pixels", self.input)
        results = [extractor.extract(head) for head in self.heads]
        if any(status for status, _ in results):
            sys.exit("engine_worker: ncnn can't run the network")
        return [numpy.array(result) for _, result in results]


ENGINES = {"onnxruntime": OnnxRuntime, "openvino": OpenVino, "ncnn": Ncnn}


def take_answers():
    """Standard output for answers alone: what engines print is dropped."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return answers


def answer_to(engine, words):
    if words[0] == "run":
        warm, n = map(int, words[1:])
        for _ in range(warm):
            engine.forward()
        times = ["times"]
        for _ in range(n):
            start = time.perf_counter()
            engine.forward()
            times.append(f"{time.perf_counter() - start:.6f}")
        return " ".join(times)
    if words[0] == "dump":
        with open(words[1], "wb") as file:
            for head in engine.forward():
                file.write(numpy.ascontiguousarray(head, numpy.float32).tobytes())
        return "dumped"
    sys.exit(f"engine_worker: can't do '{' '.join(words)}'")


def main():
    name, model, cfg, threads = sys.argv[1:]
    answers = take_answers()
    net, layers = read_layers(Path(cfg))
    image = random_pixels([1, *(int(net[key]) for key in ("channels", "height", "width"))])
    engine = ENGINES[name](model, image, [f"layer{i}" for i in find_heads(layers)], int(threads))
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        print(answer_to(engine, line.split()), file=answers, flush=True)


if __name__ == "__main__":
    main()
