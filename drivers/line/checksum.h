/* The checksums of bench instruments. Pure functions, any thread. */
#ifndef LABFERRY_LINE_CHECKSUM_H
#define LABFERRY_LINE_CHECKSUM_H

#include "base/buffer.h"

#include <stdint.h>

enum line__checksum {
    LF_CHECKSUM_NONE,
    LF_CHECKSUM_SUM8,         /* sum of all bytes modulo 256 (ASTM E1381) */
    LF_CHECKSUM_LRC,          /* two's complement of that sum (Modbus ASCII) */
    LF_CHECKSUM_XOR,          /* exclusive or of all bytes */
    LF_CHECKSUM_CRC16_XMODEM, /* polynomial 0x1021 from 0 */
    LF_CHECKSUM_CRC16_CCITT,  /* polynomial 0x1021 from 0xFFFF ("CCITT-FALSE") */
    LF_CHECKSUM_CRC16_MODBUS, /* polynomial 0xA001 reflected, from 0xFFFF; on the wire low byte first */
};

/* Names as in profiles, NULL-terminated, in the order of the enum from LF_CHECKSUM_SUM8 on. */
extern const char *const line__checksum_names[];

/* The checksum over several pieces of bytes, one after the other. */
uint16_t line__checksum(enum line__checksum kind, const struct lf_slice *pieces, size_t count);
/* How many bytes it has: 1 or 2; 0 for none. */
size_t line__checksum_size(enum line__checksum kind);

#endif
