# Running programs with and without the plugin; sourced by the bats files.

# A sanitized plugin needs the sanitizer's runtime loaded before it.
plugin="$BUILD/libgdrq.so"
case "$SANITIZE" in
*address*) plugin="$(gcc -print-file-name=libasan.so) $plugin" ;;
esac
# The host leaks, and copies strings onto themselves.
export ASAN_OPTIONS=detect_leaks=0:replace_str=0

stock() { "$BUILD/tests/$@"; }
plugged() { LD_PRELOAD="$plugin" "$BUILD/tests/$@"; }

# write_cfg FILE: from standard input, with a [net] section of a small network in front.
write_cfg() {
    { printf '[net]\nbatch=1\nwidth=32\nheight=32\nchannels=3\nlearning_rate=0.001\n'; cat; } > "$1"
}

# A detector of two classes whose head reads `max` boxes per image.
write_detector() {
    write_cfg "$1" << EOF
[convolutional]
filters=8
size=3
pad=1
activation=leaky
[maxpool]
size=2
stride=2
[convolutional]
filters=14
size=1
activation=linear
[yolo]
mask=0,1
anchors=4,4, 16,16
classes=2
num=2
max=${2:-90}
EOF
}
