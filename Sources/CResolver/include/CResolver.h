#pragma once
#include <stdint.h>

/// One record of a response.
typedef struct {
    /// The type as in RFC 1035: 1 A, 28 AAAA, 33 SRV, 15 MX, 2 NS.
    int type;
    /// An address as text, or the name of a host as in the record, with its final dot.
    char text[1025];
    /// The port of an SRV record.
    int port;
} cresolver_record;

/// Called for each record of the answer section.
typedef void (*cresolver_visitor)(const cresolver_record *record, void *context);

/// Why there is no response.
enum {
    cresolver_no_such_name = -1,
    cresolver_server_failed = -2,
    cresolver_malformed = -3,
    cresolver_no_resolver = -4,
};

/// Asks for the records of `type` of `name`, with the search list and servers of the system's `resolv.conf`, over TCP where the
/// answer does not fit a datagram. `server` (an IPv4 address) and `port` ask another server instead. A name or type without
/// records is an empty answer. Returns the number of records, or one of the values above.
int cresolver_query(
    const char *name, int type, const char *server, uint16_t port, cresolver_visitor visitor, void *context);
