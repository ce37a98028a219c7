#!/bin/sh
# usage: scripts/gpu_check.sh [-only PART,...] [-prebuilt] [FOLDER]
# Everything that only a machine with a GPU can show: builds for it, then, in parts,
#   kernels   runs the tests of kernels on it, also under compute-sanitizer if that works there;
#   layers    the same for tests of layers and of whole folded networks;
#   training  trains the quickstart's detector for 200 iterations on CPU and GPU from the same seed and
#             compares the losses (with two GPUs, also those of a training on both);
#   folded    folds what the GPU trained, verifies the folded network against the trained one on the
#             GPU and on the CPU, and lets one and the same folded network detect on both, which must
#             find the same to the last digit;
#   times     prints what takes how long.
# Without -only, all of them. Logs and results go to FOLDER (gpu_check), where parts find what others
# left in an earlier run. Exits with 0 only if all of it is well.
#
# Only the part kernels builds without a GPU's libdarknet, and so without a network. With -prebuilt
# nothing is built or installed; other parts then need all that make GPU=1 cuda_tests all has built and
# linked where it was built. The part kernels needs no more of a machine than its GPU, a driver that is
# not older than the toolkit and a C library that is not older than the builder's: carry to it, side by
# side as they are here, this script, tests/run_unit, and build-gpu/tests/kernels as make GPU=1
# kernel_tests leaves it.
#
# ARCH="-gencode ...", NVCC and DARKNET are as for make; without ARCH the code is for all GPUs that
# nvidia-smi lists and the toolkit compiles for, or make's own choice where one is newer than the
# toolkit. CUDA_VISIBLE_DEVICES hides some of them, counted as nvidia-smi does.
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

all_parts='kernels layers training folded times'
parts=
prebuilt=
folder=

usage() {
    fail 'usage: scripts/gpu_check.sh [-only PART,...] [-prebuilt] [FOLDER]'
}

does() {
    case " $parts " in
        *" $1 "*) return 0 ;;
    esac
    return 1
}

# choose_parts LIST
choose_parts() {
    rest=$1,
    while [ -n "$rest" ]; do
        part=${rest%%,*}
        rest=${rest#*,}
        case " $all_parts " in
            *" ${part:- } "*) does "$part" || parts="$parts $part" ;;
            *) fail "-only: there is no part '$part': they are $(echo "$all_parts" | sed 's/ /, /g')" ;;
        esac
    done
}

while [ $# -gt 0 ]; do
    case $1 in
        -only)
            [ $# -gt 1 ] || usage
            choose_parts "$2"
            shift
            ;;
        -prebuilt) prebuilt=yes ;;
        -* | '') usage ;;
        *)
            [ -z "$folder" ] || usage
            folder=$1
            ;;
    esac
    shift
done
[ -n "$parts" ] || parts=$all_parts
uses_darknet=
if does training || does folded || does times; then
    uses_darknet=yes
fi

# ---- what is here ----

# Jetsons have no nvidia-smi before JetPack 6, and other device files.
has_gpu() {
    { command -v nvidia-smi > /dev/null && nvidia-smi -L 2> /dev/null | grep -q GPU; } ||
        [ -e /dev/nvhost-gpu ] || [ -e /dev/nvgpu ] || [ -e /dev/nvidia0 ]
}

# CUDA by itself counts the fastest first.
export CUDA_DEVICE_ORDER=PCI_BUS_ID
: "${NVCC:=nvcc}"
export NVCC
has_gpu || fail 'this machine has no NVIDIA GPU (or no driver): nothing was checked. What can be checked
without one: make test, and scripts/check_cuda'
[ -n "$prebuilt" ] || command -v "$NVCC" > /dev/null ||
    fail "there is no $NVCC: install the CUDA toolkit, and put its bin folder on PATH"

# From CUDA, unless the user has chosen already.
hide_older() {
    [ -z "${CUDA_VISIBLE_DEVICES-}" ] || return 0
    CUDA_VISIBLE_DEVICES=$(nvidia-smi --query-gpu=index,compute_cap --format=csv,noheader |
        awk -F ', *' -v older=", $older," '!index(older, ", " $2 ",") { printf "%s%s", sep, $1; sep = "," }')
    export CUDA_VISIBLE_DEVICES
}

# For every compute capability of this machine's GPUs, each once. ARCH stays unset if they are not
# known, or if one of them is newer than the toolkit: make's own choice is what drivers can translate.
choose_arch() {
    capabilities=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2> /dev/null | tr -d ' .' |
        grep -x '[0-9][0-9]*' | sort -nu) || return 0
    # Toolkits before CUDA 11 have no such list.
    compiles=$("$NVCC" --list-gpu-arch 2> /dev/null) || compiles=
    flags=
    newer=
    older=
    for capability in $capabilities; do
        if [ -z "$compiles" ] || printf '%s\n' "$compiles" | grep -qx "compute_$capability"; then
            flags="$flags${flags:+ }-gencode arch=compute_$capability,code=[sm_$capability,compute_$capability]"
        elif [ "$capability" -lt 75 ]; then
            older="$older${older:+, }$(echo "$capability" | sed 's/.$/.&/')"
        else
            newer=yes
        fi
    done
    if [ -n "$older" ]; then
        [ -n "$flags$newer" ] ||
            fail "$NVCC compiles nothing for this machine's GPU: CUDA 12 is the last for compute capability $older"
        echo "gpu_check: $NVCC compiles nothing for compute capability $older: left out" >&2
        hide_older
    fi
    [ -n "$newer" ] || ARCH=$flags
}

top=$(cd "$(dirname "$0")/.." && pwd)
gpu=$top/build-gpu/darknet

# ---- build ----

build() {
    [ -n "${ARCH-}" ] || choose_arch
    set -- GPU=1
    [ -z "${ARCH-}" ] || set -- "$@" "ARCH=$ARCH"
    [ -z "${DARKNET-}" ] || set -- "$@" "DARKNET=$DARKNET"
    unset BUILD MAKEFLAGS MFLAGS
    goals=kernel_tests
    ! does layers || goals="$goals cuda_tests"
    [ -z "$uses_darknet" ] || goals="$goals all"
    # Kernels need a compiler, cmocka and some darknet.h, which make will miss if need be.
    [ "$goals" = kernel_tests ] || scripts/install_deps --gpu
    # A list of words.
    # shellcheck disable=SC2086
    make -j"$(nproc)" "$@" $goals
}

# needs_built FILE GOALS
needs_built() {
    [ -x "$top/$1" ] || fail "-prebuilt: there is no $1: make GPU=1 $2 builds it"
}

if [ -n "$prebuilt" ]; then
    needs_built build-gpu/tests/kernels/list_gpus kernel_tests
    ! does layers || needs_built build-gpu/tests/device cuda_tests
    [ -z "$uses_darknet" ] || needs_built build-gpu/darknet all
fi
mkdir -p "${folder:-gpu_check}"
out=$(cd "${folder:-gpu_check}" && pwd)
cd "$top"
if [ -z "$prebuilt" ]; then
    step 'Building'
    build
fi

# A line for each GPU that CUDA uses, which is the first.
devices=$(build-gpu/tests/kernels/list_gpus) || fail "CUDA can't use the GPU: nothing was checked"
device=$(printf '%s\n' "$devices" | head -n 1)
step GPUs
echo "$devices"
if [ -n "$uses_darknet" ] && "$gpu" version 2>&1 | grep 'CPU build runs'; then
    fail "CUDA can't use the GPU: nothing was checked"
fi

# ---- kernels and layers ----

# run_tests NAME FOLDER WHAT. The last line is "N passed, N failed".
run_tests() {
    BUILD=build-gpu tests/run_unit "build-gpu/tests/$2"/test_* | tee "$out/$1.log"
    case $(tail -n 1 "$out/$1.log") in
        [1-9]*' passed, 0 failed') ;;
        *) note_failure "$3 (logs: build-gpu/tests/test_*.log)" ;;
    esac
}

# Says what keeps compute-sanitizer from being of use here: some devices it does not support.
sanitizer_lacks() {
    if ! command -v compute-sanitizer > /dev/null; then
        echo 'not installed'
    elif ! compute-sanitizer --error-exitcode 99 build-gpu/tests/kernels/list_gpus > "$out/sanitizer.log" 2>&1 ||
        grep -q 'not supported' "$out/sanitizer.log"; then
        reason=$(sed -n 's/^=* *Error: *//p' "$out/sanitizer.log" | head -n 1)
        echo "not usable here: ${reason:-see $out/sanitizer.log}"
    fi
}

sanitizer=
if does kernels || does layers; then
    sanitizer=$(sanitizer_lacks)
fi

# test_part NAME FOLDER WHAT
test_part() {
    step "Tests of $3 on the GPU"
    run_tests "$1" "$2" "tests of $3 on the GPU"
    if [ -n "$sanitizer" ]; then
        echo "compute-sanitizer is $sanitizer: left out"
        return
    fi
    for tool in memcheck racecheck; do
        step "The same under compute-sanitizer's $tool"
        RUN_UNDER="compute-sanitizer --tool $tool --error-exitcode 99" TEST_QUICK=1
        export RUN_UNDER TEST_QUICK
        run_tests "$1-$tool" "$2" "compute-sanitizer $tool, $3"
        unset RUN_UNDER TEST_QUICK
    done
}

if does kernels; then
    test_part kernels kernels kernels
fi
if does layers; then
    test_part layers device 'layers and folded networks'
fi

# ---- training ----

cd "$out"

# train NAME ITERATIONS [FLAG...]: by NAME.cfg; its numbers are in backup/NAME.csv.
train() {
    name=$1
    sed "s/^max_batches=.*/max_batches=$2/" "$top/cfg/signs.cfg" > "$name.cfg"
    shift 2
    "$gpu" "$@" detector train signs.data "$name.cfg" -clear -seed 1 > "$name.log" 2>&1 ||
        note_failure "training $name.cfg (log: $out/$name.log)"
}

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

if does training; then
    if [ ! -e signs.data ]; then
        step 'Composing photos with signs'
        "$top/scripts/compose_dataset" .
    fi
    step "Training $iterations iterations on the CPU, and on the GPU"
    train cpu "$iterations" -nogpu
    train gpu "$iterations"
    if [ -s backup/cpu.csv ] && [ -s backup/gpu.csv ]; then
        compare_losses || note_failure 'losses on CPU and GPU differ too much, or are not all there'
    fi
    if [ "$(echo "$devices" | wc -l)" -gt 1 ]; then
        step 'Training on two GPUs'
        train pair 40 -gpus 0,1
        grep 'Training 2 networks' pair.log || note_failure "-gpus 0,1 (log: $out/pair.log)"
        compare_pair || note_failure 'losses of one and of two GPUs differ too much, or are not all there'
    fi
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
if does folded && [ ! -s "$weights" ]; then
    note_failure "there is no $out/$weights to fold: the part training makes it"
elif does folded; then
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

# The table; a part that was never done here has no rows.
row='%-44s %12s %12s\n'
# shellcheck disable=SC2059
list_times() {
    printf "$row" '' GPU CPU
    if does training || [ -s "$weights" ]; then
        printf "$row" 'training, quickstart (4 bits, 160x160)' "$(images_per_second gpu)" "$(images_per_second cpu)"
        printf "$row" 'forward of it, batch of 1' "$(bench gdrq bench gpu.cfg "$weights")" "$(bench -nogpu gdrq bench gpu.cfg "$weights")"
    fi
    if [ -s folded_gpu.cfg ]; then
        printf "$row" 'folded' "$(bench gdrq bench folded_gpu.cfg)" "$(bench -nogpu gdrq bench folded_gpu.cfg)"
    fi
    tiny=$top/cfg/yolov3-tiny.cfg
    printf "$row" 'yolov3-tiny 416, 4 bits, forward' "$(bench gdrq bench "$tiny")" "$(bench -nogpu gdrq bench "$tiny")"
}

if does times; then
    step "Images per second on $device, and on the CPU"
    list_times | tee times.txt
    awk 'NR > 1 && $(NF - 1) == "-" { exit 1 }' times.txt || note_failure "a time on the GPU is missing ($out/times.txt)"
fi

step Summary
toolkit=$("$NVCC" --version 2> /dev/null | sed -n 's/.*release \([0-9.]*\).*/, CUDA \1/p') || toolkit=
echo "device: $device$toolkit"
if does kernels || does layers; then
    echo "compute-sanitizer: ${sanitizer:-memcheck, racecheck}"
fi
[ "$(echo "$parts" | wc -w)" -eq "$(echo "$all_parts" | wc -w)" ] || echo "only the parts:$parts"
[ -z "$failures" ] || fail "failed:$failures"
echo 'all is well'
