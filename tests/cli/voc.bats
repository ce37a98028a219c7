# scripts/voc_to_darknet on a small VOC folder that each test makes.

setup() {
    load common
    cd "$BATS_TEST_TMPDIR"
    voc="$top/scripts/voc_to_darknet"
    mkdir -p VOC/Annotations VOC/JPEGImages VOC/ImageSets/Main
    for id in a b c d; do
        cp $photo VOC/JPEGImages/$id.jpg
    done
    annotate a 200 100 "$(object cat 0 11 21 51 61)" "$(object dog 0 1 1 200 100)"
    annotate b 200 100 "$(object dog 1 11 21 51 61)" "$(object dog 0 151 51 400 300)"
    annotate c 200 100
    annotate d 200 100 "$(object bird 0 31 31 31 90)" "$(object bird 0 1 1 101 51)"
    printf '%s\n' a b > VOC/ImageSets/Main/train.txt
    echo c > VOC/ImageSets/Main/val.txt
    printf '%s\n' a b c > VOC/ImageSets/Main/trainval.txt
    echo d > VOC/ImageSets/Main/test.txt
    # VOC's lists of one class say -1, 0 or 1 per image.
    printf '%s\n' "a  1" "b -1" > VOC/ImageSets/Main/cat_train.txt
}

# object NAME DIFFICULT XMIN YMIN XMAX YMAX
object() {
    echo "<object><name>$1</name><difficult>$2</difficult><bndbox><ymax>$6</ymax><xmax>$5</xmax>" \
        "<xmin>$3</xmin><ymin>$4</ymin></bndbox></object>"
}

# annotate ID WIDTH HEIGHT OBJECT...
annotate() {
    echo "<annotation><size><width>$2</width><height>$3</height><depth>3</depth></size>" \
        "${@:4}</annotation>" > "VOC/Annotations/$1.xml"
}

# The one line on stderr names what is wrong.
refuses() {
    run "$voc" VOC out
    echo "$output"
    [ "$status" -eq 1 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ "$output" == "voc_to_darknet: "*"$1"* ]]
}

@test "labels are voc_label.py's, clipped to the image, in alphabetical classes" {
    run "$voc" VOC out
    echo "$output"
    [ "$status" -eq 0 ]
    [ "$(cat out/out.names)" = "$(printf '%s\n' bird cat dog)" ]
    # x = ((11 + 51) / 2 - 1) / 200, y = ((21 + 61) / 2 - 1) / 100, and 40 pixels of each side.
    # The whole image is one pixel short of 200 x 100.
    diff - out/labels/a.txt << END
1 0.150000 0.400000 0.200000 0.400000
2 0.497500 0.495000 0.995000 0.990000
END
    # The difficult one is gone, the other one ends at the image's borders.
    [ "$(cat out/labels/b.txt)" = "2 0.875000 0.750000 0.250000 0.500000" ]
    [ -e out/labels/c.txt ] && [ ! -s out/labels/c.txt ]
    [ "$(cat out/labels/d.txt)" = "0 0.250000 0.250000 0.500000 0.500000" ]
    says "objects: bird 1, cat 1, dog 2"
    says "left out 1 difficult objects"
    says "left out 1 boxes without width or height"
}

@test "lists, links to the pictures and the .data file" {
    "$voc" VOC out
    [ "$(cat out/trainval.txt)" = "$(printf 'out/images/%s.jpg\n' a b c)" ]
    [ "$(cat out/test.txt)" = "out/images/d.jpg" ]
    [ ! -e out/cat_train.txt ]
    [ -L out/images/a.jpg ]
    cmp out/images/a.jpg $photo
    diff - out/out.data << END
classes = 3
train = out/trainval.txt
valid = out/test.txt
names = out/out.names
backup = out/backup
END
    rm VOC/ImageSets/Main/test.txt
    "$voc" VOC fewer --copy
    grep -qx "train = fewer/train.txt" fewer/fewer.data
    grep -qx "valid = fewer/val.txt" fewer/fewer.data
    [ -f fewer/images/a.jpg ] && [ ! -L fewer/images/a.jpg ]
    cmp fewer/images/a.jpg $photo
}

@test "given classes keep their order, others are counted, difficult ones kept on request" {
    run "$voc" VOC out --classes dog,cat --keep-difficult
    echo "$output"
    [ "$status" -eq 0 ]
    [ "$(cat out/out.names)" = "$(printf '%s\n' dog cat)" ]
    [ "$(cut -d' ' -f1 out/labels/b.txt | tr -d '\n')" = 00 ]
    [ ! -s out/labels/d.txt ]
    says "for their class is not in --classes: bird 2"
    run "$voc" VOC out --classes dog,dog
    [ "$status" -eq 2 ]
}

@test "sizes that the XML lacks come from the picture" {
    # dog.jpg has 768x576 pixels.
    annotate a 0 0 "$(object cat 0 1 1 385 289)"
    # A PNG file's signature and header: 6x11 pixels.
    rm VOC/JPEGImages/b.jpg
    printf '\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x06\0\0\0\x0b' > VOC/JPEGImages/b.PNG
    annotate b 0 0 "$(object cat 0 1 1 7 12)"
    sed -i 's/<size>.*<.size>//' VOC/Annotations/b.xml
    "$voc" VOC out
    [ "$(cat out/labels/a.txt)" = "1 0.250000 0.250000 0.500000 0.500000" ]
    [ "$(cat out/labels/b.txt)" = "1 0.500000 0.500000 1.000000 1.000000" ]
    grep -qx out/images/b.png out/train.txt
    echo "no picture" > VOC/JPEGImages/a.jpg
    refuses "a.jpg: neither a JPEG nor a PNG file"
}

# The class of the one box that the stock library's loader puts first for an image; what it does for
# a missing label file is to exit with status 0.
stock_class() {
    python3 - "$1" << 'END'
import ctypes, sys
truth = (ctypes.c_float * 5)()
fill = ctypes.CDLL("/usr/lib/darknet/libdarknet.so").fill_truth_detection
fill.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_int] + \
    4 * [ctypes.c_float]
fill(sys.argv[1].encode(), 1, truth, 9, 0, 0, 0, 1, 1)
print("class", int(truth[4]))
END
}

@test "every kind of picture gets a name whose labels the stock loader finds" {
    rm VOC/JPEGImages/* VOC/ImageSets/Main/*
    local class=0 suffix
    for suffix in jpg JPG Jpg jpeg JPEG Jpeg png PNG Png; do
        cp $photo "VOC/JPEGImages/p$class.$suffix"
        annotate p$class 200 100 "$(object class$class 0 11 21 51 61)"
        echo p$class >> VOC/ImageSets/Main/train.txt
        class=$((class + 1))
    done
    "$voc" VOC out
    [ "$(wc -l < out/train.txt)" -eq 9 ]
    for class in 0 1 2 3 4 5 6 7 8; do
        image=$(sed -n "$((class + 1))p" out/train.txt)
        cmp "$image" $photo
        run stock_class "$image"
        echo "$image: $output"
        [ "$output" = "class $class" ]
    done
    # It does not find those of other names.
    mv out/images/p3.jpg out/images/p3.jpeg
    run stock_class out/images/p3.jpeg
    [ "$output" != "class 3" ]
}

@test "a name that stock Darknet would misread is refused" {
    mv VOC/JPEGImages/a.jpg VOC/JPEGImages/a.png.jpg
    mv VOC/Annotations/a.xml VOC/Annotations/a.png.xml
    sed -i 's/^a$/a.png/' VOC/ImageSets/Main/*.txt
    refuses "out/images/a.png.jpg: stock Darknet, which changes the first '.png' of a path"
    [ ! -e out ]
}

@test "what is missing or broken is named" {
    mv VOC/Annotations/b.xml kept
    refuses "VOC/Annotations/b.xml: missing"
    echo "<annotation>" > VOC/Annotations/b.xml
    refuses "VOC/Annotations/b.xml: no XML"
    sed 's/<xmin>151/<xmin>left/' kept > VOC/Annotations/b.xml
    refuses "VOC/Annotations/b.xml: <xmin> is 'left', not a number"
    sed 's/<xmin>151/<xmin>nan/' kept > VOC/Annotations/b.xml
    refuses "<xmin> is 'nan', not a number"
    cp kept VOC/Annotations/b.xml
    rm VOC/JPEGImages/b.jpg
    refuses "VOC/JPEGImages/b.jpg (or .jpeg, .png): missing; ImageSets/Main/train.txt names it"
    rm -r VOC/ImageSets
    refuses "VOC/ImageSets/Main: no such folder"
}

@test "Darknet trains on it, wherever it looks for a label" {
    # Darknet replaces "raw" in a path, too.
    mv VOC/JPEGImages/a.jpg VOC/JPEGImages/strawberry.jpg
    mv VOC/Annotations/a.xml VOC/Annotations/strawberry.xml
    sed -i 's/^a$/strawberry/' VOC/ImageSets/Main/*.txt
    "$voc" VOC out
    write_cfg small.cfg batch=2 subdivisions=1 max_batches=1
    sed -i 's/classes=4/classes=3/; s/filters=18/filters=16/' small.cfg
    run darknet detector train out/out.data small.cfg -seed 1
    [ "$status" -eq 0 ]
    says "Training on 3 images"
    run "$voc" VOC images/out
    [ "$status" -eq 1 ]
    says "choose a path without 'images' or 'raw' in it"
}
