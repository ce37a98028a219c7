# The demo's page in a browser, where there is one.

bats_require_minimum_version 1.5.0

setup() {
    load common
}

@test "the page: the picture moves, the slider sets the threshold, the graphs fill" {
    run "$top/tests/web/check_page" "$BUILD/tests/serve_frames"
    [ "$status" -ne 77 ] || skip "${lines[0]}"
    echo "$output"
    [ "$status" -eq 0 ]
}
