#ifndef DWELL_BENCH_ACCEPTED_ROWS_H
#define DWELL_BENCH_ACCEPTED_ROWS_H

#include <stdint.h>

/*
 * The input of both baselines, made by bench_accepted_rows: what is left of an event file when all
 * decoding and deciding is done. In the byte order of this machine, for each batch of input
 * records a batch_head and then its rows in the order decided.
 */
struct batch_head {
  uint32_t rows;
  uint32_t state_bytes; /* of Dwell's state records in this batch, the mean */
  uint64_t position;    /* where reading the input goes on */
};

enum { LONGEST_NAME = 15 };

struct row {
  int64_t timestamp;
  uint64_t seq;
  uint32_t device; /* dense, from 0, in the order of first appearance */
  uint32_t type;   /* 0 device_enter, 1 device_exit */
  char name[LONGEST_NAME + 1];
};

#endif
