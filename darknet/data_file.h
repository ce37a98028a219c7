/* The .data file of a command, with a word on keys that are probably misspelt. */
#ifndef DARKNET_DATA_FILE_H
#define DARKNET_DATA_FILE_H

#include "data/data_cfg.h"

/*
 * data_cfg_read(); a key that no command reads, but that is nearly one which the file lacks, gets a
 * note. Other unknown keys are the user's own.
 */
gdrq_status data_file_read(const char *path, data_cfg *cfg, gdrq_error *err);

#endif
