internal import CPostgreSQL
internal import Glibc

/// One connection to a PostgreSQL server. Used by one thread, which it blocks; closed when it is freed.
///
/// Every wait has a deadline, even if the server accepts data but never responds. After an error of the kinds
/// `connection` and `timeout` the connection is unusable and a new one is needed.
@safe public final class PostgreSQLConnection {
    let handle: OpaquePointer
    let answerMilliseconds: Int32
    private var prepared: [String: String] = [:]

    /// The maximum number of prepared statements. Others are parsed at each use.
    private static let preparedLimit = 64

    /// Connects.
    ///
    /// - Parameters:
    ///   - address: a connection string or URI for libpq. Never part of an error.
    ///   - connectSeconds: timeout of connecting; libpq uses at least 2 s. `connect_timeout` in `address` takes
    ///     precedence.
    ///   - answerSeconds: timeout of one statement.
    public init(address: String, connectSeconds: Int = 5, answerSeconds: Int = 30) throws(PostgreSQLError) {
        try PostgreSQLConnection.check(address)
        // If a keyword is given twice, the later value is used. So `address` overrides the settings before `dbname`.
        let settings = [
            ("connect_timeout", String(connectSeconds)), ("fallback_application_name", "tribune"),
            ("keepalives_idle", "10"), ("tcp_user_timeout", String(answerSeconds * 1000)), ("dbname", address),
            ("client_encoding", "UTF8"),
        ]
        let opened = unsafe PostgreSQLConnection.open(settings)
        guard let opened = unsafe opened, unsafe PQstatus(opened) == CONNECTION_OK,
            unsafe PQsetnonblocking(opened, 1) == 0
        else {
            let error = unsafe PostgreSQLError.connection(opened)
            unsafe PQfinish(opened)
            throw error
        }
        unsafe handle = unsafe opened
        answerMilliseconds = Int32(clamping: answerSeconds * 1000)
        // Notices ("table exists, skipping") would be written to standard error.
        unsafe PQsetNoticeProcessor(handle, { _, _ in }, nil)
    }

    deinit {
        unsafe PQfinish(handle)
    }

    private static func open(_ settings: [(keyword: String, value: String)]) -> OpaquePointer? {
        let keywords = unsafe settings.map { unsafe strdup($0.keyword) }
        let values = unsafe settings.map { unsafe strdup($0.value) }
        defer { unsafe (keywords + values).forEach { unsafe free($0) } }
        let first = unsafe keywords.map { unsafe UnsafePointer($0) } + [nil]
        let second = unsafe values.map { unsafe UnsafePointer($0) } + [nil]
        return unsafe PQconnectdbParams(first, second, 1)
    }

    /// Why `address` is not a connection string of libpq, without quoting it, because libpq's own message may contain
    /// the password; `nil` if it is one. Does not connect.
    public static func fault(in address: String) -> String? {
        let options = unsafe PQconninfoParse(address, nil)
        defer { unsafe PQconninfoFree(options) }
        let isString = address.contains("=") || address.hasPrefix("postgres://") || address.hasPrefix("postgresql://")
        if isString, unsafe options != nil { return nil }
        return "the connection string is neither a list of keyword=value nor a postgresql:// URI"
    }

    private static func check(_ address: String) throws(PostgreSQLError) {
        if let fault = fault(in: address) {
            throw PostgreSQLError(code: .badAddress, sqlState: nil, message: fault)
        }
    }

    /// Runs one statement with parameters `$1`, `$2`, … and returns its rows.
    @discardableResult
    public func execute(
        _ sql: String, _ parameters: [PostgreSQLValue] = []
    ) throws(PostgreSQLError) -> [[PostgreSQLValue]] {
        try rows(perform(sql, parameters))
    }

    /// Runs one INSERT, UPDATE or DELETE and returns the number of rows it changed.
    @discardableResult
    public func change(_ sql: String, _ parameters: [PostgreSQLValue] = []) throws(PostgreSQLError) -> Int {
        let result = try perform(sql, parameters)
        return unsafe Int(String(cString: PQcmdTuples(result.handle))) ?? 0
    }

    /// Runs the statements of `script` and discards their rows.
    public func run(_ script: String) throws(PostgreSQLError) {
        unsafe try require(PQsendQuery(handle, script) == 1)
        _ = try awaitResult()
    }

    private func perform(_ sql: String, _ parameters: [PostgreSQLValue]) throws(PostgreSQLError) -> QueryResult {
        let encoded = parameters.map(\.encoded)
        let lengths = encoded.map { Int32(clamping: $0?.count ?? 0) }
        guard lengths.allSatisfy({ $0 < 1 << 30 }) else {
            throw PostgreSQLError(code: .statement, sqlState: nil, message: "a parameter is larger than 1 GiB")
        }
        let formats = [Int32](repeating: 1, count: parameters.count)
        let name = try prepare(sql, types: parameters.map(\.type))
        let sent = unsafe withPointers(to: encoded) { values in
            unsafe PQsendQueryPrepared(handle, name, Int32(parameters.count), values, lengths, formats, 1)
        }
        try require(sent == 1)
        return try awaitResult()
    }

    /// The name of the prepared statement for `sql`; the unnamed statement if there are too many.
    private func prepare(_ sql: String, types: [UInt32]) throws(PostgreSQLError) -> String {
        if let name = prepared[sql] { return name }
        let name = prepared.count < Self.preparedLimit ? "tribune\(prepared.count)" : ""
        unsafe try require(PQsendPrepare(handle, name, sql, Int32(types.count), types) == 1)
        _ = try awaitResult()
        if !name.isEmpty { prepared[sql] = name }
        return name
    }

    private func rows(_ result: QueryResult) throws(PostgreSQLError) -> [[PostgreSQLValue]] {
        let columns = unsafe PQnfields(result.handle)
        var rows: [[PostgreSQLValue]] = []
        for row in unsafe 0..<PQntuples(result.handle) {
            var values: [PostgreSQLValue] = []
            for column in 0..<columns {
                if unsafe PQgetisnull(result.handle, row, column) == 1 {
                    values.append(.null)
                    continue
                }
                let bytes = unsafe UnsafeRawBufferPointer(
                    start: PQgetvalue(result.handle, row, column), count: Int(PQgetlength(result.handle, row, column)))
                let type = unsafe PQftype(result.handle, column)
                guard let value = unsafe PostgreSQLValue(type: type, bytes: bytes) else {
                    throw PostgreSQLError(
                        code: .unexpectedResponse, sqlState: nil, message: "column \(column + 1) has the type \(type)")
                }
                values.append(value)
            }
            rows.append(values)
        }
        return rows
    }

    /// Calls `body` with the addresses of `values`, null for NULL.
    private func withPointers(
        to values: [[UInt8]?], _ body: (UnsafePointer<UnsafePointer<CChar>?>?) -> Int32
    ) -> Int32 {
        let all = values.reduce(into: [UInt8]()) { $0 += $1 ?? [] } + [0]
        return unsafe all.withUnsafeBytes { bytes in
            var offset = 0
            let pointers = unsafe values.map { value -> UnsafePointer<CChar>? in
                guard let value else { return nil }
                defer { offset += value.count }
                return unsafe bytes.baseAddress?.advanced(by: offset).assumingMemoryBound(to: CChar.self)
            }
            return unsafe pointers.withUnsafeBufferPointer { unsafe body($0.baseAddress) }
        }
    }
}
