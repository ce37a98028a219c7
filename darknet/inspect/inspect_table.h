/* An inspection as tables of text. */
#ifndef INSPECT_INSPECT_TABLE_H
#define INSPECT_INSPECT_TABLE_H

#include "inspect/inspection.h"

/* One of weights and, where there were pictures, one of input activations, on stdout. */
void inspect_table_print(const inspection *in);

#endif
