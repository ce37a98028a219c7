"""Runs a network on an image through ctypes: predict.py LIBRARY CFG WEIGHTS IMAGE.

LIBRARY is libgdrq.so; "-" means what is loaded already, for use under LD_PRELOAD.
"""
import ctypes
import sys

library, cfg, weights, picture = sys.argv[1:]


class Image(ctypes.Structure):
    _fields_ = [("w", ctypes.c_int), ("h", ctypes.c_int), ("c", ctypes.c_int),
                ("data", ctypes.POINTER(ctypes.c_float))]


# Under LD_PRELOAD the host must still be loaded by someone: the plugin needs it and brings it.
darknet = ctypes.CDLL(None if library == "-" else library)
darknet.load_network.restype = ctypes.c_void_p
darknet.load_network.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int]
darknet.load_image_color.restype = Image
darknet.load_image_color.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_int]
darknet.network_predict_image.restype = ctypes.POINTER(ctypes.c_float)
darknet.network_predict_image.argtypes = [ctypes.c_void_p, Image]

net = darknet.load_network(cfg.encode(), weights.encode(), 0)
out = darknet.network_predict_image(net, darknet.load_image_color(picture.encode(), 0, 0))
count = 16 * 16 * 14
values = out[:count]
assert any(v != 0 for v in values) and all(v == v for v in values)
print("outputs", count, "first", values[0])
