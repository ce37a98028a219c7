# What a machine without CUDA can see of GPU builds.

setup() {
    load common
    cd "$BATS_TEST_TMPDIR"
}

@test "building Darknet for the GPU says what it lacks, and leaves nothing behind" {
    run env -u ARCH "$top/scripts/build_darknet_gpu"
    [ "$status" -eq 1 ]
    says "usage:"
    run env -u ARCH "$top/scripts/build_darknet_gpu" tree
    [ "$status" -eq 1 ]
    says "-gencode"
    run env ARCH=any NVCC=no-such-nvcc "$top/scripts/build_darknet_gpu" tree
    [ "$status" -eq 1 ]
    says "there is no no-such-nvcc: install the CUDA toolkit"
    [ ! -e tree ]
}

@test "the source package is fetched with lists of its own, and what fails is said" {
    mkdir bin
    for program in nvcc dpkg-source; do
        printf '#!/bin/sh\nexit 1\n' > bin/$program
    done
    printf '#!/bin/sh\necho "$@" >> "%s/calls"\nexit 100\n' "$PWD" > bin/apt-get
    chmod +x bin/*
    PATH="$PWD/bin:$PATH" ARCH=any run "$top/scripts/build_darknet_gpu" tree
    [ "$status" -eq 1 ]
    says "can't fetch the source package of darknet"
    says "make GPU=1 DARKNET="
    [ "$(grep -c "Dir::Etc::sourceparts=$PWD/tree.apt/parts" calls)" -eq 2 ]
    run cat tree.apt/sources.list tree.apt/parts/*
    says "deb-src"
    [ "$(grep -c '^deb ' tree.apt/sources.list || true)" -eq 0 ]
}

@test "CUDA is where nvcc itself says, not where a script of its name stands" {
    mkdir -p bin toolkit/bin
    printf '#!/bin/sh\necho "#$ _HERE_=elsewhere" >&2\necho "#$ TOP=%s/toolkit/bin/.." >&2\n' "$PWD" > bin/nvcc
    printf '#!/bin/sh\nexit 1\n' > toolkit/bin/nvcc
    chmod +x bin/nvcc toolkit/bin/nvcc
    for nvcc in bin/nvcc toolkit/bin/nvcc; do
        NVCC=$PWD/$nvcc run "$top/scripts/cuda_folder"
        [ "$status" -eq 0 ]
        [ "$output" = "$(pwd -P)/toolkit" ]
    done
    NVCC=no-such-nvcc run "$top/scripts/cuda_folder"
    [ "$status" -eq 1 ]
    says "there is no no-such-nvcc"
}

@test "the kernels' check needs a compiler" {
    NVCC=no-such-nvcc run "$top/scripts/check_cuda"
    [ "$status" -eq 1 ]
    says "there is no no-such-nvcc"
}

@test "the check on a GPU says that there is none, and does nothing" {
    [ ! -e /dev/nvidia0 ] && [ ! -e /dev/nvhost-gpu ] && [ ! -e /dev/nvgpu ] || skip "here is one"
    run "$top/scripts/gpu_check.sh" out
    [ "$status" -eq 1 ]
    says "this machine has no NVIDIA GPU"
    says "nothing was checked"
    [ ! -e out ]
    shellcheck=$(command -v shellcheck) || skip "no shellcheck"
    "$shellcheck" "$top/scripts/gpu_check.sh"
}

# script FILE LINE...: lines of sh.
script() {
    printf '%s\n' '#!/bin/sh' "${@:2}" > "$1"
    chmod +x "$1"
}

# The check in a tree of its own, between programs that act as if there were GPUs, of the compute
# capabilities $pretended; nvcc knows some. What make gets is in tree/made, a word a line.
pretend_gpus() {
    mkdir -p bin tree/scripts tree/tests tree/build-gpu/tests/kernels
    cp "$top/scripts/gpu_check.sh" tree/scripts
    cp "$top/tests/run_unit" tree/tests
    script bin/nvidia-smi 'case $1 in' '-L) echo "GPU 0: pretended" ;;' \
        '*index*) printf "%s\n" $pretended | awk "{ print NR - 1 \", \" \$1 }" ;;' \
        '*) printf "%s\n" $pretended ;;' esac
    script bin/nvcc 'case $1 in' '--list-gpu-arch) printf "compute_%s\n" 75 80 86 90 ;;' \
        '*) echo "Cuda compilation tools, release 13.0, V13.0.1" ;;' esac
    script bin/make 'printf "%s\n" "$@" > made'
    script bin/compute-sanitizer 'while [ "${1#-}" != "$1" ]; do' \
        'case $1 in --error-exitcode | --tool) shift ;; esac' shift done 'exec "$@"'
    script tree/scripts/install_deps 'echo "$@" > installed'
    script tree/build-gpu/tests/kernels/list_gpus 'echo "Pretended, compute capability 9.0"' \
        'echo "$CUDA_DEVICE_ORDER" > order' 'echo "${CUDA_VISIBLE_DEVICES-all}" > visible'
    script tree/build-gpu/tests/kernels/test_one 'echo "[  PASSED  ] 3 test(s)."'
    export pretended=9.0
    PATH="$PWD/bin:$PATH"
}

@test "the check on a GPU refuses what it does not know before it does anything" {
    pretend_gpus
    for options in --all "-only" "-prebuilt a b" "-only kernels -x"; do
        # shellcheck disable=SC2086
        run tree/scripts/gpu_check.sh $options
        [ "$status" -eq 1 ]
        [ "$output" = "gpu_check: usage: scripts/gpu_check.sh [-only PART,...] [-prebuilt] [FOLDER]" ]
    done
    for parts in kernel, ,kernels times,, "kernels folded" "*"; do
        run tree/scripts/gpu_check.sh -only "$parts" out
        [ "$status" -eq 1 ]
        says "-only: there is no part '"
        says "they are kernels, layers, training, folded, times"
        [ "${#lines[@]}" -eq 1 ]
    done
    for part in layers training times; do
        run tree/scripts/gpu_check.sh -prebuilt -only "kernels,$part" out
        [ "$status" -eq 1 ]
        says "-prebuilt: there is no build-gpu/"
    done
    [ ! -e tree/made ] && [ ! -e tree/installed ] && [ ! -e out ]
}

@test "the check of kernels alone installs nothing and builds no more than them, or nothing" {
    pretend_gpus
    run tree/scripts/gpu_check.sh -only kernels out
    [ "$status" -eq 0 ]
    says "all is well"
    says "only the parts: kernels"
    says "compute-sanitizer: memcheck, racecheck"
    [ "$(grep -c '3 passed, 0 failed' out/kernels.log out/kernels-*check.log | grep -c ':2$')" -eq 3 ]
    [ "$(tail -n 1 tree/made)" = kernel_tests ]
    [ "$(grep -c _tests tree/made)" -eq 1 ]
    [ ! -e tree/installed ]
    [ "$(cat tree/order)" = PCI_BUS_ID ]
    rm tree/made bin/nvcc
    NVCC=no-such-nvcc run tree/scripts/gpu_check.sh -prebuilt -only kernels out
    [ "$status" -eq 0 ]
    [ ! -e tree/made ]
    script tree/build-gpu/tests/kernels/test_two 'echo "[  FAILED  ] 1 test(s), listed below:"' 'exit 1'
    NVCC=no-such-nvcc run tree/scripts/gpu_check.sh -prebuilt -only kernels out
    [ "$status" -eq 1 ]
    says "3 passed, 1 failed"
    says "tests of kernels on the GPU (logs:"
    script tree/build-gpu/tests/kernels/list_gpus 'echo "no device" >&2' 'exit 1'
    run tree/scripts/gpu_check.sh -prebuilt -only kernels out
    [ "$status" -eq 1 ]
    says "CUDA can't use the GPU: nothing was checked"
}

@test "parts of the check on a GPU build what they need, and say which others they lack" {
    pretend_gpus
    mkdir tree/build-gpu/tests/device
    script tree/build-gpu/tests/device/test_layer 'echo "[  PASSED  ] 5 test(s)."'
    run tree/scripts/gpu_check.sh -only layers out
    [ "$status" -eq 0 ]
    says "5 passed, 0 failed"
    [ "$(tail -n 2 tree/made | tr '\n' ' ')" = "kernel_tests cuda_tests " ]
    [ "$(cat tree/installed)" = --gpu ]
    script tree/build-gpu/darknet 'echo "Total" && echo "12.5 images/s (80 ms)"'
    run tree/scripts/gpu_check.sh -only folded,times out
    [ "$status" -eq 1 ]
    says "there is no $(pwd -P)/out/backup/gpu_final.weights to fold: the part training makes it"
    [ "$(tail -n 2 tree/made | tr '\n' ' ')" = "kernel_tests all " ]
    [ "$(grep -c 12.5 out/times.txt)" -eq 1 ]
    run tree/scripts/gpu_check.sh -prebuilt -only times out
    [ "$status" -eq 0 ]
    [ ! -e out/signs.data ]
}

@test "a compute-sanitizer that does not support the GPU fails no tests" {
    pretend_gpus
    for status_of_it in 0 1; do
        script bin/compute-sanitizer 'echo "========= COMPUTE-SANITIZER"' \
            'echo "========= Error: Device not supported. See the documentation."' "exit $status_of_it"
        run tree/scripts/gpu_check.sh -prebuilt -only kernels out
        [ "$status" -eq 0 ]
        says "compute-sanitizer: not usable here: Device not supported."
        [ ! -e out/kernels-memcheck.log ]
    done
}

@test "the check on a GPU builds for all compute capabilities of the machine, each once" {
    pretend_gpus
    pretended="9.0 8.6 9.0" run tree/scripts/gpu_check.sh -only kernels out
    [ "$status" -eq 0 ]
    grep -qxF "ARCH=-gencode arch=compute_86,code=[sm_86,compute_86] -gencode arch=compute_90,code=[sm_90,compute_90]" tree/made
    # Newer than nvcc, or not known: what make chooses by itself.
    for pretended in "9.0 12.0" "[N/A]" ""; do
        run tree/scripts/gpu_check.sh -only kernels out
        [ "$status" -eq 0 ]
        [ "$(grep -c ARCH= tree/made || true)" -eq 0 ]
    done
    [ "$(cat tree/visible)" = all ]
    pretended="9.0 6.1 9.0" run tree/scripts/gpu_check.sh -only kernels,kernels out
    [ "$status" -eq 0 ]
    says "compiles nothing for compute capability 6.1: left out"
    says "only the parts: kernels"
    [ "$(cat tree/visible)" = 0,2 ]
    CUDA_VISIBLE_DEVICES=2 pretended="9.0 6.1 9.0" run tree/scripts/gpu_check.sh -only kernels out
    [ "$(cat tree/visible)" = 2 ]
    grep -qxF "ARCH=-gencode arch=compute_90,code=[sm_90,compute_90]" tree/made
    rm tree/made
    pretended=6.1 run tree/scripts/gpu_check.sh -only kernels out
    [ "$status" -eq 1 ]
    says "CUDA 12 is the last for compute capability 6.1"
    [ ! -e tree/made ]
    ARCH="-gencode any" run tree/scripts/gpu_check.sh -only kernels out
    [ "$status" -eq 0 ]
    grep -qx "ARCH=-gencode any" tree/made
}

@test "a CPU build takes lists of GPUs, if they are such" {
    run darknet -gpus 0,1,2 version
    [ "$status" -eq 0 ]
    run darknet -gpus 0,1,0 version
    [ "$status" -eq 2 ]
    says "GPU 0 is named twice"
    for list in 0, ,1 0,x 0,-1 0,1234 0,16; do
        run darknet "-gpus=$list" version
        [ "$status" -eq 2 ]
        says "is not a whole number from 0 to 15"
    done
    run darknet -gpus 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15 version
    [ "$status" -eq 0 ]
    run darknet -gpus 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,0 version
    [ "$status" -eq 2 ]
    says "more than 16 GPUs"
}

@test "a CPU build takes the flags that choose a GPU" {
    run darknet -i 0 -nogpu version
    [ "$status" -eq 0 ]
    run darknet -i -1 version
    [ "$status" -eq 2 ]
    says "-i"
    run darknet -i many version
    [ "$status" -eq 2 ]
    says "'many' is not a whole number from 0 to 15"
}
