# darknet detector demo and classifier demo: videos in, results out.

setup_file() {
    load common
    cd "$BATS_FILE_TMPDIR"
    # A folded network whose random weights find something nearly everywhere.
    write_cfg small.cfg batch=1 subdivisions=1
    write_random_weights stock.weights 3
    printf 'classes=4\nnames=signs.names\n' > signs.data
    printf 'stop\nyield\nspeed\npriority\n' > signs.names
    darknet gdrq calibrate small.cfg stock.weights "$photo" small.weights
    darknet gdrq fold small.cfg small.weights folded.cfg folded.weights
    "$top/scripts/compose_video" video.avi --frames 24 --size 160x120 --fps 20
}

setup() {
    load common
    cd "$BATS_FILE_TMPDIR"
    cp -n "$photo" one.jpg
}

demo() { "$BUILD/darknet" detector demo signs.data folded.cfg folded.weights "$@"; }

# The frames of a video, and whether they are of WxH.
count_frames() {
    darknet detector demo signs.data folded.cfg folded.weights "$1" -json - -thresh 1 > counted
    check_lines counted "$2" "line['width'] == $3 and line['height'] == $4"
}

@test "a video's frames are detected in order, all of them, as test does it" {
    demo video.avi -dont_show -json lines -thresh .2 > summary
    grep -qE '^24 frames, [0-9.]+ FPS, latency .* 0 dropped' summary
    check_lines lines 24 "line['frame_id'] == i + 1 and abs(line['time'] - i / 20) < .002 and \
        line['width'] == 160 and line['height'] == 120"
    grep -q '"class_id"' lines
    demo video.avi -dont_show -json - -thresh .2 2> said | sed 's/"latency_ms":[0-9.]*//' > other
    sed 's/"latency_ms":[0-9.]*//' lines | diff - other
    grep -q '^24 frames' said
    # A picture alone is a video of one frame.
    demo one.jpg -dont_show -json one.jsonl -thresh .2
    darknet detector test signs.data folded.cfg folded.weights one.jpg -thresh .2 -out one.json
    /usr/bin/python3 -c '
import json
[here], [there] = map(json.loads, open("one.jsonl")), json.load(open("one.json"))
drop = [{k: v for k, v in o.items() if k != "pixels"} for o in here["objects"]]
assert drop and drop == there["objects"], (drop, there["objects"])
p, r = here["objects"][0]["pixels"], drop[0]["relative_coordinates"]
assert abs(p["left"] - (r["center_x"] - r["width"] / 2) * here["width"]) < .2'
}

@test "stock networks, -avg, -s and -ext_output" {
    darknet detector demo signs.data small.cfg small.weights video.avi -dont_show -avg 3 -s 3 \
        -json lines -ext_output -thresh .2 > printed
    check_lines lines 6 "line['frame_id'] == 1 + 4 * i"
    [ "$(grep -c '^Frame [0-9]*:$' printed)" -eq 6 ]
    grep -q '(left_x: .* width: .*)$' printed
    darknet detector demo signs.data small.cfg small.weights video.avi -s 3 -json alone -thresh .2
    head -1 lines | sed 's/"latency_ms":[0-9.]*//' > mean
    head -1 alone | sed 's/"latency_ms":[0-9.]*//' | diff mean -
    fails diff <(tail -1 lines | sed 's/.*objects//') <(tail -1 alone | sed 's/.*objects//')
}

@test "videos and numbered frames are written and can be read again" {
    for out in out.avi out.mp4 out.mkv; do
        demo video.avi -dont_show -out_filename $out
        count_frames $out 24 160 120
    done
    [ -z "$(ls ./*.part-* 2> /dev/null)" ]
    demo video.avi -prefix frame -thresh .2
    [ "$(ls frame_000000??.jpg | wc -l)" -eq 24 ]
    count_frames 'frame_*.jpg' 24 160 120
    count_frames 'frame_%08d.jpg' 24 160 120
    run demo 'frame_%08d.jpg' -prefix ./frame
    one_line_error 1 "frame_00000001.jpg, which is read, could be replaced"
    mkdir -p frames && mv frame_*.jpg frames
    echo broken > frames/frame_00000003.jpg
    run demo frames -dont_show -json lines
    [ "$status" -eq 1 ]
    says "frames that could not be read: 1"
    check_lines lines 23 "line['width'] == 160"
}

@test "a live source drops frames, comes back when it was lost, and ends by the clock" {
    demo fake:size=160x120,fps=200,frames=40,vanish_at=20,gone=.1,resize_at=30 -dont_show \
        -out_filename live.avi -json lines > summary 2> said
    grep -q "the camera is gone; trying again in 0.5 s" said
    tail -1 lines | grep -q '"frame_id":40, .*"width":320'
    darknet detector demo signs.data folded.cfg folded.weights live.avi -json counted
    grep -q '"width":160' counted
    SECONDS=0
    demo fake:size=64x64,fps=50,stall_at=5,stall=60 -stall 20 -time_limit_sec 1 -benchmark > summary
    grep -qE '^5 frames' summary
    [ "$SECONDS" -lt 10 ]
}

@test "a pipeline of GStreamer is a live source, and a pipe that closes ends it in order" {
    demo "videotestsrc is-live=true num-buffers=8 ! video/x-raw,width=64,height=48,framerate=30/1" \
        -dont_show -json lines -time_limit_sec 3 > summary 2> said
    grep -q "no more frames; trying again in 0.5 s" said
    [ "$(wc -l < lines)" -gt 10 ]
    check_lines lines "$(wc -l < lines)" "line['width'] == 64"
    run demo "nosuchsource ! appsink"
    [ "$status" -eq 1 ]
    says "GStreamer can't run this pipeline"
    { demo fake:size=64x64,fps=100 -dont_show -json - -out_filename piped.avi 2> said &&
        false || echo "$?" > status; } | head -2 > two
    [ "$(cat status)" -eq 1 ]
    grep -q "standard output: can't write: Broken pipe" said
    demo piped.avi -benchmark
}

@test "Ctrl-C ends it with all files complete" {
    # Not the function, which would be another process.
    rm -f lines
    "$BUILD/darknet" detector demo signs.data folded.cfg folded.weights fake:size=64x64,fps=50 \
        -dont_show -time_limit_sec 60 -out_filename stopped.avi -json lines > summary 3>&- &
    local job=$!
    for _ in {1..100}; do [ -s lines ] && [ "$(wc -l < lines)" -gt 5 ] && break; sleep .1; done
    [ ! -e stopped.avi ]
    kill -INT $job
    local status=0
    wait $job || status=$?
    [ "$status" -eq 130 ]
    local n=$(wc -l < lines)
    check_lines lines "$n" "line['width'] == 64"
    grep -q "^$n frames" summary
    demo stopped.avi -json counted
    grep -q '"width":64' counted
}

@test "a pipe is a file that may block: all its frames count, and Ctrl-C does not wait" {
    mkfifo pipe
    cat video.avi > pipe 3>&- &
    demo pipe -dont_show -json lines
    check_lines lines 24 "line['frame_id'] == i + 1"
    rm lines
    { cat video.avi | head -c 60000; exec sleep 20; } > pipe 3>&- &
    local writer=$!
    "$BUILD/darknet" detector demo signs.data folded.cfg folded.weights pipe -dont_show \
        -stall 20 -json lines > summary 2> said 3>&- &
    local job=$! status=0
    for _ in {1..100}; do [ -s lines ] && break; sleep .1; done
    SECONDS=0
    kill -INT $job
    wait $job || status=$?
    kill $writer
    [ "$status" -eq 130 ]
    [ "$SECONDS" -lt 5 ]
    grep -qE '^[1-9][0-9]* frames' summary
}

@test "results at a terminal have lines of their own" {
    script -qec "'$BUILD/darknet' detector demo signs.data folded.cfg folded.weights \
        fake:size=64x64,fps=20,frames=12 -dont_show -json - -thresh 1" /dev/null < /dev/null > typed
    grep -q 'frames, .* FPS, .*playing' typed
    grep -q '^{"frame_id":12,' typed
    fails grep -q 'FPS.*{"frame_id"' typed
}

@test "what can't be a source, an output or a combination is refused before anything is written" {
    run demo no/such.mp4 -dont_show -json new.jsonl
    one_line_error 1 "no/such.mp4: no camera, video or folder of pictures"
    echo text > text.mp4
    run demo text.mp4
    [ "$status" -eq 1 ]
    says "not a video"
    run demo -c 9
    [ "$status" -eq 1 ]
    says "camera 9 can't be opened"
    mkdir -p empty
    run demo empty -dont_show
    says "the folder has no picture"
    run demo video.avi -w 640
    says "-w, -h and -fps are asked of cameras"
    run demo video.avi -out_filename out.txt
    one_line_error 1 "must end in .avi, .mp4 or .mkv"
    run demo video.avi -out_filename video.avi
    one_line_error 1 "video.avi would be replaced"
    run demo video.avi -json no/such/folder.json
    one_line_error 1 "no/such/folder.json"
    run demo video.avi -benchmark -json -
    one_line_error 1 "-benchmark has no output"
    run demo video.avi -json - -ext_output
    one_line_error 1 "would both print"
    run demo video.avi -avg 0
    one_line_error 2 "-avg"
    run demo video.avi -json
    one_line_error 2 "-json needs a value"
    [ ! -e new.jsonl ]
    demo video.avi -json /dev/full 2> said && false
    grep -q "/dev/full: can't write: No space left" said
}

@test "-h is help, but before a number the camera's height" {
    run demo -h
    [ "$status" -eq 0 ]
    says "usage: darknet detector demo DATA"
    run demo fake:fps=9 -h 480
    [ "$status" -eq 1 ]
    says "are asked of cameras"
}

@test "classifier demo tells classes and draws them" {
    cat > classes.cfg << 'EOF'
[net]
batch=1
width=32
height=32
channels=3
[gdrq_convolutional]
filters=4
size=3
stride=4
pad=1
activation=leaky
weight_bits=8
[avgpool]
[softmax]
EOF
    printf 'classes=4\nnames=signs.names\ntop=2\n' > classes.data
    /usr/bin/python3 -c '
import random, struct, sys
random.seed(5)
floats = [random.gauss(0, .3) for _ in range(4 + 4 * 27)]
sys.stdout.buffer.write(struct.pack("<iiiQ112f", 0, 2, 0, 0, *floats))' > classes.weights
    darknet classifier demo classes.data classes.cfg classes.weights video.avi -dont_show \
        -json lines -out_filename classes.avi > summary
    check_lines lines 24 "[len(o['name']) > 0 for o in line['objects']] == [True, True] and \
        line['objects'][0]['confidence'] >= line['objects'][1]['confidence'] > 0"
    count_frames classes.avi 24 160 120
    darknet classifier demo classes.data classes.cfg classes.weights one.jpg -ext_output -t 4 > four
    [ "$(grep -cE '^ *[0-9.]+%: [a-z]+$' four)" -eq 4 ]
}

@test "results are served, and the slider moves the threshold" {
    "$BUILD/darknet" detector demo signs.data folded.cfg folded.weights fake:size=64x64,fps=50 \
        -dont_show -thresh .2 -time_limit_sec 60 -http 0 -mjpeg_port 0 -json_port 0 \
        > summary 2> said 3>&- &
    local job=$!
    wait_for_line "^darknet: -json_port: http" said
    /usr/bin/python3 - said << 'END'
import json, re, sys, time, urllib.request
address = dict(re.findall(r"darknet: -(\w+): (\S+)", open(sys.argv[1]).read()))
def get(name, data=None):
    return urllib.request.urlopen(address["http"] + name, data, timeout=10)
def objects():
    return len(json.load(get("detections.json"))["objects"])
until = time.time() + 10
while objects() == 0: assert time.time() < until
get("threshold", b"value=0.999")
while objects() > 0: assert time.time() < until
assert b"darknet_threshold 0.99" in get("metrics").read()
jpeg = urllib.request.urlopen(address["mjpeg_port"], timeout=10).read(5000)
assert b"image/jpeg" in jpeg and b"\xff\xd8\xff" in jpeg
line = urllib.request.urlopen(address["json_port"], timeout=10).readline()
assert json.loads(line)["width"] == 64
END
    kill -TERM $job
    local status=0
    wait $job || status=$?
    [ "$status" -eq 143 ]
    grep -q "frames, " summary
    run demo video.avi -http 1 -http_bind 192.0.2.1
    [ "$status" -eq 1 ]
    says "192.0.2.1"
}

@test "an outage is seen on the web, with the last results" {
    rm -f said
    "$BUILD/darknet" detector demo signs.data folded.cfg folded.weights \
        fake:size=64x64,fps=50,vanish_at=20,gone=30 -dont_show -thresh .2 -time_limit_sec 60 -http 0 \
        > summary 2> said 3>&- &
    local job=$!
    wait_for_line "^darknet: -http: http" said
    /usr/bin/python3 - said << 'END'
import json, re, sys, time, urllib.request
address = re.search(r"-http: (\S+)", open(sys.argv[1]).read())[1]
def get(name):
    return urllib.request.urlopen(address + name, timeout=10)
states, until = [], time.time() + 10
for line in get("events"):
    assert time.time() < until, states
    if not line.startswith(b"data: "): continue
    event = json.loads(line[6:])
    states.append((event["statistics"]["source"], event["statistics"]["fps"]))
    if states[-1][0].startswith("reconnecting") and states[-1][1] < 5: break
assert event["detections"] is None and event["frame"] > 0, event
metrics = get("metrics").read().decode()
assert "\ndarknet_source_playing 0\n" in metrics, metrics
assert json.load(get("detections.json"))["frame_id"] == event["frame"]
END
    kill -TERM $job
    wait $job || true
}

@test "IPv6 addresses are printed as browsers take them" {
    grep -q 00000001 /proc/net/if_inet6 2> /dev/null || skip "this machine has no ::1"
    run demo video.avi -dont_show -http 0 -http_bind ::1
    [ "$status" -eq 0 ]
    says "http://[::1]:"
}

@test "a window takes its keys where there is a display" {
    QT_QPA_PLATFORM=offscreen demo video.avi > summary
    grep -q '^24 frames' summary
    run env -u DISPLAY -u QT_QPA_PLATFORM "$BUILD/darknet" detector demo signs.data folded.cfg \
        folded.weights video.avi
    [ "$status" -eq 0 ]
    says "there is no display"
}
