"""The project's accuracy experiments. run trains them, table and plot show what came out."""

from pathlib import Path

from common import TOP
from data_sets import ClassFolders, DarknetLabels, Voc
from definitions import Comparison, Experiment, Network

DATA_SETS = {
    "cifar10": ClassFolders("cifar10", labels=TOP / "cfg/cifar10.labels"),
    # Made of it by encode_again.
    "cifar10-twice": ClassFolders("cifar10-twice", labels=TOP / "cfg/cifar10.labels"),
    "bccd": Voc("bccd"),
    "coco128": DarknetLabels("coco128", images="images/{}",
                             labels="object_detection/labels/{}",
                             train="train2017", valid="val2017",
                             names=Path("/usr/share/darknet/data/coco.names")),
}

# Quantised networks start from the weights of a float one, whose rate was ten times as high, and
# see a half of its epochs or fewer; W2A2 still gains where the others have nothing left to learn.
# float-finetune is the same training without quantising and without the teacher that classifiers
# of few bits have, the float one; float-finetune-20 is that of 20 epochs.
FINE_TUNE_EPOCHS = 10
MORE_EPOCHS = {"w2a2": 20}
FINE_TUNE_RATE = 0.01
FINE_TUNE = {"burn_in": 0, "policy": "poly", "power": 1}

# Detectors see some hundred batches in these epochs: a mean of weights over fewer iterations, and
# half of the rate that bccd-yolo-float.cfg starts with.
DETECTOR_EPOCHS = 20
DETECTOR_RATE = 0.001
DETECTOR_FINE_TUNE = FINE_TUNE | {"steps": None, "scales": None, "ema": 0.99}

# 128 images tell a network from the same one with slightly other thresholds by a point and more.
CALIBRATIONS = 8

# Of a network that saw all of COCO: with its cfg's own 0.001 it forgets a third of what it knows.
PUBLISHED_RATE = 0.0003

ABLATION_EPOCHS = 4
FACTOR_EPOCHS = 2
JPEG_EPOCHS = 10

# Weights and activations. First layers keep 8-bit weights, last ones 8 bits: their sections say so.
BITS = {"w4a4": (4, 4), "w3a3": (3, 3), "w2a4": (2, 4), "w2a2": (2, 2)}


def longer_finetunes(name):
    """By bits: the float network that was fine-tuned as long, where that is longer than usual."""
    return {bits: f"{name}/float-finetune-{epochs}" for bits, epochs in MORE_EPOCHS.items()}


# The bars are points below float-finetune that a quantised network may lose; published ones (PACT's
# ResNet-20 on CIFAR-10) lose 0.3, 0.5 and 1.9 with 4, 3 and 2 bits.
NETWORKS = [
    Network("resnet20", "ResNet-20, CIFAR-10, top-1",
            {"w4a4": 0.3, "w3a3": 0.8, "w2a4": 1.2, "w2a2": 2.5}, longer_finetunes("resnet20")),
    Network("vgg-small", "VGG-small / 4, CIFAR-10, top-1",
            {"w4a4": 0.3, "w3a3": 0.6, "w2a4": 1.0, "w2a2": 2.0}, longer_finetunes("vgg-small")),
    Network("bccd", "bccd-yolo, BCCD, mAP@0.50", {"w4a4": 1.0}),
]


def quantised(bits):
    """The keys of [net] that every row of the main table has."""
    weights, activations = BITS[bits]
    return {"weight_bits": weights, "activation_bits": activations, "threshold": "learned"}


def network(name, data, cfg, epochs=FINE_TUNE_EPOCHS, more_epochs=MORE_EPOCHS,
            rate=FINE_TUNE_RATE, schedule=FINE_TUNE, taught=True, from_scratch=None):
    """The float network, with keys of its own, its fine-tuning, and that with all bits."""
    scratch = Experiment(f"{name}/float", data, f"{cfg}-float.cfg", net=from_scratch or {})
    tuned = scratch.derive(f"{name}/float-finetune", start=scratch.name, net=schedule,
                           epochs=epochs, learning_rate=rate)
    longer = set(more_epochs.values())
    return [scratch, tuned,
            *(tuned.derive(f"{tuned.name}-{n}", epochs=n) for n in sorted(longer)),
            *(tuned.derive(f"{name}/{bits}", cfg=f"{cfg}.cfg", net=schedule | quantised(bits),
                           taught=taught, epochs=more_epochs.get(bits, epochs))
              for bits in BITS)]


def variant(base, name, label, net=None, **changes):
    """A line of a table: its label, and the experiment that `base` is with other keys."""
    return label, base.derive(f"resnet20/{name}", net=base.net | (net or {}), **changes)


def ablations(start):
    """Short trainings of one network, each with one part of the method changed."""
    def with_groups(n, label):
        """In the layers that have 2-bit weights."""
        return variant(learned, f"ablation/groups-{n}", label,
                       layers={"inner": {"quant_groups": n}})

    def with_stage(reshape, label):
        """The stage clips by Scale-Clip's T, so it stands behind that."""
        return variant(scale, f"ablation/{reshape}", label, {"reshape": reshape}, reshape_epochs=1)

    learned_row = variant(start, "ablation/learned", "thresholds learned, a group per filter",
                          epochs=ABLATION_EPOCHS, taught=False)
    learned = learned_row[1]
    scale_row = variant(learned, "ablation/scale",
                        "thresholds k·mean, k = 2 for weights and 14 for activations",
                        {"threshold": "scale"}, layers={"inner": {"k_activations": 14}})
    scale = scale_row[1]
    return [learned_row,
            with_groups(4, "the same, 4 groups per layer"),
            with_groups(1, "the same, 1 group per layer"),
            variant(learned, "ablation/search", "thresholds searched", {"threshold": "search"}),
            scale_row,
            variant(scale, "ablation/scale-k6", "the same, k = 6 for activations",
                    layers={"inner": {"k_activations": 6}}),
            with_stage("project", "k·mean behind an epoch of reshaping"),
            with_stage("copy", "the same, reshape=copy")]


def training_keys(learned):
    """The ablation's first training with other keys, and once more with other random numbers."""
    return [("thresholds learned, seed=1", learned),
            variant(learned, "keys/seed-2", "seed=2", seed=2),
            variant(learned, "keys/pass", "weight_gradient=pass", {"weight_gradient": "pass"}),
            variant(learned, "keys/ema-1024", "ema_images=1024, the default, in place of 8192",
                    {"ema_images": 1024}),
            variant(learned, "keys/ema-0", "ema_images=0", {"ema_images": 0}),
            variant(learned, "keys/project", "behind an epoch of reshaping",
                    {"reshape": "project"}, reshape_epochs=1),
            variant(learned, "keys/taught", "taught by the float network", taught=True)]


def teachers(by_name):
    """What a teacher brings to a float network and to a quantised one."""
    tuned, quantised = by_name["resnet20/float-finetune"], by_name["resnet20/w4a4"]
    return [("float", tuned),
            ("float, taught", tuned.derive("resnet20/float-finetune-taught", taught=True)),
            ("W4A4", quantised.derive("resnet20/w4a4-untaught", taught=False)),
            ("W4A4, taught", quantised)]


def factors(scale):
    """Scale-Clip's k by bits: of activations in all layers, of weights in those that have few bits.
    Without another, the latter is 2."""
    def of_activations(bits, k):
        return variant(scale, f"k/w2a{bits}-k{k}", f"W2A{bits}, k = {k} for activations",
                       {"activation_bits": bits, "k_activations": k}, layers={},
                       epochs=FACTOR_EPOCHS)

    def of_weights(bits, k):
        return variant(scale, f"k/w{bits}a4-kw{k:g}",
                       f"W{bits}A4, k = 14 for activations, {k:g} for weights",
                       {"weight_bits": bits},
                       layers={"inner": {"k_activations": 14, "k_weights": k}},
                       epochs=FACTOR_EPOCHS)

    return [*(of_activations(2, k) for k in (6, 10, 14)),
            *(of_activations(3, k) for k in (6, 10, 14)),
            *(of_activations(4, k) for k in (14, 20)),
            *(of_weights(2, k) for k in (1.5, 2.5)),
            *(of_weights(4, k) for k in (2, 3))]


def threshold_keys(learned):
    """What learned and searched thresholds can be told."""
    learned = learned.derive("resnet20/thresholds/learned", epochs=FACTOR_EPOCHS)
    search = learned.derive("resnet20/thresholds/search", net=learned.net | {"threshold": "search"})

    def with_key(base, key, value):
        return variant(base, f"thresholds/{key}-{value:g}", f"the same, {key}={value:g}",
                       {key: value})

    return [("thresholds learned", learned),
            with_key(learned, "threshold_rate", 0.3),
            with_key(learned, "threshold_rate", 3),
            with_key(learned, "threshold_decay", 0.0005),
            ("thresholds searched", search),
            with_key(search, "search_norm", 1),
            with_key(search, "search_norm", 3),
            with_key(search, "activation_momentum", 0.01)]


def jpeg(scratch):
    """What JPEG costs: short trainings on the files as they are, and encoded once more."""
    once = scratch.derive("resnet20/jpeg/once", epochs=JPEG_EPOCHS)
    return [("the JPEG files as they are", once),
            ("encoded once more", once.derive("resnet20/jpeg/twice", data="cifar10-twice"))]


def yolo_fastest():
    """A published detector, of which --models FOLDER has the cfg and the weights."""
    published = Experiment("yolo-fastest/float", "coco128", "MODELS/yolo-fastest-1.1-xl.cfg",
                           start="MODELS/yolo-fastest-1.1-xl.weights", epochs=0)
    calibrated = published.derive("yolo-fastest/w8a8", convert=(8, 8), calibrate=(),
                                  calibrations=CALIBRATIONS, net={"threshold": "search"})
    tuned = published.derive("yolo-fastest/float-finetune", epochs=DETECTOR_EPOCHS,
                             learning_rate=PUBLISHED_RATE,
                             net=DETECTOR_FINE_TUNE | {"batch": 16})
    learned = tuned.net | {"threshold": "learned"}
    return [("float, as published", published),
            ("W8A8, calibrated", calibrated),
            ("the same, batch norm's statistics not shifted",
             calibrated.derive("yolo-fastest/w8a8-keep", calibrate=("-batch_norm", "keep"))),
            ("W8A8, calibrated, channels of depthwise layers equalised",
             calibrated.derive("yolo-fastest/w8a8-equalized",
                               calibrate=("-equalize",))),
            ("float, fine-tuned on 128 other images", tuned),
            ("W4A4, fine-tuned on the same",
             tuned.derive("yolo-fastest/w4a4", convert=BITS["w4a4"], calibrate=(),
                          net=learned))]


# The float ResNet-20 of the table was trained before there was ema_images.
RESNET20 = network("resnet20", "cifar10", "cifar10-resnet20", from_scratch={"ema_images": 0})
RESNET20_BY_NAME = {experiment.name: experiment for experiment in RESNET20}
ABLATION = ablations(RESNET20_BY_NAME["resnet20/w2a4"])
ABLATION_BY_NAME = {experiment.name: experiment for _, experiment in ABLATION}
LEARNED = ABLATION_BY_NAME["resnet20/ablation/learned"]
YOLO_FASTEST = yolo_fastest()

# Tables beside the main one.
COMPARISONS = [
    Comparison(f"ResNet-20, CIFAR-10, W2A4, {ABLATION_EPOCHS} epochs", "top-1", ABLATION),
    Comparison("The same, keys of training", "top-1", training_keys(LEARNED)),
    Comparison(f"ResNet-20, CIFAR-10, {FINE_TUNE_EPOCHS} epochs, teachers", "top-1",
               teachers(RESNET20_BY_NAME)),
    Comparison(f"ResNet-20, CIFAR-10, W2A4, {FACTOR_EPOCHS} epochs, keys of thresholds", "top-1",
               threshold_keys(LEARNED)),
    Comparison(f"ResNet-20, CIFAR-10, {FACTOR_EPOCHS} epochs, k·mean", "top-1",
               factors(ABLATION_BY_NAME["resnet20/ablation/scale"]), against_first=False),
    Comparison(f"ResNet-20, CIFAR-10, float, {JPEG_EPOCHS} epochs from scratch", "top-1",
               jpeg(RESNET20_BY_NAME["resnet20/float"])),
    Comparison("YOLO-Fastest-1.1-XL, 128 images of COCO", "mAP@0.50", YOLO_FASTEST),
]

MAIN = [
    *RESNET20,
    *network("vgg-small", "cifar10", "cifar10-vgg-small"),
    *network("bccd", "bccd", "bccd-yolo", epochs=DETECTOR_EPOCHS, more_epochs={},
             rate=DETECTOR_RATE, schedule=DETECTOR_FINE_TUNE, taught=False),
]

# Rows of several tables are run once.
EXPERIMENTS = list({experiment.name: experiment for experiment in [
    *MAIN, *(experiment for comparison in COMPARISONS for _, experiment in comparison.rows)
]}.values())
