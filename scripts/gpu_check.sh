#!/bin/sh
# usage: scripts/gpu_check.sh [FOLDER]
# Everything that only a machine with a GPU can show, in one go: builds for it, runs the tests of
# kernels, layers and folded networks on it, also under compute-sanitizer if that is installed, trains
# the quickstart's detector for 200 iterations on CPU and GPU from the same seed and compares the
# losses (with two GPUs, also those of a training on both), folds it, verifies the folded network
# against the trained one on the GPU and on the CPU, lets one and the same folded network detect on
# both, which must find the same to the last digit, and prints what takes how long.
# Logs and results go to FOLDER (gpu_check). Exits with 0 only if all of it is well.
#
# ARCH="-gencode ...", NVCC and DARKNET are as for make; without ARCH the code is for this GPU.
set -eu

iterations=200
# How far apart the losses of the two may be, relative to those of the CPU: each of the first 10; the
# average that progress lines show (0.9 of the one before and 0.1 of the new loss) in iterations 20 to
# 100; and the mean of the last 50. Where roundings differ, so do 4-bit codes here and there, and two
# trainings part slowly however right they are: on one CPU, with a learning rate that differs by 1e-3,
# by 0.013, 0.025 and 0.14, with one that differs by 1e-5 by 0.003, 0.031 and 0.08.
first_tolerance=0.03
average_tolerance=0.10
last_tolerance=0.30
# The same for two GPUs against one, by iteration: the mean of the first 4, and of 21 to 40, where
# twice the learning rate at half as many steps shows (on one CPU, twice the rate alone: 0.01, 0.21).
pair_first_tolerance=0.25
pair_last_tolerance=0.50
# The share of objects that the trained network and the folded one must have in common: all, but for
# one or the other whose score is at the threshold.
least_common=0.98

fail() {
    echo "gpu_check: $*" >&2
    exit 1
}

step() {
    printf '\n== %s\n' "$*"
}

# What went wrong, one thing a line; the check goes on, so that one run shows all of it.
failures=
note_failure() {
    echo "FAILED: $*"
    failures="$failures
  $*"
}

case $#${1-} in
    1-* | [2-9]*) fail 'usage: scripts/gpu_check.sh [FOLDER]' ;;
esac

# ---- what is here ----

query_gpu() {
    nvidia-smi "--query-gpu=$1" --format=csv,noheader 2> /dev/null | head -n 1
}

# Jetsons have no nvidia-smi before JetPack 6, and other device files.
has_gpu() {
    { command -v nvidia-smi > /dev/null && nvidia-smi -L 2> /dev/null | grep -q GPU; } ||
        [ -e /dev/nvhost-gpu ] || [ -e /dev/nvgpu ] || [ -e /dev/nvidia0 ]
}

: "${NVCC:=nvcc}"
export NVCC
has_gpu || fail 'this machine has no NVIDIA GPU (or no driver): nothing was checked. What can be checked
without one: make test, and scripts/check_cuda'
command -v "$NVCC" > /dev/null ||
    fail "there is no $NVCC: install the CUDA toolkit, and put its bin folder on PATH"

device=$(query_gpu name) || device=
[ -n "$device" ] || device=$(tr -d '\0' 2> /dev/null < /proc/device-tree/model) || device=
[ -n "$device" ] || device='unknown GPU'
capability=$(query_gpu compute_cap | tr -d .) || capability=
case $capability in
    '' | *[!0-9]*) ;;
    *)
        # What a toolkit from before this GPU compiles the driver translates. Toolkits before CUDA 11
        # have no such list.
        compiles=$("$NVCC" --list-gpu-arch 2> /dev/null) || compiles=
        if [ -z "$compiles" ] || printf '%s\n' "$compiles" | grep -qx "compute_$capability"; then
            : "${ARCH:=-gencode arch=compute_$capability,code=sm_$capability}"
        elif [ "$capability" -lt 75 ]; then
            fail "$NVCC compiles nothing for $device: CUDA 12 is the last for compute capability $(query_gpu compute_cap)"
        fi
        ;;
esac

# ---- build ----

mkdir -p "${1:-gpu_check}"
out=$(cd "${1:-gpu_check}" && pwd)
top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top"

step "Building for $device"
set -- GPU=1
[ -z "${ARCH-}" ] || set -- "$@" "ARCH=$ARCH"
[ -z "${DARKNET-}" ] || set -- "$@" "DARKNET=$DARKNET"
unset BUILD MAKEFLAGS MFLAGS
scripts/install_deps --gpu
make -j"$(nproc)" "$@" all cuda_tests
gpu=$top/build-gpu/darknet
if "$gpu" version 2>&1 | grep 'CPU build runs'; then
    fail "CUDA can't use the GPU: nothing was checked"
fi

# ---- kernels and layers ----

sanitized=
# run_tests NAME WHAT. The last line is "N passed, N failed".
run_tests() {
    BUILD=build-gpu tests/run_unit build-gpu/tests/device/test_* | tee "$out/$1.log"
    case $(tail -n 1 "$out/$1.log") in
        [1-9]*' passed, 0 failed') ;;
        *) note_failure "$2 (logs: build-gpu/tests/test_*.log)" ;;
    esac
}

step 'Tests of kernels and layers on the GPU'
run_tests kernels 'tests on the GPU'
if command -v compute-sanitizer > /dev/null; then
    for tool in memcheck racecheck; do
        step "The same under compute-sanitizer's $tool"
        RUN_UNDER="compute-sanitizer --tool $tool --error-exitcode 99" TEST_QUICK=1
        export RUN_UNDER TEST_QUICK
        run_tests "$tool" "compute-sanitizer $tool"
        unset RUN_UNDER TEST_QUICK
        sanitized="$sanitized $tool"
    done
else
    echo 'compute-sanitizer is not installed: left out'
fi

# ---- training ----

cd "$out"
if [ ! -e signs.data ]; then
    step 'Composing photos with signs'
    "$top/scripts/compose_dataset" .
fi

# train NAME ITERATIONS [FLAG...]: by NAME.cfg; its numbers are in backup/NAME.csv.
train() {
    name=$1
    sed "s/^max_batches=.*/max_batches=$2/" "$top/cfg/signs.cfg" > "$name.cfg"
    shift 2
    "$gpu" "$@" detector train signs.data "$name.cfg" -clear -seed 1 > "$name.log" 2>&1 ||
        note_failure "training $name.cfg (log: $out/$name.log)"
}

step "Training $iterations iterations on the CPU, and on the GPU"
train cpu "$iterations" -nogpu
train gpu "$iterations"

# Columns: iteration, epoch, stage, loss, average loss, ...; the first line names them.
compare_losses() {
    paste -d , backup/cpu.csv backup/gpu.csv | awk -F , -v wanted="$iterations" -v first_may="$first_tolerance" \
        -v average_may="$average_tolerance" -v last_may="$last_tolerance" '
        function differ(a, b) { return (a > b ? a - b : b - a) / (a > 0 ? a : 1e-30) }
        NR == 1 { gpu = NF / 2; next }
        $1 != $(gpu + 1) { exit }
        {
            rows++
            loss = differ($4, $(gpu + 4)); of_average = differ($5, $(gpu + 5))
            if (loss > most) { most = loss; at = $1 }
            if ($1 <= 10 && loss > first) first = loss
            if ($1 >= 20 && $1 <= 100 && of_average > average) average = of_average
            if ($1 > wanted - 50) { cpu_sum += $4; gpu_sum += $(gpu + 4) }
        }
        END {
            last = differ(cpu_sum, gpu_sum)
            printf "relative differences of losses: at most %.4f, in iteration %d\n", most, at
            printf "  the first 10: %.4f (may be %s)\n", first, first_may
            printf "  the average, iterations 20 to 100: %.4f (may be %s)\n", average, average_may
            printf "  the mean of the last 50: %.4f (may be %s)\n", last, last_may
            if (rows != wanted) printf "only %d iterations of %d are there to compare\n", rows, wanted
            exit !(rows == wanted && first <= first_may && average <= average_may && last <= last_may)
        }'
}
if [ -s backup/cpu.csv ] && [ -s backup/gpu.csv ]; then
    compare_losses || note_failure 'losses on CPU and GPU differ too much, or are not all there'
fi

# The mean loss of iterations $2 to $3 of training $1; with two GPUs every second one has a line.
mean_loss() {
    awk -F , -v from="$2" -v to="$3" '
        $1 + 0 >= from && $1 + 0 <= to { sum += $4; n++ }
        END { if (!n) exit 1; print sum / n }' "backup/$1.csv"
}
compare_pair() {
    for range in "1 4 $pair_first_tolerance" "21 40 $pair_last_tolerance"; do
        # shellcheck disable=SC2086
        set -- $range
        one=$(mean_loss gpu "$1" "$2") && two=$(mean_loss pair "$1" "$2") || return 1
        awk -v one="$one" -v two="$two" -v from="$1" -v to="$2" -v may="$3" 'BEGIN {
            differ = (one > two ? one - two : two - one) / one
            printf "mean loss, iterations %d to %d: one GPU %g, two %g (may differ by %s)\n", from, to, one, two, may
            exit !(differ <= may)
        }' || return 1
    done
}

if [ "$(nvidia-smi -L 2> /dev/null | grep -c '^GPU')" -gt 1 ]; then
    step 'Training on two GPUs'
    train pair 40 -gpus 0,1
    grep 'Training 2 networks' pair.log || note_failure "-gpus 0,1 (log: $out/pair.log)"
    compare_pair || note_failure 'losses of one and of two GPUs differ too much, or are not all there'
fi

# ---- folded ----

# What verify's log $1 says of objects: some were found, and nearly all by both networks.
objects_agree() {
    sed -n 's/^Objects above .*: \([0-9]*\) by the trained network, \([0-9]*\) by the folded one, \([0-9]*\) by both$/\1 \2 \3/p' "$1" |
        awk -v share="$least_common" '
            { lines++; agrees = $1 > 0 && $3 >= share * $1 && $3 >= share * $2 }
            END { exit !(lines == 1 && agrees) }'
}

weights=backup/gpu_final.weights
if [ -s "$weights" ]; then
    step 'Folding what the GPU trained, and verifying it on GPU and CPU'
    sed -n '1~20p' valid.txt > verified.txt
    # Each place has its own formula of batch norm.
    for place in gpu cpu; do
        flag=
        [ $place = gpu ] || flag=-nogpu
        "$gpu" ${flag:+"$flag"} gdrq fold gpu.cfg "$weights" "folded_$place.cfg" "folded_$place.weights" > "fold_$place.log" 2>&1 ||
            note_failure "folding on the $place (log: $out/fold_$place.log)"
        "$gpu" ${flag:+"$flag"} gdrq verify gpu.cfg "$weights" "folded_$place.cfg" "folded_$place.weights" verified.txt -thresh .05 > "verify_$place.log" 2>&1 ||
            note_failure "verifying the folded network on the $place (log: $out/verify_$place.log)"
        tail -n 2 "verify_$place.log"
        objects_agree "verify_$place.log" ||
            note_failure "the objects of the trained and the folded network differ on the $place, or there are none"
    done
    ! grep 'CPU build runs' verify_gpu.log || note_failure 'the folded network was not verified on the GPU'

    step 'The folded network on the GPU and on the CPU'
    # What is between the pixels and the scores is integers, and what is behind them the same code.
    rm -f found_gpu.json found_cpu.json
    for place in gpu cpu; do
        flag=
        [ $place = gpu ] || flag=-nogpu
        "$gpu" ${flag:+"$flag"} detector test signs.data folded_gpu.cfg folded_gpu.weights verified.txt -thresh .05 \
            -dont_show -out "found_$place.json" > "found_$place.log" 2>&1 ||
            note_failure "detecting with the folded network on the $place (log: $out/found_$place.log)"
    done
    echo "$(grep -c class_id found_gpu.json) objects above 0.05 on the GPU, $(grep -c class_id found_cpu.json) on the CPU"
    if ! grep -q class_id found_gpu.json || ! cmp found_gpu.json found_cpu.json; then
        note_failure "the folded network finds nothing, or not the same on GPU and CPU ($out/found_gpu.json, found_cpu.json)"
    fi
    ! grep 'CPU build runs' found_gpu.log || note_failure 'the folded network did not detect on the GPU'
fi

# ---- times ----

# From the line behind the bench's table; - where there is none.
bench() {
    "$gpu" "$@" > bench.log 2>&1 && ! { [ "$1" != -nogpu ] && grep -q 'CPU build runs' bench.log; } &&
        sed -n 's/^\([0-9.]*\) images\/s .*/\1/p' bench.log | head -n 1 | grep . || echo '-'
}
images_per_second() {
    tr '\r' '\n' < "$1.log" | sed -n 's/.* \([0-9.]*\) images\/s, ETA.*/\1/p' | tail -n 1 | grep . || echo '-'
}

step "Images per second on $device, and on the CPU"
row='%-44s %12s %12s\n'
# shellcheck disable=SC2059
{
    printf "$row" '' GPU CPU
    printf "$row" 'training, quickstart (4 bits, 160x160)' "$(images_per_second gpu)" "$(images_per_second cpu)"
    printf "$row" 'forward of it, batch of 1' "$(bench gdrq bench gpu.cfg "$weights")" "$(bench -nogpu gdrq bench gpu.cfg "$weights")"
    if [ -s folded_gpu.cfg ]; then
        printf "$row" 'folded' "$(bench gdrq bench folded_gpu.cfg)" "$(bench -nogpu gdrq bench folded_gpu.cfg)"
    fi
    tiny=$top/cfg/yolov3-tiny.cfg
    printf "$row" 'yolov3-tiny 416, 4 bits, forward' "$(bench gdrq bench "$tiny")" "$(bench -nogpu gdrq bench "$tiny")"
} | tee times.txt
awk 'NR > 1 && $(NF - 1) == "-" { exit 1 }' times.txt || note_failure "a time on the GPU is missing ($out/times.txt)"

step Summary
echo "device: $device${capability:+, compute capability $(query_gpu compute_cap)}, $("$NVCC" --version | sed -n 's/.*release \([0-9.]*\).*/CUDA \1/p')"
echo "compute-sanitizer:${sanitized:- not installed}"
[ -z "$failures" ] || fail "failed:$failures"
echo 'all is well'
