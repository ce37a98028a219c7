# darknet detector valid, valid2, recall and map: result files and numbers on a small data set.

setup_file() {
    load common
    cd "$BATS_FILE_TMPDIR"
    compose
    write_cfg small.cfg max_batches=100
    darknet detector train signs.data small.cfg -seed 1 > train.log 2> train.err
    cp set/backup/small_final.weights trained.weights
    for format in voc coco imagenet other; do
        { cat signs.data; echo "eval = $format"; } > $format.data
    done
}

setup() {
    load common
    work_on_a_copy
}

# The last line of what a failed command said; the host's table of layers is before it.
fails_with() {
    echo "$output"
    [ "$status" -eq 1 ]
    [[ "${lines[-1]}" == "darknet: "*"$1"* ]]
}

@test "valid writes VOC's files by default, one per class" {
    run darknet detector valid signs.data small.cfg trained.weights
    [ "$status" -eq 0 ]
    says "Wrote results/comp4_det_test_stop.txt and 3 files more"
    says "Total Detection Time: "
    [ "$(ls results | wc -l)" -eq 4 ]
    cat results/* > all
    [ -s all ]
    # ID, score, and edges within the pictures of 128 pixels, which count from 1.
    awk 'NF != 6 || $1 !~ /^0000[0-7]$/ || $2 <= .005 || $2 > 1 || $3 < 1 || $4 < 1 ||
        $5 > 128 || $6 > 128 || $3 > $5 || $4 > $6 { exit 1 }' all
    mv results first
    darknet detector valid voc.data small.cfg trained.weights
    diff -r first results
    darknet detector valid voc.data small.cfg trained.weights -thresh .1 -out some_
    cat results/some_* > some
    [ "$(awk '$2 > .1' all | wc -l)" -eq "$(wc -l < some)" ]
}

@test "valid writes COCO's JSON to the results= folder" {
    echo "results = deep/new" >> coco.data
    darknet detector valid coco.data small.cfg trained.weights
    /usr/bin/python3 - << 'END'
import json
found = json.load(open("deep/new/coco_results.json"))
assert found
for d in found:
    assert 0 <= d["image_id"] <= 7 and d["category_id"] in (1, 2, 3, 4)
    left, top, w, h = d["bbox"]
    assert left >= 0 and top >= 0 and w >= 0 and h >= 0
    assert left + w < 128.001 and top + h < 128.001
END
    run darknet detector valid coco.data small.cfg trained.weights -thresh 1 -out none
    [ "$status" -eq 0 ]
    [ "$(/usr/bin/python3 -c 'import json; print(json.load(open("deep/new/none.json")))')" = "[]" ]
}

@test "valid2 averages with the mirror image" {
    darknet detector valid coco.data small.cfg trained.weights
    darknet detector valid2 coco.data small.cfg trained.weights -out mirrored
    [ "$(grep -c score results/mirrored.json)" -gt 0 ]
    if cmp -s results/coco_results.json results/mirrored.json; then false; fi
    # Mirrored pictures have mirrored boxes; lossless pictures, so that nothing else differs.
    mkdir -p flip/images
    /usr/bin/python3 - << 'END'
from PIL import Image, ImageOps
for i in range(8):
    image = Image.open(f"set/valid/images/0000{i}.jpg")
    image.save(f"flip/images/{i}.png")
    ImageOps.mirror(image).save(f"flip/images/{i + 100}.png")
END
    ls flip/images/*.png > flip.txt
    sed 's/^valid.*/valid = flip.txt/' coco.data > flip.data
    darknet detector valid2 flip.data small.cfg trained.weights -out flip -thresh .004
    /usr/bin/python3 - << 'END'
import json
found = json.load(open("results/flip.json"))
def boxes(of, mirror):
    rows = []
    for d in found:
        if d["image_id"] == of:
            left, top, w, h = d["bbox"]
            rows.append((d["category_id"], d["score"], 128 - left - w if mirror else left, top, w))
    return sorted(rows)
compared = 0
for i in range(8):
    a, b = boxes(i, False), boxes(i + 100, True)
    assert len(a) == len(b), (i, len(a), len(b))
    for x, y in zip(a, b):
        assert all(abs(p - q) < .01 for p, q in zip(x, y)), (x, y)
        compared += 1
assert compared
END
}

@test "valid names what does not fit" {
    run darknet detector valid imagenet.data small.cfg trained.weights
    fails_with "eval = imagenet needs 200 classes"
    run darknet detector valid other.data small.cfg trained.weights
    fails_with "eval = other: there are voc, coco and imagenet"
    cp set/valid/images/00003.jpg set/valid/images/photo.jpg
    echo set/valid/images/photo.jpg >> set/valid.txt
    run darknet detector valid coco.data small.cfg trained.weights
    fails_with "photo.jpg: no COCO image number"
    sed -i 's/photo.jpg/00003.jpg/' set/valid.txt
    run darknet detector valid coco.data small.cfg trained.weights
    fails_with "both COCO's image 3"
    : > set/valid.txt
    run darknet detector valid voc.data small.cfg trained.weights
    fails_with "set/valid.txt"
    echo missing.jpg > set/valid.txt
    run darknet detector valid voc.data small.cfg trained.weights
    fails_with "missing.jpg"
    [ -z "$(ls -A results)" ]
    sed -i 's/stop/stop\/go/' set/signs.names
    run darknet detector valid voc.data small.cfg trained.weights
    fails_with "'stop/go'"
    sed -i '$d' set/signs.names
    run darknet detector valid voc.data small.cfg trained.weights
    fails_with "3 names for 4 classes"
}

@test "valid finds out before the work that it can't write" {
    rm -rf results
    touch results
    run darknet detector valid voc.data small.cfg trained.weights
    fails_with "results"
    echo "results = /proc/none" >> coco.data
    run darknet detector valid coco.data small.cfg trained.weights
    fails_with "/proc/none"
    [[ "$output" != *"images"* ]]
}

@test "recall adds a line per image" {
    run bash -c '"$BUILD/darknet" detector recall signs.data small.cfg trained.weights 2> err'
    echo "$output"
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 8 ]
    form=$'^ {4}7 +[0-9]+ +[0-9]+\tRPs/Img: [0-9.]+\tIOU: [0-9.]+%\tRecall:[0-9.]+%$'
    [[ "${lines[7]}" =~ $form ]]
    objects=$(cat set/valid/labels/*.txt | wc -l)
    [ "$(awk '{ print $3 }' <<< "${lines[7]}")" -eq "$objects" ]
    # Nothing overlaps by more than 1, and everything by more than 0 or so.
    run bash -c '"$BUILD/darknet" detector recall signs.data small.cfg trained.weights -iou_thresh 1'
    [[ "${lines[-1]}" == *"Recall:0.00%" ]]
}

@test "recall of images without objects is no division by zero" {
    for label in set/valid/labels/*.txt; do : > $label; done
    run darknet detector recall signs.data small.cfg trained.weights
    [ "$status" -eq 0 ]
    [[ "${lines[-1]}" == *"IOU: 0.00%"*"Recall:0.00%" ]]
    run darknet detector map signs.data small.cfg trained.weights
    fails_with "no image of the valid list has an object"
}

@test "map in COCO's and in VOC's definitions" {
    for points in 0 11 101; do
        run darknet detector map signs.data small.cfg trained.weights -points $points \
            -json $points.json -letter_box
        [ "$status" -eq 0 ]
        [[ "${lines[-2]}" =~ ^"mAP@0.50 = "0\.[0-9]{4}$ ]]
        [[ "${lines[-1]}" =~ ^"mAP@[.50:.95] = "0\.[0-9]{4}$ ]]
        map50=$(/usr/bin/python3 -c "import json; print('%.4f' % json.load(open('$points.json'))['map50'])")
        [ "${lines[-2]}" = "mAP@0.50 = $map50" ]
    done
    if cmp -s 0.json 101.json; then false; fi
    run darknet detector map signs.data small.cfg trained.weights -points 10
    one_line_error 2 "-points: 10 is not one of 0, 11, 101"
    run darknet detector map signs.data small.cfg trained.weights -json missing/map.json
    fails_with "missing/map.json"
}
