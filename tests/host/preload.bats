# Programs that know nothing of gdrq, with the plugin loaded before libdarknet.

setup() {
    load preload
    cd "$BATS_TEST_TMPDIR"
    cp "$BATS_TEST_DIRNAME/predict.py" .
}

make_data() {
    mkdir -p images labels
    cp /usr/share/darknet/data/dog.jpg images/
    echo "0 .5 .5 .6 .6" > labels/dog.txt
    echo "$PWD/images/dog.jpg" > list.txt
    write_detector stock.cfg
    sed 's/\[convolutional\]/[gdrq_convolutional]/; s/batch=1/batch=4/' stock.cfg > gdrq.cfg
}

@test "a ten-line C program trains, saves, loads and runs a [gdrq_convolutional] cfg" {
    make_data
    run stock plain gdrq.cfg list.txt 3 out.weights images/dog.jpg
    [ "$status" -ne 0 ]
    run plugged plain gdrq.cfg list.txt 40 out.weights images/dog.jpg
    echo "$output"
    [ "$status" -eq 0 ]
    [[ "$output" == *"boxes"*"first output"* ]]
    first=$(grep '^loss' <<< "$output" | head -n 1 | cut -d' ' -f2)
    last=$(grep '^loss' <<< "$output" | tail -n 1 | cut -d' ' -f2)
    awk "BEGIN { exit !($last < $first) }"
    # What it saved loads into stock Darknet: same network, stock section names.
    stock bugs load stock.cfg out.weights
    # The thresholds came along: without them a 4-bit layer would give zeros.
    [ "$(grep -c 'GDRQWTS[12]' out.weights)" -eq 1 ]
}

# Connected layers that make the one cell of a detector.
@test "the same program trains and runs a [gdrq_connected] cfg" {
    make_data
    write_cfg gdrq.cfg << EOF
[gdrq_convolutional]
filters=4
size=3
stride=4
activation=leaky
[gdrq_connected]
output=16
activation=leaky
batch_normalize=1
[gdrq_connected]
output=14
activation=linear
[yolo]
mask=0,1
anchors=4,4, 16,16
classes=2
num=2
EOF
    sed -i 's/batch=1/batch=4/' gdrq.cfg
    sed 's/gdrq_//' gdrq.cfg > stock.cfg
    run stock plain gdrq.cfg list.txt 3 out.weights images/dog.jpg
    [ "$status" -ne 0 ]
    run plugged plain gdrq.cfg list.txt 40 out.weights images/dog.jpg
    echo "$output"
    [ "$status" -eq 0 ]
    [[ "$output" == *"boxes"*"first output"* ]]
    first=$(grep '^loss' <<< "$output" | head -n 1 | cut -d' ' -f2)
    last=$(grep '^loss' <<< "$output" | tail -n 1 | cut -d' ' -f2)
    awk "BEGIN { exit !($last < $first) }"
    [ "$(grep -c 'GDRQWTS[12]' out.weights)" -eq 1 ]
    # What it saved is read by the stock library, whose layers compute in float.
    stock outputs run stock.cfg out.weights stock.out
    plugged outputs run gdrq.cfg out.weights plugged.out
    run cmp -s stock.out plugged.out
    [ "$status" -eq 1 ]
    # Stock weights bring no thresholds.
    stock bugs save stock.cfg stock.weights
    run plugged outputs run gdrq.cfg stock.weights out.bin
    [ "$status" -eq 1 ]
    [[ "$output" == *"threshold that layer 1 needs was never set"*"calibrate"* ]]
}

@test "Python's ctypes opens libgdrq.so and runs a [gdrq_convolutional] cfg" {
    make_data
    plugged plain gdrq.cfg list.txt 2 out.weights images/dog.jpg > /dev/null
    library="$BUILD/libgdrq.so"
    if [ -n "$SANITIZE" ]; then skip "python has no sanitizer runtime"; fi
    run python3 predict.py "$library" gdrq.cfg out.weights images/dog.jpg
    echo "$output"
    [ "$status" -eq 0 ]
    [[ "$output" == *"outputs 3584"* ]]
    # libdarknet alone does not know the section.
    run python3 predict.py /usr/lib/darknet/libdarknet.so gdrq.cfg out.weights images/dog.jpg
    [ "$status" -ne 0 ]
    # CDLL(None) under LD_PRELOAD reaches the plugin too.
    LD_PRELOAD="$plugin" python3 predict.py - gdrq.cfg out.weights images/dog.jpg
}

@test "a network whose thresholds were never set does not pretend to infer" {
    make_data
    stock bugs save stock.cfg stock.weights
    run plugged outputs run gdrq.cfg stock.weights out.bin
    [ "$status" -eq 1 ]
    [[ "$output" == *"threshold that layer 2 needs was never set"*"calibrate"* ]]
}

# Same outputs to float rounding, with the same weights, for cfgs that run in about a second.
@test "stock cfgs give the same outputs with the plugin" {
    for name in tiny cifar.test darknet yolov3-tiny yolov2-tiny-voc resnet18 rnn gru go.test; do
        cfg=/usr/share/darknet/cfg/$name.cfg
        stock outputs run $cfg $name.weights stock.out > /dev/null 2>&1
        plugged outputs run $cfg $name.weights plugged.out > /dev/null
        run stock outputs compare stock.out plugged.out
        echo "$name: $output"
        [ "$status" -eq 0 ]
        rm $name.weights
    done
}

@test "OpenCV reads the weights that we save, trailer included" {
    write_cfg gdrq.cfg << EOF
[gdrq_convolutional]
filters=8
size=3
pad=1
activation=leaky
batch_normalize=1
[maxpool]
size=2
stride=2
[gdrq_convolutional]
filters=6
size=1
activation=linear
EOF
    plugged bugs save gdrq.cfg out.weights
    [ "$(grep -c 'GDRQWTS[12]' out.weights)" -eq 1 ]
    sed 's/gdrq_convolutional/convolutional/' gdrq.cfg > stock.cfg
    stock outputs run stock.cfg out.weights stock.out > /dev/null
    "$BUILD/tests/opencv_reads" stock.cfg out.weights opencv.out
    run stock outputs compare stock.out opencv.out
    echo "$output"
    [ "$status" -eq 0 ]
}

# A library that only exports the name stands for such a libdarknet.
@test "a libdarknet with cuDNN or for a GPU is refused with what to build" {
    write_detector net.cfg
    for name in cudnn_handle cuda_make_array; do
        echo "int $name;" | gcc -shared -fPIC -x c - -o "$name.so"
        LD_PRELOAD="$plugin $PWD/$name.so" run "$BUILD/tests/bugs" save net.cfg out.weights
        echo "$output"
        [ "$status" -ne 0 ]
        case "$name" in
        cudnn_handle) [[ "$output" == *"build that Darknet with CUDNN=0"* ]] ;;
        *) [[ "$output" == *"build libgdrq with \`make GPU=1 DARKNET="* ]] ;;
        esac
    done
}
