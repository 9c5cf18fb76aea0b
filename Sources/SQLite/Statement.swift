internal import CSQLite

/// A compiled statement. Belongs to the thread of its ``SQLiteConnection``.
@safe public final class Statement {
    private let handle: OpaquePointer
    /// Valid as long as this statement: SQLite closes a connection only after its last statement.
    private let database: OpaquePointer

    init(owning handle: OpaquePointer, of database: OpaquePointer) {
        unsafe self.handle = unsafe handle
        unsafe self.database = unsafe database
    }

    deinit {
        unsafe sqlite3_finalize(handle)
    }

    /// Runs the statement with `parameters` in their order and returns its rows.
    @discardableResult
    public func execute(_ parameters: [SQLiteValue] = []) throws(SQLiteError) -> [[SQLiteValue]] {
        defer {
            // Both return the error of the last step again, which was already reported.
            unsafe sqlite3_reset(handle)
            unsafe sqlite3_clear_bindings(handle)
        }
        for (offset, value) in parameters.enumerated() {
            let code = bind(value, at: Int32(offset + 1))
            guard code == SQLITE_OK else { throw unsafe SQLiteConnection.error(code, of: database) }
        }
        var rows: [[SQLiteValue]] = []
        while true {
            switch unsafe sqlite3_step(handle) {
            case SQLITE_ROW: unsafe rows.append((0..<sqlite3_column_count(handle)).map { column($0) })
            case SQLITE_DONE: return rows
            case let code: throw unsafe SQLiteConnection.error(code, of: database)
            }
        }
    }

    private func bind(_ value: SQLiteValue, at index: Int32) -> Int32 {
        switch value {
        case .null: return unsafe sqlite3_bind_null(handle, index)
        case .integer(let value): return unsafe sqlite3_bind_int64(handle, index, value)
        case .real(let value): return unsafe sqlite3_bind_double(handle, index, value)
        case .text(var text):
            return text.withUTF8 { bytes in
                unsafe bytes.withMemoryRebound(to: CChar.self) {
                    unsafe csqlite_bind_text(handle, index, $0.baseAddress, UInt64($0.count))
                }
            }
        case .blob(let bytes):
            return unsafe bytes.withUnsafeBytes {
                unsafe csqlite_bind_blob(handle, index, $0.baseAddress, UInt64($0.count))
            }
        }
    }

    private func column(_ index: Int32) -> SQLiteValue {
        switch unsafe sqlite3_column_type(handle, index) {
        case SQLITE_INTEGER: return unsafe .integer(sqlite3_column_int64(handle, index))
        case SQLITE_FLOAT: return unsafe .real(sqlite3_column_double(handle, index))
        case SQLITE_TEXT:
            return unsafe .text(
                String(decoding: bytes(of: sqlite3_column_text(handle, index), at: index), as: UTF8.self))
        case SQLITE_BLOB: return unsafe .blob(Array(bytes(of: sqlite3_column_blob(handle, index), at: index)))
        default: return .null
        }
    }

    private func bytes(of start: UnsafeRawPointer?, at index: Int32) -> UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, index)))
    }
}
