# darknet gdrq bench: its table and its JSON.

setup() {
    load common
    cd "$BATS_TEST_TMPDIR"
    write_cfg small.cfg
}

# check_json FILE: numbers that fit each other.
check_json() {
    /usr/bin/python3 - "$1" << 'END'
import json, sys
b = json.load(open(sys.argv[1]))
total, layers = b["total"], b["layers"]
assert 0 < total["min_ms"] <= total["median_ms"]
assert [l["index"] for l in layers] == list(range(5))
assert [l["type"] for l in layers] == ["convolutional", "maxpool", "convolutional", "convolutional", "yolo"]
assert abs(sum(l["gmacs"] for l in layers) - total["gmacs"]) < 1e-6
# 48*48*8*27 + 12*12*16*72 + 12*12*18*16
assert abs(total["gmacs"] - 705024e-9) < 1e-9, total["gmacs"]
assert b["convolutions"]["gmacs"] == total["gmacs"]
assert b["convolutions"]["min_ms"] <= total["median_ms"]
assert b["threads"] == 1 and b["cpu"] in ("c", "avx2", "avx512vnni")
print(" ".join(l["kernel"] for l in layers))
END
}

@test "it takes stock, quantised and folded networks, with weights and without" {
    sed 's/gdrq_convolutional/convolutional/; /_bits=/d' small.cfg > stock.cfg
    for cfg in stock.cfg small.cfg; do
        darknet gdrq bench $cfg -threads 1 -runs 5 -json b.json > table 2> err
        cat table
        [ "$(check_json b.json)" = "float float float float float" ]
        grep -q "^  0 convolutional  48x48x8  *float " table
        grep -q "images/s on 1 threads, " table
    done
    printf '[net]\nwidth=96\nheight=96\nchannels=3\n' > folded.cfg
    sed '/^\[net\]/,/^max_batches/d; s/gdrq_/folded_/; /batch_normalize/d' small.cfg >> folded.cfg
    sed -i 's/^weight_bits=8/weight_bits=8\nactivation_bits=8/' folded.cfg
    darknet gdrq bench folded.cfg -threads 1 -runs 5 -json b.json -cpumask c > table 2> err
    cat table
    [ "$(check_json b.json)" = "c codes c c float" ]
    darknet gdrq bench folded.cfg -threads 1 -runs 5 -json b.json > table 2> err
    GDRQ_CPU=c darknet gdrq bench folded.cfg -threads 1 -runs 5 -json c.json > table 2> err
    [ "$(check_json c.json)" = "c codes c c float" ]
    check_json b.json
}

@test "with a picture it measures the way from pixels to boxes" {
    darknet gdrq bench small.cfg -runs 5 -json b.json > table 2> err
    fails grep -q '"frame"' b.json
    darknet gdrq bench small.cfg -runs 5 -image "$photo" -thresh .01 -json b.json > table 2> err
    cat table
    grep -q "^A picture of 768 x 576, [1-9][0-9]* boxes:" table
    grep -q "^pixels in, boxes out  *[0-9.]* *[0-9.]*$" table
    grep -q "^[0-9.]* times the network alone$" table
    /usr/bin/python3 - << 'END'
import json
frame = json.load(open("b.json"))["frame"]
assert (frame["width"], frame["height"]) == (768, 576) and 0 < frame["found"] <= 12 * 12 * 2
steps = [frame[name] for name in ("letterbox", "network", "boxes")]
for step in steps + [frame["total"]]:
    assert 0 < step["min_ms"] <= step["median_ms"]
assert sum(step["min_ms"] for step in steps) <= frame["total"]["min_ms"] * 1.001
END
}

@test "what can't be measured is told" {
    run darknet gdrq bench small.cfg -image none.jpg
    [ "$status" -eq 1 ]
    says "none.jpg"
    # Before hours of measuring.
    run timeout 10 "$BUILD/darknet" gdrq bench "$top/cfg/cifar10-small.cfg" -image "$photo" -runs 100000
    [ "$status" -eq 1 ]
    says "it finds no boxes, and gives pixels no class"
    run darknet gdrq bench small.cfg -json none/b.json
    [ "$status" -eq 1 ]
    says "none/b.json"
    run darknet gdrq bench small.cfg none.weights
    [ "$status" -eq 1 ]
    says "none.weights"
}
