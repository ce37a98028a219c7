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

@test "the kernels' check needs a compiler" {
    NVCC=no-such-nvcc run "$top/scripts/check_cuda"
    [ "$status" -eq 1 ]
    says "there is no no-such-nvcc"
}

@test "a CPU build takes the flags that choose a GPU" {
    run darknet -i 0 -nogpu version
    [ "$status" -eq 0 ]
    run darknet -i -1 version
    [ "$status" -eq 2 ]
    says "-i"
    run darknet -i many version
    [ "$status" -eq 2 ]
    says "'many' is not a whole number from 0 to 1023"
}
