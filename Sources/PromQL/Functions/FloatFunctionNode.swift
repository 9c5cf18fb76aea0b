internal import Glibc
internal import MetricModel

/// A function of each float of a vector. Histograms are dropped.
final class FloatFunctionNode: PlanNode {
    /// The value for an element, given the scalar arguments.
    typealias Function = @Sendable (Double, [Double]) -> Double

    private let function: Function
    private let input: any PlanNode
    private let parameters: [any PlanNode]
    /// Whether the arguments allow no result at all, such as `clamp` with a minimum above the maximum.
    private let isEmpty: @Sendable ([Double]) -> Bool

    init(
        _ function: @escaping Function, input: any PlanNode, parameters: [any PlanNode] = [],
        isEmpty: @escaping @Sendable ([Double]) -> Bool = { _ in false }
    ) {
        self.function = function
        self.input = input
        self.parameters = parameters
        self.isEmpty = isEmpty
    }

    func evaluate(_ run: Run, over grid: Grid) throws(QueryError) -> Block {
        var block = try run.evaluate(input, over: grid)
        var scalars: [Block] = []
        for parameter in parameters { scalars.append(try run.evaluate(parameter, over: grid)) }
        let arguments = (0..<grid.count).map { column in scalars.map { $0.values[column] } }
        let empty = arguments.map(isEmpty)
        for row in 0..<block.rows {
            for column in 0..<block.width {
                let cell = row * block.width + column
                if block.kinds[cell] == Block.Kind.float, !empty[column] {
                    block.values[cell] = function(block.values[cell], arguments[column])
                } else {
                    block.kinds[cell] = Block.Kind.none
                }
            }
        }
        block.series = block.series.withoutNames(delayed: run.options.delayedNameRemoval)
        return try run.settled(block)
    }

    /// The functions of one vector without other arguments.
    static func named(_ name: String) -> Function? { table[name] }

    private static let table: [String: Function] = [
        "abs": { value, _ in value.magnitude },
        "ceil": { value, _ in value.rounded(.up) },
        "floor": { value, _ in value.rounded(.down) },
        "exp": { value, _ in exp(value) },
        "sqrt": { value, _ in value.squareRoot() },
        "ln": { value, _ in log(value) },
        "log2": { value, _ in log2(value) },
        "log10": { value, _ in log10(value) },
        "sin": { value, _ in sin(value) },
        "cos": { value, _ in cos(value) },
        "tan": { value, _ in tan(value) },
        "asin": { value, _ in asin(value) },
        "acos": { value, _ in acos(value) },
        "atan": { value, _ in atan(value) },
        "sinh": { value, _ in sinh(value) },
        "cosh": { value, _ in cosh(value) },
        "tanh": { value, _ in tanh(value) },
        "asinh": { value, _ in asinh(value) },
        "acosh": { value, _ in acosh(value) },
        "atanh": { value, _ in atanh(value) },
        "rad": { value, _ in value * .pi / 180 },
        "deg": { value, _ in value * 180 / .pi },
        "sgn": { value, _ in value < 0 ? -1 : value > 0 ? 1 : value },
    ]

    static let clamp: Function = { value, limits in
        BinaryOperator.greater(limits[0], BinaryOperator.lesser(limits[1], value))
    }
    static let clampMinimum: Function = { value, limits in BinaryOperator.greater(limits[0], value) }
    static let clampMaximum: Function = { value, limits in BinaryOperator.lesser(limits[0], value) }
    /// Rounds to the nearest multiple, ties up. Multiplies by the inverse, which is more precise for fractions.
    static let round: Function = { value, nearest in
        let inverse = 1 / (nearest.first ?? 1)
        return (value * inverse + 0.5).rounded(.down) / inverse
    }

    /// The date functions of a time in seconds since the epoch.
    static func date(_ name: String) -> Function? {
        guard let part = CalendarPart(rawValue: name) else { return nil }
        return { value, _ in part.value(at: value) }
    }
}

/// The part of a time, in UTC, that a date function returns.
enum CalendarPart: String {
    case minute, hour, month, year
    case dayOfMonth = "day_of_month"
    case dayOfWeek = "day_of_week"
    case dayOfYear = "day_of_year"
    case daysInMonth = "days_in_month"

    /// The part of the time `seconds` after the epoch. Fractions are ignored.
    func value(at seconds: Double) -> Double {
        // A value that does not fit in a 64-bit integer becomes the smallest one on Prometheus's processors. Go's
        // calendar starts long before that, and treats it as the time after the greatest one.
        let whole = Int64(exactly: seconds.rounded(.towardZero)) ?? .max
        let day = whole.dividedRoundingDown(by: 86_400)
        let second = whole &- day &* 86_400
        switch self {
        case .minute: return Double(second / 60 % 60)
        case .hour: return Double(second / 3600)
        case .dayOfWeek: return Double((day % 7 + 11) % 7)
        case .month: return Double(CivilDate(day: day).month)
        case .year: return Double(CivilDate(day: day).year)
        case .dayOfMonth: return Double(CivilDate(day: day).day)
        case .dayOfYear: return Double(CivilDate(day: day).dayOfYear)
        case .daysInMonth: return Double(CivilDate(day: day).daysInMonth)
        }
    }
}

extension Int64 {
    func dividedRoundingDown(by divisor: Int64) -> Int64 {
        self / divisor - (self % divisor < 0 ? 1 : 0)
    }
}

/// A day of the proleptic Gregorian calendar.
///
/// - Note: Source: H. Hinnant, "chrono-compatible low-level date algorithms": eras of 400 years that begin in March.
struct CivilDate {
    let year: Int64
    let month: Int64
    let day: Int64

    /// The day `day` days after 1970-01-01.
    init(day number: Int64) {
        let shifted = number + 719_468
        let era = shifted.dividedRoundingDown(by: 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    private static let lengths: [Int64] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

    private var isLeapYear: Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

    var daysInMonth: Int64 { Self.lengths[Int(month - 1)] + (month == 2 && isLeapYear ? 1 : 0) }

    /// From 1.
    var dayOfYear: Int64 {
        Self.lengths[..<Int(month - 1)].reduce(day, +) + (month > 2 && isLeapYear ? 1 : 0)
    }
}
