internal import CPostgreSQL
internal import Glibc

/// A result, freed with its owner.
@safe final class QueryResult {
    let handle: OpaquePointer

    init(owning handle: OpaquePointer) {
        unsafe self.handle = unsafe handle
    }

    deinit {
        unsafe PQclear(handle)
    }
}

extension PostgreSQLConnection {
    /// Throws the connection's error unless a call of libpq succeeded.
    func require(_ succeeded: Bool) throws(PostgreSQLError) {
        if !succeeded { throw unsafe .connection(handle) }
    }

    /// Waits for the end of the command, and returns its last result.
    func awaitResult() throws(PostgreSQLError) -> QueryResult {
        let deadline = self.deadline()
        try flush(until: deadline)
        var last: QueryResult?
        var failure: PostgreSQLError?
        while true {
            while unsafe PQisBusy(handle) == 1 {
                try wait(for: Int16(POLLIN), until: deadline)
                unsafe try require(PQconsumeInput(handle) == 1)
            }
            guard let result = unsafe PQgetResult(handle) else { break }
            let owner = unsafe QueryResult(owning: result)
            last = owner
            switch unsafe PQresultStatus(result) {
            case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY: continue
            case PGRES_COPY_IN: return owner
            default: failure = unsafe failure ?? .result(result)
            }
        }
        if unsafe PQstatus(handle) != CONNECTION_OK { throw unsafe .connection(handle) }
        if let failure { throw failure }
        guard let last else {
            throw PostgreSQLError(code: .unexpectedResponse, sqlState: nil, message: "the server returned no result")
        }
        return last
    }

    /// The time by which a result is needed, in nanoseconds of the monotonic clock.
    func deadline() -> Int64 {
        now() + Int64(answerMilliseconds) * 1_000_000
    }

    /// Sends the data that libpq has buffered.
    func flush(until deadline: Int64) throws(PostgreSQLError) {
        while true {
            switch unsafe PQflush(handle) {
            case 0: return
            case 1:
                // The server may have to send before it can read more.
                let ready = try wait(for: Int16(POLLIN | POLLOUT), until: deadline)
                if ready & Int16(POLLIN) != 0 { unsafe try require(PQconsumeInput(handle) == 1) }
            default: throw unsafe .connection(handle)
            }
        }
    }

    /// Waits until the socket is ready for any of `events`.
    @discardableResult
    func wait(for events: Int16, until deadline: Int64) throws(PostgreSQLError) -> Int16 {
        while true {
            let left = (deadline - now() + 999_999) / 1_000_000
            var descriptor = unsafe pollfd(fd: PQsocket(handle), events: events, revents: 0)
            let count = unsafe left > 0 ? poll(&descriptor, 1, Int32(clamping: left)) : 0
            if count > 0 { return descriptor.revents }
            if count == 0 {
                throw PostgreSQLError(code: .timeout, sqlState: nil, message: "the server did not respond in time")
            }
            guard errno == EINTR else {
                throw PostgreSQLError(code: .connection, sqlState: nil, message: "waiting failed with error \(errno)")
            }
        }
    }

    private func now() -> Int64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
