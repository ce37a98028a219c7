# darknet detector test on many pictures, its other outputs, and the shortcut darknet detect.

setup_file() {
    load common
    cd "$BATS_FILE_TMPDIR"
    compose
    write_cfg small.cfg
    darknet detector train signs.data small.cfg -seed 1 > train.log 2> train.err
    cp set/backup/small_final.weights trained.weights
    mkdir photos
    cp $photo photos
    cp /usr/share/darknet/data/person.jpg photos
}

setup() {
    load common
    work_on_a_copy
}

test_signs() { darknet detector test signs.data small.cfg trained.weights "$@"; }

@test "a folder's pictures get a picture each" {
    run test_signs photos
    [ "$status" -eq 0 ]
    says "photos/dog.jpg: Predicted in "
    says "photos/person.jpg: Predicted in "
    [ "$(ls predictions*)" = "$(printf '%s\n' predictions_1_dog.jpg predictions_2_person.jpg)" ]
    mkdir out
    test_signs photos -out out/
    test_signs photos -out found.png
    test_signs photos/dog.jpg -prefix one
    ls out/1_dog.jpg out/2_person.jpg found_1_dog.png found_2_person.png one_1_dog.jpg
    [ "$(ls predictions* | wc -l)" -eq 2 ]
}

@test "a list may have pictures that can't be read" {
    printf '%s\n' photos/dog.jpg missing.jpg photos/person.jpg > list.txt
    run test_signs list.txt -out r.json
    [ "$status" -eq 1 ]
    says "darknet: missing.jpg"
    says "darknet: 1 of 3 pictures could not be read"
    [ "$(/usr/bin/python3 -c 'import json; print([i["filename"] for i in json.load(open("r.json"))])')" = \
        "['photos/dog.jpg', 'photos/person.jpg']" ]
    : > empty.txt
    run test_signs empty.txt
    one_line_error 1 "empty.txt"
    mkdir empty
    run test_signs empty
    one_line_error 1 "no picture"
    run test_signs missing.txt
    one_line_error 1 "missing.txt"
}

@test "all results in one JSON file" {
    run test_signs photos -out r.json -thresh 0
    [ "$status" -eq 0 ]
    [ -z "$(ls -d predictions* 2> /dev/null || true)" ]
    shown=$(grep -c '^[a-z_]*: [0-9]*%$' <<< "$output")
    [ "$shown" -gt 0 ]
    /usr/bin/python3 - "$shown" << 'END'
import json, sys
images = json.load(open("r.json"))
assert [i["frame_id"] for i in images] == [1, 2]
names = ["stop", "yield", "speed_limit", "priority"]
objects = [o for i in images for o in i["objects"]]
assert len(objects) == int(sys.argv[1])
for o in objects:
    assert names[o["class_id"]] == o["name"] and 0 <= o["confidence"] <= 1
    assert set(o["relative_coordinates"]) == {"center_x", "center_y", "width", "height"}
END
    # From the prompt as well, and with pictures on request.
    ls photos/* > list.txt
    "$BUILD/darknet" detector test signs.data small.cfg trained.weights -out s.json -prefix p \
        -thresh 0 < list.txt
    cmp r.json s.json
    ls p_1_dog.jpg p_2_person.jpg
}

@test "label files can be trained on, and are not replaced unasked" {
    mkdir -p new/images new/labels
    cp photos/*.jpg new/images
    run test_signs new/images -save_labels -thresh 0
    [ "$status" -eq 0 ]
    [ -s new/labels/dog.txt ]
    [ -s new/labels/person.txt ]
    [ -z "$(ls -d predictions* 2> /dev/null || true)" ]
    ls new/images/* > new/train.txt
    sed 's|set/train.txt|new/train.txt|' signs.data > new.data
    write_cfg small.cfg max_batches=1
    darknet detector train new.data small.cfg > log 2>&1
    echo "by hand" > new/labels/person.txt
    rm new/labels/dog.txt
    run test_signs new/images -save_labels
    one_line_error 1 "new/labels/person.txt: the label file exists"
    [ "$(cat new/labels/person.txt)" = "by hand" ]
    [ ! -e new/labels/dog.txt ]
    run test_signs new/images -save_labels -force
    [ "$status" -eq 0 ]
    [ "$(cat new/labels/person.txt)" != "by hand" ]
    rm -r new/labels
    run test_signs new/images -save_labels
    [ "$status" -eq 1 ]
    one_line_error 1 "new/labels: the folder for label files is missing"
}

@test "a benchmark writes nothing" {
    local before=$(ls | wc -l)
    run test_signs $photo -benchmark -out never.json -save_labels
    [ "$status" -eq 0 ]
    [[ "${lines[-1]}" =~ ^"$photo: "[0-9.]+" FPS, ".*" of "[0-9]+" runs"$ ]]
    [ "$(ls | wc -l)" -eq "$before" ]
}

@test "what can't be written is named, once" {
    run test_signs photos -out missing/found.jpg
    [ "$status" -eq 1 ]
    [ "$(grep -c '^darknet: ' <<< "$output")" -eq 1 ]
    says "missing/found_1_dog.jpg"
    run test_signs photos -out missing/r.json
    [ "$status" -eq 1 ]
    says "missing/r.json"
}

@test "nothing that is read is replaced" {
    cp photos/dog.jpg a.jpg
    is_refused "a.jpg would be replaced" \
        detector test signs.data small.cfg trained.weights a.jpg -out ./a
    cmp a.jpg photos/dog.jpg
    cp photos/person.jpg photos/x_1_dog.jpg
    is_refused "photos/x_1_dog.jpg would be replaced" \
        detector test signs.data small.cfg trained.weights photos -out photos/x.jpg
    cmp photos/person.jpg photos/x_1_dog.jpg
    run darknet detector test signs.data small.cfg trained.weights -out a.jpg <<< a.jpg
    [ "$status" -eq 1 ]
    says "a.jpg would be replaced"
    cmp a.jpg photos/dog.jpg
    cp set/signs.names names.json
    sed 's/^names.*/names = names.json/' signs.data > json.data
    is_refused "names.json would be replaced" \
        detector test json.data small.cfg trained.weights a.jpg -out names.json
    is_refused "names.json would be replaced" \
        detector map json.data small.cfg trained.weights -json names.json
    cp set/valid.txt n_stop.txt
    printf 'results = .\n' | cat - signs.data | sed 's/^valid.*/valid = n_stop.txt/' > own.data
    is_refused "n_stop.txt would be replaced" \
        detector valid own.data small.cfg trained.weights -out n_
    is_refused "a.jpg would be replaced" gdrq bench small.cfg -image a.jpg -json a.jpg
    is_refused "a.jpg would be replaced" gdrq calibrate small.cfg trained.weights a.jpg a.jpg
    cmp a.jpg photos/dog.jpg
}

@test "detect is detector test with COCO's data file" {
    run darknet detect small.cfg trained.weights $photo
    [ "$status" -eq 1 ]
    says "/usr/share/darknet/cfg/coco.data has classes=80, but the last layer of small.cfg has classes=4"
    mkdir cfg
    cp signs.data cfg/coco.data
    darknet detect small.cfg trained.weights $photo -thresh 0 -out a.png
    test_signs $photo -thresh 0 -out b.png
    cmp a.png b.png
    run darknet detect small.cfg
    one_line_error 2 "WEIGHTS is missing; usage: darknet detect CFG WEIGHTS [IMAGE]"
    run darknet detect -h
    [ "$status" -eq 0 ]
    says "/usr/share/darknet/cfg/coco.data"
}

@test "names that are not here are Debian's, aloud" {
    sed 's/classes=4/classes=20/; s/filters=18/filters=50/' small.cfg > twenty.cfg
    printf 'classes = 20\nnames = data/voc.names\ntrain = set/train.txt\nbackup = .\n' > voc.data
    sed -i 's/^max_batches=.*/max_batches=1/' twenty.cfg
    darknet detector train voc.data twenty.cfg > log 2>&1
    run darknet detector test voc.data twenty.cfg twenty_final.weights $photo
    [ "$status" -eq 0 ]
    says "data/voc.names is not here: using /usr/share/darknet/data/voc.names"
    mkdir data
    echo alone > data/voc.names
    run darknet detector test voc.data twenty.cfg twenty_final.weights $photo
    [ "$status" -eq 1 ]
    says "data/voc.names: 1 names for 20 classes"
}
