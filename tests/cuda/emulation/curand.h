/* In the place of CUDA's header, which darknet.h includes and nothing here uses. */
