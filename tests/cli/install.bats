# What `make install` puts somewhere works from there.

setup() {
    load common
    cd "$BATS_TEST_TMPDIR"
}

@test "a program built with pkg-config against the installed library finds and uses it" {
    if [ -n "$SANITIZE" ]; then skip "the sanitizer's runtime is not linked into the program"; fi
    make -s -C "$top" install BUILD="$BUILD" PREFIX="$PWD/inst" > /dev/null
    ./inst/bin/darknet version
    cat > program.c << EOF
#include <darknet.h>
#include <gdrq.h>
int main(void) {
    gdrq_error err;
    struct network *net;
    puts(gdrq_version());
    return gdrq_network_parse("/nonexistent.cfg", NULL, NULL, &net, &err) != GDRQ_ERROR_IO;
}
EOF
    export PKG_CONFIG_PATH="$PWD/inst/lib/pkgconfig"
    gcc program.c -o program $(pkg-config --cflags --libs gdrq)
    run ./program
    echo "$output"
    [ "$status" -eq 0 ]
    [ "$output" = "$(pkg-config --modversion gdrq)" ]
    make -s -C "$top" uninstall PREFIX="$PWD/inst"
    [ -z "$(find inst -type f)" ]
}

@test "the manual, the completion and the cfgs are where they are looked for" {
    make -s -C "$top" install BUILD="$BUILD" DESTDIR="$PWD/stage" PREFIX=/usr > /dev/null
    share=stage/usr/share
    cmp "$top/man/darknet.1" $share/man/man1/darknet.1
    if command -v man > /dev/null; then
        [ "$(man -M "$PWD/$share/man" -w darknet)" = "$PWD/$share/man/man1/darknet.1" ]
    fi
    cmp "$top/scripts/darknet.bash-completion" $share/bash-completion/completions/darknet
    for kind in cfg data labels; do
        ls $share/darknet-gdrq/cfg/cifar10*.$kind
    done
    diff <(cd "$top/cfg" && ls ./*.cfg ./*.data ./*.labels ./*.names ./*.palette) \
        <(cd $share/darknet-gdrq/cfg && ls ./*)
    [ -z "$(find stage -type f ! -perm 644 ! -path '*/bin/darknet')" ]
}

@test "uninstall removes what install put there, and nothing else" {
    mkdir -p inst/share/man/man1 inst/share/darknet-gdrq/cfg inst/share/bash-completion/completions
    for other in man/man1/other.1 darknet-gdrq/cfg/mine.cfg bash-completion/completions/other; do
        echo mine > inst/share/$other
    done
    make -s -C "$top" install BUILD="$BUILD" PREFIX="$PWD/inst" > /dev/null
    make -s -C "$top" uninstall PREFIX="$PWD/inst"
    [ "$(find inst -type f | wc -l)" -eq 3 ]
    rm inst/share/darknet-gdrq/cfg/mine.cfg
    make -s -C "$top" uninstall PREFIX="$PWD/inst"
    [ ! -e inst/share/darknet-gdrq ]
    make -s -C "$top" uninstall PREFIX="$PWD/inst"
}
