# scripts/accuracy on networks and data so small that experiments take a second.

setup() {
    load common
    cd "$BATS_TEST_TMPDIR"
    # A thread is enough for so little work.
    export OMP_NUM_THREADS=1
    mkdir -p data
}

# 6 training and 4 other images of light and dark noise in data/shades.
draw_shades() {
    /usr/bin/python3 - << 'END'
import pathlib
import numpy
from PIL import Image
rng = numpy.random.default_rng(1)
for part, n in ("train", 6), ("test", 4):
    for name, low in ("dark", 0), ("light", 90):
        folder = pathlib.Path("data/shades", part, name)
        folder.mkdir(parents=True)
        for i in range(n):
            pixels = rng.integers(low, low + 160, (20, 20, 3), numpy.uint8)
            Image.fromarray(pixels).save(folder / f"{i}.png")
END
    printf '%s\n' dark light > labels.txt
}

write_shades_cfg() {
    cat > shades-float.cfg << 'END'
# A comment that no experiment keeps.
[net]
batch=4
subdivisions=1
width=16
height=16
channels=3
min_crop=16
max_crop=20
learning_rate=0.05
policy=constant
momentum=0.9
decay=0.0005
max_batches=30
[convolutional]
batch_normalize=1
filters=8
size=3
stride=2
pad=1
activation=relu
[convolutional]
batch_normalize=1
filters=8
size=3
stride=2
pad=1
activation=relu
[connected]
output=2
activation=linear
[softmax]
END
    darknet gdrq convert shades-float.cfg shades.cfg > /dev/null
}

# write_experiments [ITERATIONS]: of shades/long; three make an epoch.
write_experiments() {
    cat > shades.py << END
from pathlib import Path
from data_sets import ClassFolders
from definitions import Comparison, Experiment, Network

HERE = Path(__file__).resolve().parent
DATA_SETS = {"shades": ClassFolders("shades", labels=HERE / "labels.txt")}
BITS = {"w2a4": (2, 4)}
NETWORKS = [Network("shades", "Shades, top-1", {"w2a4": 1})]
SCRATCH = Experiment("shades/float", "shades", str(HERE / "shades-float.cfg"))
W2A4 = Experiment("shades/w2a4", "shades", str(HERE / "shades.cfg"), start="shades/float",
                  epochs=8, learning_rate=0.01, taught=True, net={"weight_bits": 2, "momentum": None},
                  layers={"inner": {"quant_groups": 4}, 0: {"k_weights": 3}}, reshape_epochs=2)
LONG = W2A4.derive("shades/long", epochs=${1:-12} / 3)
EXPERIMENTS = [SCRATCH, W2A4, LONG]
COMPARISONS = [Comparison("Others", "top-1", [("short", W2A4), ("long", LONG)])]
END
}

make_shades() {
    draw_shades
    write_shades_cfg
    write_experiments "$@"
}

# accuracy SCRIPT [ARGUMENT ...]
accuracy() {
    local script=$1
    shift
    "$top/scripts/accuracy/$script" --experiments shades.py --results results.csv "$@"
}
run_shades() { accuracy run --work work "$@"; }

# The message is the last line.
refuses() {
    run run_shades "${@:2}"
    echo "$output"
    [ "$status" -eq 1 ]
    [[ "${lines[-1]}" == "accuracy: "*"$1"* ]]
}

# column NAME EXPERIMENT: of the table of results.
column() {
    /usr/bin/python3 -c '
import csv, sys
print(*(row[sys.argv[1]] for row in csv.DictReader(open("results.csv")) if row["experiment"] == sys.argv[2]))
' "$@"
}

@test "what an experiment starts from is trained first, and each adds one line" {
    make_shades
    run run_shades shades/w2a4
    echo "$output"
    [ "$status" -eq 0 ]
    says "== 1 of 2: shades/float"
    says "== 2 of 2: shades/w2a4"
    says "work/shades/float/backup/shades-float_final.weights: 0.9 of the truth"
    [ "$(column teacher shades/w2a4)" = shades/float ]
    [ -z "$(column teacher shades/float)" ]
    [ "$(cut -d, -f1 results.csv)" = "$(printf '%s\n' experiment shades/float shades/w2a4)" ]
    [ "$(column iterations shades/float)" = 30 ]
    [ "$(column epochs shades/float)" = 10 ]
    [ "$(column weight_bits shades/float)" = 32 ]
    [ "$(column iterations shades/w2a4)" = 24 ]
    [ "$(column weight_bits shades/w2a4) $(column activation_bits shades/w2a4)" = "2 4" ]
    [ "$(column groups shades/w2a4) $(column reshape shades/w2a4)" = "4 project 6" ]
    [ "$(column threshold shades/w2a4) $(column metric shades/w2a4)" = "learned top-1" ]
    [ "$(column keys shades/w2a4)" = "momentum= 0:k_weights=3 learning_rate=0.01" ]
    # The mean of what training itself wrote.
    last=$(tail -n 1 work/shades/w2a4/backup/shades.csv | cut -d, -f8)
    awk "BEGIN { exit !($(column last shades/w2a4) - $last < 1e-5 && $(column last shades/w2a4) - $last > -1e-5) }"
    # The cfg: changed, new and removed keys.
    cfg=work/shades/w2a4/shades.cfg
    grep -qx "learning_rate=0.01" $cfg
    grep -qx "quantize_after=6" $cfg
    fails grep -q "momentum\|A comment" $cfg
    [ "$(grep -c "quant_groups=4" $cfg)" -eq 1 ]
    # Nothing is trained or written twice.
    cp results.csv before.csv
    run run_shades shades/w2a4 shades/float
    [ "$status" -eq 0 ]
    says "shades/w2a4: results.csv has its line"
    cmp results.csv before.csv
    run run_shades --list
    says "shades/w2a4   from shades/float, 8 epochs; finished; top-1 "
    [[ "${lines[-1]}" == "shades/long "*"; -" ]]
    # A lost line is written again without training.
    sed -i '/w2a4/d' results.csv
    before=$(stat -c %y work/shades/w2a4/backup/shades_final.weights)
    run_shades 'shades/w*'
    [ "$(column iterations shades/w2a4)" = 24 ]
    [ "$(stat -c %y work/shades/w2a4/backup/shades_final.weights)" = "$before" ]
}

@test "a table that came with the tree doesn't keep anything from being trained" {
    make_shades
    run_shades shades/w2a4 > log
    rm -r work
    run run_shades --list
    says "shades/float  from scratch; -; top-1 "
    run run_shades shades/w2a4
    echo "$output"
    [ "$status" -eq 0 ]
    says "== 2 of 2: shades/w2a4"
    # With the very numbers that its line has.
    [ "$(column iterations shades/w2a4)" = 24 ]
    # Trained elsewhere: the float network's weights and history are taken, and teach the other.
    mkdir -p elsewhere/shades/float/backup
    cp work/shades/float/backup/shades-float{.csv,_final.weights} elsewhere/shades/float/backup
    accuracy run --work elsewhere shades/w2a4 > log
    fails grep -q "^30: " log
    cmp {work,elsewhere}/shades/w2a4/backup/shades_final.weights
    # The same numbers are in the table already: no second line.
    [ "$(column iterations shades/float)" = 30 ]
    # A finished one needs nothing that it was made from.
    mkdir -p apart/shades/w2a4/backup
    cp work/shades/w2a4/backup/shades{.csv,_final.weights} apart/shades/w2a4/backup
    run accuracy run --work apart shades/w2a4
    echo "$output"
    [ "$status" -eq 0 ]
    says "== 1 of 1: shades/w2a4"
    fails grep -q "^24: " <<< "$output"
    # This build is the tree's own, if git knows the tree; that of a copy is of unknown origin.
    expected=$(git -C "$top" rev-parse --short HEAD 2> /dev/null || echo unknown)
    grep -q "\"commit\": \"$expected" work/shades/w2a4/begun.json
    mkdir copied
    cp "$BUILD"/{darknet,libgdrq.so} copied
    accuracy run --work copies --darknet copied/darknet shades/float > log
    grep -q '"commit": "unknown"' copies/shades/float/begun.json
}

@test "an interrupted training goes on to the same weights" {
    make_shades 600
    accuracy run --work whole --results whole.csv shades/long > whole.log
    run_shades shades/float > float.log
    "$top/scripts/accuracy/run" --experiments shades.py --results results.csv --work work \
        shades/long > first.log 2>&1 3>&- &
    script=$!
    for _ in $(seq 600); do
        [ "$(cat work/shades/long/backup/shades.csv 2> /dev/null | wc -l)" -lt 30 ] || break
        sleep .05
    done
    # Ctrl-Z holds the training; no other run may begin it meanwhile.
    kill -TSTP $script
    refuses "work/shades/long: another run is at work there" shades/long
    n=$(wc -l < work/shades/long/backup/shades.csv)
    sleep .3
    [ "$(wc -l < work/shades/long/backup/shades.csv)" -eq "$n" ]
    kill -INT $script
    kill -CONT $script
    status=0
    wait $script || status=$?
    cat first.log
    [ "$status" -eq 130 ]
    grep -q "the same command goes on" first.log
    [ ! -e work/shades/long/backup/shades_final.weights ]
    [ -s work/shades/long/backup/shades_last.state ]
    [ -z "$(column iterations shades/long)" ]
    run run_shades --list
    says "of 600"
    run run_shades shades/long
    echo "$output"
    [ "$status" -eq 0 ]
    says "Resuming with the state"
    cmp {whole,work}/shades/long/backup/shades_final.weights
    [ "$(column iterations shades/long)" = 600 ]
    # Each has the mean of its three last evaluations, at 400, 500 and 600.
    [ "$(column mean_of_last_3 shades/long)" = "$(awk -F, '/^[456]00,/ { s += $8 }
        END { printf "%.5f", s / 3 }' work/shades/long/backup/shades.csv)" ]
}

@test "a changed experiment is refused with its keys, --again begins anew" {
    make_shades
    run_shades shades/w2a4 > log
    sed -i 's/"weight_bits": 2/"weight_bits": 3/; s/"quant_groups": 4/"quant_groups": 2/' shades.py
    refuses "[net] weight_bits: 2 there, 3 now; layer 1 [gdrq_convolutional] quant_groups: 4 there, 2 now" \
        shades/w2a4
    [ "$(column weight_bits shades/w2a4)" = 2 ]
    run_shades shades/w2a4 --again > log
    [ "$(column weight_bits shades/w2a4)" = "2 3" ]
    grep -q "weight_bits=2" work/shades/w2a4.old/shades.cfg
    fails grep -q "== .*shades/float" log
    # The same again: its numbers are in the table already. Nothing that was set aside is lost.
    run_shades shades/w2a4 --again > log
    [ "$(column weight_bits shades/w2a4)" = "2 3" ]
    grep -q "weight_bits=2" work/shades/w2a4.old/shades.cfg
    grep -q "weight_bits=3" work/shades/w2a4.old2/shades.cfg
    # What isn't finished, too, since what it starts from may be another by now.
    rm work/shades/w2a4/backup/shades_final.weights
    run_shades shades/w2a4 --again > log
    fails grep -q "Resuming with the state" log
    [ -e work/shades/w2a4.old3/backup/shades_last.weights ]
    # What isn't in a cfg: the weights that it started from, and the seed.
    cp shades.py unchanged.py
    sed -i 's/epochs=8,/epochs=8, seed=2,/' shades.py
    refuses "begun with (seed: 1 there, 2 now)" shades/w2a4
    sed 's/start="shades.float"/start="shades\/other"/; s/^W2A4/OTHER = SCRATCH.derive("shades\/other")\n&/
        s/\[SCRATCH, /&OTHER, /' unchanged.py > shades.py
    refuses "begun with (start: shades/float there, shades/other now)" shades/w2a4
    mv unchanged.py shades.py
    sed 's/^DATA_SETS = {/&"others": ClassFolders("shades", labels=HERE \/ "labels.txt"), /
        s/Experiment("shades.w2a4", "shades"/Experiment("shades\/w2a4", "others"/' shades.py > kept.py
    mv shades.py unchanged.py
    mv kept.py shades.py
    refuses "begun with (data: shades there, others now)" shades/w2a4
    mv unchanged.py shades.py
    cp work/shades/w2a4/begun.json kept.json
    for damaged in "{" "[]"; do
        echo "$damaged" > work/shades/w2a4/begun.json
        refuses "begun.json: damaged" shades/w2a4
    done
    run_shades shades/w2a4 --again > log
    # Folders of before there was such a file go on.
    rm work/shades/w2a4/begun.json
    run_shades shades/w2a4 > log
    fails grep -q "^== " log
    mv kept.json work/shades/w2a4/begun.json
    # A new layer is told as such.
    sed -i 's/^\[softmax\]/[dropout]\n[softmax]/' shades.cfg
    refuses "begun with (the layers); --again" shades/w2a4
}

@test "what is missing is named before any training" {
    make_shades
    refuses "$PWD/nowhere: no such folder; --data FOLDER" --data nowhere
    refuses "$PWD/nothing: missing; \`make\` builds it" --darknet nothing
    refuses "no experiment is called 'shades/w2a'; is it shades/w2a4?" shades/w2a
    refuses "none.csv/shades: no such folder; it is to hold" --data "$(mkdir none.csv; echo none.csv)"
    mv data/shades/test/light kept
    refuses "data/shades/test/light: no such folder; labels.txt has a class light"
    mkdir data/shades/test/light
    refuses "data/shades/test/light: no .jpg or .png file in it"
    rmdir data/shades/test/light
    mv kept data/shades/test/light
    refuses "a path with 'raw' in it" --work raw
    sed -i 's/start="shades.float"/start="shades\/flaot"/' shades.py
    refuses "shades/w2a4 starts from shades/flaot, which no experiment before it is"
    sed -i 's/start="shades.flaot"/start="MODELS\/shades.weights"/' shades.py
    refuses "shades/w2a4 is taught by nobody"
    sed -i 's/ taught=True,//' shades.py
    refuses "shades.weights is needed: give the folder that has it with --models" shades/w2a4
    refuses "data/shades.weights: no such file" shades/w2a4 --models data
    [ ! -e results.csv ]
    echo "a,b" > results.csv
    refuses "its first line is not that of a table of results"
    { head -n 1 "$top/docs/accuracy.csv"; printf 'shades/float,shades,sha'; } > results.csv
    refuses "results.csv: the line of 'shades/float' is damaged"
    { head -n 1 "$top/docs/accuracy.csv"; printf 'x,x,x,2,4,scale,4,none,,,8,1,24,top-1,.5,1,1,0.1,abc,2020'; } > results.csv
    refuses "results.csv: its last line has no end"
    rm results.csv
    write_experiments
    sed -i 's/{"inner": /{"middle": /' shades.py
    refuses "layers={'middle': ...}: neither" shades/w2a4
    sed -i 's/{"middle": /{99: /' shades.py
    refuses "layers={99: ...}: neither" shades/w2a4
}

@test "an experiment that fails leaves the others to be done" {
    make_shades
    # 8 filters can't have 3 groups.
    sed -i 's/"quant_groups": 4/"quant_groups": 3/' shades.py
    run run_shades shades/float shades/w2a4
    echo "$output"
    [ "$status" -eq 1 ]
    [[ "${lines[-1]}" == "accuracy: shades/w2a4: darknet ended with status 1" ]] || false
    [ "$(cut -d, -f1 results.csv | tail -n 1)" = shades/float ]
    # Nothing was trained with that cfg: another one may take its place.
    write_experiments
    run_shades shades/w2a4 > log
    [ "$(column groups shades/w2a4)" = 4 ]
    rm -r work results.csv
    sed -i 's/^filters=8/filters=none/' shades-float.cfg
    run run_shades shades/w2a4
    echo "$output"
    [ "$status" -eq 1 ]
    [[ "${lines[-2]}" == "accuracy: shades/float: darknet ended with status 1" ]] || false
    [[ "${lines[-1]}" == "accuracy: shades/w2a4: left out, since shades/float failed" ]] || false
}

@test "a detector is converted, calibrated and measured without training" {
    compose
    mkdir -p data models
    mv set data/signs
    # As COCO has it, an image without objects has no label file.
    local bare
    bare=$(basename "$(ls data/signs/train/labels/*.txt | head -n 1)")
    rm "data/signs/train/labels/$bare"
    write_cfg models/signs4.cfg max_batches=6
    sed 's/gdrq_//; /_bits=/d' models/signs4.cfg > models/signs.cfg
    cat > shades.py << 'END'
from pathlib import Path
from data_sets import DarknetLabels
from definitions import Experiment

HERE = Path(__file__).resolve().parent
DATA_SETS = {"signs": DarknetLabels("signs", images="{}/images", labels="{}/labels", train="train",
                                    valid="valid", names=HERE / "data/signs/signs.names")}
FLOAT = Experiment("float", "signs", "MODELS/signs.cfg")
EIGHT = Experiment("w8a8", "signs", "MODELS/signs.cfg", start="float", epochs=0, convert=(8, 8),
                   calibrate=("-batch_norm", "measure"), calibrations=2)
FOUR = FLOAT.derive("w4a4", start="float", convert=(4, 4), calibrate=())
EXPERIMENTS = [FLOAT, EIGHT, FOUR]
END
    run run_shades --models models
    echo "$output"
    [ "$status" -eq 0 ]
    grep -q "^\[gdrq_convolutional\]" work/w8a8/signs.cfg
    [ "$(column metric w8a8) $(column iterations w8a8) $(column epochs w8a8)" = "mAP@0.50 0 0" ]
    [ "$(column weight_bits w8a8)" = 8 ]
    [ "$(column keys w8a8)" = "calibrate -batch_norm measure calibrations=2" ]
    # A training that begins calibrated has all thresholds before its first iteration.
    [ "$(column iterations w4a4)" = 6 ]
    darknet detector map work/w4a4/signs.data work/w4a4/signs.cfg work/w4a4/signs.weights
    # What was calibrated otherwise is not taken for the experiment.
    sed -i 's/calibrations=2/calibrations=3/' shades.py
    sed -i '/w8a8/d' results.csv
    run run_shades --models models w8a8
    echo "$output"
    [ "$status" -eq 1 ]
    says "it is another one than the experiment"
    says "(calibrations: 2 there, 3 now)"
    sed -i 's/calibrations=3/calibrations=2/' shades.py
    run_shades --models models w8a8
    [ "$(column iterations float)" = 6 ]
    # Data that moved is found where it is now, and a folder without any is told.
    mkdir moved
    mv data/signs moved
    ln -s "$PWD/moved/signs/signs.names" signs.names
    sed -i 's|HERE / "data/signs/signs.names"|HERE / "signs.names"|' shades.py
    run_shades --models models --data moved w8a8 --again
    mkdir moved/signs/kept
    mv moved/signs/valid/images/* moved/signs/kept
    run run_shades --models models --data moved w8a8 --again
    echo "$output"
    [ "$status" -eq 1 ]
    says "moved/signs/valid/images: no .jpg file in it"
    mv moved/signs/kept/* moved/signs/valid/images
    # The mean of both calibrations, of halves that differ.
    [ "$(wc -l < work/w8a8/calibration.txt)" = $((($(wc -l < work/data/signs/train.txt) + 1) / 2)) ]
    python3 - "$(column mean_of_last_3 w8a8)" << 'END'
import json, sys
values = json.load(open("work/w8a8/map.json"))["map50"]
assert len(values) == 2 and abs(sum(values) / 2 - float(sys.argv[1].split()[0])) < 1e-5, values
END
    [ -f "work/data/signs/train/labels/$bare" ] && [ ! -s "work/data/signs/train/labels/$bare" ]
}

@test "experiments that contradict themselves are refused" {
    make_shades
    local words
    for words in "calibrations=2" "calibrations=0" "epochs=0"; do
        sed "s/^EXPERIMENTS = .*/EXPERIMENTS = [Experiment('x', 'shades', 'a.cfg', $words)]/" shades.py > x.py
        run accuracy run --experiments x.py --list
        echo "$words: $output"
        [ "$status" -eq 1 ]
        says "accuracy: x.py: x"
    done
    for words in "EXPERIMENTS = [:x.py, line 1: " "\nx = y:x.py, line 2: name 'y' is not defined" \
        "DATA_SETS = {1: 1}:x.py: it has no EXPERIMENTS"; do
        printf '%b' "${words%%:x.py*}" > x.py
        run accuracy run --experiments x.py --list
        echo "$output"
        [ "$status" -eq 1 ]
        [ "${#lines[@]}" -eq 1 ]
        says "accuracy: x.py${words##*:x.py}"
    done
    sed 's/{"w2a4": 1})/{"w2a4": 1}, {"w2a4": "shades\/longr"})/' shades.py > x.py
    run accuracy run --experiments x.py --list
    [ "$status" -eq 1 ]
    says "accuracy: x.py: network shades refers to shades/longr"
}

@test "tables and picture show what was run" {
    make_shades
    run accuracy table
    [ "$status" -eq 1 ]
    [ "$output" = "accuracy: results.csv: no such table of results" ]
    head -n 1 "$top/docs/accuracy.csv" > results.csv
    run accuracy table
    echo "$output"
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "|  | float | float, fine-tuned | W2A4 |" ]
    [ "${lines[2]}" = "| Shades, top-1 | not run yet | not run yet | not run yet |" ]
    # A network that is compared with one that was fine-tuned longer, and a table without a first.
    cat >> shades.py << 'END'
BITS["w4a4"] = (4, 4)
LONGER = SCRATCH.derive("shades/longer", start="shades/float")
EXPERIMENTS += [LONGER, W2A4.derive("shades/w4a4")]
NETWORKS = [Network("shades", "Shades, top-1", {"w2a4": 1, "w4a4": 1}, {"w4a4": "shades/longer"})]
COMPARISONS.append(Comparison("Alone", "top-1", [("short", W2A4)], against_first=False))
END
    head -n 1 "$top/docs/accuracy.csv" > results.csv
    row() { printf '%s,shades,shades,2,4,scale,4,none,,,8,1,24,top-1,%s,1,1,0.1,abc,2020-01-01\n' "$1" "$2"; }
    row shades/w2a4 .5 >> results.csv
    row shades/float-finetune .75 >> results.csv
    row shades/w2a4 .725 >> results.csv
    row shades/longer .76 >> results.csv
    row shades/w4a4 .75 >> results.csv
    printf '%s\n' before "<!-- results -->" old "<!-- end of results -->" behind > page.md
    for _ in 1 2; do
        accuracy table --write page.md
    done
    diff page.md - << 'END'
before
<!-- results -->

|  | float | float, fine-tuned | W2A4 | W4A4 |
| --- | --- | --- | --- | --- |
| Shades, top-1 | not run yet | 75.00 | 72.50 | 75.00 |
| against fine-tuned float |  |  | −2.50, **beyond** −1 | −1.00, within −1, of 76.00 |

| Others | top-1 | against the first |
| --- | --- | --- |
| short | 72.50 |  |
| long | not run yet |  |

| Alone | top-1 |
| --- | --- |
| short | 72.50 |

<!-- end of results -->
behind
END
    echo > page.md
    run accuracy table --write page.md
    [ "$status" -eq 1 ]
    says "page.md: the markers"
    /usr/bin/python3 -c 'import matplotlib' || skip "python3-matplotlib is missing"
    accuracy plot picture.png
    [ -s picture.png ]
}

@test "pictures are encoded once more, which changes them a little" {
    mkdir -p source/a
    cp "$photo" source/a/1.jpg
    run "$top/scripts/accuracy/encode_again" source again
    echo "$output"
    [ "$status" -eq 0 ]
    says "1 of 1 pictures, encoded again, are in again"
    /usr/bin/python3 - << 'END'
import numpy
from PIL import Image
before, after = (numpy.asarray(Image.open(f)).astype(float) for f in ("source/a/1.jpg", "again/a/1.png"))
assert before.shape == after.shape
assert 1 < numpy.sqrt(numpy.mean((before - after) ** 2)) < 10
END
    run "$top/scripts/accuracy/encode_again" again none
    [ "$status" -eq 1 ]
    [ "$output" = "accuracy: again: no .jpg file in it" ]
}

@test "the experiments of the project are sound" {
    run "$top/scripts/accuracy/run" --list --work work --results none.csv
    echo "$output"
    [ "$status" -eq 0 ]
    says "resnet20/w2a2"
    run "$top/scripts/accuracy/table"
    [ "$status" -eq 0 ]
}
