internal import Glibc
internal import MetricModel

extension DurationValue {
    /// The duration in milliseconds for the running query.
    ///
    /// - Parameter mayBeNegative: whether zero and less is allowed, as for offsets.
    func resolved(_ run: Run, mayBeNegative: Bool) throws(QueryError) -> Int64 {
        switch self {
        case .fixed(let length): return length.rawValue
        case .computed(let expression):
            let seconds = try expression.seconds(run)
            let range = expression.sourceRange
            if !(seconds > 0) && !mayBeNegative {
                throw .execution("\(range.start):\(range.end): duration must be greater than 0")
            }
            // The limit keeps sums of a few such durations within 64 bits.
            guard seconds.magnitude <= 0x1p50 else {
                throw .execution("\(range.start):\(range.end): duration is out of range")
            }
            return Int64(seconds * 1000)
        }
    }
}

extension DurationExpression {
    fileprivate func seconds(_ run: Run) throws(QueryError) -> Double {
        switch self {
        case .literal(let number): return number.value
        case .step: return Double(run.step) / 1000
        case .queryRange: return Double(run.end - run.start) / 1000
        case .minimum(let left, let right, _, _):
            return try BinaryOperator.lesser(left.seconds(run), right.seconds(run))
        case .maximum(let left, let right, _, _):
            return try BinaryOperator.greater(left.seconds(run), right.seconds(run))
        case .unary(let sign, let operand, _, _):
            let value = try operand.seconds(run)
            return sign == .minus ? -value : value
        case .binary(let symbol, let left, let right, _, let range):
            let divisor = try right.seconds(run)
            if divisor == 0, symbol == .divide || symbol == .modulo {
                let name = symbol == .divide ? "division" : "modulo"
                throw .execution("\(range.start):\(range.end): \(name) by zero")
            }
            return symbol.applied(to: try left.seconds(run), divisor)
        }
    }
}
