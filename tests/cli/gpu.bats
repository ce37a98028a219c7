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
    run "$top/scripts/gpu_check.sh" --all
    [ "$status" -eq 1 ]
    says "usage: scripts/gpu_check.sh [FOLDER]"
    shellcheck=$(command -v shellcheck) || skip "no shellcheck"
    "$shellcheck" "$top/scripts/gpu_check.sh"
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
