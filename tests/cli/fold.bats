# Folding, and running what was folded, as a user would.

setup_file() {
    load common
    cd "$BATS_FILE_TMPDIR"
    compose
    write_cfg small.cfg max_batches=60
    darknet detector train signs.data small.cfg -seed 1 > train.log 2> err
    cp set/backup/small_final.weights trained.weights
    darknet gdrq fold small.cfg trained.weights folded.cfg folded.weights > fold.log 2> err
}

setup() {
    load common
    load ../host/preload
    work_on_a_copy
}

@test "fold writes a small pair and says what to do next" {
    cat fold.log
    grep -q "^Wrote folded.cfg and folded.weights: 0.00 MB instead of 0.01 MB$" fold.log
    grep -q "^To compare: .*darknet gdrq verify small.cfg trained.weights folded.cfg folded.weights IMAGES$" fold.log
    [ "$(grep -c '^\[' folded.cfg)" -eq "$(grep -c '^\[' small.cfg)" ]
    grep -q '^\[folded_convolutional\]$' folded.cfg
    fails grep -q 'gdrq\|batch_normalize' folded.cfg
    grep -q '^batch=1$' folded.cfg
    # The same network gives the same bytes.
    darknet gdrq fold small.cfg trained.weights again.cfg again.weights > log 2> err
    cmp folded.cfg again.cfg
    cmp folded.weights again.weights
}

@test "verify finds no difference, in layers and in objects" {
    run darknet gdrq verify small.cfg trained.weights folded.cfg folded.weights set/valid/images -thresh .05
    echo "$output"
    [ "$status" -eq 0 ]
    [ "$(grep -c '^ *[0-9]* .*  100.00000 .* 0$' <<< "$output")" -eq 3 ]
    [[ "$output" =~ Objects\ above\ 0.05\ in\ 8\ pictures:\ ([0-9]+)\ by\ the\ trained\ network,\ ([0-9]+)\ by\ the\ folded\ one,\ ([0-9]+)\ by\ both ]] || false
    [ "${BASH_REMATCH[1]}" -eq "${BASH_REMATCH[2]}" ]
    [ "${BASH_REMATCH[1]}" -eq "${BASH_REMATCH[3]}" ]
    says "Largest difference of an output: 0;"
}

@test "verify fails where the two are not the same network" {
    darknet detector train signs.data small.cfg trained.weights -clear -seed 2 > log 2> err
    run darknet gdrq verify small.cfg set/backup/small_final.weights folded.cfg folded.weights $photo
    [ "$status" -eq 1 ]
    says "DIFFERS"
    says "fold the network anew"
    run darknet gdrq verify folded.cfg folded.weights small.cfg trained.weights $photo
    [ "$status" -eq 1 ]
    says "folded.cfg: is folded; give the trained network first"
}

# 600 products of 8 by 8 bits are more than float sums hold exactly: codes may differ a little there,
# and a head has none.
@test "verify looks at heads whose sums a float rounds" {
    sed 's/^max_batches=.*/max_batches=2/; /^\[maxpool\]/,$d' small.cfg > wide.cfg
    cat >> wide.cfg << 'EOF'
[gdrq_convolutional]
filters=600
size=3
stride=8
activation=leaky
[gdrq_convolutional]
filters=18
size=1
activation=linear
weight_bits=8
activation_bits=8
[yolo]
mask=0,1
anchors=20,20, 50,50
classes=4
num=2
EOF
    for seed in 1 2; do
        darknet detector train signs.data wide.cfg -seed $seed > log 2> err || { tail -n 3 err; false; }
        mv set/backup/wide_final.weights wide$seed.weights
    done
    darknet gdrq fold wide.cfg wide1.weights wf.cfg wf.weights > log 2> err
    darknet gdrq verify wide.cfg wide1.weights wf.cfg wf.weights $photo 2> err
    run darknet gdrq verify wide.cfg wide2.weights wf.cfg wf.weights $photo
    [ "$status" -eq 1 ]
    # Layer 2 is the head.
    grep -q "^ *2 .*DIFFERS$" <<< "$output"
}

@test "a folded network runs with the commands that infer" {
    for command in "map" "recall" "valid2"; do
        darknet detector $command signs.data small.cfg trained.weights > trained.log 2> err
        darknet detector $command signs.data folded.cfg folded.weights > folded.log 2> err
        diff <(grep -v 'seconds' trained.log) <(grep -v 'seconds' folded.log)
        [ -s folded.log ]
    done
    darknet detector test signs.data small.cfg trained.weights $photo -thresh .001 -out trained.png > trained.log 2> err
    darknet detector test signs.data folded.cfg folded.weights $photo -thresh .001 -out folded.png > folded.log 2> err
    cmp trained.png folded.png
    [ "$(grep -c % folded.log)" -gt 0 ]
    diff <(grep % trained.log) <(grep % folded.log)
}

@test "commands that train, calibrate, convert or fold refuse a folded network" {
    run darknet detector train signs.data folded.cfg
    [ "$status" -eq 1 ]
    says "folded.cfg: is folded, which can't be trained"
    run darknet gdrq calibrate folded.cfg folded.weights $photo out.weights
    [ "$status" -eq 1 ]
    says "is folded"
    run darknet gdrq convert folded.cfg out.cfg
    [ "$status" -eq 1 ]
    says "folded"
    run darknet gdrq fold folded.cfg folded.weights out.cfg out.weights
    [ "$status" -eq 1 ]
    says "is folded already"
    [ ! -e out.cfg ] && [ ! -e out.weights ]
}

@test "files that don't belong together, or are damaged, are refused" {
    run darknet detector test signs.data small.cfg folded.weights $photo
    [ "$status" -eq 1 ]
    says "folded.weights: is the file of a folded network"
    run darknet detector test signs.data folded.cfg trained.weights $photo
    [ "$status" -eq 1 ]
    says "trained.weights: magic is not GDRQFLD1"
    sed 's/filters=16/filters=24/' folded.cfg > other.cfg
    run darknet detector test signs.data other.cfg folded.weights $photo
    [ "$status" -eq 1 ]
    says "cfg hash"
    head -c -1 folded.weights > short.weights
    run darknet detector test signs.data folded.cfg short.weights $photo
    [ "$status" -eq 1 ]
    says "short.weights"
    { head -c 700 folded.weights; printf x; tail -c +702 folded.weights; } > flipped.weights
    run darknet detector test signs.data folded.cfg flipped.weights $photo
    [ "$status" -eq 1 ]
    says "flipped.weights: the checksum does not fit"
}

@test "a full disk leaves both files as they were" {
    darknet detector train signs.data small.cfg -seed 3 > log 2> err
    cp folded.cfg kept.cfg
    cp folded.weights kept.weights
    run bash -c 'ulimit -f 1; exec "$BUILD/darknet" gdrq fold small.cfg set/backup/small_final.weights folded.cfg folded.weights'
    [ "$status" -eq 1 ]
    says "File too large"
    cmp folded.cfg kept.cfg
    cmp folded.weights kept.weights
    [ -z "$(find . -name '*.tmp-*')" ]
}

@test "a program that knows nothing of gdrq runs a folded network" {
    run stock outputs run folded.cfg folded.weights out
    [ "$status" -ne 0 ]
    plugged outputs run small.cfg trained.weights trained.out
    plugged outputs run folded.cfg folded.weights folded.out
    cmp trained.out folded.out
    # One that would train it ends with a line.
    run plugged plain folded.cfg set/train.txt 1 out.weights $photo
    [ "$status" -eq 1 ]
    says "gdrq: a folded network can't be trained"
}

@test "the Python example detects with a folded network" {
    [ -z "$SANITIZE" ] || skip "Python has no sanitizer"
    run /usr/bin/python3 "$top/scripts/detect.py" folded.cfg folded.weights set/signs.names set/valid/images/00000.jpg "$BUILD/libgdrq.so"
    echo "$output"
    [ "$status" -eq 0 ]
    if grep -q '%$' <(darknet detector test signs.data folded.cfg folded.weights set/valid/images/00000.jpg -thresh .27 2> err); then
        says "% at x "
    fi
}

# yolov3-tiny with the stock library's random weights, whose statistics an image makes sane.
@test "a folded yolov3-tiny takes a seventh of the file and a third of the memory" {
    [ -z "$SANITIZE" ] || skip "sanitizers need memory of their own"
    stock_cfg=/usr/share/darknet/cfg/yolov3-tiny.cfg
    plugged outputs run $stock_cfg float.weights out
    darknet gdrq calibrate "$top/cfg/yolov3-tiny.cfg" float.weights $photo four.weights -batch_norm measure 2> err
    darknet gdrq fold "$top/cfg/yolov3-tiny.cfg" four.weights tiny.cfg tiny.weights 2> err
    ls -l float.weights tiny.weights
    [ "$(($(stat -c %s tiny.weights) * 75))" -le "$(($(stat -c %s float.weights) * 10))" ]
    darknet gdrq verify "$top/cfg/yolov3-tiny.cfg" four.weights tiny.cfg tiny.weights $photo 2> err
    float=$(($(stock memory $stock_cfg float.weights) - $(stock memory)))
    folded=$(($(plugged memory tiny.cfg tiny.weights 2> err) - $(plugged memory)))
    echo "anonymous memory: $float kB float, $folded kB folded"
    [ "$((3 * folded))" -le "$float" ]
}
