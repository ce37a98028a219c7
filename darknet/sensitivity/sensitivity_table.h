/* The numbers of a sensitivity as text on stdout. */
#ifndef SENSITIVITY_SENSITIVITY_TABLE_H
#define SENSITIVITY_SENSITIVITY_TABLE_H

#include "sensitivity/proposal.h"

/* A line that says what the errors are and what they were measured on. */
void sensitivity_title(const sensitivity *s, char *line, size_t size);

/* A number of a table or picture, in 6 characters or what it needs. */
void sensitivity_number(double error, char *text, size_t size);

/* A line per layer; with a proposal the chosen bits are marked. */
void sensitivity_table_print(const sensitivity *s, const proposal *p);

/* What is proposed, and what it is compared with; nothing without a proposal. */
void proposal_print(const sensitivity *s, const proposal *p);

#endif
