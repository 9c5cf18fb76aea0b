#include "CRuntime.h"

#include <string.h>

static uint32_t table[256];

__attribute__((constructor)) static void fill_table(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t value = byte;
        for (int bit = 0; bit < 8; bit++) value = value & 1 ? value >> 1 ^ 0x82f63b78 : value >> 1;
        table[byte] = value;
    }
}

static uint32_t by_table(uint32_t value, const uint8_t *bytes, size_t count) {
    while (count-- > 0) value = value >> 8 ^ table[(value ^ *bytes++) & 0xff];
    return value;
}

#if defined(__x86_64__)

static int has_instruction(void) { return __builtin_cpu_supports("sse4.2"); }

__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t value, const uint8_t *bytes, size_t count) {
    uint64_t wide = value;
    for (; count >= 8; count -= 8, bytes += 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        wide = __builtin_ia32_crc32di(wide, word);
    }
    value = (uint32_t)wide;
    while (count-- > 0) value = __builtin_ia32_crc32qi(value, *bytes++);
    return value;
}

#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)

#include <arm_acle.h>

static int has_instruction(void) { return 1; }

static uint32_t by_instruction(uint32_t value, const uint8_t *bytes, size_t count) {
    for (; count >= 8; count -= 8, bytes += 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        value = __crc32cd(value, word);
    }
    while (count-- > 0) value = __crc32cb(value, *bytes++);
    return value;
}

#else

static int has_instruction(void) { return 0; }
static uint32_t by_instruction(uint32_t value, const uint8_t *bytes, size_t count) { return by_table(value, bytes, count); }

#endif

uint32_t cruntime_crc32c(uint32_t previous, const uint8_t *bytes, size_t count) {
    return has_instruction() ? ~by_instruction(~previous, bytes, count) : ~by_table(~previous, bytes, count);
}

uint32_t cruntime_crc32c_portable(uint32_t previous, const uint8_t *bytes, size_t count) {
    return ~by_table(~previous, bytes, count);
}
