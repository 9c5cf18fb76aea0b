/// A function of the language, with the types of its arguments and result.
public struct Function: Equatable, Sendable {
    /// How many arguments are allowed.
    public enum Variadic: Equatable, Sendable {
        /// Exactly one for each type.
        case fixed
        /// The last argument is optional and may be repeated up to this number.
        case optional(upTo: Int)
        /// The last argument is optional and may be repeated without limit.
        case unlimited
    }

    /// The name as written in expressions.
    public let name: String
    /// The types of the arguments. A repeated last argument has the last type.
    public let argumentTypes: [ValueType]
    /// How many arguments are allowed.
    public let variadic: Variadic
    /// The type of the result.
    public let returnType: ValueType
    /// Whether the function must be enabled.
    public let isExperimental: Bool

    /// The function named `name`. Names are case-sensitive.
    public static func named(_ name: String) -> Function? { table[name] }

    /// All functions, sorted by name.
    public static let all: [Function] = table.values.sorted { $0.name < $1.name }

    /// Prometheus's number for `variadic`: 0, the number of optional arguments, or -1 for any number.
    public var variadicCode: Int {
        switch variadic {
        case .fixed: 0
        case .optional(let count): count
        case .unlimited: -1
        }
    }

    private static let table: [String: Function] = {
        let functions =
            elementwise + overTime + dates + histograms + labels + scalars + others
        return Dictionary(uniqueKeysWithValues: functions.map { ($0.name, $0) })
    }()

    private static func make(
        _ name: String, _ arguments: [ValueType], _ result: ValueType = .vector, variadic: Variadic = .fixed,
        experimental: Bool = false
    ) -> Function {
        Function(
            name: name, argumentTypes: arguments, variadic: variadic, returnType: result,
            isExperimental: experimental)
    }

    private static let elementwise: [Function] =
        [
            "abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh", "deg", "exp", "floor",
            "ln", "log10", "log2", "rad", "sgn", "sin", "sinh", "sqrt", "tan", "tanh",
        ].map { make($0, [.vector]) }
        + [
            make("clamp", [.vector, .scalar, .scalar]),
            make("clamp_max", [.vector, .scalar]),
            make("clamp_min", [.vector, .scalar]),
            make("round", [.vector, .scalar], variadic: .optional(upTo: 1)),
        ]

    private static let overTime: [Function] =
        [
            "absent_over_time", "avg_over_time", "changes", "count_over_time", "delta", "deriv", "idelta", "increase",
            "irate", "last_over_time", "max_over_time", "min_over_time", "present_over_time", "rate", "resets",
            "stddev_over_time", "stdvar_over_time", "sum_over_time",
        ].map { make($0, [.matrix]) }
        + [
            "first_over_time", "mad_over_time", "ts_of_first_over_time", "ts_of_last_over_time",
            "ts_of_max_over_time", "ts_of_min_over_time",
        ].map { make($0, [.matrix], experimental: true) }
        + [
            make("double_exponential_smoothing", [.matrix, .scalar, .scalar], experimental: true),
            make("predict_linear", [.matrix, .scalar]),
            make("quantile_over_time", [.scalar, .matrix]),
        ]

    private static let dates: [Function] = [
        "day_of_month", "day_of_week", "day_of_year", "days_in_month", "hour", "minute", "month", "year",
    ].map { make($0, [.vector], variadic: .optional(upTo: 1)) }

    private static let histograms: [Function] =
        ["histogram_avg", "histogram_count", "histogram_stddev", "histogram_stdvar", "histogram_sum"].map {
            make($0, [.vector])
        }
        + [
            make("histogram_fraction", [.scalar, .scalar, .vector]),
            make("histogram_quantile", [.scalar, .vector]),
            make(
                "histogram_quantiles", [.vector, .string, .scalar, .scalar], variadic: .optional(upTo: 9),
                experimental: true),
        ]

    private static let labels: [Function] = [
        make("info", [.vector, .vector], variadic: .optional(upTo: 1), experimental: true),
        make("label_join", [.vector, .string, .string, .string], variadic: .unlimited),
        make("label_replace", [.vector, .string, .string, .string, .string]),
        make("sort_by_label", [.vector, .string], variadic: .unlimited, experimental: true),
        make("sort_by_label_desc", [.vector, .string], variadic: .unlimited, experimental: true),
    ]

    private static let scalars: [Function] =
        ["end", "range", "start", "step"].map { make($0, [], .scalar, experimental: true) }
        + ["max_of", "min_of"].map { make($0, [.scalar, .scalar], .scalar, experimental: true) }
        + [
            make("pi", [], .scalar),
            make("scalar", [.vector], .scalar),
            make("time", [], .scalar),
        ]

    private static let others: [Function] = [
        make("absent", [.vector]),
        make("sort", [.vector]),
        make("sort_desc", [.vector]),
        make("start_timestamp", [.vector], experimental: true),
        make("timestamp", [.vector]),
        make("vector", [.scalar]),
    ]
}
