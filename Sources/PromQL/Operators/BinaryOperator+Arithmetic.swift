internal import Glibc

extension BinaryOperator {
    /// The result for two scalars. Comparisons return 1 or 0.
    func applied(to left: Double, _ right: Double) -> Double {
        switch self {
        case .add: left + right
        case .subtract: left - right
        case .multiply: left * right
        case .divide: left / right
        case .modulo: fmod(left, right)
        case .power: pow(left, right)
        case .atan2: Glibc.atan2(left, right)
        case .equal, .notEqual, .less, .greater, .lessOrEqual, .greaterOrEqual: holds(left, right) ? 1 : 0
        // The parser rejects these for scalars.
        case .and, .or, .unless, .trimUpper, .trimLower: .nan
        }
    }

    /// Whether a comparison is true; false for other operators.
    func holds(_ left: Double, _ right: Double) -> Bool {
        switch self {
        case .equal: left == right
        case .notEqual: left != right
        case .less: left < right
        case .greater: left > right
        case .lessOrEqual: left <= right
        case .greaterOrEqual: left >= right
        default: false
        }
    }

    /// Whether the result is another quantity than the operands, so that the metric name is removed.
    var changesMeaning: Bool {
        switch self {
        case .add, .subtract, .multiply, .divide, .modulo, .power, .atan2: true
        default: false
        }
    }

    /// The smaller number, or NaN if either is; -0 is less than 0.
    static func lesser(_ left: Double, _ right: Double) -> Double {
        if left.isNaN || right.isNaN { return left == -.infinity || right == -.infinity ? -.infinity : .nan }
        if left == 0, right == 0 { return left.sign == .minus ? left : right }
        return left < right ? left : right
    }

    /// The greater number, or NaN if either is; 0 is greater than -0.
    static func greater(_ left: Double, _ right: Double) -> Double {
        if left.isNaN || right.isNaN { return left == .infinity || right == .infinity ? .infinity : .nan }
        if left == 0, right == 0 { return left.sign == .minus ? right : left }
        return left > right ? left : right
    }
}
