# darknet segmenter, end to end on small drawn scenes.

bats_require_minimum_version 1.5.0

setup_file() {
    load common
    cd "$BATS_FILE_TMPDIR"
    draw_scenes
    write_segmenter float.cfg
    train_float_and_four segmenter scenes.data -miou
    darknet gdrq fold four.cfg backup/four_final.weights folded.cfg folded.weights > fold.log 2> fold.err
}

setup() {
    load common
    work_on_a_copy
    weights=backup/float_final.weights
}

# Red squares (1) and green discs (2) on a blue ground (0), with a void (9) rim, in images/{train,valid}
# and masks/; half of the training masks are palette PNGs, some are run lengths. Lists and scenes.data.
draw_scenes() {
    /usr/bin/python3 - << 'END'
import pathlib, random
from PIL import Image, ImageDraw
random.seed(1)
W, H = 44, 32
for part, n in ("train", 24), ("valid", 8):
    paths = []
    for folder in "images", "masks", "mask":
        pathlib.Path(folder, part).mkdir(parents=True)
    for i in range(n):
        def shade(*base): return tuple(min(255, max(0, b + random.randint(-30, 30))) for b in base)
        image, mask = Image.new("RGB", (W, H), shade(40, 60, 170)), Image.new("L", (W, H), 0)
        for class_id in (1, 2):
            r = random.randint(6, 8)
            x, y = random.randint(r, W // 2 - r) + (class_id - 1) * W // 2, random.randint(r, H - r)
            box = (x - r, y - r, x + r, y + r)
            if class_id == 1:
                ImageDraw.Draw(image).rectangle(box, fill=shade(200, 50, 40))
                ImageDraw.Draw(mask).rectangle(box, fill=1)
            else:
                ImageDraw.Draw(image).ellipse(box, fill=shade(60, 190, 60))
                ImageDraw.Draw(mask).ellipse(box, fill=2)
        path = f"images/{part}/{i}.png"
        image.save(path)
        paths.append(path + "\n")
        if part == "train" and i % 4 == 3:  # run lengths: of each class, outside first
            values = list(mask.getdata())
            lines = ""
            for class_id in (0, 1, 2):
                runs, inside, count = [], False, 0
                for v in values:
                    if (v == class_id) != inside:
                        runs.append(count)
                        inside, count = not inside, 0
                    count += 1
                lines += f"{class_id} {','.join(map(str, runs))}\n"
            pathlib.Path(f"mask/{part}/{i}.txt").write_text(lines)
            continue
        ImageDraw.Draw(mask).rectangle((0, 0, W - 1, H - 1), outline=9)
        if i % 2:
            mask = mask.copy()
            mask.putpalette([255, 255, 255] * 10)
        mask.save(f"masks/{part}/{i}.png")
    pathlib.Path(part + ".list").write_text("".join(paths))
END
    printf '%s\n' ground square disc > scenes.names
    printf '%s\n' "0 0 250" "250 0 0" "0 250 0" > scenes.palette
    cat > scenes.data << 'END'
classes = 3
void = 9
train = train.list
valid = valid.list
names = scenes.names
palette = scenes.palette
backup = backup
END
}

# write_segmenter FILE [KEY=VALUE ...]: a small float network, with other values of the keys of [net].
write_segmenter() {
    cat > "$1" << 'END'
[net]
batch=8
subdivisions=2
width=48
height=32
channels=3
min_crop=40
max_crop=64
angle=5
aspect=1.1
hue=.02
saturation=1.2
exposure=1.2
learning_rate=0.05
burn_in=10
policy=poly
power=1
momentum=0.9
decay=0.0005
max_batches=200
[convolutional]
batch_normalize=1
filters=8
size=3
stride=2
pad=1
activation=relu
[convolutional]
batch_normalize=1
filters=16
size=3
stride=2
pad=1
activation=relu
[convolutional]
batch_normalize=1
filters=16
size=3
stride=1
pad=1
activation=linear
[shortcut]
from=-2
activation=relu
[upsample]
stride=2
[route]
layers=-1,0
[convolutional]
batch_normalize=1
filters=16
size=3
stride=1
pad=1
activation=relu
[upsample]
stride=2
[convolutional]
filters=3
size=3
stride=1
pad=1
activation=linear
[segmentation]
classes=3
class_weights=.7,1.3,1.3
END
    set_net "$@"
}

# The mean IoU in the last line of valid's output.
mean_iou() { sed -n 's/^[0-9]* images: mean IoU = \([0-9.]*\), .*/\1/p' | tail -n 1; }

@test "training from scratch learns the scenes, in float and with 4 bits" {
    for net in float four; do
        iou=$(darknet segmenter valid scenes.data $net.cfg backup/${net}_final.weights 2> err | mean_iou)
        echo "$net: $iou"
        at_least "$iou" .85
    done
    grep -q "^mIoU = 0.* the best so far$" float.log
    [ -s backup/float_best.weights ]
    head -n 1 backup/float.csv | grep -q "mIoU"
    [ -s backup/float.png ]
    [[ "$(cat convert.log)" == *"darknet segmenter train DATA four.cfg"* ]]
    # What it starts from is no better than chance: the test above can fail.
    write_segmenter start.cfg max_batches=1 learning_rate=0.0001
    darknet segmenter train scenes.data start.cfg -seed 1 > log 2> err
    start=$(darknet segmenter valid scenes.data start.cfg backup/start_final.weights 2> err | mean_iou)
    echo "start $start"
    at_least .5 "$start"
}

@test "a folded network has the same classes to the pixel" {
    run darknet gdrq verify four.cfg backup/four_final.weights folded.cfg folded.weights valid.list
    [ "$status" -eq 0 ]
    says "The same class in 11264 of 11264 pixels"
    says "Largest difference of an output: 0;"
    for net in four:backup/four_final.weights folded:folded.weights; do
        darknet segmenter valid scenes.data ${net%%:*}.cfg "${net#*:}" 2> err > ${net%%:*}.out
    done
    cmp four.out folded.out
    for size in 96x32 48x64 24x16; do
        sed "s/^width=.*/width=${size%x*}/; s/^height=.*/height=${size#*x}/" folded.cfg > other.cfg
        is_refused "other.cfg: the folded network was not made of this one, or not at this size" \
            gdrq verify four.cfg backup/four_final.weights other.cfg folded.weights valid.list
    done
    run darknet gdrq bench folded.cfg folded.weights -runs 2 -image images/valid/0.png -json b.json
    [ "$status" -eq 0 ]
    says "A picture of 44 x 32, 3 classes:"
    [[ "$output" =~ "pixels in, classes out" ]] || false
    /usr/bin/python3 - << 'END'
import json
frame = json.load(open("b.json"))["frame"]
assert frame["found"] == 3 and "boxes" not in frame
steps = [frame[name] for name in ("letterbox", "network", "classes")]
assert all(0 < s["min_ms"] <= s["median_ms"] for s in steps + [frame["total"]])
assert sum(s["min_ms"] for s in steps) <= frame["total"]["min_ms"] * 1.001
END
    [[ "$output" =~ upsample\ .*\ codes ]] || false
    darknet gdrq inspect four.cfg backup/four_final.weights valid.list > inspect.out 2> err
    grep -q gdrq_convolutional inspect.out
    run darknet segmenter train scenes.data folded.cfg folded.weights
    [ "$status" -eq 1 ]
    says "is folded, which can't be trained"
}

@test "calibrate and sensitivity know the task" {
    darknet gdrq calibrate four.cfg $weights images/valid calibrated.weights > log 2> err
    grep -q "segmenter valid DATA four.cfg" log
    [ "$(darknet segmenter valid scenes.data four.cfg calibrated.weights 2> err | wc -l)" -gt 3 ]
    run --separate-stderr darknet gdrq sensitivity four.cfg backup/four_final.weights images/valid \
        -data scenes.data
    [ "$status" -eq 0 ]
    says "mIoU"
    is_refused "masks/valid/0.png would be replaced" gdrq sensitivity four.cfg \
        backup/four_final.weights images/valid -data scenes.data -out masks/valid/0.png
}

@test "valid shows each class and draws the confusion matrix" {
    run --separate-stderr darknet segmenter valid scenes.data float.cfg $weights -out matrix.png
    [ "$status" -eq 0 ]
    echo "$output"
    [[ "${lines[1]}" =~ ^class_id\ =\ 1,\ name\ =\ square,\ IoU\ =\ 0\.[0-9]{4},\ pixels\ =\ [0-9]+,\ found\ =\ [0-9]+$ ]] || false
    grep -qE "^true . found, in % +0 +1 +2$" <<< "$output"
    grep -q "^  2 disc  " <<< "$output"
    [[ "${lines[-1]}" =~ ^8\ images:\ mean\ IoU\ =\ [01]\.[0-9]{4},\ pixel\ accuracy\ =\ [01]\.[0-9]{4},\ class\ accuracy\ =\ [01]\.[0-9]{4}$ ]] || false
    /usr/bin/python3 -c 'from PIL import Image; assert Image.open("matrix.png").size == (342, 272)'
    # The same by the masks and test's index pictures, counted elsewhere.
    darknet segmenter test scenes.data float.cfg $weights images/valid -out found.png > log 2> err
    /usr/bin/python3 - << 'END' > expected
from PIL import Image
import glob
both, truth, found = [0] * 3, [0] * 3, [0] * 3
for i in range(8):
    (name,) = glob.glob(f"found_*_{i}_classes.png")
    t, f = list(Image.open(f"masks/valid/{i}.png").getdata()), list(Image.open(name).getdata())
    for a, b in zip(t, f):
        if a != 9:
            truth[a] += 1
            found[b] += 1
            both[a] += a == b
ious = [b / (t + f - b) for b, t, f in zip(both, truth, found)]
print("%.4f" % (sum(ious) / 3))
END
    [ "$(mean_iou <<< "$output")" = "$(cat expected)" ]
    for file in images/valid/0.png masks/valid/0.png; do
        cp $file before
        is_refused "$file would be replaced" \
            segmenter valid scenes.data float.cfg $weights -out ./$file
        cmp $file before
    done
    sed 's/^palette.*/palette = colours.png/' scenes.data > png.data
    cp scenes.palette colours.png
    ln -s colours.png link.png
    is_refused "colours.png would be replaced" segmenter valid png.data float.cfg $weights -out link.png
    run darknet segmenter valid scenes.data float.cfg $weights -out matrix.txt
    one_line_error 1 "must end in .jpg or .png"
}

@test "test draws an overlay and writes the classes with the palette" {
    run --separate-stderr darknet segmenter test scenes.data float.cfg $weights images/valid/0.png
    [ "$status" -eq 0 ]
    echo "$output"
    [[ "${lines[0]}" == "images/valid/0.png: Predicted in "*" seconds." ]]
    [[ "${lines[1]}" =~ ^ground:\ [0-9.]+%$ ]] || false
    /usr/bin/python3 - << 'END'
from PIL import Image
photo, overlay = Image.open("images/valid/0.png"), Image.open("predictions.png")
classes = Image.open("predictions_classes.png")
assert classes.mode == "P" and classes.size == photo.size == overlay.size
colours = [(0, 0, 250), (250, 0, 0), (0, 250, 0)]
assert classes.getpalette()[:9] == [v for c in colours for v in c]
for p, o, c in zip(photo.getdata(), overlay.getdata(), classes.getdata()):
    assert all(abs((a + b) / 2 - d) <= 1 for a, b, d in zip(p, colours[c], o))
END
    darknet segmenter test scenes.data float.cfg $weights valid.list -out x.png -opacity 1 > log 2> err
    [ "$(ls x_*_classes.png | wc -l)" -eq 8 ]
    run darknet segmenter test scenes.data float.cfg $weights <<< $'images/valid/1.png\nnone.png'
    [ "$status" -eq 1 ]
    says "darknet: none.png"
    printf '%s\n' images/valid/0.png none.png images/valid/1.png > some.list
    run darknet segmenter test scenes.data float.cfg $weights some.list -out y.png
    [ "$status" -eq 1 ]
    says "darknet: none.png"
    [ "${lines[-1]}" = "darknet: 1 of 3 pictures could not be read" ]
    [ "$(ls y_*)" = "$(printf '%s\n' y_1_0.png y_1_0_classes.png y_3_1.png y_3_1_classes.png)" ]
    run darknet segmenter test scenes.data float.cfg $weights images/valid/0.png -out x.gif
    one_line_error 1 "must end in .jpg or .png"
    cp images/valid/0.png a_classes.png
    is_refused "a_classes.png would be replaced" \
        segmenter test scenes.data float.cfg $weights a_classes.png -out ./a.png
    cmp images/valid/0.png a_classes.png
    # A later picture has the name that an earlier one's result would have.
    mkdir photos
    cp images/valid/0.png photos/a.png
    cp images/valid/1.png photos/x_1_a_classes.png
    is_refused "photos/x_1_a_classes.png would be replaced" \
        segmenter test scenes.data float.cfg $weights photos -out photos/x.png
    [ "$(ls photos)" = "$(printf '%s\n' a.png x_1_a_classes.png)" ]
    sed 's/^palette.*/palette = colours_classes.png/' scenes.data > png.data
    cp scenes.palette colours_classes.png
    is_refused "colours_classes.png would be replaced" \
        segmenter test png.data float.cfg $weights images/valid/0.png -out colours.png
}

demo() { darknet segmenter demo scenes.data float.cfg $weights "$@"; }

# Of a fake camera, on all ports, in the background as $job; what it says of them is in said.
serve_demo() {
    rm -f said
    "$BUILD/darknet" segmenter demo scenes.data float.cfg $weights fake:size=64x48,fps=50 -dont_show \
        -time_limit_sec 60 -http 0 -mjpeg_port 0 -json_port 0 > summary 2> said 3>&- &
    job=$!
    wait_for_line "^darknet: -json_port: http" said
}

@test "demo tells the shares of test's index pictures, and draws their colours" {
    demo images/valid -json lines -prefix frame -opacity 1 > summary
    grep -qE "^8 frames, [0-9.]+ FPS" summary
    check_lines lines 8 "line['frame_id'] == i + 1 and line['width'] == 44 and \
        abs(sum(c['share'] for c in line['classes']) - 1) < 3e-6"
    darknet segmenter test scenes.data float.cfg $weights images/valid -out found.png > log 2> err
    /usr/bin/python3 - << 'END'
from PIL import Image
import glob, json
names, colours = ["ground", "square", "disc"], [(0, 0, 250), (250, 0, 0), (0, 250, 0)]
lines, checked = open("lines").read().splitlines(), [0] * 3
for i, line in enumerate(lines):
    (name,) = glob.glob(f"found_{i + 1}_*_classes.png")
    classes, frame = Image.open(name), Image.open(f"frame_{i + 1:08d}.jpg").convert("RGB")
    w, h = classes.size
    pixels = list(classes.getdata())
    told = {(c["class_id"], c["name"], c["colour"]): c["share"] for c in json.loads(line)["classes"]}
    assert told == {(k, names[k], "#%02x%02x%02x" % colours[k]): round(pixels.count(k) / (w * h), 6)
                    for k in set(pixels)}, (told, name)
    # JPEG blurs where colours meet.
    for y in range(3, h - 3):
        for x in range(3, w - 3):
            k = pixels[y * w + x]
            if all(pixels[v * w + u] == k for v in range(y - 3, y + 4) for u in range(x - 3, x + 4)):
                seen = frame.getpixel((x, y))
                assert all(abs(a - b) < 30 for a, b in zip(seen, colours[k])), (i, x, y, seen, k)
                checked[k] += 1
assert min(checked) > 50, checked
END
    # What a network of integers finds is what it was folded from finds, and is printed, too.
    for net in four.cfg:backup/four_final.weights folded.cfg:folded.weights; do
        darknet segmenter demo scenes.data ${net%%:*} "${net#*:}" images/valid -dont_show -json - \
            2> err | sed -E 's/"(time|latency_ms)":[0-9.]*//g' > ${net%%:*}.lines
    done
    [ "$(wc -l < four.cfg.lines)" -eq 8 ]
    cmp four.cfg.lines folded.cfg.lines
    demo images/valid/0.png -dont_show -ext_output > printed
    darknet segmenter test scenes.data float.cfg $weights images/valid/0.png > tested
    diff <(grep '%$' printed) <(grep '%$' tested)
}

@test "demo takes any source, and writes a video that can be read again" {
    demo fake:size=160x120,fps=200,frames=30,resize_at=20,vanish_at=10,gone=.1 -dont_show \
        -out_filename live.avi -json lines > summary 2> said
    grep -q "the camera is gone" said
    tail -n 1 lines | grep -q '"frame_id":30, .*"width":320, .*"classes":\[{'
    demo live.avi -s 4 -json again > summary
    check_lines again "$(wc -l < again)" "line['width'] == 160 and line['frame_id'] % 5 == 1"
    demo fake:size=64x64,fps=0,live=0,frames=20 -benchmark > summary
    grep -q "^20 frames" summary
}

@test "demo has no flag of scores, and its page no slider" {
    for flag in "-thresh .3" "-avg 3" "-hier .5" "-nms .4"; do
        run demo images/valid $flag
        one_line_error 2 "segmenter demo: ${flag% *} makes no sense here"
    done
    run demo images/valid -json images/valid/0.png
    one_line_error 1 "would be replaced"
    for flag in json out_filename; do
        cp scenes.palette colours.avi
        sed 's/^palette.*/palette = colours.avi/' scenes.data > avi.data
        is_refused "colours.avi would be replaced" \
            segmenter demo avi.data float.cfg $weights images/valid -$flag colours.avi -dont_show
        cmp scenes.palette colours.avi
    done
    run demo images/valid -opacity 2
    one_line_error 2 "-opacity"
    sed '/^\[segmentation\]/,$d' float.cfg > headless.cfg
    is_refused "not a segmenter" segmenter demo scenes.data headless.cfg $weights images/valid
    serve_demo
    /usr/bin/python3 - said << 'END'
import json, re, sys, time, urllib.error, urllib.request
address = dict(re.findall(r"darknet: -(\w+): (\S+)", open(sys.argv[1]).read()))
def get(name, data=None):
    return urllib.request.urlopen(address["http"] + name, data, timeout=10)
until = time.time() + 10
while "classes" not in (found := json.load(get("detections.json"))): assert time.time() < until
assert abs(sum(c["share"] for c in found["classes"]) - 1) < 3e-6, found
page = get("").read().decode()
assert "hreshold" not in page and ">Share</th>" in page, page
try:
    get("threshold", b"value=0.5")
    sys.exit("a threshold was taken")
except urllib.error.HTTPError as error:
    assert error.code == 404, error
assert b"darknet_threshold" not in get("metrics").read()
jpeg = get("stream.mjpg").read(5000)
assert b"image/jpeg" in jpeg and b"\xff\xd8\xff" in jpeg
assert b"\xff\xd8\xff" in urllib.request.urlopen(address["mjpeg_port"], timeout=10).read(5000)
line = json.loads(urllib.request.urlopen(address["json_port"], timeout=10).readline())
assert line["width"] == 64 and line["classes"][0]["share"] > 0, line
END
    kill -TERM $job
    local status=0
    wait $job || status=$?
    [ "$status" -eq 143 ]
}

@test "the demo's page in a browser, where there is one" {
    serve_demo
    run "$top/tests/web/check_page" --url "$(sed -n 's/.*-http: //p' said)"
    kill -TERM $job
    wait $job || true
    [ "$status" -ne 77 ] || skip "${lines[0]}"
    echo "$output"
    [ "$status" -eq 0 ]
}

@test "a training goes on where it stopped, and repeats by its seed" {
    write_segmenter short.cfg max_batches=6
    sed -i 's/^policy=poly/policy=constant/' short.cfg
    darknet segmenter train scenes.data short.cfg -seed 5 > log 2> err
    cp backup/short_final.weights whole.weights
    sed 's/^max_batches=.*/max_batches=3/' short.cfg > half.cfg
    darknet segmenter train scenes.data half.cfg -seed 5 > log 2> err
    mv backup/half_last.weights backup/short_last.weights
    mv backup/half_last.state backup/short_last.state
    darknet segmenter train scenes.data short.cfg backup/short_last.weights > log 2> err
    cmp backup/short_final.weights whole.weights
}

@test "what is wrong with the data is told before any training" {
    train="segmenter train scenes.data float.cfg"
    for file in images/train/0.png masks/train/0.png masks/valid/0.png; do
        cp $file before
        is_refused "$file would be replaced" $train -miou -display -chart $file
        cmp $file before
    done
    rm masks/train/0.png
    is_refused "images/train/0.png: its mask is missing: masks/train/0" $train
    cp masks/train/1.png masks/train/0.png
    /usr/bin/python3 -c 'from PIL import Image
Image.new("L", (44, 31)).save("masks/train/1.png")
Image.new("L", (44, 32), 3).save("masks/train/2.png")'
    is_refused "masks/train/1.png: the mask has 44 x 31 pixels, its image 44 x 32; they must be equal (and 1 of 24 images more have a problem)" $train
    cp masks/train/0.png masks/train/1.png
    is_refused "masks/train/2.png: pixel (0, 0) has the class 3; there are 3 classes, 0..2, and 9 is void" $train
    cp images/train/2.png masks/train/2.png
    is_refused "masks/train/2.png: has colours or an alpha channel" $train
    head -c 60 masks/train/0.png > masks/train/2.png
    is_refused "masks/train/2.png: damaged PNG" $train
    cp masks/train/0.png masks/train/2.png
    echo "1 5,x" > mask/train/3.txt
    is_refused "mask/train/3.txt:1: 'x' is no length of a run" $train
    [ ! -e backup/float_3.weights ]
    sed -i 's/^classes.*/classes = 4/' scenes.data
    is_refused "scenes.data has classes=4, but [segmentation] of float.cfg has 3" $train
    sed -i 's/^classes.*/classes = 3/; s/^void.*/void = 300/' scenes.data
    is_refused "void = 300: not a whole number in 0..255" $train
    sed -i 's/^void.*/void = 1\nbackground = 1/' scenes.data
    is_refused "background = 1 is void =, too" $train
    sed -i '/^background/d; /^void/d' scenes.data
    head -n 2 scenes.palette > short.palette
    sed -i 's/^palette.*/palette = short.palette/' scenes.data
    is_refused "short.palette: 2 colours for 3 classes" $train
}

# The same masks with only 0 and VALUE; classes 1 and 2 become VALUE, and void 0.
make_binary() {
    /usr/bin/python3 - "$1" << 'END'
import pathlib, sys
from PIL import Image
value = int(sys.argv[1])
for path in pathlib.Path("masks").glob("*/*.png"):
    mask = Image.open(path)
    binary = Image.new("L", mask.size)
    binary.putdata([value if p in (1, 2) else 0 for p in mask.getdata()])
    binary.save(path)
END
    grep '[0-9]' train.list | while read -r image; do
        [ ! -e "masks/${image#images/}" ] || echo "$image"
    done > binary.list
    printf '%s\n' "classes = $2" "train = binary.list" "valid = valid.list" "backup = backup" > binary.data
}

@test "masks that lack classes are told of, with what 255 means" {
    run --separate-stderr darknet segmenter valid scenes.data float.cfg $weights
    [[ "$stderr" != *"no pixel"* ]]
    write_segmenter two.cfg max_batches=1
    sed -i 's/classes=3/classes=2/; s/filters=3$/filters=2/; /class_weights/d' two.cfg
    make_binary 255 2
    note="no pixel has the class 1. The masks hold 0 and 255, which is void where binary.data sets no void=: "
    run darknet segmenter train binary.data two.cfg -seed 1 -miou
    [ "$status" -eq 0 ]
    says "darknet: binary.list: $note"
    says "darknet: valid.list: $note"
    run --separate-stderr darknet segmenter valid binary.data two.cfg backup/two_final.weights
    [[ "$stderr" == *"valid.list: $note"* ]] || false
    echo "names = scenes.names" >> binary.data
    sed 's/classes = 2/classes = 3/; $a void = 255' binary.data > void.data
    run darknet segmenter valid void.data float.cfg $weights
    says "valid.list: no pixel has the classes 1 (square), 2 (disc)"
    [[ "$output" != *"which is void"* ]] || false
    # Only ground, and found so.
    /usr/bin/python3 -c 'from PIL import Image
Image.new("RGB", (44, 32), (40, 60, 170)).save("images/valid/0.png")
Image.new("L", (44, 32), 0).save("masks/valid/0.png")'
    echo images/valid/0.png > valid.list
    run --separate-stderr darknet segmenter valid scenes.data float.cfg $weights
    [[ "${lines[-1]}" =~ ^1\ images:\ mean\ IoU\ =\ 1\.0000\ of\ 1\ of\ 3\ classes,\ pixel\ accuracy ]] || false
    [[ "$stderr" == *"valid.list: no pixel has the classes 1 (square), 2 (disc)"* ]] || false
}

@test "a key that is nearly a known one is told of" {
    sed 's/^void/viod/; s/^backup/tops = 3\nmy own key = 1\nbackup/' scenes.data > typo.data
    run darknet segmenter train typo.data float.cfg
    [ "$status" -eq 1 ]
    says "darknet: typo.data:2: nothing reads 'viod'; did you mean 'void'?"
    says "darknet: typo.data:7: nothing reads 'tops'; did you mean 'top'?"
    [[ "$output" != *"my own"* ]] || false
    run --separate-stderr darknet segmenter valid scenes.data float.cfg $weights
    [[ "$stderr" != *"nothing reads"* ]] || false
    sed '$a viod = 3' scenes.data > both.data
    run --separate-stderr darknet segmenter valid both.data float.cfg $weights
    [ "$status" -eq 0 ]
    [[ "$stderr" != *"nothing reads"* ]] || false
}

@test "what is no segmenter is refused" {
    sed '/^\[segmentation\]/,$d' float.cfg > headless.cfg
    is_refused "headless.cfg: not a segmenter: its last section must be [segmentation]" \
        segmenter train scenes.data headless.cfg
    is_refused "not a classifier" classifier train scenes.data float.cfg
    sed 's/^channels=3/channels=3\nrandom=1/' float.cfg > random.cfg
    is_refused "random=1" segmenter train scenes.data random.cfg
    is_refused "threshold" segmenter valid scenes.data four.cfg $weights
    sed 's/^classes=3/classes=4/' float.cfg > wrong.cfg
    is_refused "[segmentation]" segmenter train scenes.data wrong.cfg
    # The stock command would crash on the section.
    run darknet isegmenter train scenes.data float.cfg
    [ "$status" -eq 1 ]
    says "'isegmenter' is a command of the stock"
    run darknet segmenter vaild
    [ "$status" -eq 2 ]
    says "'vaild' is not a verb"
}

@test "camvid_to_darknet lays out both forms of the data" {
    for set in train val test; do
        mkdir -p camvid/images/$set camvid/masks/$set tutorial/$set tutorial/${set}annot
        cp images/valid/0.png camvid/images/$set/a.png
        cp masks/valid/0.png camvid/masks/$set/a.png
        cp images/valid/1.png tutorial/$set/b.png
        cp masks/valid/1.png tutorial/${set}annot/b.png
    done
    for form in camvid tutorial; do
        "$top/scripts/camvid_to_darknet" $form $form-out > log
        grep -q "$form-out/val.txt: 1 images" log
        sed 's/classes=3/classes=11/; s/filters=3$/filters=11/; /class_weights/d' float.cfg > eleven.cfg
        sed -i 's/^max_batches=.*/max_batches=1/; s/^batch=8/batch=2/' eleven.cfg
        darknet segmenter train $form-out/camvid.data eleven.cfg -seed 1 > log 2> err
        darknet segmenter valid $form-out/camvid-test.data eleven.cfg \
            $form-out/backup/eleven_final.weights > log 2> err
        grep -q "name = bicyclist" log
    done
    # A second run replaces its own links; those to folders of what it reads would lose it.
    "$top/scripts/camvid_to_darknet" camvid camvid-out > log
    cmp camvid-out/images/val/a.png images/valid/0.png
    "$top/scripts/camvid_to_darknet" --copy camvid camvid-out > log
    [ ! -L camvid-out/images/val/a.png ]
    mkdir linked real
    ln -s ../camvid/images ../camvid/masks linked
    mv camvid/images/test/a.png real/a.png
    ln -s ../../../real/a.png camvid/images/test/a.png
    for way in "" --copy; do
        run "$top/scripts/camvid_to_darknet" $way camvid linked
        [ "$status" -eq 1 ]
        says "linked/images/train/a.png: is camvid/images/train/a.png, which is read"
        [ "$(ls linked)" = "$(printf '%s\n' images masks)" ]
        for file in camvid/images/{train,val}/a.png real/a.png; do
            [ ! -L $file ]
            cmp $file images/valid/0.png
        done
    done
    # What a picture is a link to is read, too.
    mkdir -p out/images/test
    mv real/a.png out/images/test/a.png
    ln -sf ../../../out/images/test/a.png camvid/images/test/a.png
    run "$top/scripts/camvid_to_darknet" camvid out
    [ "$status" -eq 1 ]
    says "out/images/test/a.png: is camvid/images/test/a.png, which is read"
    rm -r out
    rm camvid/masks/val/a.png
    run "$top/scripts/camvid_to_darknet" camvid out
    [ "$status" -eq 1 ]
    says "camvid/images/val/a.png: its mask camvid/masks/val/a.png is missing"
}
