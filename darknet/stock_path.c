#include "stock_path.h"

#include "base/alloc.h"
#include "report.h"

#include <string.h>
#include <unistd.h>

static const char debian_folder[] = "/usr/share/darknet/";

char *stock_path(const char *path) {
    char *found = gdrq_alloc(strlen(debian_folder) + strlen(path) + 1, 1);
    if (!found)
        return NULL;
    strcat(strcpy(found, debian_folder), path);
    if (*path == '/' || access(path, F_OK) == 0 || access(found, F_OK) != 0)
        strcpy(found, path);
    else
        report("%s is not here: using %s", path, found);
    return found;
}
