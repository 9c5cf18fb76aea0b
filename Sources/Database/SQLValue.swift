/// A value in a table or a parameter, for any database.
public enum SQLValue: Equatable, Sendable {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)
    case blob([UInt8])
    /// A point in time, in microseconds since the Unix epoch. `timestamptz` in PostgreSQL, an integer in SQLite.
    case time(microseconds: Int64)
    /// A JSON text. `jsonb` in PostgreSQL, text in SQLite.
    case json(String)

    /// The integer; 0 for any other kind of value.
    public var integer: Int64 { if case .integer(let value) = self { value } else { 0 } }
    /// The text; empty for any other kind of value.
    public var text: String {
        switch self {
        case .text(let value), .json(let value): value
        default: ""
        }
    }
    /// The bytes; empty for any other kind of value.
    public var blob: [UInt8] { if case .blob(let value) = self { value } else { [] } }
    /// The number. NULL gives NaN, because SQLite stores NaN as NULL.
    public var real: Double {
        switch self {
        case .real(let value): value
        case .integer(let value): Double(value)
        default: .nan
        }
    }
    /// Microseconds since the Unix epoch; 0 for any other kind of value.
    public var microseconds: Int64 {
        switch self {
        case .time(let value), .integer(let value): value
        default: 0
        }
    }
}

/// A column of numbers.
public enum SQLColumn: Sendable {
    case integers([Int64])
    case reals([Double])
    /// Microseconds since the Unix epoch.
    case times([Int64])

    /// Number of values.
    public var count: Int {
        switch self {
        case .integers(let values), .times(let values): values.count
        case .reals(let values): values.count
        }
    }

    subscript(row: Int) -> SQLValue {
        switch self {
        case .integers(let values): .integer(values[row])
        case .times(let values): .time(microseconds: values[row])
        case .reals(let values): .real(values[row])
        }
    }
}
