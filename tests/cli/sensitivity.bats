# darknet gdrq sensitivity: its table, its JSON, its picture, and the cfg with the chosen bits.

setup() {
    load common
    cd "$BATS_TEST_TMPDIR"
    write_cfg small.cfg
    write_random_weights stock.weights 1
}

# check FILE TABLE: numbers that fit each other, and stand in the table.
check() {
    /usr/bin/python3 - "$@" << 'END'
import json, sys
s = json.load(open(sys.argv[1]))
table = open(sys.argv[2]).read().splitlines()
layers = s["layers"]
assert [l["index"] for l in layers] == [0, 2, 3]
assert [l["weights"] for l in layers] == [8 * 27, 16 * 72, 18 * 16]
assert [l["macs"] for l in layers] == [48 * 48 * 8 * 27, 12 * 12 * 16 * 72, 12 * 12 * 18 * 16]
assert ["activation_errors" in l for l in layers] == [False, True, True]
def text(e): return "%.*f" % (4 if abs(e) < 10 else 3 if abs(e) < 100 else 1, e)
for l in layers:
    errors = [l[k] for k in ("weight_errors", "activation_errors") if k in l]
    line = next(t.split() for t in table if t.split()[:1] == [str(l["index"])])
    shown = [w.rstrip("*") for w in line[3:]]
    assert shown[:len(errors[0])] == [text(e) for e in errors[0].values()]
    assert len(errors) == 1 or shown[len(errors[0]):] == [text(e) for e in errors[1].values()]
    if s["unit"] == "%":
        for e in errors:
            assert all(v > 0 for v in e.values())
            assert e.get("8", 0) < .1 * e.get("4", 1e9) and e.get("4", 0) < e.get("2", 1e9)
# No less than what more bits cost, nor than 0.
def assumed(errors, bits):
    return max(0, *(e for b, e in errors.items() if int(b) >= bits)) if str(bits) in errors else None
def size(l, bits):
    f, n = {0: (8, 27), 2: (16, 72), 3: (18, 16)}[l["index"]]
    return f * ((n * bits + 7) // 8 + 8)
for c in s["choices"]:
    assert c["bytes"] == sum(size(l, b[0]) for l, b in zip(layers, c["bits"]))
    mean = sum(l["weights"] * b[0] for l, b in zip(layers, c["bits"])) / sum(l["weights"] for l in layers)
    assert abs(c["mean_bits"] - mean) < 1e-6
    parts = [assumed(l["weight_errors"], b[0]) for l, b in zip(layers, c["bits"])]
    parts += [assumed(l["activation_errors"], b[1]) for l, b in list(zip(layers, c["bits"]))[1:]]
    predicted = None if None in parts else sum(parts)
    assert c["predicted"] == predicted or abs(c["predicted"] - predicted) < 1e-6 * abs(predicted)
END
}

# ask FILE EXPRESSION: prints the value of a Python expression about c, the choices, and s, all of it.
ask() {
    /usr/bin/python3 -c "import json; s = json.load(open('$1')); c = s['choices']; print(($2))"
}

@test "errors of each layer alone, on one picture or more" {
    darknet gdrq sensitivity small.cfg stock.weights "$photo" -json a.json > table 2> err
    cat table
    check a.json table
    [ "$(ask a.json "list(s['layers'][1]['weight_errors'])")" = "['2', '3', '4', '5', '6', '8']" ]
    [ "$(ask a.json "len(c), s['unit'], s['pictures']")" = "(0, '%', 1)" ]
    grep -q "^    0 convolutional .* pixels$" table
    grep -q "over 1 picture; " table
    grep -q "^measuring layers: 100 % in " err
    fails grep -q "\*$\|\* " <(tail -n +2 table)
    mkdir photos
    cp "$photo" /usr/share/darknet/data/eagle.jpg photos
    darknet gdrq sensitivity small.cfg stock.weights photos -bits 8,3 -json b.json > table 2> err
    cat table
    check b.json table
    # Activations also have the bits of the cfg.
    [ "$(ask b.json "list(s['layers'][1]['weight_errors']), list(s['layers'][2]['activation_errors'])")" = \
        "(['3', '8'], ['3', '4', '8'])" ]
}

@test "weights that were trained with their thresholds are taken, too, and give the same" {
    darknet gdrq calibrate small.cfg stock.weights "$photo" small.weights -batch_norm keep > log 2>&1
    darknet gdrq sensitivity small.cfg stock.weights "$photo" -json a.json > table 2> err
    darknet gdrq sensitivity small.cfg small.weights "$photo" -json b.json > table 2> err
    diff <(ask a.json "s['layers']") <(ask b.json "s['layers']")
}

@test "a size or a mean is kept, and the cfg has the bits" {
    darknet gdrq sensitivity small.cfg stock.weights "$photo" out.cfg -bits_mean 4.5 -json a.json > table 2> err
    cat table
    check a.json table
    [ "$(ask a.json "len(c), 4 < c[0]['mean_bits'] <= 4.5, [x['name'] for x in c][:2]")" = \
        "(6, True, ['proposed', 'as the cfg has it'])" ]
    # What is measured together is near what the layers come to one by one.
    [ "$(ask a.json "all(.4 * x['predicted'] < x['measured'] < 2.5 * x['predicted'] for x in c)")" = True ]
    [ "$(ask a.json "c[0]['predicted'] < c[2]['predicted']")" = True ]
    grep -q "^Wrote out.cfg$" table
    tail -n 1 table | grep -q "^To train: .* detector train DATA out.cfg stock.weights -clear$"
    darknet gdrq sensitivity out.cfg stock.weights "$photo" -bits 4 -json b.json > table 2> err
    diff <(ask a.json "[b[0] for b in c[0]['bits']]") <(ask b.json "[l['weight_bits'] for l in s['layers']]")
    # Only keys of bits are new.
    diff <(grep -v '_bits=' small.cfg) <(grep -v '_bits=' out.cfg)

    darknet gdrq sensitivity small.cfg stock.weights "$photo" -size 0.0012 -json c.json > table 2> err
    check c.json table
    [ "$(ask c.json "1000 < c[0]['bytes'] <= 1200")" = True ]
    grep -q "\* " table
}

@test "what was measured is what the written cfg computes" {
    sed -i 's/^momentum/threshold_weights=search\nmomentum/' small.cfg
    darknet gdrq sensitivity small.cfg stock.weights "$photo" out.cfg -bits_mean 5 -json a.json > table 2> err
    darknet gdrq calibrate out.cfg stock.weights "$photo" out.weights -method search -batch_norm keep > log 2>&1
    darknet gdrq sensitivity out.cfg out.weights "$photo" -bits_mean 5 -json b.json > table 2> err
    [ "$(ask a.json "round(c[0]['measured'], 6)")" = "$(ask b.json "round(c[1]['measured'], 6)")" ]
}

@test "an error is kept with little size, and activations with few bits" {
    darknet gdrq sensitivity small.cfg stock.weights "$photo" -bits 4,8 -json a.json > table 2> err
    # What 8-bit weights and activations of 4 and 8 bits come to.
    error=$(ask a.json "6 * sum(l['weight_errors']['8'] for l in s['layers']) + sum(l['activation_errors'][b] for l, b in zip(s['layers'][1:], '48'))")
    darknet gdrq sensitivity small.cfg stock.weights "$photo" -error "$error" -json b.json > table 2> err
    check b.json table
    cat table
    [ "$(ask b.json "c[0]['measured'] <= $error, c[0]['bytes'] < c[3]['bytes']")" = "(True, True)" ]
    [ "$(ask b.json "[b[1] for b in c[0]['bits']]")" = "[8, 4, 8]" ]
    darknet gdrq sensitivity small.cfg stock.weights "$photo" out.cfg -error 100 -activations -json c.json > table 2> err
    check c.json table
    [ "$(ask c.json "[b[1] for b in c[0]['bits']]")" = "[8, 4, 4]" ]
    [ "$(grep -c '^activation_bits=4' out.cfg)" -eq 1 ]
    error=$(ask a.json "3 * sum(l['weight_errors']['8'] for l in s['layers']) + sum(l['activation_errors']['8'] for l in s['layers'][1:])")
    darknet gdrq sensitivity small.cfg stock.weights "$photo" -error "$error" -activations -json d.json > table 2> err
    check d.json table
    [ "$(ask d.json "c[0]['measured'] <= $error, [b[1] for b in c[0]['bits']]")" = "(True, [8, 8, 8])" ]
    # The smallest choice that there is needs no second look.
    darknet gdrq sensitivity small.cfg stock.weights "$photo" -error 100 -json e.json > table 2> err
    [ "$(ask e.json "{b[0] for b in c[0]['bits']}")" = "{2}" ]
    [ "$(grep -c "^measuring choices: 100 %" err)" -eq 2 ]
    # What activations of 8 bits allow is not refused since those of 4 don't.
    darknet gdrq sensitivity small.cfg stock.weights "$photo" -bits 4 -error 2.1 -activations -json e.json > table 2> err
    [ "$(ask e.json "c[0]['measured'] <= 2.1")" = True ]
    # Few bits in all layers at once: what is measured decides.
    error=$(ask a.json "sum(l['weight_errors']['4'] for l in s['layers']) + sum(l['activation_errors']['4'] for l in s['layers'][1:])")
    darknet gdrq sensitivity small.cfg stock.weights "$photo" -bits 2,3,4,8 -error "$error" -json e.json > table 2> err
    cat table
    [ "$(ask e.json "0 < c[0]['measured'] <= $error")" = True ]
}

# A classifier of 100 images that is right about some of them.
make_classifier() {
    /usr/bin/python3 - << 'END'
import numpy, pathlib
from PIL import Image
rng = numpy.random.default_rng(3)
for part, n in ("train", 40), ("test", 25):
    for name, base in ("red", (30, 10, 0)), ("green", (0, 30, 10)), ("blue", (10, 0, 30)), ("grey", (15, 15, 15)):
        pathlib.Path(part, name).mkdir(parents=True)
        for i in range(n):
            pixels = numpy.asarray(base) + rng.integers(0, 60, 3) + rng.integers(0, 90, (16, 16, 3))
            Image.fromarray(pixels.astype("uint8")).save(f"{part}/{name}/{i}.png")
END
    printf '%s\n' red green blue grey > labels
    ls -d train/*/* > train.txt
    ls -d test/*/* > test.txt
    printf 'classes=4\ntrain=train.txt\nvalid=test.txt\nlabels=labels\nbackup=.\n' > class.data
    printf '[net]\nbatch=16\nwidth=16\nheight=16\nchannels=3\nlearning_rate=0.02\nmax_batches=250\n' > class.cfg
    for stride in 2 1 1; do
        printf '[gdrq_convolutional]\nbatch_normalize=1\nfilters=8\nsize=3\nstride=%d\nactivation=relu\n' $stride
    done >> class.cfg
    printf '[gdrq_convolutional]\nfilters=4\nactivation=linear\n[avgpool]\n[softmax]\n' >> class.cfg
    sed 's/gdrq_//' class.cfg > float.cfg
    darknet classifier train class.data float.cfg -seed 1 > log 2>&1
}

@test "a budget for the metric is kept by what is measured, though single layers seem to gain" {
    make_classifier
    for error in 2 5; do
        darknet gdrq sensitivity class.cfg float_final.weights test/red out.cfg -bits 2,3,8 -data class.data \
            -error $error -json a.json > table 2> err
        cat table
        # Negative falls, which can't be spent on other layers.
        grep -q " -[0-9]" table
        [ "$(grep -c "^measuring choices: 100 %" err)" -ge 4 ]
        [ "$(ask a.json "c[0]['measured'] <= $error, c[0]['predicted'] >= 0, c[0]['bytes'] < c[3]['bytes']")" = \
            "(True, True, True)" ]
        [ "$(grep -c weight_bits= out.cfg)" -gt 0 ]
    done
    # Activations that are taken to cost as much as the budget leave something for the weights.
    darknet gdrq sensitivity class.cfg float_final.weights test/red -bits 2,4,8 -data class.data -error 2.5 \
        -json b.json > table 2> err
    cat table
    [ "$(ask b.json "c[0]['measured'] <= 2.5, all(c[0]['bytes'] <= x['bytes'] for x in c[1:4] if x['measured'] <= 2.5)")" = \
        "(True, True)" ]
    run darknet gdrq sensitivity class.cfg float_final.weights test/red none.cfg -bits 2 -data class.data -error 1
    echo "$output"
    [ "$status" -eq 1 ]
    says "-error 1: even the bits that cost least come to "
    says " points together: choose those of activations"
    [ ! -e none.cfg ]
}

@test "with a .data file it is measured in mAP, or in top-1" {
    compose
    sed -i '3,$d' set/valid.txt
    darknet gdrq sensitivity small.cfg stock.weights "$photo" -data signs.data -bits 2,8 -bits_mean 8 \
        -json a.json > table 2> err
    cat table
    check a.json table
    grep -q "^What mAP@0.50 falls by, in points, from [0-9.]* in float, on 2 images; " table
    [ "$(ask a.json "s['metric'], s['unit'], s['images'], s['float'] >= 0")" = "('mAP@0.50', 'points', 2, True)" ]

    cat > class.cfg << 'END'
[net]
width=16
height=16
channels=3
[gdrq_convolutional]
filters=4
size=3
stride=2
activation=relu
[gdrq_convolutional]
filters=2
activation=linear
[avgpool]
[softmax]
END
    mkdir cat dog
    cp "$photo" dog
    cp /usr/share/darknet/data/eagle.jpg cat
    printf '%s\n' "$PWD/dog/dog.jpg" "$PWD/cat/eagle.jpg" > list
    printf 'cat\ndog\n' > labels
    printf 'classes=2\nvalid=list\nlabels=labels\n' > class.data
    head -c $((20 + 4 * (4 * 28 + 2 * 5))) stock.weights > class.weights
    darknet gdrq sensitivity class.cfg class.weights "$photo" -data class.data -bits 4,8 -json b.json \
        -bits_mean 4 > table 2> err
    cat table
    [ "$(ask b.json "s['metric'], s['images'], s['float'] % 50, len(s['layers'])")" = "('top-1', 2, 0, 2)" ]
    grep -q "^What top-1 falls by" table
}

@test "a picture shows it, with the choice" {
    darknet gdrq sensitivity small.cfg stock.weights "$photo" -bits 4,8 -out a.png > table 2> err
    darknet gdrq sensitivity small.cfg stock.weights "$photo" -bits 4,8 -bits_mean 6 -out b.png > table 2> err
    grep -q "^Wrote b.png$" table
    for file in a.png b.png; do
        /usr/bin/python3 -c '
import struct, sys
data = open(sys.argv[1], "rb").read()
assert data[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", data[16:24])[1] == 190 + 3 * 24 + 28
' "$file"
    done
    run cmp -s a.png b.png
    [ "$status" -eq 1 ]
}

@test "Ctrl-C ends it without results" {
    yes "$photo" | head -n 500 > list
    "$BUILD/darknet" gdrq sensitivity small.cfg stock.weights list out.cfg -bits_mean 4 -json a.json \
        > table 2> err &
    pid=$!
    for _ in $(seq 200); do
        if grep -q yolo err; then break; fi
        sleep 0.1
    done
    kill -INT $pid
    code=0
    wait $pid || code=$?
    cat err
    [ "$code" -eq 130 ]
    tail -n 1 err | grep -q "^darknet: stopped"
    [ ! -e out.cfg ] && [ ! -e a.json ] && [ ! -s table ]
}

@test "what can't be measured, chosen or written is told" {
    fails() {
        run darknet gdrq sensitivity "${@:3}"
        [ "$status" -eq "$1" ] || { echo "$output"; return 1; }
        [[ "$(tail -n 1 <<< "$output")" == "darknet: "* ]] || return 1
        says "$2"
    }
    fails 1 "none.cfg" none.cfg stock.weights "$photo"
    fails 1 "none.weights" small.cfg none.weights "$photo"
    fails 1 "none.jpg" small.cfg stock.weights none.jpg
    echo text > text.jpg
    fails 1 "text.jpg" small.cfg stock.weights text.jpg
    sed 's/gdrq_convolutional/convolutional/; /_bits=/d' small.cfg > stock.cfg
    fails 1 "stock.cfg: has no quantised layers: make some with" stock.cfg stock.weights "$photo"
    darknet gdrq calibrate small.cfg stock.weights "$photo" small.weights > log 2>&1
    darknet gdrq fold small.cfg small.weights folded.cfg folded.weights 2> err
    fails 1 "folded.cfg: is folded: measure the network that it was made of" folded.cfg folded.weights "$photo"

    fails 2 "-bits: '2,9' is not a list of numbers from 2 to 8" small.cfg stock.weights "$photo" -bits 2,9
    fails 2 "are one budget: give one of them" small.cfg stock.weights "$photo" -size 1 -error 1
    fails 2 "-activations needs -error" small.cfg stock.weights "$photo" -size 1 -activations
    fails 2 "OUT.cfg needs a budget" small.cfg stock.weights "$photo" out.cfg
    fails 1 "-size 0.0001: with the fewest bits to be measured the weights take 0.001168 MB" \
        small.cfg stock.weights "$photo" -bits 4 -size 0.0001
    fails 1 "-bits_mean 2.5 is less than the fewest bits" small.cfg stock.weights "$photo" -bits 3 -bits_mean 2.5
    fails 1 "choose those of activations as well (-activations)" small.cfg stock.weights "$photo" -bits 8 -error 1e-6
    fails 1 "together: measure more bits (-bits)" small.cfg stock.weights "$photo" -bits 8 -error 1e-6 -activations

    fails 1 "small.cfg would be replaced" small.cfg stock.weights "$photo" ./small.cfg -size 1
    mkdir photos
    cp "$photo" photos/a.jpg
    fails 1 "photos/a.jpg would be replaced" small.cfg stock.weights photos -out photos/a.jpg
    fails 1 "stock.weights would be replaced" small.cfg stock.weights "$photo" -json stock.weights
    fails 1 "none/a.json: can't be written" small.cfg stock.weights "$photo" -json none/a.json
    fails 1 "none/out.cfg: can't be written" small.cfg stock.weights "$photo" none/out.cfg -size 1
    fails 1 "./a.png and a.png are the same file" small.cfg stock.weights "$photo" -out a.png -json ./a.png
    fails 1 "out.cfg and ./out.cfg are the same file" small.cfg stock.weights "$photo" out.cfg -size 1 -json ./out.cfg
    fails 2 "-out: a.gif must end in .png, .jpg or .jpeg" small.cfg stock.weights "$photo" -out a.gif

    fails 1 "none.data" small.cfg stock.weights "$photo" -data none.data
    echo "classes=4" > short.data
    fails 1 "valid" small.cfg stock.weights "$photo" -data short.data
    sed '/^\[yolo\]/,$d' small.cfg > headless.cfg
    fails 1 "headless.cfg: not a classifier" headless.cfg stock.weights "$photo" -data short.data
    # An infinite scale in the first layer.
    { head -c $((20 + 4 * 8)) stock.weights; printf '\0\0\200\177'; tail -c +$((20 + 4 * 9 + 1)) stock.weights; } > inf.weights
    fails 1 "not finite" small.cfg inf.weights "$photo"
    # Not a number behind which relu is 0 in float.
    sed 's/^activation=leaky/activation=relu/' small.cfg > relu.cfg
    { head -c $((20 + 4 * (8 * 31 + 40))) stock.weights; printf '\0\0\300\177'; tail -c +$((20 + 4 * (8 * 31 + 41) + 1)) stock.weights; } > nan.weights
    fails 1 "not finite" relu.cfg nan.weights "$photo"
}
