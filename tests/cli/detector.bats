# darknet detector and gdrq, end to end on a small data set and on a real photo.

bats_require_minimum_version 1.5.0

setup_file() {
    load common
    cd "$BATS_FILE_TMPDIR"
    compose
    write_cfg small.cfg
    darknet detector train signs.data small.cfg -seed 1 > train.log 2> train.err
    cp set/backup/small_final.weights trained.weights
}

setup() {
    load common
    work_on_a_copy
    rm -f set/backup/*
}

# The files of a folder, without temporary ones that a crash would leave.
files_in() { ls -A "$1" | tr '\n' ' '; }

@test "train shows one line per iteration and writes the final weights" {
    grep -q "^12: [0-9.]*, [0-9.]* avg, 0.002000 rate, [0-9.]* seconds, 96 images, quantise, .* images/s, ETA 0:00:00 to 12$" train.log
    [ "$(grep -c '^[0-9]*: ' train.log)" -eq 12 ]
    grep -q "Saved set/backup/small_final.weights" train.log
    [ -s trained.weights ]
}

@test "the same seed trains the same network, another one does not" {
    darknet detector train signs.data small.cfg -seed 1 > /dev/null 2>&1
    cmp set/backup/small_final.weights trained.weights
    darknet detector train signs.data small.cfg -seed 2 > /dev/null 2>&1
    fails cmp -s set/backup/small_final.weights trained.weights
}

@test "training lowers the loss" {
    write_cfg small.cfg max_batches=150
    darknet detector train signs.data small.cfg -seed 3 > log 2> err
    first=$(sed -n 's/^1: \([0-9.]*\), .*/\1/p' log)
    last=$(sed -n 's/^150: [0-9.]*, \([0-9.]*\) avg.*/\1/p' log)
    echo "first $first last $last"
    awk "BEGIN { exit !($last < $first / 4) }"
    [ "$(files_in set/backup)" = "small.csv small.png small_final.weights small_last.state small_last.weights " ]
}

@test "a stopped training saves what it has, and goes on from there" {
    write_cfg small.cfg max_batches=20000
    for signal in INT TERM HUP; do
        rm -f set/backup/*
        env --default-signal=HUP "$BUILD/darknet" detector train signs.data small.cfg -seed 1 > log 2> err &
        pid=$!
        for _ in $(seq 200); do
            if grep -q '^3: ' log; then break; fi
            sleep 0.1
        done
        kill -$signal $pid
        code=0
        wait $pid || code=$?
        tail -n 3 log err
        [ "$code" -eq "$((128 + $(kill -l $signal)))" ]
        grep -q "Saved set/backup/small_last.weights" log
        files_in set/backup
        [ "$(files_in set/backup)" = "small.csv small.png small_last.state small_last.weights " ]
    done
    reached=$(sed -n 's/^\([0-9]*\): .* to 20000$/\1/p' log | tail -n 1)
    write_cfg small.cfg max_batches=$((reached + 2))
    run darknet detector train signs.data small.cfg set/backup/small_last.weights -seed 1
    [ "$status" -eq 0 ]
    says "Loaded set/backup/small_last.weights: all 5 layers, with activation thresholds"
    says "$((reached + 1)): "
    [[ "$output" != *$'\n'"$reached: "* ]]
}

@test "finished weights are trained on only with -clear" {
    run darknet detector train signs.data small.cfg trained.weights
    [ "$status" -eq 1 ]
    says "max_batches is 12; -clear starts the count anew"
    run darknet detector train signs.data small.cfg trained.weights -clear
    [ "$status" -eq 0 ]
    says "1: "
}

@test "a backbone is trained on, but nothing detects with it" {
    # The first layer alone: 16 bytes of header or 20, 8 biases, 24 of batch norm, 216 weights.
    head -c $((20 + 4 * (8 + 24 + 216))) trained.weights > backbone.weights
    run darknet detector train signs.data small.cfg backbone.weights -clear
    [ "$status" -eq 0 ]
    says "Loaded backbone.weights, a backbone: layers 0 to "
    run darknet detector test signs.data small.cfg backbone.weights $photo
    [ "$status" -eq 1 ]
    says "darknet: "
    run darknet detector map signs.data small.cfg backbone.weights
    [ "$status" -eq 1 ]
}

@test "a loss that is not finite stops the training and keeps the last good file" {
    echo "good" > set/backup/small_last.weights
    write_cfg small.cfg learning_rate=1e30 burn_in=0 max_batches=200
    run darknet detector train signs.data small.cfg -seed 1
    [ "$status" -eq 1 ]
    says "learning_rate"
    [ "$(cat set/backup/small_last.weights)" = "good" ]
    [ "$(files_in set/backup)" = "small.csv small.png small_last.weights " ]
}

@test "random=1 changes the input's size" {
    write_cfg small.cfg max_batches=202 batch=1 subdivisions=1
    sed -i 's/jitter=.2/jitter=.2\nrandom=1/' small.cfg
    "$BUILD/darknet" detector train signs.data small.cfg -seed 1 > log 2> err &
    pid=$!
    for _ in $(seq 300); do
        if grep -q '^4: ' log; then break; fi
        sleep 0.1
    done
    kill -INT $pid
    wait $pid || true
    tail -n 3 log err
    grep -q '^4: .* to 202$' log
    fails grep -q nan log
}

@test "bad labels, images and lists are found before training" {
    echo "99 .5 .5 .1 .1" >> set/train/labels/00003.txt
    run darknet detector train signs.data small.cfg
    [ "$status" -eq 1 ]
    says "00003.txt"
    says "99"
    sed -i '$d' set/train/labels/00003.txt
    echo "set/train/images/missing.jpg" >> set/train.txt
    run darknet detector train signs.data small.cfg
    [ "$status" -eq 1 ]
    says "missing.jpg"
    [ "$(files_in set/backup)" = "" ]
}

@test "an image that can't be decoded stops the training with its name" {
    for image in set/train/images/*.jpg; do echo "no image" > $image; done
    run darknet detector train signs.data small.cfg
    [ "$status" -eq 1 ]
    says "set/train/images/"
    [ "$(grep -c 'darknet: .*decoded' <<< "$output")" -eq 1 ]
}

@test "data, names and cfg must agree on the classes" {
    sed 's/classes = 4/classes = 5/' signs.data > five.data
    run darknet detector test five.data small.cfg trained.weights $photo
    [ "$status" -eq 1 ]
    says "five.data has classes=5"
    says "small.cfg has classes=4"
    echo "one more" >> set/signs.names
    run darknet detector test signs.data small.cfg trained.weights $photo
    [ "$status" -eq 1 ]
    says "set/signs.names has 5 names"
}

@test "test predicts on a real photo and writes the picture" {
    run darknet detector test signs.data small.cfg trained.weights $photo
    [ "$status" -eq 0 ]
    says "$photo: Predicted in "
    [ "$(head -c 2 predictions.jpg | od -An -tx1 | tr -d ' ')" = ffd8 ]
    darknet detector test signs.data small.cfg trained.weights $photo -out found
    cmp found.jpg predictions.jpg
    darknet detector test signs.data small.cfg trained.weights $photo -out a/../found.png || true
    [ ! -e found.png ]
    darknet detector test signs.data small.cfg trained.weights $photo -out found.png
    [ "$(head -c 4 found.png | tail -c 3)" = PNG ]
    darknet detector test signs.data small.cfg trained.weights $photo -out version.2
    cmp version.2.jpg predictions.jpg
}

@test "test prints every class above the threshold, and draws boxes" {
    run darknet detector test signs.data small.cfg trained.weights $photo -thresh 0 -ext_output
    [ "$status" -eq 0 ]
    [[ "$output" =~ (stop|yield|speed_limit|priority):\ [0-9]+%.*left_x: ]]
    darknet detector test signs.data small.cfg trained.weights $photo -thresh 1 -out none.png
    darknet detector test signs.data small.cfg trained.weights $photo -thresh 0 -out some.png
    fails cmp -s none.png some.png
}

@test "test asks for images until the input ends, and survives a bad one" {
    printf '%s\nmissing.jpg\n\n%s\n' $photo $photo > answers
    run bash -c '"$BUILD/darknet" detector test signs.data small.cfg trained.weights < answers'
    [ "$status" -eq 1 ]
    says "1 of 3 images failed"
    [ "$(grep -o 'Predicted in' <<< "$output" | wc -l)" -eq 2 ]
    [ "$(grep -o 'Enter Image Path: ' <<< "$output" | wc -l)" -eq 5 ]
    says "darknet: missing.jpg"
}

@test "test needs neither a display nor a shell" {
    cp $photo 'a $(touch owned) photo;touch owned.jpg'
    run env -u DISPLAY -u WAYLAND_DISPLAY "$BUILD/darknet" detector test signs.data small.cfg \
        trained.weights 'a $(touch owned) photo;touch owned.jpg'
    [ "$status" -eq 0 ]
    run darknet detector test signs.data small.cfg trained.weights 'missing $(touch owned).jpg'
    [ "$status" -eq 1 ]
    [ ! -e owned ]
    [ ! -e bad.list ]
}

@test "missing, truncated and foreign weights are refused" {
    run darknet detector test signs.data small.cfg missing.weights $photo
    [ "$status" -eq 1 ]
    says "missing.weights"
    head -c 3000 trained.weights > cut.weights
    run darknet detector test signs.data small.cfg cut.weights $photo
    [ "$status" -eq 1 ]
    says "cut.weights"
    head -c 20000 $photo > foreign.weights
    run darknet detector test signs.data small.cfg foreign.weights $photo
    [ "$status" -eq 1 ]
    says "foreign.weights"
    [ ! -e predictions.jpg ]
}

@test "map measures the valid list" {
    run darknet detector map signs.data small.cfg trained.weights
    [ "$status" -eq 0 ]
    for name in stop yield speed_limit priority "mAP@0.50 = 0." "mAP@[.50:.95] = 0."; do
        says "$name"
    done
    run darknet detector map signs.data small.cfg trained.weights -iou_thresh .75
    [ "$status" -eq 0 ]
    says "mAP@0.75 = 0."
    grep -v valid signs.data > no_valid.data
    run darknet detector map no_valid.data small.cfg trained.weights
    [ "$status" -eq 1 ]
    says "valid"
}

@test "a stock network is converted, calibrated and tested without training" {
    # The stock form of the same network, trained a little by the same command.
    sed 's/gdrq_convolutional/convolutional/; /_bits=/d' small.cfg > stock.cfg
    darknet detector train signs.data stock.cfg -seed 1 > log 2> err
    grep -q "^12: .* images, float, " log
    darknet gdrq convert stock.cfg four.cfg
    grep -q "gdrq_convolutional" four.cfg
    run darknet detector test signs.data four.cfg set/backup/stock_final.weights $photo
    [ "$status" -eq 1 ]
    says "calibrate"
    head -n 6 set/train.txt > some.txt
    for images in set/valid/images some.txt $photo; do
        run darknet gdrq calibrate four.cfg set/backup/stock_final.weights $images four.weights
        echo "$output"
        [ "$status" -eq 0 ]
        run darknet detector test signs.data four.cfg four.weights $photo
        [ "$status" -eq 0 ]
    done
    # Statistics of batch norm are shifted unless asked otherwise.
    darknet gdrq calibrate four.cfg set/backup/stock_final.weights some.txt four.weights -batch_norm keep
    darknet gdrq calibrate four.cfg set/backup/stock_final.weights some.txt renewed.weights -batch_norm measure
    statistics() { od -A n -t f4 -j $((20 + 4 * 16)) -N 64 "$1"; }
    [ "$(statistics four.weights)" = "$(statistics set/backup/stock_final.weights)" ]
    [ "$(statistics renewed.weights)" != "$(statistics four.weights)" ]
    darknet detector test signs.data four.cfg renewed.weights $photo
    darknet gdrq calibrate four.cfg set/backup/stock_final.weights some.txt shifted.weights
    [ "$(statistics shifted.weights)" != "$(statistics four.weights)" ]
    [ "$(statistics shifted.weights)" != "$(statistics renewed.weights)" ]
    darknet detector test signs.data four.cfg shifted.weights $photo
    for method in mean percentile search; do
        darknet gdrq calibrate four.cfg set/backup/stock_final.weights some.txt $method.weights -method $method
        fails cmp -s $method.weights set/backup/stock_final.weights
    done
    fails cmp -s mean.weights search.weights
    # Thresholds that were there have no part in the mean.
    for start in set/backup/stock_final four; do
        darknet gdrq calibrate four.cfg $start.weights some.txt mean_of_${start##*/}.weights -method mean -batch_norm keep
    done
    cmp mean_of_stock_final.weights mean_of_four.weights
    fails cmp -s percentile.weights search.weights
    run darknet gdrq calibrate four.cfg set/backup/stock_final.weights some.txt out.weights -method best
    [ "$status" -eq 2 ]
    says "-method: best is none of auto, percentile, search, mean"
    run darknet gdrq calibrate four.cfg set/backup/stock_final.weights some.txt out.weights -method mean -percentile 99
    [ "$status" -eq 2 ]
    says "-percentile: -method mean doesn't clip by it"
    run darknet gdrq calibrate four.cfg set/backup/stock_final.weights some.txt out.weights -batch_norm anew
    [ "$status" -eq 2 ]
    says "-batch_norm: anew is none of auto, shift, measure, keep"
    # What has thresholds was quantised before, and is not shifted again.
    run --separate-stderr darknet gdrq calibrate four.cfg shifted.weights some.txt again.weights
    [[ "$stderr" == *"statistics stay, since the weights had thresholds"* ]] || false
    [ "$(statistics again.weights)" = "$(statistics shifted.weights)" ]
    # With other bits too, for which its thresholds are of no use.
    sed 's/^activation_bits=.*/activation_bits=6/' four.cfg > six.cfg
    run --separate-stderr darknet gdrq calibrate six.cfg shifted.weights some.txt six.weights
    [[ "$stderr" == *"statistics stay, since the weights had thresholds"* ]] || false
    [ "$(statistics six.weights)" = "$(statistics shifted.weights)" ]
    darknet gdrq calibrate four.cfg shifted.weights some.txt again.weights -batch_norm shift
    [ "$(statistics again.weights)" != "$(statistics shifted.weights)" ]
    # Where all quantised layers read pixels, too.
    sed '0,/^\[convolutional\]/s//[gdrq_convolutional]/' stock.cfg > first.cfg
    darknet gdrq calibrate first.cfg set/backup/stock_final.weights some.txt first.weights
    darknet gdrq calibrate first.cfg first.weights some.txt second.weights
    [ "$(statistics first.weights)" != "$(statistics set/backup/stock_final.weights)" ]
    [ "$(statistics second.weights)" = "$(statistics first.weights)" ]
    # A trained network's thresholds stay.
    darknet gdrq calibrate four.cfg mean.weights some.txt kept.weights -method keep
    trailer() { tail -c +$(($(stat -c %s set/backup/stock_final.weights) + 1)) "$1"; }
    cmp <(trailer kept.weights | head -c -8) <(trailer mean.weights | head -c -8)
    [ "$(statistics kept.weights)" != "$(statistics mean.weights)" ]
    run darknet gdrq calibrate four.cfg mean.weights some.txt out.weights -method keep -batch_norm keep
    [ "$status" -eq 2 ]
    says "-method keep with -batch_norm keep changes nothing"
    run darknet gdrq calibrate four.cfg set/backup/stock_final.weights some.txt out.weights -method keep
    [ "$status" -eq 1 ]
    says "calibrate"
    run darknet gdrq calibrate four.cfg set/backup/stock_final.weights some.txt out.weights -equalize
    [ "$status" -eq 1 ]
    says "-equalize: no depthwise layer"
    [ ! -e out.weights ]
    # Few values are clipped, or many: T of a layer's input grows with the share that isn't.
    for share in 90 99.9 100; do
        darknet gdrq calibrate four.cfg set/backup/stock_final.weights some.txt $share.weights -method percentile \
            -percentile $share -batch_norm keep
        darknet gdrq inspect four.cfg $share.weights some.txt -json $share.json > log
    done
    /usr/bin/python3 - << 'END'
import json
layers = [json.load(open(f"{share}.json"))["layers"][1]["input"] for share in ("90", "99.9", "100")]
thresholds = [l["threshold"] for l in layers]
assert thresholds == sorted(set(thresholds)), thresholds
END
    # What is counted is not k*mean: another k doesn't change it, and other bits have no use for it.
    sed 's/^\[net\]/[net]\nthreshold=scale/' four.cfg > scale.cfg
    sed 's/^\[net\]/[net]\nk_activations=3/' scale.cfg > k.cfg
    darknet gdrq calibrate scale.cfg set/backup/stock_final.weights some.txt counted.weights -batch_norm keep
    for cfg in scale k; do
        darknet gdrq inspect $cfg.cfg counted.weights some.txt -json $cfg.json > log
    done
    thresholds_of() { /usr/bin/python3 -c 'import json, sys; print([l["input"]["threshold"] for l in json.load(open(sys.argv[1]))["layers"][1:]])' "$1"; }
    [ "$(thresholds_of scale.json)" = "$(thresholds_of k.json)" ]
    sed 's/^activation_bits=.*/activation_bits=6/' scale.cfg > six.cfg
    run darknet gdrq inspect six.cfg counted.weights some.txt
    [ "$status" -eq 1 ]
    says "calibrate"
    # What there is nothing to calibrate in, and what would be lost.
    cp some.txt list.txt
    is_refused "./list.txt would be replaced" gdrq calibrate four.cfg four.weights ./list.txt list.txt
    cmp some.txt list.txt
    is_refused "four.weights would be replaced" gdrq calibrate four.cfg four.weights some.txt ./four.weights
    run darknet gdrq calibrate stock.cfg set/backup/stock_final.weights some.txt out.weights
    [ "$status" -eq 1 ]
    says "convert"
    is_refused "-method search: no layer of stock.cfg is quantised" \
        gdrq calibrate stock.cfg set/backup/stock_final.weights some.txt out.weights -batch_norm measure -method search
    darknet gdrq calibrate stock.cfg set/backup/stock_final.weights some.txt measured.weights -batch_norm measure
    run darknet gdrq convert stock.cfg ./stock.cfg
    [ "$status" -eq 1 ]
    says "stock.cfg would be replaced"
    mkdir empty
    run darknet gdrq calibrate four.cfg set/backup/stock_final.weights empty out.weights
    [ "$status" -eq 1 ]
    says "no picture"
    [ ! -e out.weights ]
}

@test "a network without batch norm is calibrated, and has no statistics to move" {
    write_cfg plain.cfg max_batches=2
    sed -i '/batch_normalize/d; s/gdrq_convolutional/convolutional/; /_bits=/d' plain.cfg
    darknet detector train signs.data plain.cfg -seed 1 > log 2>&1
    darknet gdrq convert plain.cfg four.cfg
    darknet gdrq calibrate four.cfg set/backup/plain_final.weights $photo four.weights
    darknet detector test signs.data four.cfg four.weights $photo
    for flags in "-batch_norm shift" "-batch_norm measure" "-method keep"; do
        run darknet gdrq calibrate four.cfg four.weights $photo out.weights $flags
        echo "$output"
        [ "$status" -eq 1 ]
        says "four.cfg: no layer has batch norm"
        [ ! -e out.weights ]
    done
}

@test "a cfg that does not read colour pictures is refused" {
    write_cfg grey.cfg channels=1
    run darknet detector train signs.data grey.cfg
    [ "$status" -eq 1 ]
    says "grey.cfg"
    says "channels=3"
}
