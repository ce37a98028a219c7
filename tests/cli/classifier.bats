# darknet classifier and classify, end to end on small drawn shapes.

bats_require_minimum_version 1.5.0

setup_file() {
    load common
    cd "$BATS_FILE_TMPDIR"
    draw_shapes
    write_classifier float.cfg
    train_float_and_four classifier shapes.data -topk
}

setup() {
    load common
    work_on_a_copy
}

# Discs, rings and crosses of any colour in {train,valid}/CLASS/N.png; lists, labels and shapes.data.
draw_shapes() {
    /usr/bin/python3 - << 'END'
import pathlib, random
from PIL import Image, ImageDraw
random.seed(1)
classes = ["cross", "disc", "ring"]
for part, n in ("train", 60), ("valid", 20):
    paths = []
    for kind in classes:
        folder = pathlib.Path(part, kind)
        folder.mkdir(parents=True)
        for i in range(n):
            light = random.randrange(2)
            def shade(low, high): return tuple(random.randint(low, high) for _ in range(3))
            dark, bright = shade(0, 90), shade(160, 255)
            ground, ink = (bright, dark) if light else (dark, bright)
            w, h = random.randint(32, 44), random.randint(32, 44)
            image = Image.new("RGB", (w, h), ground)
            draw = ImageDraw.Draw(image)
            r = random.randint(9, 12)
            x, y = random.randint(w // 2 - 3, w // 2 + 3), random.randint(h // 2 - 3, h // 2 + 3)
            box = (x - r, y - r, x + r, y + r)
            if kind == "disc": draw.ellipse(box, fill=ink)
            if kind == "ring": draw.ellipse(box, outline=ink, width=3)
            if kind == "cross":
                draw.line((x - r, y - r, x + r, y + r), fill=ink, width=4)
                draw.line((x - r, y + r, x + r, y - r), fill=ink, width=4)
            path = folder / f"{i}.png"
            image.save(path)
            paths.append(f"{path}\n")
    pathlib.Path(part + ".list").write_text("".join(paths))
END
    printf '%s\n' cross disc ring > labels.txt
    printf '%s\n' "a cross" "a disc" "a ring" > shapes.names
    cat > shapes.data << 'END'
classes = 3
train = train.list
valid = valid.list
labels = labels.txt
names = shapes.names
backup = backup
top = 2
END
}

# write_classifier FILE [KEY=VALUE ...]: a small float network, with other values of the keys of [net].
write_classifier() {
    cat > "$1" << 'END'
[net]
batch=32
subdivisions=2
width=28
height=28
channels=3
min_crop=28
max_crop=34
angle=20
aspect=.9
hue=.1
saturation=.75
exposure=.75
learning_rate=0.05
burn_in=10
policy=poly
power=1
momentum=0.9
decay=0.0005
max_batches=250
[convolutional]
batch_normalize=1
filters=8
size=3
stride=1
pad=1
activation=leaky
[maxpool]
size=2
stride=2
[convolutional]
batch_normalize=1
filters=16
size=3
stride=1
pad=1
activation=leaky
[maxpool]
size=2
stride=2
[convolutional]
batch_normalize=1
filters=16
size=3
stride=1
pad=1
activation=leaky
[convolutional]
filters=3
size=1
stride=1
pad=1
activation=linear
[avgpool]
[softmax]
END
    set_net "$@"
}

# The top-1 accuracy in the last line of valid's output.
top1() { sed -n 's/^[0-9]*: top 1: \([0-9.]*\), top .*$/\1/p' | tail -n 1; }

@test "training from scratch learns the shapes, in float and with 4 bits" {
    for net in float four; do
        first=$(grep -m 1 -o "^top-1 = [0-9.]*" $net.log | cut -d' ' -f3)
        last=$(darknet classifier valid shapes.data $net.cfg backup/${net}_final.weights 2> err | top1)
        echo "$net: $first after 100 iterations, $last at the end"
        at_least "$last" .8
        at_least "$last" "$first"
        [ -s backup/${net}_best.weights ]
        [ "$(sed -n 's/^250: .* images, \([a-z]*\), .*/\1/p' $net.log)" = \
            "$([ $net = float ] && echo float || echo quantise)" ]
    done
    # What it starts from is no better than chance: the test above can fail.
    write_classifier start.cfg max_batches=1 learning_rate=0.0001
    darknet classifier train shapes.data start.cfg -seed 1 > log 2> err
    start=$(darknet classifier valid shapes.data start.cfg backup/start_final.weights 2> err | top1)
    echo "start $start"
    at_least .6 "$start"
}

@test "the same seed trains the same network" {
    write_classifier short.cfg max_batches=3
    for seed in 5 5 6; do
        darknet classifier train shapes.data short.cfg -seed $seed > log 2> err
        mv backup/short_final.weights $seed.weights
        [ ! -e last.weights ] || cmp last.weights $seed.weights || [ $seed -eq 6 ]
        cp $seed.weights last.weights
    done
    fails cmp -s 5.weights 6.weights
}

@test "valid ends with upstream's line, and prints all of them on request" {
    weights=backup/float_final.weights
    run --separate-stderr darknet classifier valid shapes.data float.cfg $weights
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ "${lines[0]}" =~ ^59:\ top\ 1:\ [01]\.[0-9]{6},\ top\ 2:\ [01]\.[0-9]{6}$ ]] || false
    accuracy=${lines[0]#59: }
    run --separate-stderr darknet classifier valid shapes.data float.cfg $weights -t 3
    [ "${lines[0]}" = "59: ${accuracy%, *}, top 3: 1.000000" ]
    run --separate-stderr darknet classifier valid shapes.data float.cfg $weights -topk 1 -ext_output
    echo "$output"
    [ "${#lines[@]}" -eq 120 ]
    [[ "${lines[0]}" =~ ^valid/cross/0.png,\ 0,\ [01]\.[0-9]{6},\ [01]\.[0-9]{6},\ $ ]] || false
    [[ "${lines[1]}" =~ ^0:\ top\ 1:\ [01]\.000000,\ top\ 1:\ [01]\.000000$ ]] || false
    [[ "${lines[118]}" == "valid/ring/19.png, 2, "* ]]
    run darknet classifier valid shapes.data float.cfg $weights -t 4
    [ "$status" -eq 1 ]
    says "4 of 3 classes"
}

@test "accuracy does not depend on how many images run at a time" {
    sed 's/^batch=32/batch=1/; s/^subdivisions=2/subdivisions=1/' four.cfg > single.cfg
    for cfg in four single; do
        darknet classifier valid shapes.data $cfg.cfg backup/four_final.weights -ext_output > $cfg.out 2> err
    done
    cmp four.out single.out
}

@test "predict tells names, best first, for an image or those that it asks for" {
    weights=backup/float_final.weights
    run --separate-stderr darknet classifier predict shapes.data float.cfg $weights valid/ring/0.png
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 2 ]
    [[ "${lines[0]}" =~ ^[\ 0-9]{2,3}\.[0-9]{2}%:\ a\ (ring|disc|cross)$ ]] || false
    [[ "$stderr" == *"valid/ring/0.png: Predicted in "*" seconds."* ]]
    percent() { sed 's/%.*//; s/ //g' <<< "$1"; }
    at_least "$(percent "${lines[0]}")" "$(percent "${lines[1]}")"
    run --separate-stderr darknet classifier predict shapes.data float.cfg $weights -t 3 \
        <<< $'valid/ring/0.png\nmissing.png\nvalid/disc/1.png'
    [ "$status" -eq 1 ]
    echo "$output"
    [ "$(grep -c '%: a ' <<< "$output")" -eq 6 ]
    [ "$(grep -o 'Enter Image Path: ' <<< "$output" | wc -l)" -eq 4 ]
    [[ "$stderr" == *"darknet: missing.png"* ]]
    run darknet classifier predict shapes.data float.cfg $weights missing.png
    [ "$status" -eq 1 ]
    says "darknet: missing.png: can't open the image"
    # Without names the labels are told.
    grep -v names shapes.data > labels.data
    run darknet classifier predict labels.data float.cfg $weights -t 3 valid/ring/0.png
    says "%: ring"
}

@test "classify finds ImageNet's names where Debian has them" {
    write_classifier big.cfg max_batches=1
    sed -i 's/filters=3/filters=1000/' big.cfg
    mkdir n02119789
    cp valid/ring/0.png n02119789
    echo n02119789/0.png > one.list
    printf '%s\n' "train = one.list" "backup = backup" \
        "labels = /usr/share/darknet/data/imagenet.labels.list" > big.data
    darknet classifier train big.data big.cfg -seed 1 > log 2> err
    run --separate-stderr darknet classify big.cfg backup/big_final.weights n02119789/0.png
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 5 ]
    grep -Fxq "${lines[0]#*%: }" /usr/share/darknet/data/imagenet.shortnames.list
    [[ "$stderr" == *"using /usr/share/darknet/cfg/imagenet1k.data"* ]]
    # The user's own file comes first.
    mkdir cfg
    sed 's/^backup.*/names = own.names/' big.data > cfg/imagenet1k.data
    seq 1000 | sed 's/^/class number /' > own.names
    run darknet classify big.cfg backup/big_final.weights n02119789/0.png -t 1
    says "%: class number "
}

@test "classes may have a tree" {
    printf '%s\n' "shape -1" "text -1" "cross 0" "disc 0" "ring 0" "word 1" "letter 1" > tree.txt
    cut -d' ' -f1 tree.txt > labels.txt
    cp labels.txt shapes.names
    write_classifier tree.cfg max_batches=120
    sed -i 's/filters=3/filters=7/; s/^\[softmax\]/[softmax]\ntree=tree.txt/' tree.cfg
    sed -i 's/^classes.*/classes = 7\ntree = tree.txt/' shapes.data
    darknet classifier train shapes.data tree.cfg -seed 1 > log 2> err
    accuracy=$(darknet classifier valid shapes.data tree.cfg backup/tree_final.weights 2> err | top1)
    echo "accuracy $accuracy"
    at_least "$accuracy" .6
    # Leaves alone are predicted, of which some can be left out.
    run darknet classifier predict shapes.data tree.cfg backup/tree_final.weights valid/ring/0.png -t 7
    [ "$(grep -c ' 0.00%: \(shape\|text\)$' <<< "$output")" -eq 2 ]
    printf '%s\n' cross disc > leaves.txt
    echo "leaves = leaves.txt" >> shapes.data
    run darknet classifier predict shapes.data tree.cfg backup/tree_final.weights valid/ring/0.png -t 7
    says " 0.00%: ring"
    # Both files must mean the same tree.
    sed -i 's/ring 0/ring 1/' tree.txt
    sed 's/tree=.*/tree=other.txt/' tree.cfg > other.cfg
    sed 's/ring 1/ring 0/' tree.txt > other.txt
    run darknet classifier valid shapes.data other.cfg backup/tree_final.weights
    [ "$status" -eq 1 ]
    says "tree.txt:5: the network's tree has 'ring 0' here"
    sed '/^tree=/d' tree.cfg > flat.cfg
    run darknet classifier train shapes.data flat.cfg
    [ "$status" -eq 1 ]
    says "the network has no tree: add tree=... to the [softmax] of flat.cfg"
}

@test "the input may have any proportions and change its size" {
    write_classifier wide.cfg width=40 height=24 min_crop=40 max_crop=44 max_batches=2
    darknet classifier train shapes.data wide.cfg -seed 1 > log 2> err
    run darknet classifier valid shapes.data wide.cfg backup/wide_final.weights
    [ "$status" -eq 0 ]
    write_classifier middle.cfg center=1 max_batches=2
    darknet classifier train shapes.data middle.cfg -seed 1 > log 2> err
    write_classifier sizes.cfg random=1 batch=2 subdivisions=1 max_batches=2
    run darknet classifier train shapes.data sizes.cfg -seed 1 -topk
    [ "$status" -eq 0 ]
    says "top-1 = "
    sed 's/^\[avgpool\]/[connected]\noutput=3/' sizes.cfg > fixed.cfg
    run darknet classifier train shapes.data fixed.cfg
    [ "$status" -eq 1 ]
    says "takes an input of one size only"
}

@test "what is wrong with the data is told before any training" {
    train="classifier train shapes.data float.cfg"
    echo "valid/9.png" >> train.list
    is_refused "valid/9.png: can't find the image" $train
    cp valid/ring/0.png valid/9.png
    is_refused "valid/9.png: none of the 3 labels of labels.txt ('cross' ...) occurs in this path" $train
    mv valid/9.png valid/disc_ring.png
    sed -i 's/^valid.9.png/valid\/disc_ring.png/' train.list
    is_refused "'disc' (class 1) and 'ring' (class 2)" $train
    : > train.list
    is_refused "train.list: the list has no image" $train
    printf '%s\n' cross disc > labels.txt
    is_refused "labels.txt: 2 names for 3 classes" $train
    rm labels.txt
    is_refused "labels.txt: can't open" $train
    is_refused "labels.txt: can't open" classifier valid shapes.data float.cfg backup/float_final.weights
    head -n 1 shapes.names > short.names
    sed -i 's/^names.*/names = short.names/' shapes.data
    is_refused "short.names: 1 names for 3" classifier predict shapes.data float.cfg backup/float_final.weights
    sed -i 's/^names.*/names = shapes.names/' shapes.data
    sed -i 's/classes = 3/classes = 4/' shapes.data
    is_refused "shapes.data has classes=4, but float.cfg has 3 outputs" $train
    sed -i '/classes/d; /labels/d' shapes.data
    is_refused "shapes.data: the key 'labels' is missing" $train
    sed -i 's/^top.*/top = 9/' shapes.data
    is_refused "top = 9: not a whole number in 1..3" classifier predict shapes.data float.cfg backup/float_final.weights
}

@test "a trained network teaches another one" {
    write_classifier student.cfg max_batches=30
    teach="-teacher_cfg float.cfg -teacher_weights backup/float_final.weights"
    darknet classifier train shapes.data student.cfg -seed 5 $teach -teacher_temperature 1 > log 2> err
    cp backup/student_final.weights taught.weights
    darknet classifier train shapes.data student.cfg -seed 5 $teach -teacher_share 0 -teacher_temperature 1 > log 2> err
    cp backup/student_final.weights alone.weights
    darknet classifier train shapes.data student.cfg -seed 5 > log 2> err
    cmp backup/student_final.weights alone.weights
    fails cmp -s backup/student_final.weights taught.weights
    # What is stopped goes on with the same teacher.
    write_classifier long.cfg max_batches=100000
    "$BUILD/darknet" classifier train shapes.data long.cfg $teach -teacher_share .5 > log 2> err &
    pid=$!
    for _ in $(seq 300); do
        ! grep -q "^5: " log || break
        sleep .1
    done
    kill -INT $pid
    wait $pid || true
    grep -q "^To go on: .* long_last.weights .*$teach -teacher_share=0.5" <(sed 's/backup.long/long/' log)
    for flags in "-teacher_cfg float.cfg" "-teacher_share .5"; do
        run darknet classifier train shapes.data student.cfg $flags
        [ "$status" -eq 2 ]
        says "-teacher_weights"
    done
    is_refused "missing.weights" classifier train shapes.data student.cfg -teacher_cfg float.cfg -teacher_weights missing.weights
    is_refused "threshold" classifier train shapes.data student.cfg -teacher_cfg four.cfg -teacher_weights backup/float_final.weights
    # A teacher of another size is resized, if it can be.
    write_classifier small.cfg width=20 height=20
    darknet classifier train shapes.data small.cfg -seed 5 $teach > log 2> err
    cp backup/float_final.weights backup/student_final.weights
    is_refused "backup/student_final.weights" classifier train shapes.data student.cfg -teacher_cfg float.cfg -teacher_weights backup/student_final.weights
    run darknet detector train shapes.data student.cfg $teach
    [ "$status" -eq 2 ]
}

@test "images that can't be read are named" {
    echo "no image" > valid/ring/0.png
    is_refused "valid/ring/0.png: not an image" classifier valid shapes.data float.cfg backup/float_final.weights
    for image in train/*/*.png; do
        echo "no image" > "$image"
    done
    is_refused ".png: not an image that can be decoded" classifier train shapes.data float.cfg
}

@test "what is no classifier is refused" {
    sed '/^\[softmax\]/d' float.cfg > headless.cfg
    is_refused "headless.cfg: not a classifier" classifier train shapes.data headless.cfg
    write_cfg detector.cfg
    is_refused "see: darknet detector" classifier train shapes.data detector.cfg
    write_classifier grey.cfg channels=1
    is_refused "channels=3" classifier train shapes.data grey.cfg
    write_classifier zero.cfg min_crop=0
    is_refused "must be above 0" classifier train shapes.data zero.cfg
    is_refused "threshold" classifier valid shapes.data four.cfg backup/float_final.weights
}

@test "verbs that we do not have are handed to the stock command" {
    for verb in validfull csv; do
        run darknet classifier $verb shapes.data four.cfg backup/four_final.weights
        [ "$status" -eq 1 ]
        says "'$verb' is a command of the stock"
    done
    run darknet classifier -t 1 train
    [ "$status" -eq 2 ]
    says "classifier train: "
    run darknet classifier vaild
    [ "$status" -eq 2 ]
    says "'vaild' is not a verb"
    run darknet classifier
    [ "$status" -eq 2 ]
    says "validmulti"
}
