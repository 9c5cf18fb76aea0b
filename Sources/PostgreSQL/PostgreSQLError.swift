internal import CPostgreSQL

/// Why a statement or connection failed. Contains neither the connection string nor values of rows.
public struct PostgreSQLError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The kinds of failure.
    public enum Code: Sendable {
        /// The connection string cannot be read.
        case badAddress
        /// There is no connection, or it was lost. Whether a COMMIT in progress took effect is unknown.
        case connection
        /// The server did not respond in time. The connection is closed.
        case timeout
        /// The server rejected the statement; ``PostgreSQLError/sqlState`` has the reason.
        case statement
        /// A result with an unexpected type or shape.
        case unexpectedResponse
    }

    /// The kind of failure.
    public var code: Code
    /// The five characters of the SQL standard (`23505`), for errors the server reported.
    public var sqlState: String?
    /// The reason.
    public var message: String

    /// The reason with its SQLSTATE.
    public var description: String {
        "PostgreSQL: \(message)" + (sqlState.map { " (SQLSTATE \($0))" } ?? "")
    }

    /// The error in a result. Only the primary message, because details contain values of rows.
    static func result(_ result: OpaquePointer?) -> PostgreSQLError {
        func field(_ code: Character) -> String? {
            guard let ascii = code.asciiValue, let text = unsafe PQresultErrorField(result, Int32(ascii)) else {
                return nil
            }
            return unsafe String(cString: text)
        }
        return PostgreSQLError(
            code: .statement, sqlState: field("C"), message: field("M") ?? "no error message")
    }

    /// The error message of a lost connection, on one line.
    static func connection(_ handle: OpaquePointer?) -> PostgreSQLError {
        let text = unsafe PQerrorMessage(handle).map { unsafe String(cString: $0) } ?? "out of memory"
        let lines = text.split(whereSeparator: \.isNewline).map { line in line.drop { $0.isWhitespace } }
        return PostgreSQLError(code: .connection, sqlState: nil, message: lines.joined(separator: " "))
    }
}
