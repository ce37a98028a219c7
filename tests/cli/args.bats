# Commands, flags and help, before any network is read.

setup() {
    load common
    cd "$BATS_TEST_TMPDIR"
}

@test "help lists the commands, and each explains itself" {
    for ask in "" help -h --help; do
        run darknet $ask
        [ "$status" -eq 0 ]
        says detector
        says gdrq
    done
    run darknet detector -h
    [ "$status" -eq 0 ]
    says train
    run darknet detector test -h
    [ "$status" -eq 0 ]
    says "DATA CFG WEIGHTS [IMAGE]"
    says "-thresh P"
    says "(0.5)"
    run darknet gdrq convert --help
    [ "$status" -eq 0 ]
    says "-weight_bits N"
}

@test "version names the library's" {
    run darknet version
    [ "$status" -eq 0 ]
    [[ "$output" =~ libgdrq\ [0-9]+\.[0-9]+\.[0-9]+ ]]
}

@test "what can't be printed is an error" {
    run bash -c '"$BUILD/darknet" version > /dev/full'
    one_line_error 1 "standard output"
}

@test "an unknown flag is an error that names the nearest" {
    run darknet detector test d c w -tresh .3
    one_line_error 2 "-tresh; the nearest is -thresh"
    run darknet detector train d c -mjpeg_port 8090
    one_line_error 2 "-mjpeg_port"
    [[ "$output" != *nearest* ]]
    run darknet detector test d c w -ext
    one_line_error 2 "-ext; the nearest is -ext_output"
    run darknet -thresh .3
    one_line_error 2 "-thresh"
}

@test "flags may stand before the command, and help may be asked for it" {
    run darknet -tresh .3 detector test d c w
    one_line_error 2 "-tresh; the nearest is -thresh"
    run darknet --dont-show -thresh .3 detector test none.data c w
    one_line_error 1 "none.data"
    run darknet --version
    [ "$status" -eq 0 ]
    says "libgdrq"
    [ "$(darknet help detector)" = "$(darknet detector -h)" ]
}

@test "a wrong command is an error that names the nearest" {
    run darknet detecter test
    one_line_error 2 "the nearest is detector"
    run darknet detector tets
    one_line_error 2 "the nearest is test"
    run darknet gdrq verfy
    one_line_error 2 "the nearest is verify"
}

@test "missing and malformed values and operands are errors" {
    run darknet detector test d c w -thresh
    one_line_error 2 "-thresh needs a value"
    run darknet detector test d c w -thresh -out
    one_line_error 2 "-thresh needs a value"
    run darknet detector test d c w -thresh high
    one_line_error 2 "'high'"
    run darknet detector test d c
    one_line_error 2 "WEIGHTS is missing"
    run darknet detector map d c w v
    one_line_error 2 "'v' is one too many"
    run darknet detector map d c w -iou_thresh .52
    one_line_error 2 "-iou_thresh"
    run darknet detector trian d c
    one_line_error 2 "'trian' is not a verb"
    run darknet gdrq bake
    one_line_error 2 "'bake' is not a verb"
    run darknet gdrq convert in.cfg out.cfg -weight_bits 9
    one_line_error 2 "from 2 to 8"
}

@test "flags stand anywhere and in any spelling" {
    # That the flags are right shows in the file being the first thing that is wrong.
    run darknet -i 0 detector -nogpu test -thresh .3 missing.data --dontshow c w -OUT x
    one_line_error 1 "missing.data"
    run darknet detector --dont-show test missing.data c w -Ext_Output -thresh=.1
    one_line_error 1 "missing.data"
}

@test "every command takes -cpumask, and its sets only" {
    for command in "detector test missing.data c w" "classifier predict missing.data c w" \
        "gdrq bench missing.cfg"; do
        run darknet $command -cpumask avx2
        one_line_error 1 "missing."
        run darknet -cpumask=c $command
        one_line_error 1 "missing."
        run darknet $command -cpumask mmx
        one_line_error 2 "-cpumask: 'mmx' is no level of processors; there are c, avx2 and avx512vnni"
        run darknet --cpumask mmx $command
        one_line_error 2 "-cpumask: 'mmx'"
    done
}

@test "a command that we do not have is handed to the stock one" {
    [ -x /usr/bin/darknet ] || skip "the stock command is not installed"
    run darknet average
    [ "$status" -ne 2 ]
    [ "$output" = "$(/usr/bin/darknet average 2>&1)" ]
}

@test "a cfg with gdrq sections is not handed over" {
    write_cfg small.cfg
    run darknet classifier validfull x.data small.cfg
    one_line_error 1 "gdrq sections of small.cfg"
    run darknet partial small.cfg a.weights b.weights 3
    one_line_error 1 "gdrq sections of small.cfg"
    printf '[net]\n[folded_convolutional]\n' > folded.cfg
    run darknet partial folded.cfg a.weights b.weights 3
    one_line_error 1 "gdrq sections of folded.cfg"
}

@test "the command installed as /usr/bin/darknet would not call itself" {
    # Only its own copy can tell; a link has the same file, as a package's would.
    [ "$(id -u)" -eq 0 ] && command -v unshare > /dev/null || skip "needs a mount namespace"
    unshare -m true 2> /dev/null || skip "needs a mount namespace"
    run timeout 20 unshare -m sh -c \
        'mount --bind "$0" /usr/bin/darknet && LD_LIBRARY_PATH=$1 /usr/bin/darknet rnn' \
        "$BUILD/darknet" "$BUILD"
    one_line_error 1 "'rnn' is not a command here"
}

@test "gdrq convert names what it can't read or write" {
    run darknet gdrq convert missing.cfg out.cfg
    one_line_error 1 "missing.cfg"
    run darknet gdrq convert /usr/share/darknet/cfg/yolov3-tiny.cfg no/such/folder/out.cfg
    one_line_error 1 "no/such/folder/out.cfg"
    [ ! -e out.cfg ]
}

@test "without a wait policy the command sets one and goes on with its arguments" {
    unset GOMP_SPINCOUNT
    run darknet version
    [ "$status" -eq 0 ]
    [ "$output" = "$(GOMP_SPINCOUNT=1000 darknet version)" ]
    run darknet gdrq convert "no such.cfg" out.cfg
    [ "$status" -eq 1 ]
    says "no such.cfg"
}
