#include "COpenSSL.h"

BIO *copenssl_reader(const void *text, int length) { return BIO_new_mem_buf(text, length); }

BIO *copenssl_writer(void) { return BIO_new(BIO_s_mem()); }

long copenssl_written(BIO *writer, const char **bytes) { return BIO_get_mem_data(writer, (char **)bytes); }
