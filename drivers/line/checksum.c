#include "drivers/line/checksum.h"

const char *const line__checksum_names[] = {"sum8",        "lrc",          "xor", "crc16-xmodem",
                                            "crc16-ccitt", "crc16-modbus", NULL};

static uint16_t crc_forward(uint16_t crc, uint8_t byte)
{
    crc = (uint16_t)(crc ^ byte << 8);
    for (int bit = 0; bit < 8; bit++)
        crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
    return crc;
}

static uint16_t crc_reflected(uint16_t crc, uint8_t byte)
{
    crc = (uint16_t)(crc ^ byte);
    for (int bit = 0; bit < 8; bit++)
        crc = (uint16_t)(crc & 1 ? crc >> 1 ^ 0xA001 : crc >> 1);
    return crc;
}

static uint16_t step(enum line__checksum kind, uint16_t sum, uint8_t byte)
{
    switch (kind) {
    case LF_CHECKSUM_SUM8:
    case LF_CHECKSUM_LRC: return (uint16_t)((sum + byte) & 0xFF);
    case LF_CHECKSUM_XOR: return sum ^ byte;
    case LF_CHECKSUM_CRC16_XMODEM:
    case LF_CHECKSUM_CRC16_CCITT: return crc_forward(sum, byte);
    case LF_CHECKSUM_CRC16_MODBUS: return crc_reflected(sum, byte);
    case LF_CHECKSUM_NONE: break;
    }
    return 0;
}

uint16_t line__checksum(enum line__checksum kind, const struct lf_slice *pieces, size_t count)
{
    bool from_ones = kind == LF_CHECKSUM_CRC16_CCITT || kind == LF_CHECKSUM_CRC16_MODBUS;
    uint16_t sum = from_ones ? 0xFFFF : 0;
    for (size_t i = 0; i < count; i++)
        for (size_t at = 0; at < pieces[i].len; at++)
            sum = step(kind, sum, (uint8_t)pieces[i].data[at]);
    return kind == LF_CHECKSUM_LRC ? (uint16_t)((0x100 - sum) & 0xFF) : sum;
}

size_t line__checksum_size(enum line__checksum kind)
{
    if (kind == LF_CHECKSUM_NONE)
        return 0;
    return kind >= LF_CHECKSUM_CRC16_XMODEM ? 2 : 1;
}
