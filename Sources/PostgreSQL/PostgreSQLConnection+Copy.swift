internal import CPostgreSQL

extension PostgreSQLConnection {
    /// Appends `rows` to a table with binary COPY, the fastest way.
    ///
    /// - Parameter target: the table with its columns, `measurement (series, ts, value)`; trusted text. The values of a
    ///   row must have exactly the columns' types.
    public func copy(into target: String, _ rows: [[PostgreSQLValue]]) throws(PostgreSQLError) {
        let deadline = try beginCopy(target)
        var buffer: [UInt8] = []
        for row in rows {
            buffer += bigEndian(Int16(clamping: row.count))
            for value in row {
                guard let bytes = value.encoded else {
                    buffer += bigEndian(Int32(-1))
                    continue
                }
                buffer += bigEndian(Int32(clamping: bytes.count))
                buffer += bytes
            }
            if buffer.count > 256 << 10 {
                try put(buffer, until: deadline)
                buffer.removeAll(keepingCapacity: true)
            }
        }
        try endCopy(buffer, until: deadline)
    }

    /// Appends rows in which all columns have types of eight bytes: `int8`, `float8`, `timestamptz`.
    ///
    /// - Parameters:
    ///   - target: the table with its columns; trusted text.
    ///   - columns: the bits of the values of each column, from ``PostgreSQLColumn``; all of the same length.
    public func copy(into target: String, columns: [PostgreSQLColumn]) throws(PostgreSQLError) {
        let columns = columns.map(\.words)
        let count = columns.map(\.count).min() ?? 0
        let deadline = try beginCopy(target)
        let rowBytes = 2 + columns.count * 12
        var row = 0
        while row < count {
            let rows = row..<min(count, row + 4096)
            let bytes = unsafe [UInt8](unsafeUninitializedCapacity: rows.count * rowBytes) { buffer, initialized in
                let raw = UnsafeMutableRawBufferPointer(buffer)
                var offset = 0
                for row in rows {
                    unsafe raw.storeBytes(of: UInt16(columns.count).bigEndian, toByteOffset: offset, as: UInt16.self)
                    offset += 2
                    for column in columns {
                        unsafe raw.storeBytes(of: UInt32(8).bigEndian, toByteOffset: offset, as: UInt32.self)
                        unsafe raw.storeBytes(of: column[row].bigEndian, toByteOffset: offset + 4, as: UInt64.self)
                        offset += 12
                    }
                }
                initialized = offset
            }
            try put(bytes, until: deadline)
            row = rows.upperBound
        }
        try endCopy([], until: deadline)
    }

    /// Sends the statement and the header of the binary format. Returns the deadline.
    private func beginCopy(_ target: String) throws(PostgreSQLError) -> Int64 {
        unsafe try require(PQsendQuery(handle, "COPY \(target) FROM STDIN (FORMAT binary)") == 1)
        _ = try awaitResult()
        let deadline = self.deadline()
        // Signature, no flags, no header extension.
        try put(Array("PGCOPY\n".utf8) + [0xff, 0x0d, 0x0a, 0x00] + [UInt8](repeating: 0, count: 8), until: deadline)
        return deadline
    }

    /// Sends the rest of the rows and the trailer, and waits for the result.
    private func endCopy(_ rest: [UInt8], until deadline: Int64) throws(PostgreSQLError) {
        try put(rest + bigEndian(Int16(-1)), until: deadline)
        while true {
            switch unsafe PQputCopyEnd(handle, nil) {
            case 1:
                _ = try awaitResult()
                return
            case 0: try flush(until: deadline)
            default: throw unsafe .connection(handle)
            }
        }
    }

    private func put(_ bytes: [UInt8], until deadline: Int64) throws(PostgreSQLError) {
        while true {
            let code = unsafe bytes.withUnsafeBytes { bytes in
                unsafe PQputCopyData(
                    handle, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(clamping: bytes.count))
            }
            switch code {
            case 1: return try flush(until: deadline)
            case 0: try flush(until: deadline)
            default: throw unsafe .connection(handle)
            }
        }
    }
}

/// A column of values of eight bytes.
public enum PostgreSQLColumn: Sendable {
    /// `int8`.
    case integers([Int64])
    /// `float8`.
    case reals([Double])
    /// `timestamptz`, in microseconds since the Unix epoch.
    case times([Int64])

    /// The bits in host byte order.
    var words: [UInt64] {
        switch self {
        case .integers(let values): values.map { UInt64(bitPattern: $0) }
        case .reals(let values): values.map(\.bitPattern)
        case .times(let values):
            values.map { UInt64(bitPattern: $0.subtractingReportingOverflow(PostgreSQLValue.epoch).partialValue) }
        }
    }
}
