#include "CResolver.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <string.h>

/// The name at `data` of a record, with its final dot; false if it is malformed.
static int name_at(const ns_msg *message, const unsigned char *data, char *text, size_t size) {
    int used = dn_expand(ns_msg_base(*message), ns_msg_end(*message), data, text, (int)size - 1);
    if (used < 0) return 0;
    size_t length = strlen(text);
    if (length == 0 || text[length - 1] != '.') {
        text[length] = '.';
        text[length + 1] = 0;
    }
    return 1;
}

/// Reads a record; 1 if it is of a known type, 0 if it is to be skipped, -1 if it is malformed.
static int read_record(const ns_msg *message, const ns_rr *record, cresolver_record *result) {
    const unsigned char *data = ns_rr_rdata(*record);
    size_t length = ns_rr_rdlen(*record);
    result->type = ns_rr_type(*record);
    result->port = 0;
    switch (result->type) {
    case ns_t_a:
        return length == 4 && inet_ntop(AF_INET, data, result->text, sizeof result->text) ? 1 : -1;
    case ns_t_aaaa:
        return length == 16 && inet_ntop(AF_INET6, data, result->text, sizeof result->text) ? 1 : -1;
    case ns_t_ns:
        return name_at(message, data, result->text, sizeof result->text) ? 1 : -1;
    case ns_t_mx:
        if (length < 3) return -1;
        return name_at(message, data + 2, result->text, sizeof result->text) ? 1 : -1;
    case ns_t_srv:
        if (length < 7) return -1;
        result->port = ns_get16(data + 4);
        return name_at(message, data + 6, result->text, sizeof result->text) ? 1 : -1;
    default:
        return 0;
    }
}

static int visit(const unsigned char *bytes, int length, cresolver_visitor visitor, void *context) {
    ns_msg message;
    if (ns_initparse(bytes, length, &message) != 0) return cresolver_malformed;
    int count = 0;
    for (int index = 0; index < ns_msg_count(message, ns_s_an); index++) {
        ns_rr record;
        cresolver_record result;
        if (ns_parserr(&message, ns_s_an, index, &record) != 0) return cresolver_malformed;
        int known = read_record(&message, &record, &result);
        if (known < 0) return cresolver_malformed;
        if (known == 0) continue;
        visitor(&result, context);
        count++;
    }
    return count;
}

int cresolver_query(
    const char *name, int type, const char *server, uint16_t port, cresolver_visitor visitor, void *context) {
    struct __res_state state;
    memset(&state, 0, sizeof state);
    if (res_ninit(&state) != 0) return cresolver_no_resolver;
    if (server != NULL) {
        memset(&state.nsaddr_list[0], 0, sizeof state.nsaddr_list[0]);
        state.nscount = 1;
        state.nsaddr_list[0].sin_family = AF_INET;
        state.nsaddr_list[0].sin_port = htons(port);
        if (inet_pton(AF_INET, server, &state.nsaddr_list[0].sin_addr) != 1) {
            res_nclose(&state);
            return cresolver_no_resolver;
        }
    }
    unsigned char answer[NS_MAXMSG];
    int length = res_nsearch(&state, name, ns_c_in, type, answer, sizeof answer);
    int reason = state.res_h_errno;
    res_nclose(&state);
    if (length >= 0) return visit(answer, length > (int)sizeof answer ? (int)sizeof answer : length, visitor, context);
    if (reason == NO_DATA) return 0;
    return reason == HOST_NOT_FOUND ? cresolver_no_such_name : cresolver_server_failed;
}
