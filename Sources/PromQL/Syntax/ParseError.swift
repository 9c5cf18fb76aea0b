/// Why an expression is invalid.
///
/// `description` is Prometheus's text: `1:5: parse error: unexpected end of input`.
public struct ParseError: Error, Equatable, Sendable, CustomStringConvertible {
    /// One error.
    public struct Fault: Equatable, Sendable {
        /// Its position in the query, in bytes.
        public var range: SourceRange
        /// The error message.
        public var text: String

        /// An error at `range`.
        public init(range: SourceRange, text: String) {
            self.range = range
            self.text = text
        }
    }

    /// The expression.
    public var input: String
    /// All errors, in the order in which they were found; never empty.
    public var faults: [Fault]

    /// The errors in `input`.
    public init(input: String, faults: [Fault]) {
        self.input = input
        self.faults = faults
    }

    /// Line and column (1-based, in bytes) of a byte offset.
    public static func position(of offset: Int, in input: String) -> (line: Int, column: Int) {
        var line = 1
        var column = 1
        for byte in input.utf8.prefix(offset) {
            if byte == UInt8(ascii: "\n") {
                line += 1
                column = 1
            } else {
                column += 1
            }
        }
        return (line, column)
    }

    /// The first error with its position.
    public var description: String {
        let fault = faults[0]
        let (line, column) = ParseError.position(of: fault.range.start, in: input)
        return "\(line):\(column): parse error: \(fault.text)"
    }
}
