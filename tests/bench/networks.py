"""Networks to measure: cfgs of Debian's package, with random weights, in float and folded."""

from pathlib import Path

from workers import BENCH, BUILD, RESULTS, run_command

CFGS = Path("/usr/share/darknet/cfg")


def write_cfg(source, target, net_keys, classes=None):
    """Copies a cfg with other values in [net], and another number of classes in all yolo heads."""
    dropped = set(net_keys) | {"burn_in", "steps", "scales", "power", "policy", "learning_rate"}
    lines, section, filters_at = [], "", None
    for line in source.read_text().splitlines():
        key = line.split("=")[0].strip()
        if line.startswith("["):
            section = line.strip()
            lines.append(line)
            if section == "[net]":
                lines += [f"{k}={v}" for k, v in net_keys.items()]
                lines += ["learning_rate=0.0001", "policy=constant"]
        elif section == "[net]" and key in dropped:
            continue
        elif classes and section == "[yolo]" and key == "classes":
            lines.append(f"classes={classes}")
        elif classes and section == "[yolo]" and key == "mask":
            lines.append(line)
            lines[filters_at] = f"filters={(classes + 5) * len(line.split(','))}"
        elif classes and section == "[yolo]" and key == "random":
            lines.append("random=0")
        else:
            if key == "filters":
                filters_at = len(lines)
            lines.append(line)
    target.write_text("\n".join(lines) + "\n")
    return target


def make_cfg(name, batch, size, classes=None, **net_keys):
    target = RESULTS / f"{name}-{batch}{'-data' if classes else ''}.cfg"
    keys = {"batch": batch, "subdivisions": 1, "width": size, "height": size, **net_keys}
    return write_cfg(CFGS / f"{name}.cfg", target, keys, classes)


def copy_without_loss(source):
    """A network for segmentation without its last section, which the stock library doesn't have."""
    target = RESULTS / source.name
    text = source.read_text()
    target.write_text(text[:text.rindex("[segmentation]")].replace("batch=8", "batch=1", 1))
    return target


def write_single_convolution(channels, filters, side):
    """A 3x3 convolution between two small ones, which it gets its codes from and gives them to."""
    target = RESULTS / f"single-{channels}-{filters}-{side}.cfg"
    layers = [(channels, 1, 1, "leaky"), (filters, 3, 1, "leaky"), (16, 1, 0, "linear")]
    target.write_text(f"[net]\nbatch=1\nwidth={side}\nheight={side}\nchannels=3\n" + "".join(
        f"[convolutional]\nfilters={n}\nsize={size}\nstride=1\npad=1\n"
        f"batch_normalize={normalised}\nactivation={activation}\n"
        for n, size, normalised, activation in layers))
    return target


def convert(cfg, bits=4):
    """Quantises all but the first and the head layers, which have 8 bits, to that many."""
    quantised = cfg.with_name(f"{cfg.stem}-{bits}bit.cfg")
    run_command([BUILD / "darknet", "gdrq", "convert", cfg, quantised, "-weight_bits", bits,
                 "-activation_bits", bits])
    return quantised


def make_weights(cfg):
    weights = cfg.with_suffix(".weights")
    run_command([BENCH / "worker", "init", cfg, weights])
    return weights


def fold(cfg, weights, bits=4):
    """Quantises, calibrates on a photo and folds; verify says that the end computes the same."""
    darknet, photo = BUILD / "darknet", "/usr/share/darknet/data/dog.jpg"
    quantised = convert(cfg, bits)
    calibrated = quantised.with_suffix(".weights")
    folded = cfg.with_name(f"{quantised.stem}-folded.cfg")
    pair = [folded, folded.with_suffix(".weights")]
    run_command([darknet, "gdrq", "calibrate", quantised, weights, photo, calibrated,
                 "-batch_norm", "measure"])
    run_command([darknet, "gdrq", "fold", quantised, calibrated, *pair])
    run_command([darknet, "gdrq", "verify", quantised, calibrated, *pair, photo, "-thresh", "1"])
    print(f"{folded.name}: computes what {quantised.name} does")
    return pair
