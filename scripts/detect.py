#!/usr/bin/env python3
"""Detects objects in a picture through ctypes: detect.py CFG WEIGHTS NAMES PICTURE [LIBRARY].

Takes folded networks (darknet gdrq fold) as any others. LIBRARY is libgdrq.so, by its path if it is
not installed; calls through a handle of libdarknet.so itself would reach the stock functions.
"""
import ctypes as c
import sys

cfg, weights, names, picture, *library = sys.argv[1:]


class Image(c.Structure):
    _fields_ = [("w", c.c_int), ("h", c.c_int), ("c", c.c_int), ("data", c.POINTER(c.c_float))]


class Detection(c.Structure):
    _fields_ = [("box", c.c_float * 4), ("classes", c.c_int), ("prob", c.POINTER(c.c_float)),
                ("mask", c.c_void_p), ("objectness", c.c_float), ("sort_class", c.c_int)]


lib = c.CDLL(library[0] if library else "libgdrq.so")
lib.load_network.restype = lib.network_predict_image.restype = c.c_void_p
lib.load_image_color.restype = Image
lib.network_predict_image.argtypes = [c.c_void_p, Image]
lib.get_network_boxes.restype = c.POINTER(Detection)
lib.get_network_boxes.argtypes = [c.c_void_p, c.c_int, c.c_int, c.c_float, c.c_float, c.c_void_p,
                                  c.c_int, c.POINTER(c.c_int)]
lib.do_nms_sort.argtypes = [c.POINTER(Detection), c.c_int, c.c_int, c.c_float]

net = c.c_void_p(lib.load_network(cfg.encode(), weights.encode(), 0))
image, count = lib.load_image_color(picture.encode(), 0, 0), c.c_int()
lib.network_predict_image(net, image)
found = lib.get_network_boxes(net, image.w, image.h, .25, .5, None, 1, c.byref(count))
with open(names) as file:
    words = file.read().split("\n")
if count.value:
    lib.do_nms_sort(found, count.value, found[0].classes, .45)
for d in found[:count.value]:
    for i in range(d.classes):
        if d.prob[i] > .25:
            print("%s: %.0f%% at x %.3f, y %.3f, width %.3f, height %.3f" %
                  (words[i], 100 * d.prob[i], *d.box))
