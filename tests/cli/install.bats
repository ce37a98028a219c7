# What `make install` puts somewhere works from there.

setup() {
    load common
    cd "$BATS_TEST_TMPDIR"
}

@test "a program built with pkg-config against the installed library finds and uses it" {
    if [ -n "$SANITIZE" ]; then skip "the sanitizer's runtime is not linked into the program"; fi
    top="$BATS_TEST_DIRNAME/../.."
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
