# darknet gdrq inspect: its tables, its JSON and its pictures.

setup() {
    load common
    cd "$BATS_TEST_TMPDIR"
    write_cfg small.cfg
    sed -i "s/^momentum/threshold=scale\nmomentum/" small.cfg
    write_weights small.cfg small.weights 1
}

# write_weights CFG FILE SEED: random weights, with thresholds, and stock.weights without.
write_weights() {
    write_random_weights stock.weights "$3"
    darknet gdrq calibrate "$1" stock.weights "$photo" "$2" > log 2>&1
}

# In JSON and in the tables: numbers that fit each other and the definitions.
check_numbers() {
    /usr/bin/python3 - "$@" << 'END'
import json, sys
b = json.load(open(sys.argv[1]))
assert [l["index"] for l in b["layers"]] == [0, 2, 3]
def check(d, codes):
    h, n = d["histogram"], d["count"]
    assert len(h) == codes == d["codes"] and sum(h) == n > 0
    assert d["codes_used"] == sum(c > 0 for c in h)
    distance = sum(abs(c / n - 1 / codes) for c in h) / 2
    assert abs(d["distance_from_uniform"] - distance) < 1e-6
    assert 0 <= d["loss"] < .5 and 0 <= d["clipped"] < .3
for l, bits, count in zip(b["layers"], (8, 4, 8), (8 * 27, 16 * 72, 18 * 16)):
    assert l["type"] == "gdrq_convolutional"
    for name in ("weights", "before")[: 2 if b["before"] else 1]:
        w = l[name]
        assert w["bits"] == bits and w["groups"] == count // (27, 72, 16)[(0, 2, 3).index(l["index"])]
        assert w["threshold"]["min"] < w["threshold"]["mean"] < w["threshold"]["max"]
        assert w["count"] == count
        check(w, 2 ** bits - 1)
for l, bits, range_, count in zip(b["layers"], (8, 4, 8), ("pixels", "offset", "offset"),
                                  (96 * 96 * 3, 24 * 24 * 8, 12 * 12 * 16)):
    assert ("input" in l) == (b["pictures"] > 0)
    if b["pictures"]:
        x = l["input"]
        assert x["bits"] == bits and x["range"] == range_
        assert ("input_before" in l) == bool(b["before"])
        for x in [l[name] for name in ("input", "input_before") if name in l]:
            assert x["count"] == count * b["pictures"]
            check(x, 2 ** bits)
            assert x["threshold"] > 0 and (range_ != "pixels" or x["loss"] < 1e-6)
# As k = 2 clips a normal distribution: beyond 1.6 deviations, 11 %.
clipped = b["layers"][1]["weights"]["clipped"]
assert .08 < clipped < .14, clipped
# The tables, field by field: of the weights, and of the inputs.
rows = [line.split() for line in open(sys.argv[2]) if "gdrq_convolutional" in line]
def row(l, what, thresholds, before):
    d = l[what]
    return ([str(l["index"]), l["type"], str(d["bits"])] + thresholds +
            (["%.2f" % (100 * l[before]["loss"])] if before in l else []) +
            ["%.2f" % (100 * d["loss"]), "%.3f" % (100 * d["clipped"]),
             "%d/%d" % (d["codes_used"], d["codes"]), "%.3f" % d["distance_from_uniform"]])
expected = []
for l in b["layers"]:
    w = l["weights"]
    expected.append(row(l, "weights", [str(w["groups"])] +
                        ["%.4g" % w["threshold"][name] for name in ("mean", "min", "max")], "before"))
for l in b["layers"] if b["pictures"] else []:
    x = l["input"]
    expected.append(row(l, "input", [x["range"], "%.4g" % x["threshold"]], "input_before"))
assert rows == expected, (rows, expected)
END
}

# is_png FILE WIDTH: a whole picture of that width.
is_png() {
    /usr/bin/python3 - "$1" "$2" << 'END'
import struct, sys
data = open(sys.argv[1], "rb").read()
assert data[:8] == b"\x89PNG\r\n\x1a\n" and data.rstrip(b"\0")[-8:-4] == b"IEND"
assert struct.unpack(">I", data[16:20])[0] == int(sys.argv[2])
END
}

@test "weights alone need no thresholds" {
    darknet gdrq inspect small.cfg stock.weights -json a.json > table 2> err
    cat table
    check_numbers a.json table
    [ "$(grep -c gdrq_convolutional table)" -eq 3 ]
    [ "$(grep -cE "Input|before" table)" -eq 0 ]
}

@test "pictures show the input, and other weights what was before" {
    darknet gdrq inspect small.cfg small.weights "$photo" -json a.json > table 2> err
    cat table
    check_numbers a.json table
    grep -q "^Input activations, of 1 picture:" table
    write_weights small.cfg other.weights 2
    mkdir photos
    cp "$photo" /usr/share/darknet/data/eagle.jpg photos
    darknet gdrq inspect small.cfg small.weights photos -before other.weights -json b.json > table 2> err
    cat table
    check_numbers b.json table
    grep -q "^Input activations, of 2 pictures:" table
    /usr/bin/python3 - << 'END'
import json
a, b = (json.load(open(name))["layers"] for name in ("a.json", "b.json"))
for before, after in zip(a, b):
    assert before["weights"] == after["weights"] != after["before"]
END
    # What layers read before is what they read where these weights are inspected alone.
    darknet gdrq inspect small.cfg other.weights photos -json c.json > table 2> err
    darknet gdrq inspect small.cfg small.weights photos -json d.json > table 2> err
    /usr/bin/python3 - << 'END'
import json
b, c, d = (json.load(open(name + ".json"))["layers"] for name in "bcd")
for b, c, d in zip(b, c, d):
    assert b["input_before"] == c["input"] and b["input"] == d["input"]
END
}

# by_rule CFG NAME: NAME.json of float weights before, whose inputs get thresholds by the cfg's rule.
by_rule() {
    darknet gdrq inspect "$1" small.weights photos -before stock.weights -json "$2.json" > table 2> err
    cat table err
    check_numbers "$2.json" table
    grep -q "^darknet: stock.weights: has no thresholds .* as the cfg's threshold_activations= says" err
    grep -q "^inputs before: 100 %" err
    grep -q "^inputs: 100 %" err
}

# calibrated CFG NAME METHOD: NAME.json of the same weights with thresholds of `calibrate`.
calibrated() {
    darknet gdrq calibrate "$1" stock.weights photos "$2.weights" -method "$3" -batch_norm keep
    darknet gdrq inspect "$1" "$2.weights" photos -json "$2.json" > table 2> err
}

@test "thresholds that weights before lack are found by the cfg's rule" {
    mkdir photos
    cp "$photo" /usr/share/darknet/data/eagle.jpg photos
    sed 's/^threshold=scale/&\nthreshold_activations=search/' small.cfg > searched.cfg
    by_rule small.cfg scale
    by_rule searched.cfg search
    calibrated small.cfg mean mean
    calibrated searched.cfg searched search
    /usr/bin/python3 - << 'END'
import json
scale, search, mean, searched = (json.load(open(name + ".json"))["layers"]
                                 for name in ("scale", "search", "mean", "searched"))
for s, t in zip(search, searched):
    assert s["input_before"] == t["input"]
# calibrate's means are of what layers give that are quantised already, the first with 8 bits.
for i, most in ((1, .01), (2, .15)):
    t = scale[i]["input_before"]["threshold"]
    assert abs(t / mean[i]["input"]["threshold"] - 1) < most
    assert abs(t / search[i]["input_before"]["threshold"] - 1) > .2
END
}

# same_row FILE ROW FILE ROW: whether two rows of layers' pictures show the same below their titles.
same_row() {
    /usr/bin/python3 - "$@" << 'END'
import sys
from PIL import Image, ImageChops
header, height, title = 84, 318, 36
def row(path, i):
    picture = Image.open(path)
    top = header + int(i) * height
    assert top + height <= picture.height
    return picture.crop((0, top + title, picture.width, top + height)).convert("RGB")
difference = ImageChops.difference(row(*sys.argv[1:3]), row(*sys.argv[3:5]))
# Edges between pixels are blended, and rounded otherwise further down.
sys.exit(max(high for low, high in difference.getextrema()) > 3)
END
}

@test "rows of pictures are those of their numbers" {
    write_weights small.cfg other.weights 2
    darknet gdrq inspect small.cfg small.weights "$photo" -before other.weights -out a > table 2> err
    darknet gdrq inspect small.cfg other.weights "$photo" -before small.weights -out b > table 2> err
    darknet gdrq inspect small.cfg small.weights "$photo" -before small.weights -out c > table 2> err
    local a=a/layer_002.png b=b/layer_002.png c=c/layer_002.png
    for row in 0 2; do
        fails same_row $a $row $a $((row + 1))
        same_row $a $row $b $((row + 1))
        same_row $a $((row + 1)) $b $row
        same_row $c $row $c $((row + 1))
    done
}

@test "the numbers are not replaced by a picture" {
    darknet gdrq inspect small.cfg small.weights -out drawn -json drawn/numbers.json > table 2> err
    check_numbers drawn/numbers.json table
    rm drawn/*.png
    ln -s drawn linked
    for name in drawn/overview.png ./drawn/layer_002.png linked/layer_003.png; do
        is_refused "$name would be replaced by a picture of drawn" \
            gdrq inspect small.cfg small.weights -out drawn -json $name
    done
    echo text > drawn/overview.png
    ln -s drawn/overview.png numbers.json
    is_refused "numbers.json would be replaced by a picture of drawn" \
        gdrq inspect small.cfg small.weights -out drawn -json numbers.json
    [ "$(cat drawn/overview.png)" = text ]
    [ "$(ls drawn | tr '\n' ' ')" = "numbers.json overview.png " ]
}

@test "pictures are drawn of each layer and of all" {
    darknet gdrq inspect small.cfg small.weights -out one/two > table 2> err
    [ "$(ls one/two | tr '\n' ' ')" = "layer_000.png layer_002.png layer_003.png overview.png " ]
    for file in one/two/layer_*; do is_png "$file" 1120; done
    is_png one/two/overview.png 1400
    grep -q "^Wrote one/two/overview.png" table
    cp -r one/two first
    darknet gdrq inspect small.cfg small.weights -out one/two > table 2> err
    diff -r first one/two
    darknet gdrq inspect small.cfg small.weights "$photo" -before small.weights -out one/two > table 2> err
    is_png one/two/layer_002.png 1120
    run cmp -s first/layer_002.png one/two/layer_002.png
    [ "$status" -eq 1 ]
}

@test "a backbone is a before of the layers that it holds" {
    # Up to the end of layer 2: header, 8 * (4 + 27) and 16 * (4 + 72) numbers.
    head -c $((20 + 4 * (8 * 31 + 16 * 76))) stock.weights > backbone
    darknet gdrq inspect small.cfg small.weights -before backbone -json a.json > table 2> err
    cat table err
    grep -q "backbone: holds layers 0 to 2 of 5" err
    grep -qE "^ +3 gdrq_convolutional .* - " table
    /usr/bin/python3 -c '
import json
assert ["before" in l for l in json.load(open("a.json"))["layers"]] == [True, True, False]'
    darknet gdrq inspect small.cfg small.weights "$photo" -before backbone -json b.json -out drawn > table 2> err
    fails grep -q input_before b.json
    is_png drawn/overview.png 1400
    run darknet gdrq inspect small.cfg backbone
    [ "$status" -eq 1 ]
    says "backbone"
}

@test "what can't be inspected is told" {
    fails() {
        run darknet gdrq inspect "${@:2}"
        [ "$status" -eq 1 ]
        [[ "$(tail -n 1 <<< "$output")" == "darknet: "* ]] || return 1
        says "$1"
    }
    fails "none.cfg" none.cfg small.weights
    fails "none.weights" small.cfg none.weights
    fails "none.jpg" small.cfg small.weights none.jpg
    mkdir empty
    fails "empty: " small.cfg small.weights empty
    echo text > text.jpg
    fails "text.jpg" small.cfg small.weights text.jpg
    fails "layer 2 needs was never set: train the network, or set it from images" \
        small.cfg stock.weights "$photo"
    fails "none.weights" small.cfg small.weights -before none.weights
    fails "none/a.json: can't be written" small.cfg small.weights -json none/a.json
    mkdir photos
    cp "$photo" photos/a.jpg
    fails "photos/a.jpg would be replaced" small.cfg small.weights photos -json photos/a.jpg
    fails "small.weights would be replaced" small.cfg small.weights -json ./small.weights
    cp "$photo" photos/overview.png
    cp "$photo" photos/layer_002.png
    fails "photos/overview.png would be replaced" small.cfg small.weights photos/overview.png -out photos
    fails "layer_002.png would be replaced" small.cfg small.weights photos/layer_002.png -out ./photos
    cmp "$photo" photos/overview.png
    fails "text.jpg/sub: can't make the folder for pictures" small.cfg small.weights -out text.jpg/sub
    sed 's/gdrq_convolutional/convolutional/; /_bits=/d' small.cfg > stock.cfg
    fails "stock.cfg: has no quantised layers: make some with \`darknet gdrq convert\`" \
        stock.cfg stock.weights
    darknet gdrq fold small.cfg small.weights folded.cfg folded.weights 2> err
    fails "folded.cfg: is folded: inspect the network that it was made of" \
        folded.cfg folded.weights
    # A NaN in the last layer's weights.
    { head -c -4 stock.weights; printf '\0\0\300\177'; } > nan.weights
    fails "nan.weights: layer 3 has weights that are not finite" small.cfg nan.weights
    [ ! -e none ]
    run darknet gdrq inspect small.cfg
    [ "$status" -eq 2 ]
    says "WEIGHTS"
}
