# Each of the host's bugs: the stock library has it, with the plugin it does no harm.

setup() {
    load preload
    cd "$BATS_TEST_TMPDIR"
}

@test "bug 1: a 1x1 convolution's backward adds to the gradient that is there" {
    write_cfg net.cfg << EOF
[convolutional]
filters=4
size=3
pad=1
activation=logistic
[convolutional]
filters=4
size=1
activation=logistic
[shortcut]
from=-2
activation=linear
[convolutional]
filters=2
size=3
activation=linear
[cost]
EOF
    run stock bugs one_by_one net.cfg
    [ "$status" -eq 1 ]
    run plugged bugs one_by_one net.cfg
    echo "$output"
    [ "$status" -eq 0 ]
}

@test "bug 2: a weights file that is cut short is refused" {
    write_detector net.cfg
    plugged bugs save net.cfg whole.weights
    head -c 500 whole.weights > cut.weights
    run stock bugs load net.cfg cut.weights
    [ "$status" -eq 0 ]
    run plugged bugs load net.cfg cut.weights
    [ "$status" -eq 1 ]
    [[ "$output" == *"500 bytes, but this network takes"*"inside layer 0 [convolutional]"* ]]
    plugged bugs load net.cfg whole.weights
}

@test "bug 2: a backbone is accepted with one line" {
    write_detector net.cfg
    plugged bugs save net.cfg whole.weights
    head -c $((20 + 4 * (8 + 8 * 27))) whole.weights > back.weights
    run plugged bugs load net.cfg back.weights
    [ "$status" -eq 0 ]
    [[ "$output" == *"back.weights is a backbone: layers 0 to 1 of 4 loaded"* ]]
}

@test "bug 3: a save that dies in the middle keeps the old file" {
    write_detector net.cfg
    plugged bugs save net.cfg old.weights
    cp old.weights stock.weights
    cp old.weights ours.weights
    # SIGXFSZ kills the writer after one block of 1024 bytes.
    (ulimit -f 1; stock bugs save net.cfg stock.weights > /dev/null 2>&1) || true
    (ulimit -f 1; plugged bugs save net.cfg ours.weights > /dev/null 2>&1) || true
    run cmp old.weights stock.weights
    [ "$status" -ne 0 ]
    cmp old.weights ours.weights
}

@test "bug 5: without a display, windows do not end the program" {
    unset DISPLAY WAYLAND_DISPLAY QT_QPA_PLATFORM
    run stock bugs windows /usr/share/darknet/data/dog.jpg
    [ "$status" -ne 0 ]
    run plugged bugs windows /usr/share/darknet/data/dog.jpg
    [ "$status" -eq 0 ]
}

@test "bug 6: yolo and region layers do not print" {
    write_detector yolo.cfg
    sed -e 's/\[yolo\]/[region]/; /mask=/d; s/anchors=.*/anchors=.5,.5,1,1/' yolo.cfg > region.cfg
    for cfg in yolo.cfg region.cfg; do
        [ "$(stock bugs step $cfg 2> /dev/null | grep -c Region)" -gt 0 ]
        [ -z "$(plugged bugs step $cfg 2> /dev/null)" ]
    done
}

@test "bug 8: a missing file ends with a status that says so" {
    run stock bugs load /nonexistent.cfg
    [ "$status" -eq 0 ]
    run plugged bugs load /nonexistent.cfg
    [ "$status" -eq 1 ]
    [[ "$output" == *"/nonexistent.cfg"*"No such file"* ]]
    write_detector net.cfg
    run stock bugs load net.cfg /nonexistent.weights
    [ "$status" -eq 0 ]
    run plugged bugs load net.cfg /nonexistent.weights
    [ "$status" -eq 1 ]
}

@test "bug 8: loading a network leaves the program's random sequence alone" {
    write_detector net.cfg
    run stock bugs random net.cfg
    [ "$status" -eq 1 ]
    run plugged bugs random net.cfg
    [ "$status" -eq 0 ]
}

@test "bug 8: what the host asserts on is a plain error" {
    write_cfg bad.cfg << EOF
[connected]
output=4
activation=linear
[yolo]
mask=0
anchors=1,1
classes=3
num=1
EOF
    run stock bugs load bad.cfg
    [ "$status" -gt 128 ]
    run plugged bugs load bad.cfg
    [ "$status" -eq 1 ]
    [[ "$output" == *"bad.cfg"*"yolo"* ]]
}

@test "bug 10: maxpool on NaN writes nothing out of bounds" {
    write_cfg net.cfg << EOF
[convolutional]
filters=4
size=3
pad=1
activation=linear
[maxpool]
size=2
stride=2
[cost]
EOF
    run stock bugs maxpool_nan net.cfg
    [ "$status" -ne 0 ]
    run plugged bugs maxpool_nan net.cfg
    [ "$status" -eq 0 ]
}

@test "bug 11: an unreadable image's name never reaches a shell" {
    run stock bugs injection .
    [ -e pwned ]
    rm -f pwned
    run plugged bugs injection .
    [ ! -e pwned ]
    [ "$status" -eq 1 ]
    [[ "$output" == *"x;touch pwned;.jpg"* ]]
}

@test "bug 12: a class id that does not exist is never an index" {
    write_detector net.cfg
    run stock bugs step net.cfg 100000000
    [ "$status" -gt 128 ]
    plugged bugs step net.cfg 100000000
    run stock bugs step net.cfg -100000000
    [ "$status" -gt 128 ]
    plugged bugs step net.cfg -100000000
}

@test "bug 12: nor is it in instance segmentation, which can also infer" {
    write_cfg net.cfg << EOF
[convolutional]
filters=10
size=1
activation=linear
[iseg]
classes=2
ids=8
EOF
    for id in 100000000 1; do
        run stock bugs iseg net.cfg $id
        [ "$status" -gt 128 ]
        plugged bugs iseg net.cfg $id
    done
}

@test "bug 12: more than 90 boxes per image fit" {
    write_detector net.cfg 4000
    run stock bugs many_boxes net.cfg
    [ "$status" -gt 128 ]
    plugged bugs many_boxes net.cfg
}

@test "bug 12: indices and counts in a cfg are checked" {
    for section in '[route]\nlayers=7' '[route]\nlayers=-9' '[shortcut]\nfrom=9\nactivation=linear' \
        '[dropout]\nprobability=.5\n[route]\nlayers=99999999'; do
        printf "$section\n" | write_cfg bad.cfg
        run plugged bugs load bad.cfg
        [ "$status" -eq 1 ]
        [[ "$output" == *"bad.cfg"* ]]
    done
    printf '[route]\nlayers=99999999\n' | write_cfg bad.cfg
    run stock bugs load bad.cfg
    [ "$status" -gt 128 ]
}

@test "bug 12: anchors, steps and scales that don't fit are refused" {
    write_detector net.cfg
    many=$(seq -s, 1 20000)
    sed "s/anchors=.*/anchors=$many/" net.cfg > bad.cfg
    run stock bugs load bad.cfg
    [ "$status" -gt 128 ]
    run plugged bugs load bad.cfg
    [ "$status" -eq 1 ]
    [[ "$output" == *"bad.cfg"*"anchors"* ]]
    sed 's/learning_rate=0.001/policy=steps\nsteps=1,2,3\nscales=.1/' net.cfg > bad.cfg
    run stock bugs load bad.cfg
    [ "$status" -gt 128 ]
    run plugged bugs load bad.cfg
    [ "$status" -eq 1 ]
    [[ "$output" == *"bad.cfg"*"scales"* ]]
}

@test "load_network with clear starts the reshape stage anew" {
    write_detector net.cfg
    sed -i 's/\[convolutional\]/[gdrq_convolutional]/' net.cfg
    plugged bugs save net.cfg w.weights
    # The iteration is the 8 bytes behind the trailer's magic.
    at=$(grep -abo 'GDRQWTS[12]' w.weights | cut -d: -f1)
    [ -n "$at" ]
    plugged bugs resave net.cfg w.weights again.weights
    [ "$(tail -c +$((at + 9)) again.weights | head -c 8 | od -An -td8 | tr -d ' ')" -eq 1 ]
    plugged bugs resave net.cfg again.weights third.weights
    [ "$(tail -c +$((at + 9)) third.weights | head -c 8 | od -An -td8 | tr -d ' ')" -eq 1 ]
}

@test "bug 13: networks with dropout and strided shortcuts resize" {
    write_cfg net.cfg << EOF
[convolutional]
filters=4
size=3
pad=1
activation=leaky
[dropout]
probability=.5
[convolutional]
filters=4
size=3
stride=2
pad=1
activation=leaky
[shortcut]
from=0
activation=linear
EOF
    run stock bugs resize net.cfg
    [ "$status" -ne 0 ]
    plugged bugs resize net.cfg
}
