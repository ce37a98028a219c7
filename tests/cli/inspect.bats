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
table = open(sys.argv[2]).read()
for l in b["layers"]:
    assert "%7.2f" % (100 * l["weights"]["loss"]) in table
    if "input" in l:
        assert "%7.2f" % (100 * l["input"]["loss"]) in table
    for name in "before", "input_before":
        if name in l:
            assert "%8.2f" % (100 * l[name]["loss"]) in table
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
    # Float weights get thresholds from the pictures, as `calibrate` gives them.
    darknet gdrq calibrate small.cfg stock.weights photos searched.weights -method search -batch_norm keep
    darknet gdrq inspect small.cfg searched.weights photos -json e.json > table 2> err
    darknet gdrq inspect small.cfg small.weights photos -before stock.weights -json f.json > table 2> err
    /usr/bin/python3 - << 'END'
import json
b, c, d, e, f = (json.load(open(name + ".json"))["layers"] for name in "bcdef")
for b, c, d, e, f in zip(b, c, d, e, f):
    assert b["input_before"] == c["input"] and b["input"] == d["input"] == f["input"]
    assert f["input_before"] == e["input"]
END
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
