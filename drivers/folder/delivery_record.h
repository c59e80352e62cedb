/* Delivery marks: what a delivery leaves on disk so that it is never repeated. deliver.c has the rule. */
#ifndef LF_FOLDER_DELIVERY_RECORD_H
#define LF_FOLDER_DELIVERY_RECORD_H

#include "folder.h"

enum { LF_MARK_NAME = 256 };

/* The names and digests of one delivery. */
struct lf_delivery {
    int64_t job;
    const struct lf_parcel *parcel;
    char part[256];             /* the unfinished file, in the inbox */
    char mark[LF_MARK_NAME];    /* the mark, in our own folder */
    char sha256[LF_SHA256_HEX]; /* of the bytes as delivered; differs from the parcel's when converted */
    int64_t size;
};

/* LF_TOO_LARGE when the name leaves no room for the unfinished file's name. */
enum lf_status folder__delivery_name(const struct lf_folder *folder, struct lf_delivery *delivery,
                                     const struct lf_action *action, struct lf_error *err);

struct lf_mark {
    bool about;     /* complete, and durable before the file became visible */
    bool equal;     /* nothing was published: an equal file had the name already */
    bool linking;   /* the file is being published as a link to the unfinished one */
    bool done;      /* published, and that is durable */
    bool same_boot; /* the machine has not restarted since */
    char sha256[LF_SHA256_HEX];
};

/* Writes the mark of a delivery; durable when this returns. `line` is "about\n" for one that is about to be
 * published. */
enum lf_status folder__record_write(struct lf_folder *folder, const struct lf_delivery *delivery,
                                    const char *line, struct lf_error *err);
/* Adds a line ("linking\n", "done\n") to it; durable when this returns. */
enum lf_status folder__record_add(struct lf_folder *folder, const struct lf_delivery *delivery,
                                  const char *line, struct lf_error *err);
/* LF_NOT_FOUND when there is none. */
enum lf_status folder__record_read(struct lf_folder *folder, const struct lf_delivery *delivery,
                                   struct lf_mark *mark, struct lf_error *err);
/* Removes the traces of an earlier attempt, the mark durably first: an unfinished file that is gone while its
 * mark is there would read as published. */
enum lf_status folder__record_clear(struct lf_folder *folder, const struct lf_delivery *delivery,
                                    struct lf_error *err);

/* Says in `text` who put the file of this name and content there, as far as the marks know. */
void folder__record_whose(struct lf_folder *folder, const struct lf_delivery *delivery, char *text,
                          size_t size);
/* The slot `witnessed` of the driver. */
enum lf_status folder__witnessed(void *device, void (*each)(void *context, const struct lf_witness *delivery),
                                 void *context, struct lf_error *err);

/* Moves the marks that an older version left in the inbox. Logs errors, never fails. */
void folder__record_adopt(struct lf_folder *folder);
/* Once an hour: removes old marks, and old leftovers of crashes. Logs errors, never fails. */
void folder__record_sweep(struct lf_folder *folder);

#endif
