# What the tests of the command share; sourced by the bats files.

photo=/usr/share/darknet/data/dog.jpg
darknet() { "$BUILD/darknet" "$@"; }
# A sanitized command would report what the stock library leaks.
export ASAN_OPTIONS=detect_leaks=0
export OMP_NUM_THREADS=2
# What the command restarts itself for, which takes as long as its start.
export GOMP_SPINCOUNT=1000

top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)

# For tests whose commands leave files behind: each works on a copy of what setup_file made.
work_on_a_copy() {
    cp -r "$BATS_FILE_TMPDIR/." "$BATS_TEST_TMPDIR"
    cd "$BATS_TEST_TMPDIR"
}

# set_net FILE [KEY=VALUE ...]: sets keys of a cfg's [net], which may be new there.
set_net() {
    local option net='/^\[net\]/,/^\[[^n]/'
    for option in "${@:2}"; do
        if sed -n "${net}p" "$1" | grep -q "^${option%%=*}="; then
            sed -i "${net}s/^${option%%=*}=.*/$option/" "$1"
        else
            sed -i "s/^\[net\]$/[net]\n$option/" "$1"
        fi
    done
}

# train_float_and_four COMMAND DATA FLAG: trains float.cfg, and four.cfg, which is made of it, and
# keeps what they said in NET.log and NET.err.
train_float_and_four() {
    local net
    darknet gdrq convert float.cfg four.cfg > convert.log
    for net in float four; do
        darknet "$1" train "$2" $net.cfg -seed 1 "$3" > $net.log 2> $net.err
    done
}

# write_cfg FILE [KEY=VALUE ...]: a small 4-bit detector of the composed signs, with other values of
# the keys of [net].
write_cfg() {
    cat > "$1" << 'EOF'
[net]
batch=8
subdivisions=2
width=96
height=96
channels=3
momentum=0.9
decay=0.0005
saturation=1.5
exposure=1.5
hue=.1
learning_rate=0.002
burn_in=5
policy=constant
max_batches=12
[gdrq_convolutional]
batch_normalize=1
filters=8
size=3
stride=2
pad=1
activation=leaky
weight_bits=8
[maxpool]
size=2
stride=2
[gdrq_convolutional]
batch_normalize=1
filters=16
size=3
stride=2
pad=1
activation=leaky
[gdrq_convolutional]
size=1
stride=1
pad=1
filters=18
activation=linear
weight_bits=8
activation_bits=8
[yolo]
mask=0,1
anchors=20,20, 50,50
classes=4
num=2
jitter=.2
ignore_thresh=.7
EOF
    set_net "$@"
}

# write_random_weights FILE SEED: stock weights, without thresholds, for the cfg of write_cfg.
write_random_weights() {
    /usr/bin/python3 - "$2" > "$1" << 'END'
import random, struct, sys
# Biases (and scales, means, variances) and weights of the convolutions of write_cfg.
random.seed(int(sys.argv[1]))
out = [struct.pack("<iiiQ", 0, 2, 0, 0)]
def floats(n, make): out.append(struct.pack("<%df" % n, *(make() for _ in range(n))))
for filters, size, normalised in ((8, 27, True), (16, 72, True), (18, 16, False)):
    floats(filters, lambda: random.gauss(0, .1))
    if normalised:
        floats(filters, lambda: random.uniform(.5, 1.5))
        floats(filters, lambda: random.gauss(0, .1))
        floats(filters, lambda: random.uniform(.5, 1.5))
    floats(filters * size, lambda: random.gauss(0, size ** -.5))
sys.stdout.buffer.write(b"".join(out))
END
}

# The current folder gets a data set in set/ (24 training images and 8 others) and signs.data.
compose() {
    "$top/scripts/compose_dataset" set --train 24 --valid 8 --size 128 > compose.log
    cp set/signs.data signs.data
}

# The message is one line on stderr that begins with the program's name.
one_line_error() {
    echo "$output"
    [ "$status" -eq "$1" ]
    [ "${#lines[@]}" -eq 1 ]
    [[ "${lines[0]}" == "darknet: "*"$2"* ]]
}

# is_refused TEXT COMMAND...: the last line of its output names the problem.
is_refused() {
    run darknet "${@:2}"
    echo "$output"
    [ "$status" -eq 1 ]
    [[ "${lines[-1]}" == "darknet: "*"$1"* ]]
}

# A command that must fail: bats takes no notice of what `! COMMAND` returns.
fails() {
    if "$@"; then
        echo "succeeded: $*"
        return 1
    fi
}

at_least() { awk "BEGIN { exit !($1 >= $2) }"; }

# FILE holds N lines of JSON; each is what a Python expression of `line` wants it to be.
check_lines() {
    /usr/bin/python3 - "$@" << 'END'
import json, sys
lines = [json.loads(text) for text in open(sys.argv[1])]
assert len(lines) == int(sys.argv[2]), len(lines)
assert all(eval(sys.argv[3]) for i, line in enumerate(lines)), lines[:2]
END
}

# For a command in the background, which has 10 seconds to say so.
wait_for_line() {
    for _ in {1..100}; do grep -qs "$1" "$2" && return; sleep .1; done
    return 1
}

# Counts as an assertion anywhere in a test, which [[ ]] before the last line does not everywhere.
says() {
    echo "$output"
    [[ "$output" == *"$1"* ]] || return 1
}
